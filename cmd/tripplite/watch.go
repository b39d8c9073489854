package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/tripplite-go/tripplite"
)

type watchCommand struct {
	Every  seconds `default:"5" placeholder:"TIME" help:"How often to read."`
	Format string  `enum:"auto,json,csv,text" default:"auto" placeholder:"FORMAT" help:"${format}"`
}

func (c watchCommand) Run(s *session) error {
	signal.Ignore(syscall.SIGPIPE) // so that the write fails instead, and the units are closed
	every := time.Duration(c.Every)
	if screen := screenOf(s.stdout); screen != nil && c.Format == "auto" {
		return s.withBank(func(units source) error { return s.live(units, every, screen) })
	}
	if s.Path == "" && s.Replay == nil {
		if devices, err := tripplite.Devices(); err == nil && len(devices) == 0 {
			s.warn(fmt.Errorf("%w; waiting for one", tripplite.ErrNotFound))
		}
	}
	return s.withBank(func(units source) error { return s.follow(units, every, c.writer(s.stdout)) })
}

// follow writes readings until it is interrupted or nobody reads them.
func (s *session) follow(units source, every time.Duration, write func(report) error) error {
	warned := map[string]string{} // what was wrong with each unit
	for r := range units.Watch(s.ctx, every) {
		if r.Info.Path == "" && r.Err != nil {
			return r.Err // nothing can be listed
		}
		if wrong := fmt.Sprint(r.Err); wrong != warned[r.Info.Path] {
			warned[r.Info.Path] = wrong
			_ = s.warnPartial(r.Err)
		}
		of := report{State: r.State}
		if !tripplite.HasState(r.Err) {
			of = report{State: tripplite.State{Path: r.Info.Path, Time: time.Now()}, Error: reason(r.Err)}
		}
		switch err := write(of); {
		case errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// writer returns what writes a report as a line.
func (c watchCommand) writer(w io.Writer) func(report) error {
	switch {
	case c.Format == "csv":
		return csvWriter(w)
	case c.Format == "json", c.Format == "auto" && terminalFile(w) == nil:
		return func(r report) error { return printJSON(w, r, "") }
	}
	return func(r report) error { // also on a terminal that knows only lines
		text := summary(r.State)
		if r.Error != "" {
			text = "no reading: " + r.Error
		}
		line := joined(" ", r.Time.Local().Format(time.RFC3339), r.Path, text)
		_, err := fmt.Fprintln(w, printable(line))
		return err
	}
}

// csvWriter has the same columns for every unit.
func csvWriter(w io.Writer) func(report) error {
	out := csv.NewWriter(w)
	header := []string{"time", "device_id", "error", "announced"}
	var keys []string
	for _, f := range tripplite.Fields() {
		if f.Setting() {
			continue
		}
		name := f.Key
		if f.Unit != "" {
			name += " (" + f.Unit + ")"
		}
		keys, header = append(keys, f.Key), append(header, name)
	}
	out.Write(header) // an error is kept until Flush
	return func(r report) error {
		said, announced := values(r), strconv.FormatBool(r.Announced)
		if r.Error != "" {
			announced = ""
		}
		row := []string{said["time"], said["device_id"], printable(r.Error), announced}
		for _, key := range keys {
			row = append(row, said[key])
		}
		out.Write(row)
		out.Flush()
		return out.Error()
	}
}
