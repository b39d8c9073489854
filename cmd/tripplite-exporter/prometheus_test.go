package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// promServer is a Prometheus server that scrapes an exporter every second, with the alerts of
// deploy/.
type promServer struct {
	t       *testing.T
	url     string
	address string        // that it scrapes
	scraped chan struct{} // has an element after a scrape has begun
}

func startPrometheus(t *testing.T, exporter started) promServer {
	t.Helper()
	p := promServer{t: t, scraped: make(chan struct{}, 1)}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: exporter.address})
	proxy.Transport = client.Transport
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case p.scraped <- struct{}{}:
		default:
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	p.address = front.Listener.Addr().String()

	dir := t.TempDir()
	alerts, err := filepath.Abs("../../deploy/alerts.yml")
	require.NoError(t, err)
	config := program.Write(t, dir, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: tripplite
    static_configs: [{targets: [%q]}]
`, alerts, p.address))
	log := launch(t, exec.Command(program.Find(t, "prometheus"), "--config.file="+config,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0"))
	p.url = "http://" + log.Await(t, listening)[1]
	log.Await(t, "Server is ready to receive web requests")
	return p
}

// sample is one of the series that a query returns.
type sample struct {
	Metric map[string]string
	Value  [2]any // time and value
}

// query asks for the values of now.
func (p promServer) query(query string) []sample {
	p.t.Helper()
	code, text := get(p.t, p.url+"/api/v1/query?query="+url.QueryEscape(query))
	require.Equal(p.t, 200, code, "%s: %s", query, text)
	var answer struct{ Data struct{ Result []sample } }
	require.NoError(p.t, json.Unmarshal([]byte(text), &answer))
	return answer.Data.Result
}

// await asks after each scrape until the answer is yes.
func (p promServer) await(yes func() bool) {
	for !yes() {
		<-p.scraped
	}
}

func TestPrometheusScrapesAndAnswers(t *testing.T) {
	exporter := start(t, "--replay=smart1500lcd", "--replay=pro1500rt2u", "--name=smart1500lcd=rack")
	p := startPrometheus(t, exporter)
	p.await(func() bool { return len(p.query("tripplite_up == 1")) == 2 })

	got := p.query(`tripplite_input_volts{name="rack"}`)
	require.Len(t, got, 1)
	require.Equal(t, "117.2", got[0].Value[1])
	require.Equal(t, map[string]string{
		"__name__": "tripplite_input_volts", "job": "tripplite", "instance": p.address,
		"path": "smart1500lcd", "name": "rack",
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
				require.NotEmpty(t, p.query(variables.Replace(target.Expr)), target.Expr)
			}
		}
	})

	t.Run("the alerts", func(t *testing.T) {
		p.await(func() bool {
			_, text := get(t, p.url+"/api/v1/rules?type=alert")
			rules, well := strings.Count(text, `"type":"alerting"`), strings.Count(text, `"health":"ok"`)
			return well == rules && strings.Contains(text, "TrippliteOnBattery")
		})
		require.Empty(t, p.query(`ALERTS{alertname="TrippliteOnBattery"}`), "both have line power")
	})

	t.Run("an exporter that stops", func(t *testing.T) {
		require.Zero(t, exporter.stop())
		p.await(func() bool { return len(p.query(`up{job="tripplite"} == 0`)) == 1 })
		require.Empty(t, p.query(`{__name__=~"tripplite_.*"}`), "no series outlives it")
	})
}
