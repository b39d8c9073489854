package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
)

type readCommand struct{}

func (readCommand) Run(s *session) error {
	units, err := s.units()
	if err != nil {
		return err
	}
	return s.readAll(units)
}

// report is what plain tripplite prints of a unit.
type report struct {
	tripplite.State
	Settings tripplite.Settings `json:"controls,omitzero"`
	Error    string             `json:"error,omitempty"` // why there is no State
}

// readAll reads the units side by side. It closes them after it has printed: through hidapi that
// hands them back to the kernel, which takes as long as reading them.
func (s *session) readAll(units []unit) (failure error) {
	batteries := make([]*tripplite.Battery, len(units))
	reports, errs := make([]report, len(units)), make([]error, len(units))
	var reads sync.WaitGroup
	for i, u := range units {
		reads.Go(func() {
			if batteries[i], errs[i] = u.open(); errs[i] == nil {
				reports[i], errs[i] = s.readOne(batteries[i], true)
			}
		})
	}
	reads.Wait()
	batteries = slices.DeleteFunc(batteries, func(b *tripplite.Battery) bool { return b == nil })
	defer tripplite.BankOf(batteries...).Close()

	for _, err := range errs {
		if err = s.warnPartial(err); err != nil {
			s.warn(err)
			failure = exitFailure
		}
	}
	reports = slices.DeleteFunc(reports, func(r report) bool { return r.Time.IsZero() })
	if len(reports) == 0 {
		return failure
	}
	var value any = reports
	if len(reports) == 1 {
		value = reports[0]
	}
	return cmp.Or(printJSON(s.stdout, value, "    "), failure)
}

// readOne reads a unit, with its settings if they are wanted. Its errors are those of Get.
func (s *session) readOne(b *tripplite.Battery, settings bool) (report, error) {
	ctx, cancel := context.WithTimeout(s.ctx, readTimeout)
	defer cancel()
	state, err := b.Get(ctx)
	if !settings || !tripplite.HasState(err) {
		return report{State: state}, err
	}
	set, settingsErr := b.Settings(ctx)
	if !tripplite.HasState(settingsErr) {
		return report{}, settingsErr
	}
	if err != nil && settingsErr != nil {
		err = fmt.Errorf("%w, %w", err, settingsErr)
	}
	return report{State: state, Settings: set}, cmp.Or(err, settingsErr)
}

// printJSON prints a value with sorted keys.
func printJSON(w io.Writer, value any, indent string) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var sorted any // the keys of a map are sorted when it is written, the fields of a struct are not
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err = errors.Join(json.Unmarshal(text, &sorted), encoder.Encode(&sorted)); err != nil {
		return err
	}
	_, err = w.Write(escaped(out.Bytes()))
	return err
}

type getCommand struct {
	Key string `arg:"" optional:"" help:"Which value; without it, all."`
}

func (c getCommand) Run(s *session) error {
	field, ok := fieldOf(c.Key)
	if c.Key != "" && !ok {
		mean := ""
		if near := nearest(c.Key); near != nil {
			mean = ": did you mean " + strings.Join(near, ", ") + "?"
		}
		return fmt.Errorf("there is no key %q%s (tripplite get lists what a UPS reports)%w",
			c.Key, mean, exitUsage)
	}
	b, err := s.only()
	if err != nil {
		return err
	}
	defer b.Close()
	r, err := s.readOne(b, c.Key == "" || field.Setting())
	if err = s.warnPartial(err); err != nil {
		return err
	}
	said := values(r)
	text, known := said[field.Key]
	if c.Key != "" && !known {
		return fmt.Errorf("%s: the UPS does not report %s (tripplite get lists what it reports)",
			r.Path, c.Key)
	}
	text += "\n"
	if c.Key == "" {
		var rows [][]string
		for _, f := range fields() {
			if text, known := said[f.Key]; known {
				rows = append(rows, []string{dashed(f.Key), joined(" ", text, f.Unit)})
			}
		}
		text = table(rows, math.MaxInt)
	}
	_, err = io.WriteString(s.stdout, text)
	return err
}

// fields lists what can be asked for by name: the time, the unit, and every reading.
func fields() []tripplite.Field {
	return append([]tripplite.Field{{Key: "time"}, {Key: "device_id"}}, tripplite.Fields()...)
}

// values returns what a unit said, by key.
func values(r report) map[string]string {
	found := map[string]string{"time": r.Time.Format(time.RFC3339Nano), "device_id": printable(r.Path)}
	for f, d := range r.State.All() {
		found[f.Key] = printable(d.String())
	}
	for f, d := range r.Settings.All() {
		found[f.Key] = printable(d.String())
	}
	return found
}

// names returns the ways to write a field: the word, where it has one, and the key.
func names(f tripplite.Field) []string {
	return slices.Compact([]string{cmp.Or(f.Word, dashed(f.Key)), dashed(f.Key)})
}

// dashed returns a key as it is typed without quotes.
func dashed(key string) string { return strings.ReplaceAll(key, " ", "-") }

// plain returns what all spellings of a name have in common.
func plain(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(name), "-", " "), "_", " ")
}

// fieldOf returns the field with this word or key.
func fieldOf(name string) (tripplite.Field, bool) {
	name = plain(name)
	for _, f := range fields() {
		if slices.ContainsFunc(names(f), func(n string) bool { return plain(n) == name }) {
			return f, true
		}
	}
	return tripplite.Field{}, false
}

// nearest returns the names, three at most, that contain the most of what somebody has typed.
func nearest(typed string) (found []string) {
	for typed = plain(typed); len(typed) > 1 && found == nil; typed = typed[:len(typed)-1] {
		for _, f := range fields() {
			contains := func(name string) bool { return strings.Contains(plain(name), typed) }
			if i := slices.IndexFunc(names(f), contains); i >= 0 {
				found = append(found, names(f)[i])
			}
		}
	}
	return found[:min(len(found), 3)]
}
