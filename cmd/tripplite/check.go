package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
)

type checkCommand struct {
	Warning  []limit `short:"w" placeholder:"NAME=RANGE" help:"Warn outside of RANGE."`
	Critical []limit `short:"c" placeholder:"NAME=RANGE" help:"The same for critical."`
	Lost     string  `enum:"unknown,warning,critical" default:"unknown" help:"${lost}"`
	Timeout  seconds `short:"t" default:"15" placeholder:"TIME" help:"${timeout}"`
}

// Help says what is what, and how ranges are written.
func (checkCommand) Help() string {
	return `Prints one line with performance data and exits with 0 OK, 1 WARNING, 2 CRITICAL or
3 UNKNOWN, as the Monitoring Plugins Development Guidelines have it. Of several units the worst
counts: critical, warning, unknown, OK.

Without thresholds: critical is what has taken the load's power or may do so at any moment (shutdown
imminent, output off, battery low or empty, no battery, overload, over temperature, internal
failure). Warning is what leaves time (on battery, replace battery, shutdown requested, input out of
range, internal communication lost). A UPS that cannot be read, or does not say whether there is
line power, is UNKNOWN. A lost unit is no power failure: --lost says what it is.

NAME is ` + strings.Join(limitWords(), ", ") + `, or the key of another number.
RANGE is 10 (alert outside of 0 to 10), 10: (alert below 10), ~:10 (alert above 10), 10:20 (alert
outside), @10:20 (alert inside). A threshold for a value that the unit does not report is UNKNOWN.`
}

// finding is one thing that a check says.
type finding struct {
	severity severity
	text     string
}

func (c checkCommand) run(s *session) error {
	units, err := s.bank()
	if err != nil {
		return err
	}
	defer units.Close()
	return c.check(s, units)
}

func (c checkCommand) check(s *session, units source) error {
	readings, err := s.readings(units, time.Duration(c.Timeout))
	if err != nil {
		return s.conclude([]finding{{c.severityOfError(err), s.text(err)}}, nil, nil)
	}
	var found []finding
	var summaries, data []string
	for _, r := range readings {
		if err := s.warnPartial(r.Err); err != nil {
			found = append(found, finding{c.severityOfError(err), r.Info.Path + ": " + reason(err)})
			continue
		}
		prefix, label := "", ""
		if len(readings) > 1 {
			prefix, label = r.Info.Path+": ", r.Info.Path+" "
		}
		for _, f := range c.judge(r.State) {
			found = append(found, finding{f.severity, prefix + f.text})
		}
		var shown []string
		if r.State.Status.ACPresent.Or(false) {
			shown = append(shown, "on line power")
		}
		for _, m := range c.measures(r.State) {
			if slices.Contains([]string{"charge", "runtime", "load"}, m.name) {
				shown = append(shown, m.name+" "+m.text)
			}
			data = append(data, fmt.Sprintf("%s=%s;%s;%s;%s", quoted(label+m.name), m.text,
				rangeOf(c.Warning, m.field), rangeOf(c.Critical, m.field), m.bounds))
		}
		summaries = append(summaries, prefix+strings.Join(shown, ", "))
	}
	return s.conclude(found, summaries, data)
}

// severityOfError tells a lost unit from one that this program may not read, which says nothing of
// the unit.
func (c checkCommand) severityOfError(err error) severity {
	lost := errors.Is(err, tripplite.ErrDisconnected) || errors.Is(err, tripplite.ErrNotFound) ||
		errors.Is(err, context.DeadlineExceeded)
	switch {
	case lost && c.Lost == "critical":
		return critical
	case lost && c.Lost == "warning":
		return warning
	}
	return unknown
}

// judge returns what is wrong with a unit.
func (c checkCommand) judge(state tripplite.State) (found []finding) {
	for _, a := range state.Alerts() {
		found = append(found, finding{severityOf(a), a.Text})
	}
	_, known := state.Status.ACPresent.Get()
	if onBattery, _ := state.OnBattery(); !known && !onBattery {
		found = append(found, finding{unknown, "the UPS does not say whether there is line power"})
	}
	alerted := map[string]bool{}
	for i, l := range slices.Concat(c.Critical, c.Warning) {
		value, known := state.Number(l.field.Key)
		severity := critical
		if i >= len(c.Critical) {
			severity = warning
		}
		name := names(l.field)[0]
		switch {
		case alerted[l.field.Key]:
		case !known:
			text := "the UPS does not report " + name + ", which has a threshold"
			found = append(found, finding{unknown, text})
		case l.alerts(value):
			text := fmt.Sprintf("%s %s is not within %s", name, measured(l.field, value), l.text)
			found = append(found, finding{severity, text})
		default:
			continue
		}
		alerted[l.field.Key] = true
	}
	return found
}

// measure is a value in the terms of performance data.
type measure struct {
	field              tripplite.Field
	name, text, bounds string
}

// measures returns the values of a State that have a word or a threshold.
func (c checkCommand) measures(state tripplite.State) (found []measure) {
	for _, f := range tripplite.Fields() {
		value, known := state.Number(f.Key)
		limited := rangeOf(c.Warning, f) != "" || rangeOf(c.Critical, f) != ""
		if !known || !limitable(f) || f.Word == "" && !limited {
			continue
		}
		bounds := "0;"
		switch {
		case f.Word == "charge":
			bounds = "0;100"
		case f.Unit == "°C":
			bounds = ";"
		}
		found = append(found, measure{f, names(f)[0], measured(f, value), bounds})
	}
	return found
}

// measured writes a value with its unit, where the guidelines know that.
func measured(f tripplite.Field, value float64) string {
	text := strconv.FormatFloat(value, 'f', -1, 64)
	if f.Unit == "%" || f.Unit == "s" {
		text += f.Unit
	}
	return text
}

// ranks orders severities when several units or values are judged.
var ranks = [...]int{okay: 0, unknown: 1, warning: 2, critical: 3}

// conclude prints the line of a plugin and returns its status.
func (s *session) conclude(found []finding, summaries, data []string) exit {
	worstFirst := func(a, b finding) int { return ranks[b.severity] - ranks[a.severity] }
	slices.SortStableFunc(found, worstFirst)
	worst := okay
	var texts []string
	for i, f := range found {
		if i == 0 {
			worst = f.severity
		}
		texts = append(texts, f.text)
	}
	text := joined("; ", strings.Join(texts, ", "), strings.Join(summaries, "; "))
	text = strings.ReplaceAll(text, "|", "/") // which begins the performance data
	line := fmt.Sprintf("UPS %v - %s", worst, text)
	if data != nil {
		line += " | " + strings.Join(data, " ")
	}
	if _, err := fmt.Fprintln(s.stdout, printable(line)); err != nil {
		s.warn(err)
		return exit(unknown)
	}
	return exit(worst)
}

// quoted returns a label of performance data: it may have neither "=" nor "'", and needs quotes
// around spaces.
func quoted(label string) string {
	label = strings.NewReplacer("=", "_", "'", "_", "|", "_").Replace(label)
	if strings.Contains(label, " ") {
		return "'" + label + "'"
	}
	return label
}
