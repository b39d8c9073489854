package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/program"
)

// drop is what a unit says that loses mains, drops off the bus, and is back.
var drop = scripted{good("1-1:1.0"), reading("1-1:1.0", onBatteryNow), lost("1-1:1.0"), good("1-1:1.0")}

// watched follows a source in a format.
func watched(t *testing.T, format string, units source) (code int, lines []string, stderr string) {
	t.Helper()
	code, stdout, stderr := over(t, func(s *session) int {
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
		const onMains = `{"device_id":"1-1:1.0","health":100,"output":{"load":14},"status":{"ac present":true,"below remaining capacity":false},"time":"2026-01-02T15:04:05Z","time to empty":1004}`
		require.Equal(t, onMains, lines[0])
		require.Equal(t, strings.Replace(onMains, "true", "false", 1), lines[1])
		var object map[string]any
		require.NoError(t, json.Unmarshal([]byte(lines[2]), &object))
		said, err := time.Parse(time.RFC3339Nano, object["time"].(string))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), said, time.Minute)
		delete(object, "time")
		require.Equal(t, map[string]any{
			"device_id": "1-1:1.0",
			"error":     "the UPS is disconnected: it is read again as soon as it is back at this port",
		}, object, "and no value of before")
		require.Equal(t, onMains, lines[3])
	}
}

func TestWatchAsText(t *testing.T) {
	code, lines, _ := watched(t, "text", drop)
	require.Zero(t, code)
	require.Len(t, lines, 4)
	stamp := at.Local().Format(time.RFC3339)
	require.Equal(t, stamp+" 1-1:1.0 on mains, charge 100 %, runtime 16 min 44 s, load 14 %", lines[0])
	require.Equal(t, stamp+" 1-1:1.0 on battery, charge 100 %, runtime 16 min 44 s, load 14 %", lines[1])
	require.True(t, strings.HasSuffix(lines[2], " 1-1:1.0 no reading: the UPS is disconnected: it is read again as soon as it is back at this port"), lines[2])
	require.Equal(t, lines[0], lines[3])
}

func TestWatchAsCSVHasTheSameColumnsForEveryUnit(t *testing.T) {
	units := scripted{good("1-1:1.0"), reading("1-2:1.0", func(s *tripplite.State) { *s = tripplite.State{Path: s.Path, Time: s.Time} }), lost("1-1:1.0")}
	code, lines, _ := watched(t, "csv", units)
	require.Zero(t, code)
	rows, err := csv.NewReader(strings.NewReader(strings.Join(lines, "\n"))).ReadAll() // which fails where a row has another length
	require.NoError(t, err)
	require.Len(t, rows, 4, "one header")
	require.Equal(t, []string{"time", "device_id", "error", "health (%)", "time to empty (s)", "input.voltage (V)", "input.frequency (Hz)"}, rows[0][:7])
	require.Equal(t, []string{"2026-01-02T15:04:05Z", "1-1:1.0", "", "100", "1004", "", ""}, rows[1][:7])
	require.Equal(t, strings.Repeat("x", len(rows[0])-2), strings.Join(replaceEmpty(rows[2][2:]), ""), "unknown is empty, never 0")
	require.Equal(t, []string{"1-1:1.0", "the UPS is disconnected: it is read again as soon as it is back at this port"}, rows[3][1:3])
	require.Equal(t, strings.Repeat("x", len(rows[0])-3), strings.Join(replaceEmpty(rows[3][3:]), ""), "and nothing is left of the values before")

	for _, name := range rows[0] {
		require.False(t, strings.HasPrefix(name, "controls.") || strings.HasPrefix(name, "string index."), name)
	}
}

// replaceEmpty makes empty fields visible.
func replaceEmpty(fields []string) []string {
	var seen []string
	for _, f := range fields {
		if f == "" {
			f = "x"
		}
		seen = append(seen, f)
	}
	return seen
}

func TestWatchTellsOnceWhatItCannotRead(t *testing.T) {
	r := good("1-1:1.0")
	r.Err = &tripplite.PartialError{Reports: []*tripplite.ReportError{{Path: "1-1:1.0", ID: 0x1e, Name: "UPS.Load", Err: errors.New("stalled")}}}
	code, lines, stderr := watched(t, "json", scripted{r, r, r, good("1-1:1.0"), r})
	require.Zero(t, code)
	require.Len(t, lines, 5)
	require.Equal(t, strings.Repeat("tripplite: not all could be read: 1-1:1.0: report 0x1e (UPS.Load): stalled\n", 2), stderr)
}

func TestWatchEndsWhereTheListOfUnitsCannotBeHad(t *testing.T) {
	code, lines, stderr := watched(t, "json", scripted{{Err: tripplite.ErrUnsupported}})
	require.Equal(t, 1, code)
	require.Equal(t, []string{""}, lines)
	requireOneLine(t, stderr, "tripplite: not supported")
}

func TestWatchEndsWellWhenNobodyReads(t *testing.T) {
	for _, gone := range []error{syscall.EPIPE, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}, io.ErrClosedPipe} {
		for _, format := range []string{"json", "csv", "text"} {
			var stderr strings.Builder
			s := &session{ctx: t.Context(), stderr: &stderr}
			require.Zero(t, s.follow(drop, time.Second, watchCommand{Format: format}.writer(failing{gone})))
			require.Empty(t, stderr.String())
		}
	}
	var stderr strings.Builder
	s := &session{ctx: t.Context(), stderr: &stderr}
	require.Equal(t, 1, s.follow(drop, time.Second, jsonWriter(failing{syscall.ENOSPC})))
	requireOneLine(t, stderr.String(), "tripplite: no space left on device")
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// cancelling ends a context when so much has been written.
type cancelling struct {
	bytes.Buffer
	lines  int
	cancel func()
}

func (c *cancelling) Write(p []byte) (int, error) {
	if c.lines--; c.lines == 0 {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

func TestWatchGoesOnUntilItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := &cancelling{lines: 6, cancel: cancel}
	var stderr strings.Builder
	args := []string{"watch", "--every", "20ms", "--replay", "smart1500lcd", "--replay", "pro1500rt2u"}
	require.Zero(t, run(ctx, args, out, &stderr))
	require.Empty(t, stderr.String())
	units := map[string]int{}
	for line := range strings.Lines(out.String()) {
		var state tripplite.State
		require.NoError(t, json.Unmarshal([]byte(line), &state))
		units[state.Path]++
	}
	require.Len(t, units, 2, "both units, side by side")
}

func newView() *view {
	return &view{every: 5 * time.Second, now: func() time.Time { return at.Local() }}
}

func TestTheLiveView(t *testing.T) {
	v := newView()
	stamp := clock(at)
	require.Equal(t, "tripplite  "+stamp+"  every 5s"+strings.Repeat(" ", 40)+"Ctrl-C ends", v.lines(80, 24)[0])
	require.Contains(t, strings.Join(v.lines(80, 24), "\n"), "no reading yet: no Tripp Lite UPS found")

	for _, r := range drop[:3] {
		v.take(r)
	}
	require.Equal(t, []string{
		"tripplite  " + stamp + "  every 5s" + strings.Repeat(" ", 40) + "Ctrl-C ends",
		"",
		"1-1:1.0",
		"",
		"  ! NO READING: the UPS is disconnected: it is read again as soon as it is back",
		"    at this port",
		"",
		stamp + "  1-1:1.0  on mains",
		stamp + "  1-1:1.0  on battery",
		stamp + "  1-1:1.0  no reading: the UPS is disconnected: it is read again as soo…",
	}, v.lines(80, 24), "a lost unit has no values, and what happened is still there")

	v.take(drop[3])
	v.take(drop[3]) // no change
	lines := v.lines(80, 24)
	require.Equal(t, stamp+"  1-1:1.0  on mains", lines[len(lines)-1])
	require.Len(t, v.changes, 4)
	require.Contains(t, strings.Join(lines, "\n"), "Charge    100 %")
}

func TestTheLiveViewFitsAnyTerminal(t *testing.T) {
	v := newView()
	for _, path := range []string{"1-3:1.0", "1-1:1.0", "1-2:1.0"} {
		v.take(good(path))
	}
	v.take(reading("1-2:1.0", onBatteryNow))
	for height := 1; height < 60; height++ {
		for _, width := range []int{1, 20, 80, 200} {
			lines := v.lines(width, height)
			require.LessOrEqual(t, len(lines), height)
			for _, line := range lines {
				require.LessOrEqual(t, utf8.RuneCountInString(line), width)
			}
		}
	}
	lines := v.lines(80, 12)
	require.Equal(t, "1-1:1.0  on mains, charge 100 %, runtime 16 min 44 s, load 14 %", lines[2], "a line each, in order, where tables do not fit")
	require.Equal(t, "1-2:1.0  ! on battery, charge 100 %, runtime 16 min 44 s, load 14 %", lines[3])
	require.Contains(t, v.lines(80, 60)[2], "1-1:1.0")
	require.Equal(t, "", v.lines(80, 60)[3])

	for range 1000 {
		v.note("1-1:1.0", "on mains")
	}
	require.Len(t, v.changes, maxChanges)
}

// build makes the program.
func build(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "tripplite")
	text, err := exec.Command("go", "build", "-o", name, ".").CombinedOutput()
	require.NoError(t, err, string(text))
	return name
}

func TestOnATerminal(t *testing.T) {
	script := program.Find(t, "script")
	tripplite := build(t)
	ran := func(command string, env ...string) string {
		run := exec.Command(script, "-qec", command, filepath.Join(t.TempDir(), "typescript"))
		run.Env = append(append(os.Environ(), "TERM=xterm", "NO_COLOR="), env...)
		text, err := run.CombinedOutput()
		require.NoError(t, err, "%s: %s", command, text)
		return string(text)
	}
	status := tripplite + " status --replay smart1500lcd-on-battery"
	assert.Contains(t, ran(status), "\x1b[1;33m! ON BATTERY\x1b[0m")
	assert.NotContains(t, ran(status, "NO_COLOR=1"), "\x1b")
	assert.NotContains(t, ran(status, "TERM=dumb"), "\x1b")

	// timeout sends SIGINT, as Ctrl-C does, and hands on the status of what it ended.
	watch := "timeout --preserve-status -s INT 0.5 " + tripplite + " watch --every 100ms --replay smart1500lcd"
	live := ran(watch)
	assert.True(t, strings.HasPrefix(live, "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H"), "%.100q", live)
	assert.Contains(t, live, "Runtime   16 min 44 s")
	assert.True(t, strings.HasSuffix(live, "\x1b[?7h\x1b[?25h\x1b[?1049l"), "the terminal is as it was before")

	colourless := ran(watch, "NO_COLOR=1")
	assert.Contains(t, colourless, "\x1b[?1049h", "a live view needs no colour")
	assert.NotContains(t, colourless, "\x1b[1m")

	dumb := ran(watch, "TERM=dumb")
	assert.NotContains(t, dumb, "\x1b")
	assert.Contains(t, dumb, " smart1500lcd on mains, charge 100 %")
	assert.True(t, strings.HasPrefix(ran(watch+" --format json"), `{"battery"`))
}

func TestWatchIntoHead(t *testing.T) {
	tripplite := build(t)
	bash := program.Find(t, "bash")
	text, err := exec.Command(bash, "-c", tripplite+` watch --every 50ms --replay smart1500lcd | head -1; echo "status ${PIPESTATUS[0]}"`).CombinedOutput()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Len(t, lines, 2, string(text))
	require.Equal(t, "status 0", lines[1])
}
