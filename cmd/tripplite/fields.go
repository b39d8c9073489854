package main

import (
	"slices"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
)

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
	if f.Word == "" {
		return []string{dashed(f.Key)}
	}
	return slices.Compact([]string{f.Word, dashed(f.Key)})
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
		for _, n := range names(f) {
			if plain(n) == name {
				return f, true
			}
		}
	}
	return tripplite.Field{}, false
}

// nearest returns the names, three at most, that somebody may have meant: those with a part that
// begins like this, those whose last part is the same, and those that differ by few letters.
func nearest(name string) []string {
	name = plain(name)
	distances := map[string]int{}
	var found []string
	for _, f := range fields() {
		best := ""
		for _, n := range names(f) {
			spelled := plain(n)
			distances[n] = edits(spelled, name)
			begins := strings.Contains(parted(spelled), parted(name))
			near := begins || lastPart(spelled) == lastPart(name) || distances[n] <= min(3, len(name)/3)
			if near && (best == "" || distances[n] < distances[best]) {
				best = n
			}
		}
		if best != "" {
			found = append(found, best)
		}
	}
	slices.SortStableFunc(found, func(a, b string) int { return distances[a] - distances[b] })
	return found[:min(len(found), 3)]
}

func parted(key string) string { return " " + strings.ReplaceAll(key, ".", " ") }

func lastPart(key string) string { return key[strings.LastIndex(key, ".")+1:] }

// edits returns the Levenshtein distance of two texts.
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
