package tripplitetest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ hid.Device = (*tripplitetest.UPS)(nil)

// failing stands in for the test of somebody who makes a mistake.
type failing struct {
	testing.TB
	said     string
	cleanups []func()
}

func (f *failing) Helper()          {}
func (f *failing) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }
func (f *failing) Error(args ...any) {
	f.said += fmt.Sprint(args...)
}
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

func get(t *testing.T, b *tripplite.Battery) tripplite.State {
	t.Helper()
	state, err := b.Get(t.Context())
	require.NoError(t, err)
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
			Path: "1-1:1.0", VendorID: 0x09ae, ProductID: 0x2012, Family: "Tripp Lite 2xxx", Release: 1, Manufacturer: "Tripp Lite", Product: "Tripp Lite UPS"}},
		"pro1500rt2u": {123.3, 100, 2117 * time.Second, tripplite.DeviceInfo{
			Path: "1-1:1.0", VendorID: 0x05dd, ProductID: 0xa0a0, Family: "Delta/Minuteman", Release: 1, Product: "MINUTEMAN UPS"}},
	} {
		t.Run(name, func(t *testing.T) {
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

func TestASetReadingIsReadInItsUnit(t *testing.T) {
	volts := func(v float64) tripplite.Value[float64] { return tripplite.ValueOf(v) }
	for _, row := range []struct {
		name, capture string
		set           func(*tripplitetest.UPS)
		read          func(tripplite.State) any
		want          any
		reports       [][]byte // worked out by hand from the table of reports
	}{
		{"input voltage", "smart1500lcd", func(u *tripplitetest.UPS) { u.SetInputVoltage(98.5) },
			func(s tripplite.State) any { return s.Input.Voltage }, volts(98.5), [][]byte{{0x18, 0xd9, 0x03}}},
		{"input voltage, which the summary repeats", "pro1500rt2u", func(u *tripplitetest.UPS) { u.SetInputVoltage(98.5) },
			func(s tripplite.State) any { return s.Input.Voltage }, volts(98.5), [][]byte{{0x18, 0xd9, 0x03}, {0x31, 0xd9, 0x03}}},
		{"input voltage, rounded", "smart1500lcd", func(u *tripplitetest.UPS) { u.SetInputVoltage(98.47) },
			func(s tripplite.State) any { return s.Input.Voltage }, volts(98.5), [][]byte{{0x18, 0xd9, 0x03}}},
		{"no input voltage", "smart1500lcd", func(u *tripplitetest.UPS) { u.SetInputVoltage(0) },
			func(s tripplite.State) any { return s.Input.Voltage }, volts(0), [][]byte{{0x18, 0x00, 0x00}}},
		{"input frequency", "smart1500lcd", func(u *tripplitetest.UPS) { u.SetInputFrequency(50) },
			func(s tripplite.State) any { return s.Input.Frequency }, volts(50), [][]byte{{0x19, 0xf4, 0x01}}},
		{"output voltage", "smart1500lcd", func(u *tripplitetest.UPS) { u.SetOutputVoltage(230.1) },
			func(s tripplite.State) any { return s.Output.Voltage }, volts(230.1), [][]byte{{0x1b, 0xfd, 0x08}}},
		{"output frequency", "pro1500rt2u", func(u *tripplitetest.UPS) { u.SetOutputFrequency(60.1) },
			func(s tripplite.State) any { return s.Output.Frequency }, volts(60.1), [][]byte{{0x1c, 0x59, 0x02}}},
		{"output current", "pro1500rt2u", func(u *tripplitetest.UPS) { u.SetOutputCurrent(12.5) },
			func(s tripplite.State) any { return s.Output.Current }, volts(12.5), [][]byte{{0x46, 0x7d, 0x00}}},
		{"output power", "smart1500lcd", func(u *tripplitetest.UPS) { u.SetOutputPower(520) },
			func(s tripplite.State) any { return s.Output.ActivePower }, volts(520), [][]byte{{0x47, 0x08, 0x02}}},
		{"load", "smart1500lcd", func(u *tripplitetest.UPS) { u.SetLoad(104) },
			func(s tripplite.State) any { return s.Output.PercentLoad }, volts(104), [][]byte{{0x1e, 0x68}}},
		{"battery voltage", "smart1500lcd", func(u *tripplitetest.UPS) { u.SetBatteryVoltage(23.9) },
			func(s tripplite.State) any { return s.Battery.Voltage }, volts(23.9), [][]byte{{0x20, 0xef, 0x00}}},
		{"charge", "smart1500lcd", func(u *tripplitetest.UPS) { u.SetCharge(41) },
			func(s tripplite.State) any { return s.RemainingCapacity }, volts(41), [][]byte{{0x34, 0x29}}},
		{"run time", "smart1500lcd", func(u *tripplitetest.UPS) { u.SetRunTime(5 * time.Minute) },
			func(s tripplite.State) any { return s.RunTimeToEmpty }, tripplite.ValueOf(5 * time.Minute), [][]byte{{0x35, 0x2c, 0x01}}},
		{"a flag of the one-byte status", "smart1500lcd", func(u *tripplitetest.UPS) { u.SetStatus("ACPresent", false) },
			func(s tripplite.State) any { return s.Status.ACPresent }, tripplite.ValueOf(false), [][]byte{{0x32, 0x60}}},
		{"a flag of the three-byte status", "pro1500rt2u", func(u *tripplitetest.UPS) { u.SetStatus("ACPresent", false) },
			func(s tripplite.State) any { return s.Status.ACPresent }, tripplite.ValueOf(false), [][]byte{{0x32, 0x00, 0x00, 0x08}}},
		{"a flag that the battery repeats", "smart1500lcd", func(u *tripplitetest.UPS) { u.SetStatus("Charging", true) },
			func(s tripplite.State) any { return s.Status.Charging }, tripplite.ValueOf(true), [][]byte{{0x32, 0x66}, {0x23, 0x01}}},
		{"a flag that the battery repeats elsewhere", "pro1500rt2u", func(u *tripplitetest.UPS) { u.SetStatus("Charging", true) },
			func(s tripplite.State) any { return s.Status.Charging }, tripplite.ValueOf(true), [][]byte{{0x32, 0x00, 0x00, 0x19}, {0x23, 0x18}}},
		{"a flag of the converter", "smart1500lcd", func(u *tripplitetest.UPS) { u.SetStatus("AwaitingPower", true) },
			func(s tripplite.State) any { return s.Status.AwaitingPower }, tripplite.ValueOf(true), [][]byte{{0x22, 0x00, 0x40}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, when := range []string{"before the first read", "later"} {
				ups := tripplitetest.NewUPS(t, row.capture)
				battery := ups.Battery()
				if when == "later" {
					get(t, battery)
				}
				row.set(ups)
				assert.Equal(t, row.want, row.read(get(t, battery)), when)
				for _, want := range row.reports {
					assert.Equal(t, want, report(t, ups, want[0]))
				}
			}
		})
	}
}

// unit writes a capture file with one interface.
func unit(t testing.TB, iface string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "unit.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"name": "unit", "model": "UNIT", "source": ["a test"],
		"vendor_id": "09ae", "product_id": "9999", "release": "0001", "interfaces": [`+iface+`]}`), 0o600))
	return file
}

func TestAUnitWithoutADescriptorIsSetWhereItsAnswersLie(t *testing.T) {
	ups := tripplitetest.NewUPS(t, unit(t, `{"reports": [
		{"type": "feature", "id": "32", "bytes": "32 00 00 09", "origin": "composed"},
		{"type": "feature", "id": "18", "bytes": "18 d1 04", "origin": "composed"}]}`))
	battery := ups.Battery()
	assert.Equal(t, uint16(0x9999), battery.Info().ProductID)
	ups.SetInputVoltage(98.5)
	ups.SetStatus("Discharging", true) // bit 21 of the three-byte layout
	state := get(t, battery)
	assert.Equal(t, tripplite.ValueOf(98.5), state.Input.Voltage)
	assert.Equal(t, tripplite.ValueOf(true), state.Status.Discharging)
	assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
	assert.Equal(t, []byte{0x32, 0x00, 0x00, 0x29}, report(t, ups, 0x32))
	assert.Equal(t, [][]byte{{0x32, 0x00, 0x00, 0x29}}, announced(t, ups))
}

func TestAUnitIsSetWhereItsDescriptorSays(t *testing.T) {
	// The voltage stands at bit 8 of report 0x41, beside another number; the status at bit 9 of the feature report 0x40 and at bit 0 of
	// the two bytes of the input report.
	ups := tripplitetest.NewUPS(t, unit(t, `{"descriptor": "`+
		`05 84 09 04 a1 01`+ // UPS
		`09 24 a1 02 09 02 a1 02 85 40 15 00 25 01 75 01`+ // PowerSummary, PresentStatus, report 0x40 of single bits
		`95 09 b1 03 05 85 95 01 09 d0 b1 02 95 06 b1 03`+ // feature: 9 of padding, ACPresent, 6 of padding
		`95 01 09 d0 81 02 95 0f 81 03 c0 c0`+ // input: ACPresent, 15 of padding
		`05 84 09 16 a1 00 09 1a a1 02 85 41 26 ff 00 75 08 95 01 09 57 b1 02`+ // PowerConverter, Input, report 0x41: 8 bits
		`75 10 09 30 b1 02 c0 c0 c0`+ // Voltage in 16 bits
		`", "reports": [
		{"type": "feature", "id": "40", "bytes": "40 00 02", "origin": "composed"},
		{"type": "feature", "id": "41", "bytes": "41 ff 94 04", "origin": "composed"}]}`))
	battery := ups.Battery()
	assert.Equal(t, tripplite.ValueOf(117.2), get(t, battery).Input.Voltage)
	ups.SetInputVoltage(98.5)
	ups.SetStatus("ACPresent", false)
	ups.SetStatus("ACPresent", true)
	state := get(t, battery)
	assert.Equal(t, tripplite.ValueOf(98.5), state.Input.Voltage)
	assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
	assert.Equal(t, []byte{0x41, 0xff, 0xd9, 0x03}, report(t, ups, 0x41))
	assert.Equal(t, []byte{0x40, 0x00, 0x02}, report(t, ups, 0x40))
	assert.Equal(t, [][]byte{{0x40, 0x00, 0x00}, {0x40, 0x01, 0x00}}, announced(t, ups))
}

func TestAMistakeInATestIsNamed(t *testing.T) {
	smart := func(use func(u *tripplitetest.UPS)) func(testing.TB) {
		return func(t testing.TB) { use(tripplitetest.NewUPS(t, "smart1500lcd")) }
	}
	silent := unit(t, `{"reports": [{"type": "feature", "id": "1e", "bytes": "1e 0e", "origin": "composed"}]}`)
	for name, row := range map[string]struct {
		test func(testing.TB)
		says string
	}{
		"a capture that there is not": {func(t testing.TB) { tripplitetest.NewUPS(t, "smart1500") },
			`tripplitetest: "smart1500" is neither a capture file nor one of the built-in captures: ` +
				strings.Join(tripplitetest.Captures(), ", ") + `: file does not exist`},
		"a reading that the unit does not have": {smart(func(u *tripplitetest.UPS) { u.SetOutputFrequency(60) }),
			"tripplitetest: the smart1500lcd has no output frequency: none of its feature reports has it"},
		"a reading that the unit declares only": {func(t testing.TB) { tripplitetest.NewUPS(t, "pro1500rt2u").SetBatteryVoltage(36) },
			"tripplitetest: the pro1500rt2u has no battery voltage: it does not answer for report 0x20"},
		"a flag that the unit does not have": {smart(func(u *tripplitetest.UPS) { u.SetStatus("BatteryPresent", true) }),
			"tripplitetest: the smart1500lcd has no flag BatteryPresent: none of its feature reports has it"},
		"a flag that there is not": {smart(func(u *tripplitetest.UPS) { u.SetStatus("OnBattery", true) }),
			`tripplitetest: "OnBattery" is no flag of tripplite.Status`},
		"a charge of more than all": {smart(func(u *tripplitetest.UPS) { u.SetCharge(101) }),
			"tripplitetest: the smart1500lcd cannot say that its charge is 101 %"},
		"a voltage below zero": {smart(func(u *tripplitetest.UPS) { u.SetInputVoltage(-0.1) }),
			"tripplitetest: the smart1500lcd cannot say that its input voltage is -0.1 V"},
		"a load that says none": {smart(func(u *tripplitetest.UPS) { u.SetLoad(255) }),
			"tripplitetest: the smart1500lcd cannot say that its load is 255 %"},
		"a power failure that no reading shows": {func(t testing.TB) { tripplitetest.NewUPS(t, silent).PowerFailure() },
			"tripplitetest: the unit has no reading that tells whether mains is there: none of its feature reports has it"},
		"a power return that no reading shows": {func(t testing.TB) { tripplitetest.NewUPS(t, silent).PowerReturns() },
			"tripplitetest: the unit has no reading that tells whether mains is there: none of its feature reports has it"},
		"a low battery that no reading shows": {func(t testing.TB) { tripplitetest.NewUPS(t, silent).LowBattery() },
			"tripplitetest: the unit has no reading that tells whether the battery is low: it does not answer for report 0x35"},
		"a failure that is none": {smart(func(u *tripplitetest.UPS) { u.FailReport(0x18, nil) }),
			"tripplitetest: FailReport(0x18, nil): a failure is an error"},
		"two Batteries of one unit": {smart(func(u *tripplitetest.UPS) { u.Battery(); u.Battery() }),
			"tripplitetest: the smart1500lcd has a Battery that is not closed, and a UPS has one at a time"},
		"two units at one path": {func(t testing.TB) {
			tripplitetest.NewBank(t, tripplitetest.NewUPS(t, "smart1500lcd"), tripplitetest.NewUPS(t, "pro1500rt2u"))
		}, "tripplitetest: the smart1500lcd and the pro1500rt2u are both at 1-1:1.0: give one of them another Info.Path"},
		"a session that there is not": {func(t testing.TB) { tripplitetest.NewPlayer(t, "smart1500lcd") },
			"tripplitetest: smart1500lcd has no recorded session: NewUPS makes a unit of it"},
		"no mistake": {smart(func(u *tripplitetest.UPS) { u.SetCharge(100) }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, row.says, complaint(row.test))
		})
	}
}

func TestPowerFailsAndReturnsAsTheUnitShowsIt(t *testing.T) {
	for name, row := range map[string]struct {
		failure, low, returns, full [][]byte // what is announced, by the layouts of the status
	}{
		// Below remaining capacity, bit 5, is set from the start.
		"smart1500lcd": {[][]byte{{0x32, 0x28}}, [][]byte{{0x34, 0x0a}, {0x35, 0x78, 0x00}}, [][]byte{{0x32, 0x26}}, [][]byte{{0x32, 0x62}}},
		"pro1500rt2u": {[][]byte{{0x32, 0x00, 0x00, 0x20}}, [][]byte{{0x32, 0x00, 0x00, 0x24}, {0x34, 0x0a}, {0x35, 0x78, 0x00}},
			[][]byte{{0x32, 0x00, 0x00, 0x15}}, [][]byte{{0x32, 0x00, 0x00, 0x0d}}},
	} {
		t.Run(name, func(t *testing.T) {
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
			assert.Equal(t, before.Output.Voltage, state.Output.Voltage)

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
		t.Run(name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, name)
			battery := ups.Battery()
			before := get(t, battery)
			onBattery := func() bool {
				t.Helper()
				var power tripplite.OnBattery
				require.True(t, power.Observe(battery.Get(t.Context())))
				now, _ := power.Get()
				return now
			}
			ups.PowerReturns()
			assert.False(t, onBattery())
			if volts, known := before.Input.Voltage.Get(); known && volts == 0 {
				before.Input = tripplite.Input{Voltage: before.Config.Voltage, Frequency: before.Config.Frequency}
			}
			assert.Equal(t, before.Input, get(t, battery).Input)

			ups.PowerFailure()
			assert.True(t, onBattery())
			assert.Zero(t, get(t, battery).Input.Voltage.Or(0))
			assert.Zero(t, get(t, battery).Input.Frequency.Or(0))
			assert.Equal(t, before.Output, get(t, battery).Output)

			ups.PowerReturns()
			assert.False(t, onBattery())
			assert.Equal(t, before.Input, get(t, battery).Input)
		})
	}
}

// states runs a Watch until the test ends.
func states(t *testing.T, b *tripplite.Battery, every time.Duration) (next func() (tripplite.State, error)) {
	t.Helper()
	type turn struct {
		state tripplite.State
		err   error
	}
	ctx, cancel := context.WithCancel(t.Context())
	turns, done := make(chan turn), make(chan struct{})
	go func() {
		defer close(done)
		for state, err := range b.Watch(ctx, every) {
			select {
			case turns <- turn{state, err}:
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return func() (tripplite.State, error) {
		select {
		case turn := <-turns:
			return turn.state, turn.err
		case <-time.After(10 * time.Second):
			t.Fatal("Watch yields nothing")
			return tripplite.State{}, nil
		}
	}
}

func TestAWatchSeesWhatTheUnitAnnounces(t *testing.T) {
	for _, name := range []string{"smart1500lcd", "pro1500rt2u"} {
		t.Run(name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, name)
			next := states(t, ups.Battery(), time.Hour)
			before, err := next()
			require.NoError(t, err)

			ups.PowerFailure()
			state, err := next()
			require.NoError(t, err)
			assert.Equal(t, tripplite.ValueOf(false), state.Status.ACPresent)
			assert.Equal(t, before.Input, state.Input, "the announcement has the status alone")
			state, err = next()
			require.NoError(t, err)
			assert.Equal(t, tripplite.ValueOf(0.0), state.Input.Voltage)

			ups.SetCharge(42)
			state, err = next()
			require.NoError(t, err)
			assert.Equal(t, tripplite.ValueOf(42.0), state.RemainingCapacity)

			ups.AnswerReport(0x34, 0x34, 0x29) // of which the unit announces nothing
			ups.Push(0x34, 0x29)
			state, err = next()
			require.NoError(t, err)
			assert.Equal(t, tripplite.ValueOf(41.0), state.RemainingCapacity)
		})
	}
}

func TestAWatchOutlivesAnUnplug(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	next := states(t, ups.Battery(), time.Hour)
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

		ups.SetCharge(41)
		state, err = next()
		require.NoError(t, err)
		assert.Equal(t, tripplite.ValueOf(41.0), state.RemainingCapacity, "it is heard again")
		ups.SetCharge(43)
		_, err = next()
		require.NoError(t, err)
	}
}

func TestATransferFailsWhileTheUnitIsAway(t *testing.T) {
	const away = "the unit is unplugged"
	for name, row := range map[string]struct {
		leave func(*tripplitetest.UPS)
		says  string
	}{
		"unplugged":            {func(u *tripplitetest.UPS) { u.Unplug() }, away},
		"closed":               {func(u *tripplitetest.UPS) { u.Close() }, hid.ErrDeviceClosed.Error()},
		"unplugged and closed": {func(u *tripplitetest.UPS) { u.Unplug(); u.Close() }, hid.ErrDeviceClosed.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, "smart1500lcd")
			reading := make(chan error)
			go func() {
				_, err := ups.Read(make([]byte, 8))
				reading <- err
			}()
			row.leave(ups)
			require.Error(t, <-reading, "a read that waits ends")
			for call, transfer := range map[string]func([]byte) (int, error){
				"Read": ups.Read, "GetFeatureReport": ups.GetFeatureReport, "SendFeatureReport": ups.SendFeatureReport,
			} {
				_, err := transfer([]byte{0x11, 0x01})
				require.EqualError(t, err, row.says, call)
			}
			ups.Replug()
			_, err := ups.GetFeatureReport([]byte{0x11, 0x00})
			if name == "unplugged" {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, hid.ErrDeviceClosed)
			}
		})
	}
}

func TestAUnitIsOpenedAgainAfterItsBatteryIsClosed(t *testing.T) {
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
}

func TestAReportThatFailsIsTheOnlyOne(t *testing.T) {
	cause := errors.New("a bad cable")
	for name, row := range map[string]struct {
		fail func(*tripplitetest.UPS)
		says string
	}{
		"with an error":     {func(u *tripplitetest.UPS) { u.FailReport(0x18, cause) }, "a bad cable"},
		"with too little":   {func(u *tripplitetest.UPS) { u.AnswerReport(0x18, 0x18, 0x94) }, "1 bytes came of 2"},
		"with another's id": {func(u *tripplitetest.UPS) { u.AnswerReport(0x18, 0x19, 0x94, 0x04) }, "the unit answered with report 0x19"},
	} {
		t.Run(name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, "smart1500lcd")
			battery := ups.Battery()
			row.fail(ups)
			state, err := battery.Get(t.Context())
			var partial *tripplite.PartialError
			require.ErrorAs(t, err, &partial)
			require.Len(t, partial.Reports, 1)
			require.ErrorContains(t, partial.Reports[0], row.says)
			assert.Equal(t, byte(0x18), partial.Reports[0].ID)
			assert.Equal(t, tripplite.Value[float64]{}, state.Input.Voltage)
			assert.Equal(t, tripplite.ValueOf(59.7), state.Input.Frequency)

			ups.SetInputVoltage(98.5)
			ups.HealReport(0x18)
			ups.HealReport(0x18)
			assert.Equal(t, tripplite.ValueOf(98.5), get(t, battery).Input.Voltage, "what was set meanwhile")
		})
	}
}

func TestTheAnswerIsWhatTheTestSays(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ups.AnswerReport(0x34)
	ups.AnswerReport(0x1e, 0x1e, 0xff)
	ups.AnswerReport(0x18, 0x18, 0xd9, 0x03, 0xde, 0xad)
	ups.AnswerReport(0x46, 0x46, 0x7d, 0x00) // which the capture does not have
	state := get(t, ups.Battery(tripplite.WithReportDescriptor(nil)))
	assert.Equal(t, tripplite.Value[float64]{}, state.RemainingCapacity, "an empty answer says that the unit does not provide it")
	assert.Equal(t, tripplite.Value[float64]{}, state.Output.PercentLoad, "255 says that the load is not measured")
	assert.Equal(t, tripplite.ValueOf(98.5), state.Input.Voltage, "surplus bytes are not part of it")
	assert.Equal(t, tripplite.ValueOf(12.5), state.Output.Current)
}

func TestRequestsAreWhatTheUnitWasAsked(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	battery := ups.Battery()
	get(t, battery)
	first := ups.Requests()
	assert.Equal(t, tripplitetest.Request{ID: 0x32}, first[0], "the status comes first")
	assert.Greater(t, len(first), 10, "the first read asks for what does not change, too")

	get(t, battery)
	ids := []byte{}
	for _, r := range ups.Requests() {
		assert.Nil(t, r.Sent)
		ids = append(ids, r.ID)
	}
	// What the root package's own test demands of the steady state: each reading that changes, once.
	assert.ElementsMatch(t, []byte{0x32, 0x22, 0x18, 0x19, 0x1b, 0x47, 0x1e, 0x20, 0x34, 0x35}, ids)

	muted := []byte{0x11, 0x03}
	n, err := ups.SendFeatureReport(muted)
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	muted[1] = 0
	ups.FailReport(0x11, errors.New("no"))
	_, err = ups.SendFeatureReport([]byte{0x11, 0x01})
	require.EqualError(t, err, "no")
	ups.HealReport(0x11)
	assert.Equal(t, []tripplitetest.Request{{ID: 0x11, Sent: []byte{0x11, 0x03}}, {ID: 0x11, Sent: []byte{0x11, 0x01}}}, ups.Requests())
	assert.Empty(t, ups.Requests())

	controls, err := battery.Controls(t.Context())
	require.NoError(t, err)
	assert.Equal(t, tripplite.ValueOf(tripplite.AlarmMuted), controls.AudibleAlarmControl, "what was written is read")
}

func TestAnUnheardUnitGoesOnAnnouncing(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	for i := range 1000 {
		ups.Push(0x34, byte(i%100))
	}
	reports := announced(t, ups)
	assert.Less(t, len(reports), 100, "a queue is short")
	assert.Equal(t, []byte{0x34, 99}, reports[len(reports)-1], "and keeps the newest")
}

func TestADeviceWithoutRoomForAnIDOrAnOutputReport(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	for _, transfer := range []func([]byte) (int, error){ups.GetFeatureReport, ups.SendFeatureReport, ups.Write} {
		_, err := transfer(nil)
		require.Error(t, err)
	}
	assert.Empty(t, ups.Requests())
}

func TestAUnitChangesWhileManyRead(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	battery := ups.Battery()
	next := states(t, battery, time.Hour)
	_, err := next()
	require.NoError(t, err)
	var readers sync.WaitGroup
	for range 4 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for range 50 {
				state, err := battery.Get(t.Context())
				if err == nil {
					assert.Equal(t, tripplite.ValueOf(117.2), state.Output.Voltage)
				}
			}
		}()
	}
	for i := range 50 {
		ups.SetCharge(float64(i))
		ups.PowerFailure()
		ups.Unplug()
		ups.Replug()
		ups.PowerReturns()
		ups.Requests()
	}
	readers.Wait()
}

func TestABankReadsItsUnitsSideBySide(t *testing.T) {
	first, second := tripplitetest.NewUPS(t, "smart1500lcd"), tripplitetest.NewUPS(t, "pro1500rt2u")
	second.Info.Path = "1-2:1.0"
	bank := tripplitetest.NewBank(t, first, second)
	first.Unplug()
	second.FailReport(0x18, errors.New("a bad cable"))
	readings, err := bank.Get(t.Context())
	require.NoError(t, err)
	require.Len(t, readings, 2)
	assert.Equal(t, "1-1:1.0", readings[0].Info.Path)
	require.ErrorIs(t, readings[0].Err, tripplite.ErrDisconnected)
	assert.Zero(t, readings[0].State)
	assert.Equal(t, "1-2:1.0", readings[1].Info.Path)
	require.ErrorAs(t, readings[1].Err, new(*tripplite.PartialError))
	assert.Equal(t, tripplite.ValueOf(121.7), readings[1].State.Output.Voltage)
}
