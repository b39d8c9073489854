package tripplite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
)

// Read the first UPS that is attached.
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
	}
	if !tripplite.HasState(err) {
		return
	}
	fmt.Println(state) // on line power, charge 100 %, runtime 16 min 44 s, ...
	fmt.Printf("%v V in, %v W out\n", state.Input.Voltage, state.Output.ActivePower)
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

// Open says why a unit cannot be opened.
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

// An Error has its parts, so that no program has to take its text apart.
func ExampleError() {
	_, err := tripplite.Open("1-4.2:1.0")
	var failed *tripplite.Error
	if errors.As(err, &failed) {
		slog.Error("no UPS", "path", failed.Path, "reason", failed.Reason(),
			"holder", failed.Holder, "cause", failed.Cause)
	}
}

// fakeUPS is a Device for the examples below: a unit of 1500 VA that is not there. In tests of your
// own, package tripplitetest has a better one.
type fakeUPS struct {
	mu       sync.Mutex
	features map[byte][]byte // what feature reports hold, by id
	gone     bool
	inputs   chan []byte
}

func newFakeUPS() *fakeUPS {
	return &fakeUPS{inputs: make(chan []byte, 1), features: map[byte][]byte{
		0x03: {0xdc, 0x05}, // config.power: 1500 VA
		0x11: {0x02},       // controls.audible alarm control: enabled
		0x15: {0xff, 0xff}, // delay before shutdown: none is under way
		0x18: {0x94, 0x04}, // input.voltage: 117.2 V
		0x32: {0x42},       // status: ac present, fully charged
		0x34: {0x64},       // health: 100 %
		0x35: {0xec, 0x03}, // time to empty: 1004 s
		0x47: {0x44, 0x01}, // output.power: 324 W
	}}
}

func (u *fakeUPS) GetFeatureReport(b []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	payload, ok := u.features[b[0]]
	if u.gone || !ok {
		return 0, errors.New("no answer")
	}
	return 1 + copy(b[1:], payload), nil
}

func (u *fakeUPS) SendFeatureReport(b []byte) (int, error) { return 0, errors.ErrUnsupported }

func (u *fakeUPS) ReadTimeout(b []byte, milliseconds int) (int, error) {
	select {
	case report := <-u.inputs:
		return copy(b, report), nil
	case <-time.After(time.Duration(milliseconds) * time.Millisecond):
		return 0, nil
	}
}

func (u *fakeUPS) Close() error { return nil }

// lose makes a report fail, or without one the whole unit.
func (u *fakeUPS) lose(reports ...byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.gone = len(reports) == 0
	for _, id := range reports {
		delete(u.features, id)
	}
}

// powerFails makes the unit say so, when it is asked and by itself.
func (u *fakeUPS) powerFails() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.features[0x18] = []byte{0x00, 0x00}
	u.features[0x32] = []byte{0x08} // discharging
	u.inputs <- []byte{0x32, 0x08}
}

// New reads any Device, such as a fake one.
func ExampleNew() {
	b := tripplite.New(newFakeUPS())
	defer b.Close()

	state, err := b.Get(context.Background())
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println("line power:", state.Status.ACPresent)
	fmt.Println("input:     ", state.Input.Voltage, "V")
	fmt.Println("run time:  ", state.RunTimeToEmpty)

	// Output:
	// line power: true
	// input:      117.2 V
	// run time:   16m44s
}

// A Value is known or not: what a unit does not measure is never shown as 0.
func ExampleValue() {
	b := tripplite.New(newFakeUPS())
	defer b.Close()
	state, err := b.Get(context.Background())
	if err != nil {
		log.Print(err)
		return
	}

	if amperes, known := state.Output.Current.Get(); known {
		fmt.Println(amperes, "A")
	}
	fmt.Println("current:", state.Output.Current)
	if state.Status.Charging.Or(false) {
		fmt.Println("charging")
	}
	fmt.Println("power:", state.Output.ActivePower.Or(0), "W")

	// Output:
	// current: unknown
	// power: 324 W
}

// All ranges over what is known, for programs that do not care what it is.
func ExampleState_All() {
	b := tripplite.New(newFakeUPS())
	defer b.Close()
	state, err := b.Get(context.Background())
	if err != nil {
		log.Print(err)
		return
	}

	for field, reading := range state.All() {
		if field.Unit != "" {
			fmt.Println(field.Key, "=", reading, field.Unit)
		}
	}

	// Output:
	// health = 100 %
	// time to empty = 1004 s
	// input.voltage = 117.2 V
	// output.power = 324 W
	// config.power = 1500 VA
}

// Alerts lists what needs attention, the worst first.
func ExampleState_Alerts() {
	state := tripplite.State{Status: tripplite.Status{
		ACPresent:       tripplite.ValueOf(false),
		NeedReplacement: tripplite.ValueOf(true),
		Overload:        tripplite.ValueOf(true),
	}}
	for _, alert := range state.Alerts() {
		fmt.Println(alert.Severity, alert.Name, "-", alert.Text)
	}

	// Output:
	// critical overload - overload
	// warning on-battery - on battery
	// warning replace-battery - replace battery
}

// What a unit does not report is absent from the JSON, and unknown where the JSON is read.
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

// A UPS that answers, but not for each of its reports, is read all the same.
func ExamplePartialError() {
	ups := newFakeUPS()
	b := tripplite.New(ups, tripplite.WithDeviceInfo(tripplite.DeviceInfo{Path: "1-4:1.0"}))
	defer b.Close()
	b.Get(context.Background())

	ups.lose(0x35) // a report that it had until now
	state, err := b.Get(context.Background())
	var partial *tripplite.PartialError
	if errors.As(err, &partial) {
		for _, report := range partial.Reports {
			fmt.Printf("report 0x%02x of %s is missing: %s\n", report.ID, report.Path, report.Name)
		}
	}
	if tripplite.HasState(err) {
		fmt.Println(state.Output.ActivePower, "W for", state.RunTimeToEmpty)
	}

	// Output:
	// report 0x35 of 1-4:1.0 is missing: UPS.PowerSummary.RunTimeToEmpty
	// 324 W for unknown
}

// A UPS that has left the bus has no State. That is neither a power failure nor a reason to start
// again: a later Get opens it once it is back at its port.
func ExampleBattery_Get_disconnected() {
	ups := newFakeUPS()
	b := tripplite.New(ups)
	defer b.Close()

	ups.lose() // the cable is pulled
	state, err := b.Get(context.Background())
	if errors.Is(err, tripplite.ErrDisconnected) {
		fmt.Println("the UPS is gone; its input voltage is", state.Input.Voltage)
	}

	// Output:
	// the UPS is gone; its input voltage is unknown
}

// Watch yields a change at once, whatever the interval: the unit announces it by itself.
func ExampleBattery_Watch() {
	ups := newFakeUPS()
	b := tripplite.New(ups)
	defer b.Close()

	for state, err := range b.Watch(context.Background(), time.Hour) {
		if !tripplite.HasState(err) {
			fmt.Println("lost:", err) // the loop goes on
			continue
		}
		onBattery, _ := state.OnBattery()
		fmt.Println("on battery:", onBattery)
		if onBattery {
			break
		}
		ups.powerFails()
	}

	// Output:
	// on battery: false
	// on battery: true
}

// The settings and timers are read on request, so that they cost a Get nothing.
func ExampleBattery_Settings() {
	b := tripplite.New(newFakeUPS())
	defer b.Close()

	settings, err := b.Settings(context.Background())
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println("alarm:", settings.AudibleAlarmControl)
	fmt.Println("start in:", settings.DelayBeforeStartup)

	// Output:
	// alarm: enabled
	// start in: unknown
}

// Dump has what a bug report needs: all bytes, and what they mean.
func ExampleBattery_Dump() {
	b := tripplite.New(newFakeUPS())
	defer b.Close()

	dump, err := b.Dump(context.Background(), 0)
	if err != nil {
		log.Print(err)
		return
	}
	for _, f := range dump.Fields() {
		if f.ID == 0x18 && f.Report == "feature" {
			fmt.Printf("report %02x, %s: %v is %s V\n", f.ID, f.Path, f.Raw, f.Reading)
		}
	}

	// Output:
	// report 18, UPS.PowerConverter.Input.Voltage: 1172 is 117.2 V
}

// Several units are read side by side. One that is lost spoils no other.
func ExampleBank_Get() {
	desk, rack := newFakeUPS(), newFakeUPS()
	rack.lose()
	bank := tripplite.BankOf( // in your program: tripplite.NewBank or tripplite.BankAt
		tripplite.New(desk, tripplite.WithDeviceInfo(tripplite.DeviceInfo{Path: "1-3:1.0"})),
		tripplite.New(rack, tripplite.WithDeviceInfo(tripplite.DeviceInfo{Path: "1-4.2:1.0"})),
	)
	defer bank.Close()

	readings, err := bank.Get(context.Background())
	if err != nil {
		log.Print(err)
		return
	}
	for _, r := range readings {
		lost := errors.Is(r.Err, tripplite.ErrDisconnected)
		fmt.Println(r.Info.Path, r.State.Output.ActivePower, "W, lost:", lost)
	}

	// Output:
	// 1-3:1.0 324 W, lost: false
	// 1-4.2:1.0 unknown W, lost: true
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
	if err != nil {
		log.Print(err)
	}
	for _, r := range readings {
		if errors.Is(r.Err, tripplite.ErrNotFound) {
			fmt.Println("nothing has been seen yet at", r.Info.Path)
		}
	}
}

// A rule for an alarm: neither a flicker nor a lost unit is a power failure.
func ExampleOnBattery() {
	rule := tripplite.OnBattery{Hold: 5 * time.Second}
	observe := func(second int, linePower tripplite.Value[bool], err error) {
		state := tripplite.State{}
		if err == nil {
			state.Time = time.Unix(int64(second), 0)
			state.Status.ACPresent = linePower
		}
		if rule.Observe(state, err) { // in your program: rule.Observe(b.Get(ctx))
			onBattery, _ := rule.Get()
			fmt.Printf("second %d: on battery %t\n", second, onBattery)
		}
	}
	yes, no, unknown := tripplite.ValueOf(true), tripplite.ValueOf(false), tripplite.Value[bool]{}
	observe(0, yes, nil)
	observe(5, yes, nil)
	observe(10, no, nil) // a flicker
	observe(11, yes, nil)
	observe(20, no, nil)
	observe(23, unknown, tripplite.ErrDisconnected) // USB drops when power fails
	observe(26, no, nil)

	// Output:
	// second 5: on battery false
	// second 26: on battery true
}
