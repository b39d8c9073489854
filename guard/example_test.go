package guard_test

import (
	"fmt"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/guard"
)

// A program gives the Policy what a Bank's Watch yields and asks it every second. Here the States
// are made up, and so is the time.
func ExamplePolicy() {
	policy := guard.Policy{
		Hold:   5 * time.Second,
		Limits: guard.Limits{Charge: 30, Lost: 2 * time.Minute},
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for second := range 300 {
		now := noon.Add(time.Duration(second) * time.Second)
		state := tripplite.State{Time: now}
		state.Status.ACPresent = tripplite.ValueOf(second < 20)
		state.RemainingCapacity = tripplite.ValueOf(90 - float64(second)/4)
		policy.Observe(tripplite.Reading{
			Info: tripplite.DeviceInfo{Path: "1-4.2:1.0"}, State: state,
		}, now)
		d := policy.Decide(now)
		if second == 220 {
			fmt.Printf("%s; at a limit at %s\n", d.Why, d.At.Format(time.TimeOnly))
		}
		if d.Act {
			fmt.Printf("second %d: %s\n", second, d.Why)
			break
		}
	}

	// Output:
	// 1-4.2:1.0: on battery for 3m 20s; at a limit at 12:04:00
	// second 246: 1-4.2:1.0: a charge of 28.5 % (limit 30 %)
}
