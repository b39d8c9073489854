package main

import (
	"io"
	"os"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// terminalFile returns the terminal that a writer is, or nil.
func terminalFile(w io.Writer) *os.File {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return file
}

// terminalOf is terminalFile for a terminal that knows more than lines.
func terminalOf(w io.Writer) *os.File {
	if name := os.Getenv("TERM"); name == "dumb" || name == "" && runtime.GOOS != "windows" {
		return nil
	}
	return terminalFile(w)
}

// palette is whether colours are used (https://no-color.org says what NO_COLOR means).
type palette bool

func paletteOf(w io.Writer) palette {
	return palette(terminalOf(w) != nil && os.Getenv("NO_COLOR") == "")
}

// The colours, which only repeat what the text says.
const (
	bold   = "1"
	red    = "1;31"
	yellow = "1;33"
	green  = "32"
)

var colours = map[severity]string{okay: green, warning: yellow, critical: red, unknown: yellow}

func (p palette) paint(colour, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// columns is how wide text may be that people read.
const columns = 80

// wrap breaks a text at spaces into lines of at most width characters, where its words allow.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = known(" ", line, word)
	}
	if line == "" {
		return lines
	}
	return append(lines, line)
}

// pad fills a text with spaces.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// clip cuts a text off where it is too long.
func clip(text string, width int) string {
	text = printable(text)
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(0, width-1)]) + "…"
}

// clipPainted is clip for a text with colours in it, which have no width.
func clipPainted(text string, width int) string {
	var kept strings.Builder
	seen, escape := 0, false
	for i, r := range text {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			if seen++; seen > width || seen == width && unpainted(text[i:]) > 1 {
				if seen == width {
					kept.WriteRune('…')
				}
				continue
			}
		}
		kept.WriteRune(r)
	}
	return kept.String()
}

// unpainted counts the characters of a text that are no colours.
func unpainted(text string) int {
	n, escape := 0, false
	for _, r := range text {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			n++
		}
	}
	return n
}

// printable replaces what would move the cursor: a unit's strings are its own.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}
