package main

import (
	"context"
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
	Every  seconds `default:"5" placeholder:"TIME" help:"${every}"`
	Format string  `enum:"auto,json,csv,text" default:"auto" placeholder:"FORMAT" help:"${format}"`
}

// Help says what comes when, and how it ends.
func (watchCommand) Help() string {
	return `On a terminal it is a live view. Elsewhere, or with --format, it prints a line for each
reading, as JSON unless told otherwise: at the start, every interval, and whenever a unit
announces a change. An announced status is a line of its own, without other readings ("announced":
true in JSON); the whole reading follows at once.

While a unit is lost there is one line that says why, as {"device_id": ..., "error": ..., "time":
...} in JSON, and no readings; it goes on when the unit is back. The first line of CSV names the
columns and their units: a value that is not known is empty. Ends with 0 on Ctrl-C, SIGTERM, or
when nobody reads its output any more.`
}

func (c watchCommand) run(s *session) error {
	units, err := s.bank()
	if err != nil {
		return err
	}
	defer units.Close()
	signal.Ignore(syscall.SIGPIPE) // so that the write fails instead, and the units are closed
	if screen := screenOf(s.stdout); screen != nil && c.Format == "auto" {
		return s.live(units, time.Duration(c.Every), screen)
	}
	if s.Path == "" && s.Replay == nil {
		if devices, err := tripplite.Devices(); err == nil && len(devices) == 0 {
			s.warn(fmt.Errorf("%w; waiting for one", tripplite.ErrNotFound))
		}
	}
	return s.follow(units, time.Duration(c.Every), c.writer(s.stdout))
}

// follow writes readings until it is interrupted or nobody reads them.
func (s *session) follow(units source, every time.Duration, write readingWriter) error {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	warned := map[string]string{} // the last warning for each unit
	for r := range units.Watch(ctx, every) {
		if r.Info.Path == "" && r.Err != nil {
			return r.Err // nothing can be listed
		}
		warning := ""
		if r.Err != nil && tripplite.HasState(r.Err) {
			if warning = r.Err.Error(); warning != warned[r.Info.Path] {
				_ = s.warnPartial(r.Err)
			}
		}
		warned[r.Info.Path] = warning
		switch err := write(r); {
		case errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// readingWriter writes a reading as a line.
type readingWriter func(tripplite.Reading) error

func (c watchCommand) writer(w io.Writer) readingWriter {
	switch {
	case c.Format == "csv":
		return csvWriter(w)
	case c.Format == "text", c.Format == "auto" && terminalFile(w) != nil: // one that knows only lines
		return textWriter(w)
	}
	return jsonWriter(w)
}

func jsonWriter(w io.Writer) readingWriter {
	return func(r tripplite.Reading) error {
		if !tripplite.HasState(r.Err) {
			why := map[string]any{"device_id": r.Info.Path, "time": time.Now(), "error": reason(r.Err)}
			return printJSON(w, why, "")
		}
		return printJSON(w, r.State, "")
	}
}

func textWriter(w io.Writer) readingWriter {
	return func(r tripplite.Reading) error {
		at, text := r.State.Time, ""
		if tripplite.HasState(r.Err) {
			text = summary(r.State)
		} else {
			at, text = time.Now(), "no reading: "+reason(r.Err)
		}
		line := joined(" ", at.Local().Format(time.RFC3339), r.Info.Path, text)
		_, err := fmt.Fprintln(w, printable(line))
		return err
	}
}

// csvWriter has the same columns for every unit.
func csvWriter(w io.Writer) readingWriter {
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
	return func(r tripplite.Reading) error {
		if header != nil {
			out.Write(header) // an error is kept until Flush
			header = nil
		}
		said := values(report{State: r.State})
		row := []string{said["time"], printable(r.Info.Path), "", strconv.FormatBool(r.State.Announced)}
		if !tripplite.HasState(r.Err) {
			row = []string{time.Now().Format(time.RFC3339Nano), row[1], printable(reason(r.Err)), ""}
		}
		for _, key := range keys {
			row = append(row, said[key])
		}
		out.Write(row)
		out.Flush()
		return out.Error()
	}
}
