// Package past has what a history is asked and what it answers, for programs that keep none.
package past

import (
	"time"

	"github.com/tripplite-go/tripplite/internal/events"
)

// Query asks for charts.
type Query struct {
	Unit     string   // by name
	Keys     []string // of the readings that are kept; none is all
	From, To time.Time
	Points   int // of a chart at most, from 2 on; 0 is 1000
}

// Series is one chart.
type Series struct {
	Key, Unit string // as in [tripplite.Field]
	// Step is how long each Point is for. Between Points that are further apart nothing is known.
	Step   time.Duration
	Points []Point // the oldest first
}

// Point is what a reading was from Time on.
type Point struct {
	Time              time.Time
	Least, Mean, Most float64
}

// EventQuery asks for events or outages, the newest first. Zero times and an empty Unit are no
// limit.
type EventQuery struct {
	Unit     string // by name
	From, To time.Time
	Before   int64 // only those whose ID is less, such as the last one of a page; 0 is no limit
	Limit    int   // 0 is 100; 1000 at most
}

// Event is one thing that happened.
type Event struct {
	ID   int64
	Time time.Time
	Unit string // its name; empty where it is of none
	Path string
	Kind events.Kind
	Text string
}

// Outage is a time on battery.
type Outage struct {
	ID       int64 // of the event that began it
	Unit     string
	From, To time.Time // To is zero while it goes on
	// LowestCharge is in percent. It is nil where it is not known.
	LowestCharge *float64
	// Energy is from the battery in watt-hours, by the measured power. It is nil where that was not
	// known all the time.
	Energy *float64
}
