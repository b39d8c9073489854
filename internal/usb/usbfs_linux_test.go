package usb

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unicode/utf8"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// fakeNode is the node of a device that answers control transfers.
func fakeNode(t *testing.T, answer func(c controlTransfer) ([]byte, error)) usbNode {
	t.Helper()
	path := filepath.Join(t.TempDir(), "007")
	write(t, path, "")
	return usbNode{path, func(_ *os.File, request uintptr, arg unsafe.Pointer) (int, error) {
		require.Equal(t, uintptr(usbControl), request)
		c := (*controlTransfer)(arg)
		require.EqualValues(t, 1000, c.timeout)
		require.EqualValues(t, 0x06, c.request)
		b, err := answer(*c)
		return copy(unsafe.Slice((*byte)(c.data), c.length), b), err
	}}
}

func TestStringDescriptor(t *testing.T) {
	german := []byte{6, 3, 0x07, 0x04, 0x09, 0x04}
	for name, test := range map[string]struct {
		languages []byte
		err       error
		want      uint16
	}{
		"in its first language":        {german, nil, 0x0407},
		"without languages":            {[]byte{2, 3}, nil, 0x0409},
		"with half a language":         {[]byte{3, 3, 7}, nil, 0x0409},
		"with an empty answer":         {nil, nil, 0x0409},
		"with something else":          {[]byte{4, 1, 7, 4}, nil, 0x0409},
		"with a stall":                 {nil, syscall.EPIPE, 0x0409},
		"with no answer to that alone": {nil, syscall.ETIMEDOUT, 0x0409},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []controlTransfer
			n := fakeNode(t, func(c controlTransfer) ([]byte, error) {
				c.data = nil
				asked = append(asked, c)
				if c.value == 0x0300 {
					return test.languages, test.err
				}
				return []byte("\x08\x03U\x00P\x00\xe4\x00"), nil
			})
			text, err := n.StringDescriptor(4)
			require.NoError(t, err)
			require.Equal(t, "UPä", text)
			first := controlTransfer{
				requestType: 0x80, request: 6, value: 0x0300, length: 255, timeout: 1000,
			}
			second := first
			second.value, second.index = 0x0304, test.want
			require.Equal(t, []controlTransfer{first, second}, asked)
		})
	}
}

func TestStringDescriptorErrors(t *testing.T) {
	t.Run("string 0", func(t *testing.T) {
		_, err := usbNode{}.StringDescriptor(0)
		require.EqualError(t, err, "string 0 is the list of languages")
	})
	t.Run("a stall", func(t *testing.T) {
		n := fakeNode(t, func(controlTransfer) ([]byte, error) { return nil, syscall.EPIPE })
		_, err := n.StringDescriptor(4)
		require.Equal(t, syscall.EPIPE, err)
	})
	t.Run("gone, which is not asked twice", func(t *testing.T) {
		calls := 0
		n := fakeNode(t, func(controlTransfer) ([]byte, error) {
			calls++
			return nil, syscall.ENODEV
		})
		_, err := n.StringDescriptor(4)
		require.Equal(t, syscall.ENODEV, err)
		require.Equal(t, 1, calls)
	})
	t.Run("no node", func(t *testing.T) {
		n := usbNode{path: filepath.Join(t.TempDir(), "007")}
		_, err := n.StringDescriptor(4)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.EqualError(t, err, n.path+" does not exist: a container must share the host's /dev")
	})
	t.Run("no permission", func(t *testing.T) {
		n := fakeNode(t, nil)
		require.NoError(t, os.Chmod(n.path, 0))
		var err error
		boundByPermissions(t, func() { _, err = n.StringDescriptor(4) })
		require.ErrorIs(t, err, fs.ErrPermission)
		require.ErrorContains(t, err, n.path)
	})
	t.Run("no device", func(t *testing.T) {
		n := fakeNode(t, nil)
		n.ioctl = ioctl
		_, err := n.StringDescriptor(4)
		require.Equal(t, syscall.ENOTTY, err)
	})
}

func TestDecodeString(t *testing.T) {
	for name, test := range map[string]struct {
		descriptor string
		want       string
		wrong      bool
	}{
		"text":                         {"\x06\x03O\x00K\x00", "OK", false},
		"empty":                        {"\x02\x03", "", false},
		"an odd length":                {"\x05\x03O\x00K\x00", "O", false},
		"longer than declared":         {"\x04\x03O\x00K\x00", "O", false},
		"shorter than declared":        {"\xff\x03O\x00K\x00", "OK", false},
		"up to a NUL":                  {"\x08\x03O\x00\x00\x00K\x00", "O", false},
		"a pair of surrogates":         {"\x06\x03\x3d\xd8\x0b\xdd", "🔋", false},
		"half a pair":                  {"\x06\x03\x3d\xd8K\x00", "\ufffdK", false},
		"nothing":                      {"", "", true},
		"one byte":                     {"\x04", "", true},
		"a length of 0":                {"\x00\x03O\x00", "", true},
		"a length of 1":                {"\x01\x03O\x00", "", true},
		"another kind of descriptor":   {"\x04\x02O\x00", "", true},
		"a report instead of a string": {"\x32\x09\x00\x00", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := decodeString([]byte(test.descriptor))
			require.Equal(t, test.want, text)
			require.Equal(t, test.wrong, err != nil)
		})
	}
}

func FuzzStringDescriptor(f *testing.F) {
	f.Add([]byte("\x06\x03O\x00K\x00"))
	f.Add([]byte("\xff\x03O\x00K\x00"))
	f.Add([]byte("\x05\x03\x3d\xd8K"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, descriptor []byte) {
		text, err := decodeString(descriptor)
		if err != nil && text != "" {
			t.Errorf("%q beside the error %v", text, err)
		}
		if !utf8.ValidString(text) {
			t.Errorf("%q is no UTF-8", text)
		}
		if n := utf8.RuneCountInString(text); n > 126 || n > len(descriptor)/2 {
			t.Errorf("%d characters of %d bytes", n, len(descriptor))
		}
	})
}

func TestReportDescriptorOfTheDevice(t *testing.T) {
	n := fakeNode(t, func(c controlTransfer) ([]byte, error) {
		c.data = nil
		require.Equal(t, controlTransfer{
			requestType: 0x81, request: 6, value: 0x2200, index: 2, length: 4096, timeout: 1000,
		}, c)
		return []byte{5, 0x84}, nil
	})
	descriptor, err := n.reportDescriptor(2)
	require.NoError(t, err)
	require.Equal(t, []byte{5, 0x84}, descriptor)
}
