package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/collector"
	"github.com/tripplite-go/tripplite/tripplitetest"
)

// serve runs the program until the test ends, and returns how to get a page.
func serve(t *testing.T, source collector.Source) func(path string) (status int, text string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- run(ctx, listener, source) }()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		cancel()
		assert.NoError(t, <-done)
	})
	return func(path string) (int, string) {
		t.Helper()
		response, err := client.Get("http://" + listener.Addr().String() + path)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(text)
	}
}

func TestTheServerShowsEveryUnit(t *testing.T) {
	rack, desk := tripplitetest.NewUPS(t, "smart1500slt"), tripplitetest.NewUPS(t, "smart1500lcd")
	rack.Info.Path, desk.Info.Path = "1-1:1.0", "1-2:1.0"
	desk.SetStatus("BelowRemainingCapacityLimit", false)
	desk.SetLoad(36)
	get := serve(t, tripplitetest.NewBank(t, rack, desk))
	metrics := func() []string {
		status, text := get("/metrics")
		require.Equal(t, http.StatusOK, status)
		return strings.Split(text, "\n")
	}
	const (
		racks = "1-1:1.0: on line power, charge 100 %, load 12 %, input 120.3 V, output 120.3 V\n"
		desks = ", charge 100 %, runtime 16 min 44 s, load 36 %"
	)

	status, text := get("/power")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, racks+"1-2:1.0: on line power"+desks+", input 117.2 V, output 117.2 V\n", text)
	assert.Subset(t, metrics(), []string{
		`tripplite_up{path="1-1:1.0"} 1`, `tripplite_up{path="1-2:1.0"} 1`,
		`tripplite_input_volts{path="1-1:1.0"} 120.3`, `tripplite_input_volts{path="1-2:1.0"} 117.2`,
		`tripplite_status{flag="ac_present",path="1-2:1.0"} 1`,
	})

	desk.PowerFailure()
	status, text = get("/power")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, racks+"1-2:1.0: on battery"+desks+", input 0 V, output 117.2 V\n", text)
	assert.Subset(t, metrics(), []string{
		`tripplite_status{flag="ac_present",path="1-2:1.0"} 0`,
		`tripplite_input_volts{path="1-2:1.0"} 0`,
	})

	desk.Unplug()
	rack.FailReport(0x18, errors.New("no answer"))
	status, text = get("/power")
	assert.Equal(t, http.StatusOK, status, "a lost unit is not a power failure")
	assert.Equal(t, "1-1:1.0: on line power, charge 100 %, load 12 %, output 120.3 V\n"+
		"1-2:1.0: lost: read 1-2:1.0: the UPS is disconnected: it is read again as soon as it is "+
		"back at this port (report 0x32: the unit is unplugged)\n", text)
	lines := metrics()
	assert.Contains(t, lines, `tripplite_up{path="1-1:1.0"} 1`)
	assert.Contains(t, lines, `tripplite_up{path="1-2:1.0"} 0`)
	assert.NotContains(t, strings.Join(lines, "\n"), "tripplite_input_volts", "unknown: no series")

	status, _ = get("/nowhere")
	assert.Equal(t, http.StatusNotFound, status)
}

type failing struct{ err error }

func (f failing) Get(context.Context) ([]tripplite.Reading, error) { return nil, f.err }

func TestUnitsThatCannotBeListedAreAnError(t *testing.T) {
	status, text := serve(t, failing{tripplite.ErrUnsupported})("/power")
	assert.Equal(t, http.StatusInternalServerError, status)
	assert.Equal(t, "not supported\n", text)
}

func TestAServerThatCannotServeSaysWhy(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.ErrorIs(t, run(t.Context(), listener, failing{}), net.ErrClosed)
}
