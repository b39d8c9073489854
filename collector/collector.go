// Package collector shows Tripp Lite UPSes to Prometheus.
//
//	bank := tripplite.NewBank()
//	defer bank.Close()
//	prometheus.MustRegister(collector.New(bank))
//
// Every scrape reads the units anew; scrapes that wait at the same time share a reading of a Bank.
// What a unit does not say, or did not say this time, has no series: it is never 0 and never an
// earlier value. Every unit has tripplite_up. One that is gone, or that did not answer in time, has
// tripplite_up 0 and nothing else. docs/operating.md lists the series.
package collector

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripplite-go/tripplite"
)

// Source is what a Collector reads: a [tripplite.Bank], or anything else with its method. Get gives
// one Reading for each path, and returns when ctx is done at the latest.
type Source interface {
	Get(ctx context.Context) ([]tripplite.Reading, error)
}

// Collector is a [prometheus.Collector] over a Source. It is safe for many goroutines.
type Collector struct {
	source  Source
	timeout time.Duration
	names   map[string]string // by path
	ctx     context.Context   // of each scrape
	numat   *string           // the hostname of WithNumat

	success, up, info, status, outlet *prometheus.Desc
	readings                          map[string]*prometheus.Desc // by key of the field
}

// Option changes how a Collector works.
type Option func(*Collector)

// DefaultTimeout is longer than any unit that answers takes, and shorter than the ten seconds that
// Prometheus waits for a scrape.
const DefaultTimeout = 5 * time.Second

// WithTimeout sets how long a scrape waits for the units, unless its context ends earlier. The
// default is [DefaultTimeout].
func WithTimeout(timeout time.Duration) Option {
	return func(c *Collector) { c.timeout = timeout }
}

// WithNames gives units names, by path. Then every series has a label name, which is empty for the
// other units. A named unit is expected to be there: it counts as gone while the source does not
// list it.
func WithNames(names map[string]string) Option {
	return func(c *Collector) { c.names = maps.Clone(names) }
}

// New makes a Collector that reads the source at each scrape.
func New(source Source, opts ...Option) *Collector {
	c := &Collector{source: source, timeout: DefaultTimeout, ctx: context.Background()}
	for _, opt := range opts {
		opt(c)
	}
	labels := []string{"path"}
	if len(c.names) > 0 {
		labels = append(labels, "name")
	}
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc("tripplite_"+name, help, slices.Concat(labels, more), nil)
	}
	c.success = prometheus.NewDesc("tripplite_scrape_success",
		"Whether the units could be listed and read; 0 leaves out every other series.", nil, nil)
	c.up = desc("up", "Whether the UPS answered; 0 leaves out its other series.")
	c.info = desc("info", "What the UPS is, in the labels; always 1.", infoLabels...)
	c.status = desc("status", "The flags that the UPS reports: 1 for true, 0 for false.", "flag")
	c.outlet = desc("outlet_on", "Whether the group of outlets is switched on.", "outlet")
	c.readings = map[string]*prometheus.Desc{}
	for _, field := range tripplite.Fields() {
		if s, ok := seriesOf[field.Key]; ok {
			c.readings[field.Key] = desc(s.name, cmp.Or(s.help, field.Help))
		}
	}
	return c
}

// Describe sends every series that a scrape may have, so that a registry checks them once, when
// the Collector is registered. With [WithNumat] it sends none: those series have other labels when
// there are several units, so a registry checks at each scrape.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	if c.numat != nil {
		return
	}
	ch <- c.success
	ch <- c.up
	ch <- c.info
	ch <- c.status
	ch <- c.outlet
	for _, d := range c.readings {
		ch <- d
	}
}

// WithContext returns a Collector for one scrape, which waits for the units no longer than ctx and
// shows those that have answered by then. It concerns no other scrape.
func (c *Collector) WithContext(ctx context.Context) prometheus.Collector {
	one := *c
	one.ctx = ctx
	return &one
}

// Collect reads the units and sends what they say. It waits for them no longer than the timeout.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	units, err := c.source.Get(ctx)
	ch <- gauge(c.success, bit(err == nil))
	if err != nil {
		return
	}
	missing := maps.Clone(c.names)
	for _, unit := range units {
		delete(missing, unit.Info.Path)
		c.unit(ch, unit)
	}
	for path := range missing {
		ch <- gauge(c.up, 0, c.labels(path)...)
	}
	if c.numat != nil {
		sendNumat(ch, *c.numat, units)
	}
}

// unit sends the series of one unit.
func (c *Collector) unit(ch chan<- prometheus.Metric, unit tripplite.Reading) {
	labels := c.labels(unit.Info.Path)
	up := tripplite.HasState(unit.Err)
	ch <- gauge(c.up, bit(up), labels...)
	if !up {
		return
	}
	ch <- gauge(c.info, 1, append(labels, infoOf(unit)...)...)
	for field, datum := range unit.State.All() {
		n, _ := datum.Number()
		if flag, ok := strings.CutPrefix(field.Key, "status."); ok {
			ch <- gauge(c.status, n, append(labels, snakeCase(flag))...)
		} else if outlet, ok := strings.CutPrefix(field.Key, "outlets."); ok {
			ch <- gauge(c.outlet, n, append(labels, outlet)...)
		} else if desc, ok := c.readings[field.Key]; ok {
			if field.Unit == "%" {
				n /= 100
			}
			ch <- gauge(desc, n, labels...)
		}
	}
}

func (c *Collector) labels(path string) []string {
	labels := []string{text(path)}
	if len(c.names) > 0 {
		labels = append(labels, text(c.names[path]))
	}
	return slices.Clip(labels) // so that no two series append to the same array
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

// text makes a label value of a string, which on some units is not UTF-8.
func text(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// snakeCase makes a part of a name of a key.
func snakeCase(key string) string { return strings.NewReplacer(".", "_", " ", "_").Replace(key) }

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
