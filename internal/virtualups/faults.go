package virtualups

import "time"

// Answer is how a unit answers a GET_REPORT or a SET_REPORT. The zero Answer to a GET_REPORT is one of no bytes.
type Answer struct {
	Bytes []byte        // of a GET_REPORT: the report, its id first; what is more than the host asked for is cut off
	Stall bool          // refuses the request
	Delay time.Duration // comes before the answer; the unit's other control transfers wait, as on a real one
	Never bool          // no answer until the host gives up
}

// Fault makes of the answer that a unit would give the one that it gives. The faults of this package may be nested, and a test may
// write its own, such as one that heals after the third time or that pulls the plug; they are called from a goroutine of the
// server.
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

// Long puts eight bytes more behind a report than it has. A host sees them only if it asks for more than the report.
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

// Never does not answer: the transfer hangs until the host gives up, and those behind it wait.
func Never(a Answer) Answer {
	a.Never = true
	return a
}

// Late answers after d.
func Late(d time.Duration) Fault {
	return func(a Answer) Answer {
		a.Delay += d
		return a
	}
}
