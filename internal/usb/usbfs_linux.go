package usb

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"unicode/utf16"
	"unsafe"
)

// usbNode is the file of a whole device under /dev/bus/usb. It works whoever has the interfaces.
type usbNode struct {
	path  string
	ioctl ioctlFunc
}

// call asks the driver of the node.
func (n usbNode) call(request uintptr, arg unsafe.Pointer) (int, error) {
	file, err := openNode(n.path, 0)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return n.ioctl(file, request, arg)
}

// openNode opens a node of a device that sysfs shows.
func openNode(node string, flags int) (*os.File, error) {
	file, err := os.OpenFile(node, os.O_RDWR|flags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noFile(node, "does not exist")
	}
	return file, err
}

func noFile(node, why string) error {
	return &reason{fs.ErrNotExist, node + " " + why + ": a container must share the host's /dev"}
}

// connect gives an interface that no driver has back to the kernel's drivers. Where the device does
// not answer, it takes as long as usbhid's probing, about 20 s.
func (n usbNode) connect(number int) error {
	_, err := n.call(usbIoctl,
		unsafe.Pointer(&interfaceIoctl{number: int32(number), code: usbConnect}))
	return err
}

// Descriptor types, and requests for them (USB 2.0, 9.4; HID 1.11, 7.1).
const (
	stringDescriptor = 0x03
	reportDescriptor = 0x22

	fromDevice    = 0x80
	fromInterface = 0x81
	getDescriptor = 0x06
)

// descriptor asks the device for a descriptor. The value is its type and number, the index the
// number of an interface or a language.
func (n usbNode) descriptor(from uint8, value, index, length uint16) ([]byte, error) {
	buf := make([]byte, length)
	var pinner runtime.Pinner
	pinner.Pin(&buf[0])
	defer pinner.Unpin()
	got, err := n.call(usbControl, unsafe.Pointer(&controlTransfer{
		requestType: from, request: getDescriptor, value: value, index: index, length: length,
		timeout: 1000, data: unsafe.Pointer(&buf[0]),
	}))
	if err != nil || got == 0 {
		return nil, err
	}
	return buf[:got], nil
}

// reportDescriptor asks the device for the report descriptor of an interface. It fails while a
// driver or another program has the interface.
func (n usbNode) reportDescriptor(number int) ([]byte, error) {
	const most = 4096 // HID_MAX_DESCRIPTOR_SIZE of linux/hid.h, and the most that the ioctl takes
	return n.descriptor(fromInterface, reportDescriptor<<8, uint16(number), most)
}

// StringDescriptor returns a string in the device's first language.
func (n usbNode) StringDescriptor(index byte) (string, error) {
	if index == 0 {
		return "", errors.New("string 0 is the list of languages")
	}
	const most = 255 // the length is one byte
	languages, err := n.descriptor(fromDevice, stringDescriptor<<8, 0, most)
	if Gone(err) {
		return "", err
	}
	language := uint16(0x0409) // English (USA), for a device that does not tell
	if units, _ := decodeUnits(languages); len(units) > 0 {
		language = units[0]
	}
	text, err := n.descriptor(fromDevice, stringDescriptor<<8|uint16(index), language, most)
	if err != nil {
		return "", err
	}
	return decodeString(text)
}

// decodeString returns the text of a string descriptor, up to the first NUL, as the kernel has it.
func decodeString(descriptor []byte) (string, error) {
	units, err := decodeUnits(descriptor)
	text, _, _ := strings.Cut(string(utf16.Decode(units)), "\x00")
	return text, err
}

// decodeUnits returns the 16-bit units of a string descriptor (USB 2.0, 9.6.7). Where the device
// declares another length than it sent, the shorter one counts.
func decodeUnits(descriptor []byte) ([]uint16, error) {
	if len(descriptor) < 2 || descriptor[0] < 2 || descriptor[1] != stringDescriptor {
		return nil, errors.New("the device's answer is not a string")
	}
	units := make([]uint16, min(int(descriptor[0]), len(descriptor))/2-1)
	_, err := binary.Decode(descriptor[2:], binary.LittleEndian, units)
	return units, err
}
