package capture

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// Device plays one interface of a capture back, as a tripplite.Device. Feature reports answer with
// their captured bytes. What was not captured fails, as a real unit stalls a report that it does
// not have. It is safe for many goroutines.
type Device struct {
	mu       sync.Mutex
	features map[byte][]byte
	inputs   [][]byte // the input reports that nobody has read yet
	acting   *Acting
	framed   *Framed       // nil of a unit without exchanges
	ignored  map[byte]bool // reports whose writes have no effect
	failure  error         // of every transfer, or nil
	changed  sync.Cond     // inputs or failure, or a read has timed out
}

// Device opens interface n of the capture. It panics where there is none, as indexing a slice does.
func (c *Capture) Device(n int) *Device {
	d := &Device{
		features: map[byte][]byte{}, framed: NewFramed(c.Interfaces[n].Exchanges),
		ignored: map[byte]bool{},
	}
	d.changed.L = &d.mu
	for _, r := range c.Interfaces[n].Reports {
		switch {
		case r.Error == Stall:
		case r.Type == Feature:
			d.features[byte(r.ID)] = r.Bytes
		case r.Error == "":
			d.inputs = append(d.inputs, r.Bytes)
		}
	}
	d.acting = NewActing(c, n, &d.mu, d.payload)
	return d
}

// queued is about how many input reports hidapi holds for a reader that is late (hidapi 0.14,
// libusb/hid.c).
const queued = 30

// Set replaces the payload of a feature report.
func (d *Device) Set(id byte, payload ...byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.features[id] = append([]byte{id}, payload...)
}

// Payload returns the payload of a feature report as it was captured, set or written. It is false
// where the unit does not answer for it. What the unit answers may differ while a timer runs or its
// load is off.
func (d *Device) Payload(id byte) ([]byte, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	payload := d.payload(id)
	return slices.Clone(payload), payload != nil
}

// payload returns nil where the unit does not answer for a report. It is called with d locked.
func (d *Device) payload(id byte) []byte {
	r := d.features[id]
	if len(r) == 0 || r[0] != id {
		return nil
	}
	return r[1:]
}

// SetMains tells the unit whether there is line power, which its load depends on. Only the status
// of a unit of the framed protocol changes by it; of others [Device.Set] does that.
func (d *Device) SetMains(mains bool) {
	if d.framed != nil {
		d.framed.SetMains(mains)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.acting.SetMains(mains)
}

// LoadOn reports whether the load has power.
func (d *Device) LoadOn() bool {
	if d.framed != nil {
		return d.framed.LoadOn()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.acting.LoadOn()
}

// IgnoreWrites has the unit accept what is written to feature reports and do nothing about it, or
// act on it again. A unit of the framed protocol has [Manners] for that.
func (d *Device) IgnoreWrites(ignore bool, ids ...byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		d.ignored[id] = ignore
	}
}

// Push queues an input report, its id first. Where nobody reads them the oldest is dropped, as in
// hidapi. A device that fails sends nothing.
func (d *Device) Push(report ...byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failure != nil {
		return
	}
	d.inputs = append(d.inputs, slices.Clone(report))
	d.inputs = d.inputs[max(0, len(d.inputs)-queued):]
	d.changed.Broadcast()
}

// Fail makes every transfer fail, a read that waits included, until Fail(nil). What was queued is
// lost.
func (d *Device) Fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failure = err
	if err != nil {
		d.inputs = nil
	}
	d.changed.Broadcast()
}

// Refuses returns why no feature report can be transferred in a buffer, or nil.
func (d *Device) Refuses(b []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failure == nil && len(b) == 0 {
		return errors.New("the buffer has no room for the report id")
	}
	return d.failure
}

// GetFeatureReport answers with at most len(b) bytes of the captured report.
func (d *Device) GetFeatureReport(b []byte) (int, error) {
	if err := d.Refuses(b); err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	report, ok := d.features[b[0]]
	if !ok {
		return 0, fmt.Errorf("feature report 0x%02x: stalled", b[0])
	}
	if payload := d.payload(b[0]); payload != nil {
		return 1 + copy(b[1:], d.acting.Answer(b[0], payload)), nil
	}
	return copy(b, report), nil
}

// Framed returns how the unit replies to commands, or nil where it takes none.
func (d *Device) Framed() *Framed { return d.framed }

// SendFeatureReport has the unit act on a report as [Acting] says. One that is no command is
// stored, so that a later read shows what was written. A unit of the framed protocol takes it for a
// command, and replies by input reports.
func (d *Device) SendFeatureReport(b []byte) (int, error) {
	if err := d.Refuses(b); err != nil {
		return 0, err
	}
	if d.framed != nil && b[0] == 0 {
		for reply, late := range d.framed.Take(b[1:]) {
			if late == 0 {
				d.Push(reply...)
			} else {
				time.AfterFunc(late, func() { d.Push(reply...) })
			}
		}
		return len(b), nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.ignored[b[0]] {
		d.features[b[0]] = slices.Concat(b[:1], d.acting.Write(b[0], b[1:]))
	}
	return len(b), nil
}

// ReadTimeout returns the next input report. It returns 0 when none comes in time. A timeout below
// 0 waits for ever.
func (d *Device) ReadTimeout(b []byte, milliseconds int) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	expired := milliseconds == 0
	if milliseconds > 0 {
		defer time.AfterFunc(time.Duration(milliseconds)*time.Millisecond, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			expired = true
			d.changed.Broadcast()
		}).Stop()
	}
	for d.failure == nil && len(d.inputs) == 0 && !expired {
		d.changed.Wait()
	}
	if len(d.inputs) == 0 {
		return 0, d.failure
	}
	n := copy(b, d.inputs[0])
	d.inputs = d.inputs[1:]
	return n, nil
}

// Close makes every later call fail with [os.ErrClosed], and ends a read that waits. It stops the
// timers of the unit, which go on after Fail.
func (d *Device) Close() error {
	d.Fail(os.ErrClosed)
	if d.framed != nil {
		d.framed.Stop()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.acting.Stop()
	return nil
}
