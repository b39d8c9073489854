package collector

import (
	"context"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
)

// shared lets scrapes that overlap share one read of the source: a unit serves one reader at a time, and each transfer takes it a
// millisecond or more.
type shared struct {
	source Source

	mu     sync.Mutex
	flight *flight // nil: no read is under way
}

// flight is one read of the source. It ends when the first of the scrapes that wait for it has to, and not when one of them goes away.
type flight struct {
	start, end time.Time
	expiry     *time.Timer   // ends the read
	landed     chan struct{} // closed when the rest is set

	units []tripplite.Reading
	err   error
	took  time.Duration
	cut   bool // it ended before all units had answered
}

// get returns what the source says by the deadline of ctx, which it must have.
func (s *shared) get(ctx context.Context) ([]tripplite.Reading, error) {
	deadline, _ := ctx.Deadline()
	end := deadline.Add(-reserve(time.Until(deadline)))
	for {
		f := s.join(end)
		select {
		case <-f.landed:
		case <-ctx.Done():
		}
		select {
		case <-f.landed: // perhaps at the last moment, but it is there
		default:
			return nil, ctx.Err()
		}
		// A scrape with less time than this one may have ended the read too early for a unit that needs longer. It is worth another
		// read if that has at least as much time.
		if !f.cut || time.Until(end) < f.took {
			return f.units, f.err
		}
	}
}

// reserve is what a scrape keeps of its time, for the source to hand over what it has and for the answer.
func reserve(patience time.Duration) time.Duration {
	return min(patience/10, 200*time.Millisecond)
}

// join returns the read that is under way, or a new one, which ends by then.
func (s *shared) join(end time.Time) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flight
	switch {
	case f == nil:
		ctx, cancel := context.WithCancel(context.Background())
		f = &flight{start: time.Now(), end: end, landed: make(chan struct{})}
		f.expiry = time.AfterFunc(time.Until(end), cancel)
		s.flight = f
		go s.fly(ctx, cancel, f)
	case end.Before(f.end):
		f.end = end
		f.expiry.Reset(time.Until(end))
	}
	return f
}

func (s *shared) fly(ctx context.Context, cancel context.CancelFunc, f *flight) {
	defer cancel()
	f.units, f.err = s.source.Get(ctx)
	f.took = time.Since(f.start)
	f.cut = ctx.Err() != nil
	s.mu.Lock()
	f.expiry.Stop()
	s.flight = nil
	s.mu.Unlock()
	close(f.landed)
}
