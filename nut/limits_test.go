package nut

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

// Home Assistant is silent for a minute between two questions.
func TestALongAnswerAfterALongSilence(t *testing.T) {
	name := strings.Repeat("the-ups-in-the-rack-", 8)
	config := Config{Names: map[string][]string{"1-1:1.0": {name}}}
	bubble(t, "smart1500lcd", config, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		c := s.dial()
		want := c.ask("LIST VAR " + name)
		require.Greater(t, len(want), 4096, "more than what is sent at once")
		for range 3 {
			time.Sleep(time.Minute)
			require.Equal(t, want, c.ask("LIST VAR "+name))
		}
	})
}

// A client that waits for the first answer sends nothing more.
func TestAnAnswerDoesNotWaitForTheRestOfTheNextLine(t *testing.T) {
	bubble(t, "smart1500lcd", Config{}, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		c := s.dial()
		before := time.Now()
		c.send("NETVER\nGET VAR ups ups.sta")
		require.Equal(t, "1.3", c.line())
		require.Zero(t, time.Since(before))
		c.send("tus\n")
		require.Equal(t, `VAR ups ups.status "OL"`, c.line())
	})
}

func TestOneByteAtATime(t *testing.T) {
	bubble(t, "smart1500lcd", Config{}, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		c := s.dial()
		for _, b := range []byte(askStatus + "\r\r\n") {
			time.Sleep(100 * time.Millisecond)
			c.send(string(b))
		}
		require.Equal(t, statusIs("OL"), c.line())
	})
}

func TestManyLinesAtOnceAreAnsweredInOrder(t *testing.T) {
	bubble(t, "smart1500lcd", Config{}, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		c := s.dial()
		go c.send(strings.Repeat("NETVER\nFOO\n\nGET VAR ups ups.status\r\nGET UPSDESC nope\n", 1000))
		for range 1000 {
			for _, want := range []string{"1.3", "ERR UNKNOWN-COMMAND", "ERR UNKNOWN-COMMAND",
				statusIs("OL"), "ERR UNKNOWN-UPS"} {
				require.Equal(t, want, c.line())
			}
		}
		c.send("LOGOUT\nNETVER\n")
		require.Equal(t, "OK Goodbye", c.line())
		require.True(t, c.ended())
	})
}

// Each is given up after its time: half a line, silence, and answers that nobody takes.
func TestClientsThatStopAreGivenUp(t *testing.T) {
	for _, test := range []struct {
		name  string
		stop  func(*client)
		after time.Duration
	}{
		{"nothing said", func(*client) {}, 10 * time.Minute},
		{"silent after a line", func(c *client) { c.ask("NETVER") }, 10 * time.Minute},
		{"half a line", func(c *client) { c.send("LIST V") }, 10 * time.Second},
		{"half a line behind a whole one", func(c *client) { c.send("NETVER\nLIST V"); c.line() },
			10 * time.Second},
		{"a line without end", func(c *client) { c.send(strings.Repeat("x", 5000)) }, 10 * time.Second},
		{"answers not read", func(c *client) { c.send("NETVER\n") }, 10 * time.Second},
		{"a handshake that does not begin", func(c *client) { c.ask("STARTTLS") }, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			server, _ := certificate(t)
			bubble(t, "smart1500lcd", Config{TLS: server},
				func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
					open := func() int {
						synctest.Wait()
						s.mu.Lock()
						defer s.mu.Unlock()
						return len(s.sessions)
					}
					test.stop(s.dial())
					time.Sleep(test.after - time.Millisecond)
					require.Equal(t, 1, open())
					time.Sleep(2 * time.Millisecond)
					require.Equal(t, 0, open())
				})
		})
	}
}

// A client that drips bytes holds a line open for no longer than one that is silent.
func TestALineThatDripsIsGivenUp(t *testing.T) {
	bubble(t, "smart1500lcd", Config{}, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		c := s.dial()
		before := time.Now()
		var err error
		for err == nil {
			time.Sleep(time.Second)
			_, err = io.WriteString(c.conn, "x")
		}
		require.Less(t, time.Since(before), 15*time.Second)
	})
}

func TestWhereThereAreTooManyTheOldestIdleOneMakesRoom(t *testing.T) {
	config := Config{Users: users, Connections: 4}
	bubble(t, "smart1500lcd", config, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		var clients []*client
		for range 4 {
			clients = append(clients, s.dial())
			time.Sleep(time.Second)
		}
		dialogue(t, clients[0], []exchange{{"USERNAME mon", "OK"}, {"PASSWORD monpw", "OK"}, {"LOGIN ups", "OK"}})
		time.Sleep(time.Second)
		require.Equal(t, "1.3", clients[1].ask("NETVER")) // clients[2] is the oldest idle one now
		late := s.dial()
		require.Equal(t, "1.3", late.ask("NETVER"))
		require.True(t, clients[2].ended())
		for _, c := range []*client{clients[0], clients[1], clients[3], late} {
			require.Equal(t, "1.3", c.ask("NETVER"))
		}
		// Those that are logged in shut computers down: they stay, and a new one has to go.
		for i, c := range []*client{clients[1], clients[3], late} {
			dialogue(t, c, []exchange{{"USERNAME secondary", "OK"}, {"PASSWORD secondarypw", "OK"}, {"LOGIN ups", "OK"},
				{"GET NUMLOGINS ups", fmt.Sprintf("NUMLOGINS ups %d", i+2)}})
		}
		require.True(t, s.dial().ended())
		require.Equal(t, "NUMLOGINS ups 4", late.ask("GET NUMLOGINS ups"))
	})
}

func TestSTARTTLS(t *testing.T) {
	server, trusting := certificate(t)
	config := Config{Users: users, TLS: server}
	bubble(t, "smart1500lcd", config, func(t *testing.T, s *serving, _ *tripplitetest.UPS) {
		c := s.dial()
		require.Equal(t, "OK", c.ask("USERNAME mon"))
		c.encrypt(trusting)
		dialogue(t, c, []exchange{{"STARTTLS", "ERR ALREADY-SSL-MODE"}, {"PASSWORD monpw", "OK"},
			{"LOGIN ups", "OK"}, {askStatus, statusIs("OL")}, {"GET NUMLOGINS ups", "NUMLOGINS ups 1"}})
		time.Sleep(time.Minute)
		require.Equal(t, statusIs("OL"), c.ask(askStatus))
		require.Equal(t, "OK Goodbye", c.ask("LOGOUT"))

		plain := s.dial() // it goes on in clear
		require.Equal(t, "1.3", plain.ask("NETVER"))
	})
}

// Somebody between client and server could put them there: encrypted or not, they must not be obeyed.
func TestBytesInClearBehindSTARTTLSAreNotTakenForEncrypted(t *testing.T) {
	server, trusting := certificate(t)
	const inserted = "USERNAME admin\nPASSWORD pw\nINSTCMD ups load.off\n"
	for name, send := range map[string]func(*client){
		"in one packet": func(c *client) { c.send("STARTTLS\n" + inserted) },
		"in the next one": func(c *client) {
			require.Equal(c.t, "OK STARTTLS", c.ask("STARTTLS"))
			c.send(inserted[:20])
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := Config{Users: users, TLS: server}
			bubble(t, "smart1500lcd", config, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
				c := s.dial()
				ups.Requests()
				send(c)
				rest, _ := io.ReadAll(c.in)
				assert.NotContains(t, strings.ReplaceAll(string(rest), "OK STARTTLS\n", ""), "OK")
				settle()
				for _, request := range ups.Requests() {
					assert.NotContains(t, request, "send")
				}
				require.Error(t, tls.Client(c.conn, trusting).Handshake())
			})
		})
	}
}

// A listener that fails for a while, as with too many open files, is tried again.
type failing struct {
	net.Listener
	mu    sync.Mutex
	fails int
}

func (l *failing) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails > 0 {
		l.fails--
		return nil, fmt.Errorf("too many open files")
	}
	return l.Listener.Accept()
}

func TestAListenerThatFailsForAWhileIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(readings(nil), Config{})
		inner := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		var served sync.WaitGroup
		before := time.Now()
		served.Go(func() { assert.ErrorIs(t, s.Serve(&failing{Listener: inner, fails: 12}), net.ErrClosed) })
		near, far := net.Pipe()
		inner.conns <- pipe{far, "192.0.2.1:40000"}
		assert.Greater(t, time.Since(before), 4*time.Second, "it does not spin")
		require.Equal(t, "1.3", clientOf(t, near).ask("NETVER"))
		near.Close()
		require.NoError(t, s.Close())
		served.Wait()
	})
}
