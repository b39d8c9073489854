package tripplite

import "github.com/tripplite-go/tripplite/internal/hidreport"

// report is one row of the report table: what a report id means on every family of units for which
// bytes are known, and which field it fills. The scale is the table's, never the descriptor's:
// several families declare exponents that are wrong.
type report struct {
	id    byte   // 0: it differs between families, and the path alone tells
	bytes int    // of payload; 0 where families differ and layouts has the lengths
	short bool   // some families have it one byte shorter
	mute  bool   // some families declare it and never answer it
	path  string // the HID usage path, as most families declare it
	key   string // of the field; "" for a status report, whose flags have fields of their own
	scale scale
	when  cadence
	// insteadOf is the path of the reading that is preferred; this one is for units that lack it or
	// give it no value.
	insteadOf string
	// Raw values outside of least to most are "no value". A most of 0 stands for no bound.
	least, most uint32
	// index says that the report holds the index of a USB string descriptor, and the field the string.
	index bool
}

// cadence tells apart what is read how often.
type cadence uint8

const (
	live    cadence = iota // changes by itself: read in every Get
	nominal                // does not change while the unit is plugged in: read once
	setting                // writable: read on request, so that a Get costs no transfer for it
)

// scale turns raw numbers into the unit of a field and back.
type scale struct{ factor, zero, steps float64 }

// The scales that occur. A value is divided by its steps, because 1172 / 10 is the float nearest to
// 117.2 and 1172 * 0.1 is not. The zero scale is that of whole units.
var (
	tenths = scale{1, 0, 10}
	// The class has temperatures in kelvin: 298 K is 24.85 °C, as NUT shows a 3012.
	kelvin = scale{100, 27315, 100}
)

func (s scale) value(raw uint32) float64 {
	if s.steps == 0 {
		return float64(raw)
	}
	return (float64(raw)*s.factor - s.zero) / s.steps
}

// raw returns the number nearest to a value, before rounding.
func (s scale) raw(value float64) float64 {
	if s.steps == 0 {
		return value
	}
	return (value*s.steps + s.zero) / s.factor
}

// at is the reading of the row at a bit offset.
func (row report) at(offset, size int) reading {
	return reading{
		name: row.path, offset: offset, size: size, least: row.least, most: row.most,
		field: fieldOf(row.key), scale: row.scale, index: row.index,
	}
}

// reports is everything that is known. The status comes first, so that a unit that is gone costs
// one transfer.
//
// Sources: the report descriptors of a 2012, a 3016, a 4003 and an a0a0, captured reports of these
// and of an a011, and debug logs of NUT for other families; testdata/captures has the bytes.
var reports = []report{
	{id: statusID, path: "UPS.PowerSummary.PresentStatus"},
	{id: 0x23, bytes: 1, path: "UPS.BatterySystem.Battery.PresentStatus"},
	{id: 0x22, bytes: 2, path: "UPS.PowerConverter.PresentStatus"},

	{id: 0x01, bytes: 1, path: "UPS.Flow.ConfigVoltage",
		key: "config.voltage", when: nominal, least: 1, most: 254},
	// An OMNIVS1500LCD says 4 V here, hence the preference for 0x01 and the bound (numat #10).
	{id: 0x30, bytes: 1, path: "UPS.PowerSummary.Input.ConfigVoltage",
		key: "config.voltage", when: nominal, insteadOf: "UPS.Flow.ConfigVoltage", least: 50, most: 254},
	{id: 0x02, bytes: 1, path: "UPS.Flow.ConfigFrequency",
		key: "config.frequency", when: nominal, least: 1, most: maxHertz},
	{id: 0x03, bytes: 2, path: "UPS.Flow.ConfigApparentPower",
		key: "config.power", when: nominal, least: 1, most: 0xfffe},
	{id: 0x04, bytes: 2, path: "UPS.BatterySystem.Battery.ConfigVoltage",
		key: "config.battery voltage", when: nominal, least: 1, most: 0xfffe},
	{id: 0x06, bytes: 2, path: "UPS.PowerConverter.Output.LowVoltageTransfer",
		key: "config.low voltage transfer", when: nominal, least: 1, most: maxVolts},
	{id: 0x09, bytes: 2, path: "UPS.PowerConverter.Output.HighVoltageTransfer",
		key: "config.high voltage transfer", when: nominal, least: 1, most: maxVolts},
	{id: 0x36, bytes: 1, path: "UPS.PowerSummary.DesignCapacity",
		key: "config.design capacity", when: nominal, most: 100},
	{id: 0x37, bytes: 1, path: "UPS.PowerSummary.FullChargeCapacity",
		key: "config.full charge capacity", when: nominal, most: 100},
	{id: 0x38, bytes: 1, path: "UPS.PowerSummary.WarningCapacityLimit",
		key: "config.warning capacity limit", when: nominal, most: 100},
	// In this report on a 3016, a 4003 and an a011.
	{id: 0x3a, bytes: 1, path: "UPS.PowerSummary.RemainingCapacityLimit",
		key: "config.remaining capacity limit", when: nominal, most: 100},
	// NUT's table of Tripp Lite's own usages names these three. The first is report 0x0e of an HP;
	// report 0x0e of a 3016, a 4003 and an a0a0 has usage ffff0076, which is no version.
	{bytes: 2, path: "UPS.ffff0010.00ff0001.ffff007e",
		key: "config.communication version", when: nominal, most: 0xffff},
	{id: 0x0f, bytes: 2, short: true, path: "UPS.ffff0010.ffff007c",
		key: "config.firmware version", when: nominal, most: 0xffff},
	{id: 0x6c, bytes: 2, path: "UPS.ffff0010.ffff007d",
		key: "config.protocol version", when: nominal, most: 0xffff},
	// Index 0 is no string (USB 2.0, 9.6.1).
	{id: 0x2a, bytes: 1, path: "UPS.PowerSummary.iDeviceChemistry",
		key: "config.device chemistry", when: nominal, index: true, least: 1, most: 0xff},

	{id: 0x18, bytes: 2, path: "UPS.PowerConverter.Input.Voltage",
		key: "input.voltage", scale: tenths, most: maxVolts * 10},
	{id: 0x31, bytes: 2, path: "UPS.PowerSummary.Input.Voltage",
		insteadOf: "UPS.PowerConverter.Input.Voltage",
		key:       "input.voltage", scale: tenths, most: maxVolts * 10},
	{id: 0x19, bytes: 2, path: "UPS.PowerConverter.Input.Frequency",
		key: "input.frequency", scale: tenths, most: maxHertz * 10},
	{id: 0x1b, bytes: 2, path: "UPS.PowerConverter.Output.Voltage",
		key: "output.voltage", scale: tenths, most: maxVolts * 10},
	{id: 0x1c, bytes: 2, path: "UPS.PowerConverter.Output.Frequency",
		key: "output.frequency", scale: tenths, most: maxHertz * 10},
	{id: 0x46, bytes: 2, path: "UPS.PowerConverter.Output.Current",
		key: "output.current", scale: tenths, most: 0xfffe},
	// 0xffff is no value (the maker's document of protocol 2012), and so is 0xff of 0x1e.
	{id: 0x47, bytes: 2, path: "UPS.PowerConverter.Output.ActivePower",
		key: "output.power", most: 0xfffe},
	{id: 0x1e, bytes: 1, path: "UPS.OutletSystem.Outlet.PercentLoad", key: "output.load", most: 254},
	{id: 0x20, bytes: 2, path: "UPS.BatterySystem.Battery.Voltage",
		key: "battery.voltage", scale: tenths, most: maxVolts * 10},
	{id: 0x1a, bytes: 2, path: "UPS.BatterySystem.Temperature", // of a 4003, and of an a011's log
		key: "battery.temperature", scale: kelvin, least: minKelvin, most: maxKelvin},
	{path: "UPS.BatterySystem.Battery.Temperature", insteadOf: "UPS.BatterySystem.Temperature",
		key: "battery.temperature", scale: kelvin, least: minKelvin, most: maxKelvin},
	{id: 0x34, bytes: 1, path: "UPS.PowerSummary.RemainingCapacity", key: "health", most: 100},
	{id: 0x21, bytes: 1, path: "UPS.BatterySystem.Battery.RemainingCapacity",
		key: "health", insteadOf: "UPS.PowerSummary.RemainingCapacity", most: 100},
	// Seconds, although two other programs say minutes: the unit that descriptors declare is 0x1001.
	{id: 0x35, bytes: 2, path: "UPS.PowerSummary.RunTimeToEmpty", key: "time to empty", most: 0xfffe},

	// 0 is no result of the class, and what a 2012 says.
	{id: 0x10, bytes: 1, path: "UPS.BatterySystem.Test",
		key: "controls.test", when: setting, least: uint32(TestPassed), most: uint32(TestNone)},
	{id: 0x11, bytes: 1, path: "UPS.PowerSummary.AudibleAlarmControl",
		key: "controls.audible alarm control", when: setting,
		least: uint32(AlarmDisabled), most: uint32(AlarmMuted)},
	// A timer at 0xffff is idle. At 0 this one may be in its last second. Every read asks for it, so
	// that who looks can still stop a shutdown.
	{id: 0x15, bytes: 2, path: "UPS.OutletSystem.Outlet.DelayBeforeShutdown",
		key: "delay before shutdown", most: 0xfffe},
	// These two are idle at 0 as well: a 4003 and a 4004 say so all the time. Report 0x16 of a 3016,
	// a 4003 and an a0a0 is the maker's own start timer, which counts minutes.
	{id: 0x61, bytes: 2, path: "UPS.OutletSystem.Outlet.DelayBeforeStartup",
		key: "controls.delay before startup", when: setting, least: 1, most: 0xfffe},
	// A 1330 declares it and never answers it (NUT #297).
	{id: 0x17, bytes: 2, mute: true, path: "UPS.OutletSystem.Outlet.DelayBeforeReboot",
		key: "controls.delay before reboot", when: setting, least: 1, most: 0xfffe},
	// The maker's document of protocol 2012: 1 has the load come back after a shutdown command.
	{id: 0xb6, bytes: 1, path: "UPS.OutletSystem.Outlet.ffff00c7",
		key: "controls.auto restart", when: setting, most: 1},
	{id: 0x52, bytes: 1, path: "UPS.OutletSystem.Outlet.ffff0092",
		key: "controls.watchdog", when: setting},
}

// statusID is the report with ACPresent on every unit that is known.
const statusID = 0x32

// announced are the reports that units also send by themselves, as input reports.
var announced = []byte{statusID, 0x34, 0x35}

// No unit of this kind measures more than these. Beyond, an answer means something else, such as
// 0xffff, or is a frequency of 6000 Hz.
const (
	maxVolts  = 1000
	maxHertz  = 100
	minKelvin = 223 // -50 °C
	maxKelvin = 423 // 150 °C
)

// flag is one bit of a PresentStatus collection.
type flag struct {
	usage uint32 // page and id (HID Usage Tables for Power Devices 1.1, 4.1 and 4.2)
	key   string // of the field
}

var flags = []flag{
	{0x8500d0, "status.ac present"},
	{0x850044, "status.charging"},
	{0x850045, "status.discharging"},
	{0x850046, "status.fully charged"},
	{0x850047, "status.fully discharged"},
	{0x85004b, "status.needs replacement"},
	{0x850042, "status.below remaining capacity"},
	{0x850043, "status.remaining time limit expired"},
	{0x8500d1, "status.battery present"},
	{0x840069, "status.shutdown imminent"},
	{0x840068, "status.shutdown requested"},
	{0x840062, "status.internal failure"},
	{0x840063, "status.voltage out of range"},
	{0x840064, "status.frequency out of range"},
	{0x840065, "status.overload"},
	{0x840067, "status.over temperature"},
	{0x84006e, "status.boost"},
	{0x84006f, "status.buck"},
	{0x84006d, "status.used"},
	{0x840072, "status.awaiting power"},
	{0x840073, "status.communication lost"},
}

// at is the reading of the flag at a bit offset.
func (f flag) at(offset, size int) reading {
	return reading{
		name: hidreport.Usage(f.usage).String(), offset: offset, size: size, field: fieldOf(f.key)}
}

// layout says where the flags of a status report lie on a unit whose descriptor cannot be had. Its
// length tells which layout it is.
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
		0: 0x840069, 1: 0x8500d0, 2: 0x850044, 3: 0x850045,
		4: 0x85004b, 5: 0x850042, 6: 0x850046, 7: 0x850047}},
	// The a0a0, whose log shows the offsets; the 3016 lists the battery's flags in the same order.
	{0x32, 3, map[int]uint32{
		7: 0x840062, 9: 0x840069, 16: 0x8500d0, 18: 0x850042, 19: 0x850046,
		20: 0x850044, 21: 0x850045, 22: 0x850047, 23: 0x85004b}},
	// Both of them.
	{0x22, 2, map[int]uint32{
		0: 0x840063, 1: 0x84006f, 2: 0x84006e, 4: 0x840065,
		5: 0x84006d, 6: 0x840067, 7: 0x840062, 14: 0x840072}},
}
