package tripplite

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// dumpOf reads every report of a captured unit.
func dumpOf(t *testing.T, name string, opts ...Option) (dump Dump) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, _ := open(t, name, opts...)
		var err error
		dump, err = b.Dump(t.Context(), 0)
		require.NoError(t, err)
	})
	return dump
}

// dumpField returns the field at a bit offset of a feature report.
func dumpField(t *testing.T, fields []DumpField, id byte, offset int) DumpField {
	t.Helper()
	i := slices.IndexFunc(fields, func(f DumpField) bool {
		return f.Report == "feature" && f.ID == id && f.Offset == offset
	})
	require.GreaterOrEqual(t, i, 0, "no field at bit %d of report %#02x", offset, id)
	return fields[i]
}

// explained are fields of NUT's log of an a0a0, whose bytes are in decodeCases too.
var explained = []struct {
	id           byte
	offset, size int
	raw          Value[uint32]
	key, reading string
}{
	{0x32, 16, 1, ValueOf(uint32(1)), "status.ac present", "true"},
	{0x32, 21, 1, ValueOf(uint32(0)), "status.discharging", "false"},
	{0x18, 0, 16, ValueOf(uint32(0x04d1)), "input.voltage", "123.3"},
	{0x46, 0, 16, ValueOf(uint32(0x16)), "output.current", "2.2"},
	{0x06, 0, 16, ValueOf(uint32(0x57)), "config.low voltage transfer", "87"},
	{0x11, 0, 8, ValueOf(uint32(2)), "controls.audible alarm control", "enabled"},
	{0x15, 0, 16, ValueOf(uint32(0xffff)), "delay before shutdown", ""}, // idle
	{0x20, 0, 16, ValueOf(uint32(0x019c)), "battery.voltage", "41.2"},
}

func TestFieldsOfADumpSayWhatTheyAre(t *testing.T) {
	for how, opts := range hows {
		fields := dumpOf(t, "pro1500rt2u", opts...).Fields()
		for _, want := range explained {
			f := dumpField(t, fields, want.id, want.offset)
			assert.Equal(t, want.size, f.Size, "%#02x %s", want.id, how)
			assert.Equal(t, want.raw, f.Raw, "%#02x %s", want.id, how)
			assert.Equal(t, want.key, f.Key, "%#02x %s", want.id, how)
			assert.Equal(t, want.reading, f.Reading, "%#02x %s", want.id, how)
			assert.False(t, f.Copy, "%#02x %s", want.id, how)
		}
	}
	f := dumpField(t, dumpOf(t, "pro1500rt2u").Fields(), 0x43, 0)
	assert.Empty(t, f.Key, "Delta's own")
	assert.Equal(t, ValueOf(uint32(1)), f.Raw)
}

func TestFieldsOfADumpSayWhatTheStateSays(t *testing.T) {
	for _, name := range capture.Names() {
		t.Run(name, func(t *testing.T) {
			want := flatten(t, expected(t, name))
			got := map[string]string{}
			for _, f := range dumpOf(t, name).Fields() {
				if f.Copy {
					assert.Empty(t, f.Reading, "%#02x %s", f.ID, f.Path)
				}
				if f.Report != "input" && f.Reading != "" && got[f.Key] == "" {
					got[f.Key] = f.Reading
				}
			}
			for key := range want {
				assert.Contains(t, got, key)
			}
			for key := range got {
				assert.Contains(t, want, key, "the State does not have it")
			}
		})
	}
}

func TestFlagsThatAUnitRepeatsAreCopies(t *testing.T) {
	for _, c := range flagCases {
		if c.id != 0x23 {
			continue
		}
		name := map[string]string{"2012": "smart1500lcdxl", "a0a0": "pro1500rt2u"}[c.unit]
		t.Run(name, func(t *testing.T) {
			dump := dumpOf(t, name)
			i := slices.IndexFunc(dump.Features, func(r RawReport) bool { return r.ID == 0x23 })
			dump.Features[i].Bytes = []byte{0x23, 0xff}
			fields := dump.Fields()
			for bit, flag := range c.flags {
				f := dumpField(t, fields, 0x23, bit)
				assert.Equal(t, "status."+flag, f.Key)
				assert.True(t, f.Copy, flag)
				assert.Equal(t, ValueOf(uint32(1)), f.Raw, flag)
				assert.Empty(t, f.Reading, "%s: the State has it from 0x32", flag)
				raw, err := f.Encode(1)
				require.NoError(t, err)
				assert.Equal(t, uint32(1), raw)
			}
		})
	}
}

func TestADumpFieldEncodesWhatTheUnitWouldSend(t *testing.T) {
	for how, opts := range hows {
		fields := dumpOf(t, "smart1500lcd", opts...).Fields()
		for _, test := range []struct {
			id     byte
			offset int
			value  float64
			raw    uint32
		}{
			{0x18, 0, 117.2, 0x0494}, {0x34, 0, 74, 0x4a}, {0x35, 0, 1004, 0x03ec},
			{0x32, 1, 1, 1}, {0x32, 3, 0, 0}, {0x11, 0, 3, 3},
		} {
			raw, err := dumpField(t, fields, test.id, test.offset).Encode(test.value)
			require.NoError(t, err, how)
			assert.Equal(t, test.raw, raw, "%#02x %s", test.id, how)
		}
		for id, value := range map[byte]float64{0x18: 1000.1, 0x34: 101, 0x35: 65535, 0x32: 2} {
			_, err := dumpField(t, fields, id, 0).Encode(value)
			assert.Error(t, err, "%#02x of %v %s", id, value, how)
		}
	}
	fields := dumpOf(t, "smart1500lcd").Fields()
	volts := []byte{0x94, 0x04}
	dumpField(t, fields, 0x18, 0).Put(volts, 0x03d9)
	assert.Equal(t, unhex("d9 03"), volts, "98.5 V, low byte first")
	status := []byte{0x46}
	dumpField(t, fields, 0x32, 1).Put(status, 0)
	dumpField(t, fields, 0x32, 3).Put(status, 1)
	assert.Equal(t, unhex("4c"), status, "and the other flags stay")

	unknown := dumpField(t, fields, 0x59, 0)
	_, err := unknown.Encode(1)
	assert.ErrorContains(t, err, "UPS.ffff0015.ffff007e is not understood")
}

func TestADumpAsksForEachReportOnce(t *testing.T) {
	for how, opts := range hows {
		b, ups := open(t, "smart1500lcd", opts...)
		for id := range 256 { // hidraw says that the unit answered: it stalled the transfer
			if _, ok := ups.Payload(byte(id)); !ok {
				ups.fail(byte(id), func([]byte) (int, error) { return 0, syscall.EPIPE })
			}
		}
		dump, err := b.Dump(t.Context(), 0)
		require.NoError(t, err)
		require.NotEmpty(t, dump.Features)
		_, asked := ups.transfers()
		var ids []byte
		for _, r := range dump.Features {
			ids = append(ids, r.ID)
			assert.Equal(t, 1, asked[r.ID], "%#02x %s", r.ID, how)
		}
		assert.True(t, slices.IsSorted(ids), "% x %s", ids, how)
	}
}

func TestADumpOfAUnitThatIsGoneFails(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	ups.setGone(true)
	_, err := b.Dump(t.Context(), 0)
	require.ErrorIs(t, err, ErrDisconnected)
}

func TestFieldsOfADumpHaveWhatDidNotCome(t *testing.T) {
	whole := dumpOf(t, "smart1500lcdxl")
	key := func(f DumpField) string { return strings.Join([]string{f.Report, f.Path, f.Key}, " ") }
	var want, got []string
	for _, f := range whole.Fields() {
		want = append(want, key(f))
	}
	for _, f := range (Dump{Descriptor: whole.Descriptor}).Fields() {
		got = append(got, key(f))
		assert.Equal(t, Value[uint32]{}, f.Raw)
		assert.Empty(t, f.Reading)
	}
	assert.ElementsMatch(t, want, got)
	assert.Contains(t, got, "feature UPS.PowerConverter.Input.Voltage input.voltage")
	assert.Contains(t, got, "input UPS.PowerSummary.RemainingCapacity health")

	f := dumpField(t, (Dump{Descriptor: whole.Descriptor}).Fields(), 0x18, 0)
	raw, err := f.Encode(117.2)
	require.NoError(t, err)
	assert.Equal(t, uint32(0x0494), raw, "what did not come can be encoded")

	for _, f := range (Dump{}).Fields() {
		assert.NotEmpty(t, f.Key, "without a descriptor it has every field of the table")
		assert.Equal(t, Value[uint32]{}, f.Raw)
	}
	assert.NotEmpty(t, (Dump{}).Fields())
}

func TestFieldsOfADumpAreInTheOrderOfTheirReports(t *testing.T) {
	whole := dumpOf(t, "smart1500lcdxl")
	for name, dump := range map[string]Dump{
		"whole":       whole,
		"none came":   {Descriptor: whole.Descriptor},
		"some came":   {Descriptor: whole.Descriptor, Features: whole.Features[3:6]},
		"by a table":  {Features: whole.Features},
		"of no bytes": {},
	} {
		var ids []byte
		for _, f := range dump.Fields() {
			if f.Report == "feature" {
				ids = append(ids, f.ID)
			}
		}
		assert.True(t, slices.IsSorted(ids), "%s: % x", name, ids)
	}
}

func TestAVersionOfOneByteIsExplainedWithoutADescriptorToo(t *testing.T) {
	for how, opts := range hows { // numat #10: the version of an ECO850LCD is one byte
		f := dumpField(t, dumpOf(t, "eco850lcd", opts...).Fields(), 0x0f, 0)
		assert.Equal(t, "config.firmware version", f.Key, how)
		assert.Equal(t, ValueOf(uint32(177)), f.Raw, how)
		assert.Equal(t, "177", f.Reading, how)
		assert.Equal(t, 8, f.Size, how)
	}
}
