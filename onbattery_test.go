package tripplite

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// observed feeds a rule a timeline that has one sign a second and returns what it told at each:
// F when power fails, R when it returns, and . for nothing. A sign is + for line power, - for
// battery, or:
//
//	p b  the same, announced by the unit
//	?    a State without flags
//	0    battery, in a State without a time
//	D    Discharging without ACPresent; d: in a State with an error; a: announced
//	x    the unit is lost
//	c    the caller cancelled the read
func observed(t *testing.T, rule *OnBattery, timeline string) string {
	t.Helper()
	var told []byte
	for i, sign := range timeline {
		state := State{Time: started.Add(time.Duration(i) * time.Second)}
		var err error
		switch sign {
		case '+', '-':
			state.Status.ACPresent = ValueOf(sign == '+')
		case 'p', 'b':
			state.Status.ACPresent, state.Announced = ValueOf(sign == 'p'), true
		case 'x':
			state, err = State{}, &Error{Op: "read", Err: ErrDisconnected}
		case 'c':
			state, err = State{}, context.Canceled
		case '0':
			state = State{Status: Status{ACPresent: ValueOf(false)}}
		case 'D', 'd', 'a':
			state.Status.Discharging, state.Announced = ValueOf(true), sign == 'a'
			if sign == 'd' {
				err = &PartialError{Reports: []*ReportError{{ID: 0x32}}}
			}
		}
		word := byte('.')
		if rule.Observe(state, err) {
			onBattery, known := rule.Get()
			assert.True(t, known)
			word = 'R'
			if onBattery {
				word = 'F'
			}
		}
		told = append(told, word)
	}
	return string(told)
}

var started = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestOnBatteryBelievesWhatLasts(t *testing.T) {
	for name, row := range map[string]struct {
		hold           time.Duration // in seconds
		timeline, told string
	}{
		"at once without a hold":                       {0, "++--++", "R.F.R."},
		"a failure that lasts":                         {3, "++++------", "...R...F.."},
		"a return that lasts":                          {2, "+++---+++", "..R..F..R"},
		"flags that flap at a transfer":                {2, "+++-+-+---+-+-++++", "..R......F......R."},
		"a flap back does not fire twice":              {2, "+++---+----", "..R..F....."},
		"a lost unit is not a power failure":           {0, "+xxxxx+", "R......"},
		"a lost unit does not end an outage":           {0, "+-xxxx--+", "RF......R"},
		"lost data alone confirms nothing":             {2, "+++-xxxx", "..R....."},
		"the first State after the gap confirms":       {2, "+++-xxxx-", "..R.....F"},
		"the first State after the gap takes it back":  {2, "+++-xxxx+-", "..R......."},
		"a State without flags is no power failure":    {0, "+???+", "R...."},
		"started during an outage":                     {2, "---+++", "..F..R"},
		"the first State has to last too":              {2, "-+++", "...R"},
		"started with a unit that is lost":             {0, "xx+", "..R"},
		"an announcement begins a change":              {2, "+++b--", "..R..F"},
		"an announcement is a change without a hold":   {0, "+b-", "RF."},
		"an announcement takes no change back":         {2, "+++-p-", "..R..F"},
		"announcements alone against what is read":     {2, "+++b+b+b+b+", "..R........"},
		"answers against what is announced":            {2, "+++-p-p-p", "..R..F..."},
		"a partial State with Discharging alone":       {0, "+ddd+", "R...."},
		"a partial State with Discharging, from first": {0, "ddd+", "...R"},
		"Discharging of a unit that has ACPresent":     {0, "+DDD+", "R...."},
		"Discharging of one that never had it":         {0, "D", "F"},
		"Discharging that is announced":                {0, "aaa+", "...R"},
		"a State without a time":                       {0, "+000+", "R...."},
	} {
		t.Run(name, func(t *testing.T) {
			rule := OnBattery{Hold: row.hold * time.Second}
			assert.Equal(t, row.told, observed(t, &rule, row.timeline), row.timeline)
		})
	}
}

func TestOnBatterySaysSinceWhen(t *testing.T) {
	rule := OnBattery{Hold: 2 * time.Second}
	assert.Zero(t, rule.Since())
	observed(t, &rule, "++")
	assert.Zero(t, rule.Since())
	observed(t, &rule, "+++-")
	assert.Equal(t, started, rule.Since())
	observed(t, &rule, "+++---")
	assert.Equal(t, started.Add(3*time.Second), rule.Since(), "the State that first showed it")
}

func TestLostOnBatteryIsAStateOfItsOwn(t *testing.T) {
	for timeline, lost := range map[string]bool{
		"---x":    true,
		"---xxx":  true,
		"---xcx":  true,
		"---x0":   true,
		"---x-":   false,
		"---x+":   false,
		"---c":    false,
		"---":     false,
		"+++x":    false,
		"x":       false,
		"?x":      false,
		"-x":      true, // the failure is not believed yet
		"+++-x":   true,
		"+++bx":   true,
		"+++-+x":  false,
		"---+x":   false, // the return is not believed yet
		"---px":   false,
		"---+-x":  true,
		"---+-+x": false,
		"---+++x": false,
	} {
		rule := OnBattery{Hold: 2 * time.Second}
		observed(t, &rule, timeline)
		assert.Equal(t, lost, rule.LostOnBattery(), timeline)
	}
}

func TestOnBatteryShowsWhatIsNotBelievedYet(t *testing.T) {
	for timeline, row := range map[string]struct {
		onBattery, known bool
		since            int // second
	}{
		"":       {},
		"?":      {},
		"-":      {true, true, 0},
		"---":    {true, true, 0},
		"+++-":   {true, true, 3},
		"+++b":   {true, true, 3},
		"+++-+":  {false, true, 0},
		"++++":   {false, true, 0},
		"---+":   {false, true, 3},
		"---+x":  {false, true, 3},
		"---+++": {false, true, 3},
	} {
		rule := OnBattery{Hold: 2 * time.Second}
		observed(t, &rule, timeline)
		onBattery, since, known := rule.Shows()
		assert.Equal(t, row.onBattery, onBattery, timeline)
		assert.Equal(t, row.known, known, timeline)
		if row.known {
			assert.Equal(t, started.Add(time.Duration(row.since)*time.Second), since, timeline)
		}
	}
}

func TestOnBatteryResumesAFailureThatAnEarlierRunSaw(t *testing.T) {
	before := started.Add(-time.Hour)
	for timeline, row := range map[string]struct {
		told            string
		onBattery, lost bool
		since           time.Time
	}{
		"":     {"", true, true, before},
		"xx?":  {"...", true, false, before},
		"x":    {".", true, true, before},
		"-":    {".", true, false, before},
		"b":    {".", true, false, before},
		"D":    {".", true, false, before},
		"-+":   {"..", true, false, before},
		"-+++": {"...R", false, false, started.Add(time.Second)},
		"+":    {"R", false, false, started},
		"p":    {".", true, false, before},
		"ppp":  {"...", true, false, before},
		"x+":   {".R", false, false, started.Add(time.Second)},
		"p+":   {".R", false, false, started.Add(time.Second)},
		"+-":   {"R.", false, false, started},
		"+---": {"R..F", true, false, started.Add(time.Second)},
	} {
		rule := OnBattery{Hold: 2 * time.Second}
		rule.Resume(before)
		assert.Equal(t, row.told, observed(t, &rule, timeline), timeline)
		onBattery, known := rule.Get()
		assert.True(t, known, timeline)
		assert.Equal(t, row.onBattery, onBattery, timeline)
		assert.Equal(t, row.lost, rule.LostOnBattery(), timeline)
		assert.Equal(t, row.since, rule.Since(), timeline)
	}
}

func TestAResumedFailureIsNotFromTheFuture(t *testing.T) {
	var rule OnBattery
	rule.Resume(started.Add(time.Hour))
	observed(t, &rule, "-")
	assert.Equal(t, started, rule.Since())
}

func TestOnBatteryReadsTheFlagsThatAUnitHas(t *testing.T) {
	yes, no, unknown := ValueOf(true), ValueOf(false), Value[bool]{}
	for name, row := range map[string]struct {
		ac, discharging    Value[bool]
		onBattery, known   bool
		oneState, oneTells bool
	}{
		"line power":                         {ac: yes, discharging: no, known: true, oneTells: true},
		"no line power":                      {ac: no, discharging: yes, onBattery: true, known: true, oneState: true, oneTells: true},
		"no line power, and no discharging":  {ac: no, discharging: no, onBattery: true, known: true, oneState: true, oneTells: true},
		"no line power, and nothing else":    {ac: no, onBattery: true, known: true, oneState: true, oneTells: true},
		"line power during a battery test":   {ac: yes, discharging: yes, known: true, oneTells: true},
		"no ACPresent, discharging":          {discharging: yes, onBattery: true, known: true, oneState: true, oneTells: true},
		"no ACPresent, not discharging":      {ac: unknown, discharging: no, known: true},
		"neither is reported: never a guess": {ac: unknown, discharging: unknown},
	} {
		t.Run(name, func(t *testing.T) {
			var rule OnBattery
			state := State{Time: started, Status: Status{ACPresent: row.ac, Discharging: row.discharging}}
			assert.Equal(t, row.known, rule.Observe(state, nil))
			onBattery, known := rule.Get()
			assert.Equal(t, row.onBattery, onBattery)
			assert.Equal(t, row.known, known)

			onBattery, known = state.OnBattery()
			assert.Equal(t, row.oneState, onBattery, "by one State")
			assert.Equal(t, row.oneTells, known, "by one State")
		})
	}
}
