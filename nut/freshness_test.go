package nut

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

const askStatus = "GET VAR ups ups.status"

// statusIs returns the answer to askStatus.
func statusIs(words string) string { return `VAR ups ups.status "` + words + `"` }

func TestAnAnnouncedPowerFailureIsInTheNextAnswer(t *testing.T) {
	bubble(t, "smart1500lcd", Config{}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		c := s.dial()
		require.Equal(t, statusIs("OL"), c.ask(askStatus))
		ups.Requests()
		before := time.Now()
		ups.PowerFailure()
		synctest.Wait() // which takes no time, and the unit a millisecond for a transfer
		require.Equal(t, statusIs("OB DISCHRG"), c.ask(askStatus))
		require.Zero(t, time.Since(before))
		ups.LowBattery()
		synctest.Wait()
		require.Contains(t, c.ask(askStatus), "OB")
		settle()
		require.Equal(t, statusIs("OB DISCHRG LB"), c.ask(askStatus))
		ups.PowerReturns()
		synctest.Wait()
		require.Contains(t, c.ask(askStatus), `"OL`)
	})
}

func TestAClientCostsAUnitNoTransfer(t *testing.T) {
	transfers := func(polls bool) (n int) {
		bubble(t, "smart1500lcd", Config{}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
			c := s.dial()
			ups.Requests()
			for range 1000 {
				time.Sleep(10 * time.Millisecond)
				if polls {
					c.ask("LIST VAR ups")
				}
			}
			n = len(ups.Requests())
		})
		return n
	}
	require.Equal(t, transfers(false), transfers(true))
}

func TestALostUnitIsStaleAtOnceAndFreshAtOnce(t *testing.T) {
	stale := []string{askStatus, "GET VAR ups battery.charge", "GET TYPE ups ups.status",
		"GET DESC ups ups.status", "GET CMDDESC ups load.off", "GET NUMLOGINS ups", "LIST VAR ups",
		"LIST RW ups", "LIST CMD ups", "LIST ENUM ups ups.start.auto", "LIST RANGE ups ups.delay.start",
		"SET VAR ups ups.delay.start 40", "INSTCMD ups load.off", "INSTCMD ups nope"}
	bubble(t, "smart1500lcd", Config{Users: users}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		c := s.dialAs(admin)
		require.Equal(t, statusIs("OL"), c.ask(askStatus))
		ups.PowerFailure()
		settle()
		require.Equal(t, statusIs("OB DISCHRG"), c.ask(askStatus))
		ups.Unplug()
		time.Sleep(2 * time.Second) // the next poll
		synctest.Wait()
		for _, line := range stale {
			require.Equal(t, "ERR DATA-STALE", c.ask(line), line)
		}
		for line, want := range map[string]string{
			"LIST UPS":           "BEGIN LIST UPS\nUPS ups \"Tripp Lite Tripp Lite UPS\"\nEND LIST UPS",
			"GET UPSDESC ups":    `UPSDESC ups "Tripp Lite Tripp Lite UPS"`,
			"LIST CLIENT ups":    "BEGIN LIST CLIENT ups\nEND LIST CLIENT ups",
			"GET VAR ups nope x": "ERR INVALID-ARGUMENT",
		} {
			require.Equal(t, want, c.ask(line), line)
		}
		time.Sleep(time.Minute)
		require.Equal(t, "ERR DATA-STALE", c.ask(askStatus))
		ups.PowerReturns()
		ups.Set("controls.audible alarm control", 1)
		ups.Replug()
		settle()
		require.Contains(t, c.ask(askStatus), `"OL`)
		require.Equal(t, `VAR ups ups.beeper.status "disabled"`, c.ask("GET VAR ups ups.beeper.status"))
		require.Contains(t, c.ask("LIST CMD ups"), "load.off")
	})
}

// Nothing tells of a test but the settings. While it runs, upsmon has to see CAL.
func TestATestThatSomebodyElseStartsIsCAL(t *testing.T) {
	bubble(t, "smart1500lcd", Config{}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		c := s.dial()
		time.Sleep(time.Second)
		ups.Set("controls.test", 5)
		ups.PowerFailure()
		settle()
		require.Equal(t, statusIs("CAL OB DISCHRG"), c.ask(askStatus))
		ups.Set("controls.test", 1)
		time.Sleep(3 * time.Second) // a poll: the outage goes on, and is none of the test's
		require.Equal(t, statusIs("OB DISCHRG"), c.ask(askStatus))
	})
}

// A command reads its unit beside the watch: what that read may be older than what is known.
func TestAReadingBesideTheWatchNeverGoesBack(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	reading := func(second int, status tripplite.Status, err error) tripplite.Reading {
		return tripplite.Reading{Info: tripplite.DeviceInfo{Path: "1-1"}, Err: err,
			State: tripplite.State{Time: at(second), Status: status}}
	}
	online, failed := tripplite.Status{ACPresent: yes}, tripplite.Status{ACPresent: no}
	m := memory{make: func(string) *unit { return &unit{names: []string{"ups"}, maxAge: maxAge} }}
	words := func() string {
		u, _ := m.find("ups")
		text, _ := status(&u)
		if u.stale(at(20)) {
			return "stale"
		}
		return text
	}
	m.take(reading(10, online, nil), at(10))
	m.take(reading(12, failed, nil), at(12))
	m.refresh("1-1", reading(11, online, nil).State, at(13))
	assert.Equal(t, "OB", words(), "it was read before the announcement")
	m.refresh("1-1", reading(14, online, nil).State, at(14))
	assert.Equal(t, "OL", words())
	m.take(reading(0, tripplite.Status{}, errors.New("lost")), at(15))
	m.refresh("1-1", reading(16, online, nil).State, at(16))
	assert.Equal(t, "stale", words(), "the watch tells the loss once")
	m.take(reading(17, failed, nil), at(17))
	assert.Equal(t, "OB", words())
}

func TestASourceThatFallsSilentIsStale(t *testing.T) {
	info := tripplite.DeviceInfo{Path: "1-1:1.0"}
	for every, limit := range map[time.Duration]time.Duration{
		0: 15 * time.Second, 2 * time.Second: 15 * time.Second, time.Minute: 3 * time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			source := make(readings)
			s := serve(t, Config{Every: every}, source)
			c := s.dial()
			online := tripplite.State{Time: time.Now(), Status: tripplite.Status{ACPresent: yes}}
			source <- tripplite.Reading{Info: info, State: online}
			time.Sleep(limit)
			require.Equal(t, statusIs("OL"), c.ask(askStatus))
			time.Sleep(time.Second)
			require.Equal(t, "ERR DATA-STALE", c.ask(askStatus))
			source <- tripplite.Reading{Info: info, State: online}
			synctest.Wait()
			require.Equal(t, statusIs("OL"), c.ask(askStatus))
			source <- tripplite.Reading{Err: tripplite.ErrClosed}
			synctest.Wait()
			require.Equal(t, "ERR DATA-STALE", c.ask(askStatus))
		})
	}
}
