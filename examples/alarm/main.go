// Command alarm runs a command, or sends a mail, once line power has failed and the battery is low:
//
//	alarm -charge 30 -left 5m -- shutdown -h now
//	alarm -mail-to ops@example.com -mail-from ups@example.com -smtp localhost:25
//
// The command finds the message in UPS_MESSAGE. With -dry-run the alarm only prints what it would
// do.
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

// limits are what makes an alarm.
type limits struct {
	hold   time.Duration // how long line power must be away: flags flap around a transfer
	charge float64       // percent
	left   time.Duration
}

func main() {
	var l limits
	path := flag.String("path", "", "the path of the UPS, such as 1-4.2:1.0; otherwise the first one")
	flag.DurationVar(&l.hold, "hold", 5*time.Second, "believe a power failure that lasts as long")
	flag.Float64Var(&l.charge, "charge", 30, "the battery is low at a charge of so many `percent`")
	flag.DurationVar(&l.left, "left", 5*time.Minute, "the battery is low when it has that time left")
	to := flag.String("mail-to", "", "send a mail to this `address`")
	from := flag.String("mail-from", "ups@localhost", "send the mail from this `address`")
	server := flag.String("smtp", "localhost:25", "send the mail by this server")
	dryRun := flag.Bool("dry-run", false, "print what would be done")
	flag.Parse()
	act, err := choose(os.Stdout, *dryRun, *to, *from, *server, flag.Args())
	if err != nil {
		log.Fatal(err)
	}
	ups, err := tripplite.Open(*path)
	if err != nil {
		log.Fatal(err)
	}
	// A signal ends run, not the process, so that Close gives the UPS back.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	run(ctx, os.Stdout, ups, 2*time.Second, l, act)
	stop()
	ups.Close()
}

func run(
	ctx context.Context, out io.Writer, ups *tripplite.Battery, every time.Duration,
	l limits, act action,
) {
	power := tripplite.OnBattery{Hold: l.hold}
	told := false
	for state, err := range ups.Watch(ctx, every) {
		if err != nil {
			fmt.Fprintln(out, "alarm:", err) // a reading is missing, or all are
		}
		if power.Observe(state, err) {
			told = false
		}
		// A lost unit is never an alarm: USB drops just when line power fails. Nor is a State that
		// shows line power again, even if that is not believed yet.
		onBattery, _ := power.Get()
		why := low(state, l)
		if why == "" || !onBattery || told || state.Status.ACPresent.Or(false) {
			continue
		}
		message := "line power has failed and the battery is low: " + why
		fmt.Fprintln(out, message)
		if err := act(ctx, message); err != nil {
			fmt.Fprintln(out, "alarm: tried again with the next reading:", err)
			continue
		}
		told = true // once for each power failure
	}
}

// low returns why the battery is low, or "". A reading that is not known is not low.
func low(state tripplite.State, l limits) (why string) {
	charge, known := state.RemainingCapacity.Get()
	left, leftKnown := state.RunTimeToEmpty.Get()
	switch {
	case state.Status.ShutdownImminent.Or(false):
		return "the UPS is about to switch off"
	case known && charge <= l.charge:
		return fmt.Sprintf("a charge of %v %%", charge)
	case leftKnown && left <= l.left:
		return fmt.Sprintf("%v left", left)
	}
	return ""
}
