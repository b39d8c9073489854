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
	features map[byte]Report
	inputs   [][]byte      // the input reports that nobody has read yet
	capacity int           // of inputs
	failure  error         // of every transfer, or nil
	changed  chan struct{} // closed when inputs or failure change
}

// Device opens interface n of the capture. It panics where there is none, as indexing a slice does.
func (c *Capture) Device(n int) *Device {
	d := &Device{features: map[byte]Report{}, changed: make(chan struct{})}
	for _, r := range c.Interfaces[n].Reports {
		switch {
		case r.Type == Feature:
			d.features[byte(r.ID)] = r
		case r.Error == "":
			d.inputs = append(d.inputs, r.Bytes)
		}
	}
	d.capacity = len(d.inputs) + queued
	return d
}

// queued is about how many input reports hidapi holds for a reader that is late (hidapi 0.14,
// libusb/hid.c).
const queued = 30

// Set replaces the payload of a feature report.
func (d *Device) Set(id byte, payload ...byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set(id, payload)
}

func (d *Device) set(id byte, payload []byte) {
	d.features[id] = Report{Type: Feature, ID: ID(id), Bytes: append([]byte{id}, payload...)}
}

// Payload returns the payload of a feature report, and false where the unit does not answer for it.
func (d *Device) Payload(id byte) ([]byte, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.features[id]
	if r.Error != "" || len(r.Bytes) == 0 {
		return nil, false
	}
	return slices.Clone(r.Bytes[1:]), true
}

// Push queues an input report, its id first. Where nobody reads them the oldest is dropped, as in
// hidapi. A device that fails sends nothing.
func (d *Device) Push(report ...byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failure != nil {
		return
	}
	if len(d.inputs) == d.capacity {
		d.inputs = d.inputs[1:]
	}
	d.inputs = append(d.inputs, slices.Clone(report))
	d.wake()
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
	d.wake()
}

func (d *Device) wake() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// Err returns why every transfer fails, or nil.
func (d *Device) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failure
}

var errNoID = errors.New("the buffer has no room for the report id")

// GetFeatureReport answers with at most len(b) bytes of the captured report.
func (d *Device) GetFeatureReport(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.failure != nil:
		return 0, d.failure
	case len(b) == 0:
		return 0, errNoID
	}
	r, ok := d.features[b[0]]
	if !ok || r.Error == Stall {
		return 0, fmt.Errorf("feature report 0x%02x: stalled", b[0])
	}
	return copy(b, r.Bytes), nil
}

// SendFeatureReport stores the report, so that a later read shows what was written.
func (d *Device) SendFeatureReport(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.failure != nil:
		return 0, d.failure
	case len(b) == 0:
		return 0, errNoID
	}
	d.set(b[0], b[1:])
	return len(b), nil
}

// ReadTimeout returns the next input report. It returns 0 when none comes in time. A timeout below
// 0 waits for ever.
func (d *Device) ReadTimeout(b []byte, milliseconds int) (int, error) {
	var expired <-chan time.Time
	if milliseconds > 0 {
		timer := time.NewTimer(time.Duration(milliseconds) * time.Millisecond)
		defer timer.Stop()
		expired = timer.C
	}
	for {
		n, changed, err := d.input(b)
		if n > 0 || err != nil || milliseconds == 0 {
			return n, err
		}
		select {
		case <-changed:
		case <-expired:
			return 0, nil
		}
	}
}

// input takes the first input report, or returns what to wait for.
func (d *Device) input(b []byte) (n int, changed <-chan struct{}, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failure != nil || len(d.inputs) == 0 {
		return 0, d.changed, d.failure
	}
	n = copy(b, d.inputs[0])
	d.inputs = d.inputs[1:]
	return n, nil, nil
}

// Close makes every later call fail with [os.ErrClosed], and ends a read that waits.
func (d *Device) Close() error {
	d.Fail(os.ErrClosed)
	return nil
}
