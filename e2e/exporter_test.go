//go:build e2e && linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/virtualups"
)

// exporter is a running tripplite-exporter.
type exporter struct {
	t       *testing.T
	command *exec.Cmd
	url     string
}

const exporterAddress = "127.0.0.1:6969"

func startExporter(t *testing.T, args ...string) *exporter {
	t.Helper()
	e := &exporter{t: t, command: exec.Command("tripplite-exporter", append([]string{"--web.listen-address", exporterAddress}, args...)...)}
	e.url = "http://" + exporterAddress
	log, err := e.command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, e.command.Start())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			t.Log(lines.Text())
		}
	}()
	t.Cleanup(func() {
		if e.command.ProcessState == nil {
			e.command.Process.Kill()
			<-done
			e.command.Wait()
		}
	})
	require.Eventually(t, func() bool {
		response, err := http.Get(e.url + "/healthz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, 20*time.Second, 20*time.Millisecond)
	return e
}

var seriesOfAUnit = regexp.MustCompile(`(?m)^(tripplite_\w+)\{([^}]*)\} (\S+)$`)

// scrape returns the series of each unit by its path, and how long the scrape took. As Prometheus does, it says how long it waits.
func (e *exporter) scrape(patience time.Duration) (units map[string]map[string]string, took time.Duration) {
	e.t.Helper()
	request, err := http.NewRequest(http.MethodGet, e.url+"/metrics", nil)
	require.NoError(e.t, err)
	request.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", fmt.Sprint(patience.Seconds()))
	start := time.Now()
	response, err := http.DefaultClient.Do(request)
	require.NoError(e.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	took = time.Since(start)
	require.NoError(e.t, err)
	require.Equal(e.t, http.StatusOK, response.StatusCode, string(text))
	units = map[string]map[string]string{}
	for _, match := range seriesOfAUnit.FindAllStringSubmatch(string(text), -1) {
		name, value := match[1], match[3]
		path, rest := "", ""
		for label := range strings.SplitSeq(match[2], ",") {
			key, quoted, _ := strings.Cut(label, "=")
			switch key {
			case "path":
				path = strings.Trim(quoted, `"`)
			case "flag":
				rest = strings.Trim(quoted, `"`)
			}
		}
		if path == "" {
			continue
		}
		if units[path] == nil {
			units[path] = map[string]string{}
		}
		units[path][strings.TrimSuffix(name+" "+rest, " ")] = value
	}
	return units, took
}

func TestTheExporterShowsEightUnitsAndNamesTheLost(t *testing.T) {
	units := eight(t)
	e := startExporter(t)
	shown, _ := e.scrape(10 * time.Second)
	require.Len(t, shown, 8)
	whole := shown[units[0].path]
	assert.Equal(t, "1", whole["tripplite_up"])
	assert.Equal(t, "117.2", whole["tripplite_input_volts"])
	for _, u := range units {
		assert.Equal(t, whole, shown[u.path], "twins show the same")
	}

	gone, hanging := units[2], units[5]
	gone.Unplug()
	hanging.Fail(virtualups.Never)
	for range 3 {
		const patience = 3 * time.Second
		shown, took := e.scrape(patience)
		assert.Less(t, took, patience)
		t.Logf("a scrape of eight units, one unplugged and one hanging, took %v of %v", took.Round(time.Millisecond), patience)
		require.Len(t, shown, 8)
		for _, u := range units {
			if u == gone || u == hanging {
				assert.Equal(t, map[string]string{"tripplite_up": "0"}, shown[u.path], "nothing else, old or invented")
				continue
			}
			assert.Equal(t, whole, shown[u.path])
		}
	}

	hanging.Heal()
	require.NoError(t, gone.Plug())
	require.Eventually(t, func() bool {
		shown, _ = e.scrape(3 * time.Second)
		return shown[gone.path]["tripplite_up"] == "1" && shown[hanging.path]["tripplite_up"] == "1"
	}, 40*time.Second, 100*time.Millisecond, "a unit that hung is left alone for ten seconds")
	for _, u := range units {
		assert.Equal(t, whole, shown[u.path])
	}

	t.Logf("resident memory with eight units: %s", residentMemory(t, fmt.Sprint(e.command.Process.Pid)))
	for _, u := range units {
		u.ResetCounts()
	}
	var all sync.WaitGroup
	for range 20 { // a hundred are tried without a kernel to emulate
		all.Add(1)
		go func() {
			defer all.Done()
			shown, _ := e.scrape(20 * time.Second)
			assert.Len(t, shown, 8)
		}()
	}
	all.Wait()
	assert.Less(t, units[0].Counts().Transfers(), 20*10, "scrapes at once share their reads")

	require.NoError(t, e.command.Process.Signal(syscall.SIGTERM))
	require.NoError(t, e.command.Wait(), "a graceful stop is no failure")
}

func TestTheExporterWaitsForAUnit(t *testing.T) {
	e := startExporter(t)
	shown, _ := e.scrape(5 * time.Second)
	assert.Empty(t, shown)
	u := attachOne(t, "smart1500lcd")
	require.Eventually(t, func() bool {
		shown, _ = e.scrape(5 * time.Second)
		return shown[u.path]["tripplite_up"] == "1"
	}, 10*time.Second, 50*time.Millisecond)
	require.NoError(t, e.command.Process.Signal(syscall.SIGTERM))
	require.NoError(t, e.command.Wait())

	u.Unplug()
	awaitGone(t, u.path)
	ran := tool(t, nil, "tripplite-exporter", "--fail-fast", "--web.listen-address", exporterAddress)
	assert.Equal(t, 2, ran.status, ran.stderr)
	require.NoError(t, u.Plug())
}

func TestTheExporterLeavesOtherUnitsAlone(t *testing.T) {
	units := attach(t, load(t, "smart1500lcd"), load(t, "pro1500rt2u"))
	e := startExporter(t, "--path", units[1].path, "--path", "9-9:1.0")
	shown, _ := e.scrape(5 * time.Second)
	assert.Len(t, shown, 2)
	assert.Equal(t, "123.3", shown[units[1].path]["tripplite_input_volts"])
	assert.Equal(t, map[string]string{"tripplite_up": "0"}, shown["9-9:1.0"], "one that has never been there")
	assert.Zero(t, units[0].Counts().Transfers())
}

func TestTheExporterRunsAsAnOrdinaryUserOfTheGroup(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	group := installRule(t)
	command := exec.Command("tripplite-exporter", "--web.listen-address", exporterAddress)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: nobody(group)}
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	e := &exporter{t: t, command: command, url: "http://" + exporterAddress}
	require.Eventually(t, func() bool {
		response, err := http.Get(e.url + "/healthz")
		if err == nil {
			response.Body.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
	shown, _ := e.scrape(5 * time.Second)
	assert.Equal(t, "1", shown[u.path]["tripplite_up"])
}
