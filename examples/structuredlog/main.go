// Command structuredlog logs what a UPS says as JSON by log/slog. A State is a slog.LogValuer,
// which logs what is known and nothing else:
//
//	structuredlog -every 1m
package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tripplite-go/tripplite"
)

func main() {
	path := flag.String("path", "", "the path of the UPS, such as 1-4.2:1.0; otherwise the first one")
	every := flag.Duration("every", time.Minute, "how often to read while nothing is announced")
	flag.Parse()
	logger := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	ups, err := tripplite.Open(*path, tripplite.WithLogger(logger)) // logs disconnects as well
	if err != nil {
		log.Fatal(err)
	}
	// A signal ends run, not the process, so that Close gives the UPS back.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	run(ctx, logger, ups, *every)
	stop()
	ups.Close()
}

func run(ctx context.Context, logger *slog.Logger, ups *tripplite.Battery, every time.Duration) {
	for state, err := range ups.Watch(ctx, every) {
		if !tripplite.HasState(err) {
			logger.Error("no reading", "path", ups.Info().Path, "error", err.Error())
			continue
		}
		level, attrs := slog.LevelInfo, []any{"ups", state}
		if err != nil {
			attrs = append(attrs, "error", err.Error()) // the State lacks what it names
		}
		var alerts []string
		for _, a := range state.Alerts() {
			alerts = append(alerts, a.Name)
			level = max(level, levels[a.Severity])
		}
		if alerts != nil {
			attrs = append(attrs, "alerts", alerts)
		}
		logger.Log(ctx, level, "reading", attrs...)
	}
}

var levels = map[tripplite.Severity]slog.Level{
	tripplite.Warning:  slog.LevelWarn,
	tripplite.Critical: slog.LevelError,
}
