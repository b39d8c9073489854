package tripplite

import (
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/usb"
)

// journal returns an option that has a Battery log, and how often it has logged a message.
func journal() (Option, func(message string) int) {
	var text strings.Builder
	log := slog.New(slog.NewTextHandler(&text, nil))
	return WithLogger(log), func(message string) int { return strings.Count(text.String(), message) }
}

func TestALossIsLoggedOnce(t *testing.T) {
	logger, logged := journal()
	b, ups := open(t, "smart1500lcd", logger)
	for losses := range 3 {
		ups.setGone(false)
		_, err := b.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, losses, logged("the UPS is disconnected"))
		ups.setGone(true)
		for range 3 {
			_, err = b.Get(t.Context())
			require.ErrorIs(t, err, ErrDisconnected)
			assert.Equal(t, losses+1, logged("the UPS is disconnected"))
		}
	}
}

func TestAnotherUnitAtThePortIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, logged := journal()
		var h listHost
		h.plugIn("9-1", of2012, nil)
		b := unopened(DeviceInfo{Path: "9-1:1.0"}, optionsOf([]Option{withHost(&h), logger}))
		defer b.Close()
		const message = "another UPS is at this port now"
		for _, test := range []struct {
			unit    string
			product uint16
			logged  int
		}{
			{"the first", 0x2012, 0},
			{"the same again", 0x2012, 0},
			{"another", 0x3016, 1},
			{"that one again", 0x3016, 1},
		} {
			ups := fakes(t, "smart1500lcd")
			h.open = func(string) (usb.Device, error) { return ups, nil }
			h.interfaces[0].ProductID = test.product
			time.Sleep(firstWait)
			_, err := b.Get(t.Context())
			require.NoError(t, err, test.unit)
			assert.Equal(t, test.logged, logged(message), test.unit)
			assert.Equal(t, test.product, b.Info().ProductID)
			ups.setGone(true)
			_, err = b.Get(t.Context())
			require.ErrorIs(t, err, ErrDisconnected)
		}
	})
}

func TestAUnitThatWasReadSinceIsLookedForWithoutDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := fakes(t, "smart1500lcd")
		h := newFakeHost(map[string]*fakeUPS{"9-1:1.0": lost})
		b := openAt(t, h, "9-1:1.0")
		h.refuse(syscall.EACCES)
		for range 10 { // each time it is left alone for longer
			_, err := b.Get(t.Context())
			require.ErrorIs(t, err, ErrPermission)
			time.Sleep(lastWait)
		}
		h.refuse(nil)
		_, err := b.Get(t.Context())
		require.NoError(t, err)

		lost.setGone(true)
		_, err = b.Get(t.Context())
		require.ErrorIs(t, err, ErrDisconnected)
		h.plugAgain("9-1:1.0", fakes(t, "smart1500lcd"))
		time.Sleep(firstWait)
		_, err = b.Get(t.Context())
		require.NoError(t, err)
	})
}

func TestADeviceOfNewIsNeitherClosedNorOpenedAnew(t *testing.T) {
	h := newFakeHost(map[string]*fakeUPS{"1-1:1.0": fakes(t, "smart1500lcd")})
	b, ups := open(t, "smart1500lcd", withHost(h))
	ups.setGone(true)
	_, err := b.Get(t.Context())
	require.ErrorIs(t, err, ErrDisconnected)
	ups.setGone(false)
	_, err = b.Get(t.Context())
	require.NoError(t, err)
	assert.Zero(t, ups.closes())
	assert.Zero(t, h.opened())
}
