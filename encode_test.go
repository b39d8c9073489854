package tripplite

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// encodeCases are values in the unit of their field and the raw numbers that say them: the sources
// are those of decodeCases, the other way round.
var encodeCases = []struct {
	path  string
	value float64
	raw   uint32
}{
	{"UPS.PowerConverter.Input.Voltage", 117.2, 0x0494},
	{"UPS.PowerConverter.Input.Voltage", 117.24, 0x0494}, // the nearest
	{"UPS.PowerConverter.Input.Voltage", 117.25, 0x0495},
	{"UPS.PowerConverter.Input.Voltage", 0, 0},
	{"UPS.PowerConverter.Input.Voltage", 1000, 10000},
	{"UPS.PowerConverter.Input.Frequency", 59.7, 0x0255},
	{"UPS.PowerConverter.Output.Current", 2.2, 0x16},
	{"UPS.PowerConverter.Output.ActivePower", 324, 0x0144},
	{"UPS.OutletSystem.Outlet.PercentLoad", 14, 0x0e},
	{"UPS.BatterySystem.Temperature", 24.85, 298},
	{"UPS.BatterySystem.Temperature", 24.9, 298}, // as the upsc of a 3012 shows it
	{"UPS.BatterySystem.Temperature", -0.15, 273},
	{"UPS.PowerSummary.RunTimeToEmpty", 1004, 0x03ec},
	{"UPS.PowerSummary.AudibleAlarmControl", 3, 3}, // muted
	{"UPS.ffff0010.ffff007d", 0x2012, 0x2012},
}

func TestEncodeGivesTheNumberThatTheUnitWouldSend(t *testing.T) {
	for _, c := range encodeCases {
		r := readingOf(t, c.path)
		raw, err := r.encode(c.value)
		require.NoError(t, err)
		assert.Equal(t, c.raw, raw, "%s of %v", c.path, c.value)
	}
	boost := flags[slices.IndexFunc(flags, func(f flag) bool { return f.key == "status.boost" })]
	r := boost.at(0, 1)
	for value := range uint32(2) {
		raw, err := r.encode(float64(value))
		require.NoError(t, err)
		assert.Equal(t, value, raw)
	}
}

func TestEncodeRefusesWhatAReportCannotSay(t *testing.T) {
	for _, test := range []struct {
		path   string
		values []float64
		text   string // of the error for the first of them
	}{
		{"UPS.PowerConverter.Input.Voltage", []float64{1000.1, -0.1, 6553.5},
			"input.voltage cannot be 1000.1 V"},
		{"UPS.PowerConverter.Input.Frequency", []float64{100.1, -1},
			"input.frequency cannot be 100.1 Hz"},
		{"UPS.PowerSummary.RemainingCapacity", []float64{101, -1}, "health cannot be 101 %"},
		{"UPS.OutletSystem.Outlet.PercentLoad", []float64{255, 300}, "output.load cannot be 255 %"},
		{"UPS.PowerSummary.RunTimeToEmpty", []float64{65535}, "time to empty cannot be 65535 s"},
		{"UPS.OutletSystem.Outlet.DelayBeforeReboot", []float64{0, 65535},
			"controls.delay before reboot cannot be 0 s"},
		{"UPS.OutletSystem.Outlet.ffff0092", []float64{256, -1},
			"controls.watchdog cannot be 256 s"},
		{"UPS.Flow.ConfigVoltage", []float64{0, 255}, "config.voltage cannot be 0 V"},
		{"UPS.BatterySystem.Temperature", []float64{-51.15, 151, -300},
			"battery.temperature cannot be -51.15 °C"},
		{"UPS.BatterySystem.Test", []float64{0, 7}, "controls.test cannot be 0"},
	} {
		r := readingOf(t, test.path)
		_, err := r.encode(test.values[0])
		require.ErrorContains(t, err, test.text)
		for _, value := range append(test.values, math.NaN(), math.Inf(1), math.Inf(-1), 1e300) {
			raw, err := r.encode(value)
			require.Error(t, err, "%s of %v", test.path, value)
			require.Zero(t, raw)
		}
	}
	flag := flags[0].at(0, 1)
	for _, value := range []float64{2, -1, math.NaN()} {
		_, err := flag.encode(value)
		require.Error(t, err, "a flag of %v", value)
	}
}

func TestEncodeIsTheReverseOfDecode(t *testing.T) {
	for _, row := range reports {
		if row.key == "" {
			continue
		}
		t.Run(row.path, func(t *testing.T) {
			r := row.at(0, 8*cmp.Or(row.bytes, 2))
			step := 1
			if r.size > 8 {
				step = 7
			}
			raws := []uint32{row.least, row.least + 1, row.most}
			for raw := 0; raw < 1<<r.size; raw += step {
				raws = append(raws, uint32(raw))
			}
			for _, raw := range raws {
				requireReversible(t, &r, []byte{byte(raw), byte(raw >> 8)}[:r.size/8])
			}
		})
	}
}

// requireReversible fails where encode does not return the raw value of a payload for what decode
// made of it.
func requireReversible(t *testing.T, r *reading, payload []byte) {
	raw, known := r.raw(payload)
	if !known || r.index {
		return
	}
	var rec record
	(&entry{readings: []reading{*r}}).decode(payload, &rec)
	d := r.field.at(&rec)
	value, known := d.number()
	if _, isFlag := d.(*Value[bool]); isFlag {
		raw = min(raw, 1) // a flag that has a byte to itself is true where the byte is not 0
	}
	sized := *r
	sized.size = cmp.Or(r.size, 8*len(payload))
	if back, err := sized.encode(value); !known || err != nil || back != raw {
		t.Errorf("%s: %#x is %v (%v), which is %#x (%v)", r.name, raw, value, known, back, err)
	}
}

// readingOf returns the reading of a row, as the whole payload of a report of its own.
func readingOf(t *testing.T, path string) reading {
	t.Helper()
	i := slices.IndexFunc(reports, func(row report) bool { return row.path == path })
	require.GreaterOrEqual(t, i, 0, path)
	return reports[i].at(0, 8*cmp.Or(reports[i].bytes, 2))
}
