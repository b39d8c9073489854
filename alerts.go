package tripplite

import (
	"slices"
	"strings"
)

// Severity says how bad an [Alert] is.
type Severity int

// Critical is what has taken the load's power or may do so at any moment; Warning leaves time.
const (
	Warning Severity = iota + 1
	Critical
)

// String returns "warning" or "critical".
func (s Severity) String() string {
	if s == Critical {
		return "critical"
	}
	return "warning"
}

// Alert is something that needs attention.
type Alert struct {
	Severity Severity
	// Name is the same in every version, such as "on-battery".
	Name string
	// Text says the same to people. In that of "load-off" of a State is how long is left.
	Text string
}

// alerts is the only list of what needs attention, the worst first. An alert holds while the
// reading with its key is known and is what the row says.
var alerts = []struct {
	Alert
	key string
	is  bool
}{
	{Alert{Critical, "shutdown-imminent", "shutdown imminent"}, "status.shutdown imminent", true},
	{Alert{Critical, "load-off", "the load is about to be switched off"}, loadOff, true},
	{Alert{Critical, "awaiting-power", "waiting for line power to switch the load on"},
		"status.awaiting power", true},
	{Alert{Critical, "output-off", "the output is off"}, "output.on", false},
	{Alert{Critical, "internal-failure", "internal failure"}, "status.internal failure", true},
	{Alert{Critical, "overload", "overload"}, "status.overload", true},
	{Alert{Critical, "over-temperature", "over temperature"}, "status.over temperature", true},
	{Alert{Critical, "no-battery", "no battery"}, "status.battery present", false},
	{Alert{Critical, "battery-empty", "battery empty"}, "status.fully discharged", true},
	{Alert{Critical, "battery-low", "battery low"}, lowBattery, true},
	{Alert{Warning, "on-battery", "on battery"}, onBattery, true},
	{Alert{Warning, "replace-battery", "replace battery"}, "status.needs replacement", true},
	{Alert{Warning, "shutdown-requested", "shutdown requested"}, "status.shutdown requested", true},
	{Alert{Warning, "voltage-out-of-range", "input voltage out of range"},
		"status.voltage out of range", true},
	{Alert{Warning, "frequency-out-of-range", "input frequency out of range"},
		"status.frequency out of range", true},
	{Alert{Warning, "communication-lost", "internal communication lost"},
		"status.communication lost", true},
}

// These are no readings: they follow from several.
const onBattery, lowBattery, loadOff = "on battery", "low battery", "load off"

// holds reports whether a State says what a row of alerts asks for.
func (s *State) holds(key string, is bool) bool {
	switch key {
	case onBattery:
		on, known := s.OnBattery()
		return known && on
	case lowBattery: // the unit's own limits count on battery only: on line power it charges
		limits := s.Status.BelowRemainingCapacityLimit.Or(false) ||
			s.Status.RemainingTimeLimitExpired.Or(false)
		return limits && s.holds(onBattery, true)
	case loadOff: // also in its last second, which is 0
		return !s.DelayBeforeShutdown.IsZero()
	}
	n, known := s.Number(key)
	return known && (n != 0) == is
}

// Alerts returns what needs attention by this one State, the worst first. Flags flap around a
// transfer: an alarm that wakes people wants [OnBattery].
func (s State) Alerts() []Alert {
	var found []Alert
	for _, a := range alerts {
		if !s.holds(a.key, a.is) {
			continue
		}
		if a.key == loadOff {
			f := fieldOf(shutdownKey)
			a.Text = "load off in " + f.Text(Datum{f.at(&record{state: s})})
		}
		found = append(found, a.Alert)
	}
	return found
}

// Alerts lists every [Alert] that [State.Alerts] can return, the worst first.
func Alerts() []Alert {
	all := make([]Alert, len(alerts))
	for i := range alerts {
		all[i] = alerts[i].Alert
	}
	return all
}

// OnBattery reports whether the load runs on battery by this one State, if it tells: by
// ACPresent, or where the unit does not report that, by Discharging while it is true. Neither
// charging nor idle is proof of line power.
func (s State) OnBattery() (onBattery, known bool) {
	if ac, known := s.Status.ACPresent.Get(); known {
		return !ac, true
	}
	discharging := s.Status.Discharging.Or(false)
	return discharging, discharging
}

// String returns the State in one line for people: where the power comes from, what needs
// attention, and the readings that matter most.
func (s State) String() string {
	if s.Time.IsZero() {
		return "no reading"
	}
	texts := []string{"line power unknown"}
	if on, known := s.OnBattery(); on {
		texts[0] = "on battery"
	} else if known {
		texts[0] = "on line power"
	}
	for _, a := range s.Alerts() {
		if !slices.Contains(texts, a.Text) {
			texts = append(texts, a.Text)
		}
	}
	for _, r := range []struct{ label, key string }{
		{"charge", "health"}, {"runtime", "time to empty"}, {"load", "output.load"},
		{"input", "input.voltage"}, {"output", "output.voltage"},
	} {
		f := fieldOf(r.key)
		d := f.at(&record{state: s})
		if _, known := d.value(); known {
			texts = append(texts, r.label+" "+f.Text(Datum{d}))
		}
	}
	if s.Path != "" {
		return s.Path + ": " + strings.Join(texts, ", ")
	}
	return strings.Join(texts, ", ")
}
