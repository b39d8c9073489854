package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/tripplite-go/tripplite/internal/history"
)

type exportCommand struct {
	What string    `enum:"history,events,outages" default:"history" help:"history, events or outages."`
	UPS  string    `name:"ups" placeholder:"NAME" help:"Of this UPS alone."`
	From time.Time `format:"2006-01-02" placeholder:"DAY" help:"From this day on, such as 2026-11-24."`
	To   time.Time `format:"2006-01-02" placeholder:"DAY" help:"Up to this day, which is left out."`
	File string    `placeholder:"FILE" help:"Of this file, and not of the one that the daemon keeps."`
}

// exportHistory prints a history as CSV.
func (d *daemon) exportHistory(ctx context.Context, c exportCommand, stdout io.Writer) error {
	file := c.File
	if file == "" {
		file = d.fixed.historyFile()
	}
	if file == "" {
		return errors.New("the configuration has no [history] file, and none is named by --file")
	}
	return history.ExportFile(ctx, file, stdout, c.What, local(c.From), local(c.To), c.UPS)
}

// local takes a day for one of this computer's.
func local(day time.Time) time.Time {
	if day.IsZero() {
		return day
	}
	return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, time.Local)
}
