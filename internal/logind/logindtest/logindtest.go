//go:build linux

// Package logindtest has a logind for tests.
package logindtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
	"github.com/stretchr/testify/require"
)

const (
	login   = "org.freedesktop.login1"
	manager = login + ".Manager"
	path    = dbus.ObjectPath("/org/freedesktop/login1")
)

// Fake is a logind and a systemd on a bus of the test's own.
type Fake struct {
	Called chan string // gets what ends the computer
	Refuse *dbus.Error
	Can    string
	List   []Inhibitor
}

// Inhibitor is one as logind lists it.
type Inhibitor struct {
	What, Who, Why, Mode string
	UID, PID             uint32
}

// PowerOff is called by D-Bus, as the next ones are.
func (f *Fake) PowerOff(interactive bool) *dbus.Error { return f.end("PowerOff", interactive) }

// Reboot answers logind's Reboot.
func (f *Fake) Reboot(interactive bool) *dbus.Error { return f.end("Reboot", interactive) }

// CanPowerOff answers whether this user may.
func (f *Fake) CanPowerOff() (string, *dbus.Error) { return f.Can, f.Refuse }

// ListInhibitors answers who holds up a power off.
func (f *Fake) ListInhibitors() ([]Inhibitor, *dbus.Error) {
	return f.List, f.Refuse
}

func (f *Fake) end(method string, interactive bool) *dbus.Error {
	f.Called <- fmt.Sprint(method, " ", interactive)
	return f.Refuse
}

// Bus starts a D-Bus daemon, which is the system's to what the test calls.
func Bus(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		require.Empty(t, os.Getenv("CI"), "%v", err)
		t.Skip(err)
	}
	config := filepath.Join(t.TempDir(), "bus.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `<busconfig>
<listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>`, filepath.Join(t.TempDir(), "bus")), 0o600))
	daemon := exec.Command("dbus-daemon", "--config-file", config, "--nofork", "--print-address")
	out, err := daemon.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, daemon.Start())
	t.Cleanup(func() {
		daemon.Process.Kill()
		daemon.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", strings.TrimSpace(address))
}

// Serve has the fake answer. The delay is in microseconds.
func (f *Fake) Serve(t testing.TB, delay uint64) {
	t.Helper()
	bus, err := dbus.ConnectSystemBus()
	require.NoError(t, err)
	t.Cleanup(func() { bus.Close() })
	f.Called = make(chan string, 1)
	require.NoError(t, bus.Export(f, path, manager))
	property := func(path dbus.ObjectPath, owner, name string, value any) {
		_, err := prop.Export(bus, path, prop.Map{owner: {name: {Value: value}}})
		require.NoError(t, err)
	}
	property(path, manager, "InhibitDelayMaxUSec", delay)
	property("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
		"DefaultTimeoutStopUSec", uint64(90_000_000))
	for _, name := range []string{login, "org.freedesktop.systemd1"} {
		_, err := bus.RequestName(name, dbus.NameFlagDoNotQueue)
		require.NoError(t, err)
	}
}
