package virtualups

import (
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// UPS is a virtual unit. Its methods may be called from many goroutines, at any time. SetReport,
// Push, SetDescriptor, Fail, Heal, SetMains, LoadOn and OutletOn, called on the UPS itself, are
// about its first HID interface.
type UPS struct {
	*Interface
	Interfaces []*Interface // all of them, in the order of the capture; not to be changed

	server  *Server
	capture *capture.Capture
	number  int

	mu        sync.Mutex
	plugged   bool
	changes   int // times that it was plugged in or unplugged
	device    uint32
	session   *session
	latency   time.Duration
	unheard   time.Duration
	reconsult chan struct{} // has an element when unheard may have changed
	counts    Counts
	reattach  func() error // into this machine's kernel, where it last was; nil if it is not there
	port      int          // where that is
	toDrop    int          // how many writes from now the unit leaves the bus; 0 is never
	dropAfter time.Duration
	drop      *time.Timer // that takes the unit off the bus, or nil
}

// BusID returns the name that the unit is exported under, such as "1-1".
func (u *UPS) BusID() string { return fmt.Sprintf("%d-%d", busNumber, u.number) }

// Capture returns what the unit was made from.
func (u *UPS) Capture() *capture.Capture { return u.capture }

// SetLatency makes every transfer take d. A real unit, at low speed, needs 1 to 5 ms.
func (u *UPS) SetLatency(d time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.latency = d
}

// DropWhenUnheard makes the unit leave the bus when no interrupt read was queued for d on any
// interface. It comes back half a second later. Real units do so when no program keeps them open.
// With 0, the default, the unit stays. A kernel takes about half a second to set a unit up, and
// loses one with a shorter d before that.
func (u *UPS) DropWhenUnheard(d time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.unheard = d
	select {
	case u.reconsult <- struct{}{}:
	default:
	}
}

// comesBackAfter is how long a unit stays away that dropped off the bus by itself. It is composed:
// reports from the field say only that the unit is soon back.
const comesBackAfter = 500 * time.Millisecond

// Unplug takes the unit off the bus, even in the middle of a transfer. Its host loses it, and it is
// neither listed nor imported any more. A kernel may notice later.
func (u *UPS) Unplug() { u.unplug() }

// UnplugAfterWrites takes the unit off the bus some time after the n-th write from now, so that it
// can leave between two writes of a command. Without time it leaves before it answers that write,
// which it acts on all the same. Of a unit of the framed protocol the commands count that have it
// do something. With 0 writes it stays.
func (u *UPS) UnplugAfterWrites(n int, after time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.toDrop, u.dropAfter = n, after
}

// countDown counts a write for UnplugAfterWrites. It reports whether the unit leaves the bus now.
// It is called with the unit locked.
func (u *UPS) countDown(command bool, data []byte) (now bool) {
	_, control := capture.IsControl(append([]byte{0}, data...))
	if u.toDrop == 0 || command && !control {
		return false
	}
	u.toDrop--
	if u.toDrop == 0 && u.dropAfter > 0 {
		u.drop = time.AfterFunc(u.dropAfter, u.Unplug)
	}
	return u.toDrop == 0 && u.dropAfter <= 0
}

// end stops the timers of the unit.
func (u *UPS) end() {
	for _, i := range u.Interfaces {
		i.stop()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.drop != nil {
		u.drop.Stop()
	}
}

func (u *UPS) unplug() (changes int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.plugged = false
	u.changes++
	if u.session != nil {
		u.session.stop()
	}
	return u.changes
}

// Plug puts the unit back on the bus as a new device. A unit that [UPS.Attach] had put into this
// machine's kernel is there again when Plug returns, at the same port. Plug does nothing to a unit
// that is plugged in.
func (u *UPS) Plug() error {
	u.mu.Lock()
	changes := u.changes
	u.mu.Unlock()
	return u.plug(changes)
}

// plug does nothing if the unit was plugged in or unplugged since.
func (u *UPS) plug(changes int) error {
	u.mu.Lock()
	if u.plugged || u.changes != changes {
		u.mu.Unlock()
		return nil
	}
	u.plugIn()
	reattach := u.reattach
	u.mu.Unlock()
	if reattach == nil {
		return nil
	}
	return reattach()
}

// plugIn is called with the unit locked.
func (u *UPS) plugIn() {
	u.plugged = true
	u.changes++
	u.device = u.server.nextDevice()
}

// dropOff unplugs a unit that nobody listened to. It plugs it in again after a moment, unless
// somebody has plugged or unplugged it meanwhile.
func (u *UPS) dropOff(changes int) {
	for !u.changedSince(changes) {
		changes = u.unplug()
		select {
		case <-u.server.closed:
			return
		case <-time.After(comesBackAfter):
		}
		if err := u.plug(changes); err == nil {
			return
		}
		changes++ // the kernel refused it: try again, as a real unit does
	}
}

func (u *UPS) changedSince(changes int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.changes != changes
}

// take gives the unit to a client. It returns nil if the unit is unplugged or another client's.
func (u *UPS) take(client net.Conn) *session {
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.session != nil && u.session.stopped() {
		ended := u.session.ended
		u.mu.Unlock()
		<-ended
		u.mu.Lock()
	}
	if !u.plugged || u.session != nil {
		return nil
	}
	u.session = newSession(u, client)
	u.counts.Imports++
	return u.session
}

// release takes the unit back when its client has gone.
func (u *UPS) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, i := range u.Interfaces {
		i.powerOn()
	}
	u.counts.Waiting = 0
	u.session = nil
}

// record returns how the unit is listed, and whether it is plugged in.
func (u *UPS) record() (r deviceRecord, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r = deviceRecord{
		BusNumber:          busNumber,
		DeviceNumber:       u.device,
		Speed:              lowSpeed,
		Vendor:             uint16(u.capture.VendorID),
		Product:            uint16(u.capture.ProductID),
		Release:            uint16(u.capture.Release),
		ConfigurationValue: configurationValue,
		Configurations:     1,
		Interfaces:         byte(len(u.Interfaces)),
	}
	copy(r.Path[:], fmt.Sprintf("/sys/devices/virtual-ups/usb%d/%s", busNumber, u.BusID()))
	copy(r.BusID[:], u.BusID())
	return r, u.plugged
}

func (u *UPS) configurationDescriptor() []byte {
	reports := make([][]byte, len(u.Interfaces))
	for n, i := range u.Interfaces {
		reports[n] = i.reportDescriptor()
	}
	return configurationDescriptor(reports)
}

func (u *UPS) transferTime() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.latency
}

func (u *UPS) unheardLimit() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.unheard
}
