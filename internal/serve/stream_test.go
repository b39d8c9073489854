package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"iter"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

// spoken is a source that yields what is sent to it.
type spoken chan tripplite.Reading

func (s spoken) Watch(ctx context.Context, _ time.Duration) iter.Seq[tripplite.Reading] {
	return func(yield func(tripplite.Reading) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case r := <-s:
				if !yield(r) {
					return
				}
			}
		}
	}
}

// says is a reading of a unit that has line power or not.
func says(path string, ac bool) tripplite.Reading {
	r := tripplite.Reading{Info: tripplite.DeviceInfo{Path: path}}
	r.State.Time = time.Now()
	r.State.Status.ACPresent = tripplite.ValueOf(ac)
	r.State.Output.PercentLoad = tripplite.ValueOf(36.0)
	return r
}

// streaming is a server over pipes whose units are watched all the time.
type streaming struct {
	*pipes
	spoken
	hub     *hub
	stop    func()
	stopped chan error
}

func startStreaming(t *testing.T) *streaming {
	t.Helper()
	s := &streaming{pipes: newPipes(), spoken: make(spoken), stopped: make(chan error, 1)}
	m := monitor.New(s.spoken, monitor.Config{NameOf: nameOf})
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = m.Run(ctx)
	}()
	s.hub = newHub(Watched(m))
	server := NewServer(configOf(nil, Watched(m)))
	server.Handler = secured(s.hub)
	server.RegisterOnShutdown(s.hub.close)
	serving, stop := context.WithCancel(t.Context())
	s.stop = stop
	go func() {
		s.stopped <- Run(serving, server, func() error { return server.Serve(s.pipes) }, silent)
		close(s.stopped)
	}()
	t.Cleanup(func() {
		stop()
		<-s.stopped
		cancel()
		<-watched
	})
	return s
}

// say has the units say something, and waits until all has been done about it.
func (s *streaming) say(r tripplite.Reading) {
	s.spoken <- r
	synctest.Wait()
}

// stream is a client.
type stream struct {
	net.Conn
	in     *bufio.Reader
	header http.Header
	code   int
}

func (p *pipes) stream(t *testing.T) *stream {
	t.Helper()
	conn, err := p.dial()
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, "GET /api/v1/stream HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	return &stream{conn, bufio.NewReader(response.Body), response.Header, response.StatusCode}
}

// next returns the next event and its data.
func (s *stream) next(t *testing.T) (name string, data map[string]any) {
	t.Helper()
	var lines [3]string
	for i := range lines {
		line, err := s.in.ReadString('\n')
		require.NoError(t, err)
		lines[i] = strings.TrimSuffix(line, "\n")
	}
	require.Empty(t, lines[2])
	name, ok := strings.CutPrefix(lines[0], "event: ")
	require.True(t, ok, lines[0])
	text, ok := strings.CutPrefix(lines[1], "data: ")
	require.True(t, ok, lines[1])
	require.NoError(t, json.Unmarshal([]byte(text), &data))
	return name, data
}

func TestAStreamBeginsWithAllAndGoesOnWithWhatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStreaming(t)
		s.say(says("1-1:1.0", true))
		s.say(says("1-2:1.0", true))
		c := s.stream(t)
		require.Equal(t, "text/event-stream", c.header.Get("Content-Type"))
		require.Equal(t, "no-store", c.header.Get("Cache-Control"))
		name, data := c.next(t)
		require.Equal(t, "units", name)
		units := data["units"].([]any)
		require.Len(t, units, 2)
		require.Equal(t, "on line power", units[1].(map[string]any)["state"])

		start := time.Now()
		s.say(says("1-2:1.0", false))
		name, data = c.next(t)
		require.Equal(t, "unit", name)
		require.Equal(t, "1-2:1.0", data["path"])
		require.Equal(t, "on battery", data["state"])
		require.Zero(t, time.Since(start), "it waits for nothing")

		s.say(tripplite.Reading{
			Info: tripplite.DeviceInfo{Path: "1-2:1.0"}, Err: tripplite.ErrDisconnected})
		name, data = c.next(t)
		require.Equal(t, "unit", name)
		require.Equal(t, "lost", data["state"])
		require.NotContains(t, data, "readings")

		s.say(says("1-3:1.0", true))
		name, data = c.next(t)
		require.Equal(t, "units", name, "there is another unit")
		require.Len(t, data["units"], 3)
	})
}

func TestAStreamSaysThatNobodyReadsTheUnitsAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStreaming(t)
		s.say(says("1-1:1.0", true))
		c := s.stream(t)
		c.next(t)
		s.say(tripplite.Reading{Err: &tripplite.Error{Op: "read", Err: tripplite.ErrClosed}})
		name, data := c.next(t)
		require.Equal(t, "units", name)
		require.Contains(t, data["problem"], "closed")
		u := data["units"].([]any)[0].(map[string]any)
		require.Equal(t, "lost", u["state"])
		require.NotContains(t, u, "readings")
	})
}

func TestAStreamWithoutNewsSaysThatItIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStreaming(t)
		s.say(says("1-1:1.0", true))
		c := s.stream(t)
		c.next(t)
		for range 100 { // longer than any time-out of the server
			start := time.Now()
			name, _ := c.next(t)
			require.Equal(t, "beat", name)
			require.Equal(t, 5*time.Second, time.Since(start))
		}
	})
}

// A slow client gets the latest, however much there was between.
func TestASlowClientSkips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStreaming(t)
		s.say(says("1-1:1.0", true))
		c := s.stream(t)
		c.next(t)
		for i := range 1000 {
			s.say(says("1-1:1.0", i%2 == 0))
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		states := []string{}
		for {
			name, data := c.next(t)
			if name == "beat" {
				break
			}
			states = append(states, data["state"].(string))
		}
		require.Less(t, len(states), 20)
		require.Equal(t, "on battery", states[len(states)-1])
	})
}

func TestAClientThatDoesNotReadIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStreaming(t)
		s.say(says("1-1:1.0", true))
		c := s.stream(t)
		c.next(t)
		start := time.Now()
		require.Equal(t, 1, s.hub.count())
		for s.hub.count() > 0 {
			require.Less(t, time.Since(start), 20*time.Second)
			time.Sleep(time.Second)
		}
	})
}

func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams)
}

func TestAClientThatLeavesIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStreaming(t)
		c := s.stream(t)
		c.next(t)
		require.Equal(t, 1, s.hub.count())
		c.Close()
		synctest.Wait()
		require.Zero(t, s.hub.count())
	})
}

func TestThereAreOnlySoManyStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStreaming(t)
		var last *stream
		for range maxStreams {
			last = s.stream(t)
			require.Equal(t, http.StatusOK, last.code)
		}
		more := s.stream(t)
		require.Equal(t, http.StatusServiceUnavailable, more.code)
		require.Equal(t, "10", more.header.Get("Retry-After"))
		last.Close()
		synctest.Wait()
		require.Equal(t, http.StatusOK, s.stream(t).code)
	})
}

func TestStreamsEndWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStreaming(t)
		c := s.stream(t)
		c.next(t)
		start := time.Now()
		s.stop()
		_, err := io.Copy(io.Discard, c.in)
		require.NoError(t, err, "a stream ends as an answer does")
		require.NoError(t, <-s.stopped)
		require.Less(t, time.Since(start), 2*time.Second)
		_, ok := s.hub.join()
		require.False(t, ok)
	})
}

func TestHeadOfAStreamIsNoStream(t *testing.T) {
	h := newHub(nil)
	w := request(t, h, http.MethodHead, "/api/v1/stream")
	require.Equal(t, "text/event-stream", w.Header().Get("Content-Type"))
	require.Zero(t, h.count())
}

// The exporter reads units for the page only while somebody looks at it.
func TestUnitsAreReadOnlyWhileSomebodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := startServer(t, time.Millisecond)
		transfers := func(d time.Duration) int32 {
			server.unit.transfers.Store(0)
			time.Sleep(d)
			return server.unit.transfers.Load()
		}
		require.Zero(t, transfers(time.Minute))
		for range 3 {
			c := server.stream(t)
			go io.Copy(io.Discard, c.in)
			require.NotZero(t, transfers(time.Minute))
			c.Close()
			time.Sleep(5 * time.Second) // what is under way ends
			require.Zero(t, transfers(time.Minute))
		}
	})
}

func TestTwoHundredPagesCostNoTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := startServer(t, 0)
		open := func() {
			c := server.stream(t)
			go io.Copy(io.Discard, c.in)
		}
		open()
		time.Sleep(time.Minute + 500*time.Millisecond) // between two readings
		server.unit.transfers.Store(0)
		time.Sleep(time.Minute)
		one := server.unit.transfers.Swap(0)
		require.NotZero(t, one)
		for range 199 {
			open()
		}
		synctest.Wait()
		require.Zero(t, server.unit.transfers.Load(), "to open a page costs nothing")
		time.Sleep(time.Minute)
		require.Equal(t, one, server.unit.transfers.Load())
	})
}

// A unit that says the same is marshalled once for all streams, and not told again.
func TestAUnitThatSaysTheSameIsNotToldAgain(t *testing.T) {
	unit := func(name string, load float64) unitView {
		return unitView{Name: name, Path: name, Values: map[string]float64{"load": load}}
	}
	of := func(units ...unitView) unitsView { return unitsView{Time: time.Now(), Units: units} }
	first := snap(of(unit("a", 1), unit("b", 1)), nil)
	second := snap(of(unit("a", 1), unit("b", 2)), first)
	third := snap(of(unit("a", 1), unit("b", 2), unit("c", 3)), second)
	assert.Equal(t, [][]byte{first.all}, first.since(nil))
	assert.Equal(t, [][]byte{second.units[1].event}, second.since(first))
	assert.Empty(t, second.since(second))
	assert.Equal(t, [][]byte{third.all}, third.since(second))
	assert.Equal(t, [][]byte{second.all}, second.since(third))
	assert.Same(t, first.units[0], third.units[0])
	looked := of(unit("a", 1), unit("b", 2))
	looked.Looked = true
	assert.Len(t, slices.Concat(snap(looked, second).since(second)...), len(snap(looked, nil).all))
}
