package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

// record is what the test looks at of a line of the log.
type record struct {
	Level, Msg, Path, Error string
	Alerts                  []string
	UPS                     struct {
		Announced bool
		Charge    *float64 `json:"health"`
		Volts     *float64 `json:"input.voltage"`
		Current   *float64 `json:"output.current"`
	}
}

func TestEachRecordHasWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart1500lcd") // which does not measure its output current
		ups.SetStatus("BelowRemainingCapacityLimit", false)
		ctx, cancel := context.WithCancel(t.Context())
		var out strings.Builder
		done := make(chan bool)
		go func() {
			run(ctx, slog.New(slog.NewJSONHandler(&out, nil)), ups.Battery(), 24*time.Hour)
			close(done)
		}()
		for _, event := range []func(){
			ups.PowerFailure, // announced, and then read whole
			func() { ups.FailReport(0x35, errors.New("no answer")); ups.SetCharge(98) },
			func() { ups.HealReport(0x35); ups.SetStatus("ShutdownImminent", true) },
			ups.Unplug,
		} {
			time.Sleep(5 * time.Second)
			event()
		}
		time.Sleep(5 * time.Second)
		cancel()
		<-done

		is := func(f float64) *float64 { return &f }
		want := make([]record, 7)
		for i := range want {
			want[i].Level, want[i].Msg = "WARN", "reading"
			want[i].UPS.Charge, want[i].UPS.Volts = is(98), is(0)
			want[i].Alerts = []string{"on-battery"}
		}
		want[0].Level, want[0].Alerts = "INFO", nil
		want[0].UPS.Charge, want[0].UPS.Volts = is(100), is(117.2)
		want[1].UPS.Announced, want[1].UPS.Charge, want[1].UPS.Volts = true, nil, nil
		want[2].UPS.Charge = is(100)
		want[3].Error = "1-1:1.0: report 0x35 (UPS.PowerSummary.RunTimeToEmpty): no answer"
		for _, i := range []int{4, 5} {
			want[i].Level, want[i].Alerts = "ERROR", []string{"shutdown-imminent", "on-battery"}
		}
		want[4].UPS.Announced, want[4].UPS.Charge, want[4].UPS.Volts = true, nil, nil
		want[6] = record{Level: "ERROR", Msg: "no reading", Path: "1-1:1.0",
			Error: "read 1-1:1.0: the UPS is disconnected: it is read again as soon as it is back at " +
				"this port (report 0x32: the unit is unplugged)"}

		var got []record
		for decoder := json.NewDecoder(strings.NewReader(out.String())); decoder.More(); {
			var r record
			require.NoError(t, decoder.Decode(&r))
			got = append(got, r)
		}
		assert.Equal(t, want, got)
	})
}
