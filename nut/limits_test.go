package nut

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

// Home Assistant is silent for a minute between two questions.
func TestALongAnswerAfterALongSilence(t *testing.T) {
	name := strings.Repeat("the-ups-in-the-rack-", 8)
	config := Config{Names: map[string][]string{"1-1:1.0": {name}}}
	bubble(t, "smart1500lcd", config, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		c := s.dial()
		want := c.ask("LIST VAR " + name)
		require.Greater(t, len(want), 4096, "more than what is sent at once")
		for range 3 {
			time.Sleep(time.Minute)
			require.Equal(t, want, c.ask("LIST VAR "+name))
		}
	})
}

// A client that waits for the first answer sends nothing more.
func TestAnAnswerDoesNotWaitForTheRestOfTheNextLine(t *testing.T) {
	bubble(t, "smart1500lcd", Config{}, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		c := s.dial()
		before := time.Now()
		c.send("NETVER\nGET VAR ups ups.sta")
		require.Equal(t, "1.3", c.line())
		require.Zero(t, time.Since(before))
		c.send("tus\n")
		require.Equal(t, `VAR ups ups.status "OL"`, c.line())
	})
}
