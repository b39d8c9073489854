package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/program"
)

const gone = "the UPS is disconnected: it is read again as soon as it is back at this port"

// drop is what a unit says that loses line power, drops off the bus, and is back.
var drop = scripted{
	good("1-1:1.0"), reading("1-1:1.0", onBatteryNow), lost("1-1:1.0"), good("1-1:1.0"),
}

// watched follows a source in a format.
func watched(t *testing.T, format string, units source) (code int, lines []string, stderr string) {
	t.Helper()
	code, stdout, stderr := over(t, func(s *session) error {
		return s.follow(units, time.Second, watchCommand{Format: format}.writer(s.stdout))
	})
	return code, strings.Split(strings.TrimSuffix(stdout, "\n"), "\n"), stderr
}

func TestWatchAsJSON(t *testing.T) {
	for _, format := range []string{"json", "auto"} {
		code, lines, stderr := watched(t, format, drop)
		require.Zero(t, code)
		require.Empty(t, stderr)
		require.Len(t, lines, 4)
		const whole = `{"device_id":"1-1:1.0","health":100,"output":{"load":14},` +
			`"status":{"ac present":true,"below remaining capacity":false},` +
			`"time":"2026-01-02T15:04:05Z","time to empty":1004}`
		require.Equal(t, whole, lines[0])
		require.Equal(t, strings.Replace(whole, "true", "false", 1), lines[1])
		var object map[string]any
		require.NoError(t, json.Unmarshal([]byte(lines[2]), &object))
		_, err := time.Parse(time.RFC3339Nano, object["time"].(string))
		require.NoError(t, err)
		delete(object, "time")
		want := map[string]any{"device_id": "1-1:1.0", "error": gone}
		require.Equal(t, want, object, "and no value of before")
		require.Equal(t, whole, lines[3])
	}
}

func TestWatchAsText(t *testing.T) {
	code, lines, _ := watched(t, "text", append(drop, announced("1-1:1.0")))
	require.Zero(t, code)
	stamp := at.Local().Format(time.RFC3339) + " 1-1:1.0 "
	rest := ", charge 100 %, runtime 16 min 44 s, load 14 %"
	require.Len(t, lines, 5)
	require.True(t, strings.HasSuffix(lines[2], " 1-1:1.0 no reading: "+gone), lines[2])
	lines[2] = ""
	require.Equal(t, []string{
		stamp + "on line power" + rest, stamp + "on battery" + rest, "", stamp + "on line power" + rest,
		stamp + "on battery",
	}, lines)
}

func TestWatchAsCSVHasTheSameColumnsForEveryUnit(t *testing.T) {
	nothing := good("1-2:1.0")
	nothing.State = tripplite.State{Path: "1-2:1.0", Time: at}
	units := scripted{good("1-1:1.0"), nothing, lost("1-1:1.0"), announced("1-1:1.0")}
	code, lines, _ := watched(t, "csv", units)
	require.Zero(t, code)
	// This fails where a row has another length.
	rows, err := csv.NewReader(strings.NewReader(strings.Join(lines, "\n"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 5, "one header")
	require.Equal(t, []string{"time", "device_id", "error", "announced", "health (%)",
		"time to empty (s)", "input.voltage (V)"}, rows[0][:7])
	stamp := "2026-01-02T15:04:05Z"
	require.Equal(t, []string{stamp, "1-1:1.0", "", "false", "100", "1004", ""}, rows[1][:7])
	empty := make([]string, len(rows[0])-4)
	require.Equal(t, []string{stamp, "1-2:1.0", "", "false"}, rows[2][:4])
	require.Equal(t, empty, rows[2][4:], "unknown is empty, never 0")
	require.Equal(t, []string{"1-1:1.0", gone, ""}, rows[3][1:4])
	require.Equal(t, empty, rows[3][4:], "and nothing is left of the values before")

	said := map[string]string{}
	for i, name := range rows[0] {
		require.False(t, strings.HasPrefix(name, "controls."), name)
		if rows[4][i] != "" {
			said[name] = rows[4][i]
		}
	}
	require.Equal(t, map[string]string{"time": stamp, "device_id": "1-1:1.0", "announced": "true",
		"status.ac present": "false", "status.discharging": "true", "config.voltage (V)": "120"}, said)
}

func TestWatchSaysOnceWhatItCannotRead(t *testing.T) {
	r := partly("1-1:1.0")
	code, lines, stderr := watched(t, "json", scripted{r, r, r, good("1-1:1.0"), r})
	require.Zero(t, code)
	require.Len(t, lines, 5)
	const warning = "tripplite: not all could be read: 1-1:1.0: report 0x1e (UPS.Load): stalled\n"
	require.Equal(t, strings.Repeat(warning, 2), stderr)
}

func TestWatchEndsWhereNothingCanBeListed(t *testing.T) {
	code, lines, stderr := watched(t, "json", scripted{{Err: tripplite.ErrUnsupported}})
	require.Equal(t, 1, code)
	require.Equal(t, []string{""}, lines)
	requireOneLine(t, stderr, "tripplite: not supported")
}

func TestWatchEndsWellWhenNobodyReads(t *testing.T) {
	broken := &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}
	for _, gone := range []error{syscall.EPIPE, broken, io.ErrClosedPipe} {
		for _, format := range []string{"json", "csv", "text"} {
			s := &session{ctx: t.Context()}
			write := watchCommand{Format: format}.writer(failing{gone})
			require.NoError(t, s.follow(drop, time.Second, write))
		}
	}
	s := &session{ctx: t.Context()}
	err := s.follow(drop, time.Second, watchCommand{Format: "json"}.writer(failing{syscall.ENOSPC}))
	require.ErrorIs(t, err, syscall.ENOSPC)
}

func TestWatchGoesOnUntilItIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithTimeout(t.Context(), 10500*time.Millisecond)
		defer interrupt()
		var stdout, stderr bytes.Buffer
		args := []string{"watch", "--every", "2", "--replay", "smart1500lcd", "--replay", "smart1500lcd"}
		require.Zero(t, run(ctx, args, nil, &stdout, &stderr))
		require.Empty(t, stderr.String())
		units := map[string]int{}
		for line := range strings.Lines(stdout.String()) {
			var state tripplite.State
			require.NoError(t, json.Unmarshal([]byte(line), &state))
			units[state.Path]++
		}
		require.Equal(t, map[string]int{"smart1500lcd": 6, "smart1500lcd#2": 6}, units,
			"at the start and every 2 s, for 10 s")
	})
}

// slow is a unit that takes its time, as real ones do.
type slow struct{ *capture.Device }

func (s slow) GetFeatureReport(b []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return s.Device.GetFeatureReport(b)
}

// failure replays a unit whose power fails after a second. It hands what it shows to a command.
func failure(t *testing.T, command func(*session, source) error) string {
	t.Helper()
	var stdout bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		c := load(t, "smart1500lcd")
		device := c.Device(0)
		b := tripplite.New(slow{device}, tripplite.WithDeviceInfo(tripplite.DeviceInfo{Path: "1-1:1.0"}),
			tripplite.WithReportDescriptor(c.Interfaces[0].Descriptor))
		units := tripplite.BankOf(b)
		defer units.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		time.AfterFunc(time.Second, func() {
			for _, report := range [][]byte{{0x18, 0, 0}, {0x19, 0, 0}, {0x32, 0x08}} {
				device.Set(report[0], report[1:]...)
			}
			device.Push(0x32, 0x08)
		})
		require.NoError(t, command(&session{ctx: ctx, stdout: &stdout}, units))
	})
	return stdout.String()
}

func TestAnAnnouncedStatusIsALineOfItsOwn(t *testing.T) {
	stdout := failure(t, func(s *session, units source) error {
		return s.follow(units, time.Hour, watchCommand{Format: "json"}.writer(s.stdout))
	})
	var states []tripplite.State
	for line := range strings.Lines(stdout) {
		var state tripplite.State
		require.NoError(t, json.Unmarshal([]byte(line), &state))
		states = append(states, state)
	}
	require.Len(t, states, 3)
	on, event, whole := states[0], states[1], states[2]
	require.Equal(t, tripplite.ValueOf(true), on.Status.ACPresent)
	require.True(t, event.Announced)
	require.Equal(t, tripplite.ValueOf(false), event.Status.ACPresent)
	require.Equal(t, on.Config, event.Config)
	require.Zero(t, event.Input, "nothing of before is beside it")
	require.Zero(t, event.RemainingCapacity)
	require.False(t, whole.Announced)
	require.Equal(t, tripplite.ValueOf(0.0), whole.Input.Voltage)
}

func TestTheLiveViewShowsAnAnnouncementWithoutOlderReadings(t *testing.T) {
	var screens [][]string
	failure(t, func(s *session, units source) error {
		v := &view{readings: map[string]tripplite.Reading{}}
		for r := range units.Watch(s.ctx, time.Hour) {
			v.take(r)
			screens = append(screens, shown(v, 80, 24))
		}
		return nil
	})
	require.Len(t, screens, 3)
	require.Equal(t, []string{
		"1-1:1.0", "", "  ! ON BATTERY", "  discharging", "",
		"  Charge    -                   Input     -",
		"  Runtime   -                   Output    -",
		"  Load      -                   Battery   -",
		"  Nominal   120 V, 60 Hz, 1500 VA, battery 24 V",
	}, screens[1][2:11])
	change := screens[1][13]
	require.True(t, strings.HasSuffix(change, "  1-1:1.0  on battery, discharging"), change)
	require.Equal(t, "  Charge    100 %               Input     0 V, 0 Hz", screens[2][7])
}

// shown returns the lines of a view, without their colours.
func shown(v *view, width, height int) []string {
	return strings.Split(forWriter(io.Discard, strings.Join(v.lines(width, height), "\n")), "\n")
}

// inBubble runs a test in which every clock shows the same.
func inBubble(t *testing.T, test func(t *testing.T, v *view, stamp string)) {
	v := &view{every: 5 * time.Second, readings: map[string]tripplite.Reading{}}
	synctest.Test(t, func(t *testing.T) { test(t, v, time.Now().Format(time.TimeOnly)) })
}

func TestTheLiveView(t *testing.T) {
	inBubble(t, func(t *testing.T, v *view, stamp string) {
		title := "tripplite  " + stamp + "  every 5s" + strings.Repeat(" ", 40) + "Ctrl-C ends"
		require.Equal(t, title, shown(v, 80, 24)[0])
		require.Contains(t, shown(v, 80, 24)[2], "no reading yet: no Tripp Lite UPS found")

		for _, r := range drop[:3] {
			v.take(r)
		}
		require.Equal(t, []string{
			title,
			"",
			"1-1:1.0",
			"",
			"  ! NO READING: the UPS is disconnected: it is read again as soon as it is back",
			"    at this port",
			"",
			stamp + "  1-1:1.0  on line power",
			stamp + "  1-1:1.0  on battery",
			stamp + "  1-1:1.0  no reading: the UPS is disconnected: it is read again as soo…",
		}, shown(v, 80, 24), "a lost unit has no values, and what happened is still there")

		v.take(drop[3])
		v.take(drop[3]) // no change
		lines := shown(v, 80, 24)
		require.Equal(t, stamp+"  1-1:1.0  on line power", lines[len(lines)-1])
		require.Len(t, v.changes, 4)
		require.Contains(t, strings.Join(lines, "\n"), "Charge    100 %")
	})
}

func TestTheLiveViewFitsAnyTerminal(t *testing.T) {
	inBubble(t, func(t *testing.T, v *view, _ string) {
		for height := 1; height < 10; height++ {
			shown(v, 1, height) // without a unit
		}
		for _, path := range []string{"1-3:1.0", "1-1:1.0", "1-2:1.0"} {
			v.take(good(path))
		}
		v.take(reading("1-2:1.0", onBatteryNow))
		for height := 1; height < 60; height++ {
			for _, width := range []int{1, 20, 80, 200} {
				lines := shown(v, width, height)
				require.LessOrEqual(t, len(lines), height)
				for _, line := range lines {
					require.LessOrEqual(t, utf8.RuneCountInString(line), width)
				}
			}
		}
		lines := shown(v, 80, 12)
		require.Equal(t, "1-1:1.0  on line power, charge 100 %, runtime 16 min 44 s, load 14 %", lines[2],
			"a line each, in order, where tables do not fit")
		require.Equal(t, "1-2:1.0  ! on battery, charge 100 %, runtime 16 min 44 s, load 14 %", lines[3])
		require.Contains(t, shown(v, 80, 60)[2], "1-1:1.0")
		require.Equal(t, "", shown(v, 80, 60)[3])

		for range 1000 {
			v.take(good("1-1:1.0"))
			v.take(lost("1-1:1.0"))
		}
		require.Len(t, v.changes, 200)
	})
}

// build makes the program.
func build(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "tripplite")
	text, err := exec.Command("go", "build", "-o", name, ".").CombinedOutput()
	require.NoError(t, err, string(text))
	return name
}

// terminal is a program on a terminal, as script makes one.
type terminal struct {
	t      *testing.T
	run    *exec.Cmd
	keys   io.WriteCloser
	screen io.Reader
	shown  string
}

func onTerminal(t *testing.T, command string, env ...string) *terminal {
	t.Helper()
	log := filepath.Join(t.TempDir(), "typescript")
	// exec, since a shell that waits beside the program, as dash does, dies of Ctrl-C itself
	run := exec.Command(program.Find(t, "script"), "-qec", "exec "+command, log)
	run.Env = append(append(os.Environ(), "TERM=xterm", "NO_COLOR="), env...)
	keys, err := run.StdinPipe()
	require.NoError(t, err)
	screen, err := run.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, run.Start())
	return &terminal{t: t, run: run, keys: keys, screen: screen}
}

// until waits for a text.
func (term *terminal) until(text string) *terminal {
	term.t.Helper()
	for buffer := make([]byte, 4096); !strings.Contains(term.shown, text); {
		n, err := term.screen.Read(buffer)
		term.shown += string(buffer[:n])
		require.NoError(term.t, err, "%q is not in %q", text, term.shown)
	}
	return term
}

func (term *terminal) types(keys string) *terminal {
	_, err := io.WriteString(term.keys, keys)
	require.NoError(term.t, err)
	return term
}

// ends waits for the end of the program and returns all that was shown.
func (term *terminal) ends() string {
	term.t.Helper()
	require.Zero(term.t, term.exits(), term.shown)
	return term.shown
}

// exits waits for the end of the program and returns its status.
func (term *terminal) exits() int {
	term.t.Helper()
	rest, err := io.ReadAll(term.screen)
	require.NoError(term.t, err)
	term.shown += string(rest)
	_ = term.run.Wait()
	return term.run.ProcessState.ExitCode()
}

func TestOnATerminal(t *testing.T) {
	tripplite := build(t)
	status := tripplite + " status --replay smart1500lcd-on-battery"
	assert.Contains(t, onTerminal(t, status).ends(), "\x1b[1;33m! ON BATTERY\x1b[0m")
	assert.NotContains(t, onTerminal(t, status, "NO_COLOR=1").ends(), "\x1b")
	assert.NotContains(t, onTerminal(t, status, "TERM=dumb").ends(), "\x1b")

	const ctrlC = "\x03"
	watch := tripplite + " watch --every 1 --replay smart1500lcd"
	const reads = "Runtime   16 min 44 s"
	live := onTerminal(t, watch).until(reads).types(ctrlC).ends()
	assert.True(t, strings.HasPrefix(live, "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H"), "%.100q", live)
	assert.True(t, strings.HasSuffix(live, "\x1b[?7h\x1b[?25h\x1b[?1049l"), "it is as before")

	colourless := onTerminal(t, watch, "NO_COLOR=1").until(reads).types(ctrlC).ends()
	assert.Contains(t, colourless, "\x1b[?1049h", "a live view needs no colour")
	assert.NotContains(t, colourless, "\x1b[1m")

	dumb := onTerminal(t, watch, "TERM=dumb").until(", charge 100 %").types(ctrlC).ends()
	assert.NotContains(t, dumb, "\x1b")
	assert.Contains(t, dumb, " smart1500lcd on line power, charge 100 %")
	lines := onTerminal(t, watch+" --format json").until("}\r\n").types(ctrlC).ends()
	assert.True(t, strings.HasPrefix(lines, `{"battery"`))

	c := load(t, "smart1500lcd")
	c.Product, c.Serial = "TRIPP LITE UPS SMART1500LCDT", "2513BVOSM864400187"
	for line := range strings.Lines(onTerminal(t, tripplite+" list --replay "+file(t, c)).ends()) {
		assert.LessOrEqual(t, len(strings.TrimRight(line, "\r\n")), 80, line)
	}
}

func TestWatchIntoHead(t *testing.T) {
	tripplite := build(t)
	bash := program.Find(t, "bash")
	script := tripplite + ` watch --every 50ms --replay smart1500lcd | head -1
		echo "status ${PIPESTATUS[0]}"`
	text, err := exec.Command(bash, "-c", script).CombinedOutput()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Len(t, lines, 2, string(text))
	require.Equal(t, "status 0", lines[1])
}
