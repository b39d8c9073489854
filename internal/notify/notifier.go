package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite/internal/events"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

// Notifier sends events to its targets. It is safe for many goroutines.
type Notifier struct {
	targets []*target
	closing chan struct{}
	stop    context.CancelFunc // ends what is being sent
	working sync.WaitGroup
	saving  sync.WaitGroup
	once    sync.Once

	mu     sync.Mutex
	last   map[about]events.Kind
	closed bool
}

var _ monitor.Sink = (*Notifier)(nil)

// New makes a Notifier, which reads the URLs and checks them, and starts its workers. What waits
// to be sent is kept in the directory spool over a restart; "" keeps it in memory alone. No error
// has a secret.
func New(configs []Config, spool string, log *slog.Logger) (*Notifier, error) {
	var targets []*target
	var wrong []error
	for i, c := range configs {
		to, name, err := c.open()
		if err != nil {
			wrong = append(wrong, fmt.Errorf("notify %d: %w", i+1, err))
			continue
		}
		targets = append(targets, newTarget(c, name, to, log))
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	if spool != "" {
		attach(targets, spool)
	}
	return start(targets), nil
}

func start(targets []*target) *Notifier {
	ctx, stop := context.WithCancel(context.Background())
	n := &Notifier{
		targets: targets, stop: stop, closing: make(chan struct{}), last: map[about]events.Kind{},
	}
	for _, t := range targets {
		n.working.Go(func() { t.run(ctx, n.closing) })
		if t.spool != nil {
			n.saving.Go(func() { t.spool.run(t) })
		}
	}
	return n
}

// Event queues an event for the targets that want it, and returns at once. The same about the same
// unit is not told twice in a row.
func (n *Notifier) Event(e events.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	if !single(e.Kind) {
		if n.last[subject(e)] == e.Kind {
			return
		}
		n.last[subject(e)] = e.Kind
	}
	now := time.Now()
	for _, t := range n.targets {
		if t.config.wants(e) {
			t.put(e, now)
		}
	}
}

// Reading makes a Notifier a [monitor.Sink]. Readings are told to nobody.
func (n *Notifier) Reading(monitor.Unit) {}

// Flush waits until each event that is queued now has been tried once, or ctx is done.
func (n *Notifier) Flush(ctx context.Context) error {
	errs := make([]error, len(n.targets))
	var flushing sync.WaitGroup
	for i, t := range n.targets {
		flushing.Go(func() { errs[i] = t.flush(ctx, n.closing) })
	}
	flushing.Wait()
	return errors.Join(errs...)
}

// closeTimeout is how long Close waits for what is being sent.
const closeTimeout = 5 * time.Second

// Close ends all, and keeps what has not been sent if there is a spool. What is being sent may
// finish within 5 s. A service that hangs longer is left behind until the system ends its
// connection, since shoutrrr cannot be interrupted.
func (n *Notifier) Close() {
	n.once.Do(func() {
		n.mu.Lock()
		n.closed = true
		n.mu.Unlock()
		close(n.closing)
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		defer context.AfterFunc(ctx, n.stop)()
		n.working.Wait()
		for _, t := range n.targets {
			t.to.close(ctx)
			if t.spool != nil {
				t.spool.end()
			} else if waiting := len(t.waiting()); waiting > 0 {
				t.log.Warn("events were never sent: the program ends", "events", waiting)
			}
		}
		n.saving.Wait()
		n.stop()
	})
}

// Send sends one event to a target at once, as a test of its configuration. No error has a secret.
func Send(ctx context.Context, c Config, e events.Event) error {
	to, name, err := c.open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	defer to.close(ctx)
	if err := to.send(ctx, e, false); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
