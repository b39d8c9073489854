package virtualups_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/virtualups"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	in  = 1
	out = 0

	ok         = 0
	epipe      = -32
	eoverflow  = -75
	econnreset = -104
)

// unit is a small UPS; a test changes its copy.
func unit() *capture.Capture {
	return &capture.Capture{
		VendorID:     0x09ae,
		ProductID:    0x2012,
		Release:      0x0102,
		Manufacturer: "Tripp Lite",
		Product:      "UPS",
		Strings:      map[int]string{4: "PbAc"},
		Interfaces: []capture.Interface{{
			Descriptor: capture.Bytes{0x05, 0x84, 0x09, 0x04, 0xa1, 0x01, 0xc0},
			Reports: []capture.Report{
				{Type: capture.Feature, ID: 0x18, Bytes: capture.Bytes{0x18, 0x94, 0x04}},
				{Type: capture.Feature, ID: 0x32, Bytes: capture.Bytes{0x32, 0x62}},
				{Type: capture.Feature, ID: 0x66, Error: capture.Empty},
				{Type: capture.Feature, ID: 0x67, Error: capture.Stall},
			},
		}},
	}
}

// composite is a UPS of two interfaces, like the 3028.
func composite() *capture.Capture {
	c := unit()
	c.Interfaces = append(c.Interfaces, capture.Interface{
		Reports: []capture.Report{{Type: capture.Feature, ID: 0x32, Bytes: capture.Bytes{0x32, 0, 0, 9}}},
	})
	return c
}

func serve(t *testing.T) *virtualups.Server {
	t.Helper()
	s, err := virtualups.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// serveInBubble is serve without sockets: in a bubble, time passes while nobody has anything to do.
func serveInBubble(t *testing.T) *virtualups.Server {
	l := &pipes{clients: make(chan net.Conn), closed: make(chan struct{})}
	s := virtualups.Serve(l)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// pipes is a listener without sockets, and its own address.
type pipes struct {
	clients chan net.Conn
	closed  chan struct{}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-l.clients:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	close(l.closed)
	return nil
}

func (l *pipes) Addr() net.Addr  { return l }
func (l *pipes) Network() string { return "pipe" }
func (l *pipes) String() string  { return "pipe" }

// client is a USB/IP client as small as can be.
type client struct {
	t        *testing.T
	conn     net.Conn
	deviceID uint32
	seqnum   uint32
	incoming map[uint32]bool // the transfers whose reply has data, by seqnum
}

type reply struct {
	command, seqnum uint32
	status          int32
	length, packets uint32
	data            []byte
}

func dial(t *testing.T, s *virtualups.Server) *client {
	t.Helper()
	var conn net.Conn
	if l, ok := s.Addr().(*pipes); ok {
		var server net.Conn
		conn, server = net.Pipe()
		l.clients <- server
	} else {
		var err error
		conn, err = net.Dial("tcp", s.Addr().String())
		require.NoError(t, err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn, incoming: map[uint32]bool{}}
}

func (c *client) send(b ...byte) {
	c.t.Helper()
	_, err := c.conn.Write(b)
	require.NoError(c.t, err)
}

func (c *client) receive(n int) []byte {
	c.t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(c.conn, b)
	require.NoError(c.t, err)
	return b
}

// awaitDropped returns when the server has closed the connection.
func (c *client) awaitDropped() { _, _ = io.Copy(io.Discard, c.conn) }

func list(t *testing.T, s *virtualups.Server) []byte {
	t.Helper()
	c := dial(t, s)
	c.send(0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0)
	all, err := io.ReadAll(c.conn)
	require.NoError(t, err)
	return all
}

// ask sends OP_REQ_IMPORT and returns the status of the reply.
func (c *client) ask(busID string) uint32 {
	c.t.Helper()
	b := append([]byte{0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0}, make([]byte, 32)...)
	copy(b[8:], busID)
	c.send(b...)
	header := c.receive(8)
	require.Equal(c.t, []byte{0x01, 0x11, 0x00, 0x03}, header[:4])
	return binary.BigEndian.Uint32(header[4:])
}

func attach(t *testing.T, s *virtualups.Server, u *virtualups.UPS) *client {
	t.Helper()
	c := dial(t, s)
	require.Zero(t, c.ask(u.BusID()))
	record := c.receive(0x138)
	c.deviceID = binary.BigEndian.Uint32(record[0x120:])<<16 | binary.BigEndian.Uint32(record[0x124:])
	return c
}

func (c *client) header(command, direction, endpoint uint32) []byte {
	c.seqnum++
	var b []byte
	for _, field := range []uint32{command, c.seqnum, c.deviceID, direction, endpoint} {
		b = binary.BigEndian.AppendUint32(b, field)
	}
	return b
}

func (c *client) submit(
	direction, endpoint, length uint32, setup [8]byte, data ...byte,
) (seqnum uint32) {
	c.t.Helper()
	b := c.header(1, direction, endpoint)
	for _, field := range []uint32{0, length, 0, 0xffffffff, 0} {
		b = binary.BigEndian.AppendUint32(b, field)
	}
	b = append(b, setup[:]...)
	c.incoming[c.seqnum] = direction == in
	c.send(append(b, data...)...)
	return c.seqnum
}

func (c *client) unlink(target uint32) (seqnum uint32) {
	c.t.Helper()
	b := binary.BigEndian.AppendUint32(c.header(2, 0, 0), target)
	c.send(append(b, make([]byte, 24)...)...)
	return c.seqnum
}

func (c *client) reply() reply {
	c.t.Helper()
	h := c.receive(48)
	field := func(n int) uint32 { return binary.BigEndian.Uint32(h[4*n:]) }
	r := reply{command: field(0), seqnum: field(1), status: int32(field(5))}
	require.Equal(c.t, make([]byte, 12), h[8:20], "the server sets devid, direction and ep to 0")
	if r.command == 3 {
		r.length, r.packets = field(6), field(8)
		if c.incoming[r.seqnum] && r.length > 0 {
			r.data = c.receive(int(r.length))
		}
	}
	return r
}

// control makes a control transfer and waits for its reply.
func (c *client) control(setup [8]byte, data ...byte) reply {
	c.t.Helper()
	seqnum := c.submitControl(setup, data...)
	r := c.reply()
	require.Equal(c.t, seqnum, r.seqnum)
	return r
}

func (c *client) submitControl(setup [8]byte, data ...byte) (seqnum uint32) {
	c.t.Helper()
	if setup[0]&0x80 != 0 {
		return c.submit(in, 0, uint32(binary.LittleEndian.Uint16(setup[6:])), setup)
	}
	return c.submit(out, 0, uint32(len(data)), setup, data...)
}

// read queues an interrupt read.
func (c *client) read(endpoint, length uint32) (seqnum uint32) {
	c.t.Helper()
	return c.submit(in, endpoint, length, [8]byte{})
}

// getFeature is the setup packet of a GET_REPORT of up to 64 bytes.
func getFeature(id, iface byte) [8]byte { return [8]byte{0xa1, 0x01, id, 3, iface, 0, 64, 0} }
