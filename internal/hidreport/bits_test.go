package hidreport

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBits(t *testing.T) {
	payload := []byte{0b1010_0101, 0b0011_1100, 0xff, 0x00, 0x81}
	for _, test := range []struct {
		offset, size int
		want         uint32
	}{
		{0, 1, 1},
		{1, 1, 0},
		{7, 1, 1},
		{8, 1, 0},
		{0, 8, 0xa5},
		{0, 16, 0x3ca5},
		{8, 16, 0xff3c},
		{3, 3, 0b100},
		{5, 5, 0b00_101},
		{7, 9, 0b0011_1100_1},
		{4, 32, 0x100ff3ca},
		{1, 32, 0x807f9e52},
		{7, 32, 0x0201fe79},
		{8, 32, 0x8100ff3c},
		{39, 1, 1},
		{38, 1, 0},
		{33, 7, 0x40},
	} {
		got, ok := Bits(payload, test.offset, test.size)
		require.True(t, ok)
		require.Equal(t, test.want, got, "%d bits at %d", test.size, test.offset)

		written := bytes.Clone(payload)
		SetBits(written, test.offset, test.size, ^test.want)
		got, _ = Bits(written, test.offset, test.size)
		require.Equal(t, ^test.want<<(32-test.size)>>(32-test.size), got)
		SetBits(written, test.offset, test.size, test.want)
		require.Equal(t, payload, written, "what is beside it stays")
	}
}

func TestBitsBeyondThePayloadAreNotRead(t *testing.T) {
	for _, test := range []struct{ bytes, offset, size int }{
		{0, 0, 1},
		{1, 8, 1},
		{1, 7, 2},
		{1, 0, 9},
		{2, 1, 16},
		{5, 40, 1},
		{5, 9, 32},
		{8, 0, 33}, // more than a value can hold
		{8, 0, 64},
		{8, 0, 0},
		{8, 0, -1},
		{8, -1, 1},
		{8, -8, 16},
	} {
		got, ok := Bits(bytes.Repeat([]byte{0xff}, test.bytes), test.offset, test.size)
		require.False(t, ok, "%d bits at %d of %d bytes", test.size, test.offset, test.bytes)
		require.Zero(t, got)
	}
}
