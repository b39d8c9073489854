package tripplitetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/replay"
)

// UPS is a unit for tests. It is also the [tripplite.Device] by which it is read. It starts as its
// capture says and stays so until the test changes something. It is safe for many goroutines, but
// the methods that fail the test belong to the test's own.
type UPS struct {
	// Info is what a Battery says that the unit is. Its Path is "1-1:1.0". In a test of several
	// units each needs a Path of its own, before Battery is called.
	Info tripplite.DeviceInfo
	// Latency is how long a transfer takes, a millisecond unless the test sets it before Battery is
	// called. Real units take 1 to 5 ms.
	Latency time.Duration

	t          testing.TB
	name       string
	descriptor []byte
	dev        *capture.Device
	fields     []tripplite.DumpField // where the readings lie in the reports
	line       map[string]float64    // what PowerReturns restores, by key

	mu        sync.Mutex
	unplugged bool
	open      bool // by Battery
	closed    bool
	answers   map[byte]answer
	requests  []Request
}

// answer stands in for the report of a unit.
type answer struct {
	bytes []byte
	err   error
}

// Request is one transfer that a unit was asked for.
type Request struct {
	// ID is the feature report's.
	ID byte
	// Sent is the report that was written, its id first; nil where the report was read.
	Sent []byte
}

// String returns the bytes as a debug log shows them: "get 18", "send 11 01".
func (r Request) String() string {
	if r.Sent == nil {
		return fmt.Sprintf("get %02x", r.ID)
	}
	return fmt.Sprintf("send % x", r.Sent)
}

// Captures lists the captures that NewUPS has built in, sorted.
func Captures() []string { return capture.Names() }

// NewUPS makes a unit from a capture: one of [Captures], or else a file such as a [Recorder] or
// "tripplite capture" writes.
func NewUPS(t testing.TB, nameOrFile string) *UPS {
	t.Helper()
	c, unit := load(t, nameOrFile)
	u := &UPS{
		Info:       infoOf(c),
		Latency:    latency,
		t:          t,
		name:       c.Name,
		descriptor: unit.Descriptor,
		dev:        c.Device(c.UPSInterface),
		answers:    map[byte]answer{},
		line:       map[string]float64{},
	}
	u.fields = u.dump().Fields()
	return u
}

// latency is that of a transfer. A Watch passes on what a unit announces before it has read the
// whole State, but only if that takes time.
const latency = time.Millisecond

// load returns a capture and the interface that is the UPS.
func load(t testing.TB, nameOrFile string) (*capture.Capture, capture.Interface) {
	t.Helper()
	c, err := capture.Load(nameOrFile)
	if err != nil {
		t.Fatalf("tripplitetest: %v", err)
	}
	return c, c.Interfaces[c.UPSInterface]
}

func infoOf(c *capture.Capture) tripplite.DeviceInfo {
	info := replay.Info(c)
	info.Path = "1-1:1.0"
	return info
}

// NewBank makes a [tripplite.Bank] of units, each of which needs a Path of its own. It is closed
// when the test ends.
func NewBank(t testing.TB, units ...*UPS) *tripplite.Bank {
	t.Helper()
	var batteries []*tripplite.Battery
	names := map[string]string{}
	for _, u := range units {
		if other, taken := names[u.Info.Path]; taken {
			t.Fatalf("tripplitetest: the %s and the %s are both at %s: "+
				"give one of them another Info.Path", other, u.name, u.Info.Path)
		}
		names[u.Info.Path] = u.name
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
	if u.open {
		u.t.Fatalf("tripplitetest: the %s has a Battery that is not closed, "+
			"and a UPS has one at a time", u.name)
	}
	u.open, u.closed = true, false
	u.connect()
	return battery(u.t, u, u.Info, u.descriptor, opts)
}

// battery makes a Battery for as long as the test runs.
func battery(
	t testing.TB, dev tripplite.Device, info tripplite.DeviceInfo, descriptor []byte,
	opts []tripplite.Option,
) *tripplite.Battery {
	own := []tripplite.Option{
		tripplite.WithDeviceInfo(info), tripplite.WithReportDescriptor(descriptor)}
	b := tripplite.New(dev, append(own, opts...)...)
	t.Cleanup(func() { b.Close() })
	return b
}

// Requests returns what the unit was asked for since Requests was last called, in order.
func (u *UPS) Requests() []Request {
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
func (u *UPS) FailReport(id byte, err error) {
	u.t.Helper()
	if err == nil {
		u.t.Fatalf("tripplitetest: FailReport(0x%02x, nil): a failure is an error", id)
	}
	u.answer(id, answer{err: err})
}

// AnswerReport makes the unit answer for a feature report with just these bytes, until
// [UPS.HealReport]. So a test can have what units have been seen to send: too few bytes, too many,
// another report's id, or none at all, which says "not provided". A whole answer begins with the
// report's id.
func (u *UPS) AnswerReport(id byte, bytes ...byte) {
	u.answer(id, answer{bytes: slices.Clone(bytes)})
}

func (u *UPS) answer(id byte, a answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answers[id] = a
}

// HealReport takes FailReport and AnswerReport back.
func (u *UPS) HealReport(id byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.answers, id)
}

// Push sends an input report, its id first, as units do by themselves. A changed reading is
// announced without it. A unit that is unplugged sends nothing.
func (u *UPS) Push(report ...byte) { u.dev.Push(report...) }

var errUnplugged = errors.New("the unit is unplugged")

// Unplug takes the unit off the bus: every transfer fails at once, reads that wait included, until
// [UPS.Replug].
func (u *UPS) Unplug() { u.plug(false) }

// Replug puts the unit back at its port, with the readings that it has by now. A test with a Watch
// lets that tell the loss first: real units are away for long enough.
func (u *UPS) Replug() { u.plug(true) }

func (u *UPS) plug(in bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.unplugged = !in
	u.connect()
}

// connect makes transfers succeed or fail as the unit is. It is called with the UPS locked.
func (u *UPS) connect() {
	switch {
	case u.closed:
		u.dev.Close()
	case u.unplugged:
		u.dev.Fail(errUnplugged)
	default:
		u.dev.Fail(nil)
	}
}

// request notes a transfer and returns what answers it in place of the unit, if anything does.
func (u *UPS) request(r Request) (instead answer, replaced bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests = append(u.requests, r)
	instead, replaced = u.answers[r.ID]
	return instead, replaced && u.dev.Err() == nil
}

// GetFeatureReport answers as the unit does.
func (u *UPS) GetFeatureReport(b []byte) (int, error) {
	defer time.Sleep(u.Latency)
	if len(b) > 0 {
		if instead, replaced := u.request(Request{ID: b[0]}); replaced {
			return copy(b, instead.bytes), instead.err
		}
	}
	return u.dev.GetFeatureReport(b)
}

// SendFeatureReport stores the report, so that a later read shows what was written.
func (u *UPS) SendFeatureReport(b []byte) (int, error) {
	defer time.Sleep(u.Latency)
	if len(b) > 0 {
		instead, replaced := u.request(Request{ID: b[0], Sent: slices.Clone(b)})
		if replaced && instead.err != nil {
			return 0, instead.err
		}
	}
	return u.dev.SendFeatureReport(b)
}

// ReadTimeout returns the next input report. It returns 0 when none comes in time. A timeout below
// 0 waits for ever.
func (u *UPS) ReadTimeout(b []byte, milliseconds int) (int, error) {
	return u.dev.ReadTimeout(b, milliseconds)
}

// Close makes every later transfer fail with [os.ErrClosed], and ends a read that waits. A Battery
// does it when it is closed.
func (u *UPS) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open, u.closed = false, true
	u.connect()
	return nil
}
