package tripplite

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tripplite-go/tripplite/internal/hidreport"
	"github.com/tripplite-go/tripplite/internal/usb"
)

// hidPower reads a unit that is a HID power device: by feature reports, as its plan says.
type hidPower struct {
	dev        Device
	path       string
	log        *slog.Logger
	descriptor []byte

	plan    plan
	config  Config // the nominal readings, which are asked for once
	buffer  []byte
	scratch record    // for the flags of one status: each decode sets all of them
	asked   time.Time // when the last transfer began
	reads   [setting + 1]int
	retried int // the place in the plan of the withheld report that was last asked for again

	inputs atomic.Pointer[[]entry] // a copy of the plan's, for announced
}

func newHIDPower(dev Device, descriptor []byte, path string, log *slog.Logger) *hidPower {
	h := &hidPower{dev: dev, path: path, log: log, descriptor: descriptor}
	h.plan = h.planBy(descriptor)
	if _, ok := dev.(stringReader); !ok {
		h.plan.features = slices.DeleteFunc(h.plan.features, func(e entry) bool { return e.index })
	}
	h.publishInputs()
	return h
}

// stringReader is a Device that can also read the string descriptors of its unit.
type stringReader interface {
	StringDescriptor(index byte) (string, error)
}

// planBy returns the plan for a unit with that descriptor. Where the descriptor is missing or no
// use it returns the one that asks for every report.
func (h *hidPower) planBy(descriptor []byte) plan {
	if len(descriptor) == 0 {
		return tablePlan()
	}
	p, err := descriptorPlan(descriptor)
	if err != nil {
		h.log.Warn("the report descriptor is no use: the unit is asked for each report",
			"path", h.path, "err", err)
		return tablePlan()
	}
	h.log.Debug("declared and not understood", "path", h.path, "reports", p.unknown)
	return p
}

// publishInputs gives announced the plan's input reports, as a copy that the worker does not
// change.
func (h *hidPower) publishInputs() {
	inputs := slices.Clone(h.plan.inputs)
	h.inputs.Store(&inputs)
}

// read asks for every report that is due. It fills r in place, so that a read allocates nothing.
func (h *hidPower) read(ctx context.Context, want cadence, r *record) error {
	*r = record{state: State{Path: h.path, Config: h.config}}
	h.reads[want]++
	again := h.nextWithheld(want)
	var failed []*ReportError
	for i := range h.plan.features {
		e := &h.plan.features[i]
		if i != again && !h.due(e, want) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		payload, err := h.ask(e)
		switch {
		case err == nil:
			e.answer = given
			e.note(payload)
			e.decode(payload, r)
			if e.status {
				r.state.Time = h.asked
			}
			if e.index {
				index, _ := e.readings[0].raw(payload)
				h.readString(byte(index), e.readings[0].field.at(r))
			}
		case !answered(err) && !h.alive(e, err):
			return &lostError{fmt.Errorf("report %s: %w", hexID(e.id), err)}
		case e.status:
			return h.failure(e, err)
		case e.answer != given && e.refused():
			h.log.Debug("the unit does not provide a report",
				"path", h.path, "id", hexID(e.id), "name", e.name, "err", err)
		default:
			failed = append(failed, h.failure(e, err))
		}
	}
	h.config = r.state.Config
	if failed != nil {
		return &PartialError{Reports: failed}
	}
	return nil
}

func (h *hidPower) failure(e *entry, err error) *ReportError {
	return &ReportError{Path: h.path, ID: e.id, Name: e.name, Err: err}
}

// due reports whether a report has to be asked for.
func (h *hidPower) due(e *entry, want cadence) bool {
	switch {
	case e.answer == withheld,
		e.when == nominal && e.answer == given,
		(e.when == setting) != (want == setting):
		return false
	}
	return e.insteadOf == "" || !h.plan.provides(e.insteadOf)
}

// How long a report that has never been answered is asked for in each read. One that the unit
// declares is named in each read's error meanwhile: the failure may be a passing one.
const (
	refusalsDeclared   = 10
	refusalsUndeclared = 2
)

// refused counts one more refusal of a report that was never answered. It reports whether that is
// no failure of the read.
func (e *entry) refused() bool {
	e.refusals++
	limit := refusalsUndeclared
	if e.declared {
		limit = refusalsDeclared
	}
	if e.refusals >= limit {
		e.answer = withheld
	}
	return e.answer == withheld || !e.declared
}

// askAgain is after how many reads one of the withheld reports is asked for again.
const askAgain = 10

// nextWithheld returns the place in the plan of the withheld report whose turn it is, or -1.
func (h *hidPower) nextWithheld(want cadence) int {
	if h.reads[want]%askAgain != 0 {
		return -1
	}
	for n := range h.plan.features {
		i := (h.retried + 1 + n) % len(h.plan.features)
		e := &h.plan.features[i]
		if e.answer == withheld && (e.when == setting) == (want == setting) {
			h.retried = i
			return i
		}
	}
	return -1
}

// tries is how often a report is asked for while the unit gives malformed answers.
const tries = 3

// ask returns the payload of a report, which is valid until the next call.
func (h *hidPower) ask(e *entry) (payload []byte, err error) {
	if e.status || e.byLength {
		return h.askStatus(e)
	}
	for range tries {
		payload, err = h.transfer(e)
		if err == nil || !malformed(err) {
			break
		}
	}
	return payload, err
}

// askStatus asks for the status until the answer can be believed. A status that contradicts itself
// is believed when it comes three times in a row. One with padding bits set never is: a 4003 and an
// a011 answer now and then with the charge under the id of the status (NUT #1268, #3152).
func (h *hidPower) askStatus(e *entry) (payload []byte, err error) {
	length, wrong, same := 0, 0, 0
	var contradiction []byte
	for range 2 * tries {
		payload, err = h.transfer(e)
		if err == nil && e.byLength {
			payload, err = h.fit(e, payload, &length)
		}
		if err == nil {
			err = e.nonsense(payload)
		}
		switch {
		case err == nil:
			e.decode(payload, &h.scratch)
			if !contradicts(h.scratch.state.Status) {
				return payload, nil
			}
			if same++; !bytes.Equal(payload, contradiction) {
				contradiction, same = slices.Clone(payload), 1
			}
			if same == tries {
				return payload, nil
			}
			err = answerError(fmt.Sprintf(
				"the status % x says neither line power nor discharging, and not each time", payload))
		case err == errAgain:
		case !malformed(err):
			return nil, err
		default:
			if wrong++; wrong == tries {
				return nil, err
			}
			same = 0
		}
	}
	return nil, err
}

// fit picks the layout of a status by the length of the answer, which has to come twice in a row: a
// truncated answer must not select the short layout. A longer answer later replaces a short layout.
func (h *hidPower) fit(e *entry, payload []byte, length *int) ([]byte, error) {
	switch was := *length; {
	case len(payload) == e.bytes:
		return payload, nil
	case len(payload) < e.bytes:
		return nil, shortAnswer(len(payload), e.bytes)
	case len(payload) != was:
		*length = len(payload)
		return nil, errAgain
	case h.plan.settle(e.id, payload):
		h.publishInputs()
		return payload, nil
	case e.bytes > 0:
		return payload[:e.bytes], nil // the rest is surplus
	}
	return nil, answerError(fmt.Sprintf("the status % x has no known layout", payload))
}

// transfer asks for a report once, for its declared length: more is not part of it, and less is not
// all of it.
func (h *hidPower) transfer(e *entry) ([]byte, error) {
	size := e.bytes
	if e.byLength {
		size = maxStatus
	}
	if len(h.buffer) < 1+size {
		h.buffer = make([]byte, 1+size)
	}
	buffer := h.buffer[:1+size]
	buffer[0] = e.id
	h.asked = time.Now()
	n, err := h.dev.GetFeatureReport(buffer)
	if err != nil {
		return nil, err
	}
	answer := buffer[:max(0, min(n, len(buffer)))]
	if h.log.Enabled(context.Background(), slog.LevelDebug) {
		h.log.Debug("report",
			"path", h.path, "id", hexID(e.id), "name", e.name, "bytes", fmt.Sprintf("% x", answer))
	}
	switch {
	case len(answer) == 0:
		return nil, errEmpty
	case answer[0] != e.id:
		return nil, answerError(fmt.Sprintf("the unit answered with report 0x%02x", answer[0]))
	case len(answer) < 2, len(answer) < 1+size && !e.short && !e.byLength:
		return nil, shortAnswer(len(answer)-1, size)
	}
	return answer[1:], nil
}

// readString stores the string that a report has the index of. A string that cannot be read is
// absent: this user may lack permission on the node that it takes.
func (h *hidPower) readString(index byte, d datum) {
	if index == 0 {
		return // no string (USB 2.0, 9.6.1)
	}
	text, err := h.dev.(stringReader).StringDescriptor(index)
	if err != nil {
		h.log.Debug("a string cannot be read", "path", h.path, "index", index, "err", err)
		return
	}
	*d.(*Value[string]) = ValueOf(text)
}

// answerError reports a malformed answer: the device responded, so it is not disconnected.
type answerError string

func (e answerError) Error() string { return string(e) }

const (
	errEmpty answerError = "the unit answered with nothing"
	errAgain answerError = "the unit answered with another length each time"
)

func shortAnswer(got, want int) error {
	return answerError(fmt.Sprintf("%d bytes came of %d", got, want))
}

func malformed(err error) bool { return errors.As(err, new(answerError)) }

// answered reports whether the device responded to a transfer that failed: with something malformed
// or with a stall, which hidraw tells and hidapi does not.
func answered(err error) bool { return malformed(err) || errors.Is(err, syscall.EPIPE) }

// witnesses is how many other reports are asked for before a unit is taken for lost.
const witnesses = 2

// alive reports whether the unit still answers after a transfer for e failed: then the failure is
// the report's own. A timeout of hidraw has taken five seconds: after that of the status nothing
// else is tried, and after that of another report one more.
func (h *hidPower) alive(e *entry, err error) bool {
	asked := 0
	timedOut := errors.Is(err, syscall.ETIMEDOUT)
	if usb.Gone(err) || timedOut && e.status {
		return false
	}
	if timedOut {
		asked++
	}
	// What has answered before will answer again if anything does.
	for _, state := range []answer{given, unasked} {
		for i := range h.plan.features {
			o := &h.plan.features[i]
			if o.id == e.id || o.answer != state || asked == witnesses {
				continue
			}
			asked++
			if _, err := h.transfer(o); err == nil || answered(err) {
				return true
			}
		}
	}
	return false
}

// announced decodes an input report that is whole, by the plan's layout.
func (h *hidPower) announced(report []byte) (update func(*State), ok bool) {
	if len(report) == 0 {
		return nil, false
	}
	for _, e := range *h.inputs.Load() {
		switch {
		case report[0] != e.id || len(report) <= max(1, e.bytes):
			continue
		case e.bytes == 0:
			return nil, true // its layout is not known yet
		}
		payload := report[1 : 1+e.bytes]
		var r record
		e.decode(payload, &r)
		if e.nonsense(payload) != nil || contradicts(r.state.Status) {
			return nil, true
		}
		return func(s *State) {
			r := record{state: *s}
			e.decode(payload, &r)
			*s = r.state
		}, true
	}
	return nil, false
}

// dump asks for every feature report that the descriptor declares, whatever it is for, and for
// every one of the table that it does not.
func (h *hidPower) dump(ctx context.Context, d *Dump) error {
	for _, e := range dumped(h.descriptor) {
		if err := ctx.Err(); err != nil {
			return err
		}
		buffer := make([]byte, 1+e.bytes)
		buffer[0] = e.id
		n, err := h.dev.GetFeatureReport(buffer)
		if err != nil && !answered(err) && !h.alive(&e, err) {
			return &lostError{fmt.Errorf("report %s: %w", hexID(e.id), err)}
		}
		d.Features = append(d.Features, RawReport{e.id, buffer[:max(0, min(n, len(buffer)))], err})
	}
	return nil
}

// dumped returns an entry for each report that dump asks for, by id.
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

func hexID(id byte) string { return fmt.Sprintf("0x%02x", id) }
