// Package events tells what happened to a UPS that somebody may want to know: a message, a row of a
// table. It reads no clock and does no I/O.
package events

import (
	"time"

	"github.com/tripplite-go/tripplite"
)

// Kind is what happened.
type Kind string

// The kinds. Of those that come in pairs, the second takes the first back.
const (
	OnBattery Kind = "on-battery"
	OnLine    Kind = "on-line"

	BatteryLow Kind = "battery-low" // on battery

	Lost Kind = "lost" // the unit does not answer
	Back Kind = "back"

	ReplaceBattery Kind = "replace-battery"
	BatteryGood    Kind = "battery-good"

	Overload     Kind = "overload"
	OverloadOver Kind = "overload-over"

	TestFailed Kind = "test-failed"

	ShutdownPlanned   Kind = "shutdown-planned" // by package guard
	ShutdownCancelled Kind = "shutdown-cancelled"
	ShuttingDown      Kind = "shutting-down"
)

// Kinds returns every kind.
func Kinds() []Kind {
	return []Kind{
		OnBattery, OnLine, BatteryLow, Lost, Back, ReplaceBattery, BatteryGood, Overload, OverloadOver,
		TestFailed, ShutdownPlanned, ShutdownCancelled, ShuttingDown,
	}
}

// Event is one thing that happened.
type Event struct {
	Time  time.Time // when it began, as far as that is known
	Path  string    // of the unit; empty where it is of none
	Name  string    // of the unit, for people
	Kind  Kind
	Text  string          // a sentence for people
	State tripplite.State // the last whole one before it; its Time is zero where there is none
}
