//go:build unix

package notify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// script returns a command that runs lines of shell, with what it may need as its arguments.
func script(t *testing.T, lines string, args ...string) Config {
	t.Helper()
	return Config{Command: append([]string{program.Find(t, "sh"), "-c", lines, "sh"}, args...)}
}

func TestWhatACommandIsTold(t *testing.T) {
	t.Setenv("TRIPPLITED_SECRET", "hush")
	t.Setenv("LANG", "C.UTF-8")
	file := filepath.Join(t.TempDir(), "told")
	c := script(t, `echo "$# $2" >"$1"; env >>"$1"`, file)
	require.NoError(t, Send(t.Context(), c, outage))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	assert.Equal(t, "2 UPS rack: On battery: charge 97 %.", lines[0], "the sentence comes last")
	var ours []string
	for _, line := range lines[1:] {
		for _, prefix := range []string{"TRIPPLITE", "NOTIFYTYPE", "UPSNAME", "LANG"} {
			if strings.HasPrefix(line, prefix) {
				ours = append(ours, line)
			}
		}
	}
	assert.ElementsMatch(t, []string{
		"LANG=C.UTF-8", "NOTIFYTYPE=ONBATT", "UPSNAME=rack",
		"TRIPPLITE_EVENT=on-battery", "TRIPPLITE_TEXT=On battery: charge 97 %.", "TRIPPLITE_UNIT=rack",
		"TRIPPLITE_PATH=1-4:1.0", "TRIPPLITE_TIME=2026-11-22T12:03:04Z", "TRIPPLITE_HEALTH=97",
		"TRIPPLITE_TIME_TO_EMPTY=2520", "TRIPPLITE_STATUS_AC_PRESENT=false", "TRIPPLITE_INPUT_VOLTAGE=0",
		"TRIPPLITE_CONFIG_DEVICE_CHEMISTRY=Pb[31mAC",
	}, ours)
}

func TestACommandThatFails(t *testing.T) {
	err := Send(t.Context(), script(t, `echo "no such\nnumber" >&2; exit 3`), outage)
	require.ErrorContains(t, err, "exit status 3; it wrote \"no such number\"")

	err = Send(t.Context(), script(t, `yes | head -c 1000000; exit 1`), outage)
	require.ErrorContains(t, err, "exit status 1")
	require.Less(t, len(err.Error()), 2*maxOutput)

	_, err = New([]Config{{Command: []string{"/nosuch/notify.sh", "--password", "hush"}}}, "", quiet)
	require.ErrorContains(t, err, "/nosuch/notify.sh")
	require.NotContains(t, err.Error(), "hush")
}

// The children are killed as well: they are in the group. The pipe tells when all have gone.
func TestACommandThatHangsIsKilledWithItsChildren(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "alive")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	to := &command{args: script(t, `sleep 1000 & echo $! >"$1"; wait`, fifo).Command}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- to.send(ctx, outage, false) }()
	text, err := os.ReadFile(fifo) // it is running now
	require.NoError(t, err)
	child, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	cancel()
	require.ErrorContains(t, <-done, "it was killed")
	// A killed child is gone, or waits for somebody to ask for its end.
	require.Eventually(t, func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		return syscall.Kill(child, 0) != nil || err == nil && strings.Contains(string(status), ") Z ")
	}, time.Minute, 10*time.Millisecond)
}

func TestWhatACommandLeavesBehindHoldsUpNothing(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	require.NoError(t, Send(t.Context(), script(t, `sleep 1000 & echo $! >"$1"`, pid), outage))
	text, err := os.ReadFile(pid)
	require.NoError(t, err)
	child, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(child, syscall.SIGKILL), "it is still running")
}
