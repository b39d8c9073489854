// Command longpoll prints a line whenever a UPS says something new. It goes on while the UPS is
// unplugged and after:
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
	path := flag.String("path", "", "the path of the UPS, such as 1-4.2:1.0; otherwise the first one")
	every := flag.Duration("every", time.Minute, "how often to read while nothing is announced")
	flag.Parse()
	ups, err := tripplite.Open(*path)
	if err != nil {
		log.Fatal(err) // only at the start: a UPS that is lost later is found again
	}
	// A signal ends run, not the process, so that Close gives the UPS back.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, os.Stdout, ups, *every)
	stop()
	ups.Close()
	if err != nil {
		log.Fatal(err)
	}
}

func run(
	ctx context.Context, out io.Writer, ups *tripplite.Battery, every time.Duration,
) error {
	last := ""
	for state, err := range ups.Watch(ctx, every) {
		line := state.String() // of an announcement only what was announced
		switch {
		case !tripplite.HasState(err):
			line = fmt.Sprintf("lost: %v", err) // what the UPS said before is no longer known
		case err != nil:
			line += fmt.Sprintf(" (not all could be read: %v)", err)
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
