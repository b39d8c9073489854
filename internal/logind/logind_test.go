//go:build linux

package logind

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
	"github.com/stretchr/testify/require"
)

// fake is a logind and a systemd on a bus of the test's own.
type fake struct {
	called chan string
	refuse *dbus.Error
	can    string
	list   []inhibitor
}

type inhibitor struct {
	What, Who, Why, Mode string
	UID, PID             uint32
}

func (f *fake) PowerOff(interactive bool) *dbus.Error { return f.end("PowerOff", interactive) }
func (f *fake) Reboot(interactive bool) *dbus.Error   { return f.end("Reboot", interactive) }
func (f *fake) CanPowerOff() (string, *dbus.Error)    { return f.can, f.refuse }
func (f *fake) ListInhibitors() ([]inhibitor, *dbus.Error) {
	return f.list, f.refuse
}

func (f *fake) end(method string, interactive bool) *dbus.Error {
	f.called <- fmt.Sprint(method, " ", interactive)
	return f.refuse
}

// systemBus starts a D-Bus daemon, which is the system's to what the test calls.
func systemBus(t *testing.T) {
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

// serve has the fake answer.
func (f *fake) serve(t *testing.T, delay uint64) {
	t.Helper()
	bus, err := dbus.ConnectSystemBus()
	require.NoError(t, err)
	t.Cleanup(func() { bus.Close() })
	f.called = make(chan string, 1)
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

func TestThePowerOffAsksNobody(t *testing.T) {
	systemBus(t)
	f := &fake{}
	f.serve(t, 0)
	for _, test := range []struct {
		ask  func(context.Context) error
		want string
	}{{PowerOff, "PowerOff false"}, {Reboot, "Reboot false"}} {
		require.NoError(t, test.ask(t.Context()))
		require.Equal(t, test.want, <-f.called)
	}
}

func TestARefusalIsTold(t *testing.T) {
	systemBus(t)
	f := &fake{refuse: dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{"Permission denied"})}
	f.serve(t, 0)
	require.EqualError(t, PowerOff(t.Context()), "logind: PowerOff: Permission denied")
	_, err := Ask(t.Context())
	require.EqualError(t, err, "logind: CanPowerOff: Permission denied")
}

func TestWhatHoldsUpAPowerOff(t *testing.T) {
	systemBus(t)
	f := &fake{can: "challenge", list: []inhibitor{
		{"shutdown", "kubelet", "Kubelet needs time to handle node shutdown", "delay", 0, 1},
		{"sleep:shutdown:idle", "dpkg", "an upgrade", "block", 0, 2},
		{"handle-power-key", "Desktop", "shutdown is asked for", "block", 1000, 3},
	}}
	f.serve(t, 30_000_000)
	s, err := Ask(t.Context())
	require.NoError(t, err)
	require.Equal(t, System{
		CanPowerOff: "challenge", InhibitDelay: 30 * time.Second, StopTimeout: 90 * time.Second,
		Inhibitors: []Inhibitor{
			{"kubelet", "Kubelet needs time to handle node shutdown", "delay"},
			{"dpkg", "an upgrade", "block"},
		},
	}, s)
}

func TestAnInfiniteDelayIsVeryLong(t *testing.T) {
	systemBus(t)
	(&fake{can: "yes"}).serve(t, 1<<64-1)
	s, err := Ask(t.Context())
	require.NoError(t, err)
	require.Greater(t, s.InhibitDelay, 24*365*time.Hour)
}

func TestWithoutABusOrALogindThereIsAnError(t *testing.T) {
	t.Run("no logind", func(t *testing.T) {
		systemBus(t)
		require.ErrorContains(t, PowerOff(t.Context()), "logind: PowerOff: ")
	})
	t.Run("no bus", func(t *testing.T) {
		t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
		require.ErrorContains(t, PowerOff(t.Context()), "the system's D-Bus: ")
	})
}
