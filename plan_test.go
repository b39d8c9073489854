package tripplite

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// flagCase is a status report: which flag each of its bits is, by the last part of the flag's key.
type flagCase struct {
	unit       string
	id         byte
	bytes      int
	flags      map[int]string
	descriptor []byte
	noLayout   bool // the bits are known from the descriptor alone
}

var flagCases = []flagCase{
	{
		unit: "2012", id: 0x32, bytes: 1, // the order that numat uses
		flags: map[int]string{
			0: "shutdown imminent", 1: "ac present", 2: "charging", 3: "discharging",
			4: "needs replacement", 5: "below remaining capacity", 6: "fully charged",
			7: "fully discharged",
		},
		descriptor: capturedDescriptor("smart1500lcdxl"),
	},
	{
		unit: "a0a0", id: 0x32, bytes: 3, // the offsets that NUT's log prints
		flags:      summaryFlags,
		descriptor: capturedDescriptor("pro1500rt2u"),
	},
	{
		unit: "3016", id: 0x32, bytes: 3,
		flags:      summaryFlags,
		descriptor: capturedDescriptor("unit-3016"),
	},
	{
		unit: "4003", id: 0x32, bytes: 3, // which declares the bits 18 and 19 constant
		flags:      summaryFlags,
		descriptor: capturedDescriptor("su3000rtxr3u"),
	},
	{
		unit: "2012", id: 0x22, bytes: 2,
		flags:      converterFlags,
		descriptor: capturedDescriptor("smart1500lcdxl"),
	},
	{
		unit: "any unit with 0x22 alone", id: 0x22, bytes: 2,
		flags: converterFlags,
		descriptor: collection(usageUPS, collection(usagePowerConverter,
			collection(usagePresentStatus, feature(0x22, 1, 0x840063, 0x84006f, 0x84006e, 0,
				0x840065, 0x84006d, 0x840067, 0x840062, 0, 0, 0, 0, 0, 0, 0x840072, 0)))),
	},
	{
		unit: "2012", id: 0x23, bytes: 1,
		flags: map[int]string{0: "charging", 1: "discharging", 2: "needs replacement"},
		// The PresentStatus of its battery, as captured, in the collections around it.
		descriptor: unhex("05840904a1010910a1020912a102" +
			"0902a1028523058575012501950309440945094bb1829505b101c0" +
			"c0c0c0"),
		noLayout: true,
	},
	{
		unit: "a0a0", id: 0x23, bytes: 1,
		flags: map[int]string{
			2: "below remaining capacity", 3: "fully charged", 4: "charging", 5: "discharging",
			6: "fully discharged", 7: "needs replacement",
		},
		// The PresentStatus of its battery, as captured, in the collections around it.
		descriptor: unhex("05840904a1010910a1020912a102" +
			"0902a1028523750195021500250165005500b1019506058509420946094409450947094bb182c0" +
			"c0c0c0"),
		noLayout: true,
	},
}

var summaryFlags = map[int]string{
	7: "internal failure", 9: "shutdown imminent", 16: "ac present",
	18: "below remaining capacity", 19: "fully charged", 20: "charging", 21: "discharging",
	22: "fully discharged", 23: "needs replacement",
}

var converterFlags = map[int]string{
	0: "voltage out of range", 1: "buck", 2: "boost", 4: "overload", 5: "used",
	6: "over temperature", 7: "internal failure", 14: "awaiting power",
}

func TestPlanOfA2012(t *testing.T) {
	p := planOf(t, capturedDescriptor("smart1500lcdxl"))

	require.True(t, p.features[0].status)
	require.Equal(t, byte(0x32), p.features[0].id, "the status is asked for first")
	require.ElementsMatch(t, unhex("32 22 18 31 19 1b 47 1e 20 34 35 15"), idsOf(p.features, live))
	require.ElementsMatch(t, unhex("01 30 02 03 04 36 37 6c 2a"), idsOf(p.features, nominal))
	require.ElementsMatch(t, unhex("10 11 17 52 b6"), idsOf(p.features, setting))
	require.ElementsMatch(t, unhex("32 34 35"), idsOf(p.inputs, live))
	require.Equal(t, -1, indexOf(p.features, 0x23),
		"0x32 has every flag of 0x23, so that asking for it would be a transfer too many")
}

func TestPlanOfAnA0A0(t *testing.T) {
	p := planOf(t, capturedDescriptor("pro1500rt2u"))

	require.Equal(t, byte(0x32), p.features[0].id)
	require.Equal(t, 3, p.features[0].bytes)
	require.ElementsMatch(t, unhex("32 22 18 31 19 1b 1c 46 47 1e 20 34 21 35 15"),
		idsOf(p.features, live))
	require.ElementsMatch(t, unhex("01 30 02 03 04 06 09 36 37 38 0f 6c 2a"),
		idsOf(p.features, nominal), "report 0e has another usage than an HP's version")
	require.ElementsMatch(t, unhex("10 11 61 17"), idsOf(p.features, setting),
		"report 16 has another usage than DelayBeforeStartup")
	require.ElementsMatch(t, unhex("32 34 35"), idsOf(p.inputs, live))
	require.Equal(t, 1, entryOf(t, p.features, 0x0f).bytes, "this family's version is one byte")
}

func TestPlanWithoutADescriptorHasEveryRowWhoseBitsAreKnown(t *testing.T) {
	p := tablePlan()

	require.Equal(t, byte(0x32), p.features[0].id, "the status is asked for first")
	require.True(t, p.features[0].status)
	ids := slices.Concat(
		idsOf(p.features, live), idsOf(p.features, nominal), idsOf(p.features, setting))
	require.Equal(t, unhex("01 02 03 04 06 09 0f 10 11 15 17 18 19 1a 1b 1c 1e 20 21 22 2a 30 31 "+
		"32 34 35 36 37 38 3a 46 47 52 61 6c b6"), slices.Sorted(slices.Values(ids)),
		"0x23 is missing: families have the same length of it and other bits")
	require.ElementsMatch(t, unhex("32 34 35"), idsOf(p.inputs, live))
}

func TestAnInputReportSharesNothingWithTheFeature(t *testing.T) {
	// The worker notes what a feature has no value for while an announcement is decoded.
	for how, p := range map[string]plan{
		"by the table":      tablePlan(),
		"by the descriptor": planOf(t, capturedDescriptor("smart1500lcdxl")),
	} {
		e := entryOf(t, p.features, 0x34)
		e.note(nil)
		require.True(t, e.readings[0].none)
		require.False(t, entryOf(t, p.inputs, 0x34).readings[0].none, how)
	}
}

func TestDescriptorWithoutStatusIsRefused(t *testing.T) {
	// Nobody could say of such a unit whether it is on battery.
	_, err := descriptorPlan(collection(usageUPS,
		collection(usagePowerConverter, collection(usageInput, feature(0x18, 16, usageVoltage)))))
	require.EqualError(t, err, "it declares no status flag among its 1 fields")

	for name, descriptor := range map[string][]byte{
		"cut short":   capturedDescriptor("smart1500lcdxl")[:300],
		"no bytes":    {},
		"other bytes": []byte("not a report descriptor"),
	} {
		_, err := descriptorPlan(descriptor)
		require.Error(t, err, name)
	}
}

func TestEachStatusBitSetsItsFlag(t *testing.T) {
	for _, c := range flagCases {
		check := func(t *testing.T, e entry) {
			require.Equal(t, c.bytes, e.bytes)
			for bit := range 8 * c.bytes {
				payload := make([]byte, c.bytes)
				payload[bit/8] = 1 << (bit % 8)
				want := map[string]bool{}
				for i, flag := range c.flags {
					want[flag] = i == bit
				}
				require.Equal(t, statusOf(want), decodeFlags(t, &e, payload), "bit %d", bit)
			}
		}
		name := c.unit + "/" + fmt.Sprintf("0x%02x", c.id)
		t.Run(name+"/by its descriptor", func(t *testing.T) {
			p := planOf(t, c.descriptor)
			check(t, entryOf(t, p.features, c.id))
		})
		if c.noLayout {
			continue
		}
		t.Run(name+"/by its length", func(t *testing.T) {
			p := tablePlan()
			require.True(t, p.settle(c.id, make([]byte, c.bytes)))
			check(t, entryOf(t, p.features, c.id))
			if c.id == statusID {
				check(t, entryOf(t, p.inputs, c.id))
			}
		})
	}
}

func TestInputReportsHaveTheLayoutOfTheFeatures(t *testing.T) {
	for _, test := range []struct{ unit, report, state string }{
		{"smart1500lcdxl", "32 02", `{"status": {"ac present": true, "charging": false,
			"discharging": false, "fully charged": false, "fully discharged": false,
			"needs replacement": false, "below remaining capacity": false,
			"shutdown imminent": false}}`},
		{"smart1500lcdxl", "34 4a", `{"health": 74}`},
		{"smart1500lcdxl", "35 ec 03", `{"time to empty": 1004}`},
		{"pro1500rt2u", "32 00 00 20", `{"status": {"ac present": false, "charging": false,
			"discharging": true, "fully charged": false, "fully discharged": false,
			"needs replacement": false, "below remaining capacity": false,
			"shutdown imminent": false, "internal failure": false}}`},
		{"pro1500rt2u", "34 64", `{"health": 100}`},
		{"pro1500rt2u", "35 45 08", `{"time to empty": 2117}`}, // the input report of the log
	} {
		p := planOf(t, capturedDescriptor(test.unit))
		got := decodeOne(t, p.inputs, test.report)
		require.JSONEq(t, test.state, got, "%s: %s", test.unit, test.report)
	}
}

func TestLogicalMaximumDoesNotMask(t *testing.T) {
	// The 2005 and the a0a0 leave a Logical Maximum of 255 in force over 16 bits: NUT read 166 V
	// for 119.0 V.
	logicalMaximum255 := unhex("26 ff 00")
	p := planOf(t, collection(usageUPS, status2012(), collection(usagePowerConverter,
		collection(usageInput, logicalMaximum255, feature(0x18, 16, usageVoltage)))))

	require.JSONEq(t, `{"input": {"voltage": 119}}`, decodeOne(t, p.features, "18 a6 04"))
}

func TestExponentAndUnitOfTheDescriptorDoNotScale(t *testing.T) {
	for name, items := range map[string]string{
		"no unit, exponent -1, as the 2012":               "65 00 55 0f",
		"volts, exponent 1, as the 3016 and the a0a0":     "67 21 d1 f0 00 55 01",
		"volts, exponent -1, as the SMART3000RM2U":        "67 21 d1 f0 00 55 0f",
		"volts, exponent 7, as nominal voltages":          "67 21 d1 f0 00 55 07",
		"no exponent, as the 2007":                        "67 21 d1 f0 00 55 00",
		"watts, exponent 0, as output power of the 2012":  "66 21 d1 55 00",
		"physical limits a tenth of the logical ones":     "15 00 27 ff ff 00 00 35 00 46 99 19",
		"exponent -1 as a whole number, as some write it": "65 00 55 ff",
	} {
		t.Run(name, func(t *testing.T) {
			input := collection(usageInput, feature(0x18, 16, usageVoltage))
			output := collection(usageOutput,
				feature(0x1b, 16, usageVoltage), feature(0x47, 16, usageActivePower))
			p := planOf(t, collection(usageUPS, status2012(), unhex(items),
				collection(usagePowerConverter, input, output)))

			got := decodeReports(t, p.features, "18 94 04", "1b 62 04", "47 08 02").state
			require.Equal(t, ValueOf(117.2), got.Input.Voltage)
			require.Equal(t, ValueOf(112.2), got.Output.Voltage)
			require.Equal(t, ValueOf(520.0), got.Output.ActivePower)
		})
	}
}

func TestUnitWithoutVoltagesShowsNoneRatherThanZero(t *testing.T) {
	// An AVR750U, product 1007: charge, run time, nominal values and status are all it has
	// (nut-ddl). Its descriptor is not known, so this one declares just that.
	descriptor := collection(usageUPS,
		collection(usagePowerSummary,
			collection(usagePresentStatus, feature(0x32, 1, 0x840069, 0x8500d0, 0x850044, 0x850045,
				0x85004b, 0x850042, 0x850046, 0x850047)),
			feature(0x34, 8, usageRemainingCapacity),
			feature(0x35, 16, usageRunTimeToEmpty)),
		collection(usageFlow,
			feature(0x01, 8, usageConfigVoltage),
			feature(0x02, 8, usageConfigFrequency),
			feature(0x03, 16, usageConfigApparentPower)))

	for name, descriptor := range map[string][]byte{
		"with a descriptor": descriptor, "without one": nil,
	} {
		t.Run(name, func(t *testing.T) {
			unit := newFake("32 06", "34 64", "35 27 06", "01 78", "02 3c", "03 ee 02")
			require.JSONEq(t, `{
				"config": {"voltage": 120, "frequency": 60, "power": 750},
				"health": 100,
				"time to empty": 1575,
				"status": {"ac present": true, "charging": true, "discharging": false,
					"fully charged": false, "fully discharged": false, "needs replacement": false,
					"below remaining capacity": false, "shutdown imminent": false}
			}`, readJSON(t, unit, descriptor))
		})
	}
}

func TestFlagsOnThePowerPageAreThoseOfTheBatteryPage(t *testing.T) {
	// The 2005 (OMNI1000LCD) has these four on page 0x84, where the numbers mean other things that
	// are no single bit.
	p := planOf(t, collection(usageUPS, collection(usagePowerSummary, collection(usagePresentStatus,
		feature(0x32, 1, 0x840044, 0x840045, 0x84004b, 0x8400d0)))))
	status := entryOf(t, p.features, 0x32)

	names := []string{"charging", "discharging", "needs replacement", "ac present"}
	for bit := range names {
		want := map[string]bool{}
		for i, name := range names {
			want[name] = i == bit
		}
		require.Equal(t, statusOf(want), decodeFlags(t, &status, []byte{1 << bit}))
	}
}

func TestMeasurementOnThePowerPageIsNoFlag(t *testing.T) {
	// Usage 0x840044 of more than one bit is ConfigActivePower, not Charging, whatever its limits.
	logicalMaximum1 := unhex("25 01")
	p := planOf(t, collection(usageUPS, collection(usagePowerSummary, collection(usagePresentStatus,
		logicalMaximum1, feature(0x32, 1, 0x8500d0), feature(0x33, 16, 0x840044)))))

	require.Equal(t, -1, indexOf(p.features, 0x33))
}

func TestFlagOfAWholeByteIsTrueWhereTheByteIsNotZero(t *testing.T) {
	logicalMaximum1 := unhex("25 01")
	p := planOf(t, collection(usageUPS, collection(usagePowerSummary, collection(usagePresentStatus,
		logicalMaximum1, feature(0x32, 8, 0x8500d0, 0x850044),
		unhex("26 ff 00"), feature(0x33, 8, 0x850045)))))

	require.JSONEq(t, `{"status": {"ac present": true, "charging": false}}`,
		decodeOne(t, p.features, "32 01 00"))
	require.JSONEq(t, `{"status": {"ac present": false, "charging": true}}`,
		decodeOne(t, p.features, "32 00 02"))
	require.Equal(t, -1, indexOf(p.features, 0x33),
		"a byte that can be more than 1 is a number and no flag")
}

func TestFlagInSeveralReportsIsTheOneOfTheSummary(t *testing.T) {
	battery := collection(usageBatterySystem, collection(usageBattery,
		collection(usagePresentStatus, feature(0x23, 1, 0x850044, 0x850045))))
	converter := collection(usagePowerConverter, collection(usagePresentStatus,
		feature(0x22, 1, 0x850045, 0x850046, 0x840065)))
	summary := collection(usagePowerSummary, collection(usagePresentStatus,
		feature(0x32, 1, 0x8500d0, 0x850044)))
	p := planOf(t, collection(usageUPS, converter, battery, summary))

	require.Equal(t, []byte{0x32, 0x23, 0x22}, idsOf(p.features, live),
		"the summary is the status, wherever it is declared")
	require.JSONEq(t, `{"status": {"ac present": true, "charging": false}}`,
		decodeOne(t, p.features, "32 01"))
	require.JSONEq(t, `{"status": {"discharging": true}}`,
		decodeOne(t, p.features, "23 03"), "charging is the summary's")
	require.JSONEq(t, `{"status": {"fully charged": true, "overload": false}}`,
		decodeOne(t, p.features, "22 03"), "discharging is the battery's")
}

func TestFieldInAnotherReportIsFoundByItsWholePath(t *testing.T) {
	input := collection(usageInput,
		feature(0x99, 8, usageTemperature), feature(0x99, 16, usageVoltage))
	p := planOf(t, collection(usageUPS, status2012(), collection(usagePowerConverter, input)))

	require.JSONEq(t, `{"input": {"voltage": 117.2}}`, decodeOne(t, p.features, "99 ff 94 04"))
	require.Equal(t, -1, indexOf(p.features, 0x18))
	require.True(t, p.provides("UPS.PowerConverter.Input.Voltage"),
		"what its row says of it holds in whichever report it is")
}

func TestFieldsOfOneReportCostOneTransfer(t *testing.T) {
	// HID allows it, although no family is known to do so.
	descriptor := collection(usageUPS, collection(usagePowerSummary,
		collection(usagePresentStatus, feature(0x32, 1, 0x8500d0, 0x850045), feature(0x32, 6, 0)),
		feature(0x32, 8, usageRemainingCapacity), feature(0x32, 16, usageRunTimeToEmpty)))
	unit := newFake("32 01 4a ec 03")

	require.JSONEq(t, `{"status": {"ac present": true, "discharging": false}, "health": 74,
		"time to empty": 1004}`, readJSON(t, unit, descriptor))
	_, asked := unit.transfers()
	require.Equal(t, map[byte]int{0x32: 1}, asked)
}

func TestFieldsOfOneReportThatAreReadAtDifferentTimesAreReadApart(t *testing.T) {
	// A nominal field beside one that changes and a setting: the first must not keep the second
	// from being read anew.
	p := planOf(t, collection(usageUPS, status2012(),
		collection(usagePowerConverter, collection(usageInput, feature(0x18, 16, usageVoltage))),
		collection(usageFlow, feature(0x18, 8, usageConfigVoltage)),
		collection(usagePowerSummary, feature(0x18, 8, usageAudibleAlarmControl))))

	require.Contains(t, idsOf(p.features, live), byte(0x18))
	require.Contains(t, idsOf(p.features, nominal), byte(0x18))
	require.Contains(t, idsOf(p.features, setting), byte(0x18))
}

func TestInternalFailureIsTheSummarysWithoutADescriptorToo(t *testing.T) {
	// Bit 7 of the three-byte status is set, bit 7 of the converter's is not.
	unit := newFake("32 80 00 09", "22 20 00")
	require.JSONEq(t, `{"status": {"ac present": true, "shutdown imminent": false,
		"below remaining capacity": false, "fully charged": true, "charging": false,
		"discharging": false, "fully discharged": false, "needs replacement": false,
		"internal failure": true, "voltage out of range": false, "buck": false, "boost": false,
		"overload": false, "used": true, "over temperature": false, "awaiting power": false}}`,
		readJSON(t, unit, nil))
}

// onLine is the status 32 02 of a 2012.
const onLine = `"status": {"ac present": true, "charging": false, "discharging": false,
	"fully charged": false, "fully discharged": false, "needs replacement": false,
	"below remaining capacity": false, "shutdown imminent": false}`

func TestReportStandsInForOneThatHasNoValue(t *testing.T) {
	for name, row := range map[string]struct {
		reports []string
		want    string
	}{
		"nominal voltage": {[]string{"01 00", "30 78"}, `"config": {"voltage": 120}`},
		"input voltage":   {[]string{"18 ff ff", "31 94 04"}, `"input": {"voltage": 117.2}`},
		"charge":          {[]string{"34 ff", "21 4a"}, `"health": 74`},
		"and not else":    {[]string{"18 94 04", "31 00 00"}, `"input": {"voltage": 117.2}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := readJSON(t, newFake(append(row.reports, "32 02")...), nil)
			require.JSONEq(t, "{"+onLine+","+row.want+"}", got)
		})
	}
}

func TestReportThatSaysTheSameIsReadWhereTheOtherIsMissing(t *testing.T) {
	for _, test := range []struct{ preferred, other, both, otherAlone string }{
		{"01 78", "30 73", `"config": {"voltage": 120}`, `"config": {"voltage": 115}`},
		{"18 94 04", "31 95 04", `"input": {"voltage": 117.2}`, `"input": {"voltage": 117.3}`},
		{"34 64", "21 63", `"health": 100`, `"health": 99`},
	} {
		t.Run(test.preferred+" and "+test.other, func(t *testing.T) {
			unit := newFake("32 02", test.preferred, test.other)
			require.JSONEq(t, "{"+onLine+","+test.both+"}", readJSON(t, unit, nil))
			_, asked := unit.transfers()
			require.Zero(t, asked[unhex(test.other)[0]], "the other would be a transfer too many")
		})
		t.Run(test.other+" alone", func(t *testing.T) {
			got := readJSON(t, newFake("32 02", test.other), nil)
			require.JSONEq(t, "{"+onLine+","+test.otherAlone+"}", got)
		})
	}
}

func TestANumberWiderThanItsMeaningIsNotCutOff(t *testing.T) {
	p := planOf(t, collection(usageUPS, status2012(),
		collection(usageFlow, feature(0x01, 16, usageConfigVoltage)),
		collection(usagePowerSummary, feature(0x34, 16, usageRemainingCapacity))))

	require.JSONEq(t, `{"config": {"voltage": 120}}`, decodeOne(t, p.features, "01 78 00"))
	require.JSONEq(t, `{}`, decodeOne(t, p.features, "01 78 01"))
	require.JSONEq(t, `{"health": 74}`, decodeOne(t, p.features, "34 4a 00"))
	require.JSONEq(t, `{}`, decodeOne(t, p.features, "34 4a 01"))
}

func TestReportIDWithAnotherUsageIsNotTheOneOfTheTable(t *testing.T) {
	for name, field := range map[string][]byte{
		"a temperature":      feature(0x18, 16, usageTemperature),
		"a vendor's usage":   feature(0x18, 16, 0xffff0030),
		"padding":            feature(0x18, 16, 0),
		"more than 32 bits":  feature(0x18, 64, usageVoltage),
		"an array of values": unhex("85 18 75 08 95 02 0b 30 00 84 00 b1 02"),
	} {
		t.Run(name, func(t *testing.T) {
			p := planOf(t, collection(usageUPS, status2012(),
				collection(usagePowerConverter, collection(usageInput, field))))
			require.Equal(t, []byte{0x32}, idsOf(p.features, live))
		})
	}
}

func TestReportOfTheTableIsPreferredToAnotherWithTheSamePath(t *testing.T) {
	table, other := feature(0x18, 16, usageVoltage), feature(0x99, 16, usageVoltage)
	for name, input := range map[string][]byte{
		"declared before": collection(usageInput, table, other),
		"declared after":  collection(usageInput, other, table),
	} {
		t.Run(name, func(t *testing.T) {
			p := planOf(t,
				collection(usageUPS, status2012(), collection(usagePowerConverter, input)))
			require.Equal(t, []byte{0x32, 0x18}, idsOf(p.features, live))
		})
	}
}

func TestLayoutOfAStatusIsKnownByItsLength(t *testing.T) {
	require.Len(t, layoutOf(0x32, 1), 8)
	require.Len(t, layoutOf(0x32, 3), 9)
	require.Len(t, layoutOf(0x22, 2), 8)
	for _, other := range []struct {
		id    byte
		bytes int
	}{{0x32, 0}, {0x32, 2}, {0x32, 4}, {0x22, 1}, {0x22, 3}, {0x23, 1}, {0x18, 2}} {
		require.Nil(t, layoutOf(other.id, other.bytes), "%#02x of %d bytes", other.id, other.bytes)
	}
}

func TestOneByteStatusWithPaddingIsNotTheThreeByteLayout(t *testing.T) {
	three := layoutOf(0x32, 3)
	for payload, want := range map[string]bool{
		"46 00 00": false, // a 2012 on line power that charges, padded
		"62 00 00": false, // the one of numat's README, padded
		"01 00 00": false,
		"40 00 00": false,
		"c0 00 09": false,
		"00 00 09": true, // log of an a0a0
		"80 00 09": true, // the same with an internal failure
		"00 02 20": true,
		"00 ff ff": true, // what the other bytes hold is not judged
	} {
		require.Equal(t, want, covers(three, unhex(payload)), payload)
		p := tablePlan()
		require.Equal(t, want, p.settle(statusID, unhex(payload)), payload)
	}
	for status := range 256 {
		require.True(t, covers(layoutOf(0x32, 1), []byte{byte(status)}),
			"every bit of the one-byte layout is a flag")
	}

	b := New(newFake("32 46 00 00"))
	defer b.Close()
	_, err := b.Get(t.Context())
	require.ErrorContains(t, err, "the status 46 00 00 has no known layout")
}

// Every bit of the 2012's status is a flag. The padding of the a0a0's is what NUT's log of it
// leaves out.
func TestPaddingIsWhatNoFlagHas(t *testing.T) {
	for _, test := range []struct{ unit, padding string }{
		{"smart1500lcdxl", "00"},
		{"pro1500rt2u", "7f fd 02"},
	} {
		padding := unhex(test.padding)
		byDescriptor := planOf(t, capturedDescriptor(test.unit))
		require.Equal(t, padding, entryOf(t, byDescriptor.features, statusID).padding, test.unit)
		byLength := tablePlan()
		require.True(t, byLength.settle(statusID, make([]byte, len(padding))))
		require.Equal(t, padding, entryOf(t, byLength.features, statusID).padding, test.unit)
		require.Equal(t, padding, entryOf(t, byLength.inputs, statusID).padding, test.unit)

		e := entryOf(t, byDescriptor.features, statusID)
		for bit := range 8 * len(padding) {
			payload := make([]byte, len(padding))
			payload[bit/8] = 1 << (bit % 8)
			isPadding := padding[bit/8]&payload[bit/8] != 0
			require.Equal(t, isPadding, e.nonsense(payload) != nil, "%s: bit %d", test.unit, bit)
		}
	}
}

func TestAUsageThatIsDeclaredConstantIsNoPadding(t *testing.T) {
	// A 4003 declares flags constant that carry data (NUT #1268). Constant is bit 0 of the item.
	constant := func(usage uint32) []byte { return append(usageItem(usage), 0xb1, 0x03) }
	p := planOf(t, collection(usageUPS, collection(usagePowerSummary, collection(usagePresentStatus,
		feature(0x32, 1, 0x8500d0), constant(0x850045), feature(0x32, 6, 0)))))

	require.Equal(t, []byte{0xfc}, p.features[0].padding)
	require.JSONEq(t, `{"status": {"ac present": false, "discharging": true}}`,
		decodeOne(t, p.features, "32 02"))
}

// The usages of the descriptors that the tests build (Universal Serial Bus Usage Tables for HID
// Power Devices 1.1, 4.1 and 4.2).
const (
	usagePresentStatus       = 0x840002
	usageUPS                 = 0x840004
	usageBatterySystem       = 0x840010
	usageBattery             = 0x840012
	usagePowerConverter      = 0x840016
	usageInput               = 0x84001a
	usageOutput              = 0x84001c
	usageFlow                = 0x84001e
	usagePowerSummary        = 0x840024
	usageVoltage             = 0x840030
	usageActivePower         = 0x840034
	usageTemperature         = 0x840036
	usageConfigVoltage       = 0x840040
	usageConfigFrequency     = 0x840042
	usageConfigApparentPower = 0x840043
	usageAudibleAlarmControl = 0x84005a
	usageRemainingCapacity   = 0x850066
	usageRunTimeToEmpty      = 0x850068
	usageIDeviceChemistry    = 0x850089
)

// collection puts items of a report descriptor into a logical collection (HID 1.11, 6.2.2.6).
func collection(usage uint32, items ...[]byte) []byte {
	begin := append(usageItem(usage), 0xa1, 0x02)
	return append(slices.Concat(append([][]byte{begin}, items...)...), 0xc0)
}

// feature declares fields of so many bits in a feature report (HID 1.11, 6.2.2.5 and 6.2.2.7). A
// usage of 0 is padding.
func feature(id, size byte, usages ...uint32) []byte {
	items := []byte{0x85, id, 0x75, size, 0x95, 1}
	for _, usage := range usages {
		if usage != 0 {
			items = append(items, usageItem(usage)...)
		}
		items = append(items, 0xb1, 0x02)
	}
	return items
}

// usageItem names a usage together with its page (HID 1.11, 6.2.2.8).
func usageItem(usage uint32) []byte {
	return binary.LittleEndian.AppendUint32([]byte{0x0b}, usage)
}

// status2012 declares a status, without which a descriptor is refused.
func status2012() []byte {
	return collection(usagePowerSummary,
		collection(usagePresentStatus, feature(0x32, 1, 0x840069, 0x8500d0)))
}

func capturedDescriptor(name string) []byte {
	c, err := capture.Load(name)
	if err != nil {
		panic(err)
	}
	return c.Interfaces[c.UPSInterface].Descriptor
}

func planOf(t *testing.T, descriptor []byte) plan {
	t.Helper()
	p, err := descriptorPlan(descriptor)
	require.NoError(t, err)
	return p
}

func indexOf(entries []entry, id byte) int {
	return slices.IndexFunc(entries, func(e entry) bool { return e.id == id })
}

func entryOf(t *testing.T, entries []entry, id byte) entry {
	t.Helper()
	i := indexOf(entries, id)
	require.GreaterOrEqual(t, i, 0, "the plan has no report %#02x", id)
	return entries[i]
}

func idsOf(entries []entry, when cadence) []byte {
	var ids []byte
	for _, e := range entries {
		if e.when == when {
			ids = append(ids, e.id)
		}
	}
	return ids
}

// decodeFlags decodes a status and nothing else.
func decodeFlags(t *testing.T, e *entry, payload []byte) map[string]map[string]bool {
	t.Helper()
	var r record
	e.decode(payload, &r)
	var flags map[string]map[string]bool
	require.NoError(t, json.Unmarshal([]byte(marshalRecord(t, r)), &flags))
	return flags
}

func statusOf(flags map[string]bool) map[string]map[string]bool {
	return map[string]map[string]bool{"status": maps.Clone(flags)}
}

// newFake is a unit that answers with these feature reports and stalls all others.
func newFake(reports ...string) *fakeUPS {
	device := (&capture.Capture{Interfaces: []capture.Interface{{}}}).Device(0)
	for _, text := range reports {
		report := unhex(text)
		device.Set(report[0], report[1:]...)
	}
	return &fakeUPS{
		Device:  device,
		asked:   map[byte]int{},
		answers: map[byte]func([]byte) (int, error){},
	}
}
