package nut

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"iter"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// admin and the others are the users of the tests.
var (
	admin     = User{Name: "admin", Password: "pw", Set: true, Commands: []string{"ALL"}}
	mon       = User{Name: "mon", Password: "monpw", Upsmon: "primary"}
	secondary = User{Name: "secondary", Password: "secondarypw", Upsmon: "secondary"}
	beep      = User{Name: "beep", Password: "beeppw", Commands: []string{"beeper.disable"}}
	users     = []User{admin, mon, secondary, beep}
)

// pipes is a listener of connections in memory, which bubbles can wait for.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// pipe is one end of a connection, which has an address.
type pipe struct {
	net.Conn
	remote string
}

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

func (p pipe) RemoteAddr() net.Addr { return address(p.remote) }

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipes) Addr() net.Addr { return address("192.0.2.254:3493") }

// serving is a server of a test.
type serving struct {
	*Server
	t     testing.TB
	pipes *pipes
	log   *logged
}

// logged is a log that a test can read.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// serve starts a server, which ends with the test.
func serve(t testing.TB, config Config, source Source) *serving {
	t.Helper()
	s := &serving{t: t, pipes: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}, log: &logged{}}
	config.Log = slog.New(slog.NewTextHandler(s.log, nil))
	s.Server = NewServer(source, config)
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(s.pipes) })
	t.Cleanup(func() {
		assert.NoError(t, s.Close())
		served.Wait()
	})
	return s
}

// bubble runs a test of a server of one unit in a bubble, once the unit has been read.
func bubble(t *testing.T, capture string, config Config, f func(*testing.T, *serving, *tripplitetest.UPS)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ups := tripplitetest.NewUPS(t, capture)
		s := serve(t, config, tripplitetest.NewBank(t, ups))
		settle()
		f(t, s, ups)
	})
}

// settle is time enough for a unit to be read, in a bubble.
func settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// client speaks to a server.
type client struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// dial connects a client, whose address is 192.0.2.1.
func (s *serving) dial() *client { return s.dialFrom("192.0.2.1:40000") }

func (s *serving) dialFrom(remote string) *client {
	s.t.Helper()
	near, far := net.Pipe()
	s.pipes.conns <- pipe{far, remote}
	s.t.Cleanup(func() { near.Close() })
	return clientOf(s.t, near)
}

// dialAs connects a client that has given a name and a password.
func (s *serving) dialAs(u User) *client {
	s.t.Helper()
	c := s.dial()
	require.Equal(s.t, "OK", c.ask("USERNAME "+u.Name))
	require.Equal(s.t, "OK", c.ask("PASSWORD "+u.Password))
	return c
}

func clientOf(t testing.TB, conn net.Conn) *client {
	return &client{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// send writes bytes.
func (c *client) send(text string) {
	c.t.Helper()
	_, err := io.WriteString(c.conn, text)
	require.NoError(c.t, err, "%q", text)
}

// line reads a line.
func (c *client) line() string {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	require.NoError(c.t, err, "after %q", line)
	return strings.TrimSuffix(line, "\n")
}

// answer reads an answer: a line, or a list to its end.
func (c *client) answer() string {
	c.t.Helper()
	text := c.line()
	query, isList := strings.CutPrefix(text, "BEGIN ")
	for last := text; isList && last != "END "+query; {
		last = c.line()
		text += "\n" + last
	}
	return text
}

// ask sends a line and returns the answer.
func (c *client) ask(line string) string {
	c.t.Helper()
	c.send(line + "\n")
	return c.answer()
}

// ended reports whether the server has closed the connection, and said nothing more.
func (c *client) ended() bool {
	rest, err := io.ReadAll(c.in)
	return err == nil && len(rest) == 0
}

// replay repeats a session: lines that begin with "> " are the client's, the others are the answers.
// "..." stands for any lines.
func (c *client) replay(session string) {
	c.t.Helper()
	skip := false
	for line := range strings.Lines(session) {
		line = strings.TrimSpace(line)
		sent, isSent := strings.CutPrefix(line, "> ")
		switch {
		case line == "":
		case line == "...":
			skip = true
		case isSent: // "!" stands for the ends of lines of WinNUT
			require.False(c.t, skip, "nothing tells where the answer before %q ends", line)
			c.send(strings.ReplaceAll(sent, "!", "\r\r") + "\n")
		default:
			got := c.line()
			for skip && got != line {
				got = c.line()
			}
			skip = false
			require.Equal(c.t, line, got)
		}
	}
}

// readings is a source that yields what a test says.
type readings chan tripplite.Reading

func (r readings) Watch(ctx context.Context, _ time.Duration) iter.Seq[tripplite.Reading] {
	return func(yield func(tripplite.Reading) bool) {
		for {
			select {
			case reading, ok := <-r:
				if !ok || !yield(reading) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
