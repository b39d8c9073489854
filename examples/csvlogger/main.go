// Command csvlogger writes what a UPS says as CSV, a row for each interval, until it is
// interrupted:
//
//	csvlogger -every 10s > ups.csv
//	csvlogger -readings "output.load,battery.voltage"
//
// A reading that is not known has an empty cell: neither a zero nor an old value may pass for it.
package main

import (
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tripplite-go/tripplite"
)

const usual = "status.ac present,input.voltage,output.voltage,output.power,health,time to empty"

func main() {
	path := flag.String("path", "", "the path of the UPS, such as 1-4.2:1.0; otherwise the first one")
	every := flag.Duration("every", 10*time.Second, "how often to write a row")
	readings := flag.String("readings", usual, "the `keys` of the readings, with a comma between them")
	flag.Parse()
	keys := strings.Split(*readings, ",")
	if err := check(keys); err != nil {
		log.Fatal(err)
	}
	ups, err := tripplite.Open(*path)
	if err != nil {
		log.Fatal(err) // it says what to do
	}
	// A signal ends run, not the process, so that Close gives the UPS back.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, os.Stdout, ups, *every, keys)
	stop()
	ups.Close()
	if err != nil {
		log.Fatal(err)
	}
}

// check returns an error for a key that no State has.
func check(keys []string) error {
	var known []string
	for _, f := range tripplite.Fields() {
		if !f.Setting() {
			known = append(known, f.Key)
		}
	}
	for _, key := range keys {
		if !slices.Contains(known, key) {
			return fmt.Errorf("there is no reading %q; there are: %s", key, strings.Join(known, ", "))
		}
	}
	return nil
}

func run(
	ctx context.Context, out io.Writer, ups *tripplite.Battery, every time.Duration, keys []string,
) error {
	table := csv.NewWriter(out)
	table.Write(slices.Concat([]string{"time"}, keys, []string{"error"}))
	tick := time.NewTicker(max(every, time.Millisecond))
	defer tick.Stop()
	for {
		state, err := ups.Get(ctx)
		if ctx.Err() != nil {
			return nil
		}
		table.Write(row(state, err, keys))
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

// row writes what is known. With an error the State lacks something, or is empty. The log goes on
// after both: the Battery opens a unit again that left the bus and is back.
func row(state tripplite.State, err error, keys []string) []string {
	at, why := state.Time, ""
	if err != nil {
		why = err.Error()
	}
	if !tripplite.HasState(err) {
		at = time.Now()
	}
	known := map[string]string{}
	for f, d := range state.All() {
		known[f.Key] = d.String()
	}
	cells := []string{at.UTC().Format(time.RFC3339)}
	for _, key := range keys {
		cells = append(cells, known[key])
	}
	return append(cells, why)
}
