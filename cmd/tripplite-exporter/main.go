// Command tripplite-exporter shows the Tripp Lite UPSes attached to this computer to Prometheus.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/internal/monitor"
	"github.com/tripplite-go/tripplite/internal/serve"
	"github.com/tripplite-go/tripplite/nut"
)

// cli is the command line. The longer texts are in help.
type cli struct {
	Listen  []string `name:"web.listen-address" default:":6969" placeholder:"ADDRESS" help:"${listen}"`
	Systemd bool     `name:"web.systemd-socket" help:"Use the sockets of systemd instead (Linux)."`
	Web     string   `name:"web.config.file" placeholder:"FILE" help:"${web}"`

	Timeout time.Duration `name:"scrape.timeout" default:"${max}" help:"${timeout}"`
	Names   names         `name:"name" placeholder:"PATH=NAME" help:"${name}"`
	Path    []string      `sep:"none" xor:"units" placeholder:"PATH" help:"${path}"`
	Replay  []string      `sep:"none" xor:"units" placeholder:"NAME|FILE" help:"${replay}"`

	Numat    bool   `name:"compat.numat" help:"Add the series of the exporter of numat/tripplite."`
	Hostname string `name:"compat.hostname" placeholder:"NAME" help:"${hostname}"`
	FailFast bool   `help:"Exit with status 2 if no UPS can be read at the start, instead of waiting."`

	LogLevel  slog.Level `name:"log.level" default:"info" placeholder:"LEVEL" help:"${log_level}"`
	LogFormat string     `name:"log.format" enum:"logfmt,json" default:"logfmt" help:"${log_format}"`

	Version kong.VersionFlag `help:"Print the version."`
}

var help = kong.Vars{
	"version": "tripplite-exporter " + serve.Version().Main.Version + ", " + serve.Version().GoVersion,
	"max":     collector.DefaultTimeout.String(),

	"listen":  "Listen at this address; repeatable (default: :6969).",
	"web":     "Serve TLS or ask for a password, by a file of the Prometheus exporter toolkit.",
	"timeout": "Wait no longer for a UPS (default: " + collector.DefaultTimeout.String() + ").",
	"name":    "Give the UPS at a path, such as 1-4.2:1.0, a label name; repeatable.",
	"path": "Show only the UPS at this path, such as 1-4.2:1.0, and leave the others to other " +
		"programs; repeatable.",
	"replay": "Show a capture instead of the UPSes attached: a built-in one, such as " +
		"smart1500lcd, or a capture file; repeatable.",
	"hostname": "The label hostname of those series, instead of this computer's full name.",
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

// of returns the name of a unit: what it was given, or one that is made of its path.
func (n names) of(path string) string {
	if n[path] != "" {
		return n[path]
	}
	return nut.DefaultName(path)
}

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // saves two megabytes; scrapes are too small and rare to feel it
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal does not wait for scrapes under way
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

var page = serve.Program{
	Name:        "Tripp Lite exporter",
	Description: "Prometheus exporter for Tripp Lite UPS battery backups attached by USB",
}

// pageEvery is how often the units are read while somebody looks at the page.
const pageEvery = 2 * time.Second

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
	log := serve.Logger(stderr, c.LogLevel, c.LogFormat)
	units, err := serve.Open(c.Path, c.Replay, log)
	if err != nil {
		log.Error("cannot replay", "err", err)
		return exitFailure
	}
	defer units.Close()
	source := serve.Logging(units, log)
	if err := serve.Look(ctx, source, c.Timeout); err != nil && c.FailFast {
		log.Error("no UPS can be read", "err", err)
		return exitNoUPS
	}
	opts := []collector.Option{collector.WithTimeout(c.Timeout), collector.WithNames(c.Names)}
	if c.Numat {
		if c.Hostname == "" {
			c.Hostname = fullHostname()
		}
		opts = append(opts, collector.WithNumat(c.Hostname))
	}
	watch := monitor.Config{Every: pageEvery, NameOf: c.Names.of, Log: log}
	if len(c.Path) == 0 { // else the Bank has those and no others
		watch.Named = slices.Sorted(maps.Keys(c.Names))
	}
	server := serve.NewServer(serve.Config{
		Program: page, Collector: collector.New(source, opts...), Scrape: c.Timeout, Log: log,
		Units: serve.OnDemand(units, source, watch),
	})
	err = serve.Run(ctx, server, func() error {
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

// fullHostname returns what Python's socket.getfqdn makes of this computer's name, as numat's
// exporter shows it: the name by which its own address is known, if that has a domain.
func fullHostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	addresses, _ := net.LookupHost(host)
	for _, address := range addresses {
		names, _ := net.LookupAddr(address)
		for _, name := range names {
			if name = strings.TrimSuffix(name, "."); strings.Contains(name, ".") {
				return name
			}
		}
	}
	return host
}
