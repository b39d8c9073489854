//go:build e2e && linux

// Package e2e runs the library and the programs against virtual UPSes on a real kernel's USB stack: usbip, usbhid, udev, libusb and
// hidapi are the real ones. e2e/run starts it.
package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/virtualups"
)

var server *virtualups.Server

// overHidapi is whether the units are reached through hidapi, which excludes other programs; otherwise
// they are through hidraw. e2e/run runs the suite over hidraw and a part of it again over hidapi.
var overHidapi = os.Getenv("TRIPPLITE_TRANSPORT") == "hidapi"

// transferTimeout is how long a feature transfer takes that the unit does not answer: hidapi's own, or
// that of the kernel's usbhid.
func transferTimeout() time.Duration {
	if overHidapi {
		return time.Second
	}
	return 5 * time.Second
}

func TestMain(m *testing.M) {
	if path := os.Getenv(holdEnv); path != "" {
		hold(path)
		return
	}
	var err error
	if server, err = virtualups.Listen("127.0.0.1:0"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	server.Close()
	os.Exit(code)
}

// holdEnv makes the test binary a program that holds the unit at a path until it is killed.
const holdEnv = "E2E_HOLD"

func hold(path string) {
	b, err := tripplite.Open(path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("holds", b.Info().Path)
	select {}
}

// unit is a virtual UPS that is attached to the kernel.
type unit struct {
	*virtualups.UPS
	t    testing.TB
	path string
}

// load returns a built-in capture, to be changed before it is attached.
func load(t testing.TB, name string) *capture.Capture {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	return c
}

// attach plugs in a unit for each capture, at once, and unplugs them when the test ends.
func attach(t testing.TB, captures ...*capture.Capture) []*unit {
	t.Helper()
	units := make([]*unit, len(captures))
	errs := make([]error, len(captures))
	var all sync.WaitGroup
	for i, c := range captures {
		u := &unit{UPS: server.Add(c), t: t}
		units[i] = u
		all.Add(1)
		go func() {
			defer all.Done()
			errs[i] = u.Attach(virtualups.AnyPort)
		}()
	}
	all.Wait()
	t.Cleanup(func() {
		for _, u := range units {
			u.Unplug()
		}
		for _, u := range units {
			assert.NoError(t, u.Detach())
		}
	})
	require.NoError(t, errors.Join(errs...))
	for _, u := range units {
		u.settle()
	}
	udevadm(t, "settle")
	for _, u := range units {
		u.ResetCounts()
	}
	return units
}

func attachOne(t testing.TB, name string) *unit {
	t.Helper()
	return attach(t, load(t, name))[0]
}

// settle waits until usbhid has the unit, as it has on a machine where the UPS was plugged in a while ago.
func (u *unit) settle() {
	u.t.Helper()
	var err error
	u.path, err = u.Interfaces[len(u.Interfaces)-1].Path()
	require.NoError(u.t, err)
	require.Eventually(u.t, func() bool {
		_, err := os.Readlink(filepath.Join("/sys/bus/usb/devices", u.path, "driver"))
		return err == nil
	}, 10*time.Second, 5*time.Millisecond, "usbhid takes the unit")
}

// open opens a unit for the test.
func (u *unit) open(opts ...tripplite.Option) *tripplite.Battery {
	u.t.Helper()
	b, err := tripplite.Open(u.path, opts...)
	require.NoError(u.t, err)
	u.t.Cleanup(func() { assert.NoError(u.t, b.Close()) })
	return b
}

func udevadm(t testing.TB, args ...string) {
	t.Helper()
	text, err := exec.Command("udevadm", args...).CombinedOutput()
	require.NoError(t, err, string(text))
}

// expected is the JSON that a capture's file has by hand; asExpected reads a unit in the same shape.
func expected(t testing.TB, name string) string {
	t.Helper()
	return string(load(t, name).Expect)
}

func asExpected(t testing.TB, b *tripplite.Battery) string {
	t.Helper()
	state, err := b.Get(t.Context())
	require.True(t, tripplite.HasState(err), "%v", err)
	settings, err := b.Settings(t.Context())
	require.True(t, tripplite.HasState(err), "%v", err)
	state.Path, state.Time = "", time.Time{}
	state.Config.DeviceChemistry = tripplite.Value[string]{} // a string, which a capture does not have
	text, err := json.Marshal(struct {
		tripplite.State
		Settings tripplite.Settings `json:"controls,omitzero"`
	}{state, settings})
	require.NoError(t, err)
	return string(text)
}

// result is how a program ended.
type result struct {
	stdout, stderr string
	status         int
}

// tool runs one of the project's programs, or any other.
func tool(t testing.TB, who *syscall.Credential, name string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command := exec.Command(name, args...)
	command.Stdout, command.Stderr = &stdout, &stderr
	command.Env = append(os.Environ(), "HOME=/tmp")
	command.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return result{stdout.String(), stderr.String(), command.ProcessState.ExitCode()}
}

// kernelLog is what the kernel has said since it started.
func kernelLog(t testing.TB) string {
	t.Helper()
	text := make([]byte, 1<<20)
	n, err := syscall.Klogctl(3, text) // SYSLOG_ACTION_READ_ALL of syslog(2)
	require.NoError(t, err)
	return string(text[:n])
}

func oneLine(t testing.TB, text string) string {
	t.Helper()
	assert.Equal(t, 1, strings.Count(text, "\n"), "one line: %q", text)
	return strings.TrimSpace(text)
}

// needVM is for what may only be done to a machine that will be thrown away.
func needVM(t testing.TB) {
	t.Helper()
	if os.Getenv("E2E_VM") == "" {
		t.Skip("this is for a machine that will be thrown away (E2E_VM)")
	}
}
