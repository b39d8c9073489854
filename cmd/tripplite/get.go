package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tripplite-go/tripplite"
)

type getCommand struct {
	Key string `arg:"" optional:"" complete:"key" help:"Its place in the JSON, such as input.voltage or status.ac-present; without it, all keys that have a value are listed."`
}

// Help says how keys are written and what the statuses mean.
func (getCommand) Help() string {
	return `For a space in a key, "-" and "_" do as well. A value that the unit does not report is an empty output, a line on standard error, and status 1; a key that there is not is status 2.`
}

func (c getCommand) run(s *session) int {
	k, ok := keyOf(c.Key)
	if c.Key != "" && !ok {
		s.complain(fmt.Errorf("there is no key %q: did you mean %s? (tripplite get lists them)", c.Key, strings.Join(nearest(c.Key), ", ")))
		return exitUsage
	}
	state, err := s.readOnly(c.Key == "" || strings.HasPrefix(k.name, "controls."))
	if err != nil {
		s.complain(err)
		return exitFailure
	}
	flat, err := flatten(state)
	if err != nil {
		s.complain(err)
		return exitFailure
	}
	var text string
	switch value, known := flat[k.name]; {
	case c.Key == "":
		text = listOf(flat)
	case known:
		text = value + "\n"
	default:
		s.complain(fmt.Errorf("%s: the UPS does not report %s (tripplite get lists what it reports)", state.Path, k.name))
		return exitFailure
	}
	if _, err := fmt.Fprint(s.stdout, text); err != nil {
		s.complain(err)
		return exitFailure
	}
	return exitOK
}

// readOnly reads the only unit there is: of several, a script has to say which one it means.
func (s *session) readOnly(controls bool) (tripplite.State, error) {
	units, err := s.chosen()
	if err != nil {
		return tripplite.State{}, err
	}
	if len(units) > 1 {
		return tripplite.State{}, errSeveral(units)
	}
	b, err := units[0].open()
	if err != nil {
		return tripplite.State{}, err
	}
	defer b.Close()
	state, err := s.readOne(b, controls)
	return state, s.tell(err)
}

func errSeveral(units []unit) error {
	var paths []string
	for _, u := range units {
		paths = append(paths, u.info.Path)
	}
	return errors.New("there are several UPSes: say which one by --path " + strings.Join(paths, " or --path "))
}

func listOf(flat map[string]string) string {
	var rows [][]string
	for _, k := range keys {
		if value, known := flat[k.name]; known {
			rows = append(rows, []string{dashed(k.name), withUnit(k.name, value)})
		}
	}
	return table(rows)
}

// dashed is a key as it is typed without quotes.
func dashed(name string) string { return strings.ReplaceAll(name, " ", "-") }

// plain is what the ways to write a key have in common.
func plain(name string) string {
	return strings.NewReplacer("-", " ", "_", " ").Replace(strings.ToLower(name))
}

func keyOf(name string) (key, bool) {
	for _, k := range keys {
		if plain(k.name) == plain(name) {
			return k, true
		}
	}
	return key{}, false
}

// nearest returns the three keys that look most like a name: first those that contain it.
func nearest(name string) []string {
	distance := func(k key) int {
		if strings.Contains(plain(k.name), plain(name)) {
			return 0
		}
		return edits(plain(k.name), plain(name))
	}
	sorted := slices.Clone(keys)
	slices.SortStableFunc(sorted, func(a, b key) int { return cmp.Compare(distance(a), distance(b)) })
	var names []string
	for _, k := range sorted[:3] {
		names = append(names, dashed(k.name))
	}
	return names
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := above
			if a[i] != b[j] {
				change++
			}
			above = row[j+1]
			row[j+1] = min(change, above+1, row[j]+1)
		}
	}
	return row[len(b)]
}
