package tripplite

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
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
	bothWays(t, ValueOf(uint8(4)), `4`)
	bothWays(t, ValueOf(uint16(262)), `262`)
	bothWays(t, ValueOf(1004*time.Second), `1004`)
	bothWays(t, ValueOf(1500*time.Millisecond), `1.5`)
	bothWays(t, ValueOf(time.Duration(0)), `0`)
	bothWays(t, ValueOf(-time.Second), `-1`)
	bothWays(t, ValueOf(AlarmEnabled), `"enabled"`)
	bothWays(t, ValueOf(TestAborted), `"aborted"`)
	bothWays(t, ValueOf(BCD(0x2012)), `"2012"`)
	bothWays(t, ValueOf(BCD(0x0a00)), `"0a00"`)

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
	refuse(t, ValueOf(uint8(4)), `256`, `cannot unmarshal number 256`)
	refuse(t, ValueOf(uint8(4)), `-1`, `cannot unmarshal number -1`)
	refuse(t, ValueOf(uint16(4)), `1.5`, `cannot unmarshal number 1.5`)
	refuse(t, ValueOf(time.Second), `"1s"`, `cannot unmarshal string`)
	refuse(t, ValueOf(AlarmMuted), `"loud"`, `"loud" is none of ["disabled" "enabled" "muted"]`)
	refuse(t, ValueOf(AlarmMuted), `""`, `"" is none of`)
	refuse(t, ValueOf(AlarmMuted), `256`, `cannot unmarshal number`)
	refuse(t, ValueOf(TestPassed), `"Passed"`, `"Passed" is none of ["passed" "warning" "error" "aborted" "in progress" "none"]`)
	refuse(t, ValueOf(BCD(0x2012)), `2012`, `cannot unmarshal number`)
	for _, text := range []string{`""`, `"201"`, `"20123"`, `"201g"`, `"20 1"`, `" 201"`, `"201 "`, `"+201"`, `"0x12"`, `"2_12"`} {
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
	// A fraction of a second has no exact float64, so that a reader who cuts off loses a nanosecond.
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
	// Universal Serial Bus Usage Tables for HID Power Devices 1.1, 4.1: AudibleAlarmControl and Test.
	for alarm, name := range map[AudibleAlarm]string{1: "disabled", 2: "enabled", 3: "muted", 0: "0", 4: "4", 255: "255"} {
		require.Equal(t, name, alarm.String())
		var read AudibleAlarm
		require.NoError(t, read.UnmarshalText([]byte(name)))
		require.Equal(t, alarm, read)
	}
	for result, name := range map[TestResult]string{
		1: "passed", 2: "warning", 3: "error", 4: "aborted", 5: "in progress", 6: "none", 0: "0", 7: "7", 255: "255",
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

// everything has every field of a State, with the zeros that are readings.
var everything = State{
	Path: "1-4.2:1.0",
	Time: time.Date(2026, 9, 6, 12, 30, 0, 0, time.UTC),
	Status: Status{
		ACPresent: ValueOf(true), Charging: ValueOf(false), Discharging: ValueOf(false), FullyCharged: ValueOf(true),
		FullyDischarged: ValueOf(false), NeedReplacement: ValueOf(false), BelowRemainingCapacityLimit: ValueOf(true),
		RemainingTimeLimitExpired: ValueOf(false), ShutdownImminent: ValueOf(false), ShutdownRequested: ValueOf(false),
		BatteryPresent: ValueOf(true), InternalFailure: ValueOf(false), VoltageOutOfRange: ValueOf(false),
		FrequencyOutOfRange: ValueOf(false), Overload: ValueOf(false), OverTemperature: ValueOf(false), Boost: ValueOf(false),
		Buck: ValueOf(false), Used: ValueOf(true), AwaitingPower: ValueOf(false), CommunicationLost: ValueOf(false),
	},
	Config: Config{
		Voltage: ValueOf(120.0), Frequency: ValueOf(60.0), ApparentPower: ValueOf(1500.0), BatteryVoltage: ValueOf(24.0),
		LowVoltageTransfer: ValueOf(87.0), HighVoltageTransfer: ValueOf(153.0), DesignCapacity: ValueOf(100.0),
		FullChargeCapacity: ValueOf(95.0), WarningCapacityLimit: ValueOf(30.0), RemainingCapacityLimit: ValueOf(10.0),
		CommunicationVersion: ValueOf(uint16(262)), FirmwareVersion: ValueOf(uint16(34)), ProtocolVersion: ValueOf(BCD(0x2012)),
	},
	Input:             Input{Voltage: ValueOf(0.0), Frequency: ValueOf(0.0)},
	Output:            Output{ValueOf(117.2), ValueOf(59.9), ValueOf(2.2), ValueOf(324.0), ValueOf(14.0)},
	Battery:           BatterySystem{Voltage: ValueOf(27.5), Temperature: ValueOf(24.85)},
	RemainingCapacity: ValueOf(100.0),
	RunTimeToEmpty:    ValueOf(1004 * time.Second),
	Controls: Controls{
		AudibleAlarmControl: ValueOf(AlarmEnabled), Test: ValueOf(TestPassed), DelayBeforeShutdown: ValueOf(20 * time.Second),
		DelayBeforeStartup: ValueOf(25 * time.Second), DelayBeforeReboot: ValueOf(10 * time.Second), Watchdog: ValueOf(time.Duration(0)),
	},
	StringIndex: StringIndex{ValueOf(uint8(2)), ValueOf(uint8(3)), ValueOf(uint8(4)), ValueOf(uint8(1))},
}

const everythingAsJSON = `{
	"device_id": "1-4.2:1.0",
	"time": "2026-09-06T12:30:00Z",
	"status": {
		"ac present": true,
		"charging": false,
		"discharging": false,
		"fully charged": true,
		"fully discharged": false,
		"needs replacement": false,
		"below remaining capacity": true,
		"remaining time limit expired": false,
		"shutdown imminent": false,
		"shutdown requested": false,
		"battery present": true,
		"internal failure": false,
		"voltage out of range": false,
		"frequency out of range": false,
		"overload": false,
		"over temperature": false,
		"boost": false,
		"buck": false,
		"used": true,
		"awaiting power": false,
		"communication lost": false
	},
	"config": {
		"voltage": 120,
		"frequency": 60,
		"power": 1500,
		"battery voltage": 24,
		"low voltage transfer": 87,
		"high voltage transfer": 153,
		"design capacity": 100,
		"full charge capacity": 95,
		"warning capacity limit": 30,
		"remaining capacity limit": 10,
		"communication version": 262,
		"firmware version": 34,
		"protocol version": "2012"
	},
	"input": {
		"voltage": 0,
		"frequency": 0
	},
	"output": {
		"voltage": 117.2,
		"frequency": 59.9,
		"current": 2.2,
		"power": 324,
		"load": 14
	},
	"battery": {
		"voltage": 27.5,
		"temperature": 24.85
	},
	"health": 100,
	"time to empty": 1004,
	"controls": {
		"audible alarm control": "enabled",
		"test": "passed",
		"delay before shutdown": 20,
		"delay before startup": 25,
		"delay before reboot": 10,
		"watchdog": 0
	},
	"string index": {
		"product": 2,
		"serial number": 3,
		"device chemistry": 4,
		"manufacturer": 1
	}
}`

func TestKeysOfAState(t *testing.T) {
	require.JSONEq(t, everythingAsJSON, marshal(t, everything), "known false and known 0 are printed")

	var read State
	require.NoError(t, json.Unmarshal([]byte(everythingAsJSON), &read))
	require.Equal(t, everything, read)
}

func TestUnknownStateIsEmpty(t *testing.T) {
	require.Equal(t, `{}`, marshal(t, State{}))

	var read State
	require.NoError(t, json.Unmarshal([]byte(`{}`), &read))
	require.Equal(t, State{}, read)
}

func TestEachFieldOfAStateHasAKeyOfItsOwn(t *testing.T) {
	var whole State
	keys := map[string]string{}
	eachField(t, &whole, "State", func(name string, field reflect.Value) {
		fill(t, name, field)

		var alone State // holds this field and nothing else
		eachField(t, &alone, "State", func(other string, target reflect.Value) {
			if other == name {
				target.Set(field)
			}
		})
		text := marshal(t, alone)
		key := onlyKey(t, name, text)
		require.NotContains(t, keys, key, "%s and %s have the same key", name, keys[key])
		keys[key] = name
		require.Equal(t, strings.ToLower(key), key, "%s has no key of its own", name)

		var read State
		require.NoError(t, json.Unmarshal([]byte(text), &read))
		require.Equal(t, alone, read, name)
	})
	eachField(t, new(State), "State", func(name string, _ reflect.Value) { require.Contains(t, asNames(keys), name) })

	var read State
	require.NoError(t, json.Unmarshal([]byte(marshal(t, whole)), &read))
	require.Equal(t, whole, read)

	eachField(t, &everything, "State", func(name string, field reflect.Value) {
		require.False(t, field.IsZero(), "TestKeysOfAState does not have %s", name)
	})
}

// eachField calls f for every field of a State that is not a group of them.
func eachField(t *testing.T, s *State, name string, f func(name string, field reflect.Value)) {
	t.Helper()
	var walk func(name string, v reflect.Value)
	walk = func(name string, v reflect.Value) {
		_, isValue := v.Addr().Interface().(json.Unmarshaler)
		if isValue || v.Kind() != reflect.Struct {
			f(name, v)
			return
		}
		for i := range v.NumField() {
			walk(name+"."+v.Type().Field(i).Name, v.Field(i))
		}
	}
	walk(name, reflect.ValueOf(s).Elem())
}

// fill gives a field something to hold.
func fill(t *testing.T, name string, field reflect.Value) {
	t.Helper()
	switch p := field.Addr().Interface().(type) {
	case *string:
		*p = "1-4.2:1.0"
	case *time.Time:
		*p = time.Date(2026, 9, 6, 12, 30, 0, 500, time.UTC)
	case *Value[bool]:
		*p = ValueOf(false)
	case *Value[float64]:
		*p = ValueOf(0.0)
	case *Value[uint8]:
		*p = ValueOf(uint8(3))
	case *Value[uint16]:
		*p = ValueOf(uint16(262))
	case *Value[BCD]:
		*p = ValueOf(BCD(0x2012))
	case *Value[time.Duration]:
		*p = ValueOf(1500 * time.Millisecond)
	case *Value[AudibleAlarm]:
		*p = ValueOf(AlarmMuted)
	case *Value[TestResult]:
		*p = ValueOf(TestInProgress)
	default:
		t.Fatalf("%s is a %T, of which this test knows no example", name, p)
	}
}

// onlyKey returns the key of the one reading that a JSON holds, that of its group before it.
func onlyKey(t *testing.T, name, text string) string {
	t.Helper()
	var key []string
	var value any = parseJSON(t, text)
	for {
		group, ok := value.(map[string]any)
		if !ok {
			return strings.Join(key, "/")
		}
		require.Len(t, group, 1, "%s alone is %s", name, text)
		for k, v := range group {
			key, value = append(key, k), v
		}
	}
}

func asNames(keys map[string]string) (names []string) {
	for _, name := range keys {
		names = append(names, name)
	}
	return names
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
