//go:build e2e && linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/virtualups"
)

func TestUnpluggedInTheMiddleOfARead(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	b := u.open()
	for _, id := range []byte{0x32, 0x18, 0x47} {
		requireGood(t, b)
		u.Fail(func(a virtualups.Answer) virtualups.Answer {
			go u.Unplug()
			a.Never = true
			return a
		}, id)
		start := time.Now()
		state, err := b.Get(t.Context())
		require.ErrorIs(t, err, tripplite.ErrDisconnected, "in report 0x%02x", id)
		assertNoState(t, state)
		assert.Less(t, time.Since(start), transferTimeout()+slack)
		u.Heal()
		require.NoError(t, u.Plug())
	}
}

func TestWhileAUnitIsGoneGetSaysSoAtOnce(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	b := u.open()
	requireGood(t, b)
	u.Unplug()
	awaitGone(t, u.path)
	for range 100 {
		start := time.Now()
		state, err := b.Get(t.Context())
		require.ErrorIs(t, err, tripplite.ErrDisconnected)
		assertNoState(t, state)
		_, err = b.Settings(t.Context())
		require.ErrorIs(t, err, tripplite.ErrDisconnected)
		assert.Less(t, time.Since(start), 500*time.Millisecond)
	}
}

func awaitGone(t *testing.T, path string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join("/sys/bus/usb/devices", path))
		return os.IsNotExist(err)
	}, 5*time.Second, 2*time.Millisecond)
}

func TestAfterAReplugTheNextStateComesWithinTwoSeconds(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	b := u.open()
	requireGood(t, b)
	for _, away := range []time.Duration{0, 100 * time.Millisecond, 3 * time.Second} {
		before := devnum(t, u.path)
		u.Unplug()
		awaitGone(t, u.path)
		for until := time.Now().Add(away); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
			_, err := b.Get(t.Context())
			require.ErrorIs(t, err, tripplite.ErrDisconnected)
		}
		require.NoError(t, u.Plug())
		start := time.Now()
		state, err := b.Get(t.Context())
		for err != nil {
			require.Less(t, time.Since(start), 2*time.Second, "after %v: %v", away, err)
			assertNoState(t, state)
			time.Sleep(5 * time.Millisecond)
			state, err = b.Get(t.Context())
		}
		assert.Equal(t, tripplite.ValueOf(117.2), state.Input.Voltage)
		assert.NotEqual(t, before, devnum(t, u.path), "it came back at another address")
		t.Logf("away for %v: the next State came %v after it was back", away, time.Since(start).Round(time.Millisecond))
	}
}

func devnum(t *testing.T, path string) string {
	t.Helper()
	device, _, _ := strings.Cut(path, ":")
	text, err := os.ReadFile(filepath.Join("/sys/bus/usb/devices", device, "devnum"))
	require.NoError(t, err)
	return string(text)
}

func TestAnotherModelAtTheSamePortIsReadByItsOwnDescriptor(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	b := u.open()
	requireGood(t, b)
	assert.Equal(t, uint16(0x2012), b.Info().ProductID)
	port := portOf(t, u)
	u.Unplug()
	awaitGone(t, u.path)

	other := &unit{UPS: server.Add(load(t, "pro1500rt2u")), t: t}
	t.Cleanup(func() { other.Unplug(); assert.NoError(t, other.Detach()) })
	require.NoError(t, other.Attach(port))
	other.settle()
	require.Equal(t, u.path, other.path)
	require.Eventually(t, func() bool {
		_, err := b.Get(t.Context())
		return tripplite.HasState(err)
	}, 5*time.Second, 10*time.Millisecond)
	assert.JSONEq(t, expected(t, "pro1500rt2u"), asExpected(t, b), "nothing is left of the unit before")
	assert.Equal(t, uint16(0xa0a0), b.Info().ProductID, "and it is noticed")
}

// portOf is the number that the virtual host controller has for the port of a unit.
func portOf(t *testing.T, u *unit) int {
	t.Helper()
	device, _, _ := strings.Cut(u.path, ":")
	var bus, port int
	_, err := fmt.Sscanf(device, "%d-%d", &bus, &port)
	require.NoError(t, err)
	return port - 1 // of the first controller, where all tests attach
}

func TestAUnitAtAnotherPortIsAnotherUnit(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	k := tripplite.NewBank()
	defer k.Close()
	b := u.open()
	requireGood(t, b)
	was := u.path
	require.NoError(t, b.Close())
	require.NoError(t, get(t, k, t.Context())[was].Err)

	u.Unplug()
	awaitGone(t, was)
	require.NoError(t, u.Detach())
	require.NoError(t, u.Attach(portOf(t, u)+3))
	u.settle()
	require.NotEqual(t, was, u.path)
	var readings map[string]tripplite.Reading
	require.Eventually(t, func() bool {
		readings = get(t, k, t.Context())
		return readings[u.path].Err == nil
	}, 5*time.Second, 10*time.Millisecond)
	require.Len(t, readings, 2)
	require.ErrorIs(t, readings[was].Err, tripplite.ErrDisconnected, "the old port is named as lost")
	assertNoState(t, readings[was].State)
	assert.Equal(t, tripplite.ValueOf(117.2), readings[u.path].State.Input.Voltage)

	k.Forget(was)
	assert.Len(t, get(t, k, t.Context()), 1)
}

// long is for what takes a minute or so and finds what only many repetitions show.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("E2E_LONG") == "" {
		t.Skip("takes long: E2E_LONG=1 e2e/run has it, and so does .ci/run")
	}
}

func TestAHundredDropsInARow(t *testing.T) {
	long(t)
	u := attachOne(t, "smart1500lcd")
	b := u.open()
	requireGood(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var before used
	drops, good, losses := 0, 0, 0
	for state, err := range b.Watch(ctx, time.Second) {
		if err != nil {
			require.True(t, isLost(err), err)
			assertNoState(t, state)
			losses++
			require.NoError(t, u.Plug())
			continue
		}
		assert.Equal(t, tripplite.ValueOf(117.2), state.Input.Voltage)
		good++
		if drops == 1 {
			before = resources(t) // with what a Watch needs
		}
		if drops == 100 {
			break
		}
		drops++
		u.Unplug()
	}
	cancel()
	assert.GreaterOrEqual(t, losses, 100)
	t.Logf("%d drops, %d losses told, %d States", drops, losses, good)
	before.assertSame(t)
}

func isLost(err error) bool {
	for _, target := range []error{tripplite.ErrDisconnected, tripplite.ErrPermission, tripplite.ErrBusy} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

func TestAUnitThatDropsWhenNobodyListensIsKeptAlive(t *testing.T) {
	const patience = 700 * time.Millisecond // a 2012 has about 15 s
	u := attachOne(t, "smart1500lcd")
	b := u.open()
	requireGood(t, b)
	before := devnum(t, u.path)
	u.DropWhenUnheard(patience)
	for range 5 {
		time.Sleep(2 * patience) // rarer than the unit's patience: it is the open handle that listens
		state, err := b.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, tripplite.ValueOf(117.2), state.Input.Voltage)
	}
	assert.Equal(t, before, devnum(t, u.path))

	require.NoError(t, b.Close())
	require.Eventually(t, func() bool {
		text, err := os.ReadFile("/sys/bus/usb/devices/" + u.path[:len(u.path)-4] + "/devnum")
		return err != nil || string(text) != before
	}, 10*time.Second, 5*time.Millisecond, "without a listener it drops, or this test shows nothing")
	u.DropWhenUnheard(0)
	require.NoError(t, u.Plug())
}

func TestAnAnnouncedChangeIsYieldedWithinFiftyMilliseconds(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	b := u.open()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var latencies []time.Duration
	var pushed time.Time
	on, off := byte(0x46), byte(0x08)
	status := on
	for state, err := range b.Watch(ctx, time.Hour) {
		require.NoError(t, err)
		ac, known := state.Status.ACPresent.Get()
		require.True(t, known)
		if ac != (status == on) {
			continue
		}
		if !pushed.IsZero() {
			latencies = append(latencies, time.Since(pushed))
		}
		if len(latencies) == 40 {
			break
		}
		time.Sleep(100 * time.Millisecond) // the whole read that follows an announcement is over
		if status = off; !ac {
			status = on
		}
		u.SetReport(capture.Feature, 0x32, status)
		pushed = time.Now()
		u.Push(0x32, status)
	}
	require.Len(t, latencies, 40)
	slices.Sort(latencies)
	t.Logf("from the input report to the State over %s: median %v, 90 %% within %v, the longest %v", transport(),
		latencies[20].Round(10*time.Microsecond), latencies[36].Round(10*time.Microsecond), latencies[39].Round(10*time.Microsecond))
	assert.Less(t, latencies[20], 50*time.Millisecond)
}

func transport() string {
	if overHidapi {
		return "hidapi"
	}
	return "hidraw"
}

func eight(t *testing.T) []*unit {
	t.Helper()
	var captures []*capture.Capture
	for range 8 {
		captures = append(captures, load(t, "smart1500lcd"))
	}
	return attach(t, captures...)
}

func TestABankReadsSideBySide(t *testing.T) {
	units := eight(t)
	for _, u := range units {
		u.SetLatency(5 * time.Millisecond)
	}
	k := tripplite.NewBank()
	defer func() { k.Close() }()
	// A machine that is emulated, and shared, only ever takes longer than it must: the best of a few rounds is the one to judge by.
	var one, all time.Duration
	for range 5 {
		single := units[0].openIn(t)
		requireGood(t, single)
		one = median(func() {
			_, err := single.Get(t.Context())
			require.NoError(t, err)
		})
		require.NoError(t, single.Close())

		get(t, k, t.Context())
		for _, u := range units {
			u.ResetCounts()
		}
		all = median(func() {
			for path, r := range get(t, k, t.Context()) {
				require.NoError(t, r.Err, path)
				assert.Equal(t, tripplite.ValueOf(117.2), r.State.Input.Voltage)
			}
		})
		for _, u := range units {
			assert.Equal(t, 11*medianOf, u.Counts().Transfers(), "looking for new units costs those that are open nothing")
		}
		t.Logf("5 ms for each transfer: Get of one unit %v, of eight %v, %.2f times", one.Round(time.Millisecond), all.Round(time.Millisecond), float64(all)/float64(one))
		if all < one*3/2 {
			break
		}
		require.NoError(t, k.Close())
		k = tripplite.NewBank()
	}
	assert.Less(t, all, one*3/2)
	get(t, k, t.Context())

	units[3].Fail(virtualups.Never)
	ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
	defer cancel()
	start := time.Now()
	good := 0
	for path, r := range get(t, k, ctx) {
		if path == units[3].path {
			require.ErrorIs(t, r.Err, context.DeadlineExceeded)
			assertNoState(t, r.State)
			continue
		}
		require.NoError(t, r.Err, path)
		good++
	}
	assert.Equal(t, 7, good)
	assert.Less(t, time.Since(start), 800*time.Millisecond+100*time.Millisecond)
	units[3].Heal()
}

const medianOf = 9

func median(f func()) time.Duration {
	var took []time.Duration
	for range medianOf {
		start := time.Now()
		f()
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[medianOf/2]
}

func TestCancellingAGetThatHangsReturnsAtOnce(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	b := u.open()
	requireGood(t, b)
	before := resources(t)
	var waits []time.Duration
	for range 3 {
		u.Fail(virtualups.Never, 0x32)
		ctx, cancel := context.WithCancel(t.Context())
		returned := make(chan time.Time, 1)
		go func() {
			_, err := b.Get(ctx)
			returned <- time.Now()
			assert.ErrorIs(t, err, context.Canceled)
		}()
		time.Sleep(100 * time.Millisecond)
		cancelled := time.Now()
		cancel()
		waits = append(waits, (<-returned).Sub(cancelled))
		u.Heal()
		requireGood(t, b)
	}
	slices.Sort(waits)
	t.Logf("from the cancelling to the return: %v", waits)
	assert.Less(t, waits[1], 50*time.Millisecond)
	before.assertSame(t)

	u.Fail(virtualups.Never, 0x32)
	got := make(chan error)
	go func() {
		_, err := b.Get(t.Context())
		got <- err
	}()
	time.Sleep(100 * time.Millisecond)
	start := time.Now()
	require.NoError(t, b.Close())
	assert.Less(t, time.Since(start), time.Second, "whatever the unit does")
	require.ErrorIs(t, <-got, tripplite.ErrClosed)
	u.Heal()
	require.Eventually(t, func() bool { return driverOf(u.path) == "usbhid" }, 40*time.Second, 20*time.Millisecond,
		"the device is closed after the transfer, and the unit is free")
}

func TestUnpluggedAndPluggedInAmidManyReaders(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	b := u.open()
	k := tripplite.NewBank()
	defer k.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	var all sync.WaitGroup
	good := func(state tripplite.State, err error) {
		switch {
		case err == nil:
			assert.Equal(t, tripplite.ValueOf(117.2), state.Input.Voltage)
		case state != tripplite.State{}:
			assert.ErrorAs(t, err, new(*tripplite.PartialError))
			assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
		}
	}
	for range 4 {
		all.Add(1)
		go func() {
			defer all.Done()
			for ctx.Err() == nil {
				good(b.Get(ctx))
				time.Sleep(time.Millisecond)
			}
		}()
	}
	all.Add(2)
	go func() {
		defer all.Done()
		for state, err := range b.Watch(ctx, 20*time.Millisecond) {
			good(state, err)
		}
	}()
	go func() {
		defer all.Done()
		for r := range k.Watch(ctx, 20*time.Millisecond) {
			good(r.State, r.Err)
		}
	}()
	for ctx.Err() == nil {
		time.Sleep(200 * time.Millisecond)
		u.Unplug()
		time.Sleep(50 * time.Millisecond)
		require.NoError(t, u.Plug())
	}
	all.Wait()
	require.NoError(t, k.Close())
	requireGood(t, b)
}

func TestABankWatchesUnitsComeAndGo(t *testing.T) {
	first := attachOne(t, "smart1500lcd")
	k := tripplite.NewBank()
	defer k.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var second *unit
	lostFirst := false
	for r := range k.Watch(ctx, 100*time.Millisecond) {
		switch {
		case r.Info.Path == first.path && r.Err == nil && second == nil:
			second = attachOne(t, "pro1500rt2u")
		case second != nil && r.Info.Path == second.path && tripplite.HasState(r.Err) && !lostFirst:
			assert.Equal(t, tripplite.ValueOf(123.3), r.State.Input.Voltage)
			first.Unplug()
		case r.Info.Path == first.path && r.Err != nil && !lostFirst:
			require.ErrorIs(t, r.Err, tripplite.ErrDisconnected)
			assertNoState(t, r.State)
			lostFirst = true
			require.NoError(t, first.Plug())
		case lostFirst && r.Info.Path == first.path && r.Err == nil:
			assert.Equal(t, tripplite.ValueOf(117.2), r.State.Input.Voltage)
			return
		}
	}
	t.Fatal("the units were not seen to come and go")
}

func TestABankAtPathsWaitsForItsUnitsAndLeavesOthersAlone(t *testing.T) {
	units := attach(t, load(t, "smart1500lcd"), load(t, "pro1500rt2u"))
	other, u := units[0], units[1]
	u.Unplug()
	awaitGone(t, u.path)
	k := tripplite.BankAt([]string{u.path})
	defer k.Close()
	require.ErrorIs(t, get(t, k, t.Context())[u.path].Err, tripplite.ErrNotFound, "never seen")

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	plugged, read := false, false
	for r := range k.Watch(ctx, 100*time.Millisecond) {
		require.Equal(t, u.path, r.Info.Path)
		switch {
		case !plugged:
			require.ErrorIs(t, r.Err, tripplite.ErrNotFound)
			plugged = true
			require.NoError(t, u.Plug())
		case tripplite.HasState(r.Err) && !read:
			assert.Equal(t, tripplite.ValueOf(123.3), r.State.Input.Voltage)
			assert.Equal(t, uint16(0xa0a0), r.Info.ProductID)
			read = true
			u.Unplug()
		case errors.Is(r.Err, tripplite.ErrDisconnected) && read:
			assert.Zero(t, other.Counts().Transfers(), "the other unit")
			return
		}
	}
	t.Fatal("the unit was not seen to come and go")
}

// used is what a process may leak.
type used struct {
	goroutines, threads, files int
	heap                       uint64
}

func resources(t *testing.T) used {
	t.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return used{runtime.NumGoroutine(), len(threads), len(files), memory.HeapAlloc}
}

// assertSame allows the few threads that the Go runtime adds when it likes.
func (before used) assertSame(t *testing.T) {
	t.Helper()
	now := resources(t)
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); now = resources(t) {
		if now.goroutines <= before.goroutines && now.files <= before.files {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	assert.LessOrEqual(t, now.goroutines, before.goroutines, "goroutines")
	assert.LessOrEqual(t, now.files, before.files, "files")
	assert.LessOrEqual(t, now.threads, before.threads+6, "threads")
	assert.Less(t, now.heap, before.heap+8<<20, "heap")
	t.Logf("before %+v, now %+v", before, now)
}

// TestTenThousandReadsUseNoMoreThanTen reads a unit that has three readings only, as a 1007 does, so that it takes a minute less.
func TestTenThousandReadsUseNoMoreThanTen(t *testing.T) {
	long(t)
	c := load(t, "smart1500lcd")
	c.Interfaces[0].Descriptor = []byte{
		0x05, 0x84, 0x09, 0x04, 0xa1, 0x01, 0x09, 0x24, 0xa1, 0x02, // UPS.PowerSummary
		0x15, 0x00, 0x75, 0x01, 0x95, 0x01, 0x25, 0x01, 0x85, 0x32, // one bit each, report 32
		0x09, 0x02, 0xa1, 0x02, 0x09, 0x69, 0xb1, 0x82, 0x05, 0x85, 0x09, 0xd0, 0xb1, 0x82, 0x95, 0x06, 0xb1, 0x03, 0xc0,
		0x75, 0x08, 0x95, 0x01, 0x26, 0xff, 0x00, 0x85, 0x34, 0x09, 0x66, 0xb1, 0x82, // RemainingCapacity
		0xc0, 0xc0,
	}
	units := attach(t, c, c)
	for _, u := range units {
		u.SetReport(capture.Feature, 0x32, 0x02) // no bit that the descriptor has no flag for
	}
	read := func(times int) {
		var all sync.WaitGroup
		for _, u := range units {
			b := u.open()
			all.Add(1)
			go func() {
				defer all.Done()
				for range times {
					state, err := b.Get(t.Context())
					assert.NoError(t, err)
					assert.Equal(t, tripplite.ValueOf(100.0), state.RemainingCapacity)
					assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
				}
				assert.NoError(t, b.Close())
			}()
		}
		all.Wait()
	}
	read(5)
	before := resources(t)
	read(5000)
	before.assertSame(t)

	k := tripplite.NewBank()
	get(t, k, t.Context())
	open := resources(t)
	for range 200 {
		for path, r := range get(t, k, t.Context()) {
			require.NoError(t, r.Err, path)
		}
	}
	open.assertSame(t)
	require.NoError(t, k.Close())
	before.assertSame(t)
}
