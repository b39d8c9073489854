// Command structuredlog logs what a UPS says as JSON, with the attribute names of OpenTelemetry's semantic conventions where those have
// one (hw.*, error.*), and names of the same manner where they have none (ups.*):
//
//	structuredlog -every 1m
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tripplite-go/tripplite"
)

func main() {
	path := flag.String("path", "", "watch the UPS at this path, such as 1-4.2:1.0, in place of the first one")
	every := flag.Duration("every", time.Minute, "log a record as often, also while the UPS announces nothing")
	flag.Parse()
	// Without Close the kernel's own driver does not get the UPS back, so the signals end run and not the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	open := func(opts ...tripplite.Option) (*tripplite.Battery, error) { return tripplite.Open(*path, opts...) }
	if err := run(ctx, os.Stdout, *every, open); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, every time.Duration, open func(...tripplite.Option) (*tripplite.Battery, error)) error {
	logger := slog.New(slog.NewJSONHandler(out, nil))
	ups, err := open(tripplite.WithLogger(logger.With("otel.scope.name", "tripplite"))) // the package's own words, such as of a drop
	if err != nil {
		return err
	}
	defer ups.Close()
	for state, err := range ups.Watch(ctx, every) {
		info := ups.Info() // each time: another UPS may be plugged in at the port
		attrs := []slog.Attr{
			slog.String("hw.id", info.Path), slog.String("hw.type", "battery"),
			slog.String("hw.vendor", info.Manufacturer), slog.String("hw.model", info.Product),
		}
		if err != nil {
			attrs = append(attrs, slog.String("error.type", kind(err)), slog.String("error.message", err.Error()))
		}
		level, message := judge(state)
		logger.LogAttrs(ctx, level, message, append(attrs, readings(state)...)...)
	}
	return nil
}

// judge makes an event of a State. No State is no power failure, and neither is a unit that does not say whether mains is there.
func judge(state tripplite.State) (level slog.Level, event string) {
	mains, known := state.Status.ACPresent.Get()
	switch {
	case state.Time.IsZero():
		return slog.LevelError, "ups.lost"
	case known && !mains:
		return slog.LevelWarn, "ups.on_battery"
	case known:
		return slog.LevelInfo, "ups.on_mains"
	}
	return slog.LevelInfo, "ups.reading"
}

// kind is an error.type: one of few words, which a query can group by.
func kind(err error) string {
	switch {
	case errors.As(err, new(*tripplite.PartialError)):
		return "partial"
	case errors.Is(err, tripplite.ErrDisconnected):
		return "disconnected"
	case errors.Is(err, tripplite.ErrPermission):
		return "permission"
	case errors.Is(err, tripplite.ErrBusy):
		return "busy"
	}
	return "_OTHER" // the convention's word for the rest
}

// readings leaves out what is not known, for the same reason that a Value has no zero.
func readings(state tripplite.State) (attrs []slog.Attr) {
	add := func(name string, v tripplite.Value[float64], scale float64) {
		if value, known := v.Get(); known {
			attrs = append(attrs, slog.Float64(name, value*scale))
		}
	}
	add("ups.input.voltage", state.Input.Voltage, 1)
	add("ups.output.voltage", state.Output.Voltage, 1)
	add("ups.output.power", state.Output.ActivePower, 1)
	add("ups.output.utilization", state.Output.PercentLoad, 0.01)
	add("hw.battery.charge", state.RemainingCapacity, 0.01)
	if left, known := state.RunTimeToEmpty.Get(); known {
		attrs = append(attrs, slog.Float64("hw.battery.time_left", left.Seconds()))
	}
	return attrs
}
