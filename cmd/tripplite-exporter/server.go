package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/tripplite-go/tripplite/collector"
)

// How long a client may take to send a request, to take the answer, and until its next request.
// Prometheus scrapes more often.
const (
	requestTimeout = 5 * time.Second
	answerTimeout  = 10 * time.Second
	idleTimeout    = 3 * time.Minute
)

// newServer makes the server of all pages. A scrape waits for the units no longer than scrape.
func newServer(c *collector.Collector, scrape time.Duration, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler(c, log),
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      scrape + answerTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// shutdownTimeout is how long scrapes under way may take when the program is to stop; systemd waits
// for 90 s.
const shutdownTimeout = 5 * time.Second

// serve runs listen, which serves by the server, until ctx is done. It then lets the scrapes under
// way finish.
func serve(ctx context.Context, server *http.Server, listen func() error, log *slog.Logger) error {
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
