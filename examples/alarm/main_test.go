package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/guard"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

// alarmed runs an alarm through steps that are a quarter of a minute apart, and returns what it
// prints.
func alarmed(
	t *testing.T, act func(message string) error, steps ...func(*tripplitetest.UPS),
) (out string) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	bank := tripplitetest.NewBank(t, ups)
	policy := guard.Policy{Hold: 4 * time.Second, Limits: guard.Limits{
		Low: true, Charge: 30, RunTime: 5 * time.Minute, Lost: time.Minute}}
	ctx, cancel := context.WithCancel(t.Context())
	var printed strings.Builder
	done := make(chan error)
	go func() {
		action := func(_ context.Context, message string) error { return act(message) }
		done <- run(ctx, &printed, bank, &policy, action)
	}()
	for _, step := range steps {
		time.Sleep(15 * time.Second)
		step(ups)
	}
	time.Sleep(15 * time.Second)
	cancel()
	require.NoError(t, <-done)
	return printed.String()
}

func TestTheAlarmTellsALowBatteryWithoutLinePower(t *testing.T) {
	const (
		charge = "1-1:1.0: a charge of 10 % (limit 30 %)"
		lost   = "1-1:1.0: lost while on battery for 1m (limit 1m)"
	)
	type ups = *tripplitetest.UPS
	failure, returns, unplug, replug := ups.PowerFailure, ups.PowerReturns, ups.Unplug, ups.Replug
	low := func(u ups) { u.SetCharge(10) }
	full, wait := func(u ups) { u.SetCharge(100) }, func(ups) {}
	fail := func(id byte) func(ups) {
		return func(u ups) { u.FailReport(id, errors.New("no answer")) }
	}
	for name, row := range map[string]struct {
		steps []func(ups)
		told  []string
	}{
		"line power is there":               {[]func(ups){full}, nil},
		"a low battery on line power":       {[]func(ups){low}, nil},
		"a good battery without line power": {[]func(ups){failure}, nil},
		"a low battery without line power":  {[]func(ups){failure, low}, []string{charge}},
		"a low battery from the start":      {[]func(ups){low, failure}, []string{charge}},
		"a lost unit":                       {[]func(ups){unplug, wait, wait, wait, wait}, nil},
		"a unit that is lost without line power": {
			[]func(ups){failure, unplug, wait, wait, wait, wait}, []string{lost}},
		"a unit that is back soon": {
			[]func(ups){failure, unplug, wait, wait, replug, wait, wait}, nil},
		"a unit that is low when it is back": {[]func(ups){failure, unplug, low, replug},
			[]string{charge}},
		"a unit that is lost when it was told": {[]func(ups){failure, low, unplug, replug},
			[]string{charge}},
		"the same again": {[]func(ups){failure, low, returns, full, failure, low},
			[]string{charge, charge}},
		"a unit whose charge is not known": {
			[]func(ups){failure, fail(0x34), func(u ups) { u.SetRunTime(2 * time.Minute) }},
			[]string{"1-1:1.0: a run time of 2m (limit 5m)"}},
		"a unit that says nothing of its battery": {
			[]func(ups){failure, fail(0x34), fail(0x35), low}, nil},
		"a unit that switches off": {
			[]func(ups){failure, func(u ups) { u.SetStatus("ShutdownImminent", true) }},
			[]string{"1-1:1.0: the unit is about to switch off"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told []string
				act := func(message string) error { told = append(told, message); return nil }
				alarmed(t, act, row.steps...)
				assert.Equal(t, row.told, told)
			})
		})
	}
}

func TestAnAlarmThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 2
		act := func(string) error {
			if failures--; failures >= 0 {
				return errors.New("no route to host")
			}
			return nil
		}
		out := alarmed(t, act, func(u *tripplitetest.UPS) { u.SetCharge(10); u.PowerFailure() })
		const alarm = "1-1:1.0: a charge of 10 % (limit 30 %)\n"
		const again = "alarm: tried again in a second: no route to host\n"
		assert.Equal(t, alarm+again+alarm+again+alarm, out)
	})
}

func TestAnAlarmEndsWithItsBank(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bank := tripplitetest.NewBank(t, tripplitetest.NewUPS(t, "smart1500lcd"))
		require.NoError(t, bank.Close())
		err := run(t.Context(), &strings.Builder{}, bank, &guard.Policy{}, command(nil))
		require.ErrorIs(t, err, tripplite.ErrClosed)
	})
}

// TestMain is the command that an alarm runs, where the environment says so.
func TestMain(m *testing.M) {
	file := os.Getenv("ALARM_TEST_FILE")
	if file == "" {
		os.Exit(m.Run())
	}
	told := strings.Join(os.Args[1:], " ") + ": " + os.Getenv("UPS_MESSAGE")
	if err := os.WriteFile(file, []byte(told), 0o600); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
}

func TestACommandGetsTheMessage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "told")
	t.Setenv("ALARM_TEST_FILE", file)
	act := command([]string{os.Args[0], "now"})
	require.NoError(t, act(t.Context(), "the battery is low"))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "now: the battery is low", string(text))

	t.Setenv("ALARM_TEST_FILE", filepath.Join(t.TempDir(), "nowhere", "told"))
	err = act(t.Context(), "the battery is low")
	require.ErrorContains(t, err, "exit status 3: open ")
	require.NoError(t, command(nil)(t.Context(), "nothing to run"))
}
