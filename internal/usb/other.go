//go:build !linux

package usb

import "errors"

const hasHidraw = false

// system is empty: only Linux shows its USB devices as files.
type system struct{}

func newSystem() system { return system{} }

// List lists the HID interfaces of the devices with these ids that are at a wanted port, in no
// order. It touches no other device, but reads three strings from each of these.
func (h *Host) List(ids []ID, wanted func(port string) bool) ([]Interface, error) {
	return h.listHidapi(ids, wanted)
}

// Open opens an interface.
func (h *Host) Open(path string) (Device, error) {
	if err := h.Supported(); err != nil {
		return nil, err
	}
	dev, err := h.openPath(path)
	if err != nil {
		return nil, err
	}
	return newHidapi(dev, nil, usbNode{}), nil
}

// Descriptor returns nil: only Linux has the report descriptors of its devices.
func (h *Host) Descriptor(string) []byte { return nil }

// DeviceNumber is not known here.
func (h *Host) DeviceNumber(string) (number string, known bool) { return "", false }

// Port returns the whole path, which does not tell the port here.
func Port(path string) string { return path }

// usbNode would be the file of a whole device.
type usbNode struct{}

func (usbNode) StringDescriptor(byte) (string, error) { return "", errors.ErrUnsupported }
