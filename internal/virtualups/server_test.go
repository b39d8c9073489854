package virtualups_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/capture"
	"github.com/tripplite-go/tripplite/internal/virtualups"
)

// record is what usbip_protocol.rst says of a device: path, busid, busnum, devnum, speed and what
// its descriptors have.
func record(path, busID string, rest ...byte) []byte {
	b := make([]byte, 256+32, 0x138)
	copy(b, path)
	copy(b[256:], busID)
	return append(b, rest...)
}

func TestListHasTheDocumentedBytes(t *testing.T) {
	s := serve(t)
	require.Equal(t, []byte{0x01, 0x11, 0x00, 0x05, 0, 0, 0, 0, 0, 0, 0, 0}, list(t, s), "no unit yet")

	s.Add(unit())
	s.Add(composite())
	first := record("/sys/devices/virtual-ups/usb1/1-1", "1-1",
		0, 0, 0, 1, // busnum
		0, 0, 0, 2, // devnum
		0, 0, 0, 1, // speed: low
		0x09, 0xae, 0x20, 0x12, 0x01, 0x02, // idVendor, idProduct, bcdDevice
		0, 0, 0, // bDeviceClass, bDeviceSubClass, bDeviceProtocol
		1, 1, 1) // bConfigurationValue, bNumConfigurations, bNumInterfaces
	second := record("/sys/devices/virtual-ups/usb1/1-2", "1-2",
		0, 0, 0, 1,
		0, 0, 0, 3,
		0, 0, 0, 1,
		0x09, 0xae, 0x20, 0x12, 0x01, 0x02,
		0, 0, 0,
		1, 1, 2)
	hid := []byte{3, 0, 0, 0} // bInterfaceClass, bInterfaceSubClass, bInterfaceProtocol, padding

	want := []byte{0x01, 0x11, 0x00, 0x05, 0, 0, 0, 0, 0, 0, 0, 2}
	want = append(append(want, first...), hid...)
	want = append(append(append(want, second...), hid...), hid...)
	require.Equal(t, want, list(t, s))
}

func TestImportHasTheDocumentedBytes(t *testing.T) {
	s := serve(t)
	s.Add(unit())
	c := dial(t, s)
	require.Zero(t, c.ask("1-1"))
	want := record("/sys/devices/virtual-ups/usb1/1-1", "1-1",
		0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0x09, 0xae, 0x20, 0x12, 0x01, 0x02, 0, 0, 0, 1, 1, 1)
	require.Equal(t, want, c.receive(0x138))
}

func TestImportIsRefused(t *testing.T) {
	s := serve(t)
	taken, unplugged := s.Add(unit()), s.Add(unit())
	attach(t, s, taken)
	unplugged.Unplug()
	for name, busID := range map[string]string{
		"of a bus id that is not exported": "1-9",
		"of a bus id that is none":         "",
		"of a unit that another has":       taken.BusID(),
		"of a unit that is unplugged":      unplugged.BusID(),
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, s)
			require.EqualValues(t, 1, c.ask(busID))
			c.awaitDropped()
		})
	}
}

func TestUnitCanBeImportedAgainWhenItsClientHasGone(t *testing.T) {
	s := serve(t)
	u := s.Add(unit())
	for range 3 {
		c := attach(t, s, u)
		require.EqualValues(t, ok, c.control(getFeature(0x18, 0)).status)
		require.NoError(t, c.conn.(*net.TCPConn).CloseWrite())
		c.awaitDropped() // the server has seen that the client has gone
	}
}

func TestUnpluggedUnitComesBackAsANewDevice(t *testing.T) {
	s := serve(t)
	u := s.Add(unit())
	c := attach(t, s, u)
	waiting := c.read(1, 8)

	u.Unplug()
	c.awaitDropped()
	require.Len(t, list(t, s), 12, "no unit is listed")

	require.NoError(t, u.Plug())
	require.NoError(t, u.Plug(), "it is plugged in already")
	again := attach(t, s, u)
	require.Equal(t, c.deviceID+1, again.deviceID)
	require.NotZero(t, waiting)
	require.Equal(t, []byte{0x18, 0x94, 0x04}, again.control(getFeature(0x18, 0)).data)
}

func TestUnplugInTheMiddleOfATransfer(t *testing.T) {
	s := serve(t)
	u := s.Add(unit())
	u.Fail(func(a virtualups.Answer) virtualups.Answer {
		u.Unplug()
		return a
	}, 0x18)
	c := attach(t, s, u)
	c.submitControl(getFeature(0x18, 0))
	c.awaitDropped()

	u.Heal()
	require.NoError(t, u.Plug())
	require.Equal(t, []byte{0x18, 0x94, 0x04}, attach(t, s, u).control(getFeature(0x18, 0)).data)
}

func TestUnitThatNobodyListensToDropsOffAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveInBubble(t)
		u := s.Add(unit())
		c := attach(t, s, u)
		u.DropWhenUnheard(time.Minute)
		start := time.Now()
		c.awaitDropped()
		require.Equal(t, time.Minute, time.Since(start))

		u.DropWhenUnheard(0)
		time.Sleep(499 * time.Millisecond)
		require.Len(t, list(t, s), 12, "it is away for half a second")
		time.Sleep(2 * time.Millisecond)
		again := attach(t, s, u)
		require.Greater(t, again.deviceID, c.deviceID)
		time.Sleep(time.Hour)
		require.EqualValues(t, ok, again.control(getFeature(0x18, 0)).status, "and stays")
	})
}

func TestUnitThatSomeoneListensToStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveInBubble(t)
		u := s.Add(unit())
		c := attach(t, s, u)
		waiting := c.read(1, 8)
		require.EqualValues(t, ok, c.control(getFeature(0x32, 0)).status) // so the read is queued
		u.DropWhenUnheard(time.Minute)
		time.Sleep(time.Hour)
		require.EqualValues(t, ok, c.control(getFeature(0x18, 0)).status)

		c.unlink(waiting)
		start := time.Now()
		c.awaitDropped()
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestUnpluggedUnitDoesNotComeBackByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveInBubble(t)
		u := s.Add(unit())
		c := attach(t, s, u)
		u.DropWhenUnheard(time.Minute)
		c.awaitDropped()
		u.Unplug()
		time.Sleep(time.Hour)
		require.Len(t, list(t, s), 12)
	})
}

func TestMalformedClientIsDropped(t *testing.T) {
	words := func(words ...uint32) []byte {
		var b []byte
		for _, word := range words {
			b = binary.BigEndian.AppendUint32(b, word)
		}
		return b
	}
	asking := func(busID string) []byte {
		return append([]byte{0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0}, busID...)
	}
	const device = 1<<16 | 2
	before := map[string][]byte{
		"garbage":                       []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"another version":               {0x01, 0x06, 0x80, 0x05, 0, 0, 0, 0},
		"an unknown request":            {0x01, 0x11, 0x80, 0x99, 0, 0, 0, 0},
		"a reply":                       {0x01, 0x11, 0x00, 0x05, 0, 0, 0, 0},
		"half a header":                 {0x01, 0x11, 0x80},
		"half a request":                {0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0, '1', '-'},
		"nothing":                       {},
		"a bus id that does not end":    asking("11111111111111111111111111111111"),
		"a bus id with a path in it":    asking("../../../../../../../../etc/pass"),
		"more after the list's request": {0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0, 1, 2, 3, 4},
	}
	after := map[string][]byte{
		"half a header":      words(1, 1, device),
		"an unknown command": words(9, 1, device, 1, 0, 0, 64, 0, 0xffffffff, 0, 0, 0),
		"a reply's command":  words(3, 1, device, 1, 0, 0, 64, 0, 0xffffffff, 0, 0, 0),
		"another device":     words(1, 1, device+1, 1, 0, 0, 64, 0, 0xffffffff, 0, 0, 0),
		"no device":          words(1, 1, 0, 1, 0, 0, 64, 0, 0xffffffff, 0, 0, 0),
		"far too much data":  words(1, 1, device, 0, 0, 0, 0xffffffff, 0, 0xffffffff, 0, 0, 0),
		"too much data":      words(1, 1, device, 0, 0, 0, 0x10000, 0, 0xffffffff, 0, 0, 0),
		"half its data": append(words(1, 1, device, 0, 0, 0, 0xffff, 0, 0xffffffff, 0, 0, 0),
			make([]byte, 100)...),
		"isochronous packets":           words(1, 1, device, 1, 1, 0, 64, 0, 8, 0, 0, 0),
		"isochronous packets, too many": words(1, 1, device, 1, 1, 0, 64, 0, 0x7fffffff, 0, 0, 0),
	}
	finish := func(t *testing.T, s *virtualups.Server, c *client) {
		_ = c.conn.(*net.TCPConn).CloseWrite() // which is too late where the server was quick
		c.awaitDropped()
		require.NotEmpty(t, list(t, s), "the server has survived it")
	}
	for name, sent := range before {
		t.Run("that sends "+name, func(t *testing.T) {
			s := serve(t)
			s.Add(unit())
			c := dial(t, s)
			c.send(sent...)
			finish(t, s, c)
		})
	}
	for name, sent := range after {
		t.Run("that, having imported a unit, sends "+name, func(t *testing.T) {
			s := serve(t)
			c := attach(t, s, s.Add(unit()))
			require.EqualValues(t, device, c.deviceID)
			c.send(sent...)
			finish(t, s, c)
		})
	}
}

func TestClientWithTooManyTransfersIsDropped(t *testing.T) {
	s := serve(t)
	u := s.Add(unit())
	c := attach(t, s, u)
	for range 257 {
		c.read(1, 8)
	}
	c.awaitDropped()
	require.LessOrEqual(t, u.Counts().Interrupts, 256)
}

func TestSeveralClientsAtOnce(t *testing.T) {
	s := serve(t)
	var clients sync.WaitGroup
	for n := range 8 {
		c := unit()
		c.Interfaces[0].Reports = append(c.Interfaces[0].Reports,
			capture.Report{Type: capture.Feature, ID: 0x30, Bytes: capture.Bytes{0x30, byte(n)}})
		u := s.Add(c)
		u.SetLatency(time.Millisecond)
		host := attach(t, s, u)
		clients.Go(func() {
			for i := range 20 {
				waiting := host.read(1, 8)
				u.Push(0x32, byte(i))
				seen := map[uint32][]byte{}
				asked := host.submitControl(getFeature(0x30, 0))
				for range 2 {
					r := host.reply()
					seen[r.seqnum] = r.data
				}
				if !bytes.Equal(seen[waiting], []byte{0x32, byte(i)}) ||
					!bytes.Equal(seen[asked], []byte{0x30, byte(n)}) {
					t.Errorf("unit %d, round %d: % x, % x", n, i, seen[waiting], seen[asked])
				}
			}
		})
	}
	clients.Wait()
}

func TestCloseEndsWhatHangs(t *testing.T) {
	s, err := virtualups.Listen("127.0.0.1:0")
	require.NoError(t, err)
	u := s.Add(unit())
	u.Fail(virtualups.Never)
	c := attach(t, s, u)
	c.read(1, 8)
	c.submitControl(getFeature(0x18, 0))
	idle := dial(t, s)

	dropped := s.Add(unit())
	listener := attach(t, s, dropped)
	dropped.DropWhenUnheard(time.Millisecond)
	listener.awaitDropped() // it is about to come back

	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "a second time")
	c.awaitDropped()
	idle.awaitDropped()
	_, err = net.Dial("tcp", s.Addr().String())
	require.Error(t, err)
	u.Push(0x32, 0)
	require.NoError(t, u.Plug())
}

func TestListenSaysWhyItCannot(t *testing.T) {
	s := serve(t)
	_, err := virtualups.Listen(s.Addr().String())
	require.ErrorContains(t, err, "listen tcp")
}
