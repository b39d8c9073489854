package nut

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

// Who gives no name learns that first. Only INSTCMD tells a stranger that there is no such command.
func TestWhichErrorComesFirst(t *testing.T) {
	bubble(t, "smart1500lcd", Config{Users: users}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		const unnamed, denied = "ERR USERNAME-REQUIRED", "ERR ACCESS-DENIED"
		wrong := User{Name: "admin", Password: "wrong"}
		for _, test := range []struct{ line, nobody, stranger, admin string }{
			{"INSTCMD ups", "ERR INVALID-ARGUMENT", "ERR INVALID-ARGUMENT", "ERR INVALID-ARGUMENT"},
			{"INSTCMD nope beeper.disable", "ERR UNKNOWN-UPS", "ERR UNKNOWN-UPS", "ERR UNKNOWN-UPS"},
			{"INSTCMD ups nope", unnamed, "ERR CMD-NOT-SUPPORTED", "ERR CMD-NOT-SUPPORTED"},
			{"INSTCMD ups beeper.disable nope", unnamed, denied, "ERR INVALID-ARGUMENT"},
			{"SET VAR ups nope 1", unnamed, denied, "ERR VAR-NOT-SUPPORTED"},
			{"SET VAR ups ups.status OB", unnamed, denied, "ERR READONLY"},
			{"SET VAR ups ups.delay.shutdown 12345678901", unnamed, denied, "ERR TOO-LONG"},
			{"SET VAR ups ups.delay.shutdown x", unnamed, denied, "ERR INVALID-VALUE"},
			{"SET VAR ups ups.delay.shutdown 4", unnamed, denied, "ERR INVALID-VALUE"},
			{"SET VAR ups ups.start.auto maybe", unnamed, denied, "ERR INVALID-VALUE"},
			{"SET VAR nope ups.status OB", "ERR UNKNOWN-UPS", "ERR UNKNOWN-UPS", "ERR UNKNOWN-UPS"},
			{"LOGIN nope", "ERR UNKNOWN-UPS", "ERR UNKNOWN-UPS", "ERR UNKNOWN-UPS"},
			{"LOGIN ups", unnamed, denied, denied},
			{"PRIMARY ups", unnamed, denied, denied},
			{"FSD ups", unnamed, denied, denied},
		} {
			assert.Equal(t, test.nobody, s.dial().ask(test.line), "%s", test.line)
			assert.Equal(t, test.stranger, s.dialAs(wrong).ask(test.line), "%s, a stranger", test.line)
			assert.Equal(t, test.admin, s.dialAs(admin).ask(test.line), "%s, admin", test.line)
		}
		c := s.dial()
		assert.Equal(t, "OK", c.ask("USERNAME admin"))
		assert.Equal(t, "ERR PASSWORD-REQUIRED", c.ask("SET VAR ups nope 1"))
		assert.Equal(t, "ERR PASSWORD-REQUIRED", c.ask("INSTCMD ups nope"))
	})
}

// Nobody learns what was wrong, neither by the answer nor by how long it takes, and the unit learns of
// nothing.
func TestWhateverIsWrongTakesTheSameTimeAndAnswer(t *testing.T) {
	nameless := User{Name: "", Password: "pw", Set: true}
	open := User{Name: "open", Password: "", Set: true, Commands: []string{"ALL"}, Upsmon: "primary"}
	config := Config{Users: append([]User{nameless, open}, users...)}
	for name, user := range map[string]User{
		"unknown user":            {Name: "nobody", Password: "pw"},
		"wrong password":          {Name: "admin", Password: "pW"},
		"part of a password":      {Name: "admin", Password: "p"},
		"another user's password": {Name: "admin", Password: "monpw"},
		"another user's name":     {Name: "Admin", Password: "pw"},
		"no password set":         {Name: "open", Password: `""`},
		"the right is missing":    {Name: "secondary", Password: "secondarypw"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, "smart1500lcd", config, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
				c := s.dialAs(user)
				for _, line := range []string{"INSTCMD ups beeper.disable", "INSTCMD ups load.off",
					`SET VAR ups ups.start.auto "no"`, "SET VAR ups ups.delay.start 60", "PRIMARY ups",
					"MASTER ups", "FSD ups"} {
					before := time.Now()
					assert.Equal(t, "ERR ACCESS-DENIED", c.ask(line), line)
					assert.Equal(t, time.Second, time.Since(before), line)
				}
				settle()
				for _, request := range ups.Requests() {
					assert.NotContains(t, request, "send")
				}
				assert.Equal(t, statusIs("OL"), c.ask(askStatus))
				assert.Equal(t, `VAR ups ups.delay.start "30"`, c.ask("GET VAR ups ups.delay.start"))
				text := s.log.String()
				assert.Equal(t, 7, strings.Count(text, `msg="access denied"`))
				assert.Contains(t, text, "user="+user.Name)
				assert.Contains(t, text, "address=192.0.2.1")
				assert.Contains(t, text, `action="FSD ups"`)
				assert.NotContains(t, text, "pW", "a password")
			})
		})
	}
}

func TestRights(t *testing.T) {
	const denied = "ERR ACCESS-DENIED"
	watch := User{Name: "watch", Password: "w", Commands: []string{"ALL", "watchdog.stop"}}
	config := Config{Users: append([]User{watch}, users...)}
	bubble(t, "smart1500lcd", config, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		for _, test := range []struct {
			user User
			line string
			want string
		}{
			{admin, "INSTCMD ups beeper.mute", "OK"}, {admin, "SET VAR ups ups.delay.start 40", "OK"},
			{admin, "LOGIN ups", denied}, {admin, "PRIMARY ups", denied}, {admin, "FSD ups", denied},
			{admin, "INSTCMD ups watchdog.stop", denied}, // ALL is not the watchdog, which watch may stop
			{admin, "INSTCMD ups watchdog", "ERR CMD-NOT-SUPPORTED"},
			{admin, "INSTCMD ups reset.watchdog", "ERR CMD-NOT-SUPPORTED"},
			{watch, "INSTCMD ups watchdog.stop", "OK"},
			{beep, "INSTCMD ups beeper.disable", "OK"}, {beep, "INSTCMD ups beeper.enable", denied},
			{beep, "INSTCMD ups load.off", denied}, {beep, "SET VAR ups ups.delay.start 40", denied},
			{beep, "LOGIN ups", denied}, {beep, "FSD ups", denied},
			{mon, "LOGIN ups", "OK"}, {mon, "PRIMARY ups", "OK PRIMARY-GRANTED"},
			{mon, "MASTER ups", "OK MASTER-GRANTED"}, {mon, "INSTCMD ups beeper.disable", denied},
			{mon, "SET VAR ups ups.delay.start 40", denied},
			{secondary, "LOGIN ups", "OK"}, {secondary, "PRIMARY ups", denied}, {secondary, "MASTER ups", denied},
			{secondary, "FSD ups", denied}, {secondary, "INSTCMD ups load.off", denied},
			{mon, "FSD ups", "OK FSD-SET"},
		} {
			assert.Equal(t, test.want, s.dialAs(test.user).ask(test.line), "%s: %s", test.user.Name, test.line)
		}
	})
}

// With tracking a client learns what became of a command; OK alone says that it was handed over.
func TestTracking(t *testing.T) {
	bubble(t, "smart1500lcd", Config{Users: users}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		c := s.dialAs(admin)
		require.Equal(t, "OFF", c.ask("GET TRACKING"))
		require.Equal(t, "OK", c.ask("INSTCMD ups beeper.mute"))
		require.Equal(t, "ERR INVALID-ARGUMENT", c.ask("SET TRACKING perhaps"))
		require.Equal(t, "OK", c.ask("set tracking on"))
		require.Equal(t, "ON", c.ask("GET TRACKING"))
		require.Equal(t, "ERR UNKNOWN", c.ask("GET TRACKING 98C489FD-821C-4132-9D93-4F6590B55E63"))
		settle()
		id := func(line string) string {
			t.Helper()
			text := c.ask(line)
			require.Regexp(t, regexp.MustCompile(
				"^OK TRACKING [0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}$"), text)
			return strings.TrimPrefix(text, "OK TRACKING ")
		}
		outcome := func(line string) string {
			t.Helper()
			id := id(line)
			require.Equal(t, "PENDING", c.ask("GET TRACKING "+id))
			time.Sleep(10 * time.Second)
			return c.ask("GET TRACKING " + id)
		}
		assert.Equal(t, "SUCCESS", outcome("INSTCMD ups beeper.disable"))
		assert.Equal(t, `VAR ups ups.beeper.status "disabled"`, c.ask("GET VAR ups ups.beeper.status"))
		assert.Equal(t, "SUCCESS", outcome(`SET VAR ups ups.start.auto "no"`))
		assert.Equal(t, "ERR INVALID-ARGUMENT", outcome("INSTCMD ups load.off.delay 4"), "the unit refuses it")
		last := id("SET VAR ups ups.delay.start 40")
		synctest.Wait()
		assert.Equal(t, "SUCCESS", c.ask("GET TRACKING "+last))
		ups.FailReport(0x11, errors.New("stalled"))
		assert.Equal(t, "ERR FAILED", outcome("INSTCMD ups beeper.enable"))
		ups.HealReport(0x11)
		lost := id("INSTCMD ups beeper.enable")
		ups.Unplug()
		time.Sleep(30 * time.Second)
		assert.Equal(t, "ERR FAILED", c.ask("GET TRACKING "+lost))
		require.Equal(t, "OK", c.ask("SET TRACKING OFF"))
		require.Equal(t, "ERR FEATURE-NOT-CONFIGURED", c.ask("GET TRACKING "+last))
	})
}

func TestTrackingIsBounded(t *testing.T) {
	var results tracking
	now := time.Unix(1e9, 0)
	first := results.begin(now)
	for range 5000 {
		results.end(results.begin(now), "SUCCESS")
	}
	assert.LessOrEqual(t, len(results.results), 1000)
	assert.Len(t, results.order, len(results.results))
	last := results.begin(now)
	results.end(last, "SUCCESS")
	assert.Equal(t, "SUCCESS", results.result(last, now.Add(time.Hour)))
	assert.Equal(t, "ERR UNKNOWN", results.result(last, now.Add(time.Hour+time.Second)))
	results.end(first, "SUCCESS") // which is not kept any more
	assert.Equal(t, "ERR UNKNOWN", results.result(first, now))
}

// Whoever may shut something down is on record, with what and from where.
func TestWhatUsersDoIsLogged(t *testing.T) {
	bubble(t, "smart1500lcd", Config{Users: users}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		c, upsmon := s.dialAs(admin), s.dialAs(mon)
		for line, c := range map[string]*client{
			"LOGIN ups": upsmon, "FSD ups": upsmon, "INSTCMD ups load.off.delay 60": c,
			"SET VAR ups ups.delay.start 40": c,
		} {
			require.Contains(t, c.ask(line), "OK")
		}
		settle()
		var found []string
		for line := range strings.Lines(s.log.String()) {
			_, line, _ = strings.Cut(strings.TrimSpace(line), "level=")
			found = append(found, line)
		}
		assert.ElementsMatch(t, []string{
			"INFO msg=login user=mon address=192.0.2.1 ups=ups",
			`WARN msg="FSD: every upsmon of the UPS shuts its host down" user=mon address=192.0.2.1 ups=ups`,
			`INFO msg="INSTCMD ups load.off.delay 60" user=admin address=192.0.2.1`,
			`INFO msg="SET VAR ups ups.delay.start 40" user=admin address=192.0.2.1`,
		}, found)
		require.NotContains(t, s.log.String(), "pw\"")
		ups.FailReport(0x15, errors.New("stalled"))
		require.Equal(t, "OK", c.ask("INSTCMD ups shutdown.stop"))
		time.Sleep(10 * time.Second)
		require.Contains(t, s.log.String(), `level=ERROR msg="INSTCMD ups shutdown.stop failed" user=admin`)
	})
}
