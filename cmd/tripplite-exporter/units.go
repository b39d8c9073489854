package main

import (
	"context"
	"log/slog"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/replay"
)

// open returns the UPSes at the paths, or the captures, or every UPS attached if neither are given.
// They are opened when they are read.
func open(paths, captures []string, log *slog.Logger) (*tripplite.Bank, error) {
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
