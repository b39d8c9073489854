package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// scripted is a source that says what a test has written down.
type scripted []tripplite.Reading

func (s scripted) Get(context.Context) ([]tripplite.Reading, error) { return s, nil }

func (s scripted) Watch(ctx context.Context, _ time.Duration) iter.Seq[tripplite.Reading] {
	return func(yield func(tripplite.Reading) bool) {
		for _, r := range s {
			if ctx.Err() != nil || !yield(r) {
				return
			}
		}
	}
}

// at is when everything is read in these tests.
var at = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// reading is one of a unit on mains, changed by the test.
func reading(path string, change func(*tripplite.State)) tripplite.Reading {
	state := tripplite.State{Path: path, Time: at, RemainingCapacity: tripplite.ValueOf(100.0)}
	state.Status.ACPresent = tripplite.ValueOf(true)
	state.Status.BelowRemainingCapacityLimit = tripplite.ValueOf(false)
	state.RunTimeToEmpty = tripplite.ValueOf(1004 * time.Second)
	state.Output.PercentLoad = tripplite.ValueOf(14.0)
	if change != nil {
		change(&state)
	}
	return tripplite.Reading{Info: tripplite.DeviceInfo{Path: path}, State: state}
}

func good(path string) tripplite.Reading { return reading(path, nil) }

func failed(path string, err error) tripplite.Reading {
	return tripplite.Reading{Info: tripplite.DeviceInfo{Path: path}, Err: fmt.Errorf("tripplite: %s: %w", path, err)}
}

func lost(path string) tripplite.Reading { return failed(path, tripplite.ErrDisconnected) }

func onBatteryNow(s *tripplite.State) { s.Status.ACPresent = tripplite.ValueOf(false) }

// over runs a command over a source, as the program does.
func over(t *testing.T, run func(*session) int) (code int, stdout, stderr string) {
	t.Helper()
	var out, err strings.Builder
	s := &session{ctx: t.Context(), stdout: &out, stderr: &err}
	code = run(s)
	return code, out.String(), err.String()
}

// file writes a capture file.
func file(t *testing.T, c *capture.Capture) string {
	t.Helper()
	text, err := c.Marshal()
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "unit.json")
	require.NoError(t, os.WriteFile(name, text, 0o644))
	return name
}

func TestTheKeysAreThoseOfState(t *testing.T) {
	want := map[string]bool{}
	var walk func(prefix string, of reflect.Type)
	walk = func(prefix string, of reflect.Type) {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if kind := of.Field(i).Type; kind.Kind() == reflect.Struct && kind.PkgPath() == "github.com/tripplite-go/tripplite" && !strings.HasPrefix(kind.Name(), "Value") {
				walk(prefix+name+".", kind)
				continue
			}
			want[prefix+name] = true
		}
	}
	walk("", reflect.TypeFor[tripplite.State]())
	got := map[string]bool{}
	for _, k := range keys {
		assert.False(t, got[k.name], "%s stands once", k.name)
		got[k.name] = true
	}
	require.Equal(t, want, got)
}

func TestEveryErrorLineBeginsWithTheNameOfTheProgramOnce(t *testing.T) {
	dead := altered(t, func(r *capture.Report) {
		if r.ID == 0x32 {
			r.Bytes, r.Error = nil, capture.Stall
		}
	})
	for _, args := range [][]string{
		{"--bogus"}, {"--replay", "nonesuch"}, {"--path", "9-9:1.0"}, {"--replay", dead}, {"--replay", dead, "--replay", dead},
		{"list", "--path", "9-9:1.0"}, {"get", "nonesuch"}, {"get", "health", "--replay", dead},
		{"get", "output.current", "--replay", "smart1500lcd"}, {"get", "health", "--replay", "smart1500lcd", "--replay", "smart1500lcd"},
		{"watch", "--every", "-1s"}, {"watch", "--format", "xml"}, {"watch", "--replay", "nonesuch"},
		{"capture", "--path", "9-9:1.0"}, {"capture", "--replay", "smart1500lcd", "/nonesuch/file"}, {"capture", "--listen", "-1s"},
		{"explain", "nonesuch"}, {"completion"}, {"completion", "tcsh"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			code, _, stderr := tool(t, args...)
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
	for _, test := range []struct {
		code int
		args string
	}{
		{0, "list --replay smart1500lcd"},
		{0, "status --replay smart1500lcd"},
		{0, "read --replay smart1500lcd"},
		{0, "get health --replay smart1500lcd"},
		{0, "get --replay smart1500lcd"},
		{0, "explain smart1500lcd"},
		{0, "explain"},
		{0, "capture --replay smart1500lcd"},
		{0, "completion bash"},
		{0, "man"},
		{0, "--help"},
		{0, "watch --help"},
		{1, "get output.current --replay smart1500lcd"},
		{1, "status --path 9-9:1.0"},
		{1, "list --path 9-9:1.0"},
		{1, "explain nonesuch"},
		{2, "get nonesuch --replay smart1500lcd"},
		{2, "watch --format xml"},
		{2, "status --bogus"},
		{2, "completion"},
		{2, "nonesuch"},
		{0, "check --replay smart1500lcd"},
		{1, "check --replay smart1500lcd-on-battery"},
		{2, "check --replay smart1500lcd -c load=10"},
		{3, "check --replay nonesuch"},
		{3, "check --path 9-9:1.0"},
		{3, "check --bogus"},
		{3, "--bogus check"},
		{3, "check -w charge"},
		{3, "check --help"},
	} {
		t.Run(test.args, func(t *testing.T) {
			code, _, _ := tool(t, strings.Fields(test.args)...)
			require.Equal(t, test.code, code)
		})
	}
}

func TestList(t *testing.T) {
	code, stdout, stderr := tool(t, "list", "--replay", "smart1500lcd", "--replay", "pro1500rt2u")
	require.Zero(t, code)
	require.Empty(t, stderr)
	require.Equal(t, `PATH          ID         FAMILY           PRODUCT         SERIAL  ACCESS
smart1500lcd  09ae:2012  Tripp Lite 2xxx  Tripp Lite UPS  -       yes
pro1500rt2u   05dd:a0a0  Delta/Minuteman  MINUTEMAN UPS   -       yes
`, stdout)
}

func TestAccess(t *testing.T) {
	for want, err := range map[string]error{
		"no permission":                  fmt.Errorf("tripplite: 1-4:1.0: /dev/bus/usb/001/004: %w", tripplite.ErrPermission),
		"busy":                           fmt.Errorf("tripplite: 1-4:1.0: %w", tripplite.ErrBusy),
		"busy (usbhid-ups, process 312)": fmt.Errorf("tripplite: 1-4:1.0: %w (usbhid-ups, process 312)", tripplite.ErrBusy),
		"unsupported":                    fmt.Errorf("tripplite: it is %w: another protocol", tripplite.ErrUnsupported),
		"gone":                           fmt.Errorf("tripplite: 1-4:1.0: %w", tripplite.ErrDisconnected),
		"no":                             errors.New("hidapi: failed to open device"),
	} {
		access, told := accessTo(unit{open: func() (*tripplite.Battery, error) { return nil, err }})
		assert.Equal(t, want, access)
		assert.Equal(t, err, told, "what to do is told as well")
	}
}

func TestGet(t *testing.T) {
	for key, want := range map[string]string{
		"input.voltage":                  "117.2",
		"INPUT.Voltage":                  "117.2",
		"time-to-empty":                  "1004",
		"time to empty":                  "1004",
		"time_to_empty":                  "1004",
		"health":                         "100",
		"status.ac-present":              "true",
		"status.charging":                "false",
		"device_id":                      "smart1500lcd",
		"device-id":                      "smart1500lcd",
		"config.protocol version":        "2012",
		"controls.audible-alarm-control": "enabled",
	} {
		code, stdout, stderr := tool(t, "get", key, "--replay", "smart1500lcd")
		assert.Zero(t, code, key)
		assert.Equal(t, want+"\n", stdout, key)
		assert.Empty(t, stderr, key)
	}

	code, stdout, stderr := tool(t, "get", "battery.temperature", "--replay", "smart1500lcd")
	require.Equal(t, 1, code)
	require.Empty(t, stdout, "not 0")
	requireOneLine(t, stderr, "tripplite: smart1500lcd: the UPS does not report battery.temperature")

	code, stdout, stderr = tool(t, "get", "input.volts", "--replay", "smart1500lcd")
	require.Equal(t, 2, code)
	require.Empty(t, stdout)
	requireOneLine(t, stderr, `tripplite: there is no key "input.volts": did you mean input.voltage, `)

	code, _, stderr = tool(t, "get", "health", "--replay", "smart1500lcd", "--replay", "pro1500rt2u")
	require.Equal(t, 1, code, "a script must not get a value of just any unit")
	requireOneLine(t, stderr, "--path smart1500lcd or --path pro1500rt2u")

	code, stdout, _ = tool(t, "get", "--replay", "smart1500lcd")
	require.Zero(t, code)
	require.Contains(t, stdout, "\ninput.voltage                    117.2 V\n")
	require.Contains(t, stdout, "\nstatus.ac-present                true\n")
	require.NotContains(t, stdout, "output.current")
	for line := range strings.Lines(stdout) {
		name := strings.Fields(line)[0]
		_, ok := keyOf(name)
		require.True(t, ok, "%s can be asked for as it is listed", name)
	}
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{
		"input.volt":     "input.voltage",
		"voltage":        "input.voltage",
		"outputvoltage":  "output.voltage",
		"ac":             "status.ac-present",
		"charging":       "status.charging",
		"config.voltgae": "config.voltage",
	} {
		assert.Equal(t, want, nearest(name)[0], name)
	}
	assert.Equal(t, 3, edits("kitten", "sitting"))
	assert.Equal(t, 4, edits("", "four"))
}
