package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite/internal/monitor"
)

const (
	// maxStreams is how many streams there may be at once.
	maxStreams = 256
	// beat is after how long a stream that has nothing to tell says that it is still there. The page
	// takes its values off when it has heard nothing for thrice as long.
	beat = 5 * time.Second
	// takeTimeout is how long a client may take to read a piece of a stream.
	takeTimeout = 10 * time.Second
)

// hub shares what the units say among all streams. It watches them while there are streams.
type hub struct {
	units Units
	limit int

	mu      sync.Mutex
	streams map[chan struct{}]bool // each has room for one signal that there is something new
	newest  *snapshot
	stop    context.CancelFunc // ends the watch; nil without one
	closed  chan struct{}
}

// snapshot is what all units say at one time, as the events that tell it.
type snapshot struct {
	all   []byte
	head  unitsView // without time and units
	units []*piece
}

// piece is one unit of a snapshot. It is the same in the next one if the unit is.
type piece struct {
	path  string
	json  []byte
	event []byte
}

func newHub(units Units) *hub {
	return &hub{
		units: units, limit: maxStreams,
		streams: map[chan struct{}]bool{}, closed: make(chan struct{}),
	}
}

// join makes a stream, if there may be one more.
func (h *hub) join() (ready chan struct{}, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.closed:
		return nil, false
	default:
	}
	if len(h.streams) >= h.limit {
		return nil, false
	}
	ready = make(chan struct{}, 1)
	h.streams[ready] = true
	if h.newest != nil {
		ready <- struct{}{}
	}
	if h.stop == nil {
		ctx, stop := context.WithCancel(context.Background())
		h.stop = stop
		go h.watch(ctx)
	}
	return ready, true
}

func (h *hub) leave(ready chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, ready)
	if len(h.streams) == 0 {
		h.stop()
		h.stop, h.newest = nil, nil
	}
}

// close ends all streams and lets none begin.
func (h *hub) close() {
	h.mu.Lock()
	select {
	case <-h.closed:
	default:
		close(h.closed)
	}
	if h.stop != nil {
		defer h.stop()
	}
	h.mu.Unlock()
}

// watch tells all streams what is new until ctx is done.
func (h *hub) watch(ctx context.Context) {
	h.units.watch(ctx, func(m *monitor.Monitor) {
		var last *snapshot
		for {
			changed := m.Changed() // before the look, so that none is missed
			last = snap(viewOf(m), last)
			h.tell(ctx, last)
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
	})
}

func (h *hub) tell(ctx context.Context, s *snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return // another watch may have begun
	}
	h.newest = s
	for ready := range h.streams {
		select {
		case ready <- struct{}{}:
		default: // it has not taken the last one yet, and will get this one in its place
		}
	}
}

// snap marshals what the units say, once for all streams. Of a unit that says the same as in the
// last snapshot it takes that one's piece.
func snap(v unitsView, last *snapshot) *snapshot {
	s := &snapshot{head: v}
	s.head.Time, s.head.Units = time.Time{}, nil
	texts := []json.RawMessage{}
	for i, u := range v.Units {
		text, err := json.Marshal(u)
		if err != nil {
			continue // no reading is NaN or infinite
		}
		p := &piece{path: u.Path, json: text}
		if last != nil && i < len(last.units) && string(last.units[i].json) == string(text) {
			p = last.units[i]
		} else {
			p.event = event("unit", text)
		}
		s.units = append(s.units, p)
		texts = append(texts, text)
	}
	all, _ := json.Marshal(struct {
		unitsView
		Units []json.RawMessage `json:"units"`
	}{v, texts})
	s.all = event("units", all)
	return s
}

// event is a server-sent event. JSON has no line breaks in it.
func event(name string, data []byte) []byte {
	return slices.Concat([]byte("event: "+name+"\ndata: "), data, []byte("\n\n"))
}

// since returns the events that tell what is new to a stream that has been told the last snapshot.
func (s *snapshot) since(last *snapshot) [][]byte {
	if last == nil || len(s.units) != len(last.units) ||
		s.head.Looked != last.head.Looked || s.head.Problem != last.head.Problem {
		return [][]byte{s.all}
	}
	var changed [][]byte
	for i, p := range s.units {
		switch {
		case p.path != last.units[i].path:
			return [][]byte{s.all}
		case p != last.units[i]:
			changed = append(changed, p.event)
		}
	}
	return changed
}

// ServeHTTP serves a stream until the client leaves, does not read, or the server stops.
func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, ok := parameters(w, r); !ok {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return
	}
	ready, ok := h.join()
	if !ok {
		w.Header().Set("Retry-After", "10")
		fail(w, http.StatusServiceUnavailable, "there are too many streams")
		return
	}
	defer h.leave(ready)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx passes it on at once
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // that of the request would end the stream
	write := func(pieces ...[]byte) bool {
		_ = control.SetWriteDeadline(time.Now().Add(takeTimeout))
		for _, p := range pieces {
			if _, err := w.Write(p); err != nil {
				return false
			}
		}
		return control.Flush() == nil
	}
	if !write() {
		return
	}
	quiet := time.NewTimer(beat)
	defer quiet.Stop()
	var told *snapshot
	for {
		var pieces [][]byte
		select {
		case <-h.closed:
			return
		case <-r.Context().Done():
			return
		case <-ready:
			s := h.latest()
			if s == nil {
				continue
			}
			pieces, told = s.since(told), s
		case <-quiet.C:
			pieces = [][]byte{still}
		}
		if len(pieces) == 0 {
			continue
		}
		if !write(pieces...) {
			return
		}
		quiet.Reset(beat)
	}
}

// still is the event that says that a stream without news is still there.
var still = event("beat", []byte("{}"))

func (h *hub) latest() *snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.newest
}
