package tripplitetest

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/replay"
)

// UPS is a unit for tests. It is also the [tripplite.Device] by which it is read. It starts as its
// capture says and stays so until the test changes something, or a command does: see [UPS.LoadOn].
// It is safe for many goroutines, but the methods that fail the test belong to the test's own.
type UPS struct {
	// Info is what a Battery says that the unit is. Its Path is "1-1:1.0". In a test of several
	// units each needs a Path of its own, before Battery is called.
	Info tripplite.DeviceInfo
	// Latency is how long a transfer takes, a millisecond unless the test sets it before Battery is
	// called. Real units take 1 to 5 ms.
	Latency time.Duration

	t       testing.TB
	capture *capture.Capture
	dev     *capture.Device
	line    map[string]float64 // what PowerReturns restores, by key
	session *session           // that is to be repeated, or nil

	mu         sync.Mutex
	hasBattery bool             // that is not closed
	closed     error            // why transfers fail, or nil
	unplugged  error            // the same, while closed is nil
	answers    map[byte]*answer // in place of the reports of the unit
	refusals   map[byte]error   // of writes, by report
	requests   []string
	writes     []Write

	toUnplug    int // how many writes from now the unit is unplugged; 0 is never
	unplugAfter time.Duration
	leaving     *time.Timer // that unplugs the unit, or nil
}

type answer struct {
	bytes []byte
	err   error
}

// Captures lists the captures that NewUPS has built in, sorted.
func Captures() []string { return capture.Names() }

// NewUPS makes a unit from a capture: one of [Captures], or else a file such as a [Recorder] or
// "tripplite capture" writes.
func NewUPS(t testing.TB, nameOrFile string) *UPS {
	t.Helper()
	c, err := capture.Load(nameOrFile)
	if err != nil {
		t.Fatalf("tripplitetest: %v", err)
	}
	u := &UPS{
		Info: replay.Info(c),
		// A Watch passes on what a unit announces before it has read the whole State, but only if
		// that takes time.
		Latency: time.Millisecond,
		t:       t,
		capture: c,
		dev:     c.Device(c.UPSInterface),
		answers: map[byte]*answer{}, refusals: map[byte]error{},
	}
	u.Info.Path = "1-1:1.0"
	u.line = u.lineNow()
	t.Cleanup(u.end)
	return u
}

// NewBank makes a [tripplite.Bank] of units, each of which needs a Path of its own. It is closed
// when the test ends.
func NewBank(t testing.TB, units ...*UPS) *tripplite.Bank {
	t.Helper()
	var batteries []*tripplite.Battery
	for i, u := range units {
		for _, other := range units[:i] {
			if other.Info.Path == u.Info.Path {
				t.Fatalf("tripplitetest: the %s and the %s are both at %s: "+
					"give one of them another Info.Path", other.capture.Name, u.capture.Name, u.Info.Path)
			}
		}
		batteries = append(batteries, u.Battery())
	}
	bank := tripplite.BankOf(batteries...)
	t.Cleanup(func() { bank.Close() })
	return bank
}

// Battery opens the unit. The options come after those that say what the unit is, and win. The
// Battery is closed when the test ends. A unit has one at a time, and another once that is closed.
func (u *UPS) Battery(opts ...tripplite.Option) *tripplite.Battery {
	u.t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.hasBattery {
		u.t.Fatalf("tripplitetest: the %s has a Battery that is not closed, "+
			"and a UPS has one at a time", u.capture.Name)
	}
	u.hasBattery, u.closed = true, nil
	u.connect()
	b := tripplite.New(u, append([]tripplite.Option{tripplite.WithDeviceInfo(u.Info),
		tripplite.WithReportDescriptor(u.capture.UPS().Descriptor)}, opts...)...)
	u.t.Cleanup(func() { b.Close() })
	return b
}

// Requests returns what the unit was asked for since Requests was last called, in order: "get 18"
// for a feature report that was read, "send 11 01" for one that was written. A unit of product 0001
// is asked by commands, in reports without an id: "send 00 3a 53 ac 0d 00 00 00 00" asks for S, the
// status.
func (u *UPS) Requests() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	requests := u.requests
	u.requests = nil
	return requests
}

// FailReport makes every transfer of a feature report fail, until [UPS.HealReport]. While other
// reports answer, a Battery names the report in a [tripplite.PartialError], or in a
// [tripplite.ReportError] where it is the status. A report that has never been answered may be one
// that the unit does not have: after some reads it is named no more.
//
// A unit of product 0001 has no report but 0, which takes its commands: with that every command
// fails. A letter that is not replied to is one of [Manners].
func (u *UPS) FailReport(id byte, err error) {
	u.t.Helper()
	if err == nil {
		u.t.Fatalf("tripplitetest: FailReport(0x%02x, nil): a failure is an error", id)
	}
	u.replace(id, &answer{err: err})
}

// AnswerReport makes the unit answer for a feature report with just these bytes, until
// [UPS.HealReport]. So a test can have what units have been seen to send: too few bytes, too many,
// another report's id, or none at all, which says "not provided". A whole answer begins with the
// report's id. It changes nothing of a unit of product 0001, whose feature report is never read.
func (u *UPS) AnswerReport(id byte, bytes ...byte) {
	u.replace(id, &answer{bytes: slices.Clone(bytes)})
}

// HealReport takes FailReport, AnswerReport, FailWrites and IgnoreWrites back.
func (u *UPS) HealReport(id byte) {
	u.replace(id, nil)
	u.refuse(id, nil)
	u.dev.IgnoreWrites(false, id)
}

func (u *UPS) replace(id byte, instead *answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answers[id] = instead
}

// Manners are the ways in which units of product 0001 have been seen to misbehave. With none they
// reply at once and to the point.
type Manners = capture.Manners

// SetManners makes a unit of product 0001 misbehave from now on. It fails the test for any other
// unit.
func (u *UPS) SetManners(m Manners) {
	u.t.Helper()
	u.framed().SetManners(m)
}

// Push sends an input report, its id first, as units do by themselves. A changed reading is
// announced without it. A unit that is unplugged sends nothing.
func (u *UPS) Push(report ...byte) { u.dev.Push(report...) }

// Unplug takes the unit off the bus: every transfer fails at once, reads that wait included, until
// [UPS.Replug].
func (u *UPS) Unplug() { u.plug(errUnplugged) }

var errUnplugged = errors.New("the unit is unplugged")

// Replug puts the unit back at its port, with the readings that it has by now. A test with a Watch
// lets that tell the loss first: real units are away for long enough.
func (u *UPS) Replug() { u.plug(nil) }

func (u *UPS) plug(unplugged error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.unplugged = unplugged
	u.connect()
}

// connect makes transfers succeed or fail as the unit is. It is called with the UPS locked.
func (u *UPS) connect() { u.dev.Fail(cmp.Or(u.closed, u.unplugged)) }

// GetFeatureReport answers as the unit does.
func (u *UPS) GetFeatureReport(b []byte) (int, error) {
	return u.transfer(capture.Feature, b, u.dev.GetFeatureReport)
}

// SendFeatureReport has the unit act on the report. One that is no command is stored, so that a
// later read shows what was written.
func (u *UPS) SendFeatureReport(b []byte) (int, error) {
	return u.transfer(capture.Sent, b, u.dev.SendFeatureReport)
}

func (u *UPS) transfer(t capture.Type, b []byte, do func([]byte) (int, error)) (int, error) {
	defer time.Sleep(u.Latency)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.dev.Refuses(b); err != nil {
		return 0, err
	}
	asked := capture.Report{Type: t, ID: capture.ID(b[0]), Bytes: b}
	u.requests = append(u.requests, describe(asked))
	if t == capture.Sent && u.noteWrite(b) {
		defer u.unplugSoon()
	}
	instead := u.answers[b[0]]
	if u.session != nil {
		instead = u.session.answer(asked)
	}
	if err := u.refusals[b[0]]; err != nil && t == capture.Sent {
		instead = &answer{err: err}
	}
	if instead != nil && (t == capture.Feature || instead.err != nil) {
		return copy(b, instead.bytes), instead.err
	}
	if u.session != nil && u.dev.Framed() != nil {
		return len(b), nil // the session has the replies
	}
	return do(b)
}

// ReadTimeout returns the next input report. It returns 0 when none comes in time. A timeout below
// 0 waits for ever.
func (u *UPS) ReadTimeout(b []byte, milliseconds int) (int, error) {
	n, err := u.dev.ReadTimeout(b, milliseconds)
	if n > 0 && u.session != nil {
		time.Sleep(moment)
		u.mu.Lock()
		defer u.mu.Unlock()
		u.session.heard(b[:n])
	}
	return n, err
}

// Close makes every later transfer fail with [os.ErrClosed], and ends a read that waits. A Battery
// does it when it is closed, and keeps the error to itself: that of a UPS which did not repeat the
// session that [NewPlayer] gave it.
func (u *UPS) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hasBattery, u.closed = false, os.ErrClosed
	u.connect()
	if u.session != nil && u.session.end() != nil {
		return fmt.Errorf("tripplitetest: the session %s was not repeated: %w",
			u.capture.Name, u.session.end())
	}
	return nil
}
