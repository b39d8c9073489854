package notify

import (
	"strings"
	"time"
	"unicode"

	"github.com/tripplite-go/tripplite/internal/events"
)

// words has a row for each kind of event: NUT's NOTIFYTYPE for it, if there is one, and what it is
// about. Events about the same follow each other; of those only the last is still true.
var words = map[events.Kind]struct{ nut, about string }{
	events.OnBattery:         {"ONBATT", "power"},
	events.OnLine:            {"ONLINE", "power"},
	events.BatteryLow:        {"LOWBATT", "charge"},
	events.Lost:              {"COMMBAD", "connection"},
	events.Back:              {"COMMOK", "connection"},
	events.ReplaceBattery:    {"REPLBATT", "battery"},
	events.BatteryGood:       {"", "battery"},
	events.Overload:          {"", "load"},
	events.OverloadOver:      {"", "load"},
	events.TestFailed:        {"", "test"},
	events.ShutdownPlanned:   {"", "shutdown"},
	events.ShutdownCancelled: {"", "shutdown"},
	events.ShuttingDown:      {"SHUTDOWN", "shutdown"},
}

// single are the kinds that nothing takes back. Whoever tells them sees to it that they are news.
func single(kind events.Kind) bool {
	return kind == events.BatteryLow || kind == events.TestFailed
}

// unitOf names the unit of an event for people; "" where it is of none.
func unitOf(e events.Event) string {
	if e.Name != "" {
		return clean(e.Name)
	}
	return clean(e.Path)
}

// titleOf is what a message has in its subject.
func titleOf(e events.Event) string {
	what := strings.ReplaceAll(string(e.Kind), "-", " ")
	if unit := unitOf(e); unit != "" {
		return "UPS " + unit + ": " + what
	}
	return "UPS: " + what
}

// textOf is the message itself. One that is late says when it happened.
func textOf(e events.Event, late bool, now time.Time) string {
	text := clean(e.Text)
	if unit := unitOf(e); unit != "" {
		text = "UPS " + unit + ": " + text
	}
	if !late {
		return text
	}
	at, layout := e.Time.In(now.Location()), "15:04"
	if at.Format(time.DateOnly) != now.Format(time.DateOnly) {
		layout = "2 January, 15:04"
	}
	return at.Format(layout) + ": " + text
}

// clean makes a text of one line that cannot steer a terminal. Some of it comes from a device.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r == unicode.ReplacementChar,
			unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
			return -1
		}
		return r
	}, text)
	return strings.TrimSpace(text)
}
