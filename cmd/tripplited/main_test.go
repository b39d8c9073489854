package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/program"
)

// asProgram makes the test binary the daemon.
const asProgram = "TRIPPLITED_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// base is the beginning of a file: a test adds keys of nut, and then other tables.
const base = `
http.listen = ["127.0.0.1:0"]
[nut]
listen = ["127.0.0.1:0"]
`

const unit = "--replay=smart1500lcd"

// What the daemon logs when it can be asked, and when everything is served.
const (
	pagesServed = `"Listening on" address=(\S+)`
	nutServed   = `"NUT is served" address=(\S+)`
	ready       = `msg=ready`
)

// started is a daemon that runs until stop is called, or the test ends.
type started struct {
	file       string
	pages, nut string // addresses
	log        *program.Output
	stop       func() (code int)
}

// start starts a daemon with a file that has this after base.
func start(t *testing.T, text string, args ...string) started {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := started{
		file: program.Write(t, t.TempDir(), "tripplited.toml", base+text), log: program.NewOutput(),
	}
	ended := make(chan int, 1)
	go func() {
		defer s.log.End()
		ended <- run(ctx, append(args, "--config="+s.file), io.Discard, s.log)
	}()
	s.stop = sync.OnceValue(func() int {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { assert.Zero(t, s.stop(), "the log:\n%s", s.log) })
	s.pages, s.nut = s.log.Await(t, pagesServed)[1], s.log.Await(t, nutServed)[1]
	s.log.Await(t, ready)
	return s
}

// get returns the status and the text of a page.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

// client is a client of NUT.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// connect makes a client, which says its name and password if there is a name.
func connect(t *testing.T, address, name, password string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	c := &client{t, conn, bufio.NewReader(conn)}
	if name != "" {
		require.Equal(t, "OK", c.ask("USERNAME "+name))
		require.Equal(t, "OK", c.ask("PASSWORD "+password))
	}
	return c
}

// ask sends a line and returns the first line of the answer.
func (c *client) ask(line string) string {
	c.t.Helper()
	_, err := fmt.Fprintln(c.conn, line)
	require.NoError(c.t, err)
	answer, err := c.in.ReadString('\n')
	require.NoError(c.t, err)
	return answer[:len(answer)-1]
}

// until asks until the answer is this one: the server has to read the unit first.
func (c *client) until(line, want string) {
	c.t.Helper()
	for c.ask(line) != want {
		require.NoError(c.t, c.t.Context().Err())
	}
}

func TestServesPagesMetricsAndNUT(t *testing.T) {
	d := start(t, "[units.names]\nsmart1500lcd = [\"rack\", \"qnapups\"]\n", unit)
	for _, test := range []struct {
		path string
		code int
		has  string
	}{
		{"/", 200, "<h1>tripplited</h1>"},
		{"/", 200, "also by the protocol of Network UPS Tools at " + d.nut},
		{"/page.js", 200, "EventSource"},
		{"/api/v1/units/rack", 200, `"path":"smart1500lcd"`},
		{"/api/v1/units/smart1500lcd", 200, `"name":"rack"`},
		{"/api/v1/events", 200, `{"events":[`},
		{"/metrics", 200, `tripplite_input_volts{name="rack",path="smart1500lcd"} 117.2`},
		{"/healthz", 200, "ok"},
		{"/debug/pprof/", 404, ""},
	} {
		code, body := get(t, "http://"+d.pages+test.path)
		assert.Equal(t, test.code, code, test.path)
		assert.Contains(t, body, test.has, test.path)
	}
	c := connect(t, d.nut, "", "")
	for _, name := range []string{"rack", "qnapups", "ups"} {
		c.until("GET VAR "+name+" input.voltage", `VAR `+name+` input.voltage "117.2"`)
	}
	require.Equal(t, "ERR FEATURE-NOT-CONFIGURED", c.ask("STARTTLS"))
	require.Contains(t, d.log.String(), `msg="UPS answers" path=smart1500lcd`)
	require.Zero(t, d.stop())
	_, err := net.Dial("tcp", d.nut)
	require.Error(t, err)
}

func TestServesOneAlone(t *testing.T) {
	for _, test := range []struct{ name, text, served, not string }{
		{"pages", "http.listen = [\"127.0.0.1:0\"]\nnut.listen = []", pagesServed, "NUT is served"},
		{"NUT", "http.listen = []\nnut.listen = [\"127.0.0.1:0\"]", nutServed, "Listening on"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := program.Write(t, t.TempDir(), "tripplited.toml", test.text)
			ctx, cancel := context.WithCancel(t.Context())
			log, ended := program.NewOutput(), make(chan int, 1)
			go func() {
				defer log.End()
				ended <- run(ctx, []string{unit, "--config", file}, io.Discard, log)
			}()
			log.Await(t, test.served)
			log.Await(t, ready)
			cancel()
			require.Zero(t, <-ended)
			require.NotContains(t, log.String(), test.not)
		})
	}
}

// A file that names units is good for captures, too.
func TestReplayGoesBeforeThePathsOfTheFile(t *testing.T) {
	d := start(t, "[units]\npaths = [\"9-9:1.0\"]\n", unit)
	_, text := get(t, "http://"+d.pages+"/metrics")
	require.Contains(t, text, `tripplite_up{path="smart1500lcd"} 1`)
	require.NotContains(t, text, "9-9:1.0")
}

// withoutUPS skips a test on a computer that has a UPS.
func withoutUPS(t *testing.T) {
	if paths, _ := tripplite.Paths(); len(paths) > 0 {
		t.Skip("a UPS is attached to this computer")
	}
}

func TestServesWithoutAUPS(t *testing.T) {
	withoutUPS(t)
	d := start(t, "[units.names]\n\"9-9:1.0\" = [\"rack\"]\n")
	code, text := get(t, "http://"+d.pages+"/metrics")
	require.Equal(t, 200, code)
	require.Contains(t, text, "tripplite_scrape_success 1")
	c := connect(t, d.nut, "", "")
	require.Equal(t, "ERR UNKNOWN-UPS", c.ask("GET VAR nosuch ups.status"))
	require.Equal(t, "ERR DATA-STALE", c.ask("GET VAR rack ups.status"), "it is missed")
	require.Contains(t, d.log.String(), "no UPS is attached yet")
}

const (
	admin = `
[[nut.user]]
name = "admin"
password_file = %q
commands = ["beeper.disable"]
set = true
`
	beeper   = "GET VAR ups ups.beeper.status"
	enabled  = `VAR ups ups.beeper.status "enabled"`
	disabled = `VAR ups ups.beeper.status "disabled"`
)

// password writes a password file and returns its path.
func password(t *testing.T) string {
	t.Helper()
	return program.Write(t, t.TempDir(), "password", "secret\nwhat follows is a remark\n")
}

func TestOnlyAUserReachesAUnit(t *testing.T) {
	const command, id = "INSTCMD ups beeper.disable", `SET VAR ups ups.delay.start "99"`
	d := start(t, fmt.Sprintf(admin, password(t)), unit)
	c := connect(t, d.nut, "", "")
	c.until(beeper, enabled)
	require.Equal(t, "ERR USERNAME-REQUIRED", c.ask(command))
	for _, test := range []struct{ name, password string }{
		{"admin", "wrong"}, {"admin", `""`}, {"nobody", "secret"},
	} {
		c := connect(t, d.nut, test.name, test.password)
		require.Equal(t, "ERR ACCESS-DENIED", c.ask(command), test)
		d.log.Await(t, `"access denied" user=`+test.name+` .*action="`+command)
	}
	c = connect(t, d.nut, "admin", "secret")
	require.Equal(t, "ERR CMD-NOT-SUPPORTED", c.ask("INSTCMD ups load.off"), "no user may")
	require.Equal(t, enabled, c.ask(beeper))
	require.NotContains(t, d.log.String(), `msg="INSTCMD`)

	require.Equal(t, "OK", c.ask(command))
	c.until(beeper, disabled)
	require.Equal(t, "OK", c.ask(id))
	c.until("GET VAR ups ups.delay.start", `VAR ups ups.delay.start "99"`)
	d.log.Await(t, `msg="INSTCMD ups beeper.disable" user=admin address=127.0.0.1`)
}

func TestExitStatus(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	address := taken.Addr().String()
	file := func(format string, args ...any) string {
		text := fmt.Sprintf(format, args...)
		return "--config=" + program.Write(t, t.TempDir(), "tripplited.toml", text)
	}
	for _, test := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"help", []string{"--help"}, 0, "--check-config"},
		{"version", []string{"--version"}, 0, "tripplited "},
		{"unknown flag", []string{"--colour"}, 2, "unknown flag --colour (see tripplited --help)"},
		{"no file", []string{"--config=nosuch"}, 1, "open nosuch: "},
		{"unknown capture", []string{"--replay=nosuch"}, 1,
			"neither a capture file nor one of the built-in captures"},
		{"pages", []string{unit, file("http.listen = [%q]", address)}, 1,
			address + ": bind: address already in use"},
		{"NUT", []string{unit, file("http.listen = [\"127.0.0.1:0\"]\nnut.listen = [%q]", address)}, 1,
			address + ": bind: address already in use"},
		{"no certificate for the pages", []string{unit, file("http.web_config_file = \"nosuch\"")}, 1,
			"http.web_config_file: open nosuch: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			var output bytes.Buffer
			require.Equal(t, test.code, run(t.Context(), test.args, &output, &output), "%s", &output)
			require.Contains(t, output.String(), test.says)
		})
	}
}

func TestLogsAsJSON(t *testing.T) {
	file := program.Write(t, t.TempDir(), "tripplited.toml", "log.format = \"json\"")
	var output bytes.Buffer
	run(t.Context(), []string{"--replay=nosuch", "--config", file}, io.Discard, &output)
	require.Regexp(t, `^\{.*"level":"ERROR","msg":"cannot go on".*\}\n$`, output.String())
}

func TestCheckConfig(t *testing.T) {
	dir := t.TempDir()
	program.Certify(t, dir)
	certificate := fmt.Sprintf("certificate = %q\nkey = %q\n",
		filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	user := fmt.Sprintf(admin, password(t))
	watcher := fmt.Sprintf("\n[[nut.user]]\nname = \"watcher\"\npassword_file = %q\n", password(t))
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", `units: every UPS attached
pages and metrics: 127.0.0.1:6969
NUT: 127.0.0.1:3493, for reading only
guard: none
`},
		{"all", "[units]\npaths = [\"1-4.2:1.0\", \"1-1:1.0\"]\n[http]\nlisten = []\n" +
			"[nut]\nlisten = [\"127.0.0.1:3493\", \"[::1]:3493\"]\n" + certificate + user +
			"upsmon = \"primary\"\n" + watcher, `units: the UPSes at 1-4.2:1.0, 1-1:1.0
pages and metrics: not served
NUT: 127.0.0.1:3493, [::1]:3493, with STARTTLS
user admin: upsmon primary, SET, beeper.disable
user watcher: nothing but to read
guard: none
`},
		{"no server", "http.listen = []\nnut.listen = []\n", `units: every UPS attached
pages and metrics: not served
NUT: not served
guard: none
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := program.Write(t, t.TempDir(), "tripplited.toml", test.text)
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), []string{"--check-config", "--config", file}, &stdout, &stderr)
			require.Zero(t, code, "%s", &stderr)
			require.Equal(t, test.want, stdout.String())
			require.Empty(t, stderr.String())
		})
	}
	t.Run("what is wrong", func(t *testing.T) {
		file := program.Write(t, t.TempDir(), "tripplited.toml", "[nut]\ncolour = 1\n")
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"--check-config", "--config", file}, &stdout, &stderr)
		require.Equal(t, 1, code)
		require.Equal(t, fmt.Sprintf("tripplited: %s: line 2: there is no key \"nut.colour\"\n", file),
			stderr.String())
		require.Empty(t, stdout.String())
	})
	t.Run("nobody reads it", func(t *testing.T) {
		full, closed, err := os.Pipe()
		require.NoError(t, err)
		full.Close()
		closed.Close()
		require.Equal(t, 1, run(t.Context(), []string{"--check-config"}, closed, io.Discard))
	})
}
