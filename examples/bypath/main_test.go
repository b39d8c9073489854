package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

// attached opens units by path, as tripplite.Open does.
func attached(t *testing.T, captures map[string]string) (units map[string]*tripplitetest.UPS, open opener) {
	t.Helper()
	units = map[string]*tripplitetest.UPS{}
	for path, name := range captures {
		units[path] = tripplitetest.NewUPS(t, name)
		units[path].Info.Path = path
	}
	return units, func(path string, opts ...tripplite.Option) (*tripplite.Battery, error) {
		if units[path] == nil {
			return nil, fmt.Errorf("tripplite: %s: %w", path, tripplite.ErrNotFound)
		}
		return units[path].Battery(opts...), nil
	}
}

func TestEachUnitHasALineOrAReason(t *testing.T) {
	units, open := attached(t, map[string]string{"1-4.2:1.0": "pro1500rt2u", "1-3:1.0": "smart1500lcd", "1-5:1.0": "smart1500lcd"})
	units["1-3:1.0"].PowerFailure()
	units["1-3:1.0"].FailReport(0x1e, errors.New("no answer"))
	units["1-5:1.0"].Unplug()
	var out strings.Builder
	err := run(t.Context(), &out, []unit{{"rack", "1-4.2:1.0"}, {"lab", "1-5:1.0"}, {"attic", "1-9:1.0"}, {"desk", "1-3:1.0"}}, open)
	require.ErrorIs(t, err, tripplite.ErrDisconnected)
	require.ErrorIs(t, err, tripplite.ErrNotFound)
	assert.Equal(t, []string{
		"lab: tripplite: 1-5:1.0: the UPS is disconnected: it is read again as soon as it is back at this port (report 0x32: the unit is unplugged)",
		"attic: tripplite: 1-9:1.0: no Tripp Lite UPS found: check the USB cable, and that lsusb shows the unit",
		"desk: 1-3:1.0: report 0x1e (UPS.OutletSystem.Outlet.PercentLoad): no answer",
	}, strings.Split(err.Error(), "\n"))
	assert.Equal(t, ""+
		"rack  power: mains    input: 123.3 V  load: 22 %       charge: 100 %  left: 35m17s\n"+
		"desk  power: battery  input: 0 V      load: unknown %  charge: 100 %  left: 16m44s\n", out.String())
}

func TestUnitsThatAllAnswerAreNoError(t *testing.T) {
	_, open := attached(t, map[string]string{"1-4.2:1.0": "pro1500rt2u", "1-3:1.0": "smart1500lcd"})
	for range 2 {
		var out strings.Builder
		require.NoError(t, run(t.Context(), &out, []unit{{"1-3:1.0", "1-3:1.0"}, {"1-4.2:1.0", "1-4.2:1.0"}}, open))
		assert.Equal(t, ""+
			"1-3:1.0    power: mains  input: 117.2 V  load: 14 %  charge: 100 %  left: 16m44s\n"+
			"1-4.2:1.0  power: mains  input: 123.3 V  load: 22 %  charge: 100 %  left: 35m17s\n", out.String())
	}
}

func TestNoUnitIsAnError(t *testing.T) {
	require.ErrorIs(t, run(t.Context(), &strings.Builder{}, nil, nil), tripplite.ErrNotFound)
}
