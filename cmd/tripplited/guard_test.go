package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/guard"
	"github.com/tripplite-go/tripplite/internal/logind"
	"github.com/tripplite-go/tripplite/internal/program"
)

// runs runs the program with a file to its end and returns what it prints.
func runs(t *testing.T, file string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	require.Zero(t, run(t.Context(), append(args, "--config", file), &stdout, &stderr), "%s", &stderr)
	return stdout.String()
}

const guarded = `
[units.names]
"smart1500lcd" = ["rack"]
[guard]
units = ["rack"]
on_battery = "15m"
charge = 30.0
runtime = "2m"
[[guard.hook]]
command = ["/nosuch/stop-guests", "all"]
`

func TestCheckConfigExplainsTheGuardInSentences(t *testing.T) {
	const upsmon = "[[nut.user]]\nname = \"a\"\npassword_file = %q\nupsmon = \"secondary\"\n"
	for _, test := range []struct{ name, text, want string }{
		{"what it does at first", guarded, `guard:
  This is a dry run: what follows is only said, and nothing is touched, until armed = true.
  A limit is reached when the UPS rack is on battery, and it has been on battery for 15m, or its ` +
			`charge is below 30 %, or it has less than 2m of run time left, or it says itself that its ` +
			`battery is low, or it has been lost on battery for 5m.
  A power failure, or a limit, is believed when it has lasted 5s. A UPS that is lost while there ` +
			`is line power never takes the computer down.
  When a limit has been reached for 10s, the computer goes down. Line power that returns before ` +
			`takes everything back; after that all is carried through:
  1. The command /nosuch/stop-guests all runs, for 1m at most.
  2. The UPS is told to switch its load off after 2m and to come back (shutdown.return), for 20s ` +
			`at most.
  3. The system is asked to power off, for 30s at most.
  The last of these begins 1m 30s after the limit is reached at the latest.
  The power is cut 3m 30s after the limit is reached at the latest. The battery has to last as long.
  WARNING: the limit of 2m of run time is less than that.
  WARNING: hook 1: exec: "/nosuch/stop-guests": stat /nosuch/stop-guests: no such file or directory
`},
		{"armed, late, for another computer too", fmt.Sprintf(upsmon, password(t)) + `
[guard]
armed = true
all = true
units = ["1-1:1.0", "1-2:1.0"]
warning = "0s"
lost = "0s"
cut = "late"
cut_after = "15s"
`, `guard:
  A limit is reached when each of the UPSes ups-1-1, ups-1-2 is on battery, and it says itself that ` +
			`its battery is low.
  A UPS that is lost on battery reaches no limit by that alone.
  A power failure, or a limit, is believed when it has lasted 5s. A UPS that is lost while there ` +
			`is line power never takes the computer down.
  Then the computer goes down, and all is carried through, even if line power returns:
  1. Every upsmon of the UPS is told to shut its host down (FSD), and waited for, for 15s at most.
  2. The UPS will be told to switch its load off 15s after the services have stopped, and to come ` +
			`back (shutdown.return), for 20s at most.
  3. The system is asked to power off, for 30s at most.
  The last of these begins 35s after the limit is reached at the latest.
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := program.Write(t, t.TempDir(), "tripplited.toml", test.text)
			_, said, _ := strings.Cut(runs(t, file, "--check-config"), "\nguard:\n")
			require.Equal(t, test.want, "guard:\n"+said)
		})
	}
}

func TestTheExampleExplainsItself(t *testing.T) {
	require.Contains(t, runs(t, "../../deploy/tripplited.toml", "--check-config"), `guard:
  This is a dry run: what follows is only said, and nothing is touched, until armed = true.
  A limit is reached when any UPS of this computer is on battery, and it says itself that its `+
		`battery is low, or it has been lost on battery for 5m.
`)
	d := &daemon{fixed: defaults(), stderr: io.Discard}
	require.NoError(t, d.fixed.parse(example(t, true)))
	said := d.describeGuard()
	for _, has := range []string{
		"This is a dry run", "any UPS of this computer is on battery", "lost on battery for 5m",
		"The command /usr/local/sbin/stop-guests runs", "(FSD)", "switch its load off after 2m",
	} {
		assert.Contains(t, said, has)
	}
}

// The numbers are those of the capture: 1004 s of run time.
func TestThePlanHasRealReadings(t *testing.T) {
	file := program.Write(t, t.TempDir(), "tripplited.toml", guarded)
	said := runs(t, file, unit, "guard", "plan")
	require.Contains(t, said, "rack: on line power, charge 100 %, runtime 16 min 44 s, load 36 %")
	require.Contains(t, said, "it would reach the run time limit in about 14 min 44 s at this load")
	require.Contains(t, said, "shutdown.return: Sets auto restart and switches the load off")
	require.Contains(t, said, "The UPS is told to switch its load off after 2m")

	said = runs(t, file, "--replay=avr900u", "guard", "plan")
	require.Contains(t, said, "rack: no UPS is at smart1500lcd")
}

func TestThePlanSaysWhatAUnitDoesNotTellAndWhatItRefuses(t *testing.T) {
	limits := program.Write(t, t.TempDir(), "tripplited.toml", "[guard]\nruntime = \"10m\"\n")
	for _, test := range []struct{ capture, want string }{
		{"smart500rt1u", "It does not say its run time: the run time limit is never reached. As it is " +
			"now, it refuses shutdown.return: the unit does it only on battery, and there is line power. " +
			"It is asked again when the computer goes down."},
		{"smart1500lcd-on-battery", "It reaches the run time limit in about 8 min 20 s at this load."},
		{"smart1500lcdt", "The other time is off_for: 1m."},
	} {
		t.Run(test.capture, func(t *testing.T) {
			require.Contains(t, runs(t, limits, "--replay="+test.capture, "guard", "plan"), test.want)
		})
	}
}

func TestAPlanWithoutAGuardSaysSo(t *testing.T) {
	said := runs(t, program.Write(t, t.TempDir(), "tripplited.toml", ""), unit, "guard", "plan")
	require.Contains(t, said, "There is no [guard] in the configuration")
}

// dryRun has a unit on battery, whose limit is reached at once.
const dryRun = `
state_directory = %q
[guard]
on_battery = "1s"
hold = "100ms"
warning = "0s"
[[guard.hook]]
command = ["false"]
`

func TestADryRunIsInTheLogAndInTheStatus(t *testing.T) {
	dir := t.TempDir()
	text := fmt.Sprintf(dryRun, dir)
	text = "http.listen = []\nnut.listen = []\n" + text
	file := program.Write(t, dir, "tripplited.toml", text)
	log := program.NewOutput()
	launched := make(chan int, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		defer log.End()
		launched <- run(ctx, []string{"--replay=smart1500lcd-on-battery", "--config", file}, io.Discard, log)
	}()
	log.Await(t, `dry run: nothing is done" would="The command false runs"`)
	log.Await(t, `would="The UPS is told to switch its load off after 2m .*smart1500lcd-on-battery: Sets auto`)
	log.Await(t, `would="The system is asked to power off"`)
	log.Await(t, "all steps are done")
	said := runs(t, file, "guard", "status")
	require.Contains(t, said, "not armed (dry run), done since ")
	require.Regexp(t, `(?m)^ups-smart1500lcd-on-battery: on battery since .*; on battery for `, said)
	require.Regexp(t, `(?m)^  1\. hook false: said `, said)
	require.Regexp(t, `(?m)^  3\. power off: said `, said)
	stop()
	require.Zero(t, <-launched)
}

func TestThereIsNoStatusBeforeAGuardHasRun(t *testing.T) {
	dir := t.TempDir()
	file := program.Write(t, dir, "tripplited.toml", fmt.Sprintf("state_directory = %q\n", dir))
	var stderr bytes.Buffer
	require.Equal(t, 1, run(t.Context(), []string{"guard", "status", "--config", file}, io.Discard, &stderr))
	require.Contains(t, stderr.String(), "no guard has run yet: there is no "+filepath.Join(dir, guardFile))
}

func TestTheStatusTellsTheLastTime(t *testing.T) {
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.Local)
	later := at.Add(90 * time.Second)
	d := &daemon{fixed: defaults()}
	said := d.describeStatus(guard.Kept{
		Written: later,
		Status: guard.Status{Phase: guard.Watching, Since: at, Armed: true, Decision: guard.Decision{
			Units: []guard.Unit{
				{Path: "1-1:1.0", Known: true},
				{Path: "1-2:1.0", Known: true, OnBattery: true, Since: at, Lost: true, LostSince: later,
					At: later.Add(time.Minute), Because: "lost while on battery for 1m"},
				{Path: "1-3:1.0"},
			}}, Warnings: []string{"no UPS is at 1-3:1.0"}},
		Last: &guard.Status{Armed: true, Since: at, Why: "the battery was low", Steps: []guard.StepStatus{
			{Name: "hook a", Began: &at, Ended: &later},
			{Name: "hook b", Began: &at, Ended: &later, Error: "exit status 1"},
			{Name: "UPS", Began: &later}, {Name: "power off"},
		}},
	}, later)
	require.Equal(t, `armed, watching since 2026-11-24 03:00:00; written 2026-11-24 03:01:30
ups-1-1: on line power
ups-1-2: on battery since 2026-11-24 03:00:00, lost since 2026-11-24 03:01:30; a limit is reached `+
		`about 2026-11-24 03:02:30 (lost while on battery for 1m)
ups-1-3: not known whether on battery
WARNING: no UPS is at 1-3:1.0

The last time, 2026-11-24 03:00:00: the battery was low
  1. hook a: done 2026-11-24 03:01:30, in 1m30s
  2. hook b: failed 2026-11-24 03:01:30: exit status 1
  3. UPS: begun 2026-11-24 03:01:30
  4. power off: waits
`, said)
}

func TestTheStatusOfAGuardThatHasOnlyWatchedHasNoTime(t *testing.T) {
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.Local)
	said := (&daemon{}).describeStatus(
		guard.Kept{Written: at, Status: guard.Status{Phase: guard.Watching}}, at)
	require.Equal(t, "not armed (dry run), watching; written 2026-11-24 03:00:00\n", said)
}

func TestKillPowerWithoutAFileDoesNothing(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", t.TempDir())
	require.Empty(t, runs(t, program.Write(t, t.TempDir(), "tripplited.toml", ""), "--kill-power"))
}

func TestWhatDoesNotFitToTheSystemIsSaid(t *testing.T) {
	fine := logind.System{CanPowerOff: "yes", InhibitDelay: 5 * time.Second, StopTimeout: 90 * time.Second}
	for _, test := range []struct {
		name   string
		change func(*config, *logind.System)
		want   []string
	}{
		{"all", func(*config, *logind.System) {}, nil},
		{"a user who may not", func(_ *config, s *logind.System) { s.CanPowerOff = "challenge" },
			[]string{`this user may not power the computer off: logind says "challenge" (docs/guard.md)`}},
		{"a program that blocks", func(_ *config, s *logind.System) {
			s.Inhibitors = []logind.Inhibitor{
				{Who: "kubelet", Why: "graceful", Mode: "delay"},
				{Who: "dpkg", Why: "an upgrade", Mode: "block"},
			}
		}, []string{"dpkg blocks a power off now: an upgrade"}},
		{"a kubelet with ten minutes", func(_ *config, s *logind.System) { s.InhibitDelay = 10 * time.Minute },
			[]string{"cut_after is 2m0s, and the computer may take 11m30s to go down: programs may hold it " +
				"up for 10m0s (InhibitDelayMaxSec), and a service may take 1m30s to stop"}},
		{"a service that may take for ever", func(_ *config, s *logind.System) {
			s.StopTimeout = math.MaxInt64 / time.Microsecond * time.Microsecond
		}, []string{"cut_after is 2m0s, and the computer may take 2562047h47m16.854775807s to go down: " +
			"programs may hold it up for 5s (InhibitDelayMaxSec), and a service may take " +
			"2562047h47m16.854775s to stop"}},
		{"it is cut late", func(c *config, s *logind.System) {
			c.Guard.Cut, s.InhibitDelay = cutLate, 10*time.Minute
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, s := defaults(), fine
			test.change(&c, &s)
			require.Equal(t, test.want, fits(&c, s))
		})
	}
}

// What the guard left to be done does not wait for a file that is mended.
func TestWhatServesNothingNeedsNoMoreThanItsPart(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", t.TempDir())
	dir := t.TempDir()
	left := program.Write(t, os.Getenv("RUNTIME_DIRECTORY"), killPowerFile,
		`{"boot": "another", "paths": ["1-1:1.0"]}`)
	wrong := program.Write(t, dir, "wrong.toml", "colour = 1")
	var stderr bytes.Buffer
	require.Equal(t, 1, run(t.Context(), []string{"--kill-power", "--config", wrong}, io.Discard, &stderr))
	require.Contains(t, stderr.String(), "colour")
	require.Contains(t, stderr.String(), "is of an earlier boot of this computer")
	require.NoFileExists(t, left)
	missing := program.Write(t, dir, "missing.toml", fmt.Sprintf(admin, filepath.Join(dir, "none")))
	require.Empty(t, runs(t, missing, "--kill-power"))
	require.Contains(t, runs(t, missing, unit, "guard", "plan"), "no [guard]")
}
