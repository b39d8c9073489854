package events

import (
	"time"

	"github.com/tripplite-go/tripplite"
)

// Tracker finds the events in the readings of one unit. What flaps is no event: a change has to
// last. It never tells the same twice in a row. It is for one goroutine.
type Tracker struct {
	Path, Name string
}

// Observe takes a reading and returns what it shows to have happened, the oldest first.
func (t *Tracker) Observe(state tripplite.State, err error, now time.Time) []Event { return nil }

// Test takes the result of the last battery test, as the settings tell it.
func (t *Tracker) Test(result tripplite.TestResult, now time.Time) []Event { return nil }

// At returns what has happened since by time alone, such as that a unit has been lost for so long
// that somebody should know. It is to be called every second or so.
func (t *Tracker) At(now time.Time) []Event { return nil }

// OnBattery returns whether the load is believed to run on battery, since when, and whether
// anything is believed.
func (t *Tracker) OnBattery() (onBattery bool, since time.Time, known bool) {
	return false, time.Time{}, false
}
