package tripplite

import (
	"iter"
	"log/slog"
	"slices"
	"strings"
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

// field is a row of the table of fields. Everything that names a reading refers to it by its key:
// the report table, the columns and keys of the tool, the series of the collector.
type field struct {
	Field
	at func(*record) datum
}

// fields has a row for each reading, settings last. The order is that of the tool's columns.
var fields = []field{
	{Field{"health", "%", "Charge of the battery.", "charge"},
		func(r *record) datum { return &r.state.RemainingCapacity }},
	{Field{"time to empty", "s", "How long the battery can carry the present load.", "runtime"},
		func(r *record) datum { return &r.state.RunTimeToEmpty }},
	{Field{"input.voltage", "V", "Input voltage; 0 is a true reading when line power has failed.", "input-voltage"},
		func(r *record) datum { return &r.state.Input.Voltage }},
	{Field{"input.frequency", "Hz", "Input frequency; 0 is a true reading when line power has failed.", ""},
		func(r *record) datum { return &r.state.Input.Frequency }},
	{Field{"input.lowest voltage", "V", "Lowest input voltage that the unit remembers.", ""},
		func(r *record) datum { return &r.state.Input.LowestVoltage }},
	{Field{"input.highest voltage", "V", "Highest input voltage that the unit remembers.", ""},
		func(r *record) datum { return &r.state.Input.HighestVoltage }},
	{Field{"output.voltage", "V", "Output voltage.", "output-voltage"},
		func(r *record) datum { return &r.state.Output.Voltage }},
	{Field{"output.frequency", "Hz", "Output frequency.", ""},
		func(r *record) datum { return &r.state.Output.Frequency }},
	{Field{"output.current", "A", "Output current.", ""},
		func(r *record) datum { return &r.state.Output.Current }},
	{Field{"output.power", "W", "Output power.", "power"},
		func(r *record) datum { return &r.state.Output.ActivePower }},
	{Field{"output.load", "%", "Load in percent of what the unit can carry; more than 100 is an overload.", "load"},
		func(r *record) datum { return &r.state.Output.PercentLoad }},
	{Field{"output.on", "", "Whether the output is switched on.", ""},
		func(r *record) datum { return &r.state.Output.On }},
	{Field{"battery.voltage", "V", "Battery voltage.", "battery-voltage"},
		func(r *record) datum { return &r.state.Battery.Voltage }},
	{Field{"battery.temperature", "°C", "Battery temperature.", "battery-temperature"},
		func(r *record) datum { return &r.state.Battery.Temperature }},
	{Field{"unit temperature", "°C", "Temperature of the unit itself.", "temperature"},
		func(r *record) datum { return &r.state.Temperature }},

	{Field{"status.ac present", "", "There is line power.", ""},
		func(r *record) datum { return &r.state.Status.ACPresent }},
	{Field{"status.charging", "", "The battery is being charged.", ""},
		func(r *record) datum { return &r.state.Status.Charging }},
	{Field{"status.discharging", "", "The battery carries the load.", ""},
		func(r *record) datum { return &r.state.Status.Discharging }},
	{Field{"status.fully charged", "", "The battery is full.", ""},
		func(r *record) datum { return &r.state.Status.FullyCharged }},
	{Field{"status.fully discharged", "", "The battery is empty.", ""},
		func(r *record) datum { return &r.state.Status.FullyDischarged }},
	{Field{"status.needs replacement", "", "The unit asks for a new battery.", ""},
		func(r *record) datum { return &r.state.Status.NeedReplacement }},
	{Field{"status.below remaining capacity", "", "The charge is below the unit's own limit.", ""},
		func(r *record) datum { return &r.state.Status.BelowRemainingCapacityLimit }},
	{Field{"status.remaining time limit expired", "", "The run time is below the unit's own limit.", ""},
		func(r *record) datum { return &r.state.Status.RemainingTimeLimitExpired }},
	{Field{"status.shutdown imminent", "", "The unit is about to switch its load off.", ""},
		func(r *record) datum { return &r.state.Status.ShutdownImminent }},
	{Field{"status.shutdown requested", "", "A shutdown has been asked for.", ""},
		func(r *record) datum { return &r.state.Status.ShutdownRequested }},
	{Field{"status.battery present", "", "A battery is installed.", ""},
		func(r *record) datum { return &r.state.Status.BatteryPresent }},
	{Field{"status.internal failure", "", "The unit has failed.", ""},
		func(r *record) datum { return &r.state.Status.InternalFailure }},
	{Field{"status.voltage out of range", "", "The unit does not accept the input voltage.", ""},
		func(r *record) datum { return &r.state.Status.VoltageOutOfRange }},
	{Field{"status.frequency out of range", "", "The unit does not accept the input frequency.", ""},
		func(r *record) datum { return &r.state.Status.FrequencyOutOfRange }},
	{Field{"status.overload", "", "The load is more than the unit can carry.", ""},
		func(r *record) datum { return &r.state.Status.Overload }},
	{Field{"status.over temperature", "", "The unit is too hot.", ""},
		func(r *record) datum { return &r.state.Status.OverTemperature }},
	{Field{"status.boost", "", "The unit raises a low input voltage.", ""},
		func(r *record) datum { return &r.state.Status.Boost }},
	{Field{"status.buck", "", "The unit lowers a high input voltage.", ""},
		func(r *record) datum { return &r.state.Status.Buck }},
	{Field{"status.used", "", "The converter is in use.", ""},
		func(r *record) datum { return &r.state.Status.Used }},
	{Field{"status.awaiting power", "", "The unit waits for line power to switch its load on.", ""},
		func(r *record) datum { return &r.state.Status.AwaitingPower }},
	{Field{"status.communication lost", "", "The unit's internal communication is lost.", ""},
		func(r *record) datum { return &r.state.Status.CommunicationLost }},

	{Field{"config.voltage", "V", "Nominal output voltage.", ""},
		func(r *record) datum { return &r.state.Config.Voltage }},
	{Field{"config.frequency", "Hz", "Nominal frequency.", ""},
		func(r *record) datum { return &r.state.Config.Frequency }},
	{Field{"config.power", "VA", "Rated apparent power.", ""},
		func(r *record) datum { return &r.state.Config.ApparentPower }},
	{Field{"config.battery voltage", "V", "Nominal battery voltage.", ""},
		func(r *record) datum { return &r.state.Config.BatteryVoltage }},
	{Field{"config.low voltage transfer", "V", "Input voltage below which the unit goes to battery.", ""},
		func(r *record) datum { return &r.state.Config.LowVoltageTransfer }},
	{Field{"config.high voltage transfer", "V", "Input voltage above which the unit goes to battery.", ""},
		func(r *record) datum { return &r.state.Config.HighVoltageTransfer }},
	{Field{"config.design capacity", "%", "Capacity of the battery when new.", ""},
		func(r *record) datum { return &r.state.Config.DesignCapacity }},
	{Field{"config.full charge capacity", "%", "Capacity of the full battery in percent of its design capacity.", ""},
		func(r *record) datum { return &r.state.Config.FullChargeCapacity }},
	{Field{"config.warning capacity limit", "%", "Charge at which the unit warns.", ""},
		func(r *record) datum { return &r.state.Config.WarningCapacityLimit }},
	{Field{"config.remaining capacity limit", "%", "Charge at which the unit calls its battery low.", ""},
		func(r *record) datum { return &r.state.Config.RemainingCapacityLimit }},
	{Field{"config.communication version", "", "Number of the communication firmware.", ""},
		func(r *record) datum { return &r.state.Config.CommunicationVersion }},
	{Field{"config.firmware version", "", "Number of the UPS firmware.", ""},
		func(r *record) datum { return &r.state.Config.FirmwareVersion }},
	{Field{"config.protocol version", "", "Communication protocol.", ""},
		func(r *record) datum { return &r.state.Config.ProtocolVersion }},
	{Field{"config.device chemistry", "", "Chemistry of the battery.", ""},
		func(r *record) datum { return &r.state.Config.DeviceChemistry }},

	{Field{"controls.audible alarm control", "", "State of the beeper.", "beeper"},
		func(r *record) datum { return &r.settings.AudibleAlarmControl }},
	{Field{"controls.test", "", "Result of the last battery test.", ""},
		func(r *record) datum { return &r.settings.Test }},
	{Field{"controls.delay before shutdown", "s", "Time until the load is switched off.", ""},
		func(r *record) datum { return &r.settings.DelayBeforeShutdown }},
	{Field{"controls.delay before startup", "s", "Time until the load is switched on.", ""},
		func(r *record) datum { return &r.settings.DelayBeforeStartup }},
	{Field{"controls.delay before reboot", "s", "Time until the load is switched on again.", ""},
		func(r *record) datum { return &r.settings.DelayBeforeReboot }},
	{Field{"controls.watchdog", "s", "Watchdog time; 0 is off.", ""},
		func(r *record) datum { return &r.settings.Watchdog }},
}

// Setting reports whether the field is one of [Settings]; all others are of [State].
func (f Field) Setting() bool { return strings.HasPrefix(f.Key, "controls.") }

// Fields lists every reading that a [State] and [Settings] can hold. New ones may come anywhere.
func Fields() []Field {
	all := make([]Field, len(fields))
	for i := range fields {
		all[i] = fields[i].Field
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

// LogValue groups what the State holds for log/slog, by key with "-" for each space.
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
		attrs = append(attrs, slog.Any(strings.ReplaceAll(f.Key, " ", "-"), d.Value()))
	}
	return slog.GroupValue(attrs...)
}
