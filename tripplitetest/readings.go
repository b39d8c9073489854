package tripplitetest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/hidreport"
)

// Set gives a reading a value, by its key in [tripplite.Fields] and in the unit that it has there,
// a flag as 0 or 1. It is rounded to what the unit's report can say. The unit announces the change
// if it has an input report for it. Like all methods that change a reading, Set fails the test
// where the unit has no such reading or cannot say the value.
func (u *UPS) Set(key string, value float64) {
	u.t.Helper()
	u.require(key, key)
	u.write(map[string]float64{key: value})
}

// SetInputVoltage sets the voltage of the line.
func (u *UPS) SetInputVoltage(volts float64) { u.t.Helper(); u.Set("input.voltage", volts) }

// SetInputFrequency sets the frequency of the line.
func (u *UPS) SetInputFrequency(hertz float64) { u.t.Helper(); u.Set("input.frequency", hertz) }

// SetOutputVoltage sets the voltage at the load.
func (u *UPS) SetOutputVoltage(volts float64) { u.t.Helper(); u.Set("output.voltage", volts) }

// SetOutputFrequency sets the frequency at the load.
func (u *UPS) SetOutputFrequency(hertz float64) { u.t.Helper(); u.Set("output.frequency", hertz) }

// SetOutputCurrent sets the current through the load.
func (u *UPS) SetOutputCurrent(amperes float64) { u.t.Helper(); u.Set("output.current", amperes) }

// SetOutputPower sets the power of the load.
func (u *UPS) SetOutputPower(watts float64) { u.t.Helper(); u.Set("output.power", watts) }

// SetLoad sets the load in percent of what the unit can carry.
func (u *UPS) SetLoad(percent float64) { u.t.Helper(); u.Set("output.load", percent) }

// SetBatteryVoltage sets the voltage of the battery.
func (u *UPS) SetBatteryVoltage(volts float64) { u.t.Helper(); u.Set("battery.voltage", volts) }

// SetCharge sets the charge of the battery in percent.
func (u *UPS) SetCharge(percent float64) { u.t.Helper(); u.Set(charge, percent) }

// SetRunTime sets how long the battery can carry the load.
func (u *UPS) SetRunTime(left time.Duration) { u.t.Helper(); u.Set(runTime, left.Seconds()) }

// SetStatus sets a flag by its name in [tripplite.Status], such as "ACPresent". A Battery asks
// again for a status that has neither ACPresent nor Discharging before it believes it:
// [UPS.PowerFailure] changes both.
func (u *UPS) SetStatus(name string, set bool) {
	u.t.Helper()
	key := flagKey(name)
	if key == "" {
		u.t.Fatalf("tripplitetest: %q is no flag of tripplite.Status", name)
	}
	value := 0.0
	if set {
		value = 1
	}
	u.Set(key, value)
}

// flagKey returns the key of a flag of tripplite.Status. Its words are those of the name, but for
// two flags.
func flagKey(name string) string {
	switch name {
	case "NeedReplacement":
		return "status.needs replacement"
	case "BelowRemainingCapacityLimit":
		return "status.below remaining capacity"
	}
	for _, f := range tripplite.Fields() {
		if strings.EqualFold("status."+name, strings.ReplaceAll(f.Key, " ", "")) {
			return f.Key
		}
	}
	return ""
}

// PowerFailure takes line power away, as the unit shows it: ACPresent, Charging and FullyCharged
// are false, Discharging is true, and the input has 0 V and 0 Hz. What the unit has no reading for
// is left out.
func (u *UPS) PowerFailure() {
	u.t.Helper()
	u.require("reading that tells whether there is line power", acPresent, discharging)
	values := map[string]float64{acPresent: 0, discharging: 1, charging: 0, fullyCharged: 0}
	now := u.now()
	for key := range nominal {
		if was, known := now[key]; known {
			values[key] = 0
			if was > 0 {
				u.line[key] = was
			}
		}
	}
	u.write(values)
}

// PowerReturns takes [UPS.PowerFailure] back. The line has the voltage and the frequency that it
// had, or the nominal ones where the capture is of a unit without line power. The battery is
// charged unless its charge is 100 %. The charge and the run time stay: a battery takes hours to
// recover.
func (u *UPS) PowerReturns() {
	u.t.Helper()
	u.require("reading that tells whether there is line power", acPresent, discharging)
	values := map[string]float64{acPresent: 1, discharging: 0, charging: 1, fullyCharged: 0}
	now := u.now()
	if now[charge] == 100 {
		values[charging], values[fullyCharged] = 0, 1
	}
	for key, config := range nominal {
		if was, failed := u.line[key]; failed {
			values[key] = was
		} else if rated, known := now[config]; known && now[key] == 0 {
			values[key] = rated
		}
	}
	clear(u.line)
	u.write(values)
}

// LowBattery leaves the battery with a charge of 10 % and a run time of two minutes. It sets
// BelowRemainingCapacityLimit and takes FullyCharged away, whether there is line power or not. What
// the unit has no reading for is left out.
func (u *UPS) LowBattery() {
	u.t.Helper()
	u.require("reading that tells whether the battery is low", charge, runTime, belowLimit)
	u.write(map[string]float64{charge: 10, runTime: 120, belowLimit: 1, fullyCharged: 0})
}

// The keys of the readings that the events above change.
const (
	acPresent    = "status.ac present"
	charging     = "status.charging"
	discharging  = "status.discharging"
	fullyCharged = "status.fully charged"
	belowLimit   = "status.below remaining capacity"
	charge       = "health"
	runTime      = "time to empty"
)

// nominal has the readings of the line, each with its nominal value.
var nominal = map[string]string{
	"input.voltage":   "config.voltage",
	"input.frequency": "config.frequency",
}

// dump returns all that the unit answers now.
func (u *UPS) dump() tripplite.Dump {
	d := tripplite.Dump{Descriptor: u.descriptor}
	for id := range 1 << 8 {
		if payload, ok := u.dev.Payload(byte(id)); ok {
			report := append([]byte{byte(id)}, payload...)
			d.Features = append(d.Features, tripplite.RawReport{ID: byte(id), Bytes: report})
		}
	}
	return d
}

// now returns the readings that are numbers, by key.
func (u *UPS) now() map[string]float64 {
	values := map[string]float64{}
	for _, f := range u.dump().Fields() {
		n, err := strconv.ParseFloat(f.Reading, 64)
		if _, known := values[f.Key]; err == nil && !known {
			values[f.Key] = n
		}
	}
	return values
}

// require fails the test where the unit answers with none of the readings.
func (u *UPS) require(what string, keys ...string) {
	u.t.Helper()
	why := "none of its feature reports has it"
	for _, f := range u.fields {
		if f.Report != "feature" || !slices.Contains(keys, f.Key) {
			continue
		}
		if _, ok := u.read(f); ok {
			return
		}
		why = fmt.Sprintf("it does not answer for report 0x%02x", f.ID)
	}
	u.t.Fatalf("tripplitetest: the %s has no %s: %s", u.name, what, why)
}

// read returns what the unit answers now for a field of a feature report.
func (u *UPS) read(f tripplite.DumpField) (raw uint32, ok bool) {
	payload, _ := u.dev.Payload(f.ID)
	return hidreport.Bits(payload, f.Offset, f.Size)
}

// write changes readings wherever the unit has them, all at once. It then sends the input reports
// that this changes.
func (u *UPS) write(values map[string]float64) {
	u.t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	before := u.inputs()
	for _, f := range u.fields {
		value, wanted := values[f.Key]
		if _, answers := u.read(f); !wanted || f.Report != "feature" || !answers {
			continue
		}
		raw, err := f.Encode(value)
		if err != nil {
			u.t.Fatalf("tripplitetest: the %s: %v", u.name, err)
		}
		payload, _ := u.dev.Payload(f.ID)
		put(payload, f, raw)
		u.dev.Set(f.ID, payload...)
	}
	for i, report := range u.inputs() {
		if !bytes.Equal(report, before[i]) {
			u.dev.Push(report...)
		}
	}
}

// inputs returns the input reports as the unit would send them now.
func (u *UPS) inputs() (reports [][]byte) {
	declared, _ := hidreport.Parse(u.descriptor)
	for _, f := range u.fields {
		if f.Report != "input" || f.Key == "" {
			continue
		}
		i := slices.IndexFunc(reports, func(report []byte) bool { return report[0] == f.ID })
		if i < 0 {
			i = len(reports)
			n, _ := declared.Len(hidreport.Input, f.ID)
			reports = append(reports, append([]byte{f.ID}, make([]byte, n)...))
		}
		if end := 1 + (f.Offset+f.Size+7)/8; len(reports[i]) < end {
			reports[i] = append(reports[i], make([]byte, end-len(reports[i]))...)
		}
		if raw, ok := u.source(f); ok {
			put(reports[i][1:], f, raw)
		}
	}
	return reports
}

// source returns what the feature reports say of a field of an input report, if possible the one
// with its id.
func (u *UPS) source(input tripplite.DumpField) (raw uint32, ok bool) {
	for _, f := range u.fields {
		if f.Report != "feature" || f.Key != input.Key {
			continue
		}
		if now, answers := u.read(f); answers && (!ok || f.ID == input.ID) {
			raw, ok = now, true
		}
	}
	return raw, ok
}

// put packs a number as HID does: little endian, least significant bit first (HID 1.11, 5.8).
func put(payload []byte, f tripplite.DumpField, raw uint32) {
	for i := range f.Size {
		bit := f.Offset + i
		payload[bit/8] &^= 1 << (bit % 8)
		payload[bit/8] |= byte(raw>>i&1) << (bit % 8)
	}
}
