package collector_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
)

// numatsREADME is what numat's exporter shows for the unit of its README, whose flags are printed
// there with their bits in the wrong order (numat/tripplite commit 6b3a639).
var numatsREADME = []string{
	`tripplite_config_frequency{hostname="closet"} 60`,
	`tripplite_config_power{hostname="closet"} 1500`,
	`tripplite_config_voltage{hostname="closet"} 120`,
	`tripplite_health{hostname="closet"} 100`,
	`tripplite_input_frequency{hostname="closet"} 59.7`,
	`tripplite_input_voltage{hostname="closet"} 117.2`,
	`tripplite_output_power{hostname="closet"} 324`,
	`tripplite_output_voltage{hostname="closet"} 117.2`,
	`tripplite_status_ac_present{hostname="closet"} 1`,
	`tripplite_status_below_remaining_capacity{hostname="closet"} 0`,
	`tripplite_status_charging{hostname="closet"} 1`,
	`tripplite_status_discharging{hostname="closet"} 0`,
	`tripplite_status_fully_charged{hostname="closet"} 1`,
	`tripplite_status_fully_discharged{hostname="closet"} 0`,
	`tripplite_status_needs_replacement{hostname="closet"} 0`,
	`tripplite_status_shutdown_imminent{hostname="closet"} 0`,
	`tripplite_time_to_empty{hostname="closet"} 1004`,
}

func numats(samples []string) []string {
	return slices.DeleteFunc(samples, func(s string) bool { return !strings.Contains(s, "hostname=") })
}

func TestNumatsSeries(t *testing.T) {
	unit := read(t, "smart1500lcd")
	with := expose(t, collector.New(units(unit), collector.WithNumat("closet")))
	require.Equal(t, numatsREADME, numats(slices.Clone(with)))

	own := slices.DeleteFunc(with, func(s string) bool { return strings.Contains(s, "hostname=") })
	require.Equal(t, expose(t, collector.New(units(unit))), own, "the other series stay as they are")
}

func TestNumatsSeriesOfSeveralUnits(t *testing.T) {
	unit := read(t, "smart1500lcd")
	other := tripplite.Reading{Info: tripplite.DeviceInfo{Path: "1-2:1.0"}, State: unit.State}
	other.State.RemainingCapacity = tripplite.ValueOf(7.0)
	gone := tripplite.Reading{
		Info: tripplite.DeviceInfo{Path: "1-3:1.0"}, Err: tripplite.ErrDisconnected,
	}
	got := numats(expose(t, collector.New(units(unit, other, gone), collector.WithNumat("closet"))))
	require.Len(t, got, 2*len(numatsREADME))
	require.Contains(t, got, `tripplite_health{hostname="closet",path="smart1500lcd"} 100`)
	require.Contains(t, got, `tripplite_health{hostname="closet",path="1-2:1.0"} 7`)
}

func TestNumatsSeriesOfAUnitThatIsGone(t *testing.T) {
	gone := tripplite.Reading{Err: tripplite.ErrDisconnected}
	require.Empty(t, numats(expose(t, collector.New(units(gone), collector.WithNumat("closet")))))
}
