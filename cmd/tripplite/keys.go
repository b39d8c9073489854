package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tripplite-go/tripplite"
)

// key is a place in the JSON of a State, and the unit of what stands there.
type key struct{ name, unit string }

// keys are all of them, in the order of the columns of CSV: a new one goes to the end.
var keys = []key{
	{"time", ""},
	{"device_id", ""},
	{"health", "%"},
	{"time to empty", "s"},
	{"input.voltage", "V"},
	{"input.frequency", "Hz"},
	{"output.voltage", "V"},
	{"output.frequency", "Hz"},
	{"output.current", "A"},
	{"output.power", "W"},
	{"output.load", "%"},
	{"battery.voltage", "V"},
	{"battery.temperature", "°C"},
	{"status.ac present", ""},
	{"status.charging", ""},
	{"status.discharging", ""},
	{"status.fully charged", ""},
	{"status.fully discharged", ""},
	{"status.needs replacement", ""},
	{"status.below remaining capacity", ""},
	{"status.remaining time limit expired", ""},
	{"status.shutdown imminent", ""},
	{"status.shutdown requested", ""},
	{"status.battery present", ""},
	{"status.internal failure", ""},
	{"status.voltage out of range", ""},
	{"status.frequency out of range", ""},
	{"status.overload", ""},
	{"status.over temperature", ""},
	{"status.boost", ""},
	{"status.buck", ""},
	{"status.used", ""},
	{"status.awaiting power", ""},
	{"status.communication lost", ""},
	{"config.voltage", "V"},
	{"config.frequency", "Hz"},
	{"config.power", "VA"},
	{"config.battery voltage", "V"},
	{"config.low voltage transfer", "V"},
	{"config.high voltage transfer", "V"},
	{"config.design capacity", "%"},
	{"config.full charge capacity", "%"},
	{"config.warning capacity limit", "%"},
	{"config.remaining capacity limit", "%"},
	{"config.communication version", ""},
	{"config.firmware version", ""},
	{"config.protocol version", ""},
	{"controls.audible alarm control", ""},
	{"controls.test", ""},
	{"controls.delay before shutdown", "s"},
	{"controls.delay before startup", "s"},
	{"controls.delay before reboot", "s"},
	{"controls.watchdog", "s"},
	{"string index.product", ""},
	{"string index.serial number", ""},
	{"string index.device chemistry", ""},
	{"string index.manufacturer", ""},
}

// unitOf returns the unit of a key, if it has one.
func unitOf(name string) string {
	for _, k := range keys {
		if k.name == name {
			return k.unit
		}
	}
	return ""
}

// flatten returns what a State says, by key, written as the JSON has it.
func flatten(state tripplite.State) (map[string]string, error) {
	text, err := json.Marshal(state)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree map[string]any
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	flat := map[string]string{}
	var walk func(prefix string, tree map[string]any)
	walk = func(prefix string, tree map[string]any) {
		for name, value := range tree {
			if branch, ok := value.(map[string]any); ok {
				walk(prefix+name+".", branch)
				continue
			}
			flat[prefix+name] = fmt.Sprint(value)
		}
	}
	walk("", tree)
	return flat, nil
}

// withUnit puts the unit of a key behind a value.
func withUnit(name, value string) string {
	return strings.TrimSpace(value + " " + unitOf(name))
}
