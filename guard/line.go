package guard

import (
	"math"
	"time"
)

// line is the straight line through the charges of one outage, by least squares. The times are
// seconds from the first.
type line struct {
	outage time.Time // when it began

	start, end      time.Time
	first, last     float64
	n, x, y, xx, xy float64
}

// leastFall and leastSpan are what a charge has to do before its line tells anything: many units
// say whole percents, and the charge of a battery that has just been loaded falls too fast.
const (
	leastFall = 2 // points
	leastSpan = 3 * time.Minute
)

func (l *line) add(outage, at time.Time, percent float64) {
	if l.n == 0 || !l.outage.Equal(outage) {
		*l = line{outage: outage, start: at, first: percent}
	}
	x := at.Sub(l.start).Seconds()
	l.end, l.last = at, percent
	l.n, l.x, l.y, l.xx, l.xy = l.n+1, l.x+x, l.y+percent, l.xx+x*x, l.xy+x*percent
}

// reaches returns when the line falls to a charge. It is zero where the line tells nothing, or of
// another outage.
func (l *line) reaches(percent float64, outage time.Time) time.Time {
	if !l.outage.Equal(outage) || l.first-l.last < leastFall || l.end.Sub(l.start) < leastSpan {
		return time.Time{}
	}
	slope := (l.n*l.xy - l.x*l.y) / (l.n*l.xx - l.x*l.x)
	seconds := (percent - (l.y-slope*l.x)/l.n) / slope
	if !(slope < 0 && math.Abs(seconds) < longest.Seconds()) { // a NaN is none of it
		return time.Time{}
	}
	return l.start.Add(time.Duration(seconds * float64(time.Second)))
}

// longest is how far away a time may be that a line tells.
const longest = 30 * 24 * time.Hour
