package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// promServer is a Prometheus server that scrapes an exporter every second, with the alerts of deploy/.
type promServer struct{ url string }

func startPrometheus(t *testing.T, exporter started) promServer {
	t.Helper()
	binary := program.Find(t, "prometheus")
	dir := t.TempDir()
	alerts, err := filepath.Abs("../../deploy/alerts.yml")
	require.NoError(t, err)
	config := write(t, dir, "prometheus.yml", fmt.Appendf(nil, `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: tripplite
    static_configs: [{targets: [%q]}]
`, alerts, exporter.address))

	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	free.Close()
	var said log
	server := exec.Command(binary, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	server.Stdout, server.Stderr = &said, &said
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		server.Process.Signal(syscall.SIGTERM)
		server.Wait()
		if t.Failed() {
			t.Logf("Prometheus said:\n%s", &said)
		}
	})
	p := promServer{"http://" + address}
	require.Eventually(t, func() bool {
		response, err := client.Get(p.url + "/-/ready")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == 200
	}, time.Minute, 100*time.Millisecond, "Prometheus does not get ready")
	return p
}

// sample is one of the series that a query returns.
type sample struct {
	Metric map[string]string
	Value  [2]any // time and value
}

// query asks for the values of now.
func (p promServer) query(t *testing.T, query string) []sample {
	t.Helper()
	code, text := get(t, p.url+"/api/v1/query?query="+url.QueryEscape(query))
	require.Equal(t, 200, code, "%s: %s", query, text)
	var answer struct{ Data struct{ Result []sample } }
	require.NoError(t, json.Unmarshal([]byte(text), &answer))
	return answer.Data.Result
}

func TestPrometheusScrapesAndAnswers(t *testing.T) {
	exporter := start(t, "--replay=smart1500lcd", "--replay=pro1500rt2u", "--name=smart1500lcd=rack")
	p := startPrometheus(t, exporter)
	require.Eventually(t, func() bool { return len(p.query(t, "tripplite_up == 1")) == 2 }, time.Minute, 100*time.Millisecond)

	got := p.query(t, `tripplite_input_volts{name="rack"}`)
	require.Len(t, got, 1)
	require.Equal(t, "117.2", got[0].Value[1])
	require.Equal(t, map[string]string{
		"__name__": "tripplite_input_volts", "job": "tripplite", "instance": exporter.address, "path": "smart1500lcd", "name": "rack",
	}, got[0].Metric)

	t.Run("the queries of the dashboard", func(t *testing.T) {
		text, err := os.ReadFile("../../deploy/dashboard.json")
		require.NoError(t, err)
		var dashboard struct {
			Panels []struct{ Targets []struct{ Expr string } }
		}
		require.NoError(t, json.Unmarshal(text, &dashboard))
		variables := strings.NewReplacer("$instance", ".*", "$unit", ".*")
		for _, panel := range dashboard.Panels {
			for _, target := range panel.Targets {
				require.NotEmpty(t, p.query(t, variables.Replace(target.Expr)), target.Expr)
			}
		}
	})

	t.Run("the alerts", func(t *testing.T) {
		require.Eventually(t, func() bool {
			_, text := get(t, p.url+"/api/v1/rules?type=alert")
			return strings.Count(text, `"health":"ok"`) == strings.Count(text, `"type":"alerting"`) && strings.Contains(text, "TrippliteOnBattery")
		}, 30*time.Second, 100*time.Millisecond)
		require.Empty(t, p.query(t, `ALERTS{alertname="TrippliteOnBattery"}`), "both units are on mains")
	})

	t.Run("an exporter that stops", func(t *testing.T) {
		require.Zero(t, exporter.stop())
		require.Eventually(t, func() bool { return len(p.query(t, `up{job="tripplite"} == 0`)) == 1 }, time.Minute, 100*time.Millisecond)
		require.Empty(t, p.query(t, `{__name__=~"tripplite_.*"}`), "no series outlives it")
	})
}
