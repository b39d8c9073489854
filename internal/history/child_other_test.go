//go:build !linux

package history

// children are what the test binary does when it runs as a child of a test: of those of Linux.
var children map[string]func()
