package usb

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/require"
)

// files are the files of a directory, by name.
type files map[string]string

// fakeHost is a computer without hidapi and without any device. It waits for strings until they are
// there.
func fakeHost(t *testing.T) *Host {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir()) // as the links in /proc have it
	require.NoError(t, err)
	h := &Host{system: newSystem()}
	h.sys, h.dev, h.proc = root+"/sys", root+"/dev", root+"/proc"
	h.patience = time.Hour
	for _, dir := range []string{h.sys, h.dev, h.proc} {
		require.NoError(t, os.Mkdir(dir, 0o755))
	}
	return h
}

func write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
}

func link(t *testing.T, target, file string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	os.Remove(file)
	require.NoError(t, os.Symlink(target, file))
}

func fifo(t *testing.T, file string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, syscall.Mkfifo(file, 0o644))
}

// plug adds a directory to sysfs, of a device or an interface.
func plug(t *testing.T, h *Host, name string, attributes ...files) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(h.sys, name), 0o755))
	for _, some := range attributes {
		for file, text := range some {
			write(t, filepath.Join(h.sys, name, file), text)
		}
	}
}

// plugUnit adds a whole device, number 7 of bus 3. It returns its interface and its node.
func plugUnit(t *testing.T, h *Host) (path, node string) {
	t.Helper()
	plug(t, h, "3-4.2", ids("09ae", "2012"), files{"busnum": "3\n", "devnum": "7\n"})
	plug(t, h, "3-4.2:1.0", hidInterface(0))
	node = filepath.Join(h.dev, "bus/usb/003/007")
	write(t, node, "")
	return "3-4.2:1.0", node
}

func setDriver(t *testing.T, h *Host, path, driver string) {
	t.Helper()
	link(t, "../../../../bus/usb/drivers/"+driver, filepath.Join(h.sys, path, "driver"))
}

func ids(vendor, product string) files {
	return files{"idVendor": vendor + "\n", "idProduct": product + "\n"}
}

func hidInterface(n int) files {
	return files{"bInterfaceClass": "03\n", "bInterfaceNumber": fmt.Sprintf("%02x\n", n)}
}

var (
	anyProduct = []ID{{Vendor: 0x09ae}}
	anyPort    = func(string) bool { return true }
)

func paths(t *testing.T, h *Host, ids []ID, wanted func(port string) bool) []string {
	t.Helper()
	found, err := h.List(ids, wanted)
	require.NoError(t, err)
	var paths []string
	for _, i := range found {
		paths = append(paths, i.Path)
	}
	return paths
}

func TestListDescribes(t *testing.T) {
	h := fakeHost(t)
	plug(t, h, "usb1", ids("1d6b", "0002"))
	plug(t, h, "1-0:1.0", files{"bInterfaceClass": "09\n", "bInterfaceNumber": "00\n"})
	plug(t, h, "1-4.2", ids("09ae", "2012"), files{
		"bcdDevice": "0110\n", "devnum": "7\n",
		"manufacturer": "Tripp Lite\n", "product": "Tripp Lite UPS \n", "serial": "FW-2263 E\n",
	})
	plug(t, h, "1-4.2:1.0", hidInterface(0))
	setDriver(t, h, "1-4.2:1.0", "usbhid")
	plug(t, h, "1-4.2:1.10", hidInterface(16))
	setDriver(t, h, "1-4.2:1.10", "usbfs")
	plug(t, h, "2-1", ids("09ae", "3016")) // without strings
	plug(t, h, "2-1:1.0", hidInterface(0))

	first := Interface{
		Path: "1-4.2:1.0", VendorID: 0x09ae, ProductID: 0x2012, Release: 0x0110,
		Manufacturer: "Tripp Lite", Product: "Tripp Lite UPS", Serial: "FW-2263 E",
	}
	second := first
	second.Path, second.Number, second.Held = "1-4.2:1.10", 16, true
	for range 2 { // the second time from memory
		found, err := h.List(anyProduct, anyPort)
		require.NoError(t, err)
		require.ElementsMatch(t, []Interface{
			first, second, {Path: "2-1:1.0", VendorID: 0x09ae, ProductID: 0x3016},
		}, found)
	}
}

func TestListSelects(t *testing.T) {
	h := fakeHost(t)
	for port, id := range map[string][2]string{
		"1-1":   {"09ae", "2012"},
		"1-2":   {"09ae", "ffff"},
		"1-3":   {"03f0", "1fe3"},
		"1-4":   {"03f0", "0024"}, // another product of that vendor
		"1-5":   {"046d", "c52b"}, // another vendor
		"1-6":   {"", ""},
		"1-10":  {"09ae", "3016"},
		"1-2.3": {"09ae", "3016"},
	} {
		plug(t, h, port, ids(id[0], id[1]))
		plug(t, h, port+":1.0", hidInterface(0))
	}
	plug(t, h, "1-9", ids("09ae", "2012")) // no HID interface
	plug(t, h, "1-9:1.0", files{"bInterfaceClass": "ff\n", "bInterfaceNumber": "00\n"})
	plug(t, h, "1-11:1.0", hidInterface(0)) // an interface whose device has just left
	plug(t, h, "1-0:1.0", hidInterface(0))  // a root hub, whatever it says of itself
	plug(t, h, "1-0", ids("09ae", "2012"))

	selected := []ID{{0x09ae, 0}, {0x03f0, 0x1fe3}}
	require.ElementsMatch(t, []string{"1-1:1.0", "1-2:1.0", "1-2.3:1.0", "1-3:1.0", "1-10:1.0"},
		paths(t, h, selected, anyPort))
	require.Equal(t, []string{"1-2:1.0"},
		paths(t, h, selected, func(port string) bool { return port == "1-2" }))
	require.Empty(t, paths(t, h, nil, anyPort))
}

func TestListReadsNothingOfADeviceThatIsNotWanted(t *testing.T) {
	h := fakeHost(t)
	for port, product := range map[string]string{"1-1": "0024", "1-2": "1fe3"} {
		plug(t, h, port, ids("03f0", product))
		fifo(t, filepath.Join(h.sys, port, "serial"))
		fifo(t, filepath.Join(h.sys, port+":1.0", "bInterfaceClass")) // whoever opens it, waits
	}
	wanted := func(port string) bool { return port != "1-2" }
	require.Empty(t, paths(t, h, []ID{{0x03f0, 0x1fe3}}, wanted))
	require.Empty(t, h.texts)
}

func TestListWithoutSysfs(t *testing.T) {
	h := fakeHost(t)
	h.sys += "/missing"

	_, err := h.List(anyProduct, anyPort)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "open "+h.sys)

	h.enumerate = func(uint16, uint16) ([]hid.DeviceInfo, error) {
		return []hid.DeviceInfo{{Path: "1-4.2:1.0", VendorID: 0x09ae}, {Path: "1-5:1.0"}}, nil
	}
	require.Equal(t, []string{"1-4.2:1.0"},
		paths(t, h, anyProduct, func(port string) bool { return port == "1-4.2" }))

	h.transport = Hidraw
	_, err = h.List(anyProduct, anyPort)
	require.ErrorIs(t, err, fs.ErrNotExist, "hidraw could open nothing that hidapi lists")
}

func TestListWithSysfsThatCannotBeRead(t *testing.T) {
	h := fakeHost(t)
	h.sys += "/file"
	write(t, h.sys, "")
	h.enumerate = func(uint16, uint16) ([]hid.DeviceInfo, error) { panic("not missing") }

	_, err := h.List(anyProduct, anyPort)
	require.ErrorIs(t, err, syscall.ENOTDIR)
}

// plugProbed adds a device that usbhid is probing: reading its serial waits until answer.
func plugProbed(t *testing.T, h *Host, port string) {
	t.Helper()
	plug(t, h, port, ids("09ae", "3016"), files{"devnum": "7\n", "product": port + "\n"})
	plug(t, h, port+":1.0", hidInterface(0))
	fifo(t, filepath.Join(h.sys, port, "serial"))
}

// answer gives a serial to the one who reads it. It waits until there is one.
func answer(t *testing.T, h *Host, port, serial string) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(h.sys, port, "serial"), os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(serial)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

func TestListDoesNotWaitForStrings(t *testing.T) {
	h := fakeHost(t)
	plugProbed(t, h, "1-1")
	plug(t, h, "1-2", ids("09ae", "2012"), files{"serial": "FAST\n"})
	plug(t, h, "1-2:1.0", hidInterface(0))

	h.patience = 0
	var started *texts
	for range 3 {
		found, err := h.List(anyProduct, anyPort)
		require.NoError(t, err)
		require.Len(t, found, 2)
		require.Equal(t, Interface{Path: "1-1:1.0", VendorID: 0x09ae, ProductID: 0x3016}, found[0])
		if started == nil {
			started = h.texts["1-1"]
		}
		require.Same(t, started, h.texts["1-1"], "one goroutine reads them for every List")

		<-h.texts["1-2"].reading.Done()
	}
	found, err := h.List(anyProduct, anyPort)
	require.NoError(t, err)
	require.Equal(t, "FAST", found[1].Serial, "what is there is listed, though patience has ended")

	answer(t, h, "1-1", "SLOW")
	h.patience = time.Hour
	found, err = h.List(anyProduct, anyPort)
	require.NoError(t, err)
	require.Equal(t, "SLOW", found[0].Serial)
	require.Equal(t, "1-1", found[0].Product)
}

func TestListWaitsForAllDevicesSideBySide(t *testing.T) {
	h := fakeHost(t)
	for _, port := range []string{"1-1", "1-2", "1-3"} {
		plugProbed(t, h, port)
	}
	listed := make(chan []Interface)
	go func() {
		found, _ := h.List(anyProduct, anyPort)
		listed <- found
	}()
	for _, port := range []string{"1-3", "1-2", "1-1"} { // not in the order of the list
		answer(t, h, port, "S"+port)
	}
	for _, i := range <-listed {
		require.Equal(t, "S"+Port(i.Path), i.Serial)
	}
}

func TestStringsOfOneDeviceAreNotThoseOfTheNext(t *testing.T) {
	h := fakeHost(t)
	plugProbed(t, h, "1-1")
	h.patience = 0
	_, err := h.List(anyProduct, anyPort)
	require.NoError(t, err)
	old := h.texts["1-1"]

	plug(t, h, "1-1", files{"devnum": "8\n"})
	h.patience = time.Hour
	found, err := h.List(anyProduct, anyPort)
	require.NoError(t, err)
	require.Empty(t, found[0].Serial)
	require.Same(t, old, h.texts["1-1"], "there is one reader at most")

	answer(t, h, "1-1", "OLD")
	<-old.reading.Done()
	require.NoError(t, os.Remove(filepath.Join(h.sys, "1-1", "serial")))
	plug(t, h, "1-1", files{"serial": "NEW\n"})
	found, err = h.List(anyProduct, anyPort)
	require.NoError(t, err)
	require.Equal(t, "NEW", found[0].Serial)
}

func TestDescriptor(t *testing.T) {
	const (
		file    = "0003:09AE:2012.0001/report_descriptor"
		another = "0003:09AE:2012.0002/report_descriptor"
	)
	for name, test := range map[string]struct {
		attributes files
		want       []byte
	}{
		"one":                             {files{file: "\x05\x84"}, []byte{5, 0x84}},
		"none while usbhid is detached":   {nil, nil},
		"an empty one, that was refused":  {files{file: ""}, nil},
		"an empty one beside a whole one": {files{file: "", another: "\x05\x84"}, []byte{5, 0x84}},
		"a file that is something else":   {files{"ep_81/report_descriptor": "no"}, nil},
		"that of a device by Bluetooth":   {files{"0005:" + file[5:]: "no"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := fakeHost(t)
			path, _ := plugUnit(t, h)
			if test.attributes != nil {
				plug(t, h, path, test.attributes)
			}
			require.Equal(t, test.want, h.Descriptor(path))
		})
	}
	require.Nil(t, fakeHost(t).Descriptor("3-4.2:1.0"), "no device")
}

func TestDeviceNumber(t *testing.T) {
	h := fakeHost(t)
	path, _ := plugUnit(t, h)
	number, known := h.DeviceNumber(path)
	require.True(t, known)
	require.Equal(t, "7", number)

	require.NoError(t, os.RemoveAll(filepath.Join(h.sys, "3-4.2")))
	number, known = h.DeviceNumber(path)
	require.True(t, known)
	require.Empty(t, number, "gone")

	h.sys += "/missing"
	_, known = h.DeviceNumber(path)
	require.False(t, known)
}

func TestPort(t *testing.T) {
	require.Equal(t, "1-4.2", Port("1-4.2:1.0"))
	require.Equal(t, "1-4.2", Port("1-4.2"))
}

// boundByPermissions runs f as somebody to whom the permissions of files apply, even where the test
// runs as root: for as long as f runs, its thread does without the two capabilities that override
// them (capabilities(7)).
func boundByPermissions(t *testing.T, f func()) {
	t.Helper()
	const version3, dacOverride, dacReadSearch = 0x20080522, 1, 2 // linux/capability.h
	header := struct {
		version uint32
		pid     int32
	}{version: version3}
	var had [6]uint32 // effective, permitted, inheritable; and again for capabilities 32 and up
	call := func(number uintptr, sets *[6]uint32) {
		_, _, errno := syscall.RawSyscall(number,
			uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(sets)), 0)
		require.Zero(t, errno)
	}
	runtime.LockOSThread() // capabilities are the thread's
	call(syscall.SYS_CAPGET, &had)
	lacks := had
	lacks[0] &^= 1<<dacOverride | 1<<dacReadSearch
	call(syscall.SYS_CAPSET, &lacks)
	f()
	call(syscall.SYS_CAPSET, &had)
	runtime.UnlockOSThread() // not where it could not get them back: then the thread ends
}
