//go:build e2e && linux

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/program"
)

// rows splits the table of tripplite list into its columns.
func rows(t *testing.T, table string) (rows [][]string) {
	t.Helper()
	for line := range strings.Lines(table) {
		var cells []string
		for _, cell := range strings.Split(strings.TrimSpace(line), "  ") {
			if cell = strings.TrimSpace(cell); cell != "" {
				cells = append(cells, cell)
			}
		}
		require.Len(t, cells, 6, line)
		rows = append(rows, cells)
	}
	return rows
}

func TestListSaysWhatCanBeOpened(t *testing.T) {
	ran := tool(t, nil, "tripplite", "list")
	assert.Equal(t, 1, ran.status)
	assert.Contains(t, oneLine(t, ran.stderr), "tripplite: no Tripp Lite UPS found")

	older := load(t, "smart500rt1u")
	older.Serial = "FW-2263 E"
	units := attach(t, load(t, "smart1500lcd"), load(t, "pro1500rt2u"), older)
	byPath := func(ran result) map[string][]string {
		require.Zero(t, ran.status, ran.stderr)
		table := rows(t, ran.stdout)
		require.Len(t, table, 4)
		require.Equal(t, []string{"PATH", "ID", "FAMILY", "PRODUCT", "SERIAL", "ACCESS"}, table[0])
		found := map[string][]string{}
		for _, row := range table[1:] {
			found[row[0]] = row[1:]
		}
		return found
	}

	holder := units[1].open()
	held, complaints := "yes", 0 // several programs share a unit
	if overHidapi {
		held, complaints = fmt.Sprintf("busy (%s, process %d)", filepath.Base(os.Args[0]), os.Getpid()), 1
	}
	want := map[string][]string{
		units[0].path: {"09ae:2012", "Tripp Lite 2xxx", "Tripp Lite UPS", "-", "yes"},
		units[1].path: {"05dd:a0a0", "Delta/Minuteman", "MINUTEMAN UPS", "-", held},
		units[2].path: {"09ae:0001", "Tripp Lite 0001", "SMART500RT1U", "FW-2263 E", "yes"},
	}
	ran = tool(t, nil, "tripplite", "list")
	assert.Equal(t, want, byPath(ran))
	assert.Equal(t, complaints, strings.Count(ran.stderr, "\n"), "what to do: %s", ran.stderr)
	assert.Equal(t, overHidapi, strings.Contains(ran.stderr, "another program holds the UPS: stop it first"))
	_, err := holder.Get(t.Context())
	assert.True(t, tripplite.HasState(err), "the holder is not disturbed: %v", err)
	assert.Zero(t, units[0].Counts().Reads(0x32), "nothing is read")

	ran = tool(t, nobody(), "tripplite", "list")
	for _, row := range want {
		row[4] = "no permission"
	}
	assert.Equal(t, want, byPath(ran))
	assert.Contains(t, ran.stderr, "udev rule")

	ran = tool(t, nil, "tripplite", "list", "--path", units[0].path)
	require.Zero(t, ran.status)
	assert.Len(t, rows(t, ran.stdout), 2)
}

// nextLine is what a program prints next.
func nextLine(t *testing.T, lines <-chan string) string {
	t.Helper()
	select {
	case line, ok := <-lines:
		require.True(t, ok, "the program has ended")
		return line
	case <-time.After(20 * time.Second):
		require.Fail(t, "nothing was printed")
		return ""
	}
}

// follow starts tripplite watch and returns its lines, and a function that interrupts it and returns its status.
func follow(t *testing.T, args ...string) (lines <-chan string, interrupt func() int) {
	t.Helper()
	command := exec.Command("tripplite", append([]string{"watch"}, args...)...)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { command.Process.Kill() })
	printed := make(chan string, 1000)
	go func() {
		defer close(printed)
		for scanner := bufio.NewScanner(output); scanner.Scan(); {
			printed <- scanner.Text()
		}
	}()
	return printed, func() int {
		require.NoError(t, command.Process.Signal(syscall.SIGINT))
		for range printed {
		}
		command.Wait()
		return command.ProcessState.ExitCode()
	}
}

// fails takes the mains away from a unit; returns brings it back.
func fails(u *unit) {
	u.SetReport(capture.Feature, 0x32, 0x08)
	u.SetReport(capture.Feature, 0x18, 0, 0)
	u.SetReport(capture.Feature, 0x19, 0, 0)
	u.Push(0x32, 0x08)
}

func returns(u *unit) {
	u.SetReport(capture.Feature, 0x32, 0x46)
	u.SetReport(capture.Feature, 0x18, 0x94, 0x04)
	u.SetReport(capture.Feature, 0x19, 0x55, 0x02)
	u.Push(0x32, 0x46)
}

func TestTheToolWatchesAPowerFailureAndAReplug(t *testing.T) {
	for name, args := range map[string]func(u *unit) []string{
		"all units": func(*unit) []string { return []string{"--every", "1h"} },
		"one":       func(u *unit) []string { return []string{"--every", "1h", "--path", u.path} },
	} {
		t.Run(name, func(t *testing.T) {
			u := attachOne(t, "smart1500lcd")
			lines, interrupt := follow(t, args(u)...)
			next := func() map[string]any {
				var object map[string]any
				require.NoError(t, json.Unmarshal([]byte(nextLine(t, lines)), &object))
				require.Equal(t, u.path, object["device_id"])
				return object
			}
			until := func(ac bool) (object map[string]any) {
				for object = next(); object["status"].(map[string]any)["ac present"] != ac; object = next() {
				}
				return object
			}
			until(true)
			fails(u)
			until(false)
			u.Unplug()
			object := next()
			for object["error"] == nil {
				object = next() // the whole read that follows an announcement
			}
			// Where a transfer is under way, the virtual host controller may end it after seconds only.
			assert.Regexp(t, "the UPS is disconnected|does not answer", object["error"])
			assert.Len(t, object, 3, "no value of before: %v", object)
			require.NoError(t, u.Plug())
			until(false)
			returns(u)
			until(true)
			assert.Zero(t, interrupt())
			assert.Zero(t, tool(t, nil, "tripplite").status, "and the unit is free again")
		})
	}
}

func TestTheToolWatchesUnitsComeAndGo(t *testing.T) {
	lines, interrupt := follow(t, "--format", "text")
	first := attachOne(t, "smart1500lcd")
	assert.Contains(t, nextLine(t, lines), first.path+" on line power, charge 100 %")
	second := attachOne(t, "pro1500rt2u")
	for line := nextLine(t, lines); !strings.Contains(line, second.path+" on line power"); line = nextLine(t, lines) {
	}
	assert.Zero(t, interrupt())
}

func TestCheckOnAUnit(t *testing.T) {
	ran := tool(t, nil, "tripplite", "check")
	assert.Equal(t, 3, ran.status)
	assert.Contains(t, oneLine(t, ran.stdout), "UPS UNKNOWN - no Tripp Lite UPS found")

	u := attachOne(t, "smart1500lcd")
	for _, test := range []struct {
		status byte
		args   []string
		code   int
		line   string
	}{
		{0x46, nil, 0, "UPS OK - on line power, charge 100%, runtime 1004s, load 36% | "},
		{0x46, []string{"-w", "runtime=1200:"}, 1, "UPS WARNING - runtime 1004s is not within 1200:; "},
		{0x08, nil, 1, "UPS WARNING - on battery; "},
		{0x28, nil, 2, "UPS CRITICAL - battery low, on battery; "},
		{0x09, nil, 2, "UPS CRITICAL - shutdown imminent, on battery; "},
		{0x12, nil, 1, "UPS WARNING - replace battery; "},
	} {
		u.SetReport(capture.Feature, 0x32, test.status)
		ran := tool(t, nil, "tripplite", append([]string{"check"}, test.args...)...)
		assert.Equal(t, test.code, ran.status)
		assert.True(t, strings.HasPrefix(oneLine(t, ran.stdout), test.line), ran.stdout)
		assert.Empty(t, ran.stderr)
	}

	ran = tool(t, nobody(), "tripplite", "check", "--lost", "critical")
	assert.Equal(t, 3, ran.status, "the unit is not lost")
	assert.Contains(t, oneLine(t, ran.stdout), "no permission")

	path := u.path
	u.Unplug()
	awaitGone(t, path)
	ran = tool(t, nil, "tripplite", "check", "--path", path)
	assert.Equal(t, 3, ran.status)
	ran = tool(t, nil, "tripplite", "check", "--path", path, "--lost", "critical")
	assert.Equal(t, 2, ran.status)
	assert.Contains(t, oneLine(t, ran.stdout), "UPS CRITICAL - "+path)
}

func TestGetOnAUnit(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	assert.Equal(t, result{stdout: "117.2\n"}, tool(t, nil, "tripplite", "get", "input.voltage"))
	assert.Equal(t, result{stdout: u.path + "\n"}, tool(t, nil, "tripplite", "get", "device_id"))
	ran := tool(t, nil, "tripplite", "get", "output.current")
	assert.Equal(t, 1, ran.status)
	assert.Empty(t, ran.stdout)

	attachOne(t, "pro1500rt2u")
	ran = tool(t, nil, "tripplite", "get", "input.voltage")
	assert.Equal(t, 1, ran.status)
	assert.Contains(t, oneLine(t, ran.stderr), "several UPSes, "+u.path+", ")
	assert.Contains(t, ran.stderr, "--path")
	assert.Equal(t, "117.2\n", tool(t, nil, "tripplite", "get", "input.voltage", "--path", u.path).stdout)
}

func TestStatusOnUnits(t *testing.T) {
	units := attach(t, load(t, "smart1500lcd"), load(t, "smart1500lcd"))
	holder := units[1].open()
	ran := tool(t, nil, "tripplite", "status")
	if !overHidapi {
		assert.Zero(t, ran.status, "both are read, whoever else reads them")
		return
	}
	assert.Equal(t, 1, ran.status, "not all could be read")
	assert.Contains(t, ran.stdout, units[0].path+"  Tripp Lite UPS  09ae:2012  Tripp Lite 2xxx\n\n  on line power, charging, fully charged")
	assert.Contains(t, ran.stdout, units[1].path+"  Tripp Lite UPS  09ae:2012  Tripp Lite 2xxx\n\n  ! NO READING: another program holds the UPS: stop it first (e2e.test")
	require.NoError(t, holder.Close())
	assert.Zero(t, tool(t, nil, "tripplite", "status").status)
}

// said is what the tool prints for a unit, but for what differs between two readings.
func said(t *testing.T, args ...string) string {
	t.Helper()
	ran := tool(t, nil, "tripplite", args...)
	require.Zero(t, ran.status, ran.stderr)
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(ran.stdout), &object))
	delete(object, "device_id")
	delete(object, "time")
	if config, ok := object["config"].(map[string]any); ok {
		delete(config, "device chemistry") // a string, which a capture does not have
	}
	text, err := json.Marshal(object)
	require.NoError(t, err)
	return string(text)
}

func TestACaptureReplaysAndServesAsTheUnit(t *testing.T) {
	for _, name := range []string{"smart1500lcd", "pro1500rt2u", "smart1500lcd-on-battery"} {
		t.Run(name, func(t *testing.T) {
			u := attachOne(t, name)
			direct := said(t)
			file := filepath.Join(t.TempDir(), "mine.json")
			ran := tool(t, nil, "tripplite", "capture", file, "--model", "as on the label")
			require.Zero(t, ran.status, ran.stderr)
			assert.Contains(t, oneLine(t, ran.stdout), "tripplite explain "+file)
			assert.JSONEq(t, direct, said(t, "--replay", file))

			made, err := capture.Load(file)
			require.NoError(t, err)
			assert.Equal(t, u.Capture().Interfaces[0].Descriptor, made.Interfaces[0].Descriptor)
			u.Unplug()
			require.NoError(t, u.Detach())
			attach(t, made)
			assert.JSONEq(t, direct, said(t), "a virtual UPS made of the new capture reads the same")

			ran = tool(t, nil, "tripplite", "explain", file)
			require.Zero(t, ran.status, ran.stderr)
			assert.Contains(t, ran.stdout, "status.ac present")
		})
	}
}

func TestACaptureListensForWhatAUnitAnnounces(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	go func() {
		for range 20 {
			time.Sleep(100 * time.Millisecond)
			u.Push(0x32, 0x08)
		}
	}()
	ran := tool(t, nil, "tripplite", "capture", "--listen", "2s")
	require.Zero(t, ran.status, ran.stderr)
	made, err := capture.Parse([]byte(ran.stdout))
	require.NoError(t, err)
	assert.Contains(t, made.Interfaces[0].Reports, capture.Report{Type: capture.Input, ID: 0x32, Bytes: []byte{0x32, 0x08}, Origin: capture.Captured})
	assert.Contains(t, made.Source[0], "captured from a unit")
}

// terminal is a tmux of 80 columns and 24 lines.
type terminal struct {
	t      *testing.T
	socket string
}

func newTerminal(t *testing.T) terminal {
	t.Helper()
	program.Find(t, "tmux")
	term := terminal{t, "e2e"}
	term.run("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "env", "PS1=$ ", "bash", "--norc", "--noprofile")
	t.Cleanup(func() { exec.Command("tmux", "-L", term.socket, "kill-server").Run() })
	return term
}

func (term terminal) run(args ...string) string {
	term.t.Helper()
	text, err := exec.Command("tmux", append([]string{"-L", term.socket}, args...)...).CombinedOutput()
	require.NoError(term.t, err, string(text))
	return string(text)
}

func (term terminal) types(keys ...string) { term.run(append([]string{"send-keys"}, keys...)...) }

// shows waits until the screen has a text, and returns and logs the screen under a name, for docs/screens.
func (term terminal) shows(name, text string) string {
	term.t.Helper()
	screen := ""
	require.Eventually(term.t, func() bool {
		screen = term.run("capture-pane", "-p")
		return strings.Contains(screen, text)
	}, 20*time.Second, 100*time.Millisecond, "%q is on the screen", text)
	screen = strings.TrimRight(screen, "\n")
	term.t.Logf("screen %s\n%s", name, screen)
	return screen
}

func TestTheToolOnATerminal(t *testing.T) {
	u := attachOne(t, "smart1500lcd")
	attachOne(t, "pro1500rt2u")
	term := newTerminal(t)
	term.types("clear; tripplite list; echo status $?", "Enter")
	term.shows("list", "status 0")
	term.types("clear; tripplite status; echo status $?", "Enter")
	term.shows("status", "status 0")
	term.types("clear; tripplite check -w charge=50:,runtime=900: -c charge=20:,runtime=300: --path "+u.path+"; echo status $?", "Enter")
	term.shows("check", "status 0")

	term.types("clear; tripplite watch", "Enter")
	term.shows("watch", "Output    121.7 V")
	fails(u)
	screen := term.shows("watch-power-failure", "! ON BATTERY")
	assert.Contains(t, screen, u.path+"  on battery", "among the changes")
	term.shows("watch-power-failure-read", "Input     0 V")
	u.Unplug()
	screen = term.shows("watch-unplugged", "! NO READING")
	assert.NotContains(t, screen, "Input     0 V", "nothing is left of the values before")
	require.NoError(t, u.Plug())
	term.shows("watch-plugged-in", "! ON BATTERY")
	returns(u)
	screen = term.shows("watch-power-back", "Input     117.2 V")
	assert.NotContains(t, screen, "! ON BATTERY")

	term.run("resize-window", "-x", "70", "-y", "10")
	screen = term.shows("watch-small", u.path+"  on line power, charge 100 %")
	assert.Len(t, strings.Split(screen, "\n")[0], 70, "drawn anew: %q", screen)
	term.run("resize-window", "-x", "80", "-y", "24")
	term.shows("watch-large", "Nominal")
	term.types("C-z")
	screen = term.shows("watch-suspended", "Stopped")
	assert.NotContains(t, screen, "Nominal", "the shell has its screen back")
	term.types("fg", "Enter")
	term.shows("watch-continued", "Nominal")
	term.types("C-c")
	term.types("echo status $?", "Enter")
	screen = term.shows("watch-ended", "status 0")
	assert.NotContains(t, screen, "Nominal", "the screen is as it was before")
	assert.Equal(t, "1", strings.TrimSpace(term.run("display-message", "-p", "#{cursor_flag}")), "and has its cursor again")
	assert.Equal(t, "1", strings.TrimSpace(term.run("display-message", "-p", "#{wrap_flag}")))
}
