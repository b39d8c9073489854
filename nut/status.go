package nut

import (
	"strings"

	"github.com/tripplite-go/tripplite"
)

// status returns the words of ups.status in NUT's order. A unit that does not say whether it runs
// on battery has none: an empty status counts as a dead UPS.
func status(u *unit) (string, bool) {
	s := u.state.Status
	onBattery, known := u.state.OnBattery()
	if !known {
		return "", false
	}
	low := onBattery && u.low()
	var words []string
	for _, w := range []struct {
		word string
		is   bool
	}{
		{"FSD", u.fsd},
		{"ALARM", len(u.alarms()) > 0},
		{"CAL", u.settings.Test == tripplite.ValueOf(tripplite.TestInProgress)},
		{"OL", !onBattery},
		{"OB", onBattery},
		{"DISCHRG", s.Discharging.Or(false) && !s.FullyDischarged.Or(false)},
		// A 2012 charges in float with a full battery, too.
		{"CHRG", s.Charging.Or(false) && !s.FullyCharged.Or(false)},
		{"LB", low},
		{"OVER", s.Overload.Or(false)},
		{"RB", s.NeedReplacement.Or(false) || !s.BatteryPresent.Or(true)},
		{"TRIM", s.Buck.Or(false)},
		{"BOOST", s.Boost.Or(false)},
		{"OFF", !u.state.Output.On.Or(true)},
	} {
		if w.is {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, " "), true
}

// low reports whether the battery is low, by the unit's own flags or the limits that the user set.
// Beside OB it tells clients to shut down, so on line power it is never said: there these flags are
// about a battery that is being charged.
func (u *unit) low() bool {
	s := u.state.Status
	if s.ShutdownImminent.Or(false) || s.RemainingTimeLimitExpired.Or(false) ||
		s.BelowRemainingCapacityLimit.Or(false) {
		return true
	}
	charge, known := u.state.RemainingCapacity.Get()
	if known && charge < u.limits.Charge {
		return true
	}
	left, known := u.state.RunTimeToEmpty.Get()
	return known && left < u.limits.RunTime
}

// alarms returns what needs attention, but for what ups.status says in a word of its own and
// input.transfer.reason says: to have no valid input is what a 2012 says in every power failure.
func (u *unit) alarms() []string {
	var texts []string
	for _, a := range u.state.Alerts() {
		switch a.Name {
		case "on-battery", "battery-low", "overload", "output-off",
			"voltage-out-of-range", "frequency-out-of-range":
		default:
			texts = append(texts, a.Text)
		}
	}
	return texts
}

func alarm(u *unit) (string, bool) {
	texts := u.alarms()
	return strings.Join(texts, "! ") + "!", len(texts) > 0
}
