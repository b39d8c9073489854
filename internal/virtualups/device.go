package virtualups

import (
	"encoding/binary"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// Request types: direction, kind and recipient as in USB 2.0 table 9-2.
const (
	standardToDevice      = 0x00
	standardToInterface   = 0x01
	standardToEndpoint    = 0x02
	classToInterface      = 0x21 // HID 1.11 section 7.2: class, interface
	standardFromDevice    = 0x80
	classFromInterface    = 0xa1 // HID 1.11 section 7.2: class, interface
	standardFromInterface = 0x81 // standard, interface
	standardFromEndpoint  = 0x82
)

// Request codes: USB 2.0 table 9-4, then HID 1.11 section 7.2.
const (
	getStatus        = 0
	clearFeature     = 1
	setAddress       = 5
	getDescriptor    = 6
	getConfiguration = 8
	setConfiguration = 9
	getInterface     = 10
	setInterface     = 11

	getReport   = 0x01
	getIdle     = 0x02
	getProtocol = 0x03
	setReport   = 0x09
	setIdle     = 0x0a
	setProtocol = 0x0b
)

const (
	configurationValue = 1
	endpointHalt       = 0 // USB 2.0 table 9-6
	reportProtocol     = 1 // HID 1.11 section 7.2.6
)

// output is what no UPS declares. One of the framed protocol takes a command in it all the same
// (github.com/RubyRubenstahl/node-tripp-lite sends them so).
const output capture.Type = "output"

// reportTypes are those of HID 1.11 section 7.2.1.
var reportTypes = map[byte]capture.Type{1: capture.Input, 2: output, 3: capture.Feature}

// control is the control endpoint of a unit since it was plugged in.
type control struct {
	ups           *UPS
	configuration byte
	idle          []byte // by interface
	protocol      []byte // by interface
}

func newControl(u *UPS) *control {
	n := len(u.Interfaces)
	c := &control{ups: u, idle: make([]byte, n), protocol: make([]byte, n)}
	for n := range c.protocol {
		c.protocol[n] = reportProtocol // HID 1.11 section 7.2.6: what a device starts with
	}
	return c
}

// handler answers a request; data are the bytes that came with it.
type handler func(c *control, r Request, data []byte) Answer

// requestKind selects a handler.
type requestKind struct {
	kind, code byte
}

// handlers has every request that a unit knows. It stalls the others (USB 2.0 section 9.2.7).
var handlers = map[requestKind]handler{
	{standardFromDevice, getStatus}:        fixed(1, 0), // self-powered
	{standardFromInterface, getStatus}:     onInterface(fixed(0, 0)),
	{standardFromEndpoint, getStatus}:      fixed(0, 0), // not halted
	{standardToEndpoint, clearFeature}:     (*control).clearHalt,
	{standardToDevice, setAddress}:         fixed(), // the virtual host controller keeps it to itself
	{standardFromDevice, getDescriptor}:    (*control).descriptor,
	{standardFromInterface, getDescriptor}: onInterface((*control).interfaceDescriptor),
	{standardFromDevice, getConfiguration}: (*control).getConfiguration,
	{standardToDevice, setConfiguration}:   (*control).setConfiguration,
	{standardFromInterface, getInterface}:  onInterface(fixed(0)),
	{standardToInterface, setInterface}:    onInterface((*control).setInterface),
	{classFromInterface, getReport}:        onInterface((*control).getReport),
	{classToInterface, setReport}:          onInterface((*control).setReport),
	{classFromInterface, getIdle}:          onInterface((*control).getIdle),
	{classToInterface, setIdle}:            onInterface((*control).setIdle),
	{classFromInterface, getProtocol}:      onInterface((*control).getProtocol),
	{classToInterface, setProtocol}:        onInterface((*control).setProtocol),
}

// handle answers a request, or stalls it where no handler knows it.
func (c *control) handle(r Request, data []byte) Answer {
	handler, ok := handlers[requestKind{r.Type, r.Code}]
	if !ok {
		return Answer{Stall: true}
	}
	return handler(c, r, data)
}

func fixed(answer ...byte) handler {
	return func(*control, Request, []byte) Answer { return Answer{Bytes: answer} }
}

// onInterface makes a handler stall a request for an interface that the unit does not have.
func onInterface(handler handler) handler {
	return func(c *control, r Request, data []byte) Answer {
		if int(r.Index) >= len(c.ups.Interfaces) {
			return Answer{Stall: true}
		}
		return handler(c, r, data)
	}
}

// setupPacket has the fields of USB 2.0 table 9-2, little endian.
func setupPacket(b [8]byte) (r Request, length int) {
	return Request{
		Type:  b[0],
		Code:  b[1],
		Value: binary.LittleEndian.Uint16(b[2:]),
		Index: binary.LittleEndian.Uint16(b[4:]),
	}, int(binary.LittleEndian.Uint16(b[6:]))
}

func orStall(b []byte) Answer { return Answer{Bytes: b, Stall: b == nil} }

func stallUnless(ok bool) Answer { return Answer{Stall: !ok} }

func (c *control) descriptor(r Request, _ []byte) Answer {
	switch r.Value >> 8 {
	case typeDevice:
		return Answer{Bytes: deviceDescriptor(c.ups.capture)}
	case typeConfiguration:
		return Answer{Bytes: c.ups.configurationDescriptor()}
	case typeString:
		return orStall(stringDescriptor(c.ups.capture, byte(r.Value)))
	}
	return Answer{Stall: true}
}

func (c *control) interfaceDescriptor(r Request, _ []byte) Answer {
	report := c.ups.Interfaces[r.Index].reportDescriptor()
	switch r.Value >> 8 {
	case typeHID:
		return Answer{Bytes: hidDescriptor(report)}
	case typeReport:
		if c.ups.Interfaces[r.Index].descriptorHangs() {
			return Answer{Never: true}
		}
		return orStall(report)
	}
	return Answer{Stall: true}
}

func (c *control) clearHalt(r Request, _ []byte) Answer {
	return stallUnless(r.Value == endpointHalt)
}

func (c *control) getConfiguration(Request, []byte) Answer {
	return Answer{Bytes: []byte{c.configuration}}
}

func (c *control) setConfiguration(r Request, _ []byte) Answer {
	if r.Value > configurationValue {
		return Answer{Stall: true}
	}
	c.configuration = byte(r.Value)
	return Answer{}
}

func (c *control) setInterface(r Request, _ []byte) Answer { return stallUnless(r.Value == 0) }

func (c *control) getReport(r Request, _ []byte) Answer {
	t, ok := reportTypes[byte(r.Value>>8)]
	if !ok {
		return Answer{Stall: true}
	}
	id := byte(r.Value)
	a := c.ups.Interfaces[r.Index].answerGet(t, id)
	if id == 0 && len(a.Bytes) > 0 {
		a.Bytes = a.Bytes[1:] // a unit without report ids sends none (HID 1.11 section 8.1)
	}
	return a
}

func (c *control) setReport(r Request, data []byte) Answer {
	t, ok := reportTypes[byte(r.Value>>8)]
	if !ok {
		return Answer{Stall: true}
	}
	return c.ups.Interfaces[r.Index].answerSet(t, byte(r.Value), data)
}

// getIdle and setIdle keep one rate for all reports of an interface. The rate has no effect: a unit
// sends what is pushed.
func (c *control) getIdle(r Request, _ []byte) Answer {
	return Answer{Bytes: []byte{c.idle[r.Index]}}
}

func (c *control) setIdle(r Request, _ []byte) Answer {
	c.idle[r.Index] = byte(r.Value >> 8)
	return Answer{}
}

func (c *control) getProtocol(r Request, _ []byte) Answer {
	return Answer{Bytes: []byte{c.protocol[r.Index]}}
}

func (c *control) setProtocol(r Request, _ []byte) Answer {
	if r.Value > reportProtocol {
		return Answer{Stall: true}
	}
	c.protocol[r.Index] = byte(r.Value)
	return Answer{}
}
