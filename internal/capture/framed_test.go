package capture_test

import (
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// The frames are those of a SMART500RT1U (nut-ddl and NUT #585), the commands the maker's own
// examples ("Communication Protocol 3003").
const (
	askProtocol = "3a 00 ff 0d"
	askStatus   = "3a 53 ac 0d"
	askVolts    = "3a 44 bb 0d"
	askLoad     = "3a 4c b3 0d"
	askInput    = "3a 42 bd 0d"

	protocol = "00 30 05 58 58 58 58 0d"
	status   = "53 01 04 00 00 64 00 0d"
	volts    = "44 00 7c 00 8b 0d 00 00"
	load     = "4c 1d 00 00 07 58 58 0d"
)

func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	return b
}

// framedUnit knows four letters; to L it is silent.
func framedUnit(t testing.TB) *capture.Framed {
	t.Helper()
	var exchanges []capture.Exchange
	for _, e := range [][2]string{
		{askStatus, "53 01 04 00 00 64 00 0d"},
		{askVolts, "44 00 7c 00 8b 0d"}, // which is filled up
		{askProtocol, protocol},
		{askLoad, ""},
		{askStatus, "53 01 04 00 01 39 00 0d"}, // the first one counts
	} {
		exchanges = append(exchanges,
			capture.Exchange{Command: bytesOf(t, e[0]), Reply: bytesOf(t, e[1])})
	}
	f := capture.NewFramed(exchanges)
	require.NotNil(t, f)
	return f
}

// reply is what a unit replies to a command, and how much later than at once.
type reply struct {
	bytes string
	late  time.Duration
}

func take(t testing.TB, f *capture.Framed, command string) []reply {
	t.Helper()
	var replies []reply
	for b, late := range f.Take(bytesOf(t, command)) {
		var spaced []string
		for _, c := range b {
			spaced = append(spaced, hex.EncodeToString([]byte{c}))
		}
		replies = append(replies, reply{strings.Join(spaced, " "), late})
	}
	return replies
}

func TestAUnitRepliesByItsManners(t *testing.T) {
	type manners = capture.Manners
	once := func(s string) []reply { return []reply{{s, 0}} }
	const second = time.Second
	for name, test := range map[string]struct {
		manners  manners
		commands []string
		want     [][]reply
	}{
		"each letter has its reply": {manners{},
			[]string{askProtocol, askVolts, askStatus, askStatus},
			[][]reply{once(protocol), once(volts), once(status), once(status)}},
		"an unknown letter repeats the previous reply": {manners{},
			[]string{askInput, askStatus, askInput, askInput, askVolts, askInput},
			[][]reply{nil, once(status), once(status), once(status), once(volts), once(volts)}},
		"a silent letter repeats nothing": {manners{},
			[]string{askStatus, askLoad, askInput},
			[][]reply{once(status), nil, once(status)}},
		"NUT's zero behind the letter is taken": {manners{},
			[]string{"3a 53 00 ac 0d", "3a 44 bb 0d 00 00 00 00"},
			[][]reply{once(status), once(volts)}},
		"what is no command has no reply": {manners{},
			[]string{
				askStatus, "", "53 ac 0d", "3a 53 ad 0d", "3a 53 ac", "3a 53 ac 0d 01", "00 3a 53 ac 0d"},
			[][]reply{once(status), nil, nil, nil, nil, nil, nil}},
		"deaf": {manners{Deaf: true},
			[]string{askStatus, askVolts, askInput}, [][]reply{nil, nil, nil}},
		"late": {manners{Late: second},
			[]string{askStatus, askInput},
			[][]reply{{{status, second}}, {{status, second}}}},
		"double": {manners{Double: true},
			[]string{askStatus, askLoad},
			[][]reply{{{status, 0}, {status, 0}}, nil}},
		"double and late": {manners{Double: true, Late: second},
			[]string{askStatus}, [][]reply{{{status, second}, {status, 2 * second}}}},
		"letters that it knows no more": {manners{Unknown: "\x00D"},
			[]string{askVolts, askStatus, askVolts, askProtocol},
			[][]reply{nil, once(status), once(status), once(status)}},
		"every third reply is the previous one": {manners{Stale: 3},
			[]string{askStatus, askVolts, askStatus, askVolts, askStatus, askVolts},
			[][]reply{once(status), once(volts), once(volts), once(volts), once(status), once(status)}},
		"every reply is the previous one": {manners{Stale: 1},
			[]string{askStatus, askVolts}, [][]reply{nil, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			f := framedUnit(t)
			f.SetManners(test.manners)
			for i, command := range test.commands {
				assert.Equal(t, test.want[i], take(t, f, command), "command %d: %s", i, command)
			}
		})
	}
}

func TestMannersAreThoseOfNow(t *testing.T) {
	f := framedUnit(t)
	f.SetManners(capture.Manners{Deaf: true})
	assert.Empty(t, take(t, f, askVolts))
	f.SetManners(capture.Manners{})
	assert.Equal(t, []reply{{status, 0}}, take(t, f, askStatus))
	f.SetManners(capture.Manners{Stale: 1})
	assert.Equal(t, []reply{{status, 0}}, take(t, f, askVolts), "which repeats what came before")
}

func TestTheRepliesOfAUnitChange(t *testing.T) {
	f := framedUnit(t)
	f.SetReply('D', 0, 0x75, 0, 0x89)
	assert.Equal(t, []reply{{"44 00 75 00 89 0d 00 00", 0}}, take(t, f, askVolts))
	f.SetReply('B')
	assert.Equal(t, []reply{{"42 0d 00 00 00 00 00 00", 0}}, take(t, f, askInput), "which is new")

	f.Change('S', func(data []byte) {
		require.Len(t, data, 7, "all that is behind the letter")
		data[4] = 57
	})
	assert.Equal(t, []reply{{"53 01 04 00 00 39 00 0d", 0}}, take(t, f, askStatus))
	for _, letter := range []byte("LZ") {
		f.Change(letter, func([]byte) { t.Errorf("the unit has no reply to %c", letter) })
	}

	var kept []byte
	for b := range f.Take(bytesOf(t, askStatus)) {
		kept = b
	}
	clear(kept)
	assert.Equal(t, []reply{{"53 01 04 00 00 39 00 0d", 0}}, take(t, f, askStatus),
		"the caller may use its bytes")
}

func TestExchangesAreWhatTheUnitRepliesNow(t *testing.T) {
	f := framedUnit(t)
	f.SetReply('L', 0x17, 0, 0, 7, 'X', 'X')
	f.SetManners(capture.Manners{Deaf: true}) // which is not what it would reply
	var got [][2]string
	for _, e := range f.Exchanges() {
		got = append(got, [2]string{hex.EncodeToString(e.Command), hex.EncodeToString(e.Reply)})
	}
	assert.Equal(t, [][2]string{
		{"3a00ff0d", "003005585858580d"},
		{"3a44bb0d", "44007c008b0d0000"},
		{"3a4cb30d", "4c1700000758580d"},
		{"3a53ac0d", "530104000064000d"},
	}, got, "in the order of the letters")
	clear(f.Exchanges()[0].Reply)
	assert.Equal(t, []reply{{status, 0}}, func() []reply {
		f.SetManners(capture.Manners{})
		return take(t, f, askStatus)
	}())
}

func TestAUnitWithoutExchangesTakesNoCommands(t *testing.T) {
	assert.Nil(t, capture.NewFramed(nil))
	c, err := capture.Load("smart1500lcd")
	require.NoError(t, err)
	d := c.Device(0)
	assert.Nil(t, d.Framed())
	_, err = d.SendFeatureReport(append([]byte{0}, bytesOf(t, askStatus)...))
	require.NoError(t, err)
	assert.Empty(t, drain(t, d))
}

func TestAFramedUnitIsSafeForManyGoroutines(t *testing.T) {
	f := framedUnit(t)
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			for n := range byte(50) {
				f.SetReply('D', n, n, n, n)
				f.Change('D', func(data []byte) { data[0] = data[1] })
				f.SetManners(capture.Manners{Double: n%2 == 0})
				for b := range f.Take([]byte{':', 'D', 0xbb, '\r'}) {
					if b[1] != b[2] || b[2] != b[3] {
						t.Errorf("% x is half of one reply and half of another", b)
					}
				}
				f.Exchanges()
			}
		})
	}
	calls.Wait()
}

// exchanged is a capture with these exchanges.
func exchanged(exchanges string) string {
	return strings.Replace(unit(``), `"reports": []`, `"reports": [], "exchanges": [`+exchanges+`]`, 1)
}

func TestParseExchanges(t *testing.T) {
	c, err := capture.Parse([]byte(exchanged(`
		{"command": "3a 53 ac 0d", "reply": "53 01 04 00 00 64 00 0d", "origin": "captured"},
		{"command": "3a440bbb0d", "error": "silent", "origin": "composed", "note": "no reply came"},
		{"command": "3a 42 bd 0d", "reply": "41", "origin": "composed"}`)))
	require.ErrorContains(t, err, "3a 44 0b bb 0d", "its checksum leaves the data byte out")
	require.Nil(t, c)
	c, err = capture.Parse([]byte(exchanged(`
		{"command": "3a 53 ac 0d", "reply": "53 01 04 00 00 64 00 0d", "origin": "captured"},
		{"command": "3a 44 bb 0d", "error": "silent", "origin": "composed", "note": "no reply came"},
		{"command": "3a4e0005ac0d", "reply": "4e", "origin": "composed"}`)))
	require.NoError(t, err)
	require.Equal(t, []capture.Exchange{
		{Command: bytesOf(t, askStatus), Reply: bytesOf(t, status), Origin: capture.Captured},
		{Command: bytesOf(t, askVolts), Error: capture.Silent, Origin: capture.Composed,
			Note: "no reply came"},
		{Command: bytesOf(t, "3a 4e 00 05 ac 0d"), Reply: []byte("N"), Origin: capture.Composed},
	}, c.UPS().Exchanges)
}

func TestParseRefusesExchangesThatCannotBeReplayed(t *testing.T) {
	const (
		at      = `interface 0, command `
		command = `"command": "3a 53 ac 0d", `
		origin  = `, "origin": "captured"`
		none    = `: it is no command: ':', a letter, data, a checksum and 0d`
		answer  = `: it must have a reply of at most 8 bytes that begins with its letter, ` +
			`or error "silent"`
		notOrigin = `: origin must be "captured" or "composed"`
	)
	for name, test := range map[string]struct{ exchange, why string }{
		"no command": {`{"reply": "53 0d"` + origin + `}`, at + none},
		"another checksum": {`{"command": "3a 53 ad 0d", "reply": "53 0d"` + origin + `}`,
			at + `3a 53 ad 0d` + none},
		"a reply for a command": {`{"command": "53 0d", "reply": "53 0d"` + origin + `}`,
			at + `53 0d` + none},
		"no origin":      {`{` + command + `"reply": "53 0d"}`, at + askStatus + notOrigin},
		"another origin": {`{` + command + `"reply": "53", "origin": "x"}`, at + askStatus + notOrigin},
		"neither a reply nor an error": {`{` + command + `"origin": "captured"}`,
			at + askStatus + answer},
		"both": {`{` + command + `"reply": "53 0d", "error": "silent"` + origin + `}`,
			at + askStatus + answer},
		"another error": {`{` + command + `"error": "stall"` + origin + `}`, at + askStatus + answer},
		"a reply to another letter": {`{` + command + `"reply": "44 0d"` + origin + `}`,
			at + askStatus + answer},
		"a reply of nine bytes": {`{` + command + `"reply": "53 00 00 00 00 00 00 00 0d"` + origin + `}`,
			at + askStatus + answer},
		"a misspelt key": {`{"comand": "3a 53 ac 0d"}`, `json: unknown field "comand"`},
		"bytes of another kind": {`{"command": 5}`,
			`interfaces.exchanges.command has a value of the wrong kind (number)`},
		"half a byte": {`{"command": "3a 5"}`,
			`"3a 5" is not bytes of two hexadecimal digits each`},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := capture.Parse([]byte(exchanged(test.exchange)))
			require.EqualError(t, err, "not a capture: "+test.why)
			require.Nil(t, c)
		})
	}
}

func TestExchangeOf(t *testing.T) {
	command := bytesOf(t, askStatus)
	require.Equal(t, capture.Exchange{Command: command, Reply: bytesOf(t, status),
		Origin: capture.Captured}, capture.ExchangeOf(command, bytesOf(t, status), nil))
	require.Equal(t, capture.Exchange{Command: command, Error: capture.Silent,
		Origin: capture.Captured, Note: "no reply came"},
		capture.ExchangeOf(command, bytesOf(t, status), errors.New("no reply came")))
}

func TestAnInterfaceCollectsTheFirstReplyToEachCommand(t *testing.T) {
	sent := func(command string) []byte {
		b := append([]byte{0}, bytesOf(t, command)...)
		return append(b, make([]byte, 9-len(b))...)
	}
	const later = "53 01 04 00 01 39 00 0d"
	var i capture.Interface
	for _, e := range []struct {
		sent  []byte
		reply string
	}{
		{nil, status},
		{[]byte{}, status},
		{[]byte{0}, status},
		{append([]byte{1}, bytesOf(t, askStatus)...), status}, // a report with an id
		{sent(askVolts), status},                              // which is the previous one
		{sent(askVolts), ""},
		{sent(askStatus), status},
		{sent(askStatus), later},
		{sent("3a 53 00 ac 0d"), later}, // NUT's
		{sent(askVolts), volts},
	} {
		i.Exchange(e.sent, bytesOf(t, e.reply))
	}
	require.Equal(t, []capture.Exchange{
		{Command: bytesOf(t, askStatus), Reply: bytesOf(t, status), Origin: capture.Captured},
		{Command: bytesOf(t, "3a 53 00 ac 0d"), Reply: bytesOf(t, later), Origin: capture.Captured},
		{Command: bytesOf(t, askVolts), Reply: bytesOf(t, volts), Origin: capture.Captured},
	}, i.Exchanges)
}

func TestAnInterfaceKeepsRepliesOfItsOwn(t *testing.T) {
	var i capture.Interface
	buffer := bytesOf(t, status)
	i.Exchange(append([]byte{0}, bytesOf(t, askStatus)...), buffer)
	copy(buffer, bytesOf(t, volts))
	require.Equal(t, bytesOf(t, status), []byte(i.Exchanges[0].Reply), "the reader reuses its buffer")
}

// framedDevice is the SMART500RT1U.
func framedDevice(t *testing.T) *capture.Device {
	t.Helper()
	c, err := capture.Load("smart500rt1u")
	require.NoError(t, err)
	d := c.Device(0)
	t.Cleanup(func() { d.Close() })
	return d
}

func sendCommand(t *testing.T, d *capture.Device, command string) {
	t.Helper()
	b := append([]byte{0}, bytesOf(t, command)...)
	b = append(b, make([]byte, 9-len(b))...)
	n, err := d.SendFeatureReport(b)
	require.NoError(t, err)
	require.Equal(t, 9, n)
	clear(b) // the caller may use its buffer again
}

func TestDeviceRepliesByInputReports(t *testing.T) {
	d := framedDevice(t)
	require.NotNil(t, d.Framed())
	require.Empty(t, drain(t, d), "it says nothing by itself")
	for command, reply := range map[string]string{
		askStatus: status, askVolts: volts, askProtocol: protocol,
	} {
		sendCommand(t, d, command)
		require.Equal(t, [][]byte{bytesOf(t, reply)}, drain(t, d))
	}
	sendCommand(t, d, askStatus)
	sendCommand(t, d, askVolts)
	require.Equal(t, [][]byte{bytesOf(t, status), bytesOf(t, volts)}, drain(t, d), "in their order")

	_, err := d.SendFeatureReport([]byte{0, ':', 'S', 0, '\r'})
	require.NoError(t, err)
	require.Empty(t, drain(t, d), "which is no command")
	buffer := []byte{0, 0, 0}
	_, err = d.GetFeatureReport(buffer)
	require.ErrorContains(t, err, "stalled", "a command cannot be read back")
}

func TestDeviceStoresReportsThatHaveAnID(t *testing.T) {
	d := framedDevice(t)
	_, err := d.SendFeatureReport([]byte{0x11, ':', 'S', 0xac, '\r'})
	require.NoError(t, err)
	require.Empty(t, drain(t, d))
	payload, ok := d.Payload(0x11)
	require.True(t, ok)
	require.Equal(t, []byte{':', 'S', 0xac, '\r'}, payload)
}

func TestDeviceRepliesLate(t *testing.T) {
	for name, test := range map[string]struct {
		manners capture.Manners
		wait    int
		after   []time.Duration // when a reply comes; the last read ends without one
	}{
		"at once": {capture.Manners{}, 100, []time.Duration{0}},
		"late": {capture.Manners{Late: 80 * time.Millisecond}, 100,
			[]time.Duration{80 * time.Millisecond}},
		"too late": {capture.Manners{Late: 101 * time.Millisecond}, 100, nil},
		"twice": {capture.Manners{Late: 80 * time.Millisecond, Double: true}, 100,
			[]time.Duration{80 * time.Millisecond, 160 * time.Millisecond}},
		"never": {capture.Manners{Deaf: true}, 100, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := framedDevice(t)
				d.Framed().SetManners(test.manners)
				start := time.Now()
				sendCommand(t, d, askStatus)
				buffer := make([]byte, 64)
				for _, after := range test.after {
					n, err := d.ReadTimeout(buffer, test.wait)
					require.NoError(t, err)
					require.Equal(t, bytesOf(t, status), buffer[:n])
					require.Equal(t, after, time.Since(start))
				}
				n, err := d.ReadTimeout(buffer, test.wait)
				require.NoError(t, err)
				require.Zero(t, n)
				time.Sleep(time.Second) // for what comes too late
			})
		})
	}
}

func TestALateReplyOfADeviceThatHasFailedIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := framedDevice(t)
		d.Framed().SetManners(capture.Manners{Late: time.Second})
		sendCommand(t, d, askStatus)
		require.NoError(t, d.Close())
		_, err := d.SendFeatureReport([]byte{0, ':', 'S', 0xac, '\r'})
		require.ErrorIs(t, err, os.ErrClosed)
		time.Sleep(2 * time.Second)
		d.Fail(nil)
		require.Empty(t, drain(t, d))
	})
}
