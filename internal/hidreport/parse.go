package hidreport

import (
	"math"
	"slices"
)

const (
	// maxDescriptor is what wDescriptorLength can say (6.2.1).
	maxDescriptor = math.MaxUint16

	// maxReport is what wLength of Get_Report can ask for (7.2.1), id byte included.
	maxReport = math.MaxUint16

	// maxNesting bounds collections and pushed states; devices use about five of the
	// one and one of the other.
	maxNesting = 32

	// maxFields bounds memory, since a range of usages declares thousands of fields in
	// ten bytes; UPSes declare about a hundred.
	maxFields = 4096
)

// Why a descriptor is refused.
const (
	empty               = "the descriptor is empty"
	tooLongDescriptor   = "the descriptor is longer than 65535 bytes"
	truncated           = "the item runs past the end of the descriptor"
	unopenedCollection  = "End Collection without a collection"
	unclosedCollection  = "a collection is not closed"
	tooManyCollections  = "collections are nested too deeply"
	popWithoutPush      = "Pop without a Push"
	tooManyPushes       = "too many states are pushed"
	badReportID         = "the report id is not between 1 and 255"
	mixedReportIDs      = "reports with an id and a report without are mixed"
	tooLongReport       = "the report is longer than 65535 bytes"
	tooManyFields       = "too many fields"
	unbalancedDelimiter = "the delimiters are not balanced"
	badUsageRange       = "Usage Maximum is less than Usage Minimum"
)

// Parse reads a report descriptor. When it fails, the error is an *Error, and the
// Descriptor, never nil, has what was declared before the item at fault. A report
// that grew too long keeps the field that made it so as its last one, whole,
// although Len does not count it.
//
// A main item that declares no bits adds its report but no field. Fewer usages than
// Report Count: the last usage has all items that are left, as one field. More: the
// surplus is ignored.
func Parse(b []byte) (*Descriptor, error) {
	p := parser{d: &Descriptor{bits: map[report]int{}}}
	if at, reason := p.parse(b); reason != "" {
		return p.d, &Error{at, reason}
	}
	return p.d, nil
}

type parser struct {
	d           *Descriptor
	global      global
	pushed      []global
	local       local
	collections Path
	numbered    bool // the reports so far have ids
}

// parse returns why the descriptor is refused, and where.
func (p *parser) parse(b []byte) (at int, reason string) {
	switch {
	case len(b) == 0:
		return 0, empty
	case len(b) > maxDescriptor:
		return maxDescriptor, tooLongDescriptor
	}
	for at < len(b) {
		it, n, ok := readItem(b[at:])
		if !ok {
			return at, truncated
		}
		if reason := p.item(it); reason != "" {
			return at, reason
		}
		at += n
	}
	switch {
	case p.local.delimited:
		return at, unbalancedDelimiter
	case len(p.collections) > 0:
		return at, unclosedCollection
	}
	return at, ""
}

// The prefix of a short item has its tag, type and size (6.2.2.2).
const (
	sizeMask   = 0x03
	typeMask   = 0x0c
	typeMain   = 0x00
	longPrefix = 0xfe // of a long item: data size, tag and data follow (6.2.2.3)
)

var itemSizes = [...]int{0, 1, 2, 4}

type item struct {
	prefix byte // without its size bits
	bits   int
	value  uint32
}

// readItem reads the first item of b, which is not empty, and returns its length. The value of a
// long item means nothing: 6.2.2.3 defines no tag for one.
func readItem(b []byte) (it item, n int, ok bool) {
	n = 1 + itemSizes[b[0]&sizeMask]
	if b[0] == longPrefix && len(b) > 1 {
		n = 3 + int(b[1])
	}
	if n > len(b) {
		return it, n, false
	}
	it = item{prefix: b[0] &^ sizeMask, bits: 8 * (n - 1)}
	for i, c := range b[1:n] {
		it.value |= uint32(c) << (8 * i)
	}
	return it, n, true
}

func (it item) signed() int64 {
	unused := 32 - it.bits
	return int64(int32(it.value<<unused) >> unused)
}

// extended tells whether a usage brings its page along (6.2.2.8).
func (it item) extended() bool { return it.bits == 32 }

// handler takes one item and returns why it is refused, "" where it is not.
type handler func(*parser, item) string

// handlers are indexed by an item's prefix: main items 6.2.2.4, global 6.2.2.7, local
// 6.2.2.8. Tags and types without a handler are skipped by their length, which is known
// without their meaning: designators and strings lay out no data, and what is reserved
// today a later revision may define.
var handlers = [256]handler{
	0x80: data(Input),
	0x90: data(Output),
	0xb0: data(Feature),
	0xa0: (*parser).collection,
	0xc0: (*parser).endCollection,

	0x04: set(func(g *global, it item) { g.page = uint16(it.value) }),
	0x14: set(func(g *global, it item) { g.min = it.signed() }),
	0x24: set(func(g *global, it item) { g.max = it }),
	0x54: set(func(g *global, it item) { g.exponent = exponent(it) }),
	0x64: set(func(g *global, it item) { g.unit = it.value }),
	0x74: set(func(g *global, it item) { g.size = it.value }),
	0x84: (*parser).reportID,
	0x94: set(func(g *global, it item) { g.count = it.value }),
	0xa4: (*parser).push,
	0xb4: (*parser).pop,

	0x08: (*parser).usage,
	0x18: (*parser).usageMinimum,
	0x28: (*parser).usageMaximum,
	0xa8: (*parser).delimiter,
}

func (p *parser) item(it item) string {
	isMain := it.prefix&typeMask == typeMain
	if isMain && p.local.delimited {
		return unbalancedDelimiter
	}
	if handle := handlers[it.prefix]; handle != nil {
		if reason := handle(p, it); reason != "" {
			return reason
		}
	}
	if isMain { // of whatever tag: local items do not outlive it (6.2.2.8)
		p.local = local{}
	}
	return ""
}

// global is the state of the global items, which Push saves as a whole (6.2.2.7).
type global struct {
	page        uint16
	min         int64
	max         item // its sign depends on min, which may be declared after it
	exponent    int
	unit        uint32
	size, count uint32
	id          byte
}

func set(f func(*global, item)) handler {
	return func(p *parser, it item) string {
		f(&p.global, it)
		return ""
	}
}

// maximum returns the Logical Maximum. It is signed by the size of its item only if the minimum is
// negative: many devices write 255 as the one byte ff (5.8).
func (g *global) maximum() int64 {
	if g.min < 0 {
		return g.max.signed()
	}
	return int64(g.max.value)
}

// exponent reads a Unit Exponent: a nibble in two's complement (6.2.2.7), or, as some
// devices write it, the signed number itself.
func exponent(it item) int {
	v := int(it.signed())
	if 8 <= v && v <= 15 {
		return v - 16
	}
	return v
}

func (p *parser) reportID(it item) string {
	if it.value == 0 || it.value > math.MaxUint8 {
		return badReportID
	}
	p.global.id = byte(it.value)
	return ""
}

func (p *parser) push(item) string {
	if len(p.pushed) == maxNesting {
		return tooManyPushes
	}
	p.pushed = append(p.pushed, p.global)
	return ""
}

func (p *parser) pop(item) string {
	last := len(p.pushed) - 1
	if last < 0 {
		return popWithoutPush
	}
	p.global, p.pushed = p.pushed[last], p.pushed[:last]
	return ""
}

// local is the state of the local items.
type local struct {
	usages    []usageRange
	page      uint16 // in force at the last of the short usages
	min, max  *item  // of a range that waits for its other end
	delimited bool   // inside a set of alternative usages
	taken     bool   // the set has given its first usage
}

// usageRange is a range and not a list because four bytes can declare 65536 usages.
type usageRange struct {
	first, last uint32
	short       bool // declared without a page
}

func (p *parser) usage(it item) string {
	p.addUsages(it, it)
	return ""
}

func (p *parser) usageMinimum(it item) string {
	p.local.min = &it
	return p.closeRange()
}

func (p *parser) usageMaximum(it item) string {
	p.local.max = &it
	return p.closeRange()
}

func (p *parser) closeRange() string {
	if p.local.min == nil || p.local.max == nil {
		return ""
	}
	first, last := *p.local.min, *p.local.max
	p.local.min, p.local.max = nil, nil
	if first.extended() != last.extended() { // 6.2.2.8 wants both alike; the page serves for both
		page := (first.value | last.value) &^ math.MaxUint16
		first = item{bits: 32, value: first.value | page}
		last = item{bits: 32, value: last.value | page}
	}
	if last.value < first.value {
		return badUsageRange
	}
	p.addUsages(first, last)
	return ""
}

// addUsages adds the range from first to last, unless it is an alternative to one that
// was taken: the first of a delimited set is the one preferred (6.2.2.8).
func (p *parser) addUsages(first, last item) {
	l := &p.local
	if l.delimited && l.taken {
		return
	}
	l.taken = true
	r := usageRange{first.value, last.value, !first.extended()}
	if r.short {
		l.page = p.global.page
		r = r.on(l.page)
	}
	l.usages = append(l.usages, r)
}

func (r usageRange) on(page uint16) usageRange {
	r.first = uint32(page)<<16 | r.first&math.MaxUint16
	r.last = uint32(page)<<16 | r.last&math.MaxUint16
	return r
}

// delimiter opens a set with 1 and closes it with 0 (6.2.2.8); sets do not nest.
func (p *parser) delimiter(it item) string {
	opens := it.value != 0
	if opens == p.local.delimited {
		return unbalancedDelimiter
	}
	p.local.delimited, p.local.taken = opens, false
	return ""
}

// usages returns the first n usages of the main item at hand, fewer where fewer were
// declared. A Usage Page after the last of them completes them all (6.2.2.8). One
// between them does not reach back: power devices switch pages among the usages of one
// main item, as the example in appendix A of their class does, and each usage is then
// meant on the page before it (6.2.2.7).
func (p *parser) usages(n int) []Usage {
	late := p.local.page != p.global.page
	var us []Usage
	for _, r := range p.local.usages {
		if late && r.short {
			r = r.on(p.global.page)
		}
		for u := r.first; len(us) < n; u++ {
			us = append(us, Usage(u))
			if u == r.last {
				break
			}
		}
	}
	if us == nil {
		return []Usage{0}
	}
	return us
}

func (p *parser) collection(item) string {
	if len(p.collections) == maxNesting {
		return tooManyCollections
	}
	p.collections = append(p.collections, p.usages(1)[0])
	return ""
}

func (p *parser) endCollection(item) string {
	last := len(p.collections) - 1
	if last < 0 {
		return unopenedCollection
	}
	p.collections = p.collections[:last]
	return ""
}

// data handles the main items that declare data (6.2.2.5).
func data(t Type) handler {
	return func(p *parser, it item) string {
		numbered := p.global.id != 0
		if len(p.d.bits) > 0 && numbered != p.numbered {
			return mixedReportIDs
		}
		p.numbered = numbered
		return p.addFields(t, Flags(it.value))
	}
}

func (p *parser) addFields(t Type, flags Flags) string {
	g, r := &p.global, report{t, p.global.id}
	used := p.d.bits[r]
	most := 8 * maxReport
	if g.id != 0 {
		most -= 8 // for the id
	}
	bits := uint64(g.size) * uint64(g.count) // two numbers of 32 bits cannot overflow 64
	if bits == 0 {
		p.d.bits[r] = used
		return ""
	}
	tooLong := bits > uint64(most-used)
	named := 1 // an array is one field: all its items draw on the same usages (6.2.2.5)
	if flags&Variable != 0 && !tooLong {
		named = int(min(g.count, maxFields+1)) // one more than may be, so that it is noticed
	}
	us := p.usages(named)
	if len(us) > maxFields-len(p.d.Fields) {
		return tooManyFields
	}
	f := Field{
		Type: t, ReportID: g.id, Flags: flags, Offset: used, Size: toInt(g.size), Count: 1,
		Unit: g.unit, UnitExponent: g.exponent, LogicalMin: g.min, LogicalMax: g.maximum(),
	}
	for i, u := range us {
		if i == len(us)-1 {
			f.Count = toInt(g.count - uint32(i))
		}
		f.Path = append(slices.Clip(p.collections), u)
		p.d.Fields = append(p.d.Fields, f)
		f.Offset += f.Size
	}
	if tooLong {
		return tooLongReport
	}
	p.d.bits[r] = used + int(bits)
	return ""
}

// toInt keeps a number of 32 bits from turning negative where int has no more.
func toInt(v uint32) int { return int(min(uint64(v), math.MaxInt)) }
