// Package script lets the tests of the examples act between the lines that a program prints.
package script

import (
	"bytes"
	"strings"
	"testing"
)

// Writer collects what a program prints, one line in each Write, and runs the next step after each line.
type Writer struct {
	steps []func()
	text  strings.Builder
}

// New makes a Writer. A nil step does nothing.
func New(steps ...func()) *Writer { return &Writer{steps: steps} }

// Write does not return before its step has.
func (w *Writer) Write(p []byte) (int, error) {
	w.text.Write(p)
	if bytes.HasSuffix(p, []byte("\n")) && len(w.steps) > 0 {
		step := w.steps[0]
		w.steps = w.steps[1:]
		if step != nil {
			step()
		}
	}
	return len(p), nil
}

// Lines returns what was printed. It fails the test where the program ended before the last step.
func (w *Writer) Lines(t testing.TB) []string {
	t.Helper()
	if len(w.steps) > 0 {
		t.Errorf("the program ended %d lines too early", len(w.steps))
	}
	return strings.Split(strings.TrimSuffix(w.text.String(), "\n"), "\n")
}
