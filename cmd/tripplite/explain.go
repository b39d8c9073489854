package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/replay"
)

type explainCommand struct {
	File string `arg:"" optional:"" name:"file|name" complete:"capture" help:"What to explain."`
}

// Help says what the columns are.
func (explainCommand) Help() string {
	return `Each line is a field of a report: its bits behind the report id, the raw number that came,
the value and its place in the JSON, and the HID usage path. Where nothing came RAW says why. "-"
is a raw number that means no value, "copy" a value that is read from another report, and "?" a
field that is not understood. Of an input report that came several times, the last is shown.

"-" is standard input; without a capture the built-in ones are listed. For a unit: tripplite
capture | tripplite explain -`
}

func (c explainCommand) run(s *session) error {
	files := s.Replay
	if c.File != "" {
		files = append([]string{c.File}, files...)
	}
	if s.Path != "" {
		return usageError{errors.New("explain reads captures; for a unit: " +
			"tripplite capture --path " + s.Path + " | tripplite explain -")}
	}
	if files == nil {
		return c.list(s.stdout)
	}
	var texts []string
	for _, file := range files {
		found, err := s.load(file)
		if err != nil {
			return err
		}
		texts = append(texts, explained(dumpOf(found)))
	}
	_, err := io.WriteString(s.stdout, strings.Join(texts, "\n"))
	return err
}

func (explainCommand) list(w io.Writer) error {
	rows := [][]string{{"NAME", "ID", "MODEL"}}
	for _, name := range capture.Names() {
		found, err := capture.Load(name)
		if err != nil {
			return err
		}
		rows = append(rows, []string{name, idOf(replay.Info(found)), found.Model})
	}
	_, err := io.WriteString(w, table(rows, math.MaxInt))
	return err
}

// dumpOf returns what a unit said of which there is a capture.
func dumpOf(c *capture.Capture) tripplite.Dump {
	from := c.Interfaces[c.UPSInterface]
	d := tripplite.Dump{Info: replay.Info(c), Descriptor: from.Descriptor}
	for _, r := range from.Reports {
		raw := tripplite.RawReport{ID: byte(r.ID), Bytes: r.Bytes}
		if r.Error == capture.Stall {
			raw.Err = errors.New(string(r.Error))
		}
		if r.Type == capture.Feature {
			d.Features = append(d.Features, raw)
		} else if r.Error == "" {
			older := func(o tripplite.RawReport) bool { return o.ID == raw.ID }
			d.Inputs = append(slices.DeleteFunc(d.Inputs, older), raw)
		}
	}
	return d
}

// explained returns a dump as a table.
func explained(d tripplite.Dump) string {
	fields := map[string][]tripplite.DumpField{} // by report
	understood, total := 0, 0
	for _, f := range d.Fields() {
		report := fmt.Sprintf("%s %02x", f.Report, f.ID)
		fields[report] = append(fields[report], f)
		total++
		if f.Key != "" {
			understood++
		}
	}
	rows := [][]string{{"REPORT", "BITS", "RAW", "VALUE", "STATE", "PATH"}}
	add := func(kind string, reports []tripplite.RawReport) {
		for _, r := range reports {
			report := fmt.Sprintf("%s %02x", kind, r.ID)
			if fields[report] == nil {
				rows = append(rows, []string{report, "", came(r), "", "?", "not declared"})
			}
			for _, f := range fields[report] {
				rows = append(rows, append([]string{report}, cells(f, r)...))
			}
		}
	}
	add("feature", d.Features)
	add("input", d.Inputs)
	descriptor := "no report descriptor"
	if len(d.Descriptor) > 0 {
		descriptor = fmt.Sprintf("a report descriptor of %d bytes", len(d.Descriptor))
	}
	head := printable(joined("  ", d.Info.Path, orDash(d.Info.Product), idOf(d.Info)+", "+descriptor))
	return fmt.Sprintf("%s\n%d fields, %d of them understood\n\n%s",
		head, total, understood, table(rows, 100))
}

// cells returns the columns of a field behind its report.
func cells(f tripplite.DumpField, r tripplite.RawReport) []string {
	bits := fmt.Sprint(f.Offset)
	if f.Size > 1 {
		bits = fmt.Sprintf("%d-%d", f.Offset, f.Offset+f.Size-1)
	}
	where := cmp.Or(f.Key, "?")
	raw, known := f.Raw.Get()
	if !known {
		return []string{bits, came(r), "", where, f.Path}
	}
	value := f.Reading
	field, understood := fieldOf(f.Key)
	switch {
	case f.Copy:
		value = "copy"
	case understood && value == "":
		value = "-"
	case understood:
		value = joined(" ", value, field.Unit)
	}
	return []string{bits, fmt.Sprint(raw), value, where, f.Path}
}

// came says what came for a report, where it is no number.
func came(r tripplite.RawReport) string {
	switch {
	case r.Err != nil:
		return "stall"
	case len(r.Bytes) == 0:
		return "empty"
	}
	return fmt.Sprintf("% x", r.Bytes)
}
