package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

func TestThePollGoesOnThroughAPowerFailureAndAnUnplug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart1500lcd")
		ups.SetStatus("BelowRemainingCapacityLimit", false)
		ups.SetLoad(36)
		ctx, cancel := context.WithCancel(t.Context())
		var out strings.Builder
		done := make(chan error)
		go func() { done <- run(ctx, &out, ups.Battery(), 24*time.Hour) }()
		// Each event has been told a few seconds later, long before the interval is over.
		for _, event := range []func(){
			ups.PowerFailure, // announced, and then read whole
			func() { ups.SetCharge(97) },
			ups.Unplug,
			func() { ups.PowerReturns(); ups.Replug() },
			func() { ups.FailReport(0x35, errors.New("no answer")); ups.SetCharge(98) },
		} {
			time.Sleep(5 * time.Second)
			event()
		}
		time.Sleep(5 * time.Second)
		cancel()
		require.NoError(t, <-done)
		const rest = ", load 36 %, input 117.2 V, output 117.2 V"
		assert.Equal(t, []string{
			"1-1:1.0: on line power, charge 100 %, runtime 16 min 44 s" + rest,
			"1-1:1.0: on battery",
			"1-1:1.0: on battery, charge 100 %, runtime 16 min 44 s, load 36 %, input 0 V, output 117.2 V",
			"1-1:1.0: on battery, charge 97 %, runtime 16 min 44 s, load 36 %, input 0 V, output 117.2 V",
			"lost: read 1-1:1.0: the UPS is disconnected: it is read again as soon as it is back " +
				"at this port (report 0x32: the unit is unplugged)",
			"1-1:1.0: on line power, charge 97 %, runtime 16 min 44 s" + rest,
			"1-1:1.0: on line power, charge 98 %" + rest + " (not all could be read: " +
				"1-1:1.0: report 0x35 (UPS.PowerSummary.RunTimeToEmpty): no answer)",
		}, strings.Split(strings.TrimSpace(out.String()), "\n"))
	})
}

func TestAPollEndsWhenNobodyReadsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, writer := io.Pipe()
		reader.Close()
		ups := tripplitetest.NewUPS(t, "smart1500lcd").Battery()
		require.ErrorIs(t, run(t.Context(), writer, ups, time.Hour), io.ErrClosedPipe)
	})
}
