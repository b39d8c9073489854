package virtualups

import (
	"encoding/binary"
	"unicode/utf16"

	"github.com/tripplite-go/tripplite/internal/capture"
)

// Descriptor types: USB 2.0 table 9-5, HID 1.11 section 7.1.
const (
	typeDevice        = 0x01
	typeConfiguration = 0x02
	typeString        = 0x03
	typeInterface     = 0x04
	typeEndpoint      = 0x05
	typeHID           = 0x21
	typeReport        = 0x22
)

// Indexes of the strings that the device descriptor names. They are the virtual unit's own:
// captures have the strings without them.
const (
	indexManufacturer = 1
	indexProduct      = 2
	indexSerial       = 3
)

const (
	maxPacket  = 8 // bytes, the most that low speed allows (USB 2.0 sections 5.5.3 and 5.7.3)
	classHID   = 3 // HID 1.11 section 4.1
	langEnUS   = 0x0409
	hidVersion = 0x0111

	// No listing of these three was found for a Tripp Lite unit, so they are composed.
	usbVersion    = 0x0110
	selfPowered   = 0xc0 // bmAttributes; bit 7 is always set (USB 2.0 table 9-10)
	pollEachMilli = 10   // bInterval

	// absentLength is the length that is declared for a missing report descriptor. It is not 0, so
	// that hosts ask for the descriptor.
	absentLength = 64
)

// indexOf returns the index of a string, or 0 for an empty one: 0 says that there is no such string
// (USB 2.0 section 9.6.7).
func indexOf(index byte, s string) byte {
	if s == "" {
		return 0
	}
	return index
}

// deviceDescriptor has the fields of USB 2.0 table 9-8.
func deviceDescriptor(c *capture.Capture) []byte {
	d := []byte{18, typeDevice}
	d = binary.LittleEndian.AppendUint16(d, usbVersion)
	d = append(d, 0, 0, 0, maxPacket) // class, subclass and protocol are the interface's
	d = binary.LittleEndian.AppendUint16(d, uint16(c.VendorID))
	d = binary.LittleEndian.AppendUint16(d, uint16(c.ProductID))
	d = binary.LittleEndian.AppendUint16(d, uint16(c.Release))
	return append(d,
		indexOf(indexManufacturer, c.Manufacturer),
		indexOf(indexProduct, c.Product),
		indexOf(indexSerial, c.Serial),
		1) // configurations
}

// configurationDescriptor returns the descriptor and all that belongs to it, in the order of HID
// 1.11 section 7.1. Of the report descriptors only the lengths matter.
func configurationDescriptor(reportDescriptors [][]byte) []byte {
	var parts []byte
	for n, report := range reportDescriptors {
		// USB 2.0 table 9-12: one endpoint. Table 9-13: IN, interrupt.
		parts = append(parts, 9, typeInterface, byte(n), 0, 1, classHID, 0, 0, 0)
		parts = append(parts, hidDescriptor(report)...)
		parts = append(parts, 7, typeEndpoint, 0x81+byte(n), 0x03, maxPacket, 0, pollEachMilli)
	}
	d := []byte{9, typeConfiguration} // USB 2.0 table 9-10
	d = binary.LittleEndian.AppendUint16(d, uint16(9+len(parts)))
	d = append(d, byte(len(reportDescriptors)), configurationValue, 0, selfPowered, 0)
	return append(d, parts...)
}

// hidDescriptor returns the fields of HID 1.11 section 6.2.1.
func hidDescriptor(report []byte) []byte {
	length := len(report)
	if length == 0 {
		length = absentLength
	}
	d := []byte{9, typeHID}
	d = binary.LittleEndian.AppendUint16(d, hidVersion)
	d = append(d, 0, 1, typeReport) // no country, one class descriptor
	return binary.LittleEndian.AppendUint16(d, uint16(length))
}

// stringDescriptor returns a string (USB 2.0 section 9.6.7), or nil where the unit has no such one.
func stringDescriptor(c *capture.Capture, index byte) []byte {
	if index == 0 {
		return binary.LittleEndian.AppendUint16([]byte{4, typeString}, langEnUS)
	}
	s := map[byte]string{
		indexManufacturer: c.Manufacturer,
		indexProduct:      c.Product,
		indexSerial:       c.Serial,
	}[index]
	if s == "" {
		s = c.Strings[int(index)]
	}
	if s == "" {
		return nil
	}
	const most = (255 - 2) / 2 // bLength is a byte
	units := utf16.Encode([]rune(s))
	d := []byte{0, typeString}
	for _, unit := range units[:min(len(units), most)] {
		d = binary.LittleEndian.AppendUint16(d, unit)
	}
	d[0] = byte(len(d))
	return d
}
