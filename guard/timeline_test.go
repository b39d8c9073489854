package guard

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
)

var started = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A timeline is what happens to one unit: phases with commas between, each of words and of how long
// it lasts. The unit is read every two seconds, and the Policy decides every second.
//
//	line battery    what ACPresent says
//	flap            it says the one and the other in turn, line power first
//	unknown         a State without a status
//	discharging idle   a State of a unit without ACPresent
//	lost notfound   the error of a unit that is not there, once, and then silence
//	silent          nothing
//	status busy denied timeout closed unsupported   an error each time
//	asleep          not even the Policy is called
//	charge=25 charge=?   from now on
//	left=4m left=?       the run time, from now on
//	imminent= expired= below=   a flag, yes, no or ?, from now on
//	partial=yes     a report failed, from now on
//	test=5          what Settings say of a test, once
//	announce=line announce=battery   a State that the unit announces before the first reading
type phase struct {
	mode  string
	set   map[string]string
	lasts time.Duration
}

func phasesOf(t testing.TB, timeline string) (phases []phase) {
	for text := range strings.SplitSeq(timeline, ",") {
		words := strings.Fields(text)
		p := phase{set: map[string]string{}}
		for _, word := range words[:len(words)-1] {
			if key, value, sets := strings.Cut(word, "="); sets {
				p.set[key] = value
			} else {
				p.mode = word
			}
		}
		var err error
		p.lasts, err = time.ParseDuration(words[len(words)-1])
		require.NoError(t, err, text)
		phases = append(phases, p)
	}
	return phases
}

// unit plays one timeline.
type unit struct {
	t      testing.TB
	path   string
	phases []phase
	passed time.Duration // of the first phase
	state  tripplite.State
	err    error
	odd    bool
}

var errorsOf = map[string]error{
	"lost":        &tripplite.Error{Op: "read", Err: tripplite.ErrDisconnected},
	"notfound":    &tripplite.Error{Op: "open", Err: tripplite.ErrNotFound},
	"busy":        &tripplite.Error{Op: "open", Err: tripplite.ErrBusy},
	"denied":      &tripplite.Error{Op: "open", Err: tripplite.ErrPermission},
	"closed":      &tripplite.Error{Op: "read", Err: tripplite.ErrClosed},
	"unsupported": &tripplite.Error{Op: "open", Err: tripplite.ErrUnsupported},
	"timeout":     &tripplite.Error{Op: "read", Err: context.DeadlineExceeded},
	"status":      &tripplite.ReportError{ID: 0x32, Err: fmt.Errorf("it makes no sense")},
}

// step does what a second brings. It reports whether the Policy is called at all.
func (u *unit) step(p *Policy, now time.Time) (awake bool) {
	if len(u.phases) == 0 {
		return true
	}
	ph := &u.phases[0]
	if ph.mode == "asleep" {
		return false
	}
	info := tripplite.DeviceInfo{Path: u.path}
	if u.passed == 0 {
		u.begin(p, ph, info, now)
	}
	if u.passed%(2*time.Second) != 0 {
		return true
	}
	yes, no := tripplite.ValueOf(true), tripplite.ValueOf(false)
	s := u.state
	s.Time = now
	switch u.odd = !u.odd; ph.mode {
	case "line":
		s.Status.ACPresent = yes
	case "battery":
		s.Status.ACPresent = no
	case "flap":
		s.Status.ACPresent = tripplite.ValueOf(u.odd)
	case "discharging":
		s.Status.Discharging = yes
	case "idle":
		s.Status.Discharging = no
	case "unknown":
	case "silent":
		return true
	default:
		err, ok := errorsOf[ph.mode]
		require.True(u.t, ok, ph.mode)
		if u.passed == 0 || ph.mode != "lost" && ph.mode != "notfound" {
			p.Observe(tripplite.Reading{Info: info, Err: err}, now)
		}
		return true
	}
	p.Observe(tripplite.Reading{Info: info, State: s, Err: u.err}, now)
	return true
}

func (u *unit) begin(p *Policy, ph *phase, info tripplite.DeviceInfo, now time.Time) {
	u.odd = false
	for key, value := range ph.set {
		var flag tripplite.Value[bool]
		if value != "?" {
			flag = tripplite.ValueOf(value == "yes")
		}
		switch s := &u.state; key {
		case "charge":
			s.RemainingCapacity = tripplite.Value[float64]{}
			if percent, err := strconv.ParseFloat(value, 64); err == nil {
				s.RemainingCapacity = tripplite.ValueOf(percent)
			}
		case "left":
			s.RunTimeToEmpty = tripplite.Value[time.Duration]{}
			if left, err := time.ParseDuration(value); err == nil {
				s.RunTimeToEmpty = tripplite.ValueOf(left)
			}
		case "imminent":
			s.Status.ShutdownImminent = flag
		case "expired":
			s.Status.RemainingTimeLimitExpired = flag
		case "below":
			s.Status.BelowRemainingCapacityLimit = flag
		case "partial":
			u.err = nil
			if value == "yes" {
				u.err = &tripplite.PartialError{Reports: []*tripplite.ReportError{{ID: 0x35}}}
			}
		case "test":
			result, err := strconv.Atoi(value)
			require.NoError(u.t, err)
			p.Test(u.path, tripplite.TestResult(result), now)
		case "announce":
		default:
			u.t.Fatal(key)
		}
	}
	if value, ok := ph.set["announce"]; ok {
		s := tripplite.State{Time: now, Announced: true, Status: u.state.Status}
		s.Status.ACPresent = tripplite.ValueOf(value == "line")
		p.Observe(tripplite.Reading{Info: info, State: s}, now)
	}
}

// pass lets a second go by. It reports whether the timeline goes on.
func (u *unit) pass() bool {
	u.passed += time.Second
	if len(u.phases) > 0 && u.passed >= u.phases[0].lasts {
		u.phases, u.passed = u.phases[1:], 0
	}
	return len(u.phases) > 0
}

const one = "1-1:1.0"

// play has a Policy live through timelines, by path. It returns when it begins and ceases to act,
// and the last Decision with its time.
func play(t testing.TB, p *Policy, timelines map[string]string) (told []string, d Decision,
	now time.Time) {
	var units []*unit
	for path, timeline := range timelines {
		units = append(units, &unit{t: t, path: path, phases: phasesOf(t, timeline)})
	}
	slices.SortFunc(units, func(a, b *unit) int { return strings.Compare(a.path, b.path) })
	acted := false
	for now = started; ; now = now.Add(time.Second) {
		awake := false
		for _, u := range units {
			awake = u.step(p, now) || awake
		}
		if awake {
			d = p.Decide(now)
			if d.Act != acted {
				acted = d.Act
				word := "stop "
				if acted {
					word = "act "
				}
				told = append(told, word+now.Sub(started).String())
			}
		}
		goes := false
		for _, u := range units {
			goes = u.pass() || goes
		}
		if !goes {
			return told, d, now
		}
	}
}
