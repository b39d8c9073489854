package capture

import (
	"sync"
	"time"
)

// Times that no source names. Owners and the maker's documents only say that the load comes back,
// or that a test takes about ten seconds.
const (
	// comesBack is how long a unit takes to switch its load on again by itself.
	comesBack = 5 * time.Second
	// testTime is how long a battery test takes (NUT's comment; for product 0001 the maker's
	// "Communication Protocol 3003").
	testTime = 10 * time.Second
)

// countdown is a timer of a unit. Its methods are called with the lock of the unit held.
type countdown struct {
	timer *time.Timer // nil while it does not run
	ends  time.Time
}

// start has a function called with the lock held after a time, in place of what ran before.
func (c *countdown) start(lock sync.Locker, d time.Duration, over func()) {
	c.stop()
	var own *time.Timer
	own = time.AfterFunc(d, func() {
		lock.Lock()
		defer lock.Unlock()
		if c.timer == own { // it may have been stopped while this waited for the lock
			c.timer = nil
			over()
		}
	})
	c.timer, c.ends = own, time.Now().Add(d)
}

func (c *countdown) stop() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

func (c *countdown) runs() bool { return c.timer != nil }

// seconds returns what is left, as units count it: all of a second that has begun.
func (c *countdown) seconds() uint16 {
	left := max(0, time.Until(c.ends))
	return uint16((left + time.Second - 1) / time.Second)
}
