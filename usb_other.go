//go:build !linux

package tripplite

import "github.com/karalabe/hid"

// attached lists all units: hidapi cannot be asked for a few.
func attached(func(port string) bool) ([]DeviceInfo, error) { return enumerate() }

// portOf is the whole path, which does not tell the port here.
func portOf(path string) string { return path }

// openDevice opens a unit. Its report descriptor cannot be had here, so it will be asked for each report.
func openDevice(path string) (hid.Device, []byte, error) {
	dev, err := hid.DeviceInfo{Path: path}.Open()
	return dev, nil, err
}

// incarnation is not known here without asking the device.
func incarnation(string) (id string, known bool) { return "", false }
