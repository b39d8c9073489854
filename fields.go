package tripplite

import (
	"fmt"
	"iter"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Field describes one reading that a [State] or [Settings] can hold.
type Field struct {
	// Key is the place of the reading in the JSON, such as "input.voltage" or "status.ac present".
	Key string
	// Unit is "V", "Hz", "A", "W", "VA", "%", "s" or "°C"; empty for flags, names and versions.
	Unit string
	// Help says in a sentence what the reading is.
	Help string
	// Word is a short name for the readings that people ask for most, such as "charge".
	Word string
}

// record is everything that a protocol reads.
type record struct {
	state    State
	settings Settings
}

// field is a Field, and where it stands in a record.
type field struct {
	Field
	index []int // of reflect.Value.FieldByIndex in State or Settings
}

// fields has a row for each reading, settings last. Everything that names a reading refers to it by
// its key: the report table, the columns and keys of the tool, the series of the collector. The
// order is that of the tool's columns.
var fields = located([]Field{
	{"health", "%", "Charge of the battery.", "charge"},
	{"time to empty", "s", "How long the battery can carry the present load.", "runtime"},
	{"input.voltage", "V", "Input voltage; 0 is true when line power has failed.", "input-voltage"},
	{"input.frequency", "Hz", "Input frequency; 0 is true when line power has failed.", ""},
	{"input.lowest voltage", "V", "Lowest input voltage that the unit remembers.", ""},
	{"input.highest voltage", "V", "Highest input voltage that the unit remembers.", ""},
	{"output.voltage", "V", "Output voltage.", "output-voltage"},
	{"output.frequency", "Hz", "Output frequency.", ""},
	{"output.current", "A", "Output current.", ""},
	{"output.power", "W", "Output power.", "power"},
	{"output.load", "%", "Load; more than 100 is an overload.", "load"},
	{"output.on", "", "Whether the output is switched on.", ""},
	{"outlets.1", "", "Whether outlet group 1 is switched on.", ""},
	{"outlets.2", "", "Whether outlet group 2 is switched on.", ""},
	{"outlets.3", "", "Whether outlet group 3 is switched on.", ""},
	{"outlets.4", "", "Whether outlet group 4 is switched on.", ""},
	{"outlets.5", "", "Whether outlet group 5 is switched on.", ""},
	{"outlets.6", "", "Whether outlet group 6 is switched on.", ""},
	{"outlets.7", "", "Whether outlet group 7 is switched on.", ""},
	{"outlets.8", "", "Whether outlet group 8 is switched on.", ""},
	{"battery.voltage", "V", "Battery voltage.", "battery-voltage"},
	{"battery.temperature", "°C", "Battery temperature.", "battery-temperature"},
	{"unit temperature", "°C", "Temperature of the unit itself.", "temperature"},
	{"delay before shutdown", "s", "Time until the load is switched off.", ""},
	{"status.ac present", "", "There is line power.", ""},
	{"status.charging", "", "The battery is being charged.", ""},
	{"status.discharging", "", "The battery carries the load.", ""},
	{"status.fully charged", "", "The battery is full.", ""},
	{"status.fully discharged", "", "The battery is empty.", ""},
	{"status.needs replacement", "", "The unit asks for a new battery.", ""},
	{"status.below remaining capacity", "", "The charge is below the unit's own limit.", ""},
	{"status.remaining time limit expired", "", "The run time is below the unit's own limit.", ""},
	{"status.shutdown imminent", "", "The unit is about to switch its load off.", ""},
	{"status.shutdown requested", "", "A shutdown has been asked for.", ""},
	{"status.battery present", "", "A battery is installed.", ""},
	{"status.internal failure", "", "The unit has failed.", ""},
	{"status.voltage out of range", "", "The unit does not accept the input voltage.", ""},
	{"status.frequency out of range", "", "The unit does not accept the input frequency.", ""},
	{"status.overload", "", "The load is more than the unit can carry.", ""},
	{"status.over temperature", "", "The unit is too hot.", ""},
	{"status.boost", "", "The unit raises a low input voltage.", ""},
	{"status.buck", "", "The unit lowers a high input voltage.", ""},
	{"status.used", "", "The converter is in use.", ""},
	{"status.awaiting power", "", "The unit waits for line power to switch its load on.", ""},
	{"status.communication lost", "", "The unit's internal communication is lost.", ""},
	{"config.voltage", "V", "Nominal output voltage.", ""},
	{"config.frequency", "Hz", "Nominal frequency.", ""},
	{"config.power", "VA", "Rated apparent power.", ""},
	{"config.battery voltage", "V", "Nominal battery voltage.", ""},
	{"config.low voltage transfer", "V", "Input voltage below which the unit goes to battery.", ""},
	{"config.high voltage transfer", "V", "Input voltage above which the unit goes to battery.", ""},
	{"config.design capacity", "%", "Capacity of the battery when new.", ""},
	{"config.full charge capacity", "%", "Capacity of the full battery, by its design capacity.", ""},
	{"config.warning capacity limit", "%", "Charge at which the unit warns.", ""},
	{"config.remaining capacity limit", "%", "Charge at which the unit calls its battery low.", ""},
	{"config.communication version", "", "Number of the communication firmware.", ""},
	{"config.firmware version", "", "Number of the UPS firmware.", ""},
	{"config.firmware", "", "Part and revision of the UPS firmware.", ""},
	{"config.unit id", "", "Number that somebody gave the unit.", ""},
	{"config.outlets", "", "Number of outlet groups that the unit can switch.", ""},
	{"config.protocol version", "", "Communication protocol.", ""},
	{"config.device chemistry", "", "Chemistry of the battery.", ""},
	{"controls.audible alarm control", "", "State of the beeper.", "beeper"},
	{"controls.test", "", "Result of the last battery test.", ""},
	{"controls.delay before startup", "s", "Time until the load is switched on.", ""},
	{"controls.delay before reboot", "s", "Time until the load is switched on again.", ""},
	{"controls.auto restart", "", "The load comes back with line power after a shutdown command.", ""},
	{"controls.watchdog", "s", "Watchdog time; 0 is off.", ""},
})

// located finds the place of each field by the keys of the JSON.
func located(list []Field) []field {
	places := map[string][]int{}
	var walk func(t reflect.Type, prefix string, index []int)
	walk = func(t reflect.Type, prefix string, index []int) {
		for i := range t.NumField() {
			f, at := t.Field(i), append(slices.Clip(index), i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if reflect.PointerTo(f.Type).Implements(reflect.TypeFor[datum]()) {
				places[prefix+name] = at
			} else if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]() {
				walk(f.Type, prefix+name+".", at)
			}
		}
	}
	walk(reflect.TypeFor[State](), "", nil)
	walk(reflect.TypeFor[Settings](), "controls.", nil)
	located := make([]field, len(list))
	for i, f := range list {
		located[i] = field{f, places[f.Key]}
	}
	return located
}

// at returns the reading in a record.
func (f *field) at(r *record) datum {
	whole := reflect.ValueOf(&r.state)
	if f.Setting() {
		whole = reflect.ValueOf(&r.settings)
	}
	return whole.Elem().FieldByIndex(f.index).Addr().Interface().(datum)
}

// Setting reports whether the field is one of [Settings]; all others are of [State].
func (f Field) Setting() bool { return strings.HasPrefix(f.Key, "controls.") }

// Fields lists every reading that a [State] and [Settings] can hold. New ones may come anywhere.
func Fields() []Field {
	all := make([]Field, len(fields))
	for i, f := range fields {
		all[i] = f.Field
	}
	return all
}

// fieldOf returns the row with a key, or nil.
func fieldOf(key string) *field {
	if i := slices.IndexFunc(fields, func(f field) bool { return f.Key == key }); i >= 0 {
		return &fields[i]
	}
	return nil
}

// Datum is what one reading says.
type Datum struct{ d datum }

// Number returns the reading in its unit, a flag as 0 or 1, a time in seconds. It is not known of a
// reading that is no number.
func (d Datum) Number() (n float64, known bool) { return d.d.number() }

// String returns the reading as the JSON has it, without quotes and without its unit.
func (d Datum) String() string {
	text, _ := d.d.text()
	return text
}

// Value returns the reading in its own type: a float64, bool, time.Duration, string and so on.
func (d Datum) Value() any {
	v, _ := d.d.value()
	return v
}

// Text returns a reading of the field as people write it: with its unit, and a time as in
// "16 min 44 s".
func (f Field) Text(d Datum) string {
	t, ok := d.Value().(time.Duration)
	switch {
	case !ok && f.Unit == "":
		return d.String()
	case !ok:
		return d.String() + " " + f.Unit
	case t >= time.Hour:
		return fmt.Sprintf("%d h %02d min", t/time.Hour, t%time.Hour/time.Minute)
	case t >= time.Minute:
		return fmt.Sprintf("%d min %02d s", t/time.Minute, t%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d s", t/time.Second)
}

// All returns the readings that the State holds, each with its field, in the order of [Fields].
func (s State) All() iter.Seq2[Field, Datum] { return (&record{state: s}).all(false) }

// All returns the settings that are known, each with its field, in the order of [Fields].
func (s Settings) All() iter.Seq2[Field, Datum] { return (&record{settings: s}).all(true) }

func (r *record) all(settings bool) iter.Seq2[Field, Datum] {
	return func(yield func(Field, Datum) bool) {
		for i := range fields {
			f := &fields[i]
			if f.Setting() != settings {
				continue
			}
			d := f.at(r)
			if _, known := d.value(); known && !yield(f.Field, Datum{d}) {
				return
			}
		}
	}
}

// Number returns the reading with a key of [Fields] as [Datum.Number] does. It is not known of a
// reading that the State does not hold.
func (s State) Number(key string) (n float64, known bool) {
	f := fieldOf(key)
	if f == nil || f.Setting() {
		return 0, false
	}
	return f.at(&record{state: s}).number()
}

// LogValue groups what the State holds for log/slog, by key with "-" for each space and in the unit
// of the field: a time is a number of seconds.
func (s State) LogValue() slog.Value {
	var attrs []slog.Attr
	if s.Path != "" {
		attrs = append(attrs, slog.String("path", s.Path))
	}
	if !s.Time.IsZero() {
		attrs = append(attrs, slog.Time("time", s.Time))
	}
	if s.Announced {
		attrs = append(attrs, slog.Bool("announced", true))
	}
	for f, d := range s.All() {
		value := d.Value()
		if f.Unit == "s" {
			value, _ = d.Number()
		}
		attrs = append(attrs, slog.Any(strings.ReplaceAll(f.Key, " ", "-"), value))
	}
	return slog.GroupValue(attrs...)
}
