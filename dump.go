package tripplite

import (
	"cmp"
	"context"
	"encoding/json"
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
}

// RawReport is one report as it came, or why it did not.
type RawReport struct {
	ID    byte
	Bytes []byte // the id first; empty where the unit answered with nothing
	Err   error  // why no answer came; nil also for an answer of no bytes
}

// Dump asks for every report once, then listens for input reports for as long as it is told. Meanwhile it has the unit to itself. Its
// errors are those of [Battery.Get], but a report that fails is no error: the Dump says so.
func (b *Battery) Dump(ctx context.Context, listen time.Duration) (Dump, error) {
	var d Dump
	err := b.submit(ctx, func() error { return b.dump(ctx, listen, &d) })
	if err != nil {
		return Dump{}, err
	}
	return d, nil
}

func (b *Battery) dump(ctx context.Context, listen time.Duration, d *Dump) error {
	if err := b.connected(); err != nil {
		return err
	}
	d.Info, d.Descriptor = b.Info(), slices.Clone(b.descriptor)
	for _, e := range dumped(b.descriptor) {
		if err := b.interrupted(ctx); err != nil {
			return err
		}
		buffer := make([]byte, 1+e.bytes)
		buffer[0] = e.id
		n, err := b.dev.GetFeatureReport(buffer)
		if err != nil && !b.alive(&e) {
			return b.drop(fmt.Errorf("report %s: %w", hexID(e.id), err))
		}
		d.Features = append(d.Features, RawReport{e.id, buffer[:max(0, min(n, len(buffer)))], err})
	}
	b.unlisten()
	buffer := make([]byte, maxInput)
	for until := time.Now().Add(listen); time.Now().Before(until); {
		if err := b.interrupted(ctx); err != nil {
			return err
		}
		n, err := b.dev.ReadTimeout(buffer, int(min(listenTimeout, time.Until(until)).Milliseconds()))
		if err != nil {
			return b.drop(fmt.Errorf("input reports: %w", err))
		}
		if report := buffer[:max(0, min(n, len(buffer)))]; len(report) > 0 {
			d.Inputs = append(d.Inputs, RawReport{report[0], slices.Clone(report), nil})
		}
	}
	return nil
}

// dumped is every feature report that a descriptor declares, whatever it is for, and every one of the table that it does not.
func dumped(descriptor []byte) []entry {
	var entries []entry
	for _, row := range reports {
		if row.id != 0 {
			entries = append(entries, entry{id: row.id, bytes: cmp.Or(row.bytes, maxStatus)})
		}
	}
	d, _ := hidreport.Parse(descriptor) // what could be read of a broken one is worth asking for
	for _, id := range d.IDs(hidreport.Feature) {
		entries = slices.DeleteFunc(entries, func(e entry) bool { return e.id == id })
		bytes, _ := d.Len(hidreport.Feature, id)
		entries = append(entries, entry{id: id, bytes: bytes})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.id, b.id) })
	return entries
}

// DumpField is one value in a report of a [Dump], and what this package makes of it.
type DumpField struct {
	Report string // "feature" or "input"
	ID     byte
	Path   string // HID usage path
	Offset int    // bits behind the report id
	Size   int    // bits
	// Raw is the number that came; it has no value where the report did not come or is too short.
	Raw Value[uint32]
	// Key is the place in the JSON of State that the field fills, such as "input.voltage"; empty where the field is not understood.
	Key string
	// Reading is what State says, in its unit; empty where it says nothing, as for a raw value that means "none".
	Reading string
}

// Fields explains a dump: every field that the descriptor declares, or without one every field that this package knows, in the order
// of report ids.
func (d Dump) Fields() []DumpField {
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
		if readings := layoutOf(r.ID, len(r.Bytes)-1); readings != nil {
			p.settle(r.ID, len(r.Bytes)-1, readings)
		}
	}
	return p
}

func explain(name string, t hidreport.Type, d *hidreport.Descriptor, entries []entry, reports []RawReport) []DumpField {
	var fields []DumpField
	for _, r := range reports {
		var payload []byte
		if len(r.Bytes) > 0 && r.Bytes[0] == r.ID {
			payload = r.Bytes[1:]
		}
		add := func(path string, offset, size int) {
			f := DumpField{Report: name, ID: r.ID, Path: path, Offset: offset, Size: size}
			if raw, ok := hidreport.Bits(payload, offset, size); ok {
				f.Raw = ValueOf(raw)
			}
			for _, e := range entries {
				for _, reading := range e.readings {
					if e.id == r.ID && reading.offset == offset {
						f.Key, f.Reading = reading.explain(payload)
					}
				}
			}
			fields = append(fields, f)
		}
		declared := false
		for _, f := range d.Fields {
			if f.Type == t && f.ReportID == r.ID && f.Usage() != 0 {
				add(f.Path.String(), f.Offset, f.Size*f.Count)
				declared = true
			}
		}
		for _, e := range entries {
			for _, reading := range e.readings {
				if !declared && e.id == r.ID {
					add(e.name, reading.offset, cmp.Or(reading.size, 8*e.bytes))
				}
			}
		}
	}
	return fields
}

// explain returns the place in State that a reading fills, and with what.
func (r reading) explain(payload []byte) (key, value string) {
	var probe, s State
	r.set(&probe, 1, true)
	key, _ = leaf(probe)
	e := entry{readings: []reading{r}}
	e.decode(payload, &s)
	_, value = leaf(s)
	return key, value
}

// leaf returns the only value that a State holds, by its place in the JSON.
func leaf(s State) (key, value string) {
	text, err := json.Marshal(s)
	if err != nil {
		return "", ""
	}
	var branches map[string]json.RawMessage
	for json.Unmarshal(text, &branches) == nil && len(branches) == 1 {
		for name, branch := range branches {
			key, text = key+"."+name, branch
		}
		branches = nil
	}
	if key == "" {
		return "", ""
	}
	var scalar any
	if err := json.Unmarshal(text, &scalar); err != nil {
		return "", ""
	}
	return key[1:], fmt.Sprint(scalar)
}
