package tripplite

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/karalabe/hid"
)

// DeviceInfo says what a UPS is and where it is plugged in.
type DeviceInfo struct {
	// Path names the unit for [Open]. On Linux it is "<bus>-<port>:<configuration>.<interface>", as in "1-4.2:1.0": it names the port
	// and stays the same when the unit drops off the bus and comes back.
	Path string
	// VendorID and ProductID are the unit's USB ids. Tripp Lite's product ids are protocol numbers, not models.
	VendorID, ProductID uint16
	// Family names the group of product ids that the unit belongs to, such as "Tripp Lite 2xxx".
	Family string
	// Release is the unit's device release number, in binary-coded decimal.
	Release uint16
	// Serial is the serial string as the unit says it: often absent, or a firmware label that several units share. Use Path to tell
	// units apart.
	Serial string
	// Manufacturer and Product are the unit's strings; empty where it has none.
	Manufacturer, Product string
	// Interface is the number of the HID interface.
	Interface int
}

// Devices lists every UPS attached, by bus and port. An empty list is no error. It needs no permission on a unit, and on Linux it asks
// the kernel alone, so that units in use are not disturbed. Without cgo, or on a system that github.com/karalabe/hid does not know, it
// returns [ErrUnsupported].
func Devices() ([]DeviceInfo, error) {
	return devicesWhere(func(string) bool { return true })
}

// devicesWhere lists at least the units whose port is wanted.
func devicesWhere(wanted func(port string) bool) ([]DeviceInfo, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	devices, err := attached(wanted)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(devices, func(a, b DeviceInfo) int { return comparePaths(a.Path, b.Path) })
	return devices, nil
}

// Paths lists the path of every UPS attached, in the order of [Devices].
func Paths() ([]string, error) {
	devices, err := Devices()
	var paths []string
	for _, d := range devices {
		paths = append(paths, d.Path)
	}
	return paths, err
}

// supported returns why this program can open no unit.
func supported() error {
	if hid.Supported() {
		return nil
	}
	return fmt.Errorf("tripplite: reading a UPS is %w in this program: build it with CGO_ENABLED=1 and a C compiler, on Linux, macOS, Windows or FreeBSD", ErrUnsupported)
}

// lookup returns the unit at a path, or the first one for "".
func lookup(path string) (DeviceInfo, error) {
	devices, err := devicesWhere(func(port string) bool { return path == "" || port == portOf(path) })
	if err != nil {
		return DeviceInfo{}, err
	}
	for _, d := range devices {
		if path == "" || d.Path == path {
			return d, nil
		}
	}
	if path == "" {
		return DeviceInfo{}, fmt.Errorf("tripplite: %w", ErrNotFound)
	}
	return DeviceInfo{}, fmt.Errorf("tripplite: %s: %w", path, ErrNotFound)
}

// enumerate lists the units by asking hidapi, which reads three strings from each, but for the interfaces that are not a UPS where the
// system tells. Twins are asked for by product id, so that no other device of their vendors is touched.
func enumerate() ([]DeviceInfo, error) {
	var devices []DeviceInfo
	for _, f := range families {
		products := f.products
		switch {
		case f.vendor == tripplite && products != nil:
			continue // the family of all others has them
		case products == nil:
			products = []uint16{0} // hidapi's "any"
		}
		for _, product := range products {
			found, err := hid.Enumerate(f.vendor, product)
			if err != nil {
				return nil, fmt.Errorf("tripplite: listing the USB devices: %w", err)
			}
			for _, d := range found {
				family, _ := familyOf(d.VendorID, d.ProductID)
				if d.UsagePage != 0 && d.UsagePage != powerPage && family.unsupported == "" {
					continue
				}
				devices = append(devices, DeviceInfo{
					Path: d.Path, VendorID: d.VendorID, ProductID: d.ProductID, Family: family.name, Release: d.Release,
					Serial: d.Serial, Manufacturer: d.Manufacturer, Product: d.Product, Interface: d.Interface,
				})
			}
		}
	}
	return devices, nil
}

// tripplite is the vendor id whose every UPS is read, and powerPage the usage page of power devices.
const (
	tripplite = 0x09ae
	powerPage = 0x84
)

// comparePaths orders numbers within paths by their value, so that port 10 comes after port 2.
func comparePaths(a, b string) int {
	for a != "" && b != "" {
		digitsA, digitsB := leadingDigits(a), leadingDigits(b)
		if digitsA == "" || digitsB == "" {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		numberA, numberB := strings.TrimLeft(digitsA, "0"), strings.TrimLeft(digitsB, "0")
		if c := cmp.Or(cmp.Compare(len(numberA), len(numberB)), cmp.Compare(numberA, numberB), cmp.Compare(len(digitsA), len(digitsB))); c != 0 {
			return c
		}
		a, b = a[len(digitsA):], b[len(digitsB):]
	}
	return cmp.Compare(len(a), len(b))
}

func leadingDigits(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
}
