// Package hidreport reads USB HID report descriptors, bytes in, fields out, and the
// bits of such a field.
//
// Section numbers are those of the Device Class Definition for Human Interface
// Devices (HID) 1.11. The package knows the names of the usages of power devices
// and batteries, and nothing else about them.
package hidreport

import (
	"fmt"
	"slices"
	"strings"
)

// Descriptor is what a report descriptor declares.
type Descriptor struct {
	// Fields are in the order of their declaration, padding included.
	Fields []Field

	bits map[report]int // the payload of each report declared, in bits
}

// report is one report: the same id may be declared for each type.
type report struct {
	typ Type
	id  byte
}

// Len returns how many bytes the payload of a report has, the id byte not counted,
// rounded up to a whole byte. It is false where the report is not declared.
func (d *Descriptor) Len(t Type, id byte) (n int, ok bool) {
	bits, ok := d.bits[report{t, id}]
	return (bits + 7) / 8, ok
}

// IDs returns the ids of the reports declared for a type, in ascending order: a
// single 0 where the device has one report of that type and uses no ids.
func (d *Descriptor) IDs(t Type) []byte {
	var ids []byte
	for r := range d.bits {
		if r.typ == t {
			ids = append(ids, r.id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Field is a run of Count items of Size bits each, with one meaning.
type Field struct {
	Type     Type
	ReportID byte // 0: the device uses no report ids

	// Path holds the usages of the collections around the field, outermost first,
	// and the field's own usage last. What has no usage, as padding has none, stands
	// in the path as 0, so that padding is never taken for its collection.
	Path Path

	Offset int // in bits, from the first bit after the id byte
	Size   int // of one item, in bits, at least 1
	Count  int // at least 1

	Unit         uint32 // the nibbles of 6.2.2.7, undecoded
	UnitExponent int    // a power of ten

	LogicalMin, LogicalMax int64

	Flags Flags
}

// Usage returns the field's own usage, 0 where it has none. Of an array, whose items
// choose among several usages, it is the first.
func (f Field) Usage() Usage {
	if len(f.Path) == 0 {
		return 0
	}
	return f.Path[len(f.Path)-1]
}

// Bits reads size bits of the payload of a report, little endian, as 5.8 packs them.
// It is false where the payload does not have them, and for a size above 32.
func Bits(payload []byte, offset, size int) (uint32, bool) {
	if offset < 0 || size < 1 || size > 32 || offset+size > 8*len(payload) {
		return 0, false
	}
	var raw uint64
	for i := (offset + size - 1) / 8; i >= offset/8; i-- {
		raw = raw<<8 | uint64(payload[i])
	}
	return uint32(raw >> (offset % 8) & (1<<size - 1)), true
}

// SetBits is the reverse of Bits. It panics where the payload does not have them.
func SetBits(payload []byte, offset, size int, raw uint32) {
	for i := range size {
		bit := offset + i
		payload[bit/8] &^= 1 << (bit % 8)
		payload[bit/8] |= byte(raw>>i&1) << (bit % 8)
	}
}

// Type is one of the three kinds of reports (6.2.2.5).
type Type string

const (
	Input   Type = "Input"
	Output  Type = "Output"
	Feature Type = "Feature"
)

// Flags are the data bits of the main item that declared a field (6.2.2.5).
type Flags uint16

const (
	Constant Flags = 1 << 0 // otherwise data
	Variable Flags = 1 << 1 // otherwise an array
)

// Path is the usages that lead to a field, outermost first.
type Path []Usage

// String joins the names of the usages: "UPS.PowerSummary.PresentStatus.ACPresent".
func (p Path) String() string {
	names := make([]string, len(p))
	for i, u := range p {
		names[i] = u.String()
	}
	return strings.Join(names, ".")
}

// Error says why, and where, a descriptor could not be read further.
type Error struct {
	Offset int // of the offending item; the length of the descriptor where its end is at fault
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("HID report descriptor, byte %d: %s", e.Offset, e.Reason)
}
