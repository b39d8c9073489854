package serve

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
)

// files are the page. docs/page.md says how those of uPlot are updated.
//
//go:embed page
var files embed.FS

// kinds are the types of the page's files. Go's own list depends on the computer.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
	".yaml": "application/yaml",
}

// document is what the page says of the program.
type document struct {
	Program
	Version string
	History bool
}

// registerPage adds the page and its files.
func registerPage(mux *http.ServeMux, d document) {
	index := template.Must(template.ParseFS(files, "page/index.html"))
	entries, _ := fs.ReadDir(files, "page") // it is embedded
	for _, entry := range entries {
		name := entry.Name()
		body, _ := fs.ReadFile(files, "page/"+name)
		at := "/" + name
		switch name {
		case "index.html":
			var text bytes.Buffer
			if err := index.Execute(&text, d); err != nil {
				panic(err) // it is a constant but for three texts
			}
			body, at = text.Bytes(), "/{$}"
		case "openapi.yaml":
			at = "/api/v1/openapi.yaml"
		}
		mux.Handle("GET "+at, newFile(kinds[path.Ext(name)], body))
	}
}

// file is a file of the page, which is compressed once.
type file struct {
	kind, tag       string
	body, shortened []byte
}

func newFile(kind string, body []byte) *file {
	sum := sha256.Sum256(body)
	return &file{
		kind: kind, tag: hex.EncodeToString(sum[:12]),
		body: body, shortened: compressed(body, gzip.BestCompression),
	}
}

// ServeHTTP serves the file. A browser asks each time whether it has changed, as it may with each
// version of the program.
func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, tag := f.body, `"`+f.tag+`"`
	header := w.Header()
	if takesGzip(r) {
		body, tag = f.shortened, `"`+f.tag+`-gzip"`
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("Content-Type", f.kind)
	header.Set("Cache-Control", "no-cache")
	header.Set("Vary", "Accept-Encoding")
	header.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		header.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

// policy lets the page have what this server serves, and nothing else: no code in the page itself,
// no other host, no frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// secured adds to each answer what tells browsers to be careful.
func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.ServeHTTP(w, r)
	})
}
