package virtualups_test

import (
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/virtualups"
)

// FuzzClient sends anything, first to the server and then to a unit that it has imported.
func FuzzClient(f *testing.F) {
	word := func(words ...byte) (b []byte) {
		for _, w := range words {
			b = append(b, 0, 0, 0, w)
		}
		return b
	}
	f.Add([]byte{0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0})
	for _, message := range [][]byte{
		append(word(1, 0, 0, 64, 0, 0, 0), 0xa1, 1, 0x18, 3, 0, 0, 64, 0),
		append(word(0, 0, 0, 3, 0, 0, 0), 0x21, 9, 0x18, 3, 0, 0, 3, 0, 0x18, 1, 2),
		append(word(1, 1, 0, 8, 0, 0, 0), 0, 0, 0, 0, 0, 0, 0, 0),
	} {
		f.Add(slices.Concat(word(1, 1), []byte{0, 1, 0, 2}, message))
	}
	f.Add(slices.Concat(word(2, 2), []byte{0, 1, 0, 2}, word(0, 0, 1), make([]byte, 24)))
	f.Fuzz(func(t *testing.T, sent []byte) {
		s, err := virtualups.Listen("127.0.0.1:0")
		require.NoError(t, err)
		defer s.Close()
		u := s.Add(composite())
		u.Push(1, 2, 3, 4, 5, 6, 7, 8, 9)
		for _, c := range []*client{dial(t, s), attach(t, s, u)} {
			_, _ = c.conn.Write(sent)
			_ = c.conn.(*net.TCPConn).CloseWrite()
			c.awaitDropped()
		}
	})
}
