package tripplitetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/karalabe/hid"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/replay"
)

// UPS is a unit for tests, and the [hid.Device] by which it is read. It starts as its capture says and stays so until the test changes
// something. It is safe for many goroutines, but for the methods that fail the test, which belong to the test's own.
type UPS struct {
	// Info is what a Battery says that the unit is. In a test of several units each needs a Path of its own, before Battery is called;
	// it is "1-1:1.0" otherwise.
	Info tripplite.DeviceInfo

	t          testing.TB
	name       string
	descriptor []byte
	places     places

	mu       sync.Mutex
	dev      *capture.Device
	plugged  bool
	open     bool // by Battery
	closed   bool
	answers  map[byte]answer
	requests []Request
	mains    []change // that takes PowerFailure back
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

// NewUPS makes a unit from a capture: one of [Captures], or else a file such as a [Recorder] or "tripplite capture" writes.
func NewUPS(t testing.TB, nameOrFile string) *UPS {
	t.Helper()
	c, unit := load(t, nameOrFile)
	u := &UPS{
		Info:       infoOf(c),
		t:          t,
		name:       c.Name,
		descriptor: unit.Descriptor,
		dev:        c.Device(c.UPSInterface),
		plugged:    true,
		answers:    map[byte]answer{},
	}
	u.places = placesIn(u.descriptor, u.dev)
	return u
}

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

// Battery opens the unit. The options come after those that say what the unit is, and win. The Battery is closed when the test ends; a
// unit has one at a time, as a real one does, and another once that is closed.
func (u *UPS) Battery(opts ...tripplite.Option) *tripplite.Battery {
	u.t.Helper()
	u.mu.Lock()
	open := u.open
	if u.closed {
		u.dev, u.closed = u.dev.Reopen(), false
	}
	u.open = true
	u.mu.Unlock()
	if open {
		u.t.Fatalf("tripplitetest: the %s has a Battery that is not closed, and a UPS has one at a time", u.name)
	}
	return battery(u.t, u, u.Info, u.descriptor, opts)
}

// battery makes a Battery for as long as the test runs.
func battery(t testing.TB, dev hid.Device, info tripplite.DeviceInfo, descriptor []byte, opts []tripplite.Option) *tripplite.Battery {
	own := []tripplite.Option{tripplite.WithDeviceInfo(info), tripplite.WithReportDescriptor(descriptor)}
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

// FailReport makes every transfer of a feature report fail, until [UPS.HealReport]. The unit stays there: while other reports answer, a
// Battery names the report in a [tripplite.PartialError], or in a [tripplite.ReportError] where it is the status.
func (u *UPS) FailReport(id byte, err error) {
	u.t.Helper()
	if err == nil {
		u.t.Fatalf("tripplitetest: FailReport(0x%02x, nil): a failure is an error", id)
	}
	u.answer(id, answer{err: err})
}

// AnswerReport makes the unit answer for a feature report with just these bytes until [UPS.HealReport], so that a test can have what
// units have been seen to send: too few bytes, too many, another report's id, or none at all, which says "not provided". A whole
// answer begins with the report's id.
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

// Push sends an input report, its id first, as units do by themselves. What a changed reading brings about needs no Push. A unit that is
// unplugged sends nothing.
func (u *UPS) Push(report ...byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.push(report)
}

func (u *UPS) push(report []byte) {
	if u.plugged {
		u.dev.Push(slices.Clone(report)...)
	}
}

// Unplug takes the unit off the bus: every transfer fails at once, reads that wait included, until [UPS.Replug].
func (u *UPS) Unplug() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.plugged = false
	u.dev.Close()
}

// Replug puts the unit back at its port, with the readings that it has by now. A test with a Watch lets that tell the loss first: real
// units are away for long enough.
func (u *UPS) Replug() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.plugged {
		return
	}
	u.plugged = true
	if !u.closed {
		u.dev = u.dev.Reopen()
	}
}

var (
	errUnplugged = errors.New("the unit is unplugged")
	errNoID      = errors.New("the buffer has no room for the report id")
	errNoOutput  = errors.New("the unit has no output reports")
)

// missing returns why nothing answers, if nothing does.
func (u *UPS) missing() error {
	switch {
	case u.closed:
		return hid.ErrDeviceClosed
	case !u.plugged:
		return errUnplugged
	}
	return nil
}

// request writes a transfer down and returns who answers it, or what does in place of the unit.
func (u *UPS) request(r Request) (dev *capture.Device, instead answer, replaced bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests = append(u.requests, r)
	instead, replaced = u.answers[r.ID]
	return u.dev, instead, replaced, u.missing()
}

// cutOff returns the error of a transfer that was under way when the unit went.
func (u *UPS) cutOff(n int, err error) (int, error) {
	if !errors.Is(err, hid.ErrDeviceClosed) {
		return n, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return 0, cmp.Or(u.missing(), errUnplugged)
}

// GetFeatureReport answers as the unit does.
func (u *UPS) GetFeatureReport(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, errNoID
	}
	dev, instead, replaced, err := u.request(Request{ID: b[0]})
	switch {
	case err != nil:
		return 0, err
	case replaced:
		return copy(b, instead.bytes), instead.err
	}
	return u.cutOff(dev.GetFeatureReport(b))
}

// SendFeatureReport stores the report, so that a later read shows what was written.
func (u *UPS) SendFeatureReport(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, errNoID
	}
	dev, instead, _, err := u.request(Request{ID: b[0], Sent: slices.Clone(b)})
	if err = cmp.Or(err, instead.err); err != nil {
		return 0, err
	}
	return u.cutOff(dev.SendFeatureReport(b))
}

// ReadTimeout returns the next input report; milliseconds below zero wait for ever, and a wait that ends without one returns 0.
func (u *UPS) ReadTimeout(b []byte, milliseconds int) (int, error) {
	u.mu.Lock()
	dev, err := u.dev, u.missing()
	u.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return u.cutOff(dev.ReadTimeout(b, milliseconds))
}

// Read waits for the next input report.
func (u *UPS) Read(b []byte) (int, error) { return u.ReadTimeout(b, -1) }

// Write fails: no unit that has been seen has an output report.
func (u *UPS) Write([]byte) (int, error) { return 0, errNoOutput }

// Close makes every later transfer fail with [hid.ErrDeviceClosed], and ends a read that waits. A Battery does it when it is closed.
func (u *UPS) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open, u.closed = false, true
	return u.dev.Close()
}
