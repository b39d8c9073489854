package tripplite

import (
	"context"
	"slices"
	"sync"
)

// queue holds the work that waits for the worker of a Battery. Callers that wait for a reading
// share the next one. The worker does one thing at a time: an abandoned transfer must finish
// before the device is used again.
type queue struct {
	wake chan struct{} // has an element when there may be work

	mu      sync.Mutex
	waiting [setting + 1][]*waiter // for the next reading of a cadence
	reading []*waiter              // for the one under way
	cancel  func()                 // ends the reading under way
	jobs    []*job
	last    cadence // of the latest reading

	idle sync.Pool // of waiters
}

// waiter is a caller that waits for a reading.
type waiter struct {
	done chan struct{} // has an element once the result is there
	record
	err error
}

// job is other work on the unit.
type job struct {
	ctx  context.Context
	do   func(context.Context) error
	done chan error
}

func (q *queue) init() {
	q.wake = make(chan struct{}, 1)
	q.idle.New = func() any { return &waiter{done: make(chan struct{}, 1)} }
}

// join has a caller wait for the next reading.
func (q *queue) join(want cadence) *waiter {
	w := q.idle.Get().(*waiter)
	q.mu.Lock()
	q.waiting[want] = append(q.waiting[want], w)
	q.mu.Unlock()
	wake(q.wake)
	return w
}

// leave takes back a waiter. It reports whether the result is there, be it at the last moment. A
// reading that nobody waits for ends before its next transfer.
func (q *queue) leave(w *waiter) (done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-w.done:
		return true
	default:
	}
	for i := range q.waiting {
		q.waiting[i] = without(q.waiting[i], w)
	}
	if len(q.reading) > 0 {
		if q.reading = without(q.reading, w); len(q.reading) == 0 {
			q.cancel()
		}
	}
	return false
}

func without(list []*waiter, w *waiter) []*waiter {
	return slices.DeleteFunc(list, func(o *waiter) bool { return o == w })
}

// add has a job done.
func (q *queue) add(j *job) {
	q.mu.Lock()
	q.jobs = append(q.jobs, j)
	q.mu.Unlock()
	wake(q.wake)
}

// next takes a job, or begins a reading that cancel ends early. Both are nil and false where there
// is nothing to do.
func (q *queue) next(cancel func()) (j *job, want cadence, read bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.jobs) > 0 {
		j, q.jobs = q.jobs[0], q.jobs[1:]
		return j, 0, false
	}
	order := [...]cadence{live, setting}
	if q.last == live {
		order = [...]cadence{setting, live} // in turn, so that neither waits for ever
	}
	for _, want := range order {
		if len(q.waiting[want]) > 0 {
			q.reading, q.waiting[want] = q.waiting[want], q.reading[:0]
			q.cancel, q.last = cancel, want
			return nil, want, true
		}
	}
	return nil, 0, false
}

// deliver gives the result of the reading under way to all who wait for it.
func (q *queue) deliver(r *record, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.reading {
		w.record, w.err = *r, err
		w.done <- struct{}{}
	}
	q.reading = q.reading[:0]
}
