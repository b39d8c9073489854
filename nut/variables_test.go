package nut

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

// A range and the choices are told by TYPE as by LIST. go.nut wants a word behind RW.
func TestTypes(t *testing.T) {
	bubble(t, "smart1500lcd", Config{Users: users}, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		c := s.dial()
		for line, want := range map[string]string{
			"ups.status":         "STRING:64",
			"ups.mfr":            "STRING:64",
			"battery.charge":     "NUMBER",
			"input.voltage":      "NUMBER",
			"ups.delay.shutdown": "RW RANGE NUMBER",
			"ups.delay.start":    "RW RANGE NUMBER",
			"ups.start.auto":     "RW ENUM STRING:64",
		} {
			assert.Equal(t, "TYPE ups "+line+" "+want, c.ask("GET TYPE ups "+line))
		}
		assert.Equal(t, "BEGIN LIST RANGE ups ups.delay.shutdown\n"+
			"RANGE ups ups.delay.shutdown \"5\" \"65534\"\n"+
			"END LIST RANGE ups ups.delay.shutdown", c.ask("LIST RANGE ups ups.delay.shutdown"))
		assert.Equal(t, "BEGIN LIST ENUM ups ups.start.auto\n"+
			"ENUM ups ups.start.auto \"yes\"\nENUM ups ups.start.auto \"no\"\n"+
			"END LIST ENUM ups ups.start.auto", c.ask("LIST ENUM ups ups.start.auto"))
	})
	bubble(t, "smart1500lcd", Config{}, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		c := s.dial()
		assert.Equal(t, "TYPE ups ups.delay.shutdown NUMBER", c.ask("GET TYPE ups ups.delay.shutdown"))
		assert.Equal(t, "TYPE ups ups.start.auto STRING:64", c.ask("GET TYPE ups ups.start.auto"))
	})
}

// listed returns the items of LIST VAR, in order.
func listed(t *testing.T, capture string) (lines []string) {
	config := Config{Version: "1.2.3"}
	bubble(t, capture, config, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		for line := range strings.Lines(s.dial().ask("LIST VAR ups")) {
			if item, ok := strings.CutPrefix(line, "VAR ups "); ok {
				lines = append(lines, strings.TrimSuffix(item, "\n"))
			}
		}
	})
	return lines
}

// Each list was written by hand from the reports and replies of the capture, with NUT's decimals.
func TestVariablesOfCaptures(t *testing.T) {
	for capture, want := range map[string]string{
		"smart1500lcd": `
battery.charge "100"
battery.runtime "1004"
battery.voltage "27.5"
battery.voltage.nominal "24.0"
device.mfr "Tripp Lite"
device.model "Tripp Lite UPS"
device.type "ups"
driver.name "tripplite"
driver.parameter.port "1-1:1.0"
driver.version "1.2.3"
input.frequency "59.7"
input.voltage "117.2"
input.voltage.nominal "120"
output.frequency.nominal "60"
output.voltage "117.2"
output.voltage.nominal "120"
ups.beeper.status "enabled"
ups.delay.shutdown "20"
ups.delay.start "30"
ups.firmware.aux "protocol 2012"
ups.load "36"
ups.mfr "Tripp Lite"
ups.model "Tripp Lite UPS"
ups.power.nominal "1500"
ups.productid "2012"
ups.realpower "324"
ups.start.auto "yes"
ups.status "OL"
ups.test.result "No test initiated"
ups.timer.reboot "-1"
ups.timer.shutdown "-1"
ups.vendorid "09ae"
ups.watchdog.status "0"`,
		"smart1500lcdt": `
battery.charge "100"
battery.charge.low "10"
battery.charge.warning "30"
battery.runtime "10800"
battery.voltage.nominal "24.0"
device.mfr "Tripp Lite"
device.model "TRIPP LITE UPS"
device.serial "CCSYWWZZZZ"
device.type "ups"
driver.name "tripplite"
driver.parameter.port "1-1:1.0"
driver.version "1.2.3"
input.frequency "59.9"
input.transfer.high "150.0"
input.transfer.low "92.0"
input.voltage.nominal "120"
output.current "0.0"
output.frequency "59.9"
output.frequency.nominal "60"
output.voltage.nominal "120"
ups.beeper.status "disabled"
ups.delay.shutdown "20"
ups.delay.start "30"
ups.load "0"
ups.mfr "Tripp Lite"
ups.model "TRIPP LITE UPS"
ups.power.nominal "1500"
ups.productid "3016"
ups.realpower "0"
ups.serial "CCSYWWZZZZ"
ups.status "OL"
ups.test.result "No test initiated"
ups.timer.reboot "-1"
ups.timer.shutdown "-1"
ups.timer.start "-1"
ups.vendorid "09ae"
ups.watchdog.status "0"`,
		"su3000rtxr3u": `
battery.charge "100"
battery.charge.low "25"
battery.charge.warning "50"
battery.runtime "2311"
battery.temperature "23.9"
battery.voltage.nominal "72.0"
device.model "TRIPP LITE UPS"
device.type "ups"
driver.name "tripplite"
driver.parameter.port "1-1:1.0"
driver.version "1.2.3"
input.frequency "60.0"
input.transfer.high "138.0"
input.transfer.low "65.0"
input.voltage.nominal "120"
output.frequency "60.0"
output.frequency.nominal "60"
output.voltage "120.0"
output.voltage.nominal "120"
ups.beeper.status "enabled"
ups.delay.shutdown "20"
ups.delay.start "30"
ups.firmware "208"
ups.firmware.aux "protocol 4003"
ups.load "20"
ups.model "TRIPP LITE UPS"
ups.power.nominal "3000"
ups.productid "4003"
ups.realpower "493"
ups.status "OL"
ups.test.result "Done and passed"
ups.timer.reboot "-1"
ups.timer.shutdown "-1"
ups.timer.start "-1"
ups.vendorid "09ae"
ups.watchdog.status "0"`,
		"smx1500xlrt2u": `
battery.charge "90"
battery.voltage "40.5"
battery.voltage.nominal "36.0"
device.mfr "Tripp Lite"
device.model "SMX1500XLRT2U"
device.type "ups"
driver.name "tripplite"
driver.parameter.port "1-1:1.0"
driver.version "1.2.3"
input.frequency "50.0"
input.voltage "256.8"
input.voltage.maximum "268"
input.voltage.minimum "0"
input.voltage.nominal "230"
outlet.1.desc "Outlet group 1"
outlet.1.id "1"
outlet.1.status "on"
outlet.1.switch "on"
outlet.1.switchable "yes"
outlet.2.desc "Outlet group 2"
outlet.2.id "2"
outlet.2.status "on"
outlet.2.switch "on"
outlet.2.switchable "yes"
outlet.3.desc "Outlet group 3"
outlet.3.id "3"
outlet.3.status "on"
outlet.3.switch "on"
outlet.3.switchable "yes"
outlet.count "3"
output.frequency.nominal "50"
output.voltage.nominal "230"
ups.delay.shutdown "20"
ups.delay.start "30"
ups.firmware "1091 A"
ups.firmware.aux "protocol 3003"
ups.load "36"
ups.mfr "Tripp Lite"
ups.model "SMX1500XLRT2U"
ups.power.nominal "1500"
ups.productid "0001"
ups.start.auto "yes"
ups.status "OL TRIM"
ups.test.result "No test initiated"
ups.vendorid "09ae"`,
		"omnivs1500xl": `
battery.voltage "29.0"
battery.voltage.nominal "24.0"
device.mfr "Tripp Lite"
device.model "UPS"
device.type "ups"
driver.name "tripplite"
driver.parameter.port "1-1:1.0"
driver.version "1.2.3"
input.voltage "99.3"
input.voltage.nominal "120"
outlet.count "0"
output.voltage "114.5"
output.voltage.nominal "120"
ups.delay.shutdown "20"
ups.delay.start "30"
ups.firmware "2211 A"
ups.firmware.aux "protocol 2001"
ups.mfr "Tripp Lite"
ups.model "UPS"
ups.power.nominal "1500"
ups.productid "0001"
ups.status "OL"
ups.test.result "Done and passed"
ups.vendorid "09ae"`,
	} {
		t.Run(capture, func(t *testing.T) {
			assert.Equal(t, strings.Split(strings.TrimSpace(want), "\n"), listed(t, capture))
		})
	}
}

// What clients rely on holds for every unit: Home Assistant takes two units with one serial for the
// same, go.nut panics without quotes, QNAP wants the result of a test, and a number is a number.
func TestVariablesOfEveryCapture(t *testing.T) {
	line := regexp.MustCompile(`^([a-z0-9.]+) "([ -!#-\[\]-~]*)"$`)
	number := regexp.MustCompile(`^-?[0-9]+(\.[0-9])?$`)
	for _, capture := range tripplitetest.Captures() {
		t.Run(capture, func(t *testing.T) {
			values := map[string]string{}
			var names []string
			for _, item := range listed(t, capture) {
				require.Less(t, len("VAR ups "+item), 512)
				parts := line.FindStringSubmatch(item)
				require.NotNil(t, parts, "%q", item)
				values[parts[1]] = parts[2]
				names = append(names, parts[1])
				require.NotEmpty(t, strings.TrimSpace(parts[2]), item)
				if v, _ := find(parts[1]); !v.text {
					require.Regexp(t, number, parts[2], item)
				}
			}
			if capture == "without-acpresent" {
				require.Empty(t, values, "nothing says where its power comes from")
				return
			}
			require.True(t, slices.IsSorted(names))
			for _, name := range []string{"device.serial", "ups.serial"} {
				require.False(t, strings.HasPrefix(values[name], "FW"), "%s of a firmware", name)
			}
			require.NotRegexp(t, number, values["ups.status"])
			words := strings.Fields(values["ups.status"])
			require.Len(t, slices.Compact(slices.Sorted(slices.Values(words))), len(words))
			require.Contains(t, []string{"Done and passed", "Done and warning", "Done and error", "Aborted",
				"In progress", "No test initiated"}, values["ups.test.result"])
			for _, name := range []string{"device.type", "ups.vendorid", "ups.productid"} {
				require.Contains(t, values, name)
			}
		})
	}
}

func TestASerialThatNamesNoUnitIsNotServed(t *testing.T) {
	for text, served := range map[string]bool{
		"FW-2263 E": false, "fw 2368 b": false, "FW2473A": false, "": false, "  ": false, "0000000": false,
		"00 00": false, "unknown": false, "Unknown": false, "blank": false,
		"CCSYWWZZZZ": true, " 2734AVRPS1 ": true, "100": true,
	} {
		got, ok := serial(&unit{info: tripplite.DeviceInfo{Serial: text}})
		assert.Equal(t, served, ok, "%q", text)
		if ok {
			assert.Equal(t, strings.TrimSpace(text), got)
		}
	}
}

func TestSwitchesOfOutlets(t *testing.T) {
	bubble(t, "smx1500xlrt2u", Config{}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		ups.Set("outlets.2", 0)
		time.Sleep(time.Minute)
		c := s.dial()
		for name, want := range map[string]string{
			"outlet.1.status": "on", "outlet.2.status": "off", "outlet.2.switch": "off", "outlet.3.switch": "on",
		} {
			assert.Equal(t, fmt.Sprintf("VAR ups %s %q", name, want), c.ask("GET VAR ups "+name))
		}
		assert.Equal(t, "ERR VAR-NOT-SUPPORTED", c.ask("GET VAR ups outlet.4.status"))
	})
}

func TestEveryVariableIsDescribed(t *testing.T) {
	bubble(t, "smart1500lcd", Config{}, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		c := s.dial()
		for _, v := range variables {
			text := c.ask("GET DESC ups " + v.name)
			assert.NotContains(t, text, `"Description unavailable"`)
			assert.NotContains(t, text, `""`)
			assert.Less(t, len(text), 512)
		}
		assert.Equal(t, `DESC ups nope "Description unavailable"`, c.ask("GET DESC ups nope"))
	})
}
