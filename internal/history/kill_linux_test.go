package history

import (
	"bufio"
	"database/sql"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Killed a hundred times at random moments while it writes, the file opens, and no event is missing
// that was shown.
func TestAHundredKillsLoseNoEventThatWasShown(t *testing.T) {
	kills := 100
	if raceEnabled || testing.Short() {
		kills = 10
	}
	file := temporary(t)
	random := rand.New(rand.NewPCG(1, 2))
	var shown []string
	for range kills {
		c := child(t, "write", file)
		out, err := c.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, c.Start())
		in := bufio.NewReader(out)
		first, err := in.ReadString('\n')
		require.NoError(t, err, "the child writes")
		shown = append(shown, first[:len(first)-1])
		kill := time.AfterFunc(time.Duration(random.IntN(40))*time.Millisecond, func() {
			c.Process.Kill()
		})
		shown = append(shown, lines(in)...)
		kill.Stop()
		c.Process.Kill()
		assert.Error(t, c.Wait(), "killed")
	}
	t.Log(len(shown), "events were shown")

	name, err := dsn(file, "mode=rw")
	require.NoError(t, err)
	db, err := sql.Open(driver, name)
	require.NoError(t, err)
	var check string
	require.NoError(t, db.QueryRow("PRAGMA integrity_check").Scan(&check))
	assert.Equal(t, "ok", check)
	require.NoError(t, db.Close())

	s := opened(t, file)
	assert.Empty(t, s.Problem())
	stored := map[string]bool{}
	for before := int64(0); ; {
		page, err := s.Events(t.Context(), EventQuery{Before: before, Limit: 1000})
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			stored[e.Text] = true
		}
		before = page[len(page)-1].ID
	}
	newest := shown[max(len(shown)-mostEvents, 0):]
	for _, text := range newest {
		require.Contains(t, stored, text)
	}
}
