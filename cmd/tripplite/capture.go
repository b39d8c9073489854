package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/replay"
)

type captureCommand struct {
	File   string  `arg:"" optional:"" help:"Where to write it."`
	Model  string  `placeholder:"MODEL" help:"The model as the label on the unit names it."`
	Serial bool    `help:"Keep the serial string, which is left out otherwise."`
	Listen seconds `placeholder:"TIME" help:"Record what the unit announces for so long."`
}

func (c captureCommand) Run(s *session) error {
	b, err := s.only()
	if err != nil {
		return err
	}
	defer b.Close()
	if c.File == "" || c.File == "-" {
		_, err := c.write(s, b, s.stdout)
		return err
	}
	// Before a minute of listening, and never over another capture.
	file, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: choose another name, or remove it first", c.File)
	}
	if err != nil {
		return err
	}
	holds, err := c.write(s, b, file)
	if err = cmp.Or(err, file.Close()); err != nil {
		os.Remove(c.File)
		return err
	}
	text := fmt.Sprintf("%s: %s. Look at it with: tripplite explain %s", c.File, holds, c.File)
	_, err = fmt.Fprintln(s.stdout, printable(text))
	return err
}

// write asks a unit for everything, writes it as a capture, and says how much it is.
func (c captureCommand) write(s *session, b *tripplite.Battery, w io.Writer) (string, error) {
	listen := time.Duration(c.Listen)
	ctx, cancel := context.WithTimeout(s.ctx, readTimeout+listen)
	defer cancel()
	dump, err := b.Dump(ctx, listen)
	if err != nil {
		return "", err
	}
	source := "captured from a unit by tripplite capture, " + time.Now().UTC().Format(time.DateOnly)
	if s.Replay != nil {
		source = "a replay of the capture " + dump.Info.Path + ", not a unit"
	}
	made := c.capture(dump, source)
	text, err := made.Marshal()
	if err == nil {
		_, err = w.Write(escaped(text))
	}
	return counted(made.Interfaces[0]), err
}

// capture makes a capture of a dump.
func (c captureCommand) capture(d tripplite.Dump, source string) *capture.Capture {
	made := replay.Capture(d.Info, d.Descriptor)
	made.Name = fmt.Sprintf("%04x-%04x", d.Info.VendorID, d.Info.ProductID)
	if c.File != "" && c.File != "-" {
		made.Name = strings.TrimSuffix(filepath.Base(c.File), filepath.Ext(c.File))
	}
	made.Model, made.Source = cmp.Or(c.Model, d.Info.Product), []string{source}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease") // which only Linux has
	made.Notes = []string{version(),
		strings.TrimSpace(runtime.GOOS + "/" + runtime.GOARCH + " " + string(kernel))}
	if n := d.Info.Interface; n > 0 {
		made.Notes = append(made.Notes,
			fmt.Sprintf("This is HID interface %d of the unit; the others are not in it.", n))
	}
	if d.Info.Serial != "" && !c.Serial {
		made.Notes = append(made.Notes, "The unit has a serial string, which is left out.")
		made.Serial = ""
	}
	if d.Descriptor == nil {
		made.Notes = append(made.Notes, "The report descriptor could not be had.")
	}
	only := &made.Interfaces[0]
	for _, r := range d.Features {
		only.Reports = append(only.Reports, capture.ReportOf(capture.Feature, r.ID, r.Bytes, r.Err))
	}
	for _, r := range d.Inputs {
		only.Reports = append(only.Reports, capture.ReportOf(capture.Input, r.ID, r.Bytes, r.Err))
	}
	for _, e := range d.Exchanges {
		only.Exchanges = append(only.Exchanges, capture.ExchangeOf(e.Command, e.Reply, e.Err))
	}
	return made
}

func counted(i capture.Interface) string {
	if i.Exchanges != nil {
		silent := func(e capture.Exchange) bool { return e.Error == capture.Silent }
		replied := slices.DeleteFunc(slices.Clone(i.Exchanges), silent)
		return fmt.Sprintf("%d replies to %d commands", len(replied), len(i.Exchanges))
	}
	counts := map[string]int{}
	for _, r := range i.Reports {
		counts[cmp.Or(string(r.Error), string(r.Type))]++
	}
	return fmt.Sprintf("%d feature reports, %d announcements, %d empty, %d stall, %d wrong id",
		counts["feature"], counts["input"], counts["empty"], counts["stall"], counts["wrong id"])
}

type explainCommand struct {
	File string `arg:"" optional:"" name:"file|name" help:"What to explain."`
}

func (c explainCommand) Run(s *session) error {
	files := s.Replay
	if c.File != "" {
		files = append([]string{c.File}, files...)
	}
	if s.Path != "" {
		return fmt.Errorf("explain reads captures; for a unit: "+
			"tripplite capture --path %s | tripplite explain -%w", s.Path, exitUsage)
	}
	var texts []string
	for _, file := range files {
		found, err := s.load(file)
		if err != nil {
			return err
		}
		texts = append(texts, explained(found))
	}
	if files == nil {
		rows := [][]string{{"NAME", "ID", "MODEL"}}
		for _, name := range capture.Names() {
			found, _ := capture.Load(name) // which does not fail
			rows = append(rows, []string{name, idOf(replay.Info(found)), found.Model})
		}
		texts = []string{table(rows, math.MaxInt)}
	}
	_, err := io.WriteString(s.stdout, strings.Join(texts, "\n"))
	return err
}

// explained returns a capture as a table.
func explained(c *capture.Capture) string {
	from := c.UPS()
	d := tripplite.Dump{Info: replay.Info(c), Descriptor: from.Descriptor}
	came := map[string]string{} // by report: its bytes, or why there are none
	for _, r := range from.Reports {
		raw := tripplite.RawReport{ID: byte(r.ID), Bytes: r.Bytes}
		switch {
		case r.Type == capture.Feature:
			d.Features = append(d.Features, raw)
		case r.Error != "":
			continue
		default: // the last that came of each
			older := func(o tripplite.RawReport) bool { return o.ID == raw.ID }
			d.Inputs = append(slices.DeleteFunc(d.Inputs, older), raw)
		}
		report := reportName(string(r.Type), raw.ID)
		came[report] = cmp.Or(fmt.Sprintf("% x", r.Bytes), string(r.Error))
	}
	for _, e := range from.Exchanges {
		d.Exchanges = append(d.Exchanges, tripplite.RawExchange{Command: e.Command, Reply: e.Reply})
		came[reportName("reply", e.Command[1])] = cmp.Or(fmt.Sprintf("% x", e.Reply), string(e.Error))
	}
	fields, understood := d.Fields(), 0
	rows := [][]string{{"REPORT", "BITS", "RAW", "VALUE", "STATE", "PATH"}}
	declared := map[string]bool{}
	for _, f := range fields {
		report := reportName(f.Report, f.ID)
		declared[report] = true
		if f.Key != "" {
			understood++
		}
		if came[report] != "" {
			rows = append(rows, append([]string{report}, cells(f, came[report])...))
		}
	}
	for _, report := range slices.Sorted(maps.Keys(came)) {
		if !declared[report] {
			rows = append(rows, []string{report, "", came[report], "", "?", "not declared"})
		}
	}
	descriptor := "no report descriptor"
	if len(d.Descriptor) > 0 {
		descriptor = fmt.Sprintf("a report descriptor of %d bytes", len(d.Descriptor))
	}
	head := printable(joined("  ", d.Info.Path, orDash(d.Info.Model()), idOf(d.Info)+", "+descriptor))
	return fmt.Sprintf("%s\n%d fields, %d of them understood\n\n%s",
		head, len(fields), understood, table(rows, 100))
}

// reportName names a report by its id, and a reply by its letter.
func reportName(report string, id byte) string {
	if report == "reply" && id >= ' ' {
		return fmt.Sprintf("reply %c", id)
	}
	return fmt.Sprintf("%s %02x", report, id)
}

// cells returns the columns of a field behind its report.
func cells(f tripplite.DumpField, came string) []string {
	bits := fmt.Sprint(f.Offset)
	if f.Size > 1 {
		bits = fmt.Sprintf("%d-%d", f.Offset, f.Offset+f.Size-1)
	}
	value := ""
	field, understood := fieldOf(f.Key)
	switch {
	case f.Copy:
		value = "copy"
	case understood && f.Reading != "":
		value = joined(" ", f.Reading, field.Unit)
	case understood:
		value = "-"
	}
	raw, known := f.Raw.Get()
	end := (f.Offset + f.Size + 7) / 8
	switch b := strings.Fields(came); {
	case known:
		came = fmt.Sprint(raw)
	case f.Report == "reply" && len(b) > end: // text, or digits that are none
		came = strings.Join(b[1+f.Offset/8:1+end], " ")
	case f.Report != "reply":
		value = "" // the report failed
	}
	return []string{bits, came, value, cmp.Or(f.Key, "?"), f.Path}
}
