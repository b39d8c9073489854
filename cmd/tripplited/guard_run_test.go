//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/guard"
	"github.com/tripplite-go/tripplite/internal/notify"
	"github.com/tripplite-go/tripplite/internal/program"
	"github.com/tripplite-go/tripplite/nut"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

const port = "1-1:1.0" // of a UPS that a test makes

// armed has a unit on battery, whose limit is reached at once, and commands that leave marks. One
// message cannot be sent.
const armed = `
state_directory = %[1]q
http.listen = []
nut.listen = []
[guard]
armed = true
on_battery = "1s"
hold = "100ms"
warning = "0s"
cut = "never"
power_off = ["sh", "-c", "echo off >> %[1]s/marks"]
restart = ["sh", "-c", "echo restart >> %[1]s/marks"]
[[guard.hook]]
command = ["sh", "-c", "echo hook $TRIPPLITE_WHY >> %[1]s/marks"]
[[notify]]
url_file = "%[1]s/nosuch.url"
[[notify]]
command = ["sh", "-c", "echo told $TRIPPLITE_EVENT >> %[1]s/marks"]
events = ["shutting-down"]
`

func TestAnArmedGuardTakesTheComputerDown(t *testing.T) {
	dir := t.TempDir()
	file := program.Write(t, dir, "tripplited.toml", fmt.Sprintf(armed, dir))
	ctx, cancel := context.WithCancel(t.Context())
	log, ended := program.NewOutput(), make(chan int, 1)
	go func() {
		defer log.End()
		ended <- run(ctx, []string{"--replay=smart1500lcd-on-battery", "--config", file}, io.Discard, log)
	}()
	log.Await(t, `nobody is told by this .* number=1 .*nosuch.url`)
	log.Await(t, "all steps are done")
	cancel()
	require.Zero(t, <-ended)
	marks, err := os.ReadFile(filepath.Join(dir, "marks"))
	require.NoError(t, err)
	require.Regexp(t, `^told shutting-down
hook ups-smart1500lcd-on-battery: on battery for \d+s \(limit 1s\)
off
$`, string(marks))
	said := runs(t, file, "--replay=smart1500lcd-on-battery", "guard", "status")
	require.Contains(t, said, "armed, done since ")
	require.Regexp(t, `(?m)^  3\. power off: done `, said)
	require.Regexp(t, `(?m)^WARNING: notify 1: .*nosuch.url`, said)
}

func TestCheckConfigFindsATargetThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	file := program.Write(t, dir, "tripplited.toml", fmt.Sprintf(armed, dir))
	var output strings.Builder
	args := []string{"--replay=smart1500lcd", "--check-config", "--config", file}
	require.Equal(t, 1, run(t.Context(), args, &output, &output))
	require.Contains(t, output.String(), "notify 1: stat "+dir+"/nosuch.url")
}

// A unit that is never there takes the computer never down.
func TestAGuardOfAUnitThatCannotBeThereIsRefused(t *testing.T) {
	const names = "\n[units.names]\n\"1-4.2:1.0\" = [\"rack\"]\n"
	for _, test := range []struct{ name, text, want string }{
		{"a name that is misspelt", names + "[guard]\nunits = [\"rak\"]",
			`guard.units: "rak" is neither a path, such as "1-4.2:1.0", nor a name of [units.names]`},
		{"a name that is made of the path", "[guard]\nunits = [\"ups-1-4.2\"]", `"ups-1-4.2" is neither`},
		{"a path that is not read", "units.paths = [\"1-1:1.0\"]\n[guard]\nunits = [\"1-2:1.0\"]",
			`guard.units: "1-2:1.0" is none of units.paths`},
		{"a name of a path that is not read",
			"units.paths = [\"1-1:1.0\"]" + names + "[guard]\nunits = [\"rack\"]",
			`guard.units: "1-4.2:1.0" is none of units.paths`},
		{"all is well", names + "[guard]\nunits = [\"Rack\", \"1-1.4:1.0\"]", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := program.Write(t, t.TempDir(), "tripplited.toml", test.text)
			var output strings.Builder
			code := run(t.Context(), []string{"--check-config", "--config", file}, &output, &output)
			require.Equal(t, test.want != "", code != 0, "%s", &output)
			require.Contains(t, output.String(), test.want)
		})
	}
}

func TestAUnitThatIsListedTwiceIsOne(t *testing.T) {
	c := defaults()
	c.Units.Names = map[string][]string{"1-4.2:1.0": {"rack", "qnapups"}}
	c.Guard.Units = []string{"rack", "1-1:1.0", "1-4.2:1.0", "QNAPUPS"}
	require.Equal(t, []string{"1-4.2:1.0", "1-1:1.0"}, c.guardPaths())
}

// served is a NUT server with an upsmon that is logged in.
func served(t *testing.T) (*daemon, *client) {
	bank := tripplitetest.NewBank(t, tripplitetest.NewUPS(t, "smart1500lcd"))
	server := nut.NewServer(bank, nut.Config{
		Users: []nut.User{{Name: "mon", Password: "secret", Upsmon: "secondary"}}})
	t.Cleanup(func() { server.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
	d := &daemon{fixed: defaults(), bank: bank, log: silent}
	d.fixed.Guard.Units = []string{port}
	d.nut.Store(server)
	c := connect(t, l.Addr().String(), "mon", "secret")
	c.until("LOGIN ups", "OK")
	c.until("GET VAR ups ups.status", `VAR ups ups.status "OL"`)
	return d, c
}

const forced = `VAR ups ups.status "FSD OL"`

func TestEveryUpsmonIsWaitedFor(t *testing.T) {
	d, upsmon := served(t)
	done := make(chan error, 1)
	go func() { done <- d.forceShutdown(t.Context(), nil) }()
	upsmon.until("GET VAR ups ups.status", forced)
	select {
	case err := <-done:
		require.Fail(t, "it is still logged in", "%v", err)
	default:
	}
	require.Equal(t, "OK Goodbye", upsmon.ask("LOGOUT"))
	require.NoError(t, <-done)
}

func TestAnUpsmonThatStaysIsNamed(t *testing.T) {
	d, upsmon := served(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.forceShutdown(ctx, nil) }()
	upsmon.until("GET VAR ups ups.status", forced)
	cancel()
	require.EqualError(t, <-done, "still logged in: 127.0.0.1")
}

func TestWithoutANUTServerNobodyIsForced(t *testing.T) {
	require.EqualError(t, (&daemon{}).forceShutdown(t.Context(), nil), "NUT is not served")
}

func TestWhatTheGuardDoesIsToldInOrder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "told")
	d := &daemon{fixed: defaults(), log: silent,
		bank: tripplitetest.NewBank(t, tripplitetest.NewUPS(t, "smart1500lcd"))}
	d.fixed.StateDirectory = dir
	d.fixed.Units.Names = map[string][]string{port: {"rack"}}
	d.fixed.Notify = []notify.Config{{Command: []string{"sh", "-c",
		`echo "$TRIPPLITE_EVENT $TRIPPLITE_UNIT: $TRIPPLITE_TEXT" >> "$0"`, file}}}
	defer d.watch()()
	at := func(phase guard.Phase, armed bool) guard.Status {
		return guard.Status{Phase: phase, Armed: armed, Since: time.Now(), Why: "rack: on battery",
			Decision: guard.Decision{Units: []guard.Unit{
				{Path: "1-2:1.0"}, {Path: port, Reached: []string{"on battery"}}}}}
	}
	for _, armed := range []bool{false, true} {
		d.guardChanged(guard.Watching, at(guard.Warning, armed))
		d.guardChanged(guard.Warning, at(guard.Watching, armed))
		d.guardChanged(guard.Watching, at(guard.Warning, armed))
		d.guardChanged(guard.Warning, at(guard.Acting, armed))
		d.guardChanged(guard.Acting, at(guard.Done, armed))
	}
	require.NoError(t, d.notifier.Flush(t.Context()))
	told, err := os.ReadFile(file)
	require.NoError(t, err)
	const planned = "shutdown-planned rack: " +
		"The computer goes down in 10s, unless line power returns: rack: on battery.\n"
	require.Equal(t, planned+
		"shutdown-cancelled rack: The computer stays up: the limit is not reached any more.\n"+
		planned+"shutting-down rack: The computer goes down: rack: on battery.\n", string(told))
}

func TestAGuardWithoutAnybodyToTellGoesOn(t *testing.T) {
	d := &daemon{fixed: defaults()}
	d.fixed.Notify = []notify.Config{{URLFile: "nosuch"}}
	require.EqualError(t, d.steps()[0].Do(t.Context(), nil), "there is nobody to tell")
}

func TestWhatIsNotThereIsSaidAtTheStart(t *testing.T) {
	bank := tripplitetest.NewBank(t, tripplitetest.NewUPS(t, "avr900u"))
	d := &daemon{fixed: defaults(), bank: bank, log: silent}
	said := strings.Join(d.unitWarnings(t.Context()), "\n")
	require.Contains(t, said, "ups-1-1: as it is now, this UPS would not cut its load: ")
	require.Contains(t, said, "now it would stay off")

	d.fixed.Guard.Units = []string{port, "1-9:1.0"}
	d.fixed.Guard.Cut = cutNever
	require.Equal(t, []string{"ups-1-9: no UPS is at 1-9:1.0"}, d.unitWarnings(t.Context()))

	d.fixed.Guard.Cut, d.fixed.Guard.CutAfter = cutEarly, 30*time.Hour
	d.fixed.Guard.Units = []string{port}
	d.bank = tripplitetest.NewBank(t, tripplitetest.NewUPS(t, "smart1500lcd"))
	said = strings.Join(d.unitWarnings(t.Context()), "\n")
	require.Contains(t, said, "goes off after 5s to 18h12m14s, and not after 30h0m0s")

	d.bank, d.fixed.Guard.Units = tripplitetest.NewBank(t), nil
	require.Equal(t, []string{"no UPS is attached"}, d.unitWarnings(t.Context()))
	require.NoError(t, d.bank.Close())
	require.Len(t, d.unitWarnings(t.Context()), 1)
}

func TestAUPSThatHangsIsNoReasonToBeKilledWhileTheComputerGoesDown(t *testing.T) {
	d := &daemon{}
	require.False(t, d.goesDown())
	acts := make(chan bool)
	d.guard = guard.New(
		tripplitetest.NewBank(t, tripplitetest.NewUPS(t, "smart1500lcd-on-battery")),
		guard.Config{
			Armed: true, Policy: guard.Policy{Limits: guard.Limits{OnBattery: time.Millisecond}},
			Steps: []guard.Step{{Name: "hook", Do: func(context.Context, *guard.Situation) error {
				acts <- true
				<-acts
				return nil
			}}},
		})
	require.False(t, d.goesDown())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.guard.Run(ctx) }()
	<-acts
	require.True(t, d.goesDown())
	acts <- true
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

// A dry run tells nobody to shut down: an upsmon would.
func TestADryRunForcesNobody(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("STATE_DIRECTORY", dir)
	d := start(t, fmt.Sprintf(`
[[nut.user]]
name = "mon"
password_file = %q
upsmon = "secondary"
[guard]
on_battery = "1s"
hold = "100ms"
warning = "0s"
[[notify]]
command = ["touch", "%s/told"]
events = ["shutdown-planned", "shutting-down", "shutdown-cancelled"]
`, password(t), dir), "--replay=smart1500lcd-on-battery")
	d.log.Await(t, `would="Every upsmon of the UPS is told to shut its host down`)
	d.log.Await(t, "all steps are done")
	status := connect(t, d.nut, "", "").ask("GET VAR ups ups.status")
	require.Contains(t, status, "OB")
	require.NotContains(t, status, "FSD")
	require.Zero(t, d.stop())
	require.NoFileExists(t, filepath.Join(dir, "told"))
}
