//go:build !unix

package main

import "os"

// terminalSignals never tells of anything: here a new size is seen within a second.
func terminalSignals() <-chan os.Signal { return nil }

func suspends(os.Signal) bool { return false }

func suspend() {}
