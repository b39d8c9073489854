package usb

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hidrawDevice is a hidraw node, and beside it the node of its whole device.
type hidrawDevice struct {
	usbNode
	file       *os.File
	conn       syscall.RawConn
	descriptor []byte

	closed      atomic.Bool
	interrupted atomic.Bool
}

// newHidraw makes a device of an open hidraw node, which must work with Go's poller.
func newHidraw(file *os.File, descriptor []byte, node usbNode) (*hidrawDevice, error) {
	if err := file.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	conn, err := file.SyscallConn()
	return &hidrawDevice{usbNode: node, file: file, conn: conn, descriptor: descriptor}, err
}

func (d *hidrawDevice) Transport() Transport { return Hidraw }
func (d *hidrawDevice) Descriptor() []byte   { return d.descriptor }

func (d *hidrawDevice) GetFeatureReport(b []byte) (int, error) {
	return d.feature(hidGetFeature, b)
}

func (d *hidrawDevice) SendFeatureReport(b []byte) (int, error) {
	return d.feature(hidSetFeature, b)
}

func (d *hidrawDevice) feature(request uintptr, b []byte) (int, error) {
	switch {
	case d.closed.Load():
		return 0, os.ErrClosed
	case len(b) == 0 || len(b) > maxSize:
		return 0, syscall.EINVAL
	}
	defer underWay.begin()()
	return d.ioctl(d.file, request|uintptr(len(b))<<sizeShift, unsafe.Pointer(&b[0]))
}

// ReadTimeout tries before it waits, so that even a short timeout finds a report that has come.
func (d *hidrawDevice) ReadTimeout(b []byte, milliseconds int) (n int, err error) {
	if len(b) == 0 {
		return 0, syscall.EINVAL
	}
	var deadline time.Time // none
	if milliseconds > 0 {
		deadline = time.Now().Add(time.Duration(milliseconds) * time.Millisecond)
	}
	d.setDeadline(time.Time{})
	err = os.ErrClosed // where reading is not even tried
	d.conn.Read(func(fd uintptr) (done bool) {
		n, err = unix.Read(int(fd), b)
		for err == unix.EINTR {
			n, err = unix.Read(int(fd), b)
		}
		d.setDeadline(deadline)
		return err != unix.EAGAIN || milliseconds == 0
	})
	switch {
	case d.closed.Load():
		return 0, os.ErrClosed
	case d.interrupted.Load():
		return 0, errInterrupted
	case err == unix.EAGAIN:
		return 0, nil
	case err == unix.EIO: // after a feature transfer, EIO can mean less
		return 0, fmt.Errorf("%w: %w", errGone, err)
	}
	return max(n, 0), err
}

// setDeadline sets the deadline of a read, unless Interrupt has set its own, which is long past.
func (d *hidrawDevice) setDeadline(t time.Time) {
	d.file.SetReadDeadline(t) // fails only when the file is closed, and then so does the read
	if d.interrupted.Load() { // perhaps just now
		d.file.SetReadDeadline(time.Unix(1, 0))
	}
}

func (d *hidrawDevice) Interrupt() {
	d.interrupted.Store(true)
	d.setDeadline(time.Time{})
}

// Close leaves the node to a goroutine while a transfer is under way, which may hang.
func (d *hidrawDevice) Close() error {
	if d.closed.Swap(true) {
		return os.ErrClosed
	}
	if len(underWay.list()) == 0 {
		return d.file.Close()
	}
	d.Interrupt()
	go func() {
		underWay.settle()
		d.file.Close()
	}()
	return nil
}
