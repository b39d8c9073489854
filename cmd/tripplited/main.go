// Command tripplited serves the Tripp Lite UPSes attached to this computer: to Prometheus and to
// whatever speaks the protocol of Network UPS Tools.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/tripplite-go/tripplite/internal/serve"
)

// cli is the command line.
type cli struct {
	Config string   `placeholder:"FILE" help:"Read this TOML file, as deploy/tripplited.toml is one."`
	Replay []string `sep:"none" placeholder:"NAME|FILE" help:"Serve a capture instead; repeatable."`

	Check     bool `name:"check-config" help:"Say what would be done, and exit with 0 or 1."`
	KillPower bool `help:"Have the UPS cut the power, if the guard left that to be done, and exit."`

	Serve struct{} `cmd:"" default:"1" help:"Serve the units. This is what it does without a command."`
	Guard struct {
		Status struct{} `cmd:"" help:"Say what the guard does, and what it did last."`
		Plan   struct{} `cmd:"" help:"Read the units and say what would happen if line power failed."`
	} `cmd:"" help:"Look at what takes the computer down."`

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
	parsed, err := parser.Parse(args)
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
		if !c.KillPower {
			return 1
		}
		d.log = serve.Logger(stderr, slog.LevelInfo, "logfmt") // what the guard left has all it takes
	}
	if err := d.run(ctx, parsed.Command(), &c, stdout); err != nil {
		d.log.Error("cannot go on", "err", err)
		return 1
	}
	return 0
}

// run does what a command says.
func (d *daemon) run(ctx context.Context, command string, c *cli, stdout io.Writer) error {
	switch {
	case command == "guard status":
		return d.guardStatus(stdout, time.Now())
	case command == "guard plan":
		return d.guardPlan(ctx, stdout)
	case c.Check:
		_, err := io.WriteString(stdout, d.config.describe(d.nutConfig)+d.describeGuard())
		return err
	case c.KillPower:
		return d.killPower(ctx)
	}
	return d.serve(ctx)
}
