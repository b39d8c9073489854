package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// TestReplayPrintsWhatEachCaptureExpects wants it byte for byte: keys sorted, four spaces.
func TestReplayPrintsWhatEachCaptureExpects(t *testing.T) {
	for _, name := range capture.Names() {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := tool(t, "--replay", name)
			require.Zero(t, code)
			for line := range strings.Lines(stderr) {
				require.True(t, strings.HasPrefix(line, "tripplite: not all could be read: "), line)
			}
			var expected, printed map[string]any
			require.NoError(t, json.Unmarshal(load(t, name).Expect, &expected))
			require.NoError(t, json.Unmarshal([]byte(stdout), &printed))
			_, err := time.Parse(time.RFC3339Nano, printed["time"].(string))
			require.NoError(t, err)
			expected["time"], expected["device_id"] = printed["time"], name
			text, err := json.MarshalIndent(expected, "", "    ")
			require.NoError(t, err)
			require.Equal(t, string(text)+"\n", stdout)
		})
	}
}

func TestSeveralUnitsAreAList(t *testing.T) {
	one := report{State: tripplite.State{Path: "1-2:1.0", RemainingCapacity: tripplite.ValueOf(100.0)}}
	other := report{
		State:    tripplite.State{Path: `\\?\HID#VID_09AE&PID_2012`},
		Settings: tripplite.Settings{AudibleAlarmControl: tripplite.ValueOf(tripplite.AlarmMuted)},
	}

	var stdout bytes.Buffer
	require.NoError(t, printJSON(&stdout, []report{one, other}, "    "))
	require.Equal(t, `[
    {
        "device_id": "1-2:1.0",
        "health": 100
    },
    {
        "controls": {
            "audible alarm control": "muted"
        },
        "device_id": "\\\\?\\HID#VID_09AE&PID_2012"
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
		"22 00 00": "UPS.PowerConverter.PresentStatus",
		"01 78":    "UPS.Flow.ConfigVoltage",
		"02 3c":    "UPS.Flow.ConfigFrequency",
		"03 dc 05": "UPS.Flow.ConfigApparentPower",
		"04 18 00": "UPS.BatterySystem.Battery.ConfigVoltage",
		"36 64":    "UPS.PowerSummary.DesignCapacity",
		"37 64":    "UPS.PowerSummary.FullChargeCapacity",
		"6c 12 20": "UPS.ffff0010.ffff007d",
		"18 94 04": "UPS.PowerConverter.Input.Voltage",
		"19 55 02": "UPS.PowerConverter.Input.Frequency",
		"1b 94 04": "UPS.PowerConverter.Output.Voltage",
		"47 44 01": "UPS.PowerConverter.Output.ActivePower",
		"1e 24":    "UPS.OutletSystem.Outlet.PercentLoad",
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

func TestWhatFailsIsAbsentAndSaid(t *testing.T) {
	const load, beeper = 0x1e, 0x11
	for name, test := range map[string]struct {
		fails            []capture.ID
		output, controls string
		said             []string
	}{
		"a reading": {[]capture.ID{load}, `{"power": 324, "voltage": 117.2}`,
			`{"audible alarm control": "enabled", "auto restart": true, "watchdog": 0}`,
			[]string{"smart1500lcd: report 0x1e (UPS.OutletSystem.Outlet.PercentLoad): ", "stalled"}},
		"a setting": {[]capture.ID{beeper}, `{"load": 36, "power": 324, "voltage": 117.2}`,
			`{"auto restart": true, "watchdog": 0}`, []string{"report 0x11 (UPS.PowerSummary.AudibleAlarmControl)"}},
		"both": {[]capture.ID{load, beeper}, `{"power": 324, "voltage": 117.2}`,
			`{"auto restart": true, "watchdog": 0}`, []string{"report 0x1e (", "report 0x11 ("}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := tool(t, "--replay", without(t, capture.Stall, test.fails...))
			require.Zero(t, code, "a unit that could be read is no failure")
			requireOneLine(t, stderr, append(test.said, "tripplite: not all could be read: ")...)
			require.JSONEq(t, test.output, section(t, stdout, "output"))
			require.JSONEq(t, test.controls, section(t, stdout, "controls"))
		})
	}
}

func TestUnitsAreReadSideBySide(t *testing.T) {
	code, stdout, stderr := over(t, func(s *session) error {
		s.Replay = []string{"smart1500lcd", "pro1500rt2u"}
		replayed, err := s.units()
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
		return s.readAll([]unit{slow, quick, gone})
	})
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "tripplite: 1-3:1.0: the UPS is disconnected")
	var states []tripplite.State
	require.NoError(t, json.Unmarshal([]byte(stdout), &states))
	require.Len(t, states, 2)
	require.Equal(t, "smart1500lcd", states[0].Path, "in the order in which they are listed")
}

func TestReplayOfAFileWithoutAStatus(t *testing.T) {
	code, stdout, stderr := tool(t, "--replay", without(t, capture.Empty, 0x32))
	require.Equal(t, 1, code)
	require.Empty(t, stdout, "without a status there is nothing to show")
	requireOneLine(t, stderr, "tripplite: smart1500lcd: report 0x32 ", "answered with nothing")
}

func TestReplayOfWhatIsNoCapture(t *testing.T) {
	write := func(text string) string {
		name := filepath.Join(t.TempDir(), "unit.json")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
		return name
	}
	garbage, number := write("garbage"), write(`{"name": 3}`)
	for name, wanted := range map[string][]string{
		"nonesuch": {`tripplite: "nonesuch" is neither a capture file nor one of the built-in captures: `,
			"smart1500lcd"},
		garbage: {"tripplite: " + garbage + ": not a capture: "},
		number:  {"tripplite: " + number + ": not a capture: ", "name"},
		"-":     {"tripplite: standard input: not a capture: "},
	} {
		code, stdout, stderr := tool(t, "--replay", name)
		require.Equal(t, 1, code)
		require.Empty(t, stdout)
		requireOneLine(t, stderr, wanted...)
		require.NotContains(t, stderr, "Go struct")
	}
}

func TestReplayOfStandardInput(t *testing.T) {
	text, err := load(t, "smart1500lcd").Marshal()
	require.NoError(t, err)
	code, stdout, stderr := toolWith(t, string(text), "get", "charge", "--replay", "-")
	require.Zero(t, code, stderr)
	require.Equal(t, "100\n", stdout)

	code, _, stderr = toolWith(t, strings.Repeat(" ", 5<<20), "--replay", "-")
	require.Equal(t, 1, code)
	requireOneLine(t, stderr, "tripplite: standard input: not a capture: it has more than ")
}

func TestVersionAndHelp(t *testing.T) {
	code, stdout, stderr := tool(t, "--version")
	require.Zero(t, code)
	requireOneLine(t, stdout, "tripplite ", "go1.")
	require.Empty(t, stderr)

	code, stdout, stderr = tool(t, "--help")
	require.Zero(t, code)
	for flag := range strings.FieldsSeq("--path --replay --debug --version pro1500rt2u 1-4.2:1.0") {
		require.Contains(t, stdout, flag)
	}
	require.Empty(t, stderr)
}

func TestBadArguments(t *testing.T) {
	for args, wanted := range map[string]string{
		"--bogus":                         "unknown flag --bogus",
		"--path":                          "--path: expected a value but got ",
		"--path --debug":                  "--path: expected a value but got ",
		"--path=":                         "--path: its value is empty",
		"get|":                            "[<key>]: its value is empty",
		"smart1500lcd":                    "unexpected argument smart1500lcd",
		"--path 1-4:1.0 --replay avr750u": "--path and --replay can't be used together",
		"--debug=maybe":                   "--debug: bool value must be true",
		"watch --every":                   "--every: expected value value but got ",
		"watch --every 0":                 `--every: "0" is neither a number of seconds nor a time`,
		"watch --every=-1s":               `--every: "-1s" is neither a number of seconds nor a time`,
		"do load.off --after 0":           `--after: "0" is neither a number of seconds nor a time`,
		"do nonesuch":                     `there is no command "nonesuch" (tripplite commands lists`,
		"do watchdog --after 30":          "it is for programs that use the library",
		"do set.auto-restart":             "set.auto-restart wants --value",
		"do load.off --value 1":           "load.off takes no --value",
		"beeper loud":                     `<state> must be one of "on","off","mute" but got "loud"`,
		"test --deep --stop":              "--deep and --stop can't be used together",
		"watch --format xml":              `--format must be one of "auto","json","csv","text"`,
		"capture --listen soon":           `--listen: "soon" is neither a number of seconds nor a time`,
		"explain --path 1-4:1.0":          "tripplite capture --path 1-4:1.0 | tripplite explain -",
		"get check --bogus":               "unknown flag --bogus",
		"get \x1b[2J":                     `there is no key "\x1b[2J"`,
	} {
		t.Run(args, func(t *testing.T) {
			split := strings.Fields(args)
			if strings.Contains(args, "|") {
				split = strings.Split(args, "|")
			}
			code, stdout, stderr := tool(t, split...)
			require.Equal(t, 2, code)
			require.Empty(t, stdout)
			requireOneLine(t, stderr, "tripplite: ", wanted)
		})
	}
}

func TestWithoutAUPS(t *testing.T) {
	err := tripplite.ErrNotFound
	if _, listed := tripplite.Devices(); listed != nil {
		err = tripplite.ErrUnsupported
	}
	t.Run("at a path", func(t *testing.T) {
		code, stdout, stderr := tool(t, "--path", "no such path")
		require.Equal(t, 1, code)
		require.Empty(t, stdout)
		requireOneLine(t, stderr, "tripplite: ", err.Error())
	})
	t.Run("anywhere", func(t *testing.T) {
		if paths, _ := tripplite.Paths(); len(paths) > 0 {
			t.Skip("a UPS is attached")
		}
		code, stdout, stderr := tool(t)
		require.Equal(t, 1, code)
		require.Empty(t, stdout)
		requireOneLine(t, stderr, "tripplite: "+err.Error())
	})
}

func TestReasons(t *testing.T) {
	for name, test := range map[string]struct {
		err               error
		plain, underDebug string
	}{
		"no unit": {tripplite.ErrNotFound,
			"no Tripp Lite UPS found: check the USB cable, and that lsusb shows the unit", ""},
		"lost": {lost("1-4:1.0").Err,
			"1-4:1.0: the UPS is disconnected: it is read again as soon as it is back at this port",
			" (EIO)"},
		"busy": {busy("1-4:1.0", "usbhid-ups, process 312").Err,
			"1-4:1.0: another program holds the UPS: stop it first (usbhid-ups, process 312)", ""},
		"of another protocol": {failed("1-4:1.0", tripplite.ErrUnsupported).Err,
			"1-4:1.0: not supported: EIO", ""},
		"silent": {failed("1-4:1.0", context.DeadlineExceeded).Err,
			"1-4:1.0: the UPS does not answer: unplug its USB cable and plug it in again", " (EIO)"},
		"interrupted": {failed("1-4:1.0", context.Canceled).Err, "1-4:1.0: interrupted", " (EIO)"},
		"another":     {errors.New("EIO"), "EIO", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &session{}
			require.Equal(t, test.plain, s.text(test.err))
			s.Debug = true
			require.Equal(t, test.plain+test.underDebug, s.text(test.err))
		})
	}
}

func TestEveryErrorIsALineThatBeginsWithTheNameOfTheProgram(t *testing.T) {
	dead := without(t, capture.Stall, 0x32)
	for _, args := range []string{
		"--bogus", "--replay nonesuch", "--path 9-9:1.0", "--replay " + dead,
		"--replay " + dead + " --replay " + dead, "list --path 9-9:1.0", "get nonesuch",
		"get health --replay " + dead, "get output.current --replay smart1500lcd",
		"get health --replay smart1500lcd --replay smart1500lcd", "watch --every -1s",
		"watch --replay nonesuch", "capture --path 9-9:1.0",
		"capture --replay smart1500lcd /nonesuch/file", "explain nonesuch", "completion",
		"completion tcsh", "commands --path 9-9:1.0", "do nonesuch", "do load.off --path 9-9:1.0",
		"do load.off --replay smart1500lcd", "do load.on --replay smart1500lcd", "test --deep --stop",
	} {
		t.Run(args, func(t *testing.T) {
			code, _, stderr := tool(t, strings.Fields(args)...)
			require.NotZero(t, code)
			require.NotEmpty(t, stderr)
			for line := range strings.Lines(stderr) {
				assert.True(t, strings.HasPrefix(line, "tripplite: "), line)
				assert.Equal(t, 1, strings.Count(line, "tripplite: "), line)
			}
		})
	}
}

func TestExitStatuses(t *testing.T) {
	for args, want := range map[string]int{
		"list --replay smart1500lcd":               0,
		"status --replay smart1500lcd":             0,
		"read --replay smart1500lcd":               0,
		"get health --replay smart1500lcd":         0,
		"get --replay smart1500lcd":                0,
		"explain smart1500lcd":                     0,
		"explain":                                  0,
		"capture --replay smart1500lcd":            0,
		"completion bash":                          0,
		"man":                                      0,
		"--help":                                   0,
		"watch --help":                             0,
		"get output.current --replay smart1500lcd": 1,
		"get health --replay smart1500lcd --replay smart1500lcd": 1,
		"status --path 9-9:1.0":                                  1,
		"list --path 9-9:1.0":                                    1,
		"explain nonesuch":                                       1,
		"get nonesuch --replay smart1500lcd":                     2,
		"watch --format xml":                                     2,
		"status --bogus":                                         2,
		"get check --bogus":                                      2,
		"completion":                                             2,
		"nonesuch":                                               2,
		"check --replay smart1500lcd":                            0,
		"check --replay smart1500lcd-on-battery":                 1,
		"check --replay smart1500lcd -c load=10":                 2,
		"check --replay nonesuch":                                3,
		"check --path 9-9:1.0":                                   3,
		"check --bogus":                                          3,
		"--bogus check":                                          3,
		"check -w charge":                                        3,
		"check --help":                                           3,
		"--replay check list":                                    1,
		"status --replay smart1500lcd --replay smart1500lcd-none": 1,
	} {
		t.Run(args, func(t *testing.T) {
			code, _, _ := tool(t, strings.Fields(args)...)
			require.Equal(t, want, code)
		})
	}
}

func TestOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	for args, want := range map[string]int{
		"--replay smart1500lcd":        1,
		"status --replay smart1500lcd": 1,
		"--help":                       1,
		"watch --help":                 1,
		"--version":                    1,
		"man":                          1,
		"check --replay smart1500lcd":  3,
		"check --help":                 3,
	} {
		t.Run(args, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var stderr bytes.Buffer
				code := run(t.Context(), strings.Fields(args), nil, failing{os.ErrClosed}, &stderr)
				require.Equal(t, want, code)
				requireOneLine(t, stderr.String(), "tripplite: file already closed")
			})
		})
	}
}

// failing is a standard output that cannot be written.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestAnInterruptEndsARead(t *testing.T) {
	for _, args := range [][]string{
		{"--replay", "smart1500lcd"}, {"--replay", "-"}, {"explain", "-"},
		{"get", "charge", "--replay", "-"},
	} {
		synctest.Test(t, func(t *testing.T) {
			stdin, other := io.Pipe() // says nothing
			ctx, interrupt := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, interrupt)
			if args[0] == "--replay" && args[1] != "-" {
				interrupt()
			}
			var stdout, stderr bytes.Buffer
			require.Equal(t, 1, run(ctx, args, stdin, &stdout, &stderr))
			require.Empty(t, stdout.String())
			requireOneLine(t, stderr.String(), "tripplite: ", "interrupted")
			other.Close()
		})
	}
}
