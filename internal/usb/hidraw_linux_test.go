package usb

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// openPair opens a device over a socket, which keeps reports apart as a hidraw node does. Feature
// transfers go to the given driver.
func openPair(t *testing.T, driver ioctlFunc) (d *hidrawDevice, unit *os.File) {
	t.Helper()
	const mode = unix.SOCK_SEQPACKET | unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	fds, err := unix.Socketpair(unix.AF_UNIX, mode, 0)
	require.NoError(t, err)
	unit = os.NewFile(uintptr(fds[1]), "unit")
	d, err = newHidraw(os.NewFile(uintptr(fds[0]), "hidraw3"), []byte{5, 0x84}, usbNode{"", driver})
	require.NoError(t, err)
	t.Cleanup(func() {
		d.Close()
		unit.Close()
	})
	return d, unit
}

func send(t *testing.T, unit *os.File, report ...byte) {
	t.Helper()
	_, err := unit.Write(report)
	require.NoError(t, err)
}

func TestHidrawReads(t *testing.T) {
	d, unit := openPair(t, nil)
	for _, milliseconds := range []int{-1, 0, 1, 1e6} {
		send(t, unit, 0x32, 9)
		send(t, unit, 0x34, 100, 0)
		b := make([]byte, 64)
		n, err := d.ReadTimeout(b, milliseconds)
		require.NoError(t, err)
		require.Equal(t, []byte{0x32, 9}, b[:n])
		n, err = d.ReadTimeout(b, milliseconds)
		require.NoError(t, err)
		require.Equal(t, []byte{0x34, 100, 0}, b[:n])
	}
}

func TestHidrawReadsWhatComesWhileItWaits(t *testing.T) {
	d, unit := openPair(t, nil)
	for _, milliseconds := range []int{-1, 1e6} {
		got := make(chan []byte)
		go func() {
			b := make([]byte, 64)
			n, _ := d.ReadTimeout(b, milliseconds)
			got <- b[:n]
		}()
		send(t, unit, 0x32, 9)
		require.Equal(t, []byte{0x32, 9}, <-got)
	}
}

func TestHidrawReadTimesOut(t *testing.T) {
	d, unit := openPair(t, nil)
	for _, milliseconds := range []int{0, 1, 1} {
		n, err := d.ReadTimeout(make([]byte, 64), milliseconds)
		require.NoError(t, err)
		require.Zero(t, n)
	}

	send(t, unit, 0x32, 9)
	n, err := d.ReadTimeout(make([]byte, 64), -1)
	require.NoError(t, err, "the deadline of a read is not that of the next")
	require.Equal(t, 2, n)
}

// reading reads in another goroutine. It returns when that has had a first report and goes on to
// the second read, which the caller ends.
func reading(t *testing.T, d Device, unit *os.File) <-chan error {
	t.Helper()
	first := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := d.ReadTimeout(make([]byte, 64), -1)
		close(first)
		if err == nil {
			_, err = d.ReadTimeout(make([]byte, 64), -1)
		}
		ended <- err
	}()
	send(t, unit, 0x32, 9)
	<-first
	return ended
}

func TestHidrawInterrupt(t *testing.T) {
	d, unit := openPair(t, nil)
	ended := reading(t, d, unit)
	d.Interrupt()
	require.Equal(t, errInterrupted, <-ended)

	send(t, unit, 0x32, 9)
	for _, milliseconds := range []int{-1, 0, 1, 1e6} {
		_, err := d.ReadTimeout(make([]byte, 64), milliseconds)
		require.Equal(t, errInterrupted, err, "a read that begins later")
		require.False(t, Gone(err))
	}
	d.Interrupt() // again
}

func TestHidrawInterruptWinsAgainstAReadThatSetsItsDeadline(t *testing.T) {
	for i := range 600 {
		d, unit := openPair(t, nil)
		ended := make(chan error)
		go func() {
			_, err := d.ReadTimeout(make([]byte, 64), []int{-1, 1e6}[i%2])
			ended <- err
		}()
		d.Interrupt()
		require.Equal(t, errInterrupted, <-ended)
		require.NoError(t, d.Close())
		require.NoError(t, unit.Close())
	}
}

func TestHidrawClose(t *testing.T) {
	d, unit := openPair(t, ioctl)
	ended := reading(t, d, unit)
	require.NoError(t, d.Close())
	require.Equal(t, os.ErrClosed, <-ended)
	requireClosed(t, d)
}

func TestHidrawReadAfterTheDeviceLeft(t *testing.T) {
	// A terminal whose other end was closed reads as a hidraw node does: EIO.
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	require.NoError(t, err)
	fd := int(ptmx.Fd())
	require.NoError(t, unix.SetNonblock(fd, true)) // Fd has made it blocking
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	d, err := newHidraw(ptmx, nil, usbNode{})
	require.NoError(t, err)
	defer d.Close()

	ended := make(chan error)
	go func() {
		_, err := d.ReadTimeout(make([]byte, 64), -1)
		ended <- err
	}()
	require.NoError(t, terminal.Close())
	err = <-ended
	require.ErrorIs(t, err, syscall.EIO)
	require.True(t, Gone(err))
	_, err = d.ReadTimeout(make([]byte, 64), 0)
	require.True(t, Gone(err))
}

func TestHidrawFeatureReports(t *testing.T) {
	var asked uintptr
	var answer error
	d, _ := openPair(t, func(_ *os.File, request uintptr, arg unsafe.Pointer) (int, error) {
		asked = request
		length := int(request >> sizeShift & maxSize)
		return copy(unsafe.Slice((*byte)(arg), length)[1:], "\x64\x00") + 1, answer
	})

	b := make([]byte, 256)
	b[0] = 0x34
	n, err := d.GetFeatureReport(b)
	require.NoError(t, err)
	require.Equal(t, []byte{0x34, 0x64, 0}, b[:n])
	require.Equal(t, uintptr(0xc1004807), asked)

	n, err = d.SendFeatureReport([]byte{0, ':', 'D', 0, 0, 0, 0, 0, 0})
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, uintptr(0xc0094806), asked)

	for _, errno := range []error{syscall.EPIPE, syscall.EIO, syscall.ENODEV, syscall.ETIMEDOUT} {
		answer = errno
		_, err = d.GetFeatureReport(b)
		require.Equal(t, errno, err)
		require.Equal(t, errno == syscall.ENODEV, Gone(err))
	}
}

func TestHidrawBuffersOfAnyLength(t *testing.T) {
	d, _ := openPair(t, func(*os.File, uintptr, unsafe.Pointer) (int, error) { return 1, nil })
	lengths := map[int]bool{0: false, 1: true, 8191: true, 8192: false, 1 << 20: false}
	for length, valid := range lengths {
		_, getErr := d.GetFeatureReport(make([]byte, length))
		_, sendErr := d.SendFeatureReport(make([]byte, length))
		require.Equal(t, valid, getErr == nil, length)
		require.Equal(t, getErr, sendErr)
	}
	_, err := d.ReadTimeout(nil, -1)
	require.Equal(t, syscall.EINVAL, err)
}

func TestHidrawDescribesItself(t *testing.T) {
	d, _ := openPair(t, nil)
	require.Equal(t, Hidraw, d.Transport())
	require.Equal(t, []byte{5, 0x84}, d.Descriptor())
}

func TestHidrawNeedsAFileThatCanBeInterrupted(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "plain"))
	require.NoError(t, err)
	defer file.Close()
	_, err = newHidraw(file, nil, usbNode{})
	require.ErrorIs(t, err, os.ErrNoDeadline)
}
