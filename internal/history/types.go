// Package history keeps what units said and what happened to them.
package history

import "time"

// Query asks for the readings of one unit.
type Query struct {
	Unit     string   // its name
	Keys     []string // of tripplite.Fields
	From, To time.Time
	Points   int // the most for each key
}

// Series is one reading over time.
type Series struct {
	Key, Unit string // Unit is that of the reading, such as "V"
	Points    []Point
}

// Point is what a reading was for a while that began at Time. A while without readings has none.
type Point struct {
	Time              time.Time
	Least, Mean, Most float64
}

// EventQuery asks for events or outages, the latest first.
type EventQuery struct {
	Unit     string // "" is every unit
	From, To time.Time
	Before   int64 // only events with a lower ID; 0 is all
	Limit    int
}

// Event is one thing that happened.
type Event struct {
	ID                     int64
	Time                   time.Time
	Unit, Path, Kind, Text string
}

// Outage is a time on battery.
type Outage struct {
	Unit         string
	From, To     time.Time // To is zero while it lasts
	LowestCharge *float64  // in percent; nil where it is not known
	Energy       *float64  // in watt-hours; nil where it is not known
}
