//go:build e2e

package browser

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/events"
	"github.com/tripplite-go/tripplite/internal/history"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

// failures are the times without line power of the past day.
var failures = []struct{ ago, lasted time.Duration }{
	{19*time.Hour + 12*time.Minute, 80 * time.Second},
	{8*time.Hour + 20*time.Minute, 14 * time.Minute},
	{3*time.Hour + 5*time.Minute, 40 * time.Second},
}

// remember gives a history the past day of a unit: a load by day and by night, a line voltage that
// sags, and failures.
func remember(t *testing.T, bank *tripplite.Bank, to *history.Store, path, name string) {
	r := readingOf(t, bank, path)
	u := monitor.Unit{Name: name, Reading: r}
	tracker := events.Tracker{Path: path, Name: name}
	random := rand.New(rand.NewPCG(1, uint64(len(name))))
	const step = 20 * time.Second
	now := time.Now()
	charge, wander := 100., 0.
	for ago := 24 * time.Hour; ago >= step; ago -= step {
		at := now.Add(-ago)
		failed := false
		for _, f := range failures {
			failed = failed || ago <= f.ago && ago > f.ago-f.lasted
		}
		hour := ago.Hours()
		wander = wander*0.98 + random.NormFloat64()*0.12
		load := 31 + 9*math.Tanh(4*math.Sin((hour-3)/24*2*math.Pi)) + random.NormFloat64()
		if random.IntN(200) == 0 {
			load += 20
		}
		load = math.Round(load)
		voltage := 118 + 1.6*math.Cos((hour-5)/12*2*math.Pi) + wander
		output := voltage
		rate := 100. / (3 * 3600) // of charging, in percent a second
		if failed {
			voltage, output, rate = 0, 115, -100./(48*60)*load/31
		}
		charge = min(100, max(0, charge+rate*step.Seconds()))
		s := &u.State
		s.Time = at
		s.Status.ACPresent = tripplite.ValueOf(!failed)
		s.Status.Discharging = tripplite.ValueOf(failed)
		s.Input.Voltage = tripplite.ValueOf(math.Round(voltage*10) / 10)
		s.Output.Voltage = tripplite.ValueOf(math.Round(output*10) / 10)
		s.Output.PercentLoad = tripplite.ValueOf(load)
		s.Output.ActivePower = tripplite.ValueOf(math.Round(load * 9))
		s.RemainingCapacity = tripplite.ValueOf(math.Round(charge))
		s.RunTimeToEmpty = tripplite.ValueOf(
			time.Duration(charge / load * 31 * 28 * float64(time.Second)).Round(time.Second))
		s.Battery.Voltage = tripplite.ValueOf(math.Round(10*(24.2+charge/100*3.1)) / 10)
		happened := tracker.Observe(*s, nil, at)
		u.OnBattery, u.OnBatterySince, _ = tracker.OnBattery()
		to.Reading(u)
		for _, e := range happened {
			to.Event(e)
		}
	}
}
