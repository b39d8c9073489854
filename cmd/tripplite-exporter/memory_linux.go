package main

import "golang.org/x/sys/unix"

// smallPages keeps Linux from putting huge pages under the stacks of the threads that libusb and cgo start: with eight units that is
// 6 of 25 MB resident, of which the threads use next to nothing. Where the kernel refuses, the program merely takes more.
func smallPages() { _ = unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0) }
