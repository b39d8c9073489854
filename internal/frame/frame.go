// Package frame writes and reads the frames of product 0001. It knows no UPS.
//
// A command is ':', a letter, up to three bytes of data, a checksum and a carriage return. A reply
// is the letter, up to six bytes of data and a carriage return, without a checksum. Data may hold
// a carriage return, so only the length tells where a reply ends. The source is the maker's
// "Communication Protocol 3003".
package frame

import (
	"bytes"
	"errors"
	"fmt"
)

const (
	// Size is the length of the reports that carry frames, which are filled up with zeros.
	Size = 8
	// MaxData is the most data that a command has.
	MaxData = 3

	start = ':'
	end   = '\r'
)

// Command returns the frame of a command, without zeros behind it. It panics if there is more than
// MaxData.
func Command(letter byte, data ...byte) []byte {
	if len(data) > MaxData {
		panic("frame: a command has three bytes of data at most")
	}
	b := append([]byte{start, letter}, data...)
	return append(b, checksum(b[1:]), end)
}

// checksum is the one's complement of the sum (revision D of the document).
func checksum(b []byte) byte {
	sum := byte(0)
	for _, c := range b {
		sum += c
	}
	return ^sum
}

var errCommand = errors.New("it is no command: ':', a letter, data, a checksum and 0d")

// ParseCommand takes a command apart. Zeros may follow it.
func ParseCommand(b []byte) (letter byte, data []byte, err error) {
	if len(b) < 2 || b[0] != start {
		return 0, nil, errCommand
	}
	for n := range MaxData + 1 {
		whole := Command(b[1], b[2:min(2+n, len(b))]...)
		if rest, ok := bytes.CutPrefix(b, whole); ok && len(bytes.Trim(rest, "\x00")) == 0 {
			return b[1], b[2 : 2+n], nil
		}
	}
	return 0, nil, errCommand
}

// Reply returns the report of a reply. It panics if the data have no room in it.
func Reply(letter byte, data ...byte) []byte {
	b := append(append([]byte{letter}, data...), end)
	return append(b, make([]byte, Size-len(b))...)
}

// ParseReply returns the letter of a reply and its data, which are that long. With a length below 0
// it takes all that there is behind the letter. Where the reply has another length it returns the
// letter and an error.
func ParseReply(b []byte, length int) (letter byte, data []byte, err error) {
	switch {
	case len(b) == 0:
		return 0, nil, errors.New("the reply is empty")
	case length < 0:
		return b[0], b[1:], nil
	case len(b) < length+2 || b[length+1] != end:
		return b[0], nil, fmt.Errorf("the reply % x has no 0d behind %d bytes of data", b, length)
	}
	return b[0], b[1 : 1+length], nil
}
