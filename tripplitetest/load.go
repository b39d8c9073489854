package tripplitetest

import (
	"slices"
	"time"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// LoadOn reports whether the load of the unit has power. A UPS acts on commands as units have been
// seen to do, and as their makers say: its timers count, its load goes off and comes back, a
// battery test takes ten seconds. While the load is off the readings of the output are 0. The
// timers go on while the unit is unplugged.
func (u *UPS) LoadOn() bool { return u.dev.LoadOn() }

// OutletOn reports whether a group of outlets has power, of a unit of product 0001. The first one
// is 1. It fails the test for any other unit.
func (u *UPS) OutletOn(n int) bool {
	u.t.Helper()
	return u.framed().OutletOn(n)
}

// framed fails the test where there is no such unit.
func (u *UPS) framed() *capture.Framed {
	u.t.Helper()
	framed := u.dev.Framed()
	if framed == nil {
		u.t.Fatalf("tripplitetest: the %s is no unit of product 0001", u.capture.Name)
	}
	return framed
}

// Write is what a unit was told to do: a feature report that was written to it, its id first, or a
// command to a unit of product 0001. It has the bytes of a [tripplite.Write].
type Write struct {
	Time  time.Time
	Bytes []byte
}

// Writes returns what the unit was told to do since Writes was last called, in order, also where it
// refused or ignored that. What only asks a unit of product 0001 is not among them: see
// [UPS.Requests].
func (u *UPS) Writes() []Write {
	u.mu.Lock()
	defer u.mu.Unlock()
	writes := u.writes
	u.writes = nil
	return writes
}

// FailWrites makes every write to a feature report fail, which is read as before, until
// [UPS.HealReport]. With [syscall.EPIPE] the unit refuses it, as Linux tells.
func (u *UPS) FailWrites(id byte, err error) {
	u.t.Helper()
	if err == nil {
		u.t.Fatalf("tripplitetest: FailWrites(0x%02x, nil): a failure is an error", id)
	}
	u.refuse(id, err)
}

func (u *UPS) refuse(id byte, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.refusals[id] = err
}

// IgnoreWrites has the unit accept what is written to these feature reports and do nothing about
// it, until [UPS.HealReport]. A unit of product 0001 has [Manners] for that, and fails the test.
func (u *UPS) IgnoreWrites(ids ...byte) {
	u.t.Helper()
	if u.dev.Framed() != nil {
		u.t.Fatalf("tripplitetest: the %s is a unit of product 0001: use SetManners", u.capture.Name)
	}
	u.dev.IgnoreWrites(true, ids...)
}

// UnplugAfterWrites unplugs the unit some time after the n-th write from now, so that it can leave
// the bus between two writes of a command: these are at least 125 ms apart. Without time it leaves
// as soon as it has the write, which it acts on; the reply of a unit of product 0001 is lost. With
// 0 writes it stays. [UPS.Replug] puts it back.
func (u *UPS) UnplugAfterWrites(n int, after time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.toUnplug, u.unplugAfter = n, after
}

// noteWrite records a write. It reports whether the unit leaves the bus by it. It is called with
// the UPS locked.
func (u *UPS) noteWrite(report []byte) (leaves bool) {
	bytes := slices.Clone(report)
	if u.dev.Framed() != nil {
		command, control := capture.IsControl(report)
		if !control {
			return false
		}
		bytes = command
	}
	u.writes = append(u.writes, Write{time.Now(), bytes})
	if u.toUnplug == 0 {
		return false
	}
	u.toUnplug--
	return u.toUnplug == 0
}

// unplugSoon is called with the UPS locked.
func (u *UPS) unplugSoon() {
	if u.unplugAfter <= 0 {
		u.unplugged = errUnplugged
		u.connect()
		return
	}
	u.leaving = time.AfterFunc(u.unplugAfter, u.Unplug)
}

// end stops the timers of the unit when the test ends.
func (u *UPS) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.leaving != nil {
		u.leaving.Stop()
	}
	u.dev.Close()
}
