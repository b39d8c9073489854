package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/tripplite-go/tripplite"
)

type statusCommand struct{}

func (statusCommand) Run(s *session) error { return s.withBank(s.status) }

func (s *session) status(units source) (failure error) {
	readings, err := s.readings(units, readTimeout)
	if err != nil {
		return err
	}
	var blocks []string
	for _, r := range readings {
		if s.warnPartial(r.Err) != nil {
			failure = exitFailure
		}
		blocks = append(blocks, block(r))
	}
	_, err = io.WriteString(s.stdout, forWriter(s.stdout, strings.Join(blocks, "\n")))
	return cmp.Or(err, failure)
}

// readings reads every unit. That there is none is an error.
func (s *session) readings(units source, timeout time.Duration) ([]tripplite.Reading, error) {
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	readings, err := units.Get(ctx)
	if err == nil && len(readings) == 0 {
		err = tripplite.ErrNotFound
	}
	return readings, err
}

// block returns one unit as a table: a heading, what needs attention, the readings in two columns.
func block(r tripplite.Reading) string {
	id := ""
	if r.Info.VendorID != 0 {
		id = idOf(r.Info)
	}
	heading := joined("  ", paint(bold, printable(r.Info.Path)),
		printable(joined("  ", r.Info.Model(), id, r.Info.Family)))
	text := ansi.Truncate(heading, columns, "…") + "\n\n"
	if !tripplite.HasState(r.Err) {
		lines := wrap(printable("NO READING: "+reason(r.Err)), columns-4, "")
		return text + "  " + paint(colours[unknown], "! "+strings.Join(lines, "\n    ")) + "\n"
	}
	alerts, notes := r.State.Alerts(), condition(r.State)
	for _, a := range alerts {
		text += "  " + paint(colours[severityOf(a)], "! "+strings.ToUpper(a.Text)) + "\n"
	}
	if onBattery, _ := r.State.OnBattery(); onBattery {
		notes = notes[1:] // said above
	}
	said := strings.Join(wrap(strings.Join(notes, ", "), columns-2, ""), "\n  ")
	if alerts == nil {
		said = paint(colours[okay], said)
	}
	if said != "" {
		text += "  " + said + "\n"
	}
	return text + "\n" + columnsOf(r.State)
}

// columnsOf returns the readings of a State in two columns, and what the unit is built for.
func columnsOf(state tripplite.State) string {
	readings := map[string]string{}
	for f, d := range state.All() {
		readings[f.Key] = printable(f.Text(d))
	}
	known := func(keys ...string) string {
		for i, key := range keys {
			keys[i] = readings[key]
		}
		return joined(", ", keys...)
	}
	text := ""
	for _, row := range [][4]string{
		{"Charge", known("health"), "Input", known("input.voltage", "input.frequency")},
		{"Runtime", known("time to empty"),
			"Output", known("output.voltage", "output.frequency", "output.current")},
		{"Load", known("output.load", "output.power"),
			"Battery", known("battery.voltage", "battery.temperature")},
	} {
		text += fmt.Sprintf("  %-10s%-20s%-10s%s\n", row[0], orDash(row[1]), row[2], orDash(row[3]))
	}
	battery := readings["config.battery voltage"]
	if battery != "" {
		battery = "battery " + battery
	}
	nominal := joined(", ", known("config.voltage", "config.frequency", "config.power"), battery)
	if nominal != "" {
		text += "  Nominal   " + nominal + "\n"
	}
	return text
}

// severity is a [tripplite.Severity], or one of the two that only a plugin has. The worst is last.
type severity int

const (
	okay severity = iota
	unknown
	warning // one more than that of the library
	critical
)

func (s severity) String() string { return [...]string{"OK", "UNKNOWN", "WARNING", "CRITICAL"}[s] }

// exit is the status of a plugin.
func (s severity) exit() exit { return [...]exit{okay: 0, warning: 1, critical: 2, unknown: 3}[s] }

func severityOf(a tripplite.Alert) severity { return severity(a.Severity) + 1 }

// condition says where the power comes from, and what else a person likes to know.
func condition(s tripplite.State) []string {
	texts := []string{"line power unknown"}
	onBattery, known := s.OnBattery()
	if onBattery {
		texts[0] = "on battery"
	} else if known {
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
	} {
		if note.flag.Or(false) {
			texts = append(texts, note.text)
		}
	}
	if s.Status.BelowRemainingCapacityLimit.Or(false) && !onBattery { // then it is an alert
		texts = append(texts, "below the unit's capacity limit")
	}
	return texts
}

// headline returns the condition and the alerts of a unit, or why it is not read.
func headline(r tripplite.Reading) string {
	if !tripplite.HasState(r.Err) {
		return "no reading: " + reason(r.Err)
	}
	texts := condition(r.State)
	for _, a := range r.State.Alerts() {
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
