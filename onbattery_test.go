package tripplite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestOnBatteryBelievesWhatLasts(t *testing.T) {
	// Each timeline has one sign a second: + mains, - battery, x lost, ? a State without the flags. The rows below say what is told
	// at each second: F power fails, R it returns, . nothing.
	for name, row := range map[string]struct {
		hold     time.Duration
		timeline string
		told     string
	}{
		"at once without a hold":                        {0, "++--++", "R.F.R."},
		"a failure that lasts":                          {3 * time.Second, "++------", "R....F.."},
		"a return that lasts":                           {2 * time.Second, "+---+++", "R..F..R"},
		"flags that flap around a transfer":             {2 * time.Second, "+-+-+---+-+-++++", "R......F......R."},
		"a flap back does not fire twice":               {2 * time.Second, "+---+----", "R..F....."},
		"a lost unit is not a power failure":            {0, "+xxxxx+", "R......"},
		"a lost unit does not end an outage":            {0, "+-xxxx--+", "RF......R"},
		"lost data alone confirms nothing":              {2 * time.Second, "+-xxxx", "R....."},
		"the first State after the gap confirms":        {2 * time.Second, "+-xxxx-", "R.....F"},
		"the first State after the gap takes it back":   {2 * time.Second, "+-xxxx+-", "R......."},
		"a State that says nothing is no power failure": {0, "+???+", "R...."},
		"started during an outage":                      {2 * time.Second, "--+++", "F...R"},
		"started with a unit that is lost":              {0, "xx+", "..R"},
	} {
		t.Run(name, func(t *testing.T) {
			rule := OnBattery{Hold: row.hold}
			start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
			var told []byte
			for i, sign := range row.timeline {
				state := State{Time: start.Add(time.Duration(i) * time.Second)}
				var err error
				switch sign {
				case '+', '-':
					state.Status.ACPresent = ValueOf(sign == '+')
				case 'x':
					state, err = State{}, ErrDisconnected
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
			assert.Equal(t, row.told, string(told), row.timeline)
		})
	}
}

func TestOnBatteryReadsTheFlagsThatAUnitHas(t *testing.T) {
	yes, no, unknown := ValueOf(true), ValueOf(false), Value[bool]{}
	for name, row := range map[string]struct {
		ac, discharging  Value[bool]
		onBattery, known bool
	}{
		"mains":                              {yes, no, false, true},
		"no mains":                           {no, yes, true, true},
		"mains during a battery test":        {yes, yes, false, true},
		"no ACPresent, discharging":          {unknown, yes, true, true},
		"no ACPresent, not discharging":      {unknown, no, false, true},
		"neither is reported: never a guess": {unknown, unknown, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var rule OnBattery
			state := State{Time: time.Now(), Status: Status{ACPresent: row.ac, Discharging: row.discharging}}
			assert.Equal(t, row.known, rule.Observe(state, nil))
			onBattery, known := rule.Get()
			assert.Equal(t, row.onBattery, onBattery)
			assert.Equal(t, row.known, known)
		})
	}
}
