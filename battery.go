// Package tripplite reads Tripp Lite UPS battery backups that are attached by USB.
//
//	b, err := tripplite.Open("") // the first UPS found, or a path from Paths
//	if err != nil {
//		return err
//	}
//	defer b.Close()
//	state, err := b.Get(ctx)
//
// A [State] holds numbers in the units that users think in: volts, hertz, amperes, watts, percent and time.Duration. What a unit does
// not say is neither zero nor false: it is a [Value] that holds nothing. See [Battery.Get] for what its errors mean.
//
// The package opens units through github.com/karalabe/hid, which needs cgo; without it everything builds, and opening a unit says
// [ErrUnsupported].
package tripplite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/karalabe/hid"
)

// Battery is one UPS. It stays open between reads, since units of several families drop off the bus when nobody listens, and outlives
// drops: after one, Get opens the unit at the same port again. It is safe for many goroutines, which it serves one after the other.
type Battery struct {
	path       string
	log        *slog.Logger
	descriptor []byte

	jobs    chan *job
	idle    sync.Pool     // jobs that nobody waits for
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when the worker has ended
	close   func()

	info     atomic.Pointer[DeviceInfo]
	online   atomic.Bool             // whether the device is open
	watchers sync.Map                // a chan announcement for each Watch
	inputs   atomic.Pointer[[]entry] // the plan's, for the listener

	// What follows belongs to the worker, the goroutine that alone uses the device: so no device is closed under a transfer.

	reopen func() (hid.Device, []byte, error) // nil: the device was given to New, and is all there is
	dev    hid.Device                         // nil while disconnected
	plan   plan
	known  State // the nominal readings
	buffer []byte
	retry  retry

	listener *listener // nil: nobody watches
}

// Option changes how a Battery works.
type Option func(*Battery)

// WithLogger makes a Battery log what it does: the bytes of each report at debug level, drops and returns at info level. Without it a
// Battery is silent.
func WithLogger(log *slog.Logger) Option { return func(b *Battery) { b.log = log } }

// WithDeviceInfo tells the Battery of [New] what its device is. Its States and errors carry the path.
func WithDeviceInfo(info DeviceInfo) Option {
	return func(b *Battery) {
		if f, ok := familyOf(info.VendorID, info.ProductID); ok && info.Family == "" {
			info.Family = f.name
		}
		b.path = info.Path
		b.info.Store(&info)
	}
}

// WithReportDescriptor gives the Battery of [New] the device's HID report descriptor, which a hid.Device cannot tell. Without one the
// unit is asked for each report that this package knows.
func WithReportDescriptor(descriptor []byte) Option {
	return func(b *Battery) { b.descriptor = descriptor }
}

// Open opens the UPS at a path of [Paths], or the first one for "". It fails with [ErrNotFound], [ErrPermission], [ErrBusy],
// [ErrDisconnected] or [ErrUnsupported].
func Open(path string, opts ...Option) (*Battery, error) {
	info, err := lookup(path)
	if err != nil {
		return nil, err
	}
	b := newBatteryAt(info, opts)
	dev, descriptor, err := openListed(info)
	if err != nil {
		return nil, b.wrap(err)
	}
	b.use(dev, descriptor)
	go b.work()
	return b, nil
}

// newBatteryAt makes a Battery of a listed unit that is not opened yet, and whose worker has not started.
func newBatteryAt(info DeviceInfo, opts []Option) *Battery {
	b := newBattery(opts)
	WithDeviceInfo(info)(b)
	b.reopen = b.find
	return b
}

// New makes a Battery over any device, such as a fake one in a test. It closes the device when it is closed.
func New(dev hid.Device, opts ...Option) *Battery {
	b := newBattery(opts)
	b.use(dev, b.descriptor)
	go b.work()
	return b
}

func newBattery(opts []Option) *Battery {
	b := &Battery{
		log:     slog.New(slog.DiscardHandler),
		jobs:    make(chan *job),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	b.idle.New = func() any { return &job{done: make(chan struct{}, 1)} }
	b.info.Store(&DeviceInfo{})
	b.close = sync.OnceFunc(func() { close(b.closing) })
	for _, opt := range opts {
		opt(b)
	}
	return b
}

// Info says what the unit is: as it was listed when it was last opened.
func (b *Battery) Info() DeviceInfo { return *b.info.Load() }

// Get reads the unit: each report that changes once, and when the unit has just been opened also those that do not.
//
// With a nil error everything that the unit reports has been read. With a [*PartialError] the State is good and lacks what the error
// names. With any other error there is no State: [ErrDisconnected] when the unit has dropped off the bus or no longer answers,
// [ErrPermission] or [ErrBusy] when it came back and cannot be opened, [ErrClosed] after Close, the context's error when ctx ended
// first, a [*ReportError] when the unit answers and does not give its status. A later Get tries again, and finds a unit that has come
// back at the same port.
//
// Get returns as soon as ctx is done, even while a transfer hangs; the transfer's own end is awaited before the device is used again.
func (b *Battery) Get(ctx context.Context) (State, error) { return b.do(ctx, live) }

// Controls reads the settings and timers of the unit's writable reports, which Get leaves out to save their transfers. Its errors are
// those of Get.
func (b *Battery) Controls(ctx context.Context) (Controls, error) {
	state, err := b.do(ctx, control)
	return state.Controls, err
}

// Close ends the Battery and closes the device. It waits for a transfer under way, a second at most. Later calls return [ErrClosed], but
// for Close itself, which may be called again.
func (b *Battery) Close() error {
	b.close()
	<-b.done
	return nil
}

// job is work on the unit that a caller waits for.
type job struct {
	ctx   context.Context
	what  when
	other func() error // instead of reading State
	done  chan struct{}

	state State
	err   error
}

func (b *Battery) do(ctx context.Context, what when) (State, error) {
	j := b.idle.Get().(*job)
	j.ctx, j.what, j.other = ctx, what, nil
	if err := b.await(ctx, j); err != nil {
		return State{}, err
	}
	state, err := j.state, j.err
	j.ctx = nil
	b.idle.Put(j)
	return state, err
}

// submit has the worker do something other than read State.
func (b *Battery) submit(ctx context.Context, f func() error) error {
	j := &job{ctx: ctx, other: f, done: make(chan struct{}, 1)}
	if err := b.await(ctx, j); err != nil {
		return err
	}
	return j.err
}

// await returns nil once the job has been done. After an error the worker may still have it.
func (b *Battery) await(ctx context.Context, j *job) error {
	if err := b.interrupted(ctx); err != nil {
		return err
	}
	select {
	case b.jobs <- j:
	case <-ctx.Done():
		return b.interrupted(ctx)
	case <-b.closing:
		return b.interrupted(ctx)
	}
	select {
	case <-j.done:
		return nil
	case <-ctx.Done():
		return b.interrupted(ctx)
	}
}

// interrupted returns why a call has to end before it is finished.
func (b *Battery) interrupted(ctx context.Context) error {
	select {
	case <-b.closing:
		return b.wrap(ErrClosed)
	default:
	}
	if err := ctx.Err(); err != nil {
		return b.wrap(err)
	}
	return nil
}

func (b *Battery) wrap(err error) error {
	if b.path == "" {
		return fmt.Errorf("tripplite: %w", err)
	}
	return fmt.Errorf("tripplite: %s: %w", b.path, err)
}

func (b *Battery) work() {
	defer close(b.done)
	for {
		select {
		case j := <-b.jobs:
			b.run(j)
			j.done <- struct{}{}
		case <-b.closing:
			b.unlisten()
			if b.dev != nil {
				b.dev.Close()
			}
			return
		}
	}
}

func (b *Battery) run(j *job) {
	if j.other != nil {
		j.err = j.other()
		return
	}
	if j.err = b.read(j.ctx, j.what, &j.state); !hasState(j.err) {
		j.state = State{}
	}
}

// hasState says whether a State comes with the error.
func hasState(err error) bool { return err == nil || errors.As(err, new(*PartialError)) }

// read asks for every report that is due. It fills state in place, so that a read allocates nothing.
func (b *Battery) read(ctx context.Context, what when, state *State) error {
	if err := b.connected(); err != nil {
		return err
	}
	if err := b.listen(); err != nil {
		return err
	}
	*state = b.known
	state.Path = b.path
	var failed []*ReportError
	for i := range b.plan.features {
		e := &b.plan.features[i]
		if !b.due(e, what) {
			continue
		}
		if err := b.interrupted(ctx); err != nil {
			return err
		}
		payload, err := b.ask(e)
		switch {
		case err == nil:
			e.answer = given
			e.note(payload)
			e.decode(payload, state)
			if e.when == nominal {
				e.decode(payload, &b.known)
			}
			if e.status {
				state.Time = time.Now()
			}
		case !isAnswer(err) && !b.alive(e):
			return b.drop(fmt.Errorf("report %s: %w", hexID(e.id), err))
		case e.status:
			return b.failure(e, err)
		case e.answer == unasked && (!e.declared || errors.Is(err, errEmpty)):
			e.answer = withheld
			b.log.Debug("the unit does not provide a report", "path", b.path, "id", hexID(e.id), "name", e.name, "err", err)
		default:
			failed = append(failed, b.failure(e, err))
		}
	}
	b.retry = retry{}
	if failed != nil {
		return &PartialError{Reports: failed}
	}
	return nil
}

func (b *Battery) failure(e *entry, err error) *ReportError {
	return &ReportError{Path: b.path, ID: e.id, Name: e.name, Err: err}
}

// due says whether a report has to be asked for.
func (b *Battery) due(e *entry, what when) bool {
	switch {
	case e.answer == withheld,
		e.when == nominal && e.answer == given,
		(e.when == control) != (what == control):
		return false
	}
	return e.insteadOf == "" || !b.plan.provides(e.insteadOf)
}

// tries is how often a report is asked for while the unit gives answers that are not one.
const tries = 3

// ask returns the payload of a report, which is valid until the next call.
func (b *Battery) ask(e *entry) (payload []byte, err error) {
	for range tries {
		payload, err = b.transfer(e)
		if err == nil && e.bytes == 0 {
			payload, err = b.learn(e, len(payload))
		}
		if err == nil || !isAnswer(err) {
			break
		}
	}
	return payload, err
}

// learn settles the layout of a status report by the length of its answer, if the unit gives it that length a second time: a short
// answer must not pass for the short layout, whose flags lie elsewhere.
func (b *Battery) learn(e *entry, bytes int) ([]byte, error) {
	payload, err := b.transfer(e)
	if err != nil {
		return nil, err
	}
	readings := layoutOf(e.id, bytes)
	if len(payload) != bytes || readings == nil || !covers(readings, payload) {
		return nil, answerError(fmt.Sprintf("the status % x has no known layout", payload))
	}
	b.plan.settle(e.id, bytes, readings)
	b.publishInputs()
	return payload, nil
}

// transfer asks for a report once, for its declared length: more is not part of it, and less is not all of it.
func (b *Battery) transfer(e *entry) ([]byte, error) {
	size := e.bytes
	if size == 0 {
		size = maxStatus
	}
	if len(b.buffer) < 1+size {
		b.buffer = make([]byte, 1+size)
	}
	buffer := b.buffer[:1+size]
	buffer[0] = e.id
	n, err := b.dev.GetFeatureReport(buffer)
	if err != nil {
		return nil, err
	}
	answer := buffer[:max(0, min(n, len(buffer)))]
	if b.log.Enabled(context.Background(), slog.LevelDebug) {
		b.log.Debug("report", "path", b.path, "id", hexID(e.id), "name", e.name, "bytes", fmt.Sprintf("% x", answer))
	}
	switch {
	case len(answer) == 0:
		return nil, errEmpty
	case answer[0] != e.id:
		return nil, answerError(fmt.Sprintf("the unit answered with report 0x%02x", answer[0]))
	case len(answer) < 2, len(answer) < 1+e.bytes && !e.short:
		return nil, answerError(fmt.Sprintf("%d bytes came of %d", len(answer)-1, size))
	}
	return answer[1:], nil
}

// answerError is what is wrong with an answer; the unit is there, since it gave one.
type answerError string

func (e answerError) Error() string { return string(e) }

const errEmpty answerError = "the unit answered with nothing"

func isAnswer(err error) bool { return errors.As(err, new(answerError)) }

// witnesses is how many other reports are asked for before a unit is taken for lost.
const witnesses = 2

// alive says whether the unit still answers after a transfer for e failed: then the failure is the report's own.
func (b *Battery) alive(e *entry) bool {
	asked := 0
	for _, known := range []answer{given, unasked} { // what has answered before will answer again if anything does
		for i := range b.plan.features {
			o := &b.plan.features[i]
			if o == e || o.answer != known || asked == witnesses {
				continue
			}
			asked++
			if _, err := b.transfer(o); err == nil || isAnswer(err) {
				return true
			}
		}
	}
	return false
}

func hexID(id byte) string { return fmt.Sprintf("0x%02x", id) }
