package guard

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Decision is what a Policy says now.
type Decision struct {
	// Act says that the computer has to go down. It stays true until what it is by is taken back.
	Act bool
	Why string // a sentence: why it acts, or what is going on
	// At is when it would act, as it looks now. It is zero when nothing is going on or nothing tells.
	At    time.Time
	Units []Unit // ordered by path
}

// Unit is how it stands with one unit that counts.
type Unit struct {
	Path string
	// OnBattery says that a power failure of it is under way: it is believed, or the unit was lost
	// when it showed one.
	OnBattery bool
	Known     bool // whether it is on battery is known
	// LinePower says that the unit is there and its newest State shows line power, believed or not.
	LinePower bool
	Lost      bool
	Since     time.Time // of the power failure
	LostSince time.Time
	Reached   []string  // which limits are reached, and by what values
	At        time.Time // when the first limit would be reached, as it looks now
	Because   string    // which limit that is
}

// Decide says whether the computer has to go down now.
func (p *Policy) Decide(now time.Time) Decision {
	p.note(now)
	var d Decision
	var going, reached []string
	atLimit, told := 0, 0
	for _, path := range p.paths() {
		u := p.judge(path, now)
		d.Units = append(d.Units, u)
		if u.OnBattery {
			going = append(going, p.name(path)+u.text(now))
		}
		if len(u.Reached) > 0 {
			atLimit++
			reached = append(reached, p.name(path)+": "+strings.Join(u.Reached, " and "))
		}
		if u.At.IsZero() {
			continue
		}
		told++
		if d.At.IsZero() || u.At.Before(d.At) != p.All {
			d.At = u.At
		}
	}
	d.Act = atLimit > 0 && (!p.All || atLimit == len(d.Units))
	if p.All && told < len(d.Units) {
		d.At = time.Time{}
	}
	switch {
	case d.Act:
		d.Why = strings.Join(reached, "; ")
	case len(going) > 0:
		d.Why = strings.Join(going, "; ")
	default:
		d.Why = "no power failure is known"
	}
	return d
}

func (p *Policy) name(path string) string {
	if p.Name == nil {
		return path
	}
	return p.Name(path)
}

// text says what is going on, of a unit that is on battery.
func (u *Unit) text(now time.Time) string {
	text := fmt.Sprintf(": on battery for %v", rounded(now.Sub(u.Since)))
	if u.Lost {
		text += fmt.Sprintf(", lost for %v", rounded(now.Sub(u.LostSince)))
	}
	if len(u.Reached) > 0 {
		text += ", at a limit: " + strings.Join(u.Reached, " and ")
	}
	return text
}

func rounded(d time.Duration) time.Duration { return d.Truncate(time.Second) }

// judge says how it stands with one unit, and remembers the limits at which it is.
func (p *Policy) judge(path string, now time.Time) Unit {
	unit, u := Unit{Path: path}, p.units[path]
	if !u.known() {
		return unit
	}
	unit.OnBattery, unit.Known = u.power.Get()
	unit.LostSince, unit.Lost = u.lost(p, now)
	since := u.power.Since()
	shows, showsSince, tells := u.power.Shows()
	unit.LinePower = tells && !shows && !unit.Lost
	if unit.Lost { // its last State has to do
		unit.OnBattery, unit.Known, since = shows, unit.Known || shows, showsSince
	}
	if unit.OnBattery = unit.OnBattery && !u.inTest(now); unit.OnBattery {
		unit.Since = since
	}
	if unit.OnBattery && unit.Lost {
		unit.limits(append(slices.Clip(u.reached), p.whileLost(&unit, u, now)...), now)
		return unit
	}
	u.reached = nil
	if unit.OnBattery && shows && now.Sub(u.heard) < p.silence() {
		limits := p.whileThere(&unit, u, now)
		unit.limits(limits, now)
		u.reached = slices.DeleteFunc(limits, func(l limit) bool { return !l.reached })
	}
	return unit
}

// lost reports whether a unit is lost, and since when.
func (u *evidence) lost(p *Policy, now time.Time) (since time.Time, lost bool) {
	switch {
	case u.gone.IsZero() && !u.silent(p, now):
		return time.Time{}, false
	case u.heard.IsZero():
		return u.failed, true // an earlier run of the program saw it last
	case u.gone.IsZero():
		return u.heard, true
	}
	return u.gone, true
}

// silent reports whether a unit has told nothing for so long that it counts as lost.
func (u *evidence) silent(p *Policy, now time.Time) bool {
	return now.Sub(later(u.heard, p.from)) >= p.silence()
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// limit is one of Limits for one unit.
type limit struct {
	asked   bool
	at      time.Time // when it is reached, as it looks now; zero where nothing tells
	reached bool
	because string // what has to be so
	stands  string // what is so
}

// whileLost returns the limits of a unit that is lost on battery.
func (p *Policy) whileLost(unit *Unit, u *evidence, now time.Time) []limit {
	l := p.Limits
	// That nobody looked is no loss: this run of the program has to have missed the unit for Hold.
	missed := later(later(u.gone, u.heard), p.from).Add(p.Hold)
	lost := p.lasted(l.Lost, unit.LostSince, missed, now, "lost while on battery")
	onBattery := p.lasted(l.OnBattery, unit.Since, missed, now, "on battery, as far as is known,")
	onBattery.asked = onBattery.asked && !lost.asked
	return []limit{lost, onBattery}
}

// whileThere returns the limits of a unit that tells how it is.
func (p *Policy) whileThere(unit *Unit, u *evidence, now time.Time) []limit {
	l := p.Limits
	var empty time.Time
	if !u.leftAt.Before(unit.Since) {
		empty = u.leftAt.Add(u.left - l.RunTime)
	}
	limits := []limit{
		p.lasted(l.OnBattery, unit.Since, time.Time{}, now, "on battery"),
		p.shown(l.Charge > 0, &u.charge, unit.Since, u.charges.reaches(l.Charge, unit.Since),
			fmt.Sprintf("a charge below %v %%", l.Charge),
			fmt.Sprintf("a charge of %v %% (limit %v %%)", u.percent, l.Charge)),
		p.shown(l.RunTime > 0, &u.runTime, unit.Since, empty,
			fmt.Sprintf("a run time below %v", l.RunTime),
			fmt.Sprintf("a run time of %v (limit %v)", u.left, l.RunTime)),
	}
	for i := range u.low {
		text := lowFlags[i].text
		limits = append(limits, p.shown(l.Low, &u.low[i], unit.Since, time.Time{}, text, text))
	}
	return limits
}

// shown returns a limit that States have to show during the outage. While none does, it may be
// reached at some other time.
func (p *Policy) shown(
	asked bool, l *lasting, outage, otherwise time.Time, because, stands string,
) limit {
	if l.until.Before(outage) {
		return limit{asked, otherwise, false, because, stands}
	}
	return limit{asked, l.since.Add(p.Hold), l.held, because, stands}
}

// lasted returns a limit on a time, which is not reached before some other time.
func (p *Policy) lasted(
	allowed time.Duration, since, earliest, now time.Time, what string,
) limit {
	at := later(since.Add(allowed), earliest)
	return limit{allowed > 0, at, !now.Before(at), fmt.Sprintf("%s for %v", what, allowed),
		fmt.Sprintf("%s for %v (limit %v)", what, rounded(now.Sub(since)), allowed)}
}

// limits says of a unit which limits are reached, or which is the next.
func (u *Unit) limits(limits []limit, now time.Time) {
	for _, l := range limits {
		switch {
		case !l.asked:
		case l.reached:
			if u.Reached = append(u.Reached, l.stands); len(u.Reached) == 1 {
				u.At, u.Because = now, l.because
			}
		case l.at.IsZero() || len(u.Reached) > 0:
		case u.At.IsZero() || l.at.Before(u.At):
			u.At, u.Because = later(l.at, now), l.because
		}
	}
}
