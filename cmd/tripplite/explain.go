package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/replay"
)

type explainCommand struct {
	File string `arg:"" optional:"" name:"file|name" complete:"capture" help:"A capture file, or the name of a built-in capture; without one, those are listed."`
}

// Help says what the columns are.
func (explainCommand) Help() string {
	return `Each line is a field of a report: its bits behind the report id, the raw number that came, the value and its place in the JSON, and the HID usage path. Where nothing came RAW says why, "-" is a raw number that means no value, and "?" a field that fills nothing: it is not understood, or another one says the same. Of an input report that came several times, the last is shown.`
}

func (c explainCommand) run(s *session) int {
	text, err := c.text()
	if err == nil {
		_, err = fmt.Fprint(s.stdout, text)
	}
	if err != nil {
		s.complain(err)
		return exitFailure
	}
	return exitOK
}

func (c explainCommand) text() (string, error) {
	if c.File != "" {
		found, err := capture.Load(c.File)
		if err != nil {
			return "", err
		}
		return explained(dumpOf(found)), nil
	}
	rows := [][]string{{"NAME", "ID", "MODEL"}}
	for _, name := range capture.Names() {
		found, err := capture.Load(name)
		if err != nil {
			return "", err
		}
		rows = append(rows, []string{name, fmt.Sprintf("%04x:%04x", uint16(found.VendorID), uint16(found.ProductID)), found.Model})
	}
	return table(rows), nil
}

// dumpOf is what a unit said of which there is a capture.
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
			d.Inputs = append(d.Inputs, raw)
		}
	}
	return d
}

// explainedColumns is how wide the table may be.
const explainedColumns = 100

// explained is a dump as a table.
func explained(d tripplite.Dump) string {
	d.Inputs = latest(d.Inputs)
	fields := map[string][]tripplite.DumpField{}
	understood, total := 0, 0
	for _, f := range d.Fields() {
		at := fmt.Sprintf("%s %02x", f.Report, f.ID)
		fields[at] = append(fields[at], f)
		total++
		if f.Key != "" {
			understood++
		}
	}
	rows := [][]string{{"REPORT", "BITS", "RAW", "VALUE", "STATE", "PATH"}}
	for _, kind := range []struct {
		name    string
		reports []tripplite.RawReport
	}{{"feature", d.Features}, {"input", d.Inputs}} {
		for _, r := range kind.reports {
			at := fmt.Sprintf("%s %02x", kind.name, r.ID)
			if fields[at] == nil {
				rows = append(rows, []string{at, "", came(r), "", "?", "not declared"})
			}
			for _, f := range fields[at] {
				rows = append(rows, row(at, f, r))
			}
		}
	}
	head := fmt.Sprintf("%s  %s  %04x:%04x, %s\n%d fields, %d of them understood\n\n",
		printable(d.Info.Path), orDash(d.Info.Product), d.Info.VendorID, d.Info.ProductID, descriptorText(d), total, understood)
	return head + wrapped(rows, explainedColumns)
}

func descriptorText(d tripplite.Dump) string {
	if len(d.Descriptor) == 0 {
		return "no report descriptor"
	}
	return fmt.Sprintf("a report descriptor of %d bytes", len(d.Descriptor))
}

// latest keeps the last of the reports of each id.
func latest(reports []tripplite.RawReport) (kept []tripplite.RawReport) {
	last := map[byte]int{}
	for i, r := range reports {
		last[r.ID] = i
	}
	for i, r := range reports {
		if last[r.ID] == i {
			kept = append(kept, r)
		}
	}
	return kept
}

// row is a field's line.
func row(at string, f tripplite.DumpField, r tripplite.RawReport) []string {
	bits := fmt.Sprint(f.Offset)
	if f.Size > 1 {
		bits = fmt.Sprintf("%d-%d", f.Offset, f.Offset+f.Size-1)
	}
	raw, value, where := came(r), "", f.Key
	if number, known := f.Raw.Get(); known {
		raw = fmt.Sprint(number)
		if value = orDash(f.Reading); value != "-" {
			value = withUnit(f.Key, value)
		}
	}
	if f.Key == "" {
		value, where = "", "?"
	}
	return []string{at, bits, raw, value, where, f.Path}
}

// came is what came for a report, where it is no number.
func came(r tripplite.RawReport) string {
	switch {
	case r.Err != nil:
		return "stall"
	case len(r.Bytes) == 0:
		return "empty"
	}
	return fmt.Sprintf("% x", r.Bytes)
}

// wrapped is a table whose last column, a path, is broken at its dots where it does not fit.
func wrapped(rows [][]string, width int) string {
	last := len(rows[0]) - 1
	used := 0
	for column := range last {
		widest := 0
		for _, row := range rows {
			widest = max(widest, len([]rune(row[column])))
		}
		used += widest + 2
	}
	var broken [][]string
	for _, row := range rows {
		for i, part := range breakPath(row[last], max(width-used, 24)) {
			line := make([]string, last+1)
			if i == 0 {
				copy(line, row)
			}
			line[last] = part
			broken = append(broken, line)
		}
	}
	return table(broken)
}

// breakPath cuts a path behind dots into parts of at most width characters, the later ones indented, where its names allow.
func breakPath(path string, width int) (parts []string) {
	part := ""
	for _, name := range strings.SplitAfter(path, ".") {
		if part != "" && len(part)+len(name) > width {
			parts = append(parts, part)
			part = "  "
		}
		part += name
	}
	return append(parts, part)
}
