package tripplite

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// plugCapture adds the unit of a capture, with all its interfaces, at a port.
func plugCapture(t *testing.T, u usb, port, name string) *capture.Capture {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	strings := files{"bcdDevice": fmt.Sprintf("%04x\n", uint16(c.Release))}
	for file, text := range map[string]string{"manufacturer": c.Manufacturer, "product": c.Product, "serial": c.Serial} {
		if text != "" {
			strings[file] = text + "\n"
		}
	}
	plug(t, u, port, ids(fmt.Sprintf("%04x", uint16(c.VendorID)), fmt.Sprintf("%04x", uint16(c.ProductID))), strings)
	for n, iface := range c.Interfaces {
		dir := fmt.Sprintf("%s:1.%d", port, n)
		plug(t, u, dir, hidInterface(n))
		if iface.Descriptor != nil {
			plug(t, u, dir, reportDescriptor(iface.Descriptor))
		}
	}
	return c
}

func TestEveryCapturedUnitIsListedOnceByTheInterfaceOfTheUPS(t *testing.T) {
	families := map[string]string{
		"hp-t1500g3": "HP", "pro1500rt2u": "Delta/Minuteman",
		"unlisted-3099": "Tripp Lite", "without-acpresent": "Tripp Lite", "input-only": "Tripp Lite",
		"avr750u": "Tripp Lite 1xxx", "smart1500lcd": "Tripp Lite 2xxx", "br1500lcdt": "Tripp Lite 3xxx", "su1500rtxlcd2u": "Tripp Lite 4xxx",
	}
	u := fakeUSB(t)
	units := map[string]*capture.Capture{} // by path
	for i, name := range capture.Names() {
		port := fmt.Sprintf("1-%d", i+1)
		c := plugCapture(t, u, port, name)
		units[fmt.Sprintf("%s:1.%d", port, c.UPSInterface)] = c
	}
	useSystem(t, u)

	devices, err := Devices()
	require.NoError(t, err)
	require.Len(t, devices, len(units))
	for _, d := range devices {
		c := units[d.Path]
		require.NotNil(t, c, d.Path)
		assert.Equal(t, DeviceInfo{
			Path: d.Path, VendorID: uint16(c.VendorID), ProductID: uint16(c.ProductID), Family: d.Family, Release: uint16(c.Release),
			Serial: c.Serial, Manufacturer: c.Manufacturer, Product: c.Product, Interface: c.UPSInterface,
		}, d)
		assert.NotEmpty(t, d.Family)
		if want, ok := families[c.Name]; ok {
			assert.Equal(t, want, d.Family, c.Name)
		}
	}
}

func TestADecoyIsPassedOverWhicheverInterfaceItHas(t *testing.T) {
	c, err := capture.Load("br1500lcdt")
	require.NoError(t, err)
	decoy, ups := c.Interfaces[0].Descriptor, c.Interfaces[1].Descriptor
	for _, product := range []string{"3028", "3099"} { // the family tells of the one, the descriptors alone of the other
		for i, interfaces := range [][][]byte{{ups, decoy}, {decoy, ups}, {decoy, decoy, ups}} {
			u := fakeUSB(t)
			plug(t, u, "1-1", ids("09ae", product))
			for n, descriptor := range interfaces {
				dir := fmt.Sprintf("1-1:1.%d", n)
				plug(t, u, dir, hidInterface(n))
				plug(t, u, dir, reportDescriptor(descriptor))
			}
			assert.Equal(t, []string{fmt.Sprintf("1-1:1.%d", i)}, attachedPaths(t, u), product)
		}
	}
}

func TestUnitsWithTheSameSerialAreToldApartByTheirPorts(t *testing.T) {
	// The serial strings of these two are the label of one firmware; the next two have none.
	u := fakeUSB(t)
	for port, name := range map[string]string{"1-1": "avr750u", "1-2": "smart1500lcd-2007", "1-3": "avr900u", "1-4": "bcpers450"} {
		plugCapture(t, u, port, name)
	}
	useSystem(t, u)

	devices, err := Devices()
	require.NoError(t, err)
	require.Len(t, devices, 4)
	assert.Equal(t, devices[0].Serial, devices[1].Serial)
	assert.Equal(t, "FW-2263 E", devices[0].Serial)
	assert.Empty(t, devices[2].Serial+devices[3].Serial)
	for i, d := range devices {
		assert.Equal(t, fmt.Sprintf("1-%d:1.0", i+1), d.Path)
		found, err := lookup(d.Path)
		require.NoError(t, err)
		assert.Equal(t, d, found)
	}
}
