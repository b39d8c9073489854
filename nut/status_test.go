package nut

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

var (
	yes = tripplite.ValueOf(true)
	no  = tripplite.ValueOf(false)
)

type state = tripplite.State

func withStatus(s tripplite.Status) state { return state{Status: s} }

// The words and their order are NUT's. Each flag is seen beside the one that tells where power is from.
func TestStatusWords(t *testing.T) {
	testing := tripplite.Settings{Test: tripplite.ValueOf(tripplite.TestInProgress)}
	passed := tripplite.Settings{Test: tripplite.ValueOf(tripplite.TestPassed)}
	for _, test := range []struct {
		name string
		unit unit
		want string // empty where there is no status
	}{
		{"nothing known", unit{}, ""},
		{"line power unknown, not discharging", unit{state: withStatus(tripplite.Status{Discharging: no})}, ""},
		{"line power unknown, charging", unit{state: withStatus(tripplite.Status{Charging: yes})}, ""},
		{"line power unknown, discharging", unit{state: withStatus(tripplite.Status{Discharging: yes})},
			"OB DISCHRG"},
		{"line power", unit{state: withStatus(tripplite.Status{ACPresent: yes})}, "OL"},
		{"no line power", unit{state: withStatus(tripplite.Status{ACPresent: no})}, "OB"},
		{"discharging", unit{state: withStatus(tripplite.Status{ACPresent: no, Discharging: yes})},
			"OB DISCHRG"},
		{"discharging with line power",
			unit{state: withStatus(tripplite.Status{ACPresent: yes, Discharging: yes})}, "OL DISCHRG"},
		{"discharged", unit{state: withStatus(tripplite.Status{
			ACPresent: no, Discharging: yes, FullyDischarged: yes})}, "ALARM OB"},
		{"charging", unit{state: withStatus(tripplite.Status{ACPresent: yes, Charging: yes, FullyCharged: no})},
			"OL CHRG"},
		{"float of a 2012",
			unit{state: withStatus(tripplite.Status{ACPresent: yes, Charging: yes, FullyCharged: yes})}, "OL"},
		{"overload", unit{state: withStatus(tripplite.Status{ACPresent: yes, Overload: yes})}, "OL OVER"},
		{"replace battery", unit{state: withStatus(tripplite.Status{ACPresent: yes, NeedReplacement: yes})},
			"ALARM OL RB"},
		{"no battery", unit{state: withStatus(tripplite.Status{ACPresent: yes, BatteryPresent: no})},
			"ALARM OL RB"},
		{"a battery", unit{state: withStatus(tripplite.Status{ACPresent: yes, BatteryPresent: yes})}, "OL"},
		{"buck", unit{state: withStatus(tripplite.Status{ACPresent: yes, Buck: yes})}, "OL TRIM"},
		{"boost", unit{state: withStatus(tripplite.Status{ACPresent: yes, Boost: yes})}, "OL BOOST"},
		{"output off", unit{state: state{Status: tripplite.Status{ACPresent: yes},
			Output: tripplite.Output{On: no}}}, "OL OFF"},
		{"test", unit{settings: testing, state: withStatus(tripplite.Status{ACPresent: yes, Discharging: yes})},
			"CAL OL DISCHRG"},
		{"test that looks like an outage", unit{settings: testing, state: withStatus(tripplite.Status{
			ACPresent: no, Discharging: yes, ShutdownImminent: yes})}, "ALARM CAL OB DISCHRG LB"},
		{"test that has ended", unit{settings: passed, state: withStatus(tripplite.Status{ACPresent: yes})},
			"OL"},
		{"forced shutdown", unit{told: told{fsd: true}, state: withStatus(tripplite.Status{ACPresent: no})}, "FSD OB"},
		{"everything", unit{told: told{fsd: true}, settings: testing, state: state{
			Output: tripplite.Output{On: no},
			Status: tripplite.Status{ACPresent: no, Discharging: yes, Charging: yes,
				ShutdownImminent: yes, Overload: yes, NeedReplacement: yes, Buck: yes, Boost: yes}}},
			"FSD ALARM CAL OB DISCHRG CHRG LB OVER RB TRIM BOOST OFF"},
	} {
		got, known := status(&test.unit)
		assert.Equal(t, test.want, got, test.name)
		assert.Equal(t, test.want != "", known, test.name)
	}
}

// LB beside OB shuts computers down.
func TestLowBattery(t *testing.T) {
	limits := Limits{Charge: 20, RunTime: 5 * time.Minute}
	charge := func(percent float64) state {
		return state{RemainingCapacity: tripplite.ValueOf(percent)}
	}
	left := func(d time.Duration) state { return state{RunTimeToEmpty: tripplite.ValueOf(d)} }
	for _, test := range []struct {
		name   string
		state  state
		limits Limits
		low    bool
	}{
		{"nothing known", state{}, limits, false},
		{"ShutdownImminent", withStatus(tripplite.Status{ShutdownImminent: yes}), Limits{}, true},
		{"RemainingTimeLimitExpired", withStatus(tripplite.Status{RemainingTimeLimitExpired: yes}),
			Limits{}, true},
		{"BelowRemainingCapacityLimit", withStatus(tripplite.Status{BelowRemainingCapacityLimit: yes}),
			Limits{}, true},
		{"none of them", withStatus(tripplite.Status{ShutdownImminent: no, RemainingTimeLimitExpired: no,
			BelowRemainingCapacityLimit: no}), limits, false},
		{"charge of 0 without limits", charge(0), Limits{}, false},
		{"run time of 0 without limits", left(0), Limits{}, false},
		{"charge at the limit", charge(20), limits, false},
		{"charge below the limit", charge(19), limits, true},
		{"run time at the limit", left(5 * time.Minute), limits, false},
		{"run time below the limit", left(5*time.Minute - time.Second), limits, true},
	} {
		for onBattery, ac := range map[bool]tripplite.Value[bool]{true: no, false: yes} {
			test.state.Status.ACPresent = ac
			u := unit{state: test.state, limits: test.limits}
			text, _ := status(&u)
			if onBattery && test.low {
				assert.Contains(t, text, "OB LB", test.name)
			} else {
				assert.NotContains(t, text, "LB", "%s, on battery: %v", test.name, onBattery)
			}
		}
	}
}

func TestAlarmsAndTheReasonOfATransfer(t *testing.T) {
	for _, test := range []struct {
		name          string
		state         state
		alarm, reason string
	}{
		{"line power", withStatus(tripplite.Status{ACPresent: yes}), "", ""},
		{"power failure of a 2012", withStatus(tripplite.Status{ACPresent: no, VoltageOutOfRange: yes}),
			"", "input voltage out of range"},
		{"frequency", withStatus(tripplite.Status{ACPresent: no, FrequencyOutOfRange: yes}),
			"", "input frequency out of range"},
		{"words of ups.status", state{Output: tripplite.Output{On: no}, Status: tripplite.Status{
			ACPresent: no, Overload: yes, BelowRemainingCapacityLimit: yes}}, "", ""},
		{"battery", withStatus(tripplite.Status{ACPresent: yes, NeedReplacement: yes}),
			"replace battery!", ""},
		{"two alarms", withStatus(tripplite.Status{ACPresent: yes, InternalFailure: yes, OverTemperature: yes}),
			"internal failure! over temperature!", ""},
	} {
		u := unit{state: test.state}
		text, has := alarm(&u)
		assert.Equal(t, test.alarm != "", has, test.name)
		if has {
			assert.Equal(t, test.alarm, text, test.name)
		}
		words, _ := status(&u)
		assert.Equal(t, has, len(words) > 5 && words[:5] == "ALARM", "%s: %s", test.name, words)
		reason, has := transferReason(&u)
		assert.Equal(t, test.reason, reason, test.name)
		assert.Equal(t, test.reason != "", has, test.name)
	}
}

// NUT's own clients read lines of up to 512 bytes.
func TestEveryAlarmAtOnceFitsIntoALine(t *testing.T) {
	u := unit{state: withStatus(tripplite.Status{ACPresent: no, Discharging: yes, FullyDischarged: yes,
		NeedReplacement: yes, BelowRemainingCapacityLimit: yes, RemainingTimeLimitExpired: yes,
		ShutdownImminent: yes, ShutdownRequested: yes, BatteryPresent: no, InternalFailure: yes,
		VoltageOutOfRange: yes, FrequencyOutOfRange: yes, Overload: yes, OverTemperature: yes,
		AwaitingPower: yes, CommunicationLost: yes})}
	u.state.DelayBeforeShutdown = tripplite.ValueOf(65534 * time.Second)
	text, _ := alarm(&u)
	assert.Less(t, len(`VAR a-name-of-forty-characters-or-so-in-a-rack ups.alarm ""`+text), 512)
}

// The limits of a path are instead of those of all.
func TestLimitsOfTheConfiguration(t *testing.T) {
	of := map[string]Limits{"": {Charge: 90}, "1-1:1.0": {Charge: 20, RunTime: 3 * time.Minute}}
	bubble(t, "smart1500lcd", Config{Limits: of}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		c := s.dial()
		for _, test := range []struct {
			charge float64
			left   time.Duration
			want   string
		}{
			{89, time.Hour, "OB DISCHRG"}, {20, 3 * time.Minute, "OB DISCHRG"},
			{19, time.Hour, "OB DISCHRG LB"}, {50, 3*time.Minute - time.Second, "OB DISCHRG LB"},
		} {
			ups.PowerFailure()
			ups.SetCharge(test.charge)
			ups.SetRunTime(test.left)
			time.Sleep(3 * time.Second)
			assert.Equal(t, statusIs(test.want), c.ask(askStatus))
		}
		ups.PowerReturns()
		settle()
		assert.Contains(t, c.ask(askStatus), `"OL`)
		assert.NotContains(t, c.ask(askStatus), "LB")
	})
	delete(of, "1-1:1.0")
	bubble(t, "smart1500lcd", Config{Limits: of}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		ups.SetCharge(89)
		ups.PowerFailure()
		time.Sleep(3 * time.Second)
		assert.Equal(t, statusIs("OB DISCHRG LB"), s.dial().ask(askStatus))
	})
}
