// Command bypath reads several UPSes that it knows by the port that each is plugged into, which stays the same when one drops off the
// bus, and which no two of them share; serial numbers are often missing or the same.
//
//	bypath -ups rack=1-4.2:1.0 -ups desk=1-3:1.0
//
// Without -ups it reads every UPS that is attached.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tripplite-go/tripplite"
)

func main() {
	names := map[string]string{} // by path
	flag.Func("ups", "the `name=path` of a UPS; may be given several times", func(text string) error {
		name, path, found := strings.Cut(text, "=")
		if !found {
			return errors.New("it must be name=path")
		}
		names[path] = name
		return nil
	})
	flag.Parse()
	bank := tripplite.NewBank()
	if len(names) > 0 {
		bank = tripplite.BankAt(slices.Collect(maps.Keys(names)))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := run(ctx, os.Stdout, bank, names)
	bank.Close()
	if err != nil {
		log.Fatal(err)
	}
}

// run prints a line for each unit that answers, in the order of their paths, and returns what is wrong with the others: one that is
// lost or slow spoils no other.
func run(ctx context.Context, out io.Writer, bank *tripplite.Bank, names map[string]string) error {
	readings, err := bank.Get(ctx)
	if err != nil {
		return err
	}
	if len(readings) == 0 {
		return tripplite.ErrNotFound // for a Bank of all units that is no error
	}
	var errs []error
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range readings {
		name := cmp.Or(names[r.Info.Path], r.Info.Path)
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, r.Err))
			if !errors.As(r.Err, new(*tripplite.PartialError)) {
				continue // there is no State: nothing in it is a reading
			}
		}
		fmt.Fprintf(table, "%s\t%s\n", name, line(r.State))
	}
	return errors.Join(append(errs, table.Flush())...)
}

// line says "unknown" of what a unit does not report, or what could not be had this time.
func line(state tripplite.State) string {
	power := "unknown"
	if mains, known := state.Status.ACPresent.Get(); known { // a unit that does not say is not on battery
		power = map[bool]string{true: "mains", false: "battery"}[mains]
	}
	return fmt.Sprintf("power: %s\tinput: %v V\tload: %v %%\tcharge: %v %%\tleft: %v",
		power, state.Input.Voltage, state.Output.PercentLoad, state.RemainingCapacity, state.RunTimeToEmpty)
}
