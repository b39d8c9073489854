package nut

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

// onLoopback serves a unit on loopback, and waits until it has been read.
func onLoopback(t testing.TB, config Config) (s *Server, ups *tripplitetest.UPS, address string) {
	t.Helper()
	ups = tripplitetest.NewUPS(t, "smart1500lcd")
	s = NewServer(tripplitetest.NewBank(t, ups), config)
	address = listen(t, s, "127.0.0.1:0")
	fresh(t, address)
	return s, ups, address
}

// listen has a server serve an address. Server and listener end with the test.
func listen(t testing.TB, s *Server, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		assert.NoError(t, s.Close())
		served.Wait()
	})
	return l.Addr().String()
}

// fresh waits until the unit has been read, its settings too.
func fresh(t testing.TB, address string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	c := clientOf(t, conn)
	eventually(t, "a reading", func() bool {
		return strings.HasPrefix(c.ask("GET VAR ups ups.beeper.status"), "VAR")
	})
}

// 400 clients poll as fast as they can beside 100 that ask for lists and never read them. Each of the
// 400 gets every answer, and nothing is left when they have gone.
func TestLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	const reading, deaf, asks = 400, 100, 100
	s, ups, address := onLoopback(t, Config{})
	var opened sync.WaitGroup
	deafs := make([]net.Conn, deaf)
	for i := range deafs {
		opened.Go(func() {
			conn, err := net.Dial("tcp", address)
			if !assert.NoError(t, err) {
				return
			}
			deafs[i] = conn
			_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) // until nothing is taken
			_, _ = io.WriteString(conn, strings.Repeat("LIST VAR ups\n", 5000))
		})
	}
	opened.Wait()
	ups.Requests()
	began := time.Now()
	var all sync.WaitGroup
	for i := range reading {
		all.Go(func() {
			conn, err := net.Dial("tcp", address)
			if !assert.NoError(t, err) {
				return
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			for range asks {
				fmt.Fprintf(conn, "GET VAR ups ups.status\nGET VAR ups x%d\n", i)
				status, _ := in.ReadString('\n')
				other, err := in.ReadString('\n')
				if !assert.NoError(t, err) || !assert.Equal(t, statusIs("OL")+"\n", status) ||
					!assert.Equal(t, "ERR VAR-NOT-SUPPORTED\n", other) {
					return
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	// A read of the unit is some 20 transfers, one each two seconds, and its settings each 30.
	assert.Less(t, len(ups.Requests()), 200+100*int(took.Seconds()), "in %v", took)
	for _, conn := range deafs {
		if conn != nil {
			conn.Close()
		}
	}
	left := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.sessions)
	}
	eventually(t, "the end of every session", func() bool { return left() == 0 })
	// TestMain finds goroutines that are left.
}

func BenchmarkStatus(b *testing.B)  { benchmark(b, "GET VAR ups ups.status") }
func BenchmarkListVar(b *testing.B) { benchmark(b, "LIST VAR ups") }

// benchmark measures how long an answer takes over loopback.
func benchmark(b *testing.B, line string) {
	_, _, address := onLoopback(b, Config{})
	conn, err := net.Dial("tcp", address)
	require.NoError(b, err)
	defer conn.Close()
	c := clientOf(b, conn)
	b.ReportAllocs()
	for b.Loop() {
		c.ask(line)
	}
}
