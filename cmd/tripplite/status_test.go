package main

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

const statusOfTheReadmeUnit = `smart1500lcd  Tripp Lite UPS  09ae:2012  Tripp Lite 2xxx

  on mains, fully charged, below the unit's capacity limit

  Charge    100 %               Input     117.2 V, 59.7 Hz
  Runtime   16 min 44 s         Output    117.2 V
  Load      14 %, 324 W         Battery   27.5 V
  Nominal   120 V, 60 Hz, 1500 VA, battery 24 V
`

const statusOnBattery = `smart1500lcd-on-battery  Tripp Lite UPS  09ae:2012  Tripp Lite 2xxx

  ! ON BATTERY
  ! INPUT VOLTAGE OUT OF RANGE
  discharging

  Charge    95 %                Input     0 V, 0 Hz
  Runtime   18 min 20 s         Output    120 V
  Load      25 %, 225 W         Battery   24.5 V
  Nominal   120 V, 60 Hz, 1500 VA, battery 24 V
`

const statusWhileCharging = `smart1500lcd-charging  Tripp Lite UPS  09ae:2012  Tripp Lite 2xxx

  on mains, charging

  Charge    74 %                Input     116.4 V, 60.1 Hz
  Runtime   19 min 27 s         Output    116.4 V
  Load      20 %                Battery   26.3 V
  Nominal   120 V, 60 Hz, 1500 VA, battery 24 V
`

func TestStatus(t *testing.T) {
	for name, want := range map[string]string{
		"smart1500lcd":            statusOfTheReadmeUnit,
		"smart1500lcd-on-battery": statusOnBattery,
		"smart1500lcd-charging":   statusWhileCharging,
	} {
		code, stdout, stderr := tool(t, "status", "--replay", name)
		assert.Zero(t, code)
		assert.Equal(t, want, stdout)
		assert.Empty(t, stderr)
	}
	code, stdout, _ := tool(t, "status", "--replay", "smart1500lcd", "--replay", "smart1500lcd-on-battery")
	require.Zero(t, code)
	require.Equal(t, statusOfTheReadmeUnit+"\n"+statusOnBattery, stdout, "several, one after the other")
}

func TestStatusOfEveryCaptureFitsEightyColumns(t *testing.T) {
	for _, name := range capture.Names() {
		_, stdout, _ := tool(t, "status", "--replay", name)
		require.NotEmpty(t, stdout)
		for line := range strings.Lines(stdout) {
			assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 80, line)
		}
	}
}

func TestStatusOfAUnitThatIsNotRead(t *testing.T) {
	code, stdout, stderr := over(t, func(s *session) int {
		return s.status(scripted{good("1-1:1.0"), lost("1-2:1.0"), failed("1-3:1.0", tripplite.ErrPermission)})
	})
	require.Equal(t, 1, code)
	require.Empty(t, stderr, "the table says it")
	require.Equal(t, `1-1:1.0

  on mains

  Charge    100 %               Input     -
  Runtime   16 min 44 s         Output    -
  Load      14 %                Battery   -

1-2:1.0

  ! NO READING: the UPS is disconnected: it is read again as soon as it is back
    at this port

1-3:1.0

  ! NO READING: no permission: install the project's udev rule
    (deploy/70-tripplite.rules) or run as root
`, stdout)
}

func TestStatusOfAUnitThatIsReadInPart(t *testing.T) {
	r := good("1-1:1.0")
	r.Err = &tripplite.PartialError{Reports: []*tripplite.ReportError{{Path: "1-1:1.0", ID: 0x1e, Name: "UPS.Load", Err: errors.New("stalled")}}}
	code, stdout, stderr := over(t, func(s *session) int { return s.status(scripted{r}) })
	require.Zero(t, code)
	require.Contains(t, stdout, "on mains")
	requireOneLine(t, stderr, "tripplite: not all could be read: 1-1:1.0: report 0x1e (UPS.Load): stalled")
}

func TestStatusWithoutAUnit(t *testing.T) {
	code, stdout, stderr := over(t, func(s *session) int { return s.status(scripted{}) })
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	requireOneLine(t, stderr, "tripplite: no Tripp Lite UPS found: check the USB cable")
}

func TestWhatHasToBeSeenTo(t *testing.T) {
	type status = tripplite.Status
	yes, no := tripplite.ValueOf(true), tripplite.ValueOf(false)
	for name, test := range map[string]struct {
		status   status
		severity severity
		texts    string
	}{
		"all is well":                         {status{ACPresent: yes, Discharging: no}, okay, ""},
		"a limit at 100 % on mains":           {status{ACPresent: yes, BelowRemainingCapacityLimit: yes}, okay, ""},
		"the same on battery":                 {status{ACPresent: no, BelowRemainingCapacityLimit: yes}, critical, "battery low, on battery"},
		"the time is up":                      {status{ACPresent: no, RemainingTimeLimitExpired: yes}, critical, "battery low, on battery"},
		"on battery":                          {status{ACPresent: no}, warning, "on battery"},
		"discharging, and no word of mains":   {status{Discharging: yes}, warning, "on battery"},
		"discharging on mains, as in a test":  {status{ACPresent: yes, Discharging: yes}, okay, ""},
		"no word of either":                   {status{}, okay, ""},
		"it will be off in a moment":          {status{ACPresent: no, ShutdownImminent: yes}, critical, "shutdown imminent, on battery"},
		"it is off":                           {status{ACPresent: no, AwaitingPower: yes}, critical, "waiting for mains to switch the load on, on battery"},
		"an old battery":                      {status{ACPresent: yes, NeedReplacement: yes}, warning, "replace battery"},
		"no battery":                          {status{ACPresent: yes, BatteryPresent: no}, critical, "no battery"},
		"an empty one":                        {status{ACPresent: yes, FullyDischarged: yes}, critical, "battery empty"},
		"too much load":                       {status{ACPresent: yes, Overload: yes}, critical, "overload"},
		"too hot":                             {status{ACPresent: yes, OverTemperature: yes}, critical, "too hot"},
		"broken":                              {status{ACPresent: yes, InternalFailure: yes}, critical, "internal failure"},
		"raising a low voltage is its work":   {status{ACPresent: yes, Boost: yes, Used: yes}, okay, ""},
		"a voltage that it does not accept":   {status{ACPresent: yes, VoltageOutOfRange: yes}, warning, "input voltage out of range"},
		"a frequency that it does not accept": {status{ACPresent: yes, FrequencyOutOfRange: yes}, warning, "input frequency out of range"},
		"its parts are at odds":               {status{ACPresent: yes, CommunicationLost: yes}, warning, "the parts of the UPS do not hear each other"},
	} {
		t.Run(name, func(t *testing.T) {
			state := tripplite.State{Time: at, Status: test.status}
			worst := okay
			var texts []string
			for _, a := range needed(state) {
				worst = max(worst, a.severity)
				texts = append(texts, a.text)
			}
			require.Equal(t, test.severity, worst)
			require.Equal(t, test.texts, strings.Join(texts, ", "))
		})
	}
}

func TestColoursOnlyRepeatWhatTheTextSays(t *testing.T) {
	r := reading("1-1:1.0", onBatteryNow)
	plain := strings.Join(palette(false).block(r), "\n")
	coloured := strings.Join(palette(true).block(r), "\n")
	require.NotContains(t, plain, "\x1b")
	require.Contains(t, coloured, "\x1b[1;33m! ON BATTERY\x1b[0m")
	for _, colour := range []string{bold, red, yellow, green, "0"} {
		coloured = strings.ReplaceAll(coloured, "\x1b["+colour+"m", "")
	}
	require.Equal(t, plain, coloured)
}

func TestNoColourButOnATerminal(t *testing.T) {
	require.False(t, bool(paletteOf(&strings.Builder{})))
	_, stdout, _ := tool(t, "status", "--replay", "smart1500lcd-on-battery")
	require.NotContains(t, stdout, "\x1b")
}

func TestAUnitsStringsCannotMoveTheCursor(t *testing.T) {
	r := good("1-1:1.0")
	r.Info.Product = "UPS\x1b[2J\n\u009b2J" + strings.Repeat("x", 100)
	block := palette(false).block(r)
	require.Equal(t, "1-1:1.0  UPS?[2J??2J"+strings.Repeat("x", 80-21)+"…", block[0])
}

func TestClip(t *testing.T) {
	require.Equal(t, "abc", clip("abc", 3))
	require.Equal(t, "ab…", clip("abcd", 3))
	require.Equal(t, "\x1b[1mabc\x1b[0m", clipPainted("\x1b[1mabc\x1b[0m", 3))
	require.Equal(t, "\x1b[1mab…\x1b[0m", clipPainted("\x1b[1mabcd\x1b[0m", 3), "the colour ends all the same")
	require.Equal(t, "\x1b[1mab\x1b[0m…", clipPainted("\x1b[1mab\x1b[0mcd", 3))
}

func TestSpansAndWraps(t *testing.T) {
	for seconds, want := range map[int64]string{0: "0 s", 59: "59 s", 60: "1 min 00 s", 1004: "16 min 44 s", 3600: "1 h 00 min", 65534: "18 h 12 min"} {
		assert.Equal(t, want, span(tripplite.ValueOf(secondsOf(seconds))))
	}
	assert.Empty(t, span(tripplite.State{}.RunTimeToEmpty))
	assert.Equal(t, []string{"one two", "three", "incomprehensibilities"}, wrap("one  two three incomprehensibilities", 7))
	assert.Empty(t, wrap("", 7))
}

func secondsOf(n int64) time.Duration { return time.Duration(n) * time.Second }
