package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
)

// severity is a [tripplite.Severity], or one of the two that only a plugin has. Its numbers are the
// exit statuses of a plugin.
type severity int

const (
	okay severity = iota
	warning
	critical
	unknown
)

func (s severity) String() string { return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s] }

func severityOf(a tripplite.Alert) severity {
	if a.Severity == tripplite.Critical {
		return critical
	}
	return warning
}

// condition says where the power comes from, and what else a person likes to know.
func condition(s tripplite.State) []string {
	texts := []string{"line power unknown"}
	onBattery, _ := s.OnBattery()
	below := s.Status.BelowRemainingCapacityLimit
	if onBattery {
		texts[0] = "on battery"
		below = tripplite.ValueOf(false) // it is an alert then
	} else if s.Status.ACPresent.Or(false) {
		texts[0] = "on line power"
	}
	for _, note := range []struct {
		flag tripplite.Value[bool]
		text string
	}{
		{s.Status.Charging, "charging"},
		{s.Status.Discharging, "discharging"},
		{s.Status.FullyCharged, "fully charged"},
		{s.Status.Boost, "raising a low voltage"},
		{s.Status.Buck, "lowering a high voltage"},
		{below, "below the unit's capacity limit"},
	} {
		if note.flag.Or(false) {
			texts = append(texts, note.text)
		}
	}
	return texts
}

// headline returns the condition and the alerts of a State.
func headline(s tripplite.State) string {
	texts := condition(s)
	for _, a := range s.Alerts() {
		if !slices.Contains(texts, a.Text) {
			texts = append(texts, a.Text)
		}
	}
	return strings.Join(texts, ", ")
}

// summary returns a State in one line, without the path of its unit.
func summary(s tripplite.State) string {
	s.Path = ""
	return printable(s.String())
}

// span writes a run time as people say it.
func span(d time.Duration) string {
	switch hours, minutes, seconds := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60; {
	case hours > 0:
		return fmt.Sprintf("%d h %02d min", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%d min %02d s", minutes, seconds)
	default:
		return fmt.Sprintf("%d s", seconds)
	}
}
