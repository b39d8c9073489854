//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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

func TestTheKernelTakesEveryCaptureWithoutComplaint(t *testing.T) {
	before := kernelLog(t)
	for _, name := range capture.Names() {
		c := load(t, name)
		units := attach(t, c)
		log := strings.TrimPrefix(kernelLog(t), before)
		before = kernelLog(t)
		for _, iface := range c.Interfaces {
			if len(iface.Descriptor) == 0 {
				continue
			}
			assert.Contains(t, log, "hid-generic", name)
		}
		for _, complaint := range []string{"item fetching failed", "unknown main item", "unbalanced", "parse failed", "probe with driver hid-generic failed", "unable to read config"} {
			assert.NotContains(t, log, complaint, name)
		}
		units[0].Unplug()
		require.NoError(t, units[0].Detach())
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

	infos, err := hid.Enumerate(0x09ae, 0)
	require.NoError(t, err)
	hidapi := map[string]bool{}
	for _, info := range infos {
		hidapi[info.Path] = true
	}
	assert.Equal(t, want, hidapi, "hidapi names them alike")
}

func TestTheToolPrintsWhatTheCaptureSays(t *testing.T) {
	for _, name := range capture.Names() {
		if load(t, name).Expect == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			u := attachOne(t, name)
			ran := tool(t, nil, "tripplite")
			require.Zero(t, ran.status, ran.stderr)
			assert.Empty(t, ran.stderr)
			var object map[string]any
			require.NoError(t, json.Unmarshal([]byte(ran.stdout), &object))
			assert.Equal(t, u.path, object["device_id"])
			delete(object, "device_id")
			delete(object, "time")
			text, err := json.Marshal(object)
			require.NoError(t, err)
			assert.JSONEq(t, expected(t, name), string(text))
		})
	}
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

func TestAGetCostsTenTransfers(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	b := u.open()
	_, err := b.Get(t.Context())
	require.NoError(t, err)
	u.ResetCounts()
	_, err = b.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 10, u.Counts().Transfers())
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
				b := units.open()
				state, err := b.Get(t.Context())
				require.NoError(t, err)
				state.Controls, err = b.Controls(t.Context())
				require.NoError(t, err)
				assert.JSONEq(t, expected(t, unitName), asExpected(t, state), "the unit was asked for each report")
				require.NoError(t, b.Close())
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
