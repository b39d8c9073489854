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

// live shows the units on a terminal until ctx is done.
func (s *session) live(units source, every time.Duration, terminal *os.File) int {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
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

	v := &view{palette: paletteOf(terminal), every: every, now: time.Now}
	draw := func() {
		width, height, err := term.GetSize(int(terminal.Fd()))
		if err != nil || width == 0 || height == 0 {
			width, height = columns, 24
		}
		v.draw(terminal, width, height)
	}
	signals := terminalSignals()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	enter(terminal)
	defer leave(terminal)
	for {
		draw()
		select {
		case <-ctx.Done():
			return exitOK
		case r := <-readings:
			if r.Info.Path == "" && r.Err != nil {
				leave(terminal)
				s.complain(r.Err)
				return exitFailure
			}
			v.take(r)
		case signal := <-signals:
			if suspends(signal) {
				leave(terminal)
				suspend()
				enter(terminal)
			}
		case <-second.C:
		}
	}
}

// The view has the terminal's other screen, so that nothing is lost of the one before, without a cursor and without the wrapping of
// lines that are too long (the private modes of DEC's VT series and xterm).
func enter(w io.Writer) { fmt.Fprint(w, "\x1b[?1049h\x1b[?25l\x1b[?7l") }
func leave(w io.Writer) { fmt.Fprint(w, "\x1b[?7h\x1b[?25h\x1b[?1049l") }

// view is what the terminal shows.
type view struct {
	palette
	every time.Duration
	now   func() time.Time

	readings []tripplite.Reading // the latest of each unit, by path
	changes  []string            // the latest last
}

// maxChanges is more than the lines of a terminal.
const maxChanges = 200

// take puts a reading in the place of the unit's last one: while a unit is lost, nothing is left of its values.
func (v *view) take(r tripplite.Reading) {
	i := slices.IndexFunc(v.readings, func(o tripplite.Reading) bool { return o.Info.Path >= r.Info.Path })
	switch {
	case i < 0:
		v.readings = append(v.readings, r)
	case v.readings[i].Info.Path != r.Info.Path:
		v.readings = slices.Insert(v.readings, i, r)
	default:
		if was, is := headline(v.readings[i]), headline(r); was != is {
			v.note(r.Info.Path, is)
		}
		v.readings[i] = r
		return
	}
	v.note(r.Info.Path, headline(r))
}

func (v *view) note(path, text string) {
	v.changes = append(v.changes, known("  ", clock(v.now()), path, text))
	v.changes = v.changes[max(0, len(v.changes)-maxChanges):]
}

// headline is what is told among the changes.
func headline(r tripplite.Reading) string {
	if !hasState(r) {
		return "no reading: " + why(r)
	}
	texts := condition(r.State)
	for _, a := range needed(r.State) {
		if !slices.Contains(texts, a.text) {
			texts = append(texts, a.text)
		}
	}
	return strings.Join(texts, ", ")
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

// lines is what fits: the units as tables or else a line each, then the latest changes.
func (v *view) lines(width, height int) []string {
	left := fmt.Sprintf("tripplite  %s  every %v", clock(v.now()), v.every)
	lines := []string{pad(left, min(width, columns)-len("Ctrl-C ends")) + "Ctrl-C ends", ""}
	if len(v.readings) == 0 {
		lines = append(lines, wrap("no reading yet: "+tripplite.ErrNotFound.Error(), min(width, columns))...)
		return lines[:min(len(lines), height)]
	}
	var tables, each []string
	for _, r := range v.readings {
		tables = append(append(tables, v.block(r)...), "")
		each = append(each, v.line(r))
	}
	if len(lines)+len(tables)-1 <= height {
		lines = append(lines, tables...)
	} else {
		lines = append(append(lines, each...), "")
	}
	if room := height - len(lines); room > 0 {
		changes := v.changes[max(0, len(v.changes)-room):]
		for _, change := range changes {
			lines = append(lines, printable(change))
		}
	}
	lines = lines[:min(len(lines), height)]
	for i, line := range lines {
		lines[i] = clipPainted(line, width)
	}
	return lines
}

// line is one unit in a line.
func (v *view) line(r tripplite.Reading) string {
	if !hasState(r) {
		return v.paint(bold, r.Info.Path) + "  " + v.paint(colours[unknown], "! "+printable(why(r)))
	}
	text := summary(r.State)
	if found := needed(r.State); found != nil {
		text = v.paint(colours[found[0].severity], "! "+text)
	}
	return v.paint(bold, r.Info.Path) + "  " + text
}
