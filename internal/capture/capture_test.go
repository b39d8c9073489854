package capture_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

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

// unit is a capture with these reports.
func unit(reports string) string {
	return `{"name": "unit", "model": "UNIT", "source": ["a test"],
		"vendor_id": "09ae", "product_id": "2012", "release": "0001",
		"interfaces": [{"reports": [` + reports + `]}]}`
}

// feature is a feature report with these further keys.
func feature(keys string) string { return `{"type": "feature", "id": "18", ` + keys + `}` }

func TestParse(t *testing.T) {
	c, err := capture.Parse([]byte(`{
		"name": "unit", "model": "UNIT", "source": ["a test"], "notes": ["none"],
		"vendor_id": "09ae", "product_id": "0x2012", "release": "0110",
		"manufacturer": "Tripp Lite", "product": "Tripp Lite UPS", "serial": "FW-2263 E",
		"strings": {"4": "PbAC"},
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
		Manufacturer: "Tripp Lite", Product: "Tripp Lite UPS", Serial: "FW-2263 E",
		Strings: map[int]string{4: "PbAC"},
		Interfaces: []capture.Interface{
			{
				Descriptor:       capture.Bytes{0x05, 0x84, 0x09, 0x04},
				DescriptorOrigin: capture.Captured,
				Reports: []capture.Report{
					{Type: capture.Feature, ID: 0x18, Bytes: capture.Bytes{0x18, 0x94, 0x04},
						Origin: capture.Captured, Note: "117.2 V"},
					{Type: capture.Feature, ID: 0x19, Error: capture.Empty, Origin: capture.Composed},
					{Type: capture.Input, ID: 0x32, Error: capture.Stall, Origin: capture.Composed},
				},
			},
			{Reports: []capture.Report{}},
		},
		Expect: json.RawMessage(`{"health": 100}`),
	}, c)
}

func TestParseRefusesWhatCannotBeReplayed(t *testing.T) {
	const bytes, origin = `"bytes": "18 94 04"`, `"origin": "captured"`
	const ids = ` is not a hexadecimal number of at most four digits`
	const answer = `it must have bytes that begin with its id, or error "empty" or "stall", ` +
		`or as a feature report error "wrong id" and bytes of another id`
	const pairs = ` is not bytes of two hexadecimal digits each`
	for name, test := range map[string]struct{ text, why string }{
		"no JSON":        {`garbage`, `invalid character 'g' looking for beginning of value (at byte 1)`},
		"nothing":        {``, `unexpected end of JSON input (at byte 0)`},
		"half of it":     {`{"name": "unit"`, `unexpected end of JSON input (at byte 15)`},
		"two of them":    {`{}{}`, `invalid character '{' after top-level value (at byte 3)`},
		"another JSON":   {`{"hello": "world"}`, `json: unknown field "hello"`},
		"a list":         {`[]`, `the whole has a value of the wrong kind (array)`},
		"no interface":   {`{"name": "unit"}`, `it has no interface 0`},
		"a name of 7":    {`{"name": 7}`, `name has a value of the wrong kind (number)`},
		"no list":        {`{"interfaces": {}}`, `interfaces has a value of the wrong kind (object)`},
		"no hexadecimal": {`{"vendor_id": "Tripp"}`, `"Tripp"` + ids},
		"no descriptor": {`{"interfaces": [{"descriptor": 5}]}`,
			`interfaces.descriptor has a value of the wrong kind (number)`},
		"no UPS interface": {`{"ups_interface": 1, "interfaces": [{}]}`, `it has no interface 1`},
		"a product of 17":  {strings.Replace(unit(``), "2012", "12012", 1), `"12012"` + ids},
		"a report of another kind": {unit(`"18 94 04"`),
			`interfaces.reports has a value of the wrong kind (string)`},
		"a misspelt key": {unit(feature(`"byte": "18"`)), `json: unknown field "byte"`},
		"bytes of another kind": {unit(feature(`"bytes": 18`)),
			`interfaces.reports.bytes has a value of the wrong kind (number)`},
		"half a byte":    {unit(feature(`"bytes": "18 9"`)), `"18 9"` + pairs},
		"bytes in words": {unit(feature(`"bytes": "18 zz"`)), `"18 zz"` + pairs},
		"an id in words": {unit(`{"id": "voltage"}`), `"voltage"` + ids},
		"an id of two bytes": {unit(`{"type": "feature", "id": "118", "bytes": "18", ` + origin + `}`),
			`interface 0, feature report 0x118: a report id is one byte`},
		"no type": {unit(`{"id": "18", ` + bytes + `, ` + origin + `}`),
			`interface 0,  report 0x18: type must be "feature" or "input", or in traffic "sent"`},
		"another type": {unit(`{"type": "output", "id": "18", ` + bytes + `, ` + origin + `}`),
			`interface 0, output report 0x18: type must be "feature" or "input", or in traffic "sent"`},
		"no origin": {unit(feature(bytes)),
			`interface 0, feature report 0x18: origin must be "captured" or "composed"`},
		"another origin": {unit(feature(bytes + `, "origin": "guessed"`)),
			`interface 0, feature report 0x18: origin must be "captured" or "composed"`},
		"neither bytes nor an error": {unit(feature(origin)),
			`interface 0, feature report 0x18: ` + answer},
		"both bytes and an error": {unit(feature(bytes + `, "error": "stall", ` + origin)),
			`interface 0, feature report 0x18: ` + answer},
		"the same twice": {unit(feature(bytes+`, `+origin) + `, ` + feature(bytes+`, `+origin)),
			`interface 0, feature report 0x18: it is there twice`},
		"another error": {unit(feature(`"error": "late", ` + origin)),
			`interface 0, feature report 0x18: ` + answer},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := capture.Parse([]byte(test.text))
			require.EqualError(t, err, "not a capture: "+test.why)
			require.Nil(t, c)
		})
	}
}

// zeros is /dev/zero.
type zeros struct{ read int }

func (z *zeros) Read(b []byte) (int, error) {
	clear(b)
	z.read += len(b)
	return len(b), nil
}

func TestAFileThatHasNoEndIsNotReadToIt(t *testing.T) {
	var endless zeros
	_, err := capture.Read(&endless)
	require.EqualError(t, err, "not a capture: it has more than 4194304 bytes")
	require.Less(t, endless.read, 5<<20)
}

func TestWhatTheToolCapturesIsNotTooMuch(t *testing.T) {
	// It takes 10,000 input reports, here each of 64 bytes.
	report := fmt.Sprintf(
		`{"type": "input", "id": "18", "bytes": "18 % x", "origin": "captured"}`, make([]byte, 63))
	c, err := capture.Parse([]byte(unit(strings.Repeat(report+",\n        ", 9_999) + report)))
	require.NoError(t, err)
	require.Len(t, c.Interfaces[0].Reports, 10_000)
}

func TestAReaderThatFailsIsTheError(t *testing.T) {
	broken := errors.New("input/output error")
	_, err := capture.Read(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
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
		require.NoError(t, os.WriteFile(file, []byte(unit(``)), 0o644))
		c, err := capture.Load(file)
		require.NoError(t, err)
		require.Equal(t, "UNIT", c.Model)
	})
	t.Run("neither", func(t *testing.T) {
		_, err := capture.Load("smart1500")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err,
			`"smart1500" is neither a capture file nor one of the built-in captures: `+
				strings.Join(capture.Names(), ", "))
	})
	t.Run("a file that cannot be read", func(t *testing.T) {
		dir := t.TempDir() // reading a directory fails for root too
		_, err := capture.Load(dir)
		require.Equal(t, 1, strings.Count(err.Error(), dir), err)
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
	_, err := d.GetFeatureReport(nil)
	require.EqualError(t, err, "the buffer has no room for the report id")
}

func TestDeviceStallsWhatItDoesNotHave(t *testing.T) {
	d := device(t)
	// Captured as a stall, not captured, captured as an input report only.
	for _, id := range []byte{0x17, 0x99, 0x35} {
		n, err := d.GetFeatureReport([]byte{id, 0, 0})
		require.ErrorContains(t, err, "stalled")
		require.Zero(t, n)
	}
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

	_, err = d.SendFeatureReport(nil)
	require.EqualError(t, err, "the buffer has no room for the report id")
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
	n, err := d.ReadTimeout(buffer, 0)
	require.NoError(t, err, "nothing in time is no failure")
	require.Zero(t, n)
}

func TestDeviceCutsAnInputReportToTheBuffer(t *testing.T) {
	buffer := make([]byte, 2)
	n, err := device(t).ReadTimeout(buffer, -1)
	require.NoError(t, err)
	require.Equal(t, []byte{0x35, 0xec}, buffer[:n])
}

func TestTheNewestInputReportsAreKept(t *testing.T) {
	d := device(t)
	for i := range 1000 {
		d.Push(0x34, byte(i%100))
	}
	reports := drain(t, d)
	require.Len(t, reports, 30)
	require.Equal(t, []byte{0x34, 99}, reports[29])
}

func TestReadWaitsForAReport(t *testing.T) {
	const soon = 2 * time.Second
	push := func(d *capture.Device) { d.Push(0x32, 8) }
	for name, test := range map[string]struct {
		milliseconds int
		happens      func(*capture.Device) // soon
		after        time.Duration
		want         []byte
		err          error
	}{
		"for ever":           {-1, push, soon, []byte{0x32, 8}, nil},
		"for long enough":    {2001, push, soon, []byte{0x32, 8}, nil},
		"for too short":      {1999, push, 1999 * time.Millisecond, nil, nil},
		"until it is closed": {-1, func(d *capture.Device) { d.Close() }, soon, nil, os.ErrClosed},
		"until it fails":     {-1, func(d *capture.Device) { d.Fail(io.EOF) }, soon, nil, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := device(t)
				drain(t, d)
				start := time.Now()
				time.AfterFunc(soon, func() { test.happens(d) })
				buffer := make([]byte, 8)
				n, err := d.ReadTimeout(buffer, test.milliseconds)
				require.ErrorIs(t, err, test.err)
				require.Equal(t, test.want, append([]byte(nil), buffer[:n]...))
				require.Equal(t, test.after, time.Since(start))
				time.Sleep(soon) // for what happens too late
			})
		})
	}
}

func TestADeviceThatFailsRefusesEverything(t *testing.T) {
	d := device(t)
	require.NoError(t, d.Refuses([]byte{0x18}))
	calls := map[string]func() (int, error){
		"GetFeatureReport":  func() (int, error) { return d.GetFeatureReport([]byte{0x18, 0, 0}) },
		"SendFeatureReport": func() (int, error) { return d.SendFeatureReport([]byte{0x18, 0, 0}) },
		"ReadTimeout":       func() (int, error) { return d.ReadTimeout(make([]byte, 8), -1) },
	}
	unplugged := errors.New("unplugged")
	for _, row := range []struct {
		fails func() error
		want  error
	}{
		{func() error { d.Fail(unplugged); return nil }, unplugged},
		{d.Close, os.ErrClosed},
		{d.Close, os.ErrClosed}, // twice is no error
	} {
		require.NoError(t, row.fails())
		require.ErrorIs(t, d.Refuses([]byte{0x18}), row.want)
		for name, call := range calls {
			n, err := call()
			require.ErrorIs(t, err, row.want, name)
			require.Zero(t, n, name)
		}
		d.Push(0x32, 8)
	}

	d.Fail(nil)
	require.Empty(t, drain(t, d), "what came before is lost")
	payload, ok := d.Payload(0x18)
	require.True(t, ok)
	require.Equal(t, []byte{0x94, 0x04}, payload)
}

func TestDevicesOfOneCaptureAreApart(t *testing.T) {
	c, err := capture.Load("smart1500lcd")
	require.NoError(t, err)
	one, two := c.Device(0), c.Device(0)
	one.Set(0x18, 0, 0)
	require.NoError(t, one.Close())

	buffer := []byte{0x18, 0, 0}
	_, err = two.GetFeatureReport(buffer)
	require.NoError(t, err)
	require.Equal(t, []byte{0x18, 0x94, 0x04}, buffer)
}

func TestDeviceIsSafeForManyGoroutines(t *testing.T) {
	d := device(t)
	var calls sync.WaitGroup
	for i := range 8 {
		calls.Go(func() {
			buffer := make([]byte, 8)
			for range 50 {
				buffer[0] = 0x18
				n, err := d.GetFeatureReport(buffer)
				if err != nil || n != 3 || buffer[1] != buffer[2] && buffer[1] != 0x94 {
					t.Errorf("read % x, %v, which is half of one report and half of another", buffer[:n], err)
				}
				d.Set(0x18, byte(i), byte(i))
				if _, err := d.ReadTimeout(buffer, 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
}

// drain takes the input reports that are there.
func drain(t *testing.T, d *capture.Device) (reports [][]byte) {
	t.Helper()
	for {
		buffer := make([]byte, 8)
		n, err := d.ReadTimeout(buffer, 0)
		require.NoError(t, err)
		if n == 0 {
			return reports
		}
		reports = append(reports, buffer[:n])
	}
}
