package tripplite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"
)

// minInterval is the shortest interval of a Watch.
const minInterval = 10 * time.Millisecond

// Watch reads the unit now, then again every interval, for as long as the loop goes on and ctx is
// not done. An interval below 10 ms counts as 10 ms. All who watch a Battery share one poll.
//
// A status that the unit announces by itself is yielded as it comes, within milliseconds, even
// while a read is under way: as a State with Announced set, which holds the announced flags and
// Config and no other reading. The unit is then read at once, and yielded whole. Any other
// announcement makes Watch read at once too.
//
// The errors are those of [Battery.Get]. While a unit is lost, Watch yields the error once, with
// an empty State, and then nothing until the reason changes or the unit is back. A unit that
// hangs for some seconds is lost: the error is [ErrDisconnected]. After Close, Watch yields
// [ErrClosed] and ends.
//
// A loop whose body is slow gets the latest State or error and skips those before it.
func (b *Battery) Watch(ctx context.Context, every time.Duration) iter.Seq2[State, error] {
	return func(yield func(State, error) bool) {
		box := newMailbox()
		defer b.join(every, box)()
		for {
			select {
			case <-ctx.Done():
				return
			case <-box.ready:
			}
			r, ok := box.take()
			if !ok {
				continue // it was taken with the one before
			}
			if ctx.Err() != nil || !yield(r.State, r.Err) || errors.Is(r.Err, ErrClosed) {
				return
			}
		}
	}
}

// watcher is one Watch of a Battery.
type watcher struct {
	every time.Duration
	last  time.Time // when the read began whose result it got; the poller's
	box   *mailbox
}

// mailbox holds the latest Reading of each unit until it is taken.
type mailbox struct {
	ready chan struct{} // has an element when there is something to take

	mu       sync.Mutex
	order    []*Battery // the units with a Reading, the one that waits longest first
	readings map[*Battery]Reading
}

func newMailbox() *mailbox {
	return &mailbox{ready: make(chan struct{}, 1), readings: map[*Battery]Reading{}}
}

func (m *mailbox) put(b *Battery, state State, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.order, b) {
		m.order = append(m.order, b)
	}
	m.readings[b] = Reading{b.Info(), state, err}
	wake(m.ready)
}

func (m *mailbox) take() (r Reading, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.order) == 0 {
		return Reading{}, false
	}
	r = m.readings[m.order[0]]
	m.order = m.order[1:]
	return r, true
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// join has a mailbox filled, by a poller that starts with the first one. It returns what ends that.
func (b *Battery) join(every time.Duration, box *mailbox) (leave func()) {
	w := &watcher{every: max(every, minInterval), box: box}
	b.hearing.Add(1)
	b.watch.Lock()
	defer b.watch.Unlock()
	if b.poller == nil {
		b.poller = newPoller(b)
		go b.poller.run()
	}
	b.poller.add(w)
	return func() { b.leave(w) }
}

// leave ends the poller with its last watcher.
func (b *Battery) leave(w *watcher) {
	b.hearing.Add(-1)
	b.watch.Lock()
	defer b.watch.Unlock()
	if b.poller.remove(w) {
		b.poller.cancel()
		b.poller = nil
	}
}

// poller reads a unit for all who watch it. It never waits for a read, so it passes on what the
// unit announces meanwhile.
type poller struct {
	b      *Battery
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // has an element when a watcher came or something was heard
	result chan result

	mu       sync.Mutex
	watchers []*watcher
	came     bool         // a watcher that has had nothing yet
	heard    []heardInput // the latest of each report
	ended    bool         // there will be no more input reports
	closed   bool         // the Battery is closed, and the watchers know

	// What follows is the run's own.

	reading  bool
	again    bool      // read once more after the read under way
	due      time.Time // when to read next
	view     State     // what is known now: the last State and what was announced since
	lost     error     // why there is no State
	wait     time.Duration
	shown    State        // the last whole State that was passed on
	news     bool         // the next whole State is for all if it shows anything else
	event    bool         // a status was announced since the last whole State
	eventAt  time.Time    // when
	update   func(*State) // what it said
	outdated int          // whole States in a row that contradicted a later announcement
	running  pulse
}

// result is what a read gave.
type result struct {
	start time.Time
	state State
	err   error
}

// heardInput is an input report that has not been looked at yet.
type heardInput struct {
	at     time.Time
	report []byte
}

func newPoller(b *Battery) *poller {
	p := &poller{b: b}
	p.wake, p.result = make(chan struct{}, 1), make(chan result, 1)
	p.ctx, p.cancel = context.WithCancel(b.ctx)
	return p
}

func (p *poller) add(w *watcher) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchers = append(p.watchers, w)
	p.came = true
	if p.closed {
		w.box.put(p.b, State{}, p.b.wrap("read", ErrClosed, nil))
	}
	wake(p.wake)
}

// remove reports whether no watcher is left.
func (p *poller) remove(w *watcher) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchers = slices.DeleteFunc(p.watchers, func(o *watcher) bool { return o == w })
	return len(p.watchers) == 0
}

// receive takes an input report, in the place of an earlier one with its id that is still there, or
// with nil that there will be no more. So the latest is never lost.
func (p *poller) receive(report []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if report == nil {
		p.ended = true
	} else {
		p.heard = slices.DeleteFunc(p.heard, func(h heardInput) bool { return h.report[0] == report[0] })
		p.heard = append(p.heard, heardInput{time.Now(), report})
	}
	wake(p.wake)
}

// run serves the watchers until the last has left or the Battery is closed.
func (p *poller) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-p.ctx.Done():
			if p.b.ctx.Err() != nil {
				p.close()
			}
			return
		case <-p.wake:
			p.paused()
			p.listened()
		case r := <-p.result:
			p.paused()
			p.reading = false
			p.took(r)
		case <-timer.C:
		case <-beat.C:
			p.paused()
		}
		if now := time.Now(); !p.reading && (p.again || !now.Before(p.due)) {
			p.start()
		} else if !p.reading {
			timer.Reset(p.due.Sub(now))
		}
	}
}

// close tells all watchers, and those to come, that the Battery is closed.
func (p *poller) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, w := range p.watchers {
		w.box.put(p.b, State{}, p.b.wrap("read", ErrClosed, nil))
	}
}

// readTimeout is how long a unit may take for a read. One that takes longer hangs.
const readTimeout = 3 * time.Second

// start reads in the background.
func (p *poller) start() {
	p.reading, p.again = true, false
	go func() {
		r := result{start: time.Now()}
		ctx, cancel := context.WithTimeout(p.ctx, readTimeout)
		defer cancel()
		r.state, r.err = p.b.Get(ctx)
		if errors.Is(r.err, context.DeadlineExceeded) {
			r.err = p.b.wrap("read", ErrDisconnected, errHangs)
		}
		p.result <- r
	}()
}

var errHangs error = &sentinel{
	"the unit does not answer: unplug its USB cable and plug it in again", context.DeadlineExceeded}

// took passes a whole State or an error on to those who are due.
func (p *poller) took(r result) {
	every := p.every()
	if !HasState(r.err) {
		known := p.lost != nil && reason(r.err) == reason(p.lost)
		if !known {
			p.wait = 0
		}
		p.view, p.lost = State{}, r.err
		p.wait = min(max(firstWait, 2*p.wait), lastWait)
		p.due = time.Now().Add(min(every, p.retryIn(r.err)))
		p.deliver(r, !known)
		return
	}
	if r.start.Before(p.running.pause) {
		return // paused has it read again
	}
	if p.event && !r.state.Time.After(p.eventAt) && p.outdated < maxOutdated {
		announced := r.state
		p.update(&announced)
		if announced != r.state { // the unit sampled its status before the event
			p.outdated++
			p.again = true
			return
		}
	}
	// A State that ends a loss, follows an event or shows news is for all.
	all := p.lost != nil || p.event || p.news && !sameReadings(r.state, p.shown)
	p.view, p.lost, p.news, p.event, p.outdated = r.state, nil, false, false, 0
	p.due = p.deliver(r, all)
	if p.b.deaf.Load() {
		p.due = r.start.Add(min(every, lastWait)) // listens again
	}
}

// maxOutdated is how many whole States are thrown away because a status was announced while they
// were read that they contradict. A unit whose two ways to tell its status never agree is believed
// when it is asked.
const maxOutdated = 3

// retryIn returns when a unit without a State is worth another read. The look at a port costs no
// transfer.
func (p *poller) retryIn(err error) time.Duration {
	if errors.As(err, new(*ReportError)) {
		return p.wait
	}
	return firstWait
}

// every returns the shortest interval.
func (p *poller) every() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	every := time.Duration(1<<63 - 1)
	for _, w := range p.watchers {
		every = min(every, w.every)
	}
	return every
}

// deliver gives the result of a read to all, or to those whose interval would be over before the
// next read ends. It returns when the next read is due.
func (p *poller) deliver(r result, all bool) (due time.Time) {
	every := p.every()
	p.mu.Lock()
	defer p.mu.Unlock()
	due = r.start.Add(every)
	for _, w := range p.watchers {
		// The tenth keeps slow watchers in step with fast ones whose intervals divide theirs.
		over := w.last.Add(w.every).Before(r.start.Add(every - every/10))
		if all || w.last.IsZero() || over && HasState(r.err) {
			w.last = r.start
			w.box.put(p.b, r.state, r.err)
			p.shown = r.state
		}
		if next := w.last.Add(w.every); next.Before(due) {
			due = next
		}
	}
	return due
}

// listened looks at what came since the last time.
func (p *poller) listened() {
	p.mu.Lock()
	came, heard, ended := p.came, p.heard, p.ended
	p.came, p.heard, p.ended = false, nil, false
	p.mu.Unlock()
	if came && !p.reading || ended {
		p.again = true
	}
	for _, h := range heard {
		p.announced(h)
	}
}

// announced passes an announced status on to all, and has the unit read.
func (p *poller) announced(h heardInput) {
	switch {
	case p.view.Time.IsZero():
		return // there is no State yet, or no longer, and there soon will be
	case h.at.Before(p.view.Time):
		return // the status that was read since then is newer
	}
	update, ok := (*p.b.protocol.Load()).(announcer).announced(h.report)
	switch {
	case !ok:
		return
	case update == nil || p.running.resumed(h.at):
		p.again, p.news = true, true // it makes no sense, or waited while this program did not run
		return
	}
	was := p.view
	update(&p.view)
	switch {
	case p.view == was:
		return
	case p.view.Status != was.Status:
		p.event, p.eventAt, p.update = true, h.at, update
		state := State{Path: was.Path, Time: h.at, Announced: true, Config: was.Config}
		update(&state)
		p.mu.Lock()
		for _, w := range p.watchers {
			w.box.put(p.b, state, nil)
		}
		p.mu.Unlock()
	}
	p.again, p.news = true, true
}

// paused has the unit read after a pause of this program or of the whole computer. What was
// announced meanwhile is no longer news.
func (p *poller) paused() {
	if p.running.beat(time.Now()) {
		p.again, p.news = true, true
	}
}

func sameReadings(a, b State) bool {
	a.Time = b.Time
	return a == b
}

// reason returns what two errors have in common that say the same about a lost unit.
func reason(err error) string {
	for _, known := range []error{
		ErrDisconnected, ErrNotFound, ErrPermission, ErrBusy, ErrUnsupported,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return fmt.Sprintf("%T", err) // such as a *ReportError, whose text may differ each time
}
