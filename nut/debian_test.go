package nut

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

// patience is more than anything here takes, on a busy computer too.
const patience = time.Minute

// eventually waits until something holds.
func eventually(t testing.TB, what any, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(10 * time.Millisecond) {
		require.Less(t, time.Since(began), patience, "it did not come: %v", what)
	}
}

// run runs one of NUT's clients and returns its output and what it complains of.
func run(t testing.TB, name string, args ...string) (out, complaint string, ok bool) {
	t.Helper()
	var stdout, stderr strings.Builder
	command := exec.CommandContext(t.Context(), program.Find(t, name), args...)
	command.Env = append(os.Environ(), "NUT_CONFPATH="+t.TempDir())
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	return stdout.String(), stderr.String(), err == nil
}

func TestDebiansUpsc(t *testing.T) {
	t.Parallel()
	program.Find(t, "upsc")
	_, ups, address := onLoopback(t, Config{Users: users})
	_, port, _ := net.SplitHostPort(address)
	here := "localhost:" + port
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"ups@" + here, "ups.status"}, "OL\n"},
		{[]string{"UPS@" + here, "battery.charge"}, "100\n"},
		{[]string{"-l", here}, "ups\n"},
		{[]string{"-L", here}, "ups: Tripp Lite Tripp Lite UPS\n"},
		{[]string{"-c", "ups@" + here}, ""},
	} {
		out, complaint, ok := run(t, "upsc", test.args...)
		assert.True(t, ok, "%v: %s", test.args, complaint)
		assert.Equal(t, test.want, out, "%v", test.args)
	}
	out, _, ok := run(t, "upsc", "ups@"+here)
	assert.True(t, ok)
	assert.Contains(t, out, "battery.charge: 100\nbattery.runtime: 1004\nbattery.voltage: 27.5\n")
	assert.Contains(t, out, "\nups.status: OL\n")
	for name, want := range map[string]string{
		"ups@" + here + " x.nope": "Variable not supported by UPS", "nope@" + here: "Unknown UPS",
	} {
		_, complaint, ok := run(t, "upsc", strings.Fields(name)...)
		assert.False(t, ok)
		assert.Contains(t, complaint, want)
	}
	ups.Unplug()
	eventually(t, "Data stale", func() bool {
		_, complaint, ok := run(t, "upsc", "ups@"+here, "ups.status")
		return !ok && strings.Contains(complaint, "Data stale")
	})
	ups.Replug()
	eventually(t, "OL", func() bool {
		out, _, ok := run(t, "upsc", "ups@"+here, "ups.status")
		return ok && out == "OL\n"
	})
}

func TestDebiansUpscmdAndUpsrw(t *testing.T) {
	t.Parallel()
	program.Find(t, "upscmd")
	_, ups, address := onLoopback(t, Config{Users: users})
	_, port, _ := net.SplitHostPort(address)
	at := "ups@localhost:" + port
	out, complaint, ok := run(t, "upscmd", "-l", at)
	require.True(t, ok, complaint)
	require.Contains(t, out, "beeper.disable - Switches the beeper off.\n")
	require.Contains(t, out, "shutdown.return - ")
	for _, args := range [][]string{
		{"-u", "admin", "-p", "pw", at, "beeper.disable"}, {"-w", "-u", "admin", "-p", "pw", at, "beeper.disable"},
	} {
		ups.Requests()
		_, complaint, ok = run(t, "upscmd", args...)
		require.True(t, ok, complaint)
		eventually(t, args, func() bool {
			return strings.Contains(strings.Join(ups.Requests(), "\n"), "send 11 01")
		})
	}
	for want, args := range map[string][]string{
		"ERR ACCESS-DENIED":     {"-u", "admin", "-p", "wrong", at, "beeper.disable"},
		"ERR CMD-NOT-SUPPORTED": {"-u", "admin", "-p", "pw", at, "load.on"},
	} {
		_, complaint, ok = run(t, "upscmd", args...)
		require.False(t, ok)
		require.Contains(t, complaint, want)
	}

	out, complaint, ok = run(t, "upsrw", at)
	require.True(t, ok, complaint)
	for _, want := range []string{"[ups.delay.shutdown]\n", "Type: RANGE", "\"5-65534\"", "[ups.start.auto]\n",
		"Type: ENUM", "Option: \"yes\" SELECTED\nOption: \"no\"\n"} {
		require.Contains(t, out, want)
	}
	ups.Requests()
	_, complaint, ok = run(t, "upsrw", "-w", "-s", "ups.start.auto=no", "-u", "admin", "-p", "pw", at)
	require.True(t, ok, complaint)
	require.Contains(t, ups.Requests(), "send b6 00")
	_, complaint, ok = run(t, "upsrw", "-s", "battery.charge=50", "-u", "admin", "-p", "pw", at)
	require.False(t, ok)
	require.Contains(t, complaint, "ERR READONLY")
}

// upsmon is NUT's, of one host. What it shuts down is a file.
type upsmon struct {
	t    testing.TB
	down string // the file that its shutdown makes
	log  *logged
}

// monitor starts an upsmon. It ends with the test.
func monitor(t testing.TB, port, user, password, kind string) *upsmon {
	t.Helper()
	if testing.Short() {
		t.Skip("upsmon polls once a second")
	}
	binary := "/lib/nut/upsmon" // the one in sbin is a script that wants a configuration of the system
	if _, err := os.Stat(binary); err != nil {
		binary = program.Find(t, "upsmon")
	}
	dir := t.TempDir()
	m := &upsmon{t: t, down: filepath.Join(dir, "down"), log: &logged{}}
	script := filepath.Join(dir, "shutdown")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n: > "+m.down+"\n"), 0o700))
	notes := ""
	for _, event := range strings.Fields("ONLINE ONBATT LOWBATT FSD COMMOK COMMBAD SHUTDOWN NOCOMM") {
		notes += "NOTIFYFLAG " + event + " SYSLOG\nNOTIFYMSG " + event + " \"told " + event + "\"\n"
	}
	// Every time is the shortest that upsmon takes, but for DEADTIME, which is that of real hosts.
	config := fmt.Sprintf("MONITOR ups@localhost:%s 1 %s %s %s\nMINSUPPLIES 1\nSHUTDOWNCMD %s\nRUN_AS_USER root\n"+
		"POLLFREQ 1\nPOLLFREQALERT 1\nHOSTSYNC 2\nDEADTIME 15\nFINALDELAY 0\nNOCOMMWARNTIME 300\n"+
		"POWERDOWNFLAG %s\n%s", port, user, password, kind, script, filepath.Join(dir, "powerdown"), notes)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "upsmon.conf"), []byte(config), 0o600))
	command := exec.Command(binary, "-D", "-p")
	// It writes a file of this name in /run/nut, and takes the one of another upsmon for itself.
	command.Args[0] = fmt.Sprintf("upsmon-%d-%s", os.Getpid(), filepath.Base(filepath.Dir(dir)))
	command.Env = append(os.Environ(), "NUT_CONFPATH="+dir, "NUT_STATEPATH="+dir, "NUT_ALTPIDPATH="+dir)
	command.Dir = dir
	command.Stdout, command.Stderr = m.log, m.log
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		_ = os.Remove("/run/nut/" + command.Args[0] + ".pid")
		if t.Failed() {
			t.Log(m.log.String())
		}
	})
	return m
}

// told waits until upsmon has told of an event, for the nth time.
func (m *upsmon) told(event string, n int) {
	m.t.Helper()
	eventually(m.t, event, func() bool { return strings.Count(m.log.String(), "told "+event) >= n })
}

// isDown reports whether the host was shut down.
func (m *upsmon) isDown() bool {
	_, err := os.Stat(m.down)
	return err == nil
}

// loggedIn waits until that many are logged in to the unit.
func loggedIn(t testing.TB, s *Server, n int) {
	t.Helper()
	eventually(t, fmt.Sprint(n, " logins"), func() bool { return len(s.Clients("1-1:1.0")) == n })
}

// polled waits until upsmon has asked twice more, the second time of a state that lasts.
func polled(t testing.TB, s *Server) {
	t.Helper()
	last := func() (latest int64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.sessions {
			if c.monitored.Load() != nil {
				latest = max(latest, c.last.Load())
			}
		}
		return latest
	}
	for range 2 {
		before := last()
		eventually(t, "a poll", func() bool { return last() > before })
	}
}

func upsmonOf(t *testing.T, user User, kind string) (*Server, *tripplitetest.UPS, string, *upsmon) {
	t.Helper()
	program.Find(t, "upsmon")
	t.Parallel()
	s, ups, address := onLoopback(t, Config{Users: users})
	_, port, _ := net.SplitHostPort(address)
	m := monitor(t, port, user.Name, user.Password, kind)
	loggedIn(t, s, 1)
	polled(t, s)
	return s, ups, address, m
}

func TestUpsmonAsPrimaryShutsDownOnALowBatteryAlone(t *testing.T) {
	s, ups, _, m := upsmonOf(t, mon, "primary")
	ups.SetCharge(50)
	ups.PowerFailure()
	m.told("ONBATT", 1)
	polled(t, s)
	require.False(t, m.isDown())
	ups.PowerReturns()
	m.told("ONLINE", 1)
	ups.LowBattery() // on line power, as a battery that is charged after an outage
	polled(t, s)
	require.False(t, m.isDown())
	ups.PowerFailure()
	eventually(t, "the shutdown", m.isDown)
	require.Contains(t, m.log.String(), "told LOWBATT")
	u, _ := s.memory.find("ups")
	require.True(t, u.fsd, "it has told the others")
}

func TestUpsmonAsSecondaryShutsDownOnFSD(t *testing.T) {
	s, ups, address, m := upsmonOf(t, secondary, "secondary")
	ups.PowerFailure()
	m.told("ONBATT", 1)
	polled(t, s)
	require.False(t, m.isDown())
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	dialogue(t, clientOf(t, conn), []exchange{{"USERNAME mon", "OK"}, {"PASSWORD monpw", "OK"},
		{"LOGIN ups", "OK"}, {"PRIMARY ups", "OK PRIMARY-GRANTED"}, {"GET NUMLOGINS ups", "NUMLOGINS ups 2"},
		{"FSD ups", "OK FSD-SET"}})
	eventually(t, "the shutdown", m.isDown)
	require.Contains(t, m.log.String(), "told FSD")
	loggedIn(t, s, 1) // it has gone, which the primary waits for
}

// A secondary gives the primary its HOSTSYNC to tell it, and then shuts down by itself.
func TestUpsmonAsSecondaryShutsDownOnALowBatteryThatLasts(t *testing.T) {
	s, ups, _, m := upsmonOf(t, secondary, "secondary")
	ups.PowerFailure()
	m.told("ONBATT", 1)
	ups.PowerReturns()
	m.told("ONLINE", 1)
	ups.LowBattery()
	polled(t, s)
	require.False(t, m.isDown())
	ups.PowerFailure()
	m.told("LOWBATT", 1)
	eventually(t, "the shutdown", m.isDown)
	u, _ := s.memory.find("ups")
	require.False(t, u.fsd, "it may not tell the others")
}

func TestUpsmonTakesALostUnitForNoOutage(t *testing.T) {
	s, ups, _, m := upsmonOf(t, mon, "primary")
	ups.Unplug()
	m.told("COMMBAD", 1)
	polled(t, s)
	ups.Replug()
	m.told("COMMOK", 1)
	polled(t, s)
	require.False(t, m.isDown())
	require.NotContains(t, m.log.String(), "told ONBATT")
}

// Units leave the bus just when power fails. upsmon gives them its DEADTIME of 15 s.
func TestUpsmonOutlastsAUnitThatLeavesTheBusForEightSecondsOnBattery(t *testing.T) {
	for _, user := range []User{mon, secondary} {
		t.Run(user.Upsmon, func(t *testing.T) {
			s, ups, _, m := upsmonOf(t, user, user.Upsmon)
			ups.PowerFailure()
			m.told("ONBATT", 1)
			ups.Unplug()
			gone := time.NewTimer(8 * time.Second) // nothing but the clock tells of it
			m.told("COMMBAD", 1)
			<-gone.C
			ups.Replug()
			m.told("COMMOK", 1)
			polled(t, s)
			require.False(t, m.isDown())
			require.NotContains(t, m.log.String(), "told FSD")
			ups.PowerReturns()
			m.told("ONLINE", 1)
		})
	}
}

func TestUpsmonOutlastsARestartOfTheServer(t *testing.T) {
	s, ups, address, m := upsmonOf(t, mon, "primary")
	ups.PowerFailure()
	m.told("ONBATT", 1)
	require.NoError(t, s.Close())
	m.told("COMMBAD", 1)
	again := NewServer(tripplitetest.NewBank(t, tripplitetest.NewUPS(t, "smart1500lcd-on-battery")), Config{Users: users})
	listen(t, again, address)
	m.told("COMMOK", 1)
	loggedIn(t, again, 1)
	polled(t, again)
	require.False(t, m.isDown())
	assert.NotContains(t, m.log.String(), "told FSD")
}
