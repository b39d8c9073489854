package history

import (
	"time"

	"github.com/tripplite-go/tripplite/internal/monitor"
)

const (
	// Measurements that are further apart than this say nothing of the time between them.
	powerGap = time.Minute
	// An outage that an earlier run of the program saw goes on when it was last seen this long ago at
	// most.
	resumeWithin = 5 * time.Minute
	// A unit that was read for this long and is not believed to run on battery does not.
	believedAfter = time.Minute
)

// outage is a time on battery. Its id is that of the event that began it.
type outage struct {
	id       int64
	unit     string
	from, to time.Time // to is zero while it goes on
	seen     time.Time // when the unit last said that it goes on

	charge     float64 // the lowest
	hasCharge  bool
	energy     float64 // in watt-seconds, until measured
	hasEnergy  bool
	unmeasured bool // for some of the time: the energy is not known
	power      float64
	measured   time.Time // when power was

	old     bool // of an earlier run, and not seen to go on in this one
	changed bool // since it was written
	written bool
}

// continues tells of an outage of an earlier run whether the unit may have been on battery all the
// time until t.
func (o *outage) continues(t time.Time) bool { return t.Sub(o.seen).Abs() <= resumeWithin }

// observe takes a reading on battery.
func (o *outage) observe(u *monitor.Unit) {
	t := u.State.Time
	if charge, known := u.State.RemainingCapacity.Get(); known {
		if !o.hasCharge || charge < o.charge {
			o.charge = charge
		}
		o.hasCharge = true
	}
	if power, known := u.State.Output.ActivePower.Get(); known {
		if o.measured.IsZero() {
			o.power, o.measured = power, o.from
		}
		o.elapse(t, (o.power+power)/2)
		o.power, o.measured = power, t
	}
	o.seen, o.changed = t, true
}

// elapse adds what a power came to since it was measured last. A time before that takes away.
func (o *outage) elapse(t time.Time, power float64) {
	d := t.Sub(o.measured)
	if d.Abs() > powerGap {
		o.unmeasured = true
	}
	o.energy += power * d.Seconds()
	o.hasEnergy = true
}

// end ends it at a time that may be before the last readings, since that power is back is believed
// when it has lasted.
func (o *outage) end(t time.Time) {
	if t.Before(o.from) {
		t = o.from // the clock was set back
	}
	if o.hasEnergy && !o.measured.IsZero() {
		o.elapse(t, o.power)
	}
	o.to, o.changed = t, true
}

// abandon ends an outage of an earlier run when it was last seen to go on.
func (o *outage) abandon() { o.to, o.changed = o.seen, true }

// wattHours returns the energy, or nil where it is not known.
func (o *outage) wattHours() *float64 {
	if !o.hasEnergy || o.unmeasured {
		return nil
	}
	energy := max(o.energy, 0) / 3600
	return &energy
}

func (o *outage) lowestCharge() *float64 {
	if !o.hasCharge {
		return nil
	}
	charge := o.charge
	return &charge
}

func (o *outage) exported() Outage {
	return Outage{
		ID: o.id, Unit: o.unit, From: o.from, To: o.to,
		LowestCharge: o.lowestCharge(), Energy: o.wattHours(),
	}
}
