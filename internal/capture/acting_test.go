package capture_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// moment is what a test waits beyond a time, to look after the unit has acted.
const moment = 10 * time.Millisecond

// event is what happens to a unit, some time after the event before. Then its load is on or off.
type event struct {
	after time.Duration
	what  func(t *testing.T, d *capture.Device)
	load  bool
}

const on, off = true, false

// writes writes a number to a report, as long as the report is.
func writes(id byte, n int) func(*testing.T, *capture.Device) {
	return func(t *testing.T, d *capture.Device) {
		now, _ := d.Payload(id)
		sent := []byte{id, byte(n), byte(n >> 8)}[:1+len(now)]
		length, err := d.SendFeatureReport(sent)
		assert.NoError(t, err)
		assert.Equal(t, len(sent), length)
	}
}

// shows wants a report to answer with a number.
func shows(id byte, want int) func(*testing.T, *capture.Device) {
	return func(t *testing.T, d *capture.Device) {
		got := read(t, d, id)
		n := int(got[0])
		if len(got) > 1 {
			n |= int(got[1]) << 8
		}
		assert.Equal(t, want, n, "report %02x", id)
	}
}

func mains(mains bool) func(*testing.T, *capture.Device) {
	return func(_ *testing.T, d *capture.Device) { d.SetMains(mains) }
}

func nothing(*testing.T, *capture.Device) {}

// read returns the payload of a feature report.
func read(t *testing.T, d *capture.Device, id byte) []byte {
	buffer := make([]byte, 8)
	buffer[0] = id
	n, err := d.GetFeatureReport(buffer)
	require.NoError(t, err)
	return buffer[1:n]
}

func open(t *testing.T, name string) *capture.Device {
	c, err := capture.Load(name)
	require.NoError(t, err)
	d := c.Device(c.UPSInterface)
	t.Cleanup(func() { d.Close() })
	return d
}

// The sources: Olum's tests are those of a BCPERS450, a 2010 (nut-upsuser 2018-January, 011020 to
// 011022); P2012 is the maker's "Communication Protocol 2012"; NUT is its driver usbhid-ups, and
// the issues that are named. What no source says is assumed.
func TestAUnitActsOnWhatIsWritten(t *testing.T) {
	const v2010, v2012, v3012, v3016 = "bcpers450", "smart1500lcd", "smart1500slt", "smart1500lcdt"
	const v4003, v4004, v2012OnBattery = "su1500rtxl2ua", "su1500rtxlcd2u", "smart1500lcd-on-battery"
	const s, hour = time.Second, time.Hour
	for name, row := range map[string]struct {
		capture string
		events  []event
	}{
		"2010 on line power: off for good, whatever line power does (Olum 1)": {v2010, []event{
			{0, writes(0x15, 30), on},
			{30*s - moment, nothing, on},
			{moment, nothing, off},
			{hour, mains(false), off},
			{hour, mains(true), off},
			{hour, nothing, off},
		}},
		"2010 on battery: comes back with line power (Olum 2)": {v2010, []event{
			{0, mains(false), on},
			{0, writes(0x15, 30), on},
			{30 * s, nothing, off},
			{hour, nothing, off},
			{0, mains(true), on},
		}},
		"2010 on battery, line power returns before: off, then on (Olum 3)": {v2010, []event{
			{0, mains(false), on},
			{0, writes(0x15, 30), on},
			{10 * s, mains(true), on},
			{20 * s, nothing, off},
			{5 * s, nothing, on},
		}},
		"2010, and line power fails again before the load is back": {v2010, []event{ // assumed
			{0, mains(false), on},
			{0, writes(0x15, 30), on},
			{10 * s, mains(true), on},
			{20 * s, mains(false), off},
			{hour, nothing, off},
			{0, mains(true), on},
		}},
		"2010 on line power, which fails while the timer runs": {v2010, []event{ // assumed
			{0, writes(0x15, 30), on},
			{10 * s, mains(false), on},
			{20 * s, nothing, off},
			{hour, mains(true), on},
		}},
		"0 is off at once (P2012)": {v2010, []event{
			{0, writes(0x15, 0), off},
			{0, shows(0x15, 0xffff), off},
			{hour, nothing, off},
		}},
		"0 on battery comes back with line power": {v2010, []event{ // by analogy with Olum 2
			{0, mains(false), on},
			{0, writes(0x15, 0), off},
			{hour, mains(true), on},
		}},
		"0xffff aborts (P2012)": {v2010, []event{
			{0, writes(0x15, 30), on},
			{10 * s, writes(0x15, 0xffff), on},
			{0, shows(0x15, 0xffff), on},
			{hour, nothing, on},
		}},
		"the timer reads the seconds that are left (P2012)": {v2010, []event{
			{0, shows(0x15, 0xffff), on},
			{0, writes(0x15, 300), on},
			{0, shows(0x15, 300), on},
			{moment, shows(0x15, 300), on},
			{s, shows(0x15, 299), on},
			{298 * s, shows(0x15, 1), on},
			{s, shows(0x15, 0xffff), off},
		}},
		"a timer that is written again begins anew": {v2010, []event{
			{0, writes(0x15, 30), on},
			{20 * s, writes(0x15, 30), on},
			{20 * s, shows(0x15, 10), on},
			{10 * s, nothing, off},
		}},
		"reboot: off at once, on after the time, on battery too (Olum, NUT #799)": {v2010, []event{
			{0, mains(false), on},
			{0, writes(0x17, 10), off},
			{0, shows(0x17, 10), off},
			{10*s - moment, shows(0x17, 1), off},
			{moment, shows(0x17, 0xffff), on},
		}},
		"a reboot that is stopped leaves the load off": {v2010, []event{ // assumed
			{0, writes(0x17, 10), off},
			{s, writes(0x17, 0xffff), off},
			{hour, nothing, off},
		}},

		"2012 with auto restart, on battery: on with line power (P2012)": {v2012OnBattery, []event{
			{0, shows(0xb6, 1), on},
			{0, writes(0x15, 30), on},
			{30 * s, nothing, off},
			{hour, mains(true), on},
		}},
		"2012 with auto restart, on line power: comes back after a moment": {v2012, []event{ // assumed
			{0, shows(0xb6, 1), on},
			{0, writes(0x15, 30), on},
			{30 * s, nothing, off},
			{5*s - moment, nothing, off},
			{moment, nothing, on},
		}},
		"2012 without auto restart: stays off (P2012)": {v2012OnBattery, []event{
			{0, writes(0xb6, 0), on},
			{0, shows(0xb6, 0), on},
			{0, writes(0x15, 30), on},
			{30 * s, nothing, off},
			{hour, mains(true), off},
			{hour, nothing, off},
		}},
		"2012: auto restart is what it is when the load goes off": {v2012, []event{ // assumed
			{0, writes(0x15, 30), on},
			{10 * s, writes(0xb6, 0), on},
			{20 * s, nothing, off},
			{hour, nothing, off},
		}},
		"2012: other numbers are ignored by auto restart": {v2012, []event{
			{0, writes(0xb6, 2), on},
			{0, shows(0xb6, 1), on},
		}},
		"2012: mute is not supported (P2012)": {v2012, []event{
			{0, writes(0x11, 3), on},
			{0, shows(0x11, 2), on},
			{0, writes(0x11, 1), on},
			{0, shows(0x11, 1), on},
			{0, writes(0x11, 0), on},
			{0, writes(0x11, 4), on},
			{0, shows(0x11, 1), on},
		}},
		"others can be muted (3 was read from an ECO850LCD, numat #10)": {v2010, []event{
			{0, writes(0x11, 3), on},
			{0, shows(0x11, 3), on},
		}},
		"test: 5 while it runs, then 1 (P2012)": {v2012, []event{
			{0, shows(0x10, 0), on},
			{0, writes(0x10, 1), on},
			{0, shows(0x10, 5), on},
			{10*s - moment, shows(0x10, 5), on},
			{moment, shows(0x10, 1), on},
		}},
		"deep test, stopped: 3 is abort, 4 aborted (HID usage tables)": {v4003, []event{
			{0, shows(0x10, 1), on},
			{0, writes(0x10, 2), on},
			{0, shows(0x10, 5), on},
			{s, writes(0x10, 3), on},
			{0, shows(0x10, 4), on},
			{hour, shows(0x10, 4), on},
		}},
		"test: nothing to stop, and no such test": {v4003, []event{
			{0, writes(0x10, 3), on},
			{0, writes(0x10, 9), on},
			{0, shows(0x10, 1), on},
		}},
		"test: one that runs is not begun again": {v4003, []event{ // assumed
			{0, writes(0x10, 1), on},
			{5 * s, writes(0x10, 1), on},
			{5 * s, shows(0x10, 1), on},
		}},
		"watchdog: power-cycles the load (NUT)": {v2010, []event{
			{0, writes(0x52, 60), on},
			{0, shows(0x52, 60), on},
			{60*s - moment, shows(0x52, 1), on},
			{moment, shows(0x52, 0), off},
			{5 * s, nothing, on},
			{hour, nothing, on},
		}},
		"watchdog: on battery too": {v2010, []event{ // assumed
			{0, mains(false), on},
			{0, writes(0x52, 60), on},
			{60 * s, nothing, off},
			{5 * s, nothing, on},
		}},
		"watchdog: written again, and stopped (NUT)": {v2010, []event{
			{0, writes(0x52, 60), on},
			{50 * s, writes(0x52, 60), on},
			{50 * s, writes(0x52, 0), on},
			{0, shows(0x52, 0), on},
			{hour, nothing, on},
		}},

		"3016: the start timer, 0x61, brings the load back (NUT's pair of timers)": {v3016, []event{
			{0, shows(0x61, 0xffff), on},
			{0, writes(0x61, 90), on},
			{0, shows(0x61, 90), on},
			{0, writes(0x15, 30), on},
			{30 * s, shows(0x61, 60), off},
			{60 * s, shows(0x61, 0xffff), on},
		}},
		"3016: without the start timer it stays off (NUT's shutdown.stayoff)": {v3016, []event{
			{0, mains(false), on},
			{0, writes(0x61, 0xffff), on},
			{0, writes(0x15, 30), on},
			{30 * s, nothing, off},
			{hour, mains(true), off},
			{hour, nothing, off},
			{0, writes(0x61, 0), on}, // NUT's load.on
		}},
		"3016: a start timer that is stopped": {v3016, []event{
			{0, writes(0x61, 90), on},
			{0, writes(0x15, 0), off},
			{s, writes(0x61, 0xffff), off},
			{hour, nothing, off},
		}},
		"3012: its start timer is 0x16": {v3012, []event{
			{0, writes(0x15, 0), off},
			{0, writes(0x16, 10), off},
			{0, shows(0x16, 10), off},
			{10 * s, shows(0x16, 0xffff), on},
		}},
		"4003: the start timer is idle at 0 (its dump)": {v4003, []event{
			{0, shows(0x61, 0), on},
			{0, writes(0x61, 30), on},
			{10 * s, shows(0x61, 20), on},
			{0, writes(0x61, 0xffff), on},
			{0, shows(0x61, 0), on},
		}},
		"4004: so are its start timer 0x16 and its reboot timer (its dump)": {v4004, []event{
			{0, writes(0x17, 10), off},
			{s, shows(0x17, 9), off},
			{9 * s, shows(0x17, 0), on},
			{0, writes(0x15, 5), on},
			{5 * s, writes(0x16, 10), off},
			{10 * s, shows(0x16, 0), on},
		}},
		"0x16 with the maker's usage counts minutes: no start timer here": {"su3000rtxr3u", []event{
			{0, writes(0x15, 0), off},
			{0, writes(0x16, 0), off},
			{0, writes(0x16, 1), off},
			{hour, shows(0x16, 1), off},
			{0, writes(0x61, 0), on},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := open(t, row.capture)
				for i, e := range row.events {
					time.Sleep(e.after)
					synctest.Wait()
					e.what(t, d)
					assert.Equal(t, e.load, d.LoadOn(), "load after event %d", i)
				}
			})
		})
	}
}

// Of the captures that are read without a report, or where an id means something else.
func TestAUnitActsOnlyOnReportsThatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, report := range map[string][]byte{
			"hp-t1500g3":        {0x15, 0, 0}, // none of the timers
			"smart1500lcdxl":    {0x15, 0, 0}, // declared, and never answered
			"ed2000rm2u":        {0x15, 0},    // too short
			"eco550ups":         {0x15, 0, 0, 0},
			"unlisted-3099":     {0x61, 0, 0}, // its output voltage
			"avr750u":           {0x17, 0, 0},
			"smart1500lcd":      {0x18, 0, 0}, // no command
			"su3000lcd2uhv":     {0x17, 0, 0}, // declared, and stalled
			"bcpers450":         {0x10, 1},    // none
			"without-acpresent": {0x52, 1},
		} {
			d := open(t, name)
			n, err := d.SendFeatureReport(report)
			assert.NoError(t, err, name)
			assert.Equal(t, len(report), n, name)
			time.Sleep(time.Hour)
			assert.True(t, d.LoadOn(), name)
		}
	})
}

func TestAReportOfAnotherLengthIsIgnored(t *testing.T) {
	d := open(t, "bcpers450")
	for _, report := range [][]byte{{0x15}, {0x15, 9}, {0x15, 9, 0, 0}, {0x11}, {0x11, 1, 1}} {
		_, err := d.SendFeatureReport(report)
		require.NoError(t, err)
	}
	require.Equal(t, []byte{0xff, 0xff}, read(t, d, 0x15))
	require.Equal(t, []byte{2}, read(t, d, 0x11))
}

func TestTheOutputHasNothingWhileTheLoadIsOff(t *testing.T) {
	outputs := []byte{0x1b, 0x1e, 0x46, 0x47}
	for name, want := range map[string][][]byte{
		"pro1500rt2u": {{0, 0}, {0}, {0, 0}, {0, 0}},
		// All bits set are "no value" (P2012), which stays.
		"ups-900va":   {{0, 0}, {0xff}},
		"implausible": {{0xff, 0xff}, {0xff}, nil, {0xff, 0xff}},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := open(t, name)
			now := func() (all [][]byte) {
				for i := range want {
					if want[i] == nil {
						all = append(all, nil)
						continue
					}
					all = append(all, read(t, d, outputs[i]))
				}
				return all
			}
			before := now()
			writes(0x17, 10)(t, d)
			assert.Equal(t, want, now(), name)
			voltage, _ := d.Payload(0x1b)
			assert.Equal(t, before[0], voltage, "what it will be again")
			time.Sleep(10 * time.Second)
			synctest.Wait()
			assert.Equal(t, before, now(), name)
		})
	}
}

func TestAUnitBeginsWithTheLinePowerOfItsCapture(t *testing.T) {
	for name, returns := range map[string]bool{
		"eco550ups":            off, // a 1008, on line power: Olum 1
		"smart1500lcd-2007":    off,
		"eco850lcd-on-battery": off, // has a start timer
	} {
		synctest.Test(t, func(t *testing.T) {
			d := open(t, name)
			writes(0x15, 5)(t, d)
			time.Sleep(time.Minute)
			d.SetMains(true)
			assert.Equal(t, returns, d.LoadOn(), name)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c, err := capture.Load("bcpers450")
		require.NoError(t, err)
		for i, r := range c.UPS().Reports {
			if r.ID == 0x32 {
				c.UPS().Reports[i].Bytes = capture.Bytes{0x32, 0x08} // Discharging, and no ACPresent
			}
		}
		d := c.Device(0)
		defer d.Close()
		writes(0x15, 5)(t, d)
		time.Sleep(time.Minute)
		assert.False(t, d.LoadOn())
		d.SetMains(true)
		assert.True(t, d.LoadOn())
	})
}

func TestWritesCanBeIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, "bcpers450")
		d.IgnoreWrites(true, 0x15, 0x11)
		writes(0x15, 0)(t, d)
		writes(0x11, 1)(t, d)
		assert.True(t, d.LoadOn())
		shows(0x15, 0xffff)(t, d)
		shows(0x11, 2)(t, d)
		d.IgnoreWrites(false, 0x15)
		writes(0x11, 1)(t, d)
		shows(0x11, 2)(t, d)
		writes(0x15, 0)(t, d)
		assert.False(t, d.LoadOn())
	})
}

func TestTheTimersOfAUnitGoOnWhileItIsOffTheBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, "bcpers450")
		writes(0x17, 60)(t, d)
		d.Fail(assert.AnError)
		time.Sleep(30 * time.Second)
		assert.False(t, d.LoadOn())
		d.Fail(nil)
		shows(0x17, 30)(t, d)
		d.Fail(assert.AnError)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		assert.True(t, d.LoadOn())
	})
}

func TestNothingHappensAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, "bcpers450")
		writes(0x15, 60)(t, d)
		require.NoError(t, d.Close())
		time.Sleep(time.Hour)
		assert.True(t, d.LoadOn())
	})
}

// A timer that has run out may wait for the lock while it is stopped.
func TestATimerIsStoppedAtTheLastMoment(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			d := open(t, "bcpers450")
			writes(0x15, 1)(t, d)
			time.Sleep(time.Second)
			writes(0x15, 0xffff)(t, d) // beside the timer
			stopped := d.LoadOn()
			synctest.Wait()
			assert.Equal(t, stopped, d.LoadOn())
		})
	}
}
