package collector

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripplite-go/tripplite"
)

// WithNumat adds the series of the exporter of numat/tripplite, so that dashboards and alerts made for it go on. They have its names,
// its units (percent where this package has ratios) and its one label: hostname, the name of the computer that the units are attached
// to. Where there are several units, which that exporter cannot show, their series have a label path as well.
func WithNumat(hostname string) Option {
	return func(c *Collector) {
		c.numat = &numat{hostname: text(hostname)}
		for _, r := range numatReadings {
			c.numat.one = append(c.numat.one, prometheus.NewDesc(r.name, numatHelp, []string{"hostname"}, nil))
			c.numat.several = append(c.numat.several, prometheus.NewDesc(r.name, numatHelp, []string{"hostname", "path"}, nil))
		}
	}
}

const numatHelp = "As in the exporter of numat/tripplite."

type numat struct {
	hostname     string
	one, several []*prometheus.Desc // for each row of the table, with one unit and with several
}

// numatReadings is every series of numat's exporter, seen on a unit with product id 2012; all are gauges.
var numatReadings = []reading{
	{name: "tripplite_config_voltage", value: func(s *state) number { return s.Config.Voltage }},
	{name: "tripplite_config_frequency", value: func(s *state) number { return s.Config.Frequency }},
	{name: "tripplite_config_power", value: func(s *state) number { return s.Config.ApparentPower }},
	{name: "tripplite_status_shutdown_imminent", value: asNumber(func(s *status) truth { return s.ShutdownImminent })},
	{name: "tripplite_status_ac_present", value: asNumber(func(s *status) truth { return s.ACPresent })},
	{name: "tripplite_status_charging", value: asNumber(func(s *status) truth { return s.Charging })},
	{name: "tripplite_status_discharging", value: asNumber(func(s *status) truth { return s.Discharging })},
	{name: "tripplite_status_needs_replacement", value: asNumber(func(s *status) truth { return s.NeedReplacement })},
	{name: "tripplite_status_below_remaining_capacity", value: asNumber(func(s *status) truth { return s.BelowRemainingCapacityLimit })},
	{name: "tripplite_status_fully_charged", value: asNumber(func(s *status) truth { return s.FullyCharged })},
	{name: "tripplite_status_fully_discharged", value: asNumber(func(s *status) truth { return s.FullyDischarged })},
	{name: "tripplite_input_voltage", value: func(s *state) number { return s.Input.Voltage }},
	{name: "tripplite_input_frequency", value: func(s *state) number { return s.Input.Frequency }},
	{name: "tripplite_output_voltage", value: func(s *state) number { return s.Output.Voltage }},
	{name: "tripplite_output_power", value: func(s *state) number { return s.Output.ActivePower }},
	{name: "tripplite_health", value: func(s *state) number { return s.RemainingCapacity }},
	{name: "tripplite_time_to_empty", value: seconds(func(s *state) period { return s.RunTimeToEmpty })},
}

func asNumber(flag func(*status) truth) func(*state) number {
	return func(s *state) (n number) {
		if value, known := flag(&s.Status).Get(); known {
			n = tripplite.ValueOf(bit(value))
		}
		return n
	}
}

func (n *numat) collect(ch chan<- prometheus.Metric, units []tripplite.Reading) {
	for _, unit := range units {
		if !answered(unit) {
			continue
		}
		descs, labels := n.one, []string{n.hostname}
		if len(units) > 1 {
			descs, labels = n.several, append(labels, text(unit.Info.Path))
		}
		for i, r := range numatReadings {
			if value, known := r.value(&unit.State).Get(); known {
				ch <- gauge(descs[i], value, labels...)
			}
		}
	}
}
