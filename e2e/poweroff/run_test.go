//go:build e2e && linux

package poweroff

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// run is a computer's time from a boot until it is off.
type run struct {
	t       testing.TB
	booted  time.Time
	stopped chan struct{} // closed when it is off
	keys    io.Writer     // of the console

	// These may be read once stopped is closed.
	off time.Time
	how ending

	mu   sync.Mutex
	log  []line
	from int // where find begins
}

// ending is how a run came to its end.
type ending string

const (
	poweredOff ending = "it turned itself off"
	restarted  ending = "it started again"
	powerCut   ending = "its power was cut"
	crashed    ending = "it crashed"
)

// line is a line of the console. The kernel's messages are there and all that goes to the journal,
// as in "[   14.9] tripplited[183]: ...".
type line struct {
	at   time.Time
	text string
}

// listening is what a computer says when it takes commands.
const listening = "listening"

// parameters of the kernel, most of which systemd reads.
const parameters = "quiet net.ifnames=0 systemd.show_status=0" +
	" systemd.journald.forward_to_console=1 systemd.unit=multi-user.target E2E_FILES="

// booting has one computer boot at a time: an emulated one takes all that this machine has.
var booting sync.Mutex

// boot turns the computer on and returns when it is up. It runs until it turns itself off or
// restarts, the UPS cuts its power, it crashes, or the test ends.
func (c *computer) boot() *run {
	c.t.Helper()
	require.True(c.t, c.LoadOn(), "a computer needs power")
	booting.Lock()
	defer booting.Unlock()
	qemu := exec.Command(os.Getenv("E2E_QEMU"), parameters+c.files,
		"-nic", "user,model=virtio-net-pci", "-serial", "stdio",
		"-virtfs", "local,path="+c.state+",mount_tag=state,security_model=mapped-file")
	var stderr strings.Builder
	qemu.Stderr = &stderr
	qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	console, err := qemu.StdoutPipe()
	require.NoError(c.t, err)
	keys, err := qemu.StdinPipe()
	require.NoError(c.t, err)
	r := &run{t: c.t, booted: time.Now(), stopped: make(chan struct{}), keys: keys}
	require.NoError(c.t, qemu.Start())
	go func() {
		defer close(r.stopped)
		r.read(console)
		err := qemu.Wait()
		r.off = time.Now()
		_, down := r.find("reboot: Power down")
		_, again := r.find("reboot: Restarting system")
		switch {
		case err == nil && down:
			r.how = poweredOff
		case err == nil && again:
			r.how = restarted
		case !c.LoadOn():
			r.how = powerCut
		default:
			r.how = crashed
		}
	}()
	go func() {
		for c.LoadOn() {
			select {
			case <-r.stopped:
				return
			case <-time.After(lookEach):
			}
		}
		_ = qemu.Process.Kill()
	}()
	c.t.Cleanup(func() {
		_ = qemu.Process.Kill()
		<-r.stopped
		if c.t.Failed() {
			c.t.Logf("the console:\n%s%s", r.console(), stderr.String())
		}
	})
	r.await(listening)
	return r
}

func (r *run) read(console io.Reader) {
	for lines := bufio.NewScanner(console); lines.Scan(); {
		r.mu.Lock()
		r.log = append(r.log, line{time.Now(), strings.TrimRight(lines.Text(), "\r")})
		r.mu.Unlock()
	}
}

// look has find and await look at what comes from now on.
func (r *run) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.from = len(r.log)
}

// find returns the first line of the console that has a text.
func (r *run) find(text string) (found line, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rest := r.log[r.from:]
	n := slices.IndexFunc(rest, func(l line) bool { return strings.Contains(l.text, text) })
	if n < 0 {
		return line{}, false
	}
	return rest[n], true
}

// lines returns the lines of the console so far that have a text.
func (r *run) lines(text string) (found []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.log {
		if strings.Contains(l.text, text) {
			found = append(found, l.text)
		}
	}
	return found
}

// await waits for the first line of the console that has a text, and returns when that came.
func (r *run) await(text string) time.Time {
	r.t.Helper()
	for limit := time.After(within); ; {
		over := false
		select {
		case <-r.stopped:
			over = true
		case <-limit:
			over = true
		case <-time.After(lookEach):
		}
		if found, ok := r.find(text); ok {
			return found.at
		}
		require.False(r.t, over, "no line with %q", text)
	}
}

// do has the computer run a command of the shell, as root. What that writes is on the console.
func (r *run) do(command string) {
	r.t.Helper()
	_, err := fmt.Fprintln(r.keys, command)
	require.NoError(r.t, err)
}

// end waits until the computer is off, and returns when that was and how it came.
func (r *run) end() (time.Time, ending) {
	r.t.Helper()
	select {
	case <-r.stopped:
	case <-time.After(within):
		require.Fail(r.t, "it does not go off")
	}
	return r.off, r.how
}

// inOrder requires that the console has a line with each text, in this order.
func (r *run) inOrder(texts ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	rest := r.log
	for _, text := range texts {
		n := slices.IndexFunc(rest, func(l line) bool { return strings.Contains(l.text, text) })
		require.GreaterOrEqual(r.t, n, 0, "no line with %q in its place", text)
		rest = rest[n+1:]
	}
}

// console returns what the console has, with the seconds since the boot.
func (r *run) console() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, l := range r.log {
		fmt.Fprintf(&b, "%7.2f %s\n", l.at.Sub(r.booted).Seconds(), l.text)
	}
	return b.String()
}
