package usb

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The numbers as a C compiler makes them of linux/hidraw.h and linux/usbdevice_fs.h.
func TestIoctlNumbers(t *testing.T) {
	require.Equal(t, uintptr(0xc1004807), uintptr(hidGetFeature|256<<sizeShift))
	require.Equal(t, uintptr(0xc0094806), uintptr(hidSetFeature|9<<sizeShift))

	type numbers struct{ control, ioctl, connect uintptr }
	var (
		generic32 = numbers{0xc0105500, 0xc00c5512, 0x5517}
		generic64 = numbers{0xc0185500, 0xc0105512, 0x5517}
		old32     = numbers{0xc0105500, 0xc00c5512, 0x20005517}
		old64     = numbers{0xc0185500, 0xc0105512, 0x20005517}
	)
	want := map[string]numbers{
		"386": generic32, "arm": generic32,
		"amd64": generic64, "arm64": generic64, "loong64": generic64, "riscv64": generic64,
		"s390x": generic64,
		"mips":  old32, "mipsle": old32, "ppc": old32,
		"mips64": old64, "mips64le": old64, "ppc64": old64, "ppc64le": old64, "sparc64": old64,
	}[runtime.GOARCH]
	require.Equal(t, want, numbers{usbControl, usbIoctl, usbConnect})

	const direction = 0xe0000000 // the three bits where the architectures differ
	require.Equal(t, uintptr(ioReadWrite), uintptr(unix.MEMREADOOB&direction), "which is _IOWR")
}

// The offsets of linux/usbdevice_fs.h.
func TestIoctlStructures(t *testing.T) {
	pointer := unsafe.Sizeof(uintptr(0))
	var c controlTransfer
	require.Equal(t,
		[]uintptr{0, 1, 2, 4, 6, 8, 8 + pointer, 8 + 2*pointer},
		[]uintptr{
			unsafe.Offsetof(c.requestType), unsafe.Offsetof(c.request), unsafe.Offsetof(c.value),
			unsafe.Offsetof(c.index), unsafe.Offsetof(c.length), unsafe.Offsetof(c.timeout),
			unsafe.Offsetof(c.data), unsafe.Sizeof(c),
		})
	var i interfaceIoctl
	require.Equal(t,
		[]uintptr{0, 4, 8, 8 + pointer},
		[]uintptr{
			unsafe.Offsetof(i.number), unsafe.Offsetof(i.code), unsafe.Offsetof(i.data),
			unsafe.Sizeof(i),
		})
}

func TestIoctl(t *testing.T) {
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	defer reader.Close()
	defer writer.Close()
	_, err = writer.WriteString("12345")
	require.NoError(t, err)

	var waiting int32
	n, err := ioctl(reader, unix.TIOCINQ, unsafe.Pointer(&waiting)) // FIONREAD
	require.NoError(t, err)
	require.Zero(t, n)
	require.EqualValues(t, 5, waiting)
}

func TestIoctlErrors(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "no-device"))
	require.NoError(t, err)
	_, err = ioctl(file, unix.TIOCGWINSZ, unsafe.Pointer(&unix.Winsize{}))
	require.Equal(t, syscall.ENOTTY, err)

	require.NoError(t, file.Close())
	_, err = ioctl(file, unix.TIOCGWINSZ, unsafe.Pointer(&unix.Winsize{}))
	require.Equal(t, os.ErrClosed, err)
}
