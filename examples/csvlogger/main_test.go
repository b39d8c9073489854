package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

func TestTheLogHasWhatIsKnownAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which begins at 2000-01-01 00:00:00 UTC
		ups := tripplitetest.NewUPS(t, "smart1500lcd")
		ctx, cancel := context.WithCancel(t.Context())
		var out strings.Builder
		done := make(chan error)
		go func() {
			keys := []string{"status.ac present", "input.voltage", "output.voltage", "time to empty"}
			done <- run(ctx, &out, ups.Battery(), time.Hour, keys)
		}()
		for _, event := range []func(){
			ups.PowerFailure,
			func() { ups.FailReport(0x1b, errors.New("no answer")) },
			ups.Unplug,
			func() { ups.HealReport(0x1b); ups.Replug(); ups.PowerReturns() },
			cancel,
		} {
			time.Sleep(time.Hour - time.Second)
			event()
			time.Sleep(time.Second)
		}
		require.NoError(t, <-done)
		assert.Equal(t, strings.Join([]string{
			"time,status.ac present,input.voltage,output.voltage,time to empty,error",
			"2000-01-01T00:00:00Z,true,117.2,117.2,1004,",
			"2000-01-01T01:00:00Z,false,0,117.2,1004,",
			"2000-01-01T02:00:00Z,false,0,,1004," +
				"1-1:1.0: report 0x1b (UPS.PowerConverter.Output.Voltage): no answer",
			"2000-01-01T03:00:00Z,,,,,read 1-1:1.0: the UPS is disconnected: " +
				"it is read again as soon as it is back at this port (report 0x32: the unit is unplugged)",
			"2000-01-01T04:00:00Z,true,117.2,117.2,1004,",
			"",
		}, "\n"), out.String())
	})
}

func TestAReadingThatThereIsNotIsAnError(t *testing.T) {
	require.NoError(t, check(strings.Split(usual, ",")))
	require.ErrorContains(t, check([]string{"health", "input.volts"}),
		`there is no reading "input.volts"; there are: health, time to empty, input.voltage, `)
	require.Error(t, check([]string{"controls.test"}), "which is no part of a State")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestTheLogEndsWhenItCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart1500lcd").Battery()
		err := run(t.Context(), full{}, ups, time.Hour, []string{"health"})
		require.EqualError(t, err, "no space left on device")
	})
}

func TestARowWithoutAStateHasTheTimeOfNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cells := row(tripplite.State{}, tripplite.ErrBusy, []string{"health"})
		assert.Equal(t, []string{"2000-01-01T00:00:00Z", "", tripplite.ErrBusy.Error()}, cells)
	})
}
