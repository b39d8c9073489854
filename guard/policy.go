package guard

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/tripplite-go/tripplite"
)

// Limits are when the computer has to go down while the load runs on battery. One that is reached
// suffices. A zero one is not asked for.
type Limits struct {
	OnBattery time.Duration // on battery for so long
	Charge    float64       // percent: below it
	RunTime   time.Duration // RunTimeToEmpty below it
	// Low is the unit's own low battery: ShutdownImminent, RemainingTimeLimitExpired or
	// BelowRemainingCapacityLimit while it runs on battery. On line power they mean nothing.
	Low  bool
	Lost time.Duration // the unit has been lost while on battery for so long
}

// Policy decides when the computer has to go down. It reads no clock and does no I/O. It is for one
// goroutine, which gives it every Reading and calls Decide every second or so.
//
// A unit is on battery when [tripplite.OnBattery] believes it. A limit counts only while the newest
// State of the unit shows battery too: line power that is back, though not believed yet, stops all.
// Charge, RunTime and Low have to last for Hold, from the first State that shows them to a later
// one that still does. A State that does not tell neither confirms nor takes back. An announced
// one, which holds the flags alone, may confirm Low, and takes nothing back.
//
// A unit is lost as soon as it has left the bus or does not answer: [tripplite.ErrDisconnected],
// [tripplite.ErrNotFound]. Any other error, such as a status that makes no sense, a time-out of the
// caller, or a unit that is busy or may not be opened, may pass with the next read. It counts like
// no error and no State: the unit is lost when it has told nothing for Silence, so nothing that
// hangs can hide an outage. Only a State ends a loss.
//
// A unit that is lost while on battery is no proof of anything. It stays at the limits at which it
// was, and comes to no other but Lost, or, where that is zero, OnBattery, which counts on. It
// suffices that its last State shows battery, believed or not: USB drops just when line power
// fails. A unit whose last State shows line power is at no limit while it is lost.
type Policy struct {
	Hold   time.Duration // how long a power failure, its end, or a limit must last to be believed
	Limits Limits
	Paths  []string // of the units that feed this computer; empty is all that are seen
	// All says that all of those units have to be at a limit, else any. One that was never seen is
	// not.
	All bool
	// Name gives each unit a name in sentences. Without one that is its path.
	Name func(path string) string
	// Silence is how long a unit may tell nothing before it counts as lost. It has to be several
	// times the interval at which units are read. Zero is 30 s. If the Policy itself is not called
	// for as long, the program was stopped or the computer slept: nobody looked, so nothing counts
	// until there is a State or a unit has been missing anew.
	Silence time.Duration

	units map[string]*evidence
	last  time.Time // when the Policy was called last
	from  time.Time // since when it has been called without a pause
}

const (
	defaultSilence = 30 * time.Second
	longestTest    = 5 * time.Minute
)

func (p *Policy) silence() time.Duration {
	if p.Silence > 0 {
		return p.Silence
	}
	return defaultSilence
}

// evidence is what is known of one unit.
type evidence struct {
	power tripplite.OnBattery
	hasAC bool // the unit has reported ACPresent

	heard   time.Time // of the last State
	gone    time.Time // since when the unit is not there; zero while it may be
	failed  time.Time // of the last State that showed battery
	earlier bool      // an earlier run of the program saw an outage

	testing bool      // a battery test is in progress
	tested  time.Time // when that was first said

	charge  lasting
	runTime lasting
	low     [3]lasting // by one of lowFlags each

	charges line // of this outage
	percent float64
	left    time.Duration
	leftAt  time.Time // of the State that said it

	reached []limit // by the last Decision while it was there
}

// lasting is what has to last in order to count.
type lasting struct {
	since, until time.Time // of the first and the latest State that show it; zero while none does
	held         bool
}

func (l *lasting) observe(shows bool, at time.Time, hold time.Duration) {
	if !shows {
		*l = lasting{}
		return
	}
	if l.since.IsZero() {
		l.since = at
	}
	l.until, l.held = at, l.held || at.Sub(l.since) >= hold
}

var lowFlags = [3]struct {
	flag func(*tripplite.Status) tripplite.Value[bool]
	text string
}{
	{func(s *tripplite.Status) tripplite.Value[bool] { return s.ShutdownImminent },
		"the unit is about to switch off"},
	{func(s *tripplite.Status) tripplite.Value[bool] { return s.RemainingTimeLimitExpired },
		"the run time left is below the unit's own limit"},
	{func(s *tripplite.Status) tripplite.Value[bool] { return s.BelowRemainingCapacityLimit },
		"the charge is below the unit's own limit"},
}

// note notices a pause.
func (p *Policy) note(now time.Time) {
	if p.last.IsZero() || now.Sub(p.last) >= p.silence() {
		p.from = now
	}
	p.last = now
}

func (p *Policy) unit(path string) *evidence {
	u, ok := p.units[path]
	if !ok {
		if p.units == nil {
			p.units = map[string]*evidence{}
		}
		u = &evidence{}
		p.units[path] = u
	}
	return u
}

// Observe takes what was read of a unit, which was had now.
func (p *Policy) Observe(r tripplite.Reading, now time.Time) {
	p.note(now)
	u := p.unit(r.Info.Path)
	switch {
	case tripplite.HasState(r.Err) && !r.State.Time.IsZero():
		u.observe(p, r.State, r.Err)
	case !errors.Is(r.Err, tripplite.ErrDisconnected) && !errors.Is(r.Err, tripplite.ErrNotFound):
	case !u.gone.IsZero():
	case u.silent(p, now):
		u.gone = later(u.heard, p.from)
	default:
		u.gone = now
	}
}

func (u *evidence) observe(p *Policy, s tripplite.State, err error) {
	u.hasAC = u.hasAC || !s.Status.ACPresent.IsZero()
	if s.Status.Discharging.Or(false) && u.inTest(s.Time) {
		s.Status.Discharging = tripplite.Value[bool]{} // it may be by the test
	}
	u.heard, u.gone = s.Time, time.Time{}
	u.power.Hold = p.Hold
	u.power.Observe(s, err)
	onBattery, since, _ := u.power.Shows()
	if shows, _ := s.OnBattery(); shows && onBattery {
		u.failed = s.Time
	}
	for i := range lowFlags {
		low, known := lowFlags[i].flag(&s.Status).Get()
		if low = low && onBattery; low || !s.Announced && (known || !onBattery) {
			u.low[i].observe(low, s.Time, p.Hold)
		}
	}
	if percent, known := s.RemainingCapacity.Get(); known && !s.Announced {
		u.percent = percent
		u.charge.observe(percent < p.Limits.Charge, s.Time, p.Hold)
		if onBattery {
			u.charges.add(since, s.Time, percent)
		}
	}
	if left, known := s.RunTimeToEmpty.Get(); known && !s.Announced {
		u.left, u.leftAt = left, s.Time
		u.runTime.observe(left < p.Limits.RunTime, s.Time, p.Hold)
	}
}

// Test takes what a unit's Settings say of its battery test. A unit that does not report ACPresent
// shows a test as if line power had failed: while a test is in progress, such a unit does not count
// as on battery. That is believed for five minutes from when it was first said, since a unit that
// goes on saying so must not hide an outage.
func (p *Policy) Test(path string, result tripplite.TestResult, now time.Time) {
	p.note(now)
	u := p.unit(path)
	testing := result == tripplite.TestInProgress
	if testing && !u.testing {
		u.tested = now
	}
	u.testing = testing
}

func (u *evidence) inTest(at time.Time) bool {
	return !u.hasAC && u.testing && at.Sub(u.tested) < longestTest
}

// Outage is a power failure that is under way.
type Outage struct {
	Path  string
	Since time.Time // when it began
	Seen  time.Time // when it was last seen to last
}

// Outages returns the power failures that are under way, for a later run of the program to Resume.
func (p *Policy) Outages() []Outage {
	var all []Outage
	for _, path := range p.paths() {
		if unit := p.judge(path, p.last); unit.OnBattery {
			all = append(all, Outage{path, unit.Since, p.units[path].failed})
		}
	}
	return all
}

// Resume goes on with a power failure that an earlier run of the program saw. It is to be called
// before the first Observe. The first State that tells is believed at once: the outage goes on from
// its Since, or it is over. A unit that is not there, once this run has missed it for Hold, counts
// as lost on battery since Seen. An Outage that cannot be, or whose unit is known already, is
// ignored.
func (p *Policy) Resume(o Outage) {
	u := p.unit(o.Path)
	if o.Since.IsZero() || o.Seen.Before(o.Since) || !u.heard.IsZero() {
		return
	}
	u.earlier, u.failed = true, o.Seen
	u.power.Resume(o.Since)
}

// paths returns those of the units that count, in order.
func (p *Policy) paths() []string {
	if len(p.Paths) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(p.Paths)))
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(p.units)),
		func(path string) bool { return !p.units[path].known() })
}

// known reports whether the unit was ever seen.
func (u *evidence) known() bool { return u != nil && (u.earlier || !u.heard.IsZero()) }
