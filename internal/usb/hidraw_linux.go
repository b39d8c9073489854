package usb

import (
	"errors"
	"fmt"
	"os"
	"sync"
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
	mu          sync.Mutex // held while the deadline of file is set
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
	waitErr := d.conn.Read(func(fd uintptr) bool {
		n, err = unix.Read(int(fd), b)
		for err == unix.EINTR {
			n, err = unix.Read(int(fd), b)
		}
		if err != unix.EAGAIN {
			return true
		}
		n, err = 0, nil
		d.setDeadline(deadline)
		return milliseconds == 0
	})
	switch {
	case waitErr == nil && err != nil:
		if err == unix.EIO { // the kernel's word for it; a feature transfer may have it for less
			err = fmt.Errorf("%w: %w", errGone, err)
		}
		return 0, err
	case waitErr == nil:
		return n, nil
	case d.closed.Load() || !errors.Is(waitErr, os.ErrDeadlineExceeded):
		return 0, os.ErrClosed // the only other error
	case d.interrupted.Load():
		return 0, errInterrupted
	}
	return 0, nil
}

// setDeadline sets the deadline of a read. After Interrupt, that is always one long past.
func (d *hidrawDevice) setDeadline(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.interrupted.Load() {
		t = time.Unix(1, 0)
	}
	d.file.SetReadDeadline(t) // fails only when the file is closed, and then so does the read
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
