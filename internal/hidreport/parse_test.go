package hidreport

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// show writes a field as type, report id, path, offset + size x count.
func show(f Field) string {
	return fmt.Sprintf("%s %02x %s %d+%dx%d", f.Type, f.ReportID, f.Path, f.Offset, f.Size, f.Count)
}

func TestParseFollowsTheRules(t *testing.T) {
	tests := []struct {
		rule string
		hex  string
		want []string
	}{
		{"6.2.2.2: an item has 0, 1, 2 or 4 bytes of data", "04 06 84 00  0b 30 00 84 00  74 75 08  94 96 01 00  b0  09 30 b2 02 01", []string{
			"Feature 00 Voltage 0+8x1",
			"Feature 00 Voltage 8+8x1",
		}},
		{"6.2.2.3: a long item is skipped by its length", "75 08 95 01 05 84 fe 03 f0 09 31 b1 09 30 81 02 fe 00 f0", []string{
			"Input 00 Voltage 0+8x1",
		}},
		{"6.2.2.4: reserved main tags are skipped, and end the local items", "75 08 95 01 05 84 09 30 d1 00 81 02", []string{
			"Input 00 00000000 0+8x1",
		}},
		{"6.2.2.7, 6.2.2.8: reserved tags and the reserved type are skipped", "75 08 95 01 05 84 09 30 c5 7f b9 01 0f 7f 00 00 00 cc 81 02", []string{
			"Input 00 Voltage 0+8x1",
		}},
		{"6.2.2.5: inputs, outputs and features are counted apart", "75 04 95 01 05 84 09 30 81 02 09 31 91 02 09 32 b1 02 09 33 81 02", []string{
			"Input 00 Voltage 0+4x1",
			"Output 00 Current 0+4x1",
			"Feature 00 Frequency 0+4x1",
			"Input 00 ApparentPower 4+4x1",
		}},
		{"6.2.2.5: an array is one field, named by its first usage", "75 08 95 03 05 84 09 30 09 31 09 32 81 00", []string{
			"Input 00 Voltage 0+8x3",
		}},
		{"6.2.2.5: a constant with a usage keeps it", "75 01 95 01 05 84 09 6d b1 03", []string{
			"Feature 00 Used 0+1x1",
		}},
		{"6.2.2.6: collections nest, and there may be several at the top", "75 08 95 01 05 84 09 04 a1 01 09 24 a1 02 09 30 b1 02 c0 09 31 b1 02 c0 09 05 a1 01 09 32 b1 02 c0 09 33 b1 02", []string{
			"Feature 00 UPS.PowerSummary.Voltage 0+8x1",
			"Feature 00 UPS.Current 8+8x1",
			"Feature 00 PowerSupply.Frequency 16+8x1",
			"Feature 00 ApparentPower 24+8x1",
		}},
		{"6.2.2.6: a collection takes the first usage, or none", "75 08 95 01 05 84 a1 01 09 24 09 1a a1 02 09 30 b1 02 c0 c0", []string{
			"Feature 00 00000000.PowerSummary.Voltage 0+8x1",
		}},
		{"6.2.2.7: each report id has its own offsets", "75 08 95 01 05 84 85 01 09 30 b1 02 85 ff 09 31 b1 02 85 01 09 32 b1 02", []string{
			"Feature 01 Voltage 0+8x1",
			"Feature ff Current 0+8x1",
			"Feature 01 Frequency 8+8x1",
		}},
		{"6.2.2.7: Pop brings back what Push saved, the report id included", "75 08 95 01 05 84 85 01 a4 75 10 95 02 05 85 85 02 a4 75 20 b4 09 66 b1 02 b4 09 30 b1 02", []string{
			"Feature 02 RemainingCapacity 0+16x2",
			"Feature 01 Voltage 0+8x1",
		}},
		{"6.2.2.7: local items outlast a Push and a Pop", "75 08 95 01 05 84 09 30 a4 b4 b1 02", []string{
			"Feature 00 Voltage 0+8x1",
		}},
		{"6.2.2.7: no bits, no field", "05 84 09 30 b1 02 75 08 09 30 b1 02 95 01 75 00 09 30 b1 02 75 08 09 30 b1 02", []string{
			"Feature 00 Voltage 0+8x1",
		}},
		{"6.2.2.8: the main item ends the local items", "75 08 95 01 05 84 09 30 b1 02 b1 02 09 30 a1 02 b1 02 c0 09 30 a1 02 09 31 c0 b1 02", []string{
			"Feature 00 Voltage 0+8x1",
			"Feature 00 00000000 8+8x1",
			"Feature 00 Voltage.00000000 16+8x1",
			"Feature 00 00000000 24+8x1",
		}},
		{"6.2.2.8: the usages are given out in order", "75 08 95 02 05 84 09 30 09 31 b1 02", []string{
			"Feature 00 Voltage 0+8x1",
			"Feature 00 Current 8+8x1",
		}},
		{"6.2.2.8: the last usage has the items that are left, as one field", "75 08 95 04 05 84 09 30 09 31 b1 02", []string{
			"Feature 00 Voltage 0+8x1",
			"Feature 00 Current 8+8x3",
		}},
		{"6.2.2.8: without a usage there is one field", "75 01 95 05 b1 02", []string{
			"Feature 00 00000000 0+1x5",
		}},
		{"6.2.2.8: surplus usages are ignored", "75 08 95 01 05 84 09 30 09 31 19 32 29 34 b1 02 b1 02", []string{
			"Feature 00 Voltage 0+8x1",
			"Feature 00 00000000 8+8x1",
		}},
		{"6.2.2.8: a page after the usages completes them", "75 08 95 02 05 84 09 42 1a 44 00 29 44 05 85 b1 02", []string{
			"Feature 00 BelowRemainingCapacityLimit 0+8x1",
			"Feature 00 Charging 8+8x1",
		}},
		{"6.2.2.8: a page after a collection's usage completes it", "75 08 95 01 09 04 05 84 a1 01 09 30 b1 02 c0", []string{
			"Feature 00 UPS.Voltage 0+8x1",
		}},
		{"6.2.2.7, power devices appendix A: a page between the usages does not reach back", "75 01 95 03 05 84 09 61 05 85 09 42 09 44 b1 02", []string{
			"Feature 00 Good 0+1x1",
			"Feature 00 BelowRemainingCapacityLimit 1+1x1",
			"Feature 00 Charging 2+1x1",
		}},
		{"6.2.2.8: a usage of four bytes has its own page", "75 08 95 03 05 84 0b d0 00 85 00 09 30 0b 7d 00 ff ff b1 02", []string{
			"Feature 00 ACPresent 0+8x1",
			"Feature 00 Voltage 8+8x1",
			"Feature 00 ffff007d 16+8x1",
		}},
		{"6.2.2.8: a range has its usages in order", "75 08 95 05 05 84 09 60 19 30 29 32 09 35 b1 02", []string{
			"Feature 00 Present 0+8x1",
			"Feature 00 Voltage 8+8x1",
			"Feature 00 Current 16+8x1",
			"Feature 00 Frequency 24+8x1",
			"Feature 00 PercentLoad 32+8x1",
		}},
		{"6.2.2.8: a range may begin with its maximum, and have one usage", "75 08 95 02 05 84 29 30 19 30 19 31 29 31 b1 02", []string{
			"Feature 00 Voltage 0+8x1",
			"Feature 00 Current 8+8x1",
		}},
		{"6.2.2.8: a range of four-byte usages has its own page", "75 08 95 02 05 84 1b 44 00 85 00 2b 45 00 85 00 b1 02", []string{
			"Feature 00 Charging 0+8x1",
			"Feature 00 Discharging 8+8x1",
		}},
		{"6.2.2.8: where one end of a range has a page, it is the other's too", "75 08 95 02 05 84 19 44 2b 45 00 85 00 b1 02 1b 44 00 85 00 29 45 b1 02", []string{
			"Feature 00 Charging 0+8x1",
			"Feature 00 Discharging 8+8x1",
			"Feature 00 Charging 16+8x1",
			"Feature 00 Discharging 24+8x1",
		}},
		{"6.2.2.8: the last range may end with the last usage there is", "75 08 95 03 1b fe ff ff ff 2b ff ff ff ff b1 02", []string{
			"Feature 00 fffffffe 0+8x1",
			"Feature 00 ffffffff 8+8x2",
		}},
		{"6.2.2.8: half a range is none, also at the next main item", "75 08 95 01 05 84 19 30 b1 02 29 32 b1 02", []string{
			"Feature 00 00000000 0+8x1",
			"Feature 00 00000000 8+8x1",
		}},
		{"6.2.2.8: an end of a range serves once", "75 08 95 03 05 84 19 30 29 31 29 33 b1 02 19 30 29 31 19 31 b1 02", []string{
			"Feature 00 Voltage 0+8x1",
			"Feature 00 Current 8+8x2",
			"Feature 00 Voltage 24+8x1",
			"Feature 00 Current 32+8x2",
		}},
		{"6.2.2.8: the first usage of a delimited set is taken", "75 08 95 04 05 84 a9 01 09 30 09 31 19 32 29 33 a8 a9 01 19 40 29 41 09 42 a9 00 09 60 b1 02", []string{
			"Feature 00 Voltage 0+8x1",
			"Feature 00 ConfigVoltage 8+8x1",
			"Feature 00 ConfigCurrent 16+8x1",
			"Feature 00 Present 24+8x1",
		}},
		{"6.2.2.8: designators and strings name no data", "75 08 95 01 05 84 39 01 49 01 59 02 79 01 89 01 99 02 09 30 b1 02", []string{
			"Feature 00 Voltage 0+8x1",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			b := unhex(t, tt.hex)
			d, err := Parse(b)
			require.NoError(t, err)
			var got []string
			for _, f := range d.Fields {
				got = append(got, show(f))
			}
			assert.Equal(t, tt.want, got)
			check(t, b)
		})
	}
}

func TestLimitsAreSignedUnlessTheMinimumSaysOtherwise(t *testing.T) {
	tests := []struct {
		name     string
		items    string
		min, max int64
	}{
		{"none declared", "", 0, 0},
		{"one byte", "15 81 25 7f", -127, 127},
		{"two bytes", "16 01 80 26 ff 7f", -32767, 32767},
		{"four bytes", "17 00 00 00 80 27 ff ff ff 7f", -2147483648, 2147483647},
		{"no bytes", "14 24", 0, 0},
		{"255 in one byte", "15 00 25 ff", 0, 255},
		{"255 in two bytes", "15 00 26 ff 00", 0, 255},
		{"65535 in two bytes", "15 00 26 ff ff", 0, 65535},
		{"65535 in four bytes", "15 00 27 ff ff 00 00", 0, 65535},
		{"2^32-1 in four bytes", "15 01 27 ff ff ff ff", 1, 4294967295},
		{"the maximum before the minimum", "25 ff 15 00", 0, 255},
		{"a negative minimum keeps the maximum negative", "25 ff 15 80", -128, -1},
		{"a maximum alone", "25 ff", 0, 255},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Parse(unhex(t, "75 08 95 01 "+tt.items+" b1 02"))
			require.NoError(t, err)
			require.Len(t, d.Fields, 1)
			assert.Equal(t, tt.min, d.Fields[0].LogicalMin)
			assert.Equal(t, tt.max, d.Fields[0].LogicalMax)
		})
	}
}

func TestUnitExponentIsASignedNibbleOrASignedNumber(t *testing.T) {
	tests := map[string]int{
		"":               0,
		"54":             0,
		"55 01":          1,
		"55 07":          7,
		"55 08":          -8,
		"55 0f":          -1,
		"56 0d 00":       -3,
		"57 0e 00 00 00": -2,
		"55 ff":          -1,
		"55 f8":          -8,
		"56 fb ff":       -5,
		"57 fa ff ff ff": -6,
		"55 10":          16, // reserved: kept as written
	}
	for items, want := range tests {
		t.Run(items, func(t *testing.T) {
			d, err := Parse(unhex(t, "75 08 95 01 "+items+" b1 02"))
			require.NoError(t, err)
			require.Len(t, d.Fields, 1)
			assert.Equal(t, want, d.Fields[0].UnitExponent)
		})
	}
}

func TestUnitKeepsItsNibbles(t *testing.T) {
	d, err := Parse(unhex(t, "75 08 95 03 b1 02 66 21 d1 b1 02 67 21 d1 f0 80 b1 02"))
	require.NoError(t, err)
	require.Len(t, d.Fields, 3)
	assert.Equal(t, []uint32{0, 0xd121, 0x80f0d121}, []uint32{d.Fields[0].Unit, d.Fields[1].Unit, d.Fields[2].Unit})
}

func TestFlagsAreTheBitsOfTheMainItem(t *testing.T) {
	tests := []struct {
		hex  string
		want Flags
	}{
		{"b0", 0},
		{"b1 01", Constant},
		{"b1 02", Variable},
		{"b1 04", 0x04},
		{"b1 08", 0x08},
		{"b1 10", 0x10},
		{"b1 20", 0x20},
		{"b1 40", 0x40},
		{"b1 80", 0x80},
		{"b2 00 01", 0x100},
		{"b3 a2 01 00 00", 0x1a2},
	}
	for _, tt := range tests {
		t.Run(tt.hex, func(t *testing.T) {
			d, err := Parse(unhex(t, "75 08 95 01 "+tt.hex))
			require.NoError(t, err)
			require.Len(t, d.Fields, 1)
			assert.Equal(t, tt.want, d.Fields[0].Flags)
		})
	}
}

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	const byteField = "75 08 95 01 b1 02 " // 6 bytes
	tests := []struct {
		name   string
		hex    string
		offset int
		reason string
	}{
		{"empty", "", 0, empty},
		{"one byte more than a descriptor can have", strings.Repeat("00", 65536), 65535, tooLongDescriptor},
		{"one byte missing", byteField + "05", 6, truncated},
		{"two bytes missing", byteField + "06 84", 6, truncated},
		{"four bytes missing", byteField + "27 ff ff 00", 6, truncated},
		{"long item without a length", byteField + "fe", 6, truncated},
		{"long item without a tag", byteField + "fe 00", 6, truncated},
		{"long item short of data", byteField + "fe 02 f0 00", 6, truncated},
		{"End Collection alone", "c0", 0, unopenedCollection},
		{"one End Collection too many", "a1 01 c0 " + byteField + "c0", 9, unopenedCollection},
		{"no End Collection", "a1 01 " + byteField, 8, unclosedCollection},
		{"collections nested to the bound", strings.Repeat("a0", maxNesting), maxNesting, unclosedCollection},
		{"collections nested past the bound", strings.Repeat("a0", maxNesting+1), maxNesting, tooManyCollections},
		{"Pop alone", byteField + "b4", 6, popWithoutPush},
		{"one Pop too many", "a4 b4 b4", 2, popWithoutPush},
		{"Push past the bound", byteField + strings.Repeat("a4", maxNesting+1), 6 + maxNesting, tooManyPushes},
		{"report id 0", "85 00", 0, badReportID},
		{"report id without data", "84", 0, badReportID},
		{"report id 256", byteField + "86 00 01", 6, badReportID},
		{"an id after reports without", byteField + "85 01 b1 02", 8, mixedReportIDs},
		{"an id after reports of another type without", byteField + "85 01 81 02", 8, mixedReportIDs},
		{"an id given up by Pop", "a4 85 01 " + byteField + "b4 b1 02", 10, mixedReportIDs},
		{"2^32-1 items", "75 08 97 ff ff ff ff b1 02", 7, tooLongReport},
		{"2^32-1 items of 2^32-1 bits", "77 ff ff ff ff 97 ff ff ff ff b1 02", 10, tooLongReport},
		{"65536 bytes", "75 08 97 00 00 01 00 b1 02", 7, tooLongReport},
		{"65535 bytes and a bit", "75 08 96 ff ff b1 02 75 01 95 01 b1 02", 11, tooLongReport},
		{"65535 bytes and their id", "85 01 75 08 96 ff ff b1 02", 7, tooLongReport},
		{"a set not closed at the main item", byteField + "a9 01 b1 02", 8, unbalancedDelimiter},
		{"a set not closed at a reserved main item", byteField + "a9 01 d0", 8, unbalancedDelimiter},
		{"a set not closed at the end", byteField + "a9 01", 8, unbalancedDelimiter},
		{"a set within a set", byteField + "a9 01 a9 01", 8, unbalancedDelimiter},
		{"a set closed and not opened", byteField + "a9 00", 6, unbalancedDelimiter},
		{"a range backwards", byteField + "19 31 29 30", 8, badUsageRange},
		{"a range backwards, maximum first", byteField + "29 30 19 31", 8, badUsageRange},
		{"a range of four-byte usages backwards", "1b 01 00 85 00 2b 02 00 84 00", 5, badUsageRange},
		{"a field past the bound", "75 01 18 2a ff ff 96 00 10 b1 02 95 01 b1 02", 13, tooManyFields},
		{"a range past the bound", "75 01 18 2a ff ff 96 01 10 b1 02", 9, tooManyFields},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.hex)
			d, err := Parse(b)
			assert.Equal(t, &Error{Offset: tt.offset, Reason: tt.reason}, err)
			assert.NotNil(t, d)
			check(t, b)
		})
	}
}

func TestParseTakesWhatIsJustWithinBounds(t *testing.T) {
	tests := map[string]string{
		"collections":        strings.Repeat("a0", maxNesting) + strings.Repeat("c0", maxNesting),
		"pushed states":      strings.Repeat("a4", maxNesting),
		"fields":             "75 01 18 2a ff ff 96 00 10 b1 02",
		"payload":            "75 08 96 ff ff b1 02 81 02",
		"payload with an id": "85 ff 75 08 96 fe ff b1 02 85 01 b1 02",
		"bytes":              strings.Repeat("00", 65535),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(unhex(t, text))
			assert.NoError(t, err)
		})
	}
}

func TestAReportThatGrewTooLongKeepsTheFieldAsOne(t *testing.T) {
	d, err := Parse(unhex(t, "05 84 85 01 75 08 95 02 09 30 b1 02 09 31 09 32 97 ff ff ff 7f b1 02 09 33 b1 02"))

	assert.Equal(t, &Error{Offset: 21, Reason: tooLongReport}, err)
	require.Len(t, d.Fields, 2)
	assert.Equal(t, "Feature 01 Current 16+8x2147483647", show(d.Fields[1]))
	n, ok := d.Len(Feature, 1)
	assert.True(t, ok)
	assert.Equal(t, 2, n, "what was read before it")
}

func TestNumbersOf32BitsStayPositive(t *testing.T) {
	d, err := Parse(unhex(t, "77 ff ff ff ff 97 ff ff ff ff b1 02"))

	assert.Error(t, err)
	require.Len(t, d.Fields, 1)
	assert.Positive(t, d.Fields[0].Size)
	assert.Positive(t, d.Fields[0].Count)
	_, ok := d.Len(Feature, 0)
	assert.False(t, ok)
}

func TestParseKeepsWhatItReadBeforeTheError(t *testing.T) {
	d, err := Parse(unhex(t, "05 84 85 07 75 08 95 01 09 30 b1 02 85 00 09 31 b1 02"))

	assert.Error(t, err)
	require.Len(t, d.Fields, 1)
	assert.Equal(t, "Feature 07 Voltage 0+8x1", show(d.Fields[0]))
	assert.Equal(t, []byte{7}, d.IDs(Feature))
}

func TestLenRoundsUpToBytes(t *testing.T) {
	tests := map[string]int{
		"75 01 95 00": 0,
		"75 01 95 01": 1,
		"75 01 95 08": 1,
		"75 01 95 09": 2,
		"75 0c 95 03": 5,
	}
	for items, want := range tests {
		t.Run(items, func(t *testing.T) {
			d, err := Parse(unhex(t, items+" 91 02"))
			require.NoError(t, err)
			n, ok := d.Len(Output, 0)
			assert.True(t, ok)
			assert.Equal(t, want, n)
			assert.Equal(t, []byte{0}, d.IDs(Output))
		})
	}
}

func TestAnEmptyDescriptorHasNoReports(t *testing.T) {
	var d Descriptor
	_, ok := d.Len(Input, 0)
	assert.False(t, ok)
	assert.Empty(t, d.IDs(Input))
}

func TestPathsDoNotShareMemory(t *testing.T) {
	d, err := Parse(unhex(t, "75 08 95 02 05 84 09 04 a1 01 09 30 09 31 b1 02 c0"))
	require.NoError(t, err)
	require.Len(t, d.Fields, 2)
	d.Fields[0].Path[0] = 0
	_ = append(d.Fields[0].Path[:1], 0)
	assert.Equal(t, "UPS.Current", d.Fields[1].Path.String())
}

func TestUsageOfAFieldIsTheEndOfItsPath(t *testing.T) {
	assert.Equal(t, Usage(0x008500d0), Field{Path: Path{0x00840004, 0x008500d0}}.Usage())
	assert.Zero(t, Field{Path: Path{0x00840004, 0}}.Usage(), "padding")
	assert.Zero(t, Field{}.Usage())
}

func TestErrorNamesThePlaceAndTheReason(t *testing.T) {
	_, err := Parse(unhex(t, "05 84 c0"))

	assert.EqualError(t, err, "HID report descriptor, byte 2: End Collection without a collection")
	var at *Error
	require.True(t, errors.As(fmt.Errorf("opening: %w", err), &at))
	assert.Equal(t, 2, at.Offset)
}
