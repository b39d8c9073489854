// Command tripplite-exporter shows the Tripp Lite UPSes attached to this computer to Prometheus.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
)

// cli is the command line. The texts are in help.
type cli struct {
	Listen  []string `name:"web.listen-address" default:":6969" placeholder:"ADDRESS" help:"${listen}"`
	Systemd bool     `name:"web.systemd-socket" help:"${systemd}"`
	Web     string   `name:"web.config.file" placeholder:"FILE" help:"${web}"`

	Timeout time.Duration `name:"scrape.timeout" default:"${default_timeout}" help:"${timeout}"`
	Names   names         `name:"name" placeholder:"PATH=NAME" help:"${name}"`
	Path    []string      `sep:"none" xor:"units" placeholder:"PATH" help:"${path}"`
	Replay  []string      `sep:"none" xor:"units" placeholder:"NAME|FILE" help:"${replay}"`

	Numat    bool   `name:"compat.numat" help:"${numat}"`
	Hostname string `name:"compat.hostname" placeholder:"NAME" help:"${hostname}"`
	FailFast bool   `help:"${fail_fast}"`

	LogLevel  slog.Level `name:"log.level" default:"info" placeholder:"LEVEL" help:"${log_level}"`
	LogFormat string     `name:"log.format" enum:"logfmt,json" default:"logfmt" help:"${log_format}"`

	Version kong.VersionFlag `help:"Print the version."`
}

var help = kong.Vars{
	"listen":  "Listen at this address; repeatable (default: :6969).",
	"systemd": "Listen on the sockets that systemd passes instead (Linux).",
	"web": "Serve TLS or ask for a password, as this file of the Prometheus exporter toolkit " +
		"says.",
	"default_timeout": collector.DefaultTimeout.String(),
	"timeout": "Wait no longer for a UPS, even where Prometheus would (default: " +
		collector.DefaultTimeout.String() + ").",
	"name": "Give the UPS at a path, such as 1-4.2:1.0, a label name; repeatable.",
	"path": "Show only the UPS at this path, such as 1-4.2:1.0, and leave the others to other " +
		"programs; repeatable.",
	"replay": "Show a capture instead of the UPSes attached: a built-in one, such as " +
		"smart1500lcd, or a capture file; repeatable.",
	"numat":     "Add the series of the exporter of numat/tripplite.",
	"hostname":  "The label hostname of those series, instead of this computer's full name.",
	"fail_fast": "Exit with status 2 if no UPS can be read at the start, instead of waiting for one.",
	"log_level": "Log from this level on: debug (with the bytes of each report), info, warn, error " +
		"(default: info).",
	"log_format": "Log as logfmt or json (default: logfmt).",
}

// Validate checks what the types of the flags allow and the program does not.
func (c *cli) Validate() error {
	switch {
	case c.Timeout <= 0:
		return errors.New("--scrape.timeout: must be more than 0")
	case slices.Contains(c.Path, ""):
		return errors.New("--path: the path is empty")
	}
	return nil
}

// names has the names of units, by path.
type names map[string]string

// UnmarshalText adds one PATH=NAME.
func (n names) UnmarshalText(text []byte) error {
	path, name, _ := strings.Cut(string(text), "=")
	switch {
	case path == "" || name == "":
		return fmt.Errorf("%q: want PATH=NAME", text)
	case n[path] != "":
		return fmt.Errorf("%q: the UPS at %s has a name already, %q", text, path, n[path])
	}
	n[path] = name
	return nil
}

func main() {
	smallPages()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // saves two megabytes; scrapes are too small and rare to feel it
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
	done := false // by --help or --version
	parser := kong.Must(&c,
		kong.Name("tripplite-exporter"),
		kong.Description("Shows the Tripp Lite UPSes attached to this computer to Prometheus."),
		help,
		kong.Vars{"version": fmt.Sprintf("tripplite-exporter %s, %s",
			version().Main.Version, version().GoVersion)},
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
	source := &logging{source: units, log: log}
	if err := look(ctx, source, c.Timeout); err != nil && c.FailFast {
		log.Error("no UPS can be read", "err", err)
		return exitNoUPS
	}
	opts := []collector.Option{collector.WithTimeout(c.Timeout), collector.WithNames(c.Names)}
	if c.Numat {
		opts = append(opts, collector.WithNumat(c.hostname()))
	}
	server := newServer(collector.New(source, opts...), c.Timeout, log)
	err = serve(ctx, server, func() error {
		return web.ListenAndServe(server, &web.FlagConfig{
			WebListenAddresses: &c.Listen, WebSystemdSocket: &c.Systemd, WebConfigFile: &c.Web,
		}, log)
	}, log)
	if err != nil {
		log.Error("cannot serve", "err", err)
		return exitFailure
	}
	return 0
}

// look reads the units before anybody asks. So the log says at the start what is there, and the
// first scrape finds them open. It fails where no unit can be read.
func look(ctx context.Context, source collector.Source, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	units, err := source.Get(ctx)
	if err != nil {
		return err
	}
	errs := []error{}
	for _, unit := range units {
		if tripplite.HasState(unit.Err) {
			return nil
		}
		errs = append(errs, unit.Err)
	}
	if len(errs) == 0 {
		return tripplite.ErrNotFound
	}
	return errors.Join(errs...)
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

// version returns what the build says of itself; its fields are empty where it says nothing.
func version() *debug.BuildInfo {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info
	}
	return &debug.BuildInfo{}
}
