package capture

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite/internal/frame"
)

// Framed replies to commands as a unit of the framed protocol does, and acts on those that tell it
// to do something: they are replied to by their letter alone. A letter that it does not know has it
// repeat its previous reply. It is safe for many goroutines.
type Framed struct {
	mu      sync.Mutex
	replies map[byte][]byte // by letter; nil where the unit is silent
	last    []byte          // the previous reply
	taken   int             // commands
	manners Manners
	outlets outlets
}

// Manners are the ways in which units of the framed protocol have been seen to misbehave.
type Manners struct {
	Deaf    bool          // it replies to nothing
	Late    time.Duration // its replies come so much later
	Double  bool          // each reply comes twice, the second one as late again
	Unknown string        // letters that it knows no more
	// Stale has the unit repeat its previous reply to every so many commands, as one does whose own
	// serial line timed out; 0 is never. It does not act on these.
	Stale int
	// Unanswered are the letters that it acts on and does not reply to. Lost are those that it does
	// not even act on. Ignored are those that it replies to and does not act on.
	Unanswered, Lost, Ignored string
}

// NewFramed makes a unit of exchanges, or nil where there are none.
func NewFramed(exchanges []Exchange) *Framed {
	if len(exchanges) == 0 {
		return nil
	}
	f := &Framed{replies: map[byte][]byte{}, outlets: outlets{relays: 1<<(maxRelay+1) - 1}}
	for _, e := range exchanges {
		letter, _, err := frame.ParseCommand(e.Command)
		if _, known := f.replies[letter]; err == nil && !known {
			f.replies[letter] = whole(e.Reply)
		}
	}
	f.outlets.mains = f.hasMains()
	return f
}

// whole fills a reply up to the length of a report.
func whole(reply []byte) []byte {
	if len(reply) == 0 {
		return nil
	}
	return append(slices.Clone(reply), make([]byte, max(0, frame.Size-len(reply)))...)
}

// SetManners changes how the unit behaves from now on.
func (f *Framed) SetManners(m Manners) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.manners = m
}

// Change changes the data of the reply to a letter in place. They are all that is behind the
// letter.
func (f *Framed) Change(letter byte, change func(data []byte)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if reply := slices.Clone(f.replies[letter]); reply != nil {
		change(reply[1:])
		f.replies[letter] = reply
	}
	f.noticeMains()
}

// SetReply changes the data that the unit replies to a letter.
func (f *Framed) SetReply(letter byte, data ...byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replies[letter] = frame.Reply(letter, data...)
	f.noticeMains()
}

// Exchanges returns what the unit replies now, in the order of the letters.
func (f *Framed) Exchanges() []Exchange {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Exchange
	for _, letter := range slices.Sorted(maps.Keys(f.replies)) {
		reply := slices.Clone(f.replies[letter])
		all = append(all, Exchange{Command: frame.Command(letter), Reply: reply})
	}
	return all
}

// reply acts on a command and returns the reply to it, which is nil where there is none.
func (f *Framed) reply(letter byte, data []byte) []byte {
	if control, ok := controls[letter]; ok && len(data) >= control.data {
		if !named(f.manners.Ignored, letter) {
			control.do(f, data[:control.data])
		}
		return f.acknowledgement(letter)
	}
	if reply, known := f.saysNow(letter); known {
		return reply
	}
	return f.last
}

func named(letters string, letter byte) bool { return strings.IndexByte(letters, letter) >= 0 }

// Take returns the replies to a command, each with how much later it comes. There are none to what
// is no command.
func (f *Framed) Take(command []byte) iter.Seq2[[]byte, time.Duration] {
	f.mu.Lock()
	defer f.mu.Unlock()
	letter, data, err := frame.ParseCommand(command)
	if err != nil || f.manners.Deaf || named(f.manners.Lost, letter) {
		return func(func([]byte, time.Duration) bool) {}
	}
	f.taken++
	reply := f.last
	if !named(f.manners.Unknown, letter) && (f.manners.Stale == 0 || f.taken%f.manners.Stale != 0) {
		reply = f.reply(letter, data)
	}
	if reply != nil {
		f.last = reply
	}
	if named(f.manners.Unanswered, letter) {
		reply = nil
	}
	times := 1
	if f.manners.Double {
		times = 2
	}
	late := f.manners.Late
	return func(yield func([]byte, time.Duration) bool) {
		for n := range times {
			if reply == nil || !yield(slices.Clone(reply), time.Duration(n+1)*late) {
				return
			}
		}
	}
}
