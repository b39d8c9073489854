package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASignalEndsTheReadingOfAPipe(t *testing.T) {
	tripplite := build(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		fifo := filepath.Join(t.TempDir(), "fifo")
		require.NoError(t, exec.Command("mkfifo", fifo).Run())
		command := exec.Command(tripplite, "--replay", fifo)
		require.NoError(t, command.Start())
		writer, err := os.OpenFile(fifo, os.O_WRONLY, 0) // waits until it is being read
		require.NoError(t, err)
		require.NoError(t, command.Process.Signal(signal))
		_ = command.Wait()
		require.Equal(t, 1, command.ProcessState.ExitCode())
		require.NoError(t, writer.Close())
	}
}

func TestAnotherInterruptEndsAProgramThatHangs(t *testing.T) {
	tripplite := build(t)
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	defer reader.Close()
	var args []string
	for range 200 { // print more than a pipe holds
		args = append(args, "--replay", "smart1500lcd")
	}
	command := exec.Command(tripplite, args...)
	command.Stdout = writer
	require.NoError(t, command.Start())
	require.NoError(t, writer.Close())
	_, err = reader.Read(make([]byte, 1))
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case <-ended:
			status := command.ProcessState.Sys().(syscall.WaitStatus)
			require.Equal(t, syscall.SIGINT, status.Signal())
			return
		default:
		}
		if sleeps(command.Process.Pid) { // it has done what it does after the last one
			_ = command.Process.Signal(os.Interrupt)
		}
		runtime.Gosched()
	}
}

// sleeps reports whether every thread of a process waits for something.
func sleeps(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if _, state, _ := strings.Cut(string(stat), ") "); err != nil || !strings.HasPrefix(state, "S") {
			return false
		}
	}
	return len(threads) > 0
}
