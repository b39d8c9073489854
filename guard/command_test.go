//go:build unix

package guard

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAHookFindsWhyInItsEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "why")
	t.Setenv("OTHER", "kept")
	step := Hook([]string{"sh", "-c", `echo "$TRIPPLITE_WHY $OTHER" > "$0"`, file}, 0)
	g := New(nil, Config{})
	g.status.Why = "rack: a charge of 12 %"
	require.NoError(t, step.Do(t.Context(), &Situation{guard: g}))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "rack: a charge of 12 % kept\n", string(text))
}

func TestACommandThatFailsTellsTheEndOfItsOutput(t *testing.T) {
	err := Command([]string{"sh", "-c",
		`head -c 100000 /dev/zero | tr '\0' x; echo the guest hangs >&2; exit 3`})(t.Context())
	require.ErrorContains(t, err, "exit status 3: xxx")
	require.True(t, strings.HasSuffix(err.Error(), "x"+"the guest hangs"))
	require.Less(t, len(err.Error()), mostOutput+100)
	require.EqualError(t, Command([]string{"false"})(t.Context()), "exit status 1")
}

func TestACommandThatTakesTooLongIsKilledWithWhatItStarted(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Command([]string{"sh", "-c", `sleep 100000 > "$0" & wait`, fifo})(ctx)
	}()
	child, err := os.Open(fifo) // once the child has opened it
	require.NoError(t, err)
	defer child.Close()
	cancel()
	require.Error(t, <-ended)
	n, err := child.Read(make([]byte, 1))
	require.Zero(t, n)
	require.Error(t, err, "the child has ended")
}

// Such as a power off that leaves the rest to the background: it must not be asked for again.
func TestACommandThatLeavesSomethingRunningHasNotFailed(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	require.NoError(t, Command([]string{"sh", "-c", `read x < "$0" &`, fifo})(t.Context()))
	release, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	require.NoError(t, err, "it goes on")
	require.NoError(t, release.Close())
}
