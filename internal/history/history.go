// Package history keeps what the units did, in a SQLite file: a row a minute and unit with the
// least, the mean and the most of each reading, thinned with age, the events, and the outages.
//
// A unit is known by its name: one that is plugged in elsewhere, or replaced, under the same name
// goes on with the same history. A unit under a name without a history takes over that of another
// name if it is the same product with the same serial at the same path, and no unit of this run has
// the other name. So renaming a unit in the configuration renames its history.
//
// Times are what the wall clock said. A clock that steps back adds to the minutes that are there.
// Age is counted in rows, not by the clock, so that a wrong clock deletes nothing.
package history

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/events"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

// Config says where a history is kept.
type Config struct {
	File    string // empty: a day in memory
	MaxSize int64  // of the file, in bytes; 0 is 100 MB
	Log     *slog.Logger
}

const (
	defaultMaxSize = 100e6
	leastMaxSize   = 1e6

	memoryRows   = day / 60 // of a unit
	memoryEvents = 2000

	// writeEvery is how often minutes are written, and a file that failed is tried again.
	writeEvery = time.Minute
	// eventTimeout is how long an event waits for the disk.
	eventTimeout = 2 * time.Second
)

// Store is a history. It is safe for many goroutines. What is not on disk, for lack of a file or
// because it cannot be written, is in memory for a day, and is written when that is possible again.
type Store struct {
	config Config

	// turn holds a token for who reads or moves what is on disk and what is in memory. It guards the
	// next three.
	turn   chan struct{}
	disk   *disk // nil where there is none
	broken bool  // the file turned out to be broken while it was used
	aside  bool  // this run has moved a broken file aside

	mu       sync.Mutex
	seen     map[string]identity // the units of this run, by name
	first    map[string]time.Time
	rows     map[string]map[int64]*row // not on disk yet, by unit and minute
	events   []Event                   // not on disk yet, the oldest first
	outages  []*outage                 // not on disk, changed, or going on; the oldest first
	lastID   int64
	waiters  []chan struct{} // of events; closed when they are on disk or could not be written
	waits    bool            // whether an event is to wait
	problem  string
	notice   string // what was done about a broken file
	lost     int    // events that memory had no room for
	stopped  bool
	wake     chan struct{}
	stop     chan struct{}
	finished chan struct{}
}

// identity is what a unit is known by.
type identity struct {
	name, path      string
	vendor, product uint16
	serial          string
}

// Open opens a history. It never fails: without a file that can be used the history is in memory,
// and [Store.Problem] says why. The file is tried again every minute.
func Open(c Config) *Store {
	if c.MaxSize == 0 {
		c.MaxSize = defaultMaxSize
	}
	c.MaxSize = max(c.MaxSize, leastMaxSize)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		config: c, turn: make(chan struct{}, 1), seen: map[string]identity{},
		first: map[string]time.Time{}, rows: map[string]map[int64]*row{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), finished: make(chan struct{}),
	}
	if c.File != "" {
		s.write(time.Now())
	}
	go s.run()
	return s
}

// Problem returns a sentence that says what is wrong with the file, or nothing.
func (s *Store) Problem() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problem != "" {
		return s.problem
	}
	return s.notice
}

// Reading takes a reading. It does not wait.
func (s *Store) Reading(u monitor.Unit) {
	if !tripplite.HasState(u.Err) || u.State.Time.IsZero() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[u.Name] = identity{
		u.Name, u.Info.Path, u.Info.VendorID, u.Info.ProductID, u.Info.Serial,
	}
	if s.first[u.Name].IsZero() {
		s.first[u.Name] = u.State.Time
	}
	if !u.State.Announced {
		s.minute(u.Name, floor(u.State.Time.Unix(), 60)).add(&u.State)
	}
	switch o := s.goingOn(u.Name); {
	case o == nil:
	case u.OnBattery && !o.old:
		o.observe(&u)
	case !u.OnBattery && o.old && u.State.Time.Sub(s.first[u.Name]) >= believedAfter:
		o.abandon()
	}
}

// minute returns the row of a minute. Of too many the oldest goes.
func (s *Store) minute(unit string, t int64) *row {
	rows := s.rows[unit]
	if rows == nil {
		rows = map[int64]*row{}
		s.rows[unit] = rows
	}
	r := rows[t]
	if r == nil {
		r = &row{}
		rows[t] = r
		for len(rows) > memoryRows {
			delete(rows, slices.Min(slices.Collect(maps.Keys(rows))))
		}
	}
	return r
}

// goingOn returns the outage of a unit that goes on, or nil.
func (s *Store) goingOn(unit string) *outage {
	for _, o := range slices.Backward(s.outages) {
		if o.unit == unit && o.to.IsZero() {
			return o
		}
	}
	return nil
}

// Event takes an event. It returns when the event is on disk, or when it cannot be written, after
// 2 s at the latest.
func (s *Store) Event(e events.Event) {
	s.mu.Lock()
	s.lastID++
	s.events = append(s.events, Event{
		ID: s.lastID, Time: e.Time, Unit: e.Name, Path: e.Path, Kind: e.Kind, Text: e.Text})
	if _, seen := s.seen[e.Name]; !seen && e.Name != "" {
		s.seen[e.Name] = identity{name: e.Name, path: e.Path}
	}
	switch e.Kind {
	case events.OnBattery:
		s.begin(e)
	case events.OnLine:
		if o := s.goingOn(e.Name); o == nil {
		} else if o.old && !o.continues(e.Time) {
			o.abandon()
		} else {
			o.end(e.Time)
		}
	}
	s.bound()
	if !s.waits {
		s.mu.Unlock()
		return
	}
	done := make(chan struct{})
	s.waiters = append(s.waiters, done)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	late := time.NewTimer(eventTimeout)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		s.mu.Lock()
		s.waits = false // until something is written
		s.mu.Unlock()
		s.config.Log.Warn("the history is slow: an event is not on disk yet", "file", s.config.File)
	}
}

func (s *Store) begin(e events.Event) {
	if o := s.goingOn(e.Name); o != nil && o.continues(e.Time) {
		o.unmeasured = o.unmeasured || o.old
		o.old = false
		return
	} else if o != nil {
		o.abandon()
	}
	s.outages = append(s.outages, &outage{
		id: s.lastID, unit: e.Name, from: e.Time, seen: e.Time, changed: true,
	})
}

// bound drops the oldest of what memory has no room for.
func (s *Store) bound() {
	if n := len(s.events) - memoryEvents; n > 0 {
		s.events = slices.Delete(s.events, 0, n)
		if s.config.File != "" && driver != "" {
			s.lost += n
		}
	}
	if n := len(s.outages) - memoryEvents; n > 0 {
		s.outages = slices.Delete(s.outages, 0, n)
	}
}

// Close writes what is not on disk yet and closes the file. The Store must not be used afterwards.
func (s *Store) Close() error {
	s.mu.Lock()
	stopped := s.stopped
	s.stopped, s.waits = true, false
	s.mu.Unlock()
	if !stopped {
		close(s.stop)
	}
	<-s.finished
	return nil
}
