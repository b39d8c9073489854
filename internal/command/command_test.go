//go:build unix

package command

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shell runs lines of shell.
func shell(ctx context.Context, lines string, args ...string) error {
	return Run(ctx, append([]string{"/bin/sh", "-c", lines}, args...), os.Environ())
}

func TestAProgramHasTheVariablesThatItIsGivenAlone(t *testing.T) {
	t.Setenv("SECRET", "hush")
	file := filepath.Join(t.TempDir(), "told")
	err := Run(t.Context(), []string{"/bin/sh", "-c", `echo "$A$SECRET $1" >"$0"`, file, "b c"},
		[]string{"A=a"})
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "a b c\n", string(text))
}

func TestAProgramThatFailsTellsTheEndOfWhatItWrote(t *testing.T) {
	err := shell(t.Context(), `head -c 100000 /dev/zero | tr '\0' x
		printf 'the guest\n\033hangs\n\377' >&2; exit 3`)
	require.ErrorContains(t, err, "exit status 3: xxx")
	require.True(t, strings.HasSuffix(err.Error(), "xthe guest  hangs"), "%q", err)
	require.Less(t, len(err.Error()), mostOutput+100)
	require.EqualError(t, shell(t.Context(), "false"), "exit status 1")
	require.ErrorIs(t, Run(t.Context(), []string{"/nosuch/program"}, nil), os.ErrNotExist)
}

func TestAProgramThatTakesTooLongIsKilledWithWhatItStarted(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- shell(ctx, `sleep 100000 > "$0" & wait`, fifo) }()
	child, err := os.Open(fifo) // once the child has opened it
	require.NoError(t, err)
	defer child.Close()
	cancel()
	err = <-ended
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "it was killed")
	n, err := child.Read(make([]byte, 1))
	require.Zero(t, n)
	require.Error(t, err, "the child has ended")
}

// Such as a power off that leaves the rest to the background: it must not be asked for again.
func TestAProgramThatLeavesSomethingRunningHasNotFailed(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	require.NoError(t, shell(t.Context(), `read x < "$0" &`, fifo))
	release, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	require.NoError(t, err, "it goes on")
	require.NoError(t, release.Close())
}
