package serve

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

// Units tells the page and the API how the units do.
type Units interface {
	// watch calls show with a Monitor that runs until show returns.
	watch(ctx context.Context, show func(*monitor.Monitor))
	// now returns how the units do now.
	now(ctx context.Context) (unitsView, error)
}

// Watched has the units of a Monitor that runs all the time.
func Watched(m *monitor.Monitor) Units { return watched{m} }

type watched struct{ m *monitor.Monitor }

func (w watched) watch(_ context.Context, show func(*monitor.Monitor)) { show(w.m) }

func (w watched) now(context.Context) (unitsView, error) { return viewOf(w.m), nil }

// viewOf returns what a Monitor knows.
func viewOf(m *monitor.Monitor) unitsView {
	v := unitsView{Time: time.Now().UTC(), Looked: m.Looked(), Units: []unitView{}}
	if err := m.Problem(); err != nil {
		v.Problem = err.Error()
	}
	for _, u := range m.Units() {
		v.Units = append(v.Units, view(u))
	}
	return v
}

// OnDemand has the units of a Bank that is watched only while somebody looks at them. A request of
// the API reads them as a scrape does; source is how it does so.
func OnDemand(bank monitor.Source, source collector.Source, config monitor.Config) Units {
	return &onDemand{bank: bank, source: source, config: config, turn: make(chan struct{}, 1)}
}

type onDemand struct {
	bank   monitor.Source
	source collector.Source
	config monitor.Config

	turn chan struct{} // is full while one request reads
	read time.Time     // when last was read
	last unitsView
}

func (o *onDemand) watch(ctx context.Context, show func(*monitor.Monitor)) {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	m := monitor.New(o.bank, o.config)
	go func() {
		defer close(ended)
		if err := m.Run(ctx); ctx.Err() == nil {
			o.config.Log.Error("the units cannot be watched", "err", err)
		}
	}()
	show(m)
	stop()
	<-ended
}

// fresh is for how long one reading serves further requests.
const fresh = time.Second

// now reads the units, unless they have just been read. Requests wait for the one that reads.
func (o *onDemand) now(ctx context.Context) (unitsView, error) {
	select {
	case o.turn <- struct{}{}:
	case <-ctx.Done():
		return unitsView{}, ctx.Err()
	}
	defer func() { <-o.turn }()
	if time.Since(o.read) < fresh {
		return o.last, nil
	}
	units, err := o.source.Get(ctx)
	if err != nil {
		return unitsView{}, err
	}
	v := unitsView{Time: time.Now().UTC(), Looked: true, Units: []unitView{}}
	for _, path := range o.config.Named {
		if !slices.ContainsFunc(units, func(r tripplite.Reading) bool { return r.Info.Path == path }) {
			info := tripplite.DeviceInfo{Path: path}
			units = append(units, tripplite.Reading{Info: info, Err: monitor.NotThere(path)})
		}
	}
	slices.SortStableFunc(units, func(a, b tripplite.Reading) int {
		return strings.Compare(a.Info.Path, b.Info.Path)
	})
	for _, r := range units {
		v.Units = append(v.Units, view(monitor.Unit{Name: o.config.NameOf(r.Info.Path), Reading: r}))
	}
	if ctx.Err() == nil { // a unit that had no time to answer is not lost for others
		o.read, o.last = time.Now(), v
	}
	return v, nil
}
