// Command embedcollector is an HTTP server of one's own that also shows every UPS attached: to
// Prometheus at /metrics, among whatever else the program measures, and to a load balancer at
// /power, which fails while a UPS runs on battery:
//
//	embedcollector -listen :8080
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
)

func main() {
	address := flag.String("listen", "localhost:8080", "listen at this address")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	bank := tripplite.NewBank() // finds units that are plugged in later
	// A signal ends run, not the process, so that Close gives the UPSes back.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, listener, bank)
	stop()
	bank.Close()
	if err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx is done. The source is a tripplite.Bank, or what a test has in its place.
func run(ctx context.Context, listener net.Listener, source collector.Source) error {
	registry := prometheus.NewRegistry() // or the one that the program has already
	if err := registry.Register(collector.New(source)); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /power", func(w http.ResponseWriter, r *http.Request) {
		power(w, r, source)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // for open requests
	defer cancel()
	return server.Shutdown(ctx)
}

// power answers 503 while a unit says that it runs on battery. A unit that is lost says nothing of
// line power, so it fails no check.
func power(w http.ResponseWriter, r *http.Request, source collector.Source) {
	ctx, cancel := context.WithTimeout(r.Context(), collector.DefaultTimeout)
	defer cancel()
	readings, err := source.Get(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	status, text := http.StatusOK, ""
	for _, unit := range readings {
		if !tripplite.HasState(unit.Err) {
			text += fmt.Sprintf("%s: lost: %v\n", unit.Info.Path, unit.Err)
			continue
		}
		if onBattery, known := unit.State.OnBattery(); known && onBattery {
			status = http.StatusServiceUnavailable
		}
		text += unit.State.String() + "\n"
	}
	w.WriteHeader(status)
	fmt.Fprint(w, text)
}
