package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// columns is the width of text for people.
const columns = 80

// printable makes a text of strangers fit for a line: the strings of a unit, the names of captures
// and programs, and errors that repeat them.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// escaped is printable for JSON: nothing is lost.
func escaped(text []byte) []byte {
	var out []byte
	for _, r := range string(text) {
		switch {
		case r < 0x7f || unicode.IsPrint(r): // encoding/json escapes control characters
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// joined joins the texts that are not empty.
func joined(separator string, texts ...string) string {
	texts = slices.DeleteFunc(texts, func(text string) bool { return text == "" })
	return strings.Join(texts, separator)
}

func orDash(text string) string { return cmp.Or(text, "-") }

func width(text string) int { return utf8.RuneCountInString(text) }

// pad fills a text with spaces.
func pad(text string, to int) string {
	return text + strings.Repeat(" ", max(0, to-width(text)))
}

// clip cuts a text off where it is too long.
func clip(text string, to int) string {
	switch {
	case width(text) <= to:
		return text
	case to <= 0:
		return ""
	}
	return string([]rune(text)[:to-1]) + "…"
}

// clipPainted is clip for a text with colours in it, which have no width.
func clipPainted(text string, to int) string {
	var kept strings.Builder
	for i, part := range strings.Split(text, "\x1b") {
		if i > 0 {
			colour, rest, _ := strings.Cut(part, "m")
			kept.WriteString("\x1b" + colour + "m")
			part = rest
		}
		kept.WriteString(clip(part, to))
		to -= width(part)
	}
	return kept.String()
}

// wrap breaks a text into lines of at most so many characters: at spaces, in a long word behind the
// dots of a path, or else anywhere.
func wrap(text string, to int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && width(line)+1+width(word) > to {
			lines = append(lines, line)
			line = ""
		}
		for width(word) > to {
			head := string([]rune(word)[:to])
			if dot := strings.LastIndex(head, "."); dot >= 0 {
				head = head[:dot+1]
			}
			lines = append(lines, head)
			word = word[len(head):]
		}
		line = joined(" ", line, word)
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// table aligns columns. Where they do not fit, the cells of the widest are wrapped.
func table(rows [][]string, to int) string {
	widths := make([]int, len(rows[0]))
	used := -2
	for i := range widths {
		for _, row := range rows {
			widths[i] = max(widths[i], width(row[i]))
		}
		used += widths[i] + 2
	}
	for ; used > to; used-- {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		widths[widest]--
	}
	var text strings.Builder
	for _, row := range rows {
		var cells [][]string
		height := 1
		for i, cell := range row {
			cells = append(cells, wrap(printable(cell), widths[i]))
			height = max(height, len(cells[i]))
		}
		for n := range height {
			line := ""
			for i, lines := range cells {
				part := ""
				if n < len(lines) {
					part = lines[n]
				}
				line += pad(part, widths[i]+2)
			}
			text.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	return text.String()
}
