package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite/internal/events"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a sender that remembers what it was to send, and when.
type fake struct {
	began time.Time
	takes time.Duration // how long a send takes
	hangs bool          // until the context ends
	// fails returns the error of the nth try, from 0
	fails func(n int) error

	mu    sync.Mutex
	tries []string
	sent  []string
}

var errDown = &failure{"the network is down", unreached}

func (f *fake) send(ctx context.Context, e events.Event, late bool) error {
	f.mu.Lock()
	n := len(f.tries)
	mark := ""
	if late {
		mark = " late"
	}
	f.tries = append(f.tries, fmt.Sprintf("%v %s%s", time.Since(f.began), e.Kind, mark))
	f.mu.Unlock()
	takes := f.takes
	if f.hangs {
		takes = 1 << 62
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return errTimeout
	}
	if f.fails != nil {
		if err := f.fails(n); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, string(e.Kind))
	return nil
}

func (f *fake) close(context.Context) {}

func (f *fake) told() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.sent...)
}

func (f *fake) tried() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.tries...)
}

// serve returns a target that sends to a fake.
func serve(c Config, f *fake, log *slog.Logger) *target {
	f.began = time.Now()
	return newTarget(c, "fake", f, log)
}

var quiet = slog.New(slog.DiscardHandler)

// happened returns an event of now.
func happened(kind events.Kind) events.Event {
	return events.Event{
		Time: time.Now(), Path: "1-4:1.0", Name: "rack", Kind: kind, Text: "It happened.",
	}
}

func TestEachTargetIsToldWhatItWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, power, ours, theirs, byPath := &fake{}, &fake{}, &fake{}, &fake{}, &fake{}
		n := start([]*target{
			serve(Config{}, all, quiet),
			serve(Config{Events: []events.Kind{events.OnBattery, events.OnLine}}, power, quiet),
			serve(Config{Units: []string{"shelf", "RACK"}}, ours, quiet),
			serve(Config{Units: []string{"shelf"}}, theirs, quiet),
			serve(Config{Units: []string{"1-4:1.0"}}, byPath, quiet),
		})
		defer n.Close()
		for _, kind := range []events.Kind{events.OnBattery, events.Lost, events.Back, events.OnLine} {
			n.Event(happened(kind))
		}
		n.Event(events.Event{Time: time.Now(), Kind: events.ShuttingDown, Text: "All goes off."})
		synctest.Wait()
		five := []string{"on-battery", "lost", "back", "on-line", "shutting-down"}
		assert.Equal(t, five, all.told())
		assert.Equal(t, []string{"on-battery", "on-line"}, power.told())
		assert.Equal(t, five, ours.told())
		assert.Equal(t, five, byPath.told())
		assert.Equal(t, []string{"shutting-down"}, theirs.told(), "what is of no unit is for all")
		assert.Zero(t, time.Since(all.began), "without a wait")
	})
}

func TestATargetThatHangsDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck, well := &fake{hangs: true}, &fake{}
		n := start([]*target{serve(Config{}, stuck, quiet), serve(Config{}, well, quiet)})
		defer n.Close()
		for range 3 * maxQueue {
			n.Event(happened(events.OnBattery))
			n.Event(happened(events.OnLine))
			synctest.Wait()
		}
		assert.Len(t, well.told(), 6*maxQueue)
		assert.Len(t, stuck.tried(), 1)
		assert.Len(t, n.targets[0].waiting(), maxQueue, "and takes no more memory than that")
		assert.Zero(t, time.Since(well.began))
	})
}

func TestATryHasATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := &fake{hangs: true}
		n := start([]*target{serve(Config{Timeout: 20 * time.Second}, stuck, quiet)})
		defer n.Close()
		n.Event(happened(events.OnBattery))
		time.Sleep(26 * time.Second)
		assert.Equal(t, []string{"0s on-battery", "25s on-battery late"}, stuck.tried())
	})
}

func TestWhatTheNetworkDoesNotTakeIsTriedForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		down := &fake{fails: func(int) error { return errDown }}
		n := start([]*target{serve(Config{}, down, slog.New(slog.NewTextHandler(&log, nil)))})
		defer n.Close()
		n.Event(happened(events.OnBattery))
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		tries := down.tried()
		assert.Equal(t, []string{
			"0s on-battery", "5s on-battery late", "15s on-battery late", "35s on-battery late",
			"1m15s on-battery late", "2m35s on-battery late", "5m15s on-battery late",
			"10m15s on-battery late", "15m15s on-battery late",
		}, tries[:9])
		assert.Equal(t, "23h55m15s on-battery late", tries[len(tries)-1])
		assert.Empty(t, n.targets[0].waiting())
		assert.Equal(t, 1, strings.Count(log.String(), "not sent yet"), "once, and not 300 times")
		assert.Contains(t, log.String(), `error="the network is down"`)
		assert.Contains(t, log.String(), "given up after a day")
	})
}

func TestWhenTheNetworkIsBackAllIsSentInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := &fake{}
		down.fails = func(int) error {
			if time.Since(down.began) < time.Hour {
				return errDown
			}
			return nil
		}
		n := start([]*target{serve(Config{}, down, quiet)})
		defer n.Close()
		n.Event(happened(events.OnBattery))
		time.Sleep(30 * time.Minute)
		n.Event(happened(events.OnLine))
		time.Sleep(time.Hour)
		assert.Equal(t, []string{"on-battery", "on-line"}, down.told())
		synctest.Wait()
		tries := down.tried()
		assert.Equal(t, []string{"1h0m15s on-battery late", "1h0m15s on-line late"}, tries[len(tries)-2:])
	})
}

func TestTheWaitsBeginAnewAfterASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flaky := &fake{fails: func(n int) error {
			if n < 3 || n == 4 {
				return errDown
			}
			return nil
		}}
		n := start([]*target{serve(Config{}, flaky, quiet)})
		defer n.Close()
		n.Event(happened(events.OnBattery))
		time.Sleep(time.Hour)
		n.Event(happened(events.OnLine))
		time.Sleep(time.Hour)
		assert.Equal(t, []string{"0s on-battery", "5s on-battery late", "15s on-battery late",
			"35s on-battery late", "1h0m0s on-line", "1h0m5s on-line late"}, flaky.tried())
	})
}

func TestWhatAServiceRefusesIsTriedThreeTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &fake{fails: func(n int) error {
			switch {
			case n < 5:
				return errDown // which does not count
			case n < 8:
				return &failure{"no such topic", refused}
			}
			return nil
		}}
		n := start([]*target{serve(Config{}, refused, quiet)})
		defer n.Close()
		n.Event(happened(events.OnBattery))
		n.Event(happened(events.Lost))
		time.Sleep(time.Hour)
		assert.Len(t, refused.tried(), 9)
		assert.Equal(t, []string{"lost"}, refused.told(), "the next is not held up")
	})
}

func TestWhatIsDoubtfulIsTriedLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doubted := &fake{fails: func(int) error { return errOther }}
		n := start([]*target{serve(Config{}, doubted, quiet)})
		defer n.Close()
		n.Event(happened(events.OnBattery))
		time.Sleep(25 * time.Hour)
		tries := doubted.tried()
		assert.Equal(t, []string{"21m15s on-battery late", "42m35s on-battery late",
			"1h25m15s on-battery late", "2h25m15s on-battery late"}, tries[8:12])
		assert.Equal(t, "23h25m15s on-battery late", tries[len(tries)-1])
	})
}

func TestACommandIsRunOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		failing := &fake{fails: func(int) error { return errors.New("exit status 3") }}
		to := serve(Config{}, failing, slog.New(slog.NewTextHandler(&log, nil)))
		to.retry = newTarget(Config{}, "", &runner{}, quiet).retry
		n := start([]*target{to})
		defer n.Close()
		n.Event(happened(events.OnBattery))
		n.Event(happened(events.OnLine))
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, []string{"0s on-battery", "0s on-line"}, failing.tried())
		assert.Contains(t, log.String(), `error="exit status 3"`)
	})
}

func TestTheSameIsNotToldTwiceInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, failures := &fake{}, &fake{}
		n := start([]*target{
			serve(Config{}, all, quiet),
			serve(Config{Events: []events.Kind{events.OnBattery}}, failures, quiet),
		})
		defer n.Close()
		other := happened(events.OnBattery)
		other.Path, other.Name = "1-5:1.0", "shelf"
		for _, e := range []events.Event{
			happened(events.OnBattery), happened(events.OnBattery), other,
			happened(events.Lost), happened(events.OnBattery), happened(events.OnLine),
			happened(events.OnBattery), happened(events.TestFailed), happened(events.TestFailed),
		} {
			n.Event(e)
		}
		synctest.Wait()
		assert.Equal(t, []string{"on-battery", "on-battery", "lost", "on-line", "on-battery",
			"test-failed", "test-failed"}, all.told(), "one on-battery is of another unit")
		assert.Equal(t, []string{"on-battery", "on-battery", "on-battery"}, failures.told(),
			"the second outage is news to one who is not told the ends")
	})
}

func TestFlushHasEverythingTriedOnce(t *testing.T) {
	t.Run("what waits behind a back-off", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			down := &fake{takes: time.Second, fails: func(int) error { return errDown }}
			n := start([]*target{serve(Config{}, down, quiet)})
			defer n.Close()
			n.Event(happened(events.OnBattery))
			time.Sleep(30 * time.Minute)
			before := time.Now()
			n.Event(happened(events.ShuttingDown))
			n.Event(happened(events.Lost))
			require.NoError(t, n.Flush(t.Context()))
			assert.Equal(t, 2*time.Second, time.Since(before))
			synctest.Wait()
			tries := down.tried()
			assert.Equal(t, []string{"30m0s shutting-down", "30m1s lost"}, tries[len(tries)-2:])
		})
	})
	t.Run("nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := start([]*target{serve(Config{}, &fake{}, quiet)})
			defer n.Close()
			require.NoError(t, n.Flush(t.Context()))
		})
	})
	t.Run("until the caller has no more time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := start([]*target{
				serve(Config{}, &fake{hangs: true}, quiet), serve(Config{}, &fake{}, quiet),
			})
			defer n.Close()
			n.Event(happened(events.ShuttingDown))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			require.ErrorIs(t, n.Flush(ctx), context.DeadlineExceeded)
		})
	})
	t.Run("until it is closed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := start([]*target{serve(Config{}, &fake{hangs: true}, quiet)})
			n.Event(happened(events.ShuttingDown))
			var closing sync.WaitGroup
			closing.Go(func() {
				time.Sleep(time.Second)
				n.Close()
			})
			require.ErrorIs(t, n.Flush(context.Background()), errClosed)
			closing.Wait()
		})
	})
}

func TestCloseLetsWhatIsBeingSentFinish(t *testing.T) {
	for name, row := range map[string]struct {
		takes, closes time.Duration
		told          []string
	}{
		"in time": {2 * time.Second, time.Second, []string{"on-battery"}},
		"late":    {20 * time.Second, closeTimeout, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := &fake{takes: row.takes}
				n := start([]*target{serve(Config{}, slow, quiet)})
				n.Event(happened(events.OnBattery))
				n.Event(happened(events.OnLine))
				time.Sleep(time.Second)
				before := time.Now()
				n.Close()
				assert.Equal(t, row.closes, time.Since(before))
				assert.Equal(t, row.told, slow.told())
				n.Event(happened(events.OnBattery)) // goes nowhere
				n.Close()
			})
		})
	}
}

func TestAFullQueueDropsWhatWasTakenBack(t *testing.T) {
	var q queue
	put := func(kind events.Kind, name string) *item {
		return q.put(item{event: events.Event{Kind: kind, Name: name}}, 1)
	}
	put(events.Overload, "rack") // is being sent
	put(events.ReplaceBattery, "rack")
	put(events.OnBattery, "rack")
	put(events.OnBattery, "shelf")
	put(events.OnLine, "rack")
	for range maxQueue - 5 {
		require.Nil(t, put(events.TestFailed, "rack"))
	}
	name := func(it *item) string { return it.event.Name + " " + string(it.event.Kind) }
	assert.Equal(t, "rack on-battery", name(put(events.OnLine, "shelf")))
	assert.Equal(t, "shelf on-battery", name(put(events.OverloadOver, "rack")))
	q.items = q.items[:4]
	assert.Equal(t, uint64(1), q.items[0].id, "what is being sent stays")
	for i := range 96 {
		require.Nil(t, put(events.Lost, fmt.Sprint(i)))
	}
	assert.Equal(t, "rack replace-battery", name(put(events.Lost, "one more")), "the oldest")
	assert.Len(t, q.items, maxQueue)
}

func TestManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: time.Millisecond}
		n := start([]*target{serve(Config{}, f, slog.New(slog.NewTextHandler(io.Discard, nil)))})
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				for range 10 {
					e := happened(events.TestFailed)
					e.Name = fmt.Sprint(i)
					n.Event(e)
					n.Reading(monitor.Unit{})
					_ = n.Flush(t.Context())
				}
			})
		}
		all.Wait()
		n.Close()
		assert.Len(t, f.told(), 100)
	})
}
