package capture

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/karalabe/hid"
)

// Device plays one interface of a capture back as a [hid.Device]: feature reports answer with their captured bytes, and what was
// not captured fails, as a real unit stalls a report that it does not have. It is safe for many goroutines.
type Device struct {
	mu       sync.Mutex
	features map[byte]Report
	inputs   chan []byte
	closed   chan struct{}
	close    func()
}

// Device opens interface n of the capture. It panics where there is none, as indexing a slice does.
func (c *Capture) Device(n int) *Device {
	reports := c.Interfaces[n].Reports
	d := newDevice(map[byte]Report{}, len(reports)+queued)
	for _, r := range reports {
		switch {
		case r.Type == Feature:
			d.features[byte(r.ID)] = r
		case r.Error == "":
			d.inputs <- r.Bytes
		}
	}
	return d
}

func newDevice(features map[byte]Report, queue int) *Device {
	d := &Device{features: features, inputs: make(chan []byte, queue), closed: make(chan struct{})}
	d.close = sync.OnceFunc(func() { close(d.closed) })
	return d
}

// queued is about how many input reports hidapi holds for a reader that is late (hidapi 0.14, libusb/hid.c).
const queued = 30

// Set replaces the payload of a feature report.
func (d *Device) Set(id byte, payload ...byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
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

// Push queues an input report, its id first. Where nobody reads them the oldest gives way, as in hidapi.
func (d *Device) Push(report ...byte) {
	for {
		select {
		case d.inputs <- report:
			return
		default:
		}
		select {
		case <-d.inputs:
		default: // read in the meantime
		}
	}
}

// Reopen closes the device and returns it as it is after it was opened again: with the same feature reports, and nothing queued.
func (d *Device) Reopen() *Device {
	d.close()
	d.mu.Lock()
	defer d.mu.Unlock()
	return newDevice(maps.Clone(d.features), cap(d.inputs))
}

// GetFeatureReport answers with at most len(b) bytes of the captured report.
func (d *Device) GetFeatureReport(b []byte) (int, error) {
	if d.isClosed() {
		return 0, hid.ErrDeviceClosed
	}
	if len(b) == 0 {
		return 0, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r, ok := d.features[b[0]]
	switch {
	case !ok, r.Error == Stall:
		return 0, fmt.Errorf("feature report 0x%02x: stalled", b[0])
	case r.Error == Empty:
		return 0, nil
	}
	return copy(b, r.Bytes), nil
}

// SendFeatureReport stores the report, so that a later read shows what was written.
func (d *Device) SendFeatureReport(b []byte) (int, error) {
	if d.isClosed() {
		return 0, hid.ErrDeviceClosed
	}
	if len(b) == 0 {
		return 0, nil
	}
	d.Set(b[0], b[1:]...)
	return len(b), nil
}

// ReadTimeout returns the next input report; milliseconds below zero wait for ever, and a wait that ends without one returns 0.
func (d *Device) ReadTimeout(b []byte, milliseconds int) (int, error) {
	if d.isClosed() {
		return 0, hid.ErrDeviceClosed
	}
	select {
	case report := <-d.inputs: // also when the wait is over at once
		return copy(b, report), nil
	default:
	}
	var expired <-chan time.Time
	if milliseconds >= 0 {
		timer := time.NewTimer(time.Duration(milliseconds) * time.Millisecond)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case report := <-d.inputs:
		return copy(b, report), nil
	case <-d.closed:
		return 0, hid.ErrDeviceClosed
	case <-expired:
		return 0, nil
	}
}

// Read waits for the next input report.
func (d *Device) Read(b []byte) (int, error) { return d.ReadTimeout(b, -1) }

// Write fails: no unit that has been seen declares an output report.
func (d *Device) Write([]byte) (int, error) {
	if d.isClosed() {
		return 0, hid.ErrDeviceClosed
	}
	return 0, errors.New("the unit has no output reports")
}

// Close makes every later call fail with [hid.ErrDeviceClosed], and ends a read that waits.
func (d *Device) Close() error {
	d.close()
	return nil
}

func (d *Device) isClosed() bool {
	select {
	case <-d.closed:
		return true
	default:
		return false
	}
}
