package tripplite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"testing"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

// Read the first UPS that is attached. There is no output to compare, since it is your UPS that speaks.
func Example() {
	b, err := tripplite.Open("")
	if err != nil {
		log.Fatal(err) // says what to do about it
	}
	defer b.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	state, err := b.Get(ctx)
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Printf("%v V in, %v W out, %v left\n", state.Input.Voltage, state.Output.ActivePower, state.RunTimeToEmpty)
}

// List the units and read each at its path, which stays the same for a port however often the unit drops off the bus.
func ExamplePaths() {
	paths, err := tripplite.Paths()
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range paths {
		b, err := tripplite.Open(path)
		if err != nil {
			log.Print(err)
			continue
		}
		state, err := b.Get(context.Background())
		fmt.Println(path, state.RemainingCapacity, err)
		b.Close()
	}
}

// Open tells apart why a unit cannot be opened.
func ExampleOpen() {
	b, err := tripplite.Open("1-4.2:1.0")
	switch {
	case errors.Is(err, tripplite.ErrNotFound):
		log.Fatal("plug the UPS in: ", err)
	case errors.Is(err, tripplite.ErrPermission):
		log.Fatal("install the udev rule: ", err)
	case errors.Is(err, tripplite.ErrBusy):
		log.Fatal("stop the program that the error names: ", err)
	case err != nil:
		log.Fatal(err)
	}
	defer b.Close()
	fmt.Println(b.Info().Product)
}

// New reads any device that behaves as a hid.Device: here a SMART1500LCD that was captured, in place of a real one.
func ExampleNew() {
	device, descriptor := captured("smart1500lcd")
	b := tripplite.New(device, tripplite.WithReportDescriptor(descriptor))
	defer b.Close()

	state, err := b.Get(context.Background())
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println("on mains: ", state.Status.ACPresent)
	fmt.Println("input:    ", state.Input.Voltage, "V at", state.Input.Frequency, "Hz")
	fmt.Println("load:     ", state.Output.ActivePower, "W")
	fmt.Println("run time: ", state.RunTimeToEmpty)

	// Output:
	// on mains:  true
	// input:     117.2 V at 59.7 Hz
	// load:      324 W
	// run time:  16m44s
}

// A Value is either known or not: what a unit does not measure is never shown as 0.
func ExampleValue() {
	device, descriptor := captured("smart1500lcd") // of a family that does not measure its output current
	b := tripplite.New(device, tripplite.WithReportDescriptor(descriptor))
	defer b.Close()
	state, err := b.Get(context.Background())
	if err != nil {
		log.Print(err)
		return
	}

	if amperes, ok := state.Output.Current.Get(); ok {
		fmt.Println(amperes, "A")
	}
	fmt.Println("current:", state.Output.Current)
	if state.Status.Charging.Or(false) {
		fmt.Println("charging")
	}
	if volts, ok := state.Input.Voltage.Get(); ok && volts < 100 {
		fmt.Println("the mains voltage is low")
	}
	fmt.Println("power:", state.Output.ActivePower.Or(0), "W")

	// Output:
	// current: unknown
	// power: 324 W
}

// A UPS that answers and does not give all of its reports is read all the same.
func ExamplePartialError() {
	device, descriptor := captured("smart1500lcd", 0x1e) // whose report 0x1e fails
	b := tripplite.New(device, tripplite.WithReportDescriptor(descriptor), tripplite.WithDeviceInfo(tripplite.DeviceInfo{Path: "1-4:1.0"}))
	defer b.Close()

	state, err := b.Get(context.Background())
	var partial *tripplite.PartialError
	if errors.As(err, &partial) {
		for _, report := range partial.Reports {
			fmt.Printf("report 0x%02x of %s is missing this time: %s\n", report.ID, report.Path, report.Name)
		}
		err = nil
	}
	if err != nil {
		log.Print(err) // there is no State
		return
	}
	fmt.Println(state.Output.ActivePower, "W,", state.Output.PercentLoad, "%")

	// Output:
	// report 0x1e of 1-4:1.0 is missing this time: UPS.OutletSystem.Outlet.PercentLoad
	// 324 W, unknown %
}

// A UPS that has dropped off the bus has no State, which is neither a power failure nor a reason to start again: a later Get has opened
// it anew once it is back at its port.
func ExampleBattery_Get_disconnected() {
	device, descriptor := captured("smart1500lcd")
	b := tripplite.New(device, tripplite.WithReportDescriptor(descriptor))
	defer b.Close()

	device.Close() // the cable is pulled
	state, err := b.Get(context.Background())
	switch {
	case errors.Is(err, tripplite.ErrDisconnected):
		fmt.Println("the UPS is gone; its voltage is", state.Input.Voltage)
	case err != nil:
		fmt.Println(err)
	}

	// Output:
	// the UPS is gone; its voltage is unknown
}

// Watch tells what changes at once, whatever the interval: the unit announces it by itself.
func ExampleBattery_Watch() {
	ups := tripplitetest.NewUPS(&testing.T{}, "smart1500lcd") // in your program: tripplite.Open
	b := ups.Battery()
	defer b.Close()

	for state, err := range b.Watch(context.Background(), time.Hour) {
		if err != nil {
			fmt.Println("not read:", err) // lost, or not all of it: the loop goes on
			continue
		}
		fmt.Println("mains:", state.Status.ACPresent)
		if onMains, known := state.Status.ACPresent.Get(); known && !onMains {
			break
		}
		ups.PowerFailure()
	}

	// Output:
	// mains: true
	// mains: false
}

// The settings and timers are read on request, so that they cost a Get nothing.
func ExampleBattery_Controls() {
	b := tripplitetest.NewUPS(&testing.T{}, "smart1500lcd").Battery()
	defer b.Close()

	controls, err := b.Controls(context.Background())
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println("alarm:", controls.AudibleAlarmControl)
	fmt.Println("shutdown in:", controls.DelayBeforeShutdown)

	// Output:
	// alarm: enabled
	// shutdown in: unknown
}

// Dump has what a bug report needs: all bytes, and what they mean by the unit's own descriptor.
func ExampleBattery_Dump() {
	b := tripplitetest.NewUPS(&testing.T{}, "smart1500lcd").Battery()
	defer b.Close()

	dump, err := b.Dump(context.Background(), 0)
	if err != nil {
		log.Print(err)
		return
	}
	for _, report := range dump.Features[:3] {
		fmt.Printf("% x\n", report.Bytes)
	}

	for _, f := range dump.Fields() {
		if f.ID == 0x18 {
			fmt.Printf("report %02x, %s: %v is %s V\n", f.ID, f.Path, f.Raw, f.Reading)
		}
	}

	// Output:
	// 01 78
	// 02 3c
	// 03 dc 05
	// report 18, UPS.PowerConverter.Input.Voltage: 1172 is 117.2 V
}

// Several units are read side by side; one that is lost spoils no other.
func ExampleBank_Get() {
	t := &testing.T{}
	desk, rack := tripplitetest.NewUPS(t, "smart1500lcd"), tripplitetest.NewUPS(t, "pro1500rt2u")
	desk.Info.Path, rack.Info.Path = "1-3:1.0", "1-4.2:1.0"
	bank := tripplitetest.NewBank(t, desk, rack) // in your program: tripplite.NewBank()
	defer bank.Close()

	rack.Unplug()
	readings, err := bank.Get(context.Background())
	if err != nil {
		log.Print(err)
		return
	}
	for _, r := range readings {
		fmt.Println(r.Info.Path, r.State.Output.PercentLoad, errors.Is(r.Err, tripplite.ErrDisconnected))
	}

	// Output:
	// 1-3:1.0 14 false
	// 1-4.2:1.0 unknown true
}

// A Bank of all units follows hot plug: what is plugged in later is watched from then on.
func ExampleNewBank() {
	bank := tripplite.NewBank(tripplite.WithLogger(slog.Default()))
	defer bank.Close()

	for r := range bank.Watch(context.Background(), 10*time.Second) {
		fmt.Println(r.Info.Path, r.State.RemainingCapacity, r.Err)
		if errors.Is(r.Err, tripplite.ErrDisconnected) {
			bank.Forget(r.Info.Path) // that a unit has been taken away is no news here
		}
	}
}

// Units that are known by their ports are waited for, and no other is touched.
func ExampleBankAt() {
	bank := tripplite.BankAt([]string{"1-3:1.0", "1-4.2:1.0"})
	defer bank.Close()

	readings, err := bank.Get(context.Background())
	for _, r := range readings {
		if errors.Is(r.Err, tripplite.ErrNotFound) {
			fmt.Println("nothing has been seen yet at", r.Info.Path)
		}
	}
	if err != nil {
		log.Print(err)
	}
}

// A Bank can be of units that are open already, or that are no real ones.
func ExampleBankOf() {
	device, descriptor := captured("smart1500lcd")
	b := tripplite.New(device, tripplite.WithReportDescriptor(descriptor), tripplite.WithDeviceInfo(tripplite.DeviceInfo{Path: "replay"}))
	bank := tripplite.BankOf(b)
	defer bank.Close() // closes b, too

	readings, err := bank.Get(context.Background())
	if err != nil {
		log.Print(err)
		return
	}
	for _, r := range readings {
		fmt.Println(r.Info.Path, r.State.RemainingCapacity, "%")
	}

	// Output:
	// replay 100 %
}

// List what is attached, in use or not.
func ExampleDevices() {
	devices, err := tripplite.Devices()
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range devices {
		fmt.Printf("%s %04x:%04x %s %s\n", d.Path, d.VendorID, d.ProductID, d.Family, d.Product)
	}
}

// A rule for an alarm: neither a flicker nor a lost unit is a power failure.
func ExampleOnBattery() {
	rule := tripplite.OnBattery{Hold: 5 * time.Second}
	observe := func(second int, mains tripplite.Value[bool], err error) {
		state := tripplite.State{}
		if err == nil {
			state.Time = time.Unix(int64(second), 0)
			state.Status.ACPresent = mains
		}
		if rule.Observe(state, err) { // in your program: rule.Observe(b.Get(ctx))
			onBattery, _ := rule.Get()
			fmt.Printf("second %d: on battery %t\n", second, onBattery)
		}
	}
	yes, no := tripplite.ValueOf(true), tripplite.ValueOf(false)
	observe(0, yes, nil)
	observe(10, no, nil) // a flicker
	observe(11, yes, nil)
	observe(20, no, nil)
	observe(23, yes, tripplite.ErrDisconnected) // USB drops when power fails
	observe(26, no, nil)

	// Output:
	// second 0: on battery false
	// second 26: on battery true
}

// What a unit does not report is absent from the JSON, and so it is where the JSON is read.
func ExampleState() {
	var state tripplite.State
	if err := json.Unmarshal([]byte(`{"input": {"voltage": 117.2}}`), &state); err != nil {
		log.Print(err)
		return
	}
	fmt.Println(state.Input.Voltage, "V at", state.Input.Frequency, "Hz")
	text, err := json.Marshal(state)
	fmt.Println(string(text), err)

	// Output:
	// 117.2 V at unknown Hz
	// {"input":{"voltage":117.2}} <nil>
}

// captured is a UPS made from a capture, some of whose feature reports fail.
func captured(name string, failing ...byte) (device *capture.Device, descriptor []byte) {
	c, err := capture.Load(name)
	if err != nil {
		log.Fatal(err)
	}
	unit := &c.Interfaces[0]
	for i, r := range unit.Reports {
		for _, id := range failing {
			if r.Type == capture.Feature && byte(r.ID) == id {
				unit.Reports[i].Bytes, unit.Reports[i].Error = nil, capture.Stall
			}
		}
	}
	return c.Device(0), unit.Descriptor
}
