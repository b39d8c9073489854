package collector_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
)

const (
	upSample  = `tripplite_up{path="1-2:1.0"} 1`
	gone      = `tripplite_up{path="1-2:1.0"} 0`
	succeeded = "tripplite_scrape_success 1"
	failed    = "tripplite_scrape_success 0"
)

// slow is a source of one unit that takes a while to answer, and says how often and how many at once it was read.
type slow struct {
	takes time.Duration
	deaf  chan struct{} // until it is closed, if it is not nil, Get heeds no context

	reads, now, most atomic.Int32
}

func (s *slow) Get(ctx context.Context) ([]tripplite.Reading, error) {
	s.reads.Add(1)
	now := s.now.Add(1)
	defer s.now.Add(-1)
	s.most.Store(max(s.most.Load(), now))
	if s.deaf != nil {
		<-s.deaf
	}
	unit := tripplite.Reading{Info: tripplite.DeviceInfo{Path: "1-2:1.0"}}
	select {
	case <-time.After(s.takes):
		unit.State.Time = time.Now()
	case <-ctx.Done():
		unit.Err = ctx.Err()
	}
	return []tripplite.Reading{unit}, nil
}

// within makes a scrape that has a deadline, and says how long it took.
func within(t *testing.T, c *collector.Collector, patience time.Duration) (samples []string, took time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	start := time.Now()
	samples = expose(t, c.WithContext(ctx))
	return samples, time.Since(start)
}

func TestAHundredScrapesReadOnce(t *testing.T) {
	t.Parallel()
	s := &slow{takes: time.Second}
	c := collector.New(s)
	var scrapes sync.WaitGroup
	for range 100 {
		scrapes.Add(1)
		go func() {
			defer scrapes.Done()
			assert.Contains(t, expose(t, c), upSample)
		}()
	}
	scrapes.Wait()
	require.EqualValues(t, 1, s.reads.Load())
}

func TestAScrapeAfterwardsReadsAnew(t *testing.T) {
	s := &slow{}
	c := collector.New(s)
	for range 3 {
		require.Contains(t, expose(t, c), upSample)
	}
	require.EqualValues(t, 3, s.reads.Load())
}

func TestAHangingUnitEndsWithTheTimeout(t *testing.T) {
	t.Parallel()
	c := collector.New(&slow{takes: time.Hour}, collector.WithTimeout(time.Second))
	start := time.Now()
	require.Equal(t, []string{succeeded, gone}, expose(t, c))
	require.Less(t, time.Since(start), time.Second)
}

func TestAScrapeWithAnEarlierDeadlineReturnsByIt(t *testing.T) {
	t.Parallel()
	s := &slow{takes: time.Hour}
	c := collector.New(s, collector.WithTimeout(3*time.Second))
	var scrapes sync.WaitGroup
	defer scrapes.Wait()
	scrapes.Add(1)
	go func() {
		defer scrapes.Done()
		assert.Equal(t, []string{succeeded, gone}, expose(t, c))
	}()
	time.Sleep(100 * time.Millisecond)
	samples, took := within(t, c, 2*time.Second)
	require.Equal(t, []string{succeeded, gone}, samples, "it has what the units said by then")
	require.Less(t, took, 2*time.Second)
	require.EqualValues(t, 1, s.most.Load())
}

func TestAScrapeWithLittleTimeDoesNotSpoilAnother(t *testing.T) {
	t.Parallel()
	s := &slow{takes: 600 * time.Millisecond}
	c := collector.New(s)
	var scrapes sync.WaitGroup
	defer scrapes.Wait()
	scrapes.Add(1)
	go func() {
		defer scrapes.Done()
		assert.Contains(t, expose(t, c), upSample, "there was time for a second read")
	}()
	time.Sleep(50 * time.Millisecond)
	samples, _ := within(t, c, 300*time.Millisecond)
	require.Equal(t, []string{succeeded, gone}, samples)
	require.EqualValues(t, 1, s.most.Load())
}

func TestAScrapeThatGoesAwayDoesNotEndTheRead(t *testing.T) {
	t.Parallel()
	s := &slow{takes: time.Second}
	c := collector.New(s)
	ctx, cancel := context.WithCancel(t.Context())
	var scrapes sync.WaitGroup
	defer scrapes.Wait()
	scrapes.Add(1)
	left := make(chan time.Duration, 1)
	go func() {
		defer scrapes.Done()
		start := time.Now()
		expose(t, c.WithContext(ctx))
		left <- time.Since(start)
	}()
	time.Sleep(100 * time.Millisecond)
	scrapes.Add(1)
	go func() {
		defer scrapes.Done()
		assert.Contains(t, expose(t, c), upSample)
	}()
	time.Sleep(50 * time.Millisecond)
	cancel()
	require.Less(t, <-left, 900*time.Millisecond)
	scrapes.Wait()
	require.EqualValues(t, 1, s.reads.Load())
}

// A source ought to heed its context. Where one does not, scrapes still end, and nothing piles up.
func TestASourceThatHangs(t *testing.T) {
	s := &slow{deaf: make(chan struct{})}
	c := collector.New(s)
	before := runtime.NumGoroutine()
	for range 20 {
		samples, took := within(t, c, 50*time.Millisecond)
		require.Equal(t, []string{failed}, samples)
		require.Less(t, took, 500*time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before+2)
	require.EqualValues(t, 1, s.reads.Load())

	close(s.deaf)
	require.Eventually(t, func() bool { return s.now.Load() == 0 }, time.Second, time.Millisecond)
	assert.Contains(t, expose(t, c), upSample, "it goes on when the source does")
}
