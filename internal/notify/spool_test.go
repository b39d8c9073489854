package notify

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/events"
	"github.com/tripplite-go/tripplite/internal/program"
)

// spooling starts a Notifier whose only target has a spool in dir.
func spooling(dir string, f *fake, log *slog.Logger) *Notifier {
	to := serve(Config{URL: "ntfy://secret@ntfy.sh/topic"}, f, log)
	attach([]*target{to}, dir)
	return start([]*target{to})
}

func TestWhatWasNotSentSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		down := &fake{fails: func(int) error { return errDown }}
		n := spooling(dir, down, quiet)
		n.Event(happened(events.OnBattery))
		n.Event(happened(events.BatteryLow))
		time.Sleep(2 * time.Second)
		n.Close()
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, files, 1)
		assert.NotContains(t, files[0].Name(), "secret")
		info, err := files[0].Info()
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		}

		up := &fake{}
		n = spooling(dir, up, quiet)
		n.Event(happened(events.OnLine))
		synctest.Wait()
		assert.Equal(t, []string{"0s on-battery late", "0s battery-low", "0s on-line"}, up.tried())
		n.Close()
		files, err = os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, files, "nothing is left to be sent twice")
	})
}

// The file is there before the event has been sent: the computer may lose its power meanwhile.
func TestWhatIsBeingSentIsInTheSpool(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n := spooling(dir, &fake{takes: 2 * time.Second}, quiet)
		defer n.Close()
		n.Event(happened(events.OnBattery))
		time.Sleep(time.Second)
		items, err := read(n.targets[0].spool.file)
		require.NoError(t, err)
		require.Len(t, items, 1)
		assert.Equal(t, "It happened.", items[0].event.Text)
	})
}

func TestWhatIsADayOldIsNotSentAfterARestart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n := spooling(dir, &fake{fails: func(int) error { return errDown }}, quiet)
		n.Event(happened(events.OnBattery))
		n.Close()
		time.Sleep(25 * time.Hour)
		var log bytes.Buffer
		up := &fake{}
		n = spooling(dir, up, slog.New(slog.NewTextHandler(&log, nil)))
		synctest.Wait()
		n.Close()
		assert.Empty(t, up.tried())
		assert.Contains(t, log.String(), "given up after a day")
	})
}

const good = `{"version":1,"waiting":[{"time":"2026-11-22T12:00:00Z","name":"rack",` +
	`"kind":"on-battery","text":"On battery.","queued":"2026-11-22T12:00:03Z","tries":1}]}`

var broken = map[string]string{
	"nothing":           "",
	"half of it":        good[:100],
	"something follows": good + "{}",
	"another version":   strings.Replace(good, `"version":1`, `"version":2`, 1),
	"an unknown kind":   strings.Replace(good, "on-battery", "party", 1),
	"no time":           strings.Replace(good, `"time":"2026-11-22T12:00:00Z",`, "", 1),
	"no queued":         strings.Replace(good, `,"queued":"2026-11-22T12:00:03Z"`, "", 1),
	"less than no try":  strings.Replace(good, `"tries":1`, `"tries":-1`, 1),
	"an unknown key":    strings.Replace(good, `"tries"`, `"colour"`, 1),
	"too many":          `{"version":1,"waiting":[` + strings.Repeat("{},", maxQueue) + `{}]}`,
	"too long":          good + strings.Repeat(" ", maxSpool),
}

func TestABrokenSpoolIsPutAside(t *testing.T) {
	for name, text := range broken {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				n := spooling(dir, &fake{}, quiet)
				file := n.targets[0].spool.file
				n.Close()
				program.Write(t, dir, filepath.Base(file), text)

				var log bytes.Buffer
				up := &fake{}
				n = spooling(dir, up, slog.New(slog.NewTextHandler(&log, nil)))
				n.Event(happened(events.OnBattery))
				synctest.Wait()
				n.Close()
				assert.Equal(t, []string{"on-battery"}, up.told())
				assert.Contains(t, log.String(), "events that wait to be sent cannot be read")
				assert.FileExists(t, file+".broken")
				assert.NoFileExists(t, file)
			})
		})
	}
}

func TestASpoolThatCannotBeWrittenIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		down := &fake{fails: func(int) error { return errDown }}
		n := spooling(filepath.Join(t.TempDir(), "nosuch"), down,
			slog.New(slog.NewTextHandler(&log, nil)))
		for _, kind := range []events.Kind{events.OnBattery, events.Lost, events.Back} {
			n.Event(happened(kind))
			time.Sleep(time.Minute)
		}
		n.Close()
		assert.Equal(t, 1, strings.Count(log.String(), "cannot be kept"))
	})
}

func TestTargetsHaveSpoolsOfTheirOwn(t *testing.T) {
	var targets []*target
	for _, c := range []Config{{URLFile: "/a"}, {URLFile: "/b"}, {URLFile: "/a", Units: []string{"rack"}},
		{URL: "ntfy://ntfy.sh/a"}, {URL: "ntfy://ntfy.sh/b"}} {
		targets = append(targets, newTarget(c, "", &fake{}, quiet))
	}
	targets = append(targets, newTarget(Config{}, "", &runner{}, quiet))
	attach(targets, t.TempDir())
	seen := map[string]bool{}
	for _, to := range targets[:5] {
		assert.False(t, seen[to.spool.file])
		seen[to.spool.file] = true
	}
	assert.Nil(t, targets[5].spool, "a command is not run late")
}

func FuzzSpool(f *testing.F) {
	f.Add([]byte(good))
	for _, text := range broken {
		if len(text) < 1000 {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		items, err := parse(text)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(items), maxQueue)
		again, err := encode(items)
		if err != nil {
			return // a time whose zone has no place in JSON
		}
		same, err := parse(again)
		require.NoError(t, err)
		require.Len(t, same, len(items))
		for i := range items {
			require.True(t, items[i].queued.Equal(same[i].queued))
			require.Equal(t, items[i].event.Text, same[i].event.Text)
			require.Equal(t, items[i].event.Kind, same[i].event.Kind)
		}
	})
}
