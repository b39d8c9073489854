package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

// decode returns the JSON of an answer.
func decode(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var v map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v), w.Body)
	return v
}

// unitOf returns what the API says of a unit with this reading.
func unitOf(t *testing.T, u monitor.Unit) map[string]any {
	t.Helper()
	text, err := json.Marshal(view(u))
	require.NoError(t, err)
	var v map[string]any
	require.NoError(t, json.Unmarshal(text, &v))
	return v
}

// The values are those of the capture.
func TestTheAPISaysWhatAUnitSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bank, _ := attach(t, 2, 0)
		h := pages(bank)
		v := decode(t, request(t, h, http.MethodGet, "/api/v1/units"))
		require.Equal(t, true, v["looked"])
		require.Len(t, v["units"], 2)
		for _, name := range []string{"ups-1-2", "1-2:1.0", "1-2%3A1.0"} {
			u := decode(t, request(t, h, http.MethodGet, "/api/v1/units/"+name))
			assert.Equal(t, "ups-1-2", u["name"])
			assert.Equal(t, "1-2:1.0", u["path"])
			assert.Equal(t, true, u["up"])
			assert.Equal(t, "on line power", u["state"])
			assert.Equal(t, false, u["on_battery"])
			assert.Empty(t, u["alerts"])
			readings := u["readings"].(map[string]any)
			assert.Equal(t, map[string]any{"value": 117.2, "unit": "V"}, readings["input.voltage"])
			assert.Equal(t, map[string]any{"value": true}, readings["status.ac present"])
			assert.Equal(t, map[string]any{"value": 1004.0, "unit": "s", "text": "16 min 44 s"},
				readings["time to empty"])
			assert.Equal(t, map[string]any{"value": "2012"}, readings["config.protocol version"])
			assert.NotContains(t, readings, "battery.temperature")
			values := u["values"].(map[string]any)
			assert.Equal(t, 117.2, values["input-voltage"])
			assert.Equal(t, 100.0, values["charge"])
			assert.NotContains(t, values, "temperature")
		}
	})
}

func TestAUnitThatIsLostShowsNoValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bank, units := attach(t, 1, 0)
		h := pages(bank)
		require.Equal(t, true, decode(t, request(t, h, http.MethodGet, "/api/v1/units/ups-1-1"))["up"])
		units[0].Close()
		time.Sleep(2 * time.Second)
		u := decode(t, request(t, h, http.MethodGet, "/api/v1/units/ups-1-1"))
		require.Equal(t, false, u["up"])
		require.Equal(t, "lost", u["state"])
		require.Contains(t, u["problem"], "disconnected")
		for _, key := range []string{"readings", "values", "time", "on_battery", "on_battery_since"} {
			require.NotContains(t, u, key)
		}
	})
}

func TestTheStateOfAUnitInWords(t *testing.T) {
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	state := func(change func(*tripplite.State)) tripplite.Reading {
		s := tripplite.State{Time: at}
		change(&s)
		return tripplite.Reading{State: s}
	}
	ac := func(is bool) tripplite.Reading {
		return state(func(s *tripplite.State) { s.Status.ACPresent = tripplite.ValueOf(is) })
	}
	gone := tripplite.Reading{Err: tripplite.ErrDisconnected}
	since := at.Add(-time.Minute)
	for name, test := range map[string]struct {
		unit monitor.Unit
		want map[string]any // nil is absent
	}{
		"line power": {monitor.Unit{Reading: ac(true)},
			map[string]any{"state": "on line power", "on_battery": false, "up": true}},
		"battery": {monitor.Unit{Reading: ac(false), OnBatterySince: since},
			map[string]any{
				"state": "on battery", "on_battery": true, "on_battery_since": "2026-01-31T11:59:00Z",
			}},
		"what is believed is not what is said": {
			monitor.Unit{Reading: ac(true), OnBattery: true, OnBatterySince: since},
			map[string]any{"state": "on line power", "on_battery": false, "on_battery_since": nil}},
		"neither": {monitor.Unit{Reading: state(func(*tripplite.State) {})},
			map[string]any{"state": "line power unknown", "on_battery": nil, "up": true}},
		"lost": {monitor.Unit{Reading: gone},
			map[string]any{"state": "lost", "on_battery": nil, "lost_on_battery": nil, "up": false}},
		"lost on battery": {monitor.Unit{Reading: gone, OnBattery: true, OnBatterySince: since},
			map[string]any{"state": "lost", "on_battery": nil, "lost_on_battery": true,
				"on_battery_since": nil}},
		"not read yet": {monitor.Unit{},
			map[string]any{"state": "not read yet", "up": false, "since": nil, "problem": nil}},
		"read in part": {
			monitor.Unit{Reading: tripplite.Reading{
				State: ac(true).State, Err: &tripplite.PartialError{Reports: []*tripplite.ReportError{
					{ID: 0x34, Name: "some name", Err: io.EOF}}},
			}},
			map[string]any{"state": "on line power", "up": true,
				"problem": "report 0x34 (some name): EOF"}},
		"a timer": {monitor.Unit{Reading: state(func(s *tripplite.State) {
			s.DelayBeforeShutdown = tripplite.ValueOf(30 * time.Second)
		})},
			map[string]any{
				"timers": []any{map[string]any{
					"name": "load-off", "text": "until the load is switched off", "seconds": 30.0}},
				"alerts": []any{map[string]any{
					"severity": "critical", "name": "load-off", "text": "load off in 30 s"}},
			}},
	} {
		t.Run(name, func(t *testing.T) {
			v := unitOf(t, test.unit)
			for key, want := range test.want {
				if want == nil {
					assert.NotContains(t, v, key)
				} else {
					assert.Equal(t, want, v[key], key)
				}
			}
		})
	}
}

// A name can be that of nothing else than a unit, and no text of a unit ends the JSON.
func TestAHostileUnitIsShownAsText(t *testing.T) {
	const hostile = "</script><img src=x onerror=alert(1)>\n\ndata: {\"up\":true}\x00\xff"
	u := monitor.Unit{Name: hostile}
	u.Info = tripplite.DeviceInfo{
		Path: hostile, Product: hostile, Serial: hostile, Manufacturer: hostile,
	}
	v := unitsView{Units: []unitView{view(u)}}
	s := snap(v, nil)
	for _, text := range [][]byte{s.all, s.units[0].event} {
		lines := strings.Split(strings.TrimSuffix(string(text), "\n\n"), "\n")
		require.Len(t, lines, 2, "an event and its data")
		require.NotContains(t, string(text), "<", "JSON has it escaped")
	}
	shown := unitOf(t, u)
	require.Equal(t, strings.ToValidUTF8(hostile, "\uFFFD"), shown["model"])
}

func TestNamedUnitsThatAreNotThereAreLost(t *testing.T) {
	source := &readings{units: []tripplite.Reading{
		{Info: tripplite.DeviceInfo{Path: "1-2:1.0"}, State: tripplite.State{Time: time.Now()}}}}
	units := OnDemand(nil, source, monitor.Config{
		NameOf: nameOf, Named: []string{"1-1:1.0", "1-2:1.0"}})
	h := handler(configOf(nil, units), newHub(units))
	v := decode(t, request(t, h, http.MethodGet, "/api/v1/units"))["units"].([]any)
	require.Len(t, v, 2)
	require.Equal(t, "lost", v[0].(map[string]any)["state"])
	require.Contains(t, v[0].(map[string]any)["problem"], "no Tripp Lite UPS found")
	require.Equal(t, true, v[1].(map[string]any)["up"])
}

func TestManyRequestsCostOneReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bank, units := attach(t, 1, time.Millisecond)
		h := pages(bank)
		request(t, h, http.MethodGet, "/api/v1/units") // also reads what does not change
		time.Sleep(2 * time.Second)
		units[0].transfers.Store(0)
		request(t, h, http.MethodGet, "/api/v1/units")
		reading := units[0].transfers.Swap(0)
		require.NotZero(t, reading)
		time.Sleep(2 * time.Second)
		done := make(chan struct{})
		for range 100 {
			go func() {
				assert.Equal(t, http.StatusOK, request(t, h, http.MethodGet, "/api/v1/units").Code)
				done <- struct{}{}
			}()
		}
		for range 100 {
			<-done
		}
		require.Equal(t, reading, units[0].transfers.Load())
	})
}

func TestWrongRequestsOfTheAPI(t *testing.T) {
	h := withHistory(&remembered{})
	none := pages(&readings{})
	failing := withHistory(&remembered{err: errors.New("it broke")})
	for _, test := range []struct {
		h    http.Handler
		path string
		code int
		says string
	}{
		{none, "units/none", 404, `there is no unit "none"`},
		{none, "units?a=b", 400, `there is no parameter "a"`},
		{none, "stream?a=b", 400, `there is no parameter "a"`},
		{none, "units/x?a=b", 400, `there is no parameter "a"`},
		{none, "units?%zz", 400, "the parameters cannot be read"},
		{none, "nowhere", 404, "there is nothing here"},
		{pages(&readings{err: tripplite.ErrUnsupported}), "units", 503, "not supported"},
		{none, "history?unit=a", 404, "this program keeps no history"},
		{none, "events", 404, "this program keeps no history"},
		{none, "outages", 404, "this program keeps no history"},
		{none, "events?from=soon", 400, `"soon" is no time`},
		{failing, "history?unit=a", 503, "it broke"},
		{failing, "events", 503, "it broke"},
		{failing, "outages", 503, "it broke"},
		{h, "history", 400, "unit is missing"},
		{h, "history?unit=a&unit=b", 400, `"unit" is given twice`},
		{h, "history?unit=a&before=3", 400, `there is no parameter "before"`},
		{h, "history?unit=a&keys=output.lod", 400, `no history is kept of "output.lod"`},
		{h, "history?unit=a&keys=status.overload", 400, "no history is kept"},
		{h, "history?unit=a&keys=health,health", 400, "given twice"},
		{h, "history?unit=a&points=1", 400, "points is"},
		{h, "history?unit=a&points=2001", 400, "points is"},
		{h, "history?unit=a&points=many", 400, "points is"},
		{h, "history?unit=a&from=2026-01-31", 400, "is no time"},
		{h, "history?unit=a&from=-1", 400, "is no time"},
		{h, "history?unit=a&to=99999999999999", 400, "is no time"},
		{h, "history?unit=a&from=100&to=100", 400, "from must be before to"},
		{h, "history?unit=a&from=0&to=1700000000", 400, "more than 800 days apart"},
		{h, "history?unit=a&format=xml", 400, "must be json or csv"},
		{h, "events?limit=0", 400, "limit is"},
		{h, "events?limit=1001", 400, "limit is"},
		{h, "events?before=x", 400, "before is"},
		{h, "events?keys=health", 400, `there is no parameter "keys"`},
		{h, "outages?before=3", 400, `there is no parameter "before"`},
	} {
		w := request(t, test.h, http.MethodGet, "/api/v1/"+test.path)
		assert.Equal(t, test.code, w.Code, test.path)
		says := decode(t, w)
		assert.Contains(t, says["error"], test.says, test.path)
		assert.Len(t, says, 1, test.path)
	}
}

// fixed has these units.
type fixed struct{ units []monitor.Unit }

func (f *fixed) watch(context.Context, func(*monitor.Monitor)) {}

func (f *fixed) now(context.Context) (unitsView, error) {
	v := unitsView{Time: time.Now().UTC(), Looked: true, Units: []unitView{}}
	for _, u := range f.units {
		v.Units = append(v.Units, view(u))
	}
	return v, nil
}
