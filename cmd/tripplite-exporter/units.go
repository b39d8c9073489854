package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// open returns the UPSes attached, which it opens when they are read, or the captures named.
func open(captures []string, log *slog.Logger) (*tripplite.Bank, error) {
	log = slog.New(quiet{log.Handler()})
	if len(captures) == 0 {
		return tripplite.NewBank(tripplite.WithLogger(log)), nil
	}
	var units []*tripplite.Battery
	named := map[string]int{}
	for _, nameOrFile := range captures {
		c, err := capture.Load(nameOrFile)
		if err != nil {
			tripplite.BankOf(units...).Close()
			return nil, err
		}
		path := c.Name
		if named[c.Name]++; named[c.Name] > 1 {
			path = fmt.Sprintf("%s#%d", c.Name, named[c.Name]) // units are told apart by their paths
		}
		units = append(units, tripplite.New(c.Device(c.UPSInterface),
			tripplite.WithLogger(log),
			tripplite.WithReportDescriptor(c.Interfaces[c.UPSInterface].Descriptor),
			tripplite.WithDeviceInfo(tripplite.DeviceInfo{
				Path: path, VendorID: uint16(c.VendorID), ProductID: uint16(c.ProductID), Release: uint16(c.Release),
				Manufacturer: c.Manufacturer, Product: c.Product, Serial: c.Serial,
			})))
	}
	return tripplite.BankOf(units...), nil
}

// quiet leaves out what a Battery says of its unit at the level of Info, because told says that of every unit.
type quiet struct{ slog.Handler }

// Enabled says whether a level is logged.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level != slog.LevelInfo && q.Handler.Enabled(ctx, level)
}
