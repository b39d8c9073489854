package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/tripplite-go/tripplite"
)

// live shows the units on a terminal until it is interrupted.
func (s *session) live(units source, every time.Duration, screen *os.File) error {
	ctx, cancel := context.WithCancel(s.ctx)
	readings := make(chan tripplite.Reading)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for r := range units.Watch(ctx, every) {
			select {
			case readings <- r:
			case <-ctx.Done():
			}
		}
	}()
	defer func() { cancel(); <-ended }()

	v := &view{palette: paletteOf(screen), every: every}
	draw := func() {
		width, height, err := term.GetSize(int(screen.Fd()))
		if err != nil || width == 0 || height == 0 {
			width, height = columns, 24
		}
		v.draw(screen, width, height)
	}
	signals := terminalSignals()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	enter(screen)
	defer leave(screen)
	for {
		draw()
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
	palette
	every    time.Duration
	readings []tripplite.Reading // the latest of each unit, by path
	changes  []string            // the latest last
}

// maxChanges is more than the lines of a terminal.
const maxChanges = 200

// take puts a reading in the place of the unit's last one. Nothing of that is shown any longer: an
// older reading beside an announced status, or beside a loss, would be wrong.
func (v *view) take(r tripplite.Reading) {
	is, was := headlineOf(r), ""
	byPath := func(o tripplite.Reading, path string) int { return strings.Compare(o.Info.Path, path) }
	i, known := slices.BinarySearchFunc(v.readings, r.Info.Path, byPath)
	if known {
		was = headlineOf(v.readings[i])
		v.readings[i] = r
	} else {
		v.readings = slices.Insert(v.readings, i, r)
	}
	if is != was {
		v.changes = append(v.changes, printable(joined("  ", clock(time.Now()), r.Info.Path, is)))
		v.changes = v.changes[max(0, len(v.changes)-maxChanges):]
	}
}

func headlineOf(r tripplite.Reading) string {
	if !tripplite.HasState(r.Err) {
		return "no reading: " + reason(r.Err)
	}
	return headline(r.State)
}

// draw writes a whole screen at once, over the one before, so that it does not flicker.
func (v *view) draw(w io.Writer, width, height int) {
	lines := v.lines(width, height)
	var frame strings.Builder
	frame.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			frame.WriteString("\r\n")
		}
		// Cleared before it is written: behind a full line the cursor stands on its last character.
		frame.WriteString("\x1b[K" + line)
	}
	if len(lines) < height {
		frame.WriteString("\r\n\x1b[J")
	}
	io.WriteString(w, frame.String())
}

// lines returns what fits: the units as tables or else a line each, then the latest changes.
func (v *view) lines(width, height int) []string {
	const end = "Ctrl-C ends"
	title := fmt.Sprintf("tripplite  %s  every %v", clock(time.Now()), v.every)
	lines := []string{pad(title, min(width, columns)-len(end)) + end, ""}
	var tables, each []string
	for _, r := range v.readings {
		tables = append(append(tables, v.block(r)...), "")
		each = append(each, v.line(r))
	}
	switch {
	case v.readings == nil:
		text := "no reading yet: " + tripplite.ErrNotFound.Error()
		lines = append(lines, wrap(text, max(1, min(width, columns)))...)
	case len(lines)+len(tables)-1 <= height:
		lines = append(lines, tables...)
	default:
		lines = append(append(lines, each...), "")
	}
	room := max(0, height-len(lines))
	lines = append(lines, v.changes[max(0, len(v.changes)-room):]...)
	lines = lines[:min(len(lines), height)]
	for i, line := range lines {
		lines[i] = clipPainted(line, width)
	}
	return lines
}

// line returns one unit in a line.
func (v *view) line(r tripplite.Reading) string {
	path := v.paint(bold, printable(r.Info.Path)) + "  "
	if !tripplite.HasState(r.Err) {
		return path + v.paint(colours[unknown], "! "+printable(reason(r.Err)))
	}
	text := summary(r.State)
	if alerts := r.State.Alerts(); alerts != nil {
		text = v.paint(colours[severityOf(alerts[0])], "! "+text)
	}
	return path + text
}
