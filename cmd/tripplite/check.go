package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
)

type checkCommand struct {
	Warning  []limit `short:"w" placeholder:"NAME=RANGE" help:"Warn outside of RANGE."`
	Critical []limit `short:"c" placeholder:"NAME=RANGE" help:"The same for critical."`
	Lost     string  `enum:"unknown,warning,critical" default:"unknown" help:"What a lost UPS is."`
	Timeout  seconds `short:"t" default:"15" placeholder:"TIME" help:"How long the UPSes may take."`
}

// verdict is what a check says: what is wrong, by severity, and the values of the units.
type verdict struct {
	wrong           [critical + 1][]string
	summaries, data []string
}

func (c checkCommand) Run(s *session) error {
	return s.withBank(func(units source) error { return c.check(s, units) })
}

func (c checkCommand) check(s *session, units source) error {
	readings, err := s.readings(units, time.Duration(c.Timeout))
	if err != nil {
		readings = []tripplite.Reading{{Err: err}}
	}
	var v verdict
	for _, r := range readings {
		path := r.Info.Path
		if err := s.warnPartial(r.Err); err != nil {
			v.add(c.severityOfError(err), path, reason(err))
			continue
		}
		if len(readings) == 1 {
			path = ""
		}
		c.judge(r.State, path, &v)
	}
	return s.conclude(v)
}

func (v *verdict) add(how severity, unit, text string) {
	v.wrong[how] = append(v.wrong[how], joined(": ", unit, text))
}

// severityOfError tells a lost unit from one that this program may not read, which says nothing of
// the unit.
func (c checkCommand) severityOfError(err error) severity {
	if errors.Is(err, tripplite.ErrDisconnected) || errors.Is(err, tripplite.ErrNotFound) ||
		errors.Is(err, context.DeadlineExceeded) {
		return map[string]severity{"critical": critical, "warning": warning, "unknown": unknown}[c.Lost]
	}
	return unknown
}

// judge adds what is wrong with a unit, and its values for people and as performance data.
func (c checkCommand) judge(state tripplite.State, unit string, v *verdict) {
	for _, a := range state.Alerts() {
		v.add(severityOf(a), unit, a.Text)
	}
	summary := ""
	if onBattery, known := state.OnBattery(); !known {
		v.add(unknown, unit, "the UPS does not say whether there is line power")
	} else if !onBattery {
		summary = "on line power"
	}
	for _, f := range tripplite.Fields() {
		warn, crit := limitOf(c.Warning, f), limitOf(c.Critical, f)
		name, limited := names(f)[0], warn.text+crit.text != ""
		value, known := state.Number(f.Key)
		if !known && limited {
			v.add(unknown, unit, "the UPS does not report "+name+", which has a threshold")
		}
		if !known || f.Word == "" && !limited {
			continue
		}
		text := strconv.FormatFloat(value, 'f', -1, 64)
		if f.Unit == "%" || f.Unit == "s" { // the guidelines know no other of our units
			text += f.Unit
			summary = joined(", ", summary, name+" "+text)
		}
		if outside := name + " " + text + " is not within "; crit.alerts(value) {
			v.add(critical, unit, outside+crit.text)
		} else if warn.alerts(value) {
			v.add(warning, unit, outside+warn.text)
		}
		bounds := "0;"
		switch {
		case f.Word == "charge":
			bounds = "0;100"
		case f.Unit == "°C":
			bounds = ";"
		}
		label := name
		if unit != "" {
			label = "'" + strings.NewReplacer("=", "_", "'", "_", "|", "_").Replace(unit) + " " + name + "'"
		}
		v.data = append(v.data,
			fmt.Sprintf("%s=%s;%s;%s;%s", label, text, warn.text, crit.text, bounds))
	}
	v.summaries = append(v.summaries, joined(": ", unit, summary))
}

// conclude prints the line of a plugin and returns its status.
func (s *session) conclude(v verdict) exit {
	worst, wrong := okay, ""
	for how, texts := range v.wrong {
		if texts != nil {
			worst, wrong = severity(how), joined(", ", strings.Join(texts, ", "), wrong)
		}
	}
	text := joined("; ", wrong, strings.Join(v.summaries, "; "))
	text = strings.ReplaceAll(text, "|", "/") // which begins the performance data
	line := joined(" | ", fmt.Sprintf("UPS %v - %s", worst, text), strings.Join(v.data, " "))
	if _, err := fmt.Fprintln(s.stdout, printable(line)); err != nil {
		s.warn(err)
		worst = unknown
	}
	return worst.exit()
}

// limit is a threshold for one reading: a range as the Monitoring Plugins Development Guidelines
// write it.
type limit struct {
	field       tripplite.Field
	text        string // the range as it was given
	least, most float64
	inside      bool // alerts inside of the range instead of outside
}

// UnmarshalText reads "charge=20:".
func (l *limit) UnmarshalText(text []byte) error {
	name, given, ok := strings.Cut(string(text), "=")
	field, known := fieldOf(name)
	if !ok || !known || field.Unit == "" || field.Setting() {
		return fmt.Errorf("%q is not NAME=RANGE, where NAME is charge, runtime, load or the key of "+
			"another number", text)
	}
	bounds, inside := strings.CutPrefix(given, "@")
	least, most, isRange := strings.Cut(bounds, ":")
	if !isRange {
		least, most = "", bounds
	}
	from, err := strconv.ParseFloat(cmp.Or(strings.Replace(least, "~", "-inf", 1), "0"), 64)
	to, toErr := strconv.ParseFloat(cmp.Or(most, "inf"), 64)
	ordered := from <= to // no number that is none is
	if err != nil || toErr != nil || !ordered || !strings.ContainsAny(given, "0123456789") {
		return fmt.Errorf("%q is not a range: write 10, 10:, ~:10, 10:20 or @10:20", given)
	}
	*l = limit{field, given, from, to, inside}
	return nil
}

func (l limit) alerts(value float64) bool {
	return l.text != "" && (value >= l.least && value <= l.most) == l.inside
}

// limitOf returns the threshold of a field, the last that was given, or one that never alerts.
func limitOf(limits []limit, f tripplite.Field) (found limit) {
	for _, l := range limits {
		if l.field == f {
			found = l
		}
	}
	return found
}
