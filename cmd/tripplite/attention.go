package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
)

// severity is how bad something is. Its numbers are the exit statuses of a plug-in.
type severity int

const (
	okay severity = iota
	warning
	critical
	unknown
)

func (s severity) String() string { return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s] }

// attention is something that has to be seen to.
type attention struct {
	severity severity
	text     string
	holds    func(tripplite.State) bool
}

// attentions are all of them, the worst first. Critical is what has taken the load's power, or may do so at any moment; a warning is
// what leaves time.
var attentions = []attention{
	{critical, "shutdown imminent", is(func(s tripplite.Status) flag { return s.ShutdownImminent })},
	{critical, "waiting for mains to switch the load on", is(func(s tripplite.Status) flag { return s.AwaitingPower })},
	{critical, "internal failure", is(func(s tripplite.Status) flag { return s.InternalFailure })},
	{critical, "overload", is(func(s tripplite.Status) flag { return s.Overload })},
	{critical, "too hot", is(func(s tripplite.Status) flag { return s.OverTemperature })},
	{critical, "no battery", func(s tripplite.State) bool { return !s.Status.BatteryPresent.Or(true) }},
	{critical, "battery empty", is(func(s tripplite.Status) flag { return s.FullyDischarged })},
	{critical, "battery low", lowBattery},
	{warning, "on battery", onBattery},
	{warning, "replace battery", is(func(s tripplite.Status) flag { return s.NeedReplacement })},
	{warning, "shutdown requested", is(func(s tripplite.Status) flag { return s.ShutdownRequested })},
	{warning, "input voltage out of range", is(func(s tripplite.Status) flag { return s.VoltageOutOfRange })},
	{warning, "input frequency out of range", is(func(s tripplite.Status) flag { return s.FrequencyOutOfRange })},
	{warning, "the parts of the UPS do not hear each other", is(func(s tripplite.Status) flag { return s.CommunicationLost })},
}

type flag = tripplite.Value[bool]

func is(which func(tripplite.Status) flag) func(tripplite.State) bool {
	return func(s tripplite.State) bool { return which(s.Status).Or(false) }
}

// needed returns what has to be seen to, the worst first.
func needed(s tripplite.State) (found []attention) {
	for _, a := range attentions {
		if a.holds(s) {
			found = append(found, a)
		}
	}
	return found
}

// mains says whether there is mains power, if the unit tells.
func mains(s tripplite.State) (present, known bool) {
	var rule tripplite.OnBattery
	rule.Observe(s, nil)
	onBattery, known := rule.Get()
	return known && !onBattery, known
}

func onBattery(s tripplite.State) bool {
	present, known := mains(s)
	return known && !present
}

// lowBattery believes the unit's own limits on battery only: a unit is known that is below them at 100 % on mains.
func lowBattery(s tripplite.State) bool {
	return onBattery(s) && (s.Status.BelowRemainingCapacityLimit.Or(false) || s.Status.RemainingTimeLimitExpired.Or(false))
}

// notes are what a person likes to know and need not see to.
var notes = []attention{
	{okay, "charging", is(func(s tripplite.Status) flag { return s.Charging })},
	{okay, "discharging", is(func(s tripplite.Status) flag { return s.Discharging })},
	{okay, "fully charged", is(func(s tripplite.Status) flag { return s.FullyCharged })},
	{okay, "raising a low voltage", is(func(s tripplite.Status) flag { return s.Boost })},
	{okay, "lowering a high voltage", is(func(s tripplite.Status) flag { return s.Buck })},
	{okay, "below the unit's capacity limit", func(s tripplite.State) bool {
		return s.Status.BelowRemainingCapacityLimit.Or(false) && !lowBattery(s)
	}},
}

// condition is the state of mains and battery in a few words.
func condition(s tripplite.State) []string {
	texts := []string{"mains unknown"}
	if present, known := mains(s); known {
		texts[0] = "on battery"
		if present {
			texts[0] = "on mains"
		}
	}
	for _, n := range notes {
		if n.holds(s) {
			texts = append(texts, n.text)
		}
	}
	return texts
}

// measure writes a number with its unit, or nothing.
func measure(v tripplite.Value[float64], unit string) string {
	value, known := v.Get()
	if !known {
		return ""
	}
	return number(value) + " " + unit
}

// span writes a run time as people say it, or nothing.
func span(v tripplite.Value[time.Duration]) string {
	d, known := v.Get()
	switch hours, minutes, seconds := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60; {
	case !known:
		return ""
	case hours > 0:
		return fmt.Sprintf("%d h %02d min", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%d min %02d s", minutes, seconds)
	default:
		return fmt.Sprintf("%d s", seconds)
	}
}

// known joins the texts that are not empty.
func known(separator string, texts ...string) string {
	var some []string
	for _, text := range texts {
		if text != "" {
			some = append(some, text)
		}
	}
	return strings.Join(some, separator)
}

// labelled puts a label before a text that is not empty.
func labelled(label, text string) string {
	if text == "" {
		return ""
	}
	return label + " " + text
}

// summary is a State in one line.
func summary(s tripplite.State) string {
	texts := condition(s)[:1]
	for _, a := range needed(s) {
		if a.text != texts[0] {
			texts = append(texts, a.text)
		}
	}
	return known(", ", strings.Join(texts, ", "),
		labelled("charge", measure(s.RemainingCapacity, "%")),
		labelled("runtime", span(s.RunTimeToEmpty)),
		labelled("load", measure(s.Output.PercentLoad, "%")),
		labelled("input", measure(s.Input.Voltage, "V")),
		labelled("output", measure(s.Output.Voltage, "V")),
	)
}
