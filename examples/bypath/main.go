// Command bypath reads several UPSes that it knows by the port that each is plugged into, which stays the same when one drops off the
// bus, and which no two of them share; serial numbers are often missing or the same.
//
//	bypath -ups rack=1-4.2:1.0 -ups desk=1-3:1.0
//
// Without -ups it reads every UPS that is attached.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/tripplite-go/tripplite"
)

type unit struct{ name, path string }

func main() {
	var units []unit
	flag.Func("ups", "the `name=path` of a UPS; may be given several times", func(text string) error {
		name, path, found := strings.Cut(text, "=")
		if !found {
			return errors.New("it must be name=path")
		}
		units = append(units, unit{name, path})
		return nil
	})
	flag.Parse()
	if len(units) == 0 {
		paths, err := tripplite.Paths()
		if err != nil {
			log.Fatal(err)
		}
		for _, path := range paths {
			units = append(units, unit{path, path})
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := run(ctx, os.Stdout, units, tripplite.Open); err != nil {
		log.Fatal(err)
	}
}

// opener is tripplite.Open, or what a test has in its place.
type opener func(path string, opts ...tripplite.Option) (*tripplite.Battery, error)

// run prints a line for each unit that answers, and returns what is wrong with the others: one that is lost spoils no other.
func run(ctx context.Context, out io.Writer, units []unit, open opener) error {
	if len(units) == 0 {
		return tripplite.ErrNotFound // Paths has it as an empty list
	}
	lines, errs := make([]string, len(units)), make([]error, len(units))
	var reads sync.WaitGroup
	for i, u := range units {
		reads.Add(1)
		go func() { // side by side, so that a slow unit costs its own time only
			defer reads.Done()
			if lines[i], errs[i] = read(ctx, u.path, open); errs[i] != nil {
				errs[i] = fmt.Errorf("%s: %w", u.name, errs[i])
			}
		}()
	}
	reads.Wait()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, line := range lines {
		if line != "" {
			fmt.Fprintf(table, "%s\t%s\n", units[i].name, line)
		}
	}
	return errors.Join(append(errs, table.Flush())...)
}

// read returns a line together with an error when some readings could not be had: they are "unknown" in the line.
func read(ctx context.Context, path string, open opener) (line string, err error) {
	ups, err := open(path)
	if err != nil {
		return "", err
	}
	defer ups.Close()
	state, err := ups.Get(ctx)
	if err != nil && !errors.As(err, new(*tripplite.PartialError)) {
		return "", err // there is no State: nothing in it is a reading
	}
	power := "unknown"
	if mains, known := state.Status.ACPresent.Get(); known { // a unit that does not say is not on battery
		power = map[bool]string{true: "mains", false: "battery"}[mains]
	}
	return fmt.Sprintf("power: %s\tinput: %v V\tload: %v %%\tcharge: %v %%\tleft: %v",
		power, state.Input.Voltage, state.Output.PercentLoad, state.RemainingCapacity, state.RunTimeToEmpty), err
}
