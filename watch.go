package tripplite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/karalabe/hid"
)

// Watch reads the unit now, then again every interval, and at once when the unit announces a change by itself, for as long as the loop
// goes on and ctx is not done. An interval below 10 ms counts as 10 ms.
//
// An announced change is yielded as it comes, within milliseconds, with the readings that the announcement lacks as they were last
// read; the unit is then read whole, and yielded again if that shows more.
//
// The errors are those of [Battery.Get]. While a unit is lost, Watch yields the error once, with an empty State, and then nothing until
// the reason changes or the unit is back. After Close it yields [ErrClosed] and ends.
func (b *Battery) Watch(ctx context.Context, every time.Duration) iter.Seq2[State, error] {
	return func(yield func(State, error) bool) {
		every := max(every, 10*time.Millisecond)
		announcements := make(chan announcement, 16)
		b.watchers.Store(announcements, nil)
		defer b.watchers.Delete(announcements)

		timer := time.NewTimer(0)
		defer timer.Stop()
		var last State
		var lost error
		for {
			announced := false
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			case a := <-announcements:
				state, changed := a.apply(last)
				if !changed {
					continue
				}
				if state != (State{}) {
					last, announced = state, true
					if !yield(last, nil) {
						return
					}
				}
			}
			state, err := b.Get(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case errors.Is(err, ErrClosed):
				yield(State{}, err)
				return
			case state.Time.IsZero():
				known := lost != nil && reason(err) == reason(lost)
				last, lost = State{}, err
				timer.Reset(min(every, firstWait))
				if known {
					continue
				}
			default:
				same := announced && err == nil && sameReadings(state, last)
				last, lost = state, nil
				timer.Reset(every)
				if same {
					continue
				}
			}
			if !yield(state, err) {
				return
			}
		}
	}
}

// reason returns what two errors have in common that say the same about a lost unit.
func reason(err error) string {
	for _, known := range []error{ErrDisconnected, ErrPermission, ErrBusy} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

func sameReadings(a, b State) bool {
	a.Time = b.Time
	return a == b
}

// announcement is an input report, or the end of the device that sent them.
type announcement struct {
	at      time.Time
	entry   *entry // nil: the device is gone
	payload []byte
}

// apply returns the State that an announcement makes of the last one, and whether the unit has to be read. The State is empty where
// there is none to change.
func (a announcement) apply(last State) (state State, changed bool) {
	if a.entry == nil || last.Time.IsZero() {
		return State{}, true
	}
	if a.at.Before(last.Time) {
		return last, false // the status that was read since then is newer
	}
	state = last
	a.entry.decode(a.payload, &state)
	if state == last {
		return last, false
	}
	state.Time = a.at
	return state, true
}

// listener reads the input reports of one open device, beside the worker's transfers, which hidapi allows.
type listener struct {
	stop, done chan struct{}
	failed     chan error // why it ended by itself
}

// listenTimeout is how long the end of a listener may have to be waited for: a read cannot be interrupted.
const listenTimeout = 100 * time.Millisecond

// listen starts a listener once somebody watches. It then goes on until the device is closed. One that has ended by itself could not read
// any more: then the whole handle is given up, if another can be had.
func (b *Battery) listen() error {
	if b.listener != nil {
		select {
		case err := <-b.listener.failed:
			if b.reopen != nil {
				return b.drop(fmt.Errorf("input reports: %w", err))
			}
		default:
		}
		return nil
	}
	if !b.watched() {
		return nil
	}
	// What the unit announced before somebody watched is older than what will be read now.
	buffer := make([]byte, maxInput)
	for range maxQueued {
		if n, err := b.dev.ReadTimeout(buffer, 0); n <= 0 || err != nil {
			break
		}
	}
	b.listener = &listener{make(chan struct{}), make(chan struct{}), make(chan error, 1)}
	go b.hear(b.dev, *b.listener)
	return nil
}

// unlisten ends the listener, so that the device can be closed.
func (b *Battery) unlisten() {
	if b.listener != nil {
		close(b.listener.stop)
		<-b.listener.done
		b.listener = nil
	}
}

// maxInput is more than any input report that is understood, and maxQueued more than hidapi queues (30 in hidapi 0.14).
const (
	maxInput  = 64
	maxQueued = 64
)

func (b *Battery) hear(dev hid.Device, l listener) {
	defer close(l.done)
	buffer := make([]byte, maxInput)
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		n, err := dev.ReadTimeout(buffer, int(listenTimeout.Milliseconds()))
		if err != nil {
			l.failed <- err
			b.announce(announcement{at: time.Now()})
			return
		}
		if entry := b.inputOf(buffer[:max(0, min(n, len(buffer)))]); entry != nil {
			payload := append([]byte(nil), buffer[1:1+entry.bytes]...)
			b.announce(announcement{time.Now(), entry, payload})
		}
	}
}

// inputOf returns what is known of an input report that is whole, or nil.
func (b *Battery) inputOf(report []byte) *entry {
	inputs := b.inputs.Load()
	for i := range *inputs {
		if e := &(*inputs)[i]; len(report) > e.bytes && e.bytes > 0 && report[0] == e.id {
			return e
		}
	}
	return nil
}

func (b *Battery) watched() bool {
	watched := false
	b.watchers.Range(func(any, any) bool {
		watched = true
		return false
	})
	return watched
}

// announce tells everybody who watches. Who is too slow to take it has a read ahead, which will show the same.
func (b *Battery) announce(a announcement) {
	b.watchers.Range(func(key, _ any) bool {
		select {
		case key.(chan announcement) <- a:
		default:
		}
		return true
	})
}
