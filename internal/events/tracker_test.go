package events

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
)

var started = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func yes[T any](v T) tripplite.Value[T] { return tripplite.ValueOf(v) }

// reading is what a sign of a timeline stands for:
//
//   - -  line power; battery
//     p b  the same, announced by the unit
//     c    battery, low by the unit's flag of charge; t: of run time; s: it is about to switch off
//     C    line power, with the flag of charge
//     r    line power, and the unit asks for a new battery
//     o l  line power, and an overload by the flag; by a load of 104 %
//     ~    line power during a battery test, which sets Discharging
//     D d  a unit without ACPresent: discharging, and not
//     ?    a State without flags
//     x    the unit is lost
//     k    the caller cancelled the read
func reading(sign rune) (s tripplite.State, err error) {
	st := &s.Status
	ac := func(on bool) {
		st.ACPresent, st.Discharging = yes(on), yes(!on)
		st.NeedReplacement, st.Overload = yes(false), yes(false)
		st.BelowRemainingCapacityLimit = yes(false)
		s.Announced = sign == 'p' || sign == 'b'
	}
	switch sign {
	case '+', 'p', 'C', 'r', 'o', 'l', '~':
		ac(true)
	case '-', 'b', 'c', 't', 's':
		ac(false)
	}
	switch sign {
	case 'c', 'C':
		st.BelowRemainingCapacityLimit = yes(true)
	case 't':
		st.RemainingTimeLimitExpired = yes(true)
	case 's':
		st.ShutdownImminent = yes(true)
	case 'r':
		st.NeedReplacement = yes(true)
	case 'o':
		st.Overload = yes(true)
	case 'l':
		s.Output.PercentLoad = yes(104.)
	case '~':
		st.Discharging = yes(true)
	case 'D', 'd':
		st.Discharging = yes(sign == 'D')
	case 'x':
		return tripplite.State{}, &tripplite.Error{Op: "read", Err: tripplite.ErrDisconnected}
	case 'k':
		return tripplite.State{}, context.Canceled
	}
	return s, nil
}

// observed feeds a Tracker a timeline of one sign a second. A number after a sign repeats it.
func observed(t *Tracker, timeline string) []Event {
	var told []Event
	now := started
	for _, sign := range expand(timeline) {
		s, err := reading(sign)
		if err == nil {
			s.Time = now
		}
		told = append(told, t.Observe(s, err, now)...)
		now = now.Add(time.Second)
		told = append(told, t.At(now)...)
	}
	return told
}

func expand(timeline string) []rune {
	var signs []rune
	for _, word := range strings.Fields(timeline) {
		n := 1
		sign := word
		if i := strings.IndexAny(word, "0123456789"); i >= 0 {
			sign = word[:i]
			_, _ = fmt.Sscan(word[i:], &n)
		}
		for range n {
			signs = append(signs, []rune(sign)...)
		}
	}
	return signs
}

// words writes events as "4 on-battery": the kind, and how many seconds after the start it began.
func words(told []Event) string {
	var texts []string
	for _, e := range told {
		texts = append(texts, fmt.Sprintf("%v %s", e.Time.Sub(started).Seconds(), e.Kind))
	}
	return strings.Join(texts, ", ")
}

func TestWhatIsAnEvent(t *testing.T) {
	for name, row := range map[string]struct{ timeline, told string }{
		"line power at the start":                {"+600", ""},
		"on battery at the start":                {"-10", "0 on-battery"},
		"an outage":                              {"+10 -20 +10", "10 on-battery, 30 on-line"},
		"an outage that is announced":            {"+10 b -20 p +10", "10 on-battery, 31 on-line"},
		"one odd reading":                        {"+10 - +600", ""},
		"an outage shorter than the hold":        {"+10 -3 +10", ""},
		"an outage of just the hold":             {"+10 -4 +10", "10 on-battery, 14 on-line"},
		"flags that flap for ten minutes":        {"+5 -+300 +5", ""},
		"announcements that flap":                {"+5 b-p+200 +5", ""},
		"flapping in an outage":                  {"-5 +-300 -5", "0 on-battery"},
		"a battery test":                         {"+10 ~30 +10", ""},
		"a battery test without ACPresent":       {"d100 D30 d100", ""},
		"an outage without ACPresent":            {"d100 D100 d100", "100 on-battery, 200 on-line"},
		"States without flags":                   {"+5 ?100 +5", ""},
		"a USB drop on line power":               {"+10 x15 +10 x15 +10", ""},
		"a drop of just under a minute":          {"+10 x59 +60", ""},
		"a loss on line power":                   {"+10 x100 +60", "10 lost, 110 back"},
		"a unit that never was there":            {"x100", "0 lost"},
		"a read that was cancelled":              {"+10 k100 +10", ""},
		"a drop on battery":                      {"-10 x14 -10", "0 on-battery"},
		"a loss on battery":                      {"-10 x30 -60", "0 on-battery, 10 lost, 40 back"},
		"a loss at the moment of failure":        {"+10 - x30 -60", "11 lost, 41 back, 10 on-battery"},
		"a loss at an announced failure":         {"+10 b x30 +60", "11 lost, 41 back"},
		"a loss while line power may be back":    {"-10 + x30 +60", "0 on-battery, 11 lost, 41 back, 10 on-line"},
		"line power is back when the unit is":    {"-10 x30 +60", "0 on-battery, 10 lost, 40 back, 40 on-line"},
		"a loose plug is lost and stays so":      {"+10 x70 +10 x10 +10 x10 +10 x10 +20", "10 lost, 140 back"},
		"a low battery by its charge":            {"-10 c10", "0 on-battery, 10 battery-low"},
		"a low battery by its run time":          {"-10 t10", "0 on-battery, 10 battery-low"},
		"a low battery by the unit's last words": {"-10 s10", "0 on-battery, 10 battery-low"},
		"a low battery for a moment":             {"-10 c -10 c -10", "0 on-battery"},
		"a low battery once an outage": {"c10 -10 c10 +10 -10 c10",
			"0 on-battery, 0 battery-low, 30 on-line, 40 on-battery, 50 battery-low"},
		"a low battery on line power":     {"C600", ""},
		"a low battery in a short outage": {"+10 c3 +10", ""},
		"low when line power is back":     {"-10 C C C C C C", "0 on-battery, 10 on-line"},
		"a battery to be replaced":        {"+10 r100 +100", "10 replace-battery, 110 battery-good"},
		"a battery to be replaced at the start": {
			"r100", "0 replace-battery"},
		"a wish for a battery that comes and goes": {"+10 r+300", ""},
		"an overload":                                         {"+10 o10 +100", "10 overload, 20 overload-over"},
		"an overload by the load":                             {"+10 l10 +100", "10 overload, 20 overload-over"},
		"a load around the limit":                             {"+10 o5 +5 o5 +5 o5 +5 o5 +100", "10 overload, 45 overload-over"},
		"an overload for a moment":                            {"+10 o +10 l +10", ""},
		"an overload that flaps":                              {"+10 o+300", ""},
		"an overload through a loss":                          {"+10 o10 x30 o10", "10 overload"},
		"all is lost while on battery, and the caller leaves": {"-10 k100", "0 on-battery"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, row.told, words(observed(&Tracker{}, row.timeline)))
		})
	}
}

func TestHoldIsHowLongAChangeLasts(t *testing.T) {
	assert.Equal(t, "10 on-battery", words(observed(&Tracker{Hold: 10 * time.Second}, "+10 -11")))
	assert.Empty(t, observed(&Tracker{Hold: 10 * time.Second}, "+10 -10"))
}

// at returns the Tracker's events of States, one every ten seconds.
func at(t *Tracker, states ...tripplite.State) []Event {
	var told []Event
	for i, s := range states {
		s.Time = started.Add(time.Duration(i) * 10 * time.Second)
		told = append(told, t.Observe(s, nil, s.Time)...)
	}
	return told
}

func onBattery(charge, load float64, left time.Duration) tripplite.State {
	s := tripplite.State{RemainingCapacity: yes(charge), RunTimeToEmpty: yes(left)}
	s.Status.ACPresent = yes(false)
	s.Output.PercentLoad = yes(load)
	return s
}

func onLine(charge float64) tripplite.State {
	s := tripplite.State{RemainingCapacity: yes(charge)}
	s.Status.ACPresent = yes(true)
	return s
}

func TestLimitsOfTheUser(t *testing.T) {
	full, half := onBattery(100, 20, time.Hour), onBattery(49, 20, 4*time.Minute)
	for name, row := range map[string]struct {
		tracker Tracker
		told    string
	}{
		"none":             {Tracker{}, "0 on-battery"},
		"by charge":        {Tracker{LowCharge: 50}, "0 on-battery, 20 battery-low"},
		"at the charge":    {Tracker{LowCharge: 49}, "0 on-battery"},
		"by run time":      {Tracker{LowRunTime: 5 * time.Minute}, "0 on-battery, 20 battery-low"},
		"at that run time": {Tracker{LowRunTime: 4 * time.Minute}, "0 on-battery"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, row.told, words(at(&row.tracker, full, full, half, half)))
		})
	}
	t.Run("on line power", func(t *testing.T) {
		assert.Empty(t, at(&Tracker{LowCharge: 50}, onLine(20), onLine(20), onLine(20)))
	})
	t.Run("a State that lacks them", func(t *testing.T) {
		var bare tripplite.State
		bare.Status.ACPresent = yes(false)
		assert.Equal(t, "0 on-battery",
			words(at(&Tracker{LowCharge: 50, LowRunTime: time.Hour}, bare, bare, bare)))
	})
}

func TestASentenceHasTheValuesThatTheUnitTells(t *testing.T) {
	bare := func(ac bool) (s tripplite.State) {
		s.Status.ACPresent = yes(ac)
		return s
	}
	loaded := bare(true)
	loaded.Output.PercentLoad = yes(110.)
	calm := bare(true)
	calm.Output.PercentLoad = yes(80.)
	full := onBattery(97, 23, 42*time.Minute+31*time.Second)
	low := onBattery(12, 23, 3*time.Minute+10*time.Second)
	low.Status.RemainingTimeLimitExpired = yes(true)
	chargeAlone := bare(false)
	chargeAlone.RemainingCapacity = yes(97.)
	loadAlone := bare(false)
	loadAlone.Output.PercentLoad = yes(23.)
	runTimeAlone := bare(false)
	runTimeAlone.RunTimeToEmpty = yes(time.Hour + 12*time.Minute + 40*time.Second)
	worn := bare(true)
	worn.Status.NeedReplacement = yes(true)
	good := bare(true)
	good.Status.NeedReplacement = yes(false)
	many := func(s tripplite.State) []tripplite.State {
		return []tripplite.State{s, s, s, s, s, s, s}
	}
	for name, row := range map[string]struct {
		states []tripplite.State
		texts  []string
	}{
		"all": {
			[]tripplite.State{full, full, low, low, onLine(81), onLine(81)},
			[]string{"On battery: charge 97 %, 42 min left at a load of 23 %.",
				"Battery low: charge 12 %, 3 min 10 s left at a load of 23 %.",
				"Line power is back after 40 s; charge 81 %."},
		},
		"nothing": {[]tripplite.State{bare(false), bare(false), bare(true), bare(true)},
			[]string{"On battery.", "Line power is back after 20 s."}},
		"the charge alone":   {[]tripplite.State{chargeAlone, chargeAlone}, []string{"On battery: charge 97 %."}},
		"the load alone":     {[]tripplite.State{loadAlone, loadAlone}, []string{"On battery: load 23 %."}},
		"the run time alone": {[]tripplite.State{runTimeAlone, runTimeAlone}, []string{"On battery: 1 h 12 min left."}},
		"overload": {append([]tripplite.State{loaded, loaded}, many(calm)...),
			[]string{"Overload: load 110 %.", "The overload is over: load 80 %."}},
		"a worn battery": {append(many(worn), many(good)...),
			[]string{"The UPS asks for a new battery.", "The UPS no longer asks for a new battery."}},
	} {
		t.Run(name, func(t *testing.T) {
			var texts []string
			for _, e := range at(&Tracker{}, row.states...) {
				texts = append(texts, e.Text)
			}
			assert.Equal(t, row.texts, texts)
		})
	}
}

// An announced State holds flags alone. It does not say that a limit is not reached, nor what the
// values are.
func TestAnAnnouncedStateTellsNoValues(t *testing.T) {
	announced := func(ac bool) (s tripplite.State) {
		s.Announced = true
		s.Status.ACPresent, s.Status.Overload = yes(ac), yes(false)
		s.Status.BelowRemainingCapacityLimit = yes(false)
		return s
	}
	low := onBattery(49, 20, time.Hour)
	assert.Equal(t, "0 on-battery, 0 battery-low",
		words(at(&Tracker{LowCharge: 50}, low, announced(false), low)))

	loaded := onLine(100)
	loaded.Output.PercentLoad = yes(104.)
	assert.Equal(t, "0 overload", words(at(&Tracker{}, loaded, announced(true), loaded)))

	told := at(&Tracker{}, onLine(100), onLine(100), announced(false), announced(false))
	require.Len(t, told, 1)
	assert.Equal(t, "On battery.", told[0].Text, "without a charge from before")
}

func TestTheSentencesOfALoss(t *testing.T) {
	lost := func(states ...tripplite.State) (texts []string) {
		var tracker Tracker
		_, err := reading('x')
		at(&tracker, states...)
		now := started.Add(time.Hour)
		tracker.Observe(tripplite.State{}, err, now)
		now = now.Add(5*time.Minute + 2*time.Second)
		told := tracker.At(now)
		for range 2 {
			s := onLine(100)
			s.Time = now
			told = append(told, tracker.Observe(s, nil, now)...)
			now = now.Add(20 * time.Second)
		}
		for _, e := range told {
			texts = append(texts, e.Text)
		}
		return texts
	}
	const back = "The UPS answers again after 5 min 2 s."
	announced := onBattery(97, 23, time.Hour)
	announced.Announced = true
	b := onBattery(40, 23, 12*time.Minute)
	assert.Equal(t, []string{"The UPS does not answer.", back}, lost(onLine(100), onLine(100)))
	assert.Equal(t, []string{
		"The UPS does not answer; it was on battery, charge 40 %, 12 min left at a load of 23 %.", back,
		"Line power is back after 1 h 5 min; charge 100 %."}, lost(b, b))
	assert.Equal(t, []string{"The UPS does not answer; it was on battery.", back},
		lost(onLine(100), announced), "no reading from before the failure")
}

func TestAnEventCarriesItsUnitAndTheLastWholeState(t *testing.T) {
	tracker := Tracker{Path: "1-4:1.0", Name: "rack"}
	told := at(&tracker, onLine(100), onBattery(97, 23, time.Hour), onBattery(96, 23, time.Hour))
	require.Len(t, told, 1)
	last := onBattery(96, 23, time.Hour)
	last.Time = started.Add(20 * time.Second)
	assert.Equal(t, Event{
		Time: started.Add(10 * time.Second), Path: "1-4:1.0", Name: "rack", Kind: OnBattery,
		Text: "On battery: charge 96 %, 1 h left at a load of 23 %.", State: last,
	}, told[0])
	on, since, known := tracker.OnBattery()
	assert.True(t, on)
	assert.True(t, known)
	assert.Equal(t, started.Add(10*time.Second), since)
}

func TestABatteryTestThatFailed(t *testing.T) {
	const none, passed, warning, failed, aborted, running = tripplite.TestNone, tripplite.TestPassed,
		tripplite.TestWarning, tripplite.TestError, tripplite.TestAborted, tripplite.TestInProgress
	const error = "The last battery test failed."
	const warned = "The last battery test ended with a warning."
	for name, row := range map[string]struct {
		results []tripplite.TestResult
		texts   []string
	}{
		"none":                  {[]tripplite.TestResult{none, passed, running, passed, aborted}, nil},
		"of an unknown kind":    {[]tripplite.TestResult{0, 7, 255}, nil},
		"at the start":          {[]tripplite.TestResult{failed, failed}, []string{error}},
		"after one that passed": {[]tripplite.TestResult{passed, running, warning, warning}, []string{warned}},
		"twice":                 {[]tripplite.TestResult{failed, running, failed, aborted, failed}, []string{error}},
		"again":                 {[]tripplite.TestResult{failed, running, passed, failed}, []string{error, error}},
		"worse":                 {[]tripplite.TestResult{warning, failed}, []string{warned}},
	} {
		t.Run(name, func(t *testing.T) {
			var tracker Tracker
			var texts []string
			for _, r := range row.results {
				for _, e := range tracker.Test(r, started) {
					assert.Equal(t, TestFailed, e.Kind)
					texts = append(texts, e.Text)
				}
			}
			assert.Equal(t, row.texts, texts)
		})
	}
}

func TestDurationsAreWrittenForPeople(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 s", 900 * time.Millisecond: "0 s", 61 * time.Second: "1 min 1 s",
		12*time.Minute + 5*time.Second: "12 min 5 s", 2 * time.Hour: "2 h",
		26*time.Hour + 61*time.Second: "26 h 1 min",
	} {
		assert.Equal(t, want, DurationText(d))
	}
}

// Whatever a unit shows, each kind of a pair is followed by the other, the first comes first, and a
// battery is low once an outage.
func TestPairsAlternate(t *testing.T) {
	pairs := map[Kind]Kind{
		OnBattery: OnLine, Lost: Back, ReplaceBattery: BatteryGood, Overload: OverloadOver,
	}
	const signs = "+-pbctsCrol~Dd?xk"
	total := map[Kind]int{}
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 0))
		var timeline strings.Builder
		for range 60 {
			fmt.Fprintf(&timeline, "%c%d ", signs[random.IntN(len(signs))], 1+random.IntN(90))
		}
		in := map[Kind]bool{} // by the first of a pair
		for _, e := range observed(&Tracker{}, timeline.String()) {
			total[e.Kind]++
			for first, second := range pairs {
				switch e.Kind {
				case first:
					require.False(t, in[first], "%s twice: %s", first, timeline.String())
					in[first] = true
				case second:
					require.True(t, in[first], "%s without %s: %s", second, first, timeline.String())
					in[first] = false
				}
			}
			switch e.Kind {
			case BatteryLow:
				require.True(t, in[OnBattery] && !in[BatteryLow], timeline.String())
				in[BatteryLow] = true
			case OnLine:
				in[BatteryLow] = false
			}
			require.NotEmpty(t, e.Text)
			require.False(t, e.Time.Before(started))
		}
	}
	for first, second := range pairs {
		require.NotZero(t, total[first])
		require.NotZero(t, total[second])
	}
	require.NotZero(t, total[BatteryLow])
}
