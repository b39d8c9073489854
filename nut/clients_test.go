package nut

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

// transcripts are what clients send, as their code or a log of their traffic shows, and what they take.
// Each begins on a new connection.
var transcripts = []struct{ name, session string }{
	// upsc, upscmd, upsrw and upsmon of NUT 2.8.0, from a log of their traffic.
	{"upsc", `
> STARTTLS
ERR FEATURE-NOT-CONFIGURED
> LIST VAR ups
BEGIN LIST VAR ups
VAR ups battery.charge "100"
...
VAR ups ups.status "OL"
...
END LIST VAR ups
> LOGOUT
OK Goodbye`},
	{"upscmd", `
> USERNAME admin
OK
> PASSWORD pw
OK
> INSTCMD ups beeper.mute
OK
> LOGOUT
OK Goodbye`},
	{"upsrw", `
> LIST RW ups
BEGIN LIST RW ups
RW ups ups.delay.shutdown "20"
RW ups ups.delay.start "30"
RW ups ups.start.auto "yes"
END LIST RW ups
> GET DESC ups ups.start.auto
DESC ups ups.start.auto "Whether the load comes back with line power after a shutdown command."
> GET TYPE ups ups.start.auto
TYPE ups ups.start.auto RW ENUM STRING:64
> GET VAR ups ups.start.auto
VAR ups ups.start.auto "yes"
> LIST ENUM ups ups.start.auto
BEGIN LIST ENUM ups ups.start.auto
ENUM ups ups.start.auto "yes"
ENUM ups ups.start.auto "no"
END LIST ENUM ups ups.start.auto
> USERNAME admin
OK
> PASSWORD pw
OK
> SET VAR ups ups.delay.start "30"
OK
> LOGOUT
OK Goodbye`},
	{"upsmon as primary", `
> STARTTLS
ERR FEATURE-NOT-CONFIGURED
> USERNAME mon
OK
> PASSWORD monpw
OK
> LOGIN ups
OK
> PRIMARY ups
OK PRIMARY-GRANTED
> GET VAR ups ups.status
VAR ups ups.status "OL"
> GET VAR ups ups.status
VAR ups ups.status "OL"`},
	{"upsmon as primary of NUT 2.7", `
> USERNAME mon
OK
> PASSWORD monpw
OK
> LOGIN ups
OK
> MASTER ups
OK MASTER-GRANTED
> GET VAR ups ups.status
VAR ups ups.status "OL"`},
	// Home Assistant has one connection, and asks each minute. An error but ACCESS... fails the update.
	{"Home Assistant (aionut)", `
> LIST UPS
BEGIN LIST UPS
UPS ups "Tripp Lite Tripp Lite UPS"
END LIST UPS
> LIST VAR ups
BEGIN LIST VAR ups
...
END LIST VAR ups
> LIST VAR ups
BEGIN LIST VAR ups
...
VAR ups ups.status "OL"
...
END LIST VAR ups`},
	{"Home Assistant with a user", `
> USERNAME beep
OK
> PASSWORD beeppw
OK
> LIST UPS
BEGIN LIST UPS
...
END LIST UPS
> LIST VAR ups
BEGIN LIST VAR ups
...
END LIST VAR ups
> LIST CMD ups
BEGIN LIST CMD ups
CMD ups beeper.disable
...
END LIST CMD ups
> INSTCMD ups beeper.disable
OK`},
	// The first error ends a scrape.
	{"go.nut and nut_exporter", `
> VER
Network UPS Tools upsd 2.8.0 - https://github.com/tripplite-go/tripplite
> NETVER
1.3
> LIST UPS
BEGIN LIST UPS
UPS ups "Tripp Lite Tripp Lite UPS"
END LIST UPS
> LIST CLIENT ups
BEGIN LIST CLIENT ups
END LIST CLIENT ups
> LIST CMD ups
BEGIN LIST CMD ups
...
CMD ups test.battery.stop
END LIST CMD ups
> GET CMDDESC ups test.battery.stop
CMDDESC ups test.battery.stop "Ends a battery test. Units have been reported not to do it (NUT)."
> GET UPSDESC ups
UPSDESC ups "Tripp Lite Tripp Lite UPS"
> GET NUMLOGINS ups
NUMLOGINS ups 0
> LIST VAR ups
BEGIN LIST VAR ups
...
END LIST VAR ups
> GET DESC ups battery.charge
DESC ups battery.charge "Charge of the battery."
> GET TYPE ups battery.charge
TYPE ups battery.charge NUMBER
> GET TYPE ups ups.delay.start
TYPE ups ups.delay.start RW RANGE NUMBER
> GET TYPE ups driver.name
TYPE ups driver.name STRING:64
> LOGOUT
OK Goodbye`},
	// PeaNUT wants each OK to be nothing more.
	{"PeaNUT", `
> LIST UPS
BEGIN LIST UPS
UPS ups "Tripp Lite Tripp Lite UPS"
END LIST UPS
> LIST VAR ups
BEGIN LIST VAR ups
...
END LIST VAR ups
> GET DESC ups ups.load
DESC ups ups.load "Load; more than 100 is an overload."
> GET TYPE ups ups.load
TYPE ups ups.load NUMBER
> LIST RW ups
BEGIN LIST RW ups
...
END LIST RW ups
> LIST CMD ups
BEGIN LIST CMD ups
...
END LIST CMD ups
> LIST CLIENT ups
BEGIN LIST CLIENT ups
END LIST CLIENT ups
> GET UPSDESC ups
UPSDESC ups "Tripp Lite Tripp Lite UPS"
> USERNAME mon
OK
> PASSWORD monpw
OK
> LOGIN ups
OK`},
	{"PeaNUT gives a command", `
> USERNAME both
OK
> PASSWORD bothpw
OK
> LOGIN ups
OK
> INSTCMD ups beeper.mute
OK`},
	// WinNUT ends its lines with CR CR LF, and hangs where no answer comes.
	{"WinNUT 2.x", `
> USERNAME mon!
OK
> PASSWORD monpw!
OK
> LOGIN!
ERR INVALID-ARGUMENT
> VER!
Network UPS Tools upsd 2.8.0 - https://github.com/tripplite-go/tripplite
> NETVER!
1.3
> GET VAR ups ups.mfr!
VAR ups ups.mfr "Tripp Lite"
> GET VAR ups ups.model!
VAR ups ups.model "Tripp Lite UPS"
> GET VAR ups ups.serial!
ERR VAR-NOT-SUPPORTED
> GET VAR ups ups.firmware!
ERR VAR-NOT-SUPPORTED
> GET VAR ups battery.capacity!
ERR VAR-NOT-SUPPORTED
> GET VAR ups output.frequency.nominal!
VAR ups output.frequency.nominal "60"
> GET VAR ups battery.charge!
VAR ups battery.charge "100"
> GET VAR ups battery.voltage!
VAR ups battery.voltage "27.5"
> GET VAR ups battery.runtime!
VAR ups battery.runtime "1004"
> GET VAR ups input.frequency!
VAR ups input.frequency "59.7"
> GET VAR ups output.frequency!
ERR VAR-NOT-SUPPORTED
> GET VAR ups input.voltage!
VAR ups input.voltage "117.2"
> GET VAR ups output.voltage!
VAR ups output.voltage "117.2"
> GET VAR ups ups.load!
VAR ups ups.load "36"
> GET VAR ups ups.realpower!
VAR ups ups.realpower "324"
> GET VAR ups ups.status!
VAR ups ups.status "OL"
> LOGOUT!
OK Goodbye`},
	// The name, the user and the password are built into DSM.
	{"Synology DSM", `
> STARTTLS
ERR FEATURE-NOT-CONFIGURED
> USERNAME monuser
OK
> PASSWORD secret
OK
> LOGIN ups
OK
> GET VAR ups ups.status
VAR ups ups.status "OL"`},
	{"Synology DSM, the second connection", `
> GET VAR ups ups.model
VAR ups ups.model "Tripp Lite UPS"
> GET VAR ups battery.charge
VAR ups battery.charge "100"
> GET VAR ups battery.runtime.low
ERR VAR-NOT-SUPPORTED
> LIST VAR ups
BEGIN LIST VAR ups
...
END LIST VAR ups`},
	{"QNAP", `
> GET VAR qnapups ups.status
VAR qnapups ups.status "OL"`},
	{"QNAP, the test", `
> GET VAR qnapups ups.test.result
VAR qnapups ups.test.result "No test initiated"`},
	{"QNAP, the list", `
> LIST VAR qnapups
BEGIN LIST VAR qnapups
VAR qnapups battery.charge "100"
...
END LIST VAR qnapups`},
	{"pynut2", `
> LIST UPS
BEGIN LIST UPS
...
END LIST UPS
> LIST VAR ups
BEGIN LIST VAR ups
...
END LIST VAR ups
> LIST CMD ups
BEGIN LIST CMD ups
...
END LIST CMD ups
> LIST RW ups
BEGIN LIST RW ups
...
END LIST RW ups
> GET VAR ups ups.status
VAR ups ups.status "OL"
> GET CMDDESC ups beeper.mute
CMDDESC ups beeper.mute "Mutes the beeper for the present alarm. A 2012 does not support it: there, beeper.disable does."
> GET DESC ups ups.status
DESC ups ups.status "UPS status."
> LOGOUT
OK Goodbye`},
}

func TestClientsGetTheAnswersThatTheyWant(t *testing.T) {
	config := Config{
		Names: map[string][]string{"1-1:1.0": {"ups", "qnapups"}},
		Users: append([]User{
			{Name: "monuser", Password: "secret", Upsmon: "secondary"},
			{Name: "both", Password: "bothpw", Upsmon: "secondary", Commands: []string{"beeper.mute"}},
		}, users...),
	}
	for _, test := range transcripts {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, "smart1500lcd", config, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
				before := time.Now()
				s.dial().replay(test.session)
				require.Zero(t, time.Since(before), "nothing waits")
			})
		})
	}
}

// All of them at once, each at its own pace, and a WinNUT whose second connection says nothing.
func TestClientsDoNotDisturbEachOther(t *testing.T) {
	bubble(t, "smart1500lcd", Config{Users: users}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		silent, home, upsmon := s.dial(), s.dial(), s.dialAs(mon)
		require.Equal(t, "OK", upsmon.ask("LOGIN ups"))
		for range 9 { // minutes, which is less than what a silent client may take
			for range 12 {
				time.Sleep(5 * time.Second)
				require.Equal(t, statusIs("OL"), upsmon.ask(askStatus))
			}
			require.Contains(t, home.ask("LIST VAR ups"), statusIs("OL"))
		}
		require.Equal(t, "1.3", silent.ask("NETVER"))
		ups.PowerFailure()
		synctest.Wait()
		for _, c := range []*client{silent, home, upsmon} {
			require.Equal(t, statusIs("OB DISCHRG"), c.ask(askStatus))
		}
	})
}
