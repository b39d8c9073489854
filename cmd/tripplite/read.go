package main

import (
	"context"
	"encoding/json"
	"io"

	"github.com/tripplite-go/tripplite"
)

type readCommand struct{}

func (readCommand) run(s *session) int {
	opens, err := s.chosen()
	if err != nil {
		s.complain(err)
		return exitFailure
	}
	status := exitOK
	var states []tripplite.State
	for _, u := range opens {
		b, err := u.open()
		if err == nil {
			defer b.Close() // after the JSON: closing hands the unit back to the kernel, which takes as long as reading it
			var state tripplite.State
			if state, err = s.readOne(b, true); err == nil {
				states = append(states, state)
			}
		}
		if err != nil {
			s.complain(err)
			status = exitFailure
		}
	}
	if len(states) > 0 {
		if err := print(s.stdout, states); err != nil {
			s.complain(err)
			status = exitFailure
		}
	}
	return status
}

// readOne reads a unit. What it could not read of one that answers is said on standard error and is no failure.
func (s *session) readOne(b *tripplite.Battery, controls bool) (tripplite.State, error) {
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
