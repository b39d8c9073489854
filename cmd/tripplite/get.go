package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

type getCommand struct {
	Key string `arg:"" optional:"" complete:"key" help:"Which value; without it, all."`
}

// Help says how keys are written and what the statuses mean.
func (getCommand) Help() string {
	return `A key is the place of a value in the JSON, such as input.voltage or status.ac-present; for
a space, "-" and "_" do as well. Some have a word: charge, runtime, load, power, input-voltage and
so on. A value that the unit does not report is an empty output, a line on standard error, and
status 1; a key that there is not is status 2.`
}

func (c getCommand) run(s *session) error {
	field, ok := fieldOf(c.Key)
	if c.Key != "" && !ok {
		return usageError{fmt.Errorf("there is no key %q%s (tripplite get lists what a UPS reports)",
			c.Key, didYouMean(c.Key))}
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
	switch {
	case c.Key == "":
		text = listOf(said)
	case known:
		text += "\n"
	default:
		return fmt.Errorf("%s: the UPS does not report %s (tripplite get lists what it reports)",
			r.Path, c.Key)
	}
	_, err = io.WriteString(s.stdout, text)
	return err
}

func didYouMean(name string) string {
	if near := nearest(name); near != nil {
		return ": did you mean " + strings.Join(near, ", ") + "?"
	}
	return ""
}

func listOf(said map[string]string) string {
	var rows [][]string
	for _, f := range fields() {
		if text, known := said[f.Key]; known {
			rows = append(rows, []string{dashed(f.Key), joined(" ", text, f.Unit)})
		}
	}
	return table(rows, math.MaxInt)
}
