package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// source is the units that a command follows: a [tripplite.Bank], or what the flags name.
type source interface {
	Get(ctx context.Context) ([]tripplite.Reading, error)
	Watch(ctx context.Context, every time.Duration) iter.Seq[tripplite.Reading]
	Close() error
}

// source returns the units that the flags name: all, unless they say otherwise.
func (s *session) source() (source, error) {
	if s.Path == "" && s.Replay == nil {
		return tripplite.NewBank(s.batteryOptions()...), nil
	}
	opens, err := s.chosen()
	if err != nil {
		return nil, err
	}
	return &few{units: opens}, nil
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
	if s.Replay != nil {
		return s.replayed()
	}
	at := func(info tripplite.DeviceInfo) unit {
		return unit{info, func() (*tripplite.Battery, error) { return tripplite.Open(info.Path, s.batteryOptions()...) }}
	}
	if s.Path != "" {
		return []unit{at(tripplite.DeviceInfo{Path: s.Path})}, nil
	}
	devices, err := tripplite.Devices()
	if err != nil {
		return nil, err
	}
	if len(devices) == 0 {
		return nil, tripplite.ErrNotFound
	}
	units := make([]unit, len(devices))
	for i, info := range devices {
		units[i] = at(info)
	}
	return units, nil
}

func (s *session) replayed() ([]unit, error) {
	var units []unit
	for _, name := range s.Replay {
		c, err := capture.Load(name)
		if err != nil {
			return nil, err
		}
		info := infoOf(c)
		units = append(units, unit{info, func() (*tripplite.Battery, error) {
			opts := append(s.batteryOptions(), tripplite.WithDeviceInfo(info), tripplite.WithReportDescriptor(c.Interfaces[c.UPSInterface].Descriptor))
			return tripplite.New(c.Device(c.UPSInterface), opts...), nil
		}})
	}
	return units, nil
}

// infoOf is what is known of a unit that is only a capture; its name stands for its path.
func infoOf(c *capture.Capture) tripplite.DeviceInfo {
	return tripplite.DeviceInfo{
		Path: c.Name, VendorID: uint16(c.VendorID), ProductID: uint16(c.ProductID), Release: uint16(c.Release),
		Serial: c.Serial, Manufacturer: c.Manufacturer, Product: c.Product,
	}
}

// few are units that were named, as a [source]: unlike a Bank, which opens whatever is attached, it leaves all others alone.
type few struct {
	units []unit

	mu     sync.Mutex
	opened []*tripplite.Battery // nil where the unit is not
}

// battery returns a unit that is open, or why it cannot be opened.
func (f *few) battery(i int) (*tripplite.Battery, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.opened == nil {
		f.opened = make([]*tripplite.Battery, len(f.units))
	}
	if f.opened[i] != nil {
		return f.opened[i], nil
	}
	var err error
	f.opened[i], err = f.units[i].open()
	return f.opened[i], err
}

func (f *few) Get(ctx context.Context) ([]tripplite.Reading, error) {
	readings := make([]tripplite.Reading, len(f.units))
	var reads sync.WaitGroup
	for i, u := range f.units {
		reads.Add(1)
		go func() {
			defer reads.Done()
			b, err := f.battery(i)
			if err != nil {
				readings[i] = tripplite.Reading{Info: u.info, Err: err}
				return
			}
			state, err := b.Get(ctx)
			readings[i] = tripplite.Reading{Info: b.Info(), State: state, Err: err}
		}()
	}
	reads.Wait()
	return readings, nil
}

// again is how long a unit that cannot be opened is left alone.
const again = time.Second

// Watch says of a unit that cannot be opened why, once, and goes on trying.
func (f *few) Watch(ctx context.Context, every time.Duration) iter.Seq[tripplite.Reading] {
	return func(yield func(tripplite.Reading) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var watches sync.WaitGroup
		defer watches.Wait()
		defer cancel()

		readings := make(chan tripplite.Reading)
		send := func(r tripplite.Reading) {
			select {
			case readings <- r:
			case <-ctx.Done():
			}
		}
		for i, u := range f.units {
			watches.Add(1)
			go func() {
				defer watches.Done()
				b, err := f.battery(i)
				for said := ""; err != nil; b, err = f.battery(i) {
					if err.Error() != said {
						said = err.Error()
						send(tripplite.Reading{Info: u.info, Err: err})
					}
					select {
					case <-ctx.Done():
						return
					case <-time.After(again):
					}
				}
				for state, err := range b.Watch(ctx, every) {
					send(tripplite.Reading{Info: b.Info(), State: state, Err: err})
				}
			}()
		}
		for {
			select {
			case <-ctx.Done():
				return
			case r := <-readings:
				if !yield(r) {
					return
				}
			}
		}
	}
}

func (f *few) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.opened {
		if b != nil {
			b.Close()
		}
	}
	return nil
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
