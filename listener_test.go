package tripplite

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestADeviceIsClosedAfterTheLastReadOfInputReports(t *testing.T) {
	for name, from := range map[string]func(*testing.T, *fakeUPS) *Battery{
		"a device of New": func(t *testing.T, ups *fakeUPS) *Battery { return New(ups) },
		"a device of the system": func(t *testing.T, ups *fakeUPS) *Battery {
			return openAt(t, newFakeHost(map[string]*fakeUPS{"9-1:1.0": ups}), "9-1:1.0")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ups := fakes(t, "smart1500lcd")
				b := from(t, ups)
				turns := watch(t, b, time.Hour)
				require.NoError(t, turns.next().err)
				synctest.Wait()
				before, _ := ups.listened()
				require.Positive(t, before)
				require.NoError(t, b.Close())
				assert.Equal(t, 1, ups.closes())
				_, cutOff := ups.listened()
				assert.False(t, cutOff)
			})
		})
	}
}

func TestInputReportsAreWaitedForWithoutPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups := fakes(t, "smart1500lcd")
		b := openAt(t, newFakeHost(map[string]*fakeUPS{"9-1:1.0": ups}), "9-1:1.0")
		turns := watch(t, b, 24*time.Hour)
		require.NoError(t, turns.next().err)
		turns.quiet(time.Hour)
		times, _ := ups.listened()
		assert.Equal(t, 2, times, "what was there before, and what comes")
	})
}

func TestAReopenedUnitIsNotListenedToForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost(map[string]*fakeUPS{"9-1:1.0": fakes(t, "smart1500lcd")})
		b := openAt(t, h, "9-1:1.0")
		for _, err := range b.Watch(t.Context(), time.Hour) {
			require.NoError(t, err)
			break
		}
		_, err := b.Dump(t.Context(), time.Second)
		require.NoError(t, err)

		h.unplug("9-1:1.0")
		_, err = b.Get(t.Context())
		require.ErrorIs(t, err, ErrDisconnected)
		again := fakes(t, "smart1500lcd")
		h.plug("9-1:1.0", again)
		_, err = b.Get(t.Context())
		require.NoError(t, err)
		times, _ := again.listened()
		assert.Zero(t, times)
	})
}

func TestWhatWasQueuedBeforeSomebodyListensIsDropped(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		for charge := range byte(20) {
			ups.Push(0x34, charge)
		}
		dump, err := b.Dump(t.Context(), time.Second)
		require.NoError(t, err)
		assert.Empty(t, dump.Inputs)
	})
}

func TestAnInputReportStaysAsItCame(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		time.AfterFunc(time.Second, func() {
			ups.Push(0x32, 0x08)
			ups.Push(0x34, 0x63)
			ups.Push(0x35, 0x2c, 0x01)
		})
		dump, err := b.Dump(t.Context(), time.Minute)
		require.NoError(t, err)
		assert.Equal(t, []RawReport{
			{ID: 0x32, Bytes: []byte{0x32, 0x08}},
			{ID: 0x34, Bytes: []byte{0x34, 0x63}},
			{ID: 0x35, Bytes: []byte{0x35, 0x2c, 0x01}},
		}, dump.Inputs)
	})
}

func TestADeafDeviceOfNewIsListenedToAgain(t *testing.T) {
	logger, logged := journal()
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		ups.setDeaf(true)
		turns := watch(t, b, time.Hour)
		require.NoError(t, turns.next().err)
		turns.quiet(time.Minute)
		total, _ := ups.transfers()
		assert.Less(t, total, 60*12, "which is no reason to read all the time")
		assert.Equal(t, 1, logged("input reports cannot be read"))

		ups.setDeaf(false)
		time.Sleep(2 * lastWait)
		ups.transfers()
		ups.Push(0x32, 0x46) // no news
		turns.quiet(10 * time.Minute)
		total, _ = ups.transfers()
		assert.Zero(t, total, "which announces what changes")
		failed := time.Now()
		ups.mainsFail()
		turn := turns.next()
		assert.Equal(t, ValueOf(false), turn.state.Status.ACPresent)
		assert.Equal(t, failed, turn.state.Time, "at once")
	}, logger)
}

func TestADeafDeviceIsReadEveryInterval(t *testing.T) {
	bubble(t, "smart1500lcd", func(t *testing.T, b *Battery, ups *fakeUPS) {
		ups.setDeaf(true)
		turns := watch(t, b, time.Second)
		time.Sleep(time.Minute - time.Millisecond)
		assert.Len(t, turns.all(), 60)
	})
}

// chatty is a unit that has always announced something more.
type chatty struct{ *fakeUPS }

func (u chatty) ReadTimeout(b []byte, milliseconds int) (int, error) {
	if milliseconds == 0 {
		return copy(b, []byte{0x34, 0x63}), nil
	}
	return u.fakeUPS.ReadTimeout(b, milliseconds)
}

func TestAUnitThatNeverStopsAnnouncingIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups, descriptor := newFakeUPS(t, "smart1500lcd")
		b := New(chatty{ups}, WithReportDescriptor(descriptor))
		defer b.Close()
		turn := watch(t, b, time.Hour).next()
		require.NoError(t, turn.err)
		assert.Equal(t, ValueOf(true), turn.state.Status.ACPresent)
	})
}
