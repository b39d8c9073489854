package tripplite

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/usb"
)

// bankOn makes a Bank of the units of a host.
func bankOn(t testing.TB, h host) *Bank {
	t.Helper()
	k := NewBank(withHost(h))
	t.Cleanup(func() { assert.NoError(t, k.Close()) })
	return k
}

func units(t testing.TB, paths ...string) map[string]*fakeUPS {
	t.Helper()
	all := map[string]*fakeUPS{}
	for _, path := range paths {
		all[path] = fakes(t, "smart1500lcd")
	}
	return all
}

func TestABankReadsEveryUnitInOrder(t *testing.T) {
	k := bankOn(t, newFakeHost(units(t, "9-10:1.0", "9-2:1.0", "9-1:1.0")))
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
	h := newFakeHost(units(t, "9-1:1.0", "9-2:1.0"))
	k := bankOn(t, h)
	_, err := k.Get(t.Context())
	require.NoError(t, err)

	h.unplug("9-2:1.0")
	h.plug("8-1:1.0", fakes(t, "smart1500lcd"))
	for range 2 {
		readings, err := k.Get(t.Context())
		require.NoError(t, err)
		require.Len(t, readings, 3)
		assert.Equal(t, "8-1:1.0", readings[0].Info.Path, "wherever it was plugged in")
		require.NoError(t, readings[0].Err)
		require.NoError(t, readings[1].Err)
		assert.Equal(t, "9-2:1.0", readings[2].Info.Path)
		require.ErrorIs(t, readings[2].Err, ErrDisconnected)
		assert.Zero(t, readings[2].State)
	}

	k.Forget("9-2:1.0")
	k.Forget("9-2:1.0")
	readings, err := k.Get(t.Context())
	require.NoError(t, err)
	assert.Len(t, readings, 2)
}

// portsHost is a computer that notes at which ports it was last asked for units.
type portsHost struct {
	*fakeHost
	wanted func(port string) bool
}

func (h *portsHost) List(ids []usb.ID, wanted func(port string) bool) ([]usb.Interface, error) {
	h.wanted = wanted
	return h.fakeHost.List(ids, wanted)
}

func TestABankLooksForUnitsAtThePortsWithoutAnOpenOne(t *testing.T) {
	h := &portsHost{fakeHost: newFakeHost(units(t, "9-1:1.0"))}
	k := bankOn(t, h)
	for range 2 {
		_, err := k.Get(t.Context())
		require.NoError(t, err)
	}
	assert.False(t, h.wanted("9-1"), "a unit in use is not disturbed")
	assert.True(t, h.wanted("9-2"))

	h.unplug("9-1:1.0")
	for range 2 {
		readings, err := k.Get(t.Context())
		require.NoError(t, err)
		require.ErrorIs(t, readings[0].Err, ErrDisconnected)
	}
	assert.True(t, h.wanted("9-1"), "another unit may be there, with another interface")
}

func TestABankOfGivenUnitsTakesUpNoOthers(t *testing.T) {
	first, _ := open(t, "smart1500lcd")
	second, _ := open(t, "pro1500rt2u", WithDeviceInfo(DeviceInfo{Path: "1-2:1.0", VendorID: 0x05dd, ProductID: 0xa0a0}))
	given := []*Battery{second, first}
	k := BankOf(given...)
	readings, err := k.Get(t.Context())
	require.NoError(t, err)
	require.Len(t, readings, 2)
	assert.Equal(t, "1-1:1.0", readings[0].Info.Path)
	assert.Equal(t, "Delta/Minuteman", readings[1].Info.Family)
	assert.Equal(t, ValueOf(true), readings[1].State.Status.ACPresent)
	assert.Same(t, second, given[0], "the list of the caller stays as it is")
	require.NoError(t, k.Close())
	_, err = first.Get(t.Context())
	require.ErrorIs(t, err, ErrClosed)
}

func TestABankOfUnitsWithoutAPathLosesNone(t *testing.T) {
	first, _ := open(t, "smart1500lcd", WithDeviceInfo(DeviceInfo{}))
	second, _ := open(t, "pro1500rt2u", WithDeviceInfo(DeviceInfo{}))
	readings, err := BankOf(first, second).Get(t.Context())
	require.NoError(t, err)
	require.Len(t, readings, 2)
	assert.NotEqual(t, readings[0].State.Config, readings[1].State.Config)
}

func TestABankAtPathsWaitsForItsUnitsAndLeavesOthersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost(units(t, "9-1:1.0"))
		k := BankAt([]string{"9-9:1.0", "9-8:1.0", "9-9:1.0"}, withHost(h))
		defer k.Close()
		readings, err := k.Get(t.Context())
		require.NoError(t, err)
		require.Len(t, readings, 2)
		assert.Equal(t, "9-8:1.0", readings[0].Info.Path)
		for _, r := range readings {
			require.ErrorIs(t, r.Err, ErrNotFound)
		}
		require.EqualError(t, readings[1].Err,
			"open 9-9:1.0: no Tripp Lite UPS found: check the USB cable, and that lsusb shows the unit")
		h.plug("9-9:1.0", fakes(t, "smart1500lcd"))
		readings, err = k.Get(t.Context())
		require.NoError(t, err)
		require.NoError(t, readings[1].Err)
		assert.Zero(t, h.units["9-1:1.0"].closes())
		assert.Equal(t, 1, h.opened())
	})
}

func TestAHangingUnitDoesNotSpoilTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attached := units(t, "9-1:1.0", "9-2:1.0", "9-3:1.0")
		answer, _, letGo := hang()
		attached["9-2:1.0"].fail(0x32, answer)
		k := bankOn(t, newFakeHost(attached))
		t.Cleanup(letGo)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		readings, err := k.Get(ctx)
		require.NoError(t, err)
		assert.Equal(t, time.Second, time.Since(start))
		require.Len(t, readings, 3)
		require.NoError(t, readings[0].Err)
		require.ErrorIs(t, readings[1].Err, context.DeadlineExceeded)
		assert.Zero(t, readings[1].State)
		require.NoError(t, readings[2].Err)
		start = time.Now()
		require.NoError(t, k.Close())
		assert.LessOrEqual(t, time.Since(start), time.Second)
	})
}

func TestABankWatchesEveryUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost(units(t, "9-1:1.0", "9-2:1.0"))
		k := bankOn(t, h)
		start, seen, lost := time.Now(), map[string]int{}, 0
		for r := range k.Watch(t.Context(), 10*time.Second) {
			path := r.Info.Path
			if r.Err != nil {
				require.ErrorIs(t, r.Err, ErrDisconnected)
				assert.Equal(t, "9-2:1.0", path)
				assert.Zero(t, r.State)
				lost++
				continue
			}
			assert.Equal(t, ValueOf(117.2), r.State.Input.Voltage)
			if seen[path]++; path == "9-2:1.0" && seen[path] == 2 {
				h.unplug(path)
				h.plug("9-3:1.0", fakes(t, "smart1500lcd"))
			}
			if time.Since(start) > time.Minute {
				break
			}
		}
		assert.Equal(t, 1, lost, "a loss is told once")
		assert.Equal(t, 2, seen["9-2:1.0"])
		assert.GreaterOrEqual(t, seen["9-1:1.0"], 6)
		assert.GreaterOrEqual(t, seen["9-3:1.0"], 5, "plugged in while the loop goes on")
	})
}

func TestASlowLoopOverABankGetsTheLatestOfEachUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := bankOn(t, newFakeHost(units(t, "9-1:1.0", "9-2:1.0")))
		seen, n := map[string]int{}, 0
		for r := range k.Watch(t.Context(), 100*time.Millisecond) {
			require.NoError(t, r.Err)
			assert.LessOrEqual(t, time.Since(r.State.Time), 200*time.Millisecond)
			seen[r.Info.Path]++
			time.Sleep(3 * time.Second)
			if n++; n == 10 {
				break
			}
		}
		assert.Equal(t, map[string]int{"9-1:1.0": 5, "9-2:1.0": 5}, seen, "each in its turn")
	})
}

func TestABankThatIsClosedSaysSo(t *testing.T) {
	attached := units(t, "9-1:1.0")
	k := bankOn(t, newFakeHost(attached))
	_, err := k.Get(t.Context())
	require.NoError(t, err)
	require.NoError(t, k.Close())
	require.NoError(t, k.Close())
	assert.Equal(t, 1, attached["9-1:1.0"].closes())
	_, err = k.Get(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	readings := slices.Collect(k.Watch(t.Context(), time.Hour))
	require.Len(t, readings, 1)
	require.ErrorIs(t, readings[0].Err, ErrClosed)
}

func TestABankThatIsClosedEndsItsWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := bankOn(t, newFakeHost(units(t, "9-1:1.0")))
		var last Reading
		for r := range k.Watch(t.Context(), time.Hour) {
			if last = r; r.Err == nil {
				k.Close()
			}
		}
		require.ErrorIs(t, last.Err, ErrClosed)
	})
}

func TestABankGoesOnWhileUnitsCannotBeListed(t *testing.T) {
	h := newFakeHost(units(t, "9-1:1.0"))
	logger, logged := journal()
	k := NewBank(withHost(h), logger)
	defer k.Close()
	for n, fails := range []error{nil, errors.New("no list")} {
		h.lists = fails
		readings, err := k.Get(t.Context())
		require.NoError(t, err)
		require.Len(t, readings, 1)
		require.NoError(t, readings[0].Err)
		assert.Equal(t, n, logged("the units attached cannot be listed"))
	}
}

// unsupportedHost is a computer on which nothing can be opened.
type unsupportedHost struct{ *fakeHost }

func (unsupportedHost) Supported() error { return errors.ErrUnsupported }

func TestABankThatCanOpenNothingSaysWhy(t *testing.T) {
	for _, k := range []*Bank{
		bankOn(t, unsupportedHost{newFakeHost(nil)}),
		BankAt([]string{"9-1:1.0"}, withHost(unsupportedHost{newFakeHost(nil)})),
	} {
		_, err := k.Get(t.Context())
		require.ErrorIs(t, err, ErrUnsupported)
		readings := slices.Collect(k.Watch(t.Context(), time.Hour))
		require.Len(t, readings, 1)
		require.ErrorIs(t, readings[0].Err, ErrUnsupported)
		require.NoError(t, k.Close())
	}
}

var _ host = (*usb.Host)(nil)

func TestTheUnitsOfABankAreFoundByTheirPaths(t *testing.T) {
	units := map[string]*Battery{}
	for _, path := range []string{"1-1:1.0", "1-2:1.0", "1-3:1.0"} {
		units[path], _ = open(t, "smart1500lcd", WithDeviceInfo(DeviceInfo{Path: path}))
	}
	bank := BankOf(units["1-2:1.0"], units["1-1:1.0"], units["1-3:1.0"])
	defer bank.Close()
	for path, unit := range units {
		found, ok := bank.Battery(path)
		assert.True(t, ok, path)
		assert.Same(t, unit, found, path)
	}
	for _, path := range []string{"", "1-4:1.0", "1-1"} {
		found, ok := bank.Battery(path)
		assert.False(t, ok, path)
		assert.Nil(t, found, path)
	}
}
