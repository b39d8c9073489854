package history

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/events"
)

// small is a file with a little of everything.
func small(t testing.TB) []byte {
	file := filepath.Join(t.TempDir(), "small.db")
	s := Open(Config{File: file})
	for minute := range 30 {
		s.Reading(unit("rack", noon.Add(time.Duration(minute)*time.Minute)))
	}
	s.Event(event("rack", events.OnBattery, noon))
	s.Event(event("rack", events.OnLine, noon.Add(time.Minute)))
	s.Event(event("rack", events.OnBattery, noon.Add(time.Hour)))
	s.Close()
	require.Empty(t, s.Problem())
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	return content
}

// works checks that a Store does what it is for, in a file or without one.
func works(t *testing.T, s *Store) {
	s.Reading(unit("cellar", noon))
	s.Event(event("cellar", events.Lost, noon))
	s.write(noon.Add(time.Hour))
	all, err := s.Events(t.Context(), EventQuery{Unit: "cellar"})
	require.NoError(t, err)
	assert.Equal(t, []events.Kind{events.Lost}, kinds(all))
	assert.Len(t, load(t, s, "cellar", time.Hour), 1)
}

func TestABrokenFileIsMovedAside(t *testing.T) {
	good := small(t)
	for name, content := range map[string][]byte{
		"not a database":  []byte("The quick brown fox jumps over the lazy dog, and so on.\n"),
		"cut short":       good[:60],
		"no tables":       append(bytes.Clone(good[:100]), make([]byte, len(good)-100)...),
		"first page only": good[:4096],
	} {
		t.Run(name, func(t *testing.T) {
			file := temporary(t)
			require.NoError(t, os.WriteFile(file, content, 0o600))
			s := opened(t, file)
			works(t, s)
			aside, err := filepath.Glob(file + ".broken-*")
			require.NoError(t, err)
			require.Len(t, aside, 1)
			kept, err := os.ReadFile(aside[0])
			require.NoError(t, err)
			assert.True(t, bytes.Equal(content, kept), "as it was")
			assert.Contains(t, s.Problem(), "begins anew")
			assert.Contains(t, s.Problem(), aside[0])
			assert.Equal(t, 1, count(t, file, "SELECT count(*) FROM events"))
		})
	}
}

func TestAFileThatBreaksWhileItIsUsedIsMovedAside(t *testing.T) {
	file := temporary(t)
	content := small(t)
	for i := 4096; i < len(content); i++ {
		content[i] = 0xa5
	}
	require.NoError(t, os.WriteFile(file, content, 0o600))
	s := opened(t, file)
	for range 3 {
		s.write(noon)
	}
	works(t, s)
	assert.Contains(t, s.Problem(), "begins anew")
	aside, err := filepath.Glob(file + ".broken-*")
	require.NoError(t, err)
	assert.Len(t, aside, 1)
}

func TestBrokenFilesDoNotPileUp(t *testing.T) {
	file := temporary(t)
	for _, suffix := range []string{"20200101T000000Z", "20210101T000000Z", "20220101T000000Z"} {
		require.NoError(t, os.WriteFile(file+".broken-"+suffix, nil, 0o600))
	}
	require.NoError(t, os.WriteFile(file, []byte("broken"), 0o600))
	s := opened(t, file)
	works(t, s)
	assert.Contains(t, s.Problem(), "cannot be written: the file is broken")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "broken", string(content))
}

func TestAFileOfAnotherProgramOrALaterOneIsLeftAsItIs(t *testing.T) {
	later := small(t)
	binary.BigEndian.PutUint32(later[60:], uint32(len(schema)+1))
	another := small(t)
	binary.BigEndian.PutUint32(another[68:], 0)
	for name, test := range map[string]struct {
		content []byte
		says    string
	}{
		"later":   {later, "a newer version of this program"},
		"another": {another, "not a history of this program"},
	} {
		t.Run(name, func(t *testing.T) {
			file := temporary(t)
			require.NoError(t, os.WriteFile(file, test.content, 0o600))
			s := Open(Config{File: file})
			works(t, s)
			assert.Contains(t, s.Problem(), test.says)
			assert.Contains(t, s.Problem(), "left as it is")
			s.Close()
			files, err := os.ReadDir(filepath.Dir(file))
			require.NoError(t, err)
			assert.Len(t, files, 1)
			kept, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(test.content, kept))
			var out bytes.Buffer
			err = ExportFile(t.Context(), file, &out, "events", time.Time{}, time.Time{}, "")
			assert.ErrorContains(t, err, test.says)
		})
	}
}

// The daemon may start before the directory is there, and somebody may take the file away.
func TestAFileThatAppearsLaterIsUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "later", "history.db")
	s := opened(t, file)
	works(t, s)
	assert.Contains(t, s.Problem(), "no such file or directory")
	for range 2 {
		require.NoError(t, os.Mkdir(filepath.Dir(file), 0o700))
		s.write(noon.Add(time.Hour))
		assert.Empty(t, s.Problem())
		s.Event(event("cellar", events.Back, noon))
		assert.NotZero(t, count(t, file, "SELECT count(*) FROM events"))
		require.NoError(t, os.RemoveAll(filepath.Dir(file)))
	}
}

func TestTheFileHasALogAndAVersion(t *testing.T) {
	file := temporary(t)
	opened(t, file)
	name, err := dsn(file, "mode=ro")
	require.NoError(t, err)
	db, err := sql.Open(driver, name)
	require.NoError(t, err)
	defer db.Close()
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "user_version": "1", "application_id": "1416776776", "auto_vacuum": "2",
	} {
		var got string
		require.NoError(t, db.QueryRow("PRAGMA "+pragma).Scan(&got))
		assert.Equal(t, want, got, pragma)
	}
	s := opened(t, temporary(t))
	for pragma, want := range map[string]int64{"synchronous": 2, "mmap_size": 0, "cache_size": -1024} {
		got, err := s.disk.numbers("PRAGMA " + pragma)
		require.NoError(t, err)
		assert.Equal(t, []int64{want}, got, pragma)
	}
}

func TestANameWithOddCharactersIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "100% ?mode=memory#1 ü.db")
	s := opened(t, file)
	works(t, s)
	assert.Empty(t, s.Problem())
	assert.FileExists(t, file)
}

// Whatever a file holds, opening and reading it ends, and without a panic.
func FuzzAFileThatIsNotWhatItWas(f *testing.F) {
	good := small(f)
	f.Add([]byte{0, 0, 0, 60, 0xff})
	f.Add([]byte{0, 0, 16, 0, 0x0d, 0, 0, 16, 3, 0xff, 0, 0, 32, 8, 0})
	f.Fuzz(func(t *testing.T, changes []byte) {
		content := bytes.Clone(good)
		for ; len(changes) >= 5; changes = changes[5:] {
			at := binary.BigEndian.Uint32(changes) % uint32(len(content))
			content[at] ^= changes[4]
		}
		file := filepath.Join(t.TempDir(), "history.db")
		require.NoError(t, os.WriteFile(file, content, 0o600))
		var out bytes.Buffer
		for _, what := range []string{"history", "events", "outages"} {
			ExportFile(t.Context(), file, &out, what, time.Time{}, time.Time{}, "")
		}
		s := Open(Config{File: file})
		s.Reading(unit("cellar", noon))
		s.Event(event("rack", events.OnLine, noon.Add(time.Hour)))
		for range 3 {
			s.write(time.Now().Add(2 * time.Hour))
		}
		s.Series(t.Context(), Query{Unit: "rack", From: noon, To: noon.Add(time.Hour)})
		s.Events(t.Context(), EventQuery{})
		s.Outages(t.Context(), EventQuery{})
		s.Close()
	})
}
