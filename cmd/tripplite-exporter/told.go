package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
)

// told is a source that logs what became of each unit, once each time that it changes and not at every scrape.
type told struct {
	source collector.Source
	log    *slog.Logger

	mu   sync.Mutex
	list string            // why the units could not be listed, last time
	unit map[string]string // what was said last of each, by path
}

// Get reads the source.
func (t *told) Get(ctx context.Context) ([]tripplite.Reading, error) {
	units, err := t.source.Get(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if listed := kind(err); listed != t.list {
		t.list = listed
		if err != nil {
			t.log.Error("the UPSes cannot be listed", "err", err)
		}
	}
	if t.unit == nil && err == nil {
		t.unit = map[string]string{}
		if len(units) == 0 {
			t.log.Warn("no UPS is attached yet")
		}
	}
	for _, unit := range units {
		t.tell(unit)
	}
	return units, err
}

func (t *told) tell(unit tripplite.Reading) {
	path := unit.Info.Path
	said, ok := t.unit[path]
	now := kind(unit.Err)
	if ok && said == now {
		return
	}
	t.unit[path] = now
	var partial *tripplite.PartialError
	switch {
	case unit.Err == nil:
		t.log.Info("UPS answers", "path", path, "product", unit.Info.Product, "serial", unit.Info.Serial)
	case errors.As(unit.Err, &partial):
		t.log.Warn("UPS answers in part", "path", path, "err", unit.Err)
	case late(unit.Err):
		t.log.Warn("UPS does not answer in time", "path", path)
	default:
		t.log.Warn("UPS cannot be read", "path", path, "err", unit.Err)
	}
}

// kinds are the errors that are the same whatever else they say.
var kinds = []error{
	tripplite.ErrNotFound, tripplite.ErrPermission, tripplite.ErrBusy, tripplite.ErrDisconnected, tripplite.ErrClosed, tripplite.ErrUnsupported,
}

// kind is equal for errors that need not be told one after the other.
func kind(err error) string {
	var partial *tripplite.PartialError
	var report *tripplite.ReportError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &partial):
		return "partial"
	case errors.As(err, &report):
		return report.Name
	case late(err):
		return "late"
	}
	for _, k := range kinds {
		if errors.Is(err, k) {
			return k.Error()
		}
	}
	return err.Error()
}

// late says whether a unit had not answered when the scrape had to end.
func late(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
