package hidreport

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func readHex(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return unhex(t, string(text))
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	require.NoError(t, err)
	return b
}

// testdata/2012.hex is the report descriptor of a SMART1500LCDXL (09ae:2012) as
// johnboiles/homeassistant-config has it at 5c16bfb0 in
// esphome/tests/tripplite_2012_descriptor.h.
//
// The table was written from a walk over its bytes, one item at a time against
// sections 6.2.2.4 to 6.2.2.8 with the global state kept on paper, before the parser
// was run on it. Column "at" is where the main item stands, so that each row can be
// looked up: the items between one row and the next are what changes from the one to
// the other. The walk agrees with what others counted in it, 58 fields that are not
// constant.
func TestParseReadsEveryFieldOfThe2012(t *testing.T) {
	const second, watt = 0x1001, 0xd121 // as the descriptor writes them
	in, feat := Input, Feature
	rows := []struct {
		at       int
		typ      Type
		id       byte
		path     string
		offset   int
		size     int
		count    int
		flags    Flags
		max      int64
		unit     uint32
		exponent int
	}{
		{23, feat, 0x28, "UPS.PowerSummary.iProduct", 0, 8, 1, 0x03, 255, 0, 0},
		{29, feat, 0x29, "UPS.PowerSummary.iSerialNumber", 0, 8, 1, 0x03, 255, 0, 0},
		{35, feat, 0x2b, "UPS.PowerSummary.iManufacturer", 0, 8, 1, 0x03, 255, 0, 0},
		{44, feat, 0xc0, "UPS.PowerSummary.ffff00d9", 0, 8, 1, 0x03, 255, 0, 0},
		{56, feat, 0x30, "UPS.PowerSummary.Input.ConfigVoltage", 0, 8, 1, 0x83, 255, 0, 0},
		{63, feat, 0x11, "UPS.PowerSummary.AudibleAlarmControl", 0, 8, 1, 0x82, 255, 0, 0},
		{71, feat, 0x2a, "UPS.PowerSummary.iDeviceChemistry", 0, 8, 1, 0x03, 255, 0, 0},
		{77, feat, 0x33, "UPS.PowerSummary.CapacityMode", 0, 8, 1, 0x03, 255, 0, 0},
		{83, feat, 0x2c, "UPS.PowerSummary.Rechargeable", 0, 8, 1, 0x03, 255, 0, 0},
		{99, in, 0x35, "UPS.PowerSummary.RunTimeToEmpty", 0, 16, 1, 0xa2, 65535, second, 0},
		{105, feat, 0x35, "UPS.PowerSummary.RunTimeToEmpty", 0, 16, 1, 0xa2, 65535, second, 0},
		{117, in, 0x34, "UPS.PowerSummary.RemainingCapacity", 0, 8, 1, 0xa2, 100, 0, 0},
		{123, feat, 0x34, "UPS.PowerSummary.RemainingCapacity", 0, 8, 1, 0xa2, 100, 0, 0},
		{129, feat, 0x37, "UPS.PowerSummary.FullChargeCapacity", 0, 8, 1, 0x03, 100, 0, 0},
		{135, feat, 0x36, "UPS.PowerSummary.DesignCapacity", 0, 8, 1, 0x03, 100, 0, 0},

		{154, feat, 0x31, "UPS.PowerSummary.PresentStatus.Voltage", 0, 16, 1, 0x02, 65535, 0, 0},
		{164, in, 0x32, "UPS.PowerSummary.PresentStatus.ShutdownImminent", 0, 1, 1, 0xa2, 1, 0, 0},
		{170, in, 0x32, "UPS.PowerSummary.PresentStatus.ACPresent", 1, 1, 1, 0xa2, 1, 0, 0},
		{186, in, 0x32, "UPS.PowerSummary.PresentStatus.Charging", 2, 1, 1, 0xa2, 1, 0, 0},
		{186, in, 0x32, "UPS.PowerSummary.PresentStatus.Discharging", 3, 1, 1, 0xa2, 1, 0, 0},
		{186, in, 0x32, "UPS.PowerSummary.PresentStatus.NeedReplacement", 4, 1, 1, 0xa2, 1, 0, 0},
		{186, in, 0x32, "UPS.PowerSummary.PresentStatus.BelowRemainingCapacityLimit", 5, 1, 1, 0xa2, 1, 0, 0},
		{186, in, 0x32, "UPS.PowerSummary.PresentStatus.FullyCharged", 6, 1, 1, 0xa2, 1, 0, 0},
		{186, in, 0x32, "UPS.PowerSummary.PresentStatus.FullyDischarged", 7, 1, 1, 0xa2, 1, 0, 0},
		{196, feat, 0x32, "UPS.PowerSummary.PresentStatus.ShutdownImminent", 0, 1, 1, 0xa2, 1, 0, 0},
		{202, feat, 0x32, "UPS.PowerSummary.PresentStatus.ACPresent", 1, 1, 1, 0xa2, 1, 0, 0},
		{218, feat, 0x32, "UPS.PowerSummary.PresentStatus.Charging", 2, 1, 1, 0xa2, 1, 0, 0},
		{218, feat, 0x32, "UPS.PowerSummary.PresentStatus.Discharging", 3, 1, 1, 0xa2, 1, 0, 0},
		{218, feat, 0x32, "UPS.PowerSummary.PresentStatus.NeedReplacement", 4, 1, 1, 0xa2, 1, 0, 0},
		{218, feat, 0x32, "UPS.PowerSummary.PresentStatus.BelowRemainingCapacityLimit", 5, 1, 1, 0xa2, 1, 0, 0},
		{218, feat, 0x32, "UPS.PowerSummary.PresentStatus.FullyCharged", 6, 1, 1, 0xa2, 1, 0, 0},
		{218, feat, 0x32, "UPS.PowerSummary.PresentStatus.FullyDischarged", 7, 1, 1, 0xa2, 1, 0, 0},

		{245, feat, 0x04, "UPS.BatterySystem.Battery.ConfigVoltage", 0, 16, 1, 0x02, 65535, 0, 0},
		{267, feat, 0x23, "UPS.BatterySystem.Battery.PresentStatus.Charging", 0, 1, 1, 0x82, 1, 0, 0},
		{267, feat, 0x23, "UPS.BatterySystem.Battery.PresentStatus.Discharging", 1, 1, 1, 0x82, 1, 0, 0},
		{267, feat, 0x23, "UPS.BatterySystem.Battery.PresentStatus.NeedReplacement", 2, 1, 1, 0x82, 1, 0, 0},
		{271, feat, 0x23, "UPS.BatterySystem.Battery.PresentStatus.00000000", 3, 1, 5, 0x01, 1, 0, 0},
		{288, feat, 0x10, "UPS.BatterySystem.Test", 0, 8, 1, 0x82, 255, 0, 0},

		{299, feat, 0x01, "UPS.Flow.ConfigVoltage", 0, 8, 1, 0x03, 255, 0, 0},
		{305, feat, 0x02, "UPS.Flow.ConfigFrequency", 0, 8, 1, 0x03, 255, 0, 0},
		{318, feat, 0x03, "UPS.Flow.ConfigApparentPower", 0, 16, 1, 0x03, 65535, 0, 0},

		{345, feat, 0x15, "UPS.OutletSystem.Outlet.DelayBeforeShutdown", 0, 16, 1, 0x82, 65535, 0, 0},
		{354, feat, 0xe0, "UPS.OutletSystem.Outlet.ffff00bc", 0, 16, 1, 0x82, 65535, 0, 0},
		{365, feat, 0x51, "UPS.OutletSystem.Outlet.ffff0091", 0, 8, 1, 0x82, 255, 0, 0},
		{371, feat, 0x52, "UPS.OutletSystem.Outlet.ffff0092", 0, 8, 1, 0x82, 255, 0, 0},
		{377, feat, 0xb6, "UPS.OutletSystem.Outlet.ffff00c7", 0, 8, 1, 0x82, 255, 0, 0},

		{396, feat, 0x6c, "UPS.ffff0010.ffff007d", 0, 16, 1, 0x03, 65535, 0, 0},
		{404, feat, 0x9f, "UPS.ffff0010.ffff00df", 0, 32, 1, 0x03, 65535, 0, 0},
		{420, feat, 0x96, "UPS.ffff0015.ffff00c0", 0, 8, 1, 0x02, 255, 0, 0},
		{428, feat, 0xb4, "UPS.ffff0015.ffff00d2", 0, 32, 1, 0x02, 255, 0, 0},
		{434, feat, 0xb5, "UPS.ffff0015.ffff00d3", 0, 32, 1, 0x02, 255, 0, 0},
		{442, feat, 0x97, "UPS.ffff0015.ffff00c1", 0, 16, 1, 0x02, 255, 0, 0},
		{450, feat, 0x98, "UPS.ffff0015.ffff00c2", 0, 8, 1, 0x02, 255, 0, 0},
		{458, feat, 0x99, "UPS.ffff0015.ffff00c3", 0, 16, 1, 0x02, 255, 0, 0},
		{464, feat, 0x9b, "UPS.ffff0015.ffff00c5", 0, 16, 1, 0x02, 255, 0, 0},
		{472, feat, 0xc2, "UPS.ffff0015.ffff00d6", 0, 32, 1, 0x02, 255, 0, 0},
		{478, feat, 0xc1, "UPS.ffff0015.ffff00d8", 0, 32, 1, 0x02, 255, 0, 0},
		{484, feat, 0xc3, "UPS.ffff0015.ffff00d7", 0, 32, 1, 0x02, 255, 0, 0},
		{490, feat, 0x9a, "UPS.ffff0015.ffff00c4", 0, 32, 1, 0x02, 255, 0, 0},
		{496, feat, 0x59, "UPS.ffff0015.ffff007e", 0, 32, 1, 0x02, 255, 0, 0},

		{520, feat, 0x20, "UPS.BatterySystem.Battery.Voltage", 0, 16, 1, 0x02, 65535, 0, 0},
		{538, feat, 0x18, "UPS.PowerConverter.Input.Voltage", 0, 16, 1, 0x82, 65535, 0, -1},
		{544, feat, 0x19, "UPS.PowerConverter.Input.Frequency", 0, 16, 1, 0x82, 65535, 0, -1},
		{555, feat, 0x1b, "UPS.PowerConverter.Output.Voltage", 0, 16, 1, 0x82, 65535, 0, -1},
		{566, feat, 0x47, "UPS.PowerConverter.Output.ActivePower", 0, 16, 1, 0x82, 65535, watt, 0},
		{591, feat, 0x22, "UPS.PowerConverter.PresentStatus.VoltageOutOfRange", 0, 1, 1, 0x82, 1, 0, 0},
		{591, feat, 0x22, "UPS.PowerConverter.PresentStatus.Buck", 1, 1, 1, 0x82, 1, 0, 0},
		{591, feat, 0x22, "UPS.PowerConverter.PresentStatus.Boost", 2, 1, 1, 0x82, 1, 0, 0},
		{595, feat, 0x22, "UPS.PowerConverter.PresentStatus.00000000", 3, 1, 1, 0x03, 1, 0, 0},
		{599, feat, 0x22, "UPS.PowerConverter.PresentStatus.Overload", 4, 1, 1, 0x82, 1, 0, 0},
		{603, feat, 0x22, "UPS.PowerConverter.PresentStatus.Used", 5, 1, 1, 0x03, 1, 0, 0},
		{611, feat, 0x22, "UPS.PowerConverter.PresentStatus.OverTemperature", 6, 1, 1, 0x82, 1, 0, 0},
		{611, feat, 0x22, "UPS.PowerConverter.PresentStatus.InternalFailure", 7, 1, 1, 0x82, 1, 0, 0},
		{615, feat, 0x22, "UPS.PowerConverter.PresentStatus.00000000", 8, 1, 6, 0x03, 1, 0, 0},
		{621, feat, 0x22, "UPS.PowerConverter.PresentStatus.AwaitingPower", 14, 1, 1, 0x82, 1, 0, 0},
		{623, feat, 0x22, "UPS.PowerConverter.PresentStatus.00000000", 15, 1, 1, 0x03, 1, 0, 0},
		{646, feat, 0x17, "UPS.OutletSystem.Outlet.DelayBeforeReboot", 0, 16, 1, 0x82, 65535, 0, 0},
		{657, feat, 0x1e, "UPS.OutletSystem.Outlet.PercentLoad", 0, 8, 1, 0x82, 255, 0, 0},
	}

	b := readHex(t, "testdata/2012.hex")
	require.Len(t, b, 662)
	d, err := Parse(b)
	require.NoError(t, err)
	require.Len(t, d.Fields, len(rows))

	data := 0
	for i, row := range rows {
		f := d.Fields[i]
		assert.Equal(t, row.path, f.Path.String())
		f.Path = nil
		assert.Equal(t, Field{
			Type: row.typ, ReportID: row.id, Offset: row.offset, Size: row.size, Count: row.count,
			Flags: row.flags, LogicalMax: row.max, Unit: row.unit, UnitExponent: row.exponent,
		}, f, row.path)

		before, _ := Parse(b[:row.at])
		assert.LessOrEqual(t, len(before.Fields), i, "%s is declared at byte %d", row.path, row.at)
		after, _ := Parse(b[:row.at+2])
		assert.Greater(t, len(after.Fields), i, "%s is declared at byte %d", row.path, row.at)
		if f.Flags&Constant == 0 {
			data++
		}
	}
	assert.Equal(t, 58, data)
}

func TestDescriptorListsTheReportsOfThe2012(t *testing.T) {
	d, err := Parse(readHex(t, "testdata/2012.hex"))
	require.NoError(t, err)

	assert.Equal(t, unhex(t, "32 34 35"), d.IDs(Input))
	assert.Empty(t, d.IDs(Output))
	lengths := map[int]string{ // from the walk above
		1: "01 02 10 11 1e 23 28 29 2a 2b 2c 30 32 33 34 36 37 51 52 96 98 b6 c0",
		2: "03 04 15 17 18 19 1b 20 22 31 35 47 6c 97 99 9b e0",
		4: "59 9a 9f b4 b5 c1 c2 c3",
	}
	total := 0
	for want, ids := range lengths {
		for _, id := range unhex(t, ids) {
			n, ok := d.Len(Feature, id)
			assert.True(t, ok, "report %#02x", id)
			assert.Equal(t, want, n, "report %#02x", id)
			total++
		}
	}
	assert.Len(t, d.IDs(Feature), total)
	assert.IsIncreasing(t, d.IDs(Feature))

	_, ok := d.Len(Feature, 0x1c)
	assert.False(t, ok, "a 2012 has no output frequency")
	_, ok = d.Len(Output, 0x32)
	assert.False(t, ok, "report 0x32 is input and feature only")
}

// testdata/a0a0-fragment.hex is what networkupstools/nut pull request 1848 shows of the
// report descriptor of a Minuteman PRO1500RT2U (05dd:a0a0). It begins inside a Logical
// Maximum and ends inside a Unit Exponent.
func TestParseOfAFragmentStopsAtTheCollectionThatBeganBeforeIt(t *testing.T) {
	d, err := Parse(readHex(t, "testdata/a0a0-fragment.hex"))

	assert.Equal(t, &Error{Offset: 12, Reason: unopenedCollection}, err)
	require.NotNil(t, d)
	assert.Empty(t, d.Fields, "its only main item comes before any Report Size")
}

func TestParseOfAFragmentKeepsWhatItCouldRead(t *testing.T) {
	fragment := readHex(t, "testdata/a0a0-fragment.hex")
	const start, end = 13, 211 // behind the first End Collection, and the next one unopened

	d, err := Parse(fragment[start:])

	assert.Equal(t, &Error{Offset: end - start, Reason: unopenedCollection}, err)
	require.NotEmpty(t, d.Fields)
	assert.Equal(t, "Feature 11 0000005a 0+8x1", show(d.Fields[0]), "no Usage Page yet")
	assert.Equal(t, "Feature 35 RunTimeToEmpty 0+16x1", show(d.Fields[len(d.Fields)-1]))
	n, ok := d.Len(Feature, 0x32)
	assert.True(t, ok)
	assert.Equal(t, 3, n)
}

func TestParseReadsTheStatusOfTheCompletedFragment(t *testing.T) {
	b := unhex(t, `
		05 84  09 04 a1 01  09 24 a1 02  09 1a a1 02
		85 31  09 30  75 10  95 01  15 00  27 ff`)
	b = append(b, readHex(t, "testdata/a0a0-fragment.hex")...)
	b = append(b, unhex(t, "07 b1 03 c0 c0")...)
	d, err := Parse(b)
	require.NoError(t, err)

	want := []string{
		"UPS.PowerSummary.PresentStatus.00000000 0+1x7",
		"UPS.PowerSummary.PresentStatus.InternalFailure 7+1x1",
		"UPS.PowerSummary.PresentStatus.00000000 8+1x1",
		"UPS.PowerSummary.PresentStatus.ShutdownImminent 9+1x1",
		"UPS.PowerSummary.PresentStatus.00000000 10+1x6",
		"UPS.PowerSummary.PresentStatus.ACPresent 16+1x1",
		"UPS.PowerSummary.PresentStatus.00000000 17+1x1",
		"UPS.PowerSummary.PresentStatus.BelowRemainingCapacityLimit 18+1x1",
		"UPS.PowerSummary.PresentStatus.FullyCharged 19+1x1",
		"UPS.PowerSummary.PresentStatus.Charging 20+1x1",
		"UPS.PowerSummary.PresentStatus.Discharging 21+1x1",
		"UPS.PowerSummary.PresentStatus.FullyDischarged 22+1x1",
		"UPS.PowerSummary.PresentStatus.NeedReplacement 23+1x1",
	}
	for _, typ := range []Type{Input, Feature} {
		var got []string
		for _, f := range d.Fields {
			if rest, ok := strings.CutPrefix(show(f), string(typ)+" 32 "); ok {
				got = append(got, rest)
			}
		}
		assert.Equal(t, want, got, typ)
		n, ok := d.Len(typ, 0x32)
		assert.True(t, ok)
		assert.Equal(t, 3, n)
	}

	voltage := d.Fields[0]
	assert.Equal(t, "Feature 31 UPS.PowerSummary.Input.Voltage 0+16x1", show(voltage))
	assert.Equal(t, uint32(0x00f0d121), voltage.Unit)
	assert.Equal(t, 1, voltage.UnitExponent)
	assert.Equal(t, int64(65535), voltage.LogicalMax)
	last := d.Fields[len(d.Fields)-1]
	assert.Equal(t, "Feature 03 UPS.Flow.ConfigApparentPower 0+16x1", show(last))
	assert.Equal(t, 7, last.UnitExponent)
}

func TestParseTakesAnyPieceOfARealDescriptor(t *testing.T) {
	for _, name := range []string{"testdata/2012.hex", "testdata/a0a0-fragment.hex"} {
		b := readHex(t, name)
		for i := range b {
			check(t, b[:i])
			check(t, b[i:])
		}
	}
}
