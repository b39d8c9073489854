package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/tripplite-go/tripplite"
)

type readCommand struct{}

func (readCommand) run(s *session) int {
	units, err := s.chosen()
	if err != nil {
		s.complain(err)
		return exitFailure
	}
	return s.readAll(units)
}

// readAll reads the units side by side, so that a slow one costs the others nothing. They are closed after the JSON, since that hands them
// back to the kernel, which takes as long as reading them.
func (s *session) readAll(units []unit) int {
	batteries := make([]*tripplite.Battery, len(units))
	states, errs := make([]tripplite.State, len(units)), make([]error, len(units))
	var reads sync.WaitGroup
	for i, u := range units {
		reads.Add(1)
		go func() {
			defer reads.Done()
			if batteries[i], errs[i] = u.open(); errs[i] == nil {
				states[i], errs[i] = s.readOne(batteries[i], true)
			}
		}()
	}
	reads.Wait()
	batteries = slices.DeleteFunc(batteries, func(b *tripplite.Battery) bool { return b == nil })
	defer tripplite.BankOf(batteries...).Close()

	status := exitOK
	for _, err := range errs {
		if err = s.tell(err); err != nil {
			s.complain(err)
			status = exitFailure
		}
	}
	states = slices.DeleteFunc(states, func(state tripplite.State) bool { return state.Time.IsZero() })
	if len(states) == 0 {
		return status
	}
	if err := print(s.stdout, states); err != nil {
		s.complain(err)
		return exitFailure
	}
	return status
}

// readOne returns a State with a nil error or a [*tripplite.PartialError], as Get does; with any other, the State is empty.
func (s *session) readOne(b *tripplite.Battery, controls bool) (tripplite.State, error) {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	state, err := b.Get(ctx)
	if !controls || state.Time.IsZero() {
		return state, err
	}
	var ofControls error
	state.Controls, ofControls = b.Controls(ctx)
	var lacks, lacksControls *tripplite.PartialError
	switch {
	case ofControls == nil:
		return state, err
	case !errors.As(ofControls, &lacksControls):
		return tripplite.State{}, ofControls
	case errors.As(err, &lacks):
		return state, &tripplite.PartialError{Reports: slices.Concat(lacks.Reports, lacksControls.Reports)}
	}
	return state, ofControls
}

// print writes one object for one unit and a list for several, with sorted keys and four spaces.
func print(w io.Writer, states []tripplite.State) error {
	var value any = states
	if len(states) == 1 {
		value = states[0]
	}
	sorted, err := sortedKeys(value)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "    ")
	return encoder.Encode(sorted)
}

// sortedKeys returns a value as encoding/json knows it: a map's keys are sorted when it is written, a struct's fields are not.
func sortedKeys(value any) (sorted any, err error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return sorted, json.Unmarshal(text, &sorted)
}
