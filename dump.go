package tripplite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tripplite-go/tripplite/internal/hidreport"
)

// Dump is everything that a unit says, understood or not: what a bug report or a new model needs.
type Dump struct {
	Info DeviceInfo
	// Descriptor is the HID report descriptor; nil where it cannot be had.
	Descriptor []byte
	// Features are the feature reports that the descriptor declares or this package knows, by id.
	Features []RawReport
	// Inputs are the input reports that came while there was time to listen, in their order.
	Inputs []RawReport
	// Exchanges are what a unit of product 0001 was asked, in order, and what it replied. Such a unit
	// has no feature and input reports.
	Exchanges []RawExchange
}

// RawExchange is one command to a unit of product 0001, and its reply as it came, or why there was
// none.
type RawExchange struct {
	Command []byte // ':', a letter, a checksum and 0d
	Reply   []byte // the letter first; nil where none came
	Err     error  // why no reply came
}

// RawReport is one report as it came, or why it did not.
type RawReport struct {
	ID    byte
	Bytes []byte // the id first; empty where the unit answered with nothing
	Err   error  // why no answer came; nil also for an answer of no bytes
}

// maxDumped is how many input reports a Dump takes at the most.
const maxDumped = 10_000

// Dump asks for every report once, then listens for input reports for as long as it is told. Its
// errors are those of [Battery.Get], except that a report that fails is no error: the Dump says so.
func (b *Battery) Dump(ctx context.Context, listen time.Duration) (Dump, error) {
	tap := make(chan []byte, maxQueued)
	if listen > 0 {
		b.hearing.Add(1)
		defer b.hearing.Add(-1)
	}
	var d Dump
	err := b.submit(ctx, func(ctx context.Context) (err error) {
		d.Info, d.Descriptor = b.Info(), slices.Clone(b.descriptor)
		b.taps.Store(tap, nil) // what comes while the reports are asked for counts too
		return (*b.protocol.Load()).dump(ctx, &d)
	})
	defer b.taps.Delete(tap)
	if err != nil {
		return Dump{}, err
	}
	if d.Exchanges != nil {
		return d, nil // such a unit announces nothing
	}
	timer := time.NewTimer(listen)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return d, nil
		case <-ctx.Done():
			return Dump{}, b.interrupted(ctx)
		case <-b.ctx.Done():
			return Dump{}, b.interrupted(ctx)
		case report := <-tap:
			if report == nil {
				return Dump{}, b.wrap("read", ErrDisconnected, errors.New("no more input reports"))
			}
			if len(d.Inputs) < maxDumped {
				d.Inputs = append(d.Inputs, RawReport{report[0], report, nil})
			}
		}
	}
}

// DumpField is one value in a report of a [Dump], and what this package makes of it.
type DumpField struct {
	Report string // "feature", "input", or "reply" of a unit of product 0001
	ID     byte   // of the report; the letter of a reply
	Path   string // HID usage path, or what the bytes of a reply are called
	Offset int    // bits behind the report id or letter
	Size   int    // bits
	// Raw is the number that came. It has no value where the report did not come or is too short.
	Raw Value[uint32]
	// Key is that of the [Field] which this is, such as "input.voltage"; empty where it is not
	// understood.
	Key string
	// Copy is true of a flag that the unit repeats: another report is read for that key.
	Copy bool
	// Reading is what this report says, in the unit of the field; empty where it says nothing, as
	// for a raw value that means "none".
	Reading string

	from coder
}

// coder turns a value into the raw number that says it, and puts that into a payload.
type coder interface {
	encode(value float64) (raw uint32, err error)
	put(payload []byte, raw uint32)
}

// Encode returns the raw number that the unit would send for a value in the unit of the field, a
// flag as 0 or 1. It fails for a value that the report cannot say.
func (f DumpField) Encode(value float64) (raw uint32, err error) {
	if f.Key == "" {
		return 0, fmt.Errorf("tripplite: %s is not understood", f.Path)
	}
	return f.from.encode(value)
}

// Put writes a raw number into the payload of the field's report, behind its id. It panics where
// the payload is too short.
func (f DumpField) Put(payload []byte, raw uint32) { f.from.put(payload, raw) }

// Fields explains a dump: every field that the descriptor declares, or without one every field that
// this package knows, in the order of report ids. A field of a report that did not come has no Raw.
func (d Dump) Fields() []DumpField {
	if d.Exchanges != nil {
		return explainExchanges(d.Exchanges)
	}
	p, err := descriptorPlan(d.Descriptor)
	if err != nil {
		p = settledPlan(d.Features)
	}
	parsed, _ := hidreport.Parse(d.Descriptor)
	fields := explain("feature", hidreport.Feature, parsed, p.features, d.Features)
	return append(fields, explain("input", hidreport.Input, parsed, p.inputs, d.Inputs)...)
}

// settledPlan is the plan by the table, with the layouts that the lengths of the answers tell.
func settledPlan(reports []RawReport) plan {
	p := tablePlan()
	for _, r := range reports {
		byLength := func(e entry) bool { return e.id == r.ID && e.byLength }
		if len(r.Bytes) > 1 && slices.ContainsFunc(p.features, byLength) {
			p.settle(r.ID, r.Bytes[1:])
		}
	}
	return p
}

// explain returns the fields of every report that came or that is declared or in the plan.
func explain(
	name string, t hidreport.Type, d *hidreport.Descriptor, entries []entry, reports []RawReport,
) []DumpField {
	ids := d.IDs(t)
	for _, e := range entries {
		ids = append(ids, e.id)
	}
	for _, id := range ids {
		if !slices.ContainsFunc(reports, func(r RawReport) bool { return r.ID == id }) {
			reports = append(slices.Clip(reports), RawReport{ID: id})
		}
	}
	if t == hidreport.Feature {
		reports = slices.SortedStableFunc(slices.Values(reports),
			func(a, b RawReport) int { return cmp.Compare(a.ID, b.ID) })
	}
	var fields []DumpField
	for _, r := range reports {
		var payload []byte
		if len(r.Bytes) > 0 && r.Bytes[0] == r.ID {
			payload = r.Bytes[1:]
		}
		add := func(path string, offset, size int, own *reading) {
			f := DumpField{Report: name, ID: r.ID, Path: path, Offset: offset, Size: size}
			f.from = &reading{offset: offset, size: size}
			if raw, ok := hidreport.Bits(payload, offset, size); ok {
				f.Raw = ValueOf(raw)
			}
			if own != nil {
				f.explain(*own, payload)
			}
			fields = append(fields, f)
		}
		declared := false
		for _, f := range d.Fields {
			if f.Type == t && f.ReportID == r.ID && f.Usage() != 0 {
				declared = true
				add(f.Path.String(), f.Offset, f.Size*f.Count, readingAt(entries, r.ID, f))
			}
		}
		for _, e := range entries {
			for _, own := range e.readings {
				if !declared && e.id == r.ID {
					size := cmp.Or(own.size, 8*e.bytes)
					if e.short && len(payload) > 0 {
						size = min(size, 8*len(payload))
					}
					path := e.name
					if own.name != path {
						path += "." + own.name // a flag
					}
					add(path, own.offset, size, &own)
				}
			}
		}
	}
	return fields
}

// readingAt returns the reading that a plan has of a declared field, or that of the flag which the
// field repeats, or nil.
func readingAt(entries []entry, id byte, f hidreport.Field) *reading {
	for _, e := range entries {
		for _, r := range e.readings {
			if e.id == id && r.offset == f.Offset {
				return &r
			}
		}
	}
	if flag, ok := flagOf(f); ok {
		r := flag.at(f.Offset, f.Size)
		r.copy = true
		return &r
	}
	return nil
}

// explain fills in what a reading is and what it says.
func (f *DumpField) explain(r reading, payload []byte) {
	f.Key, f.Copy = r.field.Key, r.copy
	r.size = cmp.Or(r.size, f.Size)
	f.from = &r
	var s record
	e := entry{readings: []reading{r}}
	if e.decode(payload, &s); !r.copy {
		f.Reading, _ = r.field.at(&s).text()
	}
}
