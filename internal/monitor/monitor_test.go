package monitor

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source yields what is sent to it.
type source chan tripplite.Reading

func (s source) Watch(ctx context.Context, _ time.Duration) iter.Seq[tripplite.Reading] {
	return func(yield func(tripplite.Reading) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case r := <-s:
				if !yield(r) {
					return
				}
			}
		}
	}
}

// sink remembers what it gets.
type sink struct{ readings []Unit }

func (s *sink) Reading(u Unit)     { s.readings = append(s.readings, u) }
func (s *sink) Event(events.Event) {}

// run runs a Monitor in a bubble until the test ends.
func run(t *testing.T, s source, c Config) *Monitor {
	t.Helper()
	c.Every, c.NameOf = 2*time.Second, func(path string) string { return "ups-" + path }
	m := New(s, c)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return m
}

// says is a State in which a unit says whether there is line power, and its charge.
func says(ac bool) tripplite.State {
	s := tripplite.State{Path: "1-1", Time: time.Now()}
	s.Status.ACPresent = tripplite.ValueOf(ac)
	s.RemainingCapacity = tripplite.ValueOf(100.0)
	return s
}

func reading(s tripplite.State, err error) tripplite.Reading {
	return tripplite.Reading{Info: tripplite.DeviceInfo{Path: "1-1"}, State: s, Err: err}
}

func TestAUnitThatIsLostHasNoState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, got := make(source), &sink{}
		m := run(t, s, Config{Sinks: []Sink{got}})
		began := time.Now()
		s <- reading(says(true), nil)
		synctest.Wait()
		u := m.Units()[0]
		require.True(t, u.Up())
		require.Equal(t, "ups-1-1", u.Name)
		require.Equal(t, began, u.Since)

		time.Sleep(time.Minute)
		s <- reading(tripplite.State{}, tripplite.ErrDisconnected)
		synctest.Wait()
		u = m.Units()[0]
		require.False(t, u.Up())
		require.Zero(t, u.State)
		require.Equal(t, began.Add(time.Minute), u.Since)
		require.Len(t, got.readings, 2)
		require.Equal(t, u, got.readings[1])
	})
}

func TestSinceWhenAUnitSaysOnBattery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := make(source)
		m := run(t, s, Config{})
		start := time.Now()
		for i, test := range []struct {
			ac   bool
			err  error
			want time.Duration // after the start; -1 is never
		}{
			{true, nil, -1},
			{false, nil, 1}, {false, nil, 1}, {false, &tripplite.PartialError{}, 1},
			{true, nil, -1},
			{false, nil, 5},
			{false, tripplite.ErrDisconnected, -1},
			{false, nil, 7}, // nobody knows what was meanwhile
		} {
			state := says(test.ac)
			if !tripplite.HasState(test.err) {
				state = tripplite.State{}
			}
			s <- reading(state, test.err)
			synctest.Wait()
			want := start.Add(test.want * time.Second)
			if test.want < 0 {
				want = time.Time{}
			}
			require.Equal(t, want, m.Units()[0].OnBatterySince, "reading %d", i)
			time.Sleep(time.Second)
		}
	})
}

// What a unit said before an event is not shown beside it.
func TestAnAnnouncedStateIsToldAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := make(source)
		m := run(t, s, Config{})
		s <- reading(says(true), nil)
		announced := says(false)
		announced.Announced, announced.RemainingCapacity = true, tripplite.Value[float64]{}
		s <- reading(announced, nil)
		synctest.Wait()
		require.Equal(t, announced, m.Units()[0].State)
	})
}

func TestANamedUnitThatIsNotThereIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := make(source)
		m := run(t, s, Config{Named: []string{"1-1", "1-2"}})
		require.Len(t, m.Units(), 2)
		require.False(t, m.Looked())
		s <- reading(says(true), nil)
		synctest.Wait()
		require.True(t, m.Looked())
		units := m.Units()
		require.True(t, units[0].Up())
		require.Zero(t, units[1].Since, "it may yet be found")
		time.Sleep(3 * time.Second)
		synctest.Wait()
		units = m.Units()
		require.True(t, units[0].Up())
		require.ErrorIs(t, units[1].Err, tripplite.ErrNotFound)
		require.NotZero(t, units[1].Since)
	})
}

func TestNoUnitsMeanNothingAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := run(t, make(source), Config{})
		time.Sleep(time.Second)
		require.False(t, m.Looked())
		changed := m.Changed()
		time.Sleep(2 * time.Second)
		require.True(t, m.Looked())
		<-changed
	})
}

func TestNothingIsKnownOnceTheSourceHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := make(source)
		m := run(t, s, Config{})
		s <- reading(says(true), nil)
		s <- tripplite.Reading{Err: tripplite.ErrClosed}
		synctest.Wait()
		require.ErrorIs(t, m.Problem(), tripplite.ErrClosed)
		require.False(t, m.Units()[0].Up())
		require.Zero(t, m.Units()[0].State)
	})
}
