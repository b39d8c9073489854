// Package nut serves UPSes by the protocol of Network UPS Tools (RFC 9271), which upsmon, upsc,
// Home Assistant, Synology and many others speak.
//
//	bank := tripplite.NewBank()
//	defer bank.Close()
//	server := nut.NewServer(bank, nut.Config{})
//	defer server.Close()
//	listener, err := net.Listen("tcp", "127.0.0.1:3493")
//	if err != nil {
//		return err
//	}
//	return server.Serve(listener)
//
// Answers come from memory, which one poll of each unit and what the units announce keep fresh: a
// client costs a unit no transfer. A unit that is lost is ERR DATA-STALE at once; nothing is served
// from before. Whoever can connect may read. Commands, settings and logins are for users that
// [Config] names; without them there are none.
package nut

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
)

// Config says how a Server works. The zero one serves what only reads.
type Config struct {
	// Every is how often each unit is read, beside what it announces; 2 s unless it is set.
	Every time.Duration
	// Names are the names of units by path, such as "1-4.2:1.0", each with its own name first and then
	// others, such as "qnapups". A unit without one is called by its port, as "ups-1-4.2". A single
	// unit is called "ups", too, and for good once a client has called it so. LIST UPS has one name of
	// each unit, since many clients take two names for two units.
	Names map[string][]string
	// Users may do more than read.
	Users []User
	// Limits are when a battery counts as low, beside what the unit says, by path; those of "" are of
	// all others.
	Limits map[string]Limits
	// TLS is what STARTTLS serves; nil has none.
	TLS *tls.Config
	// Version is that of the program, as driver.version and server.info say it.
	Version string
	// Log gets who logs in, sets, commands, and fails to. Nil logs nothing.
	Log *slog.Logger
	// After is a closed Server whose place this one takes: what its clients set goes on, FSD too.
	After *Server
	// Connections is how many there may be at once; 1024 unless it is set.
	Connections int
}

// Server serves units to clients. It is safe for many goroutines.
type Server struct {
	config Config
	source Source
	memory memory
	log    *slog.Logger
	told   map[string]told // to the server before this one, by path

	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	running sync.WaitGroup // the watch, the sessions and the commands

	mu        sync.Mutex
	listeners map[net.Listener]bool
	sessions  map[*session]bool
	tracking  tracking
}

// NewServer makes a Server, which reads the source from now on, until Close.
func NewServer(source Source, config Config) *Server {
	s := &Server{
		config: config, source: source, log: config.Log,
		listeners: map[net.Listener]bool{}, sessions: map[*session]bool{}, told: map[string]told{},
	}
	s.config.Every = cmp.Or(s.config.Every, 2*time.Second)
	s.config.Connections = cmp.Or(s.config.Connections, 1024)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if config.After != nil {
		s.told = maps.Clone(config.After.told)
		maps.Copy(s.told, config.After.memory.told())
		s.config.After = nil // which is no more needed
	}
	s.memory.make = s.newUnit
	for _, path := range slices.Sorted(maps.Keys(config.Names)) {
		s.memory.at(path) // a unit with a name is missed while it is not there
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.running.Go(s.watch)
	return s
}

func (s *Server) newUnit(path string) *unit {
	limits, ok := s.config.Limits[path]
	if !ok {
		limits = s.config.Limits[""]
	}
	names := s.config.Names[path]
	if len(names) == 0 {
		names = []string{DefaultName(path)}
	}
	before, ok := s.told[path]
	if !ok {
		before.delays = delays{shutdown: 20, start: 30}
	}
	return &unit{
		info: tripplite.DeviceInfo{Path: path}, limits: limits, told: before,
		names: names, named: len(s.config.Names[path]) > 0,
		version: s.config.Version, maxAge: max(maxAge, 3*s.config.Every),
	}
}

// settingsEvery is how often the settings of a unit are read, which tell its tests and timers,
// beside the moments when they are likely to have changed.
const settingsEvery = 30 * time.Second

// watch keeps the memory fresh.
func (s *Server) watch() {
	defer s.memory.loseAll()
	due := map[string]time.Time{}
	for r := range s.source.Watch(s.ctx, s.config.Every) {
		if r.Info.Path == "" {
			s.log.Error("the UPSes cannot be read", "err", r.Err)
			return
		}
		now, path := time.Now(), r.Info.Path
		if s.memory.take(r, now) {
			due[path] = now
		}
		if tripplite.HasState(r.Err) && !r.State.Announced && !now.Before(due[path]) {
			due[path] = now.Add(settingsEvery)
			s.running.Go(func() { s.readSettings(path) })
		}
	}
}

// readSettings reads what a Watch does not yield.
func (s *Server) readSettings(path string) {
	source, ok := s.source.(commander)
	if !ok {
		return
	}
	b, ok := source.Battery(path)
	if !ok {
		return
	}
	var losses int
	s.memory.update(path, func(u *unit) { losses = u.losses })
	ctx, cancel := context.WithTimeout(s.ctx, commandTimeout)
	defer cancel()
	settings, err := b.Settings(ctx)
	if !tripplite.HasState(err) {
		return
	}
	commands, err := b.Commands(ctx)
	if err != nil {
		return
	}
	s.memory.update(path, func(u *unit) {
		if u.losses == losses && !u.at.IsZero() { // else it was lost meanwhile
			u.settings, u.commands, u.asked = settings, commands, true
			u.index()
		}
	})
}

// Serve takes connections until Close, or until the listener fails. It closes the listener.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.ctx.Err() != nil {
		s.mu.Unlock()
		l.Close()
		return net.ErrClosed
	}
	s.listeners[l] = true
	s.mu.Unlock()
	defer func() {
		l.Close()
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	wait := 5 * time.Millisecond
	for {
		conn, err := l.Accept()
		switch {
		case s.ctx.Err() != nil:
			if conn != nil {
				conn.Close()
			}
			return net.ErrClosed
		case err == nil:
			wait = 5 * time.Millisecond
			s.begin(conn)
			continue
		case errors.Is(err, net.ErrClosed):
			return err
		}
		s.log.Warn("a connection could not be taken", "err", err) // such as too many open files
		select {
		case <-time.After(wait):
		case <-s.ctx.Done():
		}
		wait = min(2*wait, time.Second)
	}
}

// begin serves a connection. Where there are too many, the one that has been idle the longest and
// is not logged in makes room.
func (s *Server) begin(conn net.Conn) {
	c := newSession(s, conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		conn.Close() // Close does not know of it
		return
	}
	if len(s.sessions) >= s.config.Connections {
		var oldest *session
		for other := range s.sessions {
			if other.monitored.Load() == nil && (oldest == nil || other.last.Load() < oldest.last.Load()) {
				oldest = other
			}
		}
		if oldest == nil {
			conn.Close()
			return
		}
		oldest.raw.Close()
		delete(s.sessions, oldest)
	}
	s.sessions[c] = true
	s.running.Go(func() {
		c.serve()
		s.mu.Lock()
		delete(s.sessions, c)
		s.mu.Unlock()
	})
}

// Close ends all sessions and the reading of the source. It waits for commands under way, which end
// within some seconds.
func (s *Server) Close() error {
	s.stop()
	s.mu.Lock()
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.sessions {
		c.raw.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

// ForceShutdown tells every upsmon of the unit at a path to shut its host down (FSD), as a primary
// does. Nothing takes it back.
func (s *Server) ForceShutdown(path string) {
	s.log.Warn("FSD: every upsmon of the UPS shuts its host down", "path", path)
	s.memory.update(path, func(u *unit) { u.fsd = true })
}

// Clients returns the addresses of those that are logged in to the unit at a path. An upsmon logs
// out once it shuts its host down.
func (s *Server) Clients(path string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for c := range s.sessions {
		if at := c.monitored.Load(); at != nil && *at == path {
			all = append(all, c.address)
		}
	}
	slices.Sort(all)
	return all
}

// commandTimeout is how long a command may wait for its unit.
const commandTimeout = 20 * time.Second

// do gives a unit a command and reads it anew.
func (s *Server) do(path string, c tripplite.Command) error {
	source, ok := s.source.(commander)
	if !ok {
		return errors.ErrUnsupported
	}
	b, ok := source.Battery(path)
	if !ok {
		return tripplite.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(s.ctx, commandTimeout)
	defer cancel()
	err := b.Do(ctx, c)
	if state, getErr := b.Get(ctx); tripplite.HasState(getErr) {
		s.memory.refresh(path, state, time.Now())
	}
	s.readSettings(path)
	return err
}

// nutNames are the commands that NUT has under other names, or with a time.
var nutNames = map[string]string{
	"load.off.delay":     tripplite.LoadOff,
	"load.on.delay":      tripplite.LoadOn,
	"test.battery.start": tripplite.TestQuick,
	"reset.watchdog":     tripplite.Watchdog,
}

// commandsOf returns the names of the commands that a unit takes and some user may give, sorted.
func (s *Server) commandsOf(u *unit) []string {
	var names []string
	add := func(name string) {
		for _, user := range s.config.Users {
			if user.may(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, c := range u.commands {
		if strings.HasPrefix(c.Name, "set.") {
			continue // by SET VAR
		}
		add(c.Name)
		for name, is := range nutNames {
			if is == c.Name {
				add(name)
			}
		}
	}
	slices.Sort(names)
	return names
}
