package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/internal/capture"
)

var silent = slog.New(slog.DiscardHandler)

func serverOf(t *testing.T, source collector.Source) *httptest.Server {
	server := httptest.NewServer(handler(collector.New(source), silent))
	t.Cleanup(server.Close)
	return server
}

// hanging is a unit whose transfers hang once it is told to.
type hanging struct {
	*capture.Device
	hangs atomic.Bool
	wake  chan struct{}
}

func (h *hanging) GetFeatureReport(b []byte) (int, error) {
	if h.hangs.Load() {
		<-h.wake
	}
	return h.Device.GetFeatureReport(b)
}

// With one of eight units unplugged and another hanging, a scrape takes less than its deadline and shows the other six in full.
func TestEightUnitsOfWhichTwoFail(t *testing.T) {
	c, err := capture.Load("smart1500lcd")
	require.NoError(t, err)
	stuck := &hanging{Device: c.Device(0), wake: make(chan struct{})}
	unplugged := c.Device(0)
	var units []*tripplite.Battery
	for i := range 8 {
		path := tripplite.WithDeviceInfo(tripplite.DeviceInfo{Path: fmt.Sprintf("1-%d:1.0", i+1)})
		descriptor := tripplite.WithReportDescriptor(c.Interfaces[0].Descriptor)
		switch i {
		case 2:
			units = append(units, tripplite.New(unplugged, path, descriptor))
		case 5:
			units = append(units, tripplite.New(stuck, path, descriptor))
		default:
			units = append(units, tripplite.New(c.Device(0), path, descriptor))
		}
	}
	bank := tripplite.BankOf(units...)
	t.Cleanup(func() {
		close(stuck.wake)
		bank.Close()
	})
	server := serverOf(t, bank)

	_, all := get(t, server.URL+"/metrics")
	require.Len(t, having("tripplite_up", all), 8)
	perUnit := len(having(`path="1-1:1.0"`, all))
	require.Len(t, having(`path="`, all), 8*perUnit)

	unplugged.Close()
	stuck.hangs.Store(true)
	for range 2 {
		start := time.Now()
		code, some := get(t, server.URL+"/metrics", "X-Prometheus-Scrape-Timeout-Seconds", "3")
		require.Less(t, time.Since(start), 3*time.Second)
		require.Equal(t, 200, code)
		require.Equal(t, []string{`tripplite_up{path="1-3:1.0"} 0`}, having(`path="1-3:1.0"`, some))
		require.Equal(t, []string{`tripplite_up{path="1-6:1.0"} 0`}, having(`path="1-6:1.0"`, some))
		require.Len(t, having(`path="`, some), 6*perUnit+2)
		require.Len(t, having(" 117.2", some), 2*6, "input and output voltage of six units")
	}
}

// counted is a source that takes a while, and says how often it was read.
type counted struct {
	reads atomic.Int32
	takes time.Duration
}

func (c *counted) Get(ctx context.Context) ([]tripplite.Reading, error) {
	c.reads.Add(1)
	unit := tripplite.Reading{Info: tripplite.DeviceInfo{Path: "1-1:1.0"}}
	select {
	case <-time.After(c.takes):
		unit.State.Time = time.Now()
	case <-ctx.Done():
		unit.Err = ctx.Err()
	}
	return []tripplite.Reading{unit}, nil
}

func TestAHundredScrapesAtOnce(t *testing.T) {
	source := &counted{takes: 2 * time.Second}
	server := serverOf(t, source)
	var scrapes sync.WaitGroup
	for range 100 {
		scrapes.Add(1)
		go func() {
			defer scrapes.Done()
			code, text := get(t, server.URL+"/metrics", "X-Prometheus-Scrape-Timeout-Seconds", "10")
			assert.Equal(t, 200, code)
			assert.Equal(t, []string{`tripplite_up{path="1-1:1.0"} 1`}, having("tripplite_up", text))
		}()
	}
	scrapes.Wait()
	require.EqualValues(t, 1, source.reads.Load())
}

// A program that is to stop finishes the scrapes under way, and takes no more.
func TestStopping(t *testing.T) {
	source := &counted{takes: time.Second}
	ctx, stop := context.WithCancel(t.Context())
	var said log
	stopped := make(chan error, 1)
	go func() {
		stopped <- serve(ctx, cli{Listen: []string{"127.0.0.1:0"}, Timeout: 5 * time.Second}, source, logger(&said, slog.LevelInfo, "logfmt"))
	}()
	require.Eventually(t, func() bool { return listening.MatchString(said.String()) }, 5*time.Second, time.Millisecond)
	url := "http://" + listening.FindStringSubmatch(said.String())[1] + "/metrics"
	scraped := make(chan string, 1)
	go func() {
		response, err := client.Get(url)
		if !assert.NoError(t, err) {
			close(scraped)
			return
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		assert.NoError(t, err)
		scraped <- string(text)
	}()
	require.Eventually(t, func() bool { return source.reads.Load() == 1 }, 5*time.Second, time.Millisecond)
	stop()
	require.Contains(t, <-scraped, `tripplite_up{path="1-1:1.0"} 1`)
	require.NoError(t, <-stopped)
	_, err := client.Get(url)
	require.Error(t, err)
}

func TestPatience(t *testing.T) {
	for _, test := range []struct {
		header string
		want   time.Duration // 0: none
	}{
		{"10", 9500 * time.Millisecond},
		{"2.5", 2 * time.Second},
		{"1", 750 * time.Millisecond},
		{"0.1", 75 * time.Millisecond},
		{"0", 0}, {"-1", 0}, {"", 0}, {"soon", 0}, {"NaN", 0}, {"Inf", 0}, {"1e300", 0},
	} {
		got, ok := patience(http.Header{"X-Prometheus-Scrape-Timeout-Seconds": {test.header}})
		assert.Equal(t, test.want, got, test.header)
		assert.Equal(t, test.want != 0, ok, test.header)
	}
}

// said is a source that says what it is told to.
type said struct {
	units []tripplite.Reading
	err   error
}

func (s *said) Get(context.Context) ([]tripplite.Reading, error) { return s.units, s.err }

// Each row is a scrape; the log has a line only where something changed.
func TestWhatIsLogged(t *testing.T) {
	info := tripplite.DeviceInfo{Path: "1-1:1.0", Product: "UPS"}
	unit := func(err error) said {
		reading := tripplite.Reading{Info: info, Err: err}
		if err == nil {
			reading.State.Time = time.Now()
		}
		return said{units: []tripplite.Reading{reading}}
	}
	wrapped := func(err error, text string) error { return fmt.Errorf("%s: %w", text, err) }
	partial := func(id byte) error {
		return &tripplite.PartialError{Reports: []*tripplite.ReportError{{Path: "1-1:1.0", ID: id, Err: io.EOF}}}
	}
	var text strings.Builder
	source := &said{}
	told := &told{source: source, log: logger(&text, slog.LevelInfo, "logfmt")}
	for _, test := range []struct {
		says said
		want string // "" is nothing
	}{
		{said{}, `level=WARN msg="no UPS is attached yet"`},
		{said{}, ``},
		{unit(nil), `level=INFO msg="UPS answers" path=1-1:1.0 product=UPS`},
		{unit(nil), ``},
		{unit(wrapped(tripplite.ErrDisconnected, "a")), `level=WARN msg="UPS cannot be read" path=1-1:1.0`},
		{unit(wrapped(tripplite.ErrDisconnected, "b")), ``},
		{unit(wrapped(tripplite.ErrPermission, "c")), `udev rule`},
		{unit(context.Canceled), `msg="UPS does not answer in time" path=1-1:1.0`},
		{unit(context.DeadlineExceeded), ``},
		{unit(partial(0x34)), `msg="UPS answers in part" path=1-1:1.0`},
		{unit(partial(0x35)), ``},
		{unit(&tripplite.ReportError{Name: "UPS.PowerSummary.PresentStatus", Err: io.EOF}), `PresentStatus`},
		{unit(io.ErrUnexpectedEOF), `unexpected EOF`},
		{said{err: tripplite.ErrUnsupported}, `level=ERROR msg="the UPSes cannot be listed"`},
		{said{err: tripplite.ErrUnsupported}, ``},
		{unit(nil), `level=INFO msg="UPS answers"`},
	} {
		text.Reset()
		*source = test.says
		told.Get(t.Context())
		require.Contains(t, text.String(), test.want)
		if test.want == "" {
			require.Empty(t, text.String())
		}
	}
}

func TestLook(t *testing.T) {
	up := tripplite.Reading{State: tripplite.State{Time: time.Now()}}
	down := tripplite.Reading{Err: tripplite.ErrPermission}
	for _, test := range []struct {
		name string
		said said
		want error
	}{
		{"none", said{}, tripplite.ErrNotFound},
		{"none that may be opened", said{units: []tripplite.Reading{down, down}}, tripplite.ErrPermission},
		{"one of two", said{units: []tripplite.Reading{down, up}}, nil},
		{"no list", said{err: tripplite.ErrUnsupported}, tripplite.ErrUnsupported},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.ErrorIs(t, look(t.Context(), &test.said, time.Second), test.want)
		})
	}
}
