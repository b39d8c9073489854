package tripplite

import "time"

// OnBattery decides for an alarm whether a load runs on battery. It believes a change only when it has lasted, since flags flap around a
// transfer, and it never takes a lost unit for a power failure: USB drops just when mains fails or returns. It reads no clock and does
// no I/O. The zero OnBattery believes changes at once, starts with nothing known, and is for one unit and one goroutine.
type OnBattery struct {
	// Hold is how long a change must last, from the State that first shows it to a later one that still does. A few seconds serve.
	Hold time.Duration

	known, now   bool // what is believed, and whether anything is
	changing     bool // whether States show the contrary
	changedSince time.Time
}

// Observe takes the results of a [Battery.Get] or a [Battery.Watch], as in rule.Observe(b.Get(ctx)), and says whether it changed what
// is believed: true when power fails and when it returns, and for the first State that tells. An error without a State changes nothing:
// neither does it confirm a change that is waiting to be believed, nor does it take one back.
func (o *OnBattery) Observe(state State, _ error) (changed bool) {
	onBattery, ok := runsOnBattery(state.Status)
	switch {
	case state.Time.IsZero(), !ok:
		return false
	case !o.known:
		o.known, o.now = true, onBattery
		return true
	case onBattery == o.now:
		o.changing = false
		return false
	case !o.changing:
		o.changing, o.changedSince = true, state.Time
	}
	if state.Time.Sub(o.changedSince) < o.Hold {
		return false
	}
	o.now, o.changing = onBattery, false
	return true
}

// Get returns whether the load is believed to run on battery, and whether anything is believed yet.
func (o *OnBattery) Get() (onBattery, known bool) { return o.now, o.known }

// runsOnBattery is what one status says, if it says anything. A unit without ACPresent runs on battery while it discharges.
func runsOnBattery(s Status) (onBattery, ok bool) {
	if ac, known := s.ACPresent.Get(); known {
		return !ac, true
	}
	return s.Discharging.Get()
}
