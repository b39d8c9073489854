package tripplite

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"
)

// Bank is several UPSes: every one that is attached or was, by [NewBank], or just those of [BankAt] or [BankOf]. It opens units as they
// appear, by hot plug, and goes on naming those that left until it is told to [Bank.Forget] them. It is safe for many goroutines.
type Bank struct {
	opts []Option
	list func(wanted func(port string) bool) ([]DeviceInfo, error)
	open func(DeviceInfo, []Option) *Battery

	mu     sync.Mutex
	units  map[string]*Battery // by path
	closed bool
}

// Reading is one unit of a [Bank]: what [Battery.Get] says of it.
type Reading struct {
	Info  DeviceInfo // as [Battery.Info] says
	State State      // empty where Err is neither nil nor a *PartialError
	Err   error
}

// NewBank makes a Bank of the units that are attached now or later. The options are for each of them.
func NewBank(opts ...Option) *Bank {
	return &Bank{opts: opts, list: devicesWhere, open: unopened, units: map[string]*Battery{}}
}

// BankAt makes a Bank of the units at these paths, whether they are attached now or later. It leaves all others alone. A path at which
// no unit has been seen yet has [ErrNotFound].
func BankAt(paths []string, opts ...Option) *Bank {
	k := BankOf()
	k.list = func(func(string) bool) ([]DeviceInfo, error) { return nil, supported() }
	for _, path := range paths {
		if k.units[path] == nil {
			k.units[path] = k.open(DeviceInfo{Path: path}, opts)
		}
	}
	return k
}

// BankOf makes a Bank of just these units, such as fake ones in a test. It takes up no others, and closes them when it is closed.
func BankOf(units ...*Battery) *Bank {
	k := NewBank()
	k.list = func(func(string) bool) ([]DeviceInfo, error) { return nil, nil }
	for _, b := range units {
		k.units[b.path] = b
	}
	return k
}

// unopened makes a Battery that opens its unit when it is first read, so that one that cannot be opened delays no other.
func unopened(info DeviceInfo, opts []Option) *Battery {
	b := newBatteryAt(info, opts)
	go b.work()
	return b
}

// Get reads every unit, side by side, and returns a Reading for each, ordered by path: a unit that is gone has [ErrDisconnected]. It
// returns when ctx is done at the latest; the units that have not answered by then have the context's error, and the others are not
// delayed beyond it. The error is for the list of units itself: [ErrUnsupported], [ErrClosed]. No unit is no error.
func (k *Bank) Get(ctx context.Context) ([]Reading, error) {
	units, err := k.refresh()
	if err != nil {
		return nil, err
	}
	readings := make([]Reading, len(units))
	var reads sync.WaitGroup
	for i, b := range units {
		reads.Add(1)
		go func() {
			defer reads.Done()
			state, err := b.Get(ctx)
			readings[i] = Reading{b.Info(), state, err}
		}()
	}
	reads.Wait()
	return readings, nil
}

// lookAround is how often Watch looks for units that were plugged in.
const lookAround = time.Second

// Watch yields a Reading of each unit as [Battery.Watch] does for a single one: now, at least every interval, at once on a change that
// the unit announces, and once when it is lost. Units that are plugged in while the loop goes on are watched from then on. It ends with
// ctx, or after Close with a Reading that has [ErrClosed] and no unit.
func (k *Bank) Watch(ctx context.Context, every time.Duration) iter.Seq[Reading] {
	return func(yield func(Reading) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var watches sync.WaitGroup
		defer watches.Wait()
		defer cancel()

		readings := make(chan Reading)
		watch := func(b *Battery) {
			defer watches.Done()
			for state, err := range b.Watch(ctx, every) {
				select {
				case readings <- Reading{b.Info(), state, err}:
				case <-ctx.Done():
					return
				}
			}
		}
		watched := map[*Battery]bool{}
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
					watches.Add(1)
					go watch(b)
				}
			}
			for looked := false; !looked; {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
					looked = true
				case reading := <-readings:
					if !yield(reading) {
						return
					}
				}
			}
		}
	}
}

// Forget closes the unit at a path and names it no more. A Bank of [NewBank] takes it up again if it is attached.
func (k *Bank) Forget(path string) {
	k.mu.Lock()
	b := k.units[path]
	delete(k.units, path)
	k.mu.Unlock()
	if b != nil {
		b.Close()
	}
}

// Close closes every unit. Later calls return [ErrClosed].
func (k *Bank) Close() error {
	k.mu.Lock()
	k.closed = true
	units := k.units
	k.units = nil
	k.mu.Unlock()
	for _, b := range units {
		b.close() // all of them before any is waited for
	}
	for _, b := range units {
		b.Close()
	}
	return nil
}

// refresh takes up units that are new and returns all, ordered by path. On Linux it asks the kernel alone, so it costs the units nothing.
func (k *Bank) refresh() ([]*Battery, error) {
	devices, err := k.list(k.vacant())
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, fmt.Errorf("tripplite: %w", ErrClosed)
	}
	for _, info := range devices {
		if k.units[info.Path] == nil {
			k.units[info.Path] = k.open(info, k.opts)
		}
	}
	units := make([]*Battery, 0, len(k.units))
	for _, b := range k.units {
		units = append(units, b)
	}
	slices.SortFunc(units, func(a, b *Battery) int { return comparePaths(a.path, b.path) })
	return units, nil
}

// vacant says of a port whether it may have a new unit: it may not while the unit that is known there is open.
func (k *Bank) vacant() func(port string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	taken := map[string]bool{}
	for path, b := range k.units {
		if b.online.Load() {
			taken[portOf(path)] = true
		}
	}
	return func(port string) bool { return !taken[port] }
}
