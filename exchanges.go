package tripplite

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/tripplite-go/tripplite/internal/frame"
)

// explainExchanges returns what each byte of each reply is. The bytes that no variant explains are
// fields, too.
func explainExchanges(exchanges []RawExchange) []DumpField {
	replies := map[byte][]byte{} // by letter
	var order []byte
	for _, e := range exchanges {
		letter, _, err := frame.ParseCommand(e.Command)
		if err != nil || slices.Contains(order, letter) {
			continue
		}
		order = append(order, letter)
		if len(e.Reply) > 0 && e.Reply[0] == letter {
			replies[letter] = e.Reply
		}
	}
	var r record
	questions := []question{protocolQuestion}
	if _, data, err := protocolQuestion.parse(replies[0]); err == nil {
		protocolQuestion.decode(data, &r)
	}
	_, nominal, _ := nominalASCII.parse(replies[nominalASCII.letter])
	if v := variantOf(r.state.Config.ProtocolVersion.Or(0), nominal); v != nil {
		questions = append(questions, v.questions...)
	}
	for i := range questions {
		q := &questions[i]
		if _, data, err := q.parse(replies[q.letter]); err == nil && q.nonsense(data) == nil {
			q.decode(data, &r)
		}
	}
	judge(&r)
	var fields []DumpField
	for _, letter := range order {
		q := question{letter: letter, bytes: -1}
		if i := slices.IndexFunc(questions, func(q question) bool { return q.letter == letter }); i >= 0 {
			q = questions[i]
		}
		_, data, _ := q.parse(replies[letter])
		fields = append(fields, q.explain(data, &r)...)
	}
	return fields
}

// explain returns the fields of a reply on a unit whose readings r has.
func (q *question) explain(data []byte, r *record) []DumpField {
	var fields []DumpField
	letter, _, _ := strings.Cut(q.title(), ",")
	add := func(p *part, key string) {
		f := DumpField{
			Report: "reply", ID: q.letter, Path: letter + "." + p.name, Offset: 8 * p.at, Size: 8 * p.bytes,
			Key: key, from: &framedField{p, key, data, r},
		}
		if p.mask != 0 && p.codes == nil {
			f.Offset, f.Size = f.Offset+p.shift(), bits.OnesCount32(p.mask)
		}
		if raw, ok := p.number(data); ok {
			f.Raw = ValueOf(raw)
		}
		if key != "" {
			var s record
			s.state.Config = r.state.Config
			own := question{parts: []part{*p}}
			own.decode(data, &s)
			if _, known := fieldOf(key).at(r).value(); known { // it may be judged to say nothing
				f.Reading, _ = fieldOf(key).at(&s).text()
			}
		}
		fields = append(fields, f)
	}
	covered := 0
	for _, p := range q.inOrder() {
		if p.at > covered {
			add(unused(covered, p.at-covered), "")
		}
		covered = max(covered, p.at+p.bytes)
		for _, key := range p.keys() {
			if group, is := strings.CutPrefix(key, "outlets."); is && absent(group, r) {
				key = ""
			}
			add(&p, key)
		}
	}
	if rest := max(q.bytes, len(data)) - covered; rest > 0 {
		add(unused(covered, rest), "")
	}
	return fields
}

// absent reports whether a unit does not have an outlet group.
func absent(group string, r *record) bool {
	groups, known := r.state.Config.Outlets.Get()
	return known && group > strconv.Itoa(int(groups)) // they are single digits
}

func unused(at, bytes int) *part {
	return &part{at: at, bytes: bytes, coding: asciiText, name: "unused"}
}

// inOrder returns the parts in the order of their bytes.
func (q *question) inOrder() []part {
	return slices.SortedStableFunc(slices.Values(q.parts), func(a, b part) int { return a.at - b.at })
}

// keys returns the keys of the fields that a part has, or one empty one.
func (p *part) keys() []string {
	keys := map[string]bool{}
	for code, values := range p.codes {
		if !p.means(code) {
			continue
		}
		for key := range values {
			keys[key] = true
		}
	}
	if p.codes == nil || len(keys) == 0 {
		return []string{p.key}
	}
	return slices.Sorted(maps.Keys(keys))
}

// framedField is a field of a reply, with the reply and what else is known of the unit.
type framedField struct {
	part *part
	key  string
	data []byte
	r    *record
}

// encode returns the number for a value. Of several codes that say it, it takes the one that says
// the most of what the present one says of other fields.
func (f *framedField) encode(value float64) (uint32, error) {
	p := f.part
	now, _ := p.raw(f.data)
	fit := -1
	var best uint32
	for _, code := range slices.Sorted(maps.Keys(p.codes)) {
		says := p.codes[code]
		if v, ok := says[f.key]; !ok || v != value || !p.means(code) {
			continue
		}
		same := 0
		for key, v := range p.codes[now] {
			if w, ok := says[key]; ok && w == v {
				same++
			}
		}
		if same > fit {
			fit, best = same, code
		}
	}
	if fit >= 0 {
		return best, nil
	}
	times, known := p.times.of(&f.r.state.Config)
	if p.codes == nil && known && p.coding != asciiText {
		n := value / times
		if p.div != 0 {
			n *= p.div
		}
		n = math.Round(n)
		if most := f.most(); n >= float64(p.least) && n <= most {
			return uint32(n), nil
		}
	}
	text := fmt.Sprintf("%s cannot be %v %s", f.key, value, fieldOf(f.key).Unit)
	return 0, errors.New(strings.TrimSpace(text))
}

// most returns the highest number that the bytes can say.
func (f *framedField) most() float64 {
	p := f.part
	most := math.Pow(float64(p.coding.base()), float64(p.bytes)) - 1
	if p.mask != 0 {
		most = 1
	}
	if p.most != 0 {
		most = min(most, float64(p.most))
	}
	return most
}

// put writes the bytes for a number.
func (f *framedField) put(payload []byte, raw uint32) {
	p := f.part
	b := payload[p.at : p.at+p.bytes]
	switch p.coding {
	case hexDigits:
		copy(b, fmt.Sprintf("%0*X", p.bytes, raw))
	case decimalDigits:
		copy(b, fmt.Sprintf("%0*d", p.bytes, raw))
	case bigEndian, packedDigits:
		if p.mask != 0 {
			b[0] = b[0]&^byte(p.mask) | byte(raw)<<p.shift()
			return
		}
		for i := range b {
			b[i] = byte(raw >> (8 * (p.bytes - 1 - i)))
		}
	}
}
