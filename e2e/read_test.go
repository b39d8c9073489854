//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

func TestNoUnit(t *testing.T) {
	paths, err := tripplite.Paths()
	require.NoError(t, err)
	assert.Empty(t, paths)
	_, err = tripplite.Open("")
	require.ErrorIs(t, err, tripplite.ErrNotFound)

	ran := tool(t, nil, "tripplite")
	assert.Equal(t, 1, ran.status)
	assert.Empty(t, ran.stdout)
	assert.Contains(t, oneLine(t, ran.stderr), "check the USB cable")
}

// atOnce is how many units are attached together: the virtual host controller has fifteen ports.
const atOnce = 12

func TestTheKernelTakesEveryCaptureAndTheToolPrintsWhatItSays(t *testing.T) {
	for names := range slices.Chunk(capture.Names(), atOnce) {
		before := kernelLog(t)
		var captures []*capture.Capture
		for _, name := range names {
			captures = append(captures, load(t, name))
		}
		units := attach(t, captures...)
		log := strings.TrimPrefix(kernelLog(t), before)
		for _, complaint := range []string{"item fetching failed", "unknown main item", "unbalanced", "parse failed", "probe with driver hid-generic failed", "unable to read config"} {
			assert.NotContains(t, log, complaint, names)
		}
		ran := tool(t, nil, "tripplite")
		require.Zero(t, ran.status, ran.stderr)
		said := map[string]map[string]any{}
		for _, object := range objects(t, ran.stdout) {
			said[object["device_id"].(string)] = object
		}
		for _, u := range units {
			t.Run(u.Capture().Name, func(t *testing.T) {
				assert.Regexp(t, fmt.Sprintf(`hid-generic 0003:%04X:%04X\.`, uint16(u.Capture().VendorID), uint16(u.Capture().ProductID)), log)
				object := said[u.path]
				require.NotNil(t, object)
				delete(object, "device_id")
				delete(object, "time")
				if config, ok := object["config"].(map[string]any); ok {
					delete(config, "device chemistry") // a string, which a capture does not have
				}
				text, err := json.Marshal(object)
				require.NoError(t, err)
				assert.JSONEq(t, string(u.Capture().Expect), string(text))
			})
		}
		unplug(t, units)
	}
}

func unplug(t testing.TB, units []*unit) {
	t.Helper()
	for _, u := range units {
		u.Unplug()
	}
	for _, u := range units {
		require.NoError(t, u.Detach())
	}
}

func TestLsusbShowsTheUnits(t *testing.T) {
	attach(t, load(t, "smart1500lcd"), load(t, "pro1500rt2u"))
	listed := tool(t, nil, "lsusb")
	assert.Zero(t, listed.status, listed.stderr)
	assert.Contains(t, listed.stdout, "ID 09ae:2012")
	assert.Contains(t, listed.stdout, "ID 05dd:a0a0")
}

func TestEightUnitsAreListedInAFixedOrder(t *testing.T) {
	var captures []*capture.Capture
	for range 8 {
		captures = append(captures, load(t, "smart1500lcd")) // twins: the same strings and no serial
	}
	units := attach(t, captures...)
	want := map[string]bool{}
	for _, u := range units {
		want[u.path] = true
	}
	first, err := tripplite.Devices()
	require.NoError(t, err)
	require.Len(t, first, 8)
	for i, d := range first {
		assert.True(t, want[d.Path], d.Path)
		assert.Equal(t, uint16(0x09ae), d.VendorID)
		assert.Equal(t, uint16(0x2012), d.ProductID)
		assert.Equal(t, uint16(0x0001), d.Release)
		assert.Equal(t, "Tripp Lite 2xxx", d.Family)
		assert.Equal(t, "Tripp Lite", d.Manufacturer)
		assert.Equal(t, "Tripp Lite UPS", d.Product)
		assert.Empty(t, d.Serial)
		if i > 0 {
			assert.Less(t, len(first[i-1].Path)*1000+int(first[i-1].Path[2]), len(d.Path)*1000+int(d.Path[2]), "by bus and port")
		}
	}
	for range 5 {
		again, err := tripplite.Devices()
		require.NoError(t, err)
		assert.Equal(t, first, again)
	}
	for _, u := range units {
		assert.Zero(t, u.Counts().Transfers(), "listing asks the kernel alone")
	}

	if !overHidapi {
		return
	}
	infos, err := hid.Enumerate(0x09ae, 0)
	require.NoError(t, err)
	named := map[string]bool{}
	for _, info := range infos {
		named[info.Path] = true
	}
	assert.Equal(t, want, named, "hidapi names them alike")
}

// objects reads what the tool prints: one object, or a list of them.
func objects(t *testing.T, text string) []map[string]any {
	t.Helper()
	var list []map[string]any
	if strings.HasPrefix(text, "{") {
		text = "[" + text + "]"
	}
	require.NoError(t, json.Unmarshal([]byte(text), &list))
	return list
}

func TestTheToolPrintsAListForSeveral(t *testing.T) {
	units := attach(t, load(t, "smart1500lcd"), load(t, "pro1500rt2u"))
	ran := tool(t, nil, "tripplite")
	require.Zero(t, ran.status, ran.stderr)
	var list []map[string]any
	require.NoError(t, json.Unmarshal([]byte(ran.stdout), &list))
	require.Len(t, list, 2)

	ran = tool(t, nil, "tripplite", "--path", units[1].path)
	require.Zero(t, ran.status, ran.stderr)
	var one map[string]any
	require.NoError(t, json.Unmarshal([]byte(ran.stdout), &one))
	assert.Equal(t, units[1].path, one["device_id"])

	ran = tool(t, nil, "tripplite", "--path", "9-9:1.0")
	assert.Equal(t, 1, ran.status)
	assert.Contains(t, oneLine(t, ran.stderr), "9-9:1.0")
}

func TestTheChemistryOfTheBatteryIsRead(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	b := u.openIn(t)
	state, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, tripplite.ValueOf("PbAC"), state.Config.DeviceChemistry, "string 4, which report 2a names")
	require.NoError(t, b.Close())

	installRule(t)
	ran := tool(t, nobody(tripplites(t)), "tripplite", "get", "config.device-chemistry")
	assert.Equal(t, "PbAC\n", ran.stdout, ran.stderr)
}

func TestAGetCostsElevenTransfers(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	b := u.open()
	_, err := b.Get(t.Context())
	require.NoError(t, err)
	u.ResetCounts()
	_, err = b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 11, u.Counts().Transfers())
}

func TestWhereTheDescriptorComesFrom(t *testing.T) {
	t.Run("sysfs", func(t *testing.T) {
		u := attachOne(t, "smart1500lcd")
		dump, err := u.open().Dump(t.Context(), 0)
		require.NoError(t, err)
		assert.Equal(t, []byte(load(t, "smart1500lcd").Interfaces[0].Descriptor), dump.Descriptor)
	})
	t.Run("the unit, while usbhid is detached", func(t *testing.T) {
		u := attachOne(t, "smart1500lcd")
		require.NoError(t, os.WriteFile("/sys/bus/usb/drivers/usbhid/unbind", []byte(u.path), 0))
		files, err := filepath.Glob(filepath.Join("/sys/bus/usb/devices", u.path, "*", "report_descriptor"))
		require.NoError(t, err)
		require.Empty(t, files)
		dump, err := u.open().Dump(t.Context(), 0)
		require.NoError(t, err)
		assert.Equal(t, []byte(load(t, "smart1500lcd").Interfaces[0].Descriptor), dump.Descriptor)
		if !overHidapi {
			assert.Equal(t, "usbhid", driverOf(u.path), "the interface was given back")
		}
	})
	for name, change := range map[string]func(*capture.Capture){
		"nowhere": func(c *capture.Capture) { c.Interfaces[0].Descriptor = nil },
		"the unit, garbage that the kernel refuses": func(c *capture.Capture) {
			c.Interfaces[0].Descriptor = []byte("\xa1\x01\xff\xff garbage \x00\x01\x02\x03")
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, unitName := range []string{"smart1500lcd", "pro1500rt2u"} {
				c := load(t, unitName)
				change(c)
				units := attachWithoutDriver(t, c)
				if overHidapi {
					b := units.open()
					assert.JSONEq(t, expected(t, unitName), asExpected(t, b), "the unit was asked for each report")
					require.NoError(t, b.Close())
				} else { // this program has no hidapi, and the kernel made no node
					_, err := tripplite.Open(units.path)
					require.ErrorIs(t, err, tripplite.ErrUnsupported)
					require.ErrorContains(t, err, units.path)
				}
				units.Unplug()
				require.NoError(t, units.Detach())
			}
		})
	}
}

// attachWithoutDriver attaches a unit that usbhid will not have.
func attachWithoutDriver(t *testing.T, c *capture.Capture) *unit {
	t.Helper()
	u := &unit{UPS: server.Add(c), t: t}
	t.Cleanup(func() {
		u.Unplug()
		assert.NoError(t, u.Detach())
	})
	require.NoError(t, u.Attach(-1))
	var err error
	u.path, err = u.Interfaces[0].Path()
	require.NoError(t, err)
	udevadm(t, "settle")
	_, err = os.Readlink(filepath.Join("/sys/bus/usb/devices", u.path, "driver"))
	if err != nil {
		require.True(t, errors.Is(err, fs.ErrNotExist), err)
	}
	return u
}

// driverOf returns the name of the driver that has an interface, or "".
func driverOf(path string) string {
	link, err := os.Readlink(filepath.Join("/sys/bus/usb/devices", path, "driver"))
	if err != nil {
		return ""
	}
	return filepath.Base(link)
}
