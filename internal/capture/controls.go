package capture

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/tripplite-go/tripplite/internal/frame"
)

// controls are the letters that have a unit of the framed protocol do something, with how many
// bytes of data each has. The source is the maker's "Communication Protocol 3003", and NUT's driver
// for the other variants. A unit has all of them here, whatever its variant: see [Manners].
var controls = map[byte]struct {
	data int
	do   func(f *Framed, data []byte)
}{
	'A': {0, (*Framed).startTest},
	'C': {0, (*Framed).cancelShutdown},
	'G': {0, (*Framed).shutDown},
	'H': {3, (*Framed).shutDownFor},
	'I': {1, (*Framed).setRestart},
	'J': {2, func(f *Framed, data []byte) { f.put('U', 0, data...) }},
	'K': {2, (*Framed).setRelay},
	'N': {2, func(f *Framed, data []byte) { f.outlets.delay = binary.BigEndian.Uint16(data) }},
	'Q': {0, (*Framed).reboot},
	'W': {1, (*Framed).setWatchdog},
	'Z': {0, (*Framed).resetExtremes},
}

// IsControl reports whether a feature report has a unit of the framed protocol do something, and
// returns the command without what surrounds it. Other commands only ask.
func IsControl(report []byte) (command []byte, ok bool) {
	if len(report) == 0 || report[0] != 0 {
		return nil, false
	}
	letter, data, err := frame.ParseCommand(report[1:])
	if err != nil {
		return nil, false
	}
	control, ok := controls[letter]
	return frame.Command(letter, data[:min(len(data), control.data)]...), ok
}

// maxRelay is the last of the relays that K names; 0 is the main one.
const maxRelay = 8

// outlets are what a unit of the framed protocol switches, and its timers.
type outlets struct {
	relays   uint16 // closed ones by bit, for a unit that does not say them
	off      bool   // the output, by another command than K
	returns  bool   // with line power
	mains    bool   // when that was last looked at
	delay    uint16 // the pre-delay of G, H and K in seconds
	watching byte   // the seconds of the watchdog

	test, shutdown, comeback, watchdog countdown
	switching                          [maxRelay + 1]countdown // by relay
}

// acknowledgement returns the reply to a control: its letter, and of the watchdog the seconds. It
// is called with f locked, and so are the functions that follow.
func (f *Framed) acknowledgement(letter byte) []byte {
	switch recorded := f.replies[letter]; {
	case recorded != nil:
		return recorded
	case letter == 'W':
		return frame.Reply(letter, f.outlets.watching)
	}
	return frame.Reply(letter)
}

// put writes data into the stored reply to a letter, if there is one.
func (f *Framed) put(letter byte, at int, data ...byte) {
	if reply := f.replies[letter]; reply != nil {
		reply = slices.Clone(reply)
		copy(reply[1+at:], data)
		f.replies[letter] = reply
	}
}

// The bytes of the status, S, behind the letter, and bits of its flags. The low bits of a digit are
// its number, so they serve a 2001 too, which has a digit for the flags.
const (
	statusTest  = 1 + 1
	statusFlags = 1 + 3

	inverterBit = 1 << 0
	selfTestBit = 1 << 1
	standbyBit  = 1 << 2
)

// short reports whether a status is that of a 1001, which has two digits only.
func short(status []byte) bool { return len(status) <= statusFlags || status[3] == '\r' }

// digits reports whether the unit writes its numbers as digits, as all do but the 3005.
func (f *Framed) digits() bool {
	status := f.replies['S']
	return len(status) > 1 && status[1] >= '0'
}

// number writes a small number as the unit writes it.
func (f *Framed) number(n byte) byte {
	if f.digits() {
		return '0' + n
	}
	return n
}

// hasMains reports whether the status says that there is line power.
func (f *Framed) hasMains() bool {
	status := f.replies['S']
	if len(status) > statusTest && short(status) {
		return status[statusTest] != '1'
	}
	return len(status) <= statusFlags || status[statusFlags]&inverterBit == 0
}

// SetMains has the status say whether there is line power, which the output depends on.
func (f *Framed) SetMains(mains bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	status := f.replies['S']
	battery := byte(inverterBit)
	if mains {
		battery = 0
	}
	switch {
	case mains == f.hasMains():
	case len(status) > statusTest && short(status):
		f.put('S', statusTest-1, '0'+battery)
	case len(status) > statusFlags:
		f.put('S', statusFlags-1, status[statusFlags]&^inverterBit|battery)
	}
	f.noticeMains()
}

// noticeMains switches the output on again when line power returns.
func (f *Framed) noticeMains() {
	o := &f.outlets
	was := o.mains
	o.mains = f.hasMains()
	if o.mains && !was && o.off && o.returns {
		f.switchOn()
	}
}

// LoadOn reports whether the output has power, which is behind the main relay.
func (f *Framed) LoadOn() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.loadOn()
}

func (f *Framed) loadOn() bool { return !f.outlets.off && f.closed()&1 != 0 }

// OutletOn reports whether a group of outlets has power. The first one is 1.
func (f *Framed) OutletOn(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.loadOn() && f.closed()>>n&1 != 0
}

// closed returns the relays that are closed: those of the reply to R, if there is one.
func (f *Framed) closed() uint16 {
	if r := f.replies['R']; len(r) > 2 {
		return uint16(r[2])<<1 | uint16(r[1]&1)
	}
	return f.outlets.relays
}

// Stop ends the timers of the unit for good: nothing happens by itself any more.
func (f *Framed) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := &f.outlets
	for _, c := range []*countdown{&o.test, &o.shutdown, &o.comeback, &o.watchdog} {
		c.stop()
	}
	for i := range o.switching {
		o.switching[i].stop()
	}
}

// saysNow returns the reply to a letter as it is while a test runs or the output is off. That the
// flags say so of an open main relay too, and that there is no load then, is assumed.
func (f *Framed) saysNow(letter byte) (reply []byte, known bool) {
	reply, known = f.replies[letter]
	off := !f.loadOn()
	if reply == nil || !off && !f.outlets.test.runs() {
		return reply, known
	}
	reply = slices.Clone(reply)
	switch {
	case letter == 'S' && !short(reply):
		if f.outlets.test.runs() {
			reply[statusTest] = f.number(2)
			reply[statusFlags] |= inverterBit | selfTestBit
		}
		if off {
			reply[statusFlags] |= standbyBit
		}
	case letter == 'L' && off && len(reply) > 5:
		reply[1] = f.number(0) // the load of a 3005
		if f.digits() {
			reply[2] = '0'
		}
		if f.digits() && reply[5] == 'X' { // four digits of volts
			reply[3], reply[4] = '0', '0'
		}
	}
	return reply, true
}

// startTest has the unit run on its battery for ten seconds. It passes.
func (f *Framed) startTest([]byte) {
	if status := f.replies['S']; len(status) > statusFlags && !short(status) {
		f.put('S', statusTest-1, f.number(0)) // once it is over
	}
	f.outlets.test.start(&f.mu, testTime, func() {})
}

func (f *Framed) cancelShutdown([]byte) { f.outlets.shutdown.stop() }

// shutDown switches the output off after the pre-delay, on battery only (NUT). With the restart
// flag it comes back with line power. That a shutdown goes on when power returns before, and the
// output then comes back after a moment, is assumed.
func (f *Framed) shutDown([]byte) {
	if f.hasMains() {
		return
	}
	f.afterDelay(&f.outlets.shutdown, func() {
		f.switchOff()
		f.outlets.returns = f.restarts()
		if f.outlets.returns && f.hasMains() {
			f.outlets.comeback.start(&f.mu, comesBack, f.switchOn)
		}
	})
}

// shutDownFor switches the output off after the pre-delay, and on again after a time.
func (f *Framed) shutDownFor(data []byte) {
	off := time.Duration(binary.BigEndian.Uint32(append([]byte{0}, data...))) * time.Second
	f.afterDelay(&f.outlets.shutdown, func() { f.switchOffFor(off) })
}

func (f *Framed) reboot([]byte) { f.switchOffFor(10 * time.Second) }

func (f *Framed) switchOffFor(d time.Duration) {
	f.switchOff()
	f.outlets.comeback.start(&f.mu, d, f.switchOn)
}

func (f *Framed) switchOff() {
	f.outlets.off, f.outlets.returns = true, false
	f.outlets.comeback.stop()
}

func (f *Framed) switchOn() {
	f.outlets.off, f.outlets.returns = false, false
	f.outlets.comeback.stop()
}

// afterDelay does something after the pre-delay.
func (f *Framed) afterDelay(c *countdown, do func()) {
	c.stop()
	if f.outlets.delay == 0 {
		do()
		return
	}
	c.start(&f.mu, seconds(f.outlets.delay), do)
}

// restartFlag returns where the reply to L has the flags of what brings the output back, of which
// bit 0 is a shutdown. It is 0 where it has none.
func (f *Framed) restartFlag() int {
	load := f.replies['L']
	switch {
	case len(load) <= 5:
		return 0
	case !f.digits():
		return 1 + 3
	case load[5] == 'X':
		return 0
	}
	return 1 + 4
}

// restarts reports whether the output comes back with line power. A unit that does not say is taken
// to do so.
func (f *Framed) restarts() bool {
	at := f.restartFlag()
	return at == 0 || f.replies['L'][at]&1 != 0
}

func (f *Framed) setRestart(data []byte) {
	if at := f.restartFlag(); at > 0 {
		f.put('L', at-1, data...)
	}
}

// setRelay opens or closes a relay after the pre-delay. A 3003 takes digits (the maker's document),
// a 3005 numbers (NUT).
func (f *Framed) setRelay(data []byte) {
	relay := data[0]
	if relay >= '0' {
		relay -= '0'
	}
	if relay > maxRelay {
		return
	}
	on := data[1]&1 != 0
	f.afterDelay(&f.outlets.switching[relay], func() {
		relays := f.closed() &^ (1 << relay)
		if on {
			relays |= 1 << relay
		}
		f.outlets.relays = relays
		f.put('R', 0, byte(relays&1), byte(relays>>1))
	})
}

// setWatchdog takes 0, which stops the watchdog, 1, which asks for it, and else the seconds after
// which the output is power-cycled unless they are set again.
func (f *Framed) setWatchdog(data []byte) {
	o := &f.outlets
	if data[0] == 1 {
		return
	}
	o.watching = data[0]
	o.watchdog.stop()
	if o.watching != 0 {
		o.watchdog.start(&f.mu, seconds(uint16(o.watching)), func() {
			o.watching = 0
			f.switchOffFor(comesBack)
		})
	}
}

// resetExtremes has the lowest and the highest voltage be the present one, which is coded as they
// are.
func (f *Framed) resetExtremes([]byte) {
	if volts := f.replies['D']; len(volts) > 2 {
		f.put('M', 0, volts[1], volts[2], volts[1], volts[2])
	}
}
