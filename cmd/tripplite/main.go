// Command tripplite shows what the Tripp Lite UPSes attached to this computer say: as JSON, as a table, live, for a monitoring system.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// options are the flags that every command has.
type options struct {
	Path   string   `placeholder:"PATH" xor:"unit" help:"Read the UPS at this path only, such as 1-4.2:1.0."`
	Replay []string `sep:"none" placeholder:"NAME|FILE" complete:"capture" xor:"unit" help:"Read a capture instead of a UPS: a capture file, or a built-in one such as smart1500lcd or pro1500rt2u (tripplite explain lists them); repeatable."`
	Debug  bool     `help:"Print the bytes of every report to standard error."`
}

type cli struct {
	options
	Version kong.VersionFlag `short:"V" help:"Print the version."`

	Read       readCommand       `cmd:"" default:"1" help:"Print what the UPSes say as JSON: an object for one, a list for several. This is what tripplite does without a command."`
	List       listCommand       `cmd:"" help:"List the UPSes attached, and whether they can be opened."`
	Status     statusCommand     `cmd:"" help:"Show the UPSes as a table, with units."`
	Watch      watchCommand      `cmd:"" help:"Follow the UPSes: a live view on a terminal, elsewhere a JSON object a line."`
	Check      checkCommand      `cmd:"" help:"Be a plug-in of Nagios, Icinga and their like."`
	Get        getCommand        `cmd:"" help:"Print one bare value, for a script."`
	Capture    captureCommand    `cmd:"" help:"Write all that a UPS says to a capture file, for a bug report or a new model."`
	Explain    explainCommand    `cmd:"" help:"Explain a capture: what each bit of it means."`
	Completion completionCommand `cmd:"" help:"Print the completions for a shell."`
	Man        manCommand        `cmd:"" help:"Print the manual page."`
}

// command is one of them. It returns the exit status.
type command interface {
	run(*session) int
}

// session is one run of the program.
type session struct {
	options
	ctx            context.Context
	stdout, stderr io.Writer
	model          *kong.Application
}

// The exit statuses, but for check, which has those of a plug-in.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// patience is how long a unit may take: longer than its slowest first read, shorter than a user's.
const patience = 20 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// exit is what kong panics with when --help or --version has done all there is to do.
type exit int

// run is the whole program; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	if len(args) == 0 { // what scripts run most often is spared the making of a parser
		return readCommand{}.run(&session{ctx: ctx, stdout: stdout, stderr: stderr})
	}
	// A plug-in's own statuses hold for whatever goes wrong on its command line, and for its help.
	checks := slices.Contains(args, "check")
	defer func() {
		if r := recover(); r != nil {
			status, ok := r.(exit)
			if !ok {
				panic(r)
			}
			code = int(status)
			if checks {
				code = int(unknown)
			}
		}
	}()
	var c cli
	parser := newParser(&c, stdout, stderr)
	parsed, err := parser.Parse(args)
	switch {
	case err != nil && checks:
		fmt.Fprintf(stdout, "UPS %v - %s (see tripplite check --help)\n", unknown, pluginText(err.Error()))
		return int(unknown)
	case err != nil:
		fmt.Fprintf(stderr, "tripplite: %v (see tripplite --help)\n", err)
		return exitUsage
	}
	s := &session{options: c.options, ctx: ctx, stdout: stdout, stderr: stderr, model: parser.Model}
	return parsed.Selected().Target.Addr().Interface().(command).run(s)
}

func newParser(c *cli, stdout, stderr io.Writer) *kong.Kong {
	return kong.Must(c,
		kong.Name("tripplite"),
		kong.Description("Shows what the Tripp Lite UPSes attached to this computer say. Without a command it prints JSON: an object for one UPS, a list for several."),
		kong.Vars{"version": version()},
		kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(status int) { panic(exit(status)) }),
	)
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "tripplite, version unknown"
	}
	return fmt.Sprintf("tripplite %s, %s", info.Main.Version, info.GoVersion)
}
