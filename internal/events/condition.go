package events

import "time"

// condition is something that has to last before it is told, and so does its end.
type condition struct {
	told     bool
	changing bool // the readings show something else than what was told
	since    time.Time
}

// observe takes what a reading of a time shows. It reports whether the condition has just begun, or
// ended, for good.
func (c *condition) observe(shown bool, at time.Time, begin, end time.Duration) (changed bool) {
	if shown == c.told {
		c.changing = false
		return false
	}
	if !c.changing {
		c.changing, c.since = true, at
	}
	hold := begin
	if c.told {
		hold = end
	}
	if at.Sub(c.since) < hold {
		return false
	}
	c.told, c.changing = shown, false
	return true
}
