package collector_test

import (
	"context"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
)

// A program shows its UPSes to Prometheus.
func Example() {
	bank := tripplite.NewBank()
	defer bank.Close()
	names := collector.WithNames(map[string]string{"1-4.2:1.0": "rack"})
	prometheus.MustRegister(collector.New(bank, names))
	http.Handle("/metrics", promhttp.Handler())
	log.Fatal(http.ListenAndServe("localhost:6969", nil))
}

// closet is a source of two units. One has just lost line power; the other is gone.
type closet struct{}

func (closet) Get(context.Context) ([]tripplite.Reading, error) {
	return []tripplite.Reading{{
		Info: tripplite.DeviceInfo{Path: "1-1:1.0"},
		State: tripplite.State{
			Time:              time.Now(),
			Status:            tripplite.Status{ACPresent: tripplite.ValueOf(false)},
			RemainingCapacity: tripplite.ValueOf(97.0),
		},
	}, {
		Info: tripplite.DeviceInfo{Path: "1-2:1.0"},
		Err:  tripplite.ErrDisconnected,
	}}, nil
}

func ExampleNew() {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector.New(closet{}))
	families, err := registry.Gather()
	if err != nil {
		log.Fatal(err)
	}
	for _, family := range families {
		if name := family.GetName(); name == "tripplite_up" || name == "tripplite_status" {
			expfmt.MetricFamilyToText(os.Stdout, family)
		}
	}
	// Output:
	// # HELP tripplite_status The flags that the UPS reports: 1 for true, 0 for false.
	// # TYPE tripplite_status gauge
	// tripplite_status{flag="ac_present",path="1-1:1.0"} 0
	// # HELP tripplite_up Whether the UPS answered; 0 leaves out its other series.
	// # TYPE tripplite_up gauge
	// tripplite_up{path="1-1:1.0"} 1
	// tripplite_up{path="1-2:1.0"} 0
}

// This handler waits for the units no longer than three seconds, whatever hangs.
func ExampleCollector_WithContext() {
	bank := tripplite.NewBank()
	defer bank.Close()
	units := collector.New(bank)
	http.HandleFunc("/metrics", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
		defer cancel()
		registry := prometheus.NewRegistry()
		registry.MustRegister(units.WithContext(ctx))
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	})
}
