package notify

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/events"
	"github.com/tripplite-go/tripplite/internal/program"
)

func TestTheTableOfAFile(t *testing.T) {
	var file struct{ Notify []Config }
	known, err := toml.Decode(`
[[notify]]
url_file = "/etc/tripplited/ntfy.url"
events = ["on-battery", "on-line"]
units = ["rack"]
[[notify]]
command = ["/usr/local/bin/notify.sh", "arg"]
timeout = "1m"
[[notify]]
url = "smtp://mail.example.com:25/?from=ups@example.com&to=me@example.com"
`, &file)
	require.NoError(t, err)
	require.Empty(t, known.Undecoded())
	require.Equal(t, []Config{
		{URLFile: "/etc/tripplited/ntfy.url", Events: []events.Kind{events.OnBattery, events.OnLine},
			Units: []string{"rack"}},
		{Command: []string{"/usr/local/bin/notify.sh", "arg"}, Timeout: time.Minute},
		{URL: "smtp://mail.example.com:25/?from=ups@example.com&to=me@example.com"},
	}, file.Notify)
	for _, c := range file.Notify {
		require.NoError(t, c.Check())
	}
	assert.Equal(t, 30*time.Second, file.Notify[0].timeout())
	assert.Equal(t, time.Minute, file.Notify[1].timeout())
}

func TestWhatIsWrongInATable(t *testing.T) {
	const url = "ntfy://ntfy.sh/topic"
	for want, c := range map[string]Config{
		"it needs one of url, url_file and command, and no other":    {},
		"it needs one of url, url_file and command":                  {URL: url, Command: []string{"a"}},
		"it needs one of url":                                        {URL: url, URLFile: "/a"},
		"url_file: it is a URL: write that into a file":              {URLFile: "ntfy://u:hush@ntfy.sh/a"},
		"the command has no program":                                 {Command: []string{""}},
		"timeout is 30ns, and must be from 1s to 10m0s: write \"30s": {URL: url, Timeout: 30},
		"timeout is 1h0m0s, and must be":                             {URL: url, Timeout: time.Hour},
		"timeout is -1s, and must be":                                {URL: url, Timeout: -time.Second},
		`there is no event "party"; there are ["on-battery" `:        {URL: url, Events: []events.Kind{"party"}},
		"units has an empty name":                                    {URL: url, Units: []string{""}},
	} {
		err := c.Check()
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hush")
		_, err = New([]Config{c}, "", quiet)
		require.ErrorContains(t, err, "notify 1: ")
		require.ErrorContains(t, err, want)
	}
}

func TestASecretIsInAFileThatOthersCannotRead(t *testing.T) {
	dir := t.TempDir()
	file := program.Write(t, dir, "ntfy.url", "ntfy://me:hush@ntfy.sh/topic \r\nmore\n")
	_, name, err := Config{URLFile: file}.open()
	require.NoError(t, err)
	require.Equal(t, "ntfy (url_file "+file+")", name)

	_, _, err = Config{URLFile: filepath.Join(dir, "nosuch")}.open()
	require.ErrorIs(t, err, os.ErrNotExist)
	empty := program.Write(t, dir, "empty", "\nntfy://me:hush@ntfy.sh/topic\n")
	_, _, err = Config{URLFile: empty}.open()
	require.ErrorContains(t, err, "has nothing in its first line")
	if runtime.GOOS == "windows" {
		return
	}
	require.NoError(t, os.Chmod(file, 0o644))
	_, _, err = Config{URLFile: file}.open()
	require.ErrorContains(t, err, file+" can be read by everybody: chmod o= "+file)
	require.NotContains(t, err.Error(), "hush")
}
