package serve

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/internal/replay"
)

// Open returns the UPSes at the paths, or the captures, or every UPS attached if neither are given.
// They are opened when they are read.
func Open(paths, captures []string, log *slog.Logger) (*tripplite.Bank, error) {
	quietly := tripplite.WithLogger(slog.New(quiet{log.Handler()}))
	switch {
	case len(paths) > 0:
		return tripplite.BankAt(paths, quietly), nil
	case len(captures) > 0:
		units, err := replay.Open(captures, quietly)
		return tripplite.BankOf(units...), err
	}
	return tripplite.NewBank(quietly), nil
}

// quiet leaves out what a Battery logs at info level, because logging says that of every unit.
type quiet struct{ slog.Handler }

// Enabled reports whether a level is logged.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level != slog.LevelInfo && q.Handler.Enabled(ctx, level)
}

// Look reads the units before anybody asks. So the log says at the start what is there, and the
// first scrape finds them open. It fails where no unit can be read.
func Look(ctx context.Context, source collector.Source, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	units, err := source.Get(ctx)
	if err != nil {
		return err
	}
	err = tripplite.ErrNotFound
	for _, unit := range units {
		if tripplite.HasState(unit.Err) {
			return nil
		}
		err = unit.Err
	}
	return err
}

// Logging returns a source that logs how each unit of another one does.
func Logging(source collector.Source, log *slog.Logger) collector.Source {
	return &logging{source: source, log: log}
}

// logging is a source that logs how each unit does when that changes, and not at every scrape.
type logging struct {
	source collector.Source
	log    *slog.Logger

	mu    sync.Mutex
	list  string            // the kind of the last error of the list
	units map[string]string // the kind of the last error of each unit, by path; nil before a list
}

// fairTimeout is enough for most units. Where a scrape waits less, or its client leaves, a unit
// that has not answered need not be slow. That is not logged, so no client can fill the log.
const fairTimeout = time.Second

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
		l.units = map[string]string{}
		if len(units) == 0 {
			l.log.Warn("no UPS is attached yet")
		}
	}
	for _, unit := range units {
		if k := kind(unit.Err); k != canceled && (k != late || fair) {
			l.unit(unit, k)
		}
	}
	return units, err
}

func (l *logging) unit(unit tripplite.Reading, kind string) {
	path := unit.Info.Path
	if last, ok := l.units[path]; ok && last == kind {
		return
	}
	l.units[path] = kind
	switch kind {
	case none:
		l.log.Info("UPS answers",
			"path", path, "product", unit.Info.Model(), "serial", unit.Info.Serial)
	case partial:
		l.log.Warn("UPS answers in part", "path", path, "err", unit.Err)
	case late:
		l.log.Warn("UPS does not answer in time", "path", path)
	default:
		l.log.Warn("UPS cannot be read", "path", path, "err", unit.Err)
	}
}

// Some kinds of errors.
const (
	none, partial  = "none", "partial"
	late, canceled = "late", "canceled"
)

// kind returns the same text for errors that need not be logged one after the other.
func kind(err error) string {
	switch {
	case err == nil:
		return none
	case errors.As(err, new(*tripplite.PartialError)):
		return partial
	case errors.As(err, new(*tripplite.ReportError)):
		return "report"
	case errors.Is(err, context.Canceled):
		return canceled
	case errors.Is(err, context.DeadlineExceeded):
		return late
	}
	for _, known := range []error{
		tripplite.ErrNotFound, tripplite.ErrPermission, tripplite.ErrBusy,
		tripplite.ErrDisconnected, tripplite.ErrClosed, tripplite.ErrUnsupported,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "other"
}
