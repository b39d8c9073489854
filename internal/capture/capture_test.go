package capture_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
)

func TestEveryBuiltInCaptureLoads(t *testing.T) {
	require.NotEmpty(t, capture.Names())
	for _, name := range capture.Names() {
		t.Run(name, func(t *testing.T) {
			c, err := capture.Load(name)
			require.NoError(t, err)
			require.Equal(t, name, c.Name, "a capture is served under the name of its file")
			require.NotEmpty(t, c.Source, "a capture names its source")
			require.NotEmpty(t, c.Expect, "a capture says what is expected of it")
		})
	}
}

func TestEveryBuiltInCaptureIsTheSameAfterARoundTrip(t *testing.T) {
	for _, name := range capture.Names() {
		t.Run(name, func(t *testing.T) {
			c, err := capture.Load(name)
			require.NoError(t, err)
			text, err := json.Marshal(c)
			require.NoError(t, err)
			again, err := capture.Parse(text)
			require.NoError(t, err)
			require.JSONEq(t, string(c.Expect), string(again.Expect))
			again.Expect = c.Expect // which is text, and was indented
			require.Equal(t, c, again)
		})
	}
}

func TestReportsInACaptureBeginWithTheirID(t *testing.T) {
	for _, name := range capture.Names() {
		c, err := capture.Load(name)
		require.NoError(t, err)
		for _, r := range c.Interfaces[0].Reports {
			if r.Error == "" {
				require.Equal(t, byte(r.ID), r.Bytes[0], "%s, report %#02x", name, r.ID)
			}
		}
	}
}

// unit is a capture with one report.
func unit(report string) string {
	return `{"name": "unit", "model": "UNIT", "source": ["a test"], "vendor_id": "09ae", "product_id": "2012", "release": "0001",
		"interfaces": [{"reports": [` + report + `]}]}`
}

func TestParse(t *testing.T) {
	c, err := capture.Parse([]byte(`{
		"name": "unit", "model": "UNIT", "source": ["a test"], "notes": ["none"],
		"vendor_id": "09ae", "product_id": "0x2012", "release": "0110",
		"manufacturer": "Tripp Lite", "product": "Tripp Lite UPS", "serial": "FW-2263 E", "strings": {"4": "PbAC"},
		"interfaces": [
			{"descriptor": "05 84 09 04", "descriptor_origin": "captured", "reports": [
				{"type": "feature", "id": "18", "bytes": "18 94 04", "origin": "captured", "note": "117.2 V"},
				{"type": "feature", "id": "19", "error": "empty", "origin": "composed"},
				{"type": "input", "id": "32", "error": "stall", "origin": "composed"}
			]},
			{"reports": []}
		],
		"expect": {"health": 100}
	}`))
	require.NoError(t, err)
	require.Equal(t, &capture.Capture{
		Name: "unit", Model: "UNIT", Source: []string{"a test"}, Notes: []string{"none"},
		VendorID: 0x09ae, ProductID: 0x2012, Release: 0x0110,
		Manufacturer: "Tripp Lite", Product: "Tripp Lite UPS", Serial: "FW-2263 E", Strings: map[int]string{4: "PbAC"},
		Interfaces: []capture.Interface{
			{Descriptor: capture.Bytes{0x05, 0x84, 0x09, 0x04}, DescriptorOrigin: capture.Captured, Reports: []capture.Report{
				{Type: capture.Feature, ID: 0x18, Bytes: capture.Bytes{0x18, 0x94, 0x04}, Origin: capture.Captured, Note: "117.2 V"},
				{Type: capture.Feature, ID: 0x19, Error: capture.Empty, Origin: capture.Composed},
				{Type: capture.Input, ID: 0x32, Error: capture.Stall, Origin: capture.Composed},
			}},
			{Reports: []capture.Report{}},
		},
		Expect: json.RawMessage(`{"health": 100}`),
	}, c)
}

func TestParseRefusesWhatCannotBeReplayed(t *testing.T) {
	for name, test := range map[string]struct{ text, why string }{
		"no JSON":            {`garbage`, `not a capture: invalid character 'g'`},
		"nothing":            {``, `not a capture: EOF`},
		"another JSON":       {`{"hello": "world"}`, `not a capture: json: unknown field "hello"`},
		"a list":             {`[]`, `not a capture: json: cannot unmarshal array`},
		"no interface":       {`{"name": "unit"}`, `not a capture: it has no interface`},
		"no UPS interface":   {strings.Replace(unit(``), `"interfaces"`, `"ups_interface": 1, "interfaces"`, 1), `not a capture: it has no interface 1`},
		"a misspelt key":     {unit(`{"type": "feature", "id": "18", "byte": "18 94 04", "origin": "captured"}`), `unknown field "byte"`},
		"no type":            {unit(`{"id": "18", "bytes": "18 94 04", "origin": "captured"}`), `interface 0,  report 0x18: type must be "feature" or "input"`},
		"another type":       {unit(`{"type": "output", "id": "18", "bytes": "18 94 04", "origin": "captured"}`), `output report 0x18: type must be "feature" or "input"`},
		"no origin":          {unit(`{"type": "feature", "id": "18", "bytes": "18 94 04"}`), `feature report 0x18: origin must be "captured" or "composed"`},
		"another origin":     {unit(`{"type": "feature", "id": "18", "bytes": "18 94 04", "origin": "guessed"}`), `feature report 0x18: origin must be "captured" or "composed"`},
		"an id of two bytes": {unit(`{"type": "feature", "id": "118", "bytes": "18 94 04", "origin": "captured"}`), `feature report 0x118: a report id is one byte`},
		"an id in words":     {unit(`{"type": "feature", "id": "voltage", "bytes": "18", "origin": "captured"}`), `"voltage" is not a hexadecimal number of at most four digits`},
		"neither bytes nor an error": {unit(`{"type": "input", "id": "18", "origin": "captured"}`),
			`interface 0, input report 0x18: it must have either bytes or an error`},
		"both bytes and an error": {unit(`{"type": "feature", "id": "18", "bytes": "18 94 04", "error": "stall", "origin": "captured"}`),
			`feature report 0x18: it must have either bytes or an error`},
		"another error":   {unit(`{"type": "feature", "id": "18", "error": "late", "origin": "captured"}`), `feature report 0x18: error must be "empty" or "stall"`},
		"half a byte":     {unit(`{"type": "feature", "id": "18", "bytes": "18 9", "origin": "captured"}`), `"18 9": encoding/hex: odd length hex string`},
		"no hexadecimal":  {unit(`{"type": "feature", "id": "18", "bytes": "18 zz", "origin": "captured"}`), `"18 zz": encoding/hex: invalid byte`},
		"a product of 17": {strings.Replace(unit(``), "2012", "12012", 1), `"12012" is not a hexadecimal number of at most four digits`},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := capture.Parse([]byte(test.text))
			require.ErrorContains(t, err, test.why)
			require.Nil(t, c)
		})
	}
}

func TestLoad(t *testing.T) {
	t.Run("a built-in capture", func(t *testing.T) {
		c, err := capture.Load("smart1500lcdxl")
		require.NoError(t, err)
		require.Equal(t, "SMART1500LCDXL", c.Model)
		require.Equal(t, capture.ID(0x2012), c.ProductID)
	})
	t.Run("a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "mine.json")
		require.NoError(t, os.WriteFile(file, []byte(unit(`{"type": "feature", "id": "32", "bytes": "32 02", "origin": "captured"}`)), 0o644))
		c, err := capture.Load(file)
		require.NoError(t, err)
		require.Equal(t, "UNIT", c.Model)
	})
	t.Run("neither", func(t *testing.T) {
		_, err := capture.Load("smart1500")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, `"smart1500" is neither a capture file nor one of the built-in captures: `+strings.Join(capture.Names(), ", "))
	})
	t.Run("a file that cannot be read", func(t *testing.T) {
		dir := t.TempDir() // reading a directory fails for root too
		_, err := capture.Load(dir)
		require.ErrorContains(t, err, dir)
		require.NotErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("a file that is no capture", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "garbage.json")
		require.NoError(t, os.WriteFile(file, []byte("garbage"), 0o644))
		_, err := capture.Load(file)
		require.ErrorContains(t, err, file+": not a capture: ")
	})
}

func TestBytesAreWrittenAsADebugLogShowsThem(t *testing.T) {
	few, err := capture.Bytes{0x18, 0x94, 0x04}.MarshalText()
	require.NoError(t, err)
	require.Equal(t, "18 94 04", string(few))

	many, err := make(capture.Bytes, 65).MarshalText()
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("00", 65), string(many), "a descriptor is one long word")
}

// device is a unit with one of each kind of answer, and two input reports.
func device(t *testing.T) *capture.Device {
	t.Helper()
	c, err := capture.Parse([]byte(unit(`
		{"type": "feature", "id": "18", "bytes": "18 94 04", "origin": "captured"},
		{"type": "feature", "id": "66", "error": "empty", "origin": "captured"},
		{"type": "feature", "id": "17", "error": "stall", "origin": "captured"},
		{"type": "input", "id": "35", "bytes": "35 ec 03", "origin": "captured"},
		{"type": "input", "id": "33", "error": "stall", "origin": "captured"},
		{"type": "input", "id": "32", "bytes": "32 02", "origin": "captured"}`)))
	require.NoError(t, err)
	d := c.Device(0)
	t.Cleanup(func() { d.Close() })
	return d
}

var _ hid.Device = (*capture.Device)(nil)

func TestDeviceAnswersWithTheCapturedBytes(t *testing.T) {
	d := device(t)
	for name, test := range map[string]struct {
		id   byte
		size int
		want []byte
	}{
		"the declared length": {0x18, 3, []byte{0x18, 0x94, 0x04}},
		"room for more":       {0x18, 8, []byte{0x18, 0x94, 0x04}},
		"room for less":       {0x18, 2, []byte{0x18, 0x94}},
		"an empty answer":     {0x66, 8, []byte{}},
	} {
		buffer := make([]byte, test.size)
		buffer[0] = test.id
		n, err := d.GetFeatureReport(buffer)
		require.NoError(t, err, name)
		require.Equal(t, test.want, buffer[:n], name)
	}
	n, err := d.GetFeatureReport(nil)
	require.NoError(t, err)
	require.Zero(t, n, "no room for an id asks for nothing")
}

func TestDeviceStallsWhatItDoesNotHave(t *testing.T) {
	d := device(t)
	for _, id := range []byte{0x17, 0x99, 0x35} { // captured as a stall, not captured, captured as an input only
		n, err := d.GetFeatureReport([]byte{id, 0, 0})
		require.ErrorContains(t, err, "stalled")
		require.Zero(t, n)
	}
	_, err := d.Write([]byte{0x18, 0})
	require.EqualError(t, err, "the unit has no output reports")
}

func TestDeviceShowsWhatWasSet(t *testing.T) {
	d := device(t)
	buffer := make([]byte, 3)

	d.Set(0x18, 0x00, 0x05)
	buffer[0] = 0x18
	n, err := d.GetFeatureReport(buffer)
	require.NoError(t, err)
	require.Equal(t, []byte{0x18, 0x00, 0x05}, buffer[:n])

	written := []byte{0x17, 0x0a, 0x00}
	n, err = d.SendFeatureReport(written)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	written[1] = 0xff // the caller may use its buffer again
	buffer[0] = 0x17
	n, err = d.GetFeatureReport(buffer)
	require.NoError(t, err)
	require.Equal(t, []byte{0x17, 0x0a, 0x00}, buffer[:n], "what was a stall is what was written")

	n, err = d.SendFeatureReport(nil)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestDeviceSendsItsInputReportsInOrder(t *testing.T) {
	d := device(t)
	d.Push(0x34, 0x64)
	buffer := make([]byte, 64)
	for _, want := range [][]byte{{0x35, 0xec, 0x03}, {0x32, 0x02}, {0x34, 0x64}} {
		n, err := d.ReadTimeout(buffer, 0)
		require.NoError(t, err)
		require.Equal(t, want, buffer[:n])
	}
	for _, milliseconds := range []int{0, 5} {
		n, err := d.ReadTimeout(buffer, milliseconds)
		require.NoError(t, err, "nothing in time is no failure")
		require.Zero(t, n)
	}
}

func TestDeviceCutsAnInputReportToTheBuffer(t *testing.T) {
	buffer := make([]byte, 2)
	n, err := device(t).Read(buffer)
	require.NoError(t, err)
	require.Equal(t, []byte{0x35, 0xec}, buffer[:n])
}

func TestReadWaitsForAReport(t *testing.T) {
	d := device(t)
	drain(t, d)
	read := make(chan []byte)
	go func() {
		buffer := make([]byte, 8)
		n, _ := d.Read(buffer)
		read <- buffer[:n]
	}()
	select {
	case report := <-read:
		t.Fatalf("read % x although none was sent", report)
	case <-time.After(20 * time.Millisecond):
	}
	d.Push(0x32, 0x08)
	require.Equal(t, []byte{0x32, 0x08}, <-read)
}

func TestClosedDeviceRefusesEverything(t *testing.T) {
	d := device(t)
	drain(t, d)
	ended := make(chan error)
	go func() {
		_, err := d.Read(make([]byte, 8))
		ended <- err
	}()
	require.NoError(t, d.Close())
	select {
	case err := <-ended:
		require.ErrorIs(t, err, hid.ErrDeviceClosed)
	case <-time.After(10 * time.Second):
		t.Fatal("a read that waits does not end")
	}

	require.NoError(t, d.Close(), "twice is no error")
	for name, call := range map[string]func([]byte) (int, error){
		"GetFeatureReport":  d.GetFeatureReport,
		"SendFeatureReport": d.SendFeatureReport,
		"Read":              d.Read,
	} {
		n, err := call([]byte{0x18, 0, 0})
		require.ErrorIs(t, err, hid.ErrDeviceClosed, name)
		require.Zero(t, n, name)
	}
}

func TestDevicesOfOneCaptureAreApart(t *testing.T) {
	c, err := capture.Load("smart1500lcd")
	require.NoError(t, err)
	one, two := c.Device(0), c.Device(0)
	one.Set(0x32, 0x08)
	require.NoError(t, one.Close())

	buffer := []byte{0x32, 0}
	_, err = two.GetFeatureReport(buffer)
	require.NoError(t, err)
	require.Equal(t, []byte{0x32, 0x62}, buffer)
}

func TestDeviceIsSafeForManyGoroutines(t *testing.T) {
	d := device(t)
	var calls sync.WaitGroup
	for i := range 8 {
		calls.Add(1)
		go func() {
			defer calls.Done()
			buffer := make([]byte, 8)
			for range 50 {
				buffer[0] = 0x18
				if n, err := d.GetFeatureReport(buffer); err != nil || n != 3 || buffer[1] != buffer[2] && buffer[1] != 0x94 {
					t.Errorf("read % x, %v, which is half of one report and half of another", buffer[:n], err)
				}
				d.Set(0x18, byte(i), byte(i))
				if _, err := d.ReadTimeout(buffer, 0); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	calls.Wait()
}

// drain takes the input reports that were captured.
func drain(t *testing.T, d *capture.Device) {
	t.Helper()
	buffer := make([]byte, 8)
	for {
		n, err := d.ReadTimeout(buffer, 0)
		require.NoError(t, err)
		if n == 0 {
			return
		}
	}
}
