package capture_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/frame"
)

// happening is what happens to a unit of the framed protocol, some time after what happened before.
// Then its load is on or off.
type happening struct {
	after time.Duration
	what  func(t *testing.T, f *capture.Framed)
	load  bool
}

// told sends a command and wants the reply to it.
func told(letter byte, data string, want string) func(*testing.T, *capture.Framed) {
	return func(t *testing.T, f *capture.Framed) {
		var got []byte
		for reply := range f.Take(frame.Command(letter, []byte(data)...)) {
			got = reply[:len(want)]
		}
		assert.Equal(t, want, string(got))
	}
}

// asked wants a reply to a letter without data.
func asked(letter byte, want string) func(*testing.T, *capture.Framed) {
	return told(letter, "", want)
}

func power(mains bool) func(*testing.T, *capture.Framed) {
	return func(_ *testing.T, f *capture.Framed) { f.SetMains(mains) }
}

func manners(m capture.Manners) func(*testing.T, *capture.Framed) {
	return func(_ *testing.T, f *capture.Framed) { f.SetManners(m) }
}

func change(letter byte, at int, to byte) func(*testing.T, *capture.Framed) {
	return func(_ *testing.T, f *capture.Framed) {
		f.Change(letter, func(data []byte) { data[at] = to })
	}
}

func outlet(n int, want bool) func(*testing.T, *capture.Framed) {
	return func(t *testing.T, f *capture.Framed) {
		assert.Equal(t, want, f.OutletOn(n), "outlet %d", n)
	}
}

func still(*testing.T, *capture.Framed) {}

func framed(t *testing.T, name string) *capture.Framed {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	f := capture.NewFramed(c.UPS().Exchanges)
	t.Cleanup(f.Stop)
	return f
}

// The source is the maker's "Communication Protocol 3003" (DOC), or NUT's driver tripplite_usb.
// What neither says is assumed.
func TestAUnitActsOnControls(t *testing.T) {
	const v1001, v2001, v3003 = "omnivsint800", "omnivs1500xl", "smx1500xlrt2u"
	const v3005 = "smart500rt1u"
	const onBattery = "smart500rt1u-on-battery" // a 3005
	const s, hour = time.Second, time.Hour
	for name, row := range map[string]struct {
		capture string
		events  []happening
	}{
		"A: a test of ten seconds, digits (DOC)": {v3003, []happening{
			{0, asked('S', "S140\x00Z1\r"), on},
			{0, asked('A', "A\r\x00\x00\x00\x00\x00\x00"), on},
			{0, asked('S', "S120\x03Z1\r"), on},
			{10*s - moment, asked('S', "S120\x03Z1\r"), on},
			{moment, asked('S', "S100\x00Z1\r"), on},
		}},
		"A: numbers, on battery": {onBattery, []happening{
			{0, asked('A', "A\r"), on},
			{0, asked('S', "S\x01\x02\x00\x039\x00\r"), on},
			{10 * s, asked('S', "S\x01\x00\x00\x019\x00\r"), on},
		}},
		"A: the flags of a 2001 are a digit": {v2001, []happening{
			{0, asked('A', "A\r"), on},
			{0, asked('S', "S1203\x000\r"), on},
			{10 * s, asked('S', "S1000\x000\r"), on},
		}},
		"A: a 1001 has no test in its status": {v1001, []happening{
			{0, asked('A', "A\r"), on},
			{0, asked('S', "S10\r\x00"), on},
		}},

		"G on battery: off after the pre-delay, on with line power (NUT)": {onBattery, []happening{
			{0, told('N', "\x00\x40", "N\r"), on}, // 64 s
			{2 * s, asked('G', "G\r"), on},
			{64*s - moment, still, on},
			{moment, asked('S', "S\x01\x04\x00\x059\x00\r"), off},
			{hour, still, off},
			{0, power(true), on},
			{0, asked('S', "S\x01\x04\x00\x009\x00\r"), on},
		}},
		"G on line power is replied to, and does nothing (NUT)": {v3005, []happening{
			{0, told('N', "\x00\x05", "N\r"), on},
			{0, asked('G', "G\r"), on},
			{hour, power(false), on},
			{hour, still, on},
		}},
		"G without the restart flag: stays off (DOC)": {onBattery, []happening{
			{0, change('L', 3, 6), on},
			{0, asked('G', "G\r"), off}, // there is no pre-delay
			{hour, power(true), off},
			{hour, asked('S', "S\x01\x04\x00\x049\x00\r"), off},
		}},
		"G on a 3003, whose restart flag is elsewhere": {v3003, []happening{
			{0, power(false), on},
			{0, asked('G', "G\r"), off},
			{hour, power(true), on},
			{0, told('I', "\x06", "I\r"), on},
			{0, asked('L', "L2413\x06X\r"), on},
			{0, power(false), on},
			{0, asked('G', "G\r"), off},
			{hour, power(true), off},
		}},
		"G on a 2001, which has no restart flag": {v2001, []happening{ // assumed
			{0, told('I', "\x00", "I\r"), on},
			{0, power(false), on},
			{0, asked('S', "S1001\x000\r"), on},
			{0, asked('G', "G\r"), off},
			{0, asked('S', "S1005\x000\r"), off},
			{0, asked('L', "L0000XX\r"), off},
			{hour, power(true), on},
			{0, asked('L', "L00E5XX\r"), on},
		}},
		"G on a 1001": {v1001, []happening{
			{0, power(false), on},
			{0, asked('S', "S11\r"), on},
			{0, asked('G', "G\r"), off},
			{0, power(true), on},
			{0, asked('S', "S10\r"), on},
		}},
		"G, and line power returns before: off, then on": {onBattery, []happening{ // assumed
			{0, told('N', "\x00\x1e", "N\r"), on},
			{0, asked('G', "G\r"), on},
			{10 * s, power(true), on},
			{20 * s, still, off},
			{5 * s, still, on},
		}},
		"C cancels G (DOC)": {onBattery, []happening{
			{0, told('N', "\x00\x1e", "N\r"), on},
			{0, asked('G', "G\r"), on},
			{29 * s, asked('C', "C\r"), on},
			{hour, still, on},
		}},
		"the status that a test changes is line power that returns": {onBattery, []happening{
			{0, asked('G', "G\r"), off},
			{0, change('S', 3, 0), on},
		}},
		"H: off after the pre-delay, on after a time (DOC)": {v3003, []happening{
			{0, told('N', "\x00\x05", "N\r"), on},
			{0, told('H', "\x00\x0e\x10", "H\r"), on},
			{5 * s, still, off},
			{hour - moment, still, off},
			{moment, still, on},
		}},
		"Q: off for ten seconds (DOC)": {v3003, []happening{
			{0, asked('L', "L2413\x07X\r"), on},
			{0, asked('Q', "Q\r"), off},
			{0, asked('S', "S140\x04Z1\r"), off},
			{0, asked('L', "L0013\x07X\r"), off},
			{10*s - moment, still, off},
			{moment, asked('L', "L2413\x07X\r"), on},
		}},
		"Q on a 3005": {v3005, []happening{
			{0, asked('Q', "Q\r"), off},
			{0, asked('L', "L\x00\x00\x00\x07XX\r"), off},
			{10 * s, asked('L', "L\x1d\x00\x00\x07XX\r"), on},
		}},

		"K: the main relay, digits (DOC)": {v3003, []happening{
			{0, asked('R', "R\x01\x07\r"), on},
			{0, told('N', "\x00\x05", "N\r"), on},
			{0, told('K', "00", "K\r"), on},
			{5*s - moment, asked('R', "R\x01\x07\r"), on},
			{moment, asked('R', "R\x00\x07\r"), off},
			{0, asked('S', "S140\x04Z1\r"), off},
			{0, outlet(1, false), off},
			{hour, told('K', "01", "K\r"), off},
			{5 * s, asked('R', "R\x01\x07\r"), on},
			{0, outlet(1, true), on},
		}},
		"K: groups of outlets (DOC)": {v3003, []happening{
			{0, outlet(4, false), on},
			{0, told('K', "20", "K\r"), on},
			{0, asked('R', "R\x01\x05\r"), on},
			{0, outlet(1, true), on},
			{0, outlet(2, false), on},
			{0, told('K', "21", "K\r"), on},
			{0, told('K', "10", "K\r"), on},
			{0, asked('R', "R\x01\x06\r"), on},
			{0, told('K', "90", "K\r"), on}, // there is no such relay
			{0, asked('R', "R\x01\x06\r"), on},
		}},
		"K: each relay has its own pre-delay": {v3003, []happening{ // assumed
			{0, told('N', "\x00\x05", "N\r"), on},
			{0, told('K', "10", "K\r"), on},
			{2 * s, told('K', "20", "K\r"), on},
			{3 * s, asked('R', "R\x01\x06\r"), on},
			{2 * s, asked('R', "R\x01\x04\r"), on},
		}},
		"K: numbers, and a unit that does not say its relays (NUT)": {v3005, []happening{
			{0, told('K', "\x01\x00", "K\r"), on},
			{0, outlet(1, false), on},
			{0, told('K', "\x00\x00", "K\r"), off},
			{0, asked('S', "S\x01\x04\x00\x04d\x00\r"), off},
			{0, told('K', "\x00\x01", "K\r"), on},
			{0, told('K', "\x01\x01", "K\r"), on},
			{0, outlet(1, true), on},
		}},

		"W: power-cycles the load (NUT)": {v3005, []happening{
			{0, told('W', "\x3c", "W\x3c\r"), on},
			{59 * s, told('W', "\x01", "W\x3c\r"), on}, // 1 asks
			{s, still, off},
			{5 * s, told('W', "\x01", "W\x00\r"), on},
			{hour, still, on},
		}},
		"W: set again, and stopped (NUT)": {v3005, []happening{
			{0, told('W', "\x3c", "W\x3c\r"), on},
			{50 * s, told('W', "\x3c", "W\x3c\r"), on},
			{50 * s, told('W', "\x00", "W\x00\r"), on},
			{hour, still, on},
		}},
		"Z: the extremes are the present voltage (DOC)": {v3003, []happening{
			{0, asked('M', "M008C\r"), on},
			{0, asked('Z', "Z\r"), on},
			{0, asked('D', "D8687\r"), on},
			{0, asked('M', "M8686\r"), on},
		}},
		"Z of a 3005": {v3005, []happening{
			{0, asked('Z', "Z\r"), on},
			{0, asked('M', "M\x00\x7c\x00\x7c\r"), on},
		}},
		"Z of a unit without extremes": {v2001, []happening{
			{0, asked('Z', "Z\r"), on},
			{0, asked('M', "Z\r"), on},
		}},
		"J: the number of the unit (DOC)": {v3003, []happening{
			{0, told('J', "\x01\x0d", "J\r"), on},
			{0, asked('U', "U\x01\x0d\r"), on},
		}},

		"a command without its data is unknown": {v3003, []happening{ // assumed
			{0, asked('V', "V2063XX\r"), on},
			{0, asked('K', "V2063XX\r"), on},
			{0, told('N', "\x05", "V2063XX\r"), on},
			{0, asked('K', "V2063XX\r"), on},
		}},
		"NUT sends one more zero": {v3003, []happening{
			{0, told('N', "\x00\x05\x00", "N\r"), on},
			{0, told('Q', "\x00", "Q\r"), off},
		}},
		"a letter that the unit does not know does nothing": {v3003, []happening{
			{0, manners(capture.Manners{Unknown: "QK"}), on},
			{0, asked('V', "V2063XX\r"), on},
			{0, asked('Q', "V2063XX\r"), on},
			{0, told('K', "00", "V2063XX\r"), on},
		}},
		"a deaf unit does nothing": {v3003, []happening{
			{0, manners(capture.Manners{Deaf: true}), on},
			{0, asked('Q', ""), on},
		}},
		"a unit whose serial line timed out does nothing": {v3003, []happening{ // assumed
			{0, manners(capture.Manners{Stale: 2}), on},
			{0, asked('V', "V2063XX\r"), on},
			{0, asked('Q', "V2063XX\r"), on},
			{0, asked('Q', "Q\r"), off},
		}},
		"a control that gets no reply, and is carried out": {v3003, []happening{
			{0, manners(capture.Manners{Unanswered: "Q"}), on},
			{0, asked('Q', ""), off},
			{0, asked('E', "Q\r"), off}, // unknown: it repeats the reply that was lost
		}},
		"a control that gets no reply, and is not": {v3003, []happening{
			{0, manners(capture.Manners{Lost: "Q"}), on},
			{0, asked('Q', ""), on},
			{0, asked('V', "V2063XX\r"), on},
		}},
		"a control that is replied to, and not carried out": {v3005, []happening{
			{0, manners(capture.Manners{Ignored: "QW"}), on},
			{0, asked('Q', "Q\r"), on},
			{0, told('W', "\x3c", "W\x00\r"), on},
			{hour, still, on},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := framed(t, row.capture)
				for i, e := range row.events {
					time.Sleep(e.after)
					synctest.Wait()
					e.what(t, f)
					assert.Equal(t, e.load, f.LoadOn(), "load after event %d", i)
				}
			})
		})
	}
}

func TestTheRepliesOfAControlComeAsOthers(t *testing.T) {
	f := framed(t, "smart500rt1u")
	f.SetManners(capture.Manners{Late: time.Second, Double: true})
	var late []time.Duration
	for reply, after := range f.Take(frame.Command('Q')) {
		assert.Equal(t, "Q\r\x00\x00\x00\x00\x00\x00", string(reply))
		late = append(late, after)
	}
	assert.Equal(t, []time.Duration{time.Second, 2 * time.Second}, late)
}

func TestADeviceOfTheFramedProtocolActsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, "smart500rt1u")
		send := func(letter byte) {
			_, err := d.SendFeatureReport(append([]byte{0}, frame.Command(letter)...))
			require.NoError(t, err)
		}
		send('G')
		assert.True(t, d.LoadOn())
		d.SetMains(false)
		send('G')
		assert.False(t, d.LoadOn())
		d.SetMains(true)
		assert.True(t, d.LoadOn())

		send('Q')
		require.NoError(t, d.Close())
		time.Sleep(time.Hour)
		assert.False(t, d.LoadOn(), "nothing happens after Close")
	})
}

func TestAControlHasTheUnitDoSomething(t *testing.T) {
	report := func(b ...byte) []byte { return append([]byte{0}, append(b, 0, 0, 0)...) }
	for name, row := range map[string]struct {
		report  []byte
		command []byte
		control bool
	}{
		"a control": {
			report(frame.Command('K', '0', '1')...), frame.Command('K', '0', '1'), true},
		"with NUT's zero":     {report(frame.Command('Q', 0)...), frame.Command('Q'), true},
		"a question":          {report(frame.Command('S')...), frame.Command('S'), false},
		"a wrong checksum":    {report(':', 'Q', 0, '\r'), nil, false},
		"a report with an id": {append([]byte{0x15}, frame.Command('Q')...), nil, false},
		"nothing":             {nil, nil, false},
	} {
		command, control := capture.IsControl(row.report)
		assert.Equal(t, row.control, control, name)
		assert.Equal(t, row.command, command, name)
	}
}
