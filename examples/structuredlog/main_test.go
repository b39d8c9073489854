package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/examples/internal/script"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

func TestEachRecordHasWhatIsKnown(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := script.New(
		ups.PowerFailure,
		func() { ups.FailReport(0x34, errors.New("no answer")); ups.FailReport(0x35, errors.New("no answer")) }, // not yet read anew
		ups.Unplug,
		nil, // the package's own record
		func() { ups.HealReport(0x34); ups.HealReport(0x35); ups.PowerReturns(); ups.Replug() },
		cancel,
	)
	err := run(ctx, out, time.Hour, func(opts ...tripplite.Option) (*tripplite.Battery, error) { return ups.Battery(opts...), nil })
	require.NoError(t, err)

	const unit = `"hw.id": "1-1:1.0", "hw.type": "battery", "hw.vendor": "Tripp Lite", "hw.model": "Tripp Lite UPS"`
	const battery = `"hw.battery.charge": 1, "hw.battery.time_left": 1004`
	const output = `"ups.output.voltage": 117.2, "ups.output.power": 324, "ups.output.utilization": 0.14`
	want := []string{
		`{"level": "INFO", "msg": "ups.on_mains", ` + unit + `, "ups.input.voltage": 117.2, ` + output + `, ` + battery + `}`,
		`{"level": "WARN", "msg": "ups.on_battery", ` + unit + `, "ups.input.voltage": 117.2, ` + output + `, ` + battery + `}`,
		`{"level": "WARN", "msg": "ups.on_battery", ` + unit + `, "ups.input.voltage": 0, ` + output + `, "error.type": "partial",
			"error.message": "1-1:1.0: report 0x34 (UPS.PowerSummary.RemainingCapacity): no answer; ` +
			`1-1:1.0: report 0x35 (UPS.PowerSummary.RunTimeToEmpty): no answer"}`,
		`{"level": "INFO", "msg": "the UPS is disconnected", "otel.scope.name": "tripplite", "path": "1-1:1.0", "err": "report 0x32: the unit is unplugged"}`,
		`{"level": "ERROR", "msg": "ups.lost", ` + unit + `, "error.type": "disconnected", "error.message": "tripplite: 1-1:1.0: the UPS ` +
			`is disconnected: it is read again as soon as it is back at this port (report 0x32: the unit is unplugged)"}`,
		`{"level": "INFO", "msg": "ups.on_mains", ` + unit + `, "ups.input.voltage": 117.2, ` + output + `, ` + battery + `}`,
	}
	lines := out.Lines(t)
	require.Len(t, lines, len(want))
	for i, line := range lines {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		assert.NotEmpty(t, record["time"])
		delete(record, "time")
		text, err := json.Marshal(record)
		require.NoError(t, err)
		assert.JSONEq(t, want[i], string(text))
	}
}

func TestAnErrorHasAKind(t *testing.T) {
	for want, err := range map[string]error{
		"partial":      &tripplite.PartialError{},
		"disconnected": fmt.Errorf("unit: %w", tripplite.ErrDisconnected),
		"permission":   tripplite.ErrPermission,
		"busy":         tripplite.ErrBusy,
		"_OTHER":       io.EOF,
	} {
		assert.Equal(t, want, kind(err))
	}
}

func TestALogThatCannotBeginSaysWhy(t *testing.T) {
	open := func(...tripplite.Option) (*tripplite.Battery, error) { return nil, tripplite.ErrNotFound }
	require.ErrorIs(t, run(t.Context(), io.Discard, time.Second, open), tripplite.ErrNotFound)
}

func TestAUnitThatDoesNotTellWhetherMainsIsThereIsNotOnBattery(t *testing.T) {
	_, event := judge(tripplite.State{Time: time.Now()})
	assert.Equal(t, "ups.reading", event)
}
