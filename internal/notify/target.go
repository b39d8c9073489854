package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite/internal/events"
)

// sender sends one message. It returns when ctx is done, and its errors have no secret.
type sender interface {
	send(ctx context.Context, e events.Event, late bool) error
	// close waits for what a send has left behind, until ctx is done.
	close(ctx context.Context)
}

const (
	firstWait = 5 * time.Second // after a try that failed; then twice as long each time
	lastWait  = 5 * time.Minute
	// lastDoubtful is the last wait where it is not known whether somebody has got the message.
	lastDoubtful = time.Hour
	keepFor      = 24 * time.Hour // after that a message is of no use
	lateAfter    = time.Minute    // a message that is older says when it happened
	// maxRefused is how often something is tried that a service does not take. It may have gone to
	// some of several receivers already, who would get it again each time.
	maxRefused = 3
)

// target is one place that events are sent to, with a worker and a queue of its own: one that hangs
// delays no other.
type target struct {
	config Config
	name   string
	to     sender
	retry  bool // tries again; a command is run once
	spool  *spool
	log    *slog.Logger

	wake chan struct{} // has an element when there is something new for the worker

	mu       sync.Mutex
	queue    queue
	sending  uint64        // the id of what is being sent; 0 is nothing
	flushing int           // how many wait for everything to be tried
	changed  chan struct{} // closed with the next change of the queue
	fails    int           // tries in a row that failed
	after    time.Time     // no try before
	reason   string        // of the last failure
}

func newTarget(c Config, name string, to sender, log *slog.Logger) *target {
	_, once := to.(*runner)
	return &target{
		config: c, name: name, to: to, retry: !once, log: log.With("target", name),
		wake: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put queues an event. It never waits for a send.
func (t *target) put(e events.Event, now time.Time) {
	t.mu.Lock()
	gone := t.queue.put(item{event: e, queued: now}, t.sending)
	t.change()
	t.mu.Unlock()
	if gone != nil {
		t.log.Warn("an event was never sent: too many wait", attributes(gone.event)...)
	}
	wake(t.wake)
}

// change tells whoever waits for the queue. It is called with mu locked.
func (t *target) change() {
	close(t.changed)
	t.changed = make(chan struct{})
	if t.spool != nil {
		t.spool.changed()
	}
}

// run sends until closing is closed. What is being sent then may finish until ctx is done.
func (t *target) run(ctx context.Context, closing <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-closing:
			return
		default:
		}
		it, wait := t.take(time.Now())
		if it == nil {
			timer.Reset(wait)
			select {
			case <-closing:
			case <-t.wake:
			case <-timer.C:
			}
			continue
		}
		if time.Since(it.queued) > keepFor {
			t.drop(*it)
			continue
		}
		t.took(*it, t.try(ctx, *it))
	}
}

// take returns what to send next, or how long to wait for it. Whoever flushes wants what has not
// been tried, at once.
func (t *target) take(now time.Time) (next *item, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.flushing > 0 && t.queue.untried() != nil:
		next = t.queue.untried()
	case len(t.queue.items) == 0:
		return nil, keepFor
	case now.Before(t.after):
		return nil, t.after.Sub(now)
	default:
		next = &t.queue.items[0]
	}
	t.sending = next.id
	copied := *next
	return &copied, 0
}

func (t *target) try(ctx context.Context, it item) (err error) {
	ctx, cancel := context.WithTimeout(ctx, t.config.timeout())
	defer cancel()
	late := it.tries > 0 || time.Since(it.queued) > lateAfter
	return t.to.send(ctx, it.event, late)
}

// drop forgets an event that is too old to be of use.
func (t *target) drop(it item) {
	t.mu.Lock()
	t.sending = 0
	t.queue.remove(it.id)
	t.change()
	t.mu.Unlock()
	t.log.Error("an event was never sent: given up after a day", attributes(it.event)...)
}

// took remembers how a try ended.
func (t *target) took(it item, err error) {
	attrs := attributes(it.event)
	if err == nil {
		t.done(it)
		t.log.Info("told", attrs...)
		return
	}
	attrs = append(attrs, "error", err)
	var f *failure
	again := refused
	if errors.As(err, &f) {
		again = f.again
	}
	it.tries++
	if again == refused {
		it.refused++
	}
	if !t.retry || it.refused >= maxRefused {
		t.done(it)
		t.log.Error("an event was not sent", attrs...)
		return
	}
	last := lastWait
	if again == doubtful {
		last = lastDoubtful
	}
	wait, news := t.postpone(it, err, last)
	level := slog.LevelDebug
	if news {
		level = slog.LevelWarn
	}
	attrs = append(attrs, "again in", wait)
	t.log.Log(context.Background(), level, "an event is not sent yet", attrs...)
}

// done removes what was sent, or never will be. The next may go at once.
func (t *target) done(it item) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sending, t.fails, t.after, t.reason = 0, 0, time.Time{}, ""
	t.queue.remove(it.id)
	t.change()
}

// postpone keeps what could not be sent. The same reason again and again is no news.
func (t *target) postpone(it item, err error, last time.Duration) (wait time.Duration, news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sending = 0
	if kept := t.queue.find(it.id); kept != nil {
		kept.tries, kept.refused = it.tries, it.refused
	}
	t.fails++
	wait = min(firstWait<<min(t.fails-1, 10), last) // 5 s, 10 s, ...
	news = t.reason != err.Error()
	t.after, t.reason = time.Now().Add(wait), err.Error()
	t.change()
	return wait, news
}

var errClosed = errors.New("the notifier has been closed")

// flush waits until all that is queued now has been tried.
func (t *target) flush(ctx context.Context, closing <-chan struct{}) error {
	t.mu.Lock()
	t.flushing++
	last := t.queue.next
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		t.flushing--
		t.mu.Unlock()
	}()
	wake(t.wake)
	for {
		t.mu.Lock()
		first, changed := t.queue.untried(), t.changed
		done := first == nil || first.id > last
		t.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not all could be sent in time: %w", t.name, ctx.Err())
		case <-closing:
			return fmt.Errorf("%s: not all could be sent: %w", t.name, errClosed)
		case <-changed:
		}
	}
}

// waiting returns a copy of what waits.
func (t *target) waiting() []item {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]item(nil), t.queue.items...)
}

func attributes(e events.Event) []any {
	return []any{"event", string(e.Kind), "unit", unitOf(e), "happened", e.Time}
}
