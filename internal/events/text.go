package events

import (
	"fmt"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
)

// textOf puts what a State holds of charge, run time and load into words, as in "charge 97 %, 42
// min left at a load of 23 %". What it does not hold is left out.
func textOf(s tripplite.State) string {
	var parts []string
	if charge := chargeText(s); charge != "" {
		parts = append(parts, charge)
	}
	load, hasLoad := s.Output.PercentLoad.Get()
	left, hasLeft := s.RunTimeToEmpty.Get()
	switch {
	case hasLeft && hasLoad:
		parts = append(parts, fmt.Sprintf("%s left at a load of %.0f %%", leftText(left), load))
	case hasLeft:
		parts = append(parts, leftText(left)+" left")
	case hasLoad:
		parts = append(parts, loadText(s))
	}
	return strings.Join(parts, ", ")
}

func loadText(s tripplite.State) string {
	if load, known := s.Output.PercentLoad.Get(); known {
		return fmt.Sprintf("load %.0f %%", load)
	}
	return ""
}

func chargeText(s tripplite.State) string {
	if charge, known := s.RemainingCapacity.Get(); known {
		return fmt.Sprintf("charge %.0f %%", charge)
	}
	return ""
}

// sentence joins two texts to a sentence. The second may be empty.
func sentence(text, separator, more string) string {
	if more == "" {
		return text + "."
	}
	return text + separator + more + "."
}

// leftText is a run time, which is no better than to the minute while there are many.
func leftText(t time.Duration) string {
	if t >= 10*time.Minute {
		t = t.Truncate(time.Minute)
	}
	return DurationText(t)
}

// DurationText writes a time as people do, such as "12 min 5 s". From an hour on the seconds are
// left out.
func DurationText(t time.Duration) string {
	t = max(t, 0).Truncate(time.Second)
	if t >= time.Hour {
		t = t.Truncate(time.Minute)
	}
	var parts []string
	for _, u := range []struct {
		long time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := t / u.long; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, u.name))
			t -= n * u.long
		}
	}
	if len(parts) == 0 {
		return "0 s"
	}
	return strings.Join(parts, " ")
}
