package tripplite

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/karalabe/hid"
)

// retry is when a unit that could not be opened or dropped off may be opened again.
type retry struct {
	incarnation string // of the device that failed
	at          time.Time
	wait        time.Duration
	err         error
}

// A unit that is missing is looked for at once, then less and less often.
const (
	firstWait = 50 * time.Millisecond
	lastWait  = 2 * time.Second
)

// failed puts the next attempt off.
func (r *retry) failed(err error) {
	r.wait = min(max(firstWait, 2*r.wait), lastWait)
	r.at = time.Now().Add(r.wait)
	r.err = err
}

// connected opens the device if it is not open. While the unit is gone it returns at once, with why.
func (b *Battery) connected() error {
	if b.dev != nil {
		return nil
	}
	id, known := incarnation(b.path)
	switch {
	case known && id == "":
		return b.wrap(b.gone())
	case known && id != b.retry.incarnation:
		b.retry = retry{incarnation: id} // plugged in anew: worth an attempt at once
	case time.Now().Before(b.retry.at):
		return b.retry.err
	}
	dev, descriptor, err := b.reopen()
	if err != nil {
		err = b.wrap(err)
		b.retry.failed(err)
		return err
	}
	b.use(dev, descriptor)
	b.log.Info("the UPS is open", "path", b.path)
	return nil
}

// find opens whatever UPS is at the port now.
func (b *Battery) find() (hid.Device, []byte, error) {
	info, err := lookup(b.path)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil, b.gone()
	case err != nil:
		return nil, nil, err
	}
	if was := b.info.Swap(&info); was.VendorID != 0 && *was != info {
		b.log.Warn("another UPS is at this port now", "path", b.path, "was", *was, "is", info)
	}
	return openListed(info)
}

// gone is what there is to say of a port that has no unit now.
func (b *Battery) gone() error {
	if b.Info().VendorID == 0 {
		return ErrNotFound // nor has it ever had one
	}
	return ErrDisconnected
}

// openListed opens a unit that has just been listed.
func openListed(info DeviceInfo) (hid.Device, []byte, error) {
	if family, _ := familyOf(info.VendorID, info.ProductID); family.unsupported != "" {
		return nil, nil, fmt.Errorf("%s (%04x:%04x) is %w: %s", info.Family, info.VendorID, info.ProductID, ErrUnsupported, family.unsupported)
	}
	return openDevice(info.Path)
}

// use starts anew with a device of which nothing is known yet.
func (b *Battery) use(dev hid.Device, descriptor []byte) {
	b.dev, b.descriptor = dev, descriptor
	b.online.Store(true)
	b.known = State{}
	b.plan = b.planBy(descriptor)
	b.publishInputs()
}

// planBy returns the plan for a unit with that descriptor, or the one that asks for each report where it is no use.
func (b *Battery) planBy(descriptor []byte) plan {
	if len(descriptor) == 0 {
		return tablePlan()
	}
	p, err := descriptorPlan(descriptor)
	if err != nil {
		b.log.Warn("the report descriptor is no use: the unit is asked for each report", "path", b.path, "err", err)
		return tablePlan()
	}
	b.log.Debug("declared and not understood", "path", b.path, "reports", p.unknown)
	return p
}

// publishInputs gives the listener the plan's input reports, as a copy that the worker does not change.
func (b *Battery) publishInputs() {
	inputs := slices.Clone(b.plan.inputs)
	b.inputs.Store(&inputs)
}

// drop gives up a device that no longer answers: its handle never recovers.
func (b *Battery) drop(cause error) error {
	err := b.wrap(fmt.Errorf("%w (%w)", ErrDisconnected, cause))
	b.log.Info("the UPS is disconnected", "path", b.path, "err", cause)
	b.unlisten()
	if b.reopen == nil {
		b.use(b.dev, b.descriptor) // whatever is there when it answers again is asked anew
		return err
	}
	b.dev.Close()
	b.dev = nil
	b.online.Store(false)
	b.retry.incarnation, _ = incarnation(b.path)
	b.retry.failed(err)
	return err
}
