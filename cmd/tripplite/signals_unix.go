//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// terminalSignals tells of a terminal that has another size now, and of Ctrl-Z.
func terminalSignals() <-chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGWINCH, syscall.SIGTSTP)
	return signals
}

func suspends(s os.Signal) bool { return s == syscall.SIGTSTP }

// suspend stops the program until its shell lets it go on.
func suspend() {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
	<-continued // a program of several threads may run on for a moment
}
