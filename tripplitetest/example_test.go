package tripplitetest_test

import (
	"context"
	"errors"
	"log"
	"testing"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

func ExampleNewUPS() {
	var t *testing.T // that of the test
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ups.SetInputVoltage(98.5)
	state, err := ups.Battery().Get(t.Context())
	if err != nil || state.Input.Voltage != tripplite.ValueOf(98.5) {
		t.Errorf("input voltage: %v, %v", state.Input.Voltage, err)
	}
}

// A program that has to work with every model is tested with every model.
func ExampleCaptures() {
	var t *testing.T // that of the test
	for _, name := range tripplitetest.Captures() {
		ups := tripplitetest.NewUPS(t, name)
		ups.PowerFailure()
		state, err := ups.Battery().Get(t.Context())
		if onBattery, _ := state.OnBattery(); !onBattery {
			t.Errorf("%s: on line power: %v", name, err)
		}
	}
}

// A Watch shows a power failure twice: as the unit announces it, and in the whole State that is
// read then.
func ExampleUPS_PowerFailure() {
	var t *testing.T // that of the test
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	for state := range ups.Battery().Watch(t.Context(), time.Hour) {
		switch {
		case state.Status.ACPresent.Or(false):
			ups.PowerFailure()
		case !state.Announced:
			return
		}
	}
}

// Set reaches every reading that the unit has, by its key.
func ExampleUPS_Set() {
	var t *testing.T // that of the test
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ups.Set("controls.watchdog", 90)
	settings, err := ups.Battery().Settings(t.Context())
	if settings.Watchdog != tripplite.ValueOf(90*time.Second) {
		t.Errorf("watchdog: %v, %v", settings.Watchdog, err)
	}
}

// A report that fails is missing from the State. The rest of the State is good.
func ExampleUPS_FailReport() {
	var t *testing.T // that of the test
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ups.FailReport(0x1e, errors.New("no answer")) // the load
	state, err := ups.Battery().Get(t.Context())
	if !tripplite.HasState(err) || !state.Output.PercentLoad.IsZero() {
		t.Errorf("load: %v, %v", state.Output.PercentLoad, err)
	}
}

// Units have been seen to answer so when they do not measure their load.
func ExampleUPS_AnswerReport() {
	var t *testing.T // that of the test
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ups.AnswerReport(0x1e, 0x1e, 0xff)
	state, err := ups.Battery().Get(t.Context())
	if err != nil || !state.Output.PercentLoad.IsZero() {
		t.Errorf("load: %v, %v", state.Output.PercentLoad, err)
	}
}

// A program that reads several units is tested with a Bank of them.
func ExampleNewBank() {
	var t *testing.T // that of the test
	rack, desk := tripplitetest.NewUPS(t, "pro1500rt2u"), tripplitetest.NewUPS(t, "smart1500lcd")
	rack.Info.Path, desk.Info.Path = "1-1:1.0", "1-2:1.0"
	bank := tripplitetest.NewBank(t, rack, desk)
	desk.Unplug()
	readings, err := bank.Get(t.Context())
	if err != nil || !errors.Is(readings[1].Err, tripplite.ErrDisconnected) {
		t.Errorf("%v, %v", readings, err)
	}
}

// A session is recorded once, with any Device.
func ExampleNewRecorder() {
	var dev tripplite.Device      // an open one
	var info tripplite.DeviceInfo // what it is
	recorder := tripplitetest.NewRecorder(dev, info, nil)
	b := tripplite.New(recorder, tripplite.WithDeviceInfo(info))
	b.Get(context.Background())
	b.Close()
	if err := recorder.Save("testdata/one-read.json"); err != nil {
		log.Fatal(err)
	}
}

// A recorded session is repeated in a test, which fails unless the program does the same.
func ExampleNewPlayer() {
	var t *testing.T // that of the test
	player := tripplitetest.NewPlayer(t, "testdata/one-read.json")
	player.Battery().Get(t.Context())
}
