package tripplite

import (
	"encoding/json"
	"math"
	"testing"
	"testing/quick"
	"time"

	"github.com/stretchr/testify/require"
)

func TestValueThatHoldsNothing(t *testing.T) {
	var none Value[float64]

	v, ok := none.Get()
	require.False(t, ok)
	require.Zero(t, v)
	require.Equal(t, 12.5, none.Or(12.5))
	require.True(t, none.IsZero())
	require.Equal(t, "unknown", none.String())
	require.Equal(t, `null`, marshal(t, none))
}

func TestValueThatHoldsAZeroIsNotUnknown(t *testing.T) {
	zero, no := ValueOf(0.0), ValueOf(false)

	v, ok := zero.Get()
	require.True(t, ok)
	require.Zero(t, v)
	require.Equal(t, 0.0, zero.Or(12.5))
	require.False(t, zero.IsZero())
	require.Equal(t, "0", zero.String())
	require.Equal(t, `0`, marshal(t, zero))

	require.False(t, no.Or(true))
	require.False(t, no.IsZero())
	require.Equal(t, "false", no.String())
	require.Equal(t, `false`, marshal(t, no))
}

func TestValueString(t *testing.T) {
	require.Equal(t, "117.2", ValueOf(117.2).String())
	require.Equal(t, "true", ValueOf(true).String())
	require.Equal(t, "16m44s", ValueOf(1004*time.Second).String())
	require.Equal(t, "muted", ValueOf(AlarmMuted).String())
	require.Equal(t, "in progress", ValueOf(TestInProgress).String())
	require.Equal(t, "2012", ValueOf(BCD(0x2012)).String())
	require.Equal(t, "unknown", Value[time.Duration]{}.String())
}

func TestValueAsJSON(t *testing.T) {
	bothWays(t, ValueOf(117.2), `117.2`)
	bothWays(t, ValueOf(-0.15), `-0.15`)
	bothWays(t, ValueOf(true), `true`)
	bothWays(t, ValueOf(uint16(262)), `262`)
	bothWays(t, ValueOf(1004*time.Second), `1004`)
	bothWays(t, ValueOf(1500*time.Millisecond), `1.5`)
	bothWays(t, ValueOf(time.Duration(0)), `0`)
	bothWays(t, ValueOf(-time.Second), `-1`)
	bothWays(t, ValueOf(AlarmEnabled), `"enabled"`)
	bothWays(t, ValueOf(TestAborted), `"aborted"`)
	bothWays(t, ValueOf(BCD(0x2012)), `"2012"`)
	bothWays(t, ValueOf(BCD(0x0a00)), `"0a00"`)
	bothWays(t, ValueOf("PbAC"), `"PbAC"`)
	bothWays(t, ValueOf(""), `""`)

	bothWays(t, Value[float64]{}, `null`)
	bothWays(t, Value[bool]{}, `null`)
	bothWays(t, Value[time.Duration]{}, `null`)
	bothWays(t, Value[AudibleAlarm]{}, `null`)
}

func TestNullTakesAwayWhatAValueHeld(t *testing.T) {
	v := ValueOf(117.2)
	require.NoError(t, json.Unmarshal([]byte(`null`), &v))
	require.Equal(t, Value[float64]{}, v)
}

func TestBadJSONIsRefusedAndLeavesTheValueAsItWas(t *testing.T) {
	refuse(t, ValueOf(117.2), `"117.2"`, `cannot unmarshal string`)
	refuse(t, ValueOf(117.2), `true`, `cannot unmarshal bool`)
	refuse(t, ValueOf(true), `1`, `cannot unmarshal number`)
	refuse(t, ValueOf(uint16(4)), `65536`, `cannot unmarshal number 65536`)
	refuse(t, ValueOf(uint16(4)), `-1`, `cannot unmarshal number -1`)
	refuse(t, ValueOf(uint16(4)), `1.5`, `cannot unmarshal number 1.5`)
	refuse(t, ValueOf(time.Second), `"1s"`, `cannot unmarshal string`)
	refuse(t, ValueOf(AlarmMuted), `"loud"`, `"loud" is none of ["disabled" "enabled" "muted"]`)
	refuse(t, ValueOf(AlarmMuted), `""`, `"" is none of`)
	refuse(t, ValueOf(AlarmMuted), `256`, `cannot unmarshal number`)
	refuse(t, ValueOf(TestPassed), `"Passed"`,
		`"Passed" is none of ["passed" "warning" "error" "aborted" "in progress" "none"]`)
	refuse(t, ValueOf(BCD(0x2012)), `2012`, `cannot unmarshal number`)
	for _, text := range []string{
		`""`, `"201"`, `"20123"`, `"201g"`, `"20 1"`, `" 201"`, `"201 "`, `"+201"`, `"0x12"`,
		`"2_12"`,
	} {
		refuse(t, ValueOf(BCD(0x2012)), text, `is not a version of four digits`)
	}
}

func TestDurationsThatDoNotFitAreRefused(t *testing.T) {
	for _, seconds := range []string{`1e300`, `-1e300`, `9223372037`, `-9223372037`, `1e10`} {
		refuse(t, ValueOf(time.Second), seconds, "seconds")
	}
	refuse(t, ValueOf(time.Second), `1e400`, `cannot unmarshal number`)

	var v Value[time.Duration]
	require.NoError(t, json.Unmarshal([]byte(`9223372036`), &v), "the longest one of whole seconds")
	require.Equal(t, ValueOf(9223372036*time.Second), v)
	require.NoError(t, json.Unmarshal([]byte(`-9223372036`), &v))
	require.Equal(t, ValueOf(-9223372036*time.Second), v)
}

func TestWhatIsNoNumberIsNotWritten(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := json.Marshal(ValueOf(f))
		require.ErrorContains(t, err, "unsupported value", "%v", f)
	}
}

func TestDurationsAreTheSameAfterARoundTrip(t *testing.T) {
	// A fraction of a second has no exact float64: a reader that cuts it off loses a nanosecond.
	sameAfter := func(ms int32) bool {
		d := ValueOf(time.Duration(ms) * time.Millisecond)
		text, err := json.Marshal(d)
		if err != nil {
			return false
		}
		var read Value[time.Duration]
		return json.Unmarshal(text, &read) == nil && read == d
	}
	require.True(t, sameAfter(290), "0.29 s")
	require.NoError(t, quick.Check(sameAfter, nil))
}

func TestNamesOfTheClass(t *testing.T) {
	// Universal Serial Bus Usage Tables for HID Power Devices 1.1, 4.1: AudibleAlarmControl, Test.
	for alarm, name := range map[AudibleAlarm]string{
		1: "disabled", 2: "enabled", 3: "muted", 0: "0", 4: "4", 255: "255",
	} {
		require.Equal(t, name, alarm.String())
		var read AudibleAlarm
		require.NoError(t, read.UnmarshalText([]byte(name)))
		require.Equal(t, alarm, read)
	}
	for result, name := range map[TestResult]string{
		1: "passed", 2: "warning", 3: "error", 4: "aborted", 5: "in progress", 6: "none",
		0: "0", 7: "7", 255: "255",
	} {
		require.Equal(t, name, result.String())
		var read TestResult
		require.NoError(t, read.UnmarshalText([]byte(name)))
		require.Equal(t, result, read)
	}
	var alarm AudibleAlarm
	for _, name := range []string{"256", "-1", "04", "1", "passed"} {
		require.Error(t, alarm.UnmarshalText([]byte(name)), "String returns %q for none", name)
		require.Zero(t, alarm)
	}
}

func TestBCDKeepsItsLeadingZeros(t *testing.T) {
	require.Equal(t, "0001", BCD(0x0001).String())
	require.Equal(t, "2012", BCD(0x2012).String())
	var v BCD
	require.NoError(t, v.UnmarshalText([]byte("0012")))
	require.Equal(t, BCD(0x0012), v)
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func bothWays[T any](t *testing.T, v Value[T], text string) {
	t.Helper()
	require.Equal(t, text, marshal(t, v))
	read := Value[T]{known: true} // which null has to take away
	require.NoError(t, json.Unmarshal([]byte(text), &read))
	require.Equal(t, v, read)
}

// refuse reads a bad text over a value.
func refuse[T any](t *testing.T, was Value[T], text, why string) {
	t.Helper()
	v := was
	require.ErrorContains(t, json.Unmarshal([]byte(text), &v), why, text)
	require.Equal(t, was, v, text)
}

// datumCases are Values as the table of fields reaches them: what a number sets, and its text.
var datumCases = []struct {
	empty  datum
	n      float64
	want   any
	number float64
	text   string
}{
	{new(Value[float64]), 117.2, 117.2, 117.2, "117.2"},
	{new(Value[float64]), -0.15, -0.15, -0.15, "-0.15"},
	{new(Value[float64]), 0, 0.0, 0, "0"},
	{new(Value[float64]), 1e21, 1e21, 1e21, "1000000000000000000000"},
	{new(Value[bool]), 1, true, 1, "true"},
	{new(Value[bool]), 0, false, 0, "false"},
	{new(Value[bool]), 2, true, 1, "true"},
	{new(Value[time.Duration]), 1004, 1004 * time.Second, 1004, "1004"},
	{new(Value[time.Duration]), 1.5, 1500 * time.Millisecond, 1.5, "1.5"},
	{new(Value[uint16]), 65535, uint16(65535), 65535, "65535"},
	{new(Value[BCD]), 0x0a00, BCD(0x0a00), 0x0a00, "0a00"},
	{new(Value[AudibleAlarm]), 3, AlarmMuted, 3, "muted"},
	{new(Value[TestResult]), 5, TestInProgress, 5, "in progress"},
}

func TestADatumIsSetAndReadAsANumber(t *testing.T) {
	for _, c := range datumCases {
		d := c.empty
		requireUnknown(t, d)
		d.set(c.n, true)

		n, known := d.number()
		require.True(t, known)
		require.Equal(t, c.number, n)
		text, known := d.text()
		require.True(t, known)
		require.Equal(t, c.text, text)
		v, known := d.value()
		require.True(t, known)
		require.Equal(t, c.want, v)

		d.set(c.n, false)
		requireUnknown(t, d)
	}
}

func TestADatumThatIsNoNumberIsNotSetByOne(t *testing.T) {
	v := ValueOf("PbAC")
	v.set(4, true)
	require.Equal(t, ValueOf("PbAC"), v)
	_, known := v.number()
	require.False(t, known)
	text, known := v.text()
	require.True(t, known)
	require.Equal(t, "PbAC", text)

	v.set(0, false)
	require.Equal(t, Value[string]{}, v)
	v.set(4, true)
	requireUnknown(t, &v)
}

func requireUnknown(t *testing.T, d datum) {
	t.Helper()
	n, known := d.number()
	require.False(t, known)
	require.Zero(t, n)
	text, known := d.text()
	require.False(t, known)
	require.Empty(t, text)
	_, known = d.value()
	require.False(t, known)
}
