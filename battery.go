// Package tripplite reads Tripp Lite UPS battery backups that are attached by USB.
//
//	b, err := tripplite.Open("") // the first UPS found, or a path from Paths
//	if err != nil {
//		return err
//	}
//	defer b.Close()
//	state, err := b.Get(ctx)
//
// # Readings
//
// A [State] holds numbers in the units that users think in: volts, hertz, amperes, watts, percent
// and time.Duration. What a unit does not say is neither zero nor false: it is a [Value] that
// holds nothing. [State.All] ranges over what is known, by key, unit and value.
//
// [Battery.Get] reads once. [Battery.Watch] reads every interval, and yields a change that the
// unit announces by itself within milliseconds. [Battery.Settings] reads the settings and timers,
// which Get leaves out to save their transfers.
//
// Most units are HID power devices, which say in a report descriptor what they have. Those of
// product 0001 speak an older protocol of commands and replies: a Get of one takes about a second,
// and it announces nothing.
//
// # Several units
//
// A [Bank] reads every unit that is attached, or those at paths that you give to [BankAt],
// whether they are there yet or not. A path names a port, so it stays the same when the unit
// leaves the bus and comes back.
//
// # Errors
//
// [HasState] reports whether a State comes with an error. Where none does, errors.Is with
// [ErrDisconnected], [ErrPermission], [ErrBusy], [ErrNotFound], [ErrUnsupported] and [ErrClosed]
// says what to do, and errors.As with [*Error] gives the unit, the program that holds it and the
// cause. A lost unit is no power failure, and no proof of line power either. Get finds a unit
// again that has come back at the same port, so a program that goes on calling it needs no
// restart.
//
// # Alarms
//
// Flags flap around a transfer. [OnBattery] decides for an alarm whether the load runs on
// battery: it believes a change only once it has lasted. [State.Alerts] lists what needs
// attention now.
//
// # Opening and closing
//
// Keep a Battery open between reads: several families leave the bus for a moment when nobody
// polls them. On Linux the package opens the kernel's hidraw node of the unit, which several
// programs may do at once, and needs no cgo. Where there is no node that this user may open, and
// on macOS, Windows and FreeBSD, it goes through github.com/karalabe/hid, which needs cgo and
// excludes other programs. [WithTransport] or the environment variable TRIPPLITE_TRANSPORT forces
// one of them. Close a Battery: one that was opened through hidapi leaves the unit without a
// kernel driver otherwise.
//
// Without root, opening a unit takes the udev rule deploy/70-tripplite.rules.
//
// # Testing
//
// Package tripplitetest has a UPS for your tests, which loses power and drops off the bus as
// told. What waits can be tested in a testing/synctest bubble: nothing here reads another clock.
// Package collector shows units to Prometheus.
package tripplite

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tripplite-go/tripplite/internal/usb"
)

// Device is an open HID device, as a Battery uses it. github.com/karalabe/hid has such devices, and
// a test can have its own. A Battery calls ReadTimeout beside the other methods, and Close when no
// call is under way.
type Device interface {
	// GetFeatureReport asks for the feature report whose id is b[0]. It returns how many bytes the
	// answer has in b, its id first.
	GetFeatureReport(b []byte) (int, error)
	// SendFeatureReport writes a feature report, its id first.
	SendFeatureReport(b []byte) (int, error)
	// ReadTimeout returns the next input report, its id first if it has one. It returns 0 when none
	// comes in time.
	ReadTimeout(b []byte, milliseconds int) (int, error)
	// Close gives the device up.
	Close() error
}

// Battery is one UPS. It keeps its device open between reads. After a disconnect, the next Get
// reopens the device at the same port. It is safe for many goroutines: those that wait for a
// reading at the same time share one.
type Battery struct {
	path string
	log  *slog.Logger
	host host // nil if made by New: the device cannot be reopened

	queue queue
	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	done  chan struct{} // closed when the worker has ended

	info     atomic.Pointer[DeviceInfo]
	online   atomic.Bool              // whether the device is open
	protocol atomic.Pointer[protocol] // of the open device
	hearing  atomic.Int32             // how many want the input reports
	deaf     atomic.Bool              // whether they cannot be read
	taps     sync.Map                 // a chan []byte for each Dump that listens

	watch  sync.Mutex
	poller *poller // nil while nobody watches

	// The worker alone uses what follows, so no device is closed under a transfer.

	dev        Device // nil while disconnected
	descriptor []byte
	reopen     retry
	listener   *listener // nil while nobody hears
	relisten   time.Time // when the input reports may be tried again
	record     record
	wrote      time.Time // when a command was last written
	armed      bool      // the watchdog may run, by a command of this Battery
}

// options are what Open, New and a Bank can be told.
type options struct {
	log        *slog.Logger
	info       DeviceInfo
	descriptor []byte
	host       host
}

// Option changes how a Battery works.
type Option func(*options)

// WithLogger makes a Battery log what it does: the bytes of each report at debug level, disconnects
// and returns at info level. Without it, or with nil, a Battery is silent.
func WithLogger(log *slog.Logger) Option {
	return func(o *options) {
		if log != nil {
			o.log = log
		}
	}
}

// WithDeviceInfo tells the Battery of [New] what its device is. Its States and errors carry the
// path.
func WithDeviceInfo(info DeviceInfo) Option {
	return func(o *options) {
		family, _ := familyOf(info.VendorID, info.ProductID)
		info.Family = cmp.Or(info.Family, family.name)
		o.info = info
	}
}

// WithReportDescriptor gives the Battery of [New] the HID report descriptor of the device. Without
// one the unit is asked for each report that this package knows.
func WithReportDescriptor(descriptor []byte) Option {
	return func(o *options) { o.descriptor = descriptor }
}

// Transport is a way to reach a unit.
type Transport = usb.Transport

// The transports of [WithTransport]. Hidraw is Linux's own; hidapi is github.com/karalabe/hid.
const (
	Hidraw = usb.Hidraw
	Hidapi = usb.Hidapi
)

// WithTransport forces a transport. Without it the environment variable TRIPPLITE_TRANSPORT,
// "hidraw" or "hidapi", does so; without that hidraw is preferred where this user may open the
// unit's node.
func WithTransport(t Transport) Option {
	return func(o *options) { o.host = usb.NewHost(t) }
}

func withHost(h host) Option { return func(o *options) { o.host = h } }

func optionsOf(opts []Option) options {
	o := options{log: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Open opens the UPS at a path of [Paths], or the first one for "". Its errors are [ErrNotFound],
// [ErrPermission], [ErrBusy], [ErrDisconnected] and [ErrUnsupported].
func Open(path string, opts ...Option) (*Battery, error) {
	o := optionsOf(opts)
	o.host = hostOr(o.host)
	info, err := lookup(o.host, path)
	if err != nil {
		return nil, err
	}
	WithDeviceInfo(info)(&o)
	b := newBattery(o)
	if err := b.open(info); err != nil {
		return nil, err
	}
	go b.work()
	return b, nil
}

// unopened makes a Battery that opens its unit when it is first read, so that one that cannot be
// opened delays no other.
func unopened(info DeviceInfo, o options) *Battery {
	WithDeviceInfo(info)(&o)
	b := newBattery(o)
	go b.work()
	return b
}

// New makes a Battery over any device, such as a fake one in a test. It closes the device when it
// is closed.
func New(dev Device, opts ...Option) *Battery {
	o := optionsOf(opts)
	o.host = nil
	b := newBattery(o)
	b.use(dev, o.descriptor)
	go b.work()
	return b
}

func newBattery(o options) *Battery {
	b := &Battery{path: o.info.Path, log: o.log, host: o.host, done: make(chan struct{})}
	b.queue.init()
	b.ctx, b.stop = context.WithCancel(context.Background())
	b.info.Store(&o.info)
	return b
}

// Info returns what the unit is: as it was listed when it was last opened.
func (b *Battery) Info() DeviceInfo { return *b.info.Load() }

// Get reads the unit: each report that changes once, and when the unit has just been opened also
// those that do not.
//
// With a nil error everything that the unit reports has been read. With a [*PartialError] the
// State is good and lacks what the error names. With any other error there is no State:
// [ErrDisconnected] when the unit has left the bus or no longer answers, [ErrPermission] or
// [ErrBusy] when it came back and cannot be opened, [ErrClosed] after Close, the context's error
// when ctx ended first, a [*ReportError] when the unit answers and its status is missing or makes
// no sense. A later Get tries again, and finds a unit that has come back at the same port.
//
// A status is asked for again, twice at most, while it sets bits that mean nothing, or says that
// there is neither line power nor discharging: units have been seen to answer so now and then.
//
// Get returns as soon as ctx is done, even while a transfer hangs. The abandoned transfer must
// finish before the device is used again.
func (b *Battery) Get(ctx context.Context) (State, error) {
	var r record
	err := b.read(ctx, live, &r)
	return r.state, err
}

// Settings reads the settings and timers of the unit's writable reports, which Get leaves out to
// save their transfers. Its errors are those of Get.
func (b *Battery) Settings(ctx context.Context) (Settings, error) {
	var r record
	err := b.read(ctx, setting, &r)
	return r.settings, err
}

// closeTimeout is how long Close waits for a transfer that hangs.
const closeTimeout = 500 * time.Millisecond

// Close ends the Battery and closes the device. It waits for a transfer under way, half a second
// at most; one that hangs for longer is left behind, and the device closed after it. Later calls
// return [ErrClosed], except Close itself, which may be called again.
func (b *Battery) Close() error {
	b.stop()
	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	select {
	case <-b.done:
	case <-timeout.C:
		b.log.Warn("closing does not wait for a transfer that hangs", "path", b.path)
	}
	return nil
}

// read waits for the next reading.
func (b *Battery) read(ctx context.Context, want cadence, r *record) error {
	if err := b.interrupted(ctx); err != nil {
		return err
	}
	w := b.queue.join(want)
	done := true
	select {
	case <-w.done:
	case <-ctx.Done():
		done = b.queue.leave(w)
	case <-b.ctx.Done():
		done = b.queue.leave(w)
	}
	if !done {
		return b.interrupted(ctx)
	}
	*r = w.record
	err := w.err
	b.queue.idle.Put(w)
	return err
}

// submit runs f on the worker goroutine.
func (b *Battery) submit(ctx context.Context, f func(context.Context) error) error {
	if err := b.interrupted(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	j := &job{ctx, f, make(chan error, 1)}
	b.queue.add(j)
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return b.interrupted(ctx)
	}
}

// interrupted returns why a call has to end before it is finished.
func (b *Battery) interrupted(ctx context.Context) error {
	if b.ctx.Err() != nil {
		return b.wrap("read", ErrClosed, nil)
	}
	if err := ctx.Err(); err != nil {
		return b.wrap("read", err, nil)
	}
	return nil
}

func (b *Battery) wrap(op string, err, cause error) error {
	return &Error{Op: op, Path: b.path, Err: err, Cause: cause}
}

// work is the goroutine that uses the device.
func (b *Battery) work() {
	defer close(b.done)
	for b.ctx.Err() == nil {
		ctx, cancel := context.WithCancel(b.ctx)
		b.serve(ctx, cancel)
	}
	b.disarm()
	b.shut()
}

// serve works until ctx is done: the queue cancels it when nobody waits for the reading under way.
// All readings until then share ctx, so that a reading allocates nothing.
func (b *Battery) serve(ctx context.Context, cancel func()) {
	for ctx.Err() == nil {
		j, want, read := b.queue.next(cancel)
		switch {
		case j != nil:
			j.done <- b.run(j)
		case read:
			err := b.readNow(ctx, want)
			b.queue.deliver(&b.record, err)
		default:
			select {
			case <-b.queue.wake:
			case <-ctx.Done():
			}
		}
	}
}

// run does a job unless its caller has gone.
func (b *Battery) run(j *job) error {
	if err := j.ctx.Err(); err != nil {
		return b.interrupted(j.ctx)
	}
	if err := b.connect(); err != nil {
		return err
	}
	return b.outcome(j.do(j.ctx))
}

// readNow reads into b.record, which is empty where no State comes with the error.
func (b *Battery) readNow(ctx context.Context, want cadence) error {
	err := b.connect()
	if err == nil {
		err = b.outcome((*b.protocol.Load()).read(ctx, want, &b.record))
	}
	if !HasState(err) {
		b.record = record{}
		return err
	}
	b.reopen = retry{}
	return err
}

// outcome gives the device up where a protocol says that the unit is lost.
func (b *Battery) outcome(err error) error {
	if lost, ok := err.(*lostError); ok {
		return b.drop(lost.cause)
	}
	return err
}
