package tripplitetest_test

import (
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

// stage is a part of a test, some time after the one before. Then the load is on or off.
type stage struct {
	after time.Duration
	what  func(*testing.T, *tripplitetest.UPS, *tripplite.Battery)
	load  bool
}

const on, off = true, false

// do gives a command, which has to succeed.
func do(c tripplite.Command) func(*testing.T, *tripplitetest.UPS, *tripplite.Battery) {
	return func(t *testing.T, _ *tripplitetest.UPS, b *tripplite.Battery) {
		assert.NoError(t, b.Do(t.Context(), c))
	}
}

// fails gives a command, which has to fail.
func fails(
	c tripplite.Command, want error,
) func(*testing.T, *tripplitetest.UPS, *tripplite.Battery) {
	return func(t *testing.T, _ *tripplitetest.UPS, b *tripplite.Battery) {
		assert.ErrorIs(t, b.Do(t.Context(), c), want)
	}
}

func happens(
	event func(*tripplitetest.UPS),
) func(*testing.T, *tripplitetest.UPS, *tripplite.Battery) {
	return func(_ *testing.T, u *tripplitetest.UPS, _ *tripplite.Battery) { event(u) }
}

func nothing(*testing.T, *tripplitetest.UPS, *tripplite.Battery) {}

var powerFails = happens((*tripplitetest.UPS).PowerFailure)
var powerReturns = happens((*tripplitetest.UPS).PowerReturns)

// wrote wants what the unit was told to do since it was last asked.
func wrote(want ...string) func(*testing.T, *tripplitetest.UPS, *tripplite.Battery) {
	return func(t *testing.T, u *tripplitetest.UPS, _ *tripplite.Battery) {
		var got []string
		for _, w := range u.Writes() {
			got = append(got, string(w.Bytes))
		}
		assert.Equal(t, want, got)
	}
}

// tests wants the result of the battery test, alarms what the beeper does.
func tests(want tripplite.TestResult) func(*testing.T, *tripplitetest.UPS, *tripplite.Battery) {
	return func(t *testing.T, _ *tripplitetest.UPS, b *tripplite.Battery) {
		settings, err := b.Settings(t.Context())
		assert.True(t, tripplite.HasState(err), "%v", err)
		assert.Equal(t, tripplite.ValueOf(want), settings.Test)
	}
}

func alarms(want tripplite.AudibleAlarm) func(*testing.T, *tripplitetest.UPS, *tripplite.Battery) {
	return func(t *testing.T, _ *tripplitetest.UPS, b *tripplite.Battery) {
		settings, err := b.Settings(t.Context())
		assert.True(t, tripplite.HasState(err), "%v", err)
		assert.Equal(t, tripplite.ValueOf(want), settings.AudibleAlarmControl)
	}
}

// counts wants the time that is left of a shutdown, 0 where none is under way.
func counts(want time.Duration) func(*testing.T, *tripplitetest.UPS, *tripplite.Battery) {
	return func(t *testing.T, _ *tripplitetest.UPS, b *tripplite.Battery) {
		state := get(t, b)
		assert.Equal(t, want, state.DelayBeforeShutdown.Or(0))
		assert.Equal(t, want == 0, state.DelayBeforeShutdown.IsZero())
	}
}

// The facts of what becomes of the load are those that internal/capture names the sources of.
func TestACommandEndsWithTheLoadAsItShould(t *testing.T) {
	const s, hour = time.Second, time.Hour
	const v2012, v2010, v3016, v4003 = "smart1500lcd", "bcpers450", "smart1500lcdt", "su1500rtxl2ua"
	const v3003, v3005 = "smx1500xlrt2u", "smart500rt1u-on-battery"
	type command = tripplite.Command
	for name, row := range map[string]struct {
		capture string
		stages  []stage
	}{
		"2012, shutdown.return in an outage": {v2012, []stage{
			{0, powerFails, on},
			{0, do(command{Name: tripplite.ShutdownReturn, After: 30 * s}), on},
			{0, wrote("\xb6\x01", "\x15\x1e\x00"), on},
			{10 * s, counts(20 * s), on},
			{20 * s, counts(0), off},
			{hour, powerReturns, on},
			{hour, nothing, on},
		}},
		"2012, shutdown.return, and power returns before": {v2012, []stage{
			{0, powerFails, on},
			{0, do(command{Name: tripplite.ShutdownReturn, After: 30 * s}), on},
			{10 * s, powerReturns, on},
			{20 * s, nothing, off},
			{5 * s, nothing, on},
		}},
		"2012, shutdown.stayoff": {v2012, []stage{
			{0, do(command{Name: tripplite.ShutdownStay, After: 30 * s}), on},
			{0, wrote("\xb6\x00", "\x15\x1e\x00"), on},
			{30 * s, nothing, off},
			{hour, powerFails, off},
			{hour, powerReturns, off},
			{hour, nothing, off},
		}},
		"2012, load.off now": {v2012, []stage{
			{0, do(command{Name: tripplite.LoadOff}), off},
			{5 * s, nothing, on}, // it restarts by itself
		}},
		"2012, shutdown.reboot": {v2012, []stage{
			{0, powerFails, on},
			{0, do(command{Name: tripplite.ShutdownReboot, For: 10 * s}), off},
			{9 * s, nothing, off},
			{s, nothing, on},
		}},
		"2012, test": {v2012, []stage{
			{0, do(command{Name: tripplite.TestQuick}), on},
			{0, tests(tripplite.TestInProgress), on},
			{10 * s, tests(tripplite.TestPassed), on},
			{0, do(command{Name: tripplite.TestDeep}), on},
			{0, do(command{Name: tripplite.TestStop}), on},
			{0, tests(tripplite.TestAborted), on},
		}},
		"2012, beeper": {v2012, []stage{
			{0, do(command{Name: tripplite.BeeperDisable}), on},
			{0, alarms(tripplite.AlarmDisabled), on},
			{0, fails(command{Name: tripplite.BeeperMute}, tripplite.ErrIgnored), on},
			{0, alarms(tripplite.AlarmDisabled), on},
			{0, do(command{Name: tripplite.BeeperEnable}), on},
			{0, alarms(tripplite.AlarmEnabled), on},
		}},
		"2012, stop": {v2012, []stage{
			{0, powerFails, on},
			{0, do(command{Name: tripplite.ShutdownReturn, After: 30 * s}), on},
			{10 * s, do(command{Name: tripplite.ShutdownStop}), on},
			{0, counts(0), on},
			{hour, nothing, on},
		}},

		"2010, shutdown.return in an outage": {v2010, []stage{
			{0, powerFails, on},
			{0, do(command{Name: tripplite.ShutdownReturn, After: 30 * s}), on},
			{0, wrote("\x15\x1e\x00"), on},
			{30 * s, nothing, off},
			{hour, powerReturns, on},
		}},
		"2010, shutdown.return, and power returns before": {v2010, []stage{
			{0, powerFails, on},
			{0, do(command{Name: tripplite.ShutdownReturn, After: 30 * s}), on},
			{10 * s, powerReturns, on},
			{20 * s, nothing, off},
			{5 * s, nothing, on},
		}},
		"2010, shutdown.return on line power is refused": {v2010, []stage{
			{0, fails(command{Name: tripplite.ShutdownReturn, After: 30 * s}, tripplite.ErrRefused), on},
			{0, wrote(), on},
			{hour, nothing, on},
		}},
		"2010, shutdown.stayoff": {v2010, []stage{
			{0, do(command{Name: tripplite.ShutdownStay, After: 30 * s}), on},
			{30 * s, nothing, off},
			{hour, powerFails, off},
			{hour, powerReturns, off},
		}},
		"2010, shutdown.stayoff in an outage is refused": {v2010, []stage{
			{0, powerFails, on},
			{0, fails(command{Name: tripplite.ShutdownStay, After: 30 * s}, tripplite.ErrRefused), on},
			{hour, nothing, on},
		}},
		"2010, load.off": {v2010, []stage{
			{0, do(command{Name: tripplite.LoadOff, After: 5 * s}), on},
			{5 * s, nothing, off},
			{hour, nothing, off},
		}},
		"2010, shutdown.reboot": {v2010, []stage{
			{0, do(command{Name: tripplite.ShutdownReboot, For: 10 * s}), off},
			{10 * s, nothing, on},
		}},
		"2010, test": {v2010, []stage{
			{0, fails(command{Name: tripplite.TestQuick}, tripplite.ErrUnsupported), on},
		}},
		"2010, beeper": {v2010, []stage{
			{0, do(command{Name: tripplite.BeeperMute}), on},
			{0, alarms(tripplite.AlarmMuted), on},
		}},
		"2010, stop of a shutdown and a reboot": {v2010, []stage{
			{0, do(command{Name: tripplite.LoadOff, After: 30 * s}), on},
			{0, do(command{Name: tripplite.ShutdownStop}), on},
			{hour, nothing, on},
			{0, do(command{Name: tripplite.ShutdownReboot, For: 30 * s}), off},
			{0, happens(func(u *tripplitetest.UPS) { u.Writes() }), off},
			{0, do(command{Name: tripplite.ShutdownStop}), off},
			{0, wrote("\x15\xff\xff", "\x17\xff\xff"), off},
		}},
		"2010, watchdog": {v2010, []stage{
			{0, do(command{Name: tripplite.Watchdog, After: 60 * s}), on},
			{50 * s, do(command{Name: tripplite.Watchdog, After: 60 * s}), on},
			{50 * s, do(command{Name: tripplite.WatchdogStop}), on},
			{hour, nothing, on},
			{0, do(command{Name: tripplite.Watchdog, After: 60 * s}), on},
			{60 * s, nothing, off},
			{5 * s, nothing, on},
		}},

		"3016, shutdown.return": {v3016, []stage{
			{0, do(command{Name: tripplite.ShutdownReturn, After: 30 * s, For: 60 * s}), on},
			{0, wrote("\x61\x5a\x00", "\x15\x1e\x00"), on},
			{30 * s, nothing, off},
			{60 * s, nothing, on},
		}},
		"3016, shutdown.stayoff in an outage": {v3016, []stage{
			{0, powerFails, on},
			{0, do(command{Name: tripplite.ShutdownStay, After: 30 * s}), on},
			{0, wrote("\x61\xff\xff", "\x15\x1e\x00"), on},
			{30 * s, nothing, off},
			{hour, powerReturns, off},
			{0, do(command{Name: tripplite.LoadOn}), on},
		}},
		"3016, load.off, load.on": {v3016, []stage{
			{0, do(command{Name: tripplite.LoadOff}), off},
			{hour, do(command{Name: tripplite.LoadOn, After: 10 * s}), off},
			{10 * s, nothing, on},
		}},
		"3016, shutdown.reboot": {v3016, []stage{
			{0, do(command{Name: tripplite.ShutdownReboot, For: 10 * s}), off},
			{10 * s, nothing, on},
		}},
		"3016, test": {v3016, []stage{
			{0, fails(command{Name: tripplite.TestQuick}, tripplite.ErrUnsupported), on},
		}},
		"3016, stop of both timers": {v3016, []stage{
			{0, do(command{Name: tripplite.ShutdownReturn, After: 30 * s, For: 60 * s}), on},
			{0, happens(func(u *tripplitetest.UPS) { u.Writes() }), on},
			{0, do(command{Name: tripplite.ShutdownStop}), on},
			{0, wrote("\x15\xff\xff", "\x61\xff\xff"), on},
			{hour, nothing, on},
		}},

		"4003, shutdown.return": {v4003, []stage{
			{0, powerFails, on},
			{0, do(command{Name: tripplite.ShutdownReturn, After: 30 * s, For: 60 * s}), on},
			{30 * s, nothing, off},
			{60 * s, nothing, on},
		}},
		"4003, whose start timer is idle at 0: shutdown.stayoff": {v4003, []stage{
			{0, do(command{Name: tripplite.ShutdownStay, After: 30 * s}), on},
			{30 * s, nothing, off},
			{hour, nothing, off},
		}},
		"4003, load.off, load.on": {v4003, []stage{
			{0, do(command{Name: tripplite.LoadOff, After: 5 * s}), on},
			{5 * s, nothing, off},
			{hour, do(command{Name: tripplite.LoadOn}), on},
		}},
		"4003, shutdown.reboot": {v4003, []stage{
			{0, do(command{Name: tripplite.ShutdownReboot, For: 10 * s}), off},
			{10 * s, nothing, on},
		}},
		"4003, test": {v4003, []stage{
			{0, do(command{Name: tripplite.TestQuick}), on},
			{10 * s, tests(tripplite.TestPassed), on},
		}},
		"4003, stop": {v4003, []stage{
			{0, do(command{Name: tripplite.ShutdownReturn, After: 30 * s, For: 60 * s}), on},
			{0, do(command{Name: tripplite.ShutdownStop}), on},
			{hour, nothing, on},
		}},

		"3003, shutdown.return": {v3003, []stage{
			{0, fails(command{Name: tripplite.ShutdownReturn, After: 30 * s}, tripplite.ErrRefused), on},
			{0, powerFails, on},
			{0, do(command{Name: tripplite.ShutdownReturn, After: 30 * s}), on},
			{0, wrote(":N\x00\x1e\x93\r", ":G\xb8\r"), on},
			{29 * s, nothing, on},
			{s, nothing, off},
			{hour, powerReturns, on},
		}},
		"3003, load.off, load.on": {v3003, []stage{
			{0, do(command{Name: tripplite.LoadOff, After: 5 * s}), on},
			{5 * s, nothing, off},
			{hour, do(command{Name: tripplite.LoadOn, After: 5 * s}), off},
			{5 * s, nothing, on},
		}},
		"3003, an outlet": {v3003, []stage{
			{0, do(command{Name: "outlet.2.load.off", After: 5 * s}), on},
			{5 * s, func(t *testing.T, u *tripplitetest.UPS, b *tripplite.Battery) {
				assert.False(t, u.OutletOn(2))
				assert.True(t, u.OutletOn(1))
				got, known := get(t, b).Number("outlets.2")
				assert.True(t, known)
				assert.Zero(t, got)
			}, on},
			{0, do(command{Name: "outlet.2.load.on", After: 5 * s}), on},
			{5 * s, func(t *testing.T, u *tripplitetest.UPS, _ *tripplite.Battery) {
				assert.True(t, u.OutletOn(2))
			}, on},
		}},
		"3003, shutdown.reboot": {v3003, []stage{
			{0, do(command{Name: tripplite.ShutdownReboot}), off},
			{9 * s, nothing, off},
			{s, nothing, on},
		}},
		"3003, test": {v3003, []stage{
			{0, tests(tripplite.TestNone), on},
			{0, do(command{Name: tripplite.TestQuick}), on},
			{0, tests(tripplite.TestInProgress), on},
			{10 * s, tests(tripplite.TestPassed), on},
			{0, do(command{Name: tripplite.TestQuick}), on},
		}},
		"3003, stop": {v3003, []stage{
			{0, powerFails, on},
			{0, do(command{Name: tripplite.ShutdownReturn, After: 30 * s}), on},
			{10 * s, do(command{Name: tripplite.ShutdownStop}), on},
			{hour, nothing, on},
		}},
		"3003, settings": {v3003, []stage{
			{0, do(command{Name: tripplite.SetUnitID, Value: 269}), on},
			{0, do(command{Name: tripplite.ResetMinMax}), on},
			{0, func(t *testing.T, _ *tripplitetest.UPS, b *tripplite.Battery) {
				state := get(t, b)
				assert.Equal(t, tripplite.ValueOf[uint16](269), state.Config.UnitID)
				assert.Equal(t, state.Input.Voltage, state.Input.LowestVoltage)
				assert.Equal(t, state.Input.Voltage, state.Input.HighestVoltage)
			}, on},
		}},

		"3005, shutdown.return": {v3005, []stage{
			{0, do(command{Name: tripplite.ShutdownReturn, After: 30 * s}), on},
			{30 * s, func(t *testing.T, _ *tripplitetest.UPS, b *tripplite.Battery) {
				state := get(t, b)
				got, known := state.Number("output.on")
				assert.True(t, known)
				assert.Zero(t, got)
				assert.Equal(t, tripplite.ValueOf(0.0), state.Output.PercentLoad)
				assert.Equal(t, tripplite.ValueOf(false), state.Status.ACPresent)
			}, off},
			{hour, powerReturns, on},
		}},
		"3005, load.off, load.on": {v3005, []stage{
			{0, do(command{Name: tripplite.LoadOff, After: 5 * s}), on},
			{5 * s, nothing, off},
			{hour, do(command{Name: tripplite.LoadOn, After: 5 * s}), off},
			{5 * s, nothing, on},
		}},
		"3005, shutdown.reboot": {v3005, []stage{
			{0, do(command{Name: tripplite.ShutdownReboot}), off},
			{10 * s, nothing, on},
		}},
		"3005, test": {v3005, []stage{
			{0, do(command{Name: tripplite.TestQuick}), on},
			{0, tests(tripplite.TestInProgress), on},
			{10 * s, tests(tripplite.TestPassed), on},
		}},
		"3005, stop": {v3005, []stage{
			{0, do(command{Name: tripplite.ShutdownReturn, After: 30 * s}), on},
			{0, do(command{Name: tripplite.ShutdownStop}), on},
			{hour, nothing, on},
		}},
		"3005, watchdog": {v3005, []stage{
			{0, do(command{Name: tripplite.Watchdog, After: 60 * s}), on},
			{50 * s, do(command{Name: tripplite.Watchdog, After: 60 * s}), on},
			{60 * s, nothing, off},
			{5 * s, nothing, on},
		}},
	} {
		inBubble(t, name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, row.capture)
			battery := ups.Battery()
			for i, stage := range row.stages {
				time.Sleep(stage.after)
				synctest.Wait()
				stage.what(t, ups, battery)
				assert.Equal(t, stage.load, ups.LoadOn(), "load after stage %d", i)
			}
		})
	}
}

func TestWritesAreRecordedWithTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart1500lcdt")
		battery := ups.Battery()
		require.NoError(t, battery.Do(t.Context(), tripplite.Command{
			Name: tripplite.ShutdownReturn, After: time.Minute, For: time.Minute}))
		writes := ups.Writes()
		require.Len(t, writes, 2)
		assert.Equal(t, []byte{0x61, 120, 0}, writes[0].Bytes)
		assert.Equal(t, []byte{0x15, 60, 0}, writes[1].Bytes)
		assert.GreaterOrEqual(t, writes[1].Time.Sub(writes[0].Time), 125*time.Millisecond)
		assert.Empty(t, ups.Writes())
	})
}

func TestAFaultOfAWriteEndsWithTheLoadAsItShould(t *testing.T) {
	type ups = *tripplitetest.UPS
	const s, hour = time.Second, time.Hour
	const v2012, v3016, v3005 = "smart1500lcd", "smart1500lcdt", "smart500rt1u-on-battery"
	shutdown := tripplite.Command{Name: tripplite.ShutdownReturn, After: 30 * s}
	both := tripplite.Command{Name: tripplite.ShutdownReturn, After: 30 * s, For: 60 * s}
	quick := tripplite.Command{Name: tripplite.TestQuick}
	misbehaves := func(m tripplitetest.Manners) func(ups) {
		return func(u ups) { u.SetManners(m) }
	}
	for name, row := range map[string]struct {
		capture string
		stages  []stage
	}{
		"accepted and ignored": {v2012, []stage{
			{0, happens(func(u ups) { u.IgnoreWrites(0x15, 0x10) }), on},
			{0, fails(shutdown, tripplite.ErrIgnored), on},
			{0, fails(quick, tripplite.ErrIgnored), on},
			{0, wrote("\xb6\x01", "\x15\x1e\x00", "\x10\x01"), on},
			{hour, happens(func(u ups) { u.HealReport(0x15) }), on},
			{0, do(shutdown), on},
			{31 * s, nothing, off},
		}},
		"the second one is refused: the first is taken back": {v3016, []stage{
			{0, happens(func(u ups) { u.FailWrites(0x15, syscall.EPIPE) }), on},
			{0, fails(both, tripplite.ErrRefused), on},
			{0, wrote("\x61\x5a\x00", "\x15\x1e\x00", "\x61\xff\xff"), on},
			{hour, nothing, on},
		}},
		"all that hidapi says is that it failed": {v3016, []stage{
			{0, happens(func(u ups) { u.FailWrites(0x15, errors.New("hidapi: failure")) }), on},
			{0, fails(both, tripplite.ErrRefused), on}, // the unit still tells that nothing counts
			{0, wrote("\x61\x5a\x00", "\x15\x1e\x00", "\x61\xff\xff"), on},
			{0, happens(func(u ups) { u.HealReport(0x15) }), on},
			{0, do(both), on},
		}},
		"the unit leaves the bus between the two": {v3016, []stage{
			{0, happens(func(u ups) { u.UnplugAfterWrites(1, 50*time.Millisecond) }), on},
			{0, fails(both, tripplite.ErrUncertain), on},
			{0, wrote("\x61\x5a\x00"), on},
			{hour, nothing, on},
			{0, happens(ups.Replug), on},
		}},
		"the unit leaves the bus with the second one": {v3016, []stage{
			{0, happens(func(u ups) { u.UnplugAfterWrites(2, 0) }), on},
			{0, fails(both, tripplite.ErrUncertain), on},
			{30 * s, nothing, off}, // its timers go on
			{60 * s, happens(ups.Replug), on},
		}},
		"the unit leaves the bus before it is told": {v3016, []stage{
			{0, happens(ups.Unplug), on},
			{0, fails(both, tripplite.ErrDisconnected), on},
			{0, wrote(), on},
		}},
		"a control that gets no reply, and is carried out": {v3005, []stage{
			{0, happens(misbehaves(tripplitetest.Manners{Unanswered: "G"})), on},
			{0, fails(shutdown, tripplite.ErrUncertain), on},
			{0, wrote(":N\x00\x1e\x93\r", ":G\xb8\r"), on}, // once
			{30 * s, nothing, off},
		}},
		"a control that gets no reply, and is not": {v3005, []stage{
			{0, happens(misbehaves(tripplitetest.Manners{Lost: "G"})), on},
			{0, fails(shutdown, tripplite.ErrUncertain), on},
			{hour, nothing, on},
		}},
		"the first of two gets no reply: the second is not sent": {v3005, []stage{
			{0, happens(misbehaves(tripplitetest.Manners{Unanswered: "N"})), on},
			{0, fails(shutdown, tripplite.ErrUncertain), on},
			{0, wrote(":N\x00\x1e\x93\r"), on},
			{hour, nothing, on},
		}},
		"a control that is replied to, and not carried out": {v3005, []stage{
			{0, happens(misbehaves(tripplitetest.Manners{Ignored: "A"})), on},
			{0, fails(quick, tripplite.ErrIgnored), on},
		}},
		"a control that the unit does not know": {v3005, []stage{
			{0, happens(misbehaves(tripplitetest.Manners{Unknown: "G"})), on},
			{0, fails(shutdown, tripplite.ErrUncertain), on},
			{hour, nothing, on},
		}},
		"late replies to controls": {v3005, []stage{
			{0, happens(misbehaves(tripplitetest.Manners{Late: 300 * time.Millisecond})), on},
			{0, do(shutdown), on},
			{30 * s, nothing, off},
		}},
		"a unit of 0001 leaves the bus between two": {v3005, []stage{
			{0, happens(func(u ups) { u.UnplugAfterWrites(1, time.Second) }), on},
			{0, fails(shutdown, tripplite.ErrUncertain), on},
			{0, wrote(":N\x00\x1e\x93\r"), on},
			{hour, nothing, on},
		}},
		"a unit of 0001 leaves the bus with the second one": {v3005, []stage{
			{0, happens(func(u ups) { u.UnplugAfterWrites(2, 0) }), on},
			{0, fails(shutdown, tripplite.ErrUncertain), on},
			{30 * s, nothing, off},
		}},
		"with 0 writes it stays": {v3016, []stage{
			{0, happens(func(u ups) { u.UnplugAfterWrites(1, 0); u.UnplugAfterWrites(0, 0) }), on},
			{0, do(both), on},
		}},
	} {
		inBubble(t, name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, row.capture)
			battery := ups.Battery()
			get(t, battery)
			for i, stage := range row.stages {
				time.Sleep(stage.after)
				synctest.Wait()
				stage.what(t, ups, battery)
				assert.Equal(t, stage.load, ups.LoadOn(), "load after stage %d", i)
			}
		})
	}
}

func TestTheTimersOfAUPSOutliveItsBattery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "bcpers450")
		battery := ups.Battery()
		require.NoError(t, battery.Do(t.Context(), tripplite.Command{
			Name: tripplite.LoadOff, After: time.Minute}))
		require.NoError(t, battery.Close())
		time.Sleep(20 * time.Second)
		counts(40*time.Second)(t, ups, ups.Battery())
		time.Sleep(40 * time.Second)
		assert.False(t, ups.LoadOn())
	})
}

// A Watchdog of a Battery ends with it, so that its end does not cut the load.
func TestCloseStopsTheWatchdog(t *testing.T) {
	for _, name := range []string{"bcpers450", "smart500rt1u"} {
		inBubble(t, name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, name)
			battery := ups.Battery()
			require.NoError(t, battery.Do(t.Context(), tripplite.Command{
				Name: tripplite.Watchdog, After: time.Minute}))
			require.NoError(t, battery.Close())
			time.Sleep(time.Hour)
			assert.True(t, ups.LoadOn())
		})
	}
}

func TestEveryWayToChangeLinePowerTellsTheLoad(t *testing.T) {
	type ups = *tripplitetest.UPS
	for name, change := range map[string]func(u ups, mains bool){
		"Set": func(u ups, mains bool) {
			u.Set("status.ac present", map[bool]float64{true: 1}[mains])
		},
		"SetStatus": func(u ups, mains bool) { u.SetStatus("ACPresent", mains) },
		"PowerFailure": func(u ups, mains bool) {
			if mains {
				u.PowerReturns()
			} else {
				u.PowerFailure()
			}
		},
	} {
		for _, capture := range []string{"bcpers450", "smart500rt1u"} {
			inBubble(t, name+" "+capture, func(t *testing.T) {
				u := tripplitetest.NewUPS(t, capture)
				change(u, false)
				_, err := u.SendFeatureReport(map[string][]byte{
					"bcpers450": {0x15, 0, 0}, "smart500rt1u": {0, ':', 'G', 0xb8, '\r', 0, 0, 0, 0},
				}[capture])
				require.NoError(t, err)
				assert.False(t, u.LoadOn())
				time.Sleep(time.Hour)
				assert.False(t, u.LoadOn())
				change(u, true)
				assert.True(t, u.LoadOn())
			})
		}
	}
}

func TestAMistakeWithTheLoadIsNamed(t *testing.T) {
	for want, mistake := range map[string]func(t testing.TB){
		"tripplitetest: the smart1500lcd is no unit of product 0001": func(t testing.TB) {
			tripplitetest.NewUPS(t, "smart1500lcd").OutletOn(1)
		},
		"tripplitetest: the smart500rt1u is a unit of product 0001: use SetManners": func(t testing.TB) {
			tripplitetest.NewUPS(t, "smart500rt1u").IgnoreWrites('K')
		},
		"tripplitetest: FailWrites(0x15, nil): a failure is an error": func(t testing.TB) {
			tripplitetest.NewUPS(t, "smart1500lcd").FailWrites(0x15, nil)
		},
	} {
		assert.Equal(t, want, complaint(mistake))
	}
}

// What is written is read before, since a report may have other fields.
func TestACommandWhoseReportCannotBeReadNamesIt(t *testing.T) {
	for name, cause := range map[string]error{
		"stalled":              syscall.EPIPE,
		"all that hidapi says": errors.New("hidapi: failure"),
	} {
		inBubble(t, name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, "bcpers450")
			battery := ups.Battery()
			get(t, battery)
			ups.FailReport(0x15, cause)
			err := battery.Do(t.Context(), tripplite.Command{Name: tripplite.LoadOff})
			var failed *tripplite.ReportError
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, byte(0x15), failed.ID)
			assert.Equal(t, "1-1:1.0", failed.Path)
			assert.ErrorIs(t, err, cause)
			assert.Empty(t, ups.Writes())
		})
	}
}

// One that may run has to be stopped as well as one that is known to.
func TestCloseStopsAWatchdogThatMayRun(t *testing.T) {
	watchdog := tripplite.Command{Name: tripplite.Watchdog, After: time.Minute}
	stop := tripplite.Command{Name: tripplite.WatchdogStop}
	for name, misbehave := range map[string]func(*testing.T, *tripplitetest.UPS, *tripplite.Battery){
		"no reply came": func(t *testing.T, u *tripplitetest.UPS, b *tripplite.Battery) {
			u.SetManners(tripplitetest.Manners{Unanswered: "W"})
			require.ErrorIs(t, b.Do(t.Context(), watchdog), tripplite.ErrUncertain)
		},
		"it could not be stopped": func(t *testing.T, u *tripplitetest.UPS, b *tripplite.Battery) {
			require.NoError(t, b.Do(t.Context(), watchdog))
			u.SetManners(tripplitetest.Manners{Lost: "W"})
			require.ErrorIs(t, b.Do(t.Context(), stop), tripplite.ErrUncertain)
		},
	} {
		inBubble(t, name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, "smart500rt1u")
			battery := ups.Battery()
			misbehave(t, ups, battery)
			ups.SetManners(tripplitetest.Manners{})
			require.NoError(t, battery.Close())
			time.Sleep(61 * time.Second)
			assert.True(t, ups.LoadOn())
		})
	}
}

func TestWhatIsStoppedIsWrittenInOneOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart1500lcdt")
		battery := ups.Battery()
		for _, report := range [][]byte{{0x61, 60, 0}, {0x17, 60, 0}, {0x15, 60, 0}} {
			_, err := ups.SendFeatureReport(report)
			require.NoError(t, err)
		}
		for range 20 {
			writes, err := battery.DryRun(t.Context(), tripplite.Command{Name: tripplite.ShutdownStop})
			require.NoError(t, err)
			var ids []byte
			for _, w := range writes {
				ids = append(ids, w.ID)
			}
			assert.Equal(t, []byte{0x15, 0x61, 0x17}, ids)
		}
	})
}
