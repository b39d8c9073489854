package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/replay"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

// lines returns a table with one space between its columns.
func lines(table string) (lines []string) {
	for line := range strings.Lines(table) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

func TestCommands(t *testing.T) {
	code, stdout, stderr := tool(t, "commands", "--replay", "smart1500lcd")
	require.Zero(t, code)
	require.Empty(t, stderr)
	of2012 := lines(stdout)
	require.Equal(t, "COMMAND TIMES CUTS LOAD WHAT IT DOES NOW", of2012[0])
	for _, want := range []string{
		"beeper.enable - no Switches the beeper on.",
		"shutdown.return --after 5 to 65534 may Sets auto restart and switches the load off after the " +
			"time. It comes back when line power becomes valid. Whether that takes a power failure first " +
			"is not known.",
		"shutdown.reboot --for 1 to 65534 may Switches the load off at once, and on again after the " +
			"time, on battery too.",
		"watchdog --after 5 to 255 may Power-cycles the load unless it is given again before the time " +
			"is over. Not given by this program, whose end would stop it.",
		"set.auto-restart --value no Sets whether the load comes back with line power after a shutdown " +
			"command.",
	} {
		assert.Contains(t, of2012, want)
	}
	assert.Contains(t, stdout, "\nload.off                  [--after 5 to 65534]  may        Switches")

	_, stdout, _ = tool(t, "commands", "--replay", "bcpers450")
	assert.Contains(t, lines(stdout), "shutdown.return --after 5 to 65534 may Would switch the load "+
		"off for good. Refused: the unit has no start timer, and only on battery does its load come "+
		"back by itself: now it would stay off.")
	_, stdout, _ = tool(t, "commands", "--replay", "pro1500rt2u")
	assert.Contains(t, stdout, "shutdown.return           --after 5 to 65534 --for 1 to 65534  may  ")
	_, stdout, _ = tool(t, "commands", "--replay", "smart500rt1u")
	assert.Contains(t, stdout, "outlet.1.load.off         --after 5 to 65534  may  ")

	code, stdout, stderr = tool(t, "commands", "--replay", "unit-3016")
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	requireOneLine(t, stderr, "tripplite: unit-3016: no command is known that this UPS takes")
}

func TestEveryCommandOfEveryCaptureHasItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range capture.Names() {
			units, err := replay.Open([]string{name})
			require.NoError(t, err)
			defer units[0].Close()
			list, err := units[0].Commands(t.Context())
			require.NoError(t, err)
			for _, info := range list {
				assert.Contains(t, commandNames, info.Name, name)
			}
		}
	})
}

const (
	returns60 = "do shutdown.return --after 60 "
	says2012  = "tripplite: smart1500lcd: shutdown.return after 60 s: Sets auto restart and " +
		"switches the load off after the time. It comes back when line power becomes valid. " +
		"Whether that takes a power failure first is not known.\n"
	wantsYes = "tripplite: shutdown.return may take the power from the load: it wants --yes where " +
		"nobody can be asked\n"
	staysOff = "tripplite: bcpers450: refused: the unit has no start timer, and only on battery " +
		"does its load come back by itself: now it would stay off\n"
)

func TestDo(t *testing.T) {
	for name, test := range map[string]struct {
		args           string
		code           int
		stdout, stderr string
	}{
		"without --yes": {returns60 + "--replay smart1500lcd", 2, "", says2012 + wantsYes},
		"with --yes": {returns60 + "--replay smart1500lcd --yes", 0,
			"smart1500lcd: done: shutdown.return after 60 s\n", says2012},
		"a dry run": {returns60 + "--replay smart1500lcd --dry-run", 0,
			"b6 01 (UPS.OutletSystem.Outlet.ffff00c7)\n" +
				"15 3c 00 (UPS.OutletSystem.Outlet.DelayBeforeShutdown)\n", ""},
		"a dry run in other units of time": {
			"do shutdown.return --after 1m --for 2m --replay pro1500rt2u --dry-run", 0,
			"61 b4 00 (UPS.OutletSystem.Outlet.DelayBeforeStartup)\n" +
				"15 3c 00 (UPS.OutletSystem.Outlet.DelayBeforeShutdown)\n", ""},
		"what needs no consent": {"do shutdown.stop --replay smart1500lcd", 0,
			"smart1500lcd: done: shutdown.stop\n", ""},
		"a setting": {"do set.auto_restart --value 0 --replay smart1500lcd", 0,
			"smart1500lcd: done: set.auto-restart 0\n", ""},
		"a value that the setting does not take": {
			"do set.auto-restart --value 2 --replay smart1500lcd", 2, "",
			"tripplite: smart1500lcd: refused: it is 0 or 1, and not 2\n"},
		"refused":               {returns60 + "--replay bcpers450 --yes", 1, "", staysOff},
		"refused, in a dry run": {returns60 + "--replay bcpers450 --dry-run", 1, "", staysOff},
		"what the unit has not": {"do load.on --replay smart1500lcd", 1, "",
			"tripplite: smart1500lcd: not supported: the unit has no report 0x61 " +
				"(UPS.OutletSystem.Outlet.DelayBeforeStartup)\n"},
		"what no unit of its kind has": {"do set.unit-id --value 7 --replay smart1500lcd", 1, "",
			"tripplite: smart1500lcd: refused: no unit of this kind has a command \"set.unit id\"\n"},
		"a unit of product 0001": {"do set.unit-id --value 7 --replay smart500rt1u --dry-run", 0,
			"3a 4a 00 07 ", ""},
		"a time that is not of whole seconds": {
			"do shutdown.return --after 5500ms --yes --replay smart1500lcd", 2, "",
			"tripplite: smart1500lcd: refused: the time \"after\" is not of whole seconds: 5.5s\n"},
		"a time that is missing": {"do shutdown.return --yes --replay smart1500lcd", 2, "",
			"tripplite: smart1500lcd: refused: it needs a time \"after\", of 5s to 18h12m14s\n"},
		"several units": {"do shutdown.stop --replay smart1500lcd --replay bcpers450", 1, "",
			"tripplite: there are several UPSes, smart1500lcd, bcpers450: choose one by --path, or give " +
				"--replay once\n"},
		"the beeper":      {"beeper mute --replay bcpers450", 0, "bcpers450: done: beeper.mute\n", ""},
		"the beeper, dry": {"beeper off --replay bcpers450 --dry-run", 0, "11 01 (", ""},
		"a test": {"test --replay smart1500lcd", 0,
			"smart1500lcd: done: test.battery.start.quick\n", ""},
		"a test on battery": {"test --replay smart1500lcd-on-battery", 2, "",
			"tripplite: smart1500lcd-on-battery: test.battery.start.quick: Runs the load on battery for " +
				"about ten seconds. It drops if the battery is bad.\ntripplite: test.battery.start.quick " +
				"may take the power from the load: it wants --yes where nobody can be asked\n"},
		"a deep test": {"test --deep --replay smart1500lcd --yes", 0,
			"smart1500lcd: done: test.battery.start.deep\n", "tripplite: smart1500lcd: test."},
		"the end of a test": {"test --stop --replay smart1500lcd --dry-run", 0, "10 03 (", ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := tool(t, strings.Fields(test.args)...)
			assert.Equal(t, test.code, code)
			whole := func(want, got string) {
				if want == "" || strings.HasSuffix(want, "\n") {
					assert.Equal(t, want, got)
				} else {
					assert.True(t, strings.HasPrefix(got, want), got)
				}
			}
			whole(test.stdout, stdout)
			whole(test.stderr, stderr)
		})
	}
}

// commanded is a unit whose test learns of each write.
type commanded struct {
	*tripplitetest.UPS
	wrote func(ups *tripplitetest.UPS, number int)
	count int
}

func (c *commanded) SendFeatureReport(b []byte) (int, error) {
	n, err := c.UPS.SendFeatureReport(b)
	c.count++
	c.wrote(c.UPS, c.count)
	return n, err
}

// ordered gives a command to a smart1500lcd and returns what was written.
func ordered(
	t *testing.T, how consent, ctx func(context.Context) context.Context,
	wrote func(ups *tripplitetest.UPS, number int),
) (code int, writes []string, stdout, stderr string) {
	t.Helper()
	var out, err strings.Builder
	synctest.Test(t, func(t *testing.T) {
		ups := &commanded{UPS: tripplitetest.NewUPS(t, "smart1500lcd"), wrote: wrote}
		b := tripplite.New(ups, tripplite.WithDeviceInfo(ups.Info),
			tripplite.WithReportDescriptor(load(t, "smart1500lcd").UPS().Descriptor))
		defer b.Close()
		s := &session{ctx: ctx(t.Context()), stdout: &out, stderr: &err}
		order := tripplite.Command{Name: tripplite.ShutdownReturn, After: time.Minute}
		code = s.end(s.orderOf(b, order, how))
		for _, request := range ups.Requests() {
			if strings.HasPrefix(request, "send ") {
				writes = append(writes, strings.TrimPrefix(request, "send "))
			}
		}
	})
	return code, writes, out.String(), err.String()
}

func uninterrupted(ctx context.Context) context.Context { return ctx }
func nothing(*tripplitetest.UPS, int)                   {}

func TestWhatIsWritten(t *testing.T) {
	for name, test := range map[string]struct {
		how  consent
		want []string
		code int
	}{
		"with --yes":    {consent{Yes: true}, []string{"b6 01", "15 3c 00"}, 0},
		"without --yes": {consent{}, nil, 2},
		"in a dry run":  {consent{Yes: true, DryRun: true}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			code, writes, _, _ := ordered(t, test.how, uninterrupted, nothing)
			assert.Equal(t, test.code, code)
			assert.Equal(t, test.want, writes)
		})
	}
}

func TestAUnitThatIsLostBetweenWritesMayActOnThem(t *testing.T) {
	all := []string{"b6 01", "15 3c 00"}
	for after := 1; after <= len(all); after++ {
		code, writes, stdout, stderr := ordered(t, consent{Yes: true}, uninterrupted,
			func(ups *tripplitetest.UPS, number int) {
				if number == after {
					ups.Unplug()
				}
			})
		assert.Equal(t, 3, code)
		assert.Equal(t, all[:after], writes)
		assert.Empty(t, stdout)
		for _, want := range append([]string{
			"\ntripplite: 1-1:1.0: it is not known whether the UPS acts on it: ",
			"; the load may be about to go\n",
		}, all[:after]...) {
			assert.Contains(t, stderr, want)
		}
	}
}

func TestAnInterruptOfACommand(t *testing.T) {
	t.Run("before the first write", func(t *testing.T) {
		code, writes, _, stderr := ordered(t, consent{Yes: true},
			func(ctx context.Context) context.Context {
				ctx, interrupt := context.WithCancel(ctx)
				interrupt()
				return ctx
			}, nothing)
		assert.Equal(t, 1, code)
		assert.Empty(t, writes)
		requireOneLine(t, stderr, "tripplite: 1-1:1.0: interrupted")
	})
	t.Run("between two writes", func(t *testing.T) {
		var interrupt func()
		code, writes, stdout, _ := ordered(t, consent{Yes: true},
			func(ctx context.Context) context.Context {
				ctx, interrupt = context.WithCancel(ctx)
				return ctx
			}, func(*tripplitetest.UPS, int) { interrupt() })
		assert.Zero(t, code)
		assert.Equal(t, []string{"b6 01", "15 3c 00"}, writes)
		assert.Equal(t, "1-1:1.0: done: shutdown.return after 60 s\n", stdout)
	})
}

func TestACommandThatDoesSomethingElseByNowIsNotGiven(t *testing.T) {
	code, stdout, stderr := over(t, func(s *session) error {
		units, err := replay.Open([]string{"smart1500lcd"})
		require.NoError(t, err)
		defer units[0].Close()
		off := tripplite.Command{Name: tripplite.LoadOff}
		info, _, err := s.prepare(units[0], off)
		require.NoError(t, err)
		require.NoError(t, s.still(units[0], off, info))
		info.Text = "Switches the load off. It comes back with line power."
		return s.still(units[0], off, info)
	})
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	requireOneLine(t, stderr, "tripplite: smart1500lcd: nothing was written, since it would do "+
		"something else by now: Switches the load off. It comes back when line power becomes valid")
}

func TestDoOnATerminal(t *testing.T) {
	const (
		question = "Type yes to go on: "
		written  = "msg=command" // with --debug
		ctrlC    = "\x03"
		ctrlD    = "\x04"
	)
	do := build(t) + " do shutdown.return --after 60 --replay smart1500lcd --debug"
	for name, test := range map[string]struct {
		typed string
		code  int
		says  string
	}{
		"yes":       {"yes\n", 0, "smart1500lcd: done: shutdown.return after 60 s"},
		"no":        {"no\n", 1, "tripplite: nothing was written"},
		"y":         {"y\n", 1, "tripplite: nothing was written"},
		"nothing":   {"\n", 1, "tripplite: nothing was written"},
		"Ctrl-D":    {ctrlD, 1, "tripplite: nothing was written"},
		"interrupt": {ctrlC, 1, "tripplite: interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			term := onTerminal(t, do).until(question).types(test.typed)
			assert.Equal(t, test.code, term.exits())
			before, after, _ := strings.Cut(term.shown, question)
			assert.Contains(t, before, strings.TrimSpace(says2012))
			assert.NotContains(t, before, written)
			assert.Contains(t, after, "\n"+test.says)
			assert.Equal(t, test.code == 0, strings.Contains(after, written))
		})
	}
	for _, elsewhere := range []string{"</dev/null", ">/dev/null", "2>/dev/null"} {
		term := onTerminal(t, "sh -c '"+do+" "+elsewhere+"'")
		assert.Equal(t, 2, term.exits(), elsewhere)
		assert.NotContains(t, term.shown, question)
		assert.NotContains(t, term.shown, written)
	}
	table := onTerminal(t, "sh -c 'stty cols 80; "+
		strings.Fields(do)[0]+" commands --replay smart1500lcd-on-battery'").ends()
	for line := range strings.Lines(table) {
		assert.LessOrEqual(t, len(strings.TrimRight(line, "\r\n")), 80, line)
	}
}
