package main

import (
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

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

  on line power, charging

  Charge    74 %                Input     116.4 V, 60.1 Hz
  Runtime   19 min 27 s         Output    116.4 V
  Load      20 %                Battery   26.3 V
  Nominal   120 V, 60 Hz, 1500 VA, battery 24 V
`

func TestStatus(t *testing.T) {
	for name, want := range map[string]string{
		"smart1500lcd-on-battery": statusOnBattery,
		"smart1500lcd-charging":   statusWhileCharging,
	} {
		code, stdout, _ := tool(t, "status", "--replay", name)
		assert.Zero(t, code)
		assert.Equal(t, want, stdout)
	}
	code, stdout, _ := tool(t, "status",
		"--replay", "smart1500lcd-on-battery", "--replay", "smart1500lcd-charging")
	require.Zero(t, code)
	require.Equal(t, statusWhileCharging+"\n"+statusOnBattery, stdout, "several, one after the other")
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
	units := scripted{
		good("1-1:1.0"), lost("1-2:1.0"), failed("1-3:1.0", tripplite.ErrPermission),
		busy("1-4:1.0", "usbhid-ups, process 312"), busy("1-5:1.0", "tripplited, process 312"),
	}
	code, stdout, stderr := over(t, func(s *session) error { return s.status(units) })
	require.Equal(t, 1, code)
	require.Empty(t, stderr, "the table says it")
	require.Equal(t, `1-1:1.0

  on line power

  Charge    100 %               Input     -
  Runtime   16 min 44 s         Output    -
  Load      14 %                Battery   -

1-2:1.0

  ! NO READING: the UPS is disconnected: it is read again as soon as it is back
    at this port

1-3:1.0

  ! NO READING: no permission: install the project's udev rule
    (deploy/70-tripplite.rules) or run as root

1-4:1.0

  ! NO READING: another program holds the UPS: stop it first (usbhid-ups,
    process 312)

1-5:1.0

  ! NO READING: another program holds the UPS: stop it first (tripplited,
    process 312), or ask tripplited by upsc -L or at http://127.0.0.1:6969
`, stdout)
}

func TestStatusOfAUnitThatIsReadInPart(t *testing.T) {
	units := scripted{partly("1-1:1.0")}
	code, stdout, stderr := over(t, func(s *session) error { return s.status(units) })
	require.Zero(t, code)
	require.Contains(t, stdout, "on line power")
	requireOneLine(t, stderr,
		"tripplite: not all could be read: 1-1:1.0: report 0x1e (UPS.Load): stalled")
}

func TestStatusWithoutAUnit(t *testing.T) {
	code, stdout, stderr := over(t, func(s *session) error { return s.status(scripted{}) })
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	requireOneLine(t, stderr, "tripplite: no Tripp Lite UPS found: check the USB cable")
}

func TestCondition(t *testing.T) {
	type status = tripplite.Status
	yes, no := tripplite.ValueOf(true), tripplite.ValueOf(false)
	for want, of := range map[string]status{
		"line power unknown":                     {},
		"line power unknown, fully charged":      {Discharging: no, FullyCharged: yes},
		"on line power":                          {ACPresent: yes, Discharging: no},
		"on line power, discharging":             {ACPresent: yes, Discharging: yes},
		"on line power, charging, fully charged": {ACPresent: yes, Charging: yes, FullyCharged: yes},
		"on line power, raising a low voltage":   {ACPresent: yes, Boost: yes, Used: yes},
		"on line power, lowering a high voltage": {ACPresent: yes, Buck: yes},
		"on battery":                             {ACPresent: no},
		"on battery, discharging":                {Discharging: yes},
		"on battery, battery low":                {ACPresent: no, BelowRemainingCapacityLimit: yes},
		"on line power, no battery, replace battery": {
			ACPresent: yes, BatteryPresent: no, NeedReplacement: yes},
		"on line power, below the unit's capacity limit": {
			ACPresent: yes, BelowRemainingCapacityLimit: yes},
	} {
		assert.Equal(t, want, headline(tripplite.Reading{State: tripplite.State{Time: at, Status: of}}))
	}
}

func TestSeverities(t *testing.T) {
	for _, a := range tripplite.Alerts() {
		assert.Equal(t, strings.ToUpper(a.Severity.String()), severityOf(a).String())
	}
	for status, s := range []severity{okay, warning, critical, unknown} {
		assert.Equal(t, exit(status), s.exit(), "the status of a plugin")
	}
}

func TestColoursOnlyRepeatWhatTheTextSays(t *testing.T) {
	r := reading("1-1:1.0", onBatteryNow)
	coloured := block(r)
	plain := forWriter(io.Discard, coloured)
	require.NotContains(t, plain, "\x1b")
	require.Contains(t, coloured, "\x1b[1;33m! ON BATTERY\x1b[0m")
	for _, colour := range append(colours[:], bold, "0") {
		coloured = strings.ReplaceAll(coloured, "\x1b["+colour+"m", "")
	}
	require.Equal(t, plain, coloured)
}

func TestNoColourButOnATerminal(t *testing.T) {
	_, stdout, _ := tool(t, "status", "--replay", "smart1500lcd-on-battery")
	require.NotContains(t, stdout, "\x1b")
}

func TestALongProductStringIsCutOff(t *testing.T) {
	r := good("1-1:1.0")
	r.Info.Product = "UPS\x1b[2J\n\u009b2J" + strings.Repeat("x", 100)
	heading, _, _ := strings.Cut(forWriter(io.Discard, block(r)), "\n")
	require.Equal(t, "1-1:1.0  UPS?[2J??2J"+strings.Repeat("x", 80-21)+"…", heading)
}
