package main

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

// plugged is a unit at a path.
func plugged(t *testing.T, capture, path string) *tripplitetest.UPS {
	t.Helper()
	u := tripplitetest.NewUPS(t, capture)
	u.Info.Path = path
	return u
}

func TestEachUnitHasALineOrAReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desk := plugged(t, "smart1500lcd", "1-3:1.0")
		rack := plugged(t, "smart1500slt", "1-4.2:1.0")
		lab := plugged(t, "smart1500lcd", "1-5:1.0")
		desk.SetStatus("BelowRemainingCapacityLimit", false)
		desk.PowerFailure()
		desk.FailReport(0x1e, errors.New("no answer"))
		lab.Unplug()
		bank := tripplitetest.NewBank(t, desk, rack, lab)
		var out strings.Builder
		err := run(t.Context(), &out, bank, map[string]string{"1-3:1.0": "desk", "1-5:1.0": "lab"})
		require.ErrorIs(t, err, tripplite.ErrDisconnected)
		assert.Equal(t, []string{
			"desk: 1-3:1.0: report 0x1e (UPS.OutletSystem.Outlet.PercentLoad): no answer",
			"lab: read 1-5:1.0: the UPS is disconnected: it is read again as soon as it is back at " +
				"this port (report 0x32: the unit is unplugged)",
		}, strings.Split(err.Error(), "\n"))
		assert.Equal(t, ""+
			"desk: on battery, charge 100 %, runtime 16 min 44 s, input 0 V, output 117.2 V\n"+
			"1-4.2:1.0: on line power, charge 100 %, load 12 %, input 120.3 V, output 120.3 V\n",
			out.String())
	})
}

func TestUnitsThatAllAnswerAreNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bank := tripplitetest.NewBank(t,
			plugged(t, "smart1500lcd", "1-3:1.0"), plugged(t, "smart1500slt", "1-4.2:1.0"))
		var out strings.Builder
		require.NoError(t, run(t.Context(), &out, bank, nil))
		assert.Equal(t, 2, strings.Count(out.String(), "on line power"))
	})
}

func TestNoUnitIsAnError(t *testing.T) {
	require.ErrorIs(t, run(t.Context(), nil, tripplite.BankOf(), nil), tripplite.ErrNotFound)
}
