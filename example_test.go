package tripplite_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
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
