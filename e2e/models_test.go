//go:build e2e && linux

package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// keyboard is the descriptor of a HID interface that is no UPS (HID 1.11, appendix B.1, its eight modifier keys).
var keyboard = []byte{0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02, 0xc0}

func TestAUnitWithADecoyInterfaceIsListedOnceAndReadRight(t *testing.T) {
	ups := load(t, "smart1500lcd").Interfaces[0]
	mute := capture.Interface{Descriptor: ups.Descriptor} // declares a UPS and answers nothing
	for name, row := range map[string]struct {
		product    capture.ID
		interfaces []capture.Interface
		iface      int
	}{
		"a keyboard before the UPS":                       {0x2012, []capture.Interface{{Descriptor: keyboard}, ups}, 1},
		"a keyboard behind the UPS":                       {0x2012, []capture.Interface{ups, {Descriptor: keyboard}}, 0},
		"a 3028, whose first interface reads nothing":     {0x3028, []capture.Interface{mute, ups}, 1},
		"a 3028, whose first interface has no descriptor": {0x3028, []capture.Interface{{}, ups}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, "smart1500lcd")
			c.ProductID, c.Interfaces = row.product, row.interfaces
			u := attach(t, c)[0]
			want, err := u.Interfaces[row.iface].Path()
			require.NoError(t, err)
			for range 2 { // the second time while it is open
				devices, err := tripplite.Devices()
				require.NoError(t, err)
				require.Len(t, devices, 1)
				assert.Equal(t, want, devices[0].Path)
				assert.Equal(t, row.iface, devices[0].Interface)
				if row.iface == 1 {
					u.path = want
				}
				b, err := tripplite.Open("")
				if err != nil {
					require.True(t, overHidapi)
					require.ErrorIs(t, err, tripplite.ErrBusy)
					continue
				}
				t.Cleanup(func() { b.Close() })
				state, err := b.Get(t.Context())
				require.NoError(t, err)
				assert.Equal(t, tripplite.ValueOf(true), state.Status.ACPresent)
				assert.Equal(t, tripplite.ValueOf(117.2), state.Input.Voltage)
			}
		})
	}
}

func TestADeviceOfTheVendorThatIsNoUPSIsNotListed(t *testing.T) {
	c := load(t, "smart1500lcd")
	c.ProductID, c.Interfaces = 0x9999, []capture.Interface{{Descriptor: keyboard}}
	attach(t, c)
	devices, err := tripplite.Devices()
	require.NoError(t, err)
	assert.Empty(t, devices)
}

func TestOtherVendorsDevicesAreNotTouched(t *testing.T) {
	c := load(t, "smart1500lcd")
	c.VendorID, c.ProductID = 0x03f0, 0x0024 // of HP's, and none of the twins
	u := attach(t, c)[0]
	devices, err := tripplite.Devices()
	require.NoError(t, err)
	assert.Empty(t, devices)
	_, err = tripplite.Open(u.path)
	require.ErrorIs(t, err, tripplite.ErrNotFound)
	assert.Zero(t, u.Counts().Transfers())
}

func TestAnUnknownProductIsReadByItsDescriptor(t *testing.T) {
	c := load(t, "pro1500rt2u")
	c.VendorID, c.ProductID = 0x09ae, 0x3999
	u := attach(t, c)[0]
	b := u.open()
	assert.Equal(t, "Tripp Lite", b.Info().Family)
	assert.JSONEq(t, expected(t, "pro1500rt2u"), asExpected(t, b))
}

func TestTwoIdenticalUnitsAreToldApartByTheirPorts(t *testing.T) {
	units := attach(t, load(t, "smart1500lcd"), load(t, "smart1500lcd"))
	units[0].SetReport(capture.Feature, 0x18, 0xd9, 0x03) // 98.5 V
	first, err := units[0].open().Get(t.Context())
	require.NoError(t, err)
	second, err := units[1].open().Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, tripplite.ValueOf(98.5), first.Input.Voltage)
	assert.Equal(t, tripplite.ValueOf(117.2), second.Input.Voltage)
	assert.NotEqual(t, first.Path, second.Path)
}
