package history

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tripplite-go/tripplite/internal/events"
)

// mount mounts a file system, or skips the test where that is not allowed, as without root and in
// most containers.
func mount(t *testing.T, source, at, kind string, flags uintptr, options string) {
	err := unix.Mount(source, at, kind, flags, options)
	if errors.Is(err, unix.EPERM) {
		t.Skip("this user may not mount: ", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(at, 0)) })
}

func TestAFullDiskStopsNothing(t *testing.T) {
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, "size=1m")
	file := filepath.Join(dir, "history.db")
	s := Open(Config{File: file})
	defer s.Close()
	require.Empty(t, s.Problem())
	s.Event(event("rack", events.Lost, noon))

	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	minute := 0
	for ; s.Problem() == "" && minute < 10000; minute++ {
		s.Reading(unit("rack", noon.Add(time.Duration(minute)*time.Minute)))
		s.write(noon.Add(-time.Hour))
	}
	assert.Contains(t, s.Problem(), "there is no room for it")
	for i := range 3 {
		s.Event(event("rack", events.Back, noon.Add(time.Duration(i)*time.Second)))
	}
	all, err := s.Events(t.Context(), EventQuery{})
	require.NoError(t, err)
	assert.Len(t, all, 4, "on disk and in memory")
	assert.Len(t, load(t, s, "rack", time.Duration(minute)*time.Minute), minute)
	assert.Less(t, count(t, file, "SELECT count(*) FROM events"), 4)

	require.NoError(t, os.Remove(ballast))
	s.write(noon.Add(-time.Hour))
	assert.Empty(t, s.Problem())
	assert.Equal(t, 4, count(t, file, "SELECT count(*) FROM events"))
	assert.Equal(t, minute, count(t, file, "SELECT count(*) FROM samples WHERE step = 60"))
	assert.Len(t, load(t, s, "rack", time.Duration(minute)*time.Minute), minute)
}

// fill takes all the room that there is.
func fill(t *testing.T, file string) {
	f, err := os.Create(file)
	require.NoError(t, err)
	defer f.Close()
	for _, size := range []int{1 << 16, 1 << 12} {
		for block := make([]byte, size); ; {
			if _, err := f.Write(block); err != nil {
				require.ErrorIs(t, err, unix.ENOSPC)
				break
			}
		}
	}
}

// writeWithALimit goes on with a history that may not grow, and prints what becomes of it.
func writeWithALimit() {
	signal.Ignore(unix.SIGXFSZ)
	s := Open(Config{File: childFile()})
	limit := unix.Rlimit{Cur: 1 << 17, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		panic(err)
	}
	n := 0
	for ; s.Problem() == "" && n < 10000; n++ {
		s.Event(event("rack", events.Lost, noon))
	}
	fmt.Println(s.Problem())
	for range 2 {
		s.Event(event("rack", events.Back, noon))
		n++
	}
	limit.Cur = unix.RLIM_INFINITY
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		panic(err)
	}
	s.Event(event("rack", events.Back, noon))
	fmt.Println(s.Problem())
	fmt.Println(n + 1)
	s.Close()
}

func TestAWriteThatFailsIsMadeAgain(t *testing.T) {
	file := temporary(t)
	said := output(t, child(t, "limited", file))
	require.Len(t, said, 3)
	assert.Contains(t, said[0], "cannot be written")
	assert.Empty(t, said[1])
	assert.Equal(t, said[2], fmt.Sprint(count(t, file, "SELECT count(*) FROM events")))
}

// openWhatIsReadOnly opens a history that it may not write.
func openWhatIsReadOnly() {
	s := Open(Config{File: childFile()})
	s.Event(event("rack", events.Back, noon))
	s.Reading(unit("rack", noon))
	s.write(noon.Add(time.Hour))
	all, err := s.Events(context.Background(), EventQuery{})
	fmt.Println(s.Problem())
	fmt.Println(len(all), err)
	charts, err := s.Series(context.Background(), Query{
		Unit: "rack", Keys: []string{"health"}, From: noon, To: noon.Add(time.Hour),
	})
	fmt.Println(len(charts[0].Points), err)
	s.Close()
}

func TestAFileThatIsReadOnlyStopsNothing(t *testing.T) {
	for name, test := range map[string]struct {
		file, dir os.FileMode
		made      bool
		says      string
	}{
		"the file":             {0o444, 0o777, true, "read-only"},
		"file and directory":   {0o444, 0o555, true, "read-only"},
		"a directory, no file": {0, 0o555, false, "permission denied"},
		"not to be read":       {0, 0o555, true, "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := reachable(t)
			file := filepath.Join(dir, "history.db")
			if test.made {
				Open(Config{File: file}).Close()
				require.NoError(t, os.Chmod(file, test.file))
			}
			require.NoError(t, os.Chmod(dir, test.dir))
			said := output(t, asNobody(child(t, "readonly", file)))
			require.Len(t, said, 3)
			assert.Contains(t, said[0], test.says)
			assert.True(t, strings.HasPrefix(said[0], "The history "+file+" cannot be written: "))
			assert.Equal(t, []string{"1 <nil>", "1 <nil>"}, said[1:])
		})
	}
}

func TestAFileSystemThatTurnsReadOnlyStopsNothing(t *testing.T) {
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, "size=4m")
	file := filepath.Join(dir, "history.db")
	s := Open(Config{File: file})
	s.Event(event("rack", events.Lost, noon))
	s.Close()
	require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	s = Open(Config{File: file})
	defer s.Close()
	assert.Contains(t, s.Problem(), "cannot be written")
	s.Event(event("rack", events.Back, noon))
	all, err := s.Events(t.Context(), EventQuery{})
	require.NoError(t, err)
	assert.Contains(t, kinds(all), events.Back)

	require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT, "size=4m"))
	s.write(noon)
	assert.Empty(t, s.Problem())
	all, err = s.Events(t.Context(), EventQuery{})
	require.NoError(t, err)
	assert.Equal(t, []events.Kind{events.Back, events.Lost}, kinds(all), "numbered anew")
	assert.Equal(t, 2, count(t, file, "SELECT count(*) FROM events"))
	assert.Equal(t, int64(2), all[0].ID)
}

// reachable is a temporary directory that every user may enter.
func reachable(t *testing.T) string {
	dir, err := os.MkdirTemp("", "history")
	require.NoError(t, err)
	t.Cleanup(func() {
		os.Chmod(dir, 0o700)
		assert.NoError(t, os.RemoveAll(dir))
	})
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// asNobody has a child of root run as a user who may not write everywhere.
func asNobody(c *exec.Cmd) *exec.Cmd {
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: 65534, Gid: 65534},
		}
		c.Dir = "/"
	}
	return c
}
