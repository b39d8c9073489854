package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/replay"
)

// source is what a command reads: a [tripplite.Bank], or what a test has in its place.
type source interface {
	Get(ctx context.Context) ([]tripplite.Reading, error)
	Watch(ctx context.Context, every time.Duration) iter.Seq[tripplite.Reading]
}

// withBank hands a command the units that the flags name, or all.
func (s *session) withBank(command func(source) error) error {
	var units *tripplite.Bank
	switch {
	case s.Replay != nil:
		replayed, err := s.replayed()
		if err != nil {
			return err
		}
		var open []*tripplite.Battery
		for _, u := range replayed {
			b, _ := u.open() // which does not fail
			open = append(open, b)
		}
		units = tripplite.BankOf(open...)
	case s.Path != "":
		units = tripplite.BankAt([]string{s.Path}, s.batteryOptions()...)
	default:
		units = tripplite.NewBank(s.batteryOptions()...)
	}
	defer units.Close()
	return command(units)
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

// replayed makes units of the captures. Their names are their paths.
func (s *session) replayed() (found []unit, err error) {
	var captures []*capture.Capture
	for _, name := range s.Replay {
		c, err := s.load(name)
		if err != nil {
			return nil, err
		}
		captures = append(captures, c)
	}
	for i, info := range replay.Infos(captures) {
		found = append(found, unit{info, func() (*tripplite.Battery, error) {
			return replay.Battery(captures[i], info, s.batteryOptions()...), nil
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
	if err != nil {
		return nil, err
	}
	if len(units) == 1 {
		return units[0].open()
	}
	var paths []string
	for _, u := range units {
		paths = append(paths, u.info.Path)
	}
	return nil, fmt.Errorf("there are several UPSes, %s: choose one by --path, or give --replay once",
		strings.Join(paths, ", "))
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
	if s.Debug && e.Cause != nil && !needsCause(err) {
		text += fmt.Sprintf(" (%v)", e.Cause)
	}
	return text
}

// reason says why there is no State, without the path of the unit.
func reason(err error) string {
	var e *tripplite.Error
	switch known := errors.As(err, &e); {
	case known && needsCause(err) && e.Cause != nil:
		return fmt.Sprintf("%s: %v", e.Reason(), e.Cause)
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, context.DeadlineExceeded):
		return "the UPS does not answer: unplug its USB cable and plug it in again"
	case known && strings.Contains(e.Holder, "tripplited"):
		return e.Reason() + ", or ask tripplited by upsc -L or at http://127.0.0.1:6969"
	case known:
		return e.Reason()
	}
	return err.Error()
}

// needsCause reports whether an error means little without its cause.
func needsCause(err error) bool {
	return errors.Is(err, tripplite.ErrUnsupported) || errors.Is(err, tripplite.ErrRefused) ||
		errors.Is(err, tripplite.ErrIgnored) || errors.Is(err, tripplite.ErrUncertain)
}

// warnPartial warns of readings that a State lacks, and returns any other error.
func (s *session) warnPartial(err error) error {
	if err == nil || !tripplite.HasState(err) {
		return err
	}
	s.warn(fmt.Errorf("not all could be read: %w", err))
	return nil
}

type listCommand struct{}

func (listCommand) Run(s *session) error {
	units, err := s.units()
	if err != nil {
		return err
	}
	return s.list(units)
}

func (s *session) list(units []unit) error {
	rows := [][]string{{"PATH", "ID", "FAMILY", "PRODUCT", "SERIAL", "ACCESS"}}
	for _, u := range units {
		info := u.info
		b, err := u.open()
		if err == nil {
			info = b.Info()
			err = b.Close()
		}
		if err != nil {
			s.warn(err) // which says what to do
		}
		rows = append(rows, []string{info.Path, idOf(info), orDash(info.Family),
			orDash(info.Model()), orDash(info.Serial), access(err)})
	}
	width := math.MaxInt // a program wants a line for each unit
	if terminal := terminalFile(s.stdout); terminal != nil {
		width, _, _ = term.GetSize(int(terminal.Fd()))
	}
	_, err := io.WriteString(s.stdout, table(rows, max(width, columns)))
	return err
}

func idOf(d tripplite.DeviceInfo) string {
	return fmt.Sprintf("%04x:%04x", d.VendorID, d.ProductID)
}

// access says in few words whether a unit can be opened.
func access(err error) string {
	var e *tripplite.Error
	switch {
	case err == nil:
		return "yes"
	case errors.Is(err, tripplite.ErrPermission):
		return "no permission"
	case errors.Is(err, tripplite.ErrUnsupported):
		return "unsupported"
	case errors.Is(err, tripplite.ErrDisconnected), errors.Is(err, tripplite.ErrNotFound):
		return "gone"
	case errors.As(err, &e) && e.Holder != "":
		return "busy (" + e.Holder + ")"
	case errors.Is(err, tripplite.ErrBusy):
		return "busy"
	}
	return "no"
}
