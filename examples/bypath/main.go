// Command bypath reads several UPSes, each known by the port that it is plugged into. The port
// stays the same when a UPS leaves the bus and comes back, and no two share it; serial numbers are
// often missing or the same:
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
	err := run(ctx, os.Stdout, bank, names)
	cancel()
	bank.Close()
	if err != nil {
		log.Fatal(err)
	}
}

// run prints a line for each unit that answers, in the order of their paths. It returns what is
// wrong with the others: one that is lost or slow spoils no other.
func run(
	ctx context.Context, out io.Writer, bank *tripplite.Bank, names map[string]string,
) error {
	readings, err := bank.Get(ctx)
	if err != nil {
		return err
	}
	if len(readings) == 0 {
		return tripplite.ErrNotFound // for a Bank of all units that is no error
	}
	var errs []error
	for _, r := range readings {
		name := cmp.Or(names[r.Info.Path], r.Info.Path)
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, r.Err))
		}
		if tripplite.HasState(r.Err) {
			r.State.Path = name
			fmt.Fprintln(out, r.State)
		}
	}
	return errors.Join(errs...)
}
