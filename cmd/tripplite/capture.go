package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/replay"
)

type captureCommand struct {
	File   string  `arg:"" optional:"" complete:"file" help:"Where to write it."`
	Model  string  `placeholder:"MODEL" help:"The model as the label on the unit names it."`
	Serial bool    `help:"Keep the serial string, which is left out otherwise."`
	Listen seconds `placeholder:"TIME" help:"${listen}"`
}

// Help says what becomes of it.
func (captureCommand) Help() string {
	return `Without FILE, or with -, the capture goes to standard output. It holds the unit's report
descriptor, every feature report that the descriptor names or this program knows, with its bytes
or how it failed, the unit's strings but for the serial, and the versions of this program and of
the operating system. While --listen records what the unit announces, pull the power plug and put
it back.

Attach the file to a bug report, or put it into testdata/captures. tripplite explain FILE shows
it, and tripplite --replay FILE reads it in place of the unit. Only the HID interface of the UPS
is in it, where a unit has several.`
}

func (c captureCommand) run(s *session) error {
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
	made, err := c.write(s, b, file)
	if err = cmp.Or(err, file.Close()); err != nil {
		os.Remove(c.File)
		return err
	}
	text := fmt.Sprintf("%s: %s. Look at it with: tripplite explain %s",
		c.File, counted(made.Interfaces[0], c.Listen > 0), c.File)
	_, err = fmt.Fprintln(s.stdout, printable(text))
	return err
}

// write asks a unit for everything and writes it as a capture.
func (c captureCommand) write(
	s *session, b *tripplite.Battery, w io.Writer,
) (*capture.Capture, error) {
	listen := time.Duration(c.Listen)
	ctx, cancel := context.WithTimeout(s.ctx, readTimeout+listen)
	defer cancel()
	dump, err := b.Dump(ctx, listen)
	if err != nil {
		return nil, err
	}
	source := "captured from a unit by tripplite capture, " + time.Now().UTC().Format(time.DateOnly)
	if s.Replay != nil {
		source = "a replay of the capture " + dump.Info.Path + ", not a unit"
	}
	made := c.capture(dump, source)
	text, err := made.Marshal()
	if err != nil {
		return nil, err
	}
	_, err = w.Write(escaped(text))
	return made, err
}

// capture makes a capture of a dump.
func (c captureCommand) capture(d tripplite.Dump, source string) *capture.Capture {
	made := replay.Capture(d.Info, d.Descriptor)
	made.Name = fmt.Sprintf("%04x-%04x", d.Info.VendorID, d.Info.ProductID)
	if c.File != "" && c.File != "-" {
		made.Name = strings.TrimSuffix(filepath.Base(c.File), filepath.Ext(c.File))
	}
	made.Model = cmp.Or(c.Model, d.Info.Product)
	made.Source, made.Notes = []string{source}, notesOn(d, c.Serial)
	if !c.Serial {
		made.Serial = ""
	}
	only := &made.Interfaces[0]
	for _, r := range d.Features {
		only.Reports = append(only.Reports, capture.ReportOf(capture.Feature, r.ID, r.Bytes, r.Err))
	}
	for _, r := range d.Inputs {
		only.Reports = append(only.Reports, capture.ReportOf(capture.Input, r.ID, r.Bytes, r.Err))
	}
	return made
}

// notesOn returns what a reader of a capture has to know.
func notesOn(d tripplite.Dump, serial bool) []string {
	notes := []string{version(), system()}
	if d.Info.Interface > 0 {
		notes = append(notes,
			fmt.Sprintf("This is HID interface %d of the unit; the others are not in it.", d.Info.Interface))
	}
	if d.Info.Serial != "" && !serial {
		notes = append(notes, "The unit has a serial string, which is left out.")
	}
	if d.Descriptor == nil {
		notes = append(notes, "The report descriptor could not be had.")
	}
	return notes
}

// system names the operating system, as far as files say its name.
func system() string {
	texts := []string{runtime.GOOS + "/" + runtime.GOARCH}
	if release, err := os.ReadFile("/etc/os-release"); err == nil {
		for line := range strings.Lines(string(release)) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
				texts = append(texts, strings.Trim(name, `"'`))
			}
		}
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		texts = append(texts, "Linux "+strings.TrimSpace(string(kernel)))
	}
	return strings.Join(texts, ", ")
}

// counted says how much a capture holds.
func counted(i capture.Interface, listened bool) string {
	counts := map[string]int{}
	for _, r := range i.Reports {
		if r.Error != "" {
			counts[string(r.Error)]++
		} else {
			counts[string(r.Type)]++
		}
	}
	text := fmt.Sprintf("%d feature reports", counts["feature"])
	if listened {
		text += fmt.Sprintf(", %d announcements", counts["input"])
	}
	for _, failure := range [][2]string{
		{"empty", "empty"}, {"stall", "refused"}, {"wrong id", "with the id of another"},
	} {
		if n := counts[failure[0]]; n > 0 {
			text += fmt.Sprintf(", %d %s", n, failure[1])
		}
	}
	return text
}
