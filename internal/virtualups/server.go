// Package virtualups serves virtual UPSes over USB/IP, each made from a [capture.Capture], so that
// a kernel's USB stack and every program above it can be tested without hardware. At run time a
// test changes their reports, makes them fail and unplugs them. They act on commands: see
// [capture.Acting] and [capture.Framed].
//
//	server, err := virtualups.Listen("127.0.0.1:0")
//	...
//	defer server.Close()
//	u := server.Add(c)
//	err = u.Attach(virtualups.AnyPort) // on Linux, as root
//
// Elsewhere a USB/IP client imports u.BusID().
package virtualups

import (
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// busNumber is the number of the bus on which every unit is exported.
const busNumber = 1

// askWithin is how long a client may take to send its request.
const askWithin = 10 * time.Second

// Server is a USB/IP server.
type Server struct {
	listener net.Listener
	closed   chan struct{}
	running  sync.WaitGroup

	attaching sync.Mutex // held while a port is chosen

	mu      sync.Mutex
	units   []*UPS
	devices uint32
	clients map[net.Conn]bool
	ended   bool
}

// Listen starts a server without a unit on a TCP address. USB/IP has no access control: whoever
// reaches the address may take the units.
func Listen(address string) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return serve(listener), nil
}

func serve(listener net.Listener) *Server {
	s := &Server{
		listener: listener,
		closed:   make(chan struct{}),
		devices:  1, // that of the bus's root hub
		clients:  map[net.Conn]bool{},
	}
	s.start(s.accept)
	return s
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Add exports a unit, plugged in, under the next bus id: "1-1", "1-2" and so on. The capture is
// only read.
func (s *Server) Add(c *capture.Capture) *UPS {
	device := s.nextDevice()
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &UPS{
		server:    s,
		capture:   c,
		number:    len(s.units) + 1,
		plugged:   true,
		device:    device,
		reconsult: make(chan struct{}, 1),
		counts:    Counts{Control: map[Request]int{}},
	}
	for n, source := range c.Interfaces {
		u.Interfaces = append(u.Interfaces, newInterface(u, n, source))
	}
	u.Interface = u.Interfaces[0]
	s.units = append(s.units, u)
	return u
}

// Close takes every unit off the bus and waits until all that the server started has ended. The
// units act on nothing any more.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return nil
	}
	s.ended = true
	close(s.closed)
	err := s.listener.Close()
	for client := range s.clients {
		client.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.units {
		u.end()
	}
	return err
}

// start runs work in a goroutine that Close waits for, unless the server is closed.
func (s *Server) start(work func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		work()
	}()
}

func (s *Server) nextDevice() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices++
	return s.devices
}

func (s *Server) accept() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.clients[client] = true
		ended := s.ended
		s.mu.Unlock()
		if ended {
			client.Close()
			return
		}
		s.start(func() { s.serve(client) })
	}
}

// serve answers one client. Anything but USB/IP ends the connection.
func (s *Server) serve(client net.Conn) {
	defer func() {
		client.Close()
		s.mu.Lock()
		delete(s.clients, client)
		s.mu.Unlock()
	}()
	if client.SetDeadline(time.Now().Add(askWithin)) != nil {
		return
	}
	var header opHeader
	if readMessage(client, &header) != nil || header.Version != version {
		return
	}
	switch header.Code {
	case opReqDevlist:
		_, _ = client.Write(s.list()) // a client that does not read it has gone
	case opReqImport:
		s.serveImport(client)
	}
}

func (s *Server) serveImport(client net.Conn) {
	var request importRequest
	if readMessage(client, &request) != nil {
		return
	}
	u := s.find(request.BusID)
	var session *session
	if u != nil {
		session = u.take(client)
	}
	if session == nil {
		_, _ = client.Write(encode(opHeader{Version: version, Code: opRepImport, Status: 1}))
		return
	}
	record, _ := u.record()
	reply := encode(opHeader{Version: version, Code: opRepImport}, record)
	if _, err := client.Write(reply); err != nil {
		session.stop()
	}
	if client.SetDeadline(time.Time{}) != nil {
		session.stop()
	}
	session.run()
}

// list returns the reply to OP_REQ_DEVLIST.
func (s *Server) list() []byte {
	s.mu.Lock()
	units := slices.Clone(s.units)
	s.mu.Unlock()
	var devices []byte
	n := uint32(0)
	for _, u := range units {
		record, plugged := u.record()
		if !plugged {
			continue
		}
		n++
		devices = append(devices, encode(record)...)
		for range u.Interfaces {
			devices = append(devices, encode(interfaceRecord{Class: classHID})...)
		}
	}
	return append(encode(opHeader{Version: version, Code: opRepDevlist}, n), devices...)
}

func (s *Server) find(busID [32]byte) *UPS {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.units {
		var id [32]byte
		copy(id[:], u.BusID())
		if id == busID {
			return u
		}
	}
	return nil
}

func readMessage[T opHeader | importRequest | deviceRecord](r io.Reader, message *T) error {
	b := make([]byte, len(encode(*message)))
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	decode(b, message)
	return nil
}
