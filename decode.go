package tripplite

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/tripplite-go/tripplite/internal/hidreport"
)

// reading is where one value lies in a report, and which field it fills.
type reading struct {
	name         string // the path of its row in the table, or of its flag
	offset, size int    // bits; a size of 0 is the whole payload
	least, most  uint32
	field        *field
	scale        scale
	index        bool // the value is the index of the string that the field takes

	copy bool // another report is read for the field
	none bool // its report was read and had no value for it
}

// decode stores what a payload says in r, and that there is no value where it is out of bounds or
// beyond the payload.
func (e *entry) decode(payload []byte, r *record) {
	for i := range e.readings {
		at := &e.readings[i]
		raw, known := at.raw(payload)
		at.field.at(r).set(at.scale.value(raw), known && !at.index)
	}
}

// note keeps which readings have no value, for the reports that stand in for them.
func (e *entry) note(payload []byte) {
	for i := range e.readings {
		_, known := e.readings[i].raw(payload)
		e.readings[i].none = !known
	}
}

// raw returns the raw value of a reading, if it is one; else 0.
func (r *reading) raw(payload []byte) (raw uint32, known bool) {
	size := r.size
	if size == 0 {
		size = 8 * len(payload)
	}
	raw, ok := hidreport.Bits(payload, r.offset, size)
	if !ok || raw < r.least || r.most != 0 && raw > r.most {
		return 0, false
	}
	return raw, true
}

// encode is the reverse of decode for one reading: it returns the raw number for a value in the
// unit of the field, rounded to the nearest.
func (r *reading) encode(value float64) (raw uint32, err error) {
	n := math.Round(r.scale.raw(value))
	most := float64(uint64(1)<<r.size - 1)
	if r.most != 0 {
		most = min(most, float64(r.most))
	}
	if !(n >= float64(r.least) && n <= most) { // also NaN
		text := fmt.Sprintf("%s cannot be %v %s", r.field.Key, value, r.field.Unit)
		return 0, errors.New(strings.TrimSpace(text))
	}
	return uint32(n), nil
}

// put packs the raw number of a reading into a payload.
func (r *reading) put(payload []byte, raw uint32) {
	hidreport.SetBits(payload, r.offset, r.size, raw)
}
