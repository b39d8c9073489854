package collector_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// ups is a captured unit whose transfers take a while by the bubble's clock.
type ups struct {
	*capture.Device
	latency   time.Duration
	hang      chan struct{} // nil, or transfers hang until it is closed
	transfers atomic.Int32
}

func (u *ups) GetFeatureReport(b []byte) (int, error) {
	u.transfers.Add(1)
	if u.hang != nil {
		<-u.hang
	}
	time.Sleep(u.latency)
	return u.Device.GetFeatureReport(b)
}

// attach makes a Bank of units at the paths 1-1:1.0, 1-2:1.0 and so on. It closes with the bubble.
func attach(t *testing.T, units ...*ups) *tripplite.Bank {
	t.Helper()
	c, err := capture.Load("smart1500lcd")
	require.NoError(t, err)
	var batteries []*tripplite.Battery
	for i, u := range units {
		u.Device = c.Device(0)
		batteries = append(batteries, tripplite.New(u,
			tripplite.WithReportDescriptor(c.Interfaces[0].Descriptor),
			tripplite.WithDeviceInfo(tripplite.DeviceInfo{Path: fmt.Sprintf("1-%d:1.0", i+1)})))
	}
	bank := tripplite.BankOf(batteries...)
	t.Cleanup(func() {
		for _, u := range units {
			if u.hang != nil {
				close(u.hang)
			}
		}
		bank.Close()
	})
	return bank
}

const (
	up   = `tripplite_up{path="1-1:1.0"} 1`
	down = `tripplite_up{path="1-1:1.0"} 0`
)

// within makes a scrape that ends with a timeout, and returns how long it took.
func within(t *testing.T, c *collector.Collector, timeout time.Duration) ([]string, time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	start := time.Now()
	return expose(t, c.WithContext(ctx)), time.Since(start)
}

func TestScrapesAtTheSameTimeShareReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unit := &ups{latency: 10 * time.Millisecond}
		c := collector.New(attach(t, unit))
		expose(t, c) // the first one also reads what does not change
		unit.transfers.Store(0)
		require.Contains(t, expose(t, c), up)
		reading := unit.transfers.Swap(0)
		require.NotZero(t, reading)

		for range 3 {
			expose(t, c)
		}
		require.Equal(t, 3*reading, unit.transfers.Swap(0), "one after the other they share none")

		var scrapes sync.WaitGroup
		for range 100 {
			scrapes.Go(func() { assert.Contains(t, expose(t, c), up) })
		}
		scrapes.Wait()
		require.LessOrEqual(t, unit.transfers.Load(), 2*reading)
	})
}

func TestAHangingUnitDelaysAScrapeUntilItsEndAndNoOtherUnit(t *testing.T) {
	for _, test := range []struct {
		name             string
		timeout, context time.Duration
		want             time.Duration
	}{
		{"the timeout is earlier", time.Second, 2 * time.Second, time.Second},
		{"the context is earlier", 3 * time.Second, 2 * time.Second, 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bank := attach(t, &ups{hang: make(chan struct{})}, &ups{latency: time.Millisecond})
				c := collector.New(bank, collector.WithTimeout(test.timeout))
				got, took := within(t, c, test.context)
				require.Equal(t, test.want, took)
				require.Contains(t, got, down)
				require.Contains(t, got, `tripplite_up{path="1-2:1.0"} 1`)
				require.Contains(t, got, `tripplite_input_volts{path="1-2:1.0"} 117.2`)
			})
		})
	}
}

// A reading of the unit takes more than 100 ms.
func TestAScrapeThatEndsEarlyDoesNotSpoilAnother(t *testing.T) {
	for _, test := range []struct {
		name         string
		begin, other time.Duration // when they begin
	}{
		{"it begins first", 0, 50 * time.Millisecond},
		{"it begins together with the other", 0, 0},
		{"it begins while the other waits", 50 * time.Millisecond, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := collector.New(attach(t, &ups{latency: 20 * time.Millisecond}))
				var other sync.WaitGroup
				other.Go(func() {
					time.Sleep(test.other)
					assert.Contains(t, expose(t, c), up)
				})
				time.Sleep(test.begin)
				got, took := within(t, c, 100*time.Millisecond)
				require.Contains(t, got, down)
				require.Equal(t, 100*time.Millisecond, took)
				other.Wait()
			})
		})
	}
}

func TestAReadingThatComesWithTheDeadlineIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := source(func(ctx context.Context) ([]tripplite.Reading, error) {
			<-ctx.Done()
			return []tripplite.Reading{{Info: tripplite.DeviceInfo{Path: "1-1:1.0"}}}, nil
		})
		got, _ := within(t, collector.New(late), time.Second)
		require.Contains(t, got, up)
	})
}
