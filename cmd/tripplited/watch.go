package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/guard"
	"github.com/tripplite-go/tripplite/internal/events"
	"github.com/tripplite-go/tripplite/internal/history"
	"github.com/tripplite-go/tripplite/internal/monitor"
	"github.com/tripplite-go/tripplite/internal/notify"
)

// spoolDirectory has the messages that could not be sent yet.
const spoolDirectory = "messages"

// watch watches the units for all who want to know how they do. The function that it returns ends
// that.
func (d *daemon) watch() (stop func()) {
	c := &d.fixed
	if len(c.Notify) > 0 {
		spool := filepath.Join(c.stateDir(), spoolDirectory)
		if err := os.MkdirAll(spool, 0o700); err != nil {
			d.log.Error("messages that wait will not outlast a restart", "err", err)
			spool = ""
		}
		// One whose file is missing or whose program is gone stops neither the others nor the guard.
		var targets []notify.Config
		for i, n := range c.Notify {
			if err := n.Open(); err != nil {
				d.log.Error("nobody is told by this [[notify]]", "number", i+1, "err", err)
				continue
			}
			targets = append(targets, n)
		}
		var err error
		if d.notifier, err = notify.New(targets, spool, d.log); err != nil {
			d.log.Error("nobody is told", "err", err)
		}
	}
	d.history = history.Open(history.Config{
		File: c.historyFile(), MaxSize: int64(c.History.MaxMB) << 20, Log: d.log,
	})
	config := monitor.Config{
		Every: c.NUT.Every, NameOf: c.Units.nameOf, LowOf: c.lowOf, Log: d.log,
		Sinks: []monitor.Sink{d.history},
	}
	if d.notifier != nil {
		config.Sinks = append(config.Sinks, d.notifier) // an event is kept before it is told
	}
	if len(c.Units.Paths) == 0 { // else the Bank has those and no others
		config.Named = slices.Sorted(maps.Keys(c.Units.Names))
	}
	d.monitor = monitor.New(d.bank, config)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.monitor.Run(ctx); ctx.Err() == nil {
			d.log.Error("the units cannot be watched", "err", err)
		}
	})
	running.Go(func() { d.watchTests(ctx) })
	return func() {
		cancel()
		running.Wait()
		if d.notifier != nil {
			d.notifier.Close()
		}
		if err := d.history.Close(); err != nil {
			d.log.Error("the history", "err", err)
		}
	}
}

// checkTargets returns which [[notify]] tables cannot be used.
func (d *daemon) checkTargets() error {
	var wrong []error
	for i, n := range d.fixed.Notify {
		if err := n.Open(); err != nil {
			wrong = append(wrong, fmt.Errorf("notify %d: %w", i+1, err))
		}
	}
	return errors.Join(wrong...)
}

// testsEvery is how often the units are asked how their last battery test ended.
const testsEvery = time.Minute

func (d *daemon) watchTests(ctx context.Context) {
	ticker := time.NewTicker(testsEvery)
	defer ticker.Stop()
	for {
		for _, unit := range d.monitor.Units() {
			b, ok := d.bank.Battery(unit.Info.Path)
			if !ok || !unit.Up() {
				continue
			}
			asking, cancel := context.WithTimeout(ctx, aliveTimeout)
			settings, err := b.Settings(asking)
			cancel()
			if result, known := settings.Test.Get(); known && tripplite.HasState(err) {
				d.monitor.Tested(unit.Info.Path, result)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// guardChanged tells what the guard is about to do. A dry run is for the log alone.
func (d *daemon) guardChanged(before guard.Phase, now guard.Status) {
	if !now.Armed {
		return
	}
	e := events.Event{Time: now.Since}
	switch {
	case now.Phase == guard.Warning:
		e.Kind = events.ShutdownPlanned
		e.Text = fmt.Sprintf("The computer goes down in %v, unless line power returns: %s.",
			d.fixed.Guard.Warning, now.Why)
	case now.Phase == guard.Watching && before == guard.Warning:
		e.Kind, e.Text = events.ShutdownCancelled, "The computer stays up: the limit is not reached any more."
	case now.Phase == guard.Acting:
		e.Kind, e.Text = events.ShuttingDown, fmt.Sprintf("The computer goes down: %s.", now.Why)
	default:
		return
	}
	for _, u := range now.Decision.Units {
		if len(u.Reached) > 0 && e.Path == "" {
			e.Path, e.Name = u.Path, d.fixed.Units.nameOf(u.Path)
		}
	}
	for _, u := range d.monitor.Units() {
		if u.Info.Path == e.Path {
			e.State = u.State
		}
	}
	d.monitor.Emit(e)
}
