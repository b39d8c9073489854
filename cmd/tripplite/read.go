package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/tripplite-go/tripplite"
)

type readCommand struct{}

func (readCommand) run(s *session) int {
	states, err := s.read()
	if len(states) > 0 {
		if err := print(s.stdout, states); err != nil {
			s.complain(err)
			return exitFailure
		}
	}
	if err != nil {
		s.complain(err)
		return exitFailure
	}
	return exitOK
}

// read returns the State of every unit that could be read, and why the others could not.
func (s *session) read() (states []tripplite.State, err error) {
	opens, err := s.chosen()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, u := range opens {
		b, err := u.open()
		if err == nil {
			var state tripplite.State
			if state, err = s.readOne(b, true); err == nil {
				states = append(states, state)
			}
		}
		errs = append(errs, err)
	}
	return states, errors.Join(errs...)
}

// readOne reads and closes a unit. What it could not read of one that answers is said on standard error and is no failure.
func (s *session) readOne(b *tripplite.Battery, controls bool) (tripplite.State, error) {
	defer b.Close()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	state, err := b.Get(ctx)
	if err = s.tell(err); err != nil || !controls {
		return state, err
	}
	state.Controls, err = b.Controls(ctx)
	return state, s.tell(err)
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
