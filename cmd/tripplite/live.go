package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"github.com/tripplite-go/tripplite"
)

// live shows the units on a terminal until it is interrupted.
func (s *session) live(units source, every time.Duration, screen *os.File) error {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	readings := make(chan tripplite.Reading)
	go func() {
		for r := range units.Watch(ctx, every) {
			select {
			case readings <- r:
			case <-ctx.Done():
			}
		}
	}()
	v := &view{every, map[string]tripplite.Reading{}, nil}
	signals := terminalSignals()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	enter(screen)
	defer leave(screen)
	for {
		width, height, err := term.GetSize(int(screen.Fd()))
		if err != nil || width == 0 || height == 0 {
			width, height = columns, 24
		}
		v.draw(screen, width, height)
		select {
		case <-ctx.Done():
			return nil
		case r := <-readings:
			if r.Info.Path == "" && r.Err != nil {
				return r.Err // nothing can be listed
			}
			v.take(r)
		case signal := <-signals:
			if suspends(signal) {
				leave(screen)
				suspend()
				enter(screen)
			}
		case <-second.C:
		}
	}
}

// The view has the terminal's other screen, so that nothing is lost of the one before, without a
// cursor and without the wrapping of lines (the private modes of DEC's VT series and xterm).
func enter(w io.Writer) { fmt.Fprint(w, "\x1b[?1049h\x1b[?25l\x1b[?7l") }
func leave(w io.Writer) { fmt.Fprint(w, "\x1b[?7h\x1b[?25h\x1b[?1049l") }

// view is what the terminal shows.
type view struct {
	every    time.Duration
	readings map[string]tripplite.Reading // the latest of each unit, by path
	changes  []string                     // the latest last
}

// take puts a reading in the place of the unit's last one. Nothing of that is shown any longer: an
// older reading beside an announced status, or beside a loss, would be wrong.
func (v *view) take(r tripplite.Reading) {
	last, known := v.readings[r.Info.Path]
	v.readings[r.Info.Path] = r
	if is := headline(r); !known || is != headline(last) {
		change := joined("  ", time.Now().Format(time.TimeOnly), r.Info.Path, is)
		v.changes = append(v.changes, printable(change))
		v.changes = v.changes[max(0, len(v.changes)-200):] // no terminal has so many lines
	}
}

// draw writes a whole screen at once, over the one before, so that it does not flicker. Lines are
// cleared before they are written: behind a full one the cursor stands on its last character.
func (v *view) draw(w io.Writer, width, height int) {
	lines := v.lines(width, height)
	text := forWriter(w, strings.Join(lines, "\n"))
	frame := "\x1b[H\x1b[K" + strings.ReplaceAll(text, "\n", "\r\n\x1b[K")
	if len(lines) < height {
		frame += "\r\n\x1b[J"
	}
	io.WriteString(w, frame)
}

// lines returns what fits: the units as tables or else a line each, then the latest changes.
func (v *view) lines(width, height int) []string {
	const end = "Ctrl-C ends"
	title := fmt.Sprintf("tripplite  %s  every %v", time.Now().Format(time.TimeOnly), v.every)
	lines := []string{fmt.Sprintf("%-*s%s", min(width, columns)-len(end), title, end), ""}
	var tables, each []string
	for _, path := range slices.Sorted(maps.Keys(v.readings)) {
		tables = append(tables, strings.Split(block(v.readings[path]), "\n")...)
		each = append(each, line(v.readings[path]))
	}
	switch {
	case len(each) == 0:
		text := "no reading yet: " + tripplite.ErrNotFound.Error()
		lines = append(lines, wrap(text, min(width, columns), "")...)
	case len(lines)+len(tables)-1 <= height:
		lines = append(lines, tables...)
	default:
		lines = append(append(lines, each...), "")
	}
	room := max(0, height-len(lines))
	lines = append(lines, v.changes[max(0, len(v.changes)-room):]...)
	lines = lines[:min(len(lines), height)]
	for i, line := range lines {
		lines[i] = ansi.Truncate(line, width, "…")
	}
	return lines
}

// line returns one unit in a line.
func line(r tripplite.Reading) string {
	path := paint(bold, printable(r.Info.Path)) + "  "
	if !tripplite.HasState(r.Err) {
		return path + paint(colours[unknown], "! "+printable(reason(r.Err)))
	}
	text := summary(r.State)
	if alerts := r.State.Alerts(); alerts != nil {
		text = paint(colours[severityOf(alerts[0])], "! "+text)
	}
	return path + text
}
