package nut

import (
	"context"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

// Clients such as nut_exporter and PeaNUT take two names for two units.
func TestNames(t *testing.T) {
	const rack, desk, gone = "1-1:1.0", "1-4.2:1.0", "2-1:1.0"
	type names map[string][]string
	for _, test := range []struct {
		name    string
		units   []string // their paths
		names   names
		listed  string
		answers string // names that answer with a status
		stale   string
		unknown string
	}{
		{"one unit", []string{desk}, nil, "ups", "ups UPS ups-1-4.2 UPS-1-4.2", "", "qnapups 1-4.2:1.0"},
		{"one unit with a name", []string{rack}, names{rack: {"rack"}}, "rack", "rack Rack RACK ups", "", "ups-1-1"},
		{"one unit with several names", []string{rack}, names{rack: {"rack", "qnapups", "ups"}}, "rack",
			"rack qnapups QNAPUPS ups", "", "ups-1-1"},
		{"two units", []string{rack, desk}, nil, "ups-1-1 ups-1-4.2", "ups-1-1 ups-1-4.2", "", "ups"},
		{"two units of which one is ups", []string{rack, desk}, names{desk: {"desk", "ups"}}, "ups-1-1 desk",
			"ups-1-1 desk ups", "", "ups-1-4.2"},
		{"a named unit is missing", []string{rack}, names{rack: {"rack"}, gone: {"gone", "old"}}, "rack gone",
			"rack", "gone old Gone", "ups"},
		{"the only unit is missing", nil, names{gone: {"gone"}}, "gone", "", "gone ups", "ups-2-1"},
		{"no unit", nil, nil, "", "", "", "ups"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var units []*tripplitetest.UPS
				for _, path := range test.units {
					u := tripplitetest.NewUPS(t, "smart1500lcd")
					u.Info.Path = path
					units = append(units, u)
				}
				s := serve(t, Config{Names: test.names}, tripplitetest.NewBank(t, units...))
				settle()
				c := s.dial()
				var listed []string
				for line := range strings.Lines(c.ask("LIST UPS")) {
					if name, ok := strings.CutPrefix(line, "UPS "); ok {
						name, text, _ := strings.Cut(name, " ")
						assert.NotEqual(t, "\"\"\n", text)
						listed = append(listed, name)
					}
				}
				assert.Equal(t, test.listed, strings.Join(listed, " "))
				for _, name := range strings.Fields(test.answers) {
					assert.Equal(t, "VAR "+name+` ups.status "OL"`, c.ask("GET VAR "+name+" ups.status"))
				}
				for _, name := range strings.Fields(test.stale) {
					assert.Equal(t, "ERR DATA-STALE", c.ask("GET VAR "+name+" ups.status"))
					assert.Contains(t, c.ask("GET UPSDESC "+name), "UPSDESC "+name+` "`)
				}
				for _, name := range strings.Fields(test.unknown) {
					for _, line := range []string{"GET VAR %s ups.status", "GET UPSDESC %s", "LIST VAR %s",
						"LIST CLIENT %s", "LOGIN %s", "PRIMARY %s", "FSD %s", "INSTCMD %s load.off"} {
						line = strings.ReplaceAll(line, "%s", name)
						assert.Equal(t, "ERR UNKNOWN-UPS", c.ask(line), line)
					}
					assert.Equal(t, "VAR "+name+` server.version "2.8.0"`, c.ask("GET VAR "+name+" server.version"))
				}
			})
		})
	}
}

// Each client is told of the unit that it asked for.
func TestTwoUnitsAreNotConfused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rack, desk := tripplitetest.NewUPS(t, "smart1500lcd"), tripplitetest.NewUPS(t, "smart1500lcdt")
		desk.Info.Path = "1-2:1.0"
		config := Config{Users: users, Names: map[string][]string{"1-1:1.0": {"rack"}, "1-2:1.0": {"desk"}}}
		s := serve(t, config, tripplitetest.NewBank(t, rack, desk))
		settle()
		c, upsmon := s.dial(), s.dialAs(mon)
		require.Equal(t, "OK", upsmon.ask("LOGIN desk"))
		rack.PowerFailure()
		synctest.Wait()
		assert.Equal(t, `VAR rack ups.status "OB DISCHRG"`, c.ask("GET VAR rack ups.status"))
		assert.Equal(t, `VAR desk ups.status "OL"`, c.ask("GET VAR desk ups.status"))
		assert.Equal(t, "NUMLOGINS rack 0", c.ask("GET NUMLOGINS rack"))
		assert.Equal(t, "NUMLOGINS desk 1", c.ask("GET NUMLOGINS desk"))
		assert.Equal(t, "ERR ALREADY-LOGGED-IN", upsmon.ask("LOGIN rack"))
		assert.Equal(t, "OK FSD-SET", upsmon.ask("FSD rack"))
		assert.Equal(t, `VAR rack ups.status "FSD OB DISCHRG"`, c.ask("GET VAR rack ups.status"))
		assert.Equal(t, `VAR desk ups.status "OL"`, c.ask("GET VAR desk ups.status"))
		rack.Unplug()
		time.Sleep(3 * time.Second)
		assert.Equal(t, "ERR DATA-STALE", c.ask("GET VAR rack ups.status"))
		assert.Equal(t, `VAR desk ups.status "OL"`, c.ask("GET VAR desk ups.status"))
	})
}

// fed is a source that yields what a test gives it.
type fed chan tripplite.Reading

func (f fed) Watch(ctx context.Context, _ time.Duration) iter.Seq[tripplite.Reading] {
	return func(yield func(tripplite.Reading) bool) {
		for {
			select {
			case r := <-f:
				if !yield(r) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func (f fed) online(path string) {
	f <- tripplite.Reading{Info: tripplite.DeviceInfo{Path: path}, State: tripplite.State{
		Time: time.Now(), Status: tripplite.Status{ACPresent: tripplite.ValueOf(true)}}}
	synctest.Wait()
}

// To an upsmon whose UPS is unknown all of a sudden, it is dead: on battery it shuts its host down.
func TestAUnitThatAClientCallsUpsKeepsTheNameWhenAnotherOneComes(t *testing.T) {
	for _, called := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			source := make(fed)
			s := serve(t, Config{}, source)
			c := s.dial()
			source.online("1-4:1.0")
			if called {
				assert.Equal(t, `VAR UPS ups.status "OL"`, c.ask("GET VAR UPS ups.status"))
			}
			source.online("1-1:1.0")
			want := "ERR UNKNOWN-UPS"
			if called {
				want = `VAR ups ups.status "OL"`
			}
			assert.Equal(t, want, c.ask("GET VAR ups ups.status"))
			assert.Equal(t, `VAR ups-1-4 driver.parameter.port "1-4:1.0"`,
				c.ask("GET VAR ups-1-4 driver.parameter.port"))
			assert.Equal(t, `VAR ups-1-1 ups.status "OL"`, c.ask("GET VAR ups-1-1 ups.status"))
		})
	}
}

func TestAServerThatTakesThePlaceOfAnotherKeepsWhatClientsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, config := make(fed), Config{Users: users}
		for range 3 { // also what the one before the last was told
			s := serve(t, config, source)
			source.online("1-4:1.0")
			c := s.dialAs(mon)
			if config.After == nil {
				assert.Equal(t, "OK FSD-SET", c.ask("FSD ups"))
			}
			assert.Equal(t, `VAR ups ups.status "FSD OL"`, c.ask("GET VAR ups ups.status"))
			admin := s.dialAs(admin)
			if config.After == nil {
				assert.Equal(t, "OK", admin.ask(`SET VAR ups ups.delay.shutdown "60"`))
				synctest.Wait()
			}
			assert.Equal(t, `VAR ups ups.delay.shutdown "60"`, c.ask("GET VAR ups ups.delay.shutdown"))
			require.NoError(t, s.Close())
			config.After = s.Server
		}
	})
}
