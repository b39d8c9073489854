package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/replay"
)

type captureCommand struct {
	File    string        `arg:"" optional:"" complete:"file" help:"Where to write it; standard output without one, or for \"-\"."`
	Model   string        `placeholder:"MODEL" help:"The model as the label on the unit names it."`
	Serial  bool          `help:"Leave the serial string in, which a capture that will be published may not need."`
	Listen  time.Duration `placeholder:"TIME" help:"Listen for what the unit announces by itself, such as 1m; pull the mains plug and put it back meanwhile."`
	Explain bool          `help:"Print what the unit says as a table, as tripplite explain does; without FILE, instead of the capture."`
}

// Help says what becomes of it.
func (captureCommand) Help() string {
	return `The file holds the unit's report descriptor, every feature report that the descriptor names or this program knows, with its bytes or how it failed, the unit's strings but for the serial, and the versions of this program and of the operating system. Attach it to a bug report, or put it into testdata/captures: tripplite --replay FILE reads it in place of the unit. Only the HID interface of the UPS is in it, where a unit has several.`
}

// Validate is for kong.
func (c captureCommand) Validate() error {
	if c.Listen < 0 {
		return errors.New("--listen must not be less than 0")
	}
	return nil
}

func (c captureCommand) run(s *session) int {
	if err := c.write(s); err != nil {
		s.complain(err)
		return exitFailure
	}
	return exitOK
}

func (c captureCommand) write(s *session) (err error) {
	toFile := c.File != "" && c.File != "-"
	var file *os.File
	if toFile {
		// Before a minute of listening, and never over another capture.
		file, err = os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is there already: choose another name, or remove it first", c.File)
		}
		if err != nil {
			return err
		}
		defer func() {
			if err = errors.Join(err, file.Close()); err != nil {
				os.Remove(c.File)
			}
		}()
	}
	dump, err := c.dump(s)
	if err != nil {
		return err
	}
	source := "captured from a unit by tripplite capture, " + time.Now().UTC().Format(time.DateOnly)
	if s.Replay != nil {
		source = "a replay of the capture " + dump.Info.Path + ", not a unit"
	}
	made := c.capture(dump, source)
	text, err := made.Marshal()
	if err != nil {
		return err
	}
	switch {
	case toFile && c.Explain:
		if _, err := file.Write(text); err != nil {
			return err
		}
		_, err = fmt.Fprint(s.stdout, explained(dump))
	case toFile:
		if _, err := file.Write(text); err != nil {
			return err
		}
		heard := ""
		if c.Listen > 0 && len(dump.Inputs) == 0 {
			heard = fmt.Sprintf("; the unit announced nothing in %v", c.Listen)
		}
		_, err = fmt.Fprintf(s.stdout, "%s: %s%s. Look at it with: tripplite explain %s\n", c.File, counted(made.Interfaces[0]), heard, c.File)
	case c.Explain:
		_, err = fmt.Fprint(s.stdout, explained(dump))
	default:
		_, err = s.stdout.Write(text)
	}
	return err
}

// dump asks the only unit there is, or the one that was named.
func (c captureCommand) dump(s *session) (tripplite.Dump, error) {
	units, err := s.chosen()
	if err != nil {
		return tripplite.Dump{}, err
	}
	if len(units) > 1 {
		return tripplite.Dump{}, errSeveral(units)
	}
	b, err := units[0].open()
	if err != nil {
		return tripplite.Dump{}, err
	}
	defer b.Close()
	ctx, cancel := context.WithTimeout(s.ctx, patience+c.Listen)
	defer cancel()
	return b.Dump(ctx, c.Listen)
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

// notesOn is what a reader of a capture has to know.
func notesOn(d tripplite.Dump, serial bool) []string {
	notes := []string{version() + hidVersion(), system()}
	if d.Info.Interface > 0 {
		notes = append(notes, fmt.Sprintf("This is HID interface %d of the unit; the others are not in it.", d.Info.Interface))
	}
	if d.Info.Serial != "" && !serial {
		notes = append(notes, "The unit has a serial string, which is left out.")
	}
	if d.Descriptor == nil {
		notes = append(notes, "The report descriptor could not be had.")
	}
	return notes
}

// hidVersion names the library that the bytes came through.
func hidVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/karalabe/hid" {
			return ", " + m.Path + " " + m.Version
		}
	}
	return ""
}

// system names the operating system, as far as it says its name in files.
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
func counted(i capture.Interface) string {
	answers := map[capture.Type]int{}
	failures := map[capture.Error]int{}
	for _, r := range i.Reports {
		if r.Error == "" {
			answers[r.Type]++
		} else {
			failures[r.Error]++
		}
	}
	texts := []string{fmt.Sprintf("%d feature reports", answers[capture.Feature])}
	for _, n := range []struct {
		number int
		text   string
	}{
		{answers[capture.Input], "input reports"},
		{failures[capture.Empty], "empty"},
		{failures[capture.Stall], "refused"},
		{failures[capture.WrongID], "with the id of another"},
	} {
		if n.number > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", n.number, n.text))
		}
	}
	return strings.Join(texts, ", ")
}
