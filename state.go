package tripplite

import (
	"fmt"
	"strconv"
	"time"
)

// State is what a UPS said in one [Battery.Get].
//
// Every reading is a [Value]: one that the unit does not report, or that could not be read this
// time, holds nothing and is absent from the JSON. Nothing in a State is older than its Time,
// except Config, which does not change while a unit is plugged in and is read when it is opened.
//
// The JSON has the keys of the Python project numat/tripplite and more: "health" is
// RemainingCapacity, "time to empty" is RunTimeToEmpty in seconds.
type State struct {
	// Path names the unit, as [Paths] does.
	Path string `json:"device_id,omitzero"`
	// Time is the moment before the status was asked for, or when the unit announced it.
	Time time.Time `json:"time,omitzero"`
	// Announced is true when the unit sent this status by itself. Such a State comes from
	// [Battery.Watch] alone. It holds the announced flags and Config and no other reading; a whole
	// State follows at once.
	Announced bool `json:"announced,omitzero"`

	Status  Status        `json:"status,omitzero"`
	Config  Config        `json:"config,omitzero"`
	Input   Input         `json:"input,omitzero"`
	Output  Output        `json:"output,omitzero"`
	Outlets Outlets       `json:"outlets,omitzero"`
	Battery BatterySystem `json:"battery,omitzero"`

	// Temperature is that of the unit itself in degrees Celsius; few families have it.
	Temperature Value[float64] `json:"unit temperature,omitzero"`
	// RemainingCapacity is the charge of the battery in percent of full, 0 to 100. Some units of
	// product 0001 have been seen to say 0 through an hour on battery: their 0 is believed only
	// beside BelowRemainingCapacityLimit (NUT #2258).
	RemainingCapacity Value[float64] `json:"health,omitzero"`
	// RunTimeToEmpty is how long the battery can carry the present load. The JSON has it in seconds.
	RunTimeToEmpty Value[time.Duration] `json:"time to empty,omitzero"`
	// DelayBeforeShutdown is the time until the load is switched off. It holds nothing while no
	// shutdown is under way, and of units of product 0001, which do not tell.
	DelayBeforeShutdown Value[time.Duration] `json:"delay before shutdown,omitzero"`
}

// Status holds the flags of the unit's PresentStatus collections (HID Usage Tables for Power
// Devices 1.1). A flag without a value is one that the unit does not report: an ACPresent without a
// value does not mean that the UPS is on battery.
type Status struct {
	// ACPresent is true while there is line power.
	ACPresent Value[bool] `json:"ac present,omitzero"`
	// Charging is true while the battery is being charged.
	Charging Value[bool] `json:"charging,omitzero"`
	// Discharging is true while the battery carries the load.
	Discharging Value[bool] `json:"discharging,omitzero"`
	// FullyCharged is true when the battery is full.
	FullyCharged Value[bool] `json:"fully charged,omitzero"`
	// FullyDischarged is true when the battery is empty.
	FullyDischarged Value[bool] `json:"fully discharged,omitzero"`
	// NeedReplacement is true when the unit asks for a new battery.
	NeedReplacement Value[bool] `json:"needs replacement,omitzero"`
	// BelowRemainingCapacityLimit is true when the charge is below the unit's own limit.
	BelowRemainingCapacityLimit Value[bool] `json:"below remaining capacity,omitzero"`
	// RemainingTimeLimitExpired is true when the run time left is below the unit's own limit.
	RemainingTimeLimitExpired Value[bool] `json:"remaining time limit expired,omitzero"`
	// ShutdownImminent is true when the unit is about to switch its load off.
	ShutdownImminent Value[bool] `json:"shutdown imminent,omitzero"`
	// ShutdownRequested is true when a shutdown has been asked for.
	ShutdownRequested Value[bool] `json:"shutdown requested,omitzero"`
	// BatteryPresent is false when no battery is installed.
	BatteryPresent Value[bool] `json:"battery present,omitzero"`

	// InternalFailure is true when the unit has failed.
	InternalFailure Value[bool] `json:"internal failure,omitzero"`
	// VoltageOutOfRange is true while the input voltage is outside of what the unit accepts.
	VoltageOutOfRange Value[bool] `json:"voltage out of range,omitzero"`
	// FrequencyOutOfRange is true while the input frequency is outside of what the unit accepts.
	FrequencyOutOfRange Value[bool] `json:"frequency out of range,omitzero"`
	// Overload is true while the load is more than the unit can carry.
	Overload Value[bool] `json:"overload,omitzero"`
	// OverTemperature is true while the unit is too hot.
	OverTemperature Value[bool] `json:"over temperature,omitzero"`
	// Boost is true while the unit raises a low input voltage.
	Boost Value[bool] `json:"boost,omitzero"`
	// Buck is true while the unit lowers a high input voltage.
	Buck Value[bool] `json:"buck,omitzero"`
	// Used is true while the converter is in use.
	Used Value[bool] `json:"used,omitzero"`
	// AwaitingPower is true while the unit waits for line power before it switches its load on.
	AwaitingPower Value[bool] `json:"awaiting power,omitzero"`
	// CommunicationLost is true when the unit's internal communication is lost.
	CommunicationLost Value[bool] `json:"communication lost,omitzero"`
}

// Config holds what the unit was built for or set to. It is read once each time the unit is opened.
type Config struct {
	// Voltage is the nominal output voltage in volts.
	Voltage Value[float64] `json:"voltage,omitzero"`
	// Frequency is the nominal frequency in hertz.
	Frequency Value[float64] `json:"frequency,omitzero"`
	// ApparentPower is the rated power in volt-amperes.
	ApparentPower Value[float64] `json:"power,omitzero"`
	// BatteryVoltage is the nominal battery voltage in volts.
	BatteryVoltage Value[float64] `json:"battery voltage,omitzero"`
	// LowVoltageTransfer is the input voltage, in volts, below which the unit goes to battery.
	LowVoltageTransfer Value[float64] `json:"low voltage transfer,omitzero"`
	// HighVoltageTransfer is the input voltage, in volts, above which the unit goes to battery.
	HighVoltageTransfer Value[float64] `json:"high voltage transfer,omitzero"`
	// DesignCapacity is the capacity of the battery when new, in percent.
	DesignCapacity Value[float64] `json:"design capacity,omitzero"`
	// FullChargeCapacity is the capacity of the battery when full, in percent of its design capacity.
	FullChargeCapacity Value[float64] `json:"full charge capacity,omitzero"`
	// WarningCapacityLimit is the charge, in percent, at which the unit warns.
	WarningCapacityLimit Value[float64] `json:"warning capacity limit,omitzero"`
	// RemainingCapacityLimit is the charge, in percent, at which the unit calls its battery low.
	RemainingCapacityLimit Value[float64] `json:"remaining capacity limit,omitzero"`
	// CommunicationVersion is the number of the communication firmware, as the unit sends it.
	CommunicationVersion Value[uint16] `json:"communication version,omitzero"`
	// FirmwareVersion is the number of the UPS firmware, as the unit sends it.
	FirmwareVersion Value[uint16] `json:"firmware version,omitzero"`
	// ProtocolVersion is the communication protocol; it is 2012 on a unit with product id 2012.
	ProtocolVersion Value[BCD] `json:"protocol version,omitzero"`
	// Firmware is the part and the revision of the UPS firmware, such as "1218 A". Only units of
	// product 0001 have it.
	Firmware Value[string] `json:"firmware,omitzero"`
	// UnitID is the number that somebody gave the unit, 1 to 65534. Only units of product 0001 have
	// it; it holds nothing until it is set.
	UnitID Value[uint16] `json:"unit id,omitzero"`
	// Outlets is the number of outlet groups that the unit can switch, 0 to 8. Only units of product
	// 0001 say it.
	Outlets Value[uint16] `json:"outlets,omitzero"`
	// DeviceChemistry is the chemistry of the battery, such as "PbAC" for lead acid. It is read on
	// Linux alone, where this user may open the unit's node under /dev/bus/usb.
	DeviceChemistry Value[string] `json:"device chemistry,omitzero"`
}

// Input is what comes from the line.
type Input struct {
	// Voltage is in volts; 0 is a true reading when line power has failed.
	Voltage Value[float64] `json:"voltage,omitzero"`
	// Frequency is in hertz; 0 is a true reading when line power has failed.
	Frequency Value[float64] `json:"frequency,omitzero"`
	// LowestVoltage and HighestVoltage are in volts, the extremes that the unit remembers.
	LowestVoltage  Value[float64] `json:"lowest voltage,omitzero"`
	HighestVoltage Value[float64] `json:"highest voltage,omitzero"`
}

// Output is what goes to the load.
type Output struct {
	// Voltage is in volts.
	Voltage Value[float64] `json:"voltage,omitzero"`
	// Frequency is in hertz.
	Frequency Value[float64] `json:"frequency,omitzero"`
	// Current is in amperes.
	Current Value[float64] `json:"current,omitzero"`
	// ActivePower is in watts.
	ActivePower Value[float64] `json:"power,omitzero"`
	// PercentLoad is the load in percent of what the unit can carry; more than 100 is an overload.
	PercentLoad Value[float64] `json:"load,omitzero"`
	// On is false while the unit has switched its output off.
	On Value[bool] `json:"on,omitzero"`
}

// Outlets tells which of the switched groups of outlets are on. A unit has Config.Outlets of them.
// Only units of product 0001 are known to say so.
type Outlets struct {
	Outlet1 Value[bool] `json:"1,omitzero"`
	Outlet2 Value[bool] `json:"2,omitzero"`
	Outlet3 Value[bool] `json:"3,omitzero"`
	Outlet4 Value[bool] `json:"4,omitzero"`
	Outlet5 Value[bool] `json:"5,omitzero"`
	Outlet6 Value[bool] `json:"6,omitzero"`
	Outlet7 Value[bool] `json:"7,omitzero"`
	Outlet8 Value[bool] `json:"8,omitzero"`
}

// BatterySystem is what is measured at the battery.
type BatterySystem struct {
	// Voltage is that of the whole battery in volts. Units of product 0001 measure one block of 12 V:
	// theirs is multiplied by the number of blocks, which the nominal voltage tells.
	Voltage Value[float64] `json:"voltage,omitzero"`
	// Temperature is in degrees Celsius; few families have it.
	Temperature Value[float64] `json:"temperature,omitzero"`
}

// Settings holds what a unit's writable reports say: its settings and its timers.
// [Battery.Settings] reads them.
type Settings struct {
	// AudibleAlarmControl is the state of the beeper.
	AudibleAlarmControl Value[AudibleAlarm] `json:"audible alarm control,omitzero"`
	// Test is the result of the last battery test.
	Test Value[TestResult] `json:"test,omitzero"`
	// DelayBeforeStartup is the time until the load is switched on. It holds nothing while no start
	// is under way.
	DelayBeforeStartup Value[time.Duration] `json:"delay before startup,omitzero"`
	// DelayBeforeReboot is the time until the load, switched off, is switched on again. It holds
	// nothing while no reboot is under way.
	DelayBeforeReboot Value[time.Duration] `json:"delay before reboot,omitzero"`
	// AutoRestart is whether the load comes back with line power after a shutdown command. A 2012 has
	// it (the maker's document of protocol 2012).
	AutoRestart Value[bool] `json:"auto restart,omitzero"`
	// Watchdog is the time without a message from the computer after which the unit power-cycles the
	// load; 0 is off.
	Watchdog Value[time.Duration] `json:"watchdog,omitzero"`
}

// AudibleAlarm is what the beeper does, as the HID power device class numbers it.
type AudibleAlarm uint8

// The settings of AudibleAlarmControl (Universal Serial Bus Usage Tables for HID Power Devices
// 1.1, 4.1).
const (
	AlarmDisabled AudibleAlarm = 1
	AlarmEnabled  AudibleAlarm = 2
	AlarmMuted    AudibleAlarm = 3
)

// TestResult is how the last battery test ended, as the HID power device class numbers it.
type TestResult uint8

// The results of a Test (Universal Serial Bus Usage Tables for HID Power Devices 1.1, 4.1).
const (
	TestPassed     TestResult = 1
	TestWarning    TestResult = 2
	TestError      TestResult = 3
	TestAborted    TestResult = 4
	TestInProgress TestResult = 5
	TestNone       TestResult = 6
)

var (
	alarmNames = []string{1: "disabled", 2: "enabled", 3: "muted"}
	testNames  = []string{
		1: "passed", 2: "warning", 3: "error", 4: "aborted", 5: "in progress", 6: "none"}
)

// String returns "disabled", "enabled" or "muted".
func (a AudibleAlarm) String() string { return nameOf(alarmNames, uint8(a)) }

// MarshalText writes String.
func (a AudibleAlarm) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what String returns.
func (a *AudibleAlarm) UnmarshalText(text []byte) error {
	return numberOf(alarmNames, string(text), (*uint8)(a))
}

// String returns "passed", "warning", "error", "aborted", "in progress" or "none".
func (r TestResult) String() string { return nameOf(testNames, uint8(r)) }

// MarshalText writes String.
func (r TestResult) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what String returns.
func (r *TestResult) UnmarshalText(text []byte) error {
	return numberOf(testNames, string(text), (*uint8)(r))
}

func nameOf(names []string, n uint8) string {
	if int(n) < len(names) && names[n] != "" {
		return names[n]
	}
	return fmt.Sprintf("%d", n)
}

func numberOf(names []string, name string, n *uint8) error {
	for i := range 1 << 8 {
		if nameOf(names, uint8(i)) == name {
			*n = uint8(i)
			return nil
		}
	}
	return fmt.Errorf("tripplite: %q is none of %q", name, names[1:])
}

// BCD is a version number of four decimal digits, each in four bits.
type BCD uint16

// String returns the four digits.
func (v BCD) String() string { return fmt.Sprintf("%04x", uint16(v)) }

// MarshalText writes String.
func (v BCD) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what String returns.
func (v *BCD) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 16)
	if err != nil || len(text) != 4 {
		return fmt.Errorf("tripplite: %q is not a version of four digits", text)
	}
	*v = BCD(n)
	return nil
}
