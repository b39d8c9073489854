package tripplitetest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

var ctx = context.Background()

func ExampleNewUPS() {
	t := &testing.T{} // the test's own

	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	battery := ups.Battery()
	defer battery.Close() // which a test that ends does by itself

	ups.SetInputVoltage(98.5)
	state, err := battery.Get(ctx)
	fmt.Println(state.Input.Voltage, "V", err)
	// Output: 98.5 V <nil>
}

func ExampleCaptures() {
	t := &testing.T{}

	// A program that shall work with every model is tested with every model.
	for _, name := range tripplitetest.Captures() {
		battery := tripplitetest.NewUPS(t, name).Battery()
		if _, err := battery.Get(ctx); err != nil {
			fmt.Println(name, err)
		}
		battery.Close()
	}
	fmt.Println("done")
	// Output: done
}

func ExampleUPS_PowerFailure() {
	t := &testing.T{}

	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	battery := ups.Battery()
	defer battery.Close()

	// The interval does not matter: the unit announces what happens.
	turn := 0
	for state, err := range battery.Watch(ctx, time.Hour) {
		fmt.Println("mains:", state.Status.ACPresent, "input:", state.Input.Voltage, "V", err)
		switch turn++; turn {
		case 1:
			ups.PowerFailure()
		case 3:
			ups.PowerReturns()
		case 5:
			return
		}
	}
	// Output:
	// mains: true input: 117.2 V <nil>
	// mains: false input: 117.2 V <nil>
	// mains: false input: 0 V <nil>
	// mains: true input: 0 V <nil>
	// mains: true input: 117.2 V <nil>
}

func ExampleUPS_LowBattery() {
	t := &testing.T{}

	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	battery := ups.Battery()
	defer battery.Close()

	ups.PowerFailure()
	ups.LowBattery()
	state, _ := battery.Get(ctx)
	fmt.Println(state.RemainingCapacity, "%", state.RunTimeToEmpty)
	// Output: 10 % 2m0s
}

func ExampleUPS_SetStatus() {
	t := &testing.T{}

	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	battery := ups.Battery()
	defer battery.Close()

	ups.SetStatus("NeedReplacement", true)
	state, _ := battery.Get(ctx)
	fmt.Println(state.Status.NeedReplacement)
	// Output: true
}

func ExampleUPS_Unplug() {
	t := &testing.T{}

	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	battery := ups.Battery()
	defer battery.Close()

	ups.Unplug()
	_, err := battery.Get(ctx)
	fmt.Println(errors.Is(err, tripplite.ErrDisconnected))
	ups.Replug()
	state, _ := battery.Get(ctx)
	fmt.Println(state.Input.Voltage, "V")
	// Output:
	// true
	// 117.2 V
}

func ExampleUPS_FailReport() {
	t := &testing.T{}

	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	battery := ups.Battery()
	defer battery.Close()

	ups.FailReport(0x18, errors.New("no answer"))
	state, err := battery.Get(ctx)
	fmt.Println(err)
	fmt.Println("input:", state.Input.Voltage, "output:", state.Output.Voltage)

	ups.HealReport(0x18)
	state, err = battery.Get(ctx)
	fmt.Println("input:", state.Input.Voltage, err)
	// Output:
	// 1-1:1.0: report 0x18 (UPS.PowerConverter.Input.Voltage): no answer
	// input: unknown output: 117.2
	// input: 117.2 <nil>
}

func ExampleUPS_AnswerReport() {
	t := &testing.T{}

	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	battery := ups.Battery()
	defer battery.Close()

	ups.AnswerReport(0x1e, 0x1e, 0xff) // what units say that do not measure their load
	state, _ := battery.Get(ctx)
	fmt.Println("load:", state.Output.PercentLoad)
	// Output: load: unknown
}

func ExampleUPS_Push() {
	t := &testing.T{}

	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	battery := ups.Battery()
	defer battery.Close()

	turn := 0
	for state := range battery.Watch(ctx, time.Hour) {
		fmt.Println("mains:", state.Status.ACPresent)
		if turn++; turn == 2 {
			break
		}
		ups.Push(0x32, 0x08) // an announcement, although the unit is still on mains when it is asked
	}
	// Output:
	// mains: true
	// mains: false
}

func ExampleUPS_Requests() {
	t := &testing.T{}

	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	battery := ups.Battery()
	defer battery.Close()

	battery.Get(ctx)
	ups.Requests()
	battery.Get(ctx) // reads what changes
	fmt.Println(len(ups.Requests()), "transfers")

	battery.Controls(ctx)
	fmt.Println(ups.Requests())
	// Output:
	// 10 transfers
	// [get 10 get 11 get 15 get 17 get 52]
}

func ExampleNewBank() {
	t := &testing.T{}

	rack, desk := tripplitetest.NewUPS(t, "pro1500rt2u"), tripplitetest.NewUPS(t, "smart1500lcd")
	rack.Info.Path, desk.Info.Path = "1-1:1.0", "1-2:1.0"
	bank := tripplitetest.NewBank(t, rack, desk) // for a program that reads several units, such as package collector
	defer bank.Close()

	desk.Unplug()
	readings, _ := bank.Get(ctx)
	for _, r := range readings {
		fmt.Println(r.Info.Path, r.State.Output.Voltage, errors.Is(r.Err, tripplite.ErrDisconnected))
	}
	// Output:
	// 1-1:1.0 121.7 false
	// 1-2:1.0 unknown true
}

func ExampleNewRecorder() {
	t := &testing.T{}
	unit := tripplitetest.NewUPS(t, "smart1500lcd") // in place of a real one, opened with github.com/karalabe/hid
	info := tripplite.DeviceInfo{Path: "1-4.2:1.0", VendorID: 0x09ae, ProductID: 0x2012, Product: "Tripp Lite UPS"}
	var descriptor []byte // of a real one: tripplite.Dump has it

	recorder := tripplitetest.NewRecorder(unit, info, descriptor)
	battery := tripplite.New(recorder, tripplite.WithDeviceInfo(info), tripplite.WithReportDescriptor(descriptor))
	battery.Get(ctx)
	battery.Close()

	file := filepath.Join(os.TempDir(), "office-ups.json")
	defer os.Remove(file)
	fmt.Println(recorder.Save(file))

	copied := tripplitetest.NewUPS(t, file).Battery()
	defer copied.Close()
	state, _ := copied.Get(ctx)
	fmt.Println(state.Input.Voltage, "V")
	// Output:
	// <nil>
	// 117.2 V
}

func ExampleNewPlayer() {
	t := &testing.T{}

	// A session of two reads is recorded. For a test it is recorded once, with a real unit, and kept as a file.
	recorder := tripplitetest.NewRecorder(tripplitetest.NewUPS(t, "smart1500lcd"), tripplite.DeviceInfo{}, nil)
	battery := tripplite.New(recorder)
	battery.Get(ctx)
	battery.Get(ctx)
	battery.Close()
	file := filepath.Join(os.TempDir(), "two-reads.json")
	defer os.Remove(file)
	recorder.Save(file)

	for reads := range 3 {
		player := tripplitetest.NewPlayer(t, file)
		battery := player.Battery()
		for range reads {
			battery.Get(ctx)
		}
		battery.Close()
		err := player.Close() // which a test that ends does by itself
		fmt.Println(reads, "reads repeat the session:", err == nil)
	}
	// Output:
	// 0 reads repeat the session: false
	// 1 reads repeat the session: false
	// 2 reads repeat the session: true
}
