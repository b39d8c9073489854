package tripplite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/karalabe/hid"

	"github.com/tripplite-go/tripplite/internal/hidreport"
)

// usb is where Linux shows its USB devices. hidapi's path of an interface is the name of its directory in sysfs.
type usb struct {
	sys  string // one directory for each device and each interface
	dev  string // the device nodes, by bus and device number
	proc string // the processes
}

var system = usb{sys: "/sys/bus/usb/devices", dev: "/dev/bus/usb", proc: "/proc"}

// attached lists the units whose port is wanted.
func attached(wanted func(port string) bool) ([]DeviceInfo, error) {
	devices, err := system.attached(wanted)
	if errors.Is(err, fs.ErrNotExist) {
		return enumerate() // a container without sysfs can still have the nodes
	}
	return devices, err
}

// openDevice opens a unit and reads its report descriptor, which is nil where it cannot be had.
func openDevice(path string) (hid.Device, []byte, error) {
	descriptor := system.descriptor(path) // before hidapi detaches usbhid, which takes it out of sysfs
	dev, err := hid.DeviceInfo{Path: path}.Open()
	if err != nil {
		return nil, nil, system.whyNot(path, err)
	}
	return dev, descriptor, nil
}

// incarnation identifies one plugging in of the device at a path: it changes whenever the device drops off the bus and comes back,
// and is "" while it is gone. Where known is false, this cannot be told without asking the device.
func incarnation(path string) (id string, known bool) {
	if _, err := os.Stat(system.sys); err != nil {
		return "", false
	}
	return system.read(portOf(path), "devnum"), true
}

func (u usb) attached(wanted func(port string) bool) ([]DeviceInfo, error) {
	entries, err := os.ReadDir(u.sys)
	if err != nil {
		return nil, fmt.Errorf("tripplite: listing the USB devices: %w", err)
	}
	best := map[string]candidate{} // by device, so that a unit with several HID interfaces is listed once
	for _, entry := range entries {
		path := entry.Name()
		dir := portOf(path)
		if dir == path || strings.HasSuffix(dir, rootHub) || !wanted(dir) || u.read(path, "bInterfaceClass") != hidClass {
			continue
		}
		vendor, product := u.hex(dir, "idVendor"), u.hex(dir, "idProduct")
		family, ok := familyOf(vendor, product)
		if !ok {
			continue
		}
		c := candidate{path: path, vendor: vendor, product: product, family: family, iface: int(u.hex(path, "bInterfaceNumber"))}
		c.rank = u.suits(c)
		if other, ok := best[dir]; !ok || c.rank > other.rank || c.rank == other.rank && c.iface < other.iface {
			best[dir] = c
		}
	}
	var devices []DeviceInfo
	for dir, c := range best {
		if c.rank == notUPS {
			continue
		}
		devices = append(devices, DeviceInfo{
			Path:         c.path,
			VendorID:     c.vendor,
			ProductID:    c.product,
			Family:       c.family.name,
			Release:      u.hex(dir, "bcdDevice"),
			Serial:       u.read(dir, "serial"),
			Manufacturer: u.read(dir, "manufacturer"),
			Product:      u.read(dir, "product"),
			Interface:    c.iface,
		})
	}
	return devices, nil
}

// candidate is one HID interface of a device.
type candidate struct {
	path            string
	vendor, product uint16
	family          family
	iface           int
	rank            int
}

// How well an interface suits: known not to be a UPS; one for all that is known; one with a status; the one that the family is known to
// have it on, or that a program has already chosen.
const (
	notUPS = iota
	perhapsUPS
	certainlyUPS
	chosenUPS
)

// suits judges an interface by its descriptor, which sysfs lacks while a program has the interface open.
func (u usb) suits(c candidate) int {
	d, err := hidreport.Parse(u.sysfsDescriptor(c.path))
	isPower := func(f hidreport.Field) bool { return f.Path[0].Page() == powerPage }
	switch {
	case err == nil && !slices.ContainsFunc(d.Fields, isPower) && c.family.unsupported == "":
		return notUPS
	case c.family.iface > 0 && c.iface == c.family.iface, u.driver(c.path) == "usbfs":
		return chosenUPS
	case err == nil && len(statusEntries(d, hidreport.Feature)) > 0:
		return certainlyUPS
	}
	return perhapsUPS
}

// driver is what the kernel has given an interface to: usbfs where a program has it, usbhid else, "" where neither does.
func (u usb) driver(path string) string {
	link, err := os.Readlink(filepath.Join(u.sys, path, "driver"))
	if err != nil {
		return ""
	}
	return filepath.Base(link)
}

// hidClass is the interface class of HID devices as sysfs writes it (HID 1.11, 4.1).
const hidClass = "03"

// rootHub is how the names of the interfaces of root hubs begin after the bus, as in 1-0:1.0; the ports that a UPS can be at count from 1.
const rootHub = "-0"

// portOf is the part of a path that names the port, and in sysfs the directory of the device there.
func portOf(path string) string {
	dir, _, _ := strings.Cut(path, ":")
	return dir
}

// read returns what a file of sysfs says, or "" where there is no such file.
func (u usb) read(dir, file string) string {
	text, err := os.ReadFile(filepath.Join(u.sys, dir, file))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (u usb) hex(dir, file string) uint16 {
	n, err := strconv.ParseUint(u.read(dir, file), 16, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// node is the file that opens the device.
func (u usb) node(path string) string {
	bus, _ := strconv.Atoi(u.read(portOf(path), "busnum"))
	number, _ := strconv.Atoi(u.read(portOf(path), "devnum"))
	return fmt.Sprintf("%s/%03d/%03d", u.dev, bus, number)
}

// descriptor reads the report descriptor from sysfs, or else from the device: sysfs has none while usbhid is detached, as a program
// that was killed leaves it, and an empty one where the kernel refused it.
func (u usb) descriptor(path string) []byte {
	if descriptor := u.sysfsDescriptor(path); descriptor != nil {
		return descriptor
	}
	descriptor, err := readDescriptor(u.node(path), u.hex(path, "bInterfaceNumber"))
	if err != nil {
		return nil
	}
	return descriptor
}

// usbHID is how the names of the kernel's HID devices on USB begin: with BUS_USB of linux/input.h.
const usbHID = "0003:"

func (u usb) sysfsDescriptor(path string) []byte {
	files, _ := filepath.Glob(filepath.Join(u.sys, path, usbHID+"*", "report_descriptor"))
	for _, file := range files {
		if descriptor, err := os.ReadFile(file); err == nil && len(descriptor) > 0 {
			return descriptor
		}
	}
	return nil
}

// readDescriptor asks a device for the report descriptor of an interface (HID 1.11, 7.1.1) by the USBDEVFS_CONTROL ioctl of
// linux/usbdevice_fs.h.
func readDescriptor(node string, iface uint16) ([]byte, error) {
	file, err := os.OpenFile(node, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()

	descriptor := make([]byte, 4096) // HID_MAX_DESCRIPTOR_SIZE, and the most that the ioctl takes
	request := struct {
		requestType, request uint8
		value, index, length uint16
		timeout              uint32 // ms
		data                 unsafe.Pointer
	}{
		0x81, 0x06, // device to host, standard, interface; GET_DESCRIPTOR
		0x2200, iface, uint16(len(descriptor)),
		1000,
		unsafe.Pointer(&descriptor[0]),
	}
	var pinner runtime.Pinner
	pinner.Pin(&descriptor[0])
	defer pinner.Unpin()
	control := 0xc0005500 | unsafe.Sizeof(request)<<16 // _IOWR('U', 0, struct usbdevfs_ctrltransfer)
	n, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), control, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return nil, errno
	}
	return descriptor[:n], nil
}

// whyNot tells apart why hidapi, whose error says nothing, could not open a unit.
func (u usb) whyNot(path string, err error) error {
	if u.read(portOf(path), "devnum") == "" {
		return ErrDisconnected
	}
	node := u.node(path)
	file, nodeErr := os.OpenFile(node, os.O_RDWR, 0)
	switch {
	case errors.Is(nodeErr, fs.ErrPermission):
		return fmt.Errorf("%s: %w", node, ErrPermission)
	case errors.Is(nodeErr, fs.ErrNotExist):
		return fmt.Errorf("%w (%s does not exist: a container must share the host's /dev/bus/usb)", ErrDisconnected, node)
	case nodeErr != nil:
		return nodeErr
	}
	file.Close()
	if u.driver(path) == "usbfs" {
		return fmt.Errorf("%w%s", ErrBusy, u.holders(node))
	}
	return err
}

// holders names the programs that have a node open, as far as this user may see them.
func (u usb) holders(node string) string {
	fds, _ := filepath.Glob(filepath.Join(u.proc, "[0-9]*", "fd", "*"))
	var names []string
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != node {
			continue
		}
		process := filepath.Dir(filepath.Dir(fd))
		name, _ := os.ReadFile(filepath.Join(process, "comm"))
		names = append(names, fmt.Sprintf("%s, process %s", strings.TrimSpace(string(name)), filepath.Base(process)))
	}
	if names == nil {
		return ""
	}
	return " (" + strings.Join(names, "; ") + ")"
}
