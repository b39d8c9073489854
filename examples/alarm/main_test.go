package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

// alarmed runs an alarm through steps that are a few seconds apart, and returns what it prints.
func alarmed(
	t *testing.T, l limits, act func(message string) error, steps ...func(*tripplitetest.UPS),
) (out string) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ctx, cancel := context.WithCancel(t.Context())
	var printed strings.Builder
	done := make(chan bool)
	go func() {
		action := func(_ context.Context, message string) error { return act(message) }
		run(ctx, &printed, ups.Battery(), time.Second, l, action)
		close(done)
	}()
	for _, step := range steps {
		time.Sleep(5 * time.Second)
		step(ups)
	}
	time.Sleep(5 * time.Second)
	cancel()
	<-done
	return printed.String()
}

func TestTheAlarmTellsALowBatteryWithoutLinePower(t *testing.T) {
	const (
		failed = "line power has failed and the battery is low: "
		charge = failed + "a charge of 10 %"
	)
	type ups = *tripplitetest.UPS
	failure, returns, unplug, replug := ups.PowerFailure, ups.PowerReturns, ups.Unplug, ups.Replug
	low, full := ups.LowBattery, func(u ups) { u.SetCharge(100); u.SetRunTime(time.Hour) }
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
		"a lost unit":                       {[]func(ups){unplug}, nil},
		"a lost unit without line power":    {[]func(ups){failure, unplug}, nil},
		"a unit that is low when it is back": {[]func(ups){failure, unplug, low, replug},
			[]string{charge}},
		"a unit that is lost when it was told": {[]func(ups){failure, low, unplug, replug},
			[]string{charge}},
		"the same again": {[]func(ups){failure, low, returns, full, failure, low},
			[]string{charge, charge}},
		"a unit whose charge is not known": {
			[]func(ups){failure, fail(0x34), func(u ups) { u.SetRunTime(2 * time.Minute) }},
			[]string{failed + "2m0s left"}},
		"a unit that says nothing of its battery": {
			[]func(ups){failure, fail(0x34), fail(0x35), low}, nil},
		"a unit that switches off": {
			[]func(ups){failure, func(u ups) { u.SetStatus("ShutdownImminent", true) }},
			[]string{failed + "the UPS is about to switch off"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told []string
				l := limits{hold: 2 * time.Second, charge: 30, left: 5 * time.Minute}
				act := func(message string) error { told = append(told, message); return nil }
				alarmed(t, l, act, row.steps...)
				assert.Equal(t, row.told, told)
			})
		})
	}
}

func TestAFailureThatDoesNotLastIsNoAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		act := func(string) error { t.Error("an alarm"); return nil }
		out := alarmed(t, limits{hold: time.Hour, charge: 30}, act,
			func(u *tripplitetest.UPS) { u.PowerFailure(); u.LowBattery() })
		assert.Empty(t, out)
	})
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
		out := alarmed(t, limits{charge: 30}, act,
			func(u *tripplitetest.UPS) { u.LowBattery(); u.PowerFailure() })
		const alarm = "line power has failed and the battery is low: a charge of 10 %\n"
		const again = "alarm: tried again with the next reading: no route to host\n"
		assert.Equal(t, alarm+again+alarm+again+alarm, out)
	})
}

func TestADryRunSaysWhatWouldBeDone(t *testing.T) {
	for name, row := range map[string]struct {
		to      string
		args    []string
		printed string
	}{
		"a command": {"", []string{"shutdown", "-h", "now"}, "dry run: would run shutdown -h now\n"},
		"a mail":    {"ops@example.com", nil, "dry run: would send a mail to ops@example.com\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			act, err := choose(&out, true, row.to, "ups@localhost", "localhost:25", row.args)
			require.NoError(t, err)
			require.NoError(t, act(t.Context(), "line power has failed"))
			assert.Equal(t, row.printed, out.String())
		})
	}
}

func TestAnAlarmNeedsSomethingToDo(t *testing.T) {
	for _, dryRun := range []bool{false, true} {
		_, err := choose(io.Discard, dryRun, "", "ups@localhost", "localhost:25", nil)
		require.EqualError(t, err, "say what to do: -mail-to ADDRESS, or a command after --")
	}
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
	act, err := choose(io.Discard, false, "", "", "", []string{os.Args[0], "now"})
	require.NoError(t, err)
	require.NoError(t, act(t.Context(), "line power has failed"))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "now: line power has failed", string(text))

	t.Setenv("ALARM_TEST_FILE", filepath.Join(t.TempDir(), "nowhere", "told"))
	err = act(t.Context(), "line power has failed")
	require.ErrorContains(t, err, "exit status 3: open ")
}

func TestAMailGetsTheMessage(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	said := make(chan []string)
	go func() { said <- serve(listener) }()
	act, err := choose(io.Discard, false,
		"ops@example.com", "ups@example.com", listener.Addr().String(), nil)
	require.NoError(t, err)
	require.NoError(t, act(t.Context(), "line power has failed"))
	assert.Equal(t, []string{
		"EHLO localhost", "MAIL FROM:<ups@example.com>", "RCPT TO:<ops@example.com>", "DATA",
		"From: ups@example.com", "To: ops@example.com", "Subject: UPS: line power has failed", "",
		"line power has failed", ".", "QUIT",
	}, <-said)
}

// serve takes one mail (RFC 5321) and returns what the client said.
func serve(listener net.Listener) (said []string) {
	conn, err := listener.Accept()
	if err != nil {
		return nil
	}
	defer conn.Close()
	fmt.Fprint(conn, "220 mail\r\n")
	data := false
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		line := lines.Text()
		said = append(said, line)
		switch {
		case line == "DATA":
			data = true
			fmt.Fprint(conn, "354 go on\r\n")
		case line == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return said
		case !data || line == ".":
			data = false
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
	return said
}
