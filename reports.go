package tripplite

import (
	"time"

	"github.com/tripplite-go/tripplite/internal/hidreport"
)

// report is one row of the report table: what a report id means on every family of units for which bytes are known, and which field
// of State it fills. The scale is the table's, never the descriptor's: several families declare exponents that are wrong.
type report struct {
	id    byte   // 0: it differs, and the path alone tells
	bytes int    // of payload; 0 where families differ and layouts has the lengths
	short bool   // some families have it one byte shorter
	mute  bool   // some families declare it and never answer it
	path  string // the HID usage path, as most families declare it
	when  when
	// insteadOf is the path of the reading that is preferred; this one is for units that lack it or give it no value.
	insteadOf string
	// Raw values outside of least to most are "no value". A most of 0 stands for no bound.
	least, most uint32
	set         setter
}

// when tells apart what is read how often.
type when uint8

const (
	live    when = iota // changes by itself: read in every Get
	nominal             // does not change while the unit is plugged in: read once
	control             // writable: read on request, so that a Get costs no transfer for it
)

// at is the reading of the row at a bit offset.
func (row report) at(offset, size int) reading {
	return reading{name: row.path, offset: offset, size: size, least: row.least, most: row.most, set: row.set}
}

// setter stores a raw value, or that there is none: then raw is 0.
type setter func(s *State, raw uint32, known bool)

// reports is everything that is known. The status comes first, so that a unit that is gone costs one transfer.
//
// Sources: the report descriptor of a 2012, captured reports of a 2012 and of an a0a0, and debug logs of NUT for other families;
// testdata/captures has the bytes.
var reports = []report{
	{id: statusID, path: "UPS.PowerSummary.PresentStatus"},
	{id: 0x23, bytes: 1, path: "UPS.BatterySystem.Battery.PresentStatus"},
	{id: 0x22, bytes: 2, path: "UPS.PowerConverter.PresentStatus"},

	{id: 0x01, bytes: 1, path: "UPS.Flow.ConfigVoltage", when: nominal, least: 1, most: 254,
		set: number(1, func(s *State) *Value[float64] { return &s.Config.Voltage })},
	// An OMNIVS1500LCD says 4 V here, hence the preference for 0x01 and the bound (numat #10).
	{id: 0x30, bytes: 1, path: "UPS.PowerSummary.Input.ConfigVoltage", when: nominal, insteadOf: "UPS.Flow.ConfigVoltage", least: 50, most: 254,
		set: number(1, func(s *State) *Value[float64] { return &s.Config.Voltage })},
	{id: 0x02, bytes: 1, path: "UPS.Flow.ConfigFrequency", when: nominal, least: 1, most: maxHertz,
		set: number(1, func(s *State) *Value[float64] { return &s.Config.Frequency })},
	{id: 0x03, bytes: 2, path: "UPS.Flow.ConfigApparentPower", when: nominal, least: 1, most: 0xfffe,
		set: number(1, func(s *State) *Value[float64] { return &s.Config.ApparentPower })},
	{id: 0x04, bytes: 2, path: "UPS.BatterySystem.Battery.ConfigVoltage", when: nominal, least: 1, most: 0xfffe,
		set: number(1, func(s *State) *Value[float64] { return &s.Config.BatteryVoltage })},
	{id: 0x06, bytes: 2, path: "UPS.PowerConverter.Output.LowVoltageTransfer", when: nominal, least: 1, most: maxVolts,
		set: number(1, func(s *State) *Value[float64] { return &s.Config.LowVoltageTransfer })},
	{id: 0x09, bytes: 2, path: "UPS.PowerConverter.Output.HighVoltageTransfer", when: nominal, least: 1, most: maxVolts,
		set: number(1, func(s *State) *Value[float64] { return &s.Config.HighVoltageTransfer })},
	{id: 0x36, bytes: 1, path: "UPS.PowerSummary.DesignCapacity", when: nominal, most: 100,
		set: number(1, func(s *State) *Value[float64] { return &s.Config.DesignCapacity })},
	{id: 0x37, bytes: 1, path: "UPS.PowerSummary.FullChargeCapacity", when: nominal, most: 100,
		set: number(1, func(s *State) *Value[float64] { return &s.Config.FullChargeCapacity })},
	{id: 0x38, bytes: 1, path: "UPS.PowerSummary.WarningCapacityLimit", when: nominal, most: 100,
		set: number(1, func(s *State) *Value[float64] { return &s.Config.WarningCapacityLimit })},
	{path: "UPS.PowerSummary.RemainingCapacityLimit", when: nominal, most: 100,
		set: number(1, func(s *State) *Value[float64] { return &s.Config.RemainingCapacityLimit })},
	// NUT's table of Tripp Lite's own usages names these three.
	{id: 0x0e, bytes: 2, short: true, path: "UPS.ffff0010.ffff007e", when: nominal, most: 0xffff,
		set: code(func(s *State) *Value[uint16] { return &s.Config.CommunicationVersion })},
	{id: 0x0f, bytes: 2, short: true, path: "UPS.ffff0010.ffff007c", when: nominal, most: 0xffff,
		set: code(func(s *State) *Value[uint16] { return &s.Config.FirmwareVersion })},
	{id: 0x6c, bytes: 2, path: "UPS.ffff0010.ffff007d", when: nominal, most: 0xffff,
		set: code(func(s *State) *Value[BCD] { return &s.Config.ProtocolVersion })},
	// Index 0 is no string (USB 2.0, 9.6.1).
	{id: 0x28, bytes: 1, path: "UPS.PowerSummary.iProduct", when: nominal, least: 1, most: 0xff,
		set: code(func(s *State) *Value[uint8] { return &s.StringIndex.Product })},
	{id: 0x29, bytes: 1, path: "UPS.PowerSummary.iSerialNumber", when: nominal, least: 1, most: 0xff,
		set: code(func(s *State) *Value[uint8] { return &s.StringIndex.SerialNumber })},
	{id: 0x2a, bytes: 1, path: "UPS.PowerSummary.iDeviceChemistry", when: nominal, least: 1, most: 0xff,
		set: code(func(s *State) *Value[uint8] { return &s.StringIndex.DeviceChemistry })},
	{id: 0x2b, bytes: 1, path: "UPS.PowerSummary.iManufacturer", when: nominal, least: 1, most: 0xff,
		set: code(func(s *State) *Value[uint8] { return &s.StringIndex.Manufacturer })},

	{id: 0x18, bytes: 2, path: "UPS.PowerConverter.Input.Voltage", most: maxVolts * 10,
		set: number(10, func(s *State) *Value[float64] { return &s.Input.Voltage })},
	{id: 0x31, bytes: 2, path: "UPS.PowerSummary.Input.Voltage", insteadOf: "UPS.PowerConverter.Input.Voltage", most: maxVolts * 10,
		set: number(10, func(s *State) *Value[float64] { return &s.Input.Voltage })},
	{id: 0x19, bytes: 2, path: "UPS.PowerConverter.Input.Frequency", most: maxHertz * 10,
		set: number(10, func(s *State) *Value[float64] { return &s.Input.Frequency })},
	{id: 0x1b, bytes: 2, path: "UPS.PowerConverter.Output.Voltage", most: maxVolts * 10,
		set: number(10, func(s *State) *Value[float64] { return &s.Output.Voltage })},
	{id: 0x1c, bytes: 2, path: "UPS.PowerConverter.Output.Frequency", most: maxHertz * 10,
		set: number(10, func(s *State) *Value[float64] { return &s.Output.Frequency })},
	{id: 0x46, bytes: 2, path: "UPS.PowerConverter.Output.Current", most: 0xfffe,
		set: number(10, func(s *State) *Value[float64] { return &s.Output.Current })},
	{id: 0x47, bytes: 2, path: "UPS.PowerConverter.Output.ActivePower", most: 0xfffe,
		set: number(1, func(s *State) *Value[float64] { return &s.Output.ActivePower })},
	// A 2012 that does not measure its load says 255 (NUT's dump of a 900 VA unit).
	{id: 0x1e, bytes: 1, path: "UPS.OutletSystem.Outlet.PercentLoad", most: 254,
		set: number(1, func(s *State) *Value[float64] { return &s.Output.PercentLoad })},
	{id: 0x20, bytes: 2, path: "UPS.BatterySystem.Battery.Voltage", most: maxVolts * 10,
		set: number(10, func(s *State) *Value[float64] { return &s.Battery.Voltage })},
	{path: "UPS.BatterySystem.Temperature", least: minKelvin, most: maxKelvin, set: celsius},
	{path: "UPS.BatterySystem.Battery.Temperature", insteadOf: "UPS.BatterySystem.Temperature", least: minKelvin, most: maxKelvin, set: celsius},
	{id: 0x34, bytes: 1, path: "UPS.PowerSummary.RemainingCapacity", most: 100,
		set: number(1, func(s *State) *Value[float64] { return &s.RemainingCapacity })},
	{id: 0x21, bytes: 1, path: "UPS.BatterySystem.Battery.RemainingCapacity", insteadOf: "UPS.PowerSummary.RemainingCapacity", most: 100,
		set: number(1, func(s *State) *Value[float64] { return &s.RemainingCapacity })},
	// Seconds, although two other programs say minutes: the unit that descriptors declare for it is 0x1001.
	{id: 0x35, bytes: 2, path: "UPS.PowerSummary.RunTimeToEmpty", most: 0xfffe,
		set: seconds(func(s *State) *Value[time.Duration] { return &s.RunTimeToEmpty })},

	// 0 is no result of the class, and what a 2012 says.
	{id: 0x10, bytes: 1, path: "UPS.BatterySystem.Test", when: control, least: uint32(TestPassed), most: uint32(TestNone),
		set: code(func(s *State) *Value[TestResult] { return &s.Controls.Test })},
	{id: 0x11, bytes: 1, path: "UPS.PowerSummary.AudibleAlarmControl", when: control, least: uint32(AlarmDisabled), most: uint32(AlarmMuted),
		set: code(func(s *State) *Value[AudibleAlarm] { return &s.Controls.AudibleAlarmControl })},
	// A timer at 0xffff is idle.
	{id: 0x15, bytes: 2, path: "UPS.OutletSystem.Outlet.DelayBeforeShutdown", when: control, most: 0xfffe,
		set: seconds(func(s *State) *Value[time.Duration] { return &s.Controls.DelayBeforeShutdown })},
	{id: 0x16, bytes: 2, path: "UPS.OutletSystem.Outlet.DelayBeforeStartup", when: control, most: 0xfffe,
		set: seconds(func(s *State) *Value[time.Duration] { return &s.Controls.DelayBeforeStartup })},
	// A 1330 declares it and never answers it (NUT #297).
	{id: 0x17, bytes: 2, mute: true, path: "UPS.OutletSystem.Outlet.DelayBeforeReboot", when: control, most: 0xfffe,
		set: seconds(func(s *State) *Value[time.Duration] { return &s.Controls.DelayBeforeReboot })},
	{id: 0x52, bytes: 1, path: "UPS.OutletSystem.Outlet.ffff0092", when: control,
		set: seconds(func(s *State) *Value[time.Duration] { return &s.Controls.Watchdog })},
}

// statusID is the report with ACPresent on every unit that is known.
const statusID = 0x32

// announced are the reports that units also send by themselves, as input reports.
var announced = []byte{statusID, 0x34, 0x35}

// What no unit of this kind measures: beyond is an answer that means something else, such as 0xffff, or a frequency of 6000 Hz.
const (
	maxVolts  = 1000
	maxHertz  = 100
	minKelvin = 223 // -50 °C
	maxKelvin = 423 // 150 °C
)

// number stores a measurement whose raw value has so many steps in one unit. It divides, because 1172 / 10 is the float nearest to
// 117.2 and 1172 * 0.1 is not.
func number(steps float64, field func(*State) *Value[float64]) setter {
	return func(s *State, raw uint32, known bool) { *field(s) = Value[float64]{float64(raw) / steps, known} }
}

// celsius stores the battery's temperature, which the class has in kelvin; 298 K is 24.85 °C, as NUT shows a 3012.
func celsius(s *State, raw uint32, known bool) {
	s.Battery.Temperature = Value[float64]{}
	if known {
		s.Battery.Temperature = ValueOf(float64(100*int(raw)-27315) / 100)
	}
}

func seconds(field func(*State) *Value[time.Duration]) setter {
	return func(s *State, raw uint32, known bool) {
		*field(s) = Value[time.Duration]{time.Duration(raw) * time.Second, known}
	}
}

// code stores a number that is no measurement; its row's bounds keep it within T.
func code[T ~uint8 | ~uint16](field func(*State) *Value[T]) setter {
	return func(s *State, raw uint32, known bool) { *field(s) = Value[T]{T(raw), known} }
}

// flag is one bit of a PresentStatus collection.
type flag struct {
	usage uint32 // page and id (Universal Serial Bus Usage Tables for HID Power Devices 1.1, 4.1 and 4.2)
	field func(*Status) *Value[bool]
}

var flags = []flag{
	{0x8500d0, func(s *Status) *Value[bool] { return &s.ACPresent }},
	{0x850044, func(s *Status) *Value[bool] { return &s.Charging }},
	{0x850045, func(s *Status) *Value[bool] { return &s.Discharging }},
	{0x850046, func(s *Status) *Value[bool] { return &s.FullyCharged }},
	{0x850047, func(s *Status) *Value[bool] { return &s.FullyDischarged }},
	{0x85004b, func(s *Status) *Value[bool] { return &s.NeedReplacement }},
	{0x850042, func(s *Status) *Value[bool] { return &s.BelowRemainingCapacityLimit }},
	{0x850043, func(s *Status) *Value[bool] { return &s.RemainingTimeLimitExpired }},
	{0x8500d1, func(s *Status) *Value[bool] { return &s.BatteryPresent }},
	{0x840069, func(s *Status) *Value[bool] { return &s.ShutdownImminent }},
	{0x840068, func(s *Status) *Value[bool] { return &s.ShutdownRequested }},
	{0x840062, func(s *Status) *Value[bool] { return &s.InternalFailure }},
	{0x840063, func(s *Status) *Value[bool] { return &s.VoltageOutOfRange }},
	{0x840064, func(s *Status) *Value[bool] { return &s.FrequencyOutOfRange }},
	{0x840065, func(s *Status) *Value[bool] { return &s.Overload }},
	{0x840067, func(s *Status) *Value[bool] { return &s.OverTemperature }},
	{0x84006e, func(s *Status) *Value[bool] { return &s.Boost }},
	{0x84006f, func(s *Status) *Value[bool] { return &s.Buck }},
	{0x84006d, func(s *Status) *Value[bool] { return &s.Used }},
	{0x840072, func(s *Status) *Value[bool] { return &s.AwaitingPower }},
	{0x840073, func(s *Status) *Value[bool] { return &s.CommunicationLost }},
}

// at is the reading of the flag at a bit offset.
func (f flag) at(offset, size int) reading {
	return reading{name: hidreport.Usage(f.usage).String(), offset: offset, size: size, set: func(s *State, raw uint32, known bool) {
		*f.field(&s.Status) = Value[bool]{raw != 0, known}
	}}
}

// layout says where the flags of a status report lie on a unit whose descriptor cannot be had; its length tells which layout it is.
type layout struct {
	id    byte
	bytes int
	bits  map[int]uint32 // bit offset: usage
}

// maxStatus is the length of the longest layout of the status.
const maxStatus = 3

var layouts = []layout{
	// The 2012, whose descriptor lists them in this order; numat reads the same.
	{0x32, 1, map[int]uint32{
		0: 0x840069, 1: 0x8500d0, 2: 0x850044, 3: 0x850045, 4: 0x85004b, 5: 0x850042, 6: 0x850046, 7: 0x850047}},
	// The a0a0, whose log shows the offsets; the 3016 lists the battery's flags in the same order.
	{0x32, 3, map[int]uint32{
		7: 0x840062, 9: 0x840069, 16: 0x8500d0, 18: 0x850042, 19: 0x850046, 20: 0x850044, 21: 0x850045, 22: 0x850047, 23: 0x85004b}},
	// Both of them.
	{0x22, 2, map[int]uint32{
		0: 0x840063, 1: 0x84006f, 2: 0x84006e, 4: 0x840065, 5: 0x84006d, 6: 0x840067, 7: 0x840062, 14: 0x840072}},
}
