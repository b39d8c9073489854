package guard

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
)

// A history is every call of a Policy. It tells from all of them, looking back each time, what the
// Policy has to say.
type history struct {
	p       *Policy
	resumed map[string]Outage
	calls   []call
}

type call struct {
	now      time.Time
	path     string // empty: Decide alone
	state    tripplite.State
	err      error
	isTest   bool
	inTest   bool
	isDecide bool
}

func (c *call) hasState() bool {
	return c.path != "" && !c.isTest && tripplite.HasState(c.err) && !c.state.Time.IsZero()
}

func (c *call) isGone() bool {
	return c.path != "" && (c.err == errorsOf["lost"] || c.err == errorsOf["notfound"])
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// of returns the calls up to one that are of a unit.
func (h *history) of(path string, until int) (of []int) {
	for i := range h.calls[:until+1] {
		if h.calls[i].path == path {
			of = append(of, i)
		}
	}
	return of
}

// hasAC reports whether a unit has reported ACPresent up to a call.
func (h *history) hasAC(path string, until int) bool {
	for _, i := range h.of(path, until) {
		if c := &h.calls[i]; c.hasState() && !c.state.Status.ACPresent.IsZero() {
			return true
		}
	}
	return false
}

// inTest reports whether a test excuses Discharging.
func (h *history) inTest(path string, until int, at time.Time) bool {
	if h.hasAC(path, until) {
		return false
	}
	first, is := time.Time{}, false
	for _, i := range h.of(path, until) {
		switch c := &h.calls[i]; {
		case !c.isTest:
		case !c.inTest:
			is = false
		case !is:
			first, is = c.now, true
		}
	}
	return is && at.Before(first.Add(5*time.Minute))
}

// said is what a State says of line power.
type said struct {
	at                 time.Time
	battery, announced bool
}

func (h *history) said(path string, until int) (all []said) {
	for _, i := range h.of(path, until) {
		c := &h.calls[i]
		if !c.hasState() {
			continue
		}
		s := c.state.Status
		if ac, known := s.ACPresent.Get(); known {
			all = append(all, said{c.state.Time, !ac, c.state.Announced})
			continue
		}
		discharging, known := s.Discharging.Get()
		if !known || h.hasAC(path, i) || c.state.Announced || c.err != nil ||
			discharging && h.inTest(path, i, c.state.Time) {
			continue
		}
		all = append(all, said{c.state.Time, discharging, false})
	}
	return all
}

// power is what is believed, and what the last States show.
type power struct {
	known, battery bool
	since          time.Time
	tells          bool
	shows          bool
	showsSince     time.Time
}

func (h *history) power(path string, until int) (b power) {
	all, flipped := h.said(path, until), -1
	if o, ok := h.resumed[path]; ok {
		b = power{known: true, battery: true, since: o.Since}
		for len(all) > 0 && all[0].announced && !all[0].battery {
			all = all[1:]
		}
		if len(all) > 0 && !all[0].battery {
			b.battery, b.since, flipped = false, all[0].at, 0
		} else if len(all) > 0 && b.since.After(all[0].at) {
			b.since = all[0].at
		}
	}
	for k, s := range all {
		if b.known && s.battery == b.battery {
			continue
		}
		if start := change(all[:k+1], b, flipped); start >= 0 && all[start].battery == s.battery &&
			s.at.Sub(all[start].at) >= h.p.Hold {
			b.known, b.battery, b.since, flipped = true, s.battery, all[start].at, k
		}
	}
	b.tells, b.shows, b.showsSince = b.known, b.battery, b.since
	if start := change(all, b, flipped); start >= 0 {
		b.tells, b.shows, b.showsSince = true, all[start].battery, all[start].at
	}
	return b
}

// change returns the State that began the change that waits to be believed, or -1.
func change(all []said, b power, flipped int) int {
	to := !b.battery
	if !b.known { // what the last whole State says, or else the first
		if len(all) == 0 {
			return -1
		}
		to = all[0].battery
		for _, s := range all {
			if !s.announced {
				to = s.battery
			}
		}
	}
	after := flipped
	for i, s := range all {
		if i > after && !s.announced && s.battery != to {
			after = i
		}
	}
	for i, s := range all {
		if i > after && s.battery == to && (b.known || !s.announced || i == 0) {
			return i
		}
	}
	return -1
}

// from returns when the calls up to one began to come without a pause.
func (h *history) from(until int) time.Time {
	for i := until; i > 0; i-- {
		if h.calls[i].now.Sub(h.calls[i-1].now) >= h.p.silence() {
			return h.calls[i].now
		}
	}
	return h.calls[0].now
}

// presence is when a unit was heard last, and how it is lost.
type presence struct {
	heard       time.Time
	lost        bool
	since       time.Time
	missedSince time.Time
}

func (h *history) presence(path string, until int) (p presence) {
	gone := -1
	for _, i := range h.of(path, until) {
		if c := &h.calls[i]; c.hasState() {
			p.heard, gone = c.state.Time, -1
		} else if c.isGone() && gone < 0 {
			gone = i
		}
	}
	if gone >= 0 {
		p.lost, p.since = true, h.calls[gone].now
		if quiet := latest(p.heard, h.from(gone)); p.since.Sub(quiet) >= h.p.silence() {
			p.since = quiet
		}
		p.missedSince = latest(p.since, h.from(until))
	} else if quiet := latest(p.heard,
		h.from(until)); h.calls[until].now.Sub(quiet) >= h.p.silence() {
		p.lost, p.since, p.missedSince = true, p.heard, quiet
	}
	if p.lost && p.heard.IsZero() {
		p.since = h.resumed[path].Seen
	}
	return p
}

// lasts reports whether statements, of which the last that say no count, have said yes for Hold.
func (h *history) lasts(says []said, outage time.Time) bool {
	first := len(says)
	for first > 0 && says[first-1].battery {
		first--
	}
	if first == len(says) {
		return false
	}
	last := says[len(says)-1].at
	return last.Sub(says[first].at) >= h.p.Hold && !last.Before(outage)
}

// stands returns what the Policy has to say of a unit at a call.
func (h *history) stands(path string, until int) (u Unit, b power, at presence) {
	u.Path = path
	now := h.calls[until].now
	b, at = h.power(path, until), h.presence(path, until)
	if _, ok := h.resumed[path]; !ok && at.heard.IsZero() {
		return u, b, at
	}
	u.Known = b.known || at.lost && b.shows
	u.Lost = at.lost
	u.LinePower = b.tells && !b.shows && !at.lost
	if at.lost {
		u.LostSince = at.since
	}
	u.OnBattery, u.Since = b.known && b.battery, b.since
	if at.lost {
		u.OnBattery, u.Since = b.shows, b.showsSince
	}
	if u.OnBattery = u.OnBattery && !h.inTest(path, until, now); !u.OnBattery {
		u.Since = time.Time{}
	}
	return u, b, at
}

// atLimit reports whether a unit is at a limit at a call.
func (h *history) atLimit(path string, until int) bool {
	u, _, at := h.stands(path, until)
	if !u.OnBattery || !u.Lost {
		return h.atLimitThere(path, until)
	}
	l, now := h.p.Limits, h.calls[until].now
	allowed, lasted := l.Lost, now.Sub(at.since)
	if allowed == 0 {
		allowed, lasted = l.OnBattery, now.Sub(u.Since)
	}
	if allowed > 0 && lasted >= allowed && now.Sub(at.missedSince) >= h.p.Hold {
		return true
	}
	for i := until - 1; i >= 0; i-- { // it stays at what it was at
		if !h.calls[i].isDecide {
			continue
		}
		if before, _, _ := h.stands(path, i); !before.OnBattery || !before.Lost {
			return h.atLimitThere(path, i)
		}
	}
	return false
}

// atLimitThere reports the same of a unit that is not lost.
func (h *history) atLimitThere(path string, until int) bool {
	u, b, at := h.stands(path, until)
	l, now := h.p.Limits, h.calls[until].now
	if !u.OnBattery || !b.shows || now.Sub(at.heard) >= h.p.silence() {
		return false
	}
	var charge, left []said
	var low [3][]said
	for _, i := range h.of(path, until) {
		c := &h.calls[i]
		if !c.hasState() {
			continue
		}
		s := c.state
		if percent, known := s.RemainingCapacity.Get(); known && !s.Announced {
			charge = append(charge, said{at: s.Time, battery: percent < l.Charge})
		}
		if t, known := s.RunTimeToEmpty.Get(); known && !s.Announced {
			left = append(left, said{at: s.Time, battery: t < l.RunTime})
		}
		shows := h.power(path, i).shows
		for f, flag := range []tripplite.Value[bool]{s.Status.ShutdownImminent,
			s.Status.RemainingTimeLimitExpired, s.Status.BelowRemainingCapacityLimit} {
			is, known := flag.Get()
			switch {
			case shows && known && is:
				low[f] = append(low[f], said{at: s.Time, battery: true})
			case !s.Announced && (known || !shows):
				low[f] = append(low[f], said{at: s.Time})
			}
		}
	}
	is := l.OnBattery > 0 && now.Sub(u.Since) >= l.OnBattery ||
		l.Charge > 0 && h.lasts(charge, u.Since) ||
		l.RunTime > 0 && h.lasts(left, u.Since)
	for _, f := range low {
		is = is || l.Low && h.lasts(f, u.Since)
	}
	return is
}

// choose returns one of some things by some bits.
func choose[T any](bits byte, of ...T) T { return of[int(bits)%len(of)] }

// live has a Policy live through what bytes say, and compares each Decision. It returns how often
// the Policy acted, by how many kinds of calls.
func live(t testing.TB, data []byte) (acted, decided int) {
	for len(data) < 8 {
		data = append(data, 0)
	}
	p := &Policy{
		Hold:    choose(data[0], 4*time.Second, 0, 2*time.Second, 40*time.Second),
		Silence: choose(data[0]>>2, 0, 10*time.Second, time.Minute),
		All:     data[0]>>4&1 == 1,
		Paths:   choose(data[0]>>5, nil, nil, []string{two, one}, []string{one}),
		Limits: Limits{
			OnBattery: choose(data[1], 0, time.Minute, 10*time.Minute),
			Lost:      choose(data[1]>>2, 0, time.Minute, 10*time.Second, 3*time.Second),
			Charge:    choose(data[1]>>4, 0, 30.0),
			RunTime:   choose(data[1]>>5, 0, 5*time.Minute),
			Low:       data[1]>>6&1 == 1,
		},
	}
	h := &history{p: p, resumed: map[string]Outage{}}
	now := started
	for i, path := range []string{one, two} {
		if data[2+i]&1 == 0 {
			continue
		}
		seen := now.Add(-choose(data[2+i]>>1, time.Second, 20*time.Second, 5*time.Minute))
		o := Outage{path, seen.Add(-choose(data[2+i]>>3, 0, time.Minute, -time.Second)), seen}
		p.Resume(o)
		if !o.Since.After(o.Seen) {
			h.resumed[path] = o
		}
	}
	heard := map[string]time.Time{}
	if len(data) > 300 {
		data = data[:300]
	}
	for data = data[4:]; len(data) >= 3; data = data[3:] {
		step(p, h, data[0], data[1], data[2], &now, heard)
		if data[0]&0x80 != 0 && len(h.calls) > 0 {
			continue
		}
		h.calls = append(h.calls, call{now: now, isDecide: true})
		d, last := p.Decide(now), len(h.calls)-1
		paths := p.Paths
		if len(paths) == 0 {
			for _, path := range []string{one, two} {
				if _, ok := h.resumed[path]; ok || !heard[path].IsZero() {
					paths = append(paths, path)
				}
			}
		} else if len(paths) == 2 {
			paths = []string{one, two}
		}
		require.Len(t, d.Units, len(paths))
		at := 0
		for i, path := range paths {
			want, _, _ := h.stands(path, last)
			atLimit := h.atLimit(path, last)
			got := d.Units[i]
			require.Equal(t, atLimit, len(got.Reached) > 0, "%s after %v: %v", path, now.Sub(started),
				got)
			if atLimit {
				at++
				require.Equal(t, now, got.At)
			}
			require.False(t, !got.At.IsZero() && got.At.Before(now), "an estimate in the past")
			require.Equal(t, got.At.IsZero(), got.Because == "")
			require.False(t, !got.OnBattery && !got.At.IsZero(), "an estimate without an outage")
			got.At, got.Because, got.Reached = time.Time{}, "", nil
			require.Equal(t, want, got, "after %v", now.Sub(started))
		}
		want := at > 0
		if p.All {
			want = at > 0 && at == len(paths)
		}
		require.Equal(t, want, d.Act, d.Why)
		require.NotEmpty(t, d.Why)
		if d.Act {
			acted++
			require.Equal(t, now, d.At)
		}
		decided++
	}
	return acted, decided
}

// step makes one call, and writes it down.
func step(p *Policy, h *history, what, when, how byte, now *time.Time, heard map[string]time.Time) {
	*now = now.Add(choose(when, 0, time.Second, 2*time.Second, 2*time.Second, 3*time.Second,
		9*time.Second, 29*time.Second, 61*time.Second))
	path := choose(what>>4, one, one, two)
	c := call{now: *now, path: path}
	s := tripplite.State{Time: latest(heard[path],
		now.Add(-choose(when>>3, 0, 20*time.Millisecond, 0, time.Second, 0, 0, 0, 40*time.Second)))}
	s.Status.ACPresent = tripplite.ValueOf(how&1 == 0)
	s.RemainingCapacity = choose(how>>1&3, tripplite.Value[float64]{}, tripplite.ValueOf(90.0),
		tripplite.ValueOf(20.0), tripplite.ValueOf(29.5))
	s.RunTimeToEmpty = choose(how>>3&3, tripplite.Value[time.Duration]{},
		tripplite.ValueOf(4*time.Minute), tripplite.ValueOf(9*time.Minute))
	flag := choose(how>>5&3, tripplite.Value[bool]{}, tripplite.ValueOf(true),
		tripplite.ValueOf(false))
	*choose(how>>5, &s.Status.ShutdownImminent, &s.Status.RemainingTimeLimitExpired,
		&s.Status.BelowRemainingCapacityLimit) = flag
	switch kind := what & 15; kind {
	case 6, 14:
		s.Announced = true
	case 7:
		s.Status.ACPresent = tripplite.Value[bool]{}
		s.Status.Discharging = tripplite.ValueOf(how&1 == 1)
	case 8:
		s.Status.ACPresent, s.Status.Discharging = tripplite.Value[bool]{}, tripplite.ValueOf(true)
		c.err = &tripplite.PartialError{Reports: []*tripplite.ReportError{{ID: 0x32}}}
	case 9:
		c.err = errorsOf["lost"]
	case 10:
		c.err = choose(how, errorsOf["notfound"], errorsOf["busy"], errorsOf["denied"],
			errorsOf["status"], errorsOf["timeout"], error(context.Canceled), errorsOf["closed"])
	case 11:
		c.isTest, c.inTest = true, how&3 != 0
		result := choose(how&3, tripplite.TestPassed, tripplite.TestInProgress)
		if c.inTest {
			result = tripplite.TestInProgress
		}
		p.Test(path, result, *now)
		h.calls = append(h.calls, c)
		return
	case 12, 13:
		return // time goes by
	case 15:
		s.Time = time.Time{}
	}
	if c.err == nil || tripplite.HasState(c.err) {
		c.state = s
		if !s.Time.IsZero() {
			heard[path] = s.Time
		}
	}
	h.calls = append(h.calls, c)
	p.Observe(tripplite.Reading{Info: tripplite.DeviceInfo{Path: path}, State: c.state,
		Err: c.err}, *now)
}

// steady returns bytes of a history in which things last.
func steady(random *rand.Rand) []byte {
	data := make([]byte, 4)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	if random.IntN(3) > 0 {
		data[2], data[3] = 0, 0 // nothing is resumed
	}
	alone := byte(random.IntN(2)) // one unit, and of one kind
	without := random.IntN(3) == 0
	for len(data) < 150 {
		what, when, how := byte(random.Uint32())&0x3f, byte(random.Uint32())&7, byte(random.Uint32())
		if alone == 1 {
			what &= 0x1f
		}
		if without && what&15 < 6 {
			what = what&^15 | 7
		}
		if random.IntN(2) == 0 {
			how |= 1 // battery
		}
		for range 1 + random.IntN(8) {
			data = append(data, what, when|byte(random.IntN(32))<<3, how)
			if random.IntN(4) == 0 {
				when = byte(random.IntN(8))
			}
			if random.IntN(10) == 0 {
				data[len(data)-3] |= 0x80
			}
		}
	}
	return data
}

func TestThePolicyActsWhenOneOfTheLimitsHasHeldAndNeverElse(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	acted, decided, ever := 0, 0, 0
	const histories = 600
	for range histories {
		data := steady(random)
		t.Run("", func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("seed %d: %s", seed, hex.EncodeToString(data))
				}
			}()
			a, d := live(t, data)
			acted, decided = acted+a, decided+d
			if a > 0 {
				ever++
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("seed %d: %d histories, in %d of which it acts, %d decisions, %d to act",
		seed, histories, ever, decided, acted)
	require.Greater(t, ever, histories/10)
	require.Less(t, ever, histories*9/10)
}

func FuzzPolicy(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		f.Add(steady(random))
	}
	f.Fuzz(func(t *testing.T, data []byte) { live(t, data) })
}
