package usb

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Open opens an interface. Its error is a [*BusyError] where a program holds the interface by
// libusb, fs.ErrPermission where this user may not open its nodes, fs.ErrNotExist where it is gone,
// and errors.ErrUnsupported where the forced transport cannot open it.
//
// Open can take many seconds where another device hangs: see transfers. hidapi has one lock for
// opening, too.
func (h *Host) Open(path string) (dev Device, err error) {
	if err := h.Supported(); err != nil {
		return nil, err
	}
	if h.transport == Hidapi {
		dev, err = h.openHidapi(path)
	} else {
		dev, err = h.openHidraw(path)
	}
	if h.transport == "" && h.openPath != nil && h.lacksNode(path, err) {
		other, otherErr := h.openHidapi(path)
		if otherErr == nil || !errors.Is(err, fs.ErrPermission) {
			dev, err = other, otherErr
		}
	}
	if err != nil && h.gone(path, err) {
		err = &reason{fs.ErrNotExist, "no device is attached there"}
	}
	return dev, err
}

// noNode is why an interface has no hidraw node that this user may open. hidapi may open it still.
type noNode struct{ error }

func (n noNode) Unwrap() error { return n.error }

// lacksNode reports whether an error says that an interface, which is there, has no hidraw node.
func (h *Host) lacksNode(path string, err error) bool {
	return errors.As(err, new(noNode)) && !h.gone(path, err)
}

// gone reports whether the device has left, by an error or by sysfs.
func (h *Host) gone(path string, err error) bool {
	_, known := h.DeviceNumber(path)
	return Gone(err) || known && h.read(path, "bInterfaceNumber") == ""
}

// A node appears some time after its device, and udev needs another moment to let users open it.
// Without that patience hidapi would take a new device away from all other programs.
const (
	settleTries    = 200
	settleInterval = 5 * time.Millisecond
	young          = 5000 // ms since the device was plugged in
)

func (h *Host) openHidraw(path string) (Device, error) {
	if h.read(path, "bInterfaceNumber") == "" {
		return nil, noNode{&reason{errors.ErrUnsupported, "hidraw needs sysfs"}}
	}
	ms, err := strconv.Atoi(h.read(Port(path), "power/connected_duration"))
	awaited := err == nil && ms < young
	switch h.driver(path) {
	case "usbfs":
		return nil, h.busy(path)
	case "": // a killed program that used libusb leaves an interface so
		err := h.node(path).connect(h.number(path))
		if err != nil && !errors.Is(err, unix.EBUSY) { // busy: it has a driver again
			return nil, noNode{err}
		}
		awaited = true
	}
	dev, err := h.tryHidraw(path)
	for tries := 0; awaited && tries < settleTries && h.lacksNode(path, err); tries++ {
		time.Sleep(settleInterval)
		dev, err = h.tryHidraw(path)
	}
	return dev, err
}

func (h *Host) tryHidraw(path string) (Device, error) {
	name := h.hidrawName(path)
	if name == "" {
		return nil, noNode{&reason{
			errors.ErrUnsupported, "the kernel has no hidraw node for the interface"}}
	}
	node := filepath.Join(h.dev, name)
	underWay.settle()
	file, err := openNode(node, unix.O_NONBLOCK)
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return nil, noNode{err}
	case err != nil:
		return nil, err
	}
	dev, err := newHidraw(file, h.Descriptor(path), h.node(path))
	if err == nil {
		err = h.verify(path, dev)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return dev, nil
}

// hidrawName returns the name of the interface's hidraw node, or "".
func (h *Host) hidrawName(path string) string {
	for _, dir := range h.glob(path, "hidraw/hidraw*") {
		return filepath.Base(dir)
	}
	return ""
}

// verify makes sure that an open node is that of the interface. Another device may have come and
// been given its name, and a container may have a node of long ago.
func (h *Host) verify(path string, dev *hidrawDevice) error {
	var info unix.HIDRawDevInfo
	if _, err := dev.ioctl(dev.file, unix.HIDIOCGRAWINFO, unsafe.Pointer(&info)); err != nil {
		return err
	}
	is := ID{uint16(info.Vendor), uint16(info.Product)}
	want := ID{h.hex(Port(path), "idVendor"), h.hex(Port(path), "idProduct")}
	if is != want || h.hidrawName(path) != filepath.Base(dev.file.Name()) {
		return noFile(dev.file.Name(), "is another device")
	}
	return nil
}

// openHidapi reads the report descriptor first: hidapi takes it out of sysfs.
func (h *Host) openHidapi(path string) (Device, error) {
	node := h.node(path)
	descriptor := h.Descriptor(path)
	if descriptor == nil {
		descriptor, _ = node.reportDescriptor(h.number(path))
	}
	dev, err := h.openPath(path)
	if err == nil {
		return newHidapi(dev, descriptor, node), nil
	}
	// hidapi's error carries no cause.
	file, nodeErr := openNode(node.path, 0)
	if nodeErr != nil {
		return nil, nodeErr
	}
	file.Close()
	if h.driver(path) == "usbfs" {
		return nil, h.busy(path)
	}
	return nil, err
}
