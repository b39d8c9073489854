package history

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAUserWhoMayOnlyReadExports(t *testing.T) {
	dir := reachable(t)
	file := filepath.Join(dir, "history.db")
	s := Open(Config{File: file})
	happen(s)
	s.write(noon.Add(24 * time.Hour))
	const lines = 1 + 13 + 1 + 3 + 1 + 1
	assert.Len(t, output(t, asNobody(child(t, "export", file))), lines, "beside a daemon")

	// As after a crash of the daemon and of the computer: a log, and no memory to share.
	crashed := reachable(t)
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(file + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(crashed, "history.db"+suffix), content, 0o444))
	}
	said := output(t, asNobody(child(t, "export", filepath.Join(crashed, "history.db"))))
	if os.Getuid() == 0 {
		require.Len(t, said, 3)
		assert.True(t, strings.Contains(said[0], "permission"), said[0])
	}

	s.Close()
	assert.Len(t, output(t, asNobody(child(t, "export", file))), lines, "of a closed file")
	require.NoError(t, os.Chmod(file, 0))
	said = output(t, asNobody(child(t, "export", file)))
	require.Len(t, said, 3)
	assert.Contains(t, said[0], "permission denied")
}

func exportToStdout() {
	for _, what := range []string{"history", "events", "outages"} {
		err := ExportFile(
			context.Background(), childFile(), os.Stdout, what, time.Time{}, time.Time{}, "")
		if err != nil {
			fmt.Println(err)
		}
	}
}
