package tripplite

import (
	"errors"
	"time"
)

// OnBattery decides for an alarm whether a load runs on battery. It believes a change only when
// it has lasted, since flags flap around a transfer. It never takes a lost unit for a power
// failure: USB drops just when line power fails or returns. It reads no clock and does no I/O. It
// is for one unit and one goroutine. The zero OnBattery believes changes at once and starts with
// nothing known.
//
// A State tells by ACPresent. Of a unit that never reports ACPresent a whole State tells by
// Discharging, which a battery test sets too: a Hold of a minute outlasts one.
type OnBattery struct {
	// Hold is how long a change must last, from the State that first shows it to a later one that
	// still does. That goes for the first State as well. A few seconds serve.
	Hold time.Duration

	known, now bool      // whether anything is believed, and what
	since      time.Time // of the State that first showed it
	lost       bool      // the unit was lost since the last State
	resumed    bool      // an earlier run of the program believed it, and no State has told yet

	changing     bool // States show something else than what is believed
	changesTo    bool
	changedSince time.Time

	hasAC bool // the unit has reported ACPresent
}

// Observe takes the results of a [Battery.Get] or a [Battery.Watch], as in
// rule.Observe(b.Get(ctx)). It reports whether it changed what is believed: when power fails,
// when it returns, and when the first States have told for long enough. An error without a State
// changes nothing: it neither confirms a change that waits to be believed, nor takes one back.
//
// An announced State may begin a change, or confirm one with later whole ones; it takes none
// back. So a unit whose announcements and answers disagree is believed when it is asked.
func (o *OnBattery) Observe(state State, err error) (changed bool) {
	if !HasState(err) || state.Time.IsZero() {
		o.lost = o.lost || errors.Is(err, ErrDisconnected) || errors.Is(err, ErrNotFound)
		return false
	}
	o.lost = false
	onBattery, ok := o.read(state, err)
	switch {
	case !ok:
		return false
	case o.resumed && onBattery:
		o.resumed = false
		if o.since.After(state.Time) { // by a clock that was wrong
			o.since = state.Time
		}
		return false
	case o.resumed && state.Announced:
		return false
	case o.resumed:
		o.resumed, o.now, o.since = false, false, state.Time
		return true
	case o.known && onBattery == o.now:
		if !state.Announced {
			o.changing = false
		}
		return false
	case o.changing && onBattery != o.changesTo:
		if state.Announced {
			return false
		}
		o.changing = false
	}
	if !o.changing {
		o.changing, o.changesTo, o.changedSince = true, onBattery, state.Time
	}
	if state.Time.Sub(o.changedSince) < o.Hold {
		return false
	}
	o.known, o.now, o.since, o.changing = true, onBattery, o.changedSince, false
	return true
}

// read returns what one State says, if it says anything.
func (o *OnBattery) read(state State, err error) (onBattery, ok bool) {
	if ac, known := state.Status.ACPresent.Get(); known {
		o.hasAC = true
		return !ac, true
	}
	if o.hasAC || state.Announced || err != nil {
		return false, false
	}
	return state.Status.Discharging.Get()
}

// Get returns whether the load is believed to run on battery, and whether anything is believed yet.
func (o *OnBattery) Get() (onBattery, known bool) { return o.now, o.known }

// Since returns the Time of the State that first showed what is believed now. It is zero while
// nothing is believed.
func (o *OnBattery) Since() time.Time { return o.since }

// Shows returns what the States show now, believed or not, and since when: a change that waits to
// be believed, or else what is believed.
func (o *OnBattery) Shows() (onBattery bool, since time.Time, known bool) {
	if o.changing {
		return o.changesTo, o.changedSince, true
	}
	return o.now, o.since, o.known
}

// LostOnBattery reports whether the unit was lost while the States showed that its load runs on
// battery, and has not been back since. One State suffices, though nothing is believed yet: USB
// drops just when line power fails. That is neither a power failure nor proof of line power:
// whoever shuts computers down has to decide what it means.
func (o *OnBattery) LostOnBattery() bool {
	onBattery, _, _ := o.Shows()
	return o.lost && onBattery
}

// Resume goes on with a power failure that an earlier run of the program believed. Call it before
// the first Observe. Until there is a State, the unit counts as lost on battery. The first State
// that tells is believed at once: if it shows battery, the failure has lasted since then; if it is
// whole and shows line power, the failure is over.
func (o *OnBattery) Resume(since time.Time) {
	o.known, o.now, o.since, o.lost, o.resumed = true, true, since, true, true
}
