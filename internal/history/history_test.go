package history

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/events"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

func TestMain(m *testing.M) {
	if role := os.Getenv("HISTORY_CHILD"); role != "" {
		children[role]()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// noon is when most tests begin.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// unit is a reading of a unit on line power.
func unit(name string, at time.Time) monitor.Unit {
	var state tripplite.State
	state.Time = at
	state.Status.ACPresent = tripplite.ValueOf(true)
	state.RemainingCapacity = tripplite.ValueOf(100.)
	state.RunTimeToEmpty = tripplite.ValueOf(16*time.Minute + 44*time.Second)
	state.Output.PercentLoad = tripplite.ValueOf(20.)
	state.Output.ActivePower = tripplite.ValueOf(180.)
	state.Input.Voltage = tripplite.ValueOf(120.4)
	return of(name, state)
}

func of(name string, state tripplite.State) monitor.Unit {
	u := monitor.Unit{Name: name}
	u.Info = tripplite.DeviceInfo{
		Path: "1-1:1.0", VendorID: 0x09ae, ProductID: 0x2012, Serial: "A7",
	}
	u.State = state
	return u
}

// onBattery is a reading of a unit on battery.
func onBattery(name string, at time.Time, charge, power float64) monitor.Unit {
	u := unit(name, at)
	u.OnBattery = true
	u.State.Status.ACPresent = tripplite.ValueOf(false)
	u.State.RemainingCapacity = tripplite.ValueOf(charge)
	u.State.Output.ActivePower = tripplite.ValueOf(power)
	return u
}

func event(name string, kind events.Kind, at time.Time) events.Event {
	return events.Event{
		Time: at, Path: "1-1:1.0", Name: name, Kind: kind, Text: name + " is " + string(kind) + ".",
	}
}

func temporary(t *testing.T) string { return filepath.Join(t.TempDir(), "history.db") }

// opened is a Store that is closed with the test.
func opened(t *testing.T, file string) *Store {
	s := Open(Config{File: file})
	t.Cleanup(func() { s.Close() })
	return s
}

// load returns the points of a unit's load from noon on.
func load(t *testing.T, s *Store, name string, d time.Duration) []Point {
	return series(t, s, Query{
		Unit: name, Keys: []string{"output.load"}, From: noon, To: noon.Add(d),
	}).Points
}

func series(t *testing.T, s *Store, q Query) Series {
	all, err := s.Series(t.Context(), q)
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

func kinds(all []Event) (kinds []events.Kind) {
	for _, e := range all {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// everywhere runs a test with a history in a file and with one in memory.
func everywhere(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Run("file", func(t *testing.T) { test(t, opened(t, temporary(t))) })
	t.Run("memory", func(t *testing.T) { test(t, opened(t, "")) })
}

func TestAMinuteHasTheLeastTheMeanAndTheMost(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Store) {
		for i, load := range []float64{20, 50, 23} {
			u := unit("rack", noon.Add(time.Duration(i)*20*time.Second))
			u.State.Output.PercentLoad = tripplite.ValueOf(load)
			s.Reading(u)
		}
		s.write(noon.Add(time.Minute))
		got := load(t, s, "rack", time.Hour)
		require.Len(t, got, 1)
		assert.True(t, got[0].Time.Equal(noon))
		got[0].Time = time.Time{}
		assert.Equal(t, Point{Least: 20, Mean: 31, Most: 50}, got[0])
	})
}

func TestReadingsHaveTheirUnits(t *testing.T) {
	s := opened(t, "")
	all, err := s.Series(t.Context(), Query{Unit: "rack", From: noon, To: noon.Add(time.Hour)})
	require.NoError(t, err)
	var got []string
	for _, series := range all {
		got = append(got, series.Key+" "+series.Unit)
		assert.NotNil(t, series.Points, "JSON wants a list")
	}
	assert.Equal(t, []string{
		"output.load %", "output.power W", "health %", "time to empty s", "input.voltage V",
		"output.voltage V", "battery.voltage V",
	}, got)
}

func TestWhatIsNotKnownHasNoPoint(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Store) {
		s.Reading(unit("rack", noon))
		lost := monitor.Unit{Name: "rack"}
		lost.Err = tripplite.ErrDisconnected
		lost.State.Time = noon.Add(time.Minute)
		lost.State.Output.PercentLoad = tripplite.ValueOf(7.)
		s.Reading(lost)
		noLoad := unit("rack", noon.Add(2*time.Minute))
		noLoad.State.Output.PercentLoad = tripplite.Value[float64]{}
		s.Reading(noLoad)
		s.Reading(unit("rack", noon.Add(5*time.Minute)))
		s.write(noon.Add(6 * time.Minute))
		got := load(t, s, "rack", time.Hour)
		require.Len(t, got, 2)
		assert.True(t, got[0].Time.Equal(noon))
		assert.True(t, got[1].Time.Equal(noon.Add(5*time.Minute)))
		of, err := s.Series(t.Context(), Query{
			Unit: "rack", Keys: []string{"output.voltage"}, From: noon, To: noon.Add(time.Hour),
		})
		require.NoError(t, err)
		assert.Empty(t, of[0].Points, "the unit does not say it")
	})
}

func TestAQueryThatMakesNoSenseIsAnError(t *testing.T) {
	s := opened(t, temporary(t))
	hour := Query{Unit: "rack", Keys: []string{"health"}, From: noon, To: noon.Add(time.Hour)}
	for name, change := range map[string]func(q *Query){
		"no such reading":            func(q *Query) { q.Keys = []string{"output.colour"} },
		"a reading that is not kept": func(q *Query) { q.Keys = []string{"input.frequency"} },
		"ends before it begins":      func(q *Query) { q.To = noon.Add(-time.Hour) },
		"no time":                    func(q *Query) { q.From, q.To = time.Time{}, time.Time{} },
		"less than no points":        func(q *Query) { q.Points = -1 },
		"a single point":             func(q *Query) { q.Points = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			q := hour
			change(&q)
			_, err := s.Series(t.Context(), q)
			assert.Error(t, err)
		})
	}
	got, err := s.Series(t.Context(), hour)
	require.NoError(t, err)
	assert.Empty(t, got[0].Points, "a unit that is not known")
}

func TestAChartHasNoMorePointsThanAskedFor(t *testing.T) {
	s := opened(t, temporary(t))
	for minute := range 3000 {
		u := unit("rack", noon.Add(time.Duration(minute)*time.Minute))
		u.State.Output.PercentLoad = tripplite.ValueOf(float64(minute % 60))
		s.Reading(u)
		if minute%500 == 0 {
			s.write(noon.Add(-time.Hour))
		}
	}
	s.write(noon.Add(-time.Hour))
	for _, points := range []int{2, 3, 7, 50, 100, 333, 1000, 5000} {
		for _, from := range []time.Duration{0, 17 * time.Second, 31 * time.Minute, 50 * time.Hour} {
			for _, d := range []time.Duration{time.Second, time.Hour, 25 * time.Hour, 9000 * time.Hour} {
				got := series(t, s, Query{
					Unit: "rack", Keys: []string{"output.load"}, From: noon.Add(from),
					To: noon.Add(from + d), Points: points,
				})
				assert.LessOrEqual(t, len(got.Points), points, "%d points, %s from %s", points, d, from)
				for i := 1; i < len(got.Points); i++ {
					between := got.Points[i].Time.Sub(got.Points[i-1].Time)
					assert.GreaterOrEqual(t, between, got.Step)
				}
			}
		}
	}
	// The least and the most are not lost in fewer points.
	day := series(t, s, Query{
		Unit: "rack", Keys: []string{"output.load"}, From: noon, To: noon.Add(24 * time.Hour), Points: 24,
	})
	require.Len(t, day.Points, 24)
	assert.Equal(t, time.Hour, day.Step)
	for _, p := range day.Points {
		assert.Equal(t, Point{Time: p.Time, Least: 0, Mean: 29.5, Most: 59}, p)
	}
}

func TestAMinuteIsWrittenWhenItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := temporary(t)
		s := Open(Config{File: file})
		defer s.Close()
		begin := time.Now() // a full minute, in a bubble
		s.Reading(unit("rack", begin))
		time.Sleep(61 * time.Second)
		s.Reading(unit("rack", time.Now()))
		synctest.Wait()
		assert.Equal(t, 1, count(t, file, "SELECT count(*) FROM samples WHERE step = 60"))
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, 2, count(t, file, "SELECT count(*) FROM samples WHERE step = 60"))
	})
}

// count asks the file itself.
func count(t testing.TB, file, query string, args ...any) (n int) {
	name, err := dsn(file, "mode=ro")
	require.NoError(t, err)
	db, err := sql.Open(driver, name)
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.QueryRow(query, args...).Scan(&n))
	return n
}

func TestCloseWritesTheMinuteInProgress(t *testing.T) {
	file := temporary(t)
	s := Open(Config{File: file})
	s.Reading(unit("rack", time.Now()))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "twice")
	assert.Equal(t, 1, count(t, file, "SELECT count(*) FROM samples WHERE step = 60"))
	s.Event(event("rack", events.Lost, noon)) // does not wait for a disk that is closed
}

// What Event returned for is in the file, as somebody else reads it.
func TestAnEventIsInTheFileWhenEventReturns(t *testing.T) {
	file := temporary(t)
	s := opened(t, file)
	for i := range 20 {
		s.Event(event("rack", events.Lost, noon.Add(time.Duration(i)*time.Second)))
		assert.Equal(t, i+1, count(t, file, "SELECT count(*) FROM events"))
	}
}

func TestEventsComeNewestFirstAndInPages(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Store) {
		for i := range 25 {
			name := []string{"rack", "desk"}[i%2]
			at := noon.Add(time.Duration(i) * time.Minute)
			s.Event(events.Event{Time: at, Name: name, Kind: events.Lost, Text: fmt.Sprint(i)})
		}
		s.Event(events.Event{Time: noon, Kind: events.ShuttingDown, Text: "of no unit"})
		var texts []string
		for before, n := int64(0), 0; ; n++ {
			page, err := s.Events(t.Context(), EventQuery{Before: before, Limit: 10})
			require.NoError(t, err)
			if len(page) == 0 {
				assert.Equal(t, 3, n)
				break
			}
			for _, e := range page {
				texts = append(texts, e.Text)
			}
			before = page[len(page)-1].ID
		}
		require.Len(t, texts, 26)
		assert.Equal(t, []string{"of no unit", "24", "23"}, texts[:3])
		assert.Equal(t, "0", texts[25])

		desk, err := s.Events(t.Context(), EventQuery{
			Unit: "desk", From: noon.Add(3 * time.Minute), To: noon.Add(7 * time.Minute),
		})
		require.NoError(t, err)
		require.Len(t, desk, 2)
		assert.Equal(t, []string{"5", "3"}, []string{desk[0].Text, desk[1].Text})
		assert.True(t, desk[1].Time.Equal(noon.Add(3*time.Minute)))
		assert.Equal(t, "desk", desk[1].Unit)
		none, err := s.Events(t.Context(), EventQuery{Unit: "cellar"})
		require.NoError(t, err)
		assert.Empty(t, none)
	})
}

func TestAHistoryGoesOnAfterARestart(t *testing.T) {
	file := temporary(t)
	s := Open(Config{File: file})
	s.Reading(unit("rack", noon))
	s.Event(event("rack", events.Lost, noon))
	s.Close()
	s = opened(t, file)
	s.Reading(unit("rack", noon.Add(10*time.Minute)))
	s.Event(event("rack", events.Back, noon.Add(10*time.Minute)))
	s.write(noon.Add(time.Hour))
	assert.Len(t, load(t, s, "rack", time.Hour), 2)
	all, err := s.Events(t.Context(), EventQuery{})
	require.NoError(t, err)
	assert.Equal(t, []events.Kind{events.Back, events.Lost}, kinds(all))
	assert.Equal(t, int64(1), all[1].ID)
	assert.Empty(t, s.Problem())
}

func TestAUnitKeepsItsHistory(t *testing.T) {
	for name, test := range map[string]struct {
		change func(u *monitor.Unit)
		has    int // points under the name that the unit has then
	}{
		"at another port":       {func(u *monitor.Unit) { u.Info.Path = "3-2:1.0" }, 2},
		"replaced by another":   {func(u *monitor.Unit) { u.Info.Serial, u.Info.ProductID = "B1", 3 }, 2},
		"renamed":               {func(u *monitor.Unit) { u.Name = "new" }, 2},
		"renamed, other port":   {func(u *monitor.Unit) { u.Name, u.Info.Path = "new", "3-2:1.0" }, 1},
		"renamed, other serial": {func(u *monitor.Unit) { u.Name, u.Info.Serial = "new", "B1" }, 1},
		"nothing known of it": {func(u *monitor.Unit) {
			u.Name, u.Info = "new", tripplite.DeviceInfo{Path: u.Info.Path}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			file := temporary(t)
			s := Open(Config{File: file})
			s.Reading(unit("rack", noon))
			s.Close()
			s = opened(t, file)
			u := unit("rack", noon.Add(5*time.Minute))
			test.change(&u)
			s.Reading(u)
			s.write(noon.Add(10 * time.Minute))
			assert.Len(t, load(t, s, u.Name, time.Hour), test.has)
			if u.Name != "rack" {
				assert.Len(t, load(t, s, "rack", time.Hour), 2-test.has)
			}
		})
	}
	t.Run("the name is another's now", func(t *testing.T) {
		file := temporary(t)
		s := Open(Config{File: file})
		s.Reading(unit("rack", noon))
		s.Close()
		s = opened(t, file)
		moved := unit("rack", noon.Add(5*time.Minute))
		moved.Info.Path = "3-2:1.0"
		s.Reading(moved)
		s.Reading(unit("new", noon.Add(5*time.Minute)))
		s.write(noon.Add(10 * time.Minute))
		assert.Len(t, load(t, s, "rack", time.Hour), 2)
		assert.Len(t, load(t, s, "new", time.Hour), 1)
	})
}

func TestAClockThatStepsBackAddsToWhatIsThere(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Store) {
		for _, load := range []float64{20, 40} {
			for minute := range 3 {
				u := unit("rack", noon.Add(time.Duration(minute)*time.Minute))
				u.State.Output.PercentLoad = tripplite.ValueOf(load)
				s.Reading(u)
			}
			s.write(noon.Add(time.Hour))
		}
		got := load(t, s, "rack", time.Hour)
		require.Len(t, got, 3)
		for _, p := range got {
			assert.Equal(t, Point{Time: p.Time, Least: 20, Mean: 30, Most: 40}, p)
		}
	})
}

// A computer without a clock of its own wakes up in 1970, or in a wrong year.
func TestAWrongClockDeletesNothing(t *testing.T) {
	file := temporary(t)
	s := opened(t, file)
	at := []time.Time{noon, time.Unix(5, 0), noon.AddDate(20, 0, 0), noon.Add(time.Minute)}
	for _, at := range at {
		s.Reading(unit("rack", at))
		s.Event(event("rack", events.Lost, at))
		s.write(at.Add(time.Hour))
	}
	assert.Len(t, load(t, s, "rack", time.Hour), 2)
	assert.Equal(t, 4, count(t, file, "SELECT count(*) FROM samples WHERE step = 60"))
	all, err := s.Events(t.Context(), EventQuery{})
	require.NoError(t, err)
	require.Len(t, all, 4)
	for i, e := range all {
		assert.True(t, e.Time.Equal(at[3-i]), "in the order in which they came")
	}
}

func TestMemoryIsBoundedToADay(t *testing.T) {
	s := opened(t, "")
	for minute := range 3 * day / 60 {
		s.Reading(unit("rack", noon.Add(time.Duration(minute)*time.Minute)))
	}
	for range memoryEvents + 10 {
		s.Event(event("rack", events.OnBattery, noon))
		s.Event(event("rack", events.OnLine, noon))
	}
	got := series(t, s, Query{
		Unit: "rack", Keys: []string{"health"}, From: noon, To: noon.Add(96 * time.Hour), Points: 10000,
	}).Points
	require.Len(t, got, 1440)
	assert.True(t, got[1439].Time.Equal(noon.Add(72*time.Hour-time.Minute)), "the newest")
	all, err := s.Events(t.Context(), EventQuery{Limit: 1000})
	require.NoError(t, err)
	assert.Len(t, all, 1000)
	assert.Len(t, s.events, memoryEvents)
	assert.LessOrEqual(t, len(s.outages), memoryEvents)
	assert.Empty(t, s.Problem(), "it is what was asked for")
}

func TestAQueryEndsWithItsContext(t *testing.T) {
	s := opened(t, temporary(t))
	s.turn <- struct{}{} // the disk hangs
	defer func() { <-s.turn }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Events(ctx, EventQuery{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Outages(ctx, EventQuery{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Series(ctx, Query{From: noon, To: noon.Add(1)})
	require.Error(t, err)
	_, err = s.Series(ctx, Query{From: noon, To: noon.Add(time.Hour)})
	require.ErrorIs(t, err, context.Canceled)
}

func TestADiskThatHangsHoldsAnEventForTwoSecondsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := temporary(t)
		s := Open(Config{File: file})
		s.turn <- struct{}{} // the disk hangs
		for i, want := range []time.Duration{2 * time.Second, 0, 0} {
			began := time.Now()
			s.Event(event("rack", events.Lost, time.Now()))
			assert.Equal(t, want, time.Since(began), i)
			s.Reading(unit("rack", time.Now()))
		}
		<-s.turn
		synctest.Wait()
		assert.Equal(t, 3, count(t, file, "SELECT count(*) FROM events"))
		s.Event(event("rack", events.Back, time.Now()))
		assert.Equal(t, 4, count(t, file, "SELECT count(*) FROM events"), "it waits again")
		s.Close()
	})
}

// Somebody asks for the event before the writer has got to it.
func TestAnEventIsOnDiskBeforeItIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "history.db")
		s := opened(t, file)
		s.turn <- struct{}{}
		var asked, told sync.WaitGroup
		asked.Go(func() { // it has the next turn
			shown, err := s.Events(t.Context(), EventQuery{})
			assert.NoError(t, err)
			assert.Len(t, shown, 1)
			var onDisk strings.Builder
			err = ExportFile(t.Context(), file, &onDisk, "events", time.Time{}, time.Time{}, "")
			assert.NoError(t, err)
			assert.Contains(t, onDisk.String(), "On battery.")
		})
		synctest.Wait()
		told.Go(func() {
			s.Event(events.Event{Time: noon, Name: "rack", Kind: events.OnBattery, Text: "On battery."})
		})
		synctest.Wait()
		<-s.turn
		asked.Wait()
		told.Wait()
	})
}
