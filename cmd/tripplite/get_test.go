package main

import (
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
)

func TestGet(t *testing.T) {
	for key, want := range map[string]string{
		"input.voltage":                  "117.2",
		"INPUT.Voltage":                  "117.2",
		"input-voltage":                  "117.2",
		"time-to-empty":                  "1004",
		"time to empty":                  "1004",
		"time_to_empty":                  "1004",
		"runtime":                        "1004",
		"health":                         "100",
		"charge":                         "100",
		"load":                           "36",
		"status.ac-present":              "true",
		"device_id":                      "smart1500lcd",
		"device-id":                      "smart1500lcd",
		"config.protocol version":        "2012",
		"controls.audible-alarm-control": "enabled",
		"beeper":                         "enabled",
	} {
		code, stdout, stderr := tool(t, "get", key, "--replay", "smart1500lcd")
		assert.Zero(t, code, key)
		assert.Equal(t, want+"\n", stdout, key)
		assert.Empty(t, stderr, key)
	}
}

func TestGetOfWhatIsNotThere(t *testing.T) {
	code, stdout, stderr := tool(t, "get", "battery.temperature", "--replay", "smart1500lcd")
	require.Equal(t, 1, code)
	require.Empty(t, stdout, "not 0")
	requireOneLine(t, stderr, "tripplite: smart1500lcd: the UPS does not report battery.temperature")

	code, stdout, stderr = tool(t, "get", "input.volts", "--replay", "smart1500lcd")
	require.Equal(t, 2, code)
	require.Empty(t, stdout)
	requireOneLine(t, stderr, `tripplite: there is no key "input.volts": did you mean input.voltage?`)

	code, _, stderr = tool(t, "get", "charge", "--replay", "smart1500lcd", "--replay", "pro1500rt2u")
	require.Equal(t, 1, code, "a script must not get a value of just any unit")
	requireOneLine(t, stderr, "give --replay once")
}

func TestGetListsWhatCanBeAskedFor(t *testing.T) {
	code, stdout, _ := tool(t, "get", "--replay", "smart1500lcd")
	require.Zero(t, code)
	require.Contains(t, stdout, "\ninput.voltage                    117.2 V\n")
	require.Contains(t, stdout, "\nstatus.ac-present                true\n")
	require.Contains(t, stdout, "\ncontrols.watchdog                0 s\n")
	require.NotContains(t, stdout, "output.current")
	for line := range strings.Lines(stdout) {
		name := strings.Fields(line)[0]
		_, ok := fieldOf(name)
		require.True(t, ok, "%s can be asked for as it is listed", name)
	}
}

func TestEveryNameIsOfOneField(t *testing.T) {
	for _, f := range fields() {
		for _, name := range names(f) {
			found, ok := fieldOf(name)
			require.True(t, ok)
			require.Equal(t, f, found, name)
		}
	}
	_, ok := fieldOf("")
	require.False(t, ok)
}

func TestSuggestions(t *testing.T) {
	for typed, want := range map[string]string{
		"input.volts":    "input.voltage",
		"outputvoltage":  "output-voltage, output.frequency, output.current",
		"ac-":            "status.ac-present",
		"charging":       "status.charging, status.discharging",
		"config.voltgae": "config.voltage",
		"chrage":         "charge, status.charging, status.discharging",
		"x":              "",
	} {
		assert.Equal(t, want, strings.Join(nearest(typed), ", "), typed)
	}
}

// TestHostileStringsStayInTheirLine has a unit, a capture and a program whose names would clear the
// screen, turn text around and forge lines.
func TestHostileStringsStayInTheirLine(t *testing.T) {
	const hostile = "UPS\x1b[2J\u202egnp\u009b1A\ntripplite: OK\r\t|\U000e0001"
	names := func(name string) string {
		c := load(t, "smart1500lcd")
		c.Name, c.Product, c.Serial, c.Manufacturer = name, name, name, name
		for i := range c.Interfaces[0].Reports {
			if r := &c.Interfaces[0].Reports[i]; r.ID == 0x1e {
				r.Bytes, r.Error = nil, "stall" // so that there is a warning
			}
		}
		return file(t, c)
	}
	evil, tame := names(hostile), names("UPS")
	requirePrintable := func(t *testing.T, text string) {
		t.Helper()
		for line := range strings.Lines(text) {
			for _, r := range strings.TrimSuffix(line, "\n") {
				assert.False(t, unicode.In(r, unicode.C, unicode.Zl, unicode.Zp), "%U in %q", r, line)
			}
		}
	}
	for _, args := range []string{
		"", "list", "status", "check", "get", "get device_id", "explain", "capture --serial",
		"get output.current",
	} {
		t.Run(args, func(t *testing.T) {
			ran := func(name string) (string, string) {
				split := append(strings.Fields(args), "--replay", name)
				if args == "status" || args == "check" {
					split = append(split, "--replay", name)
				}
				_, stdout, stderr := tool(t, split...)
				return stdout, stderr
			}
			stdout, stderr := ran(evil)
			requirePrintable(t, stdout)
			requirePrintable(t, stderr)
			tameStdout, tameStderr := ran(tame)
			assert.Equal(t, strings.Count(tameStdout, "\n"), strings.Count(stdout, "\n"))
			assert.Equal(t, strings.Count(tameStderr, "\n"), strings.Count(stderr, "\n"))
		})
	}

	units := scripted{partly(hostile), busy(hostile, hostile)}
	units[0].State.Config.DeviceChemistry = tripplite.ValueOf(hostile)
	follow := func(format string) func(*session) error {
		return func(s *session) error {
			return s.follow(units, 1, watchCommand{Format: format}.writer(s.stdout))
		}
	}
	for name, command := range map[string]func(*session) error{
		"status": func(s *session) error { return s.status(units) },
		"check": func(s *session) error {
			return checkCommand{Timeout: 1, Lost: "unknown"}.check(s, units)
		},
		"list": func(s *session) error {
			held := func() (*tripplite.Battery, error) { return nil, units[1].Err }
			return s.list([]unit{{units[1].Info, held}})
		},
		"json": follow("json"),
		"csv":  follow("csv"),
		"text": follow("text"),
		"live": func(s *session) error {
			v := &view{readings: map[string]tripplite.Reading{}}
			for _, r := range units {
				v.take(r)
			}
			lines := append(shown(v, 200, 40), shown(v, 200, 6)...)
			_, err := io.WriteString(s.stdout, strings.Join(lines, "\n"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, stdout, stderr := over(t, command)
			require.NotEmpty(t, stdout)
			requirePrintable(t, stdout)
			requirePrintable(t, stderr)
			lines := map[string]int{"json": 2, "csv": 3, "text": 2, "check": 1, "list": 2}
			if n, fixed := lines[name]; fixed {
				assert.Equal(t, n, strings.Count(stdout, "\n"))
			}
		})
	}
}
