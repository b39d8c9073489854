package tripplite

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	mathbits "math/bits"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/hidreport"
)

// misread are the values that a program shows which believes a unit's report descriptor, as NUT did
// when it printed the sources of the captures, and what the unit means.
var misread = []struct {
	unit, path string
	believed   float64
	key        string // of the field
	want       float64
}{
	// An exponent that is missing, or is not the one that the unit of measurement wants.
	{"smart1500lcd-2007", "UPS.PowerConverter.Output.Voltage", 1162, "output.voltage", 116.2},
	{"smart1500lcd", "UPS.BatterySystem.Battery.Voltage", 275, "battery.voltage", 27.5},
	{"smart1500lcd-520w", "UPS.PowerConverter.Output.ActivePower", 5.2e-05, "output.power", 520},
	{"smart3000rm2u", "UPS.PowerConverter.Output.Voltage", 1.122e-05, "output.voltage", 112.2},
	{"smart3000rm2u", "UPS.PowerConverter.Output.ActivePower", 5.66e-05, "output.power", 566},
	{"smart1500lcdt", "UPS.PowerConverter.Input.Frequency", 5990, "input.frequency", 59.9},
	{"smart1500lcdt", "UPS.PowerConverter.Output.Frequency", 5990, "output.frequency", 59.9},
	{"unit-3016", "UPS.PowerSummary.Input.Voltage", 0.001214, "input.voltage", 121.4},
	{"br1500lcdt", "UPS.PowerConverter.Input.Frequency", 6000, "input.frequency", 60},
	{"br1500lcdt", "UPS.PowerConverter.Input.Voltage", 0.001189, "input.voltage", 118.9},
	{"br1500lcdt", "UPS.BatterySystem.Battery.Voltage", 0.000273, "battery.voltage", 27.3},
	{"br1500lcdt", "UPS.PowerConverter.Output.Current", 90, "output.current", 0.9},

	// A Logical Maximum of 255 for 16 bits.
	{"omni900lcd", "UPS.PowerConverter.Output.Voltage", 166, "output.voltage", 119},
	{"pro1500rt2u", "UPS.PowerConverter.Input.Voltage", 0.000209, "input.voltage", 123.3},
	{"pro1500rt2u", "UPS.PowerConverter.Input.Frequency", 870, "input.frequency", 59.9},
	{"pro1500rt2u", "UPS.PowerConverter.Output.Current", 220, "output.current", 2.2},
	{"pro1500rt2u", "UPS.BatterySystem.Battery.Voltage", 0.000412, "battery.voltage", 41.2},
}

func TestScaleAndLengthAreNotTheDescriptors(t *testing.T) {
	for _, row := range misread {
		t.Run(row.unit+" "+row.path, func(t *testing.T) {
			assert.InEpsilon(t, row.believed, believe(t, row.unit, row.path), 1e-9,
				"the capture does not play the mistake")
			got, known := read(t, row.unit).Number(row.key)
			assert.True(t, known)
			assert.Equal(t, row.want, got)
		})
	}
}

// exponents are those that a unit of measurement wants for its base unit, since HID counts in
// centimetres and grams (HID 1.11, 6.2.2.7).
var exponents = map[uint32]int{0xf0d121: 7, 0xd121: 7}

// believe reads a field as its descriptor has it: cut off at the bits of its Logical Maximum, and
// scaled by its exponent.
func believe(t *testing.T, name, path string) float64 {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	iface := c.Interfaces[c.UPSInterface]
	d, err := hidreport.Parse(iface.Descriptor)
	require.NoError(t, err)
	for _, f := range d.Fields {
		if f.Type != hidreport.Feature || f.Path.String() != path {
			continue
		}
		for _, r := range iface.Reports {
			if r.Type == capture.Feature && byte(r.ID) == f.ReportID {
				raw := number32(r.Bytes[1:]) & (1<<mathbits.Len64(uint64(f.LogicalMax)) - 1)
				return float64(raw) * math.Pow10(f.UnitExponent-exponents[f.Unit])
			}
		}
	}
	require.Fail(t, "no such field", "%s %s", name, path)
	return 0
}

// read reads a captured unit once, by its descriptor.
func read(t *testing.T, name string, opts ...Option) State {
	t.Helper()
	b, _ := open(t, name, opts...)
	state, err := b.Get(t.Context())
	require.True(t, HasState(err), "%v", err)
	return state
}

// jsonValue is what stands at a place such as "input.voltage"; nil where there is nothing.
func jsonValue(t *testing.T, state State, key string) any {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal(must(json.Marshal(state)), &value))
	for _, name := range strings.Split(key, ".") {
		branch, _ := value.(map[string]any)
		value = branch[name]
	}
	return value
}

// failedIDs returns the reports that an error names, in ascending order.
func failedIDs(t *testing.T, err error) []byte {
	t.Helper()
	if err == nil {
		return nil
	}
	var partial *PartialError
	require.ErrorAs(t, err, &partial)
	var ids []byte
	for _, r := range partial.Reports {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestTheTableReadsEveryKnownFamilyWithoutItsDescriptor(t *testing.T) {
	byDescriptor := map[string]string{
		"smart1500slt":      "the reports of the temperature and of a limit differ",
		"su1500rtxlcd2u":    "the reports of the temperature and of a limit differ",
		"hp-t1500g3":        "the report of a version has another meaning on other families",
		"unlisted-3099":     "no report is where the table has it",
		"without-acpresent": "the length of its status is that of another layout",
	}
	for _, name := range capture.Names() {
		if byDescriptor[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			b, _ := open(t, name, WithReportDescriptor(nil))
			state, err := b.Get(t.Context())
			require.NoError(t, err, "what is not declared need not be answered")
			settings, err := b.Settings(t.Context())
			require.NoError(t, err)
			assert.JSONEq(t, expected(t, name), asCaptured(t, state, settings),
				"if TestGetReadsEveryCapture passes, a reading is in another report than the "+
					"table has it: add the unit to byDescriptor in models_test.go, with the reason")
		})
	}
}

func TestAFirstByteOfZeroIsNotAStatusOfFalse(t *testing.T) {
	// numat #10: of these three bytes a reader of one sees every flag false.
	for how, opts := range hows {
		for _, name := range []string{"eco850lcd", "omnivs1500lcd"} {
			b, ups := open(t, name, opts...)
			status, ok := ups.Payload(statusID)
			require.True(t, ok)
			require.Len(t, status, 3)
			require.Zero(t, status[0])
			state, err := b.Get(t.Context())
			require.True(t, HasState(err), "%v", err)
			assert.Equal(t, ValueOf(true), state.Status.ACPresent, "%s %s", name, how)
			assert.Equal(t, ValueOf(false), state.Status.Discharging, "%s %s", name, how)
		}
	}
}

// hows are the two ways to know the layout of a status.
var hows = map[string][]Option{
	"by the descriptor": nil,
	"by the length":     {WithReportDescriptor(nil)},
}

func TestFlagsOnTheWrongPageAreRead(t *testing.T) {
	status := read(t, "omni900lcd").Status
	assert.Equal(t, ValueOf(true), status.ACPresent)
	assert.Equal(t, ValueOf(true), status.Charging)
	assert.Equal(t, ValueOf(false), status.Discharging)
	assert.Equal(t, ValueOf(false), status.NeedReplacement)
}

func TestAStatusInAnotherReportSizeAndOrder(t *testing.T) {
	b, ups := open(t, "unlisted-3099")
	_, err := b.Get(t.Context())
	require.NoError(t, err)
	ups.Set(0x41, 1, 0, 1, 0, 0, 0)
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Status{
		Discharging: ValueOf(true), ACPresent: ValueOf(false), NeedReplacement: ValueOf(true),
		FullyCharged: ValueOf(false), Charging: ValueOf(false),
	}, state.Status, "each flag from its own byte")

	ups.Set(0x41, 1, 0, 1, 0, 0xff, 0)
	state, err = b.Get(t.Context())
	var report *ReportError
	require.ErrorAs(t, err, &report)
	assert.Equal(t, byte(0x41), report.ID)
	assert.Zero(t, state, "its fifth byte is padding: such a status is not believed")
}

func TestAReportThatHoldsNominalAndLiveValuesIsReadAnew(t *testing.T) {
	b, ups := open(t, "unlisted-3099")
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(27.0), state.Battery.Voltage)
	ups.Set(0x50, 0x18, 0x00, 0xf0, 0x00)
	state, err = b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(24.0), state.Battery.Voltage, "which is not that of the first read")
	assert.Equal(t, ValueOf(24.0), state.Config.BatteryVoltage)
}

func TestACPresentThatIsNotReportedIsUnknown(t *testing.T) {
	state := read(t, "without-acpresent")
	assert.Equal(t, Value[bool]{}, state.Status.ACPresent)
	assert.Nil(t, jsonValue(t, state, "status.ac present"))
	var alarm OnBattery
	alarm.Observe(state, nil)
	onBattery, _ := alarm.Get()
	assert.False(t, onBattery, "NUT #2030 shows a unit without ACPresent as on battery")
}

func TestZerosOnBatteryAreReadings(t *testing.T) {
	for _, name := range []string{"smart1500lcd-on-battery", "eco850lcd-on-battery"} {
		state := read(t, name)
		assert.Equal(t, Input{Voltage: ValueOf(0.0), Frequency: ValueOf(0.0)}, state.Input, name)
		assert.Equal(t, ValueOf(false), state.Status.ACPresent, name)
		assert.Equal(t, ValueOf(true), state.Status.Discharging, name)
	}
	assert.Equal(t, Output{
		Voltage: ValueOf(100.0), Frequency: ValueOf(59.9), Current: ValueOf(0.0),
		ActivePower: ValueOf(0.0), PercentLoad: ValueOf(0.0),
	}, read(t, "su1500rtxlcd2u").Output, "and so are those without a load")
}

func TestWhatAReportCannotMeanIsAbsent(t *testing.T) {
	state := read(t, "implausible")
	assert.Zero(t, state.Input, "0xffff V, 6000 Hz")
	assert.Zero(t, state.Output, "0xffff V, 0xffff W, 255 %")
	assert.Zero(t, state.Battery, "0xffff V")
	assert.Equal(t, Value[float64]{}, state.RemainingCapacity, "255 %")
	assert.Equal(t, Value[time.Duration]{}, state.RunTimeToEmpty, "0xffff s")
	assert.Equal(t, Config{ProtocolVersion: ValueOf(BCD(0x2012))}, state.Config)
	assert.Equal(t, Value[float64]{}, read(t, "ups-900va").Output.PercentLoad,
		"255 % on a unit whose other readings are good")
}

func TestUnitsWithoutVoltagesHaveNone(t *testing.T) {
	for _, name := range []string{"avr750u", "eco550ups"} {
		state := read(t, name)
		assert.Zero(t, state.Input, name)
		assert.Zero(t, state.Output, name)
		assert.Zero(t, state.Battery, name)
		assert.Equal(t, ValueOf(100.0), state.RemainingCapacity, name)
	}
}

func TestTheNominalVoltageIsTheOutputs(t *testing.T) {
	b, ups := open(t, "omnivs1500lcd")
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	_, asked := ups.transfers()
	assert.Equal(t, ValueOf(120.0), state.Config.Voltage, "of report 01, not the 4 V of report 30")
	assert.NotContains(t, asked, byte(0x30))

	state = read(t, "smart3000rm2u")
	assert.Equal(t, ValueOf(120.0), state.Config.Voltage, "of report 30, for want of report 01")
	assert.Equal(t, ValueOf(112.2), state.Input.Voltage, "of report 31, for want of report 18")
	assert.Zero(t, state.Battery, "report 31 is the input")
}

func TestTemperaturesAreInKelvinOnTheWire(t *testing.T) {
	for name, want := range map[string]float64{
		"smart1500slt": 24.85, "su1500rtxl2ua": 26.85, "su1500rtxlcd2u": 26.85,
		"su3000rtxr3u": 23.85, "ed2000rm2u": 17.85,
	} {
		assert.Equal(t, ValueOf(want), read(t, name).Battery.Temperature, name)
	}
}

func TestVersionsOfOneAndOfTwoBytes(t *testing.T) {
	eco, hp := read(t, "eco850lcd").Config, read(t, "hp-t1500g3").Config
	assert.Equal(t, ValueOf(uint16(177)), eco.FirmwareVersion)
	assert.Equal(t, ValueOf(uint16(262)), hp.CommunicationVersion)
	assert.Equal(t, ValueOf(uint16(262)), hp.FirmwareVersion)
	assert.Equal(t, "0a00", hp.ProtocolVersion.String())
}

func TestAnIdleTimerHoldsNothing(t *testing.T) {
	// A 4004 has its idle timers at 0xffff, 0 and 0 (facts-commands.md, 3).
	b, ups := open(t, "su1500rtxlcd2u")
	for id, idle := range map[byte]string{0x15: "ff ff", 0x16: "00 00", 0x17: "00 00"} {
		payload, ok := ups.Payload(id)
		require.True(t, ok)
		require.Equal(t, unhex(idle), payload)
	}
	read := func() (State, Settings) {
		state, err := b.Get(t.Context())
		require.NoError(t, err)
		settings, err := b.Settings(t.Context())
		require.NoError(t, err)
		return state, settings
	}
	state, settings := read()
	assert.Equal(t, Value[time.Duration]{}, state.DelayBeforeShutdown)
	assert.Equal(t, Value[time.Duration]{}, settings.DelayBeforeStartup)
	assert.Equal(t, Value[time.Duration]{}, settings.DelayBeforeReboot)

	ups.Set(0x15, 20, 0)
	ups.Set(0x17, 1, 0)
	state, settings = read()
	assert.Equal(t, ValueOf(20*time.Second), state.DelayBeforeShutdown)
	assert.Equal(t, ValueOf(time.Second), settings.DelayBeforeReboot)

	ups.Set(0x15, 0, 0)
	state, _ = read()
	assert.Equal(t, ValueOf(time.Duration(0)), state.DelayBeforeShutdown, "in its last second")
}

func TestADeclaredReportOfNoBytesIsAbsentAndNamed(t *testing.T) {
	// TestADeclaredReportIsNamedUntilItWasRefusedForLong has the reads that follow.
	b, ups := open(t, "smart1500lcd-awkward")
	state, err := b.Get(t.Context())
	require.True(t, HasState(err), "%v", err)
	assert.Equal(t, []byte{0x47}, failedIDs(t, err))
	assert.Equal(t, Value[float64]{}, state.Output.ActivePower)
	_, asked := ups.transfers()
	assert.Equal(t, tries, asked[0x47])

	dump, err := b.Dump(t.Context(), 0)
	require.NoError(t, err)
	i := slices.IndexFunc(dump.Features, func(r RawReport) bool { return r.ID == 0x66 })
	require.GreaterOrEqual(t, i, 0, "it is declared, so it is asked for")
	assert.Equal(t, RawReport{ID: 0x66, Bytes: []byte{}}, dump.Features[i])
}

func TestAnswersThatAreTooLongAreCutOff(t *testing.T) {
	for name, opts := range hows {
		t.Run(name, func(t *testing.T) {
			state := read(t, "smart1500lcd-awkward", opts...)
			assert.Equal(t, ValueOf(117.2), state.Input.Voltage)
			assert.Equal(t, ValueOf(100.0), state.RemainingCapacity)
		})
	}
}

func TestWhatIsDeclaredAsAnInputAloneIsKnownWhenItIsAnnounced(t *testing.T) {
	b, ups := open(t, "input-only")
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Value[time.Duration]{}, state.RunTimeToEmpty)
	assert.Equal(t, ValueOf(93.0), state.RemainingCapacity,
		"the battery's own, for which the summary's input report does not stand")
	_, asked := ups.transfers()
	assert.Equal(t, map[byte]int{0x32: 1, 0x21: 1}, asked,
		"a feature report is not asked for where only an input report is declared")

	r := announce(t, "input-only", "35 84 03")
	assert.Equal(t, ValueOf(900*time.Second), r.RunTimeToEmpty)
}

func TestAReportThatAFamilyNeverAnswersIsNoFailure(t *testing.T) {
	b, ups := open(t, "su3000lcd2uhv")
	for range 4 {
		settings, err := b.Settings(t.Context())
		require.NoError(t, err,
			"NUT #297: product 1330 declares report 17 and does not answer it")
		assert.Equal(t, Value[time.Duration]{}, settings.DelayBeforeReboot)
		assert.Equal(t, ValueOf(AlarmEnabled), settings.AudibleAlarmControl)
	}
	_, asked := ups.transfers()
	assert.Equal(t, refusalsUndeclared, asked[0x17], "each time would cost a second")
}

func TestAFieldIsReadInWhicheverReportItIs(t *testing.T) {
	b, ups := open(t, "smart1500lcdt")
	_, err := b.Settings(t.Context())
	require.NoError(t, err)
	_, asked := ups.transfers()
	assert.Equal(t, 1, asked[0x61], "DelayBeforeStartup")
	assert.NotContains(t, asked, byte(0x16))

	b, ups = open(t, "smart1500slt")
	_, err = b.Settings(t.Context())
	require.NoError(t, err)
	_, asked = ups.transfers()
	assert.Equal(t, 1, asked[0x16], "the same on a 3012")
	assert.NotContains(t, asked, byte(0x61))

	state := read(t, "unlisted-3099")
	assert.Equal(t, ValueOf(120.1), state.Input.Voltage,
		"in report 1b, which other families have the output in")
	assert.Equal(t, ValueOf(122.0), state.Output.Voltage,
		"in report 18, which other families have the input in")
}

func TestALimitThatAUnitSaysItIsBelowIsShownWhateverItsCharge(t *testing.T) {
	// The bytes that numat's README seems to show: 0x46 with its bits in the wrong order.
	b, ups := open(t, "smart1500lcd")
	ups.Set(0x32, 0x62)
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ValueOf(100.0), state.RemainingCapacity)
	assert.Equal(t, ValueOf(true), state.Status.BelowRemainingCapacityLimit)
}

func TestWhatIsNotUnderstoodIsNamedAndNothingIsMadeOfIt(t *testing.T) {
	for name, reports := range map[string][]string{
		"unlisted-3099": {
			"0x44 UPS.PowerSummary.CapacityMode, 8 bits at 0",
			"0x61 UPS.Output.Voltage, 16 bits at 0",
			"0x70 UPS.ffff0010.ffff0099, 32 bits at 0",
		},
		"hp-t1500g3": {
			"0xff UPS.ffff0010.00ff0001.ffff00ff, 8 bits at 0",
			"0x6d UPS.ffff0010.00ff0001.ffff007b, 8 bits at 0",
			"0x70 UPS.ffff0010.00ff0001.ffff007a, 8 bits at 0",
			"0x71 UPS.ffff0010.00ff0001.ffff0056, 16 bits at 0",
			"0x72 UPS.ffff0010.00ff0001.ffff0080, 16 bits at 0",
		},
		"smart3000rm2u": { // indices of strings, which the system tells, and the maker's own
			"0x28 UPS.PowerSummary.iProduct, 8 bits at 0",
			"0x29 UPS.PowerSummary.iSerialNumber, 8 bits at 0",
			"0x2b UPS.PowerSummary.iManufacturer, 8 bits at 0",
			"0xc0 UPS.PowerSummary.ffff00d9, 8 bits at 0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			handler := slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})
			b, ups := open(t, name, WithLogger(slog.New(handler)))
			readWhole(t, b)
			require.NoError(t, b.Close())
			assert.Contains(t, text.String(), fmt.Sprintf("reports=%q", fmt.Sprint(reports)),
				"all of them, and no others")
			_, asked := ups.transfers()
			for _, report := range reports {
				assert.NotContains(t, asked, unhex(report[2:4])[0], report)
			}
		})
	}
}

func TestTheDecoyInterfaceShowsNoFalseStatus(t *testing.T) {
	c, err := capture.Load("br1500lcdt")
	require.NoError(t, err)
	require.Equal(t, 1, c.UPSInterface)
	b := New(c.Device(0), WithReportDescriptor(c.Interfaces[0].Descriptor))
	defer b.Close()
	state, err := b.Get(t.Context())
	require.False(t, HasState(err), "not \"on battery\", as NUT #2030 shows it")
	assert.Zero(t, state)
}

func TestFamiliesNameNoProductTwice(t *testing.T) {
	seen := map[string]string{}
	for _, f := range families {
		for _, product := range f.products {
			id := fmt.Sprintf("%04x:%04x", f.vendor, product)
			assert.Empty(t, seen[id], "%s is in %s and in %s", id, seen[id], f.name)
			seen[id] = f.name
			found, ok := familyOf(f.vendor, product)
			assert.True(t, ok)
			assert.Equal(t, f.name, found.name, "%s is hidden by another family", id)
		}
	}
}

// firstCells are the first cells of the rows of the tables in a Markdown file, their code spans
// without the quotes.
func firstCells(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var cells []string
	row := regexp.MustCompile("(?m)^\\| `([^`|]+)`.*$")
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		cells = append(cells, match[1])
	}
	return cells
}

func TestTheCompatibilityTableHasTheProductsOfTheFamilies(t *testing.T) {
	var want []string
	for _, f := range families {
		for _, product := range f.products {
			want = append(want, fmt.Sprintf("%04x:%04x", f.vendor, product))
		}
	}
	assert.ElementsMatch(t, want, firstCells(t, "docs/compatibility.md"),
		"the ids of families.go, and those of docs/compatibility.md")
}

func TestTheCompatibilityTableNamesTheCapturesOfEachProduct(t *testing.T) {
	text, err := os.ReadFile("docs/compatibility.md")
	require.NoError(t, err)
	invented := []string{"unlisted-3099", "without-acpresent", "input-only"}
	for _, name := range capture.Names() {
		if slices.Contains(invented, name) {
			continue
		}
		c, err := capture.Load(name)
		require.NoError(t, err)
		id := fmt.Sprintf("%04x:%04x", uint16(c.VendorID), uint16(c.ProductID))
		row := regexp.MustCompile("(?m)^\\| `" + id + "`.*$").FindString(string(text))
		assert.Contains(t, row, "`"+name+"`", "the row of %s in docs/compatibility.md", id)
	}
}

func TestTheListOfCapturesHasEachOfThem(t *testing.T) {
	var listed []string
	for _, cell := range firstCells(t, "testdata/captures/README.md") {
		if slices.Contains(capture.Names(), cell) {
			listed = append(listed, cell)
		}
	}
	assert.ElementsMatch(t, capture.Names(), listed,
		"the files of testdata/captures, and those that its README lists")
}
