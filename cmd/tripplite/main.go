// Command tripplite shows what the Tripp Lite UPSes attached to this computer say: as JSON, as a
// table, live, for a monitoring system.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// options are the flags that every command has.
type options struct {
	Path   string   `placeholder:"PATH" xor:"unit" help:"Read this UPS only, such as 1-4.2:1.0."`
	Replay []string `sep:"none" placeholder:"NAME|FILE" complete:"capture" xor:"unit" help:"${replay}"`
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
	Capture    captureCommand    `cmd:"" help:"Write all that a UPS says to a capture file."`
	Explain    explainCommand    `cmd:"" help:"Explain a capture: what each bit of it means."`
	Completion completionCommand `cmd:"" help:"Print the completions for a shell."`
	Man        manCommand        `cmd:"" help:"Print the manual page."`
}

// command is one of them.
type command interface {
	run(*session) error
}

// session is one run of the program.
type session struct {
	options
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
	model          *kong.Application
	plugin         bool // the command is check
}

// The exit statuses of every command but check, which has those of a plugin.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// exit is the error of a command that has already said why it ends with this status.
type exit int

func (exit) Error() string { return "" }

// usageError is a wrong call.
type usageError struct{ error }

// readTimeout is more than any unit needs for its first read.
const readTimeout = 20 * time.Second

func main() {
	signals := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGHUP}, signal.Ignored) // nohup
	ctx, stop := signal.NotifyContext(context.Background(), append(signals, syscall.SIGTERM)...)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program. It returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &session{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr}
	var c command = readCommand{}
	if len(args) > 0 { // scripts mostly give none, and a parser takes time to make
		var err error
		if c, err = s.parse(args); err != nil {
			return s.end(err)
		}
	}
	return s.end(c.run(s))
}

// end says what went wrong and returns the exit status.
func (s *session) end(err error) int {
	var said exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &said):
		return int(said)
	case s.plugin:
		return int(s.conclude([]finding{{unknown, s.text(err)}}, nil, nil))
	}
	s.warn(err)
	if errors.As(err, &usageError{}) {
		return exitUsage
	}
	return exitFailure
}

// parse returns the command that the arguments name.
func (s *session) parse(args []string) (c command, err error) {
	var all cli
	out := &checkedWriter{w: s.stdout}
	parser := newParser(&all, out, s.stderr)
	s.model = parser.Model
	for _, arg := range args {
		named := func(n *kong.Node) bool { return n.Name == arg }
		if slices.ContainsFunc(s.model.Children, named) {
			s.plugin = arg == "check"
			break
		}
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exit: // --help and --version have printed what they had to
			if err = r; s.plugin {
				err = exit(unknown) // as the guidelines for plugins want it
			}
		default:
			panic(r)
		}
		if out.err != nil {
			err = out.err
		}
	}()
	parsed, err := parser.Parse(args)
	if err != nil {
		help := "tripplite --help"
		if s.plugin {
			help = "tripplite check --help"
		}
		return nil, usageError{fmt.Errorf("%w (see %s)", err, help)}
	}
	s.options = all.options
	c = parsed.Selected().Target.Addr().Interface().(command)
	_, s.plugin = c.(*checkCommand)
	return c, nil
}

func newParser(c *cli, stdout, stderr io.Writer) *kong.Kong {
	vars := kong.Vars{
		"version": version(),
		"replay": "Read a capture instead of a UPS: a file, - for standard input, or a built-in one " +
			"such as smart1500lcd or pro1500rt2u (tripplite explain lists them). Repeatable.",
		"every":   "How often to read: a number of seconds, or such as 500ms or 5m (default: 5).",
		"format":  "json, csv or text.",
		"listen":  "Record what the unit announces for so long: a number of seconds, or such as 1m.",
		"lost":    "What a lost UPS is: unknown, warning or critical.",
		"timeout": "How long the units may take: a number of seconds, or such as 10s (default: 15).",
	}
	return kong.Must(c,
		kong.Name("tripplite"),
		kong.Description("Shows what the Tripp Lite UPSes attached to this computer say. "+
			"Without a command it prints JSON: an object for one UPS, a list for several."),
		vars,
		kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.KindMapper(reflect.String, kong.MapperFunc(setText)),
		kong.TypeMapper(reflect.TypeFor[seconds](), kong.MapperFunc(setText)),
		kong.Exit(func(status int) { panic(exit(status)) }),
	)
}

// setText stores a value of the command line.
func setText(ctx *kong.DecodeContext, target reflect.Value) error {
	switch token := ctx.Scan.Pop(); {
	case !token.IsValue():
		return errors.New("its value is missing")
	case token.String() == "":
		return errors.New("its value is empty")
	case target.Kind() == reflect.String:
		target.SetString(token.String())
		return nil
	default:
		return target.Addr().Interface().(*seconds).UnmarshalText([]byte(token.String()))
	}
}

// checkedWriter keeps the first error of a write: kong ignores some.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.err = cmp.Or(c.err, err)
	return n, err
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "tripplite, version unknown"
	}
	return fmt.Sprintf("tripplite %s, %s", info.Main.Version, info.GoVersion)
}
