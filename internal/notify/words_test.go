package notify

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/events"
)

// outage is an event with a State. One of its strings is what a broken device may send.
var outage = events.Event{
	Time: time.Date(2026, 11, 22, 12, 3, 4, 0, time.UTC), Path: "1-4:1.0", Name: "rack",
	Kind: events.OnBattery, Text: "On battery: charge 97 %.",
	State: tripplite.State{
		Path: "1-4:1.0", RemainingCapacity: tripplite.ValueOf(97.),
		RunTimeToEmpty: tripplite.ValueOf(42 * time.Minute),
		Status:         tripplite.Status{ACPresent: tripplite.ValueOf(false)},
		Input:          tripplite.Input{Voltage: tripplite.ValueOf(0.)},
		Config:         tripplite.Config{DeviceChemistry: tripplite.ValueOf("Pb\x00\x1b[31mAC\n")},
	},
}

func TestEveryKindHasItsWords(t *testing.T) {
	require.Len(t, words, len(events.Kinds()))
	for _, kind := range events.Kinds() {
		assert.NotEmpty(t, words[kind].about, kind)
	}
}

func TestTheTextOfAMessage(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 3, 4, 0, time.UTC)
	e := events.Event{Time: at, Path: "1-4:1.0", Name: "rack", Kind: events.OnBattery, Text: "On battery."}
	assert.Equal(t, "UPS rack: On battery.", textOf(e, false, at.Add(time.Minute)))
	assert.Equal(t, "12:03: UPS rack: On battery.", textOf(e, true, at.Add(2*time.Hour)))
	assert.Equal(t, "22 November, 12:03: UPS rack: On battery.", textOf(e, true, at.Add(12*time.Hour)))
	zone := time.FixedZone("", 3600)
	assert.Equal(t, "13:03: UPS rack: On battery.", textOf(e, true, at.Add(time.Hour).In(zone)))
	assert.Equal(t, "UPS rack: on battery", titleOf(e))

	e.Name = ""
	assert.Equal(t, "UPS 1-4:1.0: On battery.", textOf(e, false, at))
	e.Path, e.Kind = "", events.ShuttingDown
	assert.Equal(t, "On battery.", textOf(e, false, at))
	assert.Equal(t, "UPS: shutting down", titleOf(e))
}

func TestNothingSteersATerminal(t *testing.T) {
	assert.Equal(t, "a[2J b c d é", clean("\x1b\x00a\x1b[2J\nb\rc\td \u009b\u202e\u2028\xffé\n"))
}

func TestEachReadingHasAVariableOfItsOwn(t *testing.T) {
	seen := map[string]string{"TRIPPLITE_EVENT": "", "TRIPPLITE_TEXT": "", "TRIPPLITE_UNIT": "",
		"TRIPPLITE_PATH": "", "TRIPPLITE_TIME": ""}
	for _, f := range tripplite.Fields() {
		if f.Setting() {
			continue
		}
		name := variable(f.Key)
		assert.Regexp(t, `^[A-Z0-9_]+$`, name)
		assert.NotContains(t, seen, name)
		seen[name] = f.Key
	}
	assert.Equal(t, "status.ac present", seen["TRIPPLITE_STATUS_AC_PRESENT"])
}
