package tripplitetest

import (
	"reflect"
	"strings"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/hidreport"
)

// places says where the readings of a unit lie in its reports. They are taken from what the library makes of the unit, so that a test
// sets a reading just where a program will find it.
type places struct {
	features map[string][]place // by the key in the JSON of State; several where a unit says the same twice
	inputs   []input
}

// place is a number in a report: bits behind the report id.
type place struct {
	id           byte
	offset, size int
}

// input is a report that the unit sends by itself when it changes.
type input struct {
	id    byte
	bytes int
	same  map[place]place // in the input report: in a feature report
}

// placesIn asks the library about every report that there could be.
func placesIn(descriptor []byte, dev *capture.Device) places {
	d := tripplite.Dump{Descriptor: descriptor}
	for id := range 1 << 8 {
		feature := tripplite.RawReport{ID: byte(id)}
		if payload, ok := dev.Payload(byte(id)); ok {
			feature.Bytes = append([]byte{byte(id)}, payload...)
		}
		d.Features = append(d.Features, feature)
		d.Inputs = append(d.Inputs, tripplite.RawReport{ID: byte(id)})
	}
	p := places{features: map[string][]place{}}
	lengths, err := hidreport.Parse(descriptor)
	for _, f := range d.Fields() {
		at, key := place{f.ID, f.Offset, f.Size}, keyOf(f)
		switch {
		case key == "" || f.Size > 32:
		case f.Report == "feature":
			p.features[key] = append(p.features[key], at)
		default: // the features come first
			in := p.input(at.id)
			in.bytes = max(in.bytes, (at.offset+at.size+7)/8)
			if n, ok := lengths.Len(hidreport.Input, at.id); ok && err == nil {
				in.bytes = n
			}
			for _, feature := range p.features[key] {
				if _, found := in.same[at]; !found || feature.id == at.id {
					in.same[at] = feature
				}
			}
		}
	}
	return p
}

// input returns the input report of that id.
func (p *places) input(id byte) *input {
	for i := range p.inputs {
		if p.inputs[i].id == id {
			return &p.inputs[i]
		}
	}
	p.inputs = append(p.inputs, input{id: id, same: map[place]place{}})
	return &p.inputs[len(p.inputs)-1]
}

// keyOf returns the place in the JSON of State that a field has, or would have if no other report said the same: units repeat flags of
// the summary in the battery's status.
func keyOf(f tripplite.DumpField) string {
	collection, name, _ := cutLast(f.Path, ".")
	if f.Key == "" && strings.HasSuffix(collection, ".PresentStatus") {
		if key, ok := statusKey(name); ok {
			return key
		}
	}
	return f.Key
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// statusKey returns the key in the JSON of State of a flag that is named as in the HID power device class.
func statusKey(name string) (key string, ok bool) {
	field, ok := reflect.TypeFor[tripplite.Status]().FieldByName(name)
	tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return "status." + tag, ok
}

// report returns an input report as the unit would send it now.
func (in input) report(dev *capture.Device) []byte {
	payload := make([]byte, in.bytes)
	for at, feature := range in.same {
		if raw, ok := feature.read(dev); ok {
			at.write(payload, raw)
		}
	}
	return append([]byte{in.id}, payload...)
}

// read returns what a unit answers at a place, if it answers with enough.
func (p place) read(dev *capture.Device) (raw uint32, ok bool) {
	payload, _ := dev.Payload(p.id)
	return hidreport.Bits(payload, p.offset, p.size)
}

// write packs a number as HID does: little endian, least significant bit first (HID 1.11, 5.8).
func (p place) write(payload []byte, raw uint32) {
	for i := range p.size {
		bit := p.offset + i
		payload[bit/8] &^= 1 << (bit % 8)
		payload[bit/8] |= byte(raw>>i&1) << (bit % 8)
	}
}
