//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// reload writes the file anew and has the daemon read it.
func (s *started) reload(t *testing.T, text string) {
	t.Helper()
	program.Write(t, filepath.Dir(s.file), filepath.Base(s.file), text)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
}

func TestReload(t *testing.T) {
	const setDelay = "SET VAR ups ups.delay.start 99"
	d := start(t, "", unit)
	at := fmt.Sprintf("http.listen = [\"127.0.0.1:0\"]\n[nut]\nlisten = [%q]\n", d.nut)
	d.reload(t, at)
	d.log.Await(t, "the configuration of NUT is taken up")
	connect(t, d.nut, "", "").until(beeper, enabled)
	require.Equal(t, "ERR ACCESS-DENIED", connect(t, d.nut, "admin", "secret").ask(setDelay))

	for _, test := range []struct{ text, logged string }{
		{at + "colour = 1\n", `not taken up" err=".*line 4: there is no key`},
		{at + fmt.Sprintf(admin, "nosuch"), `not taken up" err="nut.user .*nosuch`},
		{fmt.Sprintf("nut.listen = [%q]", d.pages), `not taken up" err=".*address already in use`},
	} {
		d.reload(t, test.text)
		d.log.Await(t, test.logged)
	}
	d.log.Await(t, `address already in use(?s:.*)NUT is served" address=`+d.nut)
	connect(t, d.nut, "", "").until(beeper, enabled)

	d.reload(t, at+fmt.Sprintf(admin, password(t)))
	d.log.Await(t, `address already in use(?s:.*)the configuration of NUT is taken up`)
	c := connect(t, d.nut, "admin", "secret")
	c.until(beeper, enabled)
	require.Equal(t, "OK", c.ask(setDelay))
	require.Zero(t, d.stop())
}

// notified is where systemd listens.
func notified(t *testing.T) <-chan string {
	t.Helper()
	// The name of a socket has at most 108 bytes, and less on some systems.
	dir, err := os.MkdirTemp("", "")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	address := &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"}
	socket, err := net.ListenUnixgram("unixgram", address)
	require.NoError(t, err)
	states, ended := make(chan string), make(chan struct{})
	go func() {
		defer close(states)
		b := make([]byte, 1024)
		for {
			n, err := socket.Read(b)
			if err != nil {
				return
			}
			select {
			case states <- string(b[:n]):
			case <-ended:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(ended)
		socket.Close()
		for range states {
		}
	})
	t.Setenv("NOTIFY_SOCKET", address.Name)
	return states
}

func TestSystemdIsTold(t *testing.T) {
	const watchdog = "WATCHDOG=1"
	states := notified(t)
	t.Setenv("WATCHDOG_USEC", "30000")
	next := func() string { // leaving out the watchdog
		for state := range states {
			if state != watchdog {
				return state
			}
		}
		return ""
	}
	d := start(t, "", unit)
	require.Equal(t, "READY=1", <-states)
	require.Equal(t, watchdog, <-states)
	d.reload(t, "colour = 1")
	require.Equal(t, "RELOADING=1", next())
	require.Equal(t, "READY=1", next(), "also when the file is wrong")
	require.Equal(t, watchdog, <-states)
	require.Zero(t, d.stop())
	require.Equal(t, "STOPPING=1", next())
	require.Equal(t, 1, strings.Count(d.log.String(), "stopping"))
}

// Without a watchdog in the unit there is none.
func TestNoWatchdogIsFed(t *testing.T) {
	states := notified(t)
	d := start(t, "", unit)
	require.Equal(t, "READY=1", <-states)
	require.Zero(t, d.stop())
	require.Equal(t, "STOPPING=1", <-states)
}
