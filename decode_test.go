package tripplite

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/hidreport"
)

// decodeCases are reports as they come over the wire, id first, each with the JSON of a State that holds nothing else: {} where the
// value means "none". What the raw numbers mean is a fact about the units and comes from the sources named; the rest are the neighbours
// of the bounds in the report table.
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

	{"0e 06 01", `{"config": {"communication version": 262}}`}, // NUT's comments on an HP T1500 G3
	{"0e 06", `{"config": {"communication version": 6}}`},      // families that have one byte
	{"0e 00 00", `{"config": {"communication version": 0}}`},
	{"0e ff ff", `{"config": {"communication version": 65535}}`},

	{"0f 06 01", `{"config": {"firmware version": 262}}`}, // NUT's comments on an HP T1500 G3
	{"0f 22", `{"config": {"firmware version": 34}}`},     // log of an a0a0, one byte
	{"0f ff ff", `{"config": {"firmware version": 65535}}`},

	{"6c 12 20", `{"config": {"protocol version": "2012"}}`}, // a unit of product id 2012
	{"6c 00 0a", `{"config": {"protocol version": "0a00"}}`}, // 2560: NUT's comments on an HP T1500 G3
	{"6c 00 00", `{"config": {"protocol version": "0000"}}`},
	{"6c ff ff", `{"config": {"protocol version": "ffff"}}`},

	{"28 03", `{"string index": {"product": 3}}`}, // NUT #1018, SMART3000RM2U
	{"28 00", `{}`},
	{"28 01", `{"string index": {"product": 1}}`},
	{"28 ff", `{"string index": {"product": 255}}`},

	{"29 04", `{"string index": {"serial number": 4}}`}, // NUT #1018, SMART3000RM2U
	{"29 00", `{}`},
	{"29 01", `{"string index": {"serial number": 1}}`},
	{"29 ff", `{"string index": {"serial number": 255}}`},

	{"2a 05", `{"string index": {"device chemistry": 5}}`},
	{"2a 00", `{}`},
	{"2a 01", `{"string index": {"device chemistry": 1}}`},
	{"2a ff", `{"string index": {"device chemistry": 255}}`},

	{"2b 02", `{"string index": {"manufacturer": 2}}`}, // NUT #1018, SMART3000RM2U
	{"2b 00", `{}`},
	{"2b 01", `{"string index": {"manufacturer": 1}}`},
	{"2b ff", `{"string index": {"manufacturer": 255}}`},

	{"18 94 04", `{"input": {"voltage": 117.2}}`}, // numat's README
	{"18 d1 04", `{"input": {"voltage": 123.3}}`}, // log of an a0a0
	{"18 a6 04", `{"input": {"voltage": 119}}`},   // regression values of johnboiles for a SMART1500LCDXL
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

	{"15 14 00", `{"controls": {"delay before shutdown": 20}}`},
	{"15 00 00", `{"controls": {"delay before shutdown": 0}}`},
	{"15 fe ff", `{"controls": {"delay before shutdown": 65534}}`},
	{"15 ff ff", `{}`}, // idle: upsc of a 2012

	{"16 19 00", `{"controls": {"delay before startup": 25}}`},
	{"16 00 00", `{"controls": {"delay before startup": 0}}`},
	{"16 fe ff", `{"controls": {"delay before startup": 65534}}`},
	{"16 ff ff", `{}`}, // idle: upsc of an a0a0

	{"17 0a 00", `{"controls": {"delay before reboot": 10}}`},
	{"17 00 00", `{"controls": {"delay before reboot": 0}}`},
	{"17 fe ff", `{"controls": {"delay before reboot": 65534}}`},
	{"17 ff ff", `{}`}, // idle: upsc of a 2012 and of an a0a0

	{"52 00", `{"controls": {"watchdog": 0}}`}, // off: upsc of a 2012
	{"52 3c", `{"controls": {"watchdog": 60}}`},
	{"52 ff", `{"controls": {"watchdog": 255}}`},
}

// pathCases are the rows whose report id differs between families, so that only a descriptor tells: each of 16 bits in report 0x99.
var pathCases = []struct {
	path        string
	collections []uint32
	usage       uint32
	reports     map[string]string
}{
	{"UPS.PowerSummary.RemainingCapacityLimit", []uint32{usagePowerSummary}, usageRemainingCapacityLimit, map[string]string{
		"99 0a 00": `{"config": {"remaining capacity limit": 10}}`, // upsc of a 3012
		"99 00 00": `{"config": {"remaining capacity limit": 0}}`,
		"99 64 00": `{"config": {"remaining capacity limit": 100}}`,
		"99 65 00": `{}`,
	}},
	{"UPS.BatterySystem.Temperature", []uint32{usageBatterySystem}, usageTemperature, temperatures},
	{"UPS.BatterySystem.Battery.Temperature", []uint32{usageBatterySystem, usageBattery}, usageTemperature, temperatures},
}

// temperatures are in kelvin on the wire, as the power device class has them.
var temperatures = map[string]string{
	"99 2a 01": `{"battery": {"temperature": 24.85}}`, // 24.9 in the upsc of a 3012
	"99 2c 01": `{"battery": {"temperature": 26.85}}`, // 26.9 in the upsc of a 4004
	"99 11 01": `{"battery": {"temperature": -0.15}}`,
	"99 00 00": `{}`,
	"99 de 00": `{}`,
	"99 df 00": `{"battery": {"temperature": -50.15}}`,
	"99 a7 01": `{"battery": {"temperature": 149.85}}`,
	"99 a8 01": `{}`,
	"99 ff ff": `{}`,
}

// flagCases are the status reports: which flag each bit is, by its key in the JSON.
var flagCases = []struct {
	unit       string
	id         byte
	bytes      int
	flags      map[int]string
	descriptor []byte
	noLayout   bool // the bits are known from the descriptor alone
}{
	{
		unit: "2012", id: 0x32, bytes: 1, // the order that numat uses
		flags: map[int]string{
			0: "shutdown imminent", 1: "ac present", 2: "charging", 3: "discharging", 4: "needs replacement",
			5: "below remaining capacity", 6: "fully charged", 7: "fully discharged",
		},
		descriptor: capturedDescriptor("smart1500lcdxl"),
	},
	{
		unit: "a0a0", id: 0x32, bytes: 3, // the offsets that NUT's log prints
		flags: map[int]string{
			7: "internal failure", 9: "shutdown imminent", 16: "ac present", 18: "below remaining capacity", 19: "fully charged",
			20: "charging", 21: "discharging", 22: "fully discharged", 23: "needs replacement",
		},
		descriptor: capturedDescriptor("pro1500rt2u"),
	},
	{
		unit: "2012", id: 0x22, bytes: 2,
		flags:      converterFlags,
		descriptor: capturedDescriptor("smart1500lcdxl"),
	},
	{
		unit: "any unit with 0x22 alone", id: 0x22, bytes: 2,
		flags: converterFlags,
		descriptor: collection(usageUPS, collection(usagePowerConverter, collection(usagePresentStatus,
			feature(0x22, 1, 0x840063, 0x84006f, 0x84006e, 0, 0x840065, 0x84006d, 0x840067, 0x840062, 0, 0, 0, 0, 0, 0, 0x840072, 0)))),
	},
	{
		unit: "2012", id: 0x23, bytes: 1,
		flags: map[int]string{0: "charging", 1: "discharging", 2: "needs replacement"},
		// The PresentStatus of its battery, as captured, in the collections around it.
		descriptor: unhex("05840904a1010910a1020912a102" + "0902a1028523058575012501950309440945094bb1829505b101c0" + "c0c0c0"),
		noLayout:   true,
	},
	{
		unit: "a0a0", id: 0x23, bytes: 1,
		flags: map[int]string{
			2: "below remaining capacity", 3: "fully charged", 4: "charging", 5: "discharging", 6: "fully discharged", 7: "needs replacement",
		},
		// The PresentStatus of its battery, as captured, in the collections around it.
		descriptor: unhex("05840904a1010910a1020912a102" +
			"0902a1028523750195021500250165005500b1019506058509420946094409450947094bb182c0" + "c0c0c0"),
		noLayout: true,
	},
}

var converterFlags = map[int]string{
	0: "voltage out of range", 1: "buck", 2: "boost", 4: "overload", 5: "used", 6: "over temperature", 7: "internal failure", 14: "awaiting power",
}

// declared are the reports of the table that the descriptors of two captures declare as features.
var declared = map[string]string{
	"smart1500lcdxl": "01 02 03 04 10 11 15 17 18 19 1b 1e 20 22 23 28 29 2a 2b 30 31 32 34 35 36 37 47 52 6c",
	"pro1500rt2u":    "01 02 03 04 06 09 0f 10 11 15 17 18 19 1b 1c 1e 20 21 22 23 28 29 2a 2b 30 31 32 34 35 36 37 38 46 47",
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
		if row.set == nil {
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
			if row.most != 1<<(8*row.bytes)-1 { // a wider field, which a descriptor may declare, has a test of its own
				require.Contains(t, raws[k], row.most+1, "%v has no case above its greatest value", k)
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
		require.NotZero(t, e.id, "%s cannot be asked for where no descriptor tells its report", e.name)
	}
}

func TestPlanOfA2012(t *testing.T) {
	p := planOf(t, capturedDescriptor("smart1500lcdxl"))

	require.True(t, p.features[0].status)
	require.Equal(t, byte(0x32), p.features[0].id, "the status is asked for first")
	require.ElementsMatch(t, unhex("32 22 18 31 19 1b 47 1e 20 34 35"), idsOf(p.features, live))
	require.ElementsMatch(t, unhex("01 30 02 03 04 36 37 6c 28 29 2a 2b"), idsOf(p.features, nominal))
	require.ElementsMatch(t, unhex("10 11 15 17 52"), idsOf(p.features, control))
	require.ElementsMatch(t, unhex("32 34 35"), idsOf(p.inputs, live))
	require.Equal(t, -1, indexOf(p.features, 0x23), "0x32 has every flag of 0x23, so that asking for it would be a transfer too many")
}

func TestPlanOfAnA0A0(t *testing.T) {
	p := planOf(t, capturedDescriptor("pro1500rt2u"))

	require.Equal(t, byte(0x32), p.features[0].id)
	require.Equal(t, 3, p.features[0].bytes)
	require.ElementsMatch(t, unhex("32 22 18 31 19 1b 1c 46 47 1e 20 34 21 35"), idsOf(p.features, live))
	require.ElementsMatch(t, unhex("01 30 02 03 04 06 09 36 37 38 0f 28 29 2a 2b"), idsOf(p.features, nominal))
	require.ElementsMatch(t, unhex("10 11 15 61 17"), idsOf(p.features, control), "DelayBeforeStartup is 61 in the log")
	require.ElementsMatch(t, unhex("32 34 35"), idsOf(p.inputs, live))
	require.Equal(t, 1, p.features[indexOf(p.features, 0x0f)].bytes, "this family's firmware version is one byte")
}

func TestPlanWithoutADescriptorHasEveryRowWhoseBitsAreKnown(t *testing.T) {
	p := tablePlan()

	require.Equal(t, byte(0x32), p.features[0].id, "the status is asked for first")
	require.True(t, p.features[0].status)
	require.Equal(t, unhex("01 02 03 04 06 09 0e 0f 10 11 15 16 17 18 19 1b 1c 1e 20 21 22 28 29 2a 2b 30 31 32 34 35 36 37 38 46 47 52 6c"),
		slices.Sorted(slices.Values(slices.Concat(idsOf(p.features, live), idsOf(p.features, nominal), idsOf(p.features, control)))),
		"0x23 is missing: its bits differ between families that have the same length of it")
	require.ElementsMatch(t, unhex("32 34 35"), idsOf(p.inputs, live))
}

func TestDescriptorWithoutStatusIsRefused(t *testing.T) {
	// What is read then is a unit of which nobody could say whether it is on battery.
	_, err := descriptorPlan(collection(usageUPS, collection(usagePowerConverter, collection(usageInput, feature(0x18, 16, usageVoltage)))))
	require.EqualError(t, err, "the report descriptor declares no status flag among its 1 fields")

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
				require.Equal(t, map[string]map[string]bool{"status": want}, decodeFlags(t, &e, payload), "bit %d", bit)
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
			p.settle(c.id, c.bytes, layoutOf(c.id, c.bytes))
			check(t, entryOf(t, p.features, c.id))
			if c.id == statusID {
				check(t, entryOf(t, p.inputs, c.id))
			}
		})
	}
}

func TestInputReportsHaveTheLayoutOfTheFeatures(t *testing.T) {
	for _, test := range []struct{ unit, report, state string }{
		{"smart1500lcdxl", "32 02", `{"status": {"ac present": true, "charging": false, "discharging": false, "fully charged": false,
			"fully discharged": false, "needs replacement": false, "below remaining capacity": false, "shutdown imminent": false}}`},
		{"smart1500lcdxl", "34 4a", `{"health": 74}`},
		{"smart1500lcdxl", "35 ec 03", `{"time to empty": 1004}`},
		{"pro1500rt2u", "32 00 00 20", `{"status": {"ac present": false, "charging": false, "discharging": true, "fully charged": false,
			"fully discharged": false, "needs replacement": false, "below remaining capacity": false, "shutdown imminent": false,
			"internal failure": false}}`},
		{"pro1500rt2u", "34 64", `{"health": 100}`},
		{"pro1500rt2u", "35 45 08", `{"time to empty": 2117}`}, // the input report of the log
	} {
		p := planOf(t, capturedDescriptor(test.unit))
		require.JSONEq(t, test.state, decodeOne(t, p.inputs, test.report), "%s: %s", test.unit, test.report)
	}
}

// numatReadme is what the Python project numat/tripplite prints for a SMART1500LCD: the example output of its README.
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
	reports := []string{"30 78", "02 3c", "03 dc 05", "32 62", "18 94 04", "19 55 02", "1b 94 04", "47 44 01", "34 64", "35 ec 03"}
	withoutDescriptor := tablePlan()
	withoutDescriptor.settle(0x32, 1, layoutOf(0x32, 1))
	for name, p := range map[string]plan{
		"with the descriptor":    planOf(t, capturedDescriptor("smart1500lcd")),
		"without the descriptor": withoutDescriptor,
	} {
		t.Run(name, func(t *testing.T) {
			// Numbers are compared as text, so that 117.2 is not 117.20000000000002.
			require.Equal(t, parseJSON(t, numatReadme), parseJSON(t, marshalState(t, decodeReports(t, p.features, reports...))))
		})
	}
}

func TestReportsOfAnA0A0(t *testing.T) {
	// NUT's log of a MINUTEMAN PRO1500RT2U; the high byte of 0x1b is not in the log and is composed.
	log := []struct{ report, state string }{
		{"32 00 00 09", `{"status": {"ac present": true, "fully charged": true, "internal failure": false, "shutdown imminent": false,
			"below remaining capacity": false, "charging": false, "discharging": false, "fully discharged": false, "needs replacement": false}}`},
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
		{"22 20 00", `{"status": {"used": true, "voltage out of range": false, "buck": false, "boost": false, "overload": false,
			"over temperature": false, "awaiting power": false}}`}, // its internal failure is the one of 0x32
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
		for _, c := range flagCases {
			if c.unit == "a0a0" && c.id == 0x23 {
				require.JSONEq(t, `{"status": {"fully charged": true, "below remaining capacity": false, "charging": false,
					"discharging": false, "fully discharged": false, "needs replacement": false}}`,
					decodeOne(t, planOf(t, c.descriptor).features, "23 08"))
			}
		}
	})
	t.Run("43 01 and 57 00, which are Delta's own, disturb nothing", func(t *testing.T) {
		for _, plan := range []plan{p, tablePlan()} {
			require.Equal(t, -1, indexOf(plan.features, 0x43))
			require.Equal(t, -1, indexOf(plan.features, 0x57))
		}
		c, err := capture.Load("pro1500rt2u")
		require.NoError(t, err)
		descriptor := c.Interfaces[0].Descriptor
		with, withByTable := readJSON(t, c.Device(0), descriptor), readJSON(t, c.Device(0), nil)
		c.Interfaces[0].Reports = slices.DeleteFunc(c.Interfaces[0].Reports, func(r capture.Report) bool { return r.ID == 0x43 || r.ID == 0x57 })
		require.JSONEq(t, with, readJSON(t, c.Device(0), descriptor))
		require.JSONEq(t, withByTable, readJSON(t, c.Device(0), nil))
	})
}

func TestLogicalMaximumDoesNotMask(t *testing.T) {
	// The 2005 and the a0a0 leave a Logical Maximum of 255 in force over 16 bits; NUT read 166 V for 119.0 V.
	logicalMaximum255 := unhex("26 ff 00")
	p := planOf(t, collection(usageUPS, status2012(), collection(usagePowerConverter, collection(usageInput,
		logicalMaximum255, feature(0x18, 16, usageVoltage)))))

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
			p := planOf(t, collection(usageUPS, status2012(), unhex(items), collection(usagePowerConverter,
				collection(usageInput, feature(0x18, 16, usageVoltage)),
				collection(usageOutput, feature(0x1b, 16, usageVoltage), feature(0x47, 16, usageActivePower)))))

			require.JSONEq(t, `{"input": {"voltage": 117.2}}`, decodeOne(t, p.features, "18 94 04"))
			require.JSONEq(t, `{"output": {"voltage": 112.2}}`, decodeOne(t, p.features, "1b 62 04"))
			require.JSONEq(t, `{"output": {"power": 520}}`, decodeOne(t, p.features, "47 08 02"))
		})
	}
}

func TestUnitWithoutVoltagesShowsNoneRatherThanZero(t *testing.T) {
	// An AVR750U, product 1007: charge, run time, nominal values and status are all it has (nut-ddl). Its descriptor is not known, so
	// this one declares just that.
	descriptor := collection(usageUPS,
		collection(usagePowerSummary,
			collection(usagePresentStatus, feature(0x32, 1, 0x840069, 0x8500d0, 0x850044, 0x850045, 0x85004b, 0x850042, 0x850046, 0x850047)),
			feature(0x34, 8, usageRemainingCapacity),
			feature(0x35, 16, usageRunTimeToEmpty)),
		collection(usageFlow,
			feature(0x01, 8, usageConfigVoltage),
			feature(0x02, 8, usageConfigFrequency),
			feature(0x03, 16, usageConfigApparentPower)))
	unit := newFake("32 06", "34 64", "35 27 06", "01 78", "02 3c", "03 ee 02")

	for name, descriptor := range map[string][]byte{"with a descriptor": descriptor, "without one": nil} {
		t.Run(name, func(t *testing.T) {
			require.JSONEq(t, `{
				"config": {"voltage": 120, "frequency": 60, "power": 750},
				"health": 100,
				"time to empty": 1575,
				"status": {"ac present": true, "charging": true, "discharging": false, "fully charged": false, "fully discharged": false,
					"needs replacement": false, "below remaining capacity": false, "shutdown imminent": false}
			}`, readJSON(t, unit, descriptor))
		})
	}
}

func TestFlagsOnThePowerPageAreThoseOfTheBatteryPage(t *testing.T) {
	// The 2005 (OMNI1000LCD) has these four on page 0x84, where the numbers mean other things that are no single bit.
	p := planOf(t, collection(usageUPS, collection(usagePowerSummary, collection(usagePresentStatus,
		feature(0x32, 1, 0x840044, 0x840045, 0x84004b, 0x8400d0)))))
	status := entryOf(t, p.features, 0x32)

	for bit, flag := range []string{"charging", "discharging", "needs replacement", "ac present"} {
		want := map[string]bool{"charging": false, "discharging": false, "needs replacement": false, "ac present": false}
		want[flag] = true
		require.Equal(t, map[string]map[string]bool{"status": want}, decodeFlags(t, &status, []byte{1 << bit}))
	}
}

func TestMeasurementOnThePowerPageIsNoFlag(t *testing.T) {
	// Usage 0x840044 of more than one bit is ConfigActivePower, not Charging, whatever its limits are.
	logicalMaximum1 := unhex("25 01")
	p := planOf(t, collection(usageUPS, collection(usagePowerSummary, collection(usagePresentStatus,
		logicalMaximum1, feature(0x32, 1, 0x8500d0), feature(0x33, 16, 0x840044)))))

	require.Equal(t, -1, indexOf(p.features, 0x33))
}

func TestFlagOfAWholeByteIsTrueWhereTheByteIsNotZero(t *testing.T) {
	logicalMaximum1 := unhex("25 01")
	p := planOf(t, collection(usageUPS, collection(usagePowerSummary, collection(usagePresentStatus,
		logicalMaximum1, feature(0x32, 8, 0x8500d0, 0x850044), unhex("26 ff 00"), feature(0x33, 8, 0x850045)))))

	require.JSONEq(t, `{"status": {"ac present": true, "charging": false}}`, decodeOne(t, p.features, "32 01 00"))
	require.JSONEq(t, `{"status": {"ac present": false, "charging": true}}`, decodeOne(t, p.features, "32 00 02"))
	require.Equal(t, -1, indexOf(p.features, 0x33), "a byte that can be more than 1 is a number and no flag")
}

func TestFlagInSeveralReportsIsTheOneOfTheSummary(t *testing.T) {
	battery := collection(usageBatterySystem, collection(usageBattery, collection(usagePresentStatus, feature(0x23, 1, 0x850044, 0x850045))))
	converter := collection(usagePowerConverter, collection(usagePresentStatus, feature(0x22, 1, 0x850045, 0x850046, 0x840065)))
	summary := collection(usagePowerSummary, collection(usagePresentStatus, feature(0x32, 1, 0x8500d0, 0x850044)))
	p := planOf(t, collection(usageUPS, converter, battery, summary))

	require.Equal(t, []byte{0x32, 0x23, 0x22}, idsOf(p.features, live), "the summary is the status, wherever it is declared")
	require.JSONEq(t, `{"status": {"ac present": true, "charging": false}}`, decodeOne(t, p.features, "32 01"))
	require.JSONEq(t, `{"status": {"discharging": true}}`, decodeOne(t, p.features, "23 03"), "charging is the summary's")
	require.JSONEq(t, `{"status": {"fully charged": true, "overload": false}}`, decodeOne(t, p.features, "22 03"), "discharging is the battery's")
}

func TestFieldInAnotherReportIsFoundByItsWholePath(t *testing.T) {
	p := planOf(t, collection(usageUPS, status2012(), collection(usagePowerConverter, collection(usageInput,
		feature(0x99, 8, usageTemperature), feature(0x99, 16, usageVoltage)))))

	require.JSONEq(t, `{"input": {"voltage": 117.2}}`, decodeOne(t, p.features, "99 ff 94 04"))
	require.Equal(t, -1, indexOf(p.features, 0x18))
	require.True(t, p.provides("UPS.PowerConverter.Input.Voltage"), "what its row says of it holds in whichever report it is")
}

func TestFieldsOfOneReportCostOneTransfer(t *testing.T) {
	// HID allows it, although no family of Tripp Lite's is known to do so; each transfer to a low speed device is dear.
	descriptor := collection(usageUPS, collection(usagePowerSummary, collection(usagePresentStatus, feature(0x32, 1, 0x8500d0, 0x850045), feature(0x32, 6, 0)),
		feature(0x32, 8, usageRemainingCapacity), feature(0x32, 16, usageRunTimeToEmpty)))
	unit := newFake("32 01 4a ec 03")

	require.JSONEq(t, `{"status": {"ac present": true, "discharging": false}, "health": 74, "time to empty": 1004}`, readJSON(t, unit, descriptor))
	require.Equal(t, map[byte]int{0x32: 1}, unit.asked)
}

func TestFieldsOfOneReportThatAreReadAtDifferentTimesAreReadApart(t *testing.T) {
	// A nominal field beside one that changes, and a control: the first must not keep the second from being read anew.
	descriptor := collection(usageUPS, status2012(), collection(usagePowerConverter, collection(usageInput, feature(0x18, 16, usageVoltage))),
		collection(usageFlow, feature(0x18, 8, usageConfigVoltage)), collection(usagePowerSummary, feature(0x18, 8, 0x84005a)))
	p := planOf(t, descriptor)
	require.Contains(t, idsOf(p.features, live), byte(0x18))
	require.Contains(t, idsOf(p.features, nominal), byte(0x18))
	require.Contains(t, idsOf(p.features, control), byte(0x18))
}

func TestInternalFailureIsTheSummarysWithoutADescriptorToo(t *testing.T) {
	// Bit 7 of the three-byte status is set, bit 7 of the converter's is not.
	unit := newFake("32 80 00 09", "22 20 00")
	require.JSONEq(t, `{"status": {"ac present": true, "shutdown imminent": false, "below remaining capacity": false, "fully charged": true,
		"charging": false, "discharging": false, "fully discharged": false, "needs replacement": false, "internal failure": true,
		"voltage out of range": false, "buck": false, "boost": false, "overload": false, "used": true, "over temperature": false,
		"awaiting power": false}}`, readJSON(t, unit, nil))
}

func TestAReportStandsInForOneThatHasNoValue(t *testing.T) {
	for name, row := range map[string]struct {
		reports []string
		want    string
	}{
		"nominal voltage": {[]string{"32 02", "01 00", "30 78"}, `"config": {"voltage": 120}`},
		"input voltage":   {[]string{"32 02", "18 ff ff", "31 94 04"}, `"input": {"voltage": 117.2}`},
		"charge":          {[]string{"32 02", "34 ff", "21 4a"}, `"health": 74`},
		"and not else":    {[]string{"32 02", "18 94 04", "31 00 00"}, `"input": {"voltage": 117.2}`},
	} {
		t.Run(name, func(t *testing.T) {
			require.JSONEq(t, `{"status": {"ac present": true, "shutdown imminent": false, "below remaining capacity": false,
				"fully charged": false, "charging": false, "discharging": false, "fully discharged": false, "needs replacement": false},
				`+row.want+`}`, readJSON(t, newFake(row.reports...), nil))
		})
	}
}

func TestANumberWiderThanItsMeaningIsNotCutOff(t *testing.T) {
	p := planOf(t, collection(usageUPS, status2012(), collection(usagePowerSummary, feature(0x28, 16, 0x8400fe))))
	require.JSONEq(t, `{"string index": {"product": 2}}`, decodeOne(t, p.features, "28 02 00"))
	require.JSONEq(t, `{}`, decodeOne(t, p.features, "28 00 01"))
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
			p := planOf(t, collection(usageUPS, status2012(), collection(usagePowerConverter, collection(usageInput, field))))
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
			p := planOf(t, collection(usageUPS, status2012(), collection(usagePowerConverter, input)))
			require.Equal(t, []byte{0x32, 0x18}, idsOf(p.features, live))
		})
	}
}

func TestReportThatSaysTheSameIsReadWhereTheOtherIsMissing(t *testing.T) {
	for _, test := range []struct{ preferred, other, both, otherAlone string }{
		{"01 78", "30 73", `{"config": {"voltage": 120}}`, `{"config": {"voltage": 115}}`},
		{"18 94 04", "31 95 04", `{"input": {"voltage": 117.2}}`, `{"input": {"voltage": 117.3}}`},
		{"34 64", "21 63", `{"health": 100}`, `{"health": 99}`},
	} {
		status := `{"status": {"ac present": true, "charging": false, "discharging": false, "fully charged": false, "fully discharged": false,
			"needs replacement": false, "below remaining capacity": false, "shutdown imminent": false}}`
		t.Run(test.preferred+" and "+test.other, func(t *testing.T) {
			unit := newFake("32 02", test.preferred, test.other)
			require.JSONEq(t, joinJSON(t, status, test.both), readJSON(t, unit, nil))
			require.Zero(t, unit.asked[unhex(test.other)[0]], "the other one would be a transfer too many")
		})
		t.Run(test.other+" alone", func(t *testing.T) {
			require.JSONEq(t, joinJSON(t, status, test.otherAlone), readJSON(t, newFake("32 02", test.other), nil))
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
		require.Nil(t, layoutOf(other.id, other.bytes), "report %#02x of %d bytes", other.id, other.bytes)
	}
}

func TestOneByteStatusWithPaddingIsNotTheThreeByteLayout(t *testing.T) {
	three := layoutOf(0x32, 3)
	for payload, want := range map[string]bool{
		"46 00 00": false, // a 2012 on mains that charges, padded
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
	}
	for status := range 256 {
		require.True(t, covers(layoutOf(0x32, 1), []byte{byte(status)}), "every bit of the one-byte layout is a flag")
	}

	require.Contains(t, readError(t, newFake("32 46 00 00"), nil), "the status 46 00 00 has no known layout")
}

func TestBits(t *testing.T) {
	payload := []byte{0b1010_0101, 0b0011_1100, 0xff, 0x00, 0x81}
	for _, test := range []struct {
		offset, size int
		want         uint32
	}{
		{0, 1, 1},
		{1, 1, 0},
		{7, 1, 1},
		{8, 1, 0},
		{0, 8, 0xa5},
		{0, 16, 0x3ca5},
		{8, 16, 0xff3c},
		{3, 3, 0b100},
		{5, 5, 0b00_101},
		{7, 9, 0b0011_1100_1},
		{4, 32, 0x100ff3ca},
		{1, 32, 0x807f9e52},
		{7, 32, 0x0201fe79},
		{8, 32, 0x8100ff3c},
		{39, 1, 1},
		{38, 1, 0},
		{33, 7, 0x40},
	} {
		got, ok := hidreport.Bits(payload, test.offset, test.size)
		require.True(t, ok)
		require.Equal(t, test.want, got, "%d bits at %d", test.size, test.offset)
	}
}

func TestBitsBeyondThePayloadAreNotRead(t *testing.T) {
	for _, test := range []struct{ bytes, offset, size int }{
		{0, 0, 1},
		{1, 8, 1},
		{1, 7, 2},
		{1, 0, 9},
		{2, 1, 16},
		{5, 40, 1},
		{5, 9, 32},
		{8, 0, 33}, // more than a value can hold
		{8, 0, 64},
		{8, 0, 0},
		{8, 0, -1},
		{8, -1, 1},
		{8, -8, 16},
	} {
		got, ok := hidreport.Bits(bytes.Repeat([]byte{0xff}, test.bytes), test.offset, test.size)
		require.False(t, ok, "%d bits at %d of %d bytes", test.size, test.offset, test.bytes)
		require.Zero(t, got)
	}
}

func TestShortPayloadFillsNoReading(t *testing.T) {
	p := planOf(t, capturedDescriptor("pro1500rt2u"))

	require.JSONEq(t, `{}`, decodeOne(t, p.features, "18 d1"), "half a voltage is no voltage")
	require.JSONEq(t, `{}`, decodeOne(t, p.features, "1e"))
	require.JSONEq(t, `{"status": {"internal failure": false, "shutdown imminent": false}}`, decodeOne(t, p.features, "32 00 00"),
		"only the flags of the bytes that came")
}

func TestValueThatMeansNoneTakesAwayTheOneBefore(t *testing.T) {
	// An input report that is applied to the last State must not leave a charge in it that the unit has taken back.
	p := planOf(t, capturedDescriptor("smart1500lcd"))
	for _, test := range [][2]string{
		{"1e 0e", "1e ff"}, {"34 64", "34 ff"}, {"35 ec 03", "35 ff ff"}, {"18 94 04", "18 ff ff"}, {"01 78", "01 00"},
		{"11 02", "11 00"}, {"15 14 00", "15 ff ff"}, {"10 01", "10 00"}, {"28 02", "28 00"}, {"34 64", "34"},
	} {
		require.JSONEq(t, `{}`, marshalState(t, decodeReports(t, p.features, test[0], test[1])), "%s, then %s", test[0], test[1])
		require.NotEqual(t, `{}`, marshalState(t, decodeReports(t, p.features, test[1], test[0])), "%s, then %s", test[1], test[0])
	}
}

func TestSurplusBytesChangeNothing(t *testing.T) {
	p := planOf(t, capturedDescriptor("pro1500rt2u"))

	require.JSONEq(t, `{"input": {"voltage": 123.3}}`, decodeOne(t, p.features, "18 d1 04 ff ff ff ff ff"))
	require.JSONEq(t, `{"output": {"load": 22}}`, decodeOne(t, p.features, "1e 16 ff"))
}

// FuzzDecode decodes what a unit might send, by what it might declare.
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
		plans := []plan{tablePlan()}
		for _, l := range layouts {
			plans[0].settle(l.id, l.bytes, layoutOf(l.id, l.bytes))
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

				var s State
				e.decode(payload, &s)
				requirePossible(t, &s)
				for i := range e.readings {
					requireReadWithin(t, &e.readings[i], payload)
				}
			}
		}
	})
}

// possible are the numbers that a unit can measure or be built for.
var possible = []struct {
	name        string
	value       func(*State) Value[float64]
	least, most float64
}{
	{"input voltage", func(s *State) Value[float64] { return s.Input.Voltage }, 0, 1000},
	{"input frequency", func(s *State) Value[float64] { return s.Input.Frequency }, 0, 100},
	{"output voltage", func(s *State) Value[float64] { return s.Output.Voltage }, 0, 1000},
	{"output frequency", func(s *State) Value[float64] { return s.Output.Frequency }, 0, 100},
	{"output current", func(s *State) Value[float64] { return s.Output.Current }, 0, 6553.4},
	{"output power", func(s *State) Value[float64] { return s.Output.ActivePower }, 0, 65534},
	{"load", func(s *State) Value[float64] { return s.Output.PercentLoad }, 0, 254},
	{"battery voltage", func(s *State) Value[float64] { return s.Battery.Voltage }, 0, 1000},
	{"battery temperature", func(s *State) Value[float64] { return s.Battery.Temperature }, -51, 150},
	{"charge", func(s *State) Value[float64] { return s.RemainingCapacity }, 0, 100},
	{"nominal voltage", func(s *State) Value[float64] { return s.Config.Voltage }, 1, 254},
	{"nominal frequency", func(s *State) Value[float64] { return s.Config.Frequency }, 1, 100},
	{"nominal power", func(s *State) Value[float64] { return s.Config.ApparentPower }, 1, 65534},
	{"nominal battery voltage", func(s *State) Value[float64] { return s.Config.BatteryVoltage }, 1, 65534},
	{"low voltage transfer", func(s *State) Value[float64] { return s.Config.LowVoltageTransfer }, 1, 1000},
	{"high voltage transfer", func(s *State) Value[float64] { return s.Config.HighVoltageTransfer }, 1, 1000},
	{"design capacity", func(s *State) Value[float64] { return s.Config.DesignCapacity }, 0, 100},
	{"full charge capacity", func(s *State) Value[float64] { return s.Config.FullChargeCapacity }, 0, 100},
	{"warning capacity limit", func(s *State) Value[float64] { return s.Config.WarningCapacityLimit }, 0, 100},
	{"remaining capacity limit", func(s *State) Value[float64] { return s.Config.RemainingCapacityLimit }, 0, 100},
}

// requirePossible fails for a State that no unit can be in, whatever it sent.
func requirePossible(t *testing.T, s *State) {
	for i := range possible {
		p := &possible[i]
		if v, ok := p.value(s).Get(); ok && (v < p.least || v > p.most) {
			t.Errorf("%s is %v, outside of %v to %v", p.name, v, p.least, p.most)
		}
	}
	for _, value := range [...]Value[time.Duration]{
		s.RunTimeToEmpty, s.Controls.DelayBeforeShutdown, s.Controls.DelayBeforeStartup, s.Controls.DelayBeforeReboot,
	} {
		if d := value.Or(0); d < 0 || d > 65534*time.Second || d%time.Second != 0 {
			t.Errorf("a time is %v", d)
		}
	}
	if d := s.Controls.Watchdog.Or(0); d < 0 || d%time.Second != 0 {
		t.Errorf("the watchdog is %v", d)
	}
	for _, value := range [...]Value[uint8]{
		s.StringIndex.Product, s.StringIndex.SerialNumber, s.StringIndex.DeviceChemistry, s.StringIndex.Manufacturer,
	} {
		if value.Or(1) == 0 {
			t.Errorf("a string has the index 0, which is no string")
		}
	}
	if a := s.Controls.AudibleAlarmControl.Or(AlarmEnabled); a < AlarmDisabled || a > AlarmMuted {
		t.Errorf("the alarm is %v", a)
	}
	if r := s.Controls.Test.Or(TestPassed); r < TestPassed || r > TestNone {
		t.Errorf("the test result is %v", r)
	}
}

// requireReadWithin fails where a reading disagrees with its bits taken one by one, or has a value although some lie beyond the payload.
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
		t.Errorf("%d bits at %d of % x are %#x, %v and not %#x, %v", size, r.offset, payload, got, ok, want, complete)
	}
	var s State
	(&entry{readings: []reading{*r}}).decode(payload, &s)
	if inBounds := complete && want >= r.least && (r.most == 0 || want <= r.most); (s != State{}) != inBounds {
		t.Errorf("%d bits at %d of % x: a value is %v, in bounds is %v", size, r.offset, payload, s != State{}, inBounds)
	}
}

// fullSet is every report of a 2012 beside where it goes.
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
	s := new(State)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for i, e := range entries {
			e.decode(payloads[i], s)
		}
	}))
	require.Equal(t, ValueOf(117.2), s.Input.Voltage)
}

func BenchmarkDecode(b *testing.B) {
	entries, payloads := fullSet(b)
	s := new(State)
	b.ReportAllocs()
	for b.Loop() {
		for i, e := range entries {
			e.decode(payloads[i], s)
		}
	}
}

// The usages of the descriptors that the tests build (Universal Serial Bus Usage Tables for HID Power Devices 1.1, 4.1 and 4.2).
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
	usageRemainingCapacity   = 0x850066
	usageRunTimeToEmpty      = 0x850068

	usageRemainingCapacityLimit = 0x850029
)

// collection puts items of a report descriptor into a logical collection (HID 1.11, 6.2.2.6).
func collection(usage uint32, items ...[]byte) []byte {
	return slices.Concat(usageItem(usage), []byte{0xa1, 0x02}, slices.Concat(items...), []byte{0xc0})
}

// feature declares fields of so many bits in a feature report (HID 1.11, 6.2.2.5 and 6.2.2.7); a usage of 0 is padding.
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
func usageItem(usage uint32) []byte { return binary.LittleEndian.AppendUint32([]byte{0x0b}, usage) }

// status2012 declares a status, without which a descriptor is refused.
func status2012() []byte {
	return collection(usagePowerSummary, collection(usagePresentStatus, feature(0x32, 1, 0x840069, 0x8500d0)))
}

func capturedDescriptor(name string) []byte {
	c, err := capture.Load(name)
	if err != nil {
		panic(err)
	}
	return c.Interfaces[0].Descriptor
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

func idsOf(entries []entry, when when) []byte {
	var ids []byte
	for _, e := range entries {
		if e.when == when {
			ids = append(ids, e.id)
		}
	}
	return ids
}

// decodeReports decodes reports into a State that holds nothing else.
func decodeReports(t *testing.T, entries []entry, reports ...string) State {
	t.Helper()
	var s State
	for _, text := range reports {
		report := unhex(text)
		e := entryOf(t, entries, report[0])
		e.decode(report[1:], &s)
	}
	return s
}

func decodeOne(t *testing.T, entries []entry, report string) string {
	t.Helper()
	return marshalState(t, decodeReports(t, entries, report))
}

func decodeFlags(t *testing.T, e *entry, payload []byte) map[string]map[string]bool {
	t.Helper()
	var s State
	e.decode(payload, &s)
	var flags map[string]map[string]bool
	require.NoError(t, json.Unmarshal([]byte(marshalState(t, s)), &flags))
	return flags
}

func marshalState(t *testing.T, s State) string {
	t.Helper()
	text, err := json.Marshal(s)
	require.NoError(t, err)
	return string(text)
}

// parseJSON keeps numbers as they are written.
func parseJSON(t *testing.T, text string) (value map[string]any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&value))
	return value
}

func joinJSON(t *testing.T, a, b string) string {
	t.Helper()
	joined := parseJSON(t, a)
	maps.Copy(joined, parseJSON(t, b))
	text, err := json.Marshal(joined)
	require.NoError(t, err)
	return string(text)
}

// countingFake is a unit that counts how often each report is asked for.
type countingFake struct {
	*capture.Device
	asked map[byte]int
}

func newFake(reports ...string) *countingFake {
	device := (&capture.Capture{Interfaces: []capture.Interface{{}}}).Device(0)
	for _, text := range reports {
		report := unhex(text)
		device.Set(report[0], report[1:]...)
	}
	return &countingFake{device, map[byte]int{}}
}

func (f *countingFake) GetFeatureReport(b []byte) (int, error) {
	f.asked[b[0]]++
	return f.Device.GetFeatureReport(b)
}

// Close leaves the unit open for the next reader.
func (f *countingFake) Close() error { return nil }

// readJSON reads a unit and returns the JSON of its State without the time.
func readJSON(t *testing.T, unit hid.Device, descriptor []byte) string {
	t.Helper()
	b := New(unit, WithReportDescriptor(descriptor))
	defer b.Close()
	s, err := b.Get(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), s.Time, time.Minute)
	s.Time = time.Time{}
	return marshalState(t, s)
}

func readError(t *testing.T, unit hid.Device, descriptor []byte) string {
	t.Helper()
	b := New(unit, WithReportDescriptor(descriptor))
	defer b.Close()
	_, err := b.Get(t.Context())
	require.Error(t, err)
	return err.Error()
}

func unhex(text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		panic(err)
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
