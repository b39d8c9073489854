// Command tripplite prints what the Tripp Lite UPSes attached to this computer say, as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

type cli struct {
	Path    string           `placeholder:"PATH" xor:"unit" help:"Read the UPS at this path only, such as 1-4.2:1.0."`
	Replay  string           `placeholder:"NAME|FILE" xor:"unit" help:"Read a capture instead of a UPS: ${captures}, or a capture file."`
	Debug   bool             `help:"Print the bytes of every report to standard error."`
	Version kong.VersionFlag `help:"Print the version."`
}

// patience is how long a unit may take: longer than its slowest first read, shorter than a user's.
const patience = 20 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// exit is what kong panics with when --help or --version has done all there is to do.
type exit int

// run is the whole program; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			status, ok := r.(exit)
			if !ok {
				panic(r)
			}
			code = int(status)
		}
	}()
	var c cli
	parser := kong.Must(&c,
		kong.Name("tripplite"),
		kong.Description("Prints what the Tripp Lite UPSes attached to this computer say, as JSON: an object for one UPS, a list for several."),
		kong.Vars{"captures": strings.Join(capture.Names(), ", "), "version": version()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(status int) { panic(exit(status)) }),
	)
	if _, err := parser.Parse(args); err != nil {
		fmt.Fprintf(stderr, "tripplite: %v (see tripplite --help)\n", err)
		return 2
	}
	states, err := read(ctx, c, stderr)
	if len(states) > 0 {
		if err := print(stdout, states); err != nil {
			fmt.Fprintln(stderr, err)
			return 1
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// read returns the State of every unit that could be read, and why the others could not.
func read(ctx context.Context, c cli, stderr io.Writer) ([]tripplite.State, error) {
	opts := []tripplite.Option{}
	if c.Debug {
		opts = append(opts, tripplite.WithLogger(slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	}
	if c.Replay != "" {
		b, err := replay(c.Replay, opts)
		if err != nil {
			return nil, err
		}
		state, err := readOne(ctx, b, stderr)
		if err != nil {
			return nil, err
		}
		return []tripplite.State{state}, nil
	}
	paths := []string{c.Path}
	if c.Path == "" {
		var err error
		if paths, err = tripplite.Paths(); err != nil {
			return nil, err
		}
		if len(paths) == 0 {
			return nil, fmt.Errorf("tripplite: %w", tripplite.ErrNotFound)
		}
	}
	var states []tripplite.State
	var errs []error
	for _, path := range paths {
		b, err := tripplite.Open(path, opts...)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		state, err := readOne(ctx, b, stderr)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		states = append(states, state)
	}
	return states, errors.Join(errs...)
}

// replay opens a capture in place of a UPS.
func replay(nameOrFile string, opts []tripplite.Option) (*tripplite.Battery, error) {
	c, err := capture.Load(nameOrFile)
	if err != nil {
		return nil, fmt.Errorf("tripplite: %w", err)
	}
	opts = append(opts, tripplite.WithDeviceInfo(tripplite.DeviceInfo{Path: c.Name}), tripplite.WithReportDescriptor(c.Interfaces[0].Descriptor))
	return tripplite.New(c.Device(0), opts...), nil
}

// readOne reads and closes a unit. What it could not read of one that answers is said on standard error and is no failure.
func readOne(ctx context.Context, b *tripplite.Battery, stderr io.Writer) (tripplite.State, error) {
	defer b.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	state, err := b.Get(ctx)
	if err = tell(stderr, err); err != nil {
		return state, err
	}
	state.Controls, err = b.Controls(ctx)
	return state, tell(stderr, err)
}

func tell(stderr io.Writer, err error) error {
	var partial *tripplite.PartialError
	if errors.As(err, &partial) {
		fmt.Fprintf(stderr, "tripplite: not all could be read: %v\n", err)
		return nil
	}
	return err
}

// print writes one object for one unit and a list for several, with sorted keys and four spaces.
func print(w io.Writer, states []tripplite.State) error {
	var value any = states
	if len(states) == 1 {
		value = states[0]
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var sorted any // a map's keys are sorted, a struct's fields are not
	if err := json.Unmarshal(text, &sorted); err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "    ")
	return encoder.Encode(sorted)
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "tripplite, version unknown"
	}
	return fmt.Sprintf("tripplite %s, %s", info.Main.Version, info.GoVersion)
}
