package usb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// kernel stands in for the drivers behind the nodes of a fake host: FIFOs and plain files.
type kernel struct {
	hidraw    ID     // of whatever device the hidraw nodes are
	hidrawErr error  // of HIDIOCGRAWINFO
	replace   func() // runs while a hidraw node is opened
	connect   func(number int32) error
	connected []int32
	report    []byte // the descriptor that a device gives to usbfs
}

func (k *kernel) ioctl(_ *os.File, request uintptr, arg unsafe.Pointer) (int, error) {
	switch request {
	case unix.HIDIOCGRAWINFO:
		*(*unix.HIDRawDevInfo)(arg) = unix.HIDRawDevInfo{
			Bustype: unix.BUS_USB, Vendor: int16(k.hidraw.Vendor), Product: int16(k.hidraw.Product),
		}
		if k.replace != nil {
			k.replace()
		}
		return 0, k.hidrawErr
	case usbIoctl:
		call := (*interfaceIoctl)(arg)
		if call.code != usbConnect || call.data != nil {
			return 0, syscall.EINVAL
		}
		k.connected = append(k.connected, call.number)
		return 1, k.connect(call.number)
	case usbControl:
		c := (*controlTransfer)(arg)
		if k.report == nil || c.value != 0x2200 {
			return 0, syscall.EBUSY
		}
		return copy(unsafe.Slice((*byte)(c.data), c.length), k.report), nil
	}
	return 0, syscall.ENOTTY
}

// attached is a fake host with one device, which usbhid has.
type attached struct {
	*testing.T
	*Host
	kernel     kernel
	path, node string
	hidraw     string // the node that bind makes
	opened     int    // by hidapi
}

// attach runs a test in a bubble, where waiting for a node takes no time.
func attach(t *testing.T, test func(a *attached)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := &attached{T: t, Host: fakeHost(t)}
		a.path, a.node = plugUnit(t, a.Host)
		a.hidraw = filepath.Join(a.dev, "hidraw3")
		a.Host.ioctl = a.kernel.ioctl
		a.kernel.hidraw = ID{0x09ae, 0x2012}
		setDriver(t, a.Host, a.path, "usbhid")
		test(a)
	})
}

const hidrawDir = "0003:09AE:2012.0001/hidraw/"

// bind gives the interface a hidraw node.
func (a *attached) bind() {
	plug(a.T, a.Host, a.path, files{
		hidrawDir + "hidraw3/dev":               "246:3\n",
		"0003:09AE:2012.0001/report_descriptor": "\x05\x84",
	})
	fifo(a.T, a.hidraw)
	setDriver(a.T, a.Host, a.path, "usbhid")
}

// withHidapi lets the host use hidapi, which fails with err or opens a device.
func (a *attached) withHidapi(err error) {
	a.openPath = func(path string) (hid.Device, error) {
		require.Equal(a, a.path, path)
		a.opened++
		return &fakeHid{t: a.T}, err
	}
}

func (a *attached) unplug() {
	require.NoError(a, os.RemoveAll(filepath.Join(a.sys, a.path)))
	require.NoError(a, os.RemoveAll(filepath.Join(a.sys, Port(a.path))))
}

// opens opens the interface and returns how that was done.
func (a *attached) opens() Device {
	a.Helper()
	d, err := a.Open(a.path)
	require.NoError(a, err)
	a.Cleanup(func() { d.Close() })
	return d
}

// fails returns the error of opening the interface.
func (a *attached) fails() (err error) {
	a.Helper()
	boundByPermissions(a.T, func() { _, err = a.Open(a.path) })
	require.Error(a, err)
	return err
}

var errOpen = errors.New("hidapi: failed to open device")

func TestOpenPrefersHidraw(t *testing.T) {
	attach(t, func(a *attached) {
		a.bind()
		a.withHidapi(nil)
		start := time.Now()

		d := a.opens()
		require.Equal(t, Hidraw, d.Transport())
		require.Equal(t, []byte{5, 0x84}, d.Descriptor())
		require.Zero(t, a.opened)
		require.Zero(t, time.Since(start))
		require.Empty(t, a.kernel.connected)
		n, err := d.ReadTimeout(make([]byte, 8), 0)
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = d.StringDescriptor(1)
		require.Equal(t, syscall.EBUSY, err, "it asks the node of this device")
	})
}

func TestOpenByForce(t *testing.T) {
	attach(t, func(a *attached) {
		a.bind()
		a.withHidapi(nil)
		a.transport = Hidapi
		d := a.opens()
		require.Equal(t, Hidapi, d.Transport())
		require.Equal(t, []byte{5, 0x84}, d.Descriptor())

		a.transport = Hidraw
		require.Equal(t, Hidraw, a.opens().Transport())
		require.Equal(t, 1, a.opened)

		require.NoError(t, os.Remove(a.hidraw))
		require.ErrorIs(t, a.fails(), fs.ErrNotExist)
		require.Equal(t, 1, a.opened, "hidapi is not tried")
	})
}

func TestOpenWithoutAnyHidrawNode(t *testing.T) {
	// usbhid has the interface, but the kernel refused its descriptor.
	attach(t, func(a *attached) {
		plug(t, a.Host, a.path, files{"0003:09AE:2012.0001/report_descriptor": ""})
		start := time.Now()
		err := a.fails()
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.EqualError(t, err, "the kernel has no hidraw node for the interface")

		a.withHidapi(errOpen)
		require.Equal(t, errOpen, a.fails())

		a.withHidapi(nil)
		d := a.opens()
		require.Equal(t, Hidapi, d.Transport())
		require.Nil(t, d.Descriptor())
		require.Zero(t, time.Since(start), "no node is awaited, since the device is not new")
	})
}

func TestOpenAsksTheDeviceForItsDescriptor(t *testing.T) {
	attach(t, func(a *attached) { // a driver that is not usbhid, and makes way for usbfs
		a.kernel.report = []byte{5, 0x84, 9, 4}
		a.withHidapi(nil)
		require.Equal(t, []byte{5, 0x84, 9, 4}, a.opens().Descriptor())
	})
}

func TestOpenWithoutPermission(t *testing.T) {
	attach(t, func(a *attached) {
		a.bind()
		require.NoError(t, os.Chmod(a.hidraw, 0))
		start := time.Now()
		err := a.fails()
		require.ErrorIs(t, err, fs.ErrPermission)
		require.EqualError(t, err, "open "+a.hidraw+": permission denied")

		a.withHidapi(errOpen)
		require.Equal(t, err.Error(), a.fails().Error(), "hidapi's error says nothing")
		require.Equal(t, 1, a.opened)

		require.NoError(t, os.Chmod(a.node, 0))
		require.Equal(t, err.Error(), a.fails().Error(), "of two nodes the preferred one is named")
		require.Zero(t, time.Since(start))

		a.withHidapi(nil)
		boundByPermissions(t, func() { require.Equal(t, Hidapi, a.opens().Transport()) })
	})
}

func TestOpenWithoutPermissionForHidapi(t *testing.T) {
	attach(t, func(a *attached) {
		a.withHidapi(errOpen)
		require.NoError(t, os.Chmod(a.node, 0))
		for _, a.transport = range []Transport{"", Hidapi} {
			err := a.fails()
			require.ErrorIs(t, err, fs.ErrPermission)
			require.EqualError(t, err, "open "+a.node+": permission denied")
		}
	})
}

func TestOpenWithoutTheHostsDev(t *testing.T) {
	attach(t, func(a *attached) {
		a.bind()
		require.NoError(t, os.Remove(a.hidraw))
		err := a.fails()
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.EqualError(t, err,
			a.hidraw+" does not exist: a container must share the host's /dev")

		require.NoError(t, os.Remove(a.node))
		a.withHidapi(errOpen)
		err = a.fails()
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.EqualError(t, err, a.node+" does not exist: a container must share the host's /dev")
	})
}

func TestOpenWhatIsGone(t *testing.T) {
	attach(t, func(a *attached) {
		a.bind()
		a.withHidapi(errOpen)
		a.unplug()
		for _, a.transport = range []Transport{"", Hidraw, Hidapi} {
			err := a.fails()
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.EqualError(t, err, "no device is attached there")
		}
		require.Equal(t, 1, a.opened, "only where hidapi was forced")
	})
}

func TestOpenWhatLeavesMeanwhile(t *testing.T) {
	for name, test := range map[string]struct {
		replace func(a *attached)
		err     error
		want    string
	}{
		"it left":           {(*attached).unplug, nil, "no device is attached there"},
		"the node is stale": {nil, syscall.ENODEV, "no device is attached there"},
		"another device has its node": {func(a *attached) {
			require.NoError(a, os.RemoveAll(filepath.Join(a.sys, a.path, hidrawDir+"hidraw3")))
			plug(a.T, a.Host, a.path, files{hidrawDir + "hidraw4/dev": "246:4\n"})
		}, nil, "hidraw3 is another device: a container must share the host's /dev"},
	} {
		t.Run(name, func(t *testing.T) {
			attach(t, func(a *attached) {
				a.bind()
				a.withHidapi(nil)
				a.kernel.hidrawErr = test.err
				a.kernel.replace = func() {
					if test.replace != nil {
						test.replace(a)
					}
				}
				err := a.fails()
				require.ErrorIs(t, err, fs.ErrNotExist)
				require.ErrorContains(t, err, test.want)
				require.Zero(t, a.opened)
			})
		})
	}
}

func TestOpenANodeOfAnotherDevice(t *testing.T) {
	attach(t, func(a *attached) {
		a.bind()
		for _, a.kernel.hidraw = range []ID{{0x09ae, 0x3016}, {0x046d, 0x2012}} {
			require.ErrorIs(t, a.fails(), fs.ErrNotExist)
		}
		a.kernel.hidraw = ID{0x09ae, 0x2012}
		a.opens()
	})
}

func TestOpenANodeThatIsNone(t *testing.T) {
	attach(t, func(a *attached) {
		a.bind()
		a.withHidapi(nil)
		require.NoError(t, os.Remove(a.hidraw))
		write(t, a.hidraw, "a plain file")
		require.ErrorIs(t, a.fails(), os.ErrNoDeadline)

		require.NoError(t, os.Remove(a.hidraw))
		require.NoError(t, os.Mkdir(a.hidraw, 0o755))
		require.ErrorIs(t, a.fails(), syscall.EISDIR)
		require.Zero(t, a.opened)
	})
}

func TestOpenWhatAProgramHolds(t *testing.T) {
	attach(t, func(a *attached) {
		setDriver(t, a.Host, a.path, "usbfs")
		a.withHidapi(errOpen)
		for _, a.transport = range []Transport{"", Hidraw, Hidapi} {
			var busy *BusyError
			require.ErrorAs(t, a.fails(), &busy)
			require.Empty(t, busy.Holder, "nobody to be seen")
		}

		write(t, filepath.Join(a.proc, "812", "comm"), "usbhid-ups\n")
		link(t, "/dev/null", filepath.Join(a.proc, "812", "fd", "0"))
		link(t, a.node, filepath.Join(a.proc, "812", "fd", "5"))
		write(t, filepath.Join(a.proc, "9001", "comm"), "python3\n")
		link(t, a.node, filepath.Join(a.proc, "9001", "fd", "3"))
		write(t, filepath.Join(a.proc, "1", "comm"), "init\n")
		link(t, a.node+"1", filepath.Join(a.proc, "1", "fd", "3"))
		for _, a.transport = range []Transport{"", Hidraw, Hidapi} {
			want := &BusyError{"usbhid-ups, process 812; python3, process 9001"}
			require.Equal(t, want, a.fails())
		}

		a.proc = "/proc" // this test, as the kernel shows it
		held, err := os.Open(a.node)
		require.NoError(t, err)
		comm, err := os.ReadFile("/proc/self/comm")
		require.NoError(t, err)
		this := fmt.Sprintf("%s, process %d", strings.TrimSpace(string(comm)), os.Getpid())
		require.Equal(t, &BusyError{this}, a.fails())
		require.NoError(t, held.Close())
		require.Equal(t, &BusyError{}, a.fails())
	})
}

// abandon leaves the interface as a killed program does that used libusb.
func (a *attached) abandon() {
	require.NoError(a, os.Remove(filepath.Join(a.sys, a.path, "driver")))
	plug(a.T, a.Host, a.path, hidInterface(2))
}

func TestOpenWhatAKilledProgramLeft(t *testing.T) {
	attach(t, func(a *attached) {
		a.abandon()
		a.withHidapi(nil)
		a.kernel.connect = func(int32) error {
			go func() {
				time.Sleep(298 * time.Millisecond)
				a.bind()
				require.NoError(t, os.Chmod(a.hidraw, 0))
				time.Sleep(400 * time.Millisecond) // for udev
				require.NoError(t, os.Chmod(a.hidraw, 0o644))
			}()
			return nil
		}
		start := time.Now()
		boundByPermissions(t, func() { require.Equal(t, Hidraw, a.opens().Transport()) })
		require.Equal(t, 700*time.Millisecond, time.Since(start))
		require.Equal(t, []int32{2}, a.kernel.connected)
		require.Zero(t, a.opened)
	})
}

func TestOpenWhatAnotherHasGivenBack(t *testing.T) {
	attach(t, func(a *attached) {
		a.abandon()
		a.kernel.connect = func(int32) error {
			a.bind()
			return syscall.EBUSY
		}
		require.Equal(t, Hidraw, a.opens().Transport())
	})
}

func TestOpenWhatTheKernelDoesNotTakeBack(t *testing.T) {
	attach(t, func(a *attached) {
		a.abandon()
		a.withHidapi(nil)
		a.kernel.connect = func(int32) error { return nil } // yet no node appears
		start := time.Now()
		require.Equal(t, Hidapi, a.opens().Transport())
		require.Equal(t, time.Second, time.Since(start))

		a.kernel.connect = func(int32) error { return syscall.EIO }
		require.Equal(t, Hidapi, a.opens().Transport())
		require.Equal(t, time.Second, time.Since(start), "nothing is awaited then")

		a.transport = Hidraw
		require.ErrorIs(t, a.fails(), syscall.EIO)

		a.kernel.connect = func(int32) error { return syscall.ENODEV }
		require.ErrorIs(t, a.fails(), fs.ErrNotExist)

		require.NoError(t, os.Chmod(a.node, 0))
		require.EqualError(t, a.fails(), "open "+a.node+": permission denied")

		require.NoError(t, os.Remove(a.node))
		require.ErrorContains(t, a.fails(), a.node+" does not exist")
	})
}

func TestOpenANewDeviceAwaitsItsNode(t *testing.T) {
	attach(t, func(a *attached) {
		plug(t, a.Host, Port(a.path), files{"power/connected_duration": "120\n"})
		a.withHidapi(nil)
		time.AfterFunc(38*time.Millisecond, func() { a.bind() })
		require.Equal(t, Hidraw, a.opens().Transport())
		require.Zero(t, a.opened, "hidapi would take it away from all other programs")
	})
	attach(t, func(a *attached) { // one that never gets a node
		plug(t, a.Host, Port(a.path), files{"power/connected_duration": "120\n"})
		a.withHidapi(nil)
		start := time.Now()
		require.Equal(t, Hidapi, a.opens().Transport())
		require.Equal(t, time.Second, time.Since(start))
	})
	attach(t, func(a *attached) { // one that leaves again
		plug(t, a.Host, Port(a.path), files{"power/connected_duration": "120\n"})
		start := time.Now()
		time.AfterFunc(38*time.Millisecond, a.unplug)
		require.ErrorIs(t, a.fails(), fs.ErrNotExist)
		require.Equal(t, 40*time.Millisecond, time.Since(start))
	})
	attach(t, func(a *attached) { // an old one
		plug(t, a.Host, Port(a.path), files{"power/connected_duration": "5000\n"})
		start := time.Now()
		require.ErrorIs(t, a.fails(), errors.ErrUnsupported)
		require.Zero(t, time.Since(start))
	})
}

func TestOpenWithoutSysfs(t *testing.T) {
	attach(t, func(a *attached) {
		a.sys += "/missing"
		err := a.fails()
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.EqualError(t, err, "hidraw needs sysfs")

		a.withHidapi(nil)
		require.Equal(t, Hidapi, a.opens().Transport())
	})
}

func TestHidapiCannotOpenWhatNobodyHolds(t *testing.T) {
	attach(t, func(a *attached) {
		a.withHidapi(errOpen)
		a.transport = Hidapi
		require.Equal(t, errOpen, a.fails())

		require.NoError(t, os.Remove(a.node))
		require.NoError(t, os.Mkdir(a.node, 0o755))
		err := a.fails()
		require.ErrorIs(t, err, syscall.EISDIR)
		require.ErrorContains(t, err, a.node)
	})
}
