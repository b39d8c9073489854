package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"
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
func escaped(text []byte) (out []byte) {
	for _, unit := range utf16.Encode([]rune(string(text))) {
		if unit < 0x7f { // encoding/json escapes control characters
			out = append(out, byte(unit))
		} else {
			out = fmt.Appendf(out, `\u%04x`, unit)
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

// unbroken has what the library must not break behind: a hyphen, which file names have, and the end
// of a sentence, for which it takes a column too many.
var unbroken, broken = strings.NewReplacer("-", "\u2011", ". ", "\u2024 "),
	strings.NewReplacer("\u2011", "-", "\u2024", ".")

// wrap breaks a text into lines: at spaces, behind these characters, in a long word anywhere.
func wrap(text string, to int, behind string) []string {
	text = strings.TrimSuffix(unbroken.Replace(text+" "), " ")
	return strings.Split(broken.Replace(ansi.Wrap(text, to, behind)), "\n")
}

// table aligns columns. Where they do not fit, the cells of the widest are wrapped.
func table(rows [][]string, to int) string {
	widths := make([]int, len(rows[0]))
	for i := range widths {
		for _, row := range rows {
			widths[i] = max(widths[i], ansi.StringWidth(printable(row[i]))+2)
		}
		to -= widths[i]
	}
	for ; to < -2; to++ { // nothing follows the last column
		widths[slices.Index(widths, slices.Max(widths))]--
	}
	var text strings.Builder
	for _, row := range rows {
		cells, height := make([][]string, len(row)), 0
		for i, cell := range row {
			cells[i] = wrap(printable(cell), widths[i]-2, ".")
			height = max(height, len(cells[i]))
		}
		for n := range height {
			line, end := "", 0
			for i, cell := range cells {
				if n < len(cell) {
					line += cell[n]
				}
				end += widths[i]
				line += strings.Repeat(" ", max(0, end-ansi.StringWidth(line)))
			}
			text.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	return text.String()
}

// terminalFile returns the terminal that a reader or a writer is, or nil.
func terminalFile(stream any) *os.File {
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return file
}

// screenOf returns the terminal that a writer is if it can do more than print lines, or nil.
func screenOf(w io.Writer) *os.File {
	if name := os.Getenv("TERM"); name == "dumb" || name == "" && runtime.GOOS != "windows" {
		return nil
	}
	return terminalFile(w)
}

const bold = "1"

// colours only repeat what the text says.
var colours = [...]string{okay: "32", warning: "1;33", critical: "1;31", unknown: "1;33"}

func paint(colour, text string) string { return "\x1b[" + colour + "m" + text + "\x1b[0m" }

// forWriter takes the colours out of a text unless they are wanted (https://no-color.org).
func forWriter(w io.Writer, text string) string {
	if screenOf(w) == nil || os.Getenv("NO_COLOR") != "" {
		return ansi.Strip(text)
	}
	return text
}
