package virtualups

import (
	"slices"
	"time"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// Interface is one HID interface of a [UPS].
type Interface struct {
	ups    *UPS // its mutex guards what follows
	number int
	source capture.Interface

	hangs      bool // when its report descriptor is asked for
	descriptor []byte
	reports    map[reportKey]Answer
	faults     map[byte]Fault
	fault      Fault         // of every report that has none of its own
	inputs     [][]byte      // wait for an interrupt read; of the first some may have been read
	pushed     chan struct{} // has an element when inputs may have grown
	acting     *capture.Acting
	framed     *capture.Framed // nil of a unit without exchanges
}

type reportKey struct {
	kind capture.Type
	id   byte
}

func newInterface(u *UPS, number int, source capture.Interface) *Interface {
	i := &Interface{
		ups:        u,
		number:     number,
		source:     source,
		descriptor: source.Descriptor,
		reports:    map[reportKey]Answer{},
		faults:     map[byte]Fault{},
		pushed:     make(chan struct{}, 1),
		framed:     capture.NewFramed(source.Exchanges),
	}
	for _, r := range source.Reports {
		i.reports[reportKey{r.Type, byte(r.ID)}] = Answer{Bytes: r.Bytes, Stall: r.Error == capture.Stall}
	}
	i.acting = capture.NewActing(u.capture, number, &u.mu, i.payload)
	i.powerOn()
	return i
}

// payload returns that of a feature report, nil where the unit does not answer for it. It is called
// with the unit locked.
func (i *Interface) payload(id byte) []byte {
	a := i.reports[reportKey{capture.Feature, id}]
	if a.Stall || len(a.Bytes) == 0 || a.Bytes[0] != id {
		return nil
	}
	return a.Bytes[1:]
}

// powerOn puts the input reports of the capture, and no others, into the interrupt endpoint.
func (i *Interface) powerOn() {
	i.inputs = nil
	for _, r := range i.source.Reports {
		if r.Type == capture.Input && r.Error == "" {
			i.inputs = append(i.inputs, r.Bytes)
		}
	}
}

// SetReport changes what the unit answers for a report, or gives it one that it did not have. It
// announces nothing: see [Interface.Push].
func (i *Interface) SetReport(t capture.Type, id byte, payload ...byte) {
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	i.reports[reportKey{t, id}] = Answer{Bytes: append([]byte{id}, payload...)}
}

// Push sends an input report, its id first, by the interrupt endpoint: to a read that waits, or
// else to the next one. The input reports of the capture are there whenever the unit is plugged in.
// A unit that is unplugged loses what is pushed.
func (i *Interface) Push(report ...byte) {
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	if !i.ups.plugged || len(report) == 0 {
		return
	}
	i.inputs = append(i.inputs, slices.Clone(report))
	select {
	case i.pushed <- struct{}{}:
	default:
	}
}

// SetDescriptor replaces the report descriptor. The kernel sees it when the unit is plugged in the
// next time. Without bytes the unit declares a descriptor and stalls the request for it. So does a
// unit whose capture has no descriptor.
func (i *Interface) SetDescriptor(descriptor []byte) {
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	i.descriptor = slices.Clone(descriptor)
}

// Fail makes the reports of those ids fail until [Interface.Heal], or every report where none is
// named. The fault of a named report goes before the fault of every report. SET_REPORT stalls, is
// late or hangs as GET_REPORT does.
func (i *Interface) Fail(f Fault, ids ...byte) {
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	if len(ids) == 0 {
		i.fault = f
	}
	for _, id := range ids {
		i.faults[id] = f
	}
}

// Heal takes Fail back for the reports of those ids, or for all where none is named. A transfer
// that hangs goes on hanging until its host gives up.
func (i *Interface) Heal(ids ...byte) {
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	if len(ids) == 0 {
		i.fault = nil
		clear(i.faults)
	}
	for _, id := range ids {
		delete(i.faults, id)
	}
}

// faultOf returns what becomes of the answers for a report. It is called with the unit locked, its
// result without.
func (i *Interface) faultOf(id byte) Fault {
	if f, ok := i.faults[id]; ok {
		return f
	}
	if i.fault != nil {
		return i.fault
	}
	return func(a Answer) Answer { return a }
}

func (i *Interface) answerGet(t capture.Type, id byte) Answer {
	i.ups.mu.Lock()
	a, ok := i.reports[reportKey{t, id}]
	a.Bytes = slices.Clone(a.Bytes) // a fault may write to it
	if payload := i.payload(id); t == capture.Feature && payload != nil {
		copy(a.Bytes[1:], i.acting.Answer(id, payload))
	}
	fault := i.faultOf(id)
	i.ups.mu.Unlock()
	a.Stall = a.Stall || !ok
	return fault(a)
}

// Framed returns how the interface replies to commands, or nil where it takes none.
func (i *Interface) Framed() *capture.Framed { return i.framed }

// replyTime is how long a unit of the framed protocol takes to reply. Real ones take 80 ms at best,
// which would only make tests slow.
const replyTime = 10 * time.Millisecond

// SetMains tells the unit whether there is line power, which its load depends on. Only the status
// of a unit of the framed protocol changes by it; of others SetReport does that.
func (i *Interface) SetMains(mains bool) {
	if i.framed != nil {
		i.framed.SetMains(mains)
	}
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	i.acting.SetMains(mains)
}

// LoadOn reports whether the load of the unit has power. See [capture.Acting] and [capture.Framed]
// for how a unit acts on commands.
func (i *Interface) LoadOn() bool {
	if i.framed != nil {
		return i.framed.LoadOn()
	}
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	return i.acting.LoadOn()
}

// OutletOn reports whether a group of outlets has power, of which a unit of the framed protocol may
// have several. The first one is 1. Those of other units are the load.
func (i *Interface) OutletOn(n int) bool {
	if i.framed != nil {
		return i.framed.OutletOn(n)
	}
	return i.LoadOn()
}

// stop ends the timers of the unit.
func (i *Interface) stop() {
	if i.framed != nil {
		i.framed.Stop()
	}
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	i.acting.Stop()
}

// answerSet acts on what was written. A report that is no command is stored, so that a later read
// shows it. A unit of the framed protocol takes it for a command and replies by its interrupt
// endpoint.
func (i *Interface) answerSet(t capture.Type, id byte, data []byte) Answer {
	i.ups.mu.Lock()
	key := reportKey{t, id}
	_, ok := i.reports[key]
	fault := i.faultOf(id)
	i.ups.counts.Writes = append(i.ups.counts.Writes, Write{
		Time: time.Now(), Interface: i.number, Type: t, ID: id, Bytes: slices.Clone(data)})
	command := i.framed != nil && id == 0 && t != capture.Input
	drops := i.ups.countDown(command, data)
	i.ups.mu.Unlock()
	if drops {
		defer i.ups.Unplug()
	}

	a := fault(Answer{Write: true, Stall: !ok && !command})
	a.Bytes = nil
	switch {
	case a.Stall, a.Ignored, command && a.Never:
		return a
	case command:
		for reply, late := range i.framed.Take(data) {
			time.AfterFunc(a.Delay+replyTime+late, func() { i.Push(reply...) })
		}
		return a
	}
	stored := slices.Clone(data)
	if id == 0 {
		stored = append([]byte{0}, data...) // came without its id (HID 1.11 section 8.1)
	}
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	if t == capture.Feature && len(stored) > 0 {
		stored = slices.Concat(stored[:1], i.acting.Write(id, stored[1:]))
	}
	i.reports[key] = Answer{Bytes: stored}
	return a
}

// HangDescriptor makes the interface leave every request for its report descriptor unanswered, as a
// half-dead unit does that enumerates and then answers no more. It is for before the unit is
// attached.
func (i *Interface) HangDescriptor() {
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	i.hangs = true
}

func (i *Interface) descriptorHangs() bool {
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	return i.hangs
}

func (i *Interface) reportDescriptor() []byte {
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	if len(i.descriptor) == 0 {
		return nil
	}
	return i.descriptor
}

func (i *Interface) hasInput() bool {
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	return len(i.inputs) > 0
}

// takeInput fills a read of n bytes from the first report. A report that is longer goes on in the
// next read, packet by packet (HID 1.11 section 8.4). A read that ends within a packet overflows
// and loses the rest of the packet, as on a host controller.
func (i *Interface) takeInput(n int) (data []byte, status int32) {
	i.ups.mu.Lock()
	defer i.ups.mu.Unlock()
	if len(i.inputs) == 0 {
		return nil, 0
	}
	report := i.inputs[0]
	if len(report) <= n {
		i.inputs = i.inputs[1:]
		return report, 0
	}
	within := n % maxPacket
	if within == 0 {
		i.inputs[0] = report[n:]
		return report[:n], 0
	}
	if whole := n - within + maxPacket; whole < len(report) {
		i.inputs[0] = report[whole:]
	} else {
		i.inputs = i.inputs[1:]
	}
	return report[:n], overflowed
}
