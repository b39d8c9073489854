//go:build linux

package main

import (
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// systemd passes a socket as file 3, and says to whom (sd_listen_fds(3)).
func TestTheSocketThatSystemdPasses(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	file, err := listener.(*net.TCPListener).File()
	require.NoError(t, err)
	address := listener.Addr().String()

	self, err := os.Executable()
	require.NoError(t, err)
	exporter := exec.Command("sh", "-c",
		`LISTEN_PID=$$ exec "$0" --web.systemd-socket --replay=smart1500lcd`, self)
	exporter.Env = append(os.Environ(), asProgram+"=1", "LISTEN_FDS=1")
	exporter.ExtraFiles = []*os.File{file}
	log := program.NewOutput()
	exporter.Stdout, exporter.Stderr = log, log
	require.NoError(t, exporter.Start())
	require.NoError(t, listener.Close())
	require.NoError(t, file.Close()) // now only the exporter has it: if that has ended, nobody answers

	_, page := get(t, "http://"+address+"/metrics")
	require.Contains(t, page, `tripplite_up{path="smart1500lcd"} 1`)
	require.NoError(t, exporter.Process.Signal(syscall.SIGTERM))
	require.NoError(t, exporter.Wait(), "the log:\n%s", log)
}
