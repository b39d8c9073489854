package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/guard"
	"github.com/tripplite-go/tripplite/internal/logind"
)

// guardConfig is when the computer goes down, and how.
type guardConfig struct {
	Armed     bool
	Units     []string
	All       bool
	Hold      time.Duration
	Warning   time.Duration
	OnBattery time.Duration `toml:"on_battery"`
	Charge    float64
	Runtime   time.Duration
	Low       bool
	Lost      time.Duration

	NotifyTimeout   time.Duration `toml:"notify_timeout"`
	SecondariesTime time.Duration `toml:"secondaries_timeout"`
	Hook            []hookConfig
	Cut             string
	CutAfter        time.Duration `toml:"cut_after"`
	OffFor          time.Duration `toml:"off_for"`
	PowerOff        []string      `toml:"power_off"`
	Restart         []string
	PowerOffTimeout time.Duration `toml:"power_off_timeout"`
}

type hookConfig struct {
	Command []string
	Timeout time.Duration
}

// The ways in which a UPS can be told to cut the load.
const (
	cutEarly = "early" // before the computer goes down, with a delay
	cutLate  = "late"  // by tripplited --kill-power, once it has all but gone down
	cutNever = "never"
)

const (
	hookTimeout = time.Minute
	cutTimeout  = 20 * time.Second
)

func guardDefaults() guardConfig {
	return guardConfig{
		Hold: 5 * time.Second, Warning: 10 * time.Second, Low: true, Lost: 5 * time.Minute,
		NotifyTimeout: 10 * time.Second, SecondariesTime: 15 * time.Second,
		Cut: cutEarly, CutAfter: 2 * time.Minute, OffFor: time.Minute,
		PowerOffTimeout: 30 * time.Second,
	}
}

// paths returns the paths of the units that [guard] names, by path or by name.
func (c *config) guardPaths() []string {
	paths := make([]string, len(c.Guard.Units))
	for i, unit := range c.Guard.Units {
		paths[i] = unit
		for path, names := range c.Units.Names {
			if slices.Contains(names, unit) {
				paths[i] = path
			}
		}
	}
	return paths
}

func (c *config) checkGuard() error {
	g := &c.Guard
	var wrong []error
	add := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("guard."+format, args...))
	}
	for _, t := range []struct {
		key   string
		value time.Duration
	}{
		{"hold", g.Hold}, {"warning", g.Warning}, {"on_battery", g.OnBattery}, {"runtime", g.Runtime},
		{"lost", g.Lost}, {"notify_timeout", g.NotifyTimeout},
		{"secondaries_timeout", g.SecondariesTime},
		{"cut_after", g.CutAfter}, {"off_for", g.OffFor}, {"power_off_timeout", g.PowerOffTimeout},
	} {
		if t.value != 0 && t.value < minTime {
			add("%s is %v, and must be 0 or at least %v: write \"2s\" for two seconds",
				t.key, t.value, minTime)
		}
	}
	if g.OnBattery == 0 && g.Charge == 0 && g.Runtime == 0 && !g.Low && g.Lost == 0 {
		add("low: no limit is set, so the computer would never go down")
	}
	if within := g.Charge >= 0 && g.Charge < 100; !within { // no number that is none is
		add("charge is %v, and must be from 0 to less than 100", g.Charge)
	}
	if !slices.Contains([]string{cutEarly, cutLate, cutNever}, g.Cut) {
		add("cut is %q, and must be \"early\", \"late\" or \"never\"", g.Cut)
	}
	for _, t := range []struct {
		key   string
		value time.Duration
	}{{"cut_after", g.CutAfter}, {"off_for", g.OffFor}} {
		if g.Cut != cutNever && (t.value < time.Second || t.value%time.Second != 0) {
			add("%s is %v, and must be of whole seconds", t.key, t.value)
		}
	}
	if g.PowerOffTimeout == 0 {
		add("power_off_timeout must be more than 0")
	}
	for i, h := range g.Hook {
		if len(h.Command) == 0 || h.Command[0] == "" {
			add("hook %d has no command", i+1)
		}
		if h.Timeout != 0 && h.Timeout < minTime {
			add("hook %d: timeout is %v: write \"30s\" for thirty seconds", i+1, h.Timeout)
		}
	}
	if (len(g.PowerOff) == 0) != (len(g.Restart) == 0) {
		add("power_off and restart go together: both are commands, or neither is")
	}
	return errors.Join(wrong...)
}

// policy is when the computer goes down.
func (c *config) policy() guard.Policy {
	g := &c.Guard
	return guard.Policy{
		Hold: g.Hold, Paths: c.guardPaths(), All: g.All, Name: c.Units.nameOf,
		Limits: guard.Limits{
			OnBattery: g.OnBattery, Charge: g.Charge, RunTime: g.Runtime, Low: g.Low, Lost: g.Lost,
		},
	}
}

// steps returns what is done when the computer goes down.
func (d *daemon) steps() []guard.Step {
	g := &d.fixed.Guard
	var steps []guard.Step
	if len(d.fixed.Notify) > 0 && g.NotifyTimeout > 0 {
		steps = append(steps, guard.Step{
			Name: "notify", Does: "The messages are sent", Timeout: g.NotifyTimeout,
			Do: func(ctx context.Context, _ *guard.Situation) error { return d.notifier.Flush(ctx) },
		})
	}
	for _, h := range g.Hook {
		timeout := h.Timeout
		if timeout == 0 {
			timeout = hookTimeout
		}
		steps = append(steps, guard.Hook(h.Command, timeout))
	}
	if d.hasSecondaries() && g.SecondariesTime > 0 {
		steps = append(steps, guard.Step{
			Name: "secondaries", Timeout: g.SecondariesTime,
			Does: "Every upsmon of the UPS is told to shut its host down (FSD), and waited for",
			Do:   d.forceShutdown,
		})
	}
	cut := guard.Cut{After: g.CutAfter, For: g.OffFor}
	switch g.Cut {
	case cutEarly:
		steps = append(steps, guard.CutLoad(d.bank, d.guarded, cut, cutTimeout))
	case cutLate:
		steps = append(steps, guard.LateCut(d.bank, d.guarded, cut, lateFile(), cutTimeout))
	}
	off, restart := logind.PowerOff, logind.Reboot
	if len(g.PowerOff) > 0 {
		off, restart = guard.Command(g.PowerOff), guard.Command(g.Restart)
	}
	return append(steps, guard.PowerOff(off, restart, g.PowerOffTimeout))
}

func (d *daemon) hasSecondaries() bool {
	return len(d.fixed.NUT.Listen) > 0 && slices.ContainsFunc(d.fixed.NUT.User,
		func(u userConfig) bool { return u.Upsmon != "" })
}

// secondariesEvery is how often it is looked whether every upsmon has left.
const secondariesEvery = 200 * time.Millisecond

// forceShutdown tells every upsmon to shut its host down, and waits until they have logged out,
// which they do when they begin.
func (d *daemon) forceShutdown(ctx context.Context, _ *guard.Situation) error {
	server := d.nut.Load()
	if server == nil {
		return errors.New("NUT is not served")
	}
	paths := d.guarded()
	for _, path := range paths {
		server.ForceShutdown(path)
	}
	ticker := time.NewTicker(secondariesEvery)
	defer ticker.Stop()
	for {
		var left []string
		for _, path := range paths {
			left = append(left, server.Clients(path)...)
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("still logged in: %s", strings.Join(left, ", "))
		case <-ticker.C:
		}
	}
}

// guarded returns the paths of the units that feed this computer.
func (d *daemon) guarded() []string {
	if paths := d.fixed.guardPaths(); len(paths) > 0 {
		return paths
	}
	var paths []string
	for _, u := range d.guard.Status().Decision.Units {
		paths = append(paths, u.Path)
	}
	return paths
}

const (
	guardFile     = "guard.json"
	killPowerFile = "kill-power"
)

// lateFile is in a file system that is there to the end of a shutdown, and empty after a boot.
func lateFile() string {
	return filepath.Join(cmp.Or(os.Getenv("RUNTIME_DIRECTORY"), "/run/tripplited"), killPowerFile)
}

// forgetLate removes what was left for the end of a shutdown that has not come about, so that no
// other one has the UPS cut the power.
func (d *daemon) forgetLate(file string) {
	if kept, err := guard.ReadFile(file); err == nil && kept.Status.Phase == guard.Acting {
		return // the guard goes on with that
	}
	if err := os.Remove(lateFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Error("the next shutdown will have the UPS cut the power", "err", err)
	}
}

// runGuard runs the guard, if there is to be one. The function that it returns ends it.
func (d *daemon) runGuard(ctx context.Context) (stop func()) {
	if !d.fixed.guards {
		return func() {}
	}
	config := d.guardConfig()
	d.forgetLate(config.File)
	d.guard = guard.New(d.bank, config)
	for _, line := range config.Describe() {
		d.log.Info("guard: " + line)
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.guard.Run(ctx); ctx.Err() == nil {
			d.failed <- fmt.Errorf("guard: %w", err)
		}
	})
	running.Go(func() { d.preflight(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

func (d *daemon) guardConfig() guard.Config {
	return guard.Config{
		Policy: d.fixed.policy(), Armed: d.fixed.Guard.Armed, Warning: d.fixed.Guard.Warning,
		Steps: d.steps(), Every: d.fixed.NUT.Every, Log: d.log, Changed: d.guardChanged,
		File: filepath.Join(d.fixed.stateDir(), guardFile),
	}
}

// preflightEvery is how often it is looked for units that were not there before.
const preflightEvery = time.Second

// preflight says at the start what does not fit together, and of each unit, once it is there, what
// will happen to it.
func (d *daemon) preflight(ctx context.Context) {
	d.askSystem(ctx)
	if d.fixed.Guard.Cut == cutNever {
		return
	}
	ticker := time.NewTicker(preflightEvery)
	defer ticker.Stop()
	for said := map[string]bool{}; ; {
		for _, path := range d.guarded() {
			said[path] = said[path] || d.forecast(ctx, path)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// forecast says what the guard will do to a unit. It reports false of one that does not answer.
func (d *daemon) forecast(ctx context.Context, path string) bool {
	g := &d.fixed.Guard
	b, ok := d.bank.Battery(path)
	if !ok {
		return false
	}
	asking, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	does, err := guard.Cut{After: g.CutAfter, For: g.OffFor}.Forecast(asking, b)
	switch {
	case err == nil:
		d.log.Info("guard: shutdown.return on this UPS", "path", path, "does", does)
	case errors.Is(err, tripplite.ErrRefused):
		d.log.Warn("guard: now, with line power as it is, this UPS would not cut its load",
			"path", path, "err", err)
	case errors.Is(err, tripplite.ErrUnsupported):
		d.log.Warn("guard: this UPS would not cut its load", "path", path, "err", err)
	default:
		return false
	}
	return true
}

// askSystem says what of the system does not fit to the configuration.
func (d *daemon) askSystem(ctx context.Context) {
	if len(d.fixed.Guard.PowerOff) > 0 {
		return
	}
	system, err := logind.Ask(ctx)
	if err != nil {
		d.log.Warn("guard: logind cannot be asked, and could not power this computer off", "err", err)
		return
	}
	for _, warning := range fits(&d.fixed, system) {
		d.log.Warn("guard: " + warning)
	}
}

// fits returns what in the configuration does not fit to the system.
func fits(c *config, s logind.System) (warnings []string) {
	if s.CanPowerOff != "yes" {
		warnings = append(warnings, fmt.Sprintf("this user may not power the computer off: logind "+
			"says %q (docs/guard.md)", s.CanPowerOff))
	}
	for _, i := range s.Inhibitors {
		if i.Mode == "block" {
			warnings = append(warnings, fmt.Sprintf("%s blocks a power off now: %s", i.Who, i.Why))
		}
	}
	if needs := s.InhibitDelay + s.StopTimeout; c.Guard.Cut == cutEarly && c.Guard.CutAfter < needs {
		warnings = append(warnings, fmt.Sprintf("cut_after is %v, and the computer may take %v to go "+
			"down: programs may hold it up for %v (InhibitDelayMaxSec), and a service may take %v to stop",
			c.Guard.CutAfter, needs, s.InhibitDelay, s.StopTimeout))
	}
	return warnings
}
