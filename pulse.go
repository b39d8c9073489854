package tripplite

import "time"

// heartbeat is how often a poller notes that it runs.
const heartbeat = time.Second

// pulse notices pauses: after SIGSTOP and SIGCONT, or a suspend, the kernel hands over what a unit
// announced meanwhile as if it were now.
type pulse struct {
	last  time.Time // when the program was last seen to run
	pause time.Time // when the last pause ended
}

// settle is how long after a pause input reports may still be old: as long as it takes to read what
// the kernel has queued.
const settle = 250 * time.Millisecond

// beat notes that the program runs. It reports whether it did not for a while: by the monotonic
// clock, or by the wall clock, which goes on while a computer is suspended.
func (p *pulse) beat(now time.Time) (paused bool) {
	last := p.last
	p.last = now
	if last.IsZero() {
		return false
	}
	if max(now.Sub(last), now.Round(0).Sub(last.Round(0))) < 2*heartbeat {
		return false
	}
	p.pause = now
	return true
}

// resumed reports whether an input report that was read at a time may be from before the end of a
// pause.
func (p *pulse) resumed(at time.Time) bool {
	return !p.pause.IsZero() && at.Before(p.pause.Add(settle))
}
