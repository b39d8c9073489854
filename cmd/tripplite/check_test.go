package main

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
)

const checkData = "charge=100%;;;0;100 runtime=1004s;;;0; input-voltage=117.2;;;0; " +
	"output-voltage=117.2;;;0; power=324;;;0; load=36%;;;0; battery-voltage=27.5;;;0;"

func TestCheck(t *testing.T) {
	const well = "on line power, charge 100%, runtime 1004s, load 36%"
	for name, test := range map[string]struct {
		args string
		code int
		text string
		data []string // what differs in the performance data, in pairs
	}{
		"all is well": {"", 0, "OK - " + well, nil},
		"within its thresholds": {"-w charge=50:,runtime=900:,load=80 -c charge=20:,runtime=300:", 0,
			"OK - " + well,
			[]string{"100%;;", "100%;50:;20:", "1004s;;", "1004s;900:;300:", "36%;;", "36%;80;"}},
		"a warning": {"-w runtime=1200: -c runtime=300:", 1,
			"WARNING - runtime 1004s is not within 1200:; " + well, []string{"1004s;;", "1004s;1200:;300:"}},
		"the worse of the two counts": {"-w load=10 -c load=12", 2,
			"CRITICAL - load 36% is not within 12; " + well, []string{"36%;;", "36%;10;12"}},
		"repeated": {"-w load=10 -w charge=101:200", 1,
			"WARNING - charge 100% is not within 101:200, load 36% is not within 10; " + well,
			[]string{"36%;;", "36%;10;", "100%;;", "100%;101:200;"}},
		"voltages too": {"-c input_voltage=105:129", 0, "OK - " + well,
			[]string{"input-voltage=117.2;;", "input-voltage=117.2;;105:129"}},
		"by its key": {"-c input.frequency=60:61", 2,
			"CRITICAL - input.frequency 59.7 is not within 60:61; " + well,
			[]string{" output-voltage", " input.frequency=59.7;;60:61;0; output-voltage"}},
		"a value that is not reported": {"-w battery-temperature=40", 3,
			"UNKNOWN - the UPS does not report battery-temperature, which has a threshold; " + well, nil},
		"a time-out in seconds":    {"-t 5", 0, "OK - " + well, nil},
		"a time-out with its unit": {"-t 5s", 0, "OK - " + well, nil},
	} {
		t.Run(name, func(t *testing.T) {
			args := append(strings.Fields(test.args), "check", "--replay", "smart1500lcd")
			code, stdout, stderr := tool(t, append(args[len(args)-3:], args[:len(args)-3]...)...)
			assert.Equal(t, test.code, code)
			data := strings.NewReplacer(test.data...).Replace(checkData)
			assert.Equal(t, "UPS "+test.text+" | "+data+"\n", stdout)
			assert.Empty(t, stderr)
		})
	}
	code, stdout, _ := tool(t, "check", "--replay", "smart1500lcd-on-battery")
	require.Equal(t, 1, code)
	require.True(t, strings.HasPrefix(stdout, "UPS WARNING - on battery, input voltage out of range; "+
		"charge 95%, runtime 1100s, load 25% | charge=95%;;;0;100 "), stdout)
}

func TestAWrongCallOfCheckIsUnknown(t *testing.T) {
	for args, want := range map[string]string{
		"-w volts=40":          `--warning: "volts=40" is not NAME=RANGE, where NAME is charge, `,
		"-w status.overload=1": `--warning: "status.overload=1" is not NAME=RANGE, `,
		"-w load=20:10":        `--warning: "20:10" is not a range: write 10, 10:, ~:10, 10:20 or @10:20`,
		"--lost maybe":         `--lost must be one of "unknown","warning","critical" but got "maybe"`,
		"-t 0":                 `--timeout: "0" is neither a number of seconds nor a time such as 10s`,
		"--bogus":              `unknown flag --bogus`,
	} {
		code, stdout, stderr := tool(t, append([]string{"check"}, strings.Fields(args)...)...)
		assert.Equal(t, 3, code)
		requireOneLine(t, stdout, "UPS UNKNOWN - "+want, " (see tripplite --help)\n")
		assert.Empty(t, stderr)
	}
}

func TestCheckOfSeveralAndOfLostUnits(t *testing.T) {
	const (
		gone   = "the UPS is disconnected: it is read again as soon as it is back at this port"
		none   = "no Tripp Lite UPS found: check the USB cable, and that lsusb shows the unit"
		silent = "UPS UNKNOWN - the UPS does not say whether there is line power; " +
			"charge 100%, runtime 1004s, load 14% | charge=100%;;;0;100 runtime=1004s;;;0; load=14%;;;0;"
	)
	yes, no := tripplite.ValueOf(true), tripplite.ValueOf(false)
	discharges := func(discharging tripplite.Value[bool]) scripted {
		return scripted{reading("1-1:1.0", func(s *tripplite.State) {
			s.Status.ACPresent = tripplite.Value[bool]{}
			s.Status.Discharging = discharging
		})}
	}
	for name, test := range map[string]struct {
		lost  string
		units scripted
		code  int
		line  string
	}{
		"two": {"unknown", scripted{good("1-1:1.0"), good("1-2:1.0")}, 0,
			"UPS OK - 1-1:1.0: on line power, charge 100%, runtime 1004s, load 14%; " +
				"1-2:1.0: on line power, charge 100%, runtime 1004s, load 14% | " +
				"'1-1:1.0 charge'=100%;;;0;100 '1-1:1.0 runtime'=1004s;;;0; '1-1:1.0 load'=14%;;;0; " +
				"'1-2:1.0 charge'=100%;;;0;100 '1-2:1.0 runtime'=1004s;;;0; '1-2:1.0 load'=14%;;;0;"},
		"one is lost": {"unknown", scripted{lost("1-1:1.0")}, 3, "UPS UNKNOWN - 1-1:1.0: " + gone},
		"as the user has it": {"critical", scripted{lost("1-1:1.0")}, 2,
			"UPS CRITICAL - 1-1:1.0: " + gone},
		"one is silent": {"warning", scripted{failed("1-1:1.0", context.DeadlineExceeded)}, 1,
			"UPS WARNING - 1-1:1.0: the UPS does not answer: unplug its USB cable and plug it in again"},
		"no permission is no loss": {"critical", scripted{failed("1-1:1.0", tripplite.ErrPermission)}, 3,
			"UPS UNKNOWN - 1-1:1.0: no permission: install the project's udev rule " +
				"(deploy/70-tripplite.rules) or run as root"},
		"nor is another program": {"critical", scripted{busy("1-1:1.0", "usbhid-ups, process 312")}, 3,
			"UPS UNKNOWN - 1-1:1.0: another program holds the UPS: stop it first (usbhid-ups, process 312)"},
		"nor is tripplited": {"critical", scripted{busy("1-1:1.0", "tripplited, process 312")}, 3,
			"UPS UNKNOWN - 1-1:1.0: another program holds the UPS: stop it first (tripplited, " +
				"process 312), or ask tripplited by upsc -L or at http://127.0.0.1:6969"},
		"none":                     {"unknown", scripted{}, 3, "UPS UNKNOWN - " + none},
		"none, as the user has it": {"critical", scripted{}, 2, "UPS CRITICAL - " + none},
		"one is lost and one on battery": {"unknown",
			scripted{lost("1-1:1.0"), reading("1-2:1.0", func(s *tripplite.State) {
				onBatteryNow(s)
				s.RunTimeToEmpty = tripplite.Value[time.Duration]{}
			})}, 1, "UPS WARNING - 1-2:1.0: on battery, 1-1:1.0: " + gone +
				"; 1-2:1.0: charge 100%, load 14% | '1-2:1.0 charge'=100%;;;0;100 '1-2:1.0 load'=14%;;;0;"},
		"no word of line power":      {"unknown", discharges(tripplite.Value[bool]{}), 3, silent},
		"not discharging is no word": {"unknown", discharges(no), 3, silent},
		"discharging is one": {"unknown", discharges(yes), 1,
			"UPS WARNING - on battery; charge 100%, runtime 1004s, load 14% | " +
				"charge=100%;;;0;100 runtime=1004s;;;0; load=14%;;;0;"},
	} {
		t.Run(name, func(t *testing.T) {
			c := checkCommand{Lost: test.lost, Timeout: seconds(time.Second)}
			code, stdout, stderr := over(t, func(s *session) error { return c.check(s, test.units) })
			assert.Equal(t, test.code, code)
			assert.Equal(t, test.line+"\n", stdout)
			assert.Empty(t, stderr)
		})
	}
}

// TestRanges has the examples of the Monitoring Plugins Development Guidelines, and the ends of
// each range.
func TestRanges(t *testing.T) {
	for text, alerts := range map[string]map[float64]bool{
		"10":      {-1: true, 0: false, 10: false, 11: true},
		"10:":     {9.9: true, 10: false, 1e9: false},
		"~:10":    {-1e9: false, 10: false, 10.1: true},
		"10:20":   {9: true, 10: false, 20: false, 21: true},
		"@10:20":  {9: false, 10: true, 20: true, 21: false},
		":10":     {-1: true, 0: false, 10: false, 11: true},
		"-5:5":    {-6: true, -5: false, 5: false, 6: true},
		"0.5:1.5": {0.4: true, 1: false},
		"@~:10":   {-1e9: true, 11: false},
	} {
		var l limit
		require.NoError(t, l.UnmarshalText([]byte("load="+text)), text)
		for value, want := range alerts {
			assert.Equal(t, want, l.alerts(value), "%v in %s", value, text)
		}
	}
	for _, text := range []string{
		"", ":", "@", "a", "10:a", "20:10", "~", "~:", "~:~", "@~:~", "10:~", "1:2:3", "nan", "inf:",
		"10:~x",
	} {
		var l limit
		assert.Error(t, l.UnmarshalText([]byte("load="+text)), text)
	}
}

func TestAPluginsLineHasOneBar(t *testing.T) {
	_, stdout, _ := tool(t, "check", "--replay", "a|b")
	requireOneLine(t, stdout, `UPS UNKNOWN - "a/b" is neither a capture file`)
	require.NotContains(t, stdout, "|")
	var v verdict
	checkCommand{}.judge(good("").State, "a=b'c", &v)
	require.Equal(t, "'a_b_c charge'=100%;;;0;100", v.data[0])
}

// FuzzLimit looks for a range that is taken and means nothing: one that holds every number or none.
func FuzzLimit(f *testing.F) {
	for _, text := range []string{"10", "10:", "~:10", "10:20", "@10:20", "~:~", ":", "@", "20:10", "nan", "1e400"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var l limit
		if l.UnmarshalText([]byte("charge="+text)) != nil {
			return
		}
		assert.False(t, math.IsNaN(l.least) || math.IsNaN(l.most), text)
		assert.LessOrEqual(t, l.least, l.most, text)
		assert.Equal(t, l.inside, l.alerts(l.least) || l.alerts(l.most), text)
		if !math.IsInf(l.most, 1) {
			assert.Equal(t, !l.inside, l.alerts(math.Nextafter(l.most, math.Inf(1))), text)
		}
	})
}
