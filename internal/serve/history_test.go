package serve

import (
	"context"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/past"
)

// remembered is a history that has these things, and remembers what it was asked.
type remembered struct {
	problem string
	err     error
	hangs   bool

	series  []past.Series
	events  []past.Event
	outages []past.Outage

	mu         sync.Mutex
	query      past.Query
	eventQuery past.EventQuery
}

func (r *remembered) Problem() string { return r.problem }

func (r *remembered) Series(ctx context.Context, q past.Query) ([]past.Series, error) {
	r.mu.Lock()
	r.query = q
	r.mu.Unlock()
	if r.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return r.series, r.err
}

func (r *remembered) Events(_ context.Context, q past.EventQuery) ([]past.Event, error) {
	r.eventQuery = q
	return r.events, r.err
}

func (r *remembered) Outages(_ context.Context, q past.EventQuery) ([]past.Outage, error) {
	r.eventQuery = q
	return r.outages, r.err
}

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// some is a history with something of all.
func some() *remembered {
	charge, energy := 70.5, 12.3
	return &remembered{
		series: []past.Series{
			{Key: "input.voltage", Unit: "V", Points: []past.Point{
				{Time: noon, Least: 110.5, Mean: 117, Most: 120},
				{Time: noon.Add(time.Minute), Least: math.NaN(), Mean: 1, Most: 1},
				{Time: noon.Add(1500 * time.Millisecond), Least: 0, Mean: 0, Most: -1},
			}},
			{Key: "health", Unit: "%"},
		},
		events: []past.Event{
			{ID: 8, Time: noon, Unit: "rack", Path: "1-1:1.0", Kind: "on-battery", Text: "=1+2, \"x\""},
			{ID: 7, Time: noon, Kind: "shutting-down", Text: "a text"},
		},
		outages: []past.Outage{
			{Unit: "rack", From: noon},
			{Unit: "-3", From: noon, To: noon.Add(time.Hour), LowestCharge: &charge, Energy: &energy},
		},
	}
}

func TestTheHistoryIsAskedForWhatTheRequestSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := some()
		h := withHistory(r)
		now := time.Now().UTC()
		request(t, h, http.MethodGet, "/api/v1/history?unit=a%20b")
		require.Equal(t, past.Query{
			Unit: "a b", From: now.Add(-time.Hour), To: now, Points: 400,
			Keys: []string{"output.load", "output.power", "health", "time to empty", "input.voltage",
				"output.voltage", "battery.voltage"},
		}, r.query)
		request(t, h, http.MethodGet, "/api/v1/history?unit=a&keys=health,time%20to%20empty"+
			"&from=2026-01-31T13:00:00%2B01:00&to=1769864400&points=2000")
		require.Equal(t, past.Query{
			Unit: "a", From: noon, To: noon.Add(time.Hour), Points: 2000,
			Keys: []string{"health", "time to empty"},
		}, r.query)
		request(t, h, http.MethodGet, "/api/v1/events?unit=a&before=8&limit=1000")
		require.Equal(t, past.EventQuery{
			Unit: "a", From: now.Add(-800 * 24 * time.Hour), To: now, Before: 8, Limit: 1000,
		}, r.eventQuery)
		request(t, h, http.MethodGet, "/api/v1/outages")
		require.Equal(t, past.EventQuery{
			From: now.Add(-800 * 24 * time.Hour), To: now, Limit: 100,
		}, r.eventQuery)
	})
}

func TestTheHistoryAsJSON(t *testing.T) {
	h := withHistory(some())
	require.JSONEq(t, `{"unit": "rack", "from": "2026-01-31T12:00:00Z", "to": "2026-01-31T13:00:00Z",
		"series": [
			{"key": "input.voltage", "unit": "V",
			 "points": [[1769860800, 110.5, 117, 120], [1769860801.5, 0, 0, -1]]},
			{"key": "health", "unit": "%", "points": []}]}`,
		request(t, h, http.MethodGet, "/api/v1/history?unit=rack&from=1769860800&to=1769864400").
			Body.String())
	require.JSONEq(t, `{"events": [
		{"id": 8, "time": "2026-01-31T12:00:00Z", "unit": "rack", "path": "1-1:1.0",
		 "kind": "on-battery", "text": "=1+2, \"x\""},
		{"id": 7, "time": "2026-01-31T12:00:00Z", "kind": "shutting-down", "text": "a text"}]}`,
		request(t, h, http.MethodGet, "/api/v1/events").Body.String())
	require.JSONEq(t, `{"outages": [
		{"unit": "rack", "from": "2026-01-31T12:00:00Z"},
		{"unit": "-3", "from": "2026-01-31T12:00:00Z", "to": "2026-01-31T13:00:00Z",
		 "lowest_charge": 70.5, "energy_wh": 12.3}]}`,
		request(t, h, http.MethodGet, "/api/v1/outages").Body.String())
}

// A history that cannot be written still has what is in memory.
func TestAProblemOfTheHistoryIsSaidBesideWhatThereIs(t *testing.T) {
	h := withHistory(&remembered{problem: "the disk is full"})
	v := decode(t, request(t, h, http.MethodGet, "/api/v1/history?unit=a"))
	require.Equal(t, "the disk is full", v["problem"])
	require.Empty(t, v["series"])
}

// No text of a unit becomes a formula of a spreadsheet, and numbers stay numbers.
func TestTheHistoryAsCSV(t *testing.T) {
	h := withHistory(some())
	for path, want := range map[string]string{
		"history?unit=rack&format=csv": `time,key,unit,least,mean,most
2026-01-31T12:00:00Z,input.voltage,V,110.5,117,120
2026-01-31T12:00:01Z,input.voltage,V,0,0,-1
`,
		"events?format=csv": `id,time,unit,path,kind,text
8,2026-01-31T12:00:00Z,rack,1-1:1.0,on-battery,"'=1+2, ""x"""
7,2026-01-31T12:00:00Z,,,shutting-down,a text
`,
		"outages?format=csv": `unit,from,to,lowest_charge_percent,energy_watt_hours
rack,2026-01-31T12:00:00Z,,,
-3,2026-01-31T12:00:00Z,2026-01-31T13:00:00Z,70.5,12.3
`,
	} {
		w := request(t, h, http.MethodGet, "/api/v1/"+path)
		name, _, _ := strings.Cut(path, "?")
		require.Equal(t, want, w.Body.String())
		require.Equal(t, "text/csv; charset=utf-8", w.Header().Get("Content-Type"))
		require.Equal(t, `attachment; filename="`+name+`.csv"`, w.Header().Get("Content-Disposition"))
	}
}

func TestAHistoryThatHangsIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := withHistory(&remembered{hangs: true})
		codes := make(chan int)
		start := time.Now()
		for range 5 { // more than may ask at once
			go func() { codes <- request(t, h, http.MethodGet, "/api/v1/history?unit=a").Code }()
		}
		for range 5 {
			require.Equal(t, http.StatusServiceUnavailable, <-codes)
		}
		require.LessOrEqual(t, time.Since(start), 11*time.Second)
	})
}
