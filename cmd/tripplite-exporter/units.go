package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// units is what the exporter shows: a Bank, or captures in its place.
type units interface {
	collector.Source
	Close() error
}

// open returns the UPSes attached, or the captures named. A Bank opens its units when they are read.
func open(captures []string, log *slog.Logger) (units, error) {
	log = slog.New(quiet{log.Handler()})
	if len(captures) == 0 {
		return tripplite.NewBank(tripplite.WithLogger(log)), nil
	}
	var r replay
	seen := map[string]int{}
	for _, nameOrFile := range captures {
		c, err := capture.Load(nameOrFile)
		if err != nil {
			r.Close()
			return nil, err
		}
		path := c.Name
		if seen[c.Name]++; seen[c.Name] > 1 {
			path = fmt.Sprintf("%s#%d", c.Name, seen[c.Name])
		}
		r = append(r, tripplite.New(c.Device(0),
			tripplite.WithLogger(log),
			tripplite.WithReportDescriptor(c.Interfaces[0].Descriptor),
			tripplite.WithDeviceInfo(tripplite.DeviceInfo{
				Path: path, VendorID: uint16(c.VendorID), ProductID: uint16(c.ProductID), Release: uint16(c.Release),
				Manufacturer: c.Manufacturer, Product: c.Product, Serial: c.Serial,
			})))
	}
	return r, nil
}

// quiet leaves out what a Battery says of its unit at the level of Info, because told says that of every unit.
type quiet struct{ slog.Handler }

// Enabled says whether a level is logged.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level != slog.LevelInfo && q.Handler.Enabled(ctx, level)
}

// replay is a Bank of captures, whose paths are their names.
type replay []*tripplite.Battery

// Get reads the units side by side, as a Bank does.
func (r replay) Get(ctx context.Context) ([]tripplite.Reading, error) {
	readings := make([]tripplite.Reading, len(r))
	var reads sync.WaitGroup
	for i, b := range r {
		reads.Add(1)
		go func() {
			defer reads.Done()
			state, err := b.Get(ctx)
			readings[i] = tripplite.Reading{Info: b.Info(), State: state, Err: err}
		}()
	}
	reads.Wait()
	return readings, nil
}

// Close closes the units.
func (r replay) Close() error {
	for _, b := range r {
		b.Close()
	}
	return nil
}
