package guard

import (
	"context"
	"errors"
	"fmt"
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
		Name: "UPS", Does: does, Timeout: timeout, Needs: c.After,
		Do: func(ctx context.Context, s *Situation) error {
			return each(source, paths(), func(b battery) error { return c.tell(ctx, b, s) })
		},
		Try: func(ctx context.Context, _ *Situation) (string, error) {
			var mu sync.Mutex
			texts := []string{does}
			err := each(source, paths(), func(b battery) error {
				text, err := c.Forecast(ctx, b)
				mu.Lock()
				defer mu.Unlock()
				texts = append(texts, b.Info().Path+": "+text)
				return err
			})
			return strings.Join(texts, ". "), err
		},
	}
}

type battery = *tripplite.Battery

// each does something with several units side by side.
func each(source Source, paths []string, do func(battery) error) error {
	errs := make([]error, len(paths))
	var all sync.WaitGroup
	for i, path := range paths {
		b, ok := source.Battery(path)
		if !ok {
			errs[i] = fmt.Errorf("%s: %w", path, tripplite.ErrNotFound)
			continue
		}
		all.Go(func() {
			if err := do(b); err != nil {
				errs[i] = fmt.Errorf("%s: %w", path, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// tell gives a unit the command. It is given again only where nothing was written, as to a unit
// that has just left the bus.
func (c Cut) tell(ctx context.Context, b battery, s *Situation) error {
	for {
		order, _, err := c.order(ctx, b)
		if err == nil {
			err = b.Do(ctx, order)
		}
		if err == nil || errors.Is(err, tripplite.ErrUncertain) {
			s.Cut() // the load is about to go, or may be
			return err
		}
		for _, final := range []error{
			tripplite.ErrRefused, tripplite.ErrIgnored, tripplite.ErrUnsupported, tripplite.ErrClosed,
		} {
			if errors.Is(err, final) {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retry):
		}
	}
}
