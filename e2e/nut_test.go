//go:build e2e && linux

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// daemon starts tripplited with a configuration, and stops it when the test ends.
func daemon(t *testing.T, config string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tripplited.toml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	var log strings.Builder
	command := exec.Command("tripplited", "--config", file)
	command.Stderr = &log
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		require.NoError(t, command.Process.Signal(syscall.SIGTERM))
		assert.NoError(t, command.Wait(), "%s", log.String())
		if t.Failed() {
			t.Log(log.String())
		}
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:3493")
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
}

// upsc returns what upsc prints, by variable.
func upsc(t *testing.T, ups string) map[string]string {
	t.Helper()
	said := map[string]string{}
	for line := range strings.Lines(tool(t, nil, "upsc", ups+"@127.0.0.1").stdout) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		said[key] = value
	}
	return said
}

func awaitStatus(t *testing.T, ups, status string) {
	t.Helper()
	require.Eventually(t, func() bool { return upsc(t, ups)["ups.status"] == status },
		30*time.Second, 100*time.Millisecond, "%s is %s", ups, status)
}

// The differences from NUT's own driver, which docs/nut.md explains.
var unlikeNUT = map[string]string{
	"battery.charge.low":    "NUT's driver makes it up where the unit does not say it",
	"battery.runtime.low":   "the same",
	"ups.power":             "it is ups.realpower: report 47 has watts",
	"ups.realpower":         "see ups.power",
	"ups.status":            "no CHRG in float",
	"input.voltage.nominal": "by the nominal voltage",
	"ups.firmware.aux":      "the protocol",
	"ups.start.auto":        "report b6, which NUT does not know",
	"ups.timer.start":       "the unit has none",
	"ups.delay.start":       "the server's own",
	"ups.delay.shutdown":    "the server's own",
	"ups.test.result":       "a 2012 says 0, which is no result",
	"ups.timer.shutdown":    "an idle timer is -1, whatever the descriptor's sign",
	"ups.timer.reboot":      "the same",
}

func TestUpscPrintsWhatNUTsDriverPrints(t *testing.T) {
	needReaders(t, "/lib/nut/usbhid-ups", "/sbin/upsd", "/bin/upsc")
	attachOne(t, "smart1500lcd")
	var theirs map[string]string
	t.Run("NUT", func(t *testing.T) {
		startNUT(t)
		theirs = awaitNUT(t)
	})
	daemon(t, "")
	awaitStatus(t, "ups", "OL")
	var ours map[string]string
	require.Eventually(t, func() bool { // the settings come a moment later
		ours = upsc(t, "ups")
		return ours["ups.beeper.status"] != ""
	}, 20*time.Second, 100*time.Millisecond)
	for key, value := range theirs {
		if strings.HasPrefix(key, "driver.") || strings.HasPrefix(key, "server.") {
			continue
		}
		if _, differs := unlikeNUT[key]; !differs {
			assert.Equal(t, value, ours[key], key)
		}
	}
	for key := range ours {
		_, differs := unlikeNUT[key]
		_, has := theirs[key]
		assert.True(t, has || differs || strings.HasPrefix(key, "driver."), "NUT has no %s", key)
	}
}

// OB is in an answer as soon as the unit announces that line power failed.
func TestAnAnnouncedFailureIsInTheNextAnswer(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	daemon(t, "")
	awaitStatus(t, "ups", "OL")
	conn, err := net.Dial("tcp", "127.0.0.1:3493")
	require.NoError(t, err)
	defer conn.Close()
	answers := bufio.NewReader(conn)
	status := func() string {
		fmt.Fprintln(conn, "GET VAR ups ups.status")
		line, err := answers.ReadString('\n')
		require.NoError(t, err)
		return strings.TrimSpace(line)
	}
	var asks, took []time.Duration
	for range 20 {
		start := time.Now()
		status()
		asks = append(asks, time.Since(start))
	}
	for range 20 {
		start := time.Now()
		fails(u)
		for status() != `VAR ups ups.status "OB DISCHRG"` {
			require.Less(t, time.Since(start), 10*time.Second)
			time.Sleep(time.Millisecond) // the guest has two slow processors for all
		}
		took = append(took, time.Since(start))
		returns(u)
		for status() != `VAR ups ups.status "OL"` {
			require.Less(t, time.Since(start), 20*time.Second)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond) // the whole read that follows an announcement
	}
	slices.Sort(took)
	slices.Sort(asks)
	t.Logf("an answer: median %v, longest %v", asks[10], asks[19])
	t.Logf("from the announcement to OB in an answer: median %v, longest %v", took[10], took[19])
	assert.Less(t, took[10], 50*time.Millisecond)
}

// A client that polls all the time costs the unit no transfer.
func TestPollingClientsCostNoTransfer(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	daemon(t, "[nut]\nevery = \"1h\"\n")
	awaitStatus(t, "ups", "OL")
	require.Eventually(t, func() bool { return upsc(t, "ups")["ups.beeper.status"] != "" },
		20*time.Second, 100*time.Millisecond)
	u.ResetCounts()
	for range 30 {
		assert.Equal(t, "117.2", upsc(t, "ups")["input.voltage"])
	}
	assert.Zero(t, u.Counts().Transfers())
}

// upsmon goes through an outage, with a drop of 8 s on battery, and shuts down when the battery is
// low.
func TestUpsmonShutsDownWhenTheBatteryIsLowAndNotBefore(t *testing.T) {
	needReaders(t, "/lib/nut/upsmon", "/bin/upsc")
	u := attachOne(t, "smart1500lcd")
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	password := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(password, []byte("secret\n"), 0o600))
	daemon(t, fmt.Sprintf("[[nut.user]]\nname = \"mon\"\npassword_file = %q\nupsmon = \"primary\"\n", password))
	awaitStatus(t, "ups", "OL")

	down, told := filepath.Join(dir, "down"), filepath.Join(dir, "told")
	notify := filepath.Join(dir, "notify")
	require.NoError(t, os.WriteFile(notify, []byte("#!/bin/sh\necho $NOTIFYTYPE >>"+told+"\n"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "upsmon.conf"), fmt.Appendf(nil, `
MONITOR ups@127.0.0.1 1 mon secret primary
MINSUPPLIES 1
SHUTDOWNCMD "/bin/touch %s"
NOTIFYCMD %s
NOTIFYFLAG ONBATT EXEC
NOTIFYFLAG ONLINE EXEC
NOTIFYFLAG LOWBATT EXEC
NOTIFYFLAG COMMBAD EXEC
NOTIFYFLAG COMMOK EXEC
POLLFREQ 1
POLLFREQALERT 1
FINALDELAY 0
HOSTSYNC 2
DEADTIME 15
RUN_AS_USER root
`, down, notify), 0o644))
	command := exec.Command("/lib/nut/upsmon", "-D")
	command.Env = append(os.Environ(), "NUT_CONFPATH="+dir, "NUT_STATEPATH="+dir, "NUT_ALTPIDPATH="+dir)
	var log strings.Builder
	command.Stdout, command.Stderr = &log, &log
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	saw := func(what string) {
		t.Helper()
		require.Eventually(t, func() bool {
			text, _ := os.ReadFile(told)
			return strings.Contains(string(text), what)
		}, 30*time.Second, 50*time.Millisecond, what)
	}
	isDown := func() bool { _, err := os.Stat(down); return err == nil }
	require.Eventually(t, func() bool {
		return strings.Contains(tool(t, nil, "upsc", "-c", "ups@127.0.0.1").stdout, "127.0.0.1")
	}, 30*time.Second, 100*time.Millisecond, "it logs in")

	fails(u)
	saw("ONBATT")
	u.Unplug()
	time.Sleep(8 * time.Second) // less than DEADTIME
	assert.False(t, isDown(), "a drop is no shutdown")
	require.NoError(t, u.Plug())
	awaitStatus(t, "ups", "OB DISCHRG")
	returns(u)
	saw("ONLINE")
	assert.False(t, isDown())

	fails(u)
	awaitStatus(t, "ups", "OB DISCHRG")
	u.SetReport(capture.Feature, 0x32, 0x28) // discharging, below the unit's own limit
	u.Push(0x32, 0x28)
	require.Eventually(t, isDown, 60*time.Second, 50*time.Millisecond, "it shuts down")
	returns(u)
	awaitStatus(t, "ups", "FSD OL")
}
