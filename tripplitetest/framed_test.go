package tripplitetest_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

// The captures of product 0001, one of each variant, and what a low battery shows of each: those of
// 1001 and 2001 do not say their charge.
var framedUnits = map[string]struct{ charge, low tripplite.Value[float64] }{
	"omnivsint800":         {},
	"omnivs1500xl":         {},
	"smx1500xlrt2u":        {tripplite.ValueOf(90.0), tripplite.ValueOf(10.0)},
	"smart1500rmxl2u":      {tripplite.ValueOf(90.0), tripplite.ValueOf(10.0)},
	"smart500rt1u":         {tripplite.ValueOf(100.0), tripplite.ValueOf(10.0)},
	"smx1200xlhg":          {tripplite.ValueOf(100.0), tripplite.ValueOf(10.0)},
	"smart1500rmxl2u-0004": {tripplite.ValueOf(100.0), tripplite.ValueOf(10.0)},
}

func TestAUnitOf0001GoesThroughAnOutage(t *testing.T) {
	for name, row := range framedUnits {
		inBubble(t, name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, name)
			battery := ups.Battery()
			assert.Equal(t, uint16(0x0001), battery.Info().ProductID)
			before := get(t, battery)
			assert.Equal(t, tripplite.ValueOf(true), before.Status.ACPresent)
			if !row.charge.IsZero() {
				ups.SetCharge(row.charge.Or(0))
			}

			ups.PowerFailure()
			state := get(t, battery)
			assert.Equal(t, tripplite.ValueOf(false), state.Status.ACPresent)
			assert.Equal(t, tripplite.ValueOf(true), state.Status.Discharging)
			assert.Equal(t, tripplite.ValueOf(0.0), state.Input.Voltage)
			assert.Zero(t, state.Input.Frequency.Or(0))
			assert.Equal(t, before.Output, state.Output)
			assert.Equal(t, before.Config, state.Config)
			assert.Equal(t, row.charge, state.RemainingCapacity)
			assert.Equal(t, tripplite.ValueOf(false), state.Status.BelowRemainingCapacityLimit)

			ups.LowBattery()
			state = get(t, battery)
			assert.Equal(t, row.low, state.RemainingCapacity)
			assert.Equal(t, tripplite.ValueOf(true), state.Status.BelowRemainingCapacityLimit)
			assert.Equal(t, tripplite.ValueOf(false), state.Status.ACPresent)

			ups.PowerReturns()
			state = get(t, battery)
			assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
			assert.Equal(t, tripplite.ValueOf(false), state.Status.Discharging)
			assert.Equal(t, before.Input, state.Input)
			assert.Equal(t, row.low, state.RemainingCapacity, "it takes hours to recover")
		})
	}
}

// The data of the replies are worked out by hand: D of a 3003 is the voltage times 120 by the
// nominal one, in two hexadecimal digits; B of a 2001 times 3600 by the nominal one, in four; the
// numbers of a 3005 are what they are.
func TestASetReadingOf0001IsReadInItsUnit(t *testing.T) {
	type ups = *tripplitetest.UPS
	const v2001, v3003, v3005 = "omnivs1500xl", "smx1500xlrt2u", "smart500rt1u"
	for name, row := range map[string]struct {
		capture string
		set     func(ups)
		key     string
		want    float64
		command string
		reply   string
	}{
		"input voltage of a 3005": {v3005, func(u ups) { u.SetInputVoltage(117) },
			"input.voltage", 117, "D", "D\x00\x75\x00\x8b\r"},
		"input voltage of a 3005, rounded": {v3005, func(u ups) { u.SetInputVoltage(117.4) },
			"input.voltage", 117, "D", "D\x00\x75\x00\x8b\r"},
		"269 V, which holds a carriage return": {v3005, func(u ups) { u.SetInputVoltage(269) },
			"input.voltage", 269, "D", "D\x01\r\x00\x8b\r"},
		"input voltage of a 3003 of 230 V": {v3003, func(u ups) { u.SetInputVoltage(230) },
			"input.voltage", 230, "D", "D7887\r"}, // 120
		"input voltage of a 2001": {v2001, func(u ups) { u.SetInputVoltage(108.6) },
			"input.voltage", 108.6, "B", "B0CBAE8\r"}, // 3258
		"output voltage of a 2001": {v2001, func(u ups) { u.Set("output.voltage", 114) },
			"output.voltage", 114, "L", "L00E4XX\r"}, // 228
		"load of a 3005": {v3005, func(u ups) { u.SetLoad(23) },
			"output.load", 23, "L", "L\x17\x00\x00\x07XX\r"},
		"load of a 3003": {v3003, func(u ups) { u.SetLoad(104) },
			"output.load", 104, "L", "L6813\x07X\r"},
		"charge of a 3005": {v3005, func(u ups) { u.SetCharge(57) },
			"health", 57, "S", "S\x01\x04\x00\x00\x39\x00\r"},
		"13 %, which is a carriage return": {v3003, func(u ups) { u.SetCharge(13) },
			"health", 13, "S", "S140\x00\r1\r"},
		"battery voltage of three blocks": {v3003, func(u ups) { u.Set("battery.voltage", 36.6) },
			"battery.voltage", 36.6, "D", "D867A\r"}, // 12.2 V
		"frequency": {v3003, func(u ups) { u.Set("input.frequency", 49.9) },
			"input.frequency", 49.9, "T", "T721F30\r"}, // 499
		"overload": {v3005, func(u ups) { u.SetStatus("Overload", true) },
			"status.overload", 1, "S", "S\x01\x03\x00\x00\x64\x00\r"},
		"too hot": {v3003, func(u ups) { u.SetStatus("OverTemperature", true) },
			"status.over temperature", 1, "S", "S142\x00\x5a1\r"},
		"boost": {v3005, func(u ups) { u.SetStatus("Boost", true) },
			"status.boost", 1, "S", "S\x01\x04\x00\x00\x64\x02\r"},
		"a battery to be replaced": {v3005, func(u ups) { u.SetStatus("NeedReplacement", true) },
			"status.needs replacement", 1, "S", "S\x01\x01\x00\x00\x64\x00\r"},
		"one that needs no replacing": {v3003, func(u ups) { u.SetStatus("NeedReplacement", false) },
			"status.needs replacement", 0, "S", "S100\x00\x5a1\r"},
		"on battery": {v2001, func(u ups) { u.SetStatus("ACPresent", false) },
			"status.ac present", 0, "S", "S1001\x000\r"},
		"output off": {v3005, func(u ups) { u.Set("output.on", 0) },
			"output.on", 0, "S", "S\x01\x04\x00\x04\x64\x00\r"},
		"an outlet group off": {v3003, func(u ups) { u.Set("outlets.2", 0) },
			"outlets.2", 0, "R", "R\x01\x05\r"},
		"rated power": {v3003, func(u ups) { u.Set("config.power", 2200) },
			"config.power", 2200, "P", "P02200X\r"},
	} {
		inBubble(t, name, func(t *testing.T) {
			u := tripplitetest.NewUPS(t, row.capture)
			row.set(u)
			got, known := get(t, u.Battery()).Number(row.key)
			assert.True(t, known)
			assert.InDelta(t, row.want, got, 0.005)

			u.Requests()
			announced(t, u)
			_, err := u.SendFeatureReport(append([]byte{0}, command(row.command[0])...))
			require.NoError(t, err)
			came := announced(t, u)
			require.Len(t, came, 1)
			assert.Equal(t, []byte(row.reply), came[0][:len(row.reply)])
		})
	}
}

// command returns the frame of a letter as a report, by the maker's document: the checksum is the
// one's complement of the letter.
func command(letter byte) []byte {
	return []byte{':', letter, ^letter, '\r', 0, 0, 0, 0}
}

func TestAMistakeInATestOf0001IsNamed(t *testing.T) {
	on := func(capture string, use func(u *tripplitetest.UPS)) func(testing.TB) {
		return func(t testing.TB) { use(tripplitetest.NewUPS(t, capture)) }
	}
	for name, row := range map[string]struct {
		test func(testing.TB)
		says string
	}{
		"manners of another unit": {
			on("smart1500lcd", func(u *tripplitetest.UPS) { u.SetManners(tripplitetest.Manners{}) }),
			"the smart1500lcd is no unit of product 0001"},
		"a run time": {on("smart500rt1u", func(u *tripplitetest.UPS) { u.SetRunTime(time.Minute) }),
			"the smart500rt1u has no time to empty"},
		"a charge of a 2001": {on("omnivs1500xl", func(u *tripplitetest.UPS) { u.SetCharge(50) }),
			"the omnivs1500xl has no health"},
		"a charge of more than all": {on("smart500rt1u", func(u *tripplitetest.UPS) { u.SetCharge(101) }),
			"the smart500rt1u: health cannot be 101 %"},
		"more than two digits say": {
			on("smx1500xlrt2u", func(u *tripplitetest.UPS) { u.SetInputVoltage(500) }),
			"the smx1500xlrt2u: input.voltage cannot be 500 V"},
		"whether it charges": {
			on("smart500rt1u", func(u *tripplitetest.UPS) { u.SetStatus("Charging", true) }),
			"the smart500rt1u has no status.charging"},
		"that no code says": {
			on("omnivsint800", func(u *tripplitetest.UPS) { u.SetStatus("NeedReplacement", false) }),
			"the omnivsint800: status.needs replacement cannot be 0"},
		"a fourth group of three": {
			on("smx1500xlrt2u", func(u *tripplitetest.UPS) { u.Set("outlets.4", 1) }),
			"the smx1500xlrt2u has no outlets.4"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, "tripplitetest: "+row.says, complaint(row.test))
		})
	}
}

func TestAUnitOf0001Misbehaves(t *testing.T) {
	type manners = tripplitetest.Manners
	for name, row := range map[string]struct {
		manners manners
		state   bool
		says    string
	}{
		"well":        {manners{}, true, ""},
		"late, twice": {manners{Late: 300 * time.Millisecond, Double: true}, true, ""},
		"deaf":        {manners{Deaf: true}, false, "command S, status"},
		"without a load": {manners{Unknown: "L"}, true,
			"1-1:1.0: report 0x4c (command L, load): no reply came"},
		"with a serial line that died": {manners{Stale: 1}, false, "command S, status"},
	} {
		inBubble(t, name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, "smart500rt1u")
			battery := ups.Battery()
			get(t, battery)
			ups.SetManners(row.manners)
			state, err := battery.Get(t.Context())
			assert.Equal(t, row.state, tripplite.HasState(err))
			if row.says == "" {
				require.NoError(t, err)
				assert.Equal(t, tripplite.ValueOf(29.0), state.Output.PercentLoad)
			} else {
				require.ErrorContains(t, err, row.says)
			}
			ups.SetManners(manners{})
			_, err = battery.Get(t.Context())
			require.NoError(t, err)
		})
	}
}

func TestAWatchOf0001OutlivesAnUnplug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart500rt1u")
		battery := ups.Battery()
		get(t, battery)
		ups.Unplug()
		_, err := battery.Get(t.Context())
		require.ErrorIs(t, err, tripplite.ErrDisconnected)
		ups.PowerFailure()
		ups.Replug()
		time.Sleep(time.Minute) // for the Battery to look for it again
		assert.Equal(t, tripplite.ValueOf(false), get(t, battery).Status.ACPresent)
	})
}

func TestRequestsOf0001AreItsCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart500rt1u")
		battery := ups.Battery()
		get(t, battery)
		ups.Requests()
		get(t, battery)
		// The frames are the maker's own examples, without the report id and the zeros.
		assert.Equal(t, []string{
			"send 00 3a 53 ac 0d 00 00 00 00", "send 00 3a 44 bb 0d 00 00 00 00",
			"send 00 3a 4c b3 0d 00 00 00 00", "send 00 3a 54 ab 0d 00 00 00 00",
			"send 00 3a 4d b2 0d 00 00 00 00",
		}, ups.Requests())
	})
}

// A unit of product 0001 has one feature report, without an id, which takes its commands.
func TestFailReportOf0001FailsItsCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart500rt1u")
		battery := ups.Battery()
		get(t, battery)
		ups.FailReport('S', errors.New("no such report"))
		ups.AnswerReport('S', 'S', 0, 4, 0, 1, 0, 0)
		ups.AnswerReport(0, 1, 2, 3)
		state := get(t, battery)
		assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent, "a letter is no report")
		ups.FailReport(0, errors.New("a bad cable"))
		_, err := battery.Get(t.Context())
		require.ErrorContains(t, err, "a bad cable")
		ups.HealReport(0)
		time.Sleep(time.Minute)
		get(t, battery)
	})
}

// recordFramed has a session recorded with a unit of product 0001, and returns the file.
func recordFramed(
	t *testing.T, ups *tripplitetest.UPS, session func(*tripplite.Battery),
) (file string) {
	t.Helper()
	recorder := tripplitetest.NewRecorder(ups, ups.Info, nil)
	battery := tripplite.New(recorder, tripplite.WithDeviceInfo(ups.Info))
	session(battery)
	require.NoError(t, battery.Close())
	file = filepath.Join(t.TempDir(), "recorded.json")
	require.NoError(t, recorder.Save(file))
	return file
}

func TestARecordedUnitOf0001IsTheUnit(t *testing.T) {
	for name := range framedUnits {
		for how, manners := range map[string]tripplitetest.Manners{
			"":          {},
			", late":    {Late: 90 * time.Millisecond},
			", doubled": {Late: 90 * time.Millisecond, Double: true},
			", stale":   {Stale: 5},
		} {
			inBubble(t, name+how, func(t *testing.T) {
				ups := tripplitetest.NewUPS(t, name)
				want := get(t, ups.Battery())
				require.NoError(t, ups.Close())
				ups.Battery() // which opens it again
				ups.SetManners(manners)
				file := recordFramed(t, ups, func(b *tripplite.Battery) {
					for range 4 {
						get(t, b)
					}
					ups.PowerFailure()
					get(t, b)
				})
				again := tripplitetest.NewUPS(t, file)
				assert.Equal(t, ups.Info, again.Info)
				state := get(t, again.Battery())
				state.Time = want.Time
				assert.Equal(t, want, state, "as it was when the recording began")

				c, err := capture.Load(file)
				require.NoError(t, err)
				i := slices.IndexFunc(c.UPS().Exchanges, func(e capture.Exchange) bool {
					return e.Command[1] == 'S'
				})
				require.GreaterOrEqual(t, i, 0)
				assert.Equal(t, command('S')[:4], []byte(c.UPS().Exchanges[i].Command))
				assert.Equal(t, capture.Captured, c.UPS().Exchanges[i].Origin)
			})
		}
	}
}

func TestASessionOf0001IsRepeated(t *testing.T) {
	for name, manners := range map[string]tripplitetest.Manners{
		"well":               {},
		"late":               {Late: 90 * time.Millisecond},
		"with doubled":       {Double: true},
		"without a load":     {Unknown: "L"},
		"with old replies":   {Stale: 7},
		"deaf after a while": {Deaf: true},
	} {
		inBubble(t, name, func(t *testing.T) {
			// read returns what two reads and the settings of a unit say, and how they failed.
			read := func(b *tripplite.Battery, between func()) (said []any) {
				for n := range 3 {
					state, err := b.Get(t.Context())
					state.Time = time.Time{}
					said = append(said, state, text(err))
					settings, err := b.Settings(t.Context())
					said = append(said, settings, text(err))
					if n == 0 {
						between()
					}
				}
				return said
			}
			ups := tripplitetest.NewUPS(t, "smart500rt1u")
			var want []any
			file := recordFramed(t, ups, func(b *tripplite.Battery) {
				want = read(b, func() {
					ups.PowerFailure()
					ups.SetManners(manners)
				})
			})
			player := tripplitetest.NewPlayer(t, file)
			assert.Equal(t, want, read(player.Battery(), func() {}))
			require.NoError(t, player.Close())
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
