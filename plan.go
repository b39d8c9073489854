package tripplite

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tripplite-go/tripplite/internal/hidreport"
)

// plan is which reports one unit has, of those the table knows: the features that are asked for,
// status first, and the input reports that the unit sends by itself.
type plan struct {
	features []entry
	inputs   []entry
	unknown  []string // the features that a descriptor declares and the table does not know
}

// entry is one report of a plan.
type entry struct {
	id        byte
	bytes     int    // of payload; 0 until the length of the answer tells
	name      string // HID usage path
	when      cadence
	insteadOf string // the name of a reading: this one is asked for only while that has no value
	status    bool   // without it there is no State
	declared  bool   // by the report descriptor, on units that then answer it
	short     bool   // its length differs between families: a shorter answer is whole
	byLength  bool   // its layout was picked by the length of its answers
	index     bool   // its only reading is the index of a string
	readings  []reading
	padding   []byte // the bits of the payload that have no meaning and are 0; of the status only

	answer   answer
	refusals int // reads in which it was asked for and gave no answer, while none was ever had
}

// answer is what has become of asking for a report since the unit was opened.
type answer uint8

const (
	unasked  answer = iota
	given           // the unit has the report: from now on a failure is an error
	withheld        // the unit does not provide the report: it is asked for again now and then
)

// tablePlan is the plan for a unit without a descriptor: every report of the table, each to be
// asked for once.
func tablePlan() plan {
	var p plan
	for _, row := range reports {
		if row.id == 0 {
			continue
		}
		e := entry{
			id: row.id, bytes: row.bytes, name: row.path, when: row.when, insteadOf: row.insteadOf,
			status: row.id == statusID, short: row.short, index: row.index,
		}
		switch {
		case row.key != "":
			e.readings = []reading{row.at(0, 0)}
		case e.status:
			e.byLength = true
		default:
			if e.readings = layoutOf(row.id, row.bytes); e.readings == nil {
				continue // where its flags lie is known from a descriptor only
			}
		}
		p.features = append(p.features, e)
		if slices.Contains(announced, row.id) {
			e.readings = slices.Clone(e.readings)
			p.inputs = append(p.inputs, e)
		}
	}
	return p
}

// provides says whether the unit has a reading, as far as is known.
func (p *plan) provides(name string) bool {
	has := func(r reading) bool { return r.name == name && !r.none }
	return slices.ContainsFunc(p.features, func(e entry) bool {
		refused := e.answer == withheld || e.refusals > 0 && e.answer == unasked
		return !refused && slices.ContainsFunc(e.readings, has)
	})
}

// settle gives a status report the layout for that length, if there is one that accounts for the
// payload. Flags that it has are not taken from other reports.
func (p *plan) settle(id byte, payload []byte) bool {
	readings := layoutOf(id, len(payload))
	if readings == nil || !covers(readings, payload) {
		return false
	}
	for _, entries := range [][]entry{p.features, p.inputs} {
		for i := range entries {
			e := &entries[i]
			if e.id == id {
				e.bytes, e.readings = len(payload), slices.Clone(readings)
				e.padding = paddingOf(readings, len(payload))
				continue
			}
			e.readings = slices.DeleteFunc(e.readings, func(r reading) bool {
				return slices.ContainsFunc(readings, func(flag reading) bool { return flag.name == r.name })
			})
		}
	}
	return true
}

// paddingOf returns the bits that no flag of a layout has.
func paddingOf(readings []reading, bytes int) []byte {
	padding := slices.Repeat([]byte{0xff}, bytes)
	for _, r := range readings {
		padding[r.offset/8] &^= 1 << (r.offset % 8)
	}
	return padding
}

// declaredPadding returns the bits of a report that no named field has, whatever their constant bit
// says: a 4003 declares flags constant that carry data.
func declaredPadding(d *hidreport.Descriptor, t hidreport.Type, id byte, bytes int) []byte {
	padding := slices.Repeat([]byte{0xff}, bytes)
	for _, f := range d.Fields {
		if f.Type != t || f.ReportID != id || f.Usage() == 0 {
			continue
		}
		for bit := f.Offset; bit < min(f.Offset+f.Size*f.Count, 8*bytes); bit++ {
			padding[bit/8] &^= 1 << (bit % 8)
		}
	}
	return padding
}

// nonsense returns why the payload of a status cannot be right, or nil.
func (e *entry) nonsense(payload []byte) error {
	for i, mask := range e.padding {
		if i < len(payload) && payload[i]&mask != 0 {
			return answerError(fmt.Sprintf("the status % x has bits set that mean nothing", payload))
		}
	}
	return nil
}

// contradicts reports whether a status says that there is neither line power nor discharging.
func contradicts(s Status) bool { return !s.ACPresent.Or(true) && !s.Discharging.Or(true) }

// covers reports whether a layout accounts for every bit that is set in the first byte of a
// payload. In the three-byte layout that byte has a single flag, so a one-byte status with
// surplus bytes behind it is not taken for it.
func covers(readings []reading, payload []byte) bool {
	rest := payload[0]
	for _, r := range readings {
		if r.offset < 8 {
			rest &^= 1 << r.offset
		}
	}
	return rest == 0
}

// layoutOf returns the flags of a status report of that length, or nil where no such layout is
// known.
func layoutOf(id byte, bytes int) []reading {
	var readings []reading
	for _, l := range layouts {
		if l.id != id || l.bytes != bytes {
			continue
		}
		for offset, usage := range l.bits {
			i := slices.IndexFunc(flags, func(f flag) bool { return f.usage == usage })
			readings = append(readings, flags[i].at(offset, 1))
		}
	}
	return readings
}

// descriptorPlan is the plan for a unit by what its report descriptor declares. It fails where
// that has no status flag: then the unit is asked instead.
func descriptorPlan(descriptor []byte) (plan, error) {
	d, err := hidreport.Parse(descriptor)
	if err != nil {
		return plan{}, err
	}
	p := plan{features: entriesOf(d, hidreport.Feature), inputs: entriesOf(d, hidreport.Input)}
	if len(p.features) == 0 || !p.features[0].status {
		return plan{}, fmt.Errorf("it declares no status flag among its %d fields", len(d.Fields))
	}
	for _, f := range d.Fields {
		_, flag := flagOf(f)
		if f.Type == hidreport.Feature && f.Usage() != 0 && !flag && !p.reads(f) {
			p.unknown = append(p.unknown,
				fmt.Sprintf("0x%02x %s, %d bits at %d", f.ReportID, f.Path, f.Size*f.Count, f.Offset))
		}
	}
	return p, nil
}

// reads says whether a feature is part of the plan.
func (p *plan) reads(f hidreport.Field) bool {
	return slices.ContainsFunc(p.features, func(e entry) bool {
		return e.id == f.ReportID &&
			slices.ContainsFunc(e.readings, func(r reading) bool { return r.offset == f.Offset })
	})
}

func entriesOf(d *hidreport.Descriptor, t hidreport.Type) []entry {
	entries := statusEntries(d, t)
	fields := namedFields(d, t)
	for _, row := range reports {
		if row.key == "" {
			continue
		}
		field, ok := find(fields, row)
		if !ok {
			continue
		}
		r := row.at(field.Offset, field.Size)
		sameRead := func(e entry) bool {
			return e.id == field.ReportID && e.when == row.when && e.insteadOf == row.insteadOf &&
				e.index == row.index
		}
		if i := slices.IndexFunc(entries, sameRead); i >= 0 {
			entries[i].readings = append(entries[i].readings, r)
			continue
		}
		bytes, _ := d.Len(t, field.ReportID)
		entries = append(entries, entry{
			id: field.ReportID, bytes: bytes, name: row.path, when: row.when, insteadOf: row.insteadOf,
			declared: !row.mute && !row.index, index: row.index, readings: []reading{r},
		})
	}
	return entries
}

// namedField is a field that may be a row of the table.
type namedField struct {
	hidreport.Field
	path, usage string
	known       bool // the path is one of the table's
}

func namedFields(d *hidreport.Descriptor, t hidreport.Type) []namedField {
	var fields []namedField
	for _, f := range d.Fields {
		if f.Type != t || f.Usage() == 0 || f.Count != 1 || f.Size > 32 {
			continue
		}
		path := f.Path.String()
		known := slices.ContainsFunc(reports, func(row report) bool { return row.path == path })
		fields = append(fields, namedField{f, path, f.Usage().String(), known})
	}
	return fields
}

// find returns the field that a row of the table describes: the one with the row's whole path, if
// possible in the row's report; or else the one in the row's report whose usage is the row's, in
// collections that mean nothing else to the table.
func find(fields []namedField, row report) (field hidreport.Field, ok bool) {
	name := row.path[strings.LastIndex(row.path, ".")+1:]
	var best int
	for _, f := range fields {
		fit := 0
		switch {
		case f.path == row.path && f.ReportID == row.id:
			fit = 3
		case f.path == row.path:
			fit = 2
		case row.id != 0 && f.ReportID == row.id && f.usage == name && !f.known:
			fit = 1
		}
		if fit > best {
			field, best = f.Field, fit
		}
	}
	return field, best > 0
}

// statusEntries finds the flags wherever a descriptor puts them. A flag that several reports
// carry is taken from the first of: the summary of the whole unit, the battery, the rest. The
// first entry is the one without which there is no State.
func statusEntries(d *hidreport.Descriptor, t hidreport.Type) []entry {
	fields := slices.Clone(d.Fields)
	slices.SortStableFunc(fields, func(a, b hidreport.Field) int {
		return cmp.Compare(statusRank(a.Path), statusRank(b.Path))
	})
	var entries []entry
	taken := map[uint32]bool{}
	for _, f := range fields {
		flag, ok := flagOf(f)
		if !ok || f.Type != t || taken[flag.usage] {
			continue
		}
		taken[flag.usage] = true
		i := slices.IndexFunc(entries, func(e entry) bool { return e.id == f.ReportID })
		if i < 0 {
			i = len(entries)
			bytes, _ := d.Len(t, f.ReportID)
			entries = append(entries, entry{
				id: f.ReportID, bytes: bytes, name: f.Path[:len(f.Path)-1].String(), status: i == 0,
				declared: true})
			if i == 0 {
				entries[i].padding = declaredPadding(d, t, f.ReportID, bytes)
			}
		}
		entries[i].readings = append(entries[i].readings, flag.at(f.Offset, f.Size))
	}
	return entries
}

// flagOf returns the flag that a field is.
func flagOf(f hidreport.Field) (flag, bool) {
	if f.Count != 1 || f.Size != 1 && f.LogicalMax != 1 {
		return flag{}, false
	}
	for _, flag := range flags {
		usage := uint32(f.Usage())
		if usage == flag.usage {
			return flag, true
		}
		// The 2005 declares flags of the battery page 0x85 on the power page 0x84, where these
		// numbers are no single bit.
		if f.Size == 1 && usage == flag.usage&0xffff|powerPage<<16 {
			return flag, true
		}
	}
	return flag{}, false
}

// statusRank orders the collections in which a status can stand.
func statusRank(p hidreport.Path) int {
	for i, name := range []string{"PowerSummary", "BatterySystem"} {
		if len(p) > 1 && p[1].String() == name {
			return i
		}
	}
	return 2
}
