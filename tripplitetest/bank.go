package tripplitetest

import (
	"context"
	"sync"
	"testing"

	"github.com/tripplite-go/tripplite"
)

// Bank reads several units side by side, for a program that takes the Get method of a [tripplite.Bank], such as the package collector.
type Bank struct {
	batteries []*tripplite.Battery
}

// NewBank makes a Bank of units, each of which needs a Path of its own. They are closed when the test ends.
func NewBank(t testing.TB, units ...*UPS) *Bank {
	t.Helper()
	b := &Bank{}
	names := map[string]string{}
	for _, u := range units {
		if other, taken := names[u.Info.Path]; taken {
			t.Fatalf("tripplitetest: the %s and the %s are both at %s: give one of them another Info.Path", other, u.name, u.Info.Path)
		}
		names[u.Info.Path] = u.name
		b.batteries = append(b.batteries, u.Battery())
	}
	return b
}

// Get returns a Reading of each unit, in the order in which NewBank got them. Its error is nil.
func (b *Bank) Get(ctx context.Context) ([]tripplite.Reading, error) {
	readings := make([]tripplite.Reading, len(b.batteries))
	var reads sync.WaitGroup
	for i, battery := range b.batteries {
		reads.Add(1)
		go func() {
			defer reads.Done()
			state, err := battery.Get(ctx)
			readings[i] = tripplite.Reading{Info: battery.Info(), State: state, Err: err}
		}()
	}
	reads.Wait()
	return readings, nil
}

// Close closes the units. Later readings have [tripplite.ErrClosed].
func (b *Bank) Close() error {
	for _, battery := range b.batteries {
		battery.Close()
	}
	return nil
}
