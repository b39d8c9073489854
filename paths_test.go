package tripplite

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/usb"
)

func TestPathsAreOrderedByTheirNumbers(t *testing.T) {
	for name, ordered := range map[string][]string{
		"by port":            {"1-1:1.0", "1-2:1.0", "1-10:1.0", "1-11:1.0"},
		"by bus before port": {"1-9:1.0", "2-1:1.0", "10-1:1.0"},
		"by port of the hub": {"1-2.1:1.0", "1-2.3.4:1.0", "1-2.3.10:1.0", "1-2.10:1.0", "1-3:1"},
		"by configuration":   {"1-4:1.0", "1-4:2.0", "1-4:10.0"},
		"by interface":       {"1-4:1.0", "1-4:1.1", "1-4:1.10"},
		"as macOS names them": {"DevSrvsID:4294969000", "DevSrvsID:4294970000",
			"DevSrvsID:10000000000"},
		"as Windows names them": {
			`\\?\HID#VID_09AE&PID_2012#6&1a2b3c4d&0&0000#{4d1e55b2-f16f-11cf-88cb-001111000030}`,
			`\\?\HID#VID_09AE&PID_2012#7&1a2b3c4d&0&0000#{4d1e55b2-f16f-11cf-88cb-001111000030}`,
			`\\?\HID#VID_09AE&PID_3016#6&1a2b3c4d&0&0000#{4d1e55b2-f16f-11cf-88cb-001111000030}`,
		},
		"the shorter of two alike": {"", "1-4", "1-4:1.0"},
		"fewer numbers first":      {"1-a", "1-4"},
		"leading zeros first":      {"/dev/uhid01", "/dev/uhid1", "/dev/uhid2"},
		"numbers of any length":    {"1-99999999999999999999", "1-100000000000000000000"},
	} {
		t.Run(name, func(t *testing.T) {
			for i, a := range ordered {
				for j, b := range ordered {
					got := comparePaths(a, b)
					switch {
					case i < j:
						require.Negative(t, got, "%s comes before %s", a, b)
					case i > j:
						require.Positive(t, got, "%s comes after %s", a, b)
					default:
						require.Zero(t, got)
					}
				}
			}
		})
	}
}

// FuzzComparePaths looks for three paths that slices.Sort could not put in order.
func FuzzComparePaths(f *testing.F) {
	f.Add("1-2:1.0", "1-10:1.0", "1-2.1:1.0")
	f.Add("", "0", "00")
	f.Add("a1", "a01", "a1b")
	f.Add("1-4:1.0", "1-4:1.0", "x")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		paths := []string{a, b, c}
		for _, x := range paths {
			for _, y := range paths {
				xy := comparePaths(x, y)
				if yx := comparePaths(y, x); sign(xy) != -sign(yx) {
					t.Errorf("%q and %q are %d apart one way and %d the other", x, y, xy, yx)
				}
				if (xy == 0) != (x == y) {
					t.Errorf("%q and %q compare as %d", x, y, xy)
				}
				for _, z := range paths {
					if xy <= 0 && comparePaths(y, z) <= 0 && comparePaths(x, z) > 0 {
						t.Errorf("%q <= %q <= %q, and yet the first comes after the last", x, y, z)
					}
				}
			}
		}
	})
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// listHost is a computer with interfaces that can be listed. What opening one of them returns is
// up to the test.
type listHost struct {
	interfaces  []usb.Interface
	descriptors map[string][]byte // by path
	open        func(path string) (usb.Device, error)
	supported   error
	fails       error // of List
}

// plugIn adds a device with these HID interfaces. Their numbers count from 0, and a nil descriptor
// is one that cannot be had.
func (h *listHost) plugIn(port string, device usb.Interface, descriptors ...[]byte) {
	for n, descriptor := range descriptors {
		i := device
		i.Path, i.Number = fmt.Sprintf("%s:1.%d", port, n), n
		h.interfaces = append(h.interfaces, i)
		if h.descriptors == nil {
			h.descriptors = map[string][]byte{}
		}
		h.descriptors[i.Path] = descriptor
	}
}

// plugInCapture adds the unit of a capture.
func (h *listHost) plugInCapture(t *testing.T, port, name string) *capture.Capture {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	var descriptors [][]byte
	for _, i := range c.Interfaces {
		descriptors = append(descriptors, i.Descriptor)
	}
	h.plugIn(port, usb.Interface{
		VendorID: uint16(c.VendorID), ProductID: uint16(c.ProductID), Release: uint16(c.Release),
		Serial: c.Serial, Manufacturer: c.Manufacturer, Product: c.Product,
	}, descriptors...)
	return c
}

func (h *listHost) Supported() error                           { return h.supported }
func (h *listHost) Descriptor(path string) []byte              { return h.descriptors[path] }
func (h *listHost) Open(path string) (usb.Device, error)       { return h.open(path) }
func (h *listHost) DeviceNumber(string) (n string, known bool) { return "", false }

func (h *listHost) List(ids []usb.ID, wanted func(port string) bool) ([]usb.Interface, error) {
	var list []usb.Interface
	for _, i := range h.interfaces {
		any, this := usb.ID{Vendor: i.VendorID}, usb.ID{Vendor: i.VendorID, Product: i.ProductID}
		if wanted(usb.Port(i.Path)) && (slices.Contains(ids, any) || slices.Contains(ids, this)) {
			list = append(list, i)
		}
	}
	return list, h.fails
}

func anyPort(string) bool { return true }

func pathsOf(t *testing.T, h host) []string {
	t.Helper()
	devices, err := devicesOf(h, anyPort)
	require.NoError(t, err)
	var paths []string
	for _, d := range devices {
		paths = append(paths, d.Path)
	}
	return paths
}

// of2012 is an interface with nothing but its ids.
var of2012 = usb.Interface{VendorID: 0x09ae, ProductID: 0x2012}

// keyboard declares a keyboard's keys, as an interface that is no UPS might.
var keyboard = unhex("05 01 09 06 a1 01 05 07 19 e0 29 e7 15 00 25 01 75 01 95 08 81 02 c0")

func TestDevicesAreDescribed(t *testing.T) {
	var h listHost
	h.plugIn("1-4.2", usb.Interface{
		VendorID: 0x09ae, ProductID: 0x2012, Release: 0x0110,
		Manufacturer: "Tripp Lite", Product: "Tripp Lite UPS", Serial: "FW-2263 E",
	}, nil)
	h.plugIn("2-1", usb.Interface{VendorID: 0x09ae, ProductID: 0x3016}, nil)
	devices, err := devicesOf(&h, anyPort)
	require.NoError(t, err)
	require.Equal(t, []DeviceInfo{
		{
			Path: "1-4.2:1.0", VendorID: 0x09ae, ProductID: 0x2012, Family: "Tripp Lite 2xxx",
			Release: 0x0110, Manufacturer: "Tripp Lite", Product: "Tripp Lite UPS",
			Serial: "FW-2263 E", Interface: 0,
		},
		{Path: "2-1:1.0", VendorID: 0x09ae, ProductID: 0x3016, Family: "Tripp Lite 3xxx"},
	}, devices)
}

func TestDevicesAreThoseThatMayBeTouched(t *testing.T) {
	var h listHost
	for port, id := range map[string][2]uint16{
		"1-1": {0x09ae, 0x2012},
		"1-2": {0x09ae, 0xffff}, // a product of Tripp Lite's that nobody has seen
		"1-3": {0x09ae, 0x0001},
		"1-4": {0x03f0, 0x1fe3}, // an HP T1500 G3
		"1-5": {0x05dd, 0xa0a0}, // a Minuteman
		"1-6": {0x03f0, 0x0024}, // a keyboard of HP's
		"1-7": {0x046d, 0xc52b}, // somebody else's device
		"1-8": {0x0000, 0x0000}, // one that has just left
	} {
		h.plugIn(port, usb.Interface{VendorID: id[0], ProductID: id[1]}, nil)
	}
	assert.Equal(t, []string{"1-1:1.0", "1-2:1.0", "1-3:1.0", "1-4:1.0", "1-5:1.0"}, pathsOf(t, &h))
}

func TestAUnitIsListedOnceByTheInterfaceOfTheUPS(t *testing.T) {
	const none = -1
	ups := capturedDescriptor("smart1500lcdxl")
	noStatus := collection(usageUPS, collection(usageFlow, feature(0x01, 8, usageConfigVoltage)))
	for name, test := range map[string]struct {
		product     uint16
		descriptors [][]byte // of interfaces 0, 1, ...
		want        int
	}{
		"the one with a status":             {0x2012, [][]byte{noStatus, ups, noStatus}, 1},
		"the first of two with a status":    {0x2012, [][]byte{noStatus, ups, ups}, 1},
		"the first, if nothing else tells":  {0x2012, [][]byte{nil, nil}, 0},
		"never a keyboard":                  {0x2012, [][]byte{keyboard, nil}, 1},
		"none, where none can be a UPS":     {0x2012, [][]byte{keyboard}, none},
		"one that cannot be parsed":         {0x2012, [][]byte{ups[:100]}, 0},
		"any of a 0001, which has no power": {0x0001, [][]byte{keyboard}, 0},
		// The first interface of a 3028 shows a false status (NUT #2030).
		"the second of a 3028":                        {0x3028, [][]byte{ups, ups}, 1},
		"the second of a 3028 without any descriptor": {0x3028, [][]byte{nil, nil}, 1},
		"the second of a 3028 without its descriptor": {0x3028, [][]byte{ups, nil}, 1},
		"the first of a 3028 where the second is not": {0x3028, [][]byte{ups, keyboard}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var h listHost
			unit := usb.Interface{VendorID: 0x09ae, ProductID: test.product}
			h.plugIn("1-1", unit, test.descriptors...)
			var want []string
			if test.want != none {
				want = []string{fmt.Sprintf("1-1:1.%d", test.want)}
			}
			assert.Equal(t, want, pathsOf(t, &h))
			slices.Reverse(h.interfaces)
			assert.Equal(t, want, pathsOf(t, &h), "in whichever order the system lists them")
		})
	}
}

func TestAUnitInUseIsListedByTheInterfaceThatAProgramHas(t *testing.T) {
	// The descriptor of that one cannot be had. Another must not seem to be the better choice.
	var h listHost
	h.plugIn("1-1", of2012, capturedDescriptor("smart1500lcdxl"), nil)
	h.interfaces[1].Held = true
	assert.Equal(t, []string{"1-1:1.1"}, pathsOf(t, &h))
}

func TestAUsagePageTellsWhereThereIsNoDescriptor(t *testing.T) {
	// As on macOS and Windows, where each collection is a device of its own.
	for name, test := range map[string]struct {
		product uint16
		page    uint16
		listed  bool
	}{
		"power devices":        {0x2012, 0x84, true},
		"unknown":              {0x2012, 0, true},
		"generic desktop":      {0x2012, 0x01, false},
		"the maker's":          {0x2012, 0xff00, false},
		"the maker's, of 0001": {0x0001, 0xff00, true},
	} {
		var h listHost
		h.plugIn("1-1", usb.Interface{
			VendorID: 0x09ae, ProductID: test.product, UsagePage: test.page}, nil)
		assert.Equal(t, test.listed, len(pathsOf(t, &h)) == 1, name)
	}
}

func TestEveryCapturedUnitIsListedOnceByTheInterfaceOfTheUPS(t *testing.T) {
	families := map[string]string{
		"hp-t1500g3": "HP", "pro1500rt2u": "Delta/Minuteman", "ed2000rm2u": "Delta/Minuteman",
		"unlisted-3099":     "Tripp Lite",
		"without-acpresent": "Tripp Lite", "input-only": "Tripp Lite", "avr750u": "Tripp Lite 1xxx",
		"smart1500lcd": "Tripp Lite 2xxx", "br1500lcdt": "Tripp Lite 3xxx",
		"su1500rtxlcd2u": "Tripp Lite 4xxx",
	}
	var h listHost
	units := map[string]*capture.Capture{} // by path
	for i, name := range capture.Names() {
		port := fmt.Sprintf("1-%d", i+1)
		c := h.plugInCapture(t, port, name)
		units[fmt.Sprintf("%s:1.%d", port, c.UPSInterface)] = c
	}
	devices, err := devicesOf(&h, anyPort)
	require.NoError(t, err)
	require.Len(t, devices, len(units))
	for _, d := range devices {
		c := units[d.Path]
		require.NotNil(t, c, d.Path)
		assert.Equal(t, DeviceInfo{
			Path: d.Path, VendorID: uint16(c.VendorID), ProductID: uint16(c.ProductID),
			Family: d.Family, Release: uint16(c.Release), Serial: c.Serial,
			Manufacturer: c.Manufacturer, Product: c.Product, Interface: c.UPSInterface,
		}, d)
		assert.NotEmpty(t, d.Family)
		if want, ok := families[c.Name]; ok {
			assert.Equal(t, want, d.Family, c.Name)
		}
	}
}

func TestADecoyIsPassedOverWhicheverInterfaceItHas(t *testing.T) {
	c, err := capture.Load("br1500lcdt")
	require.NoError(t, err)
	var decoy, ups []byte = c.Interfaces[0].Descriptor, c.Interfaces[1].Descriptor
	// The family tells of a 3028, the descriptors alone of a 3099.
	for _, product := range []uint16{0x3028, 0x3099} {
		for i, descriptors := range [][][]byte{{ups, decoy}, {decoy, ups}, {decoy, decoy, ups}} {
			var h listHost
			h.plugIn("1-1", usb.Interface{VendorID: 0x09ae, ProductID: product}, descriptors...)
			assert.Equal(t, []string{fmt.Sprintf("1-1:1.%d", i)}, pathsOf(t, &h), "%04x", product)
		}
	}
}

func TestUnitsWithTheSameSerialAreToldApartByTheirPorts(t *testing.T) {
	// The serial strings of the first two are the label of one firmware. The next two have none.
	var h listHost
	for i, name := range []string{"avr750u", "smart1500lcd-2007", "avr900u", "bcpers450"} {
		h.plugInCapture(t, fmt.Sprintf("1-%d", i+1), name)
	}
	devices, err := devicesOf(&h, anyPort)
	require.NoError(t, err)
	require.Len(t, devices, 4)
	assert.Equal(t, devices[0].Serial, devices[1].Serial)
	assert.Equal(t, "FW-2263 E", devices[0].Serial)
	assert.Empty(t, devices[2].Serial+devices[3].Serial)
	for i, d := range devices {
		assert.Equal(t, fmt.Sprintf("1-%d:1.0", i+1), d.Path)
		found, err := lookup(&h, d.Path)
		require.NoError(t, err)
		assert.Equal(t, d, found)
	}
}

func TestDevicesAreInTheOrderOfTheirPorts(t *testing.T) {
	var h listHost
	for _, port := range []string{"1-10", "1-3", "10-1", "2-1", "1-2.11", "1-2.9"} {
		h.plugIn(port, of2012, nil)
	}
	want := []string{"1-2.9:1.0", "1-2.11:1.0", "1-3:1.0", "1-10:1.0", "2-1:1.0", "10-1:1.0"}
	require.Equal(t, want, pathsOf(t, &h))
	first, err := lookup(&h, "")
	require.NoError(t, err)
	require.Equal(t, "1-2.9:1.0", first.Path)
}

func TestLookupAsksForTheWantedPortAlone(t *testing.T) {
	var h listHost
	h.plugIn("1-4.2", of2012, nil)
	h.plugIn("1-4", of2012, nil)
	found, err := lookup(&h, "1-4.2:1.0")
	require.NoError(t, err)
	require.Equal(t, "1-4.2:1.0", found.Path)
	for _, path := range []string{"1-4.2:1.1", "1-4.2", "1-4.20:1.0", "1-5:1.0"} {
		_, err := lookup(&h, path)
		require.ErrorIs(t, err, ErrNotFound, path)
	}
}

func TestDevicesThatCannotBeListed(t *testing.T) {
	h := listHost{fails: &fs.PathError{
		Op: "open", Path: "/sys/bus/usb/devices", Err: syscall.EACCES}}
	_, err := devicesOf(&h, anyPort)
	const text = "list: open /sys/bus/usb/devices: permission denied"
	require.EqualError(t, err, text)
	_, err = Open("1-4:1.0", withHost(&h))
	require.EqualError(t, err, text)
	require.NotErrorIs(t, err, ErrNotFound, "whether it is there is not known")
}

func TestAComputerWithoutUSBHasNoUnit(t *testing.T) {
	h := listHost{fails: &fs.PathError{
		Op: "open", Path: "/sys/bus/usb/devices", Err: syscall.ENOENT}}
	require.Empty(t, pathsOf(t, &h))
	_, err := Open("", withHost(&h))
	require.ErrorIs(t, err, ErrNotFound)
}

// notFound is the text of ErrNotFound.
const notFound = "no Tripp Lite UPS found: check the USB cable, and that lsusb shows the unit"

func TestOpenWithoutAnyUnit(t *testing.T) {
	require.Empty(t, pathsOf(t, &listHost{}), "no unit is no error")
	_, err := Open("", withHost(&listHost{}))
	require.ErrorIs(t, err, ErrNotFound)
	require.EqualError(t, err, "open: "+notFound)
	_, err = Open("1-4:1.0", withHost(&listHost{}))
	require.ErrorIs(t, err, ErrNotFound)
	require.EqualError(t, err, "open 1-4:1.0: "+notFound)
}

// errHidapi is all that hidapi says when it cannot open a unit.
var errHidapi = errors.New("hidapi: failed to open device")

func TestOpenSaysWhichUnitAndWhyNot(t *testing.T) {
	const path = "1-4.2:1.0"
	denied := &fs.PathError{Op: "open", Path: "/dev/hidraw3", Err: syscall.EACCES}
	noNode := fmt.Errorf(
		"/dev/hidraw3 does not exist: a container must share the host's /dev: %w", fs.ErrNotExist)
	left := fmt.Errorf("no device is attached there: %w", fs.ErrNotExist)
	forced := fmt.Errorf("the kernel has no hidraw node: %w", errors.ErrUnsupported)
	for name, test := range map[string]struct {
		product uint16
		err     error // of the host
		want    Error
		text    string
	}{
		"permission": {
			0x2012, denied, Error{Err: ErrPermission, Cause: denied},
			"no permission: install the project's udev rule (deploy/70-tripplite.rules) or run " +
				"as root (open /dev/hidraw3: permission denied)",
		},
		"busy": {
			0x2012, &usb.BusyError{Holder: "usbhid-ups, process 812; python3, process 9001"},
			Error{Err: ErrBusy, Holder: "usbhid-ups, process 812; python3, process 9001"},
			"another program holds the UPS: stop it first " +
				"(usbhid-ups, process 812; python3, process 9001)",
		},
		"busy, and who it is cannot be seen": {
			0x2012, &usb.BusyError{}, Error{Err: ErrBusy},
			"another program holds the UPS: stop it first",
		},
		"a container without the nodes": {
			0x2012, noNode, Error{Err: ErrDisconnected, Cause: noNode},
			"the UPS is disconnected: it is read again as soon as it is back at this port " +
				"(/dev/hidraw3 does not exist: a container must share the host's /dev: " +
				"file does not exist)",
		},
		"gone since it was listed": {
			0x2012, left, Error{Err: ErrDisconnected, Cause: left},
			"the UPS is disconnected: it is read again as soon as it is back at this port " +
				"(no device is attached there: file does not exist)",
		},
		"a transport that cannot": {
			0x2012, forced, Error{Err: ErrUnsupported, Cause: forced},
			"not supported (the kernel has no hidraw node: unsupported operation)",
		},
		"something else": {
			0x2012, errHidapi, Error{Err: errHidapi}, "hidapi: failed to open device",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := listHost{open: func(at string) (usb.Device, error) {
				assert.Equal(t, path, at)
				require.Error(t, test.err, "a unit that cannot be read is not opened")
				return nil, test.err
			}}
			h.plugIn("1-4.2", usb.Interface{VendorID: 0x09ae, ProductID: test.product}, nil)
			for _, at := range []string{path, ""} {
				_, err := Open(at, withHost(&h))
				var e *Error
				require.ErrorAs(t, err, &e)
				require.ErrorIs(t, err, test.want.Err)
				assert.EqualError(t, err, "open 1-4.2:1.0: "+test.text)
				assert.Equal(t, "open", e.Op)
				assert.Equal(t, path, e.Path)
				assert.Equal(t, test.want.Err, e.Err)
				assert.Equal(t, test.want.Holder, e.Holder)
				assert.Equal(t, fmt.Sprint(test.want.Cause), fmt.Sprint(e.Cause))
			}
		})
	}
}

func TestOpenReadsTheUnitAtItsPath(t *testing.T) {
	ups, descriptor := newFakeUPS(t, "smart1500lcd")
	h := listHost{open: func(string) (usb.Device, error) { return ups, nil }}
	h.plugIn("1-4.2", of2012, descriptor)
	for _, at := range []string{"1-4.2:1.0", ""} {
		b, err := Open(at, withHost(&h))
		require.NoError(t, err)
		assert.Equal(t, "1-4.2:1.0", b.Info().Path)
		assert.Equal(t, "Tripp Lite 2xxx", b.Info().Family)
		if at != "" {
			state, err := b.Get(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "1-4.2:1.0", state.Path)
		}
		require.NoError(t, b.Close())
	}
	assert.Equal(t, 2, ups.closes())
}

func TestWhereNothingCanBeOpenedNothingIsLookedFor(t *testing.T) {
	why := fmt.Errorf("this program has no hidapi: %w", errors.ErrUnsupported)
	h := listHost{supported: why}
	h.plugIn("1-4", of2012, nil)
	for path, op := range map[string]string{"": "open", "1-4:1.0": "open 1-4:1.0"} {
		_, err := Open(path, withHost(&h))
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.EqualError(t, err,
			op+": not supported (this program has no hidapi: unsupported operation)")
	}
}

func TestATransportThatIsForcedAndMissingIsAnError(t *testing.T) {
	if hid.Supported() {
		t.Skip("this test binary has cgo, and so hidapi")
	}
	t.Setenv("TRIPPLITE_TRANSPORT", "hidapi")
	_, errDevices := Devices()
	paths, errPaths := Paths()
	require.Empty(t, paths)
	_, errFirst := Open("")
	_, errForced := Open("1-4:1.0", WithTransport(Hidapi))
	for _, err := range []error{errDevices, errPaths, errFirst, errForced} {
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorContains(t, err, "build it with CGO_ENABLED=1 and a C compiler")
	}
}

func TestATransportThatDoesNotExistIsAnError(t *testing.T) {
	_, errForced := Open("1-4:1.0", WithTransport("libusb"))
	t.Setenv("TRIPPLITE_TRANSPORT", "libusb")
	_, errDevices := Devices()
	_, errPaths := Paths()
	_, errFirst := Open("")
	_, errBank := NewBank().Get(t.Context())
	_, errBankAt := BankAt(nil).Get(t.Context())
	for _, err := range []error{
		errForced, errDevices, errPaths, errFirst, errBank, errBankAt,
	} {
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorContains(t, err, `there is no transport "libusb"`)
	}
}

func TestPathsAreThoseOfDevices(t *testing.T) {
	// This looks at the computer that the test runs on, which may have no USB.
	devices, err := Devices()
	paths, errPaths := Paths()
	if err != nil {
		require.EqualError(t, errPaths, err.Error())
		require.ErrorAs(t, err, new(*Error))
	}
	var want []string
	for _, d := range devices {
		want = append(want, d.Path)
	}
	require.Equal(t, want, paths)
}

func TestFamilyOfAProduct(t *testing.T) {
	const framed = "Tripp Lite 0001"
	// The ids that NUT 2.8.5 knows, and those that users reported.
	for name, products := range map[string]string{
		"09ae " + framed:       "0001",
		"09ae Tripp Lite 1xxx": "1003 1007 1008 1009 1010 1330",
		"09ae Tripp Lite 2xxx": "2005 2007 2008 2009 2010 2011 2012 2013 2014",
		"09ae Tripp Lite 3xxx": "3008 3009 3010 3011 3012 3013 3014 3015 3016 3018 3024 3026 " +
			"3028",
		"09ae Tripp Lite 4xxx":   "4001 4002 4003 4004 4005 4006 4007 4008",
		"09ae Tripp Lite":        "0002 5000 ffff",
		"03f0 HP":                "1fe0 1fe1 1fe2 1fe3 1f06 1f08 1f09 1f0a",
		"05dd Delta/Minuteman":   "a011 a0a0",
		"03f0 (not to touch)":    "0000 0024 1f07 1fe4",
		"05dd (not to touch)":    "0000 041b a0a1",
		"046d (somebody else's)": "2012",
	} {
		vendor, name, _ := strings.Cut(name, " ")
		for _, product := range strings.Fields(products) {
			f, ok := familyOf(id16(t, vendor), id16(t, product))
			require.Equal(t, !strings.HasPrefix(name, "("), ok, "%s:%s", vendor, product)
			if ok {
				require.Equal(t, name, f.name, "%s:%s", vendor, product)
				require.Equal(t, name == framed, f.framed, "%s:%s", vendor, product)
				require.Equal(t, product == "3028", f.iface == 1,
					"%s:%s: the UPS of a 3028 is on its second interface", vendor, product)
			}
		}
	}
}

func id16(t *testing.T, digits string) uint16 {
	t.Helper()
	n, err := strconv.ParseUint(digits, 16, 16)
	require.NoError(t, err)
	return uint16(n)
}
