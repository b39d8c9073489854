package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/replay"
)

// source is what a command reads: a [tripplite.Bank], or what a test has in its place.
type source interface {
	Get(ctx context.Context) ([]tripplite.Reading, error)
	Watch(ctx context.Context, every time.Duration) iter.Seq[tripplite.Reading]
}

// readings reads every unit. That there is none is an error.
func readings(ctx context.Context, units source) ([]tripplite.Reading, error) {
	readings, err := units.Get(ctx)
	if err == nil && len(readings) == 0 {
		err = tripplite.ErrNotFound
	}
	return readings, err
}

// bank returns the units that the flags name: all, unless they say otherwise.
func (s *session) bank() (*tripplite.Bank, error) {
	switch {
	case s.Path != "":
		return tripplite.BankAt([]string{s.Path}, s.batteryOptions()...), nil
	case s.Replay != nil:
		units, err := replay.Open(s.Replay, s.batteryOptions()...)
		return tripplite.BankOf(units...), err
	}
	return tripplite.NewBank(s.batteryOptions()...), nil
}

func (s *session) batteryOptions() []tripplite.Option {
	if !s.Debug {
		return nil
	}
	handler := slog.NewTextHandler(s.stderr, &slog.HandlerOptions{Level: slog.LevelDebug})
	return []tripplite.Option{tripplite.WithLogger(slog.New(handler))}
}

// unit is a UPS that is not opened yet.
type unit struct {
	info tripplite.DeviceInfo
	open func() (*tripplite.Battery, error)
}

// chosen returns the units that the flags name, one by one; at least one where there is no error.
func (s *session) chosen() ([]unit, error) {
	var units []unit
	if s.Replay != nil {
		replayed, err := replay.Open(s.Replay, s.batteryOptions()...)
		for _, b := range replayed {
			units = append(units, unit{b.Info(), func() (*tripplite.Battery, error) { return b, nil }})
		}
		return units, err
	}
	at := func(info tripplite.DeviceInfo) unit {
		return unit{info, func() (*tripplite.Battery, error) { return tripplite.Open(info.Path, s.batteryOptions()...) }}
	}
	if s.Path != "" {
		return []unit{at(tripplite.DeviceInfo{Path: s.Path})}, nil
	}
	devices, err := tripplite.Devices()
	if err == nil && len(devices) == 0 {
		err = tripplite.ErrNotFound
	}
	for _, info := range devices {
		units = append(units, at(info))
	}
	return units, err
}

// hasState says whether a Reading's State is good: a partial error comes with one that lacks what the error names.
func hasState(r tripplite.Reading) bool { return !r.State.Time.IsZero() }

// tell says on standard error what could not be read of a unit that answers, and returns any other error.
func (s *session) tell(err error) error {
	var partial *tripplite.PartialError
	if errors.As(err, &partial) {
		s.complain(fmt.Errorf("not all could be read: %w", err))
		return nil
	}
	return err
}

// complain writes an error to standard error, a line for each of several that were joined.
func (s *session) complain(err error) {
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintln(s.stderr, "tripplite: "+strings.TrimPrefix(line, "tripplite: "))
	}
}

// why is what there is to say of a unit that gave no State, without its path.
func why(r tripplite.Reading) string {
	if errors.Is(r.Err, context.DeadlineExceeded) {
		return "the UPS does not answer: unplug its USB cable and plug it in again"
	}
	text := strings.TrimPrefix(r.Err.Error(), "tripplite: ")
	text = strings.TrimPrefix(text, r.Info.Path+": ")
	if errors.Is(r.Err, tripplite.ErrDisconnected) {
		text, _, _ = strings.Cut(text, " (report 0x") // which transfer was the first to fail is for --debug
	}
	return text
}
