package virtualups

import (
	"bufio"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// A client other than the Linux kernel could make the server keep any amount of memory. These
// limits are far above what a kernel needs.
const (
	mostBytes     = 0xffff // of a transfer: wLength has 16 bits
	mostTransfers = 256    // in the queues of one unit
)

// session has the transfers of a client that has imported a unit, until the client goes.
type session struct {
	ups     *UPS
	client  net.Conn
	device  uint32 // its id in every transfer
	changes int    // of the unit, when the session began
	stop    func() // closes done and the connection
	done    chan struct{}
	ended   chan struct{} // closed when its goroutines have ended
	control *control

	mu           sync.Mutex // guards what follows, and the order of what is written to the client
	endpoints    []*endpoint
	unheardSince time.Time // zero while an interrupt read is queued
}

// endpoint has the transfers that are queued on it, first the one in progress.
type endpoint struct {
	transfers []*transfer
	queued    chan struct{} // has an element when transfers may have grown
}

// transfer is what the kernel calls an URB.
type transfer struct {
	submitCommand
	data     []byte        // what the host sends
	unlinked chan struct{} // closed when the host has given it up
}

// size returns how much of the host's buffer a unit could fill.
func (t *transfer) size() int { return int(min(t.Length, mostBytes)) }

// newSession is called with the unit locked.
func newSession(u *UPS, client net.Conn) *session {
	s := &session{
		ups:          u,
		client:       client,
		device:       busNumber<<16 | u.device,
		changes:      u.changes,
		done:         make(chan struct{}),
		ended:        make(chan struct{}),
		control:      newControl(u),
		unheardSince: time.Now(),
	}
	s.stop = sync.OnceFunc(func() {
		close(s.done)
		client.Close()
	})
	for range 1 + len(u.Interfaces) {
		s.endpoints = append(s.endpoints, &endpoint{queued: make(chan struct{}, 1)})
	}
	return s
}

func (s *session) stopped() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// run serves the client until it goes or s is stopped. Each endpoint has a goroutine, so that a
// transfer that hangs does not hold up other endpoints.
func (s *session) run() {
	var workers sync.WaitGroup
	start := func(work func()) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			work()
		}()
	}
	start(s.serveControl)
	for n, i := range s.ups.Interfaces {
		start(func() { s.serveInterrupts(s.endpoints[1+n], i) })
	}
	start(s.watchListener)

	_ = s.read() // after any error the client is gone
	s.stop()
	workers.Wait()
	s.ups.release()
	close(s.ended)
}

var errProtocol = errors.New("not USB/IP")

// read reads the client's messages until one is missing or makes no sense.
func (s *session) read() error {
	r := bufio.NewReader(s.client)
	header := make([]byte, headerLength)
	for {
		if _, err := io.ReadFull(r, header); err != nil {
			return err
		}
		var basic basicHeader
		decode(header, &basic)
		if basic.DeviceID != s.device {
			return errProtocol
		}
		var err error
		switch basic.Command {
		case cmdSubmit:
			err = s.submit(header, r)
		case cmdUnlink:
			err = s.unlink(header)
		default:
			err = errProtocol
		}
		if err != nil {
			return err
		}
	}
}

func (s *session) submit(header []byte, r io.Reader) error {
	t := &transfer{unlinked: make(chan struct{})}
	decode(header, &t.submitCommand)
	if t.Packets != 0 && t.Packets != notIsochrone {
		return errProtocol // no such endpoint, and what follows has another form
	}
	if t.Direction != directionIn {
		if t.Length > mostBytes {
			return errProtocol
		}
		t.data = make([]byte, t.Length)
		if _, err := io.ReadFull(r, t.data); err != nil {
			return err
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := 0
	for _, e := range s.endpoints {
		waiting += len(e.transfers)
	}
	if waiting >= mostTransfers {
		return errProtocol
	}
	if t.Endpoint >= uint32(len(s.endpoints)) || t.Endpoint > 0 && t.Direction != directionIn {
		return s.reply(t, nil, stalled) // no such endpoint
	}
	e := s.endpoints[t.Endpoint]
	e.transfers = append(e.transfers, t)
	if t.Endpoint > 0 {
		s.unheardSince = time.Time{}
		s.ups.count(func(c *Counts) { c.Interrupts++; c.Waiting++ })
	}
	select {
	case e.queued <- struct{}{}:
	default:
	}
	return nil
}

// unlink takes a transfer out of its queue. A transfer that is in no queue has been answered.
func (s *session) unlink(header []byte) error {
	var command unlinkCommand
	decode(header, &command)
	answer := unlinkReply{basicHeader: basicHeader{Command: retUnlink, Seqnum: command.Seqnum}}

	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.endpoints {
		n := slices.IndexFunc(e.transfers, func(t *transfer) bool { return t.Seqnum == command.Target })
		if n >= 0 {
			close(e.transfers[n].unlinked)
			s.dequeue(e.transfers[n])
			s.ups.count(func(c *Counts) { c.Unlinked++ })
			answer.Status = unlinked
			break
		}
	}
	_, err := s.client.Write(encode(answer))
	return err
}

// dequeue takes a transfer out of its queue. It returns false if t has been unlinked. It is called
// with s locked.
func (s *session) dequeue(t *transfer) bool {
	e := s.endpoints[t.Endpoint]
	n := slices.Index(e.transfers, t)
	if n < 0 {
		return false
	}
	e.transfers = slices.Delete(e.transfers, n, n+1)
	if t.Endpoint > 0 {
		s.ups.count(func(c *Counts) { c.Waiting-- })
		if !slices.ContainsFunc(s.endpoints[1:], func(e *endpoint) bool { return len(e.transfers) > 0 }) {
			s.unheardSince = time.Now()
		}
	}
	return true
}

// reply answers a transfer. It is called with s locked. The data must fit into the host's buffer: a
// device cannot send more than it is asked for, and Linux 6.1 panics on a USB/IP server that does.
func (s *session) reply(t *transfer, data []byte, status int32) error {
	length := len(data)
	if t.Direction != directionIn {
		data, length = nil, len(t.data)
	}
	if status == stalled {
		data, length = nil, 0
	}
	answer := submitReply{
		basicHeader: basicHeader{Command: retSubmit, Seqnum: t.Seqnum},
		Status:      status,
		Length:      uint32(length),
		Packets:     t.Packets,
	}
	_, err := s.client.Write(append(encode(answer), data...))
	return err
}

// complete answers t with what result returns. It does not call result if t has been unlinked.
func (s *session) complete(t *transfer, result func() (data []byte, status int32)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dequeue(t) {
		return
	}
	data, status := result()
	if s.reply(t, data, status) != nil {
		s.stop()
	}
}

// next waits for the first transfer of an endpoint. It returns nil when the session has ended.
func (s *session) next(e *endpoint) *transfer {
	for !s.stopped() {
		s.mu.Lock()
		if len(e.transfers) > 0 {
			defer s.mu.Unlock()
			return e.transfers[0]
		}
		s.mu.Unlock()
		select {
		case <-e.queued:
		case <-s.done:
		}
	}
	return nil
}

// sleep waits for d. It returns false if t was given up meanwhile.
func (s *session) sleep(t *transfer, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.unlinked:
	case <-s.done:
	}
	return false
}

// serveControl answers control transfers one after the other, as a device does (USB 2.0 section
// 5.5.5).
func (s *session) serveControl() {
	for {
		t := s.next(s.endpoints[0])
		if t == nil {
			return
		}
		if !s.sleep(t, s.ups.transferTime()) {
			continue
		}
		request, length := setupPacket(t.Setup)
		s.ups.count(func(c *Counts) { c.Control[request]++ })
		answer := s.control.handle(request, t.data[:min(length, len(t.data))])
		if answer.Never {
			select {
			case <-t.unlinked:
			case <-s.done:
			}
			continue
		}
		if !s.sleep(t, answer.Delay) {
			continue
		}
		s.complete(t, func() ([]byte, int32) {
			if answer.Stall {
				return nil, stalled
			}
			return answer.Bytes[:min(len(answer.Bytes), length, t.size())], 0
		})
	}
}

// serveInterrupts gives the reads of an interface its input reports, in order.
func (s *session) serveInterrupts(e *endpoint, i *Interface) {
	for {
		t := s.next(e)
		if t == nil {
			return
		}
		if !s.awaitInput(t, i) || !s.sleep(t, s.ups.transferTime()) {
			continue
		}
		s.complete(t, func() ([]byte, int32) { return i.takeInput(t.size()) })
	}
}

// awaitInput waits for an input report. It returns false if t was given up meanwhile.
func (s *session) awaitInput(t *transfer, i *Interface) bool {
	for !i.hasInput() {
		select {
		case <-i.pushed:
		case <-t.unlinked:
			return false
		case <-s.done:
			return false
		}
	}
	return true
}

// watchListener drops the unit off the bus when nobody has listened for too long.
func (s *session) watchListener() {
	for {
		limit := s.ups.unheardLimit()
		s.mu.Lock()
		since := s.unheardSince
		s.mu.Unlock()

		var expired <-chan time.Time
		if limit > 0 {
			left := limit
			if !since.IsZero() {
				left -= time.Since(since)
			}
			if left <= 0 {
				s.ups.server.start(func() { s.ups.dropOff(s.changes) })
				return
			}
			expired = time.After(left)
		}
		select {
		case <-expired:
		case <-s.ups.reconsult:
		case <-s.done:
			return
		}
	}
}
