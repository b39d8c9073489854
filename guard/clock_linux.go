package guard

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// now returns which boot of the computer this is, and the time since then, suspended or not. A wall
// clock jumps: a Raspberry Pi has none before it has asked the network.
func (systemClock) now() (boot string, since time.Duration) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	var t unix.Timespec
	if err != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return "", 0
	}
	return strings.TrimSpace(string(id)), time.Duration(t.Nano())
}
