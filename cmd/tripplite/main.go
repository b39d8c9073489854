// Command tripplite shows what the Tripp Lite UPSes attached to this computer say: as JSON, as a
// table, live, for a monitoring system. It also has them do what they can be told to do.
package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// options are the flags that every command has.
type options struct {
	Path   string   `placeholder:"PATH" xor:"unit" help:"Read this UPS only, such as 1-4.2:1.0."`
	Replay []string `sep:"none" placeholder:"NAME|FILE" xor:"unit" help:"Read a capture instead."`
	Debug  bool     `help:"Print the bytes of every report to standard error."`
}

type cli struct {
	options
	Version kong.VersionFlag `short:"V" help:"Print the version."`

	Read       readCommand       `cmd:"" default:"1" help:"Print everything as JSON (the default)."`
	List       listCommand       `cmd:"" help:"List the UPSes, and whether they can be opened."`
	Status     statusCommand     `cmd:"" help:"Show the UPSes as a table, with units."`
	Watch      watchCommand      `cmd:"" help:"Follow the UPSes, live on a terminal."`
	Check      checkCommand      `cmd:"" help:"Run as a Nagios or Icinga plugin."`
	Get        getCommand        `cmd:"" help:"Print one bare value, for a script."`
	Commands   commandsCommand   `cmd:"" help:"List what a UPS can be told to do."`
	Do         doCommand         `cmd:"" help:"Have a UPS carry out a command."`
	Beeper     beeperCommand     `cmd:"" help:"Switch the beeper on or off, or mute it."`
	Test       testCommand       `cmd:"" help:"Test the battery."`
	Capture    captureCommand    `cmd:"" help:"Write all that a UPS says to a capture file."`
	Explain    explainCommand    `cmd:"" help:"Explain a capture: what each bit of it means."`
	Completion completionCommand `cmd:"" help:"Print the completions for a shell."`
	Man        manCommand        `cmd:"" help:"Print the manual page."`
}

// session is one run of the program.
type session struct {
	options
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
	plugin         bool // the command is check
}

// exit is an exit status, as an error that may have been said already. Those of check are the
// statuses of a plugin.
type exit int

const (
	exitFailure   exit = 1
	exitUsage     exit = 2
	exitUncertain exit = 3 // it is not known whether the UPS acts on a command
)

func (exit) Error() string { return "" }

// readTimeout is more than any unit needs for its first read.
const readTimeout = 20 * time.Second

func main() {
	signals := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGHUP}, signal.Ignored) // nohup
	ctx, stop := signal.NotifyContext(context.Background(), append(signals, syscall.SIGTERM)...)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program. It says what went wrong and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &session{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr}
	return s.end(s.do(args))
}

func (s *session) end(err error) int {
	if err == nil {
		return 0
	}
	status := exitFailure
	errors.As(err, &status)
	switch {
	case err.Error() == "":
	case s.plugin:
		var v verdict
		v.add(unknown, "", s.text(err))
		status = s.conclude(v)
	default:
		s.warn(err)
	}
	return int(status)
}

// do runs the command that the arguments name.
func (s *session) do(args []string) error {
	switch {
	case len(args) == 0: // scripts mostly give none, and a parser takes time to make
		return readCommand{}.Run(s)
	case args[0] == completing && len(args) > 1:
		return s.complete(args[1:])
	}
	var all cli
	var out bytes.Buffer // kong does not tell of a write that fails
	parser := newParser(&all, &out)
	i := slices.IndexFunc(args, func(arg string) bool { return childOf(parser.Model, arg) != nil })
	s.plugin = i >= 0 && args[i] == "check"
	parsed, err := parser.Parse(args)
	printed := out.Len() > 0 // by --help or --version
	switch _, writeErr := out.WriteTo(s.stdout); {
	case writeErr != nil:
		return writeErr
	case printed && s.plugin: // as the guidelines for plugins want it
		return unknown.exit()
	case printed:
		return nil
	case err != nil:
		return fmt.Errorf("%w (see tripplite --help)%w", err, exitUsage)
	}
	s.options, s.plugin = all.options, parsed.Command() == "check"
	return parsed.Run(s)
}

// The help of the program and its commands, behind the sentence that each definition has.
//
//go:embed help
var help embed.FS

func newParser(c *cli, out io.Writer) *kong.Kong {
	parser := kong.Must(c,
		kong.Name("tripplite"),
		kong.Description("Shows what the Tripp Lite UPSes attached to this computer say, "+
			"and gives them commands."),
		kong.Vars{"version": version(), "format": "json, csv or text."},
		kong.Writers(out, out),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.KindMapper(reflect.String, kong.MapperFunc(setText)),
		kong.Exit(func(int) {}),
	)
	for _, n := range append([]*kong.Node{parser.Model.Node}, parser.Model.Children...) {
		text, _ := help.ReadFile("help/" + n.Name + ".txt")
		n.Detail = strings.TrimSpace(string(text))
	}
	return parser
}

// setText refuses an empty value, which mostly is a variable of a script that is not set.
func setText(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("a")
	if err == nil && token.String() == "" {
		err = errors.New("its value is empty")
	}
	target.SetString(token.String())
	return err
}

// seconds is a time on the command line: a number of seconds, or a time with its unit.
type seconds time.Duration

func (s *seconds) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		d, err = time.ParseDuration(string(text) + "s")
	}
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is neither a number of seconds nor a time such as 10s", text)
	}
	*s = seconds(d)
	return nil
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "tripplite, version unknown"
	}
	return fmt.Sprintf("tripplite %s, %s", info.Main.Version, info.GoVersion)
}
