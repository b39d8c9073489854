package virtualups

import "encoding/binary"

// The messages of USB/IP, as the Linux kernel's Documentation/usb/usbip_protocol.rst lays them out:
// every field big endian. A struct here is a message's bytes in their order.

const version = 0x0111 // "USBIP version v1.1.1"

// Codes of the messages before an import.
const (
	opReqDevlist = 0x8005
	opRepDevlist = 0x0005
	opReqImport  = 0x8003
	opRepImport  = 0x0003
)

// Commands of the messages after an import.
const (
	cmdSubmit = 1
	cmdUnlink = 2
	retSubmit = 3
	retUnlink = 4
)

const (
	directionIn  = 1
	notIsochrone = 0xffffffff // the number_of_packets where there are none; older kernels send 0
	lowSpeed     = 1          // USB_SPEED_LOW of the kernel's include/uapi/linux/usb/ch9.h
)

// The status of a transfer is a negative Linux error number (include/uapi/asm-generic/errno.h);
// what each means for a transfer is in the kernel's Documentation/driver-api/usb/error-codes.rst.
const (
	stalled    = -32  // EPIPE
	overflowed = -75  // EOVERFLOW: more came than the buffer holds
	unlinked   = -104 // ECONNRESET
)

type opHeader struct {
	Version uint16
	Code    uint16
	Status  uint32 // of a reply: 0 for OK, 1 for an error
}

type importRequest struct {
	BusID [32]byte
}

type deviceRecord struct {
	Path               [256]byte
	BusID              [32]byte
	BusNumber          uint32
	DeviceNumber       uint32
	Speed              uint32
	Vendor             uint16
	Product            uint16
	Release            uint16
	Class              byte
	SubClass           byte
	Protocol           byte
	ConfigurationValue byte
	Configurations     byte
	Interfaces         byte
}

// id returns the number by which the client names the device in each transfer.
func (r deviceRecord) id() uint32 { return r.BusNumber<<16 | r.DeviceNumber }

type interfaceRecord struct {
	Class, SubClass, Protocol, _ byte
}

type basicHeader struct {
	Command   uint32
	Seqnum    uint32
	DeviceID  uint32
	Direction uint32
	Endpoint  uint32
}

// headerLength is the length of every message after an import without the transfer's data.
const headerLength = 48

type submitCommand struct {
	basicHeader
	Flags      uint32
	Length     uint32 // transfer_buffer_length
	StartFrame uint32
	Packets    uint32 // number_of_packets
	Interval   uint32
	Setup      [8]byte
}

type submitReply struct {
	basicHeader
	Status     int32
	Length     uint32 // actual_length
	StartFrame uint32
	Packets    uint32
	Errors     uint32
	_          [8]byte
}

type unlinkCommand struct {
	basicHeader
	Target uint32 // the seqnum of the transfer to unlink
	_      [24]byte
}

type unlinkReply struct {
	basicHeader
	Status int32
	_      [24]byte
}

// encode returns the bytes of messages, one behind the other.
func encode(messages ...any) []byte {
	var b []byte
	for _, message := range messages {
		var err error
		if b, err = binary.Append(b, binary.BigEndian, message); err != nil {
			panic(err) // only a type without a fixed size has one
		}
	}
	return b
}

// decode reads a message from the start of b, which must be long enough.
func decode(b []byte, message any) {
	if _, err := binary.Decode(b, binary.BigEndian, message); err != nil {
		panic(err) // only a b that is too short has one
	}
}
