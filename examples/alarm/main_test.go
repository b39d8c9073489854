package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

// An outage is told as its steps, each of which stays for some readings.
func TestTheAlarmTellsALowBatteryWithoutMains(t *testing.T) {
	const charge, left = "mains has failed and the battery is low: a charge of 10 %", "mains has failed and the battery is low: 2m0s left"
	type step = func(u *tripplitetest.UPS)
	failure, returns := (*tripplitetest.UPS).PowerFailure, (*tripplitetest.UPS).PowerReturns
	low, full := (*tripplitetest.UPS).LowBattery, func(u *tripplitetest.UPS) { u.SetCharge(100); u.SetRunTime(time.Hour) }
	unplug, replug := (*tripplitetest.UPS).Unplug, (*tripplitetest.UPS).Replug
	for name, row := range map[string]struct {
		steps []step
		told  []string
	}{
		"mains is there":                      {[]step{full}, nil},
		"a low battery on mains":              {[]step{low}, nil},
		"a good battery without mains":        {[]step{failure}, nil},
		"a low battery without mains":         {[]step{failure, low}, []string{charge}},
		"the same again":                      {[]step{failure, low, returns, full, failure, low}, []string{charge, charge}},
		"a low battery from the start":        {[]step{low, failure}, []string{charge}},
		"a lost unit":                         {[]step{unplug}, nil},
		"a lost unit without mains":           {[]step{failure, unplug}, nil},
		"a unit that is low when it is back":  {[]step{failure, unplug, low, replug}, []string{charge}},
		"a unit that is lost when it is told": {[]step{failure, low, unplug, replug}, []string{charge}},
		"a unit whose charge is not known": {[]step{failure, func(u *tripplitetest.UPS) {
			u.FailReport(0x34, errors.New("no answer"))
			u.SetRunTime(2 * time.Minute)
		}}, []string{left}},
		"a unit that says nothing of its battery": {[]step{failure, func(u *tripplitetest.UPS) {
			u.FailReport(0x34, errors.New("no answer"))
			u.FailReport(0x35, errors.New("no answer"))
		}}, nil},
		"a unit that switches off": {[]step{failure, func(u *tripplitetest.UPS) { u.SetStatus("ShutdownImminent", true) }},
			[]string{"mains has failed and the battery is low: the UPS is about to switch off"}},
	} {
		t.Run(name, func(t *testing.T) {
			ups := tripplitetest.NewUPS(t, "smart1500lcd")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var told []string
			act := func(_ context.Context, message string) error {
				told = append(told, message)
				return nil
			}
			done := make(chan error)
			go func() {
				done <- run(ctx, &strings.Builder{}, limits{charge: 30, left: 5 * time.Minute}, time.Millisecond, act,
					func() (*tripplite.Battery, error) { return ups.Battery(), nil })
			}()
			for _, next := range row.steps {
				settle(t, ups)
				next(ups)
			}
			settle(t, ups)
			cancel()
			require.NoError(t, <-done)
			assert.Equal(t, row.told, told)
		})
	}
}

// settle waits until the unit has been read some times, which it also is while it is away.
func settle(t *testing.T, ups *tripplitetest.UPS) {
	t.Helper()
	ups.Requests()
	readings := 0
	require.Eventually(t, func() bool {
		for _, r := range ups.Requests() {
			if r.ID == 0x32 {
				readings++
			}
		}
		return readings > 3
	}, 30*time.Second, time.Millisecond)
}

func TestAFailureThatDoesNotLastIsNoAlarm(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	act := func(context.Context, string) error { return errors.New("an alarm") }
	var out strings.Builder
	done := make(chan error)
	go func() {
		done <- run(ctx, &out, limits{hold: time.Hour, charge: 30}, time.Millisecond, act,
			func() (*tripplite.Battery, error) { return ups.Battery(), nil })
	}()
	settle(t, ups)
	ups.PowerFailure()
	ups.LowBattery()
	settle(t, ups)
	cancel()
	require.NoError(t, <-done)
	assert.Empty(t, out.String())
}

func TestAnAlarmThatFailsIsTriedAgain(t *testing.T) {
	ups := tripplitetest.NewUPS(t, "smart1500lcd")
	ups.PowerFailure()
	ups.LowBattery()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	failures := 2
	act := func(context.Context, string) error {
		if failures--; failures >= 0 {
			return errors.New("no route to host")
		}
		cancel()
		return nil
	}
	var out strings.Builder
	require.NoError(t, run(ctx, &out, limits{charge: 30}, time.Millisecond, act, func() (*tripplite.Battery, error) { return ups.Battery(), nil }))
	const alarm = "mains has failed and the battery is low: a charge of 10 %\n"
	const again = "alarm: tried again with the next reading: no route to host\n"
	assert.Equal(t, alarm+again+alarm+again+alarm, out.String())
}

func TestAnAlarmThatCannotBeginSaysWhy(t *testing.T) {
	open := func() (*tripplite.Battery, error) { return nil, tripplite.ErrBusy }
	require.ErrorIs(t, run(t.Context(), &strings.Builder{}, limits{}, time.Second, nil, open), tripplite.ErrBusy)
}

func TestADryRunSaysWhatWouldBeDone(t *testing.T) {
	for name, row := range map[string]struct {
		dryRun  bool
		to      string
		args    []string
		printed string
		err     string
	}{
		"a command":         {true, "", []string{"shutdown", "-h", "now"}, "dry run: would run shutdown -h now\n", ""},
		"a mail":            {true, "ops@example.com", nil, "dry run: would send a mail to ops@example.com\n", ""},
		"nothing":           {true, "", nil, "", "say what to do: -mail-to ADDRESS, or a command after --"},
		"nothing, for real": {false, "", nil, "", "say what to do: -mail-to ADDRESS, or a command after --"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			act, err := choose(&out, row.dryRun, row.to, "ups@localhost", "localhost:25", row.args)
			if row.err != "" {
				require.EqualError(t, err, row.err)
				return
			}
			require.NoError(t, err)
			require.NoError(t, act(t.Context(), "mains has failed"))
			assert.Equal(t, row.printed, out.String())
		})
	}
}

// TestMain is the command that an alarm runs, where the environment says so.
func TestMain(m *testing.M) {
	file := os.Getenv("ALARM_TEST_FILE")
	if file == "" {
		os.Exit(m.Run())
	}
	if err := os.WriteFile(file, []byte(strings.Join(os.Args[1:], " ")+": "+os.Getenv("UPS_MESSAGE")), 0o600); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
}

func TestACommandGetsTheMessage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "told")
	t.Setenv("ALARM_TEST_FILE", file)
	act, err := choose(&strings.Builder{}, false, "", "", "", []string{os.Args[0], "now"})
	require.NoError(t, err)
	require.NoError(t, act(t.Context(), "mains has failed"))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "now: mains has failed", string(text))

	t.Setenv("ALARM_TEST_FILE", filepath.Join(t.TempDir(), "nowhere", "told"))
	err = act(t.Context(), "mains has failed")
	require.ErrorContains(t, err, "exit status 3: open ")
}

func TestAMailGetsTheMessage(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	said := make(chan []string)
	go func() { said <- serve(listener) }()
	act, err := choose(&strings.Builder{}, false, "ops@example.com", "ups@example.com", listener.Addr().String(), nil)
	require.NoError(t, err)
	require.NoError(t, act(t.Context(), "mains has failed"))
	assert.Equal(t, []string{
		"EHLO localhost", "MAIL FROM:<ups@example.com>", "RCPT TO:<ops@example.com>", "DATA",
		"From: ups@example.com", "To: ops@example.com", "Subject: UPS: mains has failed", "", "mains has failed", ".", "QUIT",
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
