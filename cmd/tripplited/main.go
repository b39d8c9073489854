// Command tripplited serves the Tripp Lite UPSes attached to this computer: to Prometheus and to
// whatever speaks the protocol of Network UPS Tools.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/tripplite-go/tripplite/internal/serve"
)

// cli is the command line.
type cli struct {
	Config string   `placeholder:"FILE" help:"Read this TOML file, as deploy/tripplited.toml is one."`
	Check  bool     `name:"check-config" help:"Say what would be served, and exit with 0 or 1."`
	Replay []string `sep:"none" placeholder:"NAME|FILE" help:"Serve a capture instead; repeatable."`

	Version kong.VersionFlag `help:"Print the version."`
}

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // saves two megabytes
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal does not wait
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program: it serves until ctx is done and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	done := false // by --help or --version
	version := serve.Version()
	parser := kong.Must(&c,
		kong.Name("tripplited"),
		kong.Description("Serves the Tripp Lite UPSes attached to this computer: pages and metrics at "+
			"127.0.0.1:6969, the protocol of Network UPS Tools at 127.0.0.1:3493. A file says more."),
		kong.Vars{"version": "tripplited " + version.Main.Version + ", " + version.GoVersion},
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { done = true }),
	)
	_, err := parser.Parse(args)
	switch {
	case done:
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "tripplited: %v (see tripplited --help)\n", err)
		return 2
	}
	d := &daemon{file: c.Config, replay: c.Replay, stderr: stderr}
	if err := d.load(); err != nil {
		fmt.Fprintf(stderr, "tripplited: %v\n", err)
		return 1
	}
	if c.Check {
		_, err := io.WriteString(stdout, d.config.describe(d.nutConfig))
		return map[bool]int{true: 1}[err != nil]
	}
	if err := d.serve(ctx); err != nil {
		d.log.Error("cannot serve", "err", err)
		return 1
	}
	return 0
}
