package nut

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

// A range and the choices are told by TYPE as by LIST. go.nut wants a word behind RW.
func TestTypes(t *testing.T) {
	bubble(t, "smart1500lcd", Config{Users: users}, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		c := s.dial()
		for line, want := range map[string]string{
			"ups.status":         "STRING:64",
			"ups.mfr":            "STRING:64",
			"battery.charge":     "NUMBER",
			"input.voltage":      "NUMBER",
			"ups.delay.shutdown": "RW RANGE NUMBER",
			"ups.delay.start":    "RW RANGE NUMBER",
			"ups.start.auto":     "RW ENUM STRING:64",
		} {
			assert.Equal(t, "TYPE ups "+line+" "+want, c.ask("GET TYPE ups "+line))
		}
		assert.Equal(t, "BEGIN LIST RANGE ups ups.delay.shutdown\n"+
			"RANGE ups ups.delay.shutdown \"5\" \"65534\"\n"+
			"END LIST RANGE ups ups.delay.shutdown", c.ask("LIST RANGE ups ups.delay.shutdown"))
		assert.Equal(t, "BEGIN LIST ENUM ups ups.start.auto\n"+
			"ENUM ups ups.start.auto \"yes\"\nENUM ups ups.start.auto \"no\"\n"+
			"END LIST ENUM ups ups.start.auto", c.ask("LIST ENUM ups ups.start.auto"))
	})
	bubble(t, "smart1500lcd", Config{}, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		c := s.dial()
		assert.Equal(t, "TYPE ups ups.delay.shutdown NUMBER", c.ask("GET TYPE ups ups.delay.shutdown"))
		assert.Equal(t, "TYPE ups ups.start.auto STRING:64", c.ask("GET TYPE ups ups.start.auto"))
	})
}
