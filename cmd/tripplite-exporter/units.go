package main

import (
	"context"
	"log/slog"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/replay"
)

// open returns the UPSes attached, which it opens when they are read, or the captures named.
func open(captures []string, log *slog.Logger) (*tripplite.Bank, error) {
	log = slog.New(quiet{log.Handler()})
	if len(captures) == 0 {
		return tripplite.NewBank(tripplite.WithLogger(log)), nil
	}
	units, err := replay.Open(captures, tripplite.WithLogger(log))
	if err != nil {
		return nil, err
	}
	return tripplite.BankOf(units...), nil
}

// quiet leaves out what a Battery says of its unit at the level of Info, because told says that of every unit.
type quiet struct{ slog.Handler }

// Enabled says whether a level is logged.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level != slog.LevelInfo && q.Handler.Enabled(ctx, level)
}
