package serve

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

var silent = slog.New(slog.DiscardHandler)

// ups is a captured unit whose transfers take a while by the bubble's clock, or hang.
type ups struct {
	*capture.Device
	latency   time.Duration
	hangs     atomic.Bool
	transfers atomic.Int32
	letGo     chan struct{}
}

func (u *ups) GetFeatureReport(b []byte) (int, error) {
	u.transfers.Add(1)
	if u.hangs.Load() {
		<-u.letGo
	}
	time.Sleep(u.latency)
	return u.Device.GetFeatureReport(b)
}

// attach makes units at the paths 1-1:1.0, 1-2:1.0 and so on, and a Bank of them, which closes with
// the bubble.
func attach(t *testing.T, n int, latency time.Duration) (*tripplite.Bank, []*ups) {
	t.Helper()
	c, err := capture.Load("smart1500lcd")
	require.NoError(t, err)
	letGo := make(chan struct{})
	var units []*ups
	var batteries []*tripplite.Battery
	for i := range n {
		u := &ups{Device: c.Device(0), latency: latency, letGo: letGo}
		units = append(units, u)
		batteries = append(batteries, tripplite.New(u,
			tripplite.WithReportDescriptor(c.Interfaces[0].Descriptor),
			tripplite.WithDeviceInfo(tripplite.DeviceInfo{Path: fmt.Sprintf("1-%d:1.0", i+1)})))
	}
	bank := tripplite.BankOf(batteries...)
	t.Cleanup(func() {
		close(letGo)
		bank.Close()
	})
	return bank, units
}

// pages serves the pages of a source, which nobody watches.
func pages(source collector.Source) http.Handler {
	units := OnDemand(nil, source, monitor.Config{NameOf: nameOf})
	return handler(configOf(collector.New(source), units), newHub(units))
}

func configOf(c *collector.Collector, units Units) Config {
	return Config{
		Program:   Program{Name: "some program", Description: "what it does"},
		Collector: c, Scrape: 10 * time.Second, Units: units, Log: silent,
	}
}

// nameOf calls the unit at 1-2:1.0 ups-1-2.
func nameOf(path string) string { return "ups-" + strings.TrimSuffix(path, ":1.0") }

// request asks a handler for a page, without a network.
func request(
	t *testing.T, h http.Handler, method, path string, header ...string,
) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// scrape makes a scrape that waits for a time, as Prometheus says it in a header.
func scrape(t *testing.T, h http.Handler, seconds string) string {
	t.Helper()
	w := request(t, h, http.MethodGet, "/metrics", "X-Prometheus-Scrape-Timeout-Seconds", seconds)
	assert.Equal(t, http.StatusOK, w.Code)
	return w.Body.String()
}

// With one of eight units unplugged and another hanging, a scrape ends in time and shows the other
// six in full.
func TestEightUnitsOfWhichTwoFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bank, units := attach(t, 8, time.Millisecond)
		h := pages(bank)
		all := scrape(t, h, "10")
		require.Len(t, having("tripplite_up", all), 8)
		perUnit := len(having(`path="1-1:1.0"`, all))
		require.Len(t, having(`path="`, all), 8*perUnit)

		units[2].Close()
		units[5].hangs.Store(true)
		for range 2 {
			start := time.Now()
			some := scrape(t, h, "3")
			require.Equal(t, 2500*time.Millisecond, time.Since(start))
			require.Equal(t, []string{`tripplite_up{path="1-3:1.0"} 0`}, having(`path="1-3:1.0"`, some))
			require.Equal(t, []string{`tripplite_up{path="1-6:1.0"} 0`}, having(`path="1-6:1.0"`, some))
			require.Len(t, having(`path="`, some), 6*perUnit+2)
			require.Len(t, having(" 117.2", some), 2*6, "input and output voltage of six units")
		}
	})
}

func TestAHundredScrapesAtOnceCostTwoReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bank, units := attach(t, 1, 10*time.Millisecond)
		h := pages(bank)
		scrape(t, h, "10") // the first one also reads what does not change
		units[0].transfers.Store(0)
		scrape(t, h, "10")
		reading := units[0].transfers.Swap(0)
		require.NotZero(t, reading)

		var scrapes sync.WaitGroup
		for range 100 {
			scrapes.Go(func() {
				assert.Equal(t, []string{up}, having("tripplite_up", scrape(t, h, "10")))
			})
		}
		scrapes.Wait()
		require.LessOrEqual(t, units[0].transfers.Load(), 2*reading)
	})
}

const (
	up   = `tripplite_up{path="1-1:1.0"} 1`
	down = `tripplite_up{path="1-1:1.0"} 0`
)

// No client can blind the server for others. Here 21 scrapes a second are too short for the unit,
// which takes longer than the shortest scrape.
func TestShortScrapesDoNotSpoilOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bank, _ := attach(t, 1, 10*time.Millisecond)
		h := pages(bank)
		ctx, stop := context.WithCancel(t.Context())
		var short, scrapes sync.WaitGroup
		short.Go(func() {
			for ctx.Err() == nil {
				scrapes.Go(func() {
					start := time.Now()
					assert.Equal(t, []string{down}, having("tripplite_up", scrape(t, h, "0.001")))
					assert.Equal(t, 100*time.Millisecond, time.Since(start))
				})
				time.Sleep(time.Second / 21)
			}
		})
		for range 30 {
			assert.Equal(t, []string{up}, having("tripplite_up", scrape(t, h, "10")))
			time.Sleep(time.Second)
		}
		stop()
		short.Wait()
		scrapes.Wait()
	})
}

func TestScrapeTimeout(t *testing.T) {
	const none = time.Duration(math.MaxInt64)
	for _, test := range []struct {
		header string
		want   time.Duration
	}{
		{"10", 9500 * time.Millisecond},
		{"2.5", 2 * time.Second},
		{"1", 750 * time.Millisecond},
		{"0.1", 100 * time.Millisecond},
		{"0.001", 100 * time.Millisecond},
		{"0", none}, {"-1", none}, {"", none}, {"soon", none}, {"NaN", none}, {"Inf", none},
		{"1e300", none},
	} {
		header := http.Header{"X-Prometheus-Scrape-Timeout-Seconds": {test.header}}
		assert.Equal(t, test.want, scrapeTimeout(header), test.header)
	}
}

func TestPagesAreForReadingOnly(t *testing.T) {
	h := pages(&readings{})
	for _, path := range []string{
		"/", "/page.js", "/metrics", "/healthz", "/api/v1/units", "/api/v1/openapi.yaml", "/nowhere",
	} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			w := request(t, h, method, path)
			assert.Equal(t, http.StatusMethodNotAllowed, w.Code, "%s %s", method, path)
			assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"), "%s %s", method, path)
		}
		get, head := request(t, h, http.MethodGet, path), request(t, h, http.MethodHead, path)
		assert.Equal(t, get.Code, head.Code, path)
		assert.Equal(t, path == "/nowhere", get.Code == http.StatusNotFound, path)
	}
}

// readings is a source with these readings.
type readings struct {
	units []tripplite.Reading
	err   error
}

func (r *readings) Get(context.Context) ([]tripplite.Reading, error) { return r.units, r.err }

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
