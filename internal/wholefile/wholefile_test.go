package wholefile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFileIsWrittenAnewAndNothingIsLeftBeside(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file+".new", []byte("left by a crash, and longer"), 0o600))
	for _, text := range []string{"the first", "2nd"} {
		require.NoError(t, Write(file, []byte(text)))
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, text, string(got))
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestAFileThatCannotBeWrittenIsAnError(t *testing.T) {
	dir := t.TempDir()
	require.ErrorIs(t, Write(filepath.Join(dir, "none", "file"), nil), os.ErrNotExist)
	file := filepath.Join(dir, "file")
	require.NoError(t, os.MkdirAll(filepath.Join(file, "in the way"), 0o700))
	require.Error(t, Write(file, nil))
}
