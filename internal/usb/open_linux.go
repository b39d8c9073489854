package usb

import (
	"errors"
	"io/fs"
	"os"
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
func (h *Host) Open(path string) (Device, error) {
	if err := h.Supported(); err != nil {
		return nil, err
	}
	if h.transport == Hidapi {
		return h.openHidapi(path)
	}
	dev, err := h.openHidraw(path)
	if err == nil {
		return dev, nil
	}
	if !errors.As(err, new(noNode)) || h.transport == Hidraw || h.openPath == nil {
		return nil, err
	}
	other, otherErr := h.openHidapi(path)
	if otherErr == nil {
		return other, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	return nil, otherErr
}

// noNode is why an interface has no hidraw node that this user may open. hidapi may open it still.
type noNode struct{ error }

func (n noNode) Unwrap() error { return n.error }

// A node appears some time after its device, and udev needs another moment to let users open it.
// Without that patience hidapi would take a new device away from all other programs.
const (
	settleTries    = 200
	settleInterval = 5 * time.Millisecond
	young          = 5000 // ms since the device was plugged in
)

func (h *Host) openHidraw(path string) (*hidrawDevice, error) {
	if h.read(path, "bInterfaceNumber") == "" {
		err := &reason{errors.ErrUnsupported, "hidraw needs sysfs"}
		return nil, h.goneOr(path, noNode{err})
	}
	awaited := h.isYoung(path)
	switch h.driver(path) {
	case "usbfs":
		return nil, h.busy(path)
	case "": // a killed program that used libusb leaves an interface so
		err := h.node(path).connect(h.number(path))
		if err != nil && !errors.Is(err, unix.EBUSY) { // busy: it has a driver again
			return nil, h.goneOr(path, noNode{err})
		}
		awaited = true
	}
	dev, err := h.tryHidraw(path)
	for tries := 0; awaited && errors.As(err, new(noNode)) && tries < settleTries; tries++ {
		time.Sleep(settleInterval)
		dev, err = h.tryHidraw(path)
	}
	return dev, err
}

// isYoung reports whether a device was plugged in a moment ago.
func (h *Host) isYoung(path string) bool {
	ms, err := strconv.Atoi(h.read(Port(path), "power/connected_duration"))
	return err == nil && ms < young
}

func (h *Host) tryHidraw(path string) (*hidrawDevice, error) {
	name := h.hidrawName(path)
	if name == "" {
		err := &reason{errors.ErrUnsupported, "the kernel has no hidraw node for the interface"}
		return nil, h.goneOr(path, noNode{err})
	}
	node := filepath.Join(h.dev, name)
	underWay.settle()
	file, err := os.OpenFile(node, os.O_RDWR|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, noNode{err}
	case errors.Is(err, fs.ErrNotExist):
		return nil, h.goneOr(path, noNode{noFile(node, "does not exist")})
	case err != nil:
		return nil, h.goneOr(path, err)
	}
	dev, err := newHidraw(file, h.Descriptor(path), h.node(path))
	if err == nil {
		err = h.verify(path, dev)
	}
	if err != nil {
		file.Close()
		return nil, h.goneOr(path, err)
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
	if err != nil {
		return nil, h.openError(path, err)
	}
	return newHidapi(dev, descriptor, node), nil
}

// openError explains a failed open by hidapi; hidapi's error carries no cause.
func (h *Host) openError(path string, err error) error {
	file, nodeErr := h.node(path).open()
	if nodeErr != nil {
		return h.goneOr(path, nodeErr)
	}
	file.Close()
	if h.driver(path) == "usbfs" {
		return h.busy(path)
	}
	return h.goneOr(path, err)
}

// goneOr returns fs.ErrNotExist if the device has left, and err otherwise.
func (h *Host) goneOr(path string, err error) error {
	_, known := h.DeviceNumber(path)
	if known && h.read(path, "bInterfaceNumber") == "" || Gone(err) {
		return &reason{fs.ErrNotExist, "no device is attached there"}
	}
	return err
}
