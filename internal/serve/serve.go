// Package serve has what the programs that serve units share: the pages and metrics, and a log of
// how the units do.
package serve

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tripplite-go/tripplite/collector"
)

// How long a client may take to send a request, to take the answer, and until its next request.
// Prometheus scrapes more often.
const (
	requestTimeout = 5 * time.Second
	answerTimeout  = 10 * time.Second
	idleTimeout    = 3 * time.Minute
)

// Program is what the page says of the program.
type Program struct{ Name, Description string }

// Config says what a server serves.
type Config struct {
	Program   Program
	Collector *collector.Collector
	Scrape    time.Duration // how long a scrape waits for the units
	Units     Units         // of the page and the API
	History   History       // nil where the program keeps none
	Log       *slog.Logger
}

// NewServer makes the server of the page, the API and the metrics.
func NewServer(c Config) *http.Server {
	streams := newHub(c.Units)
	server := &http.Server{
		Handler:           handler(c, streams),
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      c.Scrape + answerTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn),
	}
	server.RegisterOnShutdown(streams.close)
	return server
}

// shutdownTimeout is how long scrapes under way may take when the program is to stop; systemd waits
// for 90 s.
const shutdownTimeout = 5 * time.Second

// Run runs listen, which serves by the server, until ctx is done. It then lets the scrapes under
// way finish.
func Run(ctx context.Context, server *http.Server, listen func() error, log *slog.Logger) error {
	served := make(chan error, 1)
	go func() { served <- listen() }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping")
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		log.Warn("scrapes under way are cut off", "after", shutdownTimeout)
		server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler serves every page, to GET and HEAD alone.
func handler(c Config, streams *hub) http.Handler {
	mux := http.NewServeMux()
	registerPage(mux, document{c.Program, Version().Main.Version, c.History != nil})
	newAPI(c.Units, c.History, c.Scrape).register(mux)
	mux.Handle("GET /api/v1/stream", streams)
	mux.Handle("GET /metrics", metrics(c.Collector, own(), c.Log))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /", http.NotFound)
	return secured(mux)
}

// metrics answers each scrape from a registry of its own: a prometheus.Collector does not learn the
// scrape's deadline otherwise.
func metrics(c *collector.Collector, own prometheus.Gatherer, log *slog.Logger) http.Handler {
	opts := promhttp.HandlerOpts{
		ErrorLog:           slog.NewLogLogger(log.Handler(), slog.LevelError),
		DisableCompression: true, // it takes more memory than all else, to save a few kilobytes
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), scrapeTimeout(r.Header))
		defer cancel()
		units := prometheus.NewRegistry()
		units.MustRegister(c.WithContext(ctx))
		promhttp.HandlerFor(prometheus.Gatherers{own, units}, opts).ServeHTTP(w, r)
	})
}

// minTimeout is the shortest time that a scrape gives the units, whatever its header says. Less
// would be too short for most of them.
const minTimeout = 100 * time.Millisecond

// scrapeTimeout returns how long Prometheus waits for a scrape, by its header, less what the answer
// needs to get there.
func scrapeTimeout(h http.Header) time.Duration {
	seconds, err := strconv.ParseFloat(h.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if err != nil || !(seconds > 0 && seconds < 3600) {
		return math.MaxInt64
	}
	timeout := time.Duration(seconds * float64(time.Second))
	return max(timeout-min(timeout/4, 500*time.Millisecond), minTimeout)
}

// own gathers what the program says of itself. The name of its series is that of the exporter.
func own() prometheus.Gatherer {
	registry := prometheus.NewRegistry()
	info := Version()
	labels := prometheus.Labels{
		"version": info.Main.Version, "goversion": info.GoVersion, "revision": "",
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			labels["revision"] = setting.Value
		}
	}
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "tripplite_exporter_build_info",
			Help:        "What the exporter was built from, in the labels; always 1.",
			ConstLabels: labels,
		}, func() float64 { return 1 }),
	)
	return registry
}
