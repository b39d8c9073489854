// Package program has what tests of programs need: it finds those that they run, waits for what a
// program writes, and writes the files that it reads.
package program

import (
	"os"
	"os/exec"
	"testing"
)

// Find returns the path of a program. Without it the test is skipped, but fails where the
// environment variable CI is set: there every program must be installed, so that no test is left
// out unnoticed.
func Find(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("CI must have %s installed: %v", name, err)
	default:
		t.Skipf("%s is not installed", name)
	}
	return path
}
