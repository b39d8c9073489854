package tripplite

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// loads is what the load of a unit does after a command: it stays on, or it goes off and comes back
// after some time, with line power, or not by itself.
type loads int

const (
	stays loads = iota
	offAndOn
	offUntilPower
	offForGood
)

// commandTable has what each command does on each family, by facts-commands: "" is refused, with a text
// of the reason; what stands there otherwise is what the load does. The units are a 2010, 2012, 3016
// and 4003 on line power and the 0001s of protocol 3003 on line power and 3005 on battery.
var commandTable = []struct {
	command Command
	units   map[string]any // loads, or the reason
}{
	{Command{Name: BeeperEnable}, map[string]any{"bcpers450": stays, "smart1500lcd": stays,
		"smart1500lcdt": stays, "su1500rtxl2ua": stays, "smx1500xlrt2u": "no unit of product 0001",
		"smart500rt1u-on-battery": "no unit of product 0001"}},
	{Command{Name: BeeperDisable}, map[string]any{"bcpers450": stays, "smart1500lcd": stays,
		"smart1500lcdt": stays, "su1500rtxl2ua": stays, "smx1500xlrt2u": "no unit of product 0001",
		"smart500rt1u-on-battery": "no unit of product 0001"}},
	{Command{Name: BeeperMute}, map[string]any{"bcpers450": stays, "smart1500lcd": "did not act on it",
		"smart1500lcdt": stays, "su1500rtxl2ua": stays, "smx1500xlrt2u": "no unit of product 0001",
		"smart500rt1u-on-battery": "no unit of product 0001"}},
	{Command{Name: TestQuick}, map[string]any{"bcpers450": "report 0x10", "smart1500lcd": stays,
		"smart1500lcdt": "report 0x10", "su1500rtxl2ua": stays, "smx1500xlrt2u": stays,
		"smart500rt1u-on-battery": stays}},
	{Command{Name: LoadOff, After: 10 * time.Second}, map[string]any{"bcpers450": offForGood,
		"smart1500lcd": offUntilPower, "smart1500lcdt": offForGood, "su1500rtxl2ua": offForGood,
		"smx1500xlrt2u": offForGood, "smart500rt1u-on-battery": offForGood}},
	{Command{Name: LoadOn, After: 10 * time.Second}, map[string]any{"bcpers450": "DelayBeforeStartup",
		"smart1500lcd": "DelayBeforeStartup", "smart1500lcdt": stays, "su1500rtxl2ua": stays,
		"smx1500xlrt2u": stays, "smart500rt1u-on-battery": stays}},
	{Command{Name: ShutdownReturn, After: 10 * time.Second}, map[string]any{
		"bcpers450": "now it would stay off", "smart1500lcd": offUntilPower,
		"smart1500lcdt": `needs a time "for"`, "su1500rtxl2ua": `needs a time "for"`,
		"smx1500xlrt2u": "only on battery", "smart500rt1u-on-battery": offUntilPower}},
	{Command{Name: ShutdownReturn, After: 10 * time.Second, For: 20 * time.Second}, map[string]any{
		"bcpers450": "now it would stay off", "smart1500lcd": `no time "for"`,
		"smart1500lcdt": offAndOn, "su1500rtxl2ua": offAndOn,
		"smx1500xlrt2u": "only on battery", "smart500rt1u-on-battery": `no time "for"`}},
	{Command{Name: ShutdownStay, After: 10 * time.Second}, map[string]any{"bcpers450": offForGood,
		"smart1500lcd": offForGood, "smart1500lcdt": offForGood, "su1500rtxl2ua": offForGood,
		"smx1500xlrt2u": "shutdown.stayoff", "smart500rt1u-on-battery": "shutdown.stayoff"}},
	{Command{Name: ShutdownReboot, For: 10 * time.Second}, map[string]any{"bcpers450": offAndOn,
		"smart1500lcd": offAndOn, "smart1500lcdt": offAndOn, "su1500rtxl2ua": offAndOn,
		"smx1500xlrt2u": `no time "for"`, "smart500rt1u-on-battery": `no time "for"`}},
	{Command{Name: ShutdownReboot}, map[string]any{"bcpers450": `needs a time "for"`,
		"smart1500lcd": `needs a time "for"`, "smart1500lcdt": `needs a time "for"`,
		"su1500rtxl2ua": `needs a time "for"`, "smx1500xlrt2u": offAndOn,
		"smart500rt1u-on-battery": offAndOn}},
	{Command{Name: ShutdownStop}, map[string]any{"bcpers450": stays, "smart1500lcd": stays,
		"smart1500lcdt": stays, "su1500rtxl2ua": stays, "smx1500xlrt2u": stays,
		"smart500rt1u-on-battery": stays}},
	{Command{Name: WatchdogStop}, map[string]any{"bcpers450": stays, "smart1500lcd": stays,
		"smart1500lcdt": stays, "su1500rtxl2ua": "report 0x52", "smx1500xlrt2u": "command W",
		"smart500rt1u-on-battery": stays}},
	{Command{Name: ResetMinMax}, map[string]any{"bcpers450": "no unit of this kind",
		"smart1500lcd": "no unit of this kind", "smart1500lcdt": "no unit of this kind",
		"su1500rtxl2ua": "no unit of this kind", "smx1500xlrt2u": stays,
		"smart500rt1u-on-battery": stays}},
	{Command{Name: SetAutoRestart, Value: 1}, map[string]any{"bcpers450": "report 0xb6",
		"smart1500lcd": stays, "smart1500lcdt": "report 0xb6", "su1500rtxl2ua": "report 0xb6",
		"smx1500xlrt2u": "set.auto restart", "smart500rt1u-on-battery": "set.auto restart"}},
	{Command{Name: SetUnitID, Value: 7}, map[string]any{"bcpers450": "no unit of this kind",
		"smart1500lcd": "no unit of this kind", "smart1500lcdt": "no unit of this kind",
		"su1500rtxl2ua": "no unit of this kind", "smx1500xlrt2u": stays,
		"smart500rt1u-on-battery": stays}},
	{Command{Name: "outlet.1.load.off", After: 10 * time.Second}, map[string]any{
		"bcpers450": "outlet.1.load.off", "smart1500lcd": "outlet.1.load.off",
		"smart1500lcdt": "outlet.1.load.off", "su1500rtxl2ua": "outlet.1.load.off",
		"smx1500xlrt2u": stays, "smart500rt1u-on-battery": stays}},
}

func TestEachCommandOnEachFamily(t *testing.T) {
	for _, row := range commandTable {
		for unit, want := range row.units {
			t.Run(row.command.Name+" on "+unit, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { commandOnUnit(t, unit, row.command, want) })
			})
		}
	}
}

func commandOnUnit(t *testing.T, unit string, command Command, want any) {
	c, err := capture.Load(unit)
	require.NoError(t, err)
	dev := c.Device(0)
	b := New(dev, WithReportDescriptor(c.UPS().Descriptor), WithDeviceInfo(DeviceInfo{
		Path: "1-1:1.0", VendorID: uint16(c.VendorID), ProductID: uint16(c.ProductID)}))
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	err = b.Do(t.Context(), command)
	if reason, refused := want.(string); refused {
		require.ErrorContains(t, err, reason)
		time.Sleep(time.Hour)
		assert.True(t, dev.LoadOn(), "nothing happens")
		return
	}
	require.NoError(t, err)
	went := false
	for range 60 * 60 { // what becomes of the load within a minute
		went = went || !dev.LoadOn()
		time.Sleep(time.Second / 60)
	}
	switch want.(loads) {
	case stays:
		assert.False(t, went)
	case offAndOn:
		assert.True(t, went)
		assert.True(t, dev.LoadOn())
	case offForGood:
		assert.False(t, dev.LoadOn())
		dev.SetMains(false)
		time.Sleep(time.Minute)
		dev.SetMains(true)
		time.Sleep(time.Minute)
		assert.False(t, dev.LoadOn(), "not even when line power is cycled")
	case offUntilPower:
		assert.True(t, went)
		dev.SetMains(true)
		time.Sleep(time.Minute)
		assert.True(t, dev.LoadOn())
	}
}
