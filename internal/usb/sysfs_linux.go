package usb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const hasHidraw = true

// system is where Linux shows its USB devices.
type system struct {
	sys  string // sysfs: one directory for each device and for each interface
	dev  string // the nodes
	proc string // the processes

	ioctl    ioctlFunc
	patience time.Duration // of List, for strings

	mu    sync.Mutex
	texts map[string]*texts // by port
}

func newSystem() system {
	return system{
		sys: "/sys/bus/usb/devices", dev: "/dev", proc: "/proc",
		ioctl: ioctl, patience: 100 * time.Millisecond, texts: map[string]*texts{},
	}
}

// hidClass is the class of HID interfaces as sysfs writes it (HID 1.11, 4.1).
const hidClass = "03"

// List lists the HID interfaces of the devices with these ids that are at a wanted port, in no
// order. It asks the kernel alone, and never waits for a device.
func (h *Host) List(ids []ID, wanted func(port string) bool) ([]Interface, error) {
	entries, err := os.ReadDir(h.sys)
	if errors.Is(err, fs.ErrNotExist) && h.enumerate != nil && h.transport != Hidraw {
		return h.listHidapi(ids, wanted) // a container without sysfs can still have the nodes
	}
	if err != nil {
		return nil, err
	}
	var found []Interface
	for _, entry := range entries {
		path := entry.Name()
		port := Port(path)
		isRootHub := strings.HasSuffix(port, "-0") // as in 1-0:1.0
		if port == path || isRootHub || !wanted(port) {
			continue
		}
		vendor, product := h.hex(port, "idVendor"), h.hex(port, "idProduct")
		matches := slices.Contains(ids, ID{vendor, product}) || slices.Contains(ids, ID{vendor, 0})
		if !matches || h.read(path, "bInterfaceClass") != hidClass {
			continue
		}
		h.readTexts(port) // those of all devices are read side by side
		found = append(found, Interface{
			Path: path, VendorID: vendor, ProductID: product, Release: h.hex(port, "bcdDevice"),
			Number: h.number(path), Held: h.driver(path) == "usbfs",
		})
	}
	h.addTexts(found)
	return found, nil
}

// texts are the strings of one plugged-in device, read by a goroutine of its own: a read from sysfs
// waits for usbhid, which takes 20 s to probe a device that does not answer.
type texts struct {
	deviceNumber                  string
	reading                       context.Context // until the strings are there
	serial, manufacturer, product string
}

// addTexts adds the strings that can be had at once. A later List has the others.
func (h *Host) addTexts(found []Interface) {
	patience, cancel := context.WithTimeout(context.Background(), h.patience)
	defer cancel()
	for i := range found {
		f := &found[i]
		t := h.readTexts(Port(f.Path))
		if t == nil {
			continue
		}
		select {
		case <-t.reading.Done():
		case <-patience.Done():
		}
		if t.reading.Err() != nil {
			f.Serial, f.Manufacturer, f.Product = t.serial, t.manufacturer, t.product
		}
	}
}

// readTexts starts to read the strings of the device at a port, unless that was done before. It
// returns nil while those of an earlier device at that port are still being read.
func (h *Host) readTexts(port string) *texts {
	h.mu.Lock()
	defer h.mu.Unlock()
	number := h.read(port, "devnum")
	t := h.texts[port]
	if t != nil && t.deviceNumber == number {
		return t
	}
	if t != nil && t.reading.Err() == nil {
		return nil
	}
	reading, done := context.WithCancel(context.Background())
	t = &texts{deviceNumber: number, reading: reading}
	h.texts[port] = t
	go func() {
		defer done()
		t.serial = h.read(port, "serial")
		t.manufacturer = h.read(port, "manufacturer")
		t.product = h.read(port, "product")
	}()
	return t
}

// Descriptor returns the report descriptor of an interface as sysfs has it. It is nil while a
// program holds the interface by libusb, and where the kernel refused the descriptor.
func (h *Host) Descriptor(path string) []byte {
	for _, file := range h.glob(path, "report_descriptor") {
		if descriptor, err := os.ReadFile(file); err == nil && len(descriptor) > 0 {
			return descriptor
		}
	}
	return nil
}

// DeviceNumber identifies one plugging-in of the device at a path. It changes whenever the device
// leaves and comes back, and is "" while it is gone. It is not known where the system has no sysfs.
func (h *Host) DeviceNumber(path string) (number string, known bool) {
	_, err := os.Stat(h.sys)
	return h.read(Port(path), "devnum"), err == nil
}

// Port returns the part of a path that names the port. It is the device's directory in sysfs.
func Port(path string) string {
	port, _, _ := strings.Cut(path, ":")
	return port
}

// glob returns files of the kernel's HID devices on an interface. Their directories' names begin
// with BUS_USB of linux/input.h. There is one, or none.
func (h *Host) glob(path, pattern string) []string {
	files, _ := filepath.Glob(filepath.Join(h.sys, path, "0003:*", pattern))
	return files
}

// driver returns what the kernel has given an interface to: usbfs where a program holds it by
// libusb, usbhid as a rule, or "" where nobody has it.
func (h *Host) driver(path string) string {
	link, _ := os.Readlink(filepath.Join(h.sys, path, "driver"))
	_, name := filepath.Split(link)
	return name
}

func (h *Host) number(path string) int { return int(h.hex(path, "bInterfaceNumber")) }

// node returns the file of the device that has an interface.
func (h *Host) node(path string) usbNode {
	bus, _ := strconv.Atoi(h.read(Port(path), "busnum"))
	device, _ := strconv.Atoi(h.read(Port(path), "devnum"))
	return usbNode{fmt.Sprintf("%s/bus/usb/%03d/%03d", h.dev, bus, device), h.ioctl}
}

// busy returns the error of opening an interface that a program holds.
func (h *Host) busy(path string) error {
	node := h.node(path).path
	fds, _ := filepath.Glob(filepath.Join(h.proc, "[0-9]*", "fd", "*"))
	var holders []string
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != node {
			continue
		}
		process := filepath.Dir(filepath.Dir(fd))
		name, _ := os.ReadFile(filepath.Join(process, "comm"))
		holders = append(holders,
			strings.TrimSpace(string(name))+", process "+filepath.Base(process))
	}
	return &BusyError{Holder: strings.Join(holders, "; ")}
}

// read returns what a file of sysfs says, or "" where there is no such file.
func (h *Host) read(dir, file string) string {
	text, _ := os.ReadFile(filepath.Join(h.sys, dir, file))
	return strings.TrimSpace(string(text))
}

func (h *Host) hex(dir, file string) uint16 {
	n, _ := strconv.ParseUint(h.read(dir, file), 16, 16)
	return uint16(n)
}
