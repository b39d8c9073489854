package nut

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tripplite-go/tripplite"
)

// variable is one of NUT's variables, and the field whose reading it has.
type variable struct {
	name     string
	key      string // of tripplite.Field; empty where value tells
	decimals int
	text     bool // it is no number
	value    func(*unit) (string, bool)
	desc     string // empty where that of the field fits
}

// variables is sorted by name when the package starts. The names are those of NUT's list of
// variables, the decimals those that its drivers print.
var variables = sorted([]variable{
	{name: "battery.charge", key: "health"},
	{name: "battery.charge.low", key: "config.remaining capacity limit"},
	{name: "battery.charge.warning", key: "config.warning capacity limit"},
	{name: "battery.runtime", key: "time to empty"},
	{name: "battery.temperature", key: "battery.temperature", decimals: 1},
	{name: "battery.type", key: "config.device chemistry", text: true},
	{name: "battery.voltage", key: "battery.voltage", decimals: 1},
	{name: "battery.voltage.nominal", key: "config.battery voltage", decimals: 1},
	{name: "device.mfr", text: true, value: manufacturer, desc: "Manufacturer."},
	{name: "device.model", text: true, value: model, desc: "Model."},
	{name: "device.serial", text: true, value: serial, desc: "Serial number."},
	{name: "device.type", text: true, value: fixed("ups"), desc: "Kind of device."},
	{name: "driver.name", text: true, value: fixed("tripplite"), desc: "Program that reads the UPS."},
	{name: "driver.parameter.port", text: true, value: path, desc: "Path of the UPS."},
	{name: "driver.version", text: true, value: driverVersion, desc: "Version of that program."},
	{name: "input.frequency", key: "input.frequency", decimals: 1},
	{name: "input.transfer.high", key: "config.high voltage transfer", decimals: 1},
	{name: "input.transfer.low", key: "config.low voltage transfer", decimals: 1},
	{name: "input.transfer.reason", text: true, value: transferReason,
		desc: "Why the UPS does not accept its input."},
	{name: "input.voltage", key: "input.voltage", decimals: 1},
	{name: "input.voltage.maximum", key: "input.highest voltage"},
	{name: "input.voltage.minimum", key: "input.lowest voltage"},
	{name: "input.voltage.nominal", key: "config.voltage"},
	{name: "outlet.count", key: "config.outlets"},
	{name: "output.current", key: "output.current", decimals: 1},
	{name: "output.frequency", key: "output.frequency", decimals: 1},
	{name: "output.frequency.nominal", key: "config.frequency"},
	{name: "output.voltage", key: "output.voltage", decimals: 1},
	{name: "output.voltage.nominal", key: "config.voltage"},
	{name: "ups.alarm", text: true, value: alarm, desc: "What needs attention."},
	{name: "ups.beeper.status", key: "controls.audible alarm control", text: true},
	{name: "ups.delay.shutdown", value: delayShutdown,
		desc: "Seconds that shutdown.return and shutdown.stayoff wait."},
	{name: "ups.delay.start", value: delayStart,
		desc: "Seconds after which shutdown.return switches the load on again."},
	{name: "ups.firmware", text: true, value: firmware, desc: "UPS firmware."},
	{name: "ups.firmware.aux", text: true, value: protocol, desc: "Communication protocol."},
	{name: "ups.id", key: "config.unit id"},
	{name: "ups.load", key: "output.load"},
	{name: "ups.mfr", text: true, value: manufacturer, desc: "Manufacturer."},
	{name: "ups.model", text: true, value: model, desc: "Model."},
	{name: "ups.power.nominal", key: "config.power"},
	{name: "ups.productid", text: true, value: productID, desc: "USB product id."},
	{name: "ups.realpower", key: "output.power"},
	{name: "ups.serial", text: true, value: serial, desc: "Serial number."},
	{name: "ups.start.auto", text: true, value: startAuto,
		desc: "Whether the load comes back with line power after a shutdown command."},
	{name: "ups.status", text: true, value: status, desc: "UPS status."},
	{name: "ups.temperature", key: "unit temperature", decimals: 1},
	{name: "ups.test.result", text: true, value: testResult, desc: "Result of the last battery test."},
	{name: "ups.timer.reboot", value: timer("controls.delay before reboot"),
		desc: "Seconds until the load is switched on again, or -1."},
	{name: "ups.timer.shutdown", value: timer("delay before shutdown"),
		desc: "Seconds until the load is switched off, or -1."},
	{name: "ups.timer.start", value: timer("controls.delay before startup"),
		desc: "Seconds until the load is switched on, or -1."},
	{name: "ups.vendorid", text: true, value: vendorID, desc: "USB vendor id."},
	{name: "ups.watchdog.status", key: "controls.watchdog"},
})

func sorted(list []variable) []variable {
	for n := 1; n <= 8; n++ {
		key := fmt.Sprintf("outlets.%d", n)
		prefix := fmt.Sprintf("outlet.%d.", n)
		has := func(text string) func(*unit) (string, bool) {
			return func(u *unit) (string, bool) {
				_, known := u.number(key)
				return text, known
			}
		}
		list = append(list,
			variable{name: prefix + "id", value: has(strconv.Itoa(n)), desc: "Number of the outlet group."},
			variable{name: prefix + "desc", text: true, value: has(fmt.Sprintf("Outlet group %d", n)),
				desc: "Name of the outlet group."},
			variable{name: prefix + "switchable", text: true, value: has("yes"),
				desc: "Whether the outlet group can be switched."},
			variable{name: prefix + "status", text: true, value: onOff(key),
				desc: "Whether the outlet group is switched on."},
			variable{name: prefix + "switch", text: true, value: onOff(key),
				desc: "The same, under the name of NUT's driver tripplite_usb."})
	}
	slices.SortFunc(list, func(a, b variable) int { return strings.Compare(a.name, b.name) })
	return list
}

func onOff(key string) func(*unit) (string, bool) {
	return func(u *unit) (string, bool) {
		on, known := u.number(key)
		return map[bool]string{true: "on", false: "off"}[on != 0], known
	}
}

// find returns the variable with a name, in any case.
func find(name string) (variable, bool) {
	i := slices.IndexFunc(variables, func(v variable) bool { return strings.EqualFold(v.name, name) })
	if i < 0 {
		return variable{}, false
	}
	return variables[i], true
}

// of returns the value of a variable, if the unit has it.
func (v *variable) of(u *unit) (string, bool) {
	if v.value != nil {
		return v.value(u)
	}
	d, known := u.datum(v.key)
	if !known {
		return "", false
	}
	if n, isNumber := d.Number(); isNumber && !v.text {
		return strconv.FormatFloat(n, 'f', v.decimals, 64), true
	}
	return d.String(), true
}

// describe returns what a variable is.
func (v *variable) describe() string {
	if v.desc != "" {
		return v.desc
	}
	for _, f := range tripplite.Fields() {
		if f.Key == v.key {
			return f.Help
		}
	}
	return ""
}

func fixed(text string) func(*unit) (string, bool) {
	return func(*unit) (string, bool) { return text, true }
}

// known is a text that says something.
func known(text string) (string, bool) {
	text = strings.TrimSpace(text)
	return text, text != ""
}

func manufacturer(u *unit) (string, bool) { return known(u.info.Manufacturer) }
func model(u *unit) (string, bool)        { return known(u.info.Model()) }
func path(u *unit) (string, bool)         { return known(u.info.Path) }

// serial leaves out what says nothing, and what is a firmware's label and shared by many units,
// such as "FW-2263 E": clients take two units with one serial for the same.
func serial(u *unit) (string, bool) {
	text, ok := known(u.info.Serial)
	switch upper := strings.ToUpper(text); {
	case strings.HasPrefix(upper, "FW"), upper == "UNKNOWN", upper == "BLANK",
		strings.Trim(text, "0 ") == "":
		return "", false
	}
	return text, ok
}

func vendorID(u *unit) (string, bool)  { return usbID(u.info.VendorID) }
func productID(u *unit) (string, bool) { return usbID(u.info.ProductID) }

func usbID(id uint16) (string, bool) { return fmt.Sprintf("%04x", id), id != 0 }

func driverVersion(u *unit) (string, bool) { return known(u.version) }

func firmware(u *unit) (string, bool) {
	if text, ok := u.state.Config.Firmware.Get(); ok {
		return text, true
	}
	n, ok := u.state.Config.FirmwareVersion.Get()
	return strconv.Itoa(int(n)), ok
}

func protocol(u *unit) (string, bool) {
	version, ok := u.state.Config.ProtocolVersion.Get()
	return "protocol " + version.String(), ok
}

func transferReason(u *unit) (string, bool) {
	switch {
	case u.state.Status.VoltageOutOfRange.Or(false):
		return "input voltage out of range", true
	case u.state.Status.FrequencyOutOfRange.Or(false):
		return "input frequency out of range", true
	}
	return "", false
}

func delayShutdown(u *unit) (string, bool) { return strconv.Itoa(u.delays.shutdown), true }
func delayStart(u *unit) (string, bool)    { return strconv.Itoa(u.delays.start), true }

func startAuto(u *unit) (string, bool) {
	on, ok := u.settings.AutoRestart.Get()
	return map[bool]string{true: "yes", false: "no"}[on], ok
}

// testResult is there for every unit whose settings have been read, as QNAP wants it. A 2012 says 0
// of a test that was never made, and some units have none.
func testResult(u *unit) (string, bool) {
	result := u.settings.Test.Or(tripplite.TestNone)
	text := map[tripplite.TestResult]string{
		tripplite.TestPassed: "Done and passed", tripplite.TestWarning: "Done and warning",
		tripplite.TestError: "Done and error", tripplite.TestAborted: "Aborted",
		tripplite.TestInProgress: "In progress", tripplite.TestNone: "No test initiated",
	}[result]
	return text, u.asked && text != ""
}

// timer is -1 while it does not run, where the unit has it.
func timer(key string) func(*unit) (string, bool) {
	return func(u *unit) (string, bool) {
		if n, ok := u.number(key); ok {
			return strconv.FormatFloat(n, 'f', 0, 64), true
		}
		return "-1", u.takes(map[string]string{
			"controls.delay before reboot":  tripplite.ShutdownReboot,
			"delay before shutdown":         tripplite.LoadOff,
			"controls.delay before startup": tripplite.LoadOn,
		}[key]) && u.hid()
	}
}
