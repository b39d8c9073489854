package nut

import (
	"bytes"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
)

// tape is a connection whose client says all at once and then leaves.
type tape struct {
	net.Conn // nil: what is not below is not called
	in       *bytes.Reader
	out      bytes.Buffer
}

func (c *tape) Read(b []byte) (int, error)       { return c.in.Read(b) }
func (c *tape) Write(b []byte) (int, error)      { return c.out.Write(b) }
func (c *tape) Close() error                     { return nil }
func (c *tape) RemoteAddr() net.Addr             { return address("192.0.2.1:40000") }
func (c *tape) SetReadDeadline(time.Time) error  { return nil }
func (c *tape) SetWriteDeadline(time.Time) error { return nil }

// Whatever a client says, each line has one answer, a line or a list.
func FuzzSession(f *testing.F) {
	for _, test := range transcripts {
		var lines []string
		for line := range strings.Lines(test.session) {
			if sent, ok := strings.CutPrefix(line, "> "); ok {
				lines = append(lines, sent)
			}
		}
		f.Add([]byte(strings.Join(lines, "")))
	}
	for _, x := range malformed {
		if len(x.line) < 1000 {
			f.Add([]byte(x.line + "\nVER\n"))
		}
	}
	f.Add([]byte("USERNAME mon\nPASSWORD monpw\nFSD ups\nGET VAR ups ups.status\nLIST CLIENT ups\nLOGOUT\nVER\n"))
	f.Add([]byte("USERNAME admin\nPASSWORD pw\nSET TRACKING ON\nINSTCMD ups load.off.delay 60\nGET TRACKING x\n"))
	f.Add([]byte("USERNAME admin\nPASSWORD pw\nSET VAR ups ups.delay.start \"60\"\nLIST RW ups\nLIST ENUM ups x\n"))
	f.Add([]byte(strings.Repeat("x", 3000) + "\nVER\n" + strings.Repeat("y", 1023) + "\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		if len(said) > 1<<14 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			s := NewServer(readings(nil), Config{Users: users})
			info := tripplite.DeviceInfo{Path: "1-1:1.0", VendorID: 0x09ae, ProductID: 0x2012}
			s.memory.take(tripplite.Reading{Info: info, State: tripplite.State{
				Time: time.Now(), Status: tripplite.Status{ACPresent: yes},
				RemainingCapacity: tripplite.ValueOf(100.0)}}, time.Now())
			s.memory.update(info.Path, func(u *unit) {
				u.asked = true
				u.commands = []tripplite.CommandInfo{{Name: tripplite.BeeperDisable, Text: "Off."},
					{Name: tripplite.LoadOff, After: tripplite.Times{Least: 5, Most: 1 << 40, Optional: true}}}
			})
			c := &tape{in: bytes.NewReader(said)}
			newSession(s, c).serve()
			require.NoError(t, s.Close())
			answered(t, said, strings.SplitAfter(c.out.String(), "\n"))
		})
	})
}

// answered checks that there is one answer to each whole line until the session ends.
func answered(t *testing.T, said []byte, lines []string) {
	next := func() string {
		require.NotEmpty(t, lines, "%q", said)
		line := lines[0]
		lines = lines[1:]
		text, whole := strings.CutSuffix(line, "\n")
		require.True(t, whole, "%q", said)
		return text
	}
	ends := false
	for range bytes.Count(said, []byte("\n")) {
		if ends {
			break
		}
		text := next()
		if query, isList := strings.CutPrefix(text, "BEGIN LIST "); isList {
			kind, _, _ := strings.Cut(query, " ")
			for text = next(); text != "END LIST "+query; text = next() {
				require.True(t, strings.HasPrefix(text, kind+" "), "%q in the list %q", text, query)
			}
			continue
		}
		word, rest, _ := strings.Cut(text, " ")
		switch word {
		case "ERR":
			require.True(t, rest == "UNKNOWN" || slices.Contains(errorWords, rest), "%q", text)
		case "OK":
			ends = rest == "Goodbye"
		default:
			require.Contains(t, []string{"Network", "1.3", "Commands:", "VAR", "TYPE", "DESC", "CMDDESC",
				"UPSDESC", "NUMLOGINS", "ON", "OFF", "PENDING", "SUCCESS"}, word)
		}
	}
	require.Equal(t, []string{""}, lines, "%q", said)
}
