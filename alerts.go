package tripplite

import (
	"fmt"
	"slices"
	"strings"
	"time"
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
	// Text says the same to people.
	Text string
}

// alerts is the only list of what needs attention, the worst first.
var alerts = []struct {
	Alert
	holds func(*State) bool
}{
	{Alert{Critical, "shutdown-imminent", "shutdown imminent"},
		func(s *State) bool { return s.Status.ShutdownImminent.Or(false) }},
	{Alert{Critical, "awaiting-power", "waiting for line power to switch the load on"},
		func(s *State) bool { return s.Status.AwaitingPower.Or(false) }},
	{Alert{Critical, "output-off", "the output is off"},
		func(s *State) bool { return !s.Output.On.Or(true) }},
	{Alert{Critical, "internal-failure", "internal failure"},
		func(s *State) bool { return s.Status.InternalFailure.Or(false) }},
	{Alert{Critical, "overload", "overload"},
		func(s *State) bool { return s.Status.Overload.Or(false) }},
	{Alert{Critical, "over-temperature", "over temperature"},
		func(s *State) bool { return s.Status.OverTemperature.Or(false) }},
	{Alert{Critical, "no-battery", "no battery"},
		func(s *State) bool { return !s.Status.BatteryPresent.Or(true) }},
	{Alert{Critical, "battery-empty", "battery empty"},
		func(s *State) bool { return s.Status.FullyDischarged.Or(false) }},
	{Alert{Critical, "battery-low", "battery low"}, (*State).lowBattery},
	{Alert{Warning, "on-battery", "on battery"}, (*State).runsOnBattery},
	{Alert{Warning, "replace-battery", "replace battery"},
		func(s *State) bool { return s.Status.NeedReplacement.Or(false) }},
	{Alert{Warning, "shutdown-requested", "shutdown requested"},
		func(s *State) bool { return s.Status.ShutdownRequested.Or(false) }},
	{Alert{Warning, "voltage-out-of-range", "input voltage out of range"},
		func(s *State) bool { return s.Status.VoltageOutOfRange.Or(false) }},
	{Alert{Warning, "frequency-out-of-range", "input frequency out of range"},
		func(s *State) bool { return s.Status.FrequencyOutOfRange.Or(false) }},
	{Alert{Warning, "communication-lost", "internal communication lost"},
		func(s *State) bool { return s.Status.CommunicationLost.Or(false) }},
}

// Alerts returns what needs attention by this one State, the worst first. Flags flap around a
// transfer: an alarm that wakes people wants [OnBattery].
func (s State) Alerts() []Alert {
	var found []Alert
	for i := range alerts {
		if alerts[i].holds(&s) {
			found = append(found, alerts[i].Alert)
		}
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

func (s *State) runsOnBattery() bool {
	onBattery, known := s.OnBattery()
	return known && onBattery
}

// lowBattery believes the limits of the unit on battery only: on line power the battery charges.
func (s *State) lowBattery() bool {
	return s.runsOnBattery() &&
		(s.Status.BelowRemainingCapacityLimit.Or(false) || s.Status.RemainingTimeLimitExpired.Or(false))
}

// String returns the State in one line for people: where the power comes from, what needs
// attention, and the readings that matter most.
func (s State) String() string {
	if s.Time.IsZero() {
		return "no reading"
	}
	texts := []string{"line power unknown"}
	if s.runsOnBattery() {
		texts[0] = "on battery"
	} else if s.Status.ACPresent.Or(false) {
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
		text, known := d.text()
		if left, ok := d.(*Value[time.Duration]); ok {
			text = spanOf(left.v)
		} else {
			text += " " + f.Unit
		}
		if known {
			texts = append(texts, r.label+" "+text)
		}
	}
	if s.Path != "" {
		return s.Path + ": " + strings.Join(texts, ", ")
	}
	return strings.Join(texts, ", ")
}

// spanOf writes a run time as people say it.
func spanOf(d time.Duration) string {
	switch hours, minutes, seconds := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60; {
	case hours > 0:
		return fmt.Sprintf("%d h %02d min", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%d min %02d s", minutes, seconds)
	default:
		return fmt.Sprintf("%d s", seconds)
	}
}
