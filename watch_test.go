package tripplite

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// yielded is one turn of a Watch.
type yielded struct {
	state State
	err   error
}

// watch runs a Watch in the background until the test ends.
func watch(t *testing.T, b *Battery, every time.Duration) <-chan yielded {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	turns := make(chan yielded)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for state, err := range b.Watch(ctx, every) {
			select {
			case turns <- yielded{state, err}:
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return turns
}

func next(t *testing.T, turns <-chan yielded) yielded {
	t.Helper()
	select {
	case turn := <-turns:
		return turn
	case <-time.After(5 * time.Second):
		t.Fatal("Watch yields nothing")
		return yielded{}
	}
}

func quiet(t *testing.T, turns <-chan yielded) {
	t.Helper()
	select {
	case turn := <-turns:
		t.Fatalf("Watch yielded %+v", turn)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestWatchYieldsNowAndEveryInterval(t *testing.T) {
	b, _ := open(t, "smart1500lcd")
	turns := watch(t, b, 20*time.Millisecond)
	var last time.Time
	for range 3 {
		turn := next(t, turns)
		require.NoError(t, turn.err)
		assert.Equal(t, ValueOf(117.2), turn.state.Input.Voltage)
		assert.True(t, turn.state.Time.After(last), "each time it has been read anew")
		last = turn.state.Time
	}
}

func TestWatchYieldsAnAnnouncedChangeAtOnce(t *testing.T) {
	for name, descriptor := range map[string]Option{
		"by the descriptor": func(*Battery) {},
		"by the table":      WithReportDescriptor(nil),
	} {
		t.Run(name, func(t *testing.T) {
			b, ups := open(t, "smart1500lcd", descriptor)
			turns := watch(t, b, time.Hour)
			require.NoError(t, next(t, turns).err)

			// Mains fails: ShutdownImminent 0, ACPresent 0, Charging 0, Discharging 1 (the one-byte layout of a 2012).
			ups.Set(0x18, 0x00, 0x00)
			ups.Set(0x32, 0x08)
			ups.Push(0x32, 0x08)
			announced := next(t, turns)
			require.NoError(t, announced.err)
			assert.Equal(t, ValueOf(false), announced.state.Status.ACPresent)
			assert.Equal(t, ValueOf(true), announced.state.Status.Discharging)
			assert.Equal(t, ValueOf(117.2), announced.state.Input.Voltage, "as it was last read")
			whole := next(t, turns)
			require.NoError(t, whole.err)
			assert.Equal(t, ValueOf(false), whole.state.Status.ACPresent)
			assert.Equal(t, ValueOf(0.0), whole.state.Input.Voltage, "zero on battery is a true reading")

			ups.Set(0x35, 0x2c, 0x01)
			ups.Push(0x35, 0x2c, 0x01, 0xde, 0xad) // host buffer garbage behind the report
			assert.Equal(t, ValueOf(300*time.Second), next(t, turns).state.RunTimeToEmpty)
			quiet(t, turns)
		})
	}
}

func TestWatchIgnoresWhatAnnouncesNothingNew(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	ups.Push(0x32, 0x08) // announced before anybody watched: older than what is read now
	turns := watch(t, b, time.Hour)
	assert.Equal(t, ValueOf(true), next(t, turns).state.Status.ACPresent)
	for name, report := range map[string][]byte{
		"no change":      {0x32, 0x62},
		"a short report": {0x32},
		"an unknown one": {0x77, 0x08},
		"an empty one":   {},
	} {
		t.Log(name)
		ups.Push(report...)
		quiet(t, turns)
	}
}

func TestAnAnnouncedValueThatIsNoneTakesTheOldOneAway(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	turns := watch(t, b, time.Hour)
	assert.Equal(t, ValueOf(100.0), next(t, turns).state.RemainingCapacity)
	ups.Push(0x34, 0xff)
	assert.Equal(t, Value[float64]{}, next(t, turns).state.RemainingCapacity)
}

func TestAnAnnouncementOlderThanTheStateIsNotApplied(t *testing.T) {
	at := time.Now()
	last := State{Time: at}
	flags := entry{id: 0x32, bytes: 1, readings: layoutOf(0x32, 1)}
	state, changed := announcement{at.Add(-time.Millisecond), &flags, []byte{0x08}}.apply(last)
	assert.False(t, changed)
	assert.Equal(t, last, state)
}

func TestWatchSurvivesADrop(t *testing.T) {
	var plugged atomic.Pointer[fakeUPS]
	b := twin(t, func() (hid.Device, []byte, error) {
		if plugged.Load() == nil {
			return nil, nil, ErrDisconnected
		}
		_, descriptor := newFakeUPS(t, "smart1500lcd")
		return plugged.Load(), descriptor, nil
	})
	ups, _ := newFakeUPS(t, "smart1500lcd")
	plugged.Store(ups)
	turns := watch(t, b, 20*time.Millisecond)
	require.NoError(t, next(t, turns).err)

	plugged.Store(nil)
	ups.setGone(true)
	turn := next(t, turns)
	for turn.err == nil { // read before it was gone
		turn = next(t, turns)
	}
	require.ErrorIs(t, turn.err, ErrDisconnected)
	assert.Zero(t, turn.state)
	quiet(t, turns) // the error comes once

	again, _ := newFakeUPS(t, "smart1500lcd")
	plugged.Store(again)
	turn = next(t, turns)
	require.NoError(t, turn.err)
	assert.Equal(t, ValueOf(117.2), turn.state.Input.Voltage)
}

func TestWatchNoticesTheEndOfTheDeviceBeforeTheInterval(t *testing.T) {
	// hidapi's read fails at once when the unit is unplugged; that is the fake's Close here.
	var opened atomic.Int32
	ups, descriptor := newFakeUPS(t, "smart1500lcd")
	b := twin(t, func() (hid.Device, []byte, error) {
		if opened.Add(1) > 1 {
			return nil, nil, ErrDisconnected
		}
		return ups, descriptor, nil
	})
	turns := watch(t, b, time.Hour)
	require.NoError(t, next(t, turns).err)
	ups.setGone(true)
	ups.Device.Close()
	require.ErrorIs(t, next(t, turns).err, ErrDisconnected)
}

func TestWatchGoesOnHearingWhenOnlyTheInputReportsFailed(t *testing.T) {
	// The unit answers as ever, so that no Get fails; announcements must not be lost for that.
	var opened []*fakeUPS
	b := twin(t, func() (hid.Device, []byte, error) {
		ups, descriptor := newFakeUPS(t, "smart1500lcd")
		opened = append(opened, ups)
		return &deafUPS{fakeUPS: ups, deaf: len(opened) == 1}, descriptor, nil
	})
	turns := watch(t, b, time.Hour)
	for turn := next(t, turns); ; turn = next(t, turns) {
		if turn.err != nil {
			require.ErrorIs(t, turn.err, ErrDisconnected)
			break
		}
	}
	require.NoError(t, next(t, turns).err, "opened anew")
	require.Len(t, opened, 2)
	opened[1].Set(0x32, 0x08)
	opened[1].Push(0x32, 0x08)
	assert.Equal(t, ValueOf(false), next(t, turns).state.Status.ACPresent)
}

// deafUPS is a unit whose input reports cannot be read.
type deafUPS struct {
	*fakeUPS
	deaf bool
}

func (u *deafUPS) ReadTimeout(b []byte, milliseconds int) (int, error) {
	if u.deaf && milliseconds > 0 {
		return 0, errTransfer
	}
	return u.fakeUPS.ReadTimeout(b, milliseconds)
}

func TestABankOfGivenUnitsTakesUpNoOthers(t *testing.T) {
	first, _ := open(t, "smart1500lcd")
	second, _ := open(t, "pro1500rt2u", WithDeviceInfo(DeviceInfo{Path: "1-2:1.0", VendorID: 0x05dd, ProductID: 0xa0a0}))
	k := BankOf(first, second)
	readings, err := k.Get(t.Context())
	require.NoError(t, err)
	require.Len(t, readings, 2)
	assert.Equal(t, "1-1:1.0", readings[0].Info.Path)
	assert.Equal(t, "Delta/Minuteman", readings[1].Info.Family)
	require.NoError(t, readings[1].Err)
	require.NoError(t, k.Close())
	_, err = first.Get(t.Context())
	require.ErrorIs(t, err, ErrClosed)
}

func TestWatchYieldsAReasonThatChanges(t *testing.T) {
	causes := []error{ErrDisconnected, ErrDisconnected, ErrPermission, ErrBusy}
	b := twin(t, func() (hid.Device, []byte, error) {
		cause := causes[0]
		if len(causes) > 1 {
			causes = causes[1:]
		}
		return nil, nil, cause
	})
	turns := watch(t, b, time.Millisecond)
	require.ErrorIs(t, next(t, turns).err, ErrDisconnected)
	require.ErrorIs(t, next(t, turns).err, ErrPermission)
	require.ErrorIs(t, next(t, turns).err, ErrBusy)
}

func TestWatchYieldsPartialStates(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	turns := watch(t, b, 20*time.Millisecond)
	require.NoError(t, next(t, turns).err)
	ups.fail(0x18, stall)
	for {
		turn := next(t, turns)
		if turn.err == nil {
			continue
		}
		require.ErrorAs(t, turn.err, new(*PartialError))
		assert.Equal(t, ValueOf(true), turn.state.Status.ACPresent)
		return
	}
}

func TestWatchEndsWithTheLoop(t *testing.T) {
	b, _ := open(t, "smart1500lcd")
	for range b.Watch(t.Context(), time.Millisecond) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, err := range b.Watch(ctx, time.Hour) {
		require.NoError(t, err)
		cancel()
	}
	_, err := b.Get(t.Context())
	require.NoError(t, err, "and the Battery goes on")
}

func TestSeveralWatchesOfOneBattery(t *testing.T) {
	b, ups := open(t, "smart1500lcd")
	first, second := watch(t, b, time.Hour), watch(t, b, time.Hour)
	require.NoError(t, next(t, first).err)
	require.NoError(t, next(t, second).err)
	ups.Set(0x32, 0x08)
	ups.Push(0x32, 0x08)
	assert.Equal(t, ValueOf(false), next(t, first).state.Status.ACPresent)
	assert.Equal(t, ValueOf(false), next(t, second).state.Status.ACPresent)
}

// bankOf makes a Bank over fake units, of which those in the map are attached.
func bankOf(t *testing.T, attached func() map[string]*fakeUPS) *Bank {
	t.Helper()
	_, descriptor := newFakeUPS(t, "smart1500lcd")
	k := NewBank()
	k.list = func(func(string) bool) (devices []DeviceInfo, err error) {
		for path := range attached() {
			devices = append(devices, DeviceInfo{Path: path})
		}
		return devices, nil
	}
	k.open = func(info DeviceInfo, opts []Option) *Battery {
		b := newBatteryAt(info, opts)
		b.reopen = func() (hid.Device, []byte, error) {
			if ups := attached()[info.Path]; ups != nil {
				return ups, descriptor, nil
			}
			return nil, nil, ErrDisconnected
		}
		go b.work()
		return b
	}
	t.Cleanup(func() { assert.NoError(t, k.Close()) })
	return k
}

func units(t *testing.T, paths ...string) map[string]*fakeUPS {
	t.Helper()
	all := map[string]*fakeUPS{}
	for _, path := range paths {
		all[path], _ = newFakeUPS(t, "smart1500lcd")
	}
	return all
}

func TestABankReadsEveryUnitInOrder(t *testing.T) {
	attached := units(t, "9-10:1.0", "9-2:1.0", "9-1:1.0")
	k := bankOf(t, func() map[string]*fakeUPS { return attached })
	readings, err := k.Get(t.Context())
	require.NoError(t, err)
	require.Len(t, readings, 3)
	for i, path := range []string{"9-1:1.0", "9-2:1.0", "9-10:1.0"} {
		assert.Equal(t, path, readings[i].Info.Path)
		require.NoError(t, readings[i].Err)
		assert.Equal(t, path, readings[i].State.Path)
		assert.Equal(t, ValueOf(117.2), readings[i].State.Input.Voltage)
	}
}

func TestABankTakesUpNewUnitsAndNamesLostOnes(t *testing.T) {
	attached := units(t, "9-1:1.0", "9-2:1.0")
	k := bankOf(t, func() map[string]*fakeUPS { return attached })
	_, err := k.Get(t.Context())
	require.NoError(t, err)

	attached["9-1:1.0"].setGone(true)
	delete(attached, "9-1:1.0")
	attached["9-3:1.0"] = units(t, "9-3:1.0")["9-3:1.0"]
	for range 2 {
		readings, err := k.Get(t.Context())
		require.NoError(t, err)
		require.Len(t, readings, 3)
		assert.Equal(t, "9-1:1.0", readings[0].Info.Path)
		require.ErrorIs(t, readings[0].Err, ErrDisconnected)
		assert.Zero(t, readings[0].State)
		require.NoError(t, readings[1].Err)
		require.NoError(t, readings[2].Err)
	}

	k.Forget("9-1:1.0")
	k.Forget("9-1:1.0")
	readings, err := k.Get(t.Context())
	require.NoError(t, err)
	assert.Len(t, readings, 2)
}

func TestAHangingUnitDoesNotSpoilTheOthers(t *testing.T) {
	attached := units(t, "9-1:1.0", "9-2:1.0", "9-3:1.0")
	answer, hanging, letGo := hang()
	defer letGo()
	attached["9-2:1.0"].fail(0x32, answer)
	k := bankOf(t, func() map[string]*fakeUPS { return attached })

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-hanging
		for { // the others have been read by now, or will be
			if a, _ := attached["9-1:1.0"].transfers(); a > 0 {
				time.Sleep(50 * time.Millisecond)
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	readings, err := k.Get(ctx)
	require.NoError(t, err)
	require.Len(t, readings, 3)
	require.NoError(t, readings[0].Err)
	require.ErrorIs(t, readings[1].Err, context.Canceled)
	assert.Zero(t, readings[1].State)
	require.NoError(t, readings[2].Err)
}

func TestABankWatchesEveryUnit(t *testing.T) {
	attached := units(t, "9-1:1.0", "9-2:1.0")
	k := bankOf(t, func() map[string]*fakeUPS { return attached })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	seen := map[string]int{}
	lost := false
	for reading := range k.Watch(ctx, 10*time.Millisecond) {
		path := reading.Info.Path
		if reading.Err != nil {
			require.ErrorIs(t, reading.Err, ErrDisconnected)
			assert.Equal(t, "9-2:1.0", path)
			assert.Zero(t, reading.State)
			assert.False(t, lost, "a loss is told once")
			lost = true
			continue
		}
		assert.Equal(t, ValueOf(117.2), reading.State.Input.Voltage)
		seen[path]++
		if seen["9-2:1.0"] == 2 && !lost {
			attached["9-2:1.0"].setGone(true)
		}
		if lost && seen["9-1:1.0"] > 5 {
			break
		}
	}
	assert.True(t, lost)
	require.NoError(t, ctx.Err())
}

func TestABankThatIsClosedSaysSo(t *testing.T) {
	attached := units(t, "9-1:1.0")
	k := bankOf(t, func() map[string]*fakeUPS { return attached })
	_, err := k.Get(t.Context())
	require.NoError(t, err)
	require.NoError(t, k.Close())
	require.NoError(t, k.Close())
	assert.Equal(t, 1, attached["9-1:1.0"].closed)
	_, err = k.Get(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	for reading := range k.Watch(t.Context(), time.Hour) {
		require.ErrorIs(t, reading.Err, ErrClosed)
	}
}

func TestABankThatCannotListSaysWhy(t *testing.T) {
	k := NewBank()
	k.list = func(func(string) bool) ([]DeviceInfo, error) { return nil, errors.New("no list") }
	_, err := k.Get(t.Context())
	require.EqualError(t, err, "no list")
	for reading := range k.Watch(t.Context(), time.Hour) {
		require.EqualError(t, reading.Err, "no list")
	}
}
