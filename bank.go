package tripplite

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite/internal/usb"
)

// Bank is several UPSes: every one that is attached or was, by [NewBank], or just those of
// [BankAt] or [BankOf]. It opens units as they appear, by hot plug. It goes on naming those that
// left until it is told to [Bank.Forget] them. It is safe for many goroutines.
type Bank struct {
	opts  options
	looks bool // for units that are plugged in

	mu     sync.Mutex
	units  []*Battery
	closed bool
}

// Reading is one unit of a [Bank]: what [Battery.Get] says of it.
type Reading struct {
	Info  DeviceInfo // as [Battery.Info] says
	State State      // empty unless [HasState] says so of Err
	Err   error
}

// NewBank makes a Bank of the units that are attached now or later. The options are for each of
// them.
func NewBank(opts ...Option) *Bank {
	k := &Bank{opts: optionsOf(opts), looks: true}
	k.opts.host = hostOr(k.opts.host)
	return k
}

// BankAt makes a Bank of the units at these paths, whether they are attached now or later. It
// leaves all others alone. A path at which no unit has been seen yet has [ErrNotFound].
func BankAt(paths []string, opts ...Option) *Bank {
	k := NewBank(opts...)
	k.looks = false
	for _, path := range slices.Compact(slices.SortedFunc(slices.Values(paths), comparePaths)) {
		k.units = append(k.units, unopened(DeviceInfo{Path: path}, k.opts))
	}
	return k
}

// BankOf makes a Bank of just these units, such as fake ones in a test. It takes up no others, and
// closes them when it is closed.
func BankOf(units ...*Battery) *Bank {
	return &Bank{units: slices.Clone(units)}
}

// Get reads every unit, side by side, and returns a Reading for each, ordered by path. A unit
// that is gone has [ErrDisconnected]. Get returns when ctx is done at the latest: the units that
// have not answered by then have the context's error, and the others are not delayed beyond it.
// The error is for the list of units itself: [ErrUnsupported], [ErrClosed]. No unit is no error.
func (k *Bank) Get(ctx context.Context) ([]Reading, error) {
	units, err := k.refresh()
	if err != nil {
		return nil, err
	}
	readings := make([]Reading, len(units))
	var reads sync.WaitGroup
	for i, b := range units {
		reads.Go(func() {
			state, err := b.Get(ctx)
			readings[i] = Reading{b.Info(), state, err}
		})
	}
	reads.Wait()
	return readings, nil
}

// Battery returns the unit at a path, which the Bank goes on to own, for its settings and commands.
// It is not found where the Bank has none there.
func (k *Bank) Battery(path string) (b *Battery, found bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.units, func(b *Battery) bool { return b.path == path })
	if i < 0 {
		return nil, false
	}
	return k.units[i], true
}

// lookAround is how often Watch looks for units that were plugged in.
const lookAround = time.Second

// Watch yields a Reading of each unit as [Battery.Watch] does for a single one: now, at least every
// interval, at once on a change that the unit announces, and once when it is lost. Units that are
// plugged in while the loop goes on are watched from then on. It ends with ctx, or with a Reading
// that has no unit and [ErrClosed] or [ErrUnsupported].
//
// A loop whose body is slow gets the latest Reading of each unit and skips those before it.
func (k *Bank) Watch(ctx context.Context, every time.Duration) iter.Seq[Reading] {
	return func(yield func(Reading) bool) {
		box, watched := newMailbox(), map[*Battery]bool{}
		ticker := time.NewTicker(lookAround)
		defer ticker.Stop()
		for {
			units, err := k.refresh()
			if err != nil {
				yield(Reading{Err: err})
				return
			}
			for _, b := range units {
				if !watched[b] {
					watched[b] = true
					defer b.join(every, box)()
				}
			}
			for looked := false; !looked; {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
					looked = true
				case <-box.ready:
					for r, ok := box.take(); ok; r, ok = box.take() {
						if ctx.Err() != nil || !yield(r) {
							return
						}
					}
				}
			}
		}
	}
}

// Forget closes the unit at a path and names it no more. A Bank of [NewBank] takes it up again if
// it is attached.
func (k *Bank) Forget(path string) {
	k.mu.Lock()
	var forgotten []*Battery
	k.units = slices.DeleteFunc(k.units, func(b *Battery) bool {
		if b.path == path {
			forgotten = append(forgotten, b)
		}
		return b.path == path
	})
	k.mu.Unlock()
	closeAll(forgotten)
}

// Close closes every unit as [Battery.Close] does, side by side. Later calls return [ErrClosed].
func (k *Bank) Close() error {
	k.mu.Lock()
	k.closed = true
	units := slices.Clone(k.units) // Forget changes the list in place
	k.mu.Unlock()
	closeAll(units)
	return nil
}

func closeAll(units []*Battery) {
	var closes sync.WaitGroup
	for _, b := range units {
		closes.Go(func() { b.Close() })
	}
	closes.Wait()
}

// refresh takes up units that are new and returns all, ordered by path. On Linux it asks the kernel
// alone, so it costs the units nothing. It fails when nothing can ever be opened, or after Close; a
// listing that fails otherwise is made again the next time.
func (k *Bank) refresh() ([]*Battery, error) {
	var devices []DeviceInfo
	if k.opts.host != nil {
		if err := supported(k.opts.host, "list", ""); err != nil {
			return nil, err
		}
	}
	if k.looks {
		var err error
		if devices, err = devicesOf(k.opts.host, k.vacant()); err != nil {
			k.opts.log.Warn("the units attached cannot be listed", "err", err)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, &Error{Op: "read", Err: ErrClosed}
	}
	for _, info := range devices {
		if !slices.ContainsFunc(k.units, func(b *Battery) bool { return b.path == info.Path }) {
			k.units = append(k.units, unopened(info, k.opts))
		}
	}
	slices.SortStableFunc(k.units, func(a, b *Battery) int { return comparePaths(a.path, b.path) })
	return slices.Clone(k.units), nil
}

// vacant returns a filter for ports without an open unit.
func (k *Bank) vacant() func(port string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	taken := map[string]bool{}
	for _, b := range k.units {
		if b.online.Load() {
			taken[usb.Port(b.path)] = true
		}
	}
	return func(port string) bool { return !taken[port] }
}
