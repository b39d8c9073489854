package tripplite

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/tripplite-go/tripplite/internal/hidreport"
	"github.com/tripplite-go/tripplite/internal/usb"
)

// hidCommand is one row of the table of commands: what is written last, to the report of a field.
type hidCommand struct {
	name       string
	key        string // of the field whose report is written
	raw        uint32 // what is written, where no time is
	after, off Times  // off is the time of For
	cuts       bool
	text       string // what it does; empty where that depends on the unit
	shown      func(raw, before, wrote uint32) bool
}

// Times of the timers. 0 and 0xffff have meanings of their own, which no time may be rounded to.
// One that cuts the load has a floor: nobody could stop it in less.
var (
	timer      = Times{Least: time.Second, Most: 0xfffe * time.Second}
	cutTimer   = Times{Least: 5 * time.Second, Most: 0xfffe * time.Second}
	cutOrNow   = Times{Least: 5 * time.Second, Most: 0xfffe * time.Second, Optional: true}
	timerOrNow = Times{Least: time.Second, Most: 0xfffe * time.Second, Optional: true}
	byteTimer  = Times{Least: 5 * time.Second, Most: 0xff * time.Second}
)

const (
	alarmKey    = "controls.audible alarm control"
	testKey     = "controls.test"
	shutdownKey = "delay before shutdown"
	startupKey  = "controls.delay before startup"
	rebootKey   = "controls.delay before reboot"
	watchdogKey = "controls.watchdog"
	restartKey  = "controls.auto restart"

	idleTimer = 0xffff
)

// hidCommands has every command of HID units, in the order in which they are listed. The sources
// are the HID Usage Tables for Power Devices (Test, AudibleAlarmControl, the timers), the maker's
// document of protocol 2012 and what owners reported; docs/commands.md names them.
var hidCommands = []hidCommand{
	{name: BeeperEnable, key: alarmKey, raw: 2, shown: isWritten, text: "Switches the beeper on."},
	{name: BeeperDisable, key: alarmKey, raw: 1, shown: isWritten, text: "Switches the beeper off."},
	{name: BeeperMute, key: alarmKey, raw: 3, shown: isWritten,
		text: "Mutes the beeper for the present alarm. A 2012 does not support it: there, " +
			"beeper.disable does."},
	{name: TestQuick, key: testKey, raw: 1, shown: testRuns,
		text: "Runs the load on battery for about ten seconds. It drops if the battery is bad."},
	{name: TestDeep, key: testKey, raw: 2, shown: testRuns, cuts: true,
		text: "Runs the load on battery until that is nearly empty. Units have been reported not to " +
			"do it (NUT)."},
	{name: TestStop, key: testKey, raw: 3, shown: testEnded,
		text: "Ends a battery test. Units have been reported not to do it (NUT)."},
	{name: LoadOff, key: shutdownKey, after: cutOrNow, cuts: true, shown: counts},
	{name: LoadOn, key: startupKey, after: timerOrNow, shown: counts,
		text: "Switches the load on."},
	{name: ShutdownReturn, key: shutdownKey, after: cutTimer, cuts: true, shown: counts},
	{name: ShutdownStay, key: shutdownKey, after: cutTimer, cuts: true, shown: counts},
	{name: ShutdownReboot, key: rebootKey, off: timer, cuts: true, shown: counts,
		text: "Switches the load off at once, and on again after the time, on battery too."},
	{name: ShutdownStop, key: shutdownKey, raw: idleTimer, shown: isWritten,
		text: "Cancels the timers that run."},
	{name: Watchdog, key: watchdogKey, after: byteTimer, cuts: true, shown: counts,
		text: "Power-cycles the load unless it is given again before the time is over."},
	{name: WatchdogStop, key: watchdogKey, raw: 0, shown: isWritten, text: "Stops the watchdog."},
	{name: SetAutoRestart, key: restartKey, shown: isWritten,
		text: "Sets whether the load comes back with line power after a shutdown command."},
}

func isWritten(raw, _, wrote uint32) bool { return raw == wrote }

// counts reports whether a timer runs that was set. 0 is idle on some units, and the watchdog's
// off.
func counts(raw, _, wrote uint32) bool {
	return wrote <= 2 || raw <= wrote && raw != 0 // it may be over before it is read
}

// testRuns reports whether a test has begun, or has ended meanwhile.
func testRuns(raw, before, _ uint32) bool { return raw == uint32(TestInProgress) || raw != before }
func testEnded(raw, _, _ uint32) bool     { return raw != uint32(TestInProgress) }

// target is a report that a command writes.
type target struct {
	*entry
	*reading
}

// target returns the report of a field, if the unit has it and answers for it: what cannot be read
// back is not written.
func (h *hidPower) target(key string) (t target, found bool) {
	for i := range h.plan.features {
		e := &h.plan.features[i]
		for j := range e.readings {
			if r := &e.readings[j]; r.field.Key == key && e.answer == given {
				return target{e, r}, true
			}
		}
	}
	return target{}, false
}

// startsInMinutes reports whether the unit has the maker's own start timer, which counts minutes.
func (h *hidPower) startsInMinutes() bool {
	d, _ := hidreport.Parse(h.descriptor)
	return slices.ContainsFunc(d.Fields, func(f hidreport.Field) bool {
		return f.Type == hidreport.Feature && f.Path.String() == "UPS.OutletSystem.Outlet.ffff0056"
	})
}

func (h *hidPower) commands(r *record) []CommandInfo {
	var list []CommandInfo
	for _, row := range hidCommands {
		if _, ok := h.target(row.key); !ok {
			continue
		}
		info := CommandInfo{
			Name: row.name, Text: row.text, After: row.after, For: row.off, CutsLoad: row.cuts}
		switch row.name {
		case LoadOff:
			info.Text = "Switches the load off. " + h.afterwards(r)
		case ShutdownReturn:
			h.describeReturn(&info, r)
		case ShutdownStay:
			h.describeStay(&info, r)
		case ShutdownStop:
			if !r.settings.DelayBeforeReboot.IsZero() {
				info.CutsLoad = true
				info.Text += " The load is off for a reboot: it may stay so."
			}
		case TestQuick:
			info.CutsLoad = r.state.Status.NeedReplacement.Or(false) || !r.state.Status.ACPresent.Or(false)
		}
		list = append(list, info)
	}
	return list
}

// afterwards says whether the load comes back by itself when its shutdown timer has run out.
func (h *hidPower) afterwards(r *record) string {
	ac, acKnown := r.state.Status.ACPresent.Get()
	restarts, restartKnown := r.settings.AutoRestart.Get()
	switch {
	case restartKnown && restarts:
		return "It comes back when line power becomes valid: auto restart is on. Whether that takes a " +
			"power failure first is not known."
	case restartKnown:
		return "It stays off: auto restart is off."
	case acKnown && ac:
		return "There is line power, so it does not come back by itself, not even when line power " +
			"fails and returns (seen on a 2010)."
	case acKnown:
		return "It comes back with line power, also where that returns before (seen on a 2010)."
	}
	return "Whether it comes back depends on whether there is line power, which the unit does not say."
}

func (h *hidPower) describeReturn(info *CommandInfo, r *record) {
	ac, acKnown := r.state.Status.ACPresent.Get()
	_, restarts := h.target(restartKey)
	_, starts := h.target(startupKey)
	switch {
	case restarts:
		info.Text = "Sets auto restart and switches the load off after the time. It comes back when " +
			"line power becomes valid. Whether that takes a power failure first is not known."
	case starts:
		info.For = timer
		info.Text = "Switches the load off after the time, and on again when it has been off for the " +
			"other time. Whether the unit then waits for line power is not known."
	case h.startsInMinutes():
		info.Text = "Switches the load off; its start timer counts minutes."
		info.Refused = errors.New("the start timer counts minutes, and nobody is known to have used it")
	case acKnown && !ac:
		info.Text = "Switches the load off after the time. It comes back with line power, also where " +
			"that returns before (seen on a 2010)."
	default:
		info.Text = "Would switch the load off for good."
		info.Refused = errors.New("the unit has no start timer, and only on battery does its load come " +
			"back by itself: now it would stay off")
	}
}

func (h *hidPower) describeStay(info *CommandInfo, r *record) {
	ac, acKnown := r.state.Status.ACPresent.Get()
	_, restarts := h.target(restartKey)
	_, starts := h.target(startupKey)
	info.Text = "Switches the load off after the time. It stays off."
	switch {
	case restarts, starts:
	case h.startsInMinutes():
		info.Refused = errors.New("the start timer counts minutes, and nobody is known to have used it")
	case !acKnown || !ac:
		info.Refused = errors.New(
			"the unit has no start timer, and on battery its load comes back with line power")
	}
}

// lacks returns why the unit does not take a command.
func (h *hidPower) lacks(command string) (err, cause error) {
	i := slices.IndexFunc(hidCommands, func(c hidCommand) bool { return c.name == command })
	if i < 0 {
		return ErrRefused, fmt.Errorf("no unit of this kind has a command %q", command)
	}
	key := hidCommands[i].key
	row := reports[slices.IndexFunc(reports, func(r report) bool { return r.key == key })]
	for _, e := range h.plan.features {
		for _, r := range e.readings {
			if r.field.Key == key {
				return ErrUnsupported, fmt.Errorf(
					"the unit does not answer for report %s (%s)", hexID(e.id), r.name)
			}
		}
	}
	return ErrUnsupported, fmt.Errorf("the unit has no report %s (%s)", hexID(row.id), row.path)
}

// prepare returns the writes of a command. What is harmless alone comes first, and what cuts the
// load last.
func (h *hidPower) prepare(c Command, r *record) ([]step, error) {
	row := hidCommands[slices.IndexFunc(hidCommands,
		func(row hidCommand) bool { return row.name == c.Name })]
	raw := row.raw
	switch {
	case row.after.Most > 0:
		raw = uint32(c.After / time.Second)
	case row.off.Most > 0:
		raw = uint32(c.For / time.Second)
	case c.Name == SetAutoRestart && (c.Value == 0 || c.Value == 1):
		raw = uint32(c.Value)
	case c.Name == SetAutoRestart:
		return nil, &Error{Op: "do " + c.Name, Path: h.path, Err: ErrRefused,
			Cause: fmt.Errorf("it is 0 or 1, and not %v", c.Value)}
	}
	var steps []step
	add := func(key string, raw uint32, shown func(raw, before, wrote uint32) bool) error {
		t, _ := h.target(key)
		s, err := h.step(t, raw, shown)
		steps = append(steps, s)
		return err
	}
	_, restarts := h.target(restartKey)
	_, starts := h.target(startupKey)
	var err error
	switch {
	case c.Name == ShutdownReturn && restarts:
		err = add(restartKey, 1, isWritten)
	case c.Name == ShutdownStay && restarts:
		err = add(restartKey, 0, isWritten)
	case c.Name == ShutdownReturn && starts:
		on := (c.After + c.For) / time.Second // both timers run from the same moment
		if on >= idleTimer {
			return nil, &Error{Op: "do " + c.Name, Path: h.path, Err: ErrRefused,
				Cause: fmt.Errorf("both times together are more than %v", timer.Most)}
		}
		err = add(startupKey, uint32(on), counts)
	case c.Name == ShutdownStay && starts:
		err = add(startupKey, idleTimer, isIdle)
	}
	if err == nil {
		err = add(row.key, raw, row.shown)
	}
	if c.Name != ShutdownStop {
		return steps, err
	}
	if err == nil && !r.settings.DelayBeforeStartup.IsZero() {
		err = add(startupKey, idleTimer, isIdle)
	}
	if err == nil && !r.settings.DelayBeforeReboot.IsZero() {
		err = add(rebootKey, idleTimer, isIdle)
	}
	for i := range steps {
		steps[i].back = nil // which would have a timer run again
	}
	return steps, err
}

// isIdle takes 0 for idle as well, as a 4003 and a 4004 show it.
func isIdle(raw, _, _ uint32) bool { return raw == idleTimer || raw == 0 }

// step makes a step of a report, the rest of which stays as it is.
func (h *hidPower) step(
	t target, raw uint32, shown func(raw, before, wrote uint32) bool,
) (step, error) {
	name := t.reading.name
	payload, err := h.askOrLose(t.entry)
	if _, lost := err.(*lostError); err != nil && !lost {
		err = h.failure(t.entry, err)
	}
	if err != nil {
		return step{}, err
	}
	was := slices.Concat([]byte{t.id}, payload)
	size := t.size
	if size == 0 {
		size = 8 * len(payload)
	}
	before, _ := hidreport.Bits(payload, t.offset, size)
	bytes := slices.Clone(was)
	hidreport.SetBits(bytes[1:], t.offset, size, raw)
	if t.field.Key == startupKey && before == 0 { // idle; to write it would switch the load on
		hidreport.SetBits(was[1:], t.offset, size, idleTimer)
	}
	s := step{Write: Write{t.id, name, bytes}, back: was}
	s.shows = func() (bool, error) {
		payload, err := h.askOrLose(t.entry)
		if err != nil {
			return false, err
		}
		now, ok := hidreport.Bits(payload, t.offset, size)
		return ok && shown(now, before, raw), nil
	}
	return s, nil
}

// askOrLose returns the payload of a report. Its error is a lostError where the unit is lost.
func (h *hidPower) askOrLose(e *entry) ([]byte, error) {
	payload, err := h.ask(e)
	if err != nil && !answered(err) && !h.alive(e, err) {
		return nil, &lostError{fmt.Errorf("report %s: %w", hexID(e.id), err)}
	}
	return payload, err
}

// write sends a feature report.
func (h *hidPower) write(s step) error {
	_, err := h.dev.SendFeatureReport(slices.Clone(s.Bytes))
	if usb.Gone(err) || errors.Is(err, syscall.ETIMEDOUT) {
		return &lostError{fmt.Errorf("writing report %s: %w", hexID(s.ID), err)}
	}
	return err
}
