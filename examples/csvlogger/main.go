// Command csvlogger writes what a UPS says as CSV, a row for each interval, until it is interrupted:
//
//	csvlogger -every 10s > ups.csv
package main

import (
	"context"
	"encoding/csv"
	"flag"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tripplite-go/tripplite"
)

func main() {
	path := flag.String("path", "", "read the UPS at this path, such as 1-4.2:1.0, in place of the first one")
	every := flag.Duration("every", 10*time.Second, "write a row as often")
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
		return err // it says what to do: check the cable, install the udev rule, stop the other program
	}
	defer ups.Close()
	table := csv.NewWriter(out)
	table.Write([]string{"time", "ac_present", "input_volts", "output_volts", "output_watts", "charge_percent", "runtime_seconds", "error"})
	tick := time.NewTicker(max(every, time.Millisecond))
	defer tick.Stop()
	for {
		state, err := ups.Get(ctx)
		if ctx.Err() != nil {
			return nil
		}
		table.Write(row(state, err))
		table.Flush() // so that the file has every row when the power goes
		if err := table.Error(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// row makes the best of a reading: with a *tripplite.PartialError there is a State that lacks something, with any other error there is
// none. The log goes on after both, since the Battery opens a unit that dropped off the bus again when it is back.
func row(state tripplite.State, err error) []string {
	at := state.Time
	if at.IsZero() {
		at = time.Now()
	}
	why := ""
	if err != nil {
		why = err.Error()
	}
	seconds := tripplite.Value[float64]{}
	if left, known := state.RunTimeToEmpty.Get(); known {
		seconds = tripplite.ValueOf(left.Seconds())
	}
	return []string{
		at.UTC().Format(time.RFC3339), cell(state.Status.ACPresent), cell(state.Input.Voltage), cell(state.Output.Voltage),
		cell(state.Output.ActivePower), cell(state.RemainingCapacity), cell(seconds), why,
	}
}

// cell leaves empty what is not known: neither a zero nor an old value may pass for a reading.
func cell[T any](v tripplite.Value[T]) string {
	if v.IsZero() {
		return ""
	}
	return v.String()
}
