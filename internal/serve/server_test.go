package serve

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

// pipes is a listener that connects by pipes, so that a connection waits by the bubble's clock.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipes() *pipes {
	p := &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialed:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.close()
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p *pipes) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.dialed <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// running is a server over pipes in a bubble, with a unit whose transfers take a while.
type running struct {
	*pipes
	unit    *ups
	gone    chan net.Conn // the connections that the server has closed
	stop    func()
	stopped chan error
}

// startServer serves until it is stopped or the bubble ends. A scrape waits a minute for the unit.
func startServer(t *testing.T, latency time.Duration) *running {
	t.Helper()
	bank, units := attach(t, 1, latency)
	r := &running{pipes: newPipes(), unit: units[0], gone: make(chan net.Conn, 512)}
	c := collector.New(bank, collector.WithTimeout(time.Minute))
	config := configOf(c, OnDemand(bank, bank, monitor.Config{
		Every: 2 * time.Second, NameOf: nameOf, Log: silent,
	}))
	config.Scrape = time.Minute
	server := NewServer(config)
	server.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			r.gone <- conn
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.stop, r.stopped = cancel, make(chan error, 1)
	go func() {
		r.stopped <- Run(ctx, server, func() error { return server.Serve(r.pipes) }, silent)
		close(r.stopped)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.stopped
	})
	return r
}

func TestConnectionsThatIdleOrAreSlowAreClosed(t *testing.T) {
	const page = "GET /metrics HTTP/1.1\r\nHost: a\r\n"
	for _, test := range []struct {
		name        string
		says        string
		reads       bool
		after, most time.Duration // when it is closed
	}{
		{"it says nothing", "", true, 0, 6 * time.Second},
		{"half a header", page, true, 0, 6 * time.Second},
		{"half a body", page + "Content-Length: 9\r\n\r\nhalf", true, 0, 6 * time.Second},
		{"no answer is read", page + "\r\n", false, 60 * time.Second, 75 * time.Second},
		{"it idles for longer than between two scrapes", page + "\r\n", true,
			2 * time.Minute, 5 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := startServer(t, 0)
				conn, err := server.dial()
				require.NoError(t, err)
				defer conn.Close()
				start := time.Now()
				if test.says != "" {
					_, err = io.WriteString(conn, test.says)
					require.NoError(t, err)
				}
				if test.reads {
					go io.Copy(io.Discard, conn)
				}
				<-server.gone
				require.GreaterOrEqual(t, time.Since(start), test.after)
				require.Less(t, time.Since(start), test.most)
			})
		})
	}
}

// The limits of a connection do not end a scrape that waits for its unit.
func TestALongScrapeIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := startServer(t, 0)
		server.unit.hangs.Store(true)
		start := time.Now()
		text := <-server.scrape(t)
		require.Equal(t, time.Minute, time.Since(start))
		require.Equal(t, []string{down}, having("tripplite_up", text))
	})
}

// scrape asks for a page, and sends it once it is there whole.
func (r *running) scrape(t *testing.T) <-chan string {
	conn, err := r.dial()
	require.NoError(t, err)
	_, err = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	page := make(chan string, 1)
	go func() {
		defer conn.Close()
		defer close(page)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if !assert.NoError(t, err) {
			return
		}
		text, err := io.ReadAll(response.Body)
		assert.NoError(t, err)
		page <- string(text)
	}()
	return page
}

func TestStopping(t *testing.T) {
	for _, test := range []struct {
		name    string
		latency time.Duration
		client  func(t *testing.T, server *running) (then func())
		want    time.Duration
	}{{
		name: "a client says nothing",
		client: func(t *testing.T, server *running) func() {
			conn, err := server.dial()
			require.NoError(t, err)
			return func() { conn.Close() }
		},
		want: 5 * time.Second,
	}, {
		name:    "a scrape under way finishes",
		latency: 100 * time.Millisecond,
		client: func(t *testing.T, server *running) func() {
			page := server.scrape(t)
			return func() {
				require.Equal(t, []string{up}, having("tripplite_up", <-page))
			}
		},
		want: 4 * time.Second,
	}, {
		name: "a client does not read",
		client: func(t *testing.T, server *running) func() {
			conn, err := server.dial()
			require.NoError(t, err)
			_, err = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
			require.NoError(t, err)
			return func() { conn.Close() }
		},
		want: 5 * time.Second,
	}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := startServer(t, test.latency)
				then := test.client(t, server)
				synctest.Wait()
				start := time.Now()
				server.stop()
				require.NoError(t, <-server.stopped)
				<-server.gone
				require.LessOrEqual(t, time.Since(start), test.want)
				then()
				_, err := server.dial()
				require.Error(t, err)
			})
		})
	}
}
