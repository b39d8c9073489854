package events

import (
	"context"
	"errors"
	"time"

	"github.com/tripplite-go/tripplite"
)

// Tracker finds the events in the readings of one unit. What flaps is no event: a change has to
// last. It never tells the same twice in a row. It is for one goroutine.
//
// A State on line power is no news when it is the first. On battery it is, and so are a battery
// that needs replacement and a test that failed: whoever starts this program should know. So they
// are told once more when it starts anew.
type Tracker struct {
	Path, Name string
	// Hold is how long power must have failed, or be back, or the battery be low, before it is told.
	// 0 is [DefaultHold].
	Hold time.Duration
	// LowCharge in percent and LowRunTime are when the battery is low, beside what the unit's own
	// flags say. 0 is not at all.
	LowCharge  float64
	LowRunTime time.Duration

	rule      tripplite.OnBattery
	hasAC     bool            // the unit has reported ACPresent
	last      tripplite.State // the last whole one
	showed    bool            // the last State that tells was on battery
	onBattery bool            // OnBattery was the last of the two that was told
	failed    time.Time       // when that outage began

	low, replace, overload condition

	lostSince time.Time // when it began not to answer; zero while it does
	lost      bool      // Lost was the last of the two that was told
	lostAt    time.Time // when that loss began
	answers   time.Time // since when it has answered, if it was lost

	testFailed bool
}

// DefaultHold outlasts the flapping of flags around a transfer, of a second or so.
const DefaultHold = 3 * time.Second

const (
	// noACHold outlasts a battery test of a unit that tells by Discharging alone.
	noACHold = time.Minute
	// replaceHold and overloadOver are long since there is no hurry, and a load that is around the
	// limit, or a test, turns the flags on and off.
	replaceHold  = time.Minute
	overloadOver = time.Minute
	// A unit that nobody listens to leaves the bus about every 15 s and is back some seconds later.
	// On battery each second counts; on line power a loss is worth a message only when it is not one
	// of these.
	lostOnBattery = 15 * time.Second
	lostOnLine    = time.Minute
	// backAfter keeps a loose plug from being told each time.
	backAfter = 15 * time.Second

	never = time.Duration(1<<63 - 1)
)

func (t *Tracker) hold() time.Duration {
	if t.Hold > 0 {
		return t.Hold
	}
	return DefaultHold
}

// Observe takes a reading and returns what it shows to have happened, the oldest first.
func (t *Tracker) Observe(state tripplite.State, err error, now time.Time) []Event {
	switch {
	case !tripplite.HasState(err):
		if !isLoss(err) {
			return nil
		}
		t.answers = time.Time{}
		if t.lostSince.IsZero() {
			t.lostSince = now
		}
		t.rule.Observe(state, err)
		return t.At(now)
	case state.Time.IsZero():
		return nil
	}
	t.lostSince = time.Time{}
	if t.lost && t.answers.IsZero() {
		t.answers = state.Time
	}
	if !state.Announced {
		t.last = state
	}
	if on, known := state.OnBattery(); known {
		t.showed = on
	}
	_, known := state.Status.ACPresent.Get()
	t.hasAC = t.hasAC || known

	power := t.power(state, err)
	var happened []Event
	if t.lost && (len(power) > 0 || state.Time.Sub(t.answers) >= backAfter) {
		happened = append(happened, t.back())
	}
	return append(append(happened, power...), t.conditions(state)...)
}

// isLoss reports whether an error says that the unit does not answer. Whoever ends a read, or
// closes the unit, has not lost it.
func isLoss(err error) bool {
	return !errors.Is(err, context.Canceled) && !errors.Is(err, tripplite.ErrClosed)
}

// power follows the line power.
func (t *Tracker) power(state tripplite.State, err error) []Event {
	t.rule.Hold = t.hold()
	if !t.hasAC {
		t.rule.Hold = max(t.rule.Hold, noACHold)
	}
	t.rule.Observe(state, err)
	on, known := t.rule.Get()
	if !known || on == t.onBattery {
		return nil
	}
	t.onBattery = on
	since := t.rule.Since()
	shown := t.last
	if shown.Time.Before(since) {
		shown = tripplite.State{} // no reading from before an event stands beside it
	}
	if on {
		t.failed = since
		return []Event{t.event(OnBattery, since, sentence("On battery", ": ", textOf(shown)))}
	}
	t.low = condition{}
	text := "Line power is back after " + DurationText(since.Sub(t.failed))
	return []Event{t.event(OnLine, since, sentence(text, "; ", chargeText(shown)))}
}

// conditions follows what else a State tells.
func (t *Tracker) conditions(state tripplite.State) []Event {
	var happened []Event
	hold := t.hold()
	if !t.onBattery {
		hold = never // but it may have begun before the failure is believed
	}
	if low, known := t.isLow(state); known && !t.low.told && t.low.observe(low, state.Time, hold, 0) {
		happened = append(happened, t.event(BatteryLow, t.low.since,
			sentence("Battery low", ": ", textOf(t.last))))
	}
	if overload, known := isOverload(state); known &&
		t.overload.observe(overload, state.Time, t.hold(), overloadOver) {
		kind, text := OverloadOver, "The overload is over"
		if overload {
			kind, text = Overload, "Overload"
		}
		happened = append(happened,
			t.event(kind, t.overload.since, sentence(text, ": ", loadText(t.last))))
	}
	if replace, known := state.Status.NeedReplacement.Get(); known &&
		t.replace.observe(replace, state.Time, replaceHold, replaceHold) {
		kind, text := BatteryGood, "The UPS no longer asks for a new battery."
		if replace {
			kind, text = ReplaceBattery, "The UPS asks for a new battery."
		}
		happened = append(happened, t.event(kind, t.replace.since, text))
	}
	return happened
}

// isLow reports whether a State says that the battery is low, if it tells. Of line power these
// flags say that the battery is being charged.
func (t *Tracker) isLow(state tripplite.State) (low, known bool) {
	if on, tells := state.OnBattery(); tells && !on {
		return false, true
	}
	for _, flag := range []tripplite.Value[bool]{
		state.Status.ShutdownImminent, state.Status.RemainingTimeLimitExpired,
		state.Status.BelowRemainingCapacityLimit,
	} {
		is, has := flag.Get()
		low, known = low || is, known || has
	}
	if charge, has := state.RemainingCapacity.Get(); has && t.LowCharge > 0 {
		low, known = low || charge < t.LowCharge, true
	}
	if left, has := state.RunTimeToEmpty.Get(); has && t.LowRunTime > 0 {
		low, known = low || left < t.LowRunTime, true
	}
	// An announced State holds flags alone: by it the limits may be reached all the same.
	return low, known && (low || !state.Announced)
}

// isOverload reports whether a State shows an overload, if it tells.
func isOverload(state tripplite.State) (overload, known bool) {
	overload, known = state.Status.Overload.Get()
	if load, has := state.Output.PercentLoad.Get(); has {
		overload, known = overload || load > 100, true
	}
	return overload, known && (overload || !state.Announced)
}

// Test takes the result of the last battery test, as the settings tell it. One that failed is told
// when it is first seen, and again only after a test that passed.
func (t *Tracker) Test(result tripplite.TestResult, now time.Time) []Event {
	switch result {
	case tripplite.TestPassed, tripplite.TestNone:
		t.testFailed = false
	case tripplite.TestWarning, tripplite.TestError:
		if t.testFailed {
			return nil
		}
		t.testFailed = true
		text := "The last battery test failed."
		if result == tripplite.TestWarning {
			text = "The last battery test ended with a warning."
		}
		return []Event{t.event(TestFailed, now, text)}
	}
	return nil
}

// At returns what has happened since by time alone, such as that a unit has been lost for so long
// that somebody should know. It is to be called every second or so.
func (t *Tracker) At(now time.Time) []Event {
	if t.lostSince.IsZero() || t.lost {
		return nil
	}
	limit, text := lostOnLine, "The UPS does not answer."
	if t.onBattery || t.showed {
		limit = lostOnBattery
		var values string
		if on, _ := t.last.OnBattery(); on {
			values = textOf(t.last)
		}
		text = sentence("The UPS does not answer; it was on battery", ", ", values)
	}
	if now.Sub(t.lostSince) < limit {
		return nil
	}
	t.lost, t.lostAt = true, t.lostSince
	return []Event{t.event(Lost, t.lostAt, text)}
}

func (t *Tracker) back() Event {
	at := t.answers
	t.lost, t.answers = false, time.Time{}
	return t.event(Back, at,
		"The UPS answers again after "+DurationText(at.Sub(t.lostAt))+".")
}

// OnBattery returns whether the load is believed to run on battery, since when, and whether
// anything is believed.
func (t *Tracker) OnBattery() (onBattery bool, since time.Time, known bool) {
	onBattery, known = t.rule.Get()
	return onBattery, t.rule.Since(), known
}

func (t *Tracker) event(kind Kind, at time.Time, text string) Event {
	return Event{Time: at, Path: t.Path, Name: t.Name, Kind: kind, Text: text, State: t.last}
}
