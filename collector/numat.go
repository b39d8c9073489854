package collector

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripplite-go/tripplite"
)

// WithNumat adds the series of the exporter of numat/tripplite, so that dashboards and alerts made
// for it go on. They have its names, its units (percent where this package has ratios) and its one
// label: hostname, the name of the computer that the units are attached to. That exporter cannot
// show several units. Where there are several, these series have a label path as well.
func WithNumat(hostname string) Option {
	hostname = text(hostname)
	return func(c *Collector) { c.numat = &hostname }
}

// numatKeys are the readings of numat's exporter, which names its series by the same keys.
var numatKeys = []string{
	"config.voltage", "config.frequency", "config.power",
	"status.shutdown imminent", "status.ac present", "status.charging", "status.discharging",
	"status.needs replacement", "status.below remaining capacity", "status.fully charged",
	"status.fully discharged",
	"input.voltage", "input.frequency", "output.voltage", "output.power", "health", "time to empty",
}

func sendNumat(ch chan<- prometheus.Metric, hostname string, units []tripplite.Reading) {
	names := []string{"hostname"}
	if len(units) > 1 {
		names = append(names, "path")
	}
	series := map[string]*prometheus.Desc{}
	for _, key := range numatKeys {
		series[key] = prometheus.NewDesc("tripplite_"+snakeCase(key),
			"As in the exporter of numat/tripplite.", names, nil)
	}
	for _, unit := range units {
		if !tripplite.HasState(unit.Err) {
			continue
		}
		labels := []string{hostname, text(unit.Info.Path)}[:len(names)]
		for field, datum := range unit.State.All() {
			if desc, ok := series[field.Key]; ok {
				value, _ := datum.Number()
				ch <- gauge(desc, value, labels...)
			}
		}
	}
}
