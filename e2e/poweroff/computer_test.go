//go:build e2e && linux

// Package poweroff boots computers with systemd that have a virtual UPS, and has the UPS cut their
// power. A computer is a guest of QEMU that attaches the UPS over its network. The UPS is served by
// the test itself, so that it outlives the computer. E2E_POWEROFF=1 e2e/run starts the suite.
//
//	c := newComputer(t, "smart1500lcd", files) // with the configuration, units and hooks
//	r := c.boot()
//	r.await("UPS answers")      // on the console, which has the journal
//	r.do("systemctl stop cron") // as root
//	c.setMains(false)
//	off, how := r.end()         // poweredOff, restarted, powerCut or crashed
//	c.writes()                  // what the UPS was told
//	cut := c.awaitLoad(false)
package poweroff

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/hidreport"
	"github.com/tripplite-go/tripplite/internal/virtualups"
)

// cableEnv makes the test binary the cable between a guest and the UPS of that address, until it is
// killed.
const cableEnv = "E2E_CABLE"

func TestMain(m *testing.M) {
	if address := os.Getenv(cableEnv); address != "" {
		cable(address)
	}
	os.Exit(m.Run())
}

// cable plugs the UPS in, and again whenever the UPS has been away from the bus.
func cable(address string) {
	for {
		if err := virtualups.Import(address, "1-1"); err != nil {
			fmt.Println(err)
		}
		time.Sleep(time.Second)
	}
}

// within is how long a guest may take for whatever a test waits for. It takes a fraction of that.
const within = 2 * time.Minute

// lookEach is how often a test looks at what it waits for.
const lookEach = 5 * time.Millisecond

// computer is a computer whose power comes from a virtual UPS. It is off until boot.
type computer struct {
	*virtualups.UPS
	t     testing.TB
	files string // laid over the guest's file tree
	state string // what is in /var/lib/tripplited, which outlasts a boot

	onLine    byte // the status with line power
	announces bool // the unit announces its status

	mu    sync.Mutex
	power []change // of the UPS's load, the first change first
}

type change struct {
	on bool
	at time.Time
}

// newComputer makes a computer and its UPS, of a built-in capture. The computer's file tree is this
// machine's, with the files laid over it, by path. It has tripplited as docs/ says to install it,
// enabled, and tripplite beside it, but no configuration. It boots to multi-user.target and starts
// what [computer.enable] names. Of what it writes, /var/lib/tripplited outlasts a boot.
func newComputer(t testing.TB, unit string, files map[string]string) *computer {
	t.Helper()
	made, err := capture.Load(unit)
	require.NoError(t, err)
	server, err := virtualups.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	c := &computer{UPS: server.Add(made), t: t, files: t.TempDir(), state: t.TempDir()}
	for _, r := range made.Interfaces[0].Reports {
		if r.Type == capture.Feature && r.ID == statusReport {
			c.onLine = r.Bytes[1]
		}
	}
	declared, err := hidreport.Parse(made.Interfaces[0].Descriptor)
	require.NoError(t, err)
	c.announces = slices.ContainsFunc(declared.Fields, func(f hidreport.Field) bool {
		return f.Type == hidreport.Input && f.ReportID == statusReport
	})

	_, port, err := net.SplitHostPort(server.Addr().String())
	require.NoError(t, err)
	repo, err := filepath.Abs("../..")
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	deployed := func(name string) string { return filepath.Join(repo, "deploy", name) }
	program := func(name string) string { return filepath.Join(os.Getenv("E2E_BIN"), name) }
	const systemd = "etc/systemd/system/"
	for path, source := range map[string]string{
		systemd + "tripplited.service":             deployed("tripplited.service"),
		systemd + "tripplited-kill-power.service":  deployed("tripplited-kill-power.service"),
		"etc/udev/rules.d/70-tripplite.rules":      deployed("70-tripplite.rules"),
		"etc/sysusers.d/tripplite.conf":            deployed("tripplite.sysusers.conf"),
		"etc/polkit-1/rules.d/50-tripplited.rules": deployed("tripplited.polkit"),
		"usr/local/bin/tripplited":                 program("tripplited"),
		"usr/local/bin/tripplite":                  program("tripplite"),
		"usr/local/bin/cable":                      self,
	} {
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		c.write(path, string(text))
	}
	c.write("etc/systemd/system/cable.service", fmt.Sprintf(cableService, port))
	c.enable("cable.service", "sysinit.target")
	c.write("etc/systemd/system/ears.service", earsService)
	c.enable("ears.service", "multi-user.target")
	c.enable("tripplited.service", "multi-user.target")
	for path, text := range files {
		c.write(path, text)
	}

	watched, watching := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(watched); <-watching })
	go func() {
		defer close(watching)
		c.watch(watched)
	}()
	return c
}

// The cable is not stopped when the computer goes down.
const cableService = `[Unit]
DefaultDependencies=no
After=systemd-udevd.service
[Service]
ExecStart=/usr/local/bin/cable
Environment=E2E_CABLE=10.0.2.2:%s
`

// The computer runs what is typed on its console.
const earsService = `[Unit]
After=dbus.service
[Service]
ExecStart=/bin/sh -c 'stty -echo; echo ` + listening + ` >&2; \
	while read -r line; do sh -c "$line" </dev/null; done'
StandardInput=tty-force
TTYPath=/dev/ttyS0
StandardOutput=journal
StandardError=journal
`

// enable has a target want a unit.
func (c *computer) enable(unit, target string) {
	c.t.Helper()
	c.write("etc/systemd/system/"+target+".d/"+unit+".conf", "[Unit]\nWants="+unit+"\n")
}

// write makes a file of the computer. Programs and scripts may be run.
func (c *computer) write(path, text string) {
	c.t.Helper()
	path = filepath.Join(c.files, path)
	mode := os.FileMode(0o644)
	if strings.HasPrefix(text, "#!") || strings.HasPrefix(text, "\x7fELF") {
		mode = 0o755
	}
	require.NoError(c.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(c.t, os.WriteFile(path, []byte(text), mode))
}

const (
	statusReport = 0x32
	discharging  = 0x08 // and no line power
)

// setMains has line power fail or return. The unit tells, and acts by it. It must be a unit with
// the status report of the SMART1500LCD.
func (c *computer) setMains(mains bool) {
	status := byte(discharging)
	if mains {
		status = c.onLine
	}
	c.SetMains(mains)
	c.say(status)
}

// say has the unit say a status, and announce it if it does that.
func (c *computer) say(status byte) {
	c.SetReport(capture.Feature, statusReport, status)
	if c.announces {
		c.Push(statusReport, status)
	}
}

// watch notes when the UPS switches its load.
func (c *computer) watch(done <-chan struct{}) {
	on := true
	for {
		select {
		case <-done:
			return
		case <-time.After(lookEach):
		}
		if now := c.LoadOn(); now != on {
			on = now
			c.mu.Lock()
			c.power = append(c.power, change{on, time.Now()})
			c.mu.Unlock()
		}
	}
}

// changes returns when the UPS has switched its load so far.
func (c *computer) changes() []change {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.power)
}

// awaitLoad waits until the UPS has switched its load on, or off, and returns when that was.
func (c *computer) awaitLoad(on bool) time.Time {
	c.t.Helper()
	var last change
	require.Eventually(c.t, func() bool {
		if changes := c.changes(); len(changes) > 0 {
			last = changes[len(changes)-1]
		}
		return !last.at.IsZero() && last.on == on
	}, within, lookEach, "the load is on: %v", on)
	return last.at
}

// writes returns what was written to the UPS, such as "15 3c 00".
func (c *computer) writes() []string {
	var bytes []string
	for _, w := range c.Counts().Writes {
		bytes = append(bytes, fmt.Sprintf("% x", w.Bytes))
	}
	return bytes
}
