package tripplite

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/tripplite-go/tripplite/internal/hidreport"
	"github.com/tripplite-go/tripplite/internal/usb"
)

// DeviceInfo says what a UPS is and where it is plugged in.
type DeviceInfo struct {
	// Path names the unit for [Open]. On Linux it is "<bus>-<port>:<configuration>.<interface>", as in
	// "1-4.2:1.0": it names the port and stays the same when the unit leaves the bus and comes back.
	Path string
	// VendorID and ProductID are the unit's USB ids. Tripp Lite's product ids are protocol
	// numbers, not models.
	VendorID, ProductID uint16
	// Family names the group of product ids that the unit belongs to, such as "Tripp Lite 2xxx".
	Family string
	// Release is the unit's device release number, in binary-coded decimal.
	Release uint16
	// Serial is the serial string as the unit says it: often absent, or a firmware label that several
	// units share. Use Path to tell units apart.
	Serial string
	// Manufacturer and Product are the unit's strings; empty where it has none.
	Manufacturer, Product string
	// Interface is the number of the HID interface.
	Interface int
}

// Model returns the product string, as the name of the model where the unit says that: units of
// product 0001 put the maker's name before it and blanks behind it.
func (i DeviceInfo) Model() string {
	if family, _ := familyOf(i.VendorID, i.ProductID); !family.framed {
		return i.Product
	}
	return strings.TrimSpace(strings.TrimPrefix(i.Product, "TRIPP LITE "))
}

// Devices lists every UPS attached, by bus and port. An empty list is no error. It needs no
// permission on a unit. On Linux it asks the kernel alone, so units in use are not disturbed, and a
// unit that does not answer is listed without its strings. Where this program can open no unit it
// returns [ErrUnsupported].
func Devices() ([]DeviceInfo, error) {
	h := hostOr(nil)
	if err := supported(h, "list", ""); err != nil {
		return nil, err
	}
	return devicesOf(h, func(string) bool { return true })
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

// hostOr returns a host, or else this system.
func hostOr(h host) host {
	if h == nil {
		return usb.NewHost(usb.Transport(os.Getenv("TRIPPLITE_TRANSPORT")))
	}
	return h
}

// supported returns why this program can open no unit.
func supported(h host, op, path string) error {
	if err := h.Supported(); err != nil {
		return &Error{Op: op, Path: path, Err: ErrUnsupported, Cause: err}
	}
	return nil
}

// lookup returns the unit at a path, or the first one for "".
func lookup(h host, path string) (DeviceInfo, error) {
	if err := supported(h, "open", path); err != nil {
		return DeviceInfo{}, err
	}
	wanted := func(port string) bool { return path == "" || port == usb.Port(path) }
	devices, err := devicesOf(h, wanted)
	if err != nil {
		return DeviceInfo{}, err
	}
	for _, d := range devices {
		if path == "" || d.Path == path {
			return d, nil
		}
	}
	return DeviceInfo{}, &Error{Op: "open", Path: path, Err: ErrNotFound}
}

// devicesOf lists the units at the ports that are wanted. A unit with several HID interfaces is
// listed once, by the one that is the UPS.
func devicesOf(h host, wanted func(port string) bool) ([]DeviceInfo, error) {
	interfaces, err := h.List(usbIDs(), wanted)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a computer without USB has no unit
		return nil, &Error{Op: "list", Err: err}
	}
	best, ranks := map[string]usb.Interface{}, map[string]int{} // by port
	for _, i := range interfaces {
		port, rank := usb.Port(i.Path), rankOf(h, i)
		if rank > ranks[port] || rank > notUPS && rank == ranks[port] && i.Number < best[port].Number {
			best[port], ranks[port] = i, rank
		}
	}
	var devices []DeviceInfo
	for _, i := range best {
		family, _ := familyOf(i.VendorID, i.ProductID)
		devices = append(devices, DeviceInfo{
			Path: i.Path, VendorID: i.VendorID, ProductID: i.ProductID, Family: family.name,
			Release: i.Release, Serial: i.Serial, Manufacturer: i.Manufacturer, Product: i.Product,
			Interface: i.Number,
		})
	}
	slices.SortFunc(devices, func(a, b DeviceInfo) int { return comparePaths(a.Path, b.Path) })
	return devices, nil
}

// How well an interface suits: it is known not to be a UPS; it may be one; it has a status; its
// family is known to have the UPS there, or a program has already picked it.
const (
	notUPS = iota
	perhapsUPS
	certainlyUPS
	chosenUPS
)

// rankOf judges an interface by its usage page or its descriptor, as far as the system tells them.
func rankOf(h host, i usb.Interface) int {
	family, _ := familyOf(i.VendorID, i.ProductID)
	d, err := hidreport.Parse(h.Descriptor(i.Path))
	isPower := func(f hidreport.Field) bool { return f.Path[0].Page() == powerPage }
	switch {
	case family.framed:
		return perhapsUPS // its page is another one
	case i.UsagePage != 0 && i.UsagePage != powerPage,
		err == nil && !slices.ContainsFunc(d.Fields, isPower):
		return notUPS
	case family.iface > 0 && i.Number == family.iface, i.Held:
		return chosenUPS
	case err == nil && len(statusEntries(d, hidreport.Feature)) > 0:
		return certainlyUPS
	}
	return perhapsUPS
}

// powerPage is the usage page of power devices.
const powerPage = 0x84

// comparePaths orders by bus and port, as numbers, so that port 10 comes after port 2.
func comparePaths(a, b string) int {
	return cmp.Or(slices.CompareFunc(numbers(a), numbers(b), compareNumbers), cmp.Compare(a, b))
}

func numbers(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r < '0' || r > '9' })
}

func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}
