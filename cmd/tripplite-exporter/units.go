package main

import (
	"context"
	"log/slog"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/replay"
)

// open returns the UPSes at the paths, or the captures, or where neither are named every UPS attached. They are opened when they are read.
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

// quiet leaves out what a Battery says of its unit at the level of Info, because told says that of every unit.
type quiet struct{ slog.Handler }

// Enabled says whether a level is logged.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level != slog.LevelInfo && q.Handler.Enabled(ctx, level)
}
