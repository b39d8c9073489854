package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/tripplite-go/tripplite"
)

type watchCommand struct {
	Every  time.Duration `default:"5s" placeholder:"TIME" help:"Read the units at least so often, such as 500ms, 10s or 5m (default: ${default})."`
	Format string        `enum:"auto,json,csv,text" default:"auto" placeholder:"FORMAT" help:"json, csv or text, a line for each reading (default: a live view on a terminal, elsewhere json)."`
}

// Help says what comes when, and how it ends.
func (watchCommand) Help() string {
	return `A reading comes at the start, on every change that a unit announces by itself, and every interval. While a unit is lost there is one line that says so and why, as {"device_id": ..., "error": ..., "time": ...} in JSON, and no values; it goes on when the unit is back. The first line of CSV names the columns with their units: a value that a unit does not report is empty. Ends with 0 on Ctrl-C, SIGTERM, or when nobody reads its output any more.`
}

// Validate is for kong.
func (c watchCommand) Validate() error {
	if c.Every <= 0 {
		return errors.New("--every must be more than 0")
	}
	return nil
}

func (c watchCommand) run(s *session) int {
	units, err := s.bank()
	if err != nil {
		s.complain(err)
		return exitFailure
	}
	defer units.Close()
	signal.Ignore(syscall.SIGPIPE) // so that the write fails instead, and the units are closed
	if terminal := terminalOf(s.stdout); terminal != nil && c.Format == "auto" {
		return s.live(units, c.Every, terminal)
	}
	if s.Path == "" && s.Replay == nil {
		if devices, err := tripplite.Devices(); err == nil && len(devices) == 0 {
			s.complain(fmt.Errorf("%w; waiting for one", tripplite.ErrNotFound))
		}
	}
	return s.follow(units, c.Every, c.writer(s.stdout))
}

// follow writes readings until ctx is done or nobody reads them.
func (s *session) follow(units source, every time.Duration, write readingWriter) int {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	told := map[string]string{} // what was not read of each unit, so that it is told once
	for r := range units.Watch(ctx, every) {
		if r.Info.Path == "" && r.Err != nil {
			s.complain(r.Err) // the list of units itself cannot be had
			return exitFailure
		}
		text := ""
		if r.Err != nil && hasState(r) {
			text = r.Err.Error()
		}
		if text != "" && text != told[r.Info.Path] {
			_ = s.tell(r.Err)
		}
		told[r.Info.Path] = text
		err := write(r)
		switch {
		case errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
			return exitOK
		case err != nil:
			s.complain(err)
			return exitFailure
		}
	}
	return exitOK
}

// readingWriter writes a reading as a line.
type readingWriter func(tripplite.Reading) error

func (c watchCommand) writer(w io.Writer) readingWriter {
	switch {
	case c.Format == "csv":
		return csvWriter(w)
	case c.Format == "text", c.Format == "auto" && terminalFile(w) != nil: // a terminal that knows no more than lines
		return textWriter(w)
	}
	return jsonWriter(w)
}

func jsonWriter(w io.Writer) readingWriter {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return func(r tripplite.Reading) error {
		var value any = r.State
		if !hasState(r) {
			value = map[string]any{"device_id": r.Info.Path, "time": time.Now(), "error": why(r)}
		}
		sorted, err := sortedKeys(value)
		if err != nil {
			return err
		}
		return encoder.Encode(sorted)
	}
}

func textWriter(w io.Writer) readingWriter {
	return func(r tripplite.Reading) error {
		at, text := time.Now(), "no reading: "
		if hasState(r) {
			at, text = r.State.Time, summary(r.State)
		} else {
			text += why(r)
		}
		_, err := fmt.Fprintln(w, at.Local().Format(time.RFC3339), r.Info.Path, printable(text))
		return err
	}
}

// csvWriter has the same columns for every unit.
func csvWriter(w io.Writer) readingWriter {
	out := csv.NewWriter(w)
	header := []string{"error"}
	var columns []string
	for _, k := range keys {
		if !isLive(k.name) {
			continue
		}
		columns = append(columns, k.name)
		name := k.name
		if k.unit != "" {
			name += " (" + k.unit + ")"
		}
		header = append(header, name)
	}
	return func(r tripplite.Reading) error {
		flat, errText := map[string]string{"time": time.Now().Format(time.RFC3339Nano), "device_id": r.Info.Path}, ""
		if hasState(r) {
			var err error
			if flat, err = flatten(r.State); err != nil {
				return err
			}
		} else {
			errText = why(r)
		}
		row := []string{errText}
		for _, name := range columns {
			row = append(row, flat[name])
		}
		if header != nil {
			out.Write(timeFirst(header)) // an error is kept until Flush
			header = nil
		}
		out.Write(timeFirst(row))
		out.Flush()
		return out.Error()
	}
}

// timeFirst moves the error behind the time and the unit.
func timeFirst(row []string) []string {
	row[0], row[1], row[2] = row[1], row[2], row[0]
	return row
}

// isLive says whether a watch shows a key: what never changes, or is not read, is not worth a column.
func isLive(name string) bool {
	return !strings.HasPrefix(name, "controls.") && !strings.HasPrefix(name, "string index.")
}
