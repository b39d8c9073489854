package main

import "golang.org/x/sys/unix"

// smallPages keeps Linux from putting huge pages under the stacks of the threads that libusb and
// cgo start. With eight units that is 6 of 25 MB resident, which the threads hardly use. Where the
// kernel refuses, the program takes more.
func smallPages() { _ = unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0) }
