//go:build cgo

package main

/*
#include <malloc.h>

static void one_arena(void) {
#ifdef __GLIBC__
	mallopt(M_ARENA_MAX, 1);
#endif
}
*/
import "C"

// oneArena keeps glibc from giving every thread that calls libusb a heap of its own, which with eight units is a quarter of all memory
// that is resident. It has to be called before other threads allocate.
func oneArena() { C.one_arena() }
