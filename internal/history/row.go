package history

import (
	"math"
	"slices"
	"time"

	"github.com/tripplite-go/tripplite"
)

// reading is one that is kept: its key in [tripplite.Fields], and how its columns begin.
type reading struct{ key, column string }

// kept has a row for each reading that is kept.
var kept = [...]reading{
	{"output.load", "load"},
	{"output.power", "power"},
	{"health", "charge"},
	{"time to empty", "runtime"},
	{"input.voltage", "input_voltage"},
	{"output.voltage", "output_voltage"},
	{"battery.voltage", "battery_voltage"},
}

// readings lists the readings that are kept.
func readings() []tripplite.Field {
	all := tripplite.Fields()
	var fields []tripplite.Field
	for _, k := range kept {
		i := slices.IndexFunc(all, func(f tripplite.Field) bool { return f.Key == k.key })
		fields = append(fields, all[i])
	}
	return fields
}

// sums is what one reading came to in a stretch of time, in hundredths, so that adding up is exact.
// The others mean nothing where n is 0.
type sums struct {
	n                int64 // how often it was read
	least, sum, most int64
}

func (s *sums) add(v int64) { s.merge(sums{1, v, v, v}) }

func (s *sums) merge(o sums) {
	switch {
	case o.n == 0:
	case s.n == 0:
		*s = o
	default:
		*s = sums{s.n + o.n, min(s.least, o.least), s.sum + o.sum, max(s.most, o.most)}
	}
}

func (s sums) point(at int64) Point {
	return Point{
		Time: time.Unix(at, 0), Least: float64(s.least) / 100,
		Mean: float64(s.sum) / 100 / float64(s.n), Most: float64(s.most) / 100,
	}
}

// row is what one unit did in a stretch of time.
type row [len(kept)]sums

// add takes the readings of a State.
func (r *row) add(state *tripplite.State) {
	for i, k := range kept {
		if n, known := state.Number(k.key); known && math.Abs(n) < 1e9 { // NaN is not
			r[i].add(int64(math.Round(n * 100)))
		}
	}
}

func (r *row) merge(o *row) {
	for i := range r {
		r[i].merge(o[i])
	}
}

// tier is one resolution in which rows are kept. Each has all that the finer ones have: a row is
// added to all of them when it is written, and thinning with age only deletes.
type tier struct {
	step int64 // seconds
	keep int64 // how many rows of a unit are kept
	hold int64 // how many of them stay, of a file that is too large, until coarser tiers are cut too
}

const day = 24 * 60 * 60

var tiers = [...]tier{
	{60, 14 * day / 60, day / 60},
	{300, 92 * day / 300, 7 * day / 300},
	{3600, 732 * day / 3600, 92 * day / 3600},
	{21600, 732 * day / 21600, 732 * day / 21600},
}

// slot names a row.
type slot struct {
	unit       string
	step, time int64
}

// tiered returns the rows of all tiers that a unit's minutes add to, with what they add.
func tiered(minutes map[string]map[int64]*row) map[slot]*row {
	all := map[slot]*row{}
	for unit, rows := range minutes {
		for t, r := range rows {
			for _, tier := range tiers {
				at := slot{unit, tier.step, floor(t, tier.step)}
				if all[at] == nil {
					all[at] = &row{}
				}
				all[at].merge(r)
			}
		}
	}
	return all
}

// floor returns the last multiple of step that is not after t.
func floor(t, step int64) int64 { return t - (t%step+step)%step }
