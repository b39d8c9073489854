package usb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/require"
)

func TestSupported(t *testing.T) {
	require.Equal(t, hasHidraw || hid.Supported(), NewHost("").Supported() == nil)
	require.Equal(t, hasHidraw, NewHost(Hidraw).Supported() == nil)
	require.Equal(t, hid.Supported(), NewHost(Hidapi).Supported() == nil)
	require.EqualError(t, NewHost("libusb").Supported(),
		`there is no transport "libusb": it is hidraw or hidapi`)
}

func TestWhatIsNotSupportedIsNotOpened(t *testing.T) {
	h := &Host{transport: Hidapi} // as without cgo

	err := h.Supported()
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.EqualError(t, err, "this program has no hidapi: "+
		"build it with CGO_ENABLED=1 and a C compiler, on Linux, macOS, Windows or FreeBSD")
	_, openErr := h.Open("1-4:1.0")
	require.Equal(t, err, openErr)
}

func TestGone(t *testing.T) {
	for _, err := range []error{
		errGone,
		syscall.ENODEV,
		syscall.ESHUTDOWN,
		os.ErrClosed,
		fmt.Errorf("report 0x32: %w", syscall.ENODEV),
	} {
		require.True(t, Gone(err), err)
	}
	for _, err := range []error{
		nil,
		syscall.EPIPE,
		syscall.ETIMEDOUT,
		syscall.EIO, // of a feature transfer
		syscall.EINVAL,
		errInterrupted,
		fs.ErrPermission,
		errors.New("hidapi: hid_error is not implemented yet"),
	} {
		require.False(t, Gone(err), err)
	}
}

func TestBusyError(t *testing.T) {
	require.EqualError(t, &BusyError{}, "another program holds the device")
	require.EqualError(t, &BusyError{Holder: "upsd, process 3"},
		"another program holds the device (upsd, process 3)")
}

// requireClosed makes sure that every call on a closed device says so.
func requireClosed(t *testing.T, d Device) {
	t.Helper()
	for name, call := range map[string]func([]byte) (int, error){
		"get":  d.GetFeatureReport,
		"send": d.SendFeatureReport,
		"read": func(b []byte) (int, error) { return d.ReadTimeout(b, -1) },
		"poll": func(b []byte) (int, error) { return d.ReadTimeout(b, 0) },
	} {
		_, err := call([]byte{0x32, 0})
		require.Equal(t, os.ErrClosed, err, name)
		require.True(t, Gone(err))
	}
	d.Interrupt()
	require.Equal(t, os.ErrClosed, d.Close())
}
