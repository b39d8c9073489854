package tripplitetest

import (
	"bytes"
	"cmp"
	"maps"
	"reflect"
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
	u.write(map[string]float64{key: value}, key)
}

// SetInputVoltage sets the voltage of the line.
func (u *UPS) SetInputVoltage(volts float64) { u.t.Helper(); u.Set("input.voltage", volts) }

// SetLoad sets the load in percent of what the unit can carry.
func (u *UPS) SetLoad(percent float64) { u.t.Helper(); u.Set("output.load", percent) }

// SetCharge sets the charge of the battery in percent. A Battery believes 0 % of a unit of product
// 0001 only after [UPS.LowBattery].
func (u *UPS) SetCharge(percent float64) { u.t.Helper(); u.Set(charge, percent) }

// SetRunTime sets how long the battery can carry the load.
func (u *UPS) SetRunTime(left time.Duration) { u.t.Helper(); u.Set(runTime, left.Seconds()) }

// SetStatus sets a flag by its name in [tripplite.Status], such as "ACPresent". A Battery asks
// again for a status that has neither ACPresent nor Discharging before it believes it:
// [UPS.PowerFailure] changes both.
func (u *UPS) SetStatus(name string, set bool) {
	u.t.Helper()
	flag, ok := reflect.TypeFor[tripplite.Status]().FieldByName(name)
	if !ok {
		u.t.Fatalf("tripplitetest: %q is no flag of tripplite.Status", name)
	}
	key, _, _ := strings.Cut(flag.Tag.Get("json"), ",")
	value := 0.0
	if set {
		value = 1
	}
	u.Set("status."+key, value)
}

// PowerFailure takes line power away, as the unit shows it: ACPresent, Charging and FullyCharged
// are false, Discharging is true, and the input has 0 V and 0 Hz. What the unit has no reading for
// is left out.
func (u *UPS) PowerFailure() {
	u.t.Helper()
	values := map[string]float64{acPresent: 0, discharging: 1, charging: 0, fullyCharged: 0}
	u.line = u.lineNow()
	for key := range u.line {
		values[key] = 0
	}
	u.write(values, acPresent, discharging)
}

// PowerReturns takes [UPS.PowerFailure] back. The line has the voltage and the frequency that it
// had, or the nominal ones where the capture is of a unit without line power. The battery is
// charged unless its charge is 100 %. The charge and the run time stay: a battery takes hours to
// recover.
func (u *UPS) PowerReturns() {
	u.t.Helper()
	values := u.lineNow()
	values[acPresent], values[discharging], values[charging], values[fullyCharged] = 1, 0, 1, 0
	if u.now()[charge] == 100 {
		values[charging], values[fullyCharged] = 0, 1
	}
	u.write(values, acPresent, discharging)
}

// LowBattery leaves the battery with a charge of 10 % and a run time of two minutes. It sets
// BelowRemainingCapacityLimit and takes FullyCharged away, whether there is line power or not. What
// the unit has no reading for is left out.
func (u *UPS) LowBattery() {
	u.t.Helper()
	u.write(map[string]float64{charge: 10, runTime: 120, belowLimit: 1, fullyCharged: 0},
		charge, runTime, belowLimit)
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

// lineNow returns the voltage and the frequency of the line, by key. Where power has failed they
// are those from before, or else the nominal ones.
func (u *UPS) lineNow() map[string]float64 {
	line, now := map[string]float64{}, u.now()
	for key, nominal := range map[string]string{
		"input.voltage": "config.voltage", "input.frequency": "config.frequency",
	} {
		if value, known := now[key]; known {
			line[key] = cmp.Or(value, u.line[key], now[nominal])
		}
	}
	return line
}

// now returns the readings that are numbers, by key.
func (u *UPS) now() map[string]float64 {
	values := map[string]float64{}
	for _, f := range u.fields() {
		if n, err := strconv.ParseFloat(f.Reading, 64); err == nil {
			values[f.Key] = n
		}
	}
	return values
}

// fields returns all that the unit's reports have, with what it answers now.
func (u *UPS) fields() []tripplite.DumpField {
	d := tripplite.Dump{Descriptor: u.capture.UPS().Descriptor}
	if framed := u.dev.Framed(); framed != nil {
		for _, e := range framed.Exchanges() {
			d.Exchanges = append(d.Exchanges, tripplite.RawExchange{Command: e.Command, Reply: e.Reply})
		}
		return d.Fields()
	}
	for id := range 1 << 8 {
		if payload, ok := u.dev.Payload(byte(id)); ok {
			report := append([]byte{byte(id)}, payload...)
			d.Features = append(d.Features, tripplite.RawReport{ID: byte(id), Bytes: report})
		}
	}
	return d.Fields()
}

// write changes readings wherever the unit has them. It then sends the input reports that this
// changes. It fails the test where the unit answers with none of the required readings.
//
// Where several bytes of a reply say a reading, not each can say every value: the status has a code
// for a battery to be replaced and none for a good one, which the self-test behind it has. The last
// that can say the value says it.
func (u *UPS) write(values map[string]float64, required ...string) {
	u.t.Helper()
	before := u.inputs()
	found := false
	written, failed := map[string]bool{}, map[string]error{}
	for _, f := range slices.Backward(u.fields()) {
		value, wanted := values[f.Key]
		reply := f.Report == "reply"
		if f.Report == "input" || !wanted || f.Raw.IsZero() || reply && written[f.Key] {
			continue
		}
		raw, err := f.Encode(value)
		if err != nil {
			failed[f.Key] = err
			continue
		}
		u.put(f, raw)
		written[f.Key] = reply
		found = found || slices.Contains(required, f.Key)
	}
	for key, err := range failed {
		if !written[key] {
			u.t.Fatalf("tripplitetest: the %s: %v", u.capture.Name, err)
		}
	}
	if !found {
		u.t.Fatalf("tripplitetest: the %s has no %s", u.capture.Name, strings.Join(required, " or "))
	}
	if mains, told := values[acPresent]; told {
		u.dev.SetMains(mains != 0)
	}
	inputs := u.inputs()
	for _, id := range slices.Sorted(maps.Keys(inputs)) {
		if !bytes.Equal(inputs[id], before[id]) {
			u.dev.Push(append([]byte{id}, inputs[id]...)...)
		}
	}
}

// put changes a number in what the unit answers with.
func (u *UPS) put(f tripplite.DumpField, raw uint32) {
	if framed := u.dev.Framed(); framed != nil {
		framed.Change(f.ID, func(data []byte) { f.Put(data, raw) })
		return
	}
	payload, _ := u.dev.Payload(f.ID)
	f.Put(payload, raw)
	u.dev.Set(f.ID, payload...)
}

// inputs returns the payloads of the input reports as the unit would send them now. They say what
// the feature reports say, if possible the one with the same id.
func (u *UPS) inputs() map[byte][]byte {
	declared, _ := hidreport.Parse(u.capture.UPS().Descriptor)
	payloads := map[byte][]byte{}
	fields := u.fields()
	for _, f := range fields {
		if f.Report != "input" || f.Key == "" {
			continue
		}
		n, _ := declared.Len(hidreport.Input, f.ID)
		missing := max(n, (f.Offset+f.Size+7)/8) - len(payloads[f.ID])
		payloads[f.ID] = append(payloads[f.ID], make([]byte, max(0, missing))...)
		for _, from := range fields {
			raw, answered := from.Raw.Get()
			if from.Report == "feature" && from.Key == f.Key && answered {
				f.Put(payloads[f.ID], raw)
				if from.ID == f.ID {
					break
				}
			}
		}
	}
	return payloads
}
