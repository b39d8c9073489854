package tripplite

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// writtenUPS is a captured unit that notes what is written to it.
type writtenUPS struct {
	*fakeUPS

	mu      sync.Mutex
	writes  []string
	refuses byte // the report that it stalls
	ignores byte // the report that it takes and does not act on
}

func newWrittenUPS(t *testing.T, name string) (*writtenUPS, *Battery) {
	t.Helper()
	ups, descriptor := newFakeUPS(t, name)
	w := &writtenUPS{fakeUPS: ups}
	return w, New(w, WithReportDescriptor(descriptor))
}

func (w *writtenUPS) SendFeatureReport(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch b[0] {
	case w.refuses:
		return 0, syscall.EPIPE
	case w.ignores:
		w.writes = append(w.writes, fmt.Sprintf("% x", b))
		return len(b), nil
	}
	w.writes = append(w.writes, fmt.Sprintf("% x", b))
	return w.fakeUPS.SendFeatureReport(b)
}

func TestAShutdownThatWasCancelledIsNotSetAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups, b := newWrittenUPS(t, "bcpers450")
		defer b.Close()
		ups.Set(0x15, 30, 0)
		ups.Set(0x17, 60, 0)
		ups.refuses = 0x17
		err := b.Do(t.Context(), Command{Name: ShutdownStop})
		require.ErrorIs(t, err, ErrRefused)
		require.ErrorContains(t, err, "DelayBeforeShutdown) was written")
		require.Equal(t, []string{"15 ff ff"}, ups.writes, "where another timer cannot be cancelled")
	})
}

func TestTimersAreCancelledInOneOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ups, b := newWrittenUPS(t, "pro1500rt2u")
		defer b.Close()
		ups.Set(0x61, 60, 0)
		ups.Set(0x17, 60, 0)
		for range 20 {
			writes, err := b.DryRun(t.Context(), Command{Name: ShutdownStop})
			require.NoError(t, err)
			require.Len(t, writes, 3)
			require.Equal(t, []byte{0x15, 0x61, 0x17},
				[]byte{writes[0].ID, writes[1].ID, writes[2].ID})
		}
	})
}

func TestALoadIsNotCutWhereTheUnitIgnoresWhatBringsItBack(t *testing.T) {
	for name, test := range map[string]struct {
		unit    string
		ignores byte
		off     Command
		wrote   string
	}{
		"auto restart": {"smart1500lcd", 0xb6,
			Command{Name: ShutdownStay, After: time.Minute}, "b6 00"},
		"the start timer": {"pro1500rt2u", 0x61,
			Command{Name: ShutdownReturn, After: time.Minute, For: time.Minute}, "61 78 00"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ups, b := newWrittenUPS(t, test.unit)
				defer b.Close()
				ups.ignores = test.ignores
				require.ErrorIs(t, b.Do(t.Context(), test.off), ErrIgnored)
				require.Equal(t, []string{test.wrote}, ups.writes)
			})
		})
	}
}

func TestCloseStopsAWatchdogThatMayBeArmed(t *testing.T) {
	arm, stop := Command{Name: Watchdog, After: time.Minute}, Command{Name: WatchdogStop}
	for name, script := range map[string]func(t *testing.T, ups *writtenUPS, b *Battery){
		"that the unit does not show": func(t *testing.T, ups *writtenUPS, b *Battery) {
			ups.ignores = 0x52
			require.ErrorIs(t, b.Do(t.Context(), arm), ErrIgnored)
		},
		"that could not be stopped": func(t *testing.T, ups *writtenUPS, b *Battery) {
			require.NoError(t, b.Do(t.Context(), arm))
			ups.refuses = 0x52
			require.ErrorIs(t, b.Do(t.Context(), stop), ErrRefused)
			ups.refuses = 0
		},
		"that could not be set anew": func(t *testing.T, ups *writtenUPS, b *Battery) {
			require.NoError(t, b.Do(t.Context(), arm))
			ups.refuses = 0x52
			require.ErrorIs(t, b.Do(t.Context(), arm), ErrRefused)
			ups.refuses = 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ups, b := newWrittenUPS(t, "smart1500lcd")
				script(t, ups, b)
				require.NoError(t, b.Close())
				require.Equal(t, []string{"52 3c", "52 00"}, ups.writes)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ups, b := newWrittenUPS(t, "smart1500lcd")
		ups.refuses = 0x52
		require.ErrorIs(t, b.Do(t.Context(), arm), ErrRefused)
		ups.refuses = 0
		require.NoError(t, b.Close())
		require.Empty(t, ups.writes, "one that was never armed")
	})
}
