//go:build !unix

package main

import "os"

// reloadSignals has one that never comes: without any, Notify would take all.
var reloadSignals = []os.Signal{noSignal{}}

type noSignal struct{}

func (noSignal) Signal()        {}
func (noSignal) String() string { return "none" }
