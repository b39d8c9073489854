//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/virtualups"
)

func TestThreeProgramsShareAUnit(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	before := devnum(t, u.path)
	e := startExporter(t)
	lines, interrupt := follow(t, "--every", "200ms")
	// Many plain tools come and go meanwhile, one of them by SIGKILL.
	for n := range 10 {
		if n == 5 {
			killed := exec.Command("tripplite", "watch")
			output, err := killed.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, killed.Start())
			_, err = output.Read(make([]byte, 1))
			require.NoError(t, err, "it holds the unit")
			require.NoError(t, killed.Process.Kill())
			_ = killed.Wait()
			require.Equal(t, "usbhid", driverOf(u.path))
		}
		var object map[string]any
		require.NoError(t, json.Unmarshal([]byte(said(t)), &object))
		assert.Equal(t, 117.2, object["input"].(map[string]any)["voltage"])
		shown, _ := e.scrape(5 * time.Second)
		assert.Equal(t, "1", shown[u.path]["tripplite_up"])
		assert.Equal(t, "117.2", shown[u.path]["tripplite_input_volts"])
	}

	fails(u) // each program hears of it by itself
	for {
		var object map[string]any
		require.NoError(t, json.Unmarshal([]byte(nextLine(t, lines)), &object))
		require.Nil(t, object["error"], "nobody was disturbed")
		if object["status"].(map[string]any)["ac present"] == false {
			break
		}
	}
	shown, _ := e.scrape(5 * time.Second)
	assert.Equal(t, "0", shown[u.path]["tripplite_status ac_present"])
	assert.Zero(t, interrupt())
	shown, _ = e.scrape(5 * time.Second)
	assert.Equal(t, "1", shown[u.path]["tripplite_up"], "the others go on")
	assert.Equal(t, before, devnum(t, u.path))
	require.NoError(t, e.command.Process.Signal(syscall.SIGTERM))
	require.NoError(t, e.command.Wait())
	assert.Equal(t, "usbhid", driverOf(u.path))
}

func TestWhatIsAnnouncedWhileTheProgramIsStoppedIsNotNews(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	command := exec.Command("tripplite", "watch", "--every", "1h", "--format", "json")
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { command.Process.Kill(); command.Wait() })
	decoder := json.NewDecoder(output)
	next := func() (object map[string]any) {
		require.NoError(t, decoder.Decode(&object))
		return object
	}
	require.Equal(t, true, next()["status"].(map[string]any)["ac present"])

	require.NoError(t, command.Process.Signal(syscall.SIGSTOP))
	fails(u)
	time.Sleep(3 * time.Second)
	returns(u)
	require.NoError(t, command.Process.Signal(syscall.SIGCONT))
	time.Sleep(3 * time.Second)
	u.SetReport(capture.Feature, 0x34, 0x37) // something to end the test with
	u.Push(0x34, 0x37)
	for {
		object := next()
		require.Equal(t, true, object["status"].(map[string]any)["ac present"], "line power is long back: %v", object)
		if object["health"] == 55.0 {
			return
		}
	}
}

// stepClock moves the system's wall clock until the test ends.
func stepClock(t *testing.T, by time.Duration) {
	t.Helper()
	needVM(t)
	set := func(by time.Duration) {
		var now syscall.Timeval
		require.NoError(t, syscall.Gettimeofday(&now))
		now.Sec += int64(by / time.Second)
		require.NoError(t, syscall.Settimeofday(&now))
	}
	set(by)
	t.Cleanup(func() { set(-by) })
}

func TestAfterTheClockStepsAWatchGoesOnAndCloses(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, time.Hour} {
		u := attachOne(t, "smart1500lcd")
		b := u.open()
		turns := make(chan tripplite.State, 100)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for state := range b.Watch(t.Context(), time.Hour) {
				turns <- state
			}
		}()
		require.Equal(t, tripplite.ValueOf(true), (<-turns).Status.ACPresent)
		stepClock(t, step)
		time.Sleep(2 * time.Second)
		fails(u)
		start := time.Now()
		for state := range turns {
			if ac, known := state.Status.ACPresent.Get(); known && !ac {
				break
			}
		}
		assert.Less(t, time.Since(start), slack)
		start = time.Now()
		require.NoError(t, b.Close())
		assert.Less(t, time.Since(start), time.Second)
		<-done
		unplug(t, []*unit{u})
	}
}

func TestAHangingUnitDelaysNoOther(t *testing.T) {
	units := attach(t, load(t, "smart1500lcd"), load(t, "smart1500lcd"))
	healthy, hanging := units[0], units[1]
	k := tripplite.NewBank()
	watches := map[string]chan tripplite.Reading{healthy.path: make(chan tripplite.Reading, 1000), hanging.path: make(chan tripplite.Reading, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r := range k.Watch(t.Context(), 100*time.Millisecond) {
			if c := watches[r.Info.Path]; c != nil {
				c <- r
			}
		}
	}()
	require.NoError(t, (<-watches[healthy.path]).Err)
	require.NoError(t, (<-watches[hanging.path]).Err)
	hanging.Fail(virtualups.Never)
	hung := time.Now()
	for r := range watches[hanging.path] {
		if r.Err != nil {
			require.ErrorIs(t, r.Err, tripplite.ErrDisconnected)
			assertNoState(t, r.State)
			break
		}
	}
	assert.Less(t, time.Since(hung), 3*time.Second+slack, "it is lost within the time of a read")
	for len(watches[healthy.path]) > 0 {
		r := <-watches[healthy.path]
		require.NoError(t, r.Err)
	}
	last := <-watches[healthy.path]
	require.NoError(t, last.Err)
	assert.Less(t, time.Since(last.State.Time), time.Second)

	start := time.Now()
	require.NoError(t, k.Close())
	assert.Less(t, time.Since(start), time.Second, "whatever the unit does")
	<-done
	hanging.Heal()
}

func TestAHalfDeadUnitDelaysNoOther(t *testing.T) {
	healthy := attachOne(t, "smart1500lcd")
	single := healthy.openIn(t)
	requireGood(t, single)
	alone := median(func() { requireGood(t, single) })

	dead := &unit{UPS: server.Add(load(t, "smart1500lcd")), t: t}
	dead.Interfaces[0].HangDescriptor()
	t.Cleanup(func() {
		dead.Unplug()
		assert.NoError(t, dead.Detach())
	})
	attached := make(chan error, 1)
	go func() { attached <- dead.Attach(-1) }()
	k := tripplite.NewBank()
	defer k.Close()
	// usbhid's probing holds the kernel's lock of that device for about twenty seconds.
	listed, slowest := false, time.Duration(0)
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		start := time.Now()
		devices, err := tripplite.Devices()
		require.NoError(t, err)
		listed = listed || len(devices) == 2
		assert.Less(t, time.Since(start), time.Second, "listing waits for no device")

		start = time.Now()
		state, err := single.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, tripplite.ValueOf(117.2), state.Input.Voltage)
		slowest = max(slowest, time.Since(start))
	}
	assert.True(t, listed, "it is listed, without its strings")
	t.Logf("a Get of the healthy unit: %v alone, %v at most beside the half-dead one", alone, slowest)
	assert.Less(t, slowest, time.Second)

	ran := tool(t, nil, "tripplite", "get", "input.voltage", "--path", healthy.path)
	assert.Equal(t, "117.2", strings.TrimSpace(ran.stdout), ran.stderr)
	<-attached
}

func TestAFailureDuringASlowReadIsPassedOnAtOnce(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	u.SetLatency(20 * time.Millisecond)
	b := u.open()
	var latest []time.Duration
	for n := range 40 {
		turns := make(chan tripplite.State, 100)
		done := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		go func() {
			defer close(done)
			for state, err := range b.Watch(ctx, 10*time.Millisecond) { // reads all the time
				assert.NoError(t, err)
				turns <- state
			}
		}()
		<-turns
		time.Sleep(time.Duration(n) * 11 * time.Millisecond)
		failed := time.Now()
		fails(u)
		for state := range turns {
			if ac, known := state.Status.ACPresent.Get(); known && !ac {
				latest = append(latest, time.Since(failed))
				break
			}
		}
		cancel()
		<-done
		returns(u)
		requireGood(t, b)
	}
	t.Logf("from the input report to the State, with 20 ms a transfer: %v", latest)
	for _, took := range latest {
		assert.Less(t, took, 200*time.Millisecond, "none waits for the read under way")
	}
}
