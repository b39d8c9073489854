// Command embedcollector is an HTTP server of one's own that also shows every UPS attached: to Prometheus at /metrics, among whatever
// else the program measures, and to a load balancer at /power, which fails while mains does.
//
//	embedcollector -listen :8080
package main

import (
	"context"
	"errors"
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
	// Without Close the kernel's own driver does not get the UPSes back, so the signals end run and not the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	bank := tripplite.NewBank() // finds units that are plugged in later; that there is none now is no error
	err = run(ctx, listener, bank)
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
	mux.HandleFunc("GET /power", func(w http.ResponseWriter, r *http.Request) { power(w, r, source) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // for the requests under way
	defer cancel()
	return server.Shutdown(ctx)
}

// power answers 503 while a unit says that mains has failed. A unit that is lost says nothing of mains, so that it fails no check.
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
		mains, known := unit.State.Status.ACPresent.Get()
		switch {
		case unit.Err != nil && !errors.As(unit.Err, new(*tripplite.PartialError)):
			text += fmt.Sprintf("%s: lost: %v\n", unit.Info.Path, unit.Err)
		case !known:
			text += fmt.Sprintf("%s: it does not say\n", unit.Info.Path)
		case mains:
			text += fmt.Sprintf("%s: on mains\n", unit.Info.Path)
		default:
			status = http.StatusServiceUnavailable
			text += fmt.Sprintf("%s: on battery, %v left\n", unit.Info.Path, unit.State.RunTimeToEmpty)
		}
	}
	w.WriteHeader(status)
	fmt.Fprint(w, text)
}
