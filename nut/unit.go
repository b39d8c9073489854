package nut

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite"
)

// Source has the units. A [tripplite.Bank] is one. A source that also has its method Battery takes
// commands.
type Source interface {
	Watch(ctx context.Context, every time.Duration) iter.Seq[tripplite.Reading]
}

// commander is a Source that takes commands.
type commander interface {
	Battery(path string) (*tripplite.Battery, bool)
}

// unit is what is known of one UPS: the answers come from here.
type unit struct {
	info     tripplite.DeviceInfo
	names    []string // the one that is listed first
	named    bool     // by the configuration
	state    tripplite.State
	settings tripplite.Settings
	data     map[string]tripplite.Datum // of both, by key of tripplite.Field
	commands []tripplite.CommandInfo
	asked    bool      // for the settings and commands, since it is there
	losses   int       // how often it was lost
	at       time.Time // when the State came; zero while there is none
	told
	limits  Limits
	maxAge  time.Duration
	version string
}

// told is what clients have told a server of a unit.
type told struct {
	fsd    bool
	called bool // "ups", while it was the only one
	delays delays
}

// delays are those of ups.delay.shutdown and ups.delay.start, in seconds.
type delays struct{ shutdown, start int }

// Limits are below which a battery counts as low, beside what the unit itself says. 0 is none.
type Limits struct {
	Charge  float64       // in percent
	RunTime time.Duration // at the present load
}

// index makes what datum finds. It is called when the State or the settings have changed.
func (u *unit) index() {
	u.data = map[string]tripplite.Datum{}
	for f, d := range u.state.All() {
		u.data[f.Key] = d
	}
	for f, d := range u.settings.All() {
		u.data[f.Key] = d
	}
}

func (u *unit) datum(key string) (tripplite.Datum, bool) {
	d, known := u.data[key]
	return d, known
}

func (u *unit) number(key string) (float64, bool) {
	d, known := u.datum(key)
	if !known {
		return 0, false
	}
	return d.Number()
}

// takes reports whether the unit takes a command.
func (u *unit) takes(name string) bool {
	named := func(c tripplite.CommandInfo) bool { return c.Name == name }
	return slices.ContainsFunc(u.commands, named)
}

// hid reports whether the unit is a HID power device, which tells its timers.
func (u *unit) hid() bool {
	return !u.takes(tripplite.ResetMinMax) && u.state.Config.Firmware.IsZero()
}

// maxAge is how long a State may serve without a newer one, as in upsd, where units are read often
// enough. A unit that is lost is stale at once: this is for a source that falls silent.
const maxAge = 15 * time.Second

// stale reports whether there is nothing to serve.
func (u *unit) stale(now time.Time) bool {
	_, known := status(u)
	return u.at.IsZero() || now.Sub(u.at) > u.maxAge || !known
}

// lose forgets what the unit said.
func (u *unit) lose() {
	u.at, u.state = time.Time{}, tripplite.State{}
	u.settings, u.commands, u.asked = tripplite.Settings{}, nil, false
	u.losses++
	u.index()
}

// memory holds all units. Its methods may be called from many goroutines.
type memory struct {
	mu    sync.Mutex
	units []*unit // by path
	make  func(path string) *unit
}

// take remembers a reading of the watch. It returns whether the settings, too, may have changed:
// the unit was not known or lost, has gone to battery or come back, as for a test, or tests its
// battery.
func (m *memory) take(r tripplite.Reading, now time.Time) (changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.at(r.Info.Path)
	u.info = r.Info
	if !tripplite.HasState(r.Err) {
		u.lose()
		return false
	}
	before, _ := u.state.OnBattery()
	if r.State.Announced && !u.at.IsZero() {
		u.state.Status, u.state.Time = r.State.Status, r.State.Time // a whole State follows at once
	} else {
		u.state = r.State
	}
	after, _ := u.state.OnBattery()
	changed = u.at.IsZero() || before != after ||
		u.settings.Test == tripplite.ValueOf(tripplite.TestInProgress)
	u.at = now
	u.index()
	return changed
}

// refresh remembers a State that was read beside the watch, if the unit is there and it is the
// newest.
func (m *memory) refresh(path string, state tripplite.State, now time.Time) {
	m.update(path, func(u *unit) {
		if !u.at.IsZero() && state.Time.After(u.state.Time) {
			u.state, u.at = state, now
			u.index()
		}
	})
}

// loseAll forgets what all units said.
func (m *memory) loseAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range m.units {
		u.lose()
	}
}

// at returns the unit at a path. It is called with the memory locked.
func (m *memory) at(path string) *unit {
	i := slices.IndexFunc(m.units, func(u *unit) bool { return u.info.Path == path })
	if i >= 0 {
		return m.units[i]
	}
	u := m.make(path)
	m.units = append(m.units, u)
	slices.SortFunc(m.units, func(a, b *unit) int { return strings.Compare(a.info.Path, b.info.Path) })
	return u
}

// update changes the unit at a path, if it is there.
func (m *memory) update(path string, change func(*unit)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m.at(path))
}

// list returns copies of all units. A single one is also called "ups", and listed so unless it was
// given a name. One that a client has called so keeps that name when other units come: to an upsmon
// whose UPS is unknown all of a sudden, it is dead.
func (m *memory) list() []unit {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]unit, len(m.units))
	for i, u := range m.units {
		all[i] = *u
		switch {
		case m.named("ups") || len(m.units) > 1 && !u.called:
		case u.named:
			all[i].names = append(slices.Clip(u.names), "ups")
		default:
			all[i].names = append([]string{"ups"}, u.names...)
		}
	}
	return all
}

// told returns what clients have told of each unit, by path.
func (m *memory) told() map[string]told {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string]told{}
	for _, u := range m.units {
		all[u.info.Path] = u.told
	}
	return all
}

// named reports whether a unit has a name. It is called with the memory locked.
func (m *memory) named(name string) bool {
	return slices.ContainsFunc(m.units, func(u *unit) bool { return slices.Contains(u.names, name) })
}

// find returns a copy of the unit with a name, in any case.
func (m *memory) find(name string) (unit, bool) {
	for _, u := range m.list() {
		if slices.ContainsFunc(u.names, func(n string) bool { return strings.EqualFold(n, name) }) {
			if strings.EqualFold(name, "ups") {
				m.update(u.info.Path, func(u *unit) { u.called = true })
			}
			return u, true
		}
	}
	return unit{}, false
}

// nameRunes are what clients take without quotes.
const nameRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// ValidName reports whether a UPS can have a name: letters, digits, "-", "_" and ".".
func ValidName(name string) bool { return name != "" && strings.Trim(name, nameRunes) == "" }

// DefaultName makes a name of a path, such as "ups-1-4.2" of "1-4.2:1.0".
func DefaultName(path string) string {
	port, _, _ := strings.Cut(path, ":")
	return "ups-" + strings.Map(func(r rune) rune {
		if r < 0x80 && strings.ContainsRune(nameRunes, r) {
			return r
		}
		return '_'
	}, port)
}
