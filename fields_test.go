package tripplite

import (
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// leaves returns the Values of a record, by their place in the JSON.
func leaves(t *testing.T, r *record) map[string]datum {
	t.Helper()
	found := map[string]datum{}
	var walk func(key string, v reflect.Value)
	walk = func(key string, v reflect.Value) {
		if d, ok := v.Addr().Interface().(datum); ok {
			require.NotContains(t, found, key)
			found[key] = d
			return
		}
		switch v.Interface().(type) {
		case string, time.Time, bool:
			return // Path, Time and Announced say of which unit and when the readings are
		}
		for i := range v.NumField() {
			tag := v.Type().Field(i).Tag.Get("json")
			name, omit, _ := strings.Cut(tag, ",")
			require.NotEmpty(t, name, v.Type().Field(i).Name)
			require.Equal(t, strings.ToLower(name), name)
			require.Equal(t, "omitzero", omit, name)
			walk(strings.TrimPrefix(key+"."+name, "."), v.Field(i))
		}
	}
	walk("", reflect.ValueOf(&r.state).Elem())
	walk("controls", reflect.ValueOf(&r.settings).Elem())
	return found
}

func TestEveryReadingHasOneFieldAndEveryFieldAReading(t *testing.T) {
	var r record
	found := leaves(t, &r)
	var keys []string
	for i := range fields {
		f := &fields[i]
		keys = append(keys, f.Key)
		assert.True(t, f.at(&r) == found[f.Key], "%s reaches another reading", f.Key)
		assert.Equal(t, f, fieldOf(f.Key))
	}
	var places []string
	for place := range found {
		places = append(places, place)
	}
	assert.ElementsMatch(t, places, keys)
	assert.Nil(t, fieldOf("status"))
	assert.Nil(t, fieldOf(""))
}

func TestAFieldThatIsSetIsAloneInTheJSON(t *testing.T) {
	for i := range fields {
		f := &fields[i]
		t.Run(f.Key, func(t *testing.T) {
			var r record
			var want any
			switch d := f.at(&r).(type) {
			case *Value[string]:
				*d, want = ValueOf("PbAC"), "PbAC" // no number sets it
			case *Value[bool]:
				d.set(0, true)
				want = false
			case *Value[float64]:
				d.set(0, true)
				want = 0.0
			case *Value[time.Duration]:
				d.set(90, true)
				want = 90.0
			case *Value[uint16]:
				d.set(262, true)
				want = 262.0
			case *Value[BCD]:
				d.set(0x2012, true)
				want = "2012"
			case *Value[AudibleAlarm]:
				d.set(3, true)
				want = "muted"
			case *Value[TestResult]:
				d.set(5, true)
				want = "in progress"
			default:
				t.Fatalf("%T: of this type the test knows no example", d)
			}
			names := strings.Split(f.Key, ".")
			for _, name := range slices.Backward(names) {
				want = map[string]any{name: want}
			}
			var got any
			require.NoError(t, json.Unmarshal([]byte(marshalRecord(t, r)), &got))
			assert.Equal(t, want, got)

			var all []string
			for _, readings := range []iter.Seq2[Field, Datum]{r.state.All(), r.settings.All()} {
				for field := range readings {
					all = append(all, field.Key)
				}
			}
			assert.Equal(t, []string{f.Key}, all)

			f.at(&r).set(0, false)
			assert.Zero(t, r)
		})
	}
}

// fieldUnits are those that the comments of State and Settings name.
var fieldUnits = map[string][]string{
	"V": {
		"input.voltage", "input.lowest voltage", "input.highest voltage", "output.voltage",
		"battery.voltage", "config.voltage", "config.battery voltage",
		"config.low voltage transfer", "config.high voltage transfer",
	},
	"Hz": {"input.frequency", "output.frequency", "config.frequency"},
	"A":  {"output.current"},
	"W":  {"output.power"},
	"VA": {"config.power"},
	"%": {
		"health", "output.load", "config.design capacity", "config.full charge capacity",
		"config.warning capacity limit", "config.remaining capacity limit",
	},
	"s": {
		"time to empty", "delay before shutdown", "controls.delay before startup",
		"controls.delay before reboot", "controls.watchdog",
	},
	"°C": {"unit temperature", "battery.temperature"},
}

func TestFieldsSayWhatTheyAre(t *testing.T) {
	unitOf := map[string]string{}
	for unit, keys := range fieldUnits {
		for _, key := range keys {
			require.NotNil(t, fieldOf(key), key)
			unitOf[key] = unit
		}
	}
	words := map[string]string{}
	for _, f := range Fields() {
		assert.Equal(t, unitOf[f.Key], f.Unit, f.Key)
		assert.Regexp(t, `^[A-Z].*\.$`, f.Help, f.Key)
		assert.Equal(t, strings.HasPrefix(f.Key, "controls."), f.Setting(), f.Key)
		if f.Word == "" {
			continue
		}
		assert.Regexp(t, `^[a-z]+(-[a-z]+)*$`, f.Word, f.Key)
		assert.Empty(t, words[f.Word], "%s and %s have the same word", f.Key, words[f.Word])
		words[f.Word] = f.Key
	}
	for word, key := range map[string]string{
		"charge": "health", "runtime": "time to empty", "load": "output.load",
		"input-voltage": "input.voltage", "beeper": "controls.audible alarm control",
	} {
		assert.Equal(t, key, words[word])
	}
}

func TestFieldsIsACopy(t *testing.T) {
	Fields()[0].Key = "another"
	assert.Equal(t, "health", Fields()[0].Key)
	assert.Len(t, Fields(), len(fields))
}

func TestEveryReportAndFlagFillsAField(t *testing.T) {
	for _, row := range reports {
		if row.key == "" {
			continue // a status
		}
		f := fieldOf(row.key)
		require.NotNil(t, f, "%s: %s", row.path, row.key)
		assert.Equal(t, row.when == setting, f.Setting(), "%s: Settings reads settings", row.path)
		assert.Equal(t, row.when == nominal, strings.HasPrefix(row.key, "config."),
			"%s: Config alone is read once", row.path)
		if row.insteadOf != "" {
			isPreferred := func(other report) bool { return other.path == row.insteadOf }
			i := slices.IndexFunc(reports, isPreferred)
			require.GreaterOrEqual(t, i, 0, row.path)
			assert.Equal(t, row.key, reports[i].key, row.path)
			assert.Empty(t, reports[i].insteadOf, "%s stands in for a stand-in", row.path)
		}
	}
	var keys, want []string
	for _, f := range flags {
		keys = append(keys, f.key)
		assert.NotNil(t, fieldOf(f.key), f.key)
	}
	for _, f := range Fields() {
		if strings.HasPrefix(f.Key, "status.") {
			want = append(want, f.Key)
		}
	}
	assert.ElementsMatch(t, want, keys, "the fields of Status, and the flags")
}

// flatten returns the values of a JSON by key, as the JSON has them but for quotes.
func flatten(t *testing.T, text string) map[string]string {
	t.Helper()
	flat := map[string]string{}
	var walk func(key string, value any)
	walk = func(key string, value any) {
		if group, ok := value.(map[string]any); ok {
			for name, value := range group {
				walk(strings.TrimPrefix(key+"."+name, "."), value)
			}
			return
		}
		flat[key] = fmt.Sprint(value)
	}
	walk("", parseJSON(t, text))
	return flat
}

func collect(all iter.Seq2[Field, Datum]) (keys []string, texts map[string]string) {
	texts = map[string]string{}
	for f, d := range all {
		keys = append(keys, f.Key)
		texts[f.Key] = d.String()
	}
	return keys, texts
}

func TestAllYieldsWhatTheJSONHas(t *testing.T) {
	want := flatten(t, everythingAsJSON)
	for _, key := range []string{"device_id", "time", "announced"} {
		delete(want, key)
	}
	keys, texts := collect(everything.state.All())
	assert.Equal(t, want, texts)
	settingKeys, settings := collect(everything.settings.All())
	assert.Equal(t, flatten(t, `{"controls":`+everySettingAsJSON+`}`), settings)

	var order []string
	for _, f := range Fields() {
		order = append(order, f.Key)
	}
	assert.Equal(t, order, append(keys, settingKeys...), "in the order of Fields")
}

func TestAllOfACapturedUnit(t *testing.T) {
	want := flatten(t, expected(t, "smart1500lcd"))
	b, _ := open(t, "smart1500lcd")
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	_, texts := collect(state.All())
	settings, err := b.Settings(t.Context())
	require.NoError(t, err)
	for f, d := range settings.All() {
		texts[f.Key] = d.String()
	}
	assert.Equal(t, want, texts)
}

func TestAllEndsWithItsLoop(t *testing.T) {
	count := 0
	for f, d := range everything.state.All() {
		count++
		assert.Equal(t, "health", f.Key)
		assert.Equal(t, "%", f.Unit)
		assert.Equal(t, "charge", f.Word)
		assert.Equal(t, 100.0, d.Value())
		break
	}
	assert.Equal(t, 1, count)
	for f := range (State{Path: "1-1:1.0", Time: time.Now(), Announced: true}).All() {
		assert.Fail(t, "nothing is known", f.Key)
	}
	for f := range (Settings{}).All() {
		assert.Fail(t, "nothing is known", f.Key)
	}
}

func TestADatumIsAReadingInEachForm(t *testing.T) {
	number := func(n float64) *float64 { return &n }
	for key, want := range map[string]struct {
		value  any
		text   string
		number *float64
	}{
		"input.voltage":           {0.0, "0", number(0)},
		"output.voltage":          {117.2, "117.2", number(117.2)},
		"time to empty":           {1004 * time.Second, "1004", number(1004)},
		"status.ac present":       {true, "true", number(1)},
		"status.charging":         {false, "false", number(0)},
		"config.firmware version": {uint16(34), "34", number(34)},
		"config.protocol version": {BCD(0x2012), "2012", number(0x2012)},
		"config.device chemistry": {"PbAC", "PbAC", nil},
	} {
		n, known := everything.state.Number(key)
		assert.Equal(t, want.number != nil, known, key)
		if known {
			assert.Equal(t, *want.number, n, key)
		}
		for f, d := range everything.state.All() {
			if f.Key == key {
				assert.Equal(t, want.value, d.Value(), key)
				assert.Equal(t, want.text, d.String(), key)
				dn, dknown := d.Number()
				assert.Equal(t, n, dn, key)
				assert.Equal(t, known, dknown, key)
			}
		}
	}
}

func TestNumberOfWhatAStateDoesNotHold(t *testing.T) {
	for _, key := range []string{
		"", "status", "voltage", "Input.Voltage", "device_id", "time", "charge",
		"controls.watchdog", "controls.test",
	} {
		n, known := everything.state.Number(key)
		assert.False(t, known, key)
		assert.Zero(t, n, key)
	}
	for _, f := range Fields() {
		_, known := State{}.Number(f.Key)
		assert.False(t, known, f.Key)
	}
}

func TestAStateIsLoggedByWhatIsKnown(t *testing.T) {
	for name, test := range map[string]struct {
		state State
		want  string
	}{
		"some": {
			State{
				Path: "1-4.2:1.0", Time: time.Date(2026, 9, 6, 12, 30, 0, 0, time.UTC),
				RemainingCapacity: ValueOf(100.0), RunTimeToEmpty: ValueOf(1004 * time.Second),
				Input:  Input{Voltage: ValueOf(0.0)},
				Status: Status{ACPresent: ValueOf(false), NeedReplacement: ValueOf(true)},
				Config: Config{
					LowVoltageTransfer: ValueOf(87.0), FirmwareVersion: ValueOf(uint16(34)),
					ProtocolVersion: ValueOf(BCD(0x2012)), DeviceChemistry: ValueOf("PbAC"),
				},
			},
			"msg=read state.path=1-4.2:1.0 state.time=2026-09-06T12:30:00.000Z state.health=100 " +
				"state.time-to-empty=1004 state.input.voltage=0 state.status.ac-present=false " +
				"state.status.needs-replacement=true state.config.low-voltage-transfer=87 " +
				"state.config.firmware-version=34 state.config.protocol-version=2012 " +
				"state.config.device-chemistry=PbAC\n",
		},
		"nothing": {State{}, "msg=read\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			handler := slog.NewTextHandler(&text, &slog.HandlerOptions{
				ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
					if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
						return slog.Attr{}
					}
					return a
				},
			})
			slog.New(handler).Info("read", "state", test.state)
			assert.Equal(t, test.want, text.String())
		})
	}
}

func TestTextOfATime(t *testing.T) {
	for seconds, want := range map[time.Duration]string{
		0: "0 s", 59: "59 s", 60: "1 min 00 s", 1004: "16 min 44 s", 3600: "1 h 00 min",
		65534: "18 h 12 min",
	} {
		state := State{RunTimeToEmpty: ValueOf(seconds * time.Second)}
		said := 0
		for field, reading := range state.All() {
			said++
			require.Equal(t, want, field.Text(reading))
		}
		require.Equal(t, 1, said)
	}
}
