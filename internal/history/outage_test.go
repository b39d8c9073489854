package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/events"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

// fail has a unit run on battery from noon on for ten minutes, as a monitor tells it: what is
// believed comes five seconds late. It draws 360 W, then 720 W from the fifth minute on.
func fail(s *Store, change func(*monitor.Unit)) {
	s.Reading(unit("rack", noon.Add(-5*time.Second)))
	for i := 0; i <= 120; i++ {
		at := noon.Add(time.Duration(i) * 5 * time.Second)
		power := 360.
		if i > 60 {
			power = 720
		}
		u := onBattery("rack", at, 100-float64(i)/4, power)
		if i == 0 {
			u.OnBattery = false // not believed yet
		}
		change(&u)
		s.Reading(u)
		if i == 1 {
			s.Event(event("rack", events.OnBattery, noon))
		}
	}
	end := noon.Add(10 * time.Minute)
	late := unit("rack", end.Add(5*time.Second))
	late.State.RemainingCapacity = tripplite.ValueOf(71.)
	s.Reading(late)
	s.Event(event("rack", events.OnLine, end))
}

func outagesOf(t *testing.T, s *Store, q EventQuery) []Outage {
	all, err := s.Outages(t.Context(), q)
	require.NoError(t, err)
	return all
}

func TestAnOutageHasItsLowestChargeAndItsEnergy(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Store) {
		fail(s, func(*monitor.Unit) {})
		all := outagesOf(t, s, EventQuery{})
		require.Len(t, all, 1)
		o := all[0]
		assert.Equal(t, "rack", o.Unit)
		assert.True(t, o.From.Equal(noon))
		assert.True(t, o.To.Equal(noon.Add(10*time.Minute)))
		require.NotNil(t, o.LowestCharge)
		assert.Equal(t, 70., *o.LowestCharge)
		require.NotNil(t, o.Energy)
		assert.InDelta(t, 30+60, *o.Energy, 1, "360 W and 720 W, for five minutes each")
	})
}

func TestAnEnergyThatIsNotMeasuredIsNotKnown(t *testing.T) {
	for name, change := range map[string]func(u *monitor.Unit){
		"no power": func(u *monitor.Unit) { u.State.Output.ActivePower = tripplite.Value[float64]{} },
		"none for two minutes": func(u *monitor.Unit) {
			if at := u.State.Time.Sub(noon); at > 3*time.Minute && at < 5*time.Minute {
				u.State.Output.ActivePower = tripplite.Value[float64]{}
			}
		},
		"none at the end": func(u *monitor.Unit) {
			if u.State.Time.Sub(noon) > 3*time.Minute {
				u.State.Output.ActivePower = tripplite.Value[float64]{}
			}
		},
		"lost for two minutes": func(u *monitor.Unit) {
			if at := u.State.Time.Sub(noon); at > 3*time.Minute && at < 5*time.Minute {
				u.Err = tripplite.ErrDisconnected
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s *Store) {
				fail(s, change)
				all := outagesOf(t, s, EventQuery{})
				require.Len(t, all, 1)
				assert.Nil(t, all[0].Energy)
				assert.NotNil(t, all[0].LowestCharge)
			})
		})
	}
}

func TestAnOutageThatGoesOnHasNoEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Store) {
		s.Event(event("rack", events.OnBattery, noon))
		s.Event(event("rack", events.OnBattery, noon.Add(time.Minute))) // told again
		s.Event(event("rack", events.Lost, noon.Add(2*time.Minute)))
		s.Event(event("desk", events.OnLine, noon.Add(2*time.Minute)))
		all := outagesOf(t, s, EventQuery{})
		require.Len(t, all, 1)
		assert.True(t, all[0].From.Equal(noon))
		assert.Zero(t, all[0].To)
		assert.Nil(t, all[0].LowestCharge)
		assert.Nil(t, all[0].Energy)
	})
}

func TestOutagesOfATimeAreThoseThatOverlapIt(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Store) {
		for hour := range 6 {
			at := noon.Add(time.Duration(hour) * time.Hour)
			name := []string{"rack", "desk"}[hour%2]
			s.Event(event(name, events.OnBattery, at))
			s.Event(event(name, events.OnLine, at.Add(30*time.Minute)))
		}
		var hours []float64
		for _, o := range outagesOf(t, s, EventQuery{
			From: noon.Add(70 * time.Minute), To: noon.Add(3*time.Hour + time.Minute),
		}) {
			hours = append(hours, o.From.Sub(noon).Hours())
		}
		assert.Equal(t, []float64{3, 2, 1}, hours)
		assert.Len(t, outagesOf(t, s, EventQuery{Unit: "desk"}), 3)
		assert.Empty(t, outagesOf(t, s, EventQuery{Unit: "cellar"}))
		first := outagesOf(t, s, EventQuery{Limit: 4})
		require.Len(t, first, 4)
		assert.Len(t, outagesOf(t, s, EventQuery{Limit: 4, Before: first[3].ID}), 2)
	})
}

// A run of the program ends, by kill -9 or so, while a unit is on battery.
func TestAnOutageOutlastsTheProgram(t *testing.T) {
	killed := noon.Add(3 * time.Minute) // the last time that it was known to go on
	for name, test := range map[string]struct {
		next func(s *Store)
		from []time.Time // newest first
		to   []time.Time
	}{
		"it goes on": {
			func(s *Store) {
				s.Reading(onBattery("rack", noon.Add(5*time.Minute), 80, 100))
				s.Event(event("rack", events.OnBattery, noon.Add(5*time.Minute)))
				s.Reading(onBattery("rack", noon.Add(7*time.Minute), 60, 100))
				s.Event(event("rack", events.OnLine, noon.Add(8*time.Minute)))
			},
			[]time.Time{noon}, []time.Time{noon.Add(8 * time.Minute)},
		},
		"power is back": {
			func(s *Store) {
				for i := range 13 {
					s.Reading(unit("rack", noon.Add(4*time.Minute+time.Duration(i)*5*time.Second)))
				}
			},
			[]time.Time{noon}, []time.Time{killed},
		},
		"it is not known yet": {
			func(s *Store) { s.Reading(unit("rack", noon.Add(4*time.Minute))) },
			[]time.Time{noon}, []time.Time{{}},
		},
		"days later it is on battery again": {
			func(s *Store) {
				s.Event(event("rack", events.OnBattery, noon.AddDate(0, 0, 3)))
			},
			[]time.Time{noon.AddDate(0, 0, 3), noon}, []time.Time{{}, killed},
		},
		"days later power is said to be back": {
			func(s *Store) { s.Event(event("rack", events.OnLine, noon.AddDate(0, 0, 3))) },
			[]time.Time{noon}, []time.Time{killed},
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := temporary(t)
			s := Open(Config{File: file})
			s.Event(event("rack", events.OnBattery, noon))
			s.Reading(onBattery("rack", noon.Add(time.Second), 90, 360))
			s.Reading(onBattery("rack", noon.Add(3*time.Minute), 70, 360))
			s.Close()
			s = opened(t, file)
			test.next(s)
			s.write(noon.AddDate(1, 0, 0))
			all := outagesOf(t, s, EventQuery{})
			require.Len(t, all, len(test.from))
			for i, o := range all {
				assert.True(t, o.From.Equal(test.from[i]), "%d from %s", i, o.From)
				assert.Equal(t, test.to[i].UnixMilli(), o.To.UnixMilli(), "%d to %s", i, o.To)
			}
			oldest := all[len(all)-1]
			require.NotNil(t, oldest.LowestCharge)
			charge := 70.
			if name == "it goes on" {
				charge = 60
			}
			assert.Equal(t, charge, *oldest.LowestCharge)
			assert.Nil(t, oldest.Energy, "nobody measured it all the time")
		})
	}
}
