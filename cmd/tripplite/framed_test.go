package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// onBatteryExplained is each byte of the capture smart500rt1u-on-battery, a 3005 (NUT #585). Its
// numbers are worked out by hand: 3005 is BCD, 12.2 V is 7a, 57 % is 39, 23 % is 17, 121 V is 79.
const onBatteryExplained = `
smart500rt1u-on-battery SMART500RT1U 09ae:0001, a report descriptor of 25 bytes
35 fields, 26 of them understood

REPORT BITS RAW VALUE STATE PATH
reply 00 0-15 12293 3005 config.protocol version 00.protocol
reply 00 16-47 58 58 58 58 ? 00.unused
reply V 0-7 2 120 V config.voltage V.nominal voltage
reply V 8-23 12 12 V config.battery voltage V.nominal battery voltage
reply V 24-31 1 1 config.outlets V.outlet groups
reply V 32-47 58 58 ? V.unused
reply P 0-39 500 500 VA config.power P.rated power
reply P 40-47 58 ? P.unused
reply F 0-47 32 39 41 46 20 44 29AF D config.firmware F.firmware
reply U 0-15 65535 - config.unit id U.unit id
reply S 0-7 1 false status.below remaining S.battery
capacity
reply S 8-15 4 none controls.test S.self-test
reply S 8-15 4 - status.needs replacement S.self-test
reply S 8-15 4 false status.overload S.self-test
reply S 16-23 0 false status.over temperature S.fault
reply S 24-31 1 true output.on S.flags
reply S 24-31 1 false status.ac present S.flags
reply S 24-31 1 true status.discharging S.flags
reply S 32-39 57 57 % health S.charge
reply S 40-47 0 false status.boost S.tap
reply S 40-47 0 false status.buck S.tap
reply D 0-15 0 0 V input.voltage D.input voltage
reply D 16-31 122 12.2 V battery.voltage D.voltage of a 12 V block
reply L 0-7 23 23 % output.load L.load
reply L 8-23 00 06 ? L.unused
reply L 24 1 true controls.auto restart L.restart after shutdown
reply L 25-31 3 ? L.other restart flags
reply L 32-47 58 58 ? L.unused
reply T 0-7 47 ? T.temperature
reply T 8-15 00 ? T.unused
reply T 16-31 0 0 Hz input.frequency T.frequency
reply T 32-39 1 60 Hz config.frequency T.nominal frequency
reply T 40-47 58 ? T.unused
reply M 0-15 0 0 V input.lowest voltage M.lowest
reply M 16-31 121 121 V input.highest voltage M.highest
`

// words returns the lines of a text with one blank between words.
func words(text string) (lines []string) {
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

func TestExplainOfAUnitOf0001(t *testing.T) {
	code, stdout, stderr := tool(t, "explain", "smart500rt1u-on-battery")
	require.Zero(t, code)
	require.Empty(t, stderr)
	require.Equal(t, words(onBatteryExplained)[1:], words(stdout))
}

// The SMX1500XLRT2U (nut-ddl) is a 3003 of 230 V: 134 * 230 / 120 is 256.83, three blocks of 13.5 V
// are 40.5.
func TestExplainOfA3003(t *testing.T) {
	_, stdout, _ := tool(t, "explain", "smx1500xlrt2u")
	lines := words(stdout)
	for _, want := range []string{
		"reply V 0-7 2 230 V config.voltage V.nominal voltage",
		"reply D 0-15 134 256.83 V input.voltage D.input voltage",
		"reply D 16-31 135 40.5 V battery.voltage D.voltage of a 12 V block",
		"reply T 16-39 500 50 Hz input.frequency T.frequency",
		"reply S 40-47 1 true status.buck S.tap",
		"reply R 0-7 1 ? R.main relay",
		"reply R 8 1 true outlets.1 R.outlet group 1",
		"reply R 10 1 true outlets.3 R.outlet group 3",
		"reply R 11 0 ? R.outlet group 4", // it has three
	} {
		assert.Contains(t, lines, want)
	}
}

func TestExplainSaysWhichRepliesAreNone(t *testing.T) {
	c := load(t, "smart500rt1u")
	for i := range c.Interfaces[0].Exchanges {
		switch e := &c.Interfaces[0].Exchanges[i]; e.Command[1] {
		case 'D':
			e.Reply = []byte{'D', 0, 0x7c, '\r'} // too short
		case 'P':
			e.Reply = []byte("PX0500X\r") // no digits
		case 'L':
			e.Reply, e.Error = nil, capture.Silent
		}
	}
	c.Interfaces[0].Exchanges = append(c.Interfaces[0].Exchanges,
		capture.Exchange{Command: []byte{':', 'B', 0xbd, '\r'}, Error: capture.Silent,
			Origin: capture.Captured},
		// The first six characters of the product's name, by the maker's document.
		capture.Exchange{Command: []byte{':', '2', 0xcd, '\r'}, Reply: []byte("2TRIPP \r"),
			Origin: capture.Captured})
	code, stdout, stderr := tool(t, "explain", file(t, c))
	require.Zero(t, code, stderr)
	lines := words(stdout)
	for _, want := range []string{
		"reply D 0-15 00 7c - input.voltage D.input voltage",
		"reply D 16-31 44 00 7c 0d - battery.voltage D.voltage of a 12 V block",
		"reply P 0-39 58 30 35 30 30 - config.power P.rated power",
		"reply L 0-7 silent - output.load L.load",
		"reply B silent ? not declared",
		"reply 2 0-47 54 52 49 50 50 20 ? 2.unused",
	} {
		assert.Contains(t, lines, want)
	}
}

func TestStatusOfUnitsOf0001(t *testing.T) {
	for name, want := range map[string]string{
		"smart500rt1u-on-battery": `
smart500rt1u-on-battery  SMART500RT1U  09ae:0001  Tripp Lite 0001

  ! ON BATTERY
  discharging

  Charge    57 %                Input     0 V, 0 Hz
  Runtime   -                   Output    -
  Load      23 %                Battery   12.2 V
  Nominal   120 V, 60 Hz, 500 VA, battery 12 V
`,
		"smx1500xlrt2u": `
smx1500xlrt2u  SMX1500XLRT2U  09ae:0001  Tripp Lite 0001

  on line power, lowering a high voltage

  Charge    90 %                Input     256.83 V, 50 Hz
  Runtime   -                   Output    -
  Load      36 %                Battery   40.5 V
  Nominal   230 V, 50 Hz, 1500 VA, battery 36 V
`,
		// 3720 / 3600 * 230 is 237.67, 240 / 240 * 230 is 230.
		"omnivsint800": `
omnivsint800  OMNIVSINT800  09ae:0001  Tripp Lite 0001

  on line power

  Charge    -                   Input     237.67 V
  Runtime   -                   Output    230 V
  Load      -                   Battery   14.56 V
  Nominal   230 V, 800 VA, battery 12 V
`,
	} {
		code, stdout, stderr := tool(t, "status", "--replay", name)
		assert.Zero(t, code)
		assert.Empty(t, stderr)
		assert.Equal(t, strings.TrimPrefix(want, "\n"), stdout)
	}
}

func TestListOfUnitsOf0001(t *testing.T) {
	code, stdout, stderr := tool(t, "list", "--replay", "smart500rt1u", "--replay", "omnivs1500xl")
	require.Zero(t, code)
	require.Empty(t, stderr)
	require.Equal(t, `PATH          ID         FAMILY           PRODUCT       SERIAL  ACCESS
smart500rt1u  09ae:0001  Tripp Lite 0001  SMART500RT1U  -       yes
omnivs1500xl  09ae:0001  Tripp Lite 0001  UPS           -       yes
`, stdout, "TRIPP LITE in front of a model says nothing")
}

func TestACaptureOfAUnitOf0001(t *testing.T) {
	to := filepath.Join(t.TempDir(), "mine.json")
	code, stdout, stderr := tool(t,
		"capture", "--replay", "smart500rt1u", "--model", "SMART500RT1U", to)
	require.Zero(t, code, stderr)
	// It knows 00 V P F U S D L T M; the others are B R 0 1 2 3 4 5 6.
	requireOneLine(t, stdout, to+": 10 replies to 19 commands. Look at it with: tripplite explain "+to)
	text, err := os.ReadFile(to)
	require.NoError(t, err)
	for _, line := range []string{
		`{"command": "3a 53 ac 0d", "reply": "53 01 04 00 00 64 00 0d", "origin": "captured"}`,
		`{"command": "3a 44 bb 0d", "reply": "44 00 7c 00 8b 0d 00 00", "origin": "captured"}`,
		`{"command": "3a 42 bd 0d", "error": "silent", "origin": "captured", "note": "no reply came"}`,
	} {
		require.Contains(t, string(text), "\n        "+line, "an exchange a line")
	}
	made, err := capture.Parse(text)
	require.NoError(t, err)
	require.Equal(t, "SMART500RT1U", made.Model)
	require.Empty(t, made.UPS().Reports)
	code, explained, stderr := tool(t, "explain", to)
	require.Zero(t, code, stderr)
	require.Contains(t, words(explained), "reply D 0-15 124 124 V input.voltage D.input voltage")
}

func TestACaptureOfADeafUnitOf0001(t *testing.T) {
	silent := errors.New("no reply came")
	made := captureCommand{}.capture(tripplite.Dump{
		Info: tripplite.DeviceInfo{VendorID: 0x09ae, ProductID: 0x0001},
		Exchanges: []tripplite.RawExchange{
			{Command: []byte{':', 0, 0xff, '\r'}, Err: silent},
			{Command: []byte{':', 'S', 0xac, '\r'}, Err: silent},
		},
	}, "a test")
	require.Equal(t, "0 replies to 2 commands", counted(made.Interfaces[0]))
	text, err := made.Marshal()
	require.NoError(t, err)
	loaded, err := capture.Parse(text)
	require.NoError(t, err)
	require.Equal(t, []capture.Exchange{
		{Command: []byte{':', 0, 0xff, '\r'}, Error: capture.Silent, Origin: capture.Captured,
			Note: "no reply came"},
		{Command: []byte{':', 'S', 0xac, '\r'}, Error: capture.Silent, Origin: capture.Captured,
			Note: "no reply came"},
	}, loaded.UPS().Exchanges)
	code, stdout, stderr := tool(t, "--replay", file(t, loaded))
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	requireOneLine(t, stderr, "command 00, protocol", "no reply came")
}
