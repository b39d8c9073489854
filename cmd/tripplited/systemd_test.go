//go:build linux

package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// launched is a daemon that runs as a program.
type launched struct {
	process *os.Process
	log     *program.Output
	ended   chan error
}

// launch starts the daemon as a program with these sockets, as systemd passes them
// (sd_listen_fds(3)).
func launch(t *testing.T, names string, files []*os.File, args ...string) launched {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	args = append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, self}, args...)
	daemon := exec.Command("sh", args...)
	daemon.Env = append(os.Environ(), asProgram+"=1",
		"LISTEN_FDS="+strconv.Itoa(len(files)), "LISTEN_FDNAMES="+names)
	daemon.ExtraFiles = files
	l := launched{log: program.NewOutput(), ended: make(chan error, 1)}
	daemon.Stdout, daemon.Stderr = l.log, l.log
	require.NoError(t, daemon.Start())
	l.process = daemon.Process
	go func() {
		defer close(l.ended)
		defer l.log.End()
		l.ended <- daemon.Wait()
	}()
	t.Cleanup(func() {
		l.process.Kill()
		for range l.ended {
		}
	})
	for _, file := range files {
		require.NoError(t, file.Close()) // now only the daemon has it: if that has ended, nobody answers
	}
	return l
}

// stop ends the daemon by SIGTERM.
func (l launched) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, l.process.Signal(syscall.SIGTERM))
	require.NoError(t, <-l.ended, "the log:\n%s", l.log)
}

// socket makes a socket of systemd's.
func socket(t *testing.T) (address string, file *os.File) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	file, err = listener.(*net.TCPListener).File()
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String(), file
}

func TestTheSocketsThatSystemdPasses(t *testing.T) {
	pages, pagesFile := socket(t)
	address, file := socket(t)
	d := launch(t, "http:nut", []*os.File{pagesFile, file}, unit)
	_, page := get(t, "http://"+pages+"/metrics")
	require.Contains(t, page, `tripplite_up{path="smart1500lcd"} 1`)
	connect(t, address, "", "").until(beeper, enabled)
	require.Equal(t, address, d.log.Await(t, nutServed)[1])
	d.stop(t)
}

// A socket of systemd's for one server leaves the other one to the file.
func TestASocketForNUTAlone(t *testing.T) {
	address, file := socket(t)
	config := program.Write(t, t.TempDir(), "tripplited.toml", "http.listen = [\"127.0.0.1:0\"]")
	d := launch(t, "nut", []*os.File{file}, unit, "--config="+config)
	_, page := get(t, "http://"+d.log.Await(t, pagesServed)[1]+"/")
	require.Contains(t, page, "Network UPS Tools at "+address)

	d.log.Await(t, ready)
	require.NoError(t, d.process.Signal(syscall.SIGHUP))
	d.log.Await(t, "not taken up: with a socket of systemd that takes a restart")
	connect(t, address, "", "").until(beeper, enabled)
	d.stop(t)
}

func TestASocketOfAnotherName(t *testing.T) {
	_, file := socket(t)
	d := launch(t, "tripplited.socket", []*os.File{file}, unit)
	d.log.Await(t, `a socket \\"tripplited.socket\\": FileDescriptorName= must be http or nut`)
	require.EqualError(t, <-d.ended, "exit status 1")
}

func TestSIGTERMEndsInOrder(t *testing.T) {
	config := program.Write(t, t.TempDir(), "tripplited.toml", base)
	d := launch(t, "", nil, unit, "--config="+config)
	c := connect(t, d.log.Await(t, nutServed)[1], "", "")
	c.until(beeper, enabled)
	d.log.Await(t, ready)
	d.stop(t)
	_, err := c.in.ReadByte()
	require.ErrorIs(t, err, io.EOF, "the connection is closed")
	require.Contains(t, d.log.String(), "msg=stopping")
}
