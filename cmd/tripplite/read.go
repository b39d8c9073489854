package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/tripplite-go/tripplite"
)

type readCommand struct{}

func (readCommand) run(s *session) error {
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
			failure = exit(exitFailure)
		}
	}
	reports = slices.DeleteFunc(reports, func(r report) bool { return r.Time.IsZero() })
	if len(reports) == 0 {
		return failure
	}
	return cmp.Or(printReports(s.stdout, reports), failure)
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
	var partial, of *tripplite.PartialError
	if errors.As(err, &partial) && errors.As(settingsErr, &of) {
		err = &tripplite.PartialError{Reports: slices.Concat(partial.Reports, of.Reports)}
	}
	return report{state, set}, cmp.Or(err, settingsErr)
}

// printReports prints an object for one unit and a list for several.
func printReports(w io.Writer, reports []report) error {
	var value any = reports
	if len(reports) == 1 {
		value = reports[0]
	}
	return printJSON(w, value, "    ")
}

// printJSON prints a value with sorted keys.
func printJSON(w io.Writer, value any, indent string) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var sorted any // the keys of a map are sorted when it is written, the fields of a struct are not
	if err := json.Unmarshal(text, &sorted); err != nil {
		return err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(sorted); err != nil {
		return err
	}
	_, err = w.Write(escaped(out.Bytes()))
	return err
}
