package main

import (
	"io"
	"os"
	"runtime"

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

// screenOf returns the terminal that a writer is if it can do more than print lines, or nil.
func screenOf(w io.Writer) *os.File {
	if name := os.Getenv("TERM"); name == "dumb" || name == "" && runtime.GOOS != "windows" {
		return nil
	}
	return terminalFile(w)
}

// palette is whether colours are used (https://no-color.org says what NO_COLOR means).
type palette bool

func paletteOf(w io.Writer) palette {
	return palette(screenOf(w) != nil && os.Getenv("NO_COLOR") == "")
}

// The colours, which only repeat what the text says.
const (
	bold   = "1"
	red    = "1;31"
	yellow = "1;33"
	green  = "32"
)

var colours = [...]string{okay: green, warning: yellow, critical: red, unknown: yellow}

func (p palette) paint(colour, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
