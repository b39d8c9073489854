package virtualups

import "time"

// Answer is how a unit answers a GET_REPORT or a SET_REPORT. The zero Answer to a GET_REPORT is one
// of no bytes.
type Answer struct {
	Write bool // to a SET_REPORT
	// Bytes is the report that a GET_REPORT asks for, its id first. What the host has no room for
	// is cut off.
	Bytes []byte
	Stall bool // refuses the request
	// Delay is the time before the answer. The unit's other control transfers wait, as on a real
	// one.
	Delay time.Duration
	Never bool // no answer until the host gives up
	// Ignored has a SET_REPORT be answered and have no effect.
	Ignored bool
}

// Fault turns the answer that a unit would give into the one that it gives. Faults may be nested. A
// test may write its own, such as one that heals after the third time or that unplugs the unit. A
// goroutine of the server calls them.
type Fault func(Answer) Answer

// Stall refuses the request.
func Stall(a Answer) Answer {
	a.Stall = true
	return a
}

// Short leaves out the last byte of a report.
func Short(a Answer) Answer {
	a.Bytes = a.Bytes[:max(0, len(a.Bytes)-1)]
	return a
}

// Long puts eight bytes behind a report. A host sees them only if it asks for more than the report.
func Long(a Answer) Answer {
	if len(a.Bytes) > 0 {
		a.Bytes = append(a.Bytes, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5)
	}
	return a
}

// Empty answers with no bytes, even for a report that the unit does not have.
func Empty(a Answer) Answer {
	a.Bytes, a.Stall = nil, false
	return a
}

// WrongID puts another id at the start of a report.
func WrongID(a Answer) Answer {
	if len(a.Bytes) > 0 {
		a.Bytes[0] ^= 0x80
	}
	return a
}

// Never gives no answer: the transfer hangs until the host gives up, and those behind it wait.
func Never(a Answer) Answer {
	a.Never = true
	return a
}

// Ignored takes what is written and does nothing about it. Of a unit of the framed protocol only
// [capture.Manners] tell one letter from another.
func Ignored(a Answer) Answer {
	a.Ignored = true
	return a
}

// OfWrites is a fault of SET_REPORT alone.
func OfWrites(f Fault) Fault {
	return func(a Answer) Answer {
		if !a.Write {
			return a
		}
		return f(a)
	}
}

// Late answers after d.
func Late(d time.Duration) Fault {
	return func(a Answer) Answer {
		a.Delay += d
		return a
	}
}
