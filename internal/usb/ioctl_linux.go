package usb

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The numbers that golang.org/x/sys lacks. _IOC_READ|_IOC_WRITE is 3<<30 in asm-generic/ioctl.h,
// and 6<<29 in asm/ioctl.h of mips, powerpc and sparc: the same. _IOC_NONE differs. BLKRRPART,
// which is _IO(0x12, 95), has that of the architecture.
const (
	ioReadWrite = 0xc0000000
	ioNone      = unix.BLKRRPART &^ (0x12<<8 | 95)

	// linux/hidraw.h: HIDIOCSFEATURE and HIDIOCGFEATURE, without the length
	hidSetFeature = ioReadWrite | 'H'<<8 | 0x06
	hidGetFeature = ioReadWrite | 'H'<<8 | 0x07

	// linux/usbdevice_fs.h: USBDEVFS_CONTROL, USBDEVFS_IOCTL and USBDEVFS_CONNECT
	usbControl = ioReadWrite | unsafe.Sizeof(controlTransfer{})<<sizeShift | 'U'<<8
	usbIoctl   = ioReadWrite | unsafe.Sizeof(interfaceIoctl{})<<sizeShift | 'U'<<8 | 18
	usbConnect = ioNone | 'U'<<8 | 23

	sizeShift = 16        // _IOC_SIZESHIFT
	maxSize   = 1<<13 - 1 // what _IOC_SIZEBITS leaves room for on every architecture
)

// controlTransfer is struct usbdevfs_ctrltransfer.
type controlTransfer struct {
	requestType, request uint8
	value, index, length uint16
	timeout              uint32 // ms
	data                 unsafe.Pointer
}

// interfaceIoctl is struct usbdevfs_ioctl.
type interfaceIoctl struct {
	number, code int32
	data         unsafe.Pointer
}

// ioctlFunc asks the driver of a file. A Host has one so that tests can stand in for the drivers.
type ioctlFunc func(file *os.File, request uintptr, arg unsafe.Pointer) (int, error)

// ioctl keeps the file from being closed until the driver has answered.
func ioctl(file *os.File, request uintptr, arg unsafe.Pointer) (int, error) {
	conn, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n uintptr
	errno := unix.EINTR
	err = conn.Control(func(fd uintptr) {
		for errno == unix.EINTR {
			n, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(arg))
		}
	})
	switch {
	case err != nil:
		return 0, os.ErrClosed // the only error of Control
	case errno != 0:
		return 0, errno
	}
	return int(n), nil
}
