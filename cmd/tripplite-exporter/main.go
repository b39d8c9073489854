// Command tripplite-exporter shows the Tripp Lite UPSes attached to this computer to Prometheus.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
)

type cli struct {
	Listen  []string `name:"web.listen-address" default:":6969" sep:"none" placeholder:"ADDRESS" help:"Listen here; repeatable (default: ${default})."`
	Systemd bool     `name:"web.systemd-socket" help:"Listen on the sockets that systemd passes instead (Linux)."`
	Web     string   `name:"web.config.file" placeholder:"FILE" help:"Serve TLS or ask for a password, as this file of the Prometheus exporter toolkit says."`

	Timeout time.Duration     `name:"scrape.timeout" default:"${timeout}" help:"Wait no longer for a UPS, even where Prometheus would (default: ${default})."`
	Names   map[string]string `name:"name" mapsep:"none" placeholder:"PATH=NAME" help:"Give the UPS at a path, such as 1-4.2:1.0, a label name; repeatable."`
	Path    []string          `sep:"none" xor:"units" placeholder:"PATH" help:"Show only the UPS at this path, such as 1-4.2:1.0, and leave the others to other programs; repeatable."`
	Replay  []string          `sep:"none" xor:"units" placeholder:"NAME|FILE" help:"Show a capture instead of the UPSes attached: a built-in one, such as smart1500lcd, or a capture file; repeatable."`

	Numat    bool   `name:"compat.numat" help:"Add the series of the exporter of numat/tripplite."`
	Hostname string `name:"compat.hostname" placeholder:"NAME" help:"The label hostname of those series, instead of this computer's full name."`
	FailFast bool   `help:"Exit with status 2 if no UPS can be read at the start, instead of waiting for one."`

	LogLevel  slog.Level       `name:"log.level" default:"info" placeholder:"LEVEL" help:"Log from this level on: debug (with the bytes of each report), info, warn, error (default: ${default})."`
	LogFormat string           `name:"log.format" enum:"logfmt,json" default:"logfmt" placeholder:"FORMAT" help:"${enum} (default: ${default})."`
	Version   kong.VersionFlag `help:"Print the version."`
}

func main() {
	smallPages()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // scrapes are small and rare: two megabytes less for no time to speak of
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal does not wait for scrapes under way
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// The exit statuses; 2 is that of numat's exporter where it finds no UPS.
const (
	exitFailure = 1
	exitNoUPS   = 2
)

// run is the whole program: it serves until ctx is done and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	done := false // --help or --version was all there was to do
	parser := kong.Must(&c,
		kong.Name("tripplite-exporter"),
		kong.Description("Shows the Tripp Lite UPSes attached to this computer to Prometheus."),
		kong.Vars{
			"timeout": collector.DefaultTimeout.String(),
			"version": fmt.Sprintf("tripplite-exporter %s, %s", version().Main.Version, version().GoVersion),
		},
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { done = true }),
	)
	_, err := parser.Parse(args)
	switch {
	case done:
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "tripplite-exporter: %v (see tripplite-exporter --help)\n", err)
		return exitFailure
	}
	log := logger(stderr, c.LogLevel, c.LogFormat)
	units, err := open(c.Path, c.Replay, log)
	if err != nil {
		log.Error("cannot replay", "err", err)
		return exitFailure
	}
	defer units.Close()
	source := &told{source: units, log: log}
	if err := look(ctx, source, c.Timeout); err != nil && c.FailFast {
		log.Error("no UPS can be read", "err", err)
		return exitNoUPS
	}
	if err := serve(ctx, c, source, log); err != nil {
		log.Error("cannot serve", "err", err)
		return exitFailure
	}
	return 0
}

// look reads the units before anybody asks, so that the log says at the start what is there, and the first scrape finds them open. It
// fails where no unit can be read.
func look(ctx context.Context, source collector.Source, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	units, err := source.Get(ctx)
	if err != nil {
		return err
	}
	errs := []error{}
	for _, unit := range units {
		if !unit.State.Time.IsZero() {
			return nil
		}
		errs = append(errs, unit.Err)
	}
	if len(errs) == 0 {
		return fmt.Errorf("tripplite: %w", tripplite.ErrNotFound)
	}
	return errors.Join(errs...)
}

// farewell is how long scrapes under way may take when the program is to stop; systemd waits 90 s.
const farewell = 15 * time.Second

// serve answers until ctx is done and then lets the scrapes under way finish.
func serve(ctx context.Context, c cli, source collector.Source, log *slog.Logger) error {
	opts := []collector.Option{collector.WithTimeout(c.Timeout), collector.WithNames(c.Names)}
	if c.Numat {
		opts = append(opts, collector.WithNumat(c.hostname()))
	}
	server := &http.Server{
		Handler:           handler(collector.New(source, opts...), log),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() {
		served <- web.ListenAndServe(server, &web.FlagConfig{
			WebListenAddresses: &c.Listen, WebSystemdSocket: &c.Systemd, WebConfigFile: &c.Web,
		}, log)
	}()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping")
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("scrapes under way were cut off: %w", err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (c *cli) hostname() string {
	if c.Hostname != "" {
		return c.Hostname
	}
	return fullHostname()
}

func logger(w io.Writer, level slog.Level, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// version is what the build says of itself; its fields are empty where it says nothing.
func version() *debug.BuildInfo {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info
	}
	return &debug.BuildInfo{}
}
