package usb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/karalabe/hid"
)

// listHidapi lists interfaces by hidapi, one id after the other: no other device is touched.
func (h *Host) listHidapi(ids []ID, wanted func(port string) bool) ([]Interface, error) {
	if h.enumerate == nil {
		return nil, h.Supported()
	}
	var found []Interface
	for _, id := range ids {
		infos, err := h.enumerate(id.Vendor, id.Product)
		if err != nil {
			return nil, err
		}
		for _, info := range infos {
			i := Interface{
				Path: info.Path, VendorID: info.VendorID, ProductID: info.ProductID,
				Release: info.Release, Number: info.Interface,
				Serial: info.Serial, Manufacturer: info.Manufacturer, Product: info.Product,
				UsagePage: info.UsagePage,
			}
			if wanted(Port(i.Path)) && !slices.Contains(found, i) { // ids may overlap
				found = append(found, i)
			}
		}
	}
	return found, nil
}

// hidapiPoll is how often ReadTimeout looks for an input report.
const hidapiPoll = 10 * time.Millisecond

var errTimeout = errors.New("no report came in time")

// hidapiDevice makes hidapi's device safe: one call at a time uses the C handle, which Close frees.
type hidapiDevice struct {
	usbNode
	dev        hid.Device
	descriptor []byte

	turn      chan struct{}   // full while a call uses dev, and for ever after Close
	open      context.Context // until Close
	close     context.CancelCauseFunc
	reading   context.Context // until Interrupt or Close
	interrupt context.CancelCauseFunc
	closed    atomic.Bool
}

func newHidapi(dev hid.Device, descriptor []byte, node usbNode) *hidapiDevice {
	d := &hidapiDevice{usbNode: node, dev: dev, descriptor: descriptor}
	d.turn = make(chan struct{}, 1)
	d.open, d.close = context.WithCancelCause(context.Background())
	d.reading, d.interrupt = context.WithCancelCause(d.open)
	return d
}

func (d *hidapiDevice) Transport() Transport { return Hidapi }
func (d *hidapiDevice) Descriptor() []byte   { return d.descriptor }
func (d *hidapiDevice) Interrupt()           { d.interrupt(errInterrupted) }

func (d *hidapiDevice) GetFeatureReport(b []byte) (int, error) {
	return d.call(d.open, d.dev.GetFeatureReport, b)
}

func (d *hidapiDevice) SendFeatureReport(b []byte) (int, error) {
	return d.call(d.open, d.dev.SendFeatureReport, b)
}

// ReadTimeout polls. A wait within hidapi could not be interrupted, and it depends on the wall
// clock: a clock that steps back makes it endless.
func (d *hidapiDevice) ReadTimeout(b []byte, milliseconds int) (int, error) {
	wait := time.Duration(milliseconds) * time.Millisecond
	switch {
	case milliseconds < 0:
		wait = math.MaxInt64
	case milliseconds == 0:
		wait = hidapiPoll // at most, for its turn
	}
	ctx, cancel := context.WithTimeoutCause(d.reading, wait, errTimeout)
	defer cancel()
	for {
		n, err := d.call(ctx, d.poll, b)
		switch {
		case err == errTimeout:
			return 0, nil
		case n > 0 || err != nil || milliseconds == 0:
			return n, err
		}
		select {
		case <-time.After(hidapiPoll):
		case <-ctx.Done():
		}
	}
}

// poll reads a report that has come. It fails only once hidapi has given up reading, as it does
// when the device leaves.
func (d *hidapiDevice) poll(b []byte) (int, error) {
	n, err := d.dev.ReadTimeout(b, 0)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errGone, err)
	}
	return n, nil
}

// call uses the C handle when its turn comes, unless ctx ends before.
func (d *hidapiDevice) call(
	ctx context.Context, f func([]byte) (int, error), b []byte,
) (int, error) {
	if len(b) == 0 {
		return 0, syscall.EINVAL
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return f(b)
}

// Close returns when hidapi has closed the device. Where the device hangs, that takes up to 36 s:
// hidapi gives the interface back to the kernel, whose probing times out again and again.
func (d *hidapiDevice) Close() error {
	if d.closed.Swap(true) {
		return os.ErrClosed
	}
	d.close(os.ErrClosed)
	d.turn <- struct{}{}
	return d.dev.Close()
}
