package nut

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

// errorWords are all that clients know; WinNUT takes no other.
var errorWords = strings.Fields(`ACCESS-DENIED UNKNOWN-UPS VAR-NOT-SUPPORTED CMD-NOT-SUPPORTED
	INVALID-ARGUMENT INSTCMD-FAILED SET-FAILED READONLY TOO-LONG FEATURE-NOT-SUPPORTED
	FEATURE-NOT-CONFIGURED ALREADY-SSL-MODE DRIVER-NOT-CONNECTED DATA-STALE ALREADY-LOGGED-IN
	INVALID-PASSWORD ALREADY-SET-PASSWORD INVALID-USERNAME ALREADY-SET-USERNAME USERNAME-REQUIRED
	PASSWORD-REQUIRED UNKNOWN-COMMAND INVALID-VALUE`)

// exchange is a line and its answer.
type exchange struct{ line, want string }

// dialogue has a client ask, each line in one session.
func dialogue(t *testing.T, c *client, exchanges []exchange) {
	t.Helper()
	for _, x := range exchanges {
		got := c.ask(x.line)
		require.Equal(t, x.want, got, "%q", x.line)
		if word, isErr := strings.CutPrefix(got, "ERR "); isErr {
			require.Contains(t, errorWords, word)
		}
	}
}

func empty(query string) string { return "BEGIN LIST " + query + "\nEND LIST " + query }

const help = "Commands: HELP VER GET LIST SET INSTCMD LOGIN LOGOUT USERNAME PASSWORD STARTTLS"

// malformed has lines that mean nothing, whoever asks and whatever there is.
var malformed = []exchange{
	{"", "ERR UNKNOWN-COMMAND"}, {" ", "ERR UNKNOWN-COMMAND"}, {"# comment", "ERR UNKNOWN-COMMAND"},
	{"FOO", "ERR UNKNOWN-COMMAND"}, {"FOO ups", "ERR UNKNOWN-COMMAND"}, {`""`, "ERR UNKNOWN-COMMAND"},
	{`"GET VAR" ups ups.status`, "ERR UNKNOWN-COMMAND"}, {`"LIST UPS"`, "ERR UNKNOWN-COMMAND"},
	{"GETVAR ups ups.status", "ERR UNKNOWN-COMMAND"}, {"= GET", "ERR UNKNOWN-COMMAND"},
	{"VER x", "ERR INVALID-ARGUMENT"}, {"NETVER x", "ERR INVALID-ARGUMENT"},
	{"PROTVER x", "ERR INVALID-ARGUMENT"}, {"HELP x", "ERR INVALID-ARGUMENT"},
	{"STARTTLS x", "ERR INVALID-ARGUMENT"},
	{"GET", "ERR INVALID-ARGUMENT"}, {"GET FOO ups", "ERR INVALID-ARGUMENT"},
	{"GET VAR", "ERR INVALID-ARGUMENT"}, {"GET VAR ups", "ERR INVALID-ARGUMENT"},
	{"GET VAR ups ups.status x", "ERR INVALID-ARGUMENT"}, {"GET VAR ups a=b", "ERR INVALID-ARGUMENT"},
	{"GET NUMLOGINS", "ERR INVALID-ARGUMENT"}, {"GET UPSDESC", "ERR INVALID-ARGUMENT"},
	{"GET UPSDESC ups x", "ERR INVALID-ARGUMENT"}, {"GET TYPE ups", "ERR INVALID-ARGUMENT"},
	{"GET DESC ups", "ERR INVALID-ARGUMENT"}, {"GET CMDDESC ups", "ERR INVALID-ARGUMENT"},
	{"GET TRACKING x y", "ERR INVALID-ARGUMENT"}, {"GET UPS", "ERR INVALID-ARGUMENT"},
	{"LIST", "ERR INVALID-ARGUMENT"}, {"LIST FOO", "ERR INVALID-ARGUMENT"},
	{"LIST UPS ups", "ERR INVALID-ARGUMENT"}, {"LIST VAR", "ERR INVALID-ARGUMENT"},
	{"LIST VAR ups x", "ERR INVALID-ARGUMENT"}, {"LIST RW", "ERR INVALID-ARGUMENT"},
	{"LIST CMD", "ERR INVALID-ARGUMENT"}, {"LIST ENUM ups", "ERR INVALID-ARGUMENT"},
	{"LIST RANGE ups", "ERR INVALID-ARGUMENT"}, {"LIST CLIENT", "ERR INVALID-ARGUMENT"},
	{"SET", "ERR INVALID-ARGUMENT"}, {"SET FOO", "ERR INVALID-ARGUMENT"},
	{"SET VAR ups ups.id", "ERR INVALID-ARGUMENT"}, {"SET VAR ups ups.id 1 2", "ERR INVALID-ARGUMENT"},
	{"SET TRACKING", "ERR INVALID-ARGUMENT"}, {"INSTCMD", "ERR INVALID-ARGUMENT"},
	{"INSTCMD ups", "ERR INVALID-ARGUMENT"}, {"INSTCMD ups load.off 1 2", "ERR INVALID-ARGUMENT"},
	{"USERNAME", "ERR INVALID-ARGUMENT"}, {"USERNAME a b", "ERR INVALID-ARGUMENT"},
	{"PASSWORD", "ERR INVALID-ARGUMENT"}, {"PASSWORD a b", "ERR INVALID-ARGUMENT"},
	{"LOGIN", "ERR INVALID-ARGUMENT"}, {"LOGIN ups x", "ERR INVALID-ARGUMENT"},
	{"PRIMARY", "ERR INVALID-ARGUMENT"}, {"MASTER", "ERR INVALID-ARGUMENT"}, {"FSD", "ERR INVALID-ARGUMENT"},
	{`GET VAR "ups ups.status`, "ERR INVALID-ARGUMENT"}, {"VER # which?", "ERR INVALID-ARGUMENT"},
	{strings.Repeat("w ", 33), "ERR INVALID-ARGUMENT"},
	{strings.Repeat("x", 513), "ERR INVALID-ARGUMENT"}, {strings.Repeat("x", 100_000), "ERR INVALID-ARGUMENT"},
}

func TestMalformedLinesAreAnsweredAndEndNoSession(t *testing.T) {
	bubble(t, "smart1500lcd", Config{Users: users}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		nobody, user := s.dial(), s.dialAs(admin)
		dialogue(t, nobody, malformed)
		dialogue(t, user, malformed)
		ups.Unplug()
		time.Sleep(3 * time.Second)
		dialogue(t, nobody, malformed)
	})
}

// What everybody may ask, where there are no users.
func TestAnswersWithoutUsers(t *testing.T) {
	config := Config{Version: "1.2.3"}
	bubble(t, "smart1500lcd", config, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		always := []exchange{
			{"NETVER", "1.3"}, {"PROTVER", "1.3"}, {"HELP", help},
			{"STARTTLS", "ERR FEATURE-NOT-CONFIGURED"}, {"STARTTLS", "ERR FEATURE-NOT-CONFIGURED"},
			{"GET UPSDESC ups", `UPSDESC ups "Tripp Lite Tripp Lite UPS"`},
			{"LIST UPS", "BEGIN LIST UPS\nUPS ups \"Tripp Lite Tripp Lite UPS\"\nEND LIST UPS"},
			{"LIST CLIENT ups", empty("CLIENT ups")},
			{"GET TRACKING", "OFF"}, {"GET TRACKING x", "ERR FEATURE-NOT-CONFIGURED"},
			{"GET VAR nope server.version", `VAR nope server.version "2.8.0"`},
			{"GET VAR ups SERVER.INFO", `VAR ups SERVER.INFO "tripplite 1.2.3"`},
			{"SET TRACKING ON", "ERR USERNAME-REQUIRED"}, {"LOGIN ups", "ERR USERNAME-REQUIRED"},
			{"PRIMARY ups", "ERR USERNAME-REQUIRED"}, {"MASTER ups", "ERR USERNAME-REQUIRED"},
			{"FSD ups", "ERR USERNAME-REQUIRED"},
			{"GET VAR nope ups.status", "ERR UNKNOWN-UPS"}, {"LIST VAR nope", "ERR UNKNOWN-UPS"},
			{"LIST RW nope", "ERR UNKNOWN-UPS"}, {"LIST CMD nope", "ERR UNKNOWN-UPS"},
			{"LIST CLIENT nope", "ERR UNKNOWN-UPS"}, {"LIST ENUM nope ups.id", "ERR UNKNOWN-UPS"},
			{"LIST RANGE nope ups.id", "ERR UNKNOWN-UPS"}, {"GET NUMLOGINS nope", "ERR UNKNOWN-UPS"},
			{"GET UPSDESC nope", "ERR UNKNOWN-UPS"}, {"GET TYPE nope ups.id", "ERR UNKNOWN-UPS"},
			{"GET DESC nope ups.id", "ERR UNKNOWN-UPS"}, {"GET CMDDESC nope load.off", "ERR UNKNOWN-UPS"},
			{"SET VAR nope ups.id 1", "ERR UNKNOWN-UPS"}, {"INSTCMD nope load.off", "ERR UNKNOWN-UPS"},
		}
		c := s.dial()
		version := strings.Fields(c.ask("VER"))
		require.Equal(t, []string{"Network", "UPS", "Tools", "upsd", "2.8.0"}, version[:5])
		dialogue(t, c, always)
		dialogue(t, c, []exchange{
			{"GET NUMLOGINS ups", "NUMLOGINS ups 0"},
			{askStatus, statusIs("OL")},
			{"get var UPS Ups.Status", `VAR UPS Ups.Status "OL"`}, // as the client wrote it
			{"GET VAR ups battery.charge\r", `VAR ups battery.charge "100"`},
			{"  GET\tVAR \"ups\"  battery.runtime\r\r", `VAR ups battery.runtime "1004"`},
			{"GET VAR ups nope", "ERR VAR-NOT-SUPPORTED"},
			{"GET VAR ups battery.temperature", "ERR VAR-NOT-SUPPORTED"}, // which the unit has not
			{"GET TYPE ups battery.charge", "TYPE ups battery.charge NUMBER"},
			{"GET TYPE ups UPS.STATUS", "TYPE ups UPS.STATUS STRING:64"},
			{"GET TYPE ups nope", "ERR VAR-NOT-SUPPORTED"},
			{"GET DESC ups battery.charge", `DESC ups battery.charge "Charge of the battery."`},
			{"GET DESC ups nope", `DESC ups nope "Description unavailable"`},
			{"GET CMDDESC ups beeper.disable", `CMDDESC ups beeper.disable "Switches the beeper off."`},
			{"GET CMDDESC ups nope", `CMDDESC ups nope "Description unavailable"`},
			{"LIST RW ups", empty("RW ups")}, {"LIST CMD ups", empty("CMD ups")},
			{"list cmd UPS", "BEGIN LIST CMD UPS\nEND LIST CMD UPS"},
			{"LIST ENUM ups ups.status", empty("ENUM ups ups.status")},
			{"LIST RANGE ups ups.status", empty("RANGE ups ups.status")},
			{"LIST ENUM ups nope", "ERR VAR-NOT-SUPPORTED"}, {"LIST RANGE ups nope", "ERR VAR-NOT-SUPPORTED"},
			{"SET VAR ups ups.id 1", "ERR USERNAME-REQUIRED"},
			{"INSTCMD ups load.off", "ERR USERNAME-REQUIRED"},
		})
		ups.Unplug()
		time.Sleep(3 * time.Second)
		dialogue(t, c, always)
		// Names and passwords are checked when they are needed.
		dialogue(t, c, []exchange{
			{"USERNAME a", "OK"}, {"USERNAME b", "ERR ALREADY-SET-USERNAME"},
			{"LOGIN ups", "ERR PASSWORD-REQUIRED"},
			{"PASSWORD a", "OK"}, {"PASSWORD b", "ERR ALREADY-SET-PASSWORD"},
			{"LOGIN ups", "ERR ACCESS-DENIED"}, {"PRIMARY ups", "ERR ACCESS-DENIED"},
			{"MASTER ups", "ERR ACCESS-DENIED"}, {"FSD ups", "ERR ACCESS-DENIED"},
			{"SET TRACKING ON", "ERR ACCESS-DENIED"},
			{"LOGOUT", "OK Goodbye"},
		})
		require.True(t, c.ended())
	})
}

// A list of a unit that has commands and settings, and what upsmon asks.
func TestAnswersToUsers(t *testing.T) {
	bubble(t, "smart1500lcd", Config{Users: users}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		dialogue(t, s.dial(), []exchange{
			{"LIST RW ups", "BEGIN LIST RW ups\nRW ups ups.delay.shutdown \"20\"\n" +
				"RW ups ups.delay.start \"30\"\nRW ups ups.start.auto \"yes\"\nEND LIST RW ups"},
			// As the reports of a 2012 say: it has no start timer. No user may arm the watchdog.
			{"LIST CMD ups", "BEGIN LIST CMD ups\nCMD ups beeper.disable\nCMD ups beeper.enable\n" +
				"CMD ups beeper.mute\nCMD ups load.off\nCMD ups load.off.delay\nCMD ups shutdown.reboot\n" +
				"CMD ups shutdown.return\nCMD ups shutdown.stayoff\nCMD ups shutdown.stop\n" +
				"CMD ups test.battery.start\nCMD ups test.battery.start.deep\n" +
				"CMD ups test.battery.start.quick\nCMD ups test.battery.stop\nEND LIST CMD ups"},
		})
		always := []exchange{
			{"PRIMARY ups", "OK PRIMARY-GRANTED"}, {"MASTER UPS", "OK MASTER-GRANTED"},
			{"LIST CLIENT ups", "BEGIN LIST CLIENT ups\nCLIENT ups 192.0.2.1\nEND LIST CLIENT ups"},
			{"LOGIN ups", "ERR ALREADY-LOGGED-IN"},
		}
		first, second := s.dialAs(mon), s.dialAs(secondary)
		dialogue(t, first, append([]exchange{{"LOGIN ups", "OK"}}, always...))
		require.Equal(t, "NUMLOGINS ups 1", first.ask("GET NUMLOGINS ups"))
		dialogue(t, second, []exchange{
			{"LOGIN ups", "OK"}, {"GET NUMLOGINS ups", "NUMLOGINS ups 2"},
			{"PRIMARY ups", "ERR ACCESS-DENIED"}, {"MASTER ups", "ERR ACCESS-DENIED"},
			{"FSD ups", "ERR ACCESS-DENIED"}, {askStatus, statusIs("OL")},
		})
		second.conn.Close() // without LOGOUT, as upsmon does
		synctest.Wait()
		require.Equal(t, "NUMLOGINS ups 1", first.ask("GET NUMLOGINS ups"))
		ups.Unplug()
		time.Sleep(3 * time.Second)
		dialogue(t, first, always)
		require.Equal(t, "OK FSD-SET", first.ask("FSD ups"))
		require.Equal(t, "ERR DATA-STALE", first.ask("GET NUMLOGINS ups"))
		late := s.dialAs(secondary)
		require.Equal(t, "OK", late.ask("LOGIN ups"))
		ups.Replug()
		settle()
		require.Equal(t, statusIs("FSD OL"), late.ask(askStatus))
		require.Equal(t, "OK Goodbye", first.ask("LOGOUT"))
		synctest.Wait()
		require.Equal(t, "NUMLOGINS ups 1", late.ask("GET NUMLOGINS ups"))
		require.Equal(t, statusIs("FSD OL"), late.ask(askStatus), "until the server ends")
	})
}

// What a unit does: the reports are those of the facts about its family.
func TestInstantCommands(t *testing.T) {
	for _, test := range []struct {
		unit, line, answer string
		sent               []string
	}{
		{"smart1500lcd", "beeper.disable", "OK", []string{"send 11 01"}},
		{"smart1500lcd", "BEEPER.Enable", "OK", []string{"send 11 02"}},
		{"smart1500lcd", "test.battery.start", "OK", []string{"send 10 01"}},
		{"smart1500lcd", "load.off", "OK", []string{"send 15 00 00"}},
		{"smart1500lcd", "load.off.delay", "OK", []string{"send 15 14 00"}},
		{"smart1500lcd", "load.off.delay 60", "OK", []string{"send 15 3c 00"}},
		{"smart1500lcd", "shutdown.return", "OK", []string{"send b6 01", "send 15 14 00"}},
		{"smart1500lcd", "shutdown.stayoff 60", "OK", []string{"send b6 00", "send 15 3c 00"}},
		{"smart1500lcd", "shutdown.reboot", "OK", []string{"send 17 0a 00"}},
		{"smart1500lcd", "shutdown.stop", "OK", []string{"send 15 ff ff"}},
		{"smart1500lcd", "reset.watchdog", "OK", []string{"send 52 3c"}},
		{"smart1500lcdt", "shutdown.return", "OK", []string{"send 61 1e 00", "send 15 14 00"}},
		{"smart1500lcdt", "load.on", "OK", []string{"send 61 00 00"}},
		{"smart1500lcdt", "load.on.delay", "OK", []string{"send 61 1e 00"}},
		{"smart1500lcd", "load.off 60", "ERR INVALID-ARGUMENT", nil}, // it is at once
		{"smart1500lcd", "load.off.delay 0", "ERR INVALID-ARGUMENT", nil},
		{"smart1500lcd", "load.off.delay -5", "ERR INVALID-ARGUMENT", nil},
		{"smart1500lcd", "load.off.delay 65535", "ERR INVALID-ARGUMENT", nil}, // which would cancel it
		{"smart1500lcd", "load.off.delay soon", "ERR INVALID-ARGUMENT", nil},
		{"smart1500lcd", "beeper.disable 5", "ERR INVALID-ARGUMENT", nil},
		{"smart1500lcd", "load.off.delay 4", "OK", nil}, // handed over; the library refuses it
		{"smart1500lcd", "load.on", "ERR CMD-NOT-SUPPORTED", nil},
		{"smart1500lcd", `"set.auto restart"`, "ERR CMD-NOT-SUPPORTED", nil},
		{"avr750u", "shutdown.reboot", "ERR CMD-NOT-SUPPORTED", nil}, // no other command in its place
	} {
		all := admin
		all.Commands = []string{"ALL", "reset.watchdog"}
		config := Config{Users: []User{all}}
		bubble(t, test.unit, config, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
			c := s.dialAs(all)
			ups.Requests()
			assert.Equal(t, test.answer, c.ask("INSTCMD ups "+test.line), test.line)
			time.Sleep(10 * time.Second)
			var sent []string
			for _, request := range ups.Requests() {
				if strings.HasPrefix(request, "send") {
					sent = append(sent, request)
				}
			}
			assert.Equal(t, test.sent, sent, "%s: %s", test.unit, test.line)
		})
	}
}

func TestSettings(t *testing.T) {
	bubble(t, "smart1500lcd", Config{Users: users}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		c := s.dialAs(admin)
		set := func(line, want string) {
			t.Helper()
			require.Equal(t, want, c.ask("SET VAR ups "+line))
			settle()
		}
		set(`ups.start.auto "no"`, "OK")
		require.Equal(t, `VAR ups ups.start.auto "no"`, c.ask("GET VAR ups ups.start.auto"))
		require.Contains(t, ups.Requests(), "send b6 00")
		set("ups.delay.shutdown 60", "OK")
		set("ups.delay.start 90", "OK")
		require.Equal(t, `VAR ups ups.delay.shutdown "60"`, c.ask("GET VAR ups ups.delay.shutdown"))
		require.Equal(t, `VAR ups ups.delay.start "90"`, c.ask("GET VAR ups ups.delay.start"))
		for _, request := range ups.Requests() {
			require.NotContains(t, request, "send", "the delays are the server's")
		}
		require.Equal(t, "OK", c.ask("INSTCMD ups shutdown.stayoff"))
		time.Sleep(3 * time.Second)
		require.Contains(t, ups.Requests(), "send 15 3c 00")
		set("ups.delay.start 65535", "ERR INVALID-VALUE")
		set("ups.delay.start =", "ERR INVALID-VALUE")
		set("battery.charge 50", "ERR READONLY")
		set("ups.id 7", "ERR VAR-NOT-SUPPORTED")
		set(`ups.start.auto ""`, "ERR INVALID-VALUE")
	})
}

// Every answer line fits into what NUT's own clients read.
func TestDescriptionsFitIntoALine(t *testing.T) {
	for _, capture := range tripplitetest.Captures() {
		bubble(t, capture, Config{Users: users}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
			c := s.dial()
			for line := range strings.Lines(c.ask("LIST CMD ups")) {
				name, isItem := strings.CutPrefix(strings.TrimSpace(line), "CMD ups ")
				if !isItem {
					continue
				}
				text := c.ask("GET CMDDESC ups " + name)
				assert.True(t, strings.HasPrefix(text, fmt.Sprintf("CMDDESC ups %s \"", name)))
				assert.NotContains(t, text, "Description unavailable")
				assert.Less(t, len(text), 512, "%s: %s", capture, name)
			}
		})
	}
}
