package tripplite

import (
	"fmt"
	"slices"
	"time"

	"github.com/tripplite-go/tripplite/internal/usb"
)

// listener reads the input reports of one open device, beside the worker's transfers.
type listener struct {
	stop, done chan struct{}
	failed     chan error // why it ended by itself
}

// listenTimeout is how long the end of a listener of a device of New may have to be waited for. A
// device of a host ends its ReadTimeout when it is interrupted.
const listenTimeout = 100 * time.Millisecond

// maxInput is more than any input report that is understood, and maxQueued more than hidapi (30, in
// hidapi 0.14) and hidraw (64, in Linux's drivers/hid/hidraw.c) queue.
const (
	maxInput  = 64
	maxQueued = 128
)

// listen starts a listener once somebody wants input reports. It then goes on until the device is
// closed. One that has ended by itself could not read any more: then the device is opened anew, or
// where it cannot be, as one of New, listened to again after a while.
func (b *Battery) listen() error {
	if b.listener != nil {
		select {
		case err := <-b.listener.failed:
			if b.host != nil {
				return b.drop(fmt.Errorf("input reports: %w", err))
			}
			if b.relisten.IsZero() {
				b.log.Warn("input reports cannot be read", "path", b.path, "err", err)
			}
			b.unlisten()
			b.relisten = time.Now().Add(lastWait)
		default:
			return nil
		}
	}
	_, announces := (*b.protocol.Load()).(announcer)
	if !announces || b.hearing.Load() == 0 || time.Now().Before(b.relisten) {
		return nil
	}
	// What the unit announced before somebody wanted it is older than what will be read now.
	buffer := make([]byte, maxInput)
	for range maxQueued {
		if n, _ := b.dev.ReadTimeout(buffer, 0); n <= 0 {
			break
		}
	}
	b.deaf.Store(false)
	b.listener = &listener{make(chan struct{}), make(chan struct{}), make(chan error, 1)}
	go b.hear(b.dev, *b.listener)
	return nil
}

// unlisten ends the listener, so that the device can be closed.
func (b *Battery) unlisten() {
	if b.listener == nil {
		return
	}
	close(b.listener.stop)
	if dev, ok := b.dev.(usb.Device); ok && b.host != nil {
		dev.Interrupt()
	}
	<-b.listener.done
	b.listener = nil
}

// hear passes every input report on until it is stopped or the device ends.
func (b *Battery) hear(dev Device, l listener) {
	defer close(l.done)
	wait := int(listenTimeout.Milliseconds())
	if b.host != nil {
		wait = -1
	}
	buffer := make([]byte, maxInput)
	for {
		n, err := dev.ReadTimeout(buffer, wait)
		select {
		case <-l.stop:
			return
		default:
		}
		if err != nil {
			l.failed <- err
			b.deaf.Store(true)
			b.heard(nil)
			return
		}
		if n > 0 {
			b.heard(slices.Clone(buffer[:min(n, len(buffer))]))
		}
	}
}

// heard tells all who hear of an input report, or with nil that there will be no more.
func (b *Battery) heard(report []byte) {
	b.taps.Range(func(key, _ any) bool {
		select {
		case key.(chan []byte) <- report:
		default: // nobody takes that many
		}
		return true
	})
	b.watch.Lock()
	p := b.poller
	b.watch.Unlock()
	if p != nil {
		p.receive(report)
	}
}
