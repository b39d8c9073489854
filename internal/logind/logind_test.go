//go:build linux

package logind

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/logind/logindtest"
)

func TestThePowerOffAsksNobody(t *testing.T) {
	logindtest.Bus(t)
	f := &logindtest.Fake{}
	f.Serve(t, 0)
	for _, test := range []struct {
		ask  func(context.Context) error
		want string
	}{{PowerOff, "PowerOff false"}, {Reboot, "Reboot false"}} {
		require.NoError(t, test.ask(t.Context()))
		require.Equal(t, test.want, <-f.Called)
	}
}

func TestARefusalIsTold(t *testing.T) {
	logindtest.Bus(t)
	f := &logindtest.Fake{Refuse: dbus.NewError(
		"org.freedesktop.DBus.Error.AccessDenied", []any{"Permission denied"})}
	f.Serve(t, 0)
	require.EqualError(t, PowerOff(t.Context()), "logind: PowerOff: Permission denied")
	_, err := Ask(t.Context())
	require.EqualError(t, err, "logind: CanPowerOff: Permission denied")
}

func TestWhatHoldsUpAPowerOff(t *testing.T) {
	logindtest.Bus(t)
	f := &logindtest.Fake{Can: "challenge", List: []logindtest.Inhibitor{
		{What: "shutdown", Who: "kubelet",
			Why: "Kubelet needs time to handle node shutdown", Mode: "delay", UID: 0, PID: 1},
		{What: "sleep:shutdown:idle", Who: "dpkg",
			Why: "an upgrade", Mode: "block", UID: 0, PID: 2},
		{What: "handle-power-key", Who: "Desktop",
			Why: "shutdown is asked for", Mode: "block", UID: 1000, PID: 3},
	}}
	f.Serve(t, 30_000_000)
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
	logindtest.Bus(t)
	(&logindtest.Fake{Can: "yes"}).Serve(t, 1<<64-1)
	s, err := Ask(t.Context())
	require.NoError(t, err)
	require.Greater(t, s.InhibitDelay, 24*365*time.Hour)
}

func TestWithoutABusOrALogindThereIsAnError(t *testing.T) {
	t.Run("no logind", func(t *testing.T) {
		logindtest.Bus(t)
		require.ErrorContains(t, PowerOff(t.Context()), "logind: PowerOff: ")
	})
	t.Run("no bus", func(t *testing.T) {
		t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
		require.ErrorContains(t, PowerOff(t.Context()), "the system's D-Bus: ")
	})
}

// Such as a D-Bus daemon that was stopped: it takes the connection and says nothing.
func TestABusThatHangsEndsWithTheContext(t *testing.T) {
	address := filepath.Join(t.TempDir(), "bus")
	bus, err := net.Listen("unix", address)
	require.NoError(t, err)
	defer bus.Close()
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+address)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- PowerOff(ctx) }()
	go func() {
		_, err := Ask(ctx)
		ended <- err
	}()
	for range 2 {
		conn, err := bus.Accept()
		require.NoError(t, err)
		defer conn.Close()
	}
	cancel()
	require.Error(t, <-ended)
	require.Error(t, <-ended)
}
