//go:build e2e && linux

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/frame"
	"github.com/tripplite-go/tripplite/internal/virtualups"
)

// controls returns what a unit was told to do, in order. What only asks a unit of product 0001 is not
// among it.
func (u *unit) controls() (bytes []string, at []time.Time) {
	for _, w := range u.Counts().Writes {
		if w.ID == 0 {
			letter, _, err := frame.ParseCommand(w.Bytes)
			require.NoError(u.t, err)
			if string(letter) != "N" && string(letter) != "G" && string(letter) != "K" && string(letter) != "A" &&
				string(letter) != "C" && string(letter) != "Q" {
				continue
			}
		}
		bytes = append(bytes, fmt.Sprintf("% x", w.Bytes))
		at = append(at, w.Time)
	}
	return bytes, at
}

// Seen from the unit: which reports were written, in which order, and how far apart.
func TestCommandsReachTheUnitInTheirOrder(t *testing.T) {
	for _, test := range []struct {
		unit string
		args []string
		want []string
	}{
		{"smart1500lcd", []string{"shutdown.return", "--after", "60"}, []string{"b6 01", "15 3c 00"}},
		{"smart1500lcd", []string{"shutdown.stayoff", "--after", "60"}, []string{"b6 00", "15 3c 00"}},
		{"smart1500lcdt", []string{"shutdown.return", "--after", "60", "--for", "60"},
			[]string{"61 78 00", "15 3c 00"}},
		{"smart1500slt", []string{"shutdown.return", "--after", "60", "--for", "60"},
			[]string{"16 78 00", "15 3c 00"}},
		{"su1500rtxl2ua", []string{"shutdown.return", "--after", "60", "--for", "60"},
			[]string{"61 78 00", "15 3c 00"}},
		{"bcpers450", []string{"load.off", "--after", "60"}, []string{"15 3c 00"}},
		{"smart1500lcd", []string{"beeper.disable"}, []string{"11 01"}},
		{"smart1500lcd", []string{"test.battery.start.quick"}, []string{"10 01"}},
		{"smx1500xlrt2u", []string{"outlet.2.load.off", "--after", "60"},
			[]string{"3a 4e 00 3c 75 0d 00 00", "3a 4b 32 30 52 0d 00 00"}},
		{"smart500rt1u-on-battery", []string{"shutdown.return", "--after", "60"},
			[]string{"3a 4e 00 3c 75 0d 00 00", "3a 47 b8 0d 00 00 00 00"}},
	} {
		u := attachOne(t, test.unit)
		ran := tool(t, nil, "tripplite", append([]string{"do", "--yes"}, test.args...)...)
		assert.Zero(t, ran.status, "%s %v: %s", test.unit, test.args, ran.stderr)
		bytes, at := u.controls()
		assert.Equal(t, test.want, bytes, "%s %v", test.unit, test.args)
		for i := 1; i < len(at); i++ {
			assert.GreaterOrEqual(t, at[i].Sub(at[i-1]), 125*time.Millisecond)
		}
		assert.True(t, u.LoadOn(), "the load has time left")
		unplug(t, []*unit{u})
	}
}

func TestCommandsThatCutTheLoadAskOrWriteNothing(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	for _, command := range []string{"load.off", "shutdown.return", "shutdown.stayoff"} {
		ran := tool(t, nil, "tripplite", "do", command, "--after", "60")
		assert.Equal(t, 2, ran.status, ran.stderr)
	}
	ran := tool(t, nil, "tripplite", "do", "shutdown.reboot", "--for", "10")
	assert.Equal(t, 2, ran.status)
	ran = tool(t, nil, "tripplite", "do", "shutdown.return", "--after", "60", "--dry-run")
	assert.Zero(t, ran.status)
	bytes, _ := u.controls()
	assert.Empty(t, bytes)

	unplug(t, []*unit{u})
	u = attachOne(t, "bcpers450") // on line power its load would stay off
	ran = tool(t, nil, "tripplite", "do", "shutdown.return", "--after", "60", "--yes")
	assert.Equal(t, 1, ran.status)
	assert.Contains(t, ran.stderr, "now it would stay off")
	bytes, _ = u.controls()
	assert.Empty(t, bytes)
}

func TestCommandsAndADropBetweenTheWritesOfAPair(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	u.UnplugAfterWrites(1, 20*time.Millisecond)
	ran := tool(t, nil, "tripplite", "do", "shutdown.return", "--after", "60", "--yes")
	assert.Equal(t, 3, ran.status, "not known")
	assert.Contains(t, ran.stderr, "b6 01")
	bytes, _ := u.controls()
	assert.Equal(t, []string{"b6 01"}, bytes)
	require.NoError(t, u.Plug())
	u.settle()
	time.Sleep(time.Second)
	bytes, _ = u.controls()
	assert.Equal(t, []string{"b6 01"}, bytes, "nothing is written after the unit is back")
	assert.True(t, u.LoadOn())
}

func TestCommandsThatFailAreReported(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	u.Fail(virtualups.Ignored, 0x15)
	ran := tool(t, nil, "tripplite", "do", "load.off", "--after", "60", "--yes")
	assert.Equal(t, 1, ran.status)
	assert.Contains(t, ran.stderr, "did not act on it")
	u.Heal()
	u.ResetCounts()

	u.Fail(func(a virtualups.Answer) virtualups.Answer { // a write has no bytes in its answer
		a.Stall = a.Bytes == nil
		return a
	}, 0x11)
	ran = tool(t, nil, "tripplite", "do", "beeper.disable")
	assert.Equal(t, 1, ran.status, ran.stderr)
	assert.Contains(t, ran.stderr, "refused")
	bytes, _ := u.controls()
	assert.Equal(t, []string{"11 01"}, bytes, "once")
	u.Heal()
	require.Equal(t, tripplite.ValueOf(tripplite.AlarmEnabled), settingsOf(t, u).AudibleAlarmControl)
}

func settingsOf(t *testing.T, u *unit) tripplite.Settings {
	t.Helper()
	settings, err := u.open().Settings(t.Context())
	require.True(t, tripplite.HasState(err), "%v", err)
	return settings
}

// A shutdown that is under way is seen, runs out, and the load comes back as the family does.
func TestCommandsAndTheirTimersAreSeen(t *testing.T) {
	u := attachOne(t, "bcpers450")
	u.SetReport(capture.Feature, 0x32, 0x08) // on battery
	u.SetMains(false)
	ran := tool(t, nil, "tripplite", "do", "shutdown.return", "--after", "8", "--yes")
	require.Zero(t, ran.status, ran.stderr)
	ran = tool(t, nil, "tripplite", "status")
	assert.Regexp(t, `LOAD OFF IN [1-8] S`, ran.stdout)
	require.Eventually(t, func() bool { return !u.LoadOn() }, 20*time.Second, 20*time.Millisecond)
	u.SetMains(true)
	require.Eventually(t, u.LoadOn, 20*time.Second, 20*time.Millisecond, "it comes back with line power")

	ran = tool(t, nil, "tripplite", "do", "load.off", "--after", "60", "--yes")
	require.Zero(t, ran.status, ran.stderr)
	ran = tool(t, nil, "tripplite", "do", "shutdown.stop")
	require.Zero(t, ran.status, ran.stderr)
	ran = tool(t, nil, "tripplite", "status")
	assert.NotContains(t, ran.stdout, "LOAD OFF")
}
