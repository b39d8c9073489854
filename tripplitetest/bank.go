package tripplitetest

import (
	"testing"

	"github.com/tripplite-go/tripplite"
)

// NewBank makes a [tripplite.Bank] of units, each of which needs a Path of its own. It is closed when the test ends.
func NewBank(t testing.TB, units ...*UPS) *tripplite.Bank {
	t.Helper()
	var batteries []*tripplite.Battery
	names := map[string]string{}
	for _, u := range units {
		if other, taken := names[u.Info.Path]; taken {
			t.Fatalf("tripplitetest: the %s and the %s are both at %s: give one of them another Info.Path", other, u.name, u.Info.Path)
		}
		names[u.Info.Path] = u.name
		batteries = append(batteries, u.Battery())
	}
	bank := tripplite.BankOf(batteries...)
	t.Cleanup(func() { bank.Close() })
	return bank
}
