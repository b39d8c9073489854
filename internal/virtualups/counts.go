package virtualups

import (
	"maps"
	"slices"
	"time"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// Counts is what a unit was asked, by the kernel and by programs.
type Counts struct {
	Control    map[Request]int // control transfers
	Interrupts int             // interrupt reads that were queued
	Waiting    int             // of these, the ones in the queue now
	Unlinked   int             // transfers that the host gave up
	Imports    int             // times that a host took the unit
	Writes     []Write         // every SET_REPORT, the refused ones too
}

// Request is a control transfer without its length: the setup packet of USB 2.0 table 9-2.
type Request struct {
	Type byte // bmRequestType
	Code byte // bRequest
	// Value is wValue. Of GET_REPORT and SET_REPORT it has the report's type in the high byte, its
	// id in the low one.
	Value uint16
	Index uint16 // wIndex; of those two, the interface
}

// Write is a SET_REPORT.
type Write struct {
	Time      time.Time
	Interface int
	Type      capture.Type
	ID        byte
	Bytes     []byte // as they came: the id first, unless it is 0
}

// Transfers returns the number of all control transfers.
func (c Counts) Transfers() int {
	n := 0
	for _, times := range c.Control {
		n += times
	}
	return n
}

// Reads returns how often a report was asked for by GET_REPORT, of either type and on any
// interface.
func (c Counts) Reads(id byte) int {
	n := 0
	for request, times := range c.Control {
		if request.Type == classFromInterface && request.Code == getReport && byte(request.Value) == id {
			n += times
		}
	}
	return n
}

// Counts returns what the unit was asked since it was added or since the last [UPS.ResetCounts].
func (u *UPS) Counts() Counts {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.counts
	c.Control = maps.Clone(c.Control)
	c.Writes = slices.Clone(c.Writes)
	return c
}

// ResetCounts starts counting anew, such as after the kernel has set a unit up.
func (u *UPS) ResetCounts() {
	u.count(func(c *Counts) { *c = Counts{Control: map[Request]int{}, Waiting: c.Waiting} })
}

func (u *UPS) count(change func(*Counts)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change(&u.counts)
}
