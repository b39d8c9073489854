// Command longpoll prints a line whenever a UPS says something new, and goes on while the UPS is unplugged and after:
//
//	longpoll -every 1m
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tripplite-go/tripplite"
)

func main() {
	path := flag.String("path", "", "watch the UPS at this path, such as 1-4.2:1.0, in place of the first one")
	every := flag.Duration("every", time.Minute, "read the UPS as often, also while it announces nothing")
	flag.Parse()
	// Without Close the kernel's own driver does not get the UPS back, so the signals end run and not the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	open := func() (*tripplite.Battery, error) { return tripplite.Open(*path) }
	if err := run(ctx, os.Stdout, *every, open); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, every time.Duration, open func() (*tripplite.Battery, error)) error {
	ups, err := open()
	if err != nil {
		return err // only the first time: a UPS that is lost later is found again
	}
	defer ups.Close()
	last := ""
	for state, err := range ups.Watch(ctx, every) {
		line := ""
		switch {
		case state.Time.IsZero():
			line = fmt.Sprintf("lost: %v", err) // Watch says it once; what the UPS said before is no longer known
		case err != nil:
			line = fmt.Sprintf("%s (not all could be read: %v)", describe(state), err)
		default:
			line = describe(state)
		}
		if line == last {
			continue
		}
		last = line
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil // ctx is done
}

func describe(state tripplite.State) string {
	power := "power unknown" // a UPS that does not say is not on battery
	if mains, known := state.Status.ACPresent.Get(); known && mains {
		power = "on mains"
	} else if known {
		power = "on battery"
	}
	return fmt.Sprintf("%s, input %v V, charge %v %%, %v left", power, state.Input.Voltage, state.RemainingCapacity, state.RunTimeToEmpty)
}
