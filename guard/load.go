package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
)

// Cut is how a UPS is told to cut the load and to come back.
type Cut struct {
	// After is how long the computer has to go down before its power goes.
	After time.Duration
	// For is how long the load stays off on units that take such a time; others wait for line power.
	For time.Duration
}

// order returns the command for a unit, and what it does there now.
func (c Cut) order(
	ctx context.Context, b battery,
) (order tripplite.Command, does string, err error) {
	list, err := b.Commands(ctx)
	if err != nil {
		return order, "", err
	}
	order = tripplite.Command{Name: tripplite.ShutdownReturn, After: c.After}
	for _, info := range list {
		if info.Name == order.Name {
			does = info.Text
			if info.For.Most > 0 {
				order.For = c.For
				does += fmt.Sprintf(" The other time is off_for: %s.", span(c.For))
			}
			// A unit that refuses for now must not hide a time that it never takes.
			if t := info.After; c.After < t.Least || c.After > t.Most {
				return order, "", fmt.Errorf("%w: the load goes off after %v to %v, and not after %v",
					tripplite.ErrRefused, t.Least, t.Most, c.After)
			}
		}
	}
	return order, does, nil
}

// Forecast says what a unit does when it is told to cut the load, as it is now. The error is the
// one that [tripplite.Battery.Do] would have, such as that it refuses on line power.
func (c Cut) Forecast(ctx context.Context, b *tripplite.Battery) (does string, err error) {
	order, does, err := c.order(ctx, b)
	if err == nil {
		_, err = b.DryRun(ctx, order)
	}
	return does, err
}

// CutLoad makes the step that tells the units to cut the load and to come back with line power
// (shutdown.return). What cannot be told so is not told anything else in its place.
func CutLoad(source Source, paths func() []string, c Cut, timeout time.Duration) Step {
	does := fmt.Sprintf(
		"The UPS is told to switch its load off after %v and to come back (shutdown.return)",
		span(c.After))
	return Step{
		Name: "UPS", Does: does, Timeout: timeout, Needs: c.After, cuts: true,
		Do: func(ctx context.Context, s *Situation) error {
			return each(paths(), func(path string) error {
				err := c.tell(ctx, source, path)
				if err == nil || errors.Is(err, tripplite.ErrUncertain) {
					s.Cut() // the load is about to go, or may be
				}
				return err
			})
		},
		Try: func(ctx context.Context, _ *Situation) (string, error) {
			var mu sync.Mutex
			texts := []string{does}
			err := each(paths(), func(path string) error {
				b, err := find(source, path)
				if err != nil {
					return err
				}
				text, err := c.Forecast(ctx, b)
				mu.Lock()
				defer mu.Unlock()
				texts = append(texts, path+": "+text)
				return err
			})
			return strings.Join(texts, ". "), err
		},
	}
}

type battery = *tripplite.Battery

// each does something with several units side by side, and with each of them once.
func each(paths []string, do func(path string) error) error {
	if len(paths) == 0 {
		return tripplite.ErrNotFound // that nobody was told is no success
	}
	paths = slices.Compact(slices.Sorted(slices.Values(paths)))
	errs := make([]error, len(paths))
	var all sync.WaitGroup
	for i, path := range paths {
		all.Go(func() {
			if err := do(path); err != nil {
				errs[i] = fmt.Errorf("%s: %w", path, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func find(source Source, path string) (battery, error) {
	b, ok := source.Battery(path)
	if !ok {
		return nil, tripplite.ErrNotFound
	}
	return b, nil
}

// tell gives a unit the command.
func (c Cut) tell(ctx context.Context, source Source, path string) error {
	return patiently(ctx, source, path, func(b battery) error {
		order, _, err := c.order(ctx, b)
		if err != nil {
			return err
		}
		return b.Do(ctx, order)
	})
}

// patiently does something with a unit, and again only where nothing was written, as to a unit that
// has just left the bus or has not been found yet.
func patiently(ctx context.Context, source Source, path string, do func(battery) error) error {
	for {
		b, err := find(source, path)
		if err == nil {
			err = do(b)
		}
		if err == nil || isFinal(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retry):
		}
	}
}

// isFinal reports whether an error is one after which a command is not given again.
func isFinal(err error) bool {
	for _, final := range []error{
		tripplite.ErrUncertain, tripplite.ErrRefused, tripplite.ErrIgnored, tripplite.ErrUnsupported,
		tripplite.ErrClosed,
	} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}
