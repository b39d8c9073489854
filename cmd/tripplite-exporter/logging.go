package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
)

// logging is a source that logs how each unit does when that changes, and not at every scrape.
type logging struct {
	source collector.Source
	log    *slog.Logger

	mu    sync.Mutex
	list  error            // the kind of the last error of the list
	units map[string]error // the kind of the last error of each unit, by path; nil before a list
}

// Get reads the source.
func (l *logging) Get(ctx context.Context) ([]tripplite.Reading, error) {
	deadline, ok := ctx.Deadline()
	fair := !ok || time.Until(deadline) >= fairTimeout
	units, err := l.source.Get(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := kind(err); k != l.list {
		l.list = k
		if err != nil {
			l.log.Error("the UPSes cannot be listed", "err", err)
		}
	}
	if l.units == nil && err == nil {
		l.units = map[string]error{}
		if len(units) == 0 {
			l.log.Warn("no UPS is attached yet")
		}
	}
	for _, unit := range units {
		if kind(unit.Err) != errLate || fair && !errors.Is(unit.Err, context.Canceled) {
			l.unit(unit)
		}
	}
	return units, err
}

// fairTimeout is enough for most units. Where a scrape waits less, or its client leaves, a unit
// that has not answered need not be slow. That is not logged, so no client can fill the log.
const fairTimeout = time.Second

func (l *logging) unit(unit tripplite.Reading) {
	path, now := unit.Info.Path, kind(unit.Err)
	last, ok := l.units[path]
	if ok && last == now {
		return
	}
	l.units[path] = now
	switch now {
	case nil:
		l.log.Info("UPS answers",
			"path", path, "product", unit.Info.Product, "serial", unit.Info.Serial)
	case errPartial:
		l.log.Warn("UPS answers in part", "path", path, "err", unit.Err)
	case errLate:
		l.log.Warn("UPS does not answer in time", "path", path)
	default:
		l.log.Warn("UPS cannot be read", "path", path, "err", unit.Err)
	}
}

// The kinds of error that are no values of package tripplite.
var (
	errPartial = errors.New("some reports cannot be read")
	errReport  = errors.New("the status cannot be read")
	errLate    = errors.New("no answer in time")
	errOther   = errors.New("another reason")
)

// kind returns the same value for errors that need not be logged one after the other.
func kind(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*tripplite.PartialError)):
		return errPartial
	case errors.As(err, new(*tripplite.ReportError)):
		return errReport
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return errLate
	}
	for _, known := range []error{
		tripplite.ErrNotFound, tripplite.ErrPermission, tripplite.ErrBusy,
		tripplite.ErrDisconnected, tripplite.ErrClosed, tripplite.ErrUnsupported,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errOther
}
