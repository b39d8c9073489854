package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/program"
)

// asProgram makes the test binary the exporter.
const asProgram = "TRIPPLITE_EXPORTER_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// listening is what the exporter, and Prometheus, log when they can be asked.
const listening = `"Listening on" address=(\S+)`

// started is an exporter that runs until stop is called, or the test ends.
type started struct {
	address string
	log     *program.Output
	stop    func() (code int)
}

func start(t *testing.T, args ...string) started {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := started{log: program.NewOutput()}
	ended := make(chan int, 1)
	go func() {
		defer s.log.End()
		ended <- run(ctx, append(args, "--web.listen-address=127.0.0.1:0"), io.Discard, s.log)
	}()
	s.stop = sync.OnceValue(func() int {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { assert.Zero(t, s.stop(), "the log:\n%s", s.log) })
	s.address = s.log.Await(t, listening)[1]
	return s
}

// launch starts a program, which ends with the test, and returns what it writes.
func launch(t *testing.T, command *exec.Cmd) *program.Output {
	t.Helper()
	log := program.NewOutput()
	command.Stdout, command.Stderr = log, log
	require.NoError(t, command.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer log.End()
		command.Wait()
	}()
	t.Cleanup(func() {
		command.Process.Kill()
		<-ended
	})
	return log
}

// client keeps no connections, so that none outlives a test.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// get returns the status and the text of a page.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestPages(t *testing.T) {
	exporter := start(t, "--replay=smart1500lcd")
	for _, test := range []struct {
		path string
		code int
		has  string
	}{
		{"/", 200, "<h1>Tripp Lite exporter</h1>"},
		{"/", 200, `<a href="metrics">`},
		{"/page.js", 200, "EventSource"},
		{"/api/v1/units", 200, `"input.voltage":{"value":117.2,"unit":"V"}`},
		{"/api/v1/units/ups-smart1500lcd", 200, `"state":"on line power"`},
		{"/api/v1/history?unit=rack", 404, "this program keeps no history"},
		{"/metrics", 200, `tripplite_input_volts{path="smart1500lcd"} 117.2`},
		{"/metrics", 200, `tripplite_exporter_build_info{goversion="go`},
		{"/metrics", 200, "process_resident_memory_bytes "},
		{"/metrics", 200, "go_goroutines "},
		{"/healthz", 200, "ok"},
		{"/debug/pprof/", 404, ""},
		{"/-/reload", 404, ""},
	} {
		code, body := get(t, "http://"+exporter.address+test.path)
		assert.Equal(t, test.code, code, test.path)
		assert.Contains(t, body, test.has, test.path)
	}
	require.Contains(t, exporter.log.String(), `msg="UPS answers" path=smart1500lcd`)
	require.Zero(t, exporter.stop())
}

func TestPromtoolFindsNothingWrong(t *testing.T) {
	promtool := program.Find(t, "promtool")
	exporter := start(t, "--replay=smart1500lcd", "--replay=pro1500rt2u", "--name=smart1500lcd=rack")
	_, text := get(t, "http://"+exporter.address+"/metrics")
	check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	check.Stdin = strings.NewReader(text)
	output, err := check.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Empty(t, string(output))
}

func TestOneCaptureTwice(t *testing.T) {
	exporter := start(t, "--replay=smart1500lcd",
		"--replay=../../testdata/captures/smart1500lcd.json", "--name=smart1500lcd#2=the second")
	_, text := get(t, "http://"+exporter.address+"/metrics")
	require.Equal(t, []string{
		`tripplite_up{name="",path="smart1500lcd"} 1`,
		`tripplite_up{name="the second",path="smart1500lcd#2"} 1`,
	}, having("tripplite_up", text))
}

func TestNumatsSeriesHaveAHostname(t *testing.T) {
	for _, test := range []struct {
		name, want string
		args       []string
	}{
		{"this computer's", `^tripplite_health\{hostname="[^"]+"\} 100$`, []string{"--compat.numat"}},
		{"another", `^tripplite_health\{hostname="closet"\} 100$`,
			[]string{"--compat.numat", "--compat.hostname=closet"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			exporter := start(t, append(test.args, "--replay=smart1500lcd")...)
			_, text := get(t, "http://"+exporter.address+"/metrics")
			require.Len(t, having("hostname=", text), 17, "the series of numat's exporter on that unit")
			require.Regexp(t, test.want, having("tripplite_health", text)[0])
		})
	}
}

// withoutUPS skips a test on a computer that has a UPS.
func withoutUPS(t *testing.T) {
	if paths, _ := tripplite.Paths(); len(paths) > 0 {
		t.Skip("a UPS is attached to this computer")
	}
}

func TestStaysUpWithoutAUPS(t *testing.T) {
	withoutUPS(t)
	exporter := start(t)
	code, text := get(t, "http://"+exporter.address+"/metrics")
	require.Equal(t, 200, code)
	require.Empty(t, having("tripplite_up", text))
	require.Len(t, having("tripplite_scrape_success", text), 1)
	code, _ = get(t, "http://"+exporter.address+"/healthz")
	require.Equal(t, 200, code)
}

func TestExitStatus(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	const unit, address = "--replay=smart1500lcd", "--web.listen-address=127.0.0.1:0"
	for _, test := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"help", []string{"--help"}, 0, "--web.listen-address"},
		{"version", []string{"--version"}, 0, "tripplite-exporter "},
		{"unknown flag", []string{"--colour"}, 1, "unknown flag --colour"},
		{"unknown log level", []string{"--log.level=loud"}, 1, "loud"},
		{"unknown capture", []string{"--replay=nosuch"}, 1,
			"neither a capture file nor one of the built-in captures"},
		{"address in use", []string{unit, "--web.listen-address=" + taken.Addr().String()}, 1,
			"address already in use"},
		{"no web configuration", []string{unit, address, "--web.config.file=nosuch"}, 1, "nosuch"},
		{"a path and a capture", []string{unit, "--path=1-4:1.0"}, 1,
			"--path and --replay can't be used together"},
		{"an empty path", []string{"--path", ""}, 1, "--path: the path is empty"},
		{"no time for a scrape", []string{unit, "--scrape.timeout=0s"}, 1,
			"--scrape.timeout: must be more than 0"},
		{"less than no time", []string{unit, "--scrape.timeout=-1s"}, 1,
			"--scrape.timeout: must be more than 0"},
		{"a name for no path", []string{unit, "--name==rack"}, 1, `--name: "=rack": want PATH=NAME`},
		{"a path without a name", []string{unit, "--name=1-4:1.0="}, 1,
			`--name: "1-4:1.0=": want PATH=NAME`},
		{"a name alone", []string{unit, "--name=rack"}, 1, `--name: "rack": want PATH=NAME`},
		{"two names for a path", []string{unit, "--name=1-4:1.0=a", "--name=1-4:1.0=b"}, 1,
			`--name: "1-4:1.0=b": the UPS at 1-4:1.0 has a name already, "a"`},
		{"no UPS", []string{"--fail-fast"}, 2, "no UPS can be read"},
		{"no UPS at a path", []string{"--fail-fast", "--path=9-9:1.0"}, 2, "no UPS can be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if slices.Contains(test.args, "--fail-fast") {
				withoutUPS(t)
			}
			var output bytes.Buffer
			require.Equal(t, test.code, run(t.Context(), test.args, &output, &output), "%s", &output)
			require.Contains(t, output.String(), test.says)
		})
	}
}

func TestFailFastGoesOnWithAUPS(t *testing.T) {
	exporter := start(t, "--fail-fast", "--replay=smart1500lcd")
	code, _ := get(t, "http://"+exporter.address+"/healthz")
	require.Equal(t, 200, code)
}

func TestLogsAsJSON(t *testing.T) {
	var output bytes.Buffer
	run(t.Context(), []string{"--replay=nosuch", "--log.format=json"}, io.Discard, &output)
	require.Regexp(t, `^\{.*"level":"ERROR","msg":"cannot replay".*\}\n$`, output.String())
}

// having returns the samples that have a text in them.
func having(text, exposition string) []string {
	var samples []string
	for line := range strings.Lines(exposition) {
		if line[0] != '#' && strings.Contains(line, text) {
			samples = append(samples, strings.TrimSpace(line))
		}
	}
	return samples
}
