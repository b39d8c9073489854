// Package usb lists and opens the HID interfaces of USB devices, by hidraw or by hidapi.
//
// Linux has its own way, hidraw: several programs can use an interface at once, and it needs no C
// compiler. hidapi (github.com/karalabe/hid) works on every system, but on Linux it takes the
// interface away from all others. So Linux prefers hidraw. hidapi opens what has no hidraw node, or
// none that this user may open.
package usb

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/karalabe/hid"
)

// Transport is a way to open an interface. The empty one leaves the choice to the Host.
type Transport string

const (
	Hidraw Transport = "hidraw" // the Linux kernel's own
	Hidapi Transport = "hidapi" // github.com/karalabe/hid, which needs cgo
)

// Host is the computer, as its system shows the USB devices. It is safe for concurrent use.
type Host struct {
	transport Transport
	// hidapi's functions, nil without cgo. Both take one lock for all devices: a device that hangs
	// while hidapi opens it holds up whoever lists or opens another one by hidapi.
	enumerate func(vendor, product uint16) ([]hid.DeviceInfo, error)
	openPath  func(path string) (hid.Device, error)
	system
}

// NewHost returns the computer that the program runs on. It opens devices by the given transport.
func NewHost(t Transport) *Host {
	h := &Host{transport: t, system: newSystem()}
	if hid.Supported() {
		h.enumerate = hid.Enumerate
		h.openPath = func(path string) (hid.Device, error) {
			return hid.DeviceInfo{Path: path}.Open()
		}
	}
	return h
}

// Supported returns nil, or an errors.ErrUnsupported that says why Open can open nothing.
func (h *Host) Supported() error {
	switch {
	case h.transport != "" && h.transport != Hidraw && h.transport != Hidapi:
		return &reason{errors.ErrUnsupported, fmt.Sprintf(
			"there is no transport %q: it is %s or %s", h.transport, Hidraw, Hidapi)}
	case h.transport == Hidraw && !hasHidraw:
		return &reason{errors.ErrUnsupported, "only Linux has hidraw"}
	case h.transport != Hidraw && h.openPath == nil && (h.transport == Hidapi || !hasHidraw):
		return &reason{errors.ErrUnsupported, "this program has no hidapi: " +
			"build it with CGO_ENABLED=1 and a C compiler, on Linux, macOS, Windows or FreeBSD"}
	}
	return nil
}

// ID selects devices by their ids. A Product of 0 selects every product of the vendor.
type ID struct{ Vendor, Product uint16 }

// Interface is a HID interface of an attached device.
type Interface struct {
	// Path names the interface for [Host.Open]. On Linux it is
	// "<bus>-<port>[.<port>...]:<configuration>.<interface>", as in "1-4.2:1.0". It stays the same
	// when the device leaves the bus and comes back. On other systems it is hidapi's.
	Path                         string
	VendorID, ProductID, Release uint16
	// Number is the number of the interface within its device.
	Number int
	// Serial, Manufacturer and Product are the device's strings. They are empty where it has none,
	// and where the system does not have them yet.
	Serial, Manufacturer, Product string
	// UsagePage is that of the interface's first collection, or 0 where unknown, as on Linux.
	UsagePage uint16
	// Held reports that a program holds the interface by libusb. Nobody else can open it.
	Held bool
}

// Device is an open interface. ReadTimeout may run beside the other methods, not beside itself.
// Where the device hangs, a feature transfer by hidraw takes more than 5 s, by hidapi about 1 s.
type Device interface {
	// GetFeatureReport reads the report whose id is b[0] (0: the device has no ids). It returns the
	// length of the answer, which begins with the id.
	GetFeatureReport(b []byte) (int, error)
	// SendFeatureReport writes a report that begins with its id, 0 where the device has no ids.
	SendFeatureReport(b []byte) (int, error)
	// ReadTimeout reads the next input report. It returns 0 and no error if none comes in time. A
	// timeout below 0 waits for ever, 0 does not wait.
	ReadTimeout(b []byte, milliseconds int) (int, error)
	// Interrupt ends every ReadTimeout, present and future, with an error.
	Interrupt()
	// Close ends ReadTimeout and closes the device. By hidapi it waits for a feature transfer under
	// way. By hidraw it leaves that to a goroutine: see Host.Open.
	Close() error
	// Descriptor returns the report descriptor, or nil where it could not be had.
	Descriptor() []byte
	// StringDescriptor asks the device for one of its strings. On systems other than Linux it
	// returns errors.ErrUnsupported.
	StringDescriptor(index byte) (string, error)
	// Transport returns how the device was opened.
	Transport() Transport
}

// BusyError is an error of Open: another program holds the interface by libusb.
type BusyError struct {
	Holder string // such as "usbhid-ups, process 312", or "" if this user cannot see it
}

func (e *BusyError) Error() string {
	if e.Holder == "" {
		return "another program holds the device"
	}
	return "another program holds the device (" + e.Holder + ")"
}

var (
	errGone        = errors.New("the device is gone")
	errInterrupted = errors.New("reading was interrupted")
)

// Gone reports whether an error of a Device proves that the device left or was closed.
func Gone(err error) bool {
	return errors.Is(err, errGone) || errors.Is(err, syscall.ENODEV) ||
		errors.Is(err, syscall.ESHUTDOWN) || errors.Is(err, os.ErrClosed)
}

// reason is an error with a text of its own, that errors.Is takes for err.
type reason struct {
	err  error
	text string
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.err }
