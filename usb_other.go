//go:build !linux

package tripplite

import "github.com/karalabe/hid"

// attached lists the units; the path of one that is looked for is no help here.
func attached(string) ([]DeviceInfo, error) { return enumerate() }

// openDevice opens a unit. Its report descriptor cannot be had here, so it will be asked for each report.
func openDevice(path string) (hid.Device, []byte, error) {
	dev, err := hid.DeviceInfo{Path: path}.Open()
	return dev, nil, err
}

// incarnation is not known here without asking the device.
func incarnation(string) (id string, known bool) { return "", false }
