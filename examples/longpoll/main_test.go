package main

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/examples/internal/script"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

func TestThePollGoesOnThroughAPowerFailureAndAnUnplug(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := script.New(
		ups.PowerFailure, // announced, and then read whole
		nil,
		func() { ups.SetCharge(97) },
		ups.Unplug,
		func() { ups.PowerReturns(); ups.Replug() },
		func() { ups.FailReport(0x35, errors.New("no answer")); ups.SetCharge(98) },
		nil,
		cancel,
	)
	// Nothing in this test waits for the interval: what happens is announced, and a lost unit is looked for more often.
	err := run(ctx, out, time.Hour, func() (*tripplite.Battery, error) { return ups.Battery(), nil })
	require.NoError(t, err)
	assert.Equal(t, []string{
		"on mains, input 117.2 V, charge 100 %, 16m44s left",
		"on battery, input 117.2 V, charge 100 %, 16m44s left",
		"on battery, input 0 V, charge 100 %, 16m44s left",
		"on battery, input 0 V, charge 97 %, 16m44s left",
		"lost: tripplite: 1-1:1.0: the UPS is disconnected: it is read again as soon as it is back at this port (report 0x32: the unit is unplugged)",
		"on mains, input 117.2 V, charge 97 %, 16m44s left",
		"on mains, input 117.2 V, charge 98 %, 16m44s left",
		"on mains, input 117.2 V, charge 98 %, unknown left (not all could be read: 1-1:1.0: report 0x35 (UPS.PowerSummary.RunTimeToEmpty): no answer)",
	}, out.Lines(t))
}

func TestAPollThatCannotBeginSaysWhy(t *testing.T) {
	open := func() (*tripplite.Battery, error) { return nil, tripplite.ErrNotFound }
	require.ErrorIs(t, run(t.Context(), io.Discard, time.Second, open), tripplite.ErrNotFound)
}

func TestAPollEndsWhenNobodyReadsIt(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	reader, writer := io.Pipe()
	reader.Close()
	err := run(t.Context(), writer, time.Hour, func() (*tripplite.Battery, error) { return ups.Battery(), nil })
	require.ErrorIs(t, err, io.ErrClosedPipe)
}
