package main

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/examples/internal/script"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

func TestTheLogTellsWhatIsKnownAndNothingElse(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := script.New( // what happens after each flush, the first of which has the head and a row
		func() { ups.PowerFailure(); ups.SetCharge(98) },
		func() { ups.FailReport(0x1b, errors.New("no answer")) },
		ups.Unplug,
		func() { ups.HealReport(0x1b); ups.Replug(); ups.PowerReturns() },
		cancel,
	)
	before := time.Now().Truncate(time.Second)
	err := run(ctx, out, time.Millisecond, func() (*tripplite.Battery, error) { return ups.Battery(), nil })
	require.NoError(t, err)

	rows, err := csv.NewReader(strings.NewReader(strings.Join(out.Lines(t), "\n"))).ReadAll()
	require.NoError(t, err)
	for _, row := range rows[1:] {
		at, err := time.Parse(time.RFC3339, row[0])
		require.NoError(t, err)
		assert.WithinRange(t, at, before, time.Now())
		row[0] = ""
	}
	lost := "tripplite: 1-1:1.0: the UPS is disconnected: it is read again as soon as it is back at this port (report 0x32: the unit is unplugged)"
	assert.Equal(t, [][]string{
		{"time", "ac_present", "input_volts", "output_volts", "output_watts", "charge_percent", "runtime_seconds", "error"},
		{"", "true", "117.2", "117.2", "324", "100", "1004", ""},
		{"", "false", "0", "117.2", "324", "98", "1004", ""},
		{"", "false", "0", "", "324", "98", "1004", "1-1:1.0: report 0x1b (UPS.PowerConverter.Output.Voltage): no answer"},
		{"", "", "", "", "", "", "", lost},
		{"", "true", "117.2", "117.2", "324", "98", "1004", ""},
	}, rows)
}

func TestTheLogEndsWithTheReasonThatItCannotBegin(t *testing.T) {
	open := func() (*tripplite.Battery, error) { return nil, tripplite.ErrPermission }
	require.ErrorIs(t, run(t.Context(), io.Discard, time.Second, open), tripplite.ErrPermission)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestTheLogEndsWhenItCannotBeWritten(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	err := run(t.Context(), full{}, time.Hour, func() (*tripplite.Battery, error) { return ups.Battery(), nil })
	require.EqualError(t, err, "no space left on device")
}
