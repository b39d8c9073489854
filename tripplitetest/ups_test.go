package tripplitetest_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ tripplite.Device = (*tripplitetest.UPS)(nil)

// inBubble runs a subtest whose clock is the bubble's.
func inBubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// failing stands in for the test of somebody who makes a mistake.
type failing struct {
	testing.TB
	said     string
	cleanups []func()
}

func (f *failing) Helper()           {}
func (f *failing) Cleanup(c func())  { f.cleanups = append(f.cleanups, c) }
func (f *failing) Error(args ...any) { f.said += fmt.Sprint(args...) }
func (f *failing) Fatalf(format string, args ...any) {
	f.said += fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// complaint runs the test and returns why it failed.
func complaint(test func(t testing.TB)) string {
	f := &failing{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for i := len(f.cleanups) - 1; i >= 0; i-- {
				f.cleanups[i]()
			}
		}()
		test(f)
	}()
	<-done
	return f.said
}

// get reads a unit. The first reads of some captures lack reports that the unit never answers.
func get(t *testing.T, b *tripplite.Battery) tripplite.State {
	t.Helper()
	state, err := b.Get(t.Context())
	require.True(t, tripplite.HasState(err), "%v", err)
	return state
}

// report returns the bytes of a feature report.
func report(t *testing.T, ups *tripplitetest.UPS, id byte) []byte {
	t.Helper()
	buffer := make([]byte, 16)
	buffer[0] = id
	n, err := ups.GetFeatureReport(buffer)
	require.NoError(t, err)
	return buffer[:n]
}

// announced returns the input reports that wait to be read.
func announced(t *testing.T, ups *tripplitetest.UPS) [][]byte {
	t.Helper()
	reports := [][]byte{}
	for {
		buffer := make([]byte, 16)
		n, err := ups.ReadTimeout(buffer, 0)
		require.NoError(t, err)
		if n == 0 {
			return reports
		}
		reports = append(reports, buffer[:n])
	}
}

func TestAUPSSaysWhatItsCaptureSays(t *testing.T) {
	for name, want := range map[string]struct {
		input, charge float64
		runTime       time.Duration
		info          tripplite.DeviceInfo
	}{
		"smart1500lcd": {117.2, 100, 1004 * time.Second, tripplite.DeviceInfo{
			Path: "1-1:1.0", VendorID: 0x09ae, ProductID: 0x2012, Family: "Tripp Lite 2xxx",
			Release: 1, Manufacturer: "Tripp Lite", Product: "Tripp Lite UPS"}},
		"pro1500rt2u": {123.3, 100, 2117 * time.Second, tripplite.DeviceInfo{
			Path: "1-1:1.0", VendorID: 0x05dd, ProductID: 0xa0a0, Family: "Delta/Minuteman",
			Release: 2, Manufacturer: "Minuteman", Product: "MINUTEMAN UPS"}},
	} {
		inBubble(t, name, func(t *testing.T) {
			require.Contains(t, tripplitetest.Captures(), name)
			ups := tripplitetest.NewUPS(t, name)
			battery := ups.Battery()
			assert.Equal(t, want.info, battery.Info())
			state := get(t, battery)
			assert.Equal(t, "1-1:1.0", state.Path)
			assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
			assert.Equal(t, tripplite.ValueOf(want.input), state.Input.Voltage)
			assert.Equal(t, tripplite.ValueOf(want.charge), state.RemainingCapacity)
			assert.Equal(t, tripplite.ValueOf(want.runTime), state.RunTimeToEmpty)
		})
	}
}

// The reports are worked out by hand from the table of reports.
func TestASetReadingIsReadInItsUnit(t *testing.T) {
	type ups = *tripplitetest.UPS
	const smart, pro, lcdxl = "smart1500lcd", "pro1500rt2u", "smart1500lcdxl"
	for name, row := range map[string]struct {
		capture string
		set     func(ups)
		key     string
		want    float64
		reports [][]byte
	}{
		"input voltage": {smart, func(u ups) { u.SetInputVoltage(98.5) },
			"input.voltage", 98.5, [][]byte{{0x18, 0xd9, 0x03}}},
		"input voltage, which the summary repeats": {pro, func(u ups) { u.SetInputVoltage(98.5) },
			"input.voltage", 98.5, [][]byte{{0x18, 0xd9, 0x03}, {0x31, 0xd9, 0x03}}},
		"input voltage, rounded": {smart, func(u ups) { u.SetInputVoltage(98.47) },
			"input.voltage", 98.5, [][]byte{{0x18, 0xd9, 0x03}}},
		"no input voltage": {smart, func(u ups) { u.SetInputVoltage(0) },
			"input.voltage", 0, [][]byte{{0x18, 0x00, 0x00}}},
		"input frequency": {smart, func(u ups) { u.Set("input.frequency", 50) },
			"input.frequency", 50, [][]byte{{0x19, 0xf4, 0x01}}},
		"output voltage": {smart, func(u ups) { u.Set("output.voltage", 230.1) },
			"output.voltage", 230.1, [][]byte{{0x1b, 0xfd, 0x08}}},
		"output frequency": {pro, func(u ups) { u.Set("output.frequency", 60.1) },
			"output.frequency", 60.1, [][]byte{{0x1c, 0x59, 0x02}}},
		"output current": {pro, func(u ups) { u.Set("output.current", 12.5) },
			"output.current", 12.5, [][]byte{{0x46, 0x7d, 0x00}}},
		"output power": {smart, func(u ups) { u.Set("output.power", 520) },
			"output.power", 520, [][]byte{{0x47, 0x08, 0x02}}},
		"load": {smart, func(u ups) { u.SetLoad(104) },
			"output.load", 104, [][]byte{{0x1e, 0x68}}},
		"battery voltage": {smart, func(u ups) { u.Set("battery.voltage", 23.9) },
			"battery.voltage", 23.9, [][]byte{{0x20, 0xef, 0x00}}},
		"charge": {smart, func(u ups) { u.SetCharge(41) },
			"health", 41, [][]byte{{0x34, 0x29}}},
		"run time": {smart, func(u ups) { u.SetRunTime(5 * time.Minute) },
			"time to empty", 300, [][]byte{{0x35, 0x2c, 0x01}}},
		"temperature, in kelvin": {"smart1500slt", func(u ups) { u.Set("battery.temperature", 31.85) },
			"battery.temperature", 31.85, [][]byte{{0x3d, 0x31, 0x01}}},
		"what does not change by itself": {smart, func(u ups) { u.Set("config.voltage", 230) },
			"config.voltage", 230, [][]byte{{0x01, 0xe6}, {0x30, 0xe6}}},
		"a flag of the one-byte status": {lcdxl, func(u ups) { u.SetStatus("ACPresent", false) },
			"status.ac present", 0, [][]byte{{0x32, 0x44}}},
		"a flag of the three-byte status": {pro, func(u ups) { u.SetStatus("ACPresent", false) },
			"status.ac present", 0, [][]byte{{0x32, 0x00, 0x00, 0x08}}},
		"a flag that the battery repeats": {pro, func(u ups) { u.SetStatus("Charging", true) },
			"status.charging", 1, [][]byte{{0x32, 0x00, 0x00, 0x19}, {0x23, 0x18}}},
		"a flag on another usage page": {"omni900lcd", func(u ups) { u.SetStatus("ACPresent", false) },
			"status.ac present", 0, nil},
		"a flag of the converter": {smart, func(u ups) { u.SetStatus("AwaitingPower", true) },
			"status.awaiting power", 1, [][]byte{{0x22, 0x00, 0x40}}},
	} {
		inBubble(t, name, func(t *testing.T) {
			for _, when := range []string{"before the first read", "later"} {
				ups := tripplitetest.NewUPS(t, row.capture)
				battery := ups.Battery()
				if when == "later" && !strings.HasPrefix(row.key, "config.") {
					get(t, battery)
				}
				row.set(ups)
				got, known := get(t, battery).Number(row.key)
				assert.True(t, known, when)
				assert.InDelta(t, row.want, got, 1e-9, when)
				for _, want := range row.reports {
					assert.Equal(t, want, report(t, ups, want[0]))
				}
			}
		})
	}
}

func TestASettingIsSetByItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart1500lcd")
		ups.Set("controls.watchdog", 90)
		ups.Set("controls.audible alarm control", 1)
		settings, err := ups.Battery().Settings(t.Context())
		require.NoError(t, err)
		assert.Equal(t, tripplite.ValueOf(90*time.Second), settings.Watchdog)
		assert.Equal(t, tripplite.ValueOf(tripplite.AlarmDisabled), settings.AudibleAlarmControl)
	})
}

// The usages are those of the Usage Tables for HID Power Devices 1.1, 4.1 and 4.2.
var flagUsages = map[string]uint32{
	"ACPresent": 0x8500d0, "Charging": 0x850044, "Discharging": 0x850045, "FullyCharged": 0x850046,
	"FullyDischarged": 0x850047, "NeedReplacement": 0x85004b, "BatteryPresent": 0x8500d1,
	"BelowRemainingCapacityLimit": 0x850042, "RemainingTimeLimitExpired": 0x850043,
	"ShutdownImminent": 0x840069, "ShutdownRequested": 0x840068, "InternalFailure": 0x840062,
	"VoltageOutOfRange": 0x840063, "FrequencyOutOfRange": 0x840064, "Overload": 0x840065,
	"OverTemperature": 0x840067, "Boost": 0x84006e, "Buck": 0x84006f, "Used": 0x84006d,
	"AwaitingPower": 0x840072, "CommunicationLost": 0x840073,
}

func TestEveryFlagIsSetByItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := slices.Sorted(maps.Keys(flagUsages))
		flags := ""
		for _, name := range names {
			usage := binary.LittleEndian.AppendUint32(nil, flagUsages[name])
			flags += fmt.Sprintf("0b %x b1 02", usage)
		}
		ups := tripplitetest.NewUPS(t, unit(t, `{"descriptor": "`+
			`05 84 09 04 a1 01 09 24 a1 02 09 02 a1 02 85 40`+ // UPS, PowerSummary, PresentStatus
			`15 00 25 01 75 01 95 01`+flags+`c0 c0 c0`+ // each a bit of feature report 0x40
			`", "reports": [
			{"type": "feature", "id": "40", "bytes": "40 00 00 00", "origin": "composed"}]}`))
		battery := ups.Battery()
		require.Equal(t, reflect.TypeFor[tripplite.Status]().NumField(), len(names))
		for _, name := range names {
			ups.SetStatus(name, true)
			status := reflect.ValueOf(get(t, battery).Status)
			for _, other := range names {
				value := status.FieldByName(other).Interface().(tripplite.Value[bool])
				assert.Equal(t, tripplite.ValueOf(other == name), value, "%s: %s", name, other)
			}
			ups.SetStatus(name, false)
		}
	})
}

// unit writes a capture file with one interface.
func unit(t testing.TB, iface string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "unit.json")
	require.NoError(t, os.WriteFile(file, []byte(`{
		"name": "unit", "model": "UNIT", "source": ["a test"],
		"vendor_id": "09ae", "product_id": "9999", "release": "0001",
		"interfaces": [`+iface+`]}`), 0o600))
	return file
}

func TestAUnitWithoutADescriptorIsSetWhereItsAnswersLie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, unit(t, `{"reports": [
			{"type": "feature", "id": "32", "bytes": "32 00 00 09", "origin": "composed"},
			{"type": "feature", "id": "18", "bytes": "18 d1 04", "origin": "composed"}]}`))
		battery := ups.Battery()
		assert.Equal(t, uint16(0x9999), battery.Info().ProductID)
		ups.SetInputVoltage(98.5)
		ups.SetStatus("Discharging", true) // bit 21 of the three-byte layout
		assert.Equal(t, [][]byte{{0x32, 0x00, 0x00, 0x29}}, announced(t, ups))
		state := get(t, battery)
		assert.Equal(t, tripplite.ValueOf(98.5), state.Input.Voltage)
		assert.Equal(t, tripplite.ValueOf(true), state.Status.Discharging)
		assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
		assert.Equal(t, []byte{0x32, 0x00, 0x00, 0x29}, report(t, ups, 0x32))
	})
}

func TestAUnitIsSetWhereItsDescriptorSays(t *testing.T) {
	// The voltage stands at bit 8 of report 0x41, beside another number. The status stands at bit 9
	// of the feature report 0x40 and at bit 0 of the two bytes of the input report.
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, unit(t, `{"descriptor": "`+
			`05 84 09 04 a1 01`+ // UPS
			`09 24 a1 02 09 02 a1 02 85 40 15 00 25 01 75 01`+ // PowerSummary, PresentStatus, report 0x40
			`95 09 b1 03 05 85 95 01 09 d0 b1 02 95 06 b1 03`+ // feature: padding, ACPresent, padding
			`95 01 09 d0 81 02 95 0f 81 03 c0 c0`+ // input: ACPresent, 15 of padding
			`05 84 09 16 a1 00 09 1a a1 02 85 41`+ // PowerConverter, Input, report 0x41
			`26 ff 00 75 08 95 01 09 57 b1 02`+ // 8 bits
			`75 10 09 30 b1 02 c0 c0 c0`+ // Voltage in 16 bits
			`", "reports": [
			{"type": "feature", "id": "40", "bytes": "40 00 02", "origin": "composed"},
			{"type": "feature", "id": "41", "bytes": "41 ff 94 04", "origin": "composed"}]}`))
		battery := ups.Battery()
		assert.Equal(t, tripplite.ValueOf(117.2), get(t, battery).Input.Voltage)
		ups.SetInputVoltage(98.5)
		ups.SetStatus("ACPresent", false)
		ups.SetStatus("ACPresent", true)
		assert.Equal(t, [][]byte{{0x40, 0x00, 0x00}, {0x40, 0x01, 0x00}}, announced(t, ups))
		state := get(t, battery)
		assert.Equal(t, tripplite.ValueOf(98.5), state.Input.Voltage)
		assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
		assert.Equal(t, []byte{0x41, 0xff, 0xd9, 0x03}, report(t, ups, 0x41))
		assert.Equal(t, []byte{0x40, 0x00, 0x02}, report(t, ups, 0x40))
	})
}

func TestAMistakeInATestIsNamed(t *testing.T) {
	on := func(capture string, use func(u *tripplitetest.UPS)) func(testing.TB) {
		return func(t testing.TB) { use(tripplitetest.NewUPS(t, capture)) }
	}
	const smart = "smart1500lcd"
	silent := unit(t, `{"reports": [
		{"type": "feature", "id": "1e", "bytes": "1e 0e", "origin": "composed"}]}`)
	const noPower = "the unit has no status.ac present or status.discharging"
	for name, row := range map[string]struct {
		test func(testing.TB)
		says string
	}{
		"a capture that there is not": {on("smart1500", func(*tripplitetest.UPS) {}),
			`"smart1500" is neither a capture file nor one of the built-in captures: ` +
				strings.Join(tripplitetest.Captures(), ", ") + `: file does not exist`},
		"a key that there is not": {on(smart, func(u *tripplitetest.UPS) { u.Set("input.volts", 60) }),
			"the smart1500lcd has no input.volts"},
		"a reading that the unit does not have": {
			on(smart, func(u *tripplitetest.UPS) { u.Set("output.frequency", 60) }),
			"the smart1500lcd has no output.frequency"},
		"a reading that the unit declares only": {
			on("smart1500lcdt", func(u *tripplitetest.UPS) { u.SetInputVoltage(120) }),
			"the smart1500lcdt has no input.voltage"},
		"a flag that the unit does not have": {
			on(smart, func(u *tripplitetest.UPS) { u.SetStatus("BatteryPresent", true) }),
			"the smart1500lcd has no status.battery present"},
		"a flag that there is not": {
			on(smart, func(u *tripplitetest.UPS) { u.SetStatus("OnBattery", true) }),
			`"OnBattery" is no flag of tripplite.Status`},
		"a charge of more than all": {on(smart, func(u *tripplitetest.UPS) { u.SetCharge(101) }),
			"the smart1500lcd: health cannot be 101 %"},
		"a voltage below zero": {on(smart, func(u *tripplitetest.UPS) { u.SetInputVoltage(-0.1) }),
			"the smart1500lcd: input.voltage cannot be -0.1 V"},
		"a voltage that is no number": {
			on(smart, func(u *tripplitetest.UPS) { u.SetInputVoltage(math.NaN()) }),
			"the smart1500lcd: input.voltage cannot be NaN V"},
		"a load that says none": {on(smart, func(u *tripplitetest.UPS) { u.SetLoad(255) }),
			"the smart1500lcd: output.load cannot be 255 %"},
		"a power failure that no reading shows": {on(silent, (*tripplitetest.UPS).PowerFailure), noPower},
		"a power return that no reading shows":  {on(silent, (*tripplitetest.UPS).PowerReturns), noPower},
		"a low battery that no reading shows": {on(silent, (*tripplitetest.UPS).LowBattery),
			"the unit has no health or time to empty or status.below remaining capacity"},
		"a failure that is none": {on(smart, func(u *tripplitetest.UPS) { u.FailReport(0x18, nil) }),
			"FailReport(0x18, nil): a failure is an error"},
		"two Batteries of one unit": {on(smart, func(u *tripplitetest.UPS) { u.Battery(); u.Battery() }),
			"the smart1500lcd has a Battery that is not closed, and a UPS has one at a time"},
		"two units at one path": {func(t testing.TB) {
			tripplitetest.NewBank(t, tripplitetest.NewUPS(t, smart), tripplitetest.NewUPS(t, "pro1500rt2u"))
		}, "the smart1500lcd and the pro1500rt2u are both at 1-1:1.0: " +
			"give one of them another Info.Path"},
		"a session that there is not": {func(t testing.TB) { tripplitetest.NewPlayer(t, smart) },
			"smart1500lcd has no recorded session: NewUPS makes a unit of it"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, "tripplitetest: "+row.says, complaint(row.test))
		})
	}
	none := on(smart, func(u *tripplitetest.UPS) { u.SetCharge(100) })
	assert.Empty(t, complaint(none), "no mistake")
}

func TestPowerFailsAndReturnsAsTheUnitShowsIt(t *testing.T) {
	for name, row := range map[string]struct {
		failure, low, returns, full [][]byte // what is announced, by the layouts of the status
	}{
		"smart1500lcdxl": {[][]byte{{0x32, 0x08}},
			[][]byte{{0x32, 0x28}, {0x34, 0x0a}, {0x35, 0x78, 0x00}},
			[][]byte{{0x32, 0x26}}, [][]byte{{0x32, 0x62}}},
		"pro1500rt2u": {[][]byte{{0x32, 0x00, 0x00, 0x20}},
			[][]byte{{0x32, 0x00, 0x00, 0x24}, {0x34, 0x0a}, {0x35, 0x78, 0x00}},
			[][]byte{{0x32, 0x00, 0x00, 0x15}}, [][]byte{{0x32, 0x00, 0x00, 0x0d}}},
	} {
		inBubble(t, name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, name)
			announced(t, ups) // what the capture has
			battery := ups.Battery()
			before := get(t, battery)

			ups.PowerFailure()
			assert.ElementsMatch(t, row.failure, announced(t, ups))
			state := get(t, battery)
			assert.Equal(t, tripplite.ValueOf(false), state.Status.ACPresent)
			assert.Equal(t, tripplite.ValueOf(true), state.Status.Discharging)
			assert.Equal(t, tripplite.ValueOf(0.0), state.Input.Voltage)
			assert.Equal(t, tripplite.ValueOf(0.0), state.Input.Frequency)
			assert.Equal(t, before.Output, state.Output)

			ups.LowBattery()
			assert.ElementsMatch(t, row.low, announced(t, ups))
			state = get(t, battery)
			assert.Equal(t, tripplite.ValueOf(10.0), state.RemainingCapacity)
			assert.Equal(t, tripplite.ValueOf(2*time.Minute), state.RunTimeToEmpty)
			assert.Equal(t, tripplite.ValueOf(true), state.Status.BelowRemainingCapacityLimit)

			ups.PowerFailure() // which it is already
			assert.Empty(t, announced(t, ups))
			ups.PowerReturns()
			assert.ElementsMatch(t, row.returns, announced(t, ups))
			state = get(t, battery)
			assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
			assert.Equal(t, tripplite.ValueOf(true), state.Status.Charging)
			assert.Equal(t, tripplite.ValueOf(10.0), state.RemainingCapacity)
			assert.Equal(t, before.Input, state.Input)

			ups.SetCharge(100)
			announced(t, ups)
			ups.PowerReturns()
			assert.ElementsMatch(t, row.full, announced(t, ups))
		})
	}
}

func TestPowerFailsAndReturnsForEveryCapture(t *testing.T) {
	for _, name := range tripplitetest.Captures() {
		inBubble(t, name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, name)
			battery := ups.Battery()
			onBattery := func() bool {
				now, _ := get(t, battery).OnBattery()
				return now
			}
			before := get(t, battery)
			if onBattery() { // a line that has 0 V gets the nominal values
				before.Input.Voltage = before.Config.Voltage
				before.Input.Frequency = before.Config.Frequency
			}
			for range 2 {
				ups.PowerFailure()
				assert.True(t, onBattery())
				state := get(t, battery)
				assert.Zero(t, state.Input.Voltage.Or(0))
				assert.Zero(t, state.Input.Frequency.Or(0))
				assert.Equal(t, before.Output, state.Output)

				ups.PowerReturns()
				assert.False(t, onBattery())
				assert.Equal(t, before.Input, get(t, battery).Input)
			}
		})
	}
}

// watch runs a Watch until the test ends. next returns what it yields, in its order.
func watch(t *testing.T, b *tripplite.Battery) (next func() (tripplite.State, error)) {
	type turn struct {
		state tripplite.State
		err   error
	}
	turns := make(chan turn, 100)
	go func() {
		for state, err := range b.Watch(t.Context(), time.Hour) {
			turns <- turn{state, err}
		}
	}()
	return func() (tripplite.State, error) {
		turn := <-turns
		return turn.state, turn.err
	}
}

func TestAWatchSeesWhatTheUnitAnnounces(t *testing.T) {
	for _, name := range []string{"smart1500lcd", "pro1500rt2u"} {
		inBubble(t, name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, name)
			next := watch(t, ups.Battery())
			before, err := next()
			require.True(t, tripplite.HasState(err))
			assert.False(t, before.Announced)
			began := time.Now()

			ups.PowerFailure()
			state, _ := next()
			assert.True(t, state.Announced)
			assert.Equal(t, tripplite.ValueOf(false), state.Status.ACPresent)
			assert.Zero(t, state.Input, "the announcement has the status alone")
			state, _ = next()
			assert.False(t, state.Announced)
			assert.Equal(t, tripplite.ValueOf(0.0), state.Input.Voltage)

			ups.SetCharge(42)
			state, _ = next()
			assert.Equal(t, tripplite.ValueOf(42.0), state.RemainingCapacity)

			ups.AnswerReport(0x34, 0x34, 0x29) // of which the unit announces nothing
			ups.Push(0x34, 0x29)
			state, _ = next()
			assert.Equal(t, tripplite.ValueOf(41.0), state.RemainingCapacity)
			assert.Less(t, time.Since(began), time.Second)
		})
	}
}

func TestAWatchOutlivesAnUnplug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart1500lcd")
		next := watch(t, ups.Battery())
		_, err := next()
		require.NoError(t, err)
		for range 3 {
			ups.Unplug()
			ups.Unplug()
			ups.Push(0x32, 0x08)
			state, err := next()
			require.ErrorIs(t, err, tripplite.ErrDisconnected)
			assert.Zero(t, state)
			ups.SetCharge(42)
			ups.Replug()
			ups.Replug()
			state, err = next()
			require.NoError(t, err)
			assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
			assert.Equal(t, tripplite.ValueOf(42.0), state.RemainingCapacity)

			time.Sleep(10 * time.Second) // for the Battery to listen again
			ups.SetCharge(41)
			state, err = next()
			require.NoError(t, err)
			assert.Equal(t, tripplite.ValueOf(41.0), state.RemainingCapacity, "it is heard again")
			ups.SetCharge(43)
			_, err = next()
			require.NoError(t, err)
		}
	})
}

func TestATransferFailsWhileTheUnitIsAway(t *testing.T) {
	for name, row := range map[string]struct {
		leave func(*tripplitetest.UPS)
		says  string
		back  error // after Replug
	}{
		"unplugged": {func(u *tripplitetest.UPS) { u.Unplug() }, "the unit is unplugged", nil},
		"closed":    {func(u *tripplitetest.UPS) { u.Close() }, os.ErrClosed.Error(), os.ErrClosed},
		"unplugged and closed": {func(u *tripplitetest.UPS) { u.Unplug(); u.Close() },
			os.ErrClosed.Error(), os.ErrClosed},
	} {
		inBubble(t, name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, "smart1500lcd")
			ended := make(chan error)
			read := func(b []byte) (int, error) { return ups.ReadTimeout(b, -1) }
			go func() {
				_, err := read(make([]byte, 8))
				ended <- err
			}()
			synctest.Wait()
			row.leave(ups)
			require.Error(t, <-ended, "a read that waits ends")
			ups.AnswerReport(0x11, 0x11, 0x02)
			for call, transfer := range map[string]func([]byte) (int, error){
				"ReadTimeout": read, "GetFeatureReport": ups.GetFeatureReport,
				"SendFeatureReport": ups.SendFeatureReport,
			} {
				_, err := transfer([]byte{0x11, 0x01})
				require.EqualError(t, err, row.says, call)
			}
			ups.Replug()
			_, err := ups.GetFeatureReport([]byte{0x11, 0x00})
			require.ErrorIs(t, err, row.back)
		})
	}
}

func TestAUnitIsOpenedAgainAfterItsBatteryIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart1500lcd")
		first := ups.Battery()
		get(t, first)
		ups.SetCharge(42)
		require.NoError(t, first.Close())
		ups.Unplug()
		second := ups.Battery(tripplite.WithDeviceInfo(tripplite.DeviceInfo{Path: "1-4.2:1.0"}))
		_, err := second.Get(t.Context())
		require.ErrorIs(t, err, tripplite.ErrDisconnected)
		ups.Replug()
		state := get(t, second)
		assert.Equal(t, tripplite.ValueOf(42.0), state.RemainingCapacity)
		assert.Equal(t, "1-4.2:1.0", state.Path, "the test's options win")
		_, err = first.Get(t.Context())
		require.ErrorIs(t, err, tripplite.ErrClosed)
	})
}

func TestAReportThatFailsIsTheOnlyOne(t *testing.T) {
	fail := func(id byte, err error) func(*tripplitetest.UPS) {
		return func(u *tripplitetest.UPS) { u.FailReport(id, err) }
	}
	answer := func(id byte, bytes ...byte) func(*tripplitetest.UPS) {
		return func(u *tripplitetest.UPS) { u.AnswerReport(id, bytes...) }
	}
	for name, row := range map[string]struct {
		fail func(*tripplitetest.UPS)
		says string
	}{
		"with an error":     {fail(0x18, errors.New("a bad cable")), "a bad cable"},
		"with too little":   {answer(0x18, 0x18, 0x94), "1 bytes came of 2"},
		"with another's id": {answer(0x18, 0x19, 0x94, 0x04), "the unit answered with report 0x19"},
	} {
		inBubble(t, name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, "smart1500lcd")
			battery := ups.Battery()
			get(t, battery)
			row.fail(ups)
			state, err := battery.Get(t.Context())
			var partial *tripplite.PartialError
			require.ErrorAs(t, err, &partial)
			require.Len(t, partial.Reports, 1)
			require.EqualError(t, partial.Reports[0].Err, row.says)
			assert.Equal(t, byte(0x18), partial.Reports[0].ID)
			assert.Equal(t, tripplite.Value[float64]{}, state.Input.Voltage)
			assert.Equal(t, tripplite.ValueOf(59.7), state.Input.Frequency)

			ups.SetInputVoltage(98.5)
			ups.HealReport(0x18)
			ups.HealReport(0x18)
			assert.Equal(t, tripplite.ValueOf(98.5), get(t, battery).Input.Voltage, "set meanwhile")
		})
	}
}

func TestTheAnswerIsWhatTheTestSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart1500lcd")
		ups.AnswerReport(0x34)
		ups.AnswerReport(0x1e, 0x1e, 0xff)
		ups.AnswerReport(0x18, 0x18, 0xd9, 0x03, 0xde, 0xad)
		ups.AnswerReport(0x46, 0x46, 0x7d, 0x00) // which the capture does not have
		state := get(t, ups.Battery(tripplite.WithReportDescriptor(nil)))
		assert.Equal(t, tripplite.Value[float64]{}, state.RemainingCapacity, "empty is not provided")
		assert.Equal(t, tripplite.Value[float64]{}, state.Output.PercentLoad, "255 is not measured")
		assert.Equal(t, tripplite.ValueOf(98.5), state.Input.Voltage, "surplus bytes are no part of it")
		assert.Equal(t, tripplite.ValueOf(12.5), state.Output.Current)
	})
}

func TestRequestsAreWhatTheUnitWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart1500lcd")
		battery := ups.Battery()
		get(t, battery)
		first := ups.Requests()
		assert.Equal(t, "get 32", first[0], "the status comes first")
		assert.Greater(t, len(first), 10, "the first read asks for what does not change, too")

		get(t, battery)
		// What the root package's own test demands of the steady state: each live reading, once.
		assert.ElementsMatch(t, []string{"get 32", "get 22", "get 18", "get 19", "get 1b",
			"get 47", "get 1e", "get 20", "get 34", "get 35", "get 15"}, ups.Requests())

		disabled := []byte{0x11, 0x01}
		n, err := ups.SendFeatureReport(disabled)
		require.NoError(t, err)
		assert.Equal(t, 2, n)
		disabled[1] = 0
		ups.FailReport(0x11, errors.New("no"))
		_, err = ups.SendFeatureReport([]byte{0x11, 0x02})
		require.EqualError(t, err, "no")
		ups.HealReport(0x11)
		assert.Equal(t, []string{"send 11 01", "send 11 02"}, ups.Requests())
		assert.Empty(t, ups.Requests())

		settings, err := battery.Settings(t.Context())
		require.NoError(t, err)
		assert.Equal(t, tripplite.ValueOf(tripplite.AlarmDisabled), settings.AudibleAlarmControl)
		assert.ElementsMatch(t,
			[]string{"get 10", "get 11", "get 17", "get 52", "get b6"}, ups.Requests())
	})
}

// transfers returns the ways to transfer a feature report.
func transfers(dev tripplite.Device) []func([]byte) (int, error) {
	return []func([]byte) (int, error){dev.GetFeatureReport, dev.SendFeatureReport}
}

func TestATransferTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart1500lcd")
		ups.Latency = time.Minute
		for _, transfer := range transfers(ups) {
			began := time.Now()
			_, err := transfer([]byte{0x11, 0x02})
			require.NoError(t, err)
			assert.Equal(t, time.Minute, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		battery := ups.Battery()
		_, err := battery.Get(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, battery.Close())
		time.Sleep(time.Minute) // for the transfer that is left behind
	})
}

func TestABufferWithoutRoomForAnIDIsAnError(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ups.Latency = 0
	for _, transfer := range transfers(ups) {
		_, err := transfer(nil)
		require.Error(t, err)
	}
	assert.Empty(t, ups.Requests())
}

func TestAUnitChangesWhileManyRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, "smart1500lcd")
		battery := ups.Battery()
		go func() {
			for range battery.Watch(t.Context(), time.Hour) {
			}
		}()
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for range 50 {
					state, err := battery.Get(t.Context())
					if err == nil {
						assert.Equal(t, tripplite.ValueOf(117.2), state.Output.Voltage)
					}
				}
			})
		}
		for i := range 50 {
			ups.SetCharge(float64(i))
			ups.PowerFailure()
			ups.Unplug()
			time.Sleep(5 * time.Millisecond)
			ups.Replug()
			ups.PowerReturns()
			ups.Requests()
			time.Sleep(25 * time.Millisecond)
		}
		readers.Wait()
	})
}

func TestABankReadsItsUnitsSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := tripplitetest.NewUPS(t, "smart1500lcd")
		second := tripplitetest.NewUPS(t, "pro1500rt2u")
		second.Info.Path = "1-2:1.0"
		bank := tripplitetest.NewBank(t, first, second)
		first.Unplug()
		second.FailReport(0x18, io.ErrUnexpectedEOF)
		readings, err := bank.Get(t.Context())
		require.NoError(t, err)
		require.Len(t, readings, 2)
		assert.Equal(t, "1-1:1.0", readings[0].Info.Path)
		require.ErrorIs(t, readings[0].Err, tripplite.ErrDisconnected)
		assert.Zero(t, readings[0].State)
		assert.Equal(t, "1-2:1.0", readings[1].Info.Path)
		require.ErrorIs(t, readings[1].Err, io.ErrUnexpectedEOF)
		assert.Equal(t, tripplite.ValueOf(121.7), readings[1].State.Output.Voltage)
	})
}
