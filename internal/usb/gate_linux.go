package usb

import (
	"sync"
	"time"
)

// transfers are the feature transfers of this program that are under way through hidraw.
//
// hidraw has one lock for all devices (minors_rwsem of the kernel's hidraw.c). Opening or closing a
// node waits for the transfers of every device, and later transfers wait behind that. So opening
// and closing wait until no transfer hangs: otherwise one device that hangs stops all others.
type transfers struct {
	running sync.Map // its keys are channels, each closed when its transfer ends
}

var underWay transfers

// begin notes a transfer until end is called.
func (t *transfers) begin() (end func()) {
	done := make(chan struct{})
	t.running.Store(done, nil)
	return func() {
		t.running.Delete(done)
		close(done)
	}
}

func (t *transfers) list() (all []chan struct{}) {
	for done := range t.running.Range {
		all = append(all, done.(chan struct{}))
	}
	return all
}

// quick is how long transfers take that do not hang.
const quick = 50 * time.Millisecond

// settle waits until the transfers under way have all begun a moment ago.
func (t *transfers) settle() {
	for took := quick; took >= quick; {
		start := time.Now()
		for _, done := range t.list() {
			<-done
		}
		took = time.Since(start)
	}
}
