package nut

import (
	"errors"
	"strings"
)

// The limits of a line, which are those of NUT's own parser.
const (
	maxLine  = 1024
	maxWords = 32
	maxWord  = 512
)

var errLine = errors.New("the line is none of words")

// split returns the words of a line, as NUT's parser splits it: quotes make one word of several, a
// backslash takes the next character as it is, "=" outside quotes is a word of its own, "#" begins
// a comment, and characters outside of ASCII are dropped. It fails where a quote is not closed, a
// comment follows words, or a limit is exceeded.
func split(line string) (words []string, err error) {
	var word strings.Builder
	inWord, quoted := false, false
	end := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line):
			i++
			if c = line[i]; c >= ' ' && c < 0x7f {
				word.WriteByte(c)
				inWord = true
			}
		case c == '\\':
			return nil, errLine
		case c == '"':
			quoted, inWord = !quoted, true
		case quoted && c >= ' ' && c < 0x7f:
			word.WriteByte(c)
		case quoted:
		case c == ' ' || c == '\t' || c == '\r':
			end()
		case c == '=':
			end()
			words = append(words, "=")
		case c == '#':
			end()
			if len(words) > 0 {
				return nil, errLine
			}
			return nil, nil
		case c > ' ' && c < 0x7f:
			word.WriteByte(c)
			inWord = true
		}
		if word.Len() > maxWord || len(words) > maxWords {
			return nil, errLine
		}
	}
	if quoted {
		return nil, errLine
	}
	end()
	if len(words) > maxWords {
		return nil, errLine
	}
	return words, nil
}

// quote makes a value of an answer. Clients do not all undo escapes, so what would need one is
// replaced, and what is not ASCII is.
func quote(value string) string {
	return `"` + strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, value) + `"`
}
