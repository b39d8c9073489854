// Command alarm runs a command, or sends a mail, once mains has failed and the battery is low:
//
//	alarm -charge 30 -left 5m -- shutdown -h now
//	alarm -mail-to ops@example.com -mail-from ups@example.com -smtp localhost:25
//
// The command finds the message in UPS_MESSAGE. With -dry-run the alarm only prints what it would do.
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
	hold   time.Duration // how long mains must be away: flags flap around a transfer
	charge float64       // percent
	left   time.Duration
}

func main() {
	var l limits
	path := flag.String("path", "", "watch the UPS at this path, such as 1-4.2:1.0, in place of the first one")
	flag.DurationVar(&l.hold, "hold", 5*time.Second, "believe a power failure that lasts as long")
	flag.Float64Var(&l.charge, "charge", 30, "the battery is low with a charge of so many `percent`")
	flag.DurationVar(&l.left, "left", 5*time.Minute, "the battery is low when it carries the load for no longer")
	to := flag.String("mail-to", "", "send a mail to this `address`")
	from := flag.String("mail-from", "ups@localhost", "send the mail from this `address`")
	server := flag.String("smtp", "localhost:25", "send the mail by this server")
	dryRun := flag.Bool("dry-run", false, "print what would be done")
	flag.Parse()
	act, err := choose(os.Stdout, *dryRun, *to, *from, *server, flag.Args())
	if err != nil {
		log.Fatal(err)
	}
	// Without Close the kernel's own driver does not get the UPS back, so the signals end run and not the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	open := func() (*tripplite.Battery, error) { return tripplite.Open(*path) }
	if err := run(ctx, os.Stdout, l, 2*time.Second, act, open); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, l limits, every time.Duration, act action, open func() (*tripplite.Battery, error)) error {
	ups, err := open()
	if err != nil {
		return err
	}
	defer ups.Close()
	power := tripplite.OnBattery{Hold: l.hold}
	told := false
	for state, err := range ups.Watch(ctx, every) {
		if err != nil {
			fmt.Fprintln(out, "alarm:", err) // a reading is missing, or all are
		}
		if power.Observe(state, err) {
			told = false
		}
		// An error without a State says nothing of mains, and USB drops just when mains fails: a lost unit is never an alarm.
		onBattery, _ := power.Get()
		why := low(state, l)
		if why == "" || !onBattery || told || state.Status.ACPresent.Or(false) { // the last: mains is back, and not believed yet
			continue
		}
		message := "mains has failed and the battery is low: " + why
		fmt.Fprintln(out, message)
		if err := act(ctx, message); err != nil {
			fmt.Fprintln(out, "alarm: tried again with the next reading:", err)
			continue
		}
		told = true // once for each power failure
	}
	return nil
}

// low says why the battery is low, or nothing. A reading that is not known is not low, and BelowRemainingCapacityLimit is no reason,
// since units set it on mains and at 100 %.
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
