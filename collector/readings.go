package collector

import (
	"fmt"
	"time"

	"github.com/tripplite-go/tripplite"
)

type (
	state  = tripplite.State
	status = tripplite.Status
	number = tripplite.Value[float64]
	truth  = tripplite.Value[bool]
	period = tripplite.Value[time.Duration]
)

// reading is one row of the table of readings: a series, and where its value stands in a State.
type reading struct {
	name, help string // the name without its prefix; it ends in the unit
	value      func(*state) number
}

var readings = []reading{
	{"input_volts", "Input voltage; 0 is a true reading while mains has failed.", func(s *state) number { return s.Input.Voltage }},
	{"input_hertz", "Input frequency; 0 is a true reading while mains has failed.", func(s *state) number { return s.Input.Frequency }},
	{"output_volts", "Output voltage.", func(s *state) number { return s.Output.Voltage }},
	{"output_hertz", "Output frequency.", func(s *state) number { return s.Output.Frequency }},
	{"output_amperes", "Output current.", func(s *state) number { return s.Output.Current }},
	{"output_watts", "Output power.", func(s *state) number { return s.Output.ActivePower }},
	{"load_ratio", "Load as a part of what the UPS can carry; more than 1 is an overload.", percent(func(s *state) number { return s.Output.PercentLoad })},
	{"battery_volts", "Battery voltage.", func(s *state) number { return s.Battery.Voltage }},
	{"battery_celsius", "Battery temperature.", func(s *state) number { return s.Battery.Temperature }},
	{"battery_charge_ratio", "Charge of the battery as a part of full, 0 to 1.", percent(func(s *state) number { return s.RemainingCapacity })},
	{"battery_runtime_seconds", "How long the battery can carry the present load.", seconds(func(s *state) period { return s.RunTimeToEmpty })},

	{"config_output_volts", "Nominal output voltage.", func(s *state) number { return s.Config.Voltage }},
	{"config_hertz", "Nominal frequency.", func(s *state) number { return s.Config.Frequency }},
	{"config_voltamperes", "Rated apparent power.", func(s *state) number { return s.Config.ApparentPower }},
	{"config_battery_volts", "Nominal battery voltage.", func(s *state) number { return s.Config.BatteryVoltage }},
	{"config_low_transfer_volts", "Input voltage below which the UPS goes to battery.", func(s *state) number { return s.Config.LowVoltageTransfer }},
	{"config_high_transfer_volts", "Input voltage above which the UPS goes to battery.", func(s *state) number { return s.Config.HighVoltageTransfer }},
	{"config_design_capacity_ratio", "Capacity of the battery when new, 0 to 1.", percent(func(s *state) number { return s.Config.DesignCapacity })},
	{"config_full_charge_capacity_ratio", "Capacity of the battery when full as a part of its design capacity, 0 to 1.", percent(func(s *state) number { return s.Config.FullChargeCapacity })},
	{"config_warning_capacity_ratio", "Charge at which the UPS warns, 0 to 1.", percent(func(s *state) number { return s.Config.WarningCapacityLimit })},
	{"config_remaining_capacity_ratio", "Charge below which the UPS calls its battery low, 0 to 1.", percent(func(s *state) number { return s.Config.RemainingCapacityLimit })},
}

// flag is one row of the table of status flags, which are named as in the JSON of a State.
type flag struct {
	name  string
	value func(*status) truth
}

var flags = []flag{
	{"ac_present", func(s *status) truth { return s.ACPresent }},
	{"charging", func(s *status) truth { return s.Charging }},
	{"discharging", func(s *status) truth { return s.Discharging }},
	{"fully_charged", func(s *status) truth { return s.FullyCharged }},
	{"fully_discharged", func(s *status) truth { return s.FullyDischarged }},
	{"needs_replacement", func(s *status) truth { return s.NeedReplacement }},
	{"below_remaining_capacity", func(s *status) truth { return s.BelowRemainingCapacityLimit }},
	{"remaining_time_limit_expired", func(s *status) truth { return s.RemainingTimeLimitExpired }},
	{"shutdown_imminent", func(s *status) truth { return s.ShutdownImminent }},
	{"shutdown_requested", func(s *status) truth { return s.ShutdownRequested }},
	{"battery_present", func(s *status) truth { return s.BatteryPresent }},
	{"internal_failure", func(s *status) truth { return s.InternalFailure }},
	{"voltage_out_of_range", func(s *status) truth { return s.VoltageOutOfRange }},
	{"frequency_out_of_range", func(s *status) truth { return s.FrequencyOutOfRange }},
	{"overload", func(s *status) truth { return s.Overload }},
	{"over_temperature", func(s *status) truth { return s.OverTemperature }},
	{"boost", func(s *status) truth { return s.Boost }},
	{"buck", func(s *status) truth { return s.Buck }},
	{"used", func(s *status) truth { return s.Used }},
	{"awaiting_power", func(s *status) truth { return s.AwaitingPower }},
	{"communication_lost", func(s *status) truth { return s.CommunicationLost }},
}

// fact is one row of the table of what tripplite_info says. A fact that is not known is empty, which to Prometheus is no label.
type fact struct {
	label string
	value func(*tripplite.Reading) string
}

var facts = []fact{
	{"vendor_id", func(r *tripplite.Reading) string { return usbID(r.Info.VendorID) }},
	{"product_id", func(r *tripplite.Reading) string { return usbID(r.Info.ProductID) }},
	{"family", func(r *tripplite.Reading) string { return r.Info.Family }},
	{"manufacturer", func(r *tripplite.Reading) string { return r.Info.Manufacturer }},
	{"product", func(r *tripplite.Reading) string { return r.Info.Product }},
	{"serial", func(r *tripplite.Reading) string { return r.Info.Serial }},
	{"firmware_version", func(r *tripplite.Reading) string { return known(r.State.Config.FirmwareVersion) }},
	{"communication_version", func(r *tripplite.Reading) string { return known(r.State.Config.CommunicationVersion) }},
	{"protocol_version", func(r *tripplite.Reading) string { return known(r.State.Config.ProtocolVersion) }},
}

// usbID writes a USB id as lsusb does. A unit that is not on USB has none.
func usbID(id uint16) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprintf("%04x", id)
}

func known[T any](v tripplite.Value[T]) string {
	if v.IsZero() {
		return ""
	}
	return v.String()
}

// percent makes a ratio of a reading in percent.
func percent(value func(*state) number) func(*state) number {
	return func(s *state) (ratio number) {
		if percent, known := value(s).Get(); known {
			ratio = tripplite.ValueOf(percent / 100)
		}
		return ratio
	}
}

func seconds(value func(*state) period) func(*state) number {
	return func(s *state) (seconds number) {
		if d, known := value(s).Get(); known {
			seconds = tripplite.ValueOf(d.Seconds())
		}
		return seconds
	}
}
