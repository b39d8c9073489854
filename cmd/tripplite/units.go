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
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/replay"
)

// source is what a command reads: a [tripplite.Bank], or what a test has in its place.
type source interface {
	Get(ctx context.Context) ([]tripplite.Reading, error)
	Watch(ctx context.Context, every time.Duration) iter.Seq[tripplite.Reading]
}

// bank returns the units that the flags name, or all.
func (s *session) bank() (*tripplite.Bank, error) {
	switch {
	case s.Path != "":
		return tripplite.BankAt([]string{s.Path}, s.batteryOptions()...), nil
	case s.Replay == nil:
		return tripplite.NewBank(s.batteryOptions()...), nil
	}
	units, err := s.units()
	if err != nil {
		return nil, err
	}
	var replayed []*tripplite.Battery
	for _, u := range units {
		b, _ := u.open() // opening a capture does not fail
		replayed = append(replayed, b)
	}
	return tripplite.BankOf(replayed...), nil
}

// unit is a UPS that is not open yet.
type unit struct {
	info tripplite.DeviceInfo
	open func() (*tripplite.Battery, error)
}

// units returns the units that the flags name, or all; at least one.
func (s *session) units() (found []unit, err error) {
	if s.Replay != nil {
		return s.replayed()
	}
	devices, err := tripplite.Devices()
	for _, d := range devices {
		if s.Path == "" || s.Path == d.Path {
			found = append(found, unit{d, func() (*tripplite.Battery, error) {
				return tripplite.Open(d.Path, s.batteryOptions()...)
			}})
		}
	}
	if err == nil && found == nil {
		err = &tripplite.Error{Op: "open", Path: s.Path, Err: tripplite.ErrNotFound}
	}
	return found, err
}

// replayed returns the captures as units. Their names are their paths.
func (s *session) replayed() (found []unit, err error) {
	named := map[string]int{}
	for _, name := range s.Replay {
		c, err := s.load(name)
		if err != nil {
			return nil, err
		}
		info := replay.Info(c)
		if named[c.Name]++; named[c.Name] > 1 {
			info.Path += fmt.Sprintf("#%d", named[c.Name])
		}
		opts := append(s.batteryOptions(), tripplite.WithDeviceInfo(info),
			tripplite.WithReportDescriptor(c.Interfaces[c.UPSInterface].Descriptor))
		found = append(found, unit{info, func() (*tripplite.Battery, error) {
			return tripplite.New(c.Device(c.UPSInterface), opts...), nil
		}})
	}
	return found, nil
}

// load reads a capture; "-" is standard input. A signal ends it: a pipe may have no end.
func (s *session) load(name string) (*capture.Capture, error) {
	var c *capture.Capture
	done := make(chan error, 1)
	go func() {
		var err error
		if name != "-" {
			c, err = capture.Load(name)
		} else if c, err = capture.Read(s.stdin); err != nil {
			err = fmt.Errorf("standard input: %w", err)
		}
		done <- err
	}()
	select {
	case err := <-done:
		return c, err
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

// only opens the unit where there is just one: a script must not get just any.
func (s *session) only() (*tripplite.Battery, error) {
	units, err := s.units()
	switch {
	case err != nil:
		return nil, err
	case len(units) == 1:
		return units[0].open()
	case s.Replay != nil:
		return nil, errors.New("this command reads one UPS: give --replay once")
	}
	var paths []string
	for _, u := range units {
		paths = append(paths, u.info.Path)
	}
	return nil, errors.New("there are several UPSes: say which one by --path " +
		strings.Join(paths, " or --path "))
}

func (s *session) batteryOptions() []tripplite.Option {
	if !s.Debug {
		return nil
	}
	handler := slog.NewTextHandler(s.stderr, &slog.HandlerOptions{Level: slog.LevelDebug})
	return []tripplite.Option{tripplite.WithLogger(slog.New(handler))}
}

// warn writes an error to standard error, as one line.
func (s *session) warn(err error) {
	fmt.Fprintln(s.stderr, "tripplite: "+printable(s.text(err)))
}

// text writes an error in full: which unit, why, and with --debug the cause.
func (s *session) text(err error) string {
	e := &tripplite.Error{}
	errors.As(err, &e)
	text := joined(": ", e.Path, reason(err))
	if s.Debug && e.Cause != nil && !errors.Is(err, tripplite.ErrUnsupported) {
		text += fmt.Sprintf(" (%v)", e.Cause)
	}
	return text
}

// reason says why there is no State, without the path of the unit.
func reason(err error) string {
	var e *tripplite.Error
	switch known := errors.As(err, &e); {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, context.DeadlineExceeded):
		return "the UPS does not answer: unplug its USB cable and plug it in again"
	case known && errors.Is(err, tripplite.ErrUnsupported) && e.Cause != nil:
		return fmt.Sprintf("%s: %v", e.Reason(), e.Cause)
	case known:
		return e.Reason()
	}
	return err.Error()
}

// warnPartial warns of readings that a State lacks, and returns any other error.
func (s *session) warnPartial(err error) error {
	if err == nil || !tripplite.HasState(err) {
		return err
	}
	s.warn(fmt.Errorf("not all could be read: %w", err))
	return nil
}
