package serve

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tripplite-go/tripplite/internal/monitor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// withHistory serves a page that has charts.
func withHistory(h History) http.Handler {
	units := OnDemand(nil, &readings{}, monitor.Config{})
	c := configOf(nil, units)
	c.History = h
	return handler(c, newHub(units))
}

// all is every file of the page, as a path of the server.
func all(t *testing.T) []string {
	t.Helper()
	entries, err := fs.ReadDir(files, "page")
	require.NoError(t, err)
	paths := []string{"/"}
	for _, entry := range entries {
		switch name := entry.Name(); name {
		case "index.html":
		case "openapi.yaml":
			paths = append(paths, "/api/v1/openapi.yaml")
		default:
			paths = append(paths, "/"+name)
		}
	}
	return paths
}

func TestThePageSaysWhatTheProgramIs(t *testing.T) {
	page := request(t, pages(&readings{}), http.MethodGet, "/").Body.String()
	for _, has := range []string{
		"<title>some program</title>", "<h1>some program</h1>", "<p>what it does</p>",
		`<a href="metrics">`, `<a href="healthz">`, `<body>`,
	} {
		require.Contains(t, page, has)
	}
	require.NotContains(t, page, "uPlot")
	page = request(t, withHistory(&remembered{}), http.MethodGet, "/").Body.String()
	require.Contains(t, page, "<body data-history>")
}

func TestTheWholePageTransfersLessThan100kB(t *testing.T) {
	h, sum := withHistory(&remembered{}), 0
	for _, path := range all(t) {
		w := request(t, h, http.MethodGet, path, "Accept-Encoding", "gzip, deflate, br, zstd")
		require.Equal(t, http.StatusOK, w.Code, path)
		require.Equal(t, "gzip", w.Header().Get("Content-Encoding"), path)
		sum += w.Body.Len()
	}
	t.Logf("%d bytes", sum)
	require.Less(t, sum, 100_000)
}

func TestAFileIsTheSameCompressed(t *testing.T) {
	h := withHistory(&remembered{})
	for _, path := range all(t) {
		plain := request(t, h, http.MethodGet, path)
		require.Empty(t, plain.Header().Get("Content-Encoding"), path)
		short := request(t, h, http.MethodGet, path, "Accept-Encoding", "gzip")
		z, err := gzip.NewReader(short.Body)
		require.NoError(t, err, path)
		text, err := io.ReadAll(z)
		require.NoError(t, err, path)
		require.True(t, bytes.Equal(plain.Body.Bytes(), text), path)
	}
}

func TestAFileIsSentOnce(t *testing.T) {
	for _, coding := range []string{"", "gzip"} {
		get := func(tag string) *httptest.ResponseRecorder {
			return request(t, pages(&readings{}), http.MethodGet, "/page.js",
				"Accept-Encoding", coding, "If-None-Match", tag)
		}
		first := get("")
		tag := first.Header().Get("ETag")
		require.NotEmpty(t, tag)
		again := get(tag)
		require.Equal(t, http.StatusNotModified, again.Code)
		require.Empty(t, again.Body.String())
		require.Equal(t, http.StatusOK, get(`"x"`).Code)
	}
}

func TestWhoTakesGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "br, gzip": true, "gzip;q=0.5": true, "GZIP": true,
		"gzip;q=0": false, "gzip; q=0.0": false, "br": false, "x-gzip-not": false,
	} {
		r, err := http.NewRequest(http.MethodGet, "/", nil)
		require.NoError(t, err)
		r.Header.Set("Accept-Encoding", header)
		assert.Equal(t, want, takesGzip(r), header)
	}
}

// Browsers run no code but that of the files, and ask no other host.
func TestThePageIsStrict(t *testing.T) {
	h := withHistory(&remembered{})
	for _, path := range append(all(t), "/metrics", "/healthz", "/api/v1/units", "/nowhere") {
		if path == "/metrics" {
			h = pages(&readings{}) // the others need no collector
		}
		header := request(t, h, http.MethodGet, path).Header()
		assert.Equal(t, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
			"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			header.Get("Content-Security-Policy"), path)
		assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), path)
		assert.Equal(t, "no-referrer", header.Get("Referrer-Policy"), path)
		for name := range header {
			assert.False(t, strings.HasPrefix(name, "Access-Control-"), "%s: %s", path, name)
		}
	}
}

// ours are the files of the page without those of uPlot.
func ours(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	names, err := fs.Glob(files, "page/*")
	require.NoError(t, err)
	for _, name := range names {
		if text, err := fs.ReadFile(files, name); !strings.HasPrefix(path.Base(name), "uPlot") {
			require.NoError(t, err)
			texts[path.Base(name)] = string(text)
		}
	}
	require.Len(t, texts, 8)
	return texts
}

// So the page works behind a proxy under a path, and asks no other host.
func TestThePageHasRelativeAddressesAlone(t *testing.T) {
	for name, text := range ours(t) {
		text = strings.ReplaceAll(text, ` xmlns="http://www.w3.org/2000/svg"`, "")
		if name == "openapi.yaml" {
			continue // its paths are those of the server that it names
		}
		assert.NotRegexp(t, `//[a-z0-9-]+\.`, text, name)
		assert.NotRegexp(t, `(href|src)="/`, text, name)
		assert.NotRegexp(t, `["'`+"`"+`(]/[a-z]`, text, name)
	}
	index := ours(t)["index.html"]
	h := http.StripPrefix("/some/where", withHistory(&remembered{}))
	found := regexp.MustCompile(`(?:href|src)="([a-z][^"#?]*)"`).FindAllStringSubmatch(index, -1)
	require.Len(t, found, 11)
	for _, link := range found {
		if link[1] == "metrics" || link[1] == "api/v1/units" {
			continue // that would need units
		}
		w := request(t, h, http.MethodGet, "/some/where/"+link[1])
		assert.Equal(t, http.StatusOK, w.Code, link[1])
	}
}

// A string of a unit, or a name of a user, never becomes markup or code.
func TestThePageMakesNoMarkup(t *testing.T) {
	for name, text := range ours(t) {
		for _, bad := range []string{
			"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser",
			"createContextualFragment", "srcdoc", "eval(", "Function(", "javascript:",
		} {
			assert.NotContains(t, text, bad, name)
		}
	}
	index := ours(t)["index.html"]
	assert.NotRegexp(t, `<script[^>]*>[^<]`, index, "code in the page")
	assert.NotRegexp(t, `(?i)\son[a-z]+=`, index, "code in an attribute")
	assert.NotRegexp(t, `(?i)<style|\sstyle=`, index, "style in the page")

	c := configOf(nil, &onDemand{})
	c.Program = Program{Name: `<script>alert("name")</script>`, Description: `"><img src=x onerror=y>`}
	page := request(t, handler(c, newHub(c.Units)), http.MethodGet, "/").Body.String()
	assert.NotContains(t, page, "<script>alert")
	assert.NotContains(t, page, "<img")
}

func TestUPlotComesWithItsLicence(t *testing.T) {
	h := withHistory(&remembered{})
	script := request(t, h, http.MethodGet, "/uPlot.iife.min.js").Body.String()
	version := regexp.MustCompile(`^/\*! \S+ \(v(\d+\.\d+\.\d+)\) \*/`).FindStringSubmatch(script)
	require.NotNil(t, version)
	licence := request(t, h, http.MethodGet, "/uPlot.LICENSE.txt").Body.String()
	require.Contains(t, licence, "The MIT License (MIT)")
	require.Contains(t, licence, "Leon Sorokin")
}
