package history

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// batch is what is written at once.
type batch struct {
	units   map[string]identity
	rows    map[string]map[int64]*row
	events  []Event
	outages []*outage
	waiters []chan struct{}
}

// run writes until the Store is closed.
func (s *Store) run() {
	defer close(s.finished)
	ticker := time.NewTicker(writeEvery)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			s.write(now)
		case <-s.wake:
			s.writeEvents()
		case <-s.stop:
			s.turn <- struct{}{}
			if s.disk != nil {
				s.flush(func(int64) bool { return true })
				s.disk.close()
				s.disk = nil
			}
			<-s.turn
			return
		}
	}
}

// write writes the minutes that are over, and whatever else there is. It opens the file if need be.
func (s *Store) write(now time.Time) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if s.config.File == "" {
		return
	}
	if s.disk != nil && s.disk.replaced() {
		s.config.Log.Warn("the history was replaced; it is opened again", "file", s.config.File)
		s.disk.close()
		s.disk = nil
	}
	if s.disk == nil {
		if err := s.attach(now); err != nil {
			s.failed(err)
			return
		}
	}
	current := floor(now.Unix(), 60)
	if s.flush(func(minute int64) bool { return minute != current }) {
		if err := s.disk.thin(now, s.config.MaxSize); err != nil {
			s.failed(err)
		}
	}
}

// writeEvents writes the events, and the outages that go with them.
func (s *Store) writeEvents() {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.flush(func(int64) bool { return false })
}

// settle writes events that wait to be written, before somebody is told of them. It is called with
// the turn taken.
func (s *Store) settle() {
	s.mu.Lock()
	waiting := s.disk != nil && s.waits && len(s.events) > 0
	s.mu.Unlock()
	if waiting {
		s.flush(func(int64) bool { return false })
	}
}

// attach opens the file. One that is broken is moved aside, once.
func (s *Store) attach(now time.Time) error {
	d, last, going, err := resume(s.config.File)
	if (s.broken || broken(err)) && !s.aside {
		if d != nil {
			d.close()
		}
		to, moved := moveAside(s.config.File, now)
		if moved != nil {
			return moved
		}
		s.aside, s.broken = true, false
		s.mu.Lock()
		s.notice = fmt.Sprintf("The history was broken and begins anew. The broken file is %s.", to)
		s.mu.Unlock()
		s.config.Log.Error("the history was broken and begins anew", "moved to", to)
		d, last, going, err = resume(s.config.File)
	}
	if err != nil {
		return err
	}
	s.disk = d
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follow(last)
	for _, o := range going {
		if slices.ContainsFunc(s.outages, func(has *outage) bool { return has.id == o.id }) {
			continue
		}
		if s.goingOn(o.unit) != nil {
			o.abandon()
		}
		s.outages = slices.Insert(s.outages, 0, o)
	}
	s.waits = !s.stopped
	return nil
}

// resume opens a file, and returns what [disk.resume] does.
func resume(file string) (d *disk, last int64, going []*outage, err error) {
	if d, err = openDisk(file); err != nil {
		return nil, 0, nil, err
	}
	if last, going, err = d.resume(); err != nil {
		d.close()
		return nil, 0, nil, err
	}
	return d, last, going, nil
}

// follow has what is in memory alone follow the last event on disk. It is called with mu locked.
func (s *Store) follow(last int64) {
	begins := s.lastID + 1
	if len(s.events) > 0 {
		begins = s.events[0].ID
	}
	for _, o := range s.outages {
		if !o.written {
			begins = min(begins, o.id)
		}
		o.changed = true
	}
	shift := last + 1 - begins
	if shift <= 0 {
		return
	}
	for i := range s.events {
		s.events[i].ID += shift
	}
	for _, o := range s.outages {
		if !o.written {
			o.id += shift
		}
	}
	s.lastID += shift
}

// flush writes what is in memory, and of the minutes those that are due. It reports whether that
// went well. It is called with the turn taken.
func (s *Store) flush(due func(minute int64) bool) bool {
	b := s.take(due)
	defer func() {
		for _, w := range b.waiters {
			close(w)
		}
	}()
	if s.disk == nil {
		s.putBack(b)
		return false
	}
	if err := s.disk.write(b); err != nil {
		s.putBack(b)
		s.failed(err)
		return false
	}
	s.succeeded(b)
	return true
}

// take takes what is to be written out of memory.
func (s *Store) take(due func(minute int64) bool) *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &batch{
		units: maps.Clone(s.seen), rows: map[string]map[int64]*row{}, events: s.events,
		waiters: s.waiters,
	}
	s.events, s.waiters = nil, nil
	for unit, rows := range s.rows {
		taken := map[int64]*row{}
		for t, r := range rows {
			if due(t) {
				taken[t] = r
				delete(rows, t)
			}
		}
		if len(taken) > 0 {
			b.rows[unit] = taken
		}
	}
	for _, o := range s.outages {
		if o.changed {
			written := *o
			b.outages = append(b.outages, &written)
			o.changed, o.written = false, true
		}
	}
	return b
}

// putBack returns to memory what could not be written.
func (s *Store) putBack(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for unit, rows := range b.rows {
		for t, r := range rows {
			s.minute(unit, t).merge(r)
		}
	}
	s.events = append(b.events, s.events...)
	for _, written := range b.outages {
		for _, o := range s.outages {
			if o.id == written.id {
				o.changed, o.written = true, written.written
			}
		}
	}
	s.bound()
}

func (s *Store) succeeded(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	going := s.outages[:0]
	for _, o := range s.outages {
		if o.changed || o.to.IsZero() {
			going = append(going, o)
		}
	}
	s.outages = going
	s.waits = !s.stopped
	if s.problem != "" {
		s.config.Log.Info("the history is written again", "file", s.config.File)
	}
	s.problem = ""
	if s.lost > 0 {
		s.config.Log.Error("events are missing in the history", "events", s.lost)
		s.lost = 0
	}
}

// failed says what is wrong. It is called with the turn taken.
func (s *Store) failed(err error) {
	s.broken = s.broken || broken(err)
	if s.disk != nil && broken(err) {
		s.disk.close()
		s.disk = nil
	}
	problem := sentence(s.config.File, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = s.waits && s.disk != nil
	if problem != s.problem {
		s.problem = problem
		s.config.Log.Error("the history goes on in memory", "file", s.config.File, "err", err)
	}
}

// enter takes the turn.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
