package tripplite

import (
	"errors"
	"io/fs"
	"syscall"
	"time"

	"github.com/tripplite-go/tripplite/internal/usb"
)

// host finds and opens HID devices: usb.Host, or what a test has in its place.
type host interface {
	// Supported returns why nothing can be opened, or nil.
	Supported() error
	// List returns the HID interfaces with these ids, of devices at the ports that are wanted.
	List(ids []usb.ID, wanted func(port string) bool) ([]usb.Interface, error)
	// Descriptor returns the report descriptor of an interface as the system has it, or nil.
	Descriptor(path string) []byte
	Open(path string) (usb.Device, error)
	// DeviceNumber changes whenever the device at a path leaves the bus and comes back. It is "" while
	// there is none, and not known where the system does not tell.
	DeviceNumber(path string) (number string, known bool)
}

// retry is when a unit that could not be opened, or was lost, may be opened again.
type retry struct {
	number string // of the device that failed
	at     time.Time
	wait   time.Duration
	err    error
}

// A missing unit is looked for at once, then less and less often. One that hung is left alone for
// longer: while it hangs, the kernel lets no program open a hidraw node.
const (
	firstWait = 50 * time.Millisecond
	lastWait  = 2 * time.Second
	hangWait  = 10 * time.Second
)

// failed puts the next attempt off.
func (r *retry) failed(err error) {
	r.wait = min(max(firstWait, 2*r.wait), lastWait)
	if errors.Is(err, syscall.ETIMEDOUT) {
		r.wait = hangWait
	}
	r.at = time.Now().Add(r.wait)
	r.err = err
}

// connect opens the device if it is not open, and has its input reports read if somebody wants
// them. While the unit is gone it returns at once, with why.
func (b *Battery) connect() error {
	if b.dev == nil {
		if err := b.reconnect(); err != nil {
			return err
		}
	}
	return b.listen()
}

func (b *Battery) reconnect() error {
	number, known := b.host.DeviceNumber(b.path)
	switch {
	case known && number == "":
		return b.wrap("open", b.missing(), nil)
	case known && number != b.reopen.number:
		b.reopen = retry{number: number} // plugged in anew: worth an attempt at once
	case time.Now().Before(b.reopen.at):
		return b.reopen.err
	}
	info, err := lookup(b.host, b.path)
	switch {
	case errors.Is(err, ErrNotFound):
		err = b.wrap("open", b.missing(), nil)
	case err == nil:
		if was := b.info.Swap(&info); was.VendorID != 0 && *was != info {
			b.log.Warn("another UPS is at this port now", "path", b.path, "was", *was, "is", info)
		}
		err = b.open(info)
	}
	if err != nil {
		b.reopen.failed(err)
		return err
	}
	b.log.Info("the UPS is open", "path", b.path)
	return nil
}

// missing returns the error for a port without a unit.
func (b *Battery) missing() error {
	if b.Info().VendorID == 0 {
		return ErrNotFound // nor has it ever had one
	}
	return ErrDisconnected
}

// open opens a unit that has just been listed.
func (b *Battery) open(info DeviceInfo) error {
	dev, err := b.host.Open(info.Path)
	if err != nil {
		return b.openError(err)
	}
	b.log.Debug("opened", "path", b.path, "transport", dev.Transport())
	b.use(dev, dev.Descriptor())
	return nil
}

// openError says in this package's terms why a device could not be opened.
func (b *Battery) openError(err error) error {
	e := &Error{Op: "open", Path: b.path, Err: err}
	var busy *usb.BusyError
	switch {
	case errors.As(err, &busy):
		e.Err, e.Holder = ErrBusy, busy.Holder
	case errors.Is(err, fs.ErrPermission):
		e.Err, e.Cause = ErrPermission, err
	case errors.Is(err, fs.ErrNotExist):
		e.Err, e.Cause = ErrDisconnected, err
	case errors.Is(err, errors.ErrUnsupported):
		e.Err, e.Cause = ErrUnsupported, err
	}
	return e
}

// use installs a newly opened device and discards what was learnt from the last one.
func (b *Battery) use(dev Device, descriptor []byte) {
	b.dev, b.descriptor = dev, descriptor
	b.online.Store(true)
	p := newProtocol(b.Info(), dev, descriptor, b.log)
	b.protocol.Store(&p)
}

// drop gives up a device that no longer answers: its handle never recovers.
func (b *Battery) drop(cause error) error {
	err := b.wrap("read", ErrDisconnected, cause)
	if b.reopen.err == nil {
		b.log.Info("the UPS is disconnected", "path", b.path, "err", cause)
	}
	if b.host == nil {
		b.reopen.err = err
		b.use(b.dev, b.descriptor) // whatever is there when it answers again is asked anew
		return err
	}
	b.shut()
	b.reopen.number, _ = b.host.DeviceNumber(b.path)
	b.reopen.failed(err)
	return err
}

// shut closes the device.
func (b *Battery) shut() {
	b.unlisten()
	if b.dev != nil {
		b.dev.Close()
		b.dev = nil
	}
	b.online.Store(false)
}
