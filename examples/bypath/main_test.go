package main

import (
	"errors"
	"strings"
	"testing"

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
	desk, rack, lab := plugged(t, "smart1500lcd", "1-3:1.0"), plugged(t, "pro1500rt2u", "1-4.2:1.0"), plugged(t, "smart1500lcd", "1-5:1.0")
	desk.PowerFailure()
	desk.FailReport(0x1e, errors.New("no answer"))
	lab.Unplug()
	bank := tripplitetest.NewBank(t, desk, rack, lab)
	var out strings.Builder
	err := run(t.Context(), &out, bank, map[string]string{"1-3:1.0": "desk", "1-5:1.0": "lab"})
	require.ErrorIs(t, err, tripplite.ErrDisconnected)
	assert.Equal(t, []string{
		"desk: 1-3:1.0: report 0x1e (UPS.OutletSystem.Outlet.PercentLoad): no answer",
		"lab: tripplite: 1-5:1.0: the UPS is disconnected: it is read again as soon as it is back at this port (report 0x32: the unit is unplugged)",
	}, strings.Split(err.Error(), "\n"))
	assert.Equal(t, ""+
		"desk       power: battery  input: 0 V      load: unknown %  charge: 100 %  left: 16m44s\n"+
		"1-4.2:1.0  power: mains    input: 123.3 V  load: 22 %       charge: 100 %  left: 35m17s\n", out.String())
}

func TestUnitsThatAllAnswerAreNoError(t *testing.T) {
	bank := tripplitetest.NewBank(t, plugged(t, "smart1500lcd", "1-3:1.0"), plugged(t, "pro1500rt2u", "1-4.2:1.0"))
	for range 2 {
		var out strings.Builder
		require.NoError(t, run(t.Context(), &out, bank, nil))
		assert.Equal(t, ""+
			"1-3:1.0    power: mains  input: 117.2 V  load: 14 %  charge: 100 %  left: 16m44s\n"+
			"1-4.2:1.0  power: mains  input: 123.3 V  load: 22 %  charge: 100 %  left: 35m17s\n", out.String())
	}
}

func TestNoUnitIsAnError(t *testing.T) {
	require.ErrorIs(t, run(t.Context(), new(strings.Builder), tripplite.BankOf(), nil), tripplite.ErrNotFound)
}
