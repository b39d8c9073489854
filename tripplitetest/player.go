package tripplitetest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// Player is a [tripplite.Device] that repeats the session of a [Recorder] and holds the program
// under test to it: each transfer has to be one that was recorded, and each recorded one has to
// happen. An input report comes a moment after everything recorded before it has been asked for. A
// test that wants a unit, and not a session, makes a [UPS] from the same file. A Player is safe for
// many goroutines.
type Player struct {
	// InOrder demands the feature reports in the order in which they were recorded, and not only
	// each of them as often.
	InOrder bool

	t          testing.TB
	name       string
	info       tripplite.DeviceInfo
	descriptor []byte

	mu         sync.Mutex
	left       []capture.Report // still to happen
	recorded   int
	unexpected error // the first transfer that was not recorded
	closed     bool
	at         time.Time     // when left last changed
	changed    chan struct{} // closed when left or closed has changed
}

// NewPlayer makes a Player of the file that [Recorder.Save] wrote. When the test ends, it fails
// with the error of [Player.Close].
func NewPlayer(t testing.TB, file string) *Player {
	t.Helper()
	c, unit := load(t, file)
	if len(unit.Traffic) == 0 {
		t.Fatalf("tripplitetest: %s has no recorded session: NewUPS makes a unit of it", file)
	}
	p := &Player{
		t:          t,
		name:       c.Name,
		info:       infoOf(c),
		descriptor: unit.Descriptor,
		left:       unit.Traffic,
		recorded:   len(unit.Traffic),
		changed:    make(chan struct{}),
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// Battery opens the Player as [UPS.Battery] does.
func (p *Player) Battery(opts ...tripplite.Option) *tripplite.Battery {
	p.t.Helper()
	return battery(p.t, p, p.info, p.descriptor, opts)
}

// Close ends the session. It fails where a transfer was not recorded, or a recorded one did not
// happen. It may be called again: a Battery that closes its Player keeps the error to itself.
func (p *Player) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.wake()
	var missing error
	if len(p.left) > 0 {
		missing = fmt.Errorf("%d of %d recorded transfers did not happen, first the %s",
			len(p.left), p.recorded, describe(p.left[0]))
	}
	if err := errors.Join(p.unexpected, missing); err != nil {
		return fmt.Errorf("tripplitetest: the session %s was not repeated: %w", p.name, err)
	}
	return nil
}

func (p *Player) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func describe(r capture.Report) string {
	switch r.Type {
	case capture.Input:
		return fmt.Sprintf("input report % x", []byte(r.Bytes))
	case capture.Sent:
		return fmt.Sprintf("feature report % x that was sent", []byte(r.Bytes))
	}
	return fmt.Sprintf("feature report 0x%02x that was read", uint16(r.ID))
}

var errNoID = errors.New("the buffer has no room for the report id")

// GetFeatureReport answers as the unit did when it was asked as often before.
func (p *Player) GetFeatureReport(b []byte) (int, error) {
	defer time.Sleep(latency)
	if len(b) == 0 {
		return 0, errNoID
	}
	r, err := p.next(capture.Report{Type: capture.Feature, ID: capture.ID(b[0])})
	if err != nil {
		return 0, err
	}
	return copy(b, r.Bytes), nil
}

// SendFeatureReport demands that the same report was sent.
func (p *Player) SendFeatureReport(b []byte) (int, error) {
	defer time.Sleep(latency)
	if len(b) == 0 {
		return 0, errNoID
	}
	_, err := p.next(capture.Report{Type: capture.Sent, ID: capture.ID(b[0]), Bytes: b})
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// next takes the next recorded transfer of a feature report, if it is the one that is asked for.
func (p *Player) next(asked capture.Report) (capture.Report, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return capture.Report{}, os.ErrClosed
	}
	i := slices.IndexFunc(p.left, func(r capture.Report) bool {
		return r.Type != capture.Input && (p.InOrder || r.ID == asked.ID)
	})
	if i < 0 || !sameTransfer(p.left[i], asked) {
		err := fmt.Errorf("not recorded, or not now: the %s", describe(asked))
		if p.unexpected == nil {
			p.unexpected = err
		}
		return capture.Report{}, err
	}
	r := p.take(i)
	if r.Error == capture.Stall {
		return r, errors.New("failed when it was recorded: the " + describe(r))
	}
	return r, nil
}

func sameTransfer(recorded, asked capture.Report) bool {
	return recorded.Type == asked.Type && recorded.ID == asked.ID &&
		(asked.Type != capture.Sent || recorded.Error == capture.Stall ||
			bytes.Equal(recorded.Bytes, asked.Bytes))
}

// take removes a transfer that happens now, and wakes the reader, whose report may be next.
func (p *Player) take(i int) capture.Report {
	r := p.left[i]
	p.left = slices.Delete(p.left, i, i+1)
	p.at = time.Now()
	p.wake()
	return r
}

// moment is how long an input report comes after the transfer before it: the program has dealt with
// that one first, as it had when it was recorded.
const moment = 10 * time.Millisecond

// ReadTimeout returns the next input report once it is due. It returns 0 when none is in time. A
// timeout below 0 waits for ever.
func (p *Player) ReadTimeout(b []byte, milliseconds int) (int, error) {
	var expired <-chan time.Time
	if milliseconds >= 0 {
		expired = time.After(time.Duration(milliseconds) * time.Millisecond)
	}
	for {
		n, changed, due, err := p.input(b)
		if n > 0 || err != nil || milliseconds == 0 {
			return n, err
		}
		select {
		case <-changed:
		case <-due:
		case <-expired:
			return 0, nil
		}
	}
}

// input takes the next input report if it is due, or returns what to wait for.
func (p *Player) input(b []byte) (n int, changed <-chan struct{}, due <-chan time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch wait := time.Until(p.at.Add(moment)); {
	case p.closed:
		return 0, nil, nil, os.ErrClosed
	case len(p.left) == 0 || p.left[0].Type != capture.Input:
		return 0, p.changed, nil, nil
	case wait > 0:
		return 0, p.changed, time.After(wait), nil
	}
	return copy(b, p.take(0).Bytes), nil, nil, nil
}
