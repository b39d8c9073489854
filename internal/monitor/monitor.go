// Package monitor watches units for all who want to know how they do, such as a page, a history and
// whoever sends messages: each unit is read once for all of them.
package monitor

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/events"
)

// Source has the units. A [tripplite.Bank] is one.
type Source interface {
	Watch(ctx context.Context, every time.Duration) iter.Seq[tripplite.Reading]
}

// Unit is what is known of one UPS now.
type Unit struct {
	Name              string
	tripplite.Reading           // the State is empty while the unit is lost
	Since             time.Time // when Reading began to be so: with a State, or lost; zero before
	OnBattery         bool      // as it is believed
	// OnBatterySince is since when it is believed, or else since when States in a row say so. It is
	// zero unless one of the two is.
	OnBatterySince time.Time
}

// Up reports whether the unit says how it does.
func (u Unit) Up() bool { return tripplite.HasState(u.Err) && !u.State.Time.IsZero() }

// Sink gets what happens. Its methods are called from one goroutine at a time and must be quick.
type Sink interface {
	// Reading is called for each reading, and once when a unit is lost.
	Reading(Unit)
	// Event is called for each event. The sinks get it in their order: one that keeps it on disk goes
	// before one that shows it.
	Event(events.Event)
}

// Config says how a Monitor works.
type Config struct {
	Every  time.Duration            // how often each unit is read
	NameOf func(path string) string // names units
	// LowOf returns below which charge and run time a battery is low, beside what the unit says; 0 is
	// no limit. Nil has none.
	LowOf func(path string) (charge float64, runTime time.Duration)
	// Named has the paths of units that are told of even if they have never been there: as lost.
	Named []string
	Sinks []Sink
	Log   *slog.Logger
}

// Monitor is what knows how the units do. It is safe for many goroutines.
type Monitor struct {
	config Config
	source Source

	telling sync.Mutex // so that sinks get one thing at a time

	mu      sync.Mutex
	units   map[string]*watched // by path
	started time.Time           // when Run was called
	looked  bool                // whether the units that are attached have been found
	problem error               // why the source ended
	changed chan struct{}       // closed with the next change
}

type watched struct {
	Unit
	tracker events.Tracker
	saysSo  time.Time // the Time of the first State in a row that says on battery; zero if none does
}

// New makes a Monitor, which watches while Run runs.
func New(source Source, config Config) *Monitor {
	m := &Monitor{
		config: config, source: source, units: map[string]*watched{}, changed: make(chan struct{}),
	}
	for _, path := range config.Named {
		m.at(path)
	}
	return m
}

// tick is how often events are looked for that time alone brings.
const tick = time.Second

// missing is after which time a named unit without a reading is lost.
const missing = 2 * time.Second

// Run watches the units until ctx is done, or until the source ends, with its error.
func (m *Monitor) Run(ctx context.Context) (err error) {
	m.mu.Lock()
	m.started = time.Now()
	m.mu.Unlock()
	defer func() { m.end(err) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var ticking sync.WaitGroup
	defer ticking.Wait()
	defer stop()
	ticking.Go(func() {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				m.lost(now)
				m.elapse(now)
			}
		}
	})
	for r := range m.source.Watch(ctx, m.config.Every) {
		if r.Info.Path == "" {
			return r.Err
		}
		m.take(r, time.Now())
	}
	return ctx.Err()
}

// take remembers a reading and tells it.
func (m *Monitor) take(r tripplite.Reading, now time.Time) {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.took(r, now)
}

// took is take with telling locked.
func (m *Monitor) took(r tripplite.Reading, now time.Time) {
	m.mu.Lock()
	m.looked = true
	u := m.at(r.Info.Path)
	if u.Since.IsZero() || tripplite.HasState(u.Err) != tripplite.HasState(r.Err) {
		u.Since = now
	}
	// An announced State is told as it is: nothing from before an event is shown beside it.
	u.Reading = r
	switch on, known := r.State.OnBattery(); {
	case !known || !on:
		u.saysSo = time.Time{}
	case u.saysSo.IsZero():
		u.saysSo = r.State.Time
	}
	happened := u.tracker.Observe(r.State, r.Err, now)
	u.believe()
	unit := u.Unit
	m.mu.Unlock()
	for _, s := range m.config.Sinks {
		s.Reading(unit)
	}
	m.tell(happened)
	m.wake()
}

func (u *watched) believe() {
	on, since, _ := u.tracker.OnBattery()
	u.OnBattery, u.OnBatterySince = on, u.saysSo
	if on {
		u.OnBatterySince = since
	}
}

// lost takes it that named units without a reading are lost.
func (m *Monitor) lost(now time.Time) {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.mu.Lock()
	var paths []string
	if now.Sub(m.started) >= missing {
		if !m.looked {
			m.looked = true
			defer m.wake()
		}
		for path, u := range m.units {
			if u.Since.IsZero() {
				paths = append(paths, path)
			}
		}
	}
	m.mu.Unlock()
	for _, path := range paths {
		m.took(tripplite.Reading{Info: tripplite.DeviceInfo{Path: path}, Err: NotThere(path)}, now)
	}
}

// NotThere is the error of a unit that has a name and has not been seen.
func NotThere(path string) error {
	return &tripplite.Error{Op: "read", Path: path, Err: tripplite.ErrNotFound}
}

// end takes back what the units said: nobody reads them now.
func (m *Monitor) end(err error) {
	m.mu.Lock()
	m.problem, m.looked = err, true
	for _, u := range m.units {
		if u.Since.IsZero() || tripplite.HasState(u.Err) {
			u.Since = time.Now()
			u.State, u.Err = tripplite.State{}, err
		}
	}
	m.mu.Unlock()
	m.wake()
}

func (m *Monitor) elapse(now time.Time) {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.mu.Lock()
	var happened []events.Event
	for _, u := range m.units {
		happened = append(happened, u.tracker.At(now)...)
		u.believe()
	}
	m.mu.Unlock()
	if len(happened) > 0 {
		m.tell(happened)
		m.wake()
	}
}

// Tested takes the result of a unit's last battery test.
func (m *Monitor) Tested(path string, result tripplite.TestResult) {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.mu.Lock()
	happened := m.at(path).tracker.Test(result, time.Now())
	m.mu.Unlock()
	m.tell(happened)
	m.wake()
}

// Emit tells an event that is not found in readings.
func (m *Monitor) Emit(e events.Event) {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.tell([]events.Event{e})
	m.wake()
}

func (m *Monitor) tell(happened []events.Event) {
	for _, e := range happened {
		for _, s := range m.config.Sinks {
			s.Event(e)
		}
	}
}

// at returns the unit at a path. It is called with mu locked.
func (m *Monitor) at(path string) *watched {
	u, ok := m.units[path]
	if !ok {
		u = &watched{}
		u.Name = m.config.NameOf(path)
		u.Info.Path = path
		u.tracker.Path, u.tracker.Name = path, u.Name
		if m.config.LowOf != nil {
			u.tracker.LowCharge, u.tracker.LowRunTime = m.config.LowOf(path)
		}
		m.units[path] = u
	}
	return u
}

// Units returns what is known of each unit, ordered by path.
func (m *Monitor) Units() []Unit {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Unit, 0, len(m.units))
	for _, u := range m.units {
		all = append(all, u.Unit)
	}
	slices.SortFunc(all, func(a, b Unit) int { return strings.Compare(a.Info.Path, b.Info.Path) })
	return all
}

// Looked reports whether there has been time to find units: no Units then means that there are
// none.
func (m *Monitor) Looked() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.looked
}

// Problem returns why Run has ended; nil while it runs.
func (m *Monitor) Problem() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.problem
}

// Changed returns a channel that is closed when something is new. Ask for it before Units.
func (m *Monitor) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

func (m *Monitor) wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.changed)
	m.changed = make(chan struct{})
}
