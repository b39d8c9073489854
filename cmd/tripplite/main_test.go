package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/karalabe/hid"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// tool runs the program.
func tool(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

// requireOneLine fails unless a text is one whole line that contains what is wanted.
func requireOneLine(t *testing.T, text string, wanted ...string) {
	t.Helper()
	require.Equal(t, 1, strings.Count(text, "\n"), "%q is not one line", text)
	require.True(t, strings.HasSuffix(text, "\n"))
	for _, want := range wanted {
		require.Contains(t, text, want)
	}
}

func TestReplayPrintsWhatEachCaptureExpects(t *testing.T) {
	for _, name := range capture.Names() {
		t.Run(name, func(t *testing.T) {
			c, err := capture.Load(name)
			require.NoError(t, err)

			code, stdout, stderr := tool(t, "--replay", name)
			require.Zero(t, code)
			require.Empty(t, stderr)

			var printed map[string]any
			require.NoError(t, json.Unmarshal([]byte(stdout), &printed))
			require.Equal(t, name, printed["device_id"])
			read, err := time.Parse(time.RFC3339Nano, printed["time"].(string))
			require.NoError(t, err)
			require.WithinDuration(t, time.Now(), read, time.Minute)

			delete(printed, "device_id")
			delete(printed, "time")
			rest, err := json.Marshal(printed)
			require.NoError(t, err)
			require.JSONEq(t, string(c.Expect), string(rest))
		})
	}
}

// printed1500 is what the tool prints for the unit of numat's README, in the manner of numat: keys sorted, four spaces.
const printed1500 = `{
    "battery": {
        "voltage": 27.5
    },
    "config": {
        "battery voltage": 24,
        "design capacity": 100,
        "frequency": 60,
        "full charge capacity": 100,
        "power": 1500,
        "protocol version": "2012",
        "voltage": 120
    },
    "controls": {
        "audible alarm control": "enabled",
        "watchdog": 0
    },
    "device_id": "smart1500lcd",
    "health": 100,
    "input": {
        "frequency": 59.7,
        "voltage": 117.2
    },
    "output": {
        "load": 14,
        "power": 324,
        "voltage": 117.2
    },
    "status": {
        "ac present": true,
        "awaiting power": false,
        "below remaining capacity": true,
        "boost": false,
        "buck": false,
        "charging": false,
        "discharging": false,
        "fully charged": true,
        "fully discharged": false,
        "internal failure": false,
        "needs replacement": false,
        "over temperature": false,
        "overload": false,
        "shutdown imminent": false,
        "used": false,
        "voltage out of range": false
    },
    "string index": {
        "device chemistry": 4,
        "manufacturer": 1,
        "product": 2
    },
    "time": "TIME",
    "time to empty": 1004
}
`

func TestOutputIsTheSameByteForByte(t *testing.T) {
	_, stdout, _ := tool(t, "--replay", "smart1500lcd")
	require.Equal(t, printed1500, regexp.MustCompile(`"time": "[^"]*"`).ReplaceAllString(stdout, `"time": "TIME"`))
}

func TestSeveralUnitsAreAList(t *testing.T) {
	one := tripplite.State{Path: "1-2:1.0", RemainingCapacity: tripplite.ValueOf(100.0)}
	other := tripplite.State{Path: `\\?\HID#VID_09AE&PID_2012`, RemainingCapacity: tripplite.ValueOf(99.0)}

	var stdout bytes.Buffer
	require.NoError(t, print(&stdout, []tripplite.State{one, other}))
	require.Equal(t, `[
    {
        "device_id": "1-2:1.0",
        "health": 100
    },
    {
        "device_id": "\\\\?\\HID#VID_09AE&PID_2012",
        "health": 99
    }
]
`, stdout.String(), "and no & becomes \\u0026")
}

func TestDebugPrintsTheBytesOfEveryReport(t *testing.T) {
	code, stdout, stderr := tool(t, "--replay", "smart1500lcd", "--debug")
	require.Zero(t, code)
	require.True(t, json.Valid([]byte(stdout)), "standard output is what it is without --debug")

	lines := strings.Split(stderr, "\n")
	for bytes, name := range map[string]string{
		"32 62":    "UPS.PowerSummary.PresentStatus",
		"22 00 00": "UPS.PowerConverter.PresentStatus",
		"01 78":    "UPS.Flow.ConfigVoltage",
		"02 3c":    "UPS.Flow.ConfigFrequency",
		"03 dc 05": "UPS.Flow.ConfigApparentPower",
		"04 18 00": "UPS.BatterySystem.Battery.ConfigVoltage",
		"36 64":    "UPS.PowerSummary.DesignCapacity",
		"37 64":    "UPS.PowerSummary.FullChargeCapacity",
		"6c 12 20": "UPS.ffff0010.ffff007d",
		"28 02":    "UPS.PowerSummary.iProduct",
		"29 00":    "UPS.PowerSummary.iSerialNumber",
		"2a 04":    "UPS.PowerSummary.iDeviceChemistry",
		"2b 01":    "UPS.PowerSummary.iManufacturer",
		"18 94 04": "UPS.PowerConverter.Input.Voltage",
		"19 55 02": "UPS.PowerConverter.Input.Frequency",
		"1b 94 04": "UPS.PowerConverter.Output.Voltage",
		"47 44 01": "UPS.PowerConverter.Output.ActivePower",
		"1e 0e":    "UPS.OutletSystem.Outlet.PercentLoad",
		"20 13 01": "UPS.BatterySystem.Battery.Voltage",
		"34 64":    "UPS.PowerSummary.RemainingCapacity",
		"35 ec 03": "UPS.PowerSummary.RunTimeToEmpty",
		"10 00":    "UPS.BatterySystem.Test",
		"11 02":    "UPS.PowerSummary.AudibleAlarmControl",
		"15 ff ff": "UPS.OutletSystem.Outlet.DelayBeforeShutdown",
		"17 ff ff": "UPS.OutletSystem.Outlet.DelayBeforeReboot",
		"52 00":    "UPS.OutletSystem.Outlet.ffff0092",
	} {
		var found []string
		for _, line := range lines {
			if strings.Contains(line, `"`+bytes+`"`) {
				found = append(found, line)
			}
		}
		require.Len(t, found, 1, "report %s is asked for once", bytes)
		require.Contains(t, found[0], "id=0x"+bytes[:2])
		require.Contains(t, found[0], "name="+name+" ")
		require.Contains(t, found[0], "path=smart1500lcd ")
	}
}

func TestReplayOfAFileWithAReportThatFails(t *testing.T) {
	file := altered(t, func(r *capture.Report) {
		if r.ID == 0x1e {
			r.Bytes, r.Error = nil, capture.Stall
		}
	})

	code, stdout, stderr := tool(t, "--replay", file)
	require.Zero(t, code, "a unit that could be read is no failure")
	requireOneLine(t, stderr, "tripplite: not all could be read: ", "smart1500lcd: report 0x1e (UPS.OutletSystem.Outlet.PercentLoad): ", "stalled")
	require.JSONEq(t, `{"power": 324, "voltage": 117.2}`, section(t, stdout, "output"), "the load is absent, and neither 0 nor the one before")
	require.Equal(t, `100`, section(t, stdout, "health"))
}

func TestReplayOfAFileWithAControlThatFails(t *testing.T) {
	file := altered(t, func(r *capture.Report) {
		if r.ID == 0x11 {
			r.Bytes, r.Error = nil, capture.Stall
		}
	})

	code, stdout, stderr := tool(t, "--replay", file)
	require.Zero(t, code)
	requireOneLine(t, stderr, "report 0x11 (UPS.PowerSummary.AudibleAlarmControl)")
	require.JSONEq(t, `{"watchdog": 0}`, section(t, stdout, "controls"))
}

func TestReplayOfAFileWithAReadingAndAControlThatFail(t *testing.T) {
	file := altered(t, func(r *capture.Report) {
		if r.ID == 0x1e || r.ID == 0x11 {
			r.Bytes, r.Error = nil, capture.Stall
		}
	})

	code, stdout, stderr := tool(t, "--replay", file)
	require.Zero(t, code)
	requireOneLine(t, stderr, "report 0x1e (UPS.OutletSystem.Outlet.PercentLoad)", "report 0x11 (UPS.PowerSummary.AudibleAlarmControl)")
	require.JSONEq(t, `{"power": 324, "voltage": 117.2}`, section(t, stdout, "output"))
	require.JSONEq(t, `{"watchdog": 0}`, section(t, stdout, "controls"))
}

func TestUnitsAreReadSideBySide(t *testing.T) {
	replayed, err := (&session{options: options{Replay: []string{"smart1500lcd", "pro1500rt2u"}}}).chosen()
	require.NoError(t, err)
	other := make(chan struct{})
	slow := unit{replayed[0].info, func() (*tripplite.Battery, error) {
		select {
		case <-other:
			return replayed[0].open()
		case <-time.After(time.Minute):
			return nil, errors.New("the other unit was kept waiting")
		}
	}}
	quick := unit{replayed[1].info, func() (*tripplite.Battery, error) {
		close(other)
		return replayed[1].open()
	}}
	gone := unit{open: func() (*tripplite.Battery, error) { return nil, lost("1-3:1.0").Err }}
	code, stdout, stderr := over(t, func(s *session) int { return s.readAll([]unit{slow, quick, gone}) })
	require.Equal(t, 1, code)
	requireOneLine(t, stderr, "1-3:1.0: the UPS is disconnected")
	var states []tripplite.State
	require.NoError(t, json.Unmarshal([]byte(stdout), &states))
	require.Len(t, states, 2)
	require.Equal(t, "smart1500lcd", states[0].Path, "in the order in which they are listed")
}

func TestReplayOfAFileWithoutAStatus(t *testing.T) {
	file := altered(t, func(r *capture.Report) {
		if r.ID == 0x32 {
			r.Bytes, r.Error = nil, capture.Empty
		}
	})

	code, stdout, stderr := tool(t, "--replay", file)
	require.Equal(t, 1, code)
	require.Empty(t, stdout, "without a status there is nothing to show")
	requireOneLine(t, stderr, "smart1500lcd: report 0x32 (UPS.PowerSummary.PresentStatus): the unit answered with nothing")
}

func TestReplayOfWhatIsNoCapture(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage.json")
	require.NoError(t, os.WriteFile(garbage, []byte("garbage"), 0o644))
	for name, wanted := range map[string][]string{
		"nonesuch": {`tripplite: "nonesuch" is neither a capture file nor one of the built-in captures: `, "smart1500lcd"},
		garbage:    {"tripplite: " + garbage + ": not a capture: "},
	} {
		code, stdout, stderr := tool(t, "--replay", name)
		require.Equal(t, 1, code)
		require.Empty(t, stdout)
		requireOneLine(t, stderr, wanted...)
	}
}

func TestVersionAndHelp(t *testing.T) {
	code, stdout, stderr := tool(t, "--version")
	require.Zero(t, code)
	requireOneLine(t, stdout, "tripplite ", "go1.")
	require.Empty(t, stderr)

	code, stdout, stderr = tool(t, "--help")
	require.Zero(t, code)
	for _, flag := range []string{"--path", "--replay", "--debug", "--version", "pro1500rt2u", "1-4.2:1.0"} {
		require.Contains(t, stdout, flag)
	}
	require.Empty(t, stderr)
}

func TestBadArguments(t *testing.T) {
	for name, test := range map[string]struct {
		args   []string
		wanted string
	}{
		"a flag that is not there":        {[]string{"--bogus"}, "unknown flag --bogus"},
		"a path without a value":          {[]string{"--path"}, "--path"},
		"an argument":                     {[]string{"smart1500lcd"}, "unexpected argument smart1500lcd"},
		"a path together with a capture":  {[]string{"--path", "1-4:1.0", "--replay", "smart1500lcd"}, "--path and --replay can't be used together"},
		"the same, and yet debug is fine": {[]string{"--debug", "--path=1-4:1.0", "--replay=smart1500lcd"}, "can't be used together"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := tool(t, test.args...)
			require.Equal(t, 2, code)
			require.Empty(t, stdout)
			requireOneLine(t, stderr, "tripplite: ", test.wanted, "(see tripplite --help)")
		})
	}
}

func TestWithoutAUPS(t *testing.T) {
	whatToDo := "no Tripp Lite UPS found: check the USB cable, and that lsusb shows the unit"
	if !hid.Supported() {
		whatToDo = "reading a UPS is not supported in this program: build it with CGO_ENABLED=1"
	}
	t.Run("at a path", func(t *testing.T) {
		code, stdout, stderr := tool(t, "--path", "no such path")
		require.Equal(t, 1, code)
		require.Empty(t, stdout)
		requireOneLine(t, stderr, "tripplite: ", whatToDo)
	})
	t.Run("anywhere", func(t *testing.T) {
		if paths, _ := tripplite.Paths(); len(paths) > 0 {
			t.Skip("a UPS is attached")
		}
		code, stdout, stderr := tool(t)
		require.Equal(t, 1, code)
		require.Empty(t, stdout)
		requireOneLine(t, stderr, "tripplite: "+whatToDo)
	})
}

func TestInterruptEndsTheRead(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	var stdout, stderr bytes.Buffer
	require.Equal(t, 1, run(ctx, []string{"--replay", "smart1500lcd"}, &stdout, &stderr))
	require.Empty(t, stdout.String())
	requireOneLine(t, stderr.String(), "tripplite: smart1500lcd: context canceled")
}

func TestOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"--replay", "smart1500lcd"}, closedPipe{}, &stderr)
	require.Equal(t, 1, code)
	requireOneLine(t, stderr.String(), "file already closed")
}

// closedPipe is a standard output that nobody reads any more.
type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

// altered writes a capture file that differs from smart1500lcd in some reports.
func altered(t *testing.T, alter func(*capture.Report)) (file string) {
	t.Helper()
	c, err := capture.Load("smart1500lcd")
	require.NoError(t, err)
	for i := range c.Interfaces[0].Reports {
		alter(&c.Interfaces[0].Reports[i])
	}
	text, err := json.Marshal(c)
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "altered.json")
	require.NoError(t, os.WriteFile(file, text, 0o644))
	return file
}

// section returns one key of what the tool printed.
func section(t *testing.T, stdout, key string) string {
	t.Helper()
	var printed map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(stdout), &printed))
	return string(printed[key])
}
