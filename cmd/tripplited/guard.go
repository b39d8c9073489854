package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
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

// guardPaths returns the paths of the units that [guard] names, by path or by name. Each is there
// once, since a UPS is told once to cut its load.
func (c *config) guardPaths() []string {
	var paths []string
	for _, unit := range c.Guard.Units {
		at := unit
		for path, names := range c.Units.Names {
			named := func(name string) bool { return strings.EqualFold(name, unit) }
			if slices.ContainsFunc(names, named) {
				at = path
			}
		}
		if !slices.Contains(paths, at) {
			paths = append(paths, at)
		}
	}
	return paths
}

// linuxPath is what a path looks like on Linux.
var linuxPath = regexp.MustCompile(`^\d+-\d+(\.\d+)*:\d+\.\d+$`)

// checkGuardUnits returns which of the units that [guard] names can never be there: the computer
// would never go down.
func (c *config) checkGuardUnits() error {
	var wrong []error
	for _, path := range c.guardPaths() {
		_, named := c.Units.Names[path]
		switch {
		case len(c.Units.Paths) > 0 && !slices.Contains(c.Units.Paths, path):
			wrong = append(wrong, fmt.Errorf("guard.units: %q is none of units.paths", path))
		case runtime.GOOS == "linux" && !named && !linuxPath.MatchString(path):
			wrong = append(wrong, fmt.Errorf(
				"guard.units: %q is neither a path, such as \"1-4.2:1.0\", nor a name of [units.names]", path))
		}
	}
	return errors.Join(wrong...)
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
			Do: func(ctx context.Context, _ *guard.Situation) error {
				if d.notifier == nil {
					return errors.New("there is nobody to tell")
				}
				return d.notifier.Flush(ctx)
			},
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

// runGuard runs the guard, if there is to be one. The function that it returns ends it.
func (d *daemon) runGuard(ctx context.Context) (stop func()) {
	if !d.fixed.guards {
		return func() {}
	}
	config := d.guardConfig()
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

// preflight says at the start what will happen to each unit, and what does not fit together. The
// guard's status has the warnings, too.
func (d *daemon) preflight(ctx context.Context) {
	warnings := append(d.unitWarnings(ctx), d.systemWarnings(ctx)...)
	if ctx.Err() != nil {
		return
	}
	for _, warning := range warnings {
		d.log.Warn("guard: " + warning)
	}
	d.guard.Warn(warnings)
}

// unitWarnings reads the units and returns what they would not do.
func (d *daemon) unitWarnings(ctx context.Context) (warnings []string) {
	ctx, cancel := context.WithTimeout(ctx, 2*aliveTimeout)
	defer cancel()
	g := &d.fixed.Guard
	readings, err := d.bank.Get(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	paths := d.fixed.guardPaths()
	if len(paths) == 0 {
		for _, r := range readings {
			paths = append(paths, r.Info.Path)
		}
	}
	if len(paths) == 0 {
		return []string{"no UPS is attached"}
	}
	for _, path := range paths {
		name := d.fixed.Units.nameOf(path)
		b, ok := d.bank.Battery(path)
		if !ok {
			warnings = append(warnings, fmt.Sprintf("%s: no UPS is at %s", name, path))
			continue
		}
		if g.Cut == cutNever {
			continue
		}
		does, err := guard.Cut{After: g.CutAfter, For: g.OffFor}.Forecast(ctx, b)
		switch {
		case err == nil:
			d.log.Info("guard: shutdown.return on this UPS", "path", path, "does", does)
		case errors.Is(err, tripplite.ErrRefused):
			warnings = append(warnings, fmt.Sprintf(
				"%s: as it is now, this UPS would not cut its load: %v", name, err))
		default:
			warnings = append(warnings, fmt.Sprintf("%s: this UPS would not cut its load: %v", name, err))
		}
	}
	return warnings
}

// systemWarnings returns what this computer lacks, and what does not fit to it.
func (d *daemon) systemWarnings(ctx context.Context) []string {
	warnings := d.fixed.missing()
	if err := d.checkTargets(); err != nil {
		warnings = append(warnings, strings.Split(err.Error(), "\n")...)
	}
	if len(d.fixed.Guard.PowerOff) > 0 {
		return warnings
	}
	ctx, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	system, err := logind.Ask(ctx)
	if err != nil {
		return append(warnings, fmt.Sprintf(
			"logind cannot be asked, and could not power this computer off: %v", err))
	}
	return append(warnings, fits(&d.fixed, system)...)
}

// missing returns which of the guard's programs are not there.
func (c *config) missing() (warnings []string) {
	look := func(key string, command []string) {
		if len(command) == 0 {
			return
		}
		if _, err := exec.LookPath(command[0]); err != nil {
			warnings = append(warnings, fmt.Sprintf("%s: %v", key, err))
		}
	}
	for i, h := range c.Guard.Hook {
		look(fmt.Sprintf("hook %d", i+1), h.Command)
	}
	look("power_off", c.Guard.PowerOff)
	look("restart", c.Guard.Restart)
	return warnings
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
	needs := s.InhibitDelay + min(s.StopTimeout, math.MaxInt64-s.InhibitDelay) // each may be infinity
	if c.Guard.Cut == cutEarly && c.Guard.CutAfter < needs {
		warnings = append(warnings, fmt.Sprintf("cut_after is %v, and the computer may take %v to go "+
			"down: programs may hold it up for %v (InhibitDelayMaxSec), and a service may take %v to stop",
			c.Guard.CutAfter, needs, s.InhibitDelay, s.StopTimeout))
	}
	return warnings
}
