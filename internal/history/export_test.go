package history

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/events"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

// happen has a Store something to export.
func happen(s *Store) {
	fail(s, func(u *monitor.Unit) {})
	s.Reading(unit("desk", noon))
	s.Event(event("desk", events.Lost, noon.Add(time.Hour)))
}

const header = "time,unit,seconds,load_least,load_mean,load_most," +
	"power_least,power_mean,power_most,charge_least,charge_mean,charge_most," +
	"runtime_least,runtime_mean,runtime_most," +
	"input_voltage_least,input_voltage_mean,input_voltage_most,output_voltage_least," +
	"output_voltage_mean,output_voltage_most,battery_voltage_least,battery_voltage_mean," +
	"battery_voltage_most"

func exported(t *testing.T, s *Store, what string, from, to time.Time, unit string) []string {
	var out bytes.Buffer
	require.NoError(t, ExportFile(t.Context(), s.config.File, &out, what, from, to, unit))
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

func TestAnExportHasEverything(t *testing.T) {
	s := opened(t, temporary(t))
	happen(s)
	s.write(noon.Add(24 * time.Hour))
	assert.Equal(t, []string{
		"id,time,unit,path,kind,text",
		"1,2026-03-01T12:00:00Z,rack,1-1:1.0,on-battery,rack is on-battery.",
		"2,2026-03-01T12:10:00Z,rack,1-1:1.0,on-line,rack is on-line.",
		"3,2026-03-01T13:00:00Z,desk,1-1:1.0,lost,desk is lost.",
	}, exported(t, s, "events", time.Time{}, time.Time{}, ""))
	outages := exported(t, s, "outages", time.Time{}, time.Time{}, "")
	require.Len(t, outages, 2)
	assert.Equal(t, "id,unit,from,to,lowest_charge_percent,energy_watt_hours", outages[0])
	assert.True(t, strings.HasPrefix(outages[1],
		"1,rack,2026-03-01T12:00:00Z,2026-03-01T12:10:00Z,70,"), outages[1])

	history := exported(t, s, "history", time.Time{}, time.Time{}, "")
	require.Len(t, history, 1+1+12)
	assert.Equal(t, header, history[0])
	assert.Equal(t, "2026-03-01T12:00:00Z,desk,60,20,20,20,180,180,180,100,100,100,"+
		"1004,1004,1004,120.4,120.4,120.4,,,,,,", history[1])
	assert.True(t, strings.HasPrefix(history[2], "2026-03-01T11:59:00Z,rack,60,"), history[2])
	assert.Len(t, exported(t, s, "history", time.Time{}, time.Time{}, "desk"), 2)
	later := exported(t, s, "history", noon.Add(5*time.Minute), noon.Add(7*time.Minute), "rack")
	require.Len(t, later, 3)
	assert.True(t, strings.HasPrefix(later[1], "2026-03-01T12:05:00Z,"))
	assert.Len(t, exported(t, s, "events", noon, noon.Add(time.Minute), "rack"), 2)
	assert.Len(t, exported(t, s, "outages", noon.Add(time.Hour), time.Time{}, "rack"), 1)
	assert.Len(t, exported(t, s, "history", time.Time{}, time.Time{}, "cellar"), 1)
}

func TestWhatCannotBeExportedIsAnError(t *testing.T) {
	file := temporary(t)
	s := opened(t, file)
	happen(s)
	s.write(noon.Add(24 * time.Hour))
	all := func(ctx context.Context, file, what string, w io.Writer) error {
		return ExportFile(ctx, file, w, what, time.Time{}, time.Time{}, "")
	}
	var out bytes.Buffer
	require.Error(t, all(t.Context(), file, "weather", &out))
	require.ErrorIs(t, all(t.Context(), "/nonexistent/history.db", "events", &out), os.ErrNotExist)
	assert.Empty(t, out.String())
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, what := range []string{"history", "events", "outages"} {
		require.ErrorIs(t, all(t.Context(), file, what, closedWriter{}), os.ErrClosed)
		require.ErrorIs(t, all(canceled, file, what, &out), context.Canceled)
	}
}

type closedWriter struct{}

func (closedWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

// Each second of the history is in one row, the older ones in coarser rows.
func TestAnExportHasTheFinestRowsThatThereAre(t *testing.T) {
	s := opened(t, temporary(t))
	midnight := noon.Add(-12 * time.Hour)
	for minute := range 1440 {
		s.Reading(unit("rack", midnight.Add(time.Duration(minute)*time.Minute)))
	}
	s.write(noon.Add(24 * time.Hour))
	// The minutes of the first 13 hours and 17 minutes go, and the five minutes of the first 7.
	s.turn <- struct{}{}
	for tier, before := range []time.Duration{13*time.Hour + 17*time.Minute, 7 * time.Hour} {
		_, err := s.disk.cut(tier, 1, midnight.Add(before).Unix())
		require.NoError(t, err)
	}
	<-s.turn
	seconds, rows := 0, map[int]int{}
	last := ""
	for _, line := range exported(t, s, "history", time.Time{}, time.Time{}, "")[1:] {
		var step int
		columns := strings.Split(line, ",")
		_, err := fmt.Sscan(columns[2], &step)
		require.NoError(t, err)
		seconds += step
		rows[step]++
		assert.Greater(t, columns[0], last)
		last = columns[0]
	}
	assert.Equal(t, 24*60*60, seconds)
	assert.Equal(t, map[int]int{3600: 7, 300: 6*12 + 3, 60: 10*60 + 45}, rows)
}

func TestAFileIsExportedWhileADaemonWrites(t *testing.T) {
	file := temporary(t)
	s := Open(Config{File: file})
	happen(s)
	s.write(noon.Add(time.Hour))
	var open, closed bytes.Buffer
	require.NoError(t, ExportFile(t.Context(), file, &open, "events", time.Time{}, time.Time{}, ""))
	assert.Equal(t, 3, strings.Count(open.String(), "Z,"))
	s.Event(event("rack", events.Lost, noon.Add(3*time.Hour)))
	s.Close()
	require.NoError(t, ExportFile(t.Context(), file, &closed, "events", time.Time{}, time.Time{}, ""))
	assert.Equal(t, 4, strings.Count(closed.String(), "Z,"))
}
