package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
	"github.com/tripplite-go/tripplite/nut"
)

var silent = slog.New(slog.DiscardHandler)

// The error of a file names the line, or the key.
func TestWhatIsWrongInAFile(t *testing.T) {
	const user = "[[nut.user]]\nname = \"a\"\npassword_file = \"/a\"\n"
	for _, test := range []struct{ name, text, want string }{
		{"syntax", "[http]\nlisten = [\n", "line 2 "},
		{"no table", "\n[http\n", "line 3: expected"},
		{"a key twice", "[http]\nlisten = []\nlisten = []\n", "line 3 (last key \"http.listen\"): "},
		{"a table twice", "[log]\n[nut]\n[log]\n", "line 3: Key 'log' has already been defined"},
		{"unknown key", "[http]\n# a remark\nlisten = []\ncolour = 1\n",
			`line 4: there is no key "http.colour"`},
		{"unknown table", "[colours]\nred = 1\n", "line 1: there is no key \"colours\"\n" +
			"line 2: there is no key \"colours.red\""},
		{"unknown key without a table", "colour = 1", `line 1: there is no key "colour"`},
		{"unknown key of the second user", user + "[[nut.user]]\nname = \"b\"\ncolour = 1\n",
			`line 6: there is no key "nut.user.colour"`},
		{"unknown limit", "[low.\"1-4.2:1.0\"]\ncharg = 20\n",
			`line 2: there is no key "low.\"1-4.2:1.0\".charg"`},
		{"unknown key in a line", "http = {colour = 1}", `there is no key "http.colour"`},
		{"a text for a list", "[http]\nlisten = \"localhost:6969\"",
			`line 2 (last key "http.listen"): `},
		{"a text for a number", "[nut]\nconnections = \"many\"",
			`line 2 (last key "nut.connections"): `},

		{"no port", "[http]\nlisten = [\"127.0.0.1\"]",
			`http.listen: "127.0.0.1" is no address to listen at: address 127.0.0.1: missing port`},
		{"unknown port", "[nut]\nlisten = [\"127.0.0.1:nosuch\"]",
			`nut.listen: "127.0.0.1:nosuch" is no address to listen at: `},
		{"a port that is none", "[nut]\nlisten = [\"127.0.0.1:65536\"]",
			`nut.listen: "127.0.0.1:65536" is no address to listen at: `},

		{"no time", "[nut]\nevery = \"soon\"", `line 2 (last key "nut.every"): invalid duration: "soon"`},
		{"no unit", "[nut]\nevery = \"2\"", `line 2 (last key "nut.every"): invalid duration: "2"`},
		{"a number", "[nut]\nevery = 2", `nut.every is 2ns, and must be at least 100ms: write "2s"`},
		{"less than no time", "[http]\nscrape_timeout = \"-1s\"",
			"http.scrape_timeout is -1s, and must be"},
		{"no clients", "[nut]\nconnections = 0", "nut.connections is 0, and must be more than 0"},

		{"certificate without key", "[nut]\ncertificate = \"/a\"",
			"nut.certificate and nut.key go together"},
		{"key without certificate", "[nut]\nkey = \"/a\"", "nut.certificate and nut.key go together"},
		{"log level", "[log]\nlevel = \"loud\"",
			`line 2 (last key "log.level"): slog: level string "loud"`},
		{"log format", "[log]\nformat = \"xml\"", `log.format is "xml", and must be "logfmt" or "json"`},

		{"an empty path", "[units]\npaths = [\"\"]", "units.paths has an empty path"},
		{"no name", "[units.names]\na = [\"\"]", `units.names: "" is no name of a UPS`},
		{"a name with a space", "[units.names]\na = [\"the rack\"]",
			`units.names: "the rack" is no name of a UPS: letters, digits, '-', '_' and '.'`},
		{"one name for two", "[units.names]\nb = [\"rack\"]\na = [\"c\", \"RACK\"]",
			`units.names: "rack" is the name of the UPSes at a and b`},
		{"a name twice", "[units.names]\na = [\"rack\", \"rack\"]",
			`units.names: the UPS at a has the name "rack" twice`},

		{"a user without a name", "[[nut.user]]\npassword_file = \"/a\"",
			`nut.user "": a user needs a name and a password_file`},
		{"a user without a password", "[[nut.user]]\nname = \"a\"",
			`nut.user "a": a user needs a name and a password_file`},
		{"two users", user + user, `nut.user "a": there are two of that name`},
		{"upsmon", user + "upsmon = \"slave\"",
			`nut.user "a": upsmon is "slave", and must be "primary" or "secondary"`},

		{"more charge than there is", "[low.all]\ncharge = 101", "low.all: charge is 101, and must be"},
		{"no charge", "[low.all]\ncharge = nan", "low.all: charge is NaN, and must be from 0 to 100"},
		{"a run time in seconds", "[low.a]\nruntime = 180", "low.a: runtime is 180ns, and must be"},
		{"a target without anything", "[[notify]]\nunits = [\"a\"]", "notify 1: "},
		{"a history of nothing", "[history]\nmax_mb = 0", "history.max_mb is 0, and must be"},
		{"no limit", "[guard]\nlow = false\nlost = \"0s\"", "guard.low: no limit is set"},
		{"all the charge that there is", "[guard]\ncharge = 100", "guard.charge is 100, and must be"},
		{"a guard's time in seconds", "[guard]\nlost = 300", "guard.lost is 300ns, and must be 0 or"},
		{"an unknown way to cut", "[guard]\ncut = \"soon\"",
			`guard.cut is "soon", and must be "early", "late" or "never"`},
		{"a cut of half a second", "[guard]\ncut_after = \"1500ms\"",
			"guard.cut_after is 1.5s, and must be of whole seconds"},
		{"a hook without a command", "[[guard.hook]]\ntimeout = \"5s\"",
			"guard.hook 1 has no command"},
		{"a way down and none up", "[guard]\npower_off = [\"halt\"]",
			"guard.power_off and restart go together"},
		{"a power off in no time", "[guard]\npower_off_timeout = \"0s\"",
			"guard.power_off_timeout must be more than 0"},
		{"two things", "log.format = \"xml\"\ncolour = 1\n",
			"line 2: there is no key \"colour\"\nlog.format is \"xml\""},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := program.Write(t, t.TempDir(), "tripplited.toml", test.text)
			_, err := load(file)
			require.ErrorContains(t, err, file+": "+test.want)
		})
	}
}

// example returns deploy/tripplited.toml, with the "#" taken off each line that has a key or a
// table if that is wanted.
func example(t *testing.T, uncommented bool) string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/tripplited.toml")
	require.NoError(t, err)
	if !uncommented {
		return string(text)
	}
	var all strings.Builder
	keys := 0
	for line := range strings.Lines(string(text)) {
		if without, found := strings.CutPrefix(line, "#"); found && !strings.HasPrefix(line, "# ") {
			line = without
			keys += strings.Count(line, "=")
		}
		all.WriteString(line)
	}
	require.Greater(t, keys, 20)
	return all.String()
}

func TestTheExampleShowsTheDefaults(t *testing.T) {
	c := defaults()
	require.NoError(t, c.parse(example(t, false)))
	dry := defaults()
	dry.guards = true
	require.Equal(t, dry, c)
	require.False(t, c.Guard.Armed)

	c = defaults()
	require.NoError(t, c.parse(example(t, true)))
	require.Equal(t, map[string][]string{"1-4.2:1.0": {"rack", "qnapups"}}, c.Units.Names)
	require.Equal(t, []userConfig{
		{Name: "monuser", PasswordFile: "/etc/tripplited/monuser.password", Upsmon: "secondary"},
		{Name: "admin", PasswordFile: "/etc/tripplited/admin.password", Commands: []string{
			"beeper.mute", "beeper.disable", "beeper.enable", "test.battery.start.quick"}},
	}, c.NUT.User)
	require.Equal(t, map[string]lowConfig{"all": {Charge: 20, Runtime: 3 * time.Minute}}, c.Low)

	want := defaults() // of what is no example
	require.Empty(t, c.Units.Paths)
	want.Units, want.NUT.User, want.Low = c.Units, c.NUT.User, c.Low
	require.Equal(t, []hookConfig{{[]string{"/usr/local/sbin/stop-guests"}, time.Minute}}, c.Guard.Hook)
	require.Equal(t, []string{"/sbin/shutdown", "-h", "now"}, c.Guard.PowerOff)
	require.Equal(t, []string{"/sbin/shutdown", "-r", "now"}, c.Guard.Restart)
	want.Guard.Hook, want.Guard.PowerOff, want.Guard.Restart = c.Guard.Hook, c.Guard.PowerOff, c.Guard.Restart
	require.True(t, c.guards)
	want.guards = true
	require.Empty(t, c.Guard.Units)
	want.Guard.Units = c.Guard.Units
	require.Len(t, c.Notify, 2)
	require.Equal(t, []string{"/usr/local/bin/notify.sh"}, c.Notify[1].Command)
	require.Equal(t, "history.db", c.History.File)
	want.Notify, want.History.File = c.Notify, c.History.File
	want.StateDirectory = usualStateDir
	require.Equal(t, want, c)
}

// Every key of the configuration is in the example.
func TestTheExampleHasEveryKey(t *testing.T) {
	text := example(t, true)
	for _, key := range []string{
		"units.paths", "units.names", "http.listen", "http.web_config_file", "http.scrape_timeout",
		"nut.listen", "nut.every", "nut.connections", "nut.certificate", "nut.key",
		"nut.user.name", "nut.user.password_file", "nut.user.commands", "nut.user.set",
		"nut.user.upsmon", "low.all.charge", "low.all.runtime", "log.level", "log.format",
		"state_directory", "guard.armed", "guard.units", "guard.all", "guard.hold", "guard.warning",
		"guard.on_battery", "guard.charge", "guard.runtime", "guard.low", "guard.lost",
		"guard.notify_timeout", "guard.secondaries_timeout", "guard.cut", "guard.cut_after",
		"guard.off_for", "guard.power_off", "guard.restart", "guard.power_off_timeout",
		"guard.hook.command", "guard.hook.timeout", "notify.url_file", "notify.events", "notify.units",
		"notify.command", "notify.timeout", "history.file", "history.max_mb",
	} {
		require.NotZero(t, lineOf(text, key), key)
	}
}

func TestPasswordFiles(t *testing.T) {
	empty := program.Write(t, t.TempDir(), "password", "")
	for file, says := range map[string]string{empty: "has nothing in its first line", "nosuch": "nosuch"} {
		c := config{NUT: nutConfig{User: []userConfig{{Name: "a", PasswordFile: file}}}}
		_, err := c.server(silent, "")
		require.ErrorContains(t, err, `nut.user "a": `)
		require.ErrorContains(t, err, says)
	}
}

func TestWhatTheNUTServerGets(t *testing.T) {
	c := defaults()
	require.NoError(t, c.parse(fmt.Sprintf(`
[units.names]
a = ["rack"]
[nut]
every = "5s"
connections = 7
[low.all]
charge = 20
[low.a]
runtime = "3m"
[[nut.user]]
name = "b"
password_file = %q
commands = ["ALL"]
set = true
upsmon = "primary"
`, password(t))))
	served, err := c.server(silent, "v1")
	require.NoError(t, err)
	require.Equal(t, nut.Config{
		Every: 5 * time.Second, Connections: 7, Version: "v1", Log: silent,
		Names:  map[string][]string{"a": {"rack"}},
		Limits: map[string]nut.Limits{"": {Charge: 20}, "a": {RunTime: 3 * time.Minute}},
		Users: []nut.User{{
			Name: "b", Password: "secret", Commands: []string{"ALL"}, Set: true, Upsmon: "primary"}},
	}, served)
}

func TestACertificateThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	program.Certify(t, dir)
	program.Write(t, dir, "broken.pem", "no certificate")
	for name, want := range map[string]string{
		"nosuch.pem": "nosuch.pem", "broken.pem": "failed to find any PEM data", "key.pem": "",
	} {
		c := defaults()
		c.NUT.Certificate, c.NUT.Key = filepath.Join(dir, name), filepath.Join(dir, "key.pem")
		_, err := c.server(silent, "")
		require.ErrorContains(t, err, "nut.certificate: ")
		require.ErrorContains(t, err, want)
	}
}

// While the files are being written there may be no pair: the last one serves.
func TestARenewedCertificateIsTakenUpWhole(t *testing.T) {
	dir := t.TempDir()
	r := &renewed{certificate: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	program.Certify(t, dir)
	first, err := r.get(nil)
	require.NoError(t, err)
	same, err := r.get(nil)
	require.NoError(t, err)
	require.Same(t, first, same, "it is not read again")

	other := t.TempDir()
	program.Certify(t, other)
	move(t, filepath.Join(other, "cert.pem"), r.certificate)
	half, err := r.get(nil)
	require.NoError(t, err)
	require.Same(t, first, half, "the key is still the old one")
	require.NoError(t, os.Rename(r.certificate, r.certificate+"~"))
	gone, err := r.get(nil)
	require.NoError(t, err)
	require.Same(t, first, gone)
	require.NoError(t, os.Rename(r.certificate+"~", r.certificate))
	move(t, filepath.Join(other, "key.pem"), r.key)
	second, err := r.get(nil)
	require.NoError(t, err)
	require.NotEqual(t, first.Certificate, second.Certificate)
}

// move puts a file in the place of another, with a time of its own.
func move(t *testing.T, from, to string) {
	t.Helper()
	later := time.Now().Add(time.Minute)
	require.NoError(t, os.Chtimes(from, later, later))
	require.NoError(t, os.Rename(from, to))
}
