// Command alarm runs a command when the computer that a UPS feeds has to go down: the battery is
// low, or the UPS was lost while on battery. Without a command it only prints why:
//
//	alarm -charge 30 -left 5m -lost 2m -- shutdown -h now
//
// The command finds the message in UPS_MESSAGE.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/guard"
)

func main() {
	policy := guard.Policy{Limits: guard.Limits{Low: true}}
	l := &policy.Limits
	path := flag.String("path", "", "the path of the UPS, such as 1-4.2:1.0; otherwise any")
	flag.DurationVar(&policy.Hold, "hold", 5*time.Second, "believe what lasts for so long")
	flag.Float64Var(&l.Charge, "charge", 30, "act below a charge of so many `percent`")
	flag.DurationVar(&l.RunTime, "left", 5*time.Minute, "act when the battery has less time left")
	flag.DurationVar(&l.Lost, "lost", 2*time.Minute,
		"act when the UPS was lost for so long on battery")
	flag.Parse()
	bank := tripplite.NewBank()
	if *path != "" {
		bank = tripplite.BankAt([]string{*path})
	}
	// A signal ends run, not the process, so that Close gives the UPS back.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, bank, &policy, command(flag.Args()))
	stop()
	bank.Close()
	if err != nil {
		log.Fatal(err)
	}
}

// run acts once in each power failure. After an error it acts again.
func run(
	ctx context.Context, out io.Writer, bank *tripplite.Bank, policy *guard.Policy,
	act func(ctx context.Context, message string) error,
) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	readings := make(chan tripplite.Reading)
	go func() {
		defer close(readings)
		for r := range bank.Watch(ctx, 2*time.Second) {
			select {
			case readings <- r:
			case <-ctx.Done():
			}
		}
	}()
	ticker := time.NewTicker(time.Second) // a loss counts by time alone
	defer ticker.Stop()
	for acted := false; ; {
		select {
		case r, ok := <-readings:
			switch {
			case !ok:
				return nil // ctx is done
			case r.Info.Path == "":
				return r.Err // there will be no more
			case r.Err != nil:
				fmt.Fprintln(out, "alarm:", r.Err) // a reading is missing, or all are
			}
			policy.Observe(r, time.Now())
		case <-ticker.C:
		}
		d := policy.Decide(time.Now())
		acted = acted && slices.ContainsFunc(d.Units, func(u guard.Unit) bool { return u.OnBattery })
		if !d.Act || acted {
			continue
		}
		fmt.Fprintln(out, d.Why)
		err := act(ctx, d.Why)
		if acted = err == nil; !acted {
			fmt.Fprintln(out, "alarm: tried again in a second:", err)
		}
	}
}

func command(args []string) func(ctx context.Context, message string) error {
	return func(ctx context.Context, message string) error {
		if len(args) == 0 {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, time.Minute) // nobody watches the UPS meanwhile
		defer cancel()
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Env = append(os.Environ(), "UPS_MESSAGE="+message)
		if output, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", args[0], err, output)
		}
		return nil
	}
}
