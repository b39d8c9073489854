package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// timeless is what the tool printed, without what differs between two readings.
func timeless(t *testing.T, text string) string {
	t.Helper()
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &object), text)
	delete(object, "time")
	delete(object, "device_id")
	out, err := json.Marshal(object)
	require.NoError(t, err)
	return string(out)
}

func TestACaptureReplaysAsTheUnitReads(t *testing.T) {
	for _, name := range capture.Names() {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), name+".json")
			code, stdout, stderr := tool(t, "capture", "--replay", name, file)
			require.Zero(t, code, stderr)
			holds := "feature reports"
			if load(t, name).UPS().Exchanges != nil {
				holds = "replies to 19 commands"
			}
			requireOneLine(t, stdout, file, holds, "tripplite explain "+file)
			require.Empty(t, stderr)

			made, err := capture.Load(file)
			require.NoError(t, err)
			require.Equal(t, name, made.Name)
			code, direct, directErr := tool(t, "--replay", name)
			require.Zero(t, code)
			code, replayed, replayedErr := tool(t, "--replay", file)
			require.Zero(t, code)
			require.JSONEq(t, timeless(t, direct), timeless(t, replayed))
			require.Equal(t, directErr, replayedErr)

			_, onStdout, _ := tool(t, "capture", "--replay", name)
			require.True(t, json.Valid([]byte(onStdout)))
		})
	}
}

func TestWhatACaptureHolds(t *testing.T) {
	original := load(t, "smart1500lcd")
	original.Serial = "FW-2263 E"
	from := file(t, original)

	to := filepath.Join(t.TempDir(), "mine.json")
	code, _, stderr := tool(t, "capture", "--replay", from, "--model", "SMART1500LCDT", to)
	require.Zero(t, code, stderr)
	text, err := os.ReadFile(to)
	require.NoError(t, err)
	require.NotContains(t, string(text), "FW-2263", "it may be published")
	made, err := capture.Parse(text)
	require.NoError(t, err)
	require.Equal(t, "mine", made.Name)
	require.Equal(t, "SMART1500LCDT", made.Model)
	require.Equal(t, original.VendorID, made.VendorID)
	require.Equal(t, original.ProductID, made.ProductID)
	require.Equal(t, original.Release, made.Release)
	require.Equal(t, original.Product, made.Product)
	require.Equal(t, original.Manufacturer, made.Manufacturer)
	require.Equal(t, []string{"a replay of the capture smart1500lcd, not a unit"}, made.Source)
	notes := strings.Join(made.Notes, "\n")
	require.Contains(t, notes, "tripplite ")
	require.Contains(t, notes, "go1.")
	require.Contains(t, notes, "The unit has a serial string, which is left out.")
	require.Equal(t, original.Interfaces[0].Descriptor, made.Interfaces[0].Descriptor)
	require.Equal(t, capture.Captured, made.Interfaces[0].DescriptorOrigin)
	for _, r := range original.Interfaces[0].Reports {
		if r.Type == capture.Feature && r.Error == "" {
			want := capture.Report{Type: r.Type, ID: r.ID, Bytes: r.Bytes, Origin: capture.Captured}
			require.Contains(t, made.Interfaces[0].Reports, want)
		}
	}
	require.Contains(t, string(text), `
        {"type": "feature", "id": "18", "bytes": "18 94 04", "origin": "captured"},
`, "a report a line, as the built-in captures have it")

	code, stdout, _ := tool(t, "capture", "--replay", from, "--serial")
	require.Zero(t, code)
	require.Contains(t, stdout, `"serial": "FW-2263 E"`)

	code, _, stderr = tool(t, "capture", "--replay", from, to)
	require.Equal(t, 1, code, "no capture is written over another")
	requireOneLine(t, stderr, "tripplite: "+to+" is there already: choose another name")
	again, err := os.ReadFile(to)
	require.NoError(t, err)
	require.Equal(t, text, again)
}

func TestACaptureThatFailsLeavesNoFile(t *testing.T) {
	to := filepath.Join(t.TempDir(), "mine.json")
	code, _, stderr := tool(t, "capture", "--path", "9-9:1.0", to)
	require.Equal(t, 1, code)
	requireOneLine(t, stderr, "tripplite: ")
	require.NoFileExists(t, to)
}

func TestACaptureOfWhatWentWrong(t *testing.T) {
	made := captureCommand{File: "x.json"}.capture(tripplite.Dump{
		Info: tripplite.DeviceInfo{Interface: 1},
		Features: []tripplite.RawReport{
			{ID: 0x01, Bytes: []byte{0x01, 120}},
			{ID: 0x18, Err: errors.New("broken pipe")},
			{ID: 0x66, Bytes: []byte{}},
			{ID: 0x32, Bytes: []byte{0xb2, 0x62}},
			{ID: 0x35, Bytes: []byte{0x35}},
		},
		Inputs: []tripplite.RawReport{
			{ID: 0x32, Bytes: []byte{0x32, 0x08, 0xff, 0xff}}, {ID: 0x32, Bytes: []byte{0x32, 0x62}},
		},
	}, "a test")
	text, err := made.Marshal()
	require.NoError(t, err)
	loaded, err := capture.Parse(text)
	require.NoError(t, err, string(text))
	for i := range loaded.Interfaces[0].Reports {
		r := &loaded.Interfaces[0].Reports[i]
		require.Equal(t, capture.Captured, r.Origin)
		r.Origin = ""
	}
	require.Equal(t, []capture.Report{
		{Type: capture.Feature, ID: 0x01, Bytes: []byte{0x01, 120}},
		{Type: capture.Feature, ID: 0x18, Error: capture.Stall, Note: "broken pipe"},
		{Type: capture.Feature, ID: 0x66, Error: capture.Empty},
		{Type: capture.Feature, ID: 0x32, Error: capture.WrongID, Bytes: []byte{0xb2, 0x62}},
		{Type: capture.Feature, ID: 0x35, Bytes: []byte{0x35}},
		{Type: capture.Input, ID: 0x32, Bytes: []byte{0x32, 0x08, 0xff, 0xff}},
		{Type: capture.Input, ID: 0x32, Bytes: []byte{0x32, 0x62}},
	}, loaded.Interfaces[0].Reports)
	require.Contains(t, made.Notes, "This is HID interface 1 of the unit; the others are not in it.")
	require.Contains(t, made.Notes, "The report descriptor could not be had.")
	require.Equal(t,
		"2 feature reports, 2 announcements, 1 empty, 1 stall, 1 wrong id",
		counted(loaded.Interfaces[0]))

	buffer := make([]byte, 2)
	buffer[0] = 0x32
	n, err := loaded.Device(0).GetFeatureReport(buffer)
	require.NoError(t, err)
	require.Equal(t, []byte{0xb2, 0x62}, buffer[:n], "and a replay answers as the unit did")
}

func TestACaptureSaysThatNothingWasAnnounced(t *testing.T) {
	to := filepath.Join(t.TempDir(), "x.json")
	code, stdout, _ := tool(t, "capture", "--replay", "without-acpresent", "--listen", "60", to)
	require.Zero(t, code)
	require.Contains(t, stdout, ", 0 announcements")
}

func TestACaptureHoldsWhatAUnitAnnouncesMeanwhile(t *testing.T) {
	var stdout strings.Builder
	synctest.Test(t, func(t *testing.T) {
		device := load(t, "smart1500lcd").Device(0)
		b := tripplite.New(device)
		defer b.Close()
		time.AfterFunc(time.Minute/2, func() { device.Push(0x32, 0x08) })
		c := captureCommand{Listen: seconds(time.Minute)}
		holds, err := c.write(&session{ctx: t.Context()}, b, &stdout)
		require.NoError(t, err)
		require.Contains(t, holds, " feature reports, 1 announcements")
	})
	require.Contains(t, stdout.String(),
		`{"type": "input", "id": "32", "bytes": "32 08", "origin": "captured"}`)
}

func TestExplainOfThe2012(t *testing.T) {
	code, stdout, stderr := tool(t, "explain", "smart1500lcd")
	require.Zero(t, code)
	require.Empty(t, stderr)
	lines := strings.Split(stdout, "\n")
	for _, want := range strings.Split(`
smart1500lcd  Tripp Lite UPS  09ae:2012, a report descriptor of 662 bytes
REPORT      BITS  RAW    VALUE    STATE                            PATH
feature 01  0-7   120    120 V    config.voltage                   UPS.Flow.ConfigVoltage
                                                                   AudibleAlarmControl
feature 10  0-7   0      -        controls.test                    UPS.BatterySystem.Test
feature 11  0-7   2      enabled  controls.audible alarm control   UPS.PowerSummary.
feature 15  0-15  65535  -        delay before shutdown            UPS.OutletSystem.Outlet.
feature 18  0-15  1172   117.2 V  input.voltage                    UPS.PowerConverter.Input.Voltage
feature 22  14    0      false    status.awaiting power            UPS.PowerConverter.PresentStatus.
feature 23  0     1      copy     status.charging                  UPS.BatterySystem.Battery.
feature 32  1     1      true     status.ac present                UPS.PowerSummary.PresentStatus.
feature 33  0-7   2               ?                                UPS.PowerSummary.CapacityMode
feature 35  0-15  1004   1004 s   time to empty                    UPS.PowerSummary.RunTimeToEmpty
feature 6c  0-15  8210   2012     config.protocol version          UPS.ffff0010.ffff007d
`, "\n") {
		assert.Contains(t, lines, want)
	}
}

func TestExplainSaysHowAReportFailed(t *testing.T) {
	c := load(t, "smart1500lcd")
	for i := range c.Interfaces[0].Reports {
		switch r := &c.Interfaces[0].Reports[i]; r.ID {
		case 0x18:
			r.Bytes, r.Error = nil, capture.Stall
		case 0x19:
			r.Bytes, r.Error = nil, capture.Empty
		case 0x1b:
			r.Bytes, r.Error = []byte{0x9b, 1, 2}, capture.WrongID
		case 0x35:
			r.Bytes = r.Bytes[:2]
		}
	}
	c.Interfaces[0].Reports = append(c.Interfaces[0].Reports,
		capture.ReportOf(capture.Feature, 0xfe, []byte{0xfe, 7}, nil),
		capture.ReportOf(capture.Input, 0x34, []byte{0x34, 99}, nil),
		capture.ReportOf(capture.Input, 0x34, []byte{0x34, 98}, nil))
	code, stdout, stderr := tool(t, "explain", file(t, c))
	require.Zero(t, code, stderr)
	for _, want := range []string{
		`feature 18  0-15  stall  +input\.voltage`,
		`feature 19  0-15  empty  +input\.frequency`,
		`feature 1b  0-15  9b 01 02  +output\.voltage`,
		`feature 35  0-15  35 ec  +time to empty`,
		`feature fe        fe 07  +\?  +not declared`,
		`input 34    0-7   98 +98 % +health`,
	} {
		require.Regexp(t, want, stdout)
	}
	require.Equal(t, 1, strings.Count(stdout, "input 34"), "the last of several")
}

func TestExplainFitsAHundredColumns(t *testing.T) {
	for _, name := range capture.Names() {
		code, explained, _ := tool(t, "explain", name)
		require.Zero(t, code)
		for line := range strings.Lines(explained) {
			assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 100, line)
		}
	}
}

func TestExplainTakesReplaysAndStandardInput(t *testing.T) {
	_, want, _ := tool(t, "explain", "smart1500lcd")
	_, replayed, _ := tool(t, "explain", "--replay", "smart1500lcd")
	require.Equal(t, want, replayed)
	text, err := load(t, "smart1500lcd").Marshal()
	require.NoError(t, err)
	code, piped, stderr := toolWith(t, string(text), "explain", "-")
	require.Zero(t, code, stderr)
	require.Equal(t, want, piped)
}

func TestExplainListsTheBuiltInCaptures(t *testing.T) {
	_, stdout, _ := tool(t, "explain")
	for _, name := range capture.Names() {
		require.Contains(t, stdout, "\n"+name+" ")
	}
}
