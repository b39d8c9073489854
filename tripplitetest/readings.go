package tripplitetest

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"
)

// quantity is a reading that a test can set.
type quantity struct {
	name  string
	key   string  // in the JSON of State
	steps float64 // of the number in the report in one unit
	most  float64 // beyond, a number says "none" or is no such reading
	unit  string
}

// The steps are those of every family of units for which bytes are known.
var (
	inputVoltage    = quantity{"input voltage", "input.voltage", 10, 1000, "V"}
	inputFrequency  = quantity{"input frequency", "input.frequency", 10, 100, "Hz"}
	outputVoltage   = quantity{"output voltage", "output.voltage", 10, 1000, "V"}
	outputFrequency = quantity{"output frequency", "output.frequency", 10, 100, "Hz"}
	outputCurrent   = quantity{"output current", "output.current", 10, 6553.4, "A"}
	outputPower     = quantity{"output power", "output.power", 1, 65534, "W"}
	percentLoad     = quantity{"load", "output.load", 1, 254, "%"}
	batteryVoltage  = quantity{"battery voltage", "battery.voltage", 10, 1000, "V"}
	charge          = quantity{"charge", "health", 1, 100, "%"}
	runTime         = quantity{"run time", "time to empty", 1, 65534, "s"}
)

// SetInputVoltage sets the mains voltage, 0 to 1000 V in tenths.
func (u *UPS) SetInputVoltage(volts float64) { u.t.Helper(); u.set(inputVoltage, volts) }

// SetInputFrequency sets the mains frequency, 0 to 100 Hz in tenths.
func (u *UPS) SetInputFrequency(hertz float64) { u.t.Helper(); u.set(inputFrequency, hertz) }

// SetOutputVoltage sets the voltage at the load, 0 to 1000 V in tenths.
func (u *UPS) SetOutputVoltage(volts float64) { u.t.Helper(); u.set(outputVoltage, volts) }

// SetOutputFrequency sets the frequency at the load, 0 to 100 Hz in tenths.
func (u *UPS) SetOutputFrequency(hertz float64) { u.t.Helper(); u.set(outputFrequency, hertz) }

// SetOutputCurrent sets the current through the load, 0 to 6553.4 A in tenths.
func (u *UPS) SetOutputCurrent(amperes float64) { u.t.Helper(); u.set(outputCurrent, amperes) }

// SetOutputPower sets the power of the load, 0 to 65534 W.
func (u *UPS) SetOutputPower(watts float64) { u.t.Helper(); u.set(outputPower, watts) }

// SetLoad sets the load, 0 to 254 % of what the unit can carry.
func (u *UPS) SetLoad(percent float64) { u.t.Helper(); u.set(percentLoad, percent) }

// SetBatteryVoltage sets the voltage of the battery, 0 to 1000 V in tenths.
func (u *UPS) SetBatteryVoltage(volts float64) { u.t.Helper(); u.set(batteryVoltage, volts) }

// SetCharge sets the charge of the battery, 0 to 100 %.
func (u *UPS) SetCharge(percent float64) { u.t.Helper(); u.set(charge, percent) }

// SetRunTime sets how long the battery can carry the load, 0 to 65534 s in seconds.
func (u *UPS) SetRunTime(left time.Duration) { u.t.Helper(); u.set(runTime, left.Seconds()) }

// set gives a reading a value, rounded to what the unit's report can say, and sends what the unit announces of it. Like all that set a
// reading, it fails the test where the unit has no such reading.
func (u *UPS) set(q quantity, value float64) {
	u.t.Helper()
	u.require(q.name, q.key)
	raw := math.Round(value * q.steps)
	inRange := value >= 0 && value <= q.most // and not a NaN
	for _, at := range u.places.features[q.key] {
		inRange = inRange && raw < float64(uint64(1)<<at.size)
	}
	if !inRange {
		u.t.Fatalf("tripplitetest: the %s cannot say that its %s is %v %s", u.name, q.name, value, q.unit)
	}
	u.write(change{q.key, uint32(raw)})
}

// SetStatus sets a flag by its name in [tripplite.Status], which is that of the HID power device class, such as "ACPresent".
func (u *UPS) SetStatus(name string, set bool) {
	u.t.Helper()
	if _, ok := statusKey(name); !ok {
		u.t.Fatalf("tripplitetest: %q is no flag of tripplite.Status", name)
	}
	c := flag(name, set)
	u.require("flag "+name, c.key)
	u.write(c)
}

// PowerFailure takes mains away, as the unit shows it: ACPresent, Charging and FullyCharged are false, Discharging is true, and the
// input has 0 V and 0 Hz. What the unit has no reading for is left out.
func (u *UPS) PowerFailure() {
	u.t.Helper()
	off, on := flag("ACPresent", false), flag("Discharging", true)
	u.require("reading that tells whether mains is there", off.key, on.key)
	u.write(
		off, on, flag("Charging", false), flag("FullyCharged", false),
		u.keepMains(inputVoltage), u.keepMains(inputFrequency),
	)
}

// keepMains takes a reading of the mains away, and remembers it unless mains has failed already.
func (u *UPS) keepMains(q quantity) change {
	u.mu.Lock()
	defer u.mu.Unlock()
	if raw, ok := u.read(q.key); ok && !slices.ContainsFunc(u.mains, func(c change) bool { return c.key == q.key }) {
		u.mains = append(u.mains, change{q.key, raw})
	}
	return change{q.key, 0}
}

// PowerReturns takes [UPS.PowerFailure] back: mains is there, with the voltage and the frequency that it had, or the nominal ones where the
// capture is of a unit without mains. The battery is charged unless its charge is 100 %. The charge and the run time stay, since a
// battery takes hours to recover.
func (u *UPS) PowerReturns() {
	u.t.Helper()
	on, off := flag("ACPresent", true), flag("Discharging", false)
	u.require("reading that tells whether mains is there", on.key, off.key)
	u.mu.Lock()
	percent, known := u.read(charge.key)
	full := known && percent == 100
	changes := []change{on, off, flag("Charging", !full), flag("FullyCharged", full)}
	changes = append(changes, u.nominal(inputVoltage, "config.voltage")...)
	changes = append(changes, u.nominal(inputFrequency, "config.frequency")...)
	changes = append(changes, u.mains...) // the last word
	u.mains = nil
	u.mu.Unlock()
	u.write(changes...)
}

// nominal gives a reading of the mains that is 0 the value that the unit is built for, in whole units, if it says so.
func (u *UPS) nominal(q quantity, config string) []change {
	if now, ok := u.read(q.key); !ok || now > 0 {
		return nil
	}
	value, ok := u.read(config)
	if !ok {
		return nil
	}
	return []change{{q.key, value * uint32(q.steps)}}
}

// LowBattery leaves the battery with a charge of 10 % and a run time of two minutes, sets BelowRemainingCapacityLimit and takes
// FullyCharged away, whether mains is there or not. What the unit has no reading for is left out.
func (u *UPS) LowBattery() {
	u.t.Helper()
	low := flag("BelowRemainingCapacityLimit", true)
	u.require("reading that tells whether the battery is low", charge.key, runTime.key, low.key)
	u.write(low, flag("FullyCharged", false), change{charge.key, 10}, change{runTime.key, 120})
}

// change is a new number for a reading.
type change struct {
	key string // in the JSON of State
	raw uint32
}

func flag(name string, set bool) change {
	var c change
	c.key, _ = statusKey(name)
	if set {
		c.raw = 1
	}
	return c
}

// require fails the test where the unit answers with none of the readings.
func (u *UPS) require(what string, keys ...string) {
	u.t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	why := "none of its feature reports has it"
	for _, key := range keys {
		if _, ok := u.read(key); ok {
			return
		}
		for _, at := range u.places.features[key] {
			why = fmt.Sprintf("it does not answer for report 0x%02x", at.id)
		}
	}
	u.t.Fatalf("tripplitetest: the %s has no %s: %s", u.name, what, why)
}

// read returns the number that the unit has for a reading now, if it has any.
func (u *UPS) read(key string) (raw uint32, ok bool) {
	for _, at := range u.places.features[key] {
		if raw, ok = at.read(u.dev); ok {
			return raw, true
		}
	}
	return 0, false
}

// write changes readings wherever the unit says them, all at once, and then sends the input reports that this changes.
func (u *UPS) write(changes ...change) {
	u.mu.Lock()
	defer u.mu.Unlock()
	before := make([][]byte, len(u.places.inputs))
	for i, in := range u.places.inputs {
		before[i] = in.report(u.dev)
	}
	for _, c := range changes {
		for _, at := range u.places.features[c.key] {
			if _, ok := at.read(u.dev); ok {
				payload, _ := u.dev.Payload(at.id)
				at.write(payload, c.raw)
				u.dev.Set(at.id, payload...)
			}
		}
	}
	for i, in := range u.places.inputs {
		if report := in.report(u.dev); !bytes.Equal(report, before[i]) {
			u.push(report)
		}
	}
}
