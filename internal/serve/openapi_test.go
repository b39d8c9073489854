package serve

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/monitor"
)

// openAPI is the document of the API, and what checks answers by it.
type openAPI struct {
	document map[string]any
	compiler *jsonschema.Compiler
}

func loadOpenAPI(t *testing.T) *openAPI {
	t.Helper()
	w := request(t, pages(&readings{}), http.MethodGet, "/api/v1/openapi.yaml")
	require.Equal(t, "application/yaml", w.Header().Get("Content-Type"))
	var read any
	require.NoError(t, yaml.Unmarshal(w.Body.Bytes(), &read))
	text, err := json.Marshal(read)
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	o := &openAPI{document.(map[string]any), jsonschema.NewCompiler()}
	o.compiler.AssertFormat()
	require.NoError(t, o.compiler.AddResource("file:///openapi.yaml", document))
	return o
}

func (o *openAPI) paths() map[string]any { return o.document["paths"].(map[string]any) }

// check checks an answer to a request of a path of the document.
func (o *openAPI) check(t *testing.T, path string, code int, body []byte) {
	t.Helper()
	operation := o.paths()[path].(map[string]any)["get"].(map[string]any)
	response, ok := operation["responses"].(map[string]any)[strconv.Itoa(code)].(map[string]any)
	require.True(t, ok, "%s: the document has no answer %d", path, code)
	at := "/components/responses/Error"
	if response["$ref"] == nil {
		at = "/paths/" + strings.NewReplacer("/", "~1", "{", "%7B", "}", "%7D").Replace(path) +
			"/get/responses/" + strconv.Itoa(code)
	}
	at += "/content/application~1json/schema"
	schema, err := o.compiler.Compile("file:///openapi.yaml#" + at)
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(t, err)
	assert.NoError(t, schema.Validate(value), "%s: %s", path, body)
}

func TestTheAnswersAreThoseOfTheOpenAPIDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := loadOpenAPI(t)
		at := time.Now()
		lost := tripplite.Reading{Info: tripplite.DeviceInfo{Path: "1-2"}, Err: tripplite.ErrDisconnected}
		alarmed := says("1-3", false)
		alarmed.Info = tripplite.DeviceInfo{Path: "1-3", Product: "a product", Serial: "a serial",
			Manufacturer: "a maker", Family: "a family"}
		alarmed.State.Status.BelowRemainingCapacityLimit = tripplite.ValueOf(true)
		alarmed.State.DelayBeforeShutdown = tripplite.ValueOf(time.Minute)
		alarmed.Err = &tripplite.PartialError{}
		bank, _ := attach(t, 1, 0)
		read, err := bank.Get(t.Context())
		require.NoError(t, err)
		some := some()
		units := func(v ...monitor.Unit) Units { return &fixed{v} }
		serve := func(u Units, h History) http.Handler {
			c := configOf(nil, u)
			c.History = h
			return handler(c, newHub(u))
		}
		full := serve(units(
			monitor.Unit{Name: "a", Reading: read[0], Since: at},
			monitor.Unit{Name: "b", Reading: lost, Since: at, OnBattery: true},
			monitor.Unit{Name: "c", Reading: alarmed, Since: at, OnBatterySince: at},
			monitor.Unit{Name: "d"},
		), some)
		empty := serve(units(), &remembered{problem: "the disk is full"})
		none := serve(units(), nil)
		checked := map[string]bool{}
		for _, test := range []struct {
			h              http.Handler
			path, document string
			code           int
		}{
			{full, "units", "units", 200},
			{empty, "units", "units", 200},
			{full, "units?a", "units", 400},
			{pages(&readings{err: tripplite.ErrUnsupported}), "units", "units", 503},
			{full, "units/a", "units/{name}", 200},
			{full, "units/b", "units/{name}", 200},
			{full, "units/c", "units/{name}", 200},
			{full, "units/d", "units/{name}", 200},
			{full, "units/x", "units/{name}", 404},
			{full, "history?unit=a", "history", 200},
			{empty, "history?unit=a", "history", 200},
			{empty, "history", "history", 400},
			{none, "history?unit=a", "history", 404},
			{full, "events", "events", 200},
			{empty, "events", "events", 200},
			{none, "events", "events", 404},
			{full, "outages", "outages", 200},
			{empty, "outages", "outages", 200},
			{none, "outages", "outages", 404},
			{full, "stream?a", "stream", 400},
		} {
			w := request(t, test.h, http.MethodGet, "/api/v1/"+test.path)
			require.Equal(t, test.code, w.Code, test.path)
			o.check(t, "/api/v1/"+test.document, test.code, w.Body.Bytes())
			checked["/api/v1/"+test.document] = true
		}
		for path := range o.paths() {
			assert.True(t, checked[path], "nothing checks %s", path)
		}
		w := request(t, full, http.MethodGet, "/api/v1/units")
		for _, u := range decode(t, w)["units"].([]any) {
			for key := range u.(map[string]any) {
				delete(o.unitProperties(), key)
			}
		}
		assert.Empty(t, o.unitProperties(), "what of a unit no answer has")
	})
}

func (o *openAPI) component(kind, name string) map[string]any {
	all := o.document["components"].(map[string]any)[kind].(map[string]any)
	return all[name].(map[string]any)
}

func (o *openAPI) unitProperties() map[string]any {
	return o.component("schemas", "Unit")["properties"].(map[string]any)
}

// The document checks something.
func TestWrongAnswersAreNotThoseOfTheDocument(t *testing.T) {
	o := loadOpenAPI(t)
	schema, err := o.compiler.Compile("file:///openapi.yaml#/components/schemas/Unit")
	require.NoError(t, err)
	const rest = `"name": "a", "path": "b", "alerts": [], "timers": []`
	for body, right := range map[string]bool{
		`{` + rest + `, "up": false, "state": "lost"}`:                             true,
		`{` + rest + `, "up": false, "state": "gone"}`:                             false,
		`{` + rest + `, "up": false, "state": "lost", "readings": {}}`:             false,
		`{` + rest + `, "up": false, "state": "lost", "since": "soon"}`:            false,
		`{` + rest + `, "up": true, "state": "on battery"}`:                        false,
		`{` + rest + `, "up": false, "state": "lost", "onBattery": true}`:          false,
		`{"name": "a", "path": "b", "up": false, "state": "lost", "timers": null}`: false,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		require.NoError(t, err)
		assert.Equal(t, right, schema.Validate(value) == nil, body)
	}
}

// What the document says of parameters is what the API takes.
func TestTheParametersAreThoseOfTheDocument(t *testing.T) {
	o := loadOpenAPI(t)
	h := withHistory(some())
	given := map[string]string{
		"unit": "a", "keys": "health", "from": "1769860800", "to": "1769864400", "points": "3",
		"before": "8", "limit": "9", "format": "json",
	}
	for _, path := range []string{"/api/v1/history", "/api/v1/events", "/api/v1/outages"} {
		takes := map[string]bool{}
		for name, value := range given {
			query := "?unit=a&" + name + "=" + value
			if name == "unit" {
				query = "?unit=a"
			}
			if name == "to" {
				query += "&from=1769860800"
			}
			if name == "from" {
				query += "&to=1769864400"
			}
			takes[name] = request(t, h, http.MethodGet, path+query).Code == http.StatusOK
		}
		says := map[string]bool{}
		for name := range given {
			says[name] = false
		}
		operation := o.paths()[path].(map[string]any)["get"].(map[string]any)
		for _, p := range operation["parameters"].([]any) {
			parameter := p.(map[string]any)
			if ref, ok := parameter["$ref"].(string); ok {
				parameter = o.component("parameters", ref[strings.LastIndex(ref, "/")+1:])
			}
			says[parameter["name"].(string)] = true
		}
		assert.Equal(t, says, takes, path)
	}
}
