package history

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/events"
)

// yearEnd is when the generated time ends.
var yearEnd = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// generate writes days of minutes of units: a load by day and by night, a line voltage that sags in
// the evening, an outage every nine days or so. The minutes are added up and written as those of a
// daemon are, but what it would have thinned by the end is not written in the first place.
func generate(t testing.TB, file string, units, days int) {
	s := Open(Config{File: file})
	defer s.Close()
	require.Empty(t, s.Problem())
	tx, err := s.disk.db.Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	ids := unitsByName{}
	end, eventID := yearEnd.Unix(), int64(0)
	for u := range units {
		name := fmt.Sprint("unit ", u)
		id, err := unitID(tx, identity{name, fmt.Sprint("1-", u), 0x09ae, 0x3016, ""}, nil)
		require.NoError(t, err)
		ids[name] = id
		random := rand.New(rand.NewPCG(uint64(u), 1))
		rows := map[slot]*row{}
		outage := 0 // minutes that it still lasts
		charge := 100.
		for at := end - int64(days)*day; at < end; at += 60 {
			var text string
			switch {
			case outage == 0 && random.IntN(9*1440) == 0:
				outage = 1 + random.IntN(30)
				text = "on-battery"
			case outage == 1:
				text = "on-line"
			}
			outage = max(outage-1, 0)
			if text != "" {
				eventID++
				_, err := tx.Exec("INSERT INTO events VALUES (?,?,?,?,?,?)", eventID, at*1000, id, "1-1",
					text, name+" is "+text+", which is a sentence of some length.")
				require.NoError(t, err)
				if outage > 0 {
					_, err = tx.Exec("INSERT INTO outages VALUES (?,?,?,?,?,?,?)", eventID, id, at*1000,
						at*1000, (at+int64(outage)*60)*1000, 80., 100.)
					require.NoError(t, err)
				}
			}
			minute := generated(random, at, outage > 0, &charge)
			for _, tier := range tiers {
				if at < end-tier.keep*tier.step {
					continue
				}
				to := slot{name, tier.step, floor(at, tier.step)}
				if rows[to] == nil {
					rows[to] = &row{}
				}
				rows[to].merge(minute)
			}
			if len(rows) > 50000 {
				require.NoError(t, writeRows(tx, ids, rows))
				clear(rows)
			}
		}
		require.NoError(t, writeRows(tx, ids, rows))
	}
	require.NoError(t, tx.Commit())
	require.NoError(t, s.disk.age())
}

// generated is one minute of a unit that is read every five seconds.
func generated(random *rand.Rand, at int64, onBattery bool, charge *float64) *row {
	hour := float64(at%day) / 3600
	load := 20 + 15*math.Exp(-math.Pow(hour-14, 2)/18) + random.NormFloat64()
	input := 120 - 3*math.Exp(-math.Pow(hour-19, 2)/8) + random.NormFloat64()*.4
	if onBattery {
		*charge, input = max(*charge-1, 5), 0
	} else {
		*charge = min(*charge+.2, 100)
	}
	r := &row{}
	set := func(i int, mean, spread float64) {
		least, most := mean-random.Float64()*spread, mean+random.Float64()*spread
		r[i] = sums{
			12, int64(math.Round(least*10)) * 10, int64(math.Round(mean * 1200)),
			int64(math.Round(most*10)) * 10,
		}
	}
	set(0, math.Round(load), 1)
	set(1, load*9, 20)
	set(2, math.Round(*charge), 0)
	set(3, 60*math.Round(*charge*.9*20/load), 0)
	set(4, input, .3)
	set(5, 120, .3)
	set(6, 26+*charge/100, .1)
	return r
}

// charts are what a page asks for.
var charts = []struct {
	name string
	d    time.Duration
	step int64 // of the rows that answer it
}{
	{"hour", time.Hour, 60},
	{"day", 24 * time.Hour, 60},
	{"week", 7 * 24 * time.Hour, 300},
	{"month", 30 * 24 * time.Hour, 3600},
	{"quarter", 91 * 24 * time.Hour, 3600},
	{"year", 365 * 24 * time.Hour, 21600},
	{"two years", 730 * 24 * time.Hour, 21600},
}

// A year of eight units. How fast it is, BenchmarkCharts says, and this with HISTORY_TIMES=1. That
// an answer reads no more rows than it needs, and finds them by key, is so on any machine.
func TestAYearOfEightUnits(t *testing.T) {
	units, days := 8, 365
	if raceEnabled || testing.Short() {
		units, days = 1, 30
	}
	file := temporary(t)
	began := time.Now()
	generate(t, file, units, days)
	info, err := os.Stat(file)
	require.NoError(t, err)
	t.Logf("%d days of %d units: %.1f MB, made in %s", days, units, float64(info.Size())/1e6,
		time.Since(began).Round(time.Millisecond))
	assert.Less(t, info.Size(), int64(100e6))

	s := opened(t, file)
	limit := os.Getenv("HISTORY_TIMES") != ""
	for _, chart := range charts {
		q := Query{Unit: "unit 0", From: yearEnd.Add(-chart.d), To: yearEnd, Points: 1000}
		c, err := chartOf(q)
		require.NoError(t, err)
		if days == 365 {
			step, err := s.disk.fit(1, c)
			require.NoError(t, err)
			assert.Equal(t, chart.step, step, chart.name)
		}
		step, err := s.disk.fit(1, c)
		require.NoError(t, err)
		rows := 0
		require.NoError(t, s.disk.read(1, step, c, func(int64, *row) { rows++ }))
		assert.LessOrEqual(t, rows, rowsPerPoint*1000+1, chart.name)
		began := time.Now()
		all, err := s.Series(t.Context(), q)
		took := time.Since(began)
		require.NoError(t, err)
		require.Len(t, all, len(kept))
		for _, series := range all {
			assert.LessOrEqual(t, len(series.Points), 1000, chart.name)
			assert.GreaterOrEqual(t, len(series.Points), 30, chart.name)
		}
		if limit {
			assert.Less(t, took, 50*time.Millisecond, chart.name)
			t.Log(chart.name, took)
		}
	}
	for name, plan := range s.disk.plans(t) {
		for _, step := range plan {
			assert.NotContains(t, step, "SCAN", name)
			assert.NotContains(t, step, "TEMP B-TREE", name)
		}
		assert.Contains(t, plan[0], "SEARCH", name)
	}
}

// plans returns how SQLite carries out each query of a chart or a table.
func (d *disk) plans(t *testing.T) map[string][]string {
	plans := map[string][]string{}
	unit, args, _, err := d.where("e", "unit 0", 100)
	require.NoError(t, err)
	ofOutage := strings.ReplaceAll(unit, "e.", "o.")
	for name, query := range map[string]struct {
		text string
		args []any
	}{
		"rows":                {rowsSelect([]int{0, 1, 2, 3, 4, 5, 6}), []any{60, 1, 0, math.MaxInt32}},
		"oldest":              {oldestRow, []any{60, 1}},
		"events":              {eventsSelect + eventsLast, []any{100, 10}},
		"events of a unit":    {eventsSelect + unit + eventsLast, append(args, 10)},
		"outages of a unit":   {outagesWhere + ofOutage + outagesLast, append(args, 10)},
		"outages of everyone": {outagesWhere + outagesLast, []any{100, 10}},
	} {
		rows, err := d.db.Query("EXPLAIN QUERY PLAN "+query.text, query.args...)
		require.NoError(t, err)
		for rows.Next() {
			var id, parent, unused int
			var detail string
			require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
			plans[name] = append(plans[name], detail)
		}
		require.NoError(t, rows.Close())
	}
	return plans
}

// The generator's rows are those that a daemon would have written.
func TestTheGeneratorWritesWhatADaemonWould(t *testing.T) {
	made, file := temporary(t), temporary(t)
	generate(t, made, 1, 1)
	s := opened(t, file)
	random, charge, outage := rand.New(rand.NewPCG(0, 1)), 100., 0
	s.turn <- struct{}{}
	for at := yearEnd.Unix() - day; at < yearEnd.Unix(); at += 60 {
		if outage == 0 && random.IntN(9*1440) == 0 {
			outage = 1 + random.IntN(30)
		}
		outage = max(outage-1, 0)
		b := &batch{units: map[string]identity{"unit 0": {name: "unit 0"}}}
		b.rows = map[string]map[int64]*row{
			"unit 0": {at: generated(random, at, outage > 0, &charge)},
		}
		require.NoError(t, s.disk.write(b))
	}
	<-s.turn
	const sum = "SELECT sum(time % 86400 * runtime_n + input_voltage_sum + 3 * load_least +" +
		" 5 * power_most + 7 * battery_voltage_least) FROM samples WHERE step = ?"
	for _, tier := range tiers {
		assert.Equal(t, count(t, made, sum, tier.step), count(t, file, sum, tier.step), tier.step)
	}
}

func BenchmarkCharts(b *testing.B) {
	file := filepath.Join(b.TempDir(), "history.db")
	generate(b, file, 8, 730)
	info, err := os.Stat(file)
	require.NoError(b, err)
	b.Logf("two years: %.1f MB", float64(info.Size())/1e6)
	s := Open(Config{File: file})
	defer s.Close()
	for _, chart := range charts {
		b.Run(chart.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := s.Series(b.Context(), Query{
					Unit: "unit 1", From: yearEnd.Add(-chart.d), To: yearEnd, Points: 1000,
				})
				require.NoError(b, err)
			}
		})
	}
	b.Run("events", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Events(b.Context(), EventQuery{Unit: "unit 1", Limit: 100})
			require.NoError(b, err)
		}
	})
	b.Run("an event", func(b *testing.B) {
		for b.Loop() {
			s.Event(events.Event{Time: yearEnd, Name: "unit 1", Kind: events.Lost, Text: "It is lost."})
		}
	})
	b.Run("a minute", func(b *testing.B) {
		now := yearEnd
		for b.Loop() {
			for u := range 8 {
				s.Reading(unit(fmt.Sprint("unit ", u), now))
			}
			now = now.Add(time.Minute)
			s.write(now)
		}
	})
	b.Run("thinning", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, s.disk.age())
		}
	})
}
