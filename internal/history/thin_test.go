package history

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/events"
)

// writeMinutes writes minutes of units, from noon on.
func writeMinutes(t testing.TB, s *Store, units, minutes int) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	b := &batch{units: map[string]identity{}, rows: map[string]map[int64]*row{}}
	for u := range units {
		name := fmt.Sprint("unit ", u)
		b.units[name] = identity{name: name}
		b.rows[name] = map[int64]*row{}
		for minute := range minutes {
			r := &row{}
			state := unit(name, noon).State
			r.add(&state)
			b.rows[name][noon.Unix()+int64(minute)*60] = r
		}
	}
	require.NoError(t, s.disk.write(b))
}

func TestOldRowsAreThinned(t *testing.T) {
	if raceEnabled {
		t.Skip("it takes long under the race detector, and nothing in it is concurrent")
	}
	file := temporary(t)
	s := opened(t, file)
	writeMinutes(t, s, 2, 16*24*60)
	s.write(time.Now().Add(2 * time.Hour))
	for step, want := range map[int][2]int{
		// Two weeks, and up to five minutes that share a row with them.
		60: {14 * 1440, 14*1440 + 4}, 300: {16 * 288, 16 * 288}, 3600: {16 * 24, 16 * 24},
	} {
		for unit := 1; unit <= 2; unit++ {
			got := count(t, file, "SELECT count(*) FROM samples WHERE step = ? AND unit = ?", step, unit)
			assert.GreaterOrEqual(t, got, want[0], step)
			assert.LessOrEqual(t, got, want[1], step)
		}
	}
	// What was thinned is still there, in five minutes.
	first := series(t, s, Query{
		Unit: "unit 1", Keys: []string{"output.load"}, From: noon, To: noon.Add(time.Hour),
	})
	assert.Equal(t, 5*time.Minute, first.Step)
	require.Len(t, first.Points, 12)
	last := series(t, s, Query{
		Unit: "unit 1", Keys: []string{"output.load"}, From: noon.AddDate(0, 0, 15),
		To: noon.AddDate(0, 0, 15).Add(time.Hour),
	})
	assert.Equal(t, time.Minute, last.Step)
	require.Len(t, last.Points, 60)
}

func TestAFileDoesNotGrowBeyondItsSize(t *testing.T) {
	if raceEnabled {
		t.Skip("it takes long under the race detector, and nothing in it is concurrent")
	}
	file := temporary(t)
	s := Open(Config{File: file, MaxSize: 2e6})
	writeMinutes(t, s, 2, 15*24*60)
	require.Greater(t, s.disk.sizeOf(t), int64(2e6))
	s.write(time.Now())
	assert.Empty(t, s.Problem())
	assert.LessOrEqual(t, s.disk.sizeOf(t), int64(18e5))
	got := series(t, s, Query{
		Unit: "unit 1", Keys: []string{"output.load"}, From: noon, To: noon.AddDate(0, 0, 15),
	})
	assert.Equal(t, 15*24, len(got.Points), "an hour each")
	assert.GreaterOrEqual(t, count(t, file,
		"SELECT count(*) FROM samples WHERE step = 60 AND unit = 1"), 1440, "a day of minutes")
	s.Close()
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.LessOrEqual(t, info.Size(), int64(18e5), "the file itself, too")

	// A thousand units do not fit in a small file in any resolution.
	s = opened(t, file)
	s.config.MaxSize = 3e5
	s.write(time.Now())
	assert.Empty(t, s.Problem())
	assert.LessOrEqual(t, s.disk.sizeOf(t), int64(27e4))
}

func (d *disk) sizeOf(t *testing.T) int64 {
	used, err := d.used()
	require.NoError(t, err)
	return used
}

func TestTheNewestEventsOfEachUnitAreKept(t *testing.T) {
	if raceEnabled {
		t.Skip("it takes long under the race detector, and nothing in it is concurrent")
	}
	file := temporary(t)
	s := opened(t, file)
	s.Event(event("desk", events.Lost, noon))
	s.Event(event("", events.ShuttingDown, noon))
	s.turn <- struct{}{}
	b := &batch{units: map[string]identity{"rack": {name: "rack"}}}
	for i := range mostEvents + 100 {
		id := int64(10 + i)
		b.events = append(b.events, Event{ID: id, Time: noon, Unit: "rack", Kind: events.OnBattery})
		b.outages = append(b.outages, &outage{id: id, unit: "rack", from: noon, seen: noon, to: noon})
	}
	require.NoError(t, s.disk.write(b))
	<-s.turn
	s.write(time.Now().Add(2 * time.Hour))
	assert.Equal(t, mostEvents+2, count(t, file, "SELECT count(*) FROM events"))
	assert.Equal(t, 10+100, count(t, file, "SELECT min(id) FROM events WHERE unit = 2"))
	assert.Equal(t, mostEvents, count(t, file, "SELECT count(*) FROM outages"))
}
