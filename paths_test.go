package tripplite

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/require"
)

func TestPathsAreOrderedByTheirNumbers(t *testing.T) {
	for name, ordered := range map[string][]string{
		"by port":             {"1-1:1.0", "1-2:1.0", "1-10:1.0", "1-11:1.0"},
		"by bus before port":  {"1-9:1.0", "2-1:1.0", "10-1:1.0"},
		"by port of the hub":  {"1-2.1:1.0", "1-2.3.4:1.0", "1-2.3.10:1.0", "1-2.10:1.0", "1-3:1.0"},
		"by configuration":    {"1-4:1.0", "1-4:2.0", "1-4:10.0"},
		"by interface":        {"1-4:1.0", "1-4:1.1", "1-4:1.10"},
		"as macOS names them": {"DevSrvsID:4294969000", "DevSrvsID:4294970000", "DevSrvsID:10000000000"},
		"as Windows names them": {
			`\\?\HID#VID_09AE&PID_2012#6&1a2b3c4d&0&0000#{4d1e55b2-f16f-11cf-88cb-001111000030}`,
			`\\?\HID#VID_09AE&PID_2012#7&1a2b3c4d&0&0000#{4d1e55b2-f16f-11cf-88cb-001111000030}`,
			`\\?\HID#VID_09AE&PID_3016#6&1a2b3c4d&0&0000#{4d1e55b2-f16f-11cf-88cb-001111000030}`,
		},
		"the shorter of two that begin alike":        {"", "1-4", "1-4:1.0"},
		"numbers before letters":                     {"1-4", "1-a"},
		"leading zeros, which change no value, last": {"/dev/uhid1", "/dev/uhid01", "/dev/uhid2"},
		"numbers of any length":                      {"1-99999999999999999999", "1-100000000000000000000"},
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

func TestWithoutCgoNothingCanBeOpened(t *testing.T) {
	if hid.Supported() {
		t.Skip("this test binary has cgo")
	}
	_, errDevices := Devices()
	paths, errPaths := Paths()
	require.Empty(t, paths)
	_, errFirst := Open("")
	_, errPath := Open("1-4:1.0")
	for _, err := range []error{errDevices, errPaths, errFirst, errPath} {
		require.ErrorIs(t, err, ErrUnsupported)
		require.EqualError(t, err, "tripplite: reading a UPS is not supported in this program: "+
			"build it with CGO_ENABLED=1 and a C compiler, on Linux, macOS, Windows or FreeBSD")
	}
}

func TestPathsAreThoseOfDevices(t *testing.T) {
	if !hid.Supported() {
		t.Skip("this test binary has no cgo")
	}
	devices, err := Devices()
	require.NoError(t, err, "no unit is no error")
	paths, err := Paths()
	require.NoError(t, err)
	require.Len(t, paths, len(devices))
	for i, d := range devices {
		require.Equal(t, d.Path, paths[i])
	}
	require.True(t, slices.IsSortedFunc(paths, comparePaths))
}

func TestOpenOfAPathWhereNoUnitIsNamesThePath(t *testing.T) {
	if !hid.Supported() {
		t.Skip("this test binary has no cgo")
	}
	_, err := Open("no such path")
	require.ErrorIs(t, err, ErrNotFound)
	require.EqualError(t, err, "tripplite: no such path: no Tripp Lite UPS found: check the USB cable, and that lsusb shows the unit")
}

func TestABankAtAPathWhereNoUnitIsNamesThePath(t *testing.T) {
	if !hid.Supported() {
		t.Skip("this test binary has no cgo")
	}
	k := BankAt([]string{"9-9:1.0", "9-8:1.0", "9-9:1.0"})
	defer k.Close()
	readings, err := k.Get(t.Context())
	require.NoError(t, err)
	require.Len(t, readings, 2)
	require.Equal(t, "9-8:1.0", readings[0].Info.Path)
	require.ErrorIs(t, readings[1].Err, ErrNotFound)
	require.EqualError(t, readings[1].Err, "tripplite: 9-9:1.0: no Tripp Lite UPS found: check the USB cable, and that lsusb shows the unit")
}

func TestOpenOfTheFirstUnitWhereThereIsNone(t *testing.T) {
	paths, _ := Paths()
	if !hid.Supported() || len(paths) > 0 {
		t.Skip("this test binary has no cgo, or a UPS is attached")
	}
	_, err := Open("")
	require.ErrorIs(t, err, ErrNotFound)
	require.EqualError(t, err, "tripplite: no Tripp Lite UPS found: check the USB cable, and that lsusb shows the unit")
	require.Equal(t, 1, strings.Count(err.Error(), "tripplite"), "who says it is said once")
}

func TestFamilyOfAProduct(t *testing.T) {
	const unsupported = "Tripp Lite 0001"
	for name, products := range map[string]string{ // the ids that NUT 2.8.5 knows, and those that users reported
		"09ae " + unsupported:    "0001",
		"09ae Tripp Lite 1xxx":   "1003 1007 1008 1009 1010 1330",
		"09ae Tripp Lite 2xxx":   "2005 2007 2008 2009 2010 2011 2012 2013 2014",
		"09ae Tripp Lite 3xxx":   "3008 3009 3010 3011 3012 3013 3014 3015 3016 3018 3024 3026 3028",
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
				require.Equal(t, name == unsupported, f.unsupported != "", "%s:%s", vendor, product)
				require.Equal(t, product == "3028", f.iface == 1, "%s:%s: the UPS of a 3028 is on its second interface", vendor, product)
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
