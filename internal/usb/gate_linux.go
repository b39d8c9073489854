package usb

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// transfers are the feature transfers of this program that are under way through hidraw.
//
// hidraw has one lock for all devices (minors_rwsem of the kernel's hidraw.c). Opening or closing a
// node waits for the transfers of every device, and later transfers wait behind that. So opening and
// closing wait until no transfer hangs: otherwise one device that hangs stops all others.
type transfers struct {
	mu      sync.Mutex
	running map[chan struct{}]bool // each is closed when its transfer ends
}

var underWay = transfers{running: map[chan struct{}]bool{}}

// begin notes a transfer until end is called.
func (t *transfers) begin() (end func()) {
	done := make(chan struct{})
	t.mu.Lock()
	t.running[done] = true
	t.mu.Unlock()
	return func() {
		t.mu.Lock()
		delete(t.running, done)
		t.mu.Unlock()
		close(done)
	}
}

func (t *transfers) list() []chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.running))
}

// quick is how long transfers take that do not hang.
const quick = 50 * time.Millisecond

// settle waits until the transfers under way have all begun a moment ago.
func (t *transfers) settle() {
	for {
		start := time.Now()
		for _, done := range t.list() {
			<-done
		}
		if time.Since(start) < quick {
			return
		}
	}
}
