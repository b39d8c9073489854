package tripplite

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/tripplite-go/tripplite/internal/frame"
)

// variant is one way in which units of product 0001 speak: which letters they are asked, and what
// the bytes of each reply mean.
type variant struct {
	number    BCD // what the units answer to the command 00
	questions []question
	controls  string // the letters of the commands that units are known to take
	binary    bool   // its commands have numbers where others have digits
}

// question is a letter that a unit is asked.
type question struct {
	letter byte
	name   string
	bytes  int // of data in the reply; below 0 where it is not known
	when   cadence
	status bool // without it there is no State
	// settings says that it is asked for the settings too, as the status always is.
	settings bool
	needs    string // the key of a number without which, or with 0, it is not asked
	parts    []part
}

// part is what some bytes of a reply mean.
type part struct {
	at, bytes int
	coding    coding
	name      string
	key       string // of the field; empty where there is none, or the codes have several
	div       float64
	times     factor
	mask      uint32 // of the bits that count, 0 for all
	padding   uint32 // of the bits that no unit sets: with one of them the number means nothing
	// Raw numbers outside of least to most are "no value". A most of 0 stands for no bound.
	least, most uint32
	codes       codes
	// must says that a reply without a number that the codes have is no reply.
	must bool
}

// coding is how bytes say a number. A byte that is no digit of its base is unused: units send 'X'.
type coding uint8

const (
	bigEndian    coding = iota
	packedDigits        // BCD, two digits in a byte
	hexDigits
	decimalDigits
	asciiText // not a number
)

// factor is what a number is multiplied by, which depends on the unit.
type factor uint8

const (
	one    factor = iota
	line          // the voltage that readings of the line are scaled to
	blocks        // the nominal voltage of the battery, which consists of blocks of 12 V
)

// codes are the values of fields, by what a byte says.
type codes map[uint32]map[string]float64

// variants has a table of questions for each variant that is known. The status comes first of those
// that change. All is from facts about NUT's driver, the maker's "Communication Protocol 3003" and
// published replies; docs/compatibility.md names the evidence for each variant.
var variants = []variant{
	{number: 0x0004, controls: "NGCAZW", questions: []question{
		nominalASCII, powerOf(10), firmware,
		status3003, voltages3003, load3003,
		{letter: 'T', name: "temperature and frequency", bytes: 6, parts: []part{
			{at: 0, bytes: 2, coding: hexDigits, name: "temperature count"},
			{at: 2, bytes: 4, coding: hexDigits, name: "frequency", key: "input.frequency", div: 10,
				most: maxHertz * 10},
		}},
		extremes3003,
	}},
	{number: 0x1001, controls: "NGCW", questions: []question{
		nominalASCII, powerOf(1), firmware,
		// How long this reply is, is not known.
		{letter: 'S', name: "status", bytes: -1, status: true, parts: []part{
			{at: 0, bytes: 1, coding: decimalDigits, name: "battery", codes: batteryCodes},
			{at: 1, bytes: 1, coding: decimalDigits, name: "state", must: true, codes: codes{
				0: {"status.ac present": 1, "status.discharging": 0},
				1: {"status.ac present": 0, "status.discharging": 1},
				2: {}, // it charges, and the output has no input
				3: {}, // seen once, before 2
			}},
		}},
		voltages1001, output1001,
	}},
	{number: 0x2001, controls: "NGCAW", questions: []question{
		nominalASCII, powerOf(1), firmware,
		{letter: 'S', name: "status", bytes: 6, status: true, parts: []part{
			{at: 1, bytes: 1, coding: decimalDigits, name: "self-test", codes: testCodes},
			{at: 0, bytes: 1, coding: decimalDigits, name: "battery", codes: batteryCodes},
			{at: 2, bytes: 1, coding: decimalDigits, name: "fault", codes: faultCodes},
			{at: 3, bytes: 1, coding: decimalDigits, name: "flags", mask: 7, codes: flagCodes, must: true},
			{at: 4, bytes: 1, name: "not implemented"},
			{at: 5, bytes: 1, coding: decimalDigits, name: "tap", codes: tapCodes},
		}},
		voltages1001, output1001,
	}},
	{number: 0x3003, controls: "NGCAKZQJ", questions: append(slices.Clone(questions3003), relays)},
	{number: 0x3017, controls: "NGCAZQJW", questions: questions3003},
	{number: 0x3005, controls: "NGCAKZQJW", binary: true, questions: []question{
		{letter: 'V', name: "nominal values", bytes: 6, when: nominal, parts: []part{
			{at: 0, bytes: 1, name: "nominal voltage", codes: codes{
				0: {"config.voltage": 100}, 1: {"config.voltage": 110}, 2: {"config.voltage": 120},
				3: {"config.voltage": 127}, 4: {"config.voltage": 208}, 5: {"config.voltage": 220},
				6: {"config.voltage": 230}, 7: {"config.voltage": 240},
			}},
			{at: 1, bytes: 2, name: "nominal battery voltage", key: "config.battery voltage",
				least: 1, most: 0xfffe},
			{at: 3, bytes: 1, name: "outlet groups", key: "config.outlets", most: maxOutlets},
		}},
		powerOf(1), firmware, unitID,
		{letter: 'S', name: "status", bytes: 6, status: true, parts: []part{
			{at: 1, bytes: 1, name: "self-test", codes: testCodes},
			{at: 0, bytes: 1, name: "battery", codes: batteryCodes, most: 1},
			{at: 2, bytes: 1, name: "fault", codes: faultCodes},
			flags3003,
			{at: 4, bytes: 1, name: "charge", key: "health", most: 100},
			{at: 5, bytes: 1, name: "tap", codes: tapCodes},
		}},
		{letter: 'D', name: "voltages", bytes: 4, parts: []part{
			{at: 0, bytes: 2, name: "input voltage", key: "input.voltage", most: maxVolts},
			{at: 2, bytes: 2, name: "voltage of a 12 V block", key: "battery.voltage",
				div: 10 * 12, times: blocks, most: maxBlock * 10},
		}},
		{letter: 'L', name: "load", bytes: 6, settings: true, parts: []part{
			{at: 0, bytes: 1, name: "load", key: "output.load", most: 254},
			{at: 3, bytes: 1, name: "restart after shutdown", key: restartKey, mask: 1}, // by analogy
			{at: 3, bytes: 1, name: "other restart flags", mask: 0xfe},
		}},
		{letter: 'T', name: "temperature and frequency", bytes: 6, parts: []part{
			{at: 0, bytes: 1, name: "temperature"},
			{at: 2, bytes: 2, name: "frequency", key: "input.frequency", div: 10, most: maxHertz * 10},
			{at: 4, bytes: 1, name: "nominal frequency", codes: frequencyCodes},
		}},
		{letter: 'M', name: "lowest and highest input voltage", bytes: 4, parts: []part{
			{at: 0, bytes: 2, name: "lowest", key: "input.lowest voltage", most: maxVolts},
			{at: 2, bytes: 2, name: "highest", key: "input.highest voltage", most: maxVolts},
		}},
	}},
}

const (
	maxBlock   = 20 // volts, more than a block of 12 V ever has
	maxOutlets = 8  // groups, of which the maker's document has bits
)

// questions3003 are those of the variant that the maker's document describes. Whether other
// variants answer for their relays is not known.
var questions3003 = []question{
	nominalASCII, powerOf(1), firmware, unitID,
	status3003, voltages3003, load3003,
	{letter: 'T', name: "temperature and frequency", bytes: 6, parts: []part{
		{at: 0, bytes: 2, coding: hexDigits, name: "temperature count"},
		{at: 2, bytes: 3, coding: hexDigits, name: "frequency", key: "input.frequency", div: 10,
			most: maxHertz * 10},
		{at: 5, bytes: 1, coding: decimalDigits, name: "nominal frequency", codes: frequencyCodes},
	}},
	extremes3003,
}

// The questions that several variants share.
var (
	protocolQuestion = question{letter: 0, name: "protocol", bytes: 6, when: nominal, parts: []part{
		{at: 0, bytes: 2, coding: packedDigits, name: "protocol",
			key: "config.protocol version", least: 1},
	}}
	nominalASCII = question{letter: 'V', name: "nominal values", bytes: 6, when: nominal,
		parts: []part{
			{at: 0, bytes: 1, coding: decimalDigits, name: "nominal voltage", codes: codes{
				0: {"config.voltage": 100}, 1: {"config.voltage": 120}, 2: {"config.voltage": 230},
				3: {"config.voltage": 208}, 4: {"config.voltage": 240},
			}},
			{at: 1, bytes: 2, coding: hexDigits, name: "nominal battery voltage",
				key: "config.battery voltage", div: 1. / 6, least: 1},
			{at: 3, bytes: 1, coding: decimalDigits, name: "outlet groups",
				key: "config.outlets", most: maxOutlets},
		}}
	firmware = question{letter: 'F', name: "firmware", bytes: 6, when: nominal, parts: []part{
		{at: 0, bytes: 6, coding: asciiText, name: "firmware", key: "config.firmware"},
	}}
	// 65535 is a number that was never set.
	unitID = question{letter: 'U', name: "unit id", bytes: 2, when: nominal, parts: []part{
		{at: 0, bytes: 2, name: "unit id", key: "config.unit id", least: 1, most: 0xfffe},
	}}
	// Bits 4 and 5 may be set: a unit that does not tell its variant is read as a 3003, and a 2001
	// sends a digit here.
	flags3003 = part{at: 3, bytes: 1, name: "flags", mask: 7, padding: 0xc0, codes: flagCodes,
		must: true}
	status3003 = question{letter: 'S', name: "status", bytes: 6, status: true, parts: []part{
		{at: 1, bytes: 1, coding: decimalDigits, name: "self-test", codes: testCodes},
		{at: 0, bytes: 1, coding: decimalDigits, name: "battery", codes: batteryCodes},
		{at: 2, bytes: 1, coding: decimalDigits, name: "fault", codes: faultCodes},
		flags3003,
		{at: 4, bytes: 1, name: "charge", key: "health", most: 100},
		{at: 5, bytes: 1, coding: decimalDigits, name: "tap", codes: tapCodes},
	}}
	voltages3003 = question{letter: 'D', name: "voltages", bytes: 4, parts: []part{
		{at: 0, bytes: 2, coding: hexDigits, name: "input voltage", key: "input.voltage",
			div: 120, times: line},
		{at: 2, bytes: 2, coding: hexDigits, name: "voltage of a 12 V block", key: "battery.voltage",
			div: 10 * 12, times: blocks, most: maxBlock * 10},
	}}
	load3003 = question{letter: 'L', name: "load", bytes: 6, settings: true, parts: []part{
		{at: 0, bytes: 2, coding: hexDigits, name: "load", key: "output.load", most: 254},
		{at: 2, bytes: 2, coding: hexDigits, name: "charger level"},
		{at: 4, bytes: 1, name: "restart after shutdown", key: restartKey, mask: 1},
		{at: 4, bytes: 1, name: "other restart flags", mask: 0xfe},
	}}
	extremes3003 = question{letter: 'M', name: "lowest and highest input voltage", bytes: 4,
		parts: []part{
			{at: 0, bytes: 2, coding: hexDigits, name: "lowest", key: "input.lowest voltage",
				div: 120, times: line},
			{at: 2, bytes: 2, coding: hexDigits, name: "highest", key: "input.highest voltage",
				div: 120, times: line},
		}}
	voltages1001 = question{letter: 'B', name: "voltages", bytes: 6, parts: []part{
		{at: 0, bytes: 4, coding: hexDigits, name: "input voltage", key: "input.voltage",
			div: 3600, times: line, most: maxVolts * 3600 / 120},
		{at: 4, bytes: 2, coding: hexDigits, name: "voltage of a 12 V block", key: "battery.voltage",
			div: 16 * 12, times: blocks},
	}}
	output1001 = question{letter: 'L', name: "output voltage", bytes: 6, parts: []part{
		{at: 0, bytes: 4, coding: hexDigits, name: "output voltage", key: "output.voltage",
			div: 240, times: line, most: maxVolts * 240 / 120},
	}}
	relays = question{letter: 'R', name: "relays", bytes: 2, needs: "config.outlets", parts: []part{
		{at: 0, bytes: 1, name: "main relay"},
		{at: 1, bytes: 1, name: "outlet group 1", key: "outlets.1", mask: 1 << 0},
		{at: 1, bytes: 1, name: "outlet group 2", key: "outlets.2", mask: 1 << 1},
		{at: 1, bytes: 1, name: "outlet group 3", key: "outlets.3", mask: 1 << 2},
		{at: 1, bytes: 1, name: "outlet group 4", key: "outlets.4", mask: 1 << 3},
		{at: 1, bytes: 1, name: "outlet group 5", key: "outlets.5", mask: 1 << 4},
		{at: 1, bytes: 1, name: "outlet group 6", key: "outlets.6", mask: 1 << 5},
		{at: 1, bytes: 1, name: "outlet group 7", key: "outlets.7", mask: 1 << 6},
		{at: 1, bytes: 1, name: "outlet group 8", key: "outlets.8", mask: 1 << 7},
	}}
)

// powerOf asks for the rated power, in units of so many volt-amperes.
func powerOf(voltAmperes float64) question {
	return question{letter: 'P', name: "rated power", bytes: 6, when: nominal, parts: []part{
		{at: 0, bytes: 5, coding: decimalDigits, name: "rated power", key: "config.power",
			div: 1 / voltAmperes, least: 1},
	}}
}

// What the bytes of a status say. The self-test stands before the battery in the tables, since a
// battery that asks to be replaced says so whatever the last test was.
var (
	batteryCodes = codes{
		0: {"status.below remaining capacity": 1},
		1: {"status.below remaining capacity": 0},
		2: {"status.needs replacement": 1},
	}
	testCodes = codes{
		0: {"controls.test": float64(TestPassed), "status.needs replacement": 0, "status.overload": 0},
		1: {"controls.test": float64(TestError), "status.needs replacement": 1, "status.overload": 0},
		2: {"controls.test": float64(TestInProgress), "status.overload": 0},
		3: {"controls.test": float64(TestError), "status.overload": 1},
		4: {"controls.test": float64(TestNone), "status.overload": 0},
		5: {"controls.test": float64(TestError), "status.needs replacement": 1, "status.overload": 1},
	}
	faultCodes = codes{
		0: {"status.over temperature": 0},
		1: {"status.over temperature": 0}, // emergency power off
		2: {"status.over temperature": 1},
		3: {"status.over temperature": 1},
	}
	// The bits are inverter, self-test and standby. In a self-test the inverter runs although there
	// is line power.
	flagCodes = codes{
		0: {"status.ac present": 1, "status.discharging": 0, "output.on": 1},
		1: {"status.ac present": 0, "status.discharging": 1, "output.on": 1},
		2: {"status.ac present": 1, "status.discharging": 0, "output.on": 1},
		3: {"status.discharging": 1, "output.on": 1},
		4: {"status.ac present": 1, "status.discharging": 0, "output.on": 0},
		5: {"status.ac present": 0, "status.discharging": 1, "output.on": 0},
		6: {"status.ac present": 1, "status.discharging": 0, "output.on": 0},
		7: {"status.discharging": 1, "output.on": 0},
	}
	tapCodes = codes{
		0: {"status.buck": 0, "status.boost": 0},
		1: {"status.buck": 1, "status.boost": 0},
		2: {"status.buck": 0, "status.boost": 1},
		3: {"status.buck": 0, "status.boost": 1},
		4: {"status.buck": 1, "status.boost": 0},
	}
	frequencyCodes = codes{0: {"config.frequency": 50}, 1: {"config.frequency": 60}}
)

// variantOf returns the variant with a number. For one that is not known it picks a like one by the
// reply to V, if there is one: digits are those of 3003, numbers those of 3005. It returns nil
// where the reply is neither.
func variantOf(number BCD, nominal []byte) *variant {
	like := number
	for range 2 {
		for i := range variants {
			if variants[i].number == like {
				return &variants[i]
			}
		}
		switch {
		case len(nominal) == 0:
		case nominal[0] >= '0' && nominal[0] <= '4':
			like = 0x3003
		case nominal[0] <= 7:
			like = 0x3005
		}
	}
	return nil
}

// decode stores what the data of a reply say in r.
func (q *question) decode(data []byte, r *record) {
	for i := range q.parts {
		p := &q.parts[i]
		raw, known := p.raw(data)
		switch {
		case p.coding == asciiText:
			if s, ok := p.text(data); ok {
				*fieldOf(p.key).at(r).(*Value[string]) = ValueOf(s)
			}
		case p.codes != nil:
			for key, value := range p.codes[raw] {
				fieldOf(key).at(r).set(value, true)
			}
		case p.key != "":
			value, ok := p.value(raw, r)
			fieldOf(p.key).at(r).set(value, known && ok)
		}
	}
}

// parse returns the letter of a reply and its data. Where their length is not known they end at the
// first carriage return, which no such reply is known to hold.
func (q *question) parse(reply []byte) (letter byte, data []byte, err error) {
	letter, data, err = frame.ParseReply(reply, q.bytes)
	if err != nil || q.bytes >= 0 {
		return letter, data, err
	}
	data, _, ended := bytes.Cut(data, []byte{'\r'})
	if !ended && q.parts != nil {
		err = fmt.Errorf("the reply % x has no 0d", reply)
	}
	return letter, data, err
}

// nonsense returns why the data of a reply cannot be right, or nil.
func (q *question) nonsense(data []byte) error {
	for i := range q.parts {
		p := &q.parts[i]
		if _, known := p.raw(data); p.must && !known {
			return answerError(fmt.Sprintf("the reply % x has %s that mean nothing", data, p.name))
		}
	}
	return nil
}

// raw returns the number that the bytes of a part say, if it means something; else one that has no
// code.
func (p *part) raw(data []byte) (raw uint32, known bool) {
	raw, known = p.number(data)
	if !known || !p.means(raw) {
		return math.MaxUint32, false
	}
	return raw, true
}

// means reports whether a number means something.
func (p *part) means(raw uint32) bool {
	_, coded := p.codes[raw]
	return raw >= p.least && (p.most == 0 || raw <= p.most) && (p.codes == nil || coded)
}

// number returns what the bytes of a part say.
func (p *part) number(data []byte) (n uint32, known bool) {
	if p.at+p.bytes > len(data) {
		return 0, false
	}
	b := data[p.at : p.at+p.bytes]
	switch p.coding {
	case bigEndian, packedDigits:
		for _, c := range b {
			if p.coding == packedDigits && (c>>4 > 9 || c&0xf > 9 || c == 'X') {
				return 0, false
			}
			n = n<<8 | uint32(c)
		}
	case hexDigits, decimalDigits:
		digits, err := strconv.ParseUint(string(b), p.coding.base(), 32)
		if err != nil {
			return 0, false
		}
		n = uint32(digits)
	default:
		return 0, false
	}
	if p.mask != 0 {
		n, known = n&p.mask>>p.shift(), n&p.padding == 0
		return n, known
	}
	return n, true
}

// base is how many values a byte can say.
func (c coding) base() int {
	return map[coding]int{bigEndian: 256, packedDigits: 256, hexDigits: 16, decimalDigits: 10}[c]
}

func (p *part) shift() int { return bits.TrailingZeros32(p.mask) }

// text returns the printable text of a part without blanks around it.
func (p *part) text(data []byte) (string, bool) {
	if p.at+p.bytes > len(data) {
		return "", false
	}
	s := strings.Trim(string(data[p.at:p.at+p.bytes]), " \x00")
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return "", false
		}
	}
	return s, s != ""
}

// value returns what a raw number says on a unit whose nominal values r has. It is not known while
// they are not.
func (p *part) value(raw uint32, r *record) (value float64, known bool) {
	times, known := p.times.of(&r.state.Config)
	value = float64(raw) * times
	if p.div != 0 {
		value /= p.div
	}
	return math.Round(value*100) / 100, known // a hundredth is less than any unit resolves
}

// of returns the factor for a unit.
func (f factor) of(c *Config) (float64, bool) {
	switch f {
	case line:
		// The readings of a unit of 208 V are scaled as those of 230 V (NUT).
		volts, known := c.Voltage.Get()
		if volts == 208 {
			volts = 230
		}
		return volts, known
	case blocks:
		return c.BatteryVoltage.Get()
	}
	return 1, true
}
