package collector

import (
	"fmt"

	"github.com/tripplite-go/tripplite"
)

// series is how a reading is shown.
type series struct {
	name string // without tripplite_; it ends in the unit
	help string // empty where that of the field fits
}

// seriesOf has the readings that are series of their own, by key of the field. What a field has in
// percent is shown as a ratio.
var seriesOf = map[string]series{
	"input.voltage":         {name: "input_volts"},
	"input.frequency":       {name: "input_hertz"},
	"input.lowest voltage":  {name: "input_lowest_volts"},
	"input.highest voltage": {name: "input_highest_volts"},
	"output.voltage":        {name: "output_volts"},
	"output.frequency":      {name: "output_hertz"},
	"output.current":        {name: "output_amperes"},
	"output.power":          {name: "output_watts"},
	"output.on":             {name: "output_on"},
	"output.load": {"load_ratio",
		"Load as a part of what the UPS can carry; more than 1 is an overload."},
	"battery.voltage":     {name: "battery_volts"},
	"battery.temperature": {name: "battery_celsius"},
	"unit temperature":    {name: "temperature_celsius"},
	"health": {"battery_charge_ratio",
		"Charge of the battery as a part of full, 0 to 1."},
	"time to empty": {name: "battery_runtime_seconds"},
	"delay before shutdown": {"shutdown_timer_seconds",
		"Time until the UPS switches its load off; there is no series while no shutdown is under way."},

	"config.voltage":               {name: "config_output_volts"},
	"config.frequency":             {name: "config_hertz"},
	"config.power":                 {name: "config_voltamperes"},
	"config.battery voltage":       {name: "config_battery_volts"},
	"config.low voltage transfer":  {name: "config_low_transfer_volts"},
	"config.high voltage transfer": {name: "config_high_transfer_volts"},
	"config.design capacity":       {name: "config_design_capacity_ratio"},
	"config.full charge capacity": {"config_full_charge_capacity_ratio",
		"Capacity of the full battery as a part of its design capacity, 0 to 1."},
	"config.warning capacity limit":   {name: "config_warning_capacity_ratio"},
	"config.remaining capacity limit": {name: "config_remaining_capacity_ratio"},
	"config.outlets":                  {name: "config_outlets"},
}

var infoLabels = []string{
	"vendor_id", "product_id", "family", "manufacturer", "product", "serial",
	"firmware_version", "communication_version", "protocol_version", "device_chemistry",
	"firmware", "unit_id",
}

// infoOf returns the values of infoLabels. One that is not known is empty, which to Prometheus is
// no label.
func infoOf(unit tripplite.Reading) []string {
	info, config := unit.Info, unit.State.Config
	return []string{
		usbID(info.VendorID), usbID(info.ProductID), text(info.Family),
		text(info.Manufacturer), text(info.Product), text(info.Serial),
		known(config.FirmwareVersion), known(config.CommunicationVersion),
		known(config.ProtocolVersion), known(config.DeviceChemistry),
		known(config.Firmware), known(config.UnitID),
	}
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
	return text(v.String())
}
