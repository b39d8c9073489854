//go:build e2e

// Package browser tests the page in a browser. run starts its tests, which are in JavaScript. The
// server that they look at is a test binary, because its units are those of tripplitetest.
package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/internal/history"
	"github.com/tripplite-go/tripplite/internal/monitor"
	"github.com/tripplite-go/tripplite/internal/serve"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

var (
	address  = flag.String("address", "127.0.0.1:0", "where the page is served")
	attached = flag.String("units", "", "a list of NAME=CAPTURE in JSON; one with a + comes later")
	plain    = flag.Bool("plain", false, "keep no history")
	withPast = flag.Bool("past", false, "begin with the history of a day")
)

// every is how often units are read.
const every = time.Second

// bench is the units that are served.
type bench struct {
	t     *testing.T
	units map[string]*tripplitetest.UPS // by name
	bank  *tripplite.Bank
	away  sync.Map // the paths of units that have not come yet
}

// Watch watches the units that have come.
func (b *bench) Watch(ctx context.Context, every time.Duration) iter.Seq[tripplite.Reading] {
	return func(yield func(tripplite.Reading) bool) {
		for r := range b.bank.Watch(ctx, every) {
			if _, away := b.away.Load(r.Info.Path); !away && !yield(r) {
				return
			}
		}
	}
}

// TestServe serves units until its input ends. Each line of that does something to a unit; the
// answer is "done" and when it was done, in milliseconds since 1970.
func TestServe(t *testing.T) {
	if *attached == "" {
		t.Skip("run starts this")
	}
	b := &bench{t: t, units: map[string]*tripplitetest.UPS{}}
	var list []string
	require.NoError(t, json.Unmarshal([]byte(*attached), &list))
	names, all := map[string]string{}, []*tripplitetest.UPS{}
	for i, text := range list {
		cut := strings.LastIndex(text, "=")
		name, later := strings.CutPrefix(text[:cut], "+")
		ups := tripplitetest.NewUPS(t, text[cut+1:])
		ups.Info.Path = fmt.Sprintf("1-%d:1.0", i+1)
		if later {
			b.away.Store(ups.Info.Path, true)
		}
		if strings.HasPrefix(name, "<") {
			ups.Info.Product, ups.Info.Serial = name, name
		}
		names[ups.Info.Path], b.units[name] = name, ups
		all = append(all, ups)
	}
	b.bank = tripplitetest.NewBank(t, all...)
	log := slog.New(slog.DiscardHandler)
	store := history.Open(history.Config{Log: log})
	defer store.Close()
	if *withPast {
		for _, ups := range all {
			remember(t, b.bank, store, ups.Info.Path, names[ups.Info.Path])
		}
	}
	m := monitor.New(b, monitor.Config{
		Every: every, NameOf: func(path string) string { return names[path] }, Log: log,
		Sinks: []monitor.Sink{store},
	})
	config := serve.Config{
		Program: serve.Program{
			Name: "tripplited", Description: "Tripp Lite UPS battery backups attached by USB",
		},
		Collector: collector.New(b.bank), Scrape: 10 * time.Second, Units: serve.Watched(m),
		History: store, Log: log,
	}
	if *plain {
		config.History = nil
	}
	listener, err := net.Listen("tcp", *address)
	require.NoError(t, err)
	server := serve.NewServer(config)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	running.Go(func() {
		_ = serve.Run(ctx, server, func() error { return server.Serve(listener) }, log)
	})
	defer running.Wait()
	defer stop()
	fmt.Printf("serving %s\n", listener.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		at := float64(time.Now().UnixMicro()) / 1000
		b.do(strings.Fields(in.Text()))
		fmt.Printf("done %.3f\n", at)
	}
}

// do does what a line says: VERB UNIT, and what the verb needs.
func (b *bench) do(words []string) {
	require.GreaterOrEqual(b.t, len(words), 2, "%q", words)
	ups, more := b.units[words[1]], words[2:]
	require.NotNil(b.t, ups, "there is no unit %q", words[1])
	switch words[0] {
	case "fail":
		ups.PowerFailure()
	case "return":
		ups.PowerReturns()
	case "low":
		ups.LowBattery()
	case "unplug":
		ups.Unplug()
	case "replug":
		ups.Replug()
	case "come":
		b.away.Delete(ups.Info.Path)
	case "set", "flag": // a reading by its key, or a flag of the status, to a number
		value, err := strconv.ParseFloat(more[1], 64)
		require.NoError(b.t, err)
		if words[0] == "set" {
			ups.Set(strings.ReplaceAll(more[0], "_", " "), value)
		} else {
			ups.SetStatus(more[0], value != 0)
		}
	default:
		b.t.Fatalf("there is no verb %q", words[0])
	}
}

// readingOf reads a unit once.
func readingOf(t *testing.T, bank *tripplite.Bank, path string) tripplite.Reading {
	battery, ok := bank.Battery(path)
	require.True(t, ok)
	state, err := battery.Get(t.Context())
	require.True(t, tripplite.HasState(err), "%v", err)
	return tripplite.Reading{Info: battery.Info(), State: state}
}
