// Package replay makes units of captures, and captures of units.
package replay

import (
	"fmt"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// Open opens captures, each a built-in one or a file, as units that have their names for paths.
func Open(namesOrFiles []string, opts ...tripplite.Option) ([]*tripplite.Battery, error) {
	var captures []*capture.Capture
	for _, nameOrFile := range namesOrFiles {
		c, err := capture.Load(nameOrFile)
		if err != nil {
			return nil, err
		}
		captures = append(captures, c)
	}
	var units []*tripplite.Battery
	for i, info := range Infos(captures) {
		units = append(units, Battery(captures[i], info, opts...))
	}
	return units, nil
}

// Battery makes a unit of a capture.
func Battery(
	c *capture.Capture, info tripplite.DeviceInfo, opts ...tripplite.Option,
) *tripplite.Battery {
	of := []tripplite.Option{
		tripplite.WithDeviceInfo(info),
		tripplite.WithReportDescriptor(c.UPS().Descriptor),
	}
	return tripplite.New(c.Device(c.UPSInterface), append(of, opts...)...)
}

// Infos returns what captures say of their units, no two of which share a path.
func Infos(captures []*capture.Capture) []tripplite.DeviceInfo {
	var infos []tripplite.DeviceInfo
	named := map[string]int{}
	for _, c := range captures {
		info := Info(c)
		if named[c.Name]++; named[c.Name] > 1 {
			info.Path = fmt.Sprintf("%s#%d", c.Name, named[c.Name])
		}
		infos = append(infos, info)
	}
	return infos
}

// Info returns what a capture says of its unit. Its name stands for the path.
func Info(c *capture.Capture) tripplite.DeviceInfo {
	return tripplite.DeviceInfo{
		Path:         c.Name,
		VendorID:     uint16(c.VendorID),
		ProductID:    uint16(c.ProductID),
		Release:      uint16(c.Release),
		Serial:       c.Serial,
		Manufacturer: c.Manufacturer,
		Product:      c.Product,
		Interface:    c.UPSInterface,
	}
}

// Capture is the reverse of [Info]. It returns a capture of a unit without its reports, and without
// the other interfaces that the unit may have.
func Capture(info tripplite.DeviceInfo, descriptor []byte) *capture.Capture {
	only := capture.Interface{Descriptor: descriptor, Reports: []capture.Report{}}
	if len(descriptor) > 0 {
		only.DescriptorOrigin = capture.Captured
	}
	return &capture.Capture{
		VendorID:     capture.ID(info.VendorID),
		ProductID:    capture.ID(info.ProductID),
		Release:      capture.ID(info.Release),
		Serial:       info.Serial,
		Manufacturer: info.Manufacturer,
		Product:      info.Product,
		Interfaces:   []capture.Interface{only},
	}
}
