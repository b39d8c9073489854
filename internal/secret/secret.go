// Package secret reads passwords and the like from files that others cannot read.
package secret

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Line returns the first line of a file. It fails where everybody can read or write the file, and
// where the line is empty.
func Line(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if runtime.GOOS != "windows" && info.Mode()&0o007 != 0 {
		return "", fmt.Errorf("%s can be read by everybody: chmod o= %[1]s", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return "", fmt.Errorf("%s has nothing in its first line", file)
	}
	return line, nil
}
