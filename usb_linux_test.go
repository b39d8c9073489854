package tripplite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/require"
)

// files are the files of a directory, by name.
type files map[string]string

// fakeUSB is a tree of files as Linux has them in sysfs, /dev/bus/usb and /proc, without any device.
func fakeUSB(t *testing.T) usb {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir()) // as the links in /proc have it
	require.NoError(t, err)
	u := usb{sys: filepath.Join(root, "sys"), dev: filepath.Join(root, "dev"), proc: filepath.Join(root, "proc")}
	for _, dir := range []string{u.sys, u.dev, u.proc} {
		require.NoError(t, os.Mkdir(dir, 0o755))
	}
	return u
}

func write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
}

func link(t *testing.T, target, file string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.Symlink(target, file))
}

// plug adds a directory of sysfs, a device or an interface.
func plug(t *testing.T, u usb, name string, attributes ...files) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(u.sys, name), 0o755))
	for _, some := range attributes {
		for file, text := range some {
			write(t, filepath.Join(u.sys, name, file), text)
		}
	}
}

// plug2012 adds a whole unit whose node is bus 3, device 7.
func plug2012(t *testing.T, u usb) (path, node string) {
	t.Helper()
	plug(t, u, "3-4.2", ids("09ae", "2012"), files{"busnum": "3\n", "devnum": "7\n"})
	plug(t, u, "3-4.2:1.0", hidInterface(0))
	node = filepath.Join(u.dev, "003", "007")
	write(t, node, "")
	return "3-4.2:1.0", node
}

func ids(vendor, product string) files {
	return files{"idVendor": vendor + "\n", "idProduct": product + "\n"}
}

func hidInterface(n int) files {
	return files{"bInterfaceClass": "03\n", "bInterfaceNumber": fmt.Sprintf("%02x\n", n)}
}

func reportDescriptor(descriptor []byte) files {
	return files{"0003:09AE:2012.0001/report_descriptor": string(descriptor)}
}

// keyboard declares a keyboard's keys, as an interface that is no UPS might.
var keyboard = unhex("05 01 09 06 a1 01 05 07 19 e0 29 e7 15 00 25 01 75 01 95 08 81 02 c0")

func attachedPaths(t *testing.T, u usb) []string {
	t.Helper()
	devices, err := u.attached(anyPort)
	require.NoError(t, err)
	var paths []string
	for _, d := range devices {
		paths = append(paths, d.Path)
	}
	slices.Sort(paths) // Devices orders them
	return paths
}

func TestAttachedUnitIsDescribed(t *testing.T) {
	u := fakeUSB(t)
	plug(t, u, "usb1", ids("1d6b", "0002"))
	plug(t, u, "1-0:1.0", files{"bInterfaceClass": "09\n", "bInterfaceNumber": "00\n"})
	plug(t, u, "1-4.2", ids("09ae", "2012"), files{
		"bcdDevice": "0110\n", "manufacturer": "Tripp Lite\n", "product": "Tripp Lite UPS \n", "serial": "FW-2263 E\n",
	})
	plug(t, u, "1-4.2:1.0", hidInterface(0))

	devices, err := u.attached(anyPort)
	require.NoError(t, err)
	require.Equal(t, []DeviceInfo{{
		Path: "1-4.2:1.0", VendorID: 0x09ae, ProductID: 0x2012, Family: "Tripp Lite 2xxx", Release: 0x0110,
		Manufacturer: "Tripp Lite", Product: "Tripp Lite UPS", Serial: "FW-2263 E", Interface: 0,
	}}, devices)
}

func TestAttachedUnitWithoutStrings(t *testing.T) {
	u := fakeUSB(t)
	plug(t, u, "2-1", ids("09ae", "3016"))
	plug(t, u, "2-1:1.0", hidInterface(0))

	devices, err := u.attached(anyPort)
	require.NoError(t, err)
	require.Equal(t, []DeviceInfo{{Path: "2-1:1.0", VendorID: 0x09ae, ProductID: 0x3016, Family: "Tripp Lite 3xxx"}}, devices)
}

func TestAttachedUnitsAreThoseThatMayBeTouched(t *testing.T) {
	u := fakeUSB(t)
	for port, id := range map[string][2]string{
		"1-1": {"09ae", "2012"},
		"1-2": {"09ae", "ffff"}, // a product of Tripp Lite's that nobody has seen
		"1-3": {"09ae", "0001"}, // cannot be opened, which Open says
		"1-4": {"03f0", "1fe3"}, // an HP T1500 G3
		"1-5": {"05dd", "a0a0"}, // a Minuteman
		"1-6": {"03f0", "0024"}, // a keyboard of HP's
		"1-7": {"046d", "c52b"}, // somebody else's device
		"1-8": {"", ""},
	} {
		plug(t, u, port, ids(id[0], id[1]))
		plug(t, u, port+":1.0", hidInterface(0))
	}
	plug(t, u, "1-9", ids("09ae", "2012")) // no HID interface
	plug(t, u, "1-9:1.0", files{"bInterfaceClass": "ff\n", "bInterfaceNumber": "00\n"})
	plug(t, u, "1-10:1.0", hidInterface(0)) // an interface whose device has just left

	require.Equal(t, []string{"1-1:1.0", "1-2:1.0", "1-3:1.0", "1-4:1.0", "1-5:1.0"}, attachedPaths(t, u))
}

func TestUnitWithSeveralInterfacesIsListedByTheOneOfTheUPS(t *testing.T) {
	ups := capturedDescriptor("smart1500lcdxl")
	noStatus := collection(usageUPS, collection(usageFlow, feature(0x01, 8, usageConfigVoltage)))
	for name, test := range map[string]struct {
		product     string
		descriptors [][]byte // of interfaces 0, 1, ...
		want        []string
	}{
		"the one with a status":                                              {"2012", [][]byte{noStatus, ups, noStatus}, []string{"1-1:1.1"}},
		"the first of two with a status":                                     {"2012", [][]byte{noStatus, ups, ups}, []string{"1-1:1.1"}},
		"the second of a 3028, if nothing else tells":                        {"3028", [][]byte{nil, nil}, []string{"1-1:1.1"}},
		"the first of others, if nothing else tells":                         {"2012", [][]byte{nil, nil}, []string{"1-1:1.0"}},
		"the second of a 3028, whose first shows a false status (NUT #2030)": {"3028", [][]byte{ups, ups}, []string{"1-1:1.1"}},
		"the second of a 3028, also while its descriptor cannot be had":      {"3028", [][]byte{ups, nil}, []string{"1-1:1.1"}},
		"the first of a 3028, where the second is something else":            {"3028", [][]byte{ups, keyboard}, []string{"1-1:1.0"}},
		"never a keyboard":                                                   {"2012", [][]byte{keyboard, nil}, []string{"1-1:1.1"}},
		"none, where all are something else":                                 {"2012", [][]byte{keyboard}, nil},
		"one that cannot be parsed":                                          {"2012", [][]byte{ups[:100]}, []string{"1-1:1.0"}},
		"any of a 0001, which declares no power":                             {"0001", [][]byte{keyboard}, []string{"1-1:1.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			u := fakeUSB(t)
			plug(t, u, "1-1", ids("09ae", test.product))
			for i, descriptor := range test.descriptors {
				interfaceDir := fmt.Sprintf("1-1:1.%d", i)
				plug(t, u, interfaceDir, hidInterface(i))
				if descriptor != nil {
					plug(t, u, interfaceDir, reportDescriptor(descriptor))
				}
			}
			require.Equal(t, test.want, attachedPaths(t, u))
		})
	}
}

func TestUnitInUseIsListedByTheInterfaceThatAProgramHas(t *testing.T) {
	// sysfs has no descriptor of that one, and must not make another one seem to be the better choice.
	u := fakeUSB(t)
	plug(t, u, "1-1", ids("09ae", "2012"))
	plug(t, u, "1-1:1.0", hidInterface(0))
	plug(t, u, "1-1:1.0", reportDescriptor(capturedDescriptor("smart1500lcdxl")))
	plug(t, u, "1-1:1.1", hidInterface(1))
	require.NoError(t, os.Symlink("../../../bus/usb/drivers/usbfs", filepath.Join(u.sys, "1-1:1.1", "driver")))
	require.Equal(t, []string{"1-1:1.1"}, attachedPaths(t, u))
}

func TestSystemWithoutSysfs(t *testing.T) {
	u := fakeUSB(t)
	u.sys = filepath.Join(u.sys, "missing")

	_, err := u.attached(anyPort)
	require.ErrorIs(t, err, fs.ErrNotExist, "then hidapi is asked")
	require.ErrorContains(t, err, "tripplite: listing the USB devices")
}

func TestReportDescriptorComesFromSysfs(t *testing.T) {
	u := fakeUSB(t)
	path, _ := plug2012(t, u)
	plug(t, u, path, reportDescriptor(keyboard), files{"ep_81/report_descriptor.txt": "something else"})

	require.Equal(t, keyboard, u.descriptor(path))
}

func TestReportDescriptorThatCannotBeHad(t *testing.T) {
	// The node is a plain file, which refuses the ioctl that asks a device.
	t.Run("none in sysfs while usbhid is detached", func(t *testing.T) {
		u := fakeUSB(t)
		path, _ := plug2012(t, u)
		require.Nil(t, u.descriptor(path))
	})
	t.Run("an empty one, which the kernel refused", func(t *testing.T) {
		u := fakeUSB(t)
		path, _ := plug2012(t, u)
		plug(t, u, path, reportDescriptor(nil))
		require.Nil(t, u.descriptor(path))
	})
	t.Run("an empty one beside a whole one", func(t *testing.T) {
		u := fakeUSB(t)
		path, _ := plug2012(t, u)
		plug(t, u, path, files{"0003:09AE:2012.0001/report_descriptor": "", "0003:09AE:2012.0002/report_descriptor": string(keyboard)})
		require.Equal(t, keyboard, u.descriptor(path))
	})
	t.Run("no unit", func(t *testing.T) {
		require.Nil(t, fakeUSB(t).descriptor("3-4.2:1.0"))
	})
	t.Run("the ioctl on a file that is no device", func(t *testing.T) {
		_, node := plug2012(t, fakeUSB(t))
		_, err := readDescriptor(node, 0)
		require.ErrorIs(t, err, syscall.ENOTTY)
	})
}

// errHidapi is all that hidapi says when it cannot open a unit.
var errHidapi = errors.New("hidapi: failed to open device")

func TestWhyNotGone(t *testing.T) {
	err := fakeUSB(t).whyNot("3-4.2:1.0", errHidapi)

	require.Equal(t, ErrDisconnected, err, "and no word of containers")
}

func TestWhyNotPermission(t *testing.T) {
	u := fakeUSB(t)
	path, node := plug2012(t, u)
	require.NoError(t, os.Chmod(node, 0))

	var err error
	boundByPermissions(t, func() { err = u.whyNot(path, errHidapi) })
	require.ErrorIs(t, err, ErrPermission)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.EqualError(t, err, node+": no permission: install the project's udev rule (deploy/70-tripplite.rules) or run as root")
}

func TestWhyNotMissingNode(t *testing.T) {
	u := fakeUSB(t)
	path, node := plug2012(t, u)
	require.NoError(t, os.Remove(node))

	err := u.whyNot(path, errHidapi)
	require.ErrorIs(t, err, ErrDisconnected)
	require.ErrorContains(t, err, node+" does not exist: a container must share the host's /dev/bus/usb")
}

func TestWhyNotBusy(t *testing.T) {
	t.Run("nobody to be seen", func(t *testing.T) {
		u := fakeUSB(t)
		path, _ := plug2012(t, u)
		link(t, "../../../../bus/usb/drivers/usbfs", filepath.Join(u.sys, path, "driver"))

		err := u.whyNot(path, errHidapi)
		require.ErrorIs(t, err, ErrBusy)
		require.EqualError(t, err, "another program holds the UPS: stop it first")
	})
	t.Run("two programs", func(t *testing.T) {
		u := fakeUSB(t)
		path, node := plug2012(t, u)
		link(t, "../../../../bus/usb/drivers/usbfs", filepath.Join(u.sys, path, "driver"))
		write(t, filepath.Join(u.proc, "812", "comm"), "usbhid-ups\n")
		link(t, "/dev/null", filepath.Join(u.proc, "812", "fd", "0"))
		link(t, node, filepath.Join(u.proc, "812", "fd", "5"))
		write(t, filepath.Join(u.proc, "9001", "comm"), "python3\n")
		link(t, node, filepath.Join(u.proc, "9001", "fd", "3"))
		write(t, filepath.Join(u.proc, "1", "comm"), "init\n")
		link(t, node+"1", filepath.Join(u.proc, "1", "fd", "3"))

		err := u.whyNot(path, errHidapi)
		require.ErrorIs(t, err, ErrBusy)
		require.EqualError(t, err, "another program holds the UPS: stop it first (usbhid-ups, process 812; python3, process 9001)")
	})
	t.Run("this test, as the kernel shows it", func(t *testing.T) {
		u := fakeUSB(t)
		u.proc = "/proc"
		path, node := plug2012(t, u)
		link(t, "../../../../bus/usb/drivers/usbfs", filepath.Join(u.sys, path, "driver"))
		held, err := os.Open(node)
		require.NoError(t, err)
		comm, err := os.ReadFile("/proc/self/comm")
		require.NoError(t, err)

		err = u.whyNot(path, errHidapi)
		require.ErrorIs(t, err, ErrBusy)
		require.ErrorContains(t, err, fmt.Sprintf("(%s, process %d)", strings.TrimSpace(string(comm)), os.Getpid()))

		require.NoError(t, held.Close())
		require.NotContains(t, u.whyNot(path, errHidapi).Error(), "process", "the node itself is held no longer")
	})
}

func TestWhyNotSomethingElse(t *testing.T) {
	t.Run("a unit that nobody holds", func(t *testing.T) {
		u := fakeUSB(t)
		path, _ := plug2012(t, u)
		require.Equal(t, errHidapi, u.whyNot(path, errHidapi))
	})
	t.Run("a unit that the kernel's driver holds, which hidapi would have detached", func(t *testing.T) {
		u := fakeUSB(t)
		path, _ := plug2012(t, u)
		link(t, "../../../../bus/usb/drivers/usbhid", filepath.Join(u.sys, path, "driver"))
		require.Equal(t, errHidapi, u.whyNot(path, errHidapi))
	})
	t.Run("a node that cannot be opened for another reason", func(t *testing.T) {
		u := fakeUSB(t)
		path, node := plug2012(t, u)
		require.NoError(t, os.Remove(node))
		require.NoError(t, os.Mkdir(node, 0o755))

		err := u.whyNot(path, errHidapi)
		require.ErrorIs(t, err, syscall.EISDIR)
		require.ErrorContains(t, err, node)
	})
}

// useSystem makes a tree the one in which Open and Devices look, for one test.
func useSystem(t *testing.T, u usb) {
	t.Helper()
	if !hid.Supported() {
		t.Skip("this test binary has no cgo")
	}
	was := system
	system = u
	t.Cleanup(func() { system = was })
}

func TestDevicesAreInTheOrderOfTheirPorts(t *testing.T) {
	u := fakeUSB(t)
	for _, port := range []string{"1-10", "1-3", "10-1", "2-1", "1-2.11", "1-2.9"} {
		plug(t, u, port, ids("09ae", "2012"))
		plug(t, u, port+":1.0", hidInterface(0))
	}
	useSystem(t, u)

	paths, err := Paths()
	require.NoError(t, err)
	require.Equal(t, []string{"1-2.9:1.0", "1-2.11:1.0", "1-3:1.0", "1-10:1.0", "2-1:1.0", "10-1:1.0"}, paths)
	devices, err := Devices()
	require.NoError(t, err)
	require.Len(t, devices, 6)
	require.Equal(t, "1-2.9:1.0", devices[0].Path)
}

func TestOpenSaysWhichUnitAndWhyNot(t *testing.T) {
	// No computer has a bus 999, so that hidapi finds no device at these paths whatever is attached.
	const dir, path = "999-1", "999-1:1.0"
	node := func(u usb) string { return filepath.Join(u.dev, "999", "007") }
	for name, test := range map[string]struct {
		product string
		prepare func(t *testing.T, u usb)
		want    error
		text    func(u usb) string
	}{
		"permission": {"2012", func(t *testing.T, u usb) { require.NoError(t, os.Chmod(node(u), 0)) }, ErrPermission, func(u usb) string {
			return "tripplite: 999-1:1.0: " + node(u) + ": no permission: install the project's udev rule (deploy/70-tripplite.rules) or run as root"
		}},
		"busy": {"2012", func(t *testing.T, u usb) { link(t, "/drivers/usbfs", filepath.Join(u.sys, path, "driver")) }, ErrBusy, func(usb) string {
			return "tripplite: 999-1:1.0: another program holds the UPS: stop it first"
		}},
		"node missing": {"2012", func(t *testing.T, u usb) { require.NoError(t, os.Remove(node(u))) }, ErrDisconnected, func(u usb) string {
			return "tripplite: 999-1:1.0: the UPS is disconnected: it is read again as soon as it is back at this port (" + node(u) +
				" does not exist: a container must share the host's /dev/bus/usb)"
		}},
		"the older protocol": {"0001", func(*testing.T, usb) {}, ErrUnsupported, func(usb) string {
			return "tripplite: 999-1:1.0: Tripp Lite 0001 (09ae:0001) is not supported: it speaks the framed protocol of product 0001, " +
				"which is not a HID power device"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			u := fakeUSB(t)
			plug(t, u, dir, ids("09ae", test.product), files{"busnum": "999\n", "devnum": "7\n"})
			plug(t, u, path, hidInterface(0))
			write(t, node(u), "")
			test.prepare(t, u)
			useSystem(t, u)

			for _, at := range []string{path, ""} {
				var err error
				boundByPermissions(t, func() { _, err = Open(at) })
				require.ErrorIs(t, err, test.want)
				require.EqualError(t, err, test.text(u))
			}
		})
	}
}

func TestOpenWithoutAnyUnit(t *testing.T) {
	useSystem(t, fakeUSB(t))

	paths, err := Paths()
	require.NoError(t, err, "no unit is no error")
	require.Empty(t, paths)
	_, err = Open("")
	require.ErrorIs(t, err, ErrNotFound)
	_, err = Open("1-4:1.0")
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorContains(t, err, "1-4:1.0")
}

// boundByPermissions runs f as somebody to whom the permissions of files apply, even where the test runs as root: for as long as f runs,
// its thread does without the two capabilities that override them (capabilities(7)).
func boundByPermissions(t *testing.T, f func()) {
	t.Helper()
	const version3, dacOverride, dacReadSearch = 0x20080522, 1, 2 // linux/capability.h
	header := struct {
		version uint32
		pid     int32
	}{version: version3}
	var had [6]uint32 // effective, permitted, inheritable; and again for capabilities 32 and up
	call := func(number uintptr, sets *[6]uint32) {
		_, _, errno := syscall.RawSyscall(number, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(sets)), 0)
		require.Zero(t, errno)
	}
	runtime.LockOSThread() // capabilities are the thread's
	call(syscall.SYS_CAPGET, &had)
	lacks := had
	lacks[0] &^= 1<<dacOverride | 1<<dacReadSearch
	call(syscall.SYS_CAPSET, &lacks)
	f()
	call(syscall.SYS_CAPSET, &had)
	runtime.UnlockOSThread() // not where the thread could not get them back: then it ends with the test
}

func anyPort(string) bool { return true }
