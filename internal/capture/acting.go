package capture

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite/internal/hidreport"
)

// Acting is how a unit that is a HID power device acts on the reports that are written to it: its
// load goes off and on, its timers count, its battery is tested. Its timers are its own: they go on
// while the unit is off the bus, until Stop.
//
// The sources are the maker's "Communication Protocol 2012", Ken Olum's tests of a BCPERS450, which
// is a 2010 (nut-upsuser, January 2018), and the comments of NUT's driver. What is assumed says so.
//
// Its methods are called with the lock of the unit's reports held.
type Acting struct {
	lock    sync.Locker
	payload func(id byte) []byte // of a feature report, nil where the unit does not answer for it
	other   map[byte]bool        // reports that the descriptor declares as something else
	idle    map[byte]uint16      // what a timer that does not run reads
	mutes   bool                 // the beeper can be muted

	mains bool
	off   bool // the load
	// returns has the load come back with line power.
	returns bool
	// onBattery says that there was no line power at some time since the shutdown timer was set.
	onBattery bool

	test, shutdown, startup, reboot, watchdog countdown
	comeback                                  countdown // until the load comes back by itself
}

// The reports by which a unit takes commands.
const (
	testReport     = 0x10
	alarmReport    = 0x11
	shutdownReport = 0x15
	startReport    = 0x61
	startReport16  = 0x16 // of a unit without 0x61
	rebootReport   = 0x17
	watchdogReport = 0x52
	restartReport  = 0xb6
)

// noTime in a timer says that it does not run. Written, it stops the timer.
const noTime = 0xffff

// The numbers of the report of the battery test (HID usage tables for power devices, Test).
const (
	testPassed   = 1
	testAborted  = 4
	testRuns     = 5
	startQuick   = 1
	startDeep    = 2
	abortTest    = 3
	muteAlarm    = 3
	disableAlarm = 1
)

// commandReports has how each of them is declared: the bytes of its payload, and the usage.
var commandReports = map[byte]struct {
	bytes int
	usage hidreport.Usage
}{
	testReport:     {1, 0x840058},
	alarmReport:    {1, 0x84005a},
	shutdownReport: {2, 0x840057},
	startReport:    {2, 0x840056},
	startReport16:  {2, 0x840056},
	rebootReport:   {2, 0x840055},
	watchdogReport: {1, 0xffff0092},
	restartReport:  {1, 0xffff00c7},
}

// actions have what the unit does when a number n is written to a report. An action returns the
// number that the report has from then on, as long as no countdown shows in it; now is the one that
// it has.
var actions = map[byte]func(a *Acting, now, n uint16) uint16{
	testReport:     (*Acting).setTest,
	alarmReport:    (*Acting).setAlarm,
	shutdownReport: (*Acting).setShutdown,
	startReport:    (*Acting).setStart,
	startReport16:  (*Acting).setStart,
	rebootReport:   (*Acting).setReboot,
	watchdogReport: (*Acting).setWatchdog,
	restartReport:  (*Acting).setRestart,
}

// shown returns the countdown that a report shows, or nil.
func (a *Acting) shown(id byte) *countdown {
	switch id {
	case shutdownReport:
		return &a.shutdown
	case startReport, startReport16:
		return &a.startup
	case rebootReport:
		return &a.reboot
	case watchdogReport: // NUT's comment; whether it rather shows the setting is not settled
		return &a.watchdog
	}
	return nil
}

// outputs are the reports of what the load takes: voltage, frequency, percent, current and watts.
var outputs = []byte{0x1b, 0x1c, 0x1e, 0x46, 0x47}

const (
	protocolReport = 0x6c
	usageOfAC      = hidreport.Usage(0x8500d0) // ACPresent
)

// NewActing makes the model of interface n of a capture, whose feature reports the caller keeps:
// payload returns what is behind the id of one. There is line power unless the status of the
// capture says otherwise.
func NewActing(c *Capture, n int, lock sync.Locker, payload func(id byte) []byte) *Acting {
	a := &Acting{
		lock: lock, payload: payload, mains: true, other: map[byte]bool{}, idle: map[byte]uint16{},
		// The document of protocol 2012 says of 3, mute, that it is not supported.
		mutes: c.ProductID != 0x2012 && !bytes.Equal(payload(protocolReport), []byte{0x12, 0x20}),
	}
	declared, _ := hidreport.Parse(c.Interfaces[n].Descriptor)
	for _, f := range declared.Fields {
		if f.Type != hidreport.Feature {
			continue
		}
		if command, ok := commandReports[f.ReportID]; ok && f.Offset == 0 && f.Usage() != command.usage {
			a.other[f.ReportID] = true // such as 0x16 where it is the maker's timer of minutes
		}
		bit, ok := hidreport.Bits(payload(f.ReportID), f.Offset, f.Size)
		if ok && f.Usage() == usageOfAC {
			a.mains = bit != 0
		}
	}
	for id, command := range commandReports {
		switch now, ok := a.number(id); {
		case command.bytes != 2:
			a.idle[id] = 0
		case ok && now == 0 && id != shutdownReport:
			a.idle[id] = 0 // so on a 4003 and a 4004
		default:
			a.idle[id] = noTime
		}
	}
	return a
}

// number returns what a report has, without the countdown that it may show. It is false where the
// unit does not have the report, or has something else in it.
func (a *Acting) number(id byte) (n uint16, ok bool) {
	payload := a.payload(id)
	if a.other[id] || len(payload) != commandReports[id].bytes {
		return 0, false
	}
	return numberOf(payload), true
}

func numberOf(payload []byte) uint16 {
	if len(payload) == 1 {
		return uint16(payload[0])
	}
	return binary.LittleEndian.Uint16(payload)
}

// takes reports whether a report is one by which the unit takes commands.
func (a *Acting) takes(id byte) bool {
	if commandReports[id].bytes == 0 {
		return false
	}
	_, has := a.number(id)
	if _, other := a.number(startReport); id == startReport16 && other {
		return false
	}
	return has
}

// Write acts on a report that is written. It returns the payload that the report has from then on.
// A report that is no command is what was written. What the unit does not know it accepts and
// ignores.
func (a *Acting) Write(id byte, payload []byte) []byte {
	if !a.takes(id) {
		return payload
	}
	now, _ := a.number(id)
	length := commandReports[id].bytes
	if len(payload) == length {
		now = actions[id](a, now, numberOf(payload))
	}
	return binary.LittleEndian.AppendUint16(nil, now)[:length]
}

// Answer returns the payload that the unit answers with for a report that has this one: a countdown
// shows what is left, and the output has nothing while the load is off.
func (a *Acting) Answer(id byte, payload []byte) []byte {
	shown := a.shown(id)
	switch {
	case a.off && slices.Contains(outputs, id) && !saysNothing(payload):
		return make([]byte, len(payload))
	case id == testReport && a.test.runs() && a.takes(id):
		return []byte{testRuns}
	case shown != nil && shown.runs() && a.takes(id):
		return binary.LittleEndian.AppendUint16(nil, shown.seconds())[:len(payload)]
	}
	return payload
}

// saysNothing reports whether all bits are set, which is "no value" of the reports of the output.
func saysNothing(payload []byte) bool {
	return len(bytes.Trim(payload, "\xff")) == 0
}

// SetMains tells the unit whether there is line power. It changes none of its reports.
func (a *Acting) SetMains(mains bool) {
	returned := mains && !a.mains
	a.mains = mains
	a.onBattery = a.onBattery || !mains
	if returned && a.off && a.returns {
		a.switchOn() // Olum's test 2
	}
}

// LoadOn reports whether the load has power.
func (a *Acting) LoadOn() bool { return !a.off }

// Stop ends the timers of the unit for good: nothing happens by itself any more.
func (a *Acting) Stop() {
	for _, c := range []*countdown{
		&a.test, &a.shutdown, &a.startup, &a.reboot, &a.watchdog, &a.comeback,
	} {
		c.stop()
	}
}

// setTest takes 1 and 2, which start a test, and 3, which ends it. The load is not touched.
func (a *Acting) setTest(now, n uint16) uint16 {
	switch runs := a.test.runs(); {
	case !runs && (n == startQuick || n == startDeep):
		a.test.start(a.lock, testTime, func() {})
		return testPassed // once it is over
	case runs && n == abortTest:
		a.test.stop()
		return testAborted
	}
	return now
}

func (a *Acting) setAlarm(now, n uint16) uint16 {
	if n < disableAlarm || n > muteAlarm || n == muteAlarm && !a.mutes {
		return now
	}
	return n
}

// setShutdown takes the seconds until the load goes off; 0 is at once (protocol 2012).
func (a *Acting) setShutdown(_, n uint16) uint16 {
	a.shutdown.stop()
	switch n {
	case noTime:
	case 0:
		a.onBattery = !a.mains
		a.cut()
	default:
		a.onBattery = !a.mains
		a.shutdown.start(a.lock, seconds(n), a.cut)
	}
	return a.idle[shutdownReport]
}

// setStart takes the seconds until the load goes on. Nobody knows whether that waits for line power
// (NUT); here it does not.
func (a *Acting) setStart(_, n uint16) uint16 {
	a.startup.stop()
	switch n {
	case noTime:
	case 0:
		a.switchOn()
	default:
		a.startup.start(a.lock, seconds(n), a.switchOn)
	}
	return a.idle[a.startReport()]
}

// startReport returns the report of the start timer.
func (a *Acting) startReport() byte {
	if a.takes(startReport16) {
		return startReport16
	}
	return startReport
}

// setReboot has the load go off at once and on again after some seconds, on battery too (Olum,
// protocol 2012). To stop it leaves the load off, which is assumed.
func (a *Acting) setReboot(_, n uint16) uint16 {
	a.reboot.stop()
	if n != noTime {
		a.switchOff()
		a.reboot.start(a.lock, seconds(n), a.switchOn)
	}
	return a.idle[rebootReport]
}

// setWatchdog takes the seconds after which the load is power-cycled unless they are written again.
func (a *Acting) setWatchdog(_, n uint16) uint16 {
	a.watchdog.stop()
	if n != 0 {
		a.watchdog.start(a.lock, seconds(n), func() {
			a.switchOff()
			a.comeback.start(a.lock, comesBack, a.switchOn)
		})
	}
	return a.idle[watchdogReport]
}

func (a *Acting) setRestart(now, n uint16) uint16 {
	if n > 1 {
		return now
	}
	return n
}

func seconds(n uint16) time.Duration { return time.Duration(n) * time.Second }

// cut switches the load off when the shutdown timer has run out, and decides what brings it back:
//
//   - auto restart, where the unit has it (protocol 2012). "Once line power becomes valid" is taken
//     for: when it returns, or after a moment if it is there.
//   - else the start timer, where the unit has one and it runs; NUT's "stay off" relies on that.
//   - else line power, if there was none meanwhile (Olum's tests 2 and 3). Olum set the timer on
//     battery; that power may also fail later is assumed. On line power the load stays off for
//     good, also when that fails and returns (Olum's test 1).
func (a *Acting) cut() {
	restart, restarts := a.number(restartReport)
	starts := a.takes(startReport) || a.takes(startReport16)
	a.switchOff()
	a.returns = restarts && restart == 1 || !restarts && !starts && a.onBattery
	if a.returns && a.mains {
		a.comeback.start(a.lock, comesBack, func() {
			if a.mains {
				a.switchOn()
			}
		})
	}
}

func (a *Acting) switchOff() {
	a.off, a.returns = true, false
	a.comeback.stop()
}

func (a *Acting) switchOn() {
	a.off, a.returns = false, false
	a.comeback.stop()
}
