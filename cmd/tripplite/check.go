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
	Warning  []limit `short:"w" placeholder:"NAME=RANGE" help:"Warn where a value is outside of its range: charge=50:,runtime=900:,load=80."`
	Critical []limit `short:"c" placeholder:"NAME=RANGE" help:"The same for critical."`
	Lost     string  `enum:"unknown,warning,critical" default:"unknown" placeholder:"STATE" help:"What a lost UPS is: unknown, warning or critical (default: ${default})."`
	Timeout  seconds `short:"t" default:"15" placeholder:"SECONDS" help:"Give up after so long; a number of seconds or a time such as 10s (default: ${default})."`
}

// Help says what is what, and how ranges are written.
func (checkCommand) Help() string {
	return `Prints one line with performance data and exits with 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN, as the Monitoring Plugins Development Guidelines have it; of several units the worst counts, critical before warning before unknown.

Without thresholds: critical is what has taken the load's power or may at any moment (shutdown imminent, battery low or empty, no battery, overload, too hot, internal failure); warning is what leaves time (on battery, replace battery, shutdown requested, input out of range). A UPS that cannot be read is UNKNOWN: a lost unit is no power failure.

NAME is ` + strings.Join(measureNames(), ", ") + `. RANGE is 10 (alert outside of 0 to 10), 10: (alert below 10), ~:10 (alert above 10), 10:20 (alert outside), @10:20 (alert inside). A threshold for a value that the unit does not report is UNKNOWN.`
}

// measured is a value that thresholds and performance data are for.
type measured struct {
	name, uom, min, max string // the unit of measurement is one that the guidelines know, or none
	value               func(tripplite.State) tripplite.Value[float64]
}

var measures = []measured{
	{"charge", "%", "0", "100", func(s tripplite.State) tripplite.Value[float64] { return s.RemainingCapacity }},
	{"runtime", "s", "0", "", func(s tripplite.State) tripplite.Value[float64] {
		if d, known := s.RunTimeToEmpty.Get(); known {
			return tripplite.ValueOf(d.Seconds())
		}
		return tripplite.Value[float64]{}
	}},
	{"load", "%", "0", "", func(s tripplite.State) tripplite.Value[float64] { return s.Output.PercentLoad }},
	{"power", "", "0", "", func(s tripplite.State) tripplite.Value[float64] { return s.Output.ActivePower }},
	{"input_voltage", "", "0", "", func(s tripplite.State) tripplite.Value[float64] { return s.Input.Voltage }},
	{"output_voltage", "", "0", "", func(s tripplite.State) tripplite.Value[float64] { return s.Output.Voltage }},
	{"battery_voltage", "", "0", "", func(s tripplite.State) tripplite.Value[float64] { return s.Battery.Voltage }},
	{"temperature", "", "", "", func(s tripplite.State) tripplite.Value[float64] { return s.Battery.Temperature }},
}

func measureNames() (names []string) {
	for _, m := range measures {
		names = append(names, m.name)
	}
	return names
}

// finding is one thing that a check says.
type finding struct {
	severity severity
	text     string
}

func (c checkCommand) run(s *session) int {
	units, err := s.bank()
	if err != nil {
		return s.conclude([]finding{{unknown, err.Error()}}, nil, nil)
	}
	defer units.Close()
	return c.check(s, units)
}

func (c checkCommand) check(s *session, units source) int {
	ctx, cancel := context.WithTimeout(s.ctx, time.Duration(c.Timeout))
	defer cancel()
	readings, err := readings(ctx, units)
	if err != nil {
		return s.conclude([]finding{{c.severityOf(err), err.Error()}}, nil, nil)
	}
	var found []finding
	var summaries, data []string
	for _, r := range readings {
		prefix, label := "", ""
		if len(readings) > 1 {
			prefix, label = r.Info.Path+": ", r.Info.Path+" "
		}
		if !hasState(r) {
			found = append(found, finding{c.severityOf(r.Err), r.Info.Path + ": " + why(r)})
			continue
		}
		_ = s.tell(r.Err)
		for _, f := range c.judge(r.State) {
			found = append(found, finding{f.severity, prefix + f.text})
		}
		summaries = append(summaries, prefix+checkSummary(r.State))
		for _, m := range measures {
			if v, known := m.value(r.State).Get(); known {
				data = append(data, fmt.Sprintf("%s=%s%s;%s;%s;%s;%s", quoted(label+m.name), number(v), m.uom,
					rangeFor(c.Warning, m.name), rangeFor(c.Critical, m.name), m.min, m.max))
			}
		}
	}
	return s.conclude(found, summaries, data)
}

// severityOf tells a lost unit from one that this program may not read, which is no matter of the unit's.
func (c checkCommand) severityOf(err error) severity {
	for _, lost := range []error{tripplite.ErrDisconnected, tripplite.ErrNotFound, context.DeadlineExceeded} {
		if errors.Is(err, lost) {
			return map[string]severity{"unknown": unknown, "warning": warning, "critical": critical}[c.Lost]
		}
	}
	return unknown
}

// judge returns what is wrong with a unit.
func (c checkCommand) judge(state tripplite.State) (found []finding) {
	for _, a := range needed(state) {
		found = append(found, finding{a.severity, a.text})
	}
	if _, known := mains(state); !known {
		found = append(found, finding{unknown, "the UPS does not say whether it has mains"})
	}
	for _, m := range measures {
		value, known := m.value(state).Get()
		for _, limits := range []struct {
			severity severity
			limits   []limit
		}{{critical, c.Critical}, {warning, c.Warning}} {
			i := slices.IndexFunc(limits.limits, func(l limit) bool { return l.name == m.name })
			if i < 0 {
				continue
			}
			if !known {
				found = append(found, finding{unknown, "the UPS does not report its " + m.name + ", for which there is a threshold"})
				break
			}
			if l := limits.limits[i]; l.alerts(value) {
				found = append(found, finding{limits.severity, fmt.Sprintf("%s %s%s is not within %s", m.name, number(value), m.uom, l.text)})
				break
			}
		}
	}
	return found
}

// checkSummary is what a plug-in shows of a unit beside what is wrong.
func checkSummary(s tripplite.State) string {
	var texts []string
	if present, _ := mains(s); present {
		texts = append(texts, "on mains")
	}
	for _, m := range measures[:3] {
		if v, known := m.value(s).Get(); known {
			texts = append(texts, fmt.Sprintf("%s %s%s", m.name, number(v), m.uom))
		}
	}
	return strings.Join(texts, ", ")
}

// ranks orders severities when several units or values are judged.
var ranks = []severity{okay, unknown, warning, critical}

// conclude prints the line of a plug-in and returns its status.
func (s *session) conclude(found []finding, summaries, data []string) int {
	rank := func(f finding) int { return slices.Index(ranks, f.severity) }
	slices.SortStableFunc(found, func(a, b finding) int { return rank(b) - rank(a) })
	worst := okay
	var texts []string
	for i, f := range found {
		if i == 0 {
			worst = f.severity
		}
		texts = append(texts, strings.TrimPrefix(f.text, "tripplite: "))
	}
	line := fmt.Sprintf("UPS %v - %s", worst, pluginText(known("; ", strings.Join(texts, ", "), strings.Join(summaries, "; "))))
	if data != nil {
		line += " | " + strings.Join(data, " ")
	}
	if _, err := fmt.Fprintln(s.stdout, line); err != nil {
		s.complain(err)
		return int(unknown)
	}
	return int(worst)
}

// pluginText makes a text fit for a plug-in's line, in which "|" begins the performance data.
func pluginText(text string) string {
	return strings.NewReplacer("|", "/", "\n", "; ").Replace(text)
}

// quoted is a label of performance data: it may have neither "=" nor "'", and needs quotes around spaces.
func quoted(label string) string {
	label = strings.NewReplacer("=", "_", "'", "_").Replace(label)
	if strings.Contains(label, " ") {
		return "'" + label + "'"
	}
	return label
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// seconds is a time as plug-ins take it.
type seconds time.Duration

// UnmarshalText reads a number of seconds, or a time with its unit.
func (s *seconds) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if n, numberErr := strconv.ParseUint(string(text), 10, 31); numberErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is neither a number of seconds nor a time such as 10s", text)
	}
	*s = seconds(d)
	return nil
}
