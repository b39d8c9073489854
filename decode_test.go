package tripplite

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/hidreport"
)

// decodeCases are reports as they come over the wire, id first. Each has the JSON of what it says
// and of nothing else: {} where the value means "none". The sources named say what the raw numbers
// mean. The other rows are the neighbours of the bounds in the report table.
var decodeCases = []struct{ report, state string }{
	{"01 78", `{"config": {"voltage": 120}}`}, // numat's README
	{"01 f0", `{"config": {"voltage": 240}}`},
	{"01 00", `{}`},
	{"01 01", `{"config": {"voltage": 1}}`},
	{"01 fe", `{"config": {"voltage": 254}}`},
	{"01 ff", `{}`},

	{"30 78", `{"config": {"voltage": 120}}`}, // NUT #1018, SMART3000RM2U
	{"30 04", `{}`}, // numat #10, OMNIVS1500LCD
	{"30 31", `{}`},
	{"30 32", `{"config": {"voltage": 50}}`},
	{"30 fe", `{"config": {"voltage": 254}}`},
	{"30 ff", `{}`},

	{"02 3c", `{"config": {"frequency": 60}}`}, // numat's README
	{"02 32", `{"config": {"frequency": 50}}`},
	{"02 00", `{}`},
	{"02 01", `{"config": {"frequency": 1}}`},
	{"02 64", `{"config": {"frequency": 100}}`},
	{"02 65", `{}`},

	{"03 dc 05", `{"config": {"power": 1500}}`}, // numat's README
	{"03 00 00", `{}`},
	{"03 01 00", `{"config": {"power": 1}}`},
	{"03 fe ff", `{"config": {"power": 65534}}`},
	{"03 ff ff", `{}`},

	{"04 18 00", `{"config": {"battery voltage": 24}}`}, // upsc of a 1500 VA 2012
	{"04 24 00", `{"config": {"battery voltage": 36}}`}, // upsc of an a0a0
	{"04 00 00", `{}`},
	{"04 01 00", `{"config": {"battery voltage": 1}}`},
	{"04 fe ff", `{"config": {"battery voltage": 65534}}`},
	{"04 ff ff", `{}`},

	{"06 57 00", `{"config": {"low voltage transfer": 87}}`}, // log of an a0a0
	{"06 00 00", `{}`},
	{"06 01 00", `{"config": {"low voltage transfer": 1}}`},
	{"06 e8 03", `{"config": {"low voltage transfer": 1000}}`},
	{"06 e9 03", `{}`},

	{"09 99 00", `{"config": {"high voltage transfer": 153}}`}, // log of an a0a0
	{"09 00 00", `{}`},
	{"09 01 00", `{"config": {"high voltage transfer": 1}}`},
	{"09 e8 03", `{"config": {"high voltage transfer": 1000}}`},
	{"09 e9 03", `{}`},

	{"36 64", `{"config": {"design capacity": 100}}`}, // upsc of an a0a0
	{"36 00", `{"config": {"design capacity": 0}}`},
	{"36 65", `{}`},

	{"37 64", `{"config": {"full charge capacity": 100}}`},
	{"37 5a", `{"config": {"full charge capacity": 90}}`},
	{"37 00", `{"config": {"full charge capacity": 0}}`},
	{"37 65", `{}`},

	{"38 1e", `{"config": {"warning capacity limit": 30}}`}, // upsc of an a0a0
	{"38 00", `{"config": {"warning capacity limit": 0}}`},
	{"38 64", `{"config": {"warning capacity limit": 100}}`},
	{"38 65", `{}`},

	{"3a 19", `{"config": {"remaining capacity limit": 25}}`}, // logs of a 4003 and of an a011
	{"3a 00", `{"config": {"remaining capacity limit": 0}}`},
	{"3a 64", `{"config": {"remaining capacity limit": 100}}`},
	{"3a 65", `{}`},

	{"0f 06 01", `{"config": {"firmware version": 262}}`}, // NUT's comments on an HP T1500 G3
	{"0f 22", `{"config": {"firmware version": 34}}`},     // log of an a0a0, one byte
	{"0f ff ff", `{"config": {"firmware version": 65535}}`},

	{"6c 12 20", `{"config": {"protocol version": "2012"}}`}, // a unit of product id 2012
	{"6c 03 40", `{"config": {"protocol version": "4003"}}`}, // a unit of product id 4003
	{"6c 00 0a", `{"config": {"protocol version": "0a00"}}`}, // NUT's comments on an HP T1500 G3
	{"6c 00 00", `{"config": {"protocol version": "0000"}}`},
	{"6c ff ff", `{"config": {"protocol version": "ffff"}}`},

	// The index of a string is no reading: TestTheChemistryIsTheStringOfItsIndex reads the string.
	{"2a 05", `{}`},
	{"2a 00", `{}`},
	{"2a 01", `{}`},
	{"2a ff", `{}`},

	{"18 94 04", `{"input": {"voltage": 117.2}}`}, // numat's README
	{"18 d1 04", `{"input": {"voltage": 123.3}}`}, // log of an a0a0
	{"18 a6 04", `{"input": {"voltage": 119}}`},   // johnboiles, values for a SMART1500LCDXL
	{"18 00 00", `{"input": {"voltage": 0}}`},     // on battery: a true reading
	{"18 10 27", `{"input": {"voltage": 1000}}`},
	{"18 11 27", `{}`},
	{"18 ff ff", `{}`},

	{"31 d1 04", `{"input": {"voltage": 123.3}}`}, // log of an a0a0
	{"31 62 04", `{"input": {"voltage": 112.2}}`}, // NUT #1018, SMART3000RM2U
	{"31 00 00", `{"input": {"voltage": 0}}`},
	{"31 10 27", `{"input": {"voltage": 1000}}`},
	{"31 11 27", `{}`},

	{"19 55 02", `{"input": {"frequency": 59.7}}`}, // numat's README
	{"19 57 02", `{"input": {"frequency": 59.9}}`}, // log of an a0a0
	{"19 00 00", `{"input": {"frequency": 0}}`},    // on battery: a true reading
	{"19 e8 03", `{"input": {"frequency": 100}}`},
	{"19 e9 03", `{}`},
	{"19 ff ff", `{}`},

	{"1b 94 04", `{"output": {"voltage": 117.2}}`}, // numat's README
	{"1b 62 04", `{"output": {"voltage": 112.2}}`}, // NUT #1018, SMART3000RM2U
	{"1b 00 00", `{"output": {"voltage": 0}}`},
	{"1b 10 27", `{"output": {"voltage": 1000}}`},
	{"1b 11 27", `{}`},

	{"1c 57 02", `{"output": {"frequency": 59.9}}`}, // log of an a0a0
	{"1c 00 00", `{"output": {"frequency": 0}}`},
	{"1c e8 03", `{"output": {"frequency": 100}}`},
	{"1c e9 03", `{}`},

	{"46 16 00", `{"output": {"current": 2.2}}`}, // log of an a0a0
	{"46 00 00", `{"output": {"current": 0}}`},
	{"46 fe ff", `{"output": {"current": 6553.4}}`},
	{"46 ff ff", `{}`},

	{"47 44 01", `{"output": {"power": 324}}`}, // numat's README
	{"47 08 02", `{"output": {"power": 520}}`}, // NUT #3580, SMART1500LCD
	{"47 ec 00", `{"output": {"power": 236}}`}, // log of an a0a0
	{"47 00 00", `{"output": {"power": 0}}`},
	{"47 fe ff", `{"output": {"power": 65534}}`},
	{"47 ff ff", `{}`},

	{"1e 0e", `{"output": {"load": 14}}`}, // johnboiles, live reading of a SMART1500LCDXL
	{"1e 00", `{"output": {"load": 0}}`},
	{"1e fe", `{"output": {"load": 254}}`},
	{"1e ff", `{}`}, // NUT's dump of a 2012 of 900 VA

	{"20 13 01", `{"battery": {"voltage": 27.5}}`}, // johnboiles, live reading of a SMART1500LCDXL
	{"20 00 00", `{"battery": {"voltage": 0}}`},
	{"20 10 27", `{"battery": {"voltage": 1000}}`},
	{"20 11 27", `{}`},

	{"1a 29 01", `{"battery": {"temperature": 23.85}}`}, // log of a 4003, for which NUT has 297 K
	{"1a 23 01", `{"battery": {"temperature": 17.85}}`}, // log of an a011, for which NUT has 291 K
	{"1a de 00", `{}`},
	{"1a df 00", `{"battery": {"temperature": -50.15}}`},
	{"1a a7 01", `{"battery": {"temperature": 149.85}}`},
	{"1a a8 01", `{}`},
	{"1a 00 00", `{}`},
	{"1a ff ff", `{}`},

	{"34 4a", `{"health": 74}`},  // upsc of a 2012 that charges
	{"34 64", `{"health": 100}`}, // numat's README
	{"34 00", `{"health": 0}`},
	{"34 65", `{}`},

	{"21 4a", `{"health": 74}`},
	{"21 00", `{"health": 0}`},
	{"21 64", `{"health": 100}`},
	{"21 65", `{}`},

	{"35 ec 03", `{"time to empty": 1004}`}, // numat's README
	{"35 45 08", `{"time to empty": 2117}`}, // log of an a0a0
	{"35 06 09", `{"time to empty": 2310}`}, // johnboiles, live reading of a SMART1500LCDXL
	{"35 00 00", `{"time to empty": 0}`},
	{"35 fe ff", `{"time to empty": 65534}`},
	{"35 ff ff", `{}`},

	{"10 00", `{}`}, // johnboiles, live reading of a SMART1500LCDXL
	{"10 01", `{"controls": {"test": "passed"}}`},
	{"10 02", `{"controls": {"test": "warning"}}`},
	{"10 03", `{"controls": {"test": "error"}}`},
	{"10 04", `{"controls": {"test": "aborted"}}`},
	{"10 05", `{"controls": {"test": "in progress"}}`},
	{"10 06", `{"controls": {"test": "none"}}`},
	{"10 07", `{}`},

	{"11 00", `{}`},
	{"11 01", `{"controls": {"audible alarm control": "disabled"}}`},
	{"11 02", `{"controls": {"audible alarm control": "enabled"}}`}, // log of an a0a0
	{"11 03", `{"controls": {"audible alarm control": "muted"}}`},
	{"11 04", `{}`},

	{"15 14 00", `{"delay before shutdown": 20}`},
	{"15 00 00", `{"delay before shutdown": 0}`}, // its last second
	{"15 fe ff", `{"delay before shutdown": 65534}`},
	{"15 ff ff", `{}`}, // idle: upsc of a 2012

	{"61 19 00", `{"controls": {"delay before startup": 25}}`},
	{"61 01 00", `{"controls": {"delay before startup": 1}}`},
	{"61 00 00", `{}`}, // idle: logs of a 4003 and of an a011
	{"61 fe ff", `{"controls": {"delay before startup": 65534}}`},
	{"61 ff ff", `{}`}, // idle: log of an a0a0

	{"17 0a 00", `{"controls": {"delay before reboot": 10}}`},
	{"17 01 00", `{"controls": {"delay before reboot": 1}}`},
	{"17 00 00", `{}`}, // idle: upsc of a 4004
	{"17 fe ff", `{"controls": {"delay before reboot": 65534}}`},
	{"17 ff ff", `{}`}, // idle: upsc of a 2012 and of an a0a0

	{"52 00", `{"controls": {"watchdog": 0}}`}, // off: upsc of a 2012
	{"52 3c", `{"controls": {"watchdog": 60}}`},
	{"52 ff", `{"controls": {"watchdog": 255}}`},

	{"b6 00", `{"controls": {"auto restart": false}}`}, // the maker's document of protocol 2012
	{"b6 01", `{"controls": {"auto restart": true}}`},
	{"b6 02", `{}`},
}

// pathCases are the rows whose report id differs between families, so that only a descriptor tells
// it. Here each is a number of 16 bits in report 0x99.
var pathCases = []struct {
	path        string
	collections []uint32
	usage       uint32
	reports     map[string]string
}{
	{
		"UPS.ffff0010.00ff0001.ffff007e", []uint32{0xffff0010, 0x00ff0001}, 0xffff007e,
		map[string]string{
			"99 06 01": `{"config": {"communication version": 262}}`, // NUT's comments on an HP T1500 G3
			"99 00 00": `{"config": {"communication version": 0}}`,
			"99 ff ff": `{"config": {"communication version": 65535}}`,
		},
	},
	{
		"UPS.BatterySystem.Battery.Temperature",
		[]uint32{usageBatterySystem, usageBattery}, usageTemperature,
		map[string]string{ // in kelvin, as the power device class has them
			"99 2a 01": `{"battery": {"temperature": 24.85}}`, // 24.9 in the upsc of a 3012
			"99 2c 01": `{"battery": {"temperature": 26.85}}`, // 26.9 in the upsc of a 4004
			"99 11 01": `{"battery": {"temperature": -0.15}}`,
			"99 00 00": `{}`,
			"99 de 00": `{}`,
			"99 df 00": `{"battery": {"temperature": -50.15}}`,
			"99 a7 01": `{"battery": {"temperature": 149.85}}`,
			"99 a8 01": `{}`,
			"99 ff ff": `{}`,
		},
	},
}

// declared are the reports of the table that the descriptors of four captures declare as features.
var declared = map[string]string{
	"smart1500lcdxl": "01 02 03 04 10 11 15 17 18 19 1b 1e 20 22 23 2a 30 31 32 34 35 36 37 47 " +
		"52 6c b6",
	"pro1500rt2u": "01 02 03 04 06 09 0f 10 11 15 17 18 19 1b 1c 1e 20 21 22 23 2a 30 31 32 34 " +
		"35 36 37 38 46 47 61 6c",
	"unit-3016": "01 02 03 04 06 09 0f 10 11 15 17 18 19 1b 1c 1e 20 21 22 23 2a 30 31 32 34 35 " +
		"36 37 38 3a 46 47 52 61 6c",
	"su3000rtxr3u": "01 02 03 04 06 09 0f 10 11 15 17 18 19 1a 1b 1c 1e 20 21 22 23 2a 30 31 32 " +
		"34 35 36 37 38 3a 46 47 52 61 6c",
}

func TestEveryRowOfTheReportTableHasCasesForItsBounds(t *testing.T) {
	type key struct {
		id   byte
		path string // of a row without an id
	}
	raws := map[key][]uint32{}
	add := func(k key, text string) { raws[k] = append(raws[k], number32(unhex(text)[1:])) }
	for _, c := range decodeCases {
		add(key{id: unhex(c.report)[0]}, c.report)
	}
	for _, c := range pathCases {
		for report := range c.reports {
			add(key{path: c.path}, report)
		}
	}
	flags := map[byte]bool{}
	for _, c := range flagCases {
		flags[c.id] = true
	}
	seen := map[key]bool{}
	for _, row := range reports {
		k := key{id: row.id}
		if row.id == 0 {
			k.path = row.path
		}
		require.False(t, seen[k], "%v has two rows", k)
		seen[k] = true
		if row.key == "" {
			require.True(t, flags[row.id], "the status %v has no case", k)
			continue
		}
		require.NotEmpty(t, raws[k], "%v has no case", k)
		if row.least > 0 {
			require.Contains(t, raws[k], row.least, "%v has no case for its least value", k)
			require.Contains(t, raws[k], row.least-1, "%v has no case below its least value", k)
		}
		if row.most > 0 {
			require.Contains(t, raws[k], row.most, "%v has no case for its greatest value", k)
			// TestANumberWiderThanItsMeaningIsNotCutOff has wider fields.
			if row.most != 1<<(8*row.bytes)-1 {
				require.Contains(t, raws[k], row.most+1, "%v has no case above its greatest", k)
			}
		}
	}
	for k := range raws {
		require.True(t, seen[k], "%v is not in the table", k)
	}
}

func TestReportsDecodeByTheTableAlone(t *testing.T) {
	p := tablePlan()
	for _, c := range decodeCases {
		t.Run(c.report, func(t *testing.T) {
			require.JSONEq(t, c.state, decodeOne(t, p.features, c.report))
		})
	}
}

func TestReportsDecodeByTheDescriptorOfTheirUnit(t *testing.T) {
	for unit, ids := range declared {
		t.Run(unit, func(t *testing.T) {
			p := planOf(t, capturedDescriptor(unit))
			decoded := map[byte]bool{}
			for _, c := range decodeCases {
				report := unhex(c.report)
				i := indexOf(p.features, report[0])
				if i < 0 || p.features[i].bytes != len(report)-1 {
					continue // not declared, or at another length
				}
				decoded[report[0]] = true
				require.JSONEq(t, c.state, decodeOne(t, p.features, c.report), c.report)
			}
			for _, c := range flagCases {
				decoded[c.id] = true // TestEachStatusBitSetsItsFlag
			}
			require.ElementsMatch(t, unhex(ids), slices.Collect(maps.Keys(decoded)))
		})
	}
}

func TestReportsWithoutAFixedIDAreFoundByTheirPath(t *testing.T) {
	for _, c := range pathCases {
		t.Run(c.path, func(t *testing.T) {
			inner := feature(0x99, 16, c.usage)
			for _, usage := range slices.Backward(c.collections) {
				inner = collection(usage, inner)
			}
			p := planOf(t, collection(usageUPS, status2012(), inner))
			for report, state := range c.reports {
				require.JSONEq(t, state, decodeOne(t, p.features, report), report)
			}
		})
	}
	for _, e := range tablePlan().features {
		require.NotZero(t, e.id, "%s: a descriptor alone tells its report", e.name)
	}
}

// numatReadme is what the Python project numat/tripplite prints for a SMART1500LCD: the example
// output of its README.
const numatReadme = `{
  "config": {
    "frequency": 60,
    "power": 1500,
    "voltage": 120
  },
  "health": 100,
  "input": {
    "frequency": 59.7,
    "voltage": 117.2
  },
  "output": {
    "power": 324,
    "voltage": 117.2
  },
  "status": {
    "ac present": true,
    "below remaining capacity": true,
    "charging": false,
    "discharging": false,
    "fully charged": true,
    "fully discharged": false,
    "needs replacement": false,
    "shutdown imminent": false
  },
  "time to empty": 1004
}`

func TestOutputHasEveryKeyAndValueOfNumat(t *testing.T) {
	// The raw values that these readings stand for, in the reports that numat reads.
	reports := []string{
		"30 78", "02 3c", "03 dc 05", "32 62", "18 94 04", "19 55 02", "1b 94 04", "47 44 01",
		"34 64", "35 ec 03",
	}
	withoutDescriptor := tablePlan()
	require.True(t, withoutDescriptor.settle(0x32, unhex("62")))
	for name, p := range map[string]plan{
		"with the descriptor":    planOf(t, capturedDescriptor("smart1500lcd")),
		"without the descriptor": withoutDescriptor,
	} {
		t.Run(name, func(t *testing.T) {
			// Numbers are compared as text, so that 117.2 is not 117.20000000000002.
			r := decodeReports(t, p.features, reports...)
			require.Equal(t, parseJSON(t, numatReadme), parseJSON(t, marshalRecord(t, r)))
		})
	}
}

func TestReportsOfAnA0A0(t *testing.T) {
	// NUT's log of a MINUTEMAN PRO1500RT2U. The log lacks the high byte of 0x1b, which is composed.
	log := []struct{ report, state string }{
		{"32 00 00 09", `{"status": {"ac present": true, "fully charged": true, "charging": false,
			"discharging": false, "fully discharged": false, "needs replacement": false,
			"below remaining capacity": false, "shutdown imminent": false,
			"internal failure": false}}`},
		{"18 d1 04", `{"input": {"voltage": 123.3}}`},
		{"19 57 02", `{"input": {"frequency": 59.9}}`},
		{"1c 57 02", `{"output": {"frequency": 59.9}}`},
		{"1b c1 04", `{"output": {"voltage": 121.7}}`},
		{"31 d1 04", `{"input": {"voltage": 123.3}}`},
		{"46 16 00", `{"output": {"current": 2.2}}`},
		{"47 ec 00", `{"output": {"power": 236}}`},
		{"06 57 00", `{"config": {"low voltage transfer": 87}}`},
		{"09 99 00", `{"config": {"high voltage transfer": 153}}`},
		{"11 02", `{"controls": {"audible alarm control": "enabled"}}`},
		// Its internal failure is that of 0x32.
		{"22 20 00", `{"status": {"used": true, "voltage out of range": false, "buck": false,
			"boost": false, "overload": false, "over temperature": false,
			"awaiting power": false}}`},
	}
	p := planOf(t, capturedDescriptor("pro1500rt2u"))
	for _, test := range log {
		t.Run(test.report, func(t *testing.T) {
			require.JSONEq(t, test.state, decodeOne(t, p.features, test.report))
		})
	}
	t.Run("35 45 08, an input report", func(t *testing.T) {
		require.JSONEq(t, `{"time to empty": 2117}`, decodeOne(t, p.inputs, "35 45 08"))
	})
	t.Run("23 08, where nothing else tells its flags", func(t *testing.T) {
		i := slices.IndexFunc(flagCases, func(c flagCase) bool {
			return c.unit == "a0a0" && c.id == 0x23
		})
		require.JSONEq(t, `{"status": {"fully charged": true, "below remaining capacity": false,
			"charging": false, "discharging": false, "fully discharged": false,
			"needs replacement": false}}`,
			decodeOne(t, planOf(t, flagCases[i].descriptor).features, "23 08"))
	})
	t.Run("43 01 and 57 00, which are Delta's own, disturb nothing", func(t *testing.T) {
		for _, plan := range []plan{p, tablePlan()} {
			require.Equal(t, -1, indexOf(plan.features, 0x43))
			require.Equal(t, -1, indexOf(plan.features, 0x57))
		}
		c, err := capture.Load("pro1500rt2u")
		require.NoError(t, err)
		iface := &c.Interfaces[0]
		descriptor := iface.Descriptor
		with, withByTable := readJSON(t, c.Device(0), descriptor), readJSON(t, c.Device(0), nil)
		iface.Reports = slices.DeleteFunc(iface.Reports, func(r capture.Report) bool {
			return r.ID == 0x43 || r.ID == 0x57
		})
		require.JSONEq(t, with, readJSON(t, c.Device(0), descriptor))
		require.JSONEq(t, withByTable, readJSON(t, c.Device(0), nil))
	})
}

func TestShortPayloadFillsNoReading(t *testing.T) {
	p := planOf(t, capturedDescriptor("pro1500rt2u"))

	require.JSONEq(t, `{}`, decodeOne(t, p.features, "18 d1"), "half a voltage is no voltage")
	require.JSONEq(t, `{}`, decodeOne(t, p.features, "1e"))
	require.JSONEq(t, `{"status": {"internal failure": false, "shutdown imminent": false}}`,
		decodeOne(t, p.features, "32 00 00"), "only the flags of the bytes that came")
}

func TestValueThatMeansNoneTakesAwayTheOneBefore(t *testing.T) {
	// An announcement that is applied to the last State must not leave a charge in it that the unit
	// has taken back.
	p := planOf(t, capturedDescriptor("smart1500lcd"))
	for _, test := range [][2]string{
		{"1e 0e", "1e ff"}, {"34 64", "34 ff"}, {"34 64", "34"}, {"35 ec 03", "35 ff ff"},
		{"18 94 04", "18 ff ff"}, {"01 78", "01 00"}, {"11 02", "11 00"}, {"10 01", "10 00"},
		{"15 14 00", "15 ff ff"}, {"17 0a 00", "17 00 00"},
	} {
		a, b := test[0], test[1]
		require.Zero(t, decodeReports(t, p.features, a, b), "%s, then %s", a, b)
		require.NotZero(t, decodeReports(t, p.features, b, a), "%s, then %s", b, a)
	}
}

func TestSurplusBytesChangeNothing(t *testing.T) {
	p := planOf(t, capturedDescriptor("pro1500rt2u"))

	require.JSONEq(t, `{"input": {"voltage": 123.3}}`, decodeOne(t, p.features, "18 d1 04 ff ff"))
	require.JSONEq(t, `{"output": {"load": 22}}`, decodeOne(t, p.features, "1e 16 ff"))
}

// FuzzDecode decodes what a unit might send, by what it might declare, and encodes it again.
func FuzzDecode(f *testing.F) {
	for _, name := range capture.Names() {
		c, err := capture.Load(name)
		require.NoError(f, err)
		var wire []byte
		for _, r := range c.Interfaces[0].Reports {
			wire = append(wire, r.Bytes...)
		}
		f.Add([]byte(c.Interfaces[0].Descriptor), wire)
	}
	for _, c := range flagCases {
		f.Add(c.descriptor, []byte{0xff, 0x00, 0xa5})
	}
	f.Add([]byte(nil), []byte{0xff})
	f.Fuzz(func(t *testing.T, descriptor, wire []byte) {
		var plans []plan
		for _, bytes := range []int{1, 3} {
			p := tablePlan()
			p.settle(statusID, make([]byte, bytes))
			plans = append(plans, p)
		}
		if p, err := descriptorPlan(descriptor); err == nil {
			plans = append(plans, p)
		}
		at := 0
		for _, p := range plans {
			for _, e := range slices.Concat(p.features, p.inputs) {
				length := min(max(e.bytes, 1), len(wire))
				if at+length > len(wire) {
					at = 0
				}
				payload := wire[at : at+length : at+length]
				at += length

				var r record
				e.decode(payload, &r)
				for i := range e.readings {
					requirePossible(t, &e.readings[i], &r)
					requireReadWithin(t, &e.readings[i], payload)
					requireReversible(t, &e.readings[i], payload)
				}
			}
		}
	})
}

// possible are the bounds of what a unit can measure, be built for or be set to, by key.
var possible = map[string][2]float64{
	"input.voltage":                   {0, 1000},
	"input.frequency":                 {0, 100},
	"output.voltage":                  {0, 1000},
	"output.frequency":                {0, 100},
	"output.current":                  {0, 6553.4},
	"output.power":                    {0, 65534},
	"output.load":                     {0, 254},
	"battery.voltage":                 {0, 1000},
	"battery.temperature":             {-51, 150},
	"health":                          {0, 100},
	"time to empty":                   {0, 65534},
	"config.voltage":                  {1, 254},
	"config.frequency":                {1, 100},
	"config.power":                    {1, 65534},
	"config.battery voltage":          {1, 65534},
	"config.low voltage transfer":     {1, 1000},
	"config.high voltage transfer":    {1, 1000},
	"config.design capacity":          {0, 100},
	"config.full charge capacity":     {0, 100},
	"config.warning capacity limit":   {0, 100},
	"config.remaining capacity limit": {0, 100},
	"config.communication version":    {0, 65535},
	"config.firmware version":         {0, 65535},
	"config.protocol version":         {0, 65535},
	"controls.audible alarm control":  {1, 3},
	"controls.test":                   {1, 6},
	"delay before shutdown":           {0, 65534},
	"controls.delay before startup":   {1, 65534},
	"controls.delay before reboot":    {1, 65534},
	"controls.watchdog":               {0, 1<<32 - 1},
	"controls.auto restart":           {0, 1},
}

// requirePossible fails for a reading that no unit can give, whatever it sent.
func requirePossible(t *testing.T, r *reading, rec *record) {
	d := r.field.at(rec)
	n, known := d.number()
	if !known {
		return
	}
	bounds, ok := possible[r.field.Key]
	if strings.HasPrefix(r.field.Key, "status.") {
		bounds, ok = [2]float64{0, 1}, true
	}
	if !ok || n < bounds[0] || n > bounds[1] {
		t.Errorf("%s is %v, outside of %v", r.field.Key, n, bounds)
	}
	if v, isTime := d.(*Value[time.Duration]); isTime && v.Or(0)%time.Second != 0 {
		t.Errorf("%s is %v, which is no whole number of seconds", r.field.Key, v)
	}
}

// requireReadWithin fails where a reading disagrees with its bits taken one by one, or has a value
// although some lie beyond the payload.
func requireReadWithin(t *testing.T, r *reading, payload []byte) {
	size := r.size
	if size == 0 {
		size = 8 * len(payload)
	}
	var want uint32
	complete := size >= 1 && size <= 32
	for i := range min(size, 32) {
		at := r.offset + i
		if at/8 >= len(payload) {
			complete, want = false, 0
			break
		}
		want |= uint32(payload[at/8]>>(at%8)&1) << i
	}
	if got, ok := hidreport.Bits(payload, r.offset, size); ok != complete || ok && got != want {
		t.Errorf("%d bits at %d of % x are %#x, %v and not %#x, %v",
			size, r.offset, payload, got, ok, want, complete)
	}
	var rec record
	(&entry{readings: []reading{*r}}).decode(payload, &rec)
	inBounds := complete && want >= r.least && (r.most == 0 || want <= r.most)
	if got := rec != (record{}); got != (inBounds && !r.index) {
		t.Errorf("%d bits at %d of % x: a value is %v, in bounds is %v",
			size, r.offset, payload, got, inBounds)
	}
}

// fullSet returns every report of a 2012 that decode reads, beside where it goes.
func fullSet(tb testing.TB) (entries []*entry, payloads [][]byte) {
	tb.Helper()
	c, err := capture.Load("smart1500lcd")
	require.NoError(tb, err)
	p, err := descriptorPlan(c.Interfaces[0].Descriptor)
	require.NoError(tb, err)
	for i := range p.features {
		for _, r := range c.Interfaces[0].Reports {
			if r.Type == capture.Feature && byte(r.ID) == p.features[i].id {
				entries = append(entries, &p.features[i])
				payloads = append(payloads, r.Bytes[1:])
			}
		}
	}
	require.Len(tb, entries, len(p.features))
	return entries, payloads
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	entries, payloads := fullSet(t)
	r := new(record)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for i, e := range entries {
			e.decode(payloads[i], r)
		}
	}))
	require.Equal(t, ValueOf(117.2), r.state.Input.Voltage)
}

func BenchmarkDecode(b *testing.B) {
	entries, payloads := fullSet(b)
	r := new(record)
	b.ReportAllocs()
	for b.Loop() {
		for i, e := range entries {
			e.decode(payloads[i], r)
		}
	}
}

// decodeReports decodes reports into a record that holds nothing else.
func decodeReports(t *testing.T, entries []entry, reports ...string) record {
	t.Helper()
	var r record
	for _, text := range reports {
		report := unhex(text)
		e := entryOf(t, entries, report[0])
		e.decode(report[1:], &r)
	}
	return r
}

func decodeOne(t *testing.T, entries []entry, report string) string {
	t.Helper()
	return marshalRecord(t, decodeReports(t, entries, report))
}

func marshalRecord(t *testing.T, r record) string {
	t.Helper()
	return asCaptured(t, r.state, r.settings)
}

// parseJSON keeps numbers as they are written.
func parseJSON(t *testing.T, text string) (value map[string]any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&value))
	return value
}

// readJSON reads a unit once and returns the JSON of its State without the time.
func readJSON(t *testing.T, unit Device, descriptor []byte) string {
	t.Helper()
	b := New(unit, WithReportDescriptor(descriptor))
	defer b.Close()
	s, err := b.Get(t.Context())
	require.True(t, HasState(err), "%v", err)
	require.NotZero(t, s.Time)
	return asCaptured(t, s, Settings{})
}

func unhex(text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		panic(fmt.Sprintf("%q: %v", text, err))
	}
	return b
}

// number32 is the little endian number that bytes stand for.
func number32(b []byte) (n uint32) {
	for i, c := range b {
		n |= uint32(c) << (8 * i)
	}
	return n
}
