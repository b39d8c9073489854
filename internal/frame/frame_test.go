package frame

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// commands are the maker's own examples, "Communication Protocol 3003", pages 6 to 8. Its example
// of W lacks the data byte, which makes it the command W without data.
var commands = []struct {
	letter byte
	data   []byte
	frame  string
}{
	{'A', nil, "3A 41 BE 0D"},
	{'C', nil, "3A 43 BC 0D"},
	{'G', nil, "3A 47 B8 0D"},
	{'H', []byte{0, 0, 0x0a}, "3A 48 00 00 0A AD 0D"},
	{'I', []byte{0}, "3A 49 00 B6 0D"},
	{'J', []byte{0, 0}, "3A 4A 00 00 B5 0D"},
	{'K', []byte("00"), "3A 4B 30 30 54 0D"},
	{'N', []byte{0, 5}, "3A 4E 00 05 AC 0D"},
	{'Q', nil, "3A 51 AE 0D"},
	{'W', nil, "3A 57 A8 0D"},
	{'Z', nil, "3A 5A A5 0D"},
	{0, nil, "3A 00 FF 0D"},
	{'D', nil, "3A 44 BB 0D"},
	{'F', nil, "3A 46 B9 0D"},
	{'L', nil, "3A 4C B3 0D"},
	{'M', nil, "3A 4D B2 0D"},
	{'P', nil, "3A 50 AF 0D"},
	{'R', nil, "3A 52 AD 0D"},
	{'S', nil, "3A 53 AC 0D"},
	{'T', nil, "3A 54 AB 0D"},
	{'U', nil, "3A 55 AA 0D"},
	{'V', nil, "3A 56 A9 0D"},
	{'0', nil, "3A 30 CF 0D"},
	{'1', nil, "3A 31 CE 0D"},
	{'2', nil, "3A 32 CD 0D"},
	{'3', nil, "3A 33 CC 0D"},
	{'4', nil, "3A 34 CB 0D"},
	{'5', nil, "3A 35 CA 0D"},
	{'6', nil, "3A 36 C9 0D"},
}

func fromHex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	return b
}

func TestCommandsAreTheMakersExamples(t *testing.T) {
	for _, c := range commands {
		want := fromHex(t, c.frame)
		assert.Equal(t, want, Command(c.letter, c.data...), "%q", c.letter)
		for _, zeros := range []int{0, Size - len(want)} {
			letter, data, err := ParseCommand(append(want, make([]byte, zeros)...))
			assert.NoError(t, err, c.frame)
			assert.Equal(t, c.letter, letter, c.frame)
			assert.Equal(t, string(c.data), string(data), c.frame)
		}
	}
	assert.Panics(t, func() { Command('H', 1, 2, 3, 4) })
}

func TestParseCommandRefusesWhatIsNone(t *testing.T) {
	for name, frame := range map[string]string{
		"nothing":            "",
		"only the start":     "3a",
		"another start":      "3b 53 ac 0d",
		"two's complement":   "3a 53 ad 0d", // as the maker's document had it before revision D
		"no end":             "3a 53 ac",
		"another end":        "3a 53 ac 0a",
		"something behind":   "3a 53 ac 0d 01",
		"four bytes of data": "3a 48 00 00 00 00 b7 0d",
	} {
		_, _, err := ParseCommand(fromHex(t, frame))
		assert.Error(t, err, name)
	}
	// NUT sends the terminator of its C string as data.
	letter, data, err := ParseCommand(fromHex(t, "3a 53 00 ac 0d 00 00 00"))
	require.NoError(t, err)
	assert.Equal(t, byte('S'), letter)
	assert.Equal(t, []byte{0}, data)
}

// The frames are those of a SMART500RT1U (NUT #585) and of a SMART1500RMXL2U (nut-ddl), and made of
// their layouts where the data hold a carriage return.
func TestRepliesEndWhereTheirLengthSays(t *testing.T) {
	for _, test := range []struct {
		reply  string
		length int
		data   string
	}{
		{"44 00 75 00 89 0d 00 00", 4, "00 75 00 89"},
		{"53 31 30 30 00 5a 30 0d", 6, "31 30 30 00 5a 30"},
		{"53 31 30 30 00 0d 30 0d", 6, "31 30 30 00 0d 30"}, // 13 % charge
		{"44 01 0d 00 89 0d 00 00", 4, "01 0d 00 89"},       // 269 V
		{"53 31 30 0d 00 00 00 00", -1, "31 30 0d 00 00 00 00"},
		{"41 0d 00 00 00 00 00 00", 0, ""},
	} {
		report := fromHex(t, test.reply)
		letter, data, err := ParseReply(report, test.length)
		require.NoError(t, err, test.reply)
		assert.Equal(t, report[0], letter)
		assert.Equal(t, fromHex(t, test.data), append([]byte{}, data...), test.reply)
		if test.length >= 0 {
			assert.Equal(t, report, Reply(letter, data...))
		}
	}
}

func TestAReplyOfAnotherLengthIsAnError(t *testing.T) {
	for name, test := range map[string]struct {
		reply  string
		length int
	}{
		"empty":           {"", 4},
		"short":           {"53 31 30 0d 00 00 00 00", 6},
		"long":            {"44 00 75 00 89 00 0d 00", 4},
		"cut":             {"53 31 30", 6},
		"without its end": {"53 31 30 30 00 5a 30", 6},
	} {
		_, _, err := ParseReply(fromHex(t, test.reply), test.length)
		assert.Error(t, err, name)
	}
	letter, _, err := ParseReply(fromHex(t, "53 31 30 0d"), 6)
	assert.Error(t, err)
	assert.Equal(t, byte('S'), letter, "the letter tells whose reply it is")
}

func FuzzFrames(f *testing.F) {
	for _, c := range commands {
		f.Add(fromHex(f, c.frame), 4)
	}
	f.Add(fromHex(f, "53 31 30 30 00 0d 30 0d"), 6)
	f.Fuzz(func(t *testing.T, b []byte, length int) {
		if letter, data, err := ParseCommand(b); err == nil {
			again := Command(letter, data...)
			require.Equal(t, again, b[:len(again)])
		}
		length %= Size - 1
		if letter, data, err := ParseReply(b, length); err == nil && length >= 0 {
			require.Len(t, data, length)
			require.Equal(t, Reply(letter, data...)[:length+2], b[:length+2])
		}
	})
}
