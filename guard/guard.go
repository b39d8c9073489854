// Package guard takes a computer down in order when the battery of its UPS runs out, and has the
// UPS cut the power and come back with the line.
//
// A [Policy] decides, without a clock or any I/O. A [Guard] feeds it with the readings of a
// [tripplite.Bank] and carries out its steps:
//
//	g := guard.New(bank, guard.Config{
//		Policy: guard.Policy{Hold: 5 * time.Second, Limits: guard.Limits{
//			Low: true, RunTime: 10 * time.Minute, Lost: 10 * time.Minute}},
//		Armed: true,
//		Steps: []guard.Step{
//			guard.Hook([]string{"/usr/local/sbin/stop-guests"}, 2*time.Minute),
//			guard.CutLoad(bank, paths, 3*time.Minute, time.Minute),
//			guard.PowerOff(off, reboot, 30*time.Second),
//		},
//	})
//	g.Run(ctx)
//
// Nothing of it has been tried on a unit.
package guard

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
)

// Source has the units. A [tripplite.Bank] is one.
type Source interface {
	Watch(ctx context.Context, every time.Duration) iter.Seq[tripplite.Reading]
	Battery(path string) (*tripplite.Battery, bool)
}

// Config says when a Guard acts, and how.
type Config struct {
	Policy Policy
	// Armed has it act. Otherwise it runs dry: it logs what it would do, and touches nothing.
	Armed bool
	// Warning is how long the limit has to stay reached before the first step. Line power that
	// returns until then takes everything back; after it the steps are carried through.
	Warning time.Duration
	// Steps are what is done, in this order. One that fails or takes too long holds up no other.
	Steps []Step
	// Every is how often each unit is read, beside what it announces; 2 s unless it is set.
	Every time.Duration
	// File keeps what the Guard knows over a restart of the program, such as since when there has
	// been no line power; and what it did last. Without one a restart begins anew.
	File string
	// Changed is called when the Phase has changed.
	Changed func(before Phase, now Status)
	// Log gets what happens. Nil logs nothing.
	Log *slog.Logger
}

// Phase is how far a Guard has got.
type Phase string

// The phases. From Acting there is no way back, but for one that runs dry.
const (
	Watching Phase = "watching"
	Warning  Phase = "warning" // a limit is reached
	Acting   Phase = "acting"  // the steps are being done
	Done     Phase = "done"    // all steps are done, and the computer goes down
)

// Status is what a Guard does now.
type Status struct {
	Phase Phase     `json:"phase"`
	Since time.Time `json:"since"` // of Phase
	Armed bool      `json:"armed"`
	Why   string    `json:"why,omitempty"` // the Guard acts, or would
	// Cuts says that a UPS has been told to cut the load, or may have been.
	Cuts bool `json:"cuts,omitempty"`
	// Warnings are what a person should know beforehand: see [Guard.Warn].
	Warnings []string     `json:"warnings,omitempty"`
	Decision Decision     `json:"decision"`
	Steps    []StepStatus `json:"steps"`
}

// StepStatus is how far a Step has got.
type StepStatus struct {
	Name  string     `json:"name"`
	Does  string     `json:"does"`
	Limit string     `json:"limit,omitempty"` // how long it may take
	Began *time.Time `json:"began,omitempty"`
	Ended *time.Time `json:"ended,omitempty"`
	Error string     `json:"error,omitempty"`
}

// Guard watches units, and takes the computer down when they say so. It is made by [New].
type Guard struct {
	config Config
	source Source
	log    *slog.Logger
	clock  clock
	file   record

	mu     sync.Mutex
	status Status

	mute map[string]bool // the units that discharge and have never said whether there is line power

	warned  time.Time // since when there is a Warning, also of an earlier run; zero without one
	off     time.Time // since when the limit is not reached in the Warning; zero while it is
	running sync.WaitGroup
	stepped chan int // the number of a step that has ended
	written time.Time
	told    time.Time // the log how it stands
	failed  string    // why the file could not be written
	save    func(file string, v any) error
	saving  chan error // of a write that hangs; nil while none does
	unkept  bool       // the Warnings are not in the file yet; guarded by mu
}

// New makes a Guard, which does nothing before [Guard.Run].
func New(source Source, config Config) *Guard {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Every == 0 {
		config.Every = 2 * time.Second
	}
	if config.Policy.Silence == 0 {
		config.Policy.Silence = max(defaultSilence, 5*config.Every)
	}
	g := &Guard{
		config: config, source: source, log: config.Log, clock: systemClock{},
		stepped: make(chan int, 1), mute: map[string]bool{}, save: writeFile,
	}
	g.status = Status{Phase: Watching, Armed: config.Armed, Steps: waiting(config.Steps)}
	return g
}

func waiting(steps []Step) []StepStatus {
	list := make([]StepStatus, len(steps))
	for i, s := range steps {
		list[i] = StepStatus{Name: s.Name, Does: s.Does}
		if s.Timeout > 0 {
			list[i].Limit = s.Timeout.String()
		}
	}
	return list
}

// Status returns what the Guard does now. It may be called from any goroutine.
func (g *Guard) Status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.status
	s.Steps = slices.Clone(s.Steps)
	s.Decision.Units = slices.Clone(s.Decision.Units)
	return s
}

// Warn replaces the Warnings of the Status, which outlast this program in its file.
func (g *Guard) Warn(texts []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status.Warnings, g.unkept = slices.Clone(texts), true
}

const (
	tick = time.Second
	// keepEvery is how often what is known is written while there is no line power.
	keepEvery = 10 * time.Second
	// again is when the last step is done once more, if that has not ended this program.
	again = time.Minute
)

// Run watches until ctx is done, or until the source ends, with its error. When ctx ends, the step
// under way is ended, too; a Guard that is run again on the same file goes on with the next one.
func (g *Guard) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		g.running.Wait()
		if g.Status().Phase == Acting { // systemd ends this program in the last step
			g.keep(time.Now())
		}
	}()
	g.mu.Lock()
	g.status.Since = time.Now()
	g.mu.Unlock()
	g.resume(time.Now())
	if s := g.Status(); s.Phase != Acting {
		g.undo()
	} else if !g.begin(ctx, upcoming(s.Steps)) {
		g.enter(Done, time.Now())
	}
	readings, ended := make(chan tripplite.Reading), make(chan error, 1)
	g.running.Go(func() {
		for r := range g.source.Watch(ctx, g.config.Every) {
			if r.Info.Path == "" {
				ended <- r.Err
				return
			}
			select {
			case readings <- r:
			case <-ctx.Done():
			}
		}
		ended <- ctx.Err()
	})
	tests := make(chan tested)
	g.running.Go(func() { g.watchTests(ctx, tests) })
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case r := <-readings:
			g.config.Policy.Observe(r, time.Now())
			g.listen(r)
		case test := <-tests:
			g.config.Policy.Test(test.path, test.result, time.Now())
		case i := <-g.stepped:
			if !g.begin(ctx, i+1) {
				g.enter(Done, time.Now())
			}
			continue
		case <-ticker.C:
		case err := <-ended:
			return err
		}
		if ctx.Err() == nil {
			g.decide(ctx, time.Now())
		}
	}
}

// undo takes back what the steps of an earlier run left for the end of a shutdown that did not
// come.
func (g *Guard) undo() {
	for _, s := range g.config.Steps {
		if s.undo == nil {
			continue
		}
		if err := s.undo(); err != nil {
			g.log.Error("a step could not be taken back", "name", s.Name, "err", err)
		}
	}
}

// decide does what the policy wants now.
func (g *Guard) decide(ctx context.Context, now time.Time) {
	d := g.config.Policy.Decide(now)
	g.mu.Lock()
	different := outline(d) != outline(g.status.Decision)
	g.status.Decision = d
	phase, since := g.status.Phase, g.status.Since
	ended := len(g.status.Steps) == 0 || g.status.Steps[len(g.status.Steps)-1].Ended != nil
	unkept := g.unkept
	g.mu.Unlock()
	outage := slices.ContainsFunc(d.Units, func(u Unit) bool { return u.OnBattery })
	switch phase {
	case Watching:
		if !outage {
			g.warned = time.Time{}
		}
		if d.Act {
			g.off = time.Time{}
			g.because(d.Why)
			g.enter(Warning, now)
			g.decide(ctx, now) // there may be no warning
			return
		}
	case Warning:
		switch {
		case d.Act && now.Sub(since) >= g.config.Warning:
			g.because(d.Why)
			g.act(ctx, now)
			return
		case d.Act:
			g.off = time.Time{}
		case g.off.IsZero():
			g.off = now
		}
		if !g.off.IsZero() && (linePower(d) || now.Sub(g.off) >= max(g.config.Policy.Hold, tick)) {
			g.enter(Watching, now)
			return
		}
	case Done:
		switch {
		case !g.config.Armed && linePower(d):
			g.clear()
			g.enter(Watching, now)
			return
		case g.config.Armed && ended && now.Sub(since) >= again && len(g.config.Steps) > 0:
			g.log.Warn("the computer is still up: the last step is done again")
			g.enter(Done, now)
			g.begin(ctx, len(g.config.Steps)-1)
			return
		}
	}
	if different || outage && now.Sub(g.told) >= tellEvery {
		g.told = now
		g.log.Info(d.Why, next(d, now)...)
	}
	if different || unkept || outage && now.Sub(g.written) >= keepEvery {
		g.keep(now)
	}
}

// tellEvery is how often the log says how it stands while there is no line power.
const tellEvery = time.Minute

// outline returns what is worth a line in the log where it differs.
func outline(d Decision) string {
	text := fmt.Sprint(d.Act)
	for _, u := range d.Units {
		text += fmt.Sprint(u.Path, u.Known, u.OnBattery, u.Lost, len(u.Reached))
	}
	return text
}

// next returns when a limit would be reached, for the log.
func next(d Decision, now time.Time) []any {
	if d.Act || d.At.IsZero() {
		return nil
	}
	return []any{"limit in", d.At.Sub(now).Round(time.Second)}
}

// linePower reports whether every unit is there and believed to have line power.
func linePower(d Decision) bool {
	without := func(u Unit) bool { return !u.Known || u.OnBattery || u.Lost }
	return len(d.Units) > 0 && !slices.ContainsFunc(d.Units, without)
}

func (g *Guard) because(why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status.Why = why
}

// clear forgets what steps have been done.
func (g *Guard) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status.Steps, g.status.Cuts = waiting(g.config.Steps), false
}

// enter goes over to a phase.
func (g *Guard) enter(phase Phase, now time.Time) {
	g.mu.Lock()
	before := g.status.Phase
	g.status.Phase, g.status.Since = phase, now
	switch phase {
	case Watching:
		g.status.Why, g.warned = "", time.Time{}
	case Warning:
		if g.warned.IsZero() {
			g.warned = now
		}
		g.status.Since = g.warned // a restart of the program does not begin it anew
	}
	why := g.status.Why
	g.mu.Unlock()
	g.keep(now)
	dry := ""
	if !g.config.Armed {
		dry = " (dry run)"
	}
	switch {
	case phase == before:
	case phase == Warning:
		g.log.Warn("a limit is reached"+dry, "why", why, "steps begin in", g.config.Warning)
	case phase == Watching:
		g.log.Warn("nothing is done: the limit is not reached any more" + dry)
	case phase == Acting:
		g.log.Warn("the computer goes down"+dry, "why", why)
	case phase == Done:
		g.log.Warn("all steps are done" + dry)
	}
	if g.config.Changed != nil && phase != before {
		g.config.Changed(before, g.Status())
	}
}

// act begins the steps.
func (g *Guard) act(ctx context.Context, now time.Time) {
	g.clear()
	g.enter(Acting, now)
	if !g.begin(ctx, 0) {
		g.enter(Done, now)
	}
}

// begin begins the step with a number, if there is one. Once ctx is done it begins none: one that
// is begun is not begun again by the next run.
func (g *Guard) begin(ctx context.Context, i int) bool {
	if ctx.Err() != nil {
		return true
	}
	if i >= len(g.config.Steps) {
		return false
	}
	step, now := g.config.Steps[i], time.Now()
	g.mark(i, func(s *StepStatus) { s.Began, s.Ended, s.Error = &now, nil, "" })
	g.keep(now) // before it begins: it is never begun twice
	g.log.Warn("step", "name", step.Name, "does", step.Does, "at most", step.Timeout)
	g.running.Go(func() {
		err := step.run(ctx, &Situation{guard: g}, g.config.Armed)
		ended := time.Now()
		g.mark(i, func(s *StepStatus) {
			s.Ended = &ended
			if err != nil {
				s.Error = err.Error()
			}
		})
		if err != nil {
			g.log.Error("a step failed", "name", step.Name, "err", err)
		}
		g.stepped <- i
	})
	return true
}

func (g *Guard) mark(i int, change func(*StepStatus)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.status.Steps[i])
}

// tested is what a unit says of its last battery test.
type tested struct {
	path   string
	result tripplite.TestResult
}

// testsEvery is how often a unit that may be testing its battery is asked whether it is.
const testsEvery = 5 * time.Second

// listen notes whether a unit may be testing its battery: it discharges, and never says whether
// there is line power.
func (g *Guard) listen(r tripplite.Reading) {
	_, tells := r.State.Status.ACPresent.Get()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mute[r.Info.Path] = tripplite.HasState(r.Err) && !tells && r.State.Status.Discharging.Or(false)
}

func (g *Guard) muteUnits() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var paths []string
	for path, mute := range g.mute {
		if mute {
			paths = append(paths, path)
		}
	}
	return paths
}

// watchTests asks such units whether they do: nothing else tells a test from a power failure.
func (g *Guard) watchTests(ctx context.Context, tests chan<- tested) {
	ticker := time.NewTicker(testsEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, path := range g.muteUnits() {
			b, ok := g.source.Battery(path)
			if !ok {
				continue
			}
			asking, cancel := context.WithTimeout(ctx, testsEvery)
			settings, err := b.Settings(asking)
			cancel()
			result, known := settings.Test.Get()
			if !known || !tripplite.HasState(err) {
				continue
			}
			select {
			case tests <- tested{path, result}:
			case <-ctx.Done():
				return
			}
		}
	}
}
