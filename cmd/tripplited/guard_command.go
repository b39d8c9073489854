package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/guard"
	"github.com/tripplite-go/tripplite/internal/events"
	"github.com/tripplite-go/tripplite/internal/serve"
)

// guardStatus prints what the guard of a daemon does, which may run or not.
func (d *daemon) guardStatus(stdout io.Writer, now time.Time) error {
	file := filepath.Join(d.fixed.stateDir(), guardFile)
	kept, err := guard.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no guard has run yet: there is no %s", file)
	} else if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, d.describeStatus(kept, now))
	return err
}

func (d *daemon) describeStatus(kept guard.Kept, now time.Time) string {
	var text strings.Builder
	s := kept.Status
	armed := "armed"
	if !s.Armed {
		armed = "not armed (dry run)"
	}
	fmt.Fprintf(&text, "%s, %s", armed, s.Phase)
	if !s.Since.IsZero() { // else since the daemon was started
		fmt.Fprintf(&text, " since %s", stamp(s.Since))
	}
	fmt.Fprintf(&text, "; written %s\n", stamp(kept.Written))
	if s.Why != "" {
		fmt.Fprintln(&text, s.Why)
	}
	for _, u := range s.Decision.Units {
		fmt.Fprintf(&text, "%s: %s\n", d.fixed.Units.nameOf(u.Path), describeUnit(u, now))
	}
	describeSteps(&text, s)
	for _, warning := range s.Warnings {
		fmt.Fprintf(&text, "WARNING: %s\n", warning)
	}
	if kept.Last != nil {
		dry := ""
		if !kept.Last.Armed {
			dry = " (dry run)"
		}
		fmt.Fprintf(&text, "\nThe last time, %s%s: %s\n", stamp(kept.Last.Since), dry, kept.Last.Why)
		describeSteps(&text, *kept.Last)
	}
	return text.String()
}

func stamp(t time.Time) string { return t.Local().Format(time.DateTime) }

func describeUnit(u guard.Unit, now time.Time) string {
	state := "not known whether on battery"
	switch {
	case u.Known && u.OnBattery:
		state = "on battery since " + stamp(u.Since)
	case u.Known:
		state = "on line power"
	}
	if u.Lost {
		state += ", lost since " + stamp(u.LostSince)
	}
	for _, reached := range u.Reached {
		state += "; " + reached
	}
	if !u.At.IsZero() && u.At.After(now) {
		state += fmt.Sprintf("; a limit is reached about %s (%s)", stamp(u.At), u.Because)
	}
	return state
}

func describeSteps(text *strings.Builder, s guard.Status) {
	for i, step := range s.Steps {
		done, ended := "waits", "done"
		if !s.Armed {
			ended = "said"
		}
		switch {
		case step.Began == nil:
		case step.Ended == nil:
			done = "begun " + stamp(*step.Began)
		default:
			done = fmt.Sprintf("%s %s, in %v", ended, stamp(*step.Ended),
				step.Ended.Sub(*step.Began).Round(100*time.Millisecond))
			if step.Error != "" {
				done = fmt.Sprintf("failed %s: %s", stamp(*step.Ended), step.Error)
			}
		}
		fmt.Fprintf(text, "  %d. %s: %s\n", i+1, step.Name, done)
	}
}

// guardPlan reads the units and prints what would happen if line power failed now.
func (d *daemon) guardPlan(ctx context.Context, stdout io.Writer) (err error) {
	if d.bank, err = serve.Open(d.paths(), d.replay, d.log); err != nil {
		return err
	}
	defer d.bank.Close()
	reading, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	readings, err := d.bank.Get(reading)
	if err != nil {
		return err
	}
	config := d.guardConfig()
	var text strings.Builder
	if !d.fixed.guards {
		fmt.Fprintln(&text, "There is no [guard] in the configuration, and nothing takes this computer "+
			"down. With an empty [guard]:")
	}
	for _, r := range readings {
		if len(config.Policy.Paths) > 0 && !slices.Contains(config.Policy.Paths, r.Info.Path) {
			continue
		}
		fmt.Fprintf(&text, "%s: %s\n", d.fixed.Units.nameOf(r.Info.Path), d.planUnit(reading, r))
	}
	for _, path := range config.Policy.Paths {
		read := func(r tripplite.Reading) bool { return r.Info.Path == path }
		if !slices.ContainsFunc(readings, read) {
			fmt.Fprintf(&text, "%s: no UPS is at %s\n", d.fixed.Units.nameOf(path), path)
		}
	}
	for _, line := range config.Describe() {
		fmt.Fprintln(&text, line)
	}
	for _, warning := range d.systemWarnings(ctx) {
		fmt.Fprintf(&text, "WARNING: %s\n", warning)
	}
	_, err = io.WriteString(stdout, text.String())
	return err
}

// planUnit says how a unit does, when it would reach a limit by the run time that it tells, and
// what it would do then.
func (d *daemon) planUnit(ctx context.Context, r tripplite.Reading) string {
	if !tripplite.HasState(r.Err) {
		return r.Err.Error()
	}
	state := r.State
	state.Path = ""
	g := &d.fixed.Guard
	parts := []string{state.String() + "."}
	if g.Runtime > 0 {
		parts = append(parts, planRunTime(state, g.Runtime))
	}
	if _, known := state.RemainingCapacity.Get(); !known && g.Charge > 0 {
		parts = append(parts, "It does not say its charge: the charge limit is never reached.")
	}
	if b, ok := d.bank.Battery(r.Info.Path); ok && g.Cut != cutNever {
		does, err := guard.Cut{After: g.CutAfter, For: g.OffFor}.Forecast(ctx, b)
		var refused *tripplite.Error
		switch {
		case err == nil:
			parts = append(parts, "shutdown.return: "+does)
		case errors.Is(err, tripplite.ErrRefused) && errors.As(err, &refused) && refused.Cause != nil:
			parts = append(parts, fmt.Sprintf("As it is now, it refuses shutdown.return: %v. It is asked "+
				"again when the computer goes down.", refused.Cause))
		default:
			parts = append(parts, fmt.Sprintf("As it is now, shutdown.return fails: %v.", err))
		}
	}
	return strings.Join(parts, " ")
}

// planRunTime says when a unit reaches the run time limit.
func planRunTime(s tripplite.State, limit time.Duration) string {
	left, known := s.RunTimeToEmpty.Get()
	onBattery, _ := s.OnBattery()
	until := max(0, left-limit)
	switch {
	case !known:
		return "It does not say its run time: the run time limit is never reached."
	case until == 0 && onBattery:
		return "It is at the run time limit."
	case until == 0:
		return "If line power failed now, it would be at the run time limit at once."
	case onBattery:
		return fmt.Sprintf("It reaches the run time limit in about %s at this load.",
			events.DurationText(until))
	}
	return fmt.Sprintf("If line power failed now, it would reach the run time limit in about %s at "+
		"this load.", events.DurationText(until))
}

// describeGuard says what the guard of the configuration would do.
func (d *daemon) describeGuard() string {
	if !d.fixed.guards {
		return "guard: none\n"
	}
	config := d.guardConfig()
	lines := config.Describe()
	for _, warning := range d.fixed.missing() {
		lines = append(lines, "WARNING: "+warning)
	}
	return "guard:\n  " + strings.Join(lines, "\n  ") + "\n"
}

// killPowerTimeout is how long the units may take to be told, at the end of a shutdown.
const killPowerTimeout = 20 * time.Second

// killPower does what the guard left to be done.
func (d *daemon) killPower(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, killPowerTimeout)
	defer cancel()
	var opened *tripplite.Bank
	defer func() {
		if opened != nil {
			opened.Close()
		}
	}()
	open := func(paths []string) guard.Source {
		opened = tripplite.BankAt(paths, tripplite.WithLogger(d.log))
		return opened
	}
	return guard.KillPower(ctx, lateFile(), open, d.log)
}
