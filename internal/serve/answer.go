package serve

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// fail answers with an error.
func fail(w http.ResponseWriter, code int, text string) {
	body, _ := json.Marshal(struct {
		Error string `json:"error"`
	}{text})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	w.Write(append(body, '\n'))
}

// answer answers with JSON.
func answer(w http.ResponseWriter, r *http.Request, what any) {
	body, err := json.Marshal(what)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	send(w, r, "application/json", append(body, '\n'))
}

// send answers with a text, compressed where that is worth it and the client takes it.
func send(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	const worth = 1400 // what one packet holds
	w.Header().Set("Content-Type", kind)
	w.Header().Add("Vary", "Accept-Encoding")
	if len(body) > worth && takesGzip(r) {
		body = compressed(body, gzip.BestSpeed)
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func compressed(text []byte, level int) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, level) // the level is a constant
	z.Write(text)
	z.Close()
	return b.Bytes()
}

func takesGzip(r *http.Request) bool {
	for _, list := range r.Header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(list, ",") {
			name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
			weight = strings.Trim(strings.TrimPrefix(strings.TrimSpace(weight), "q="), "0. ")
			if strings.EqualFold(name, "gzip") && (weight != "" || !strings.Contains(coding, "q=")) {
				return true
			}
		}
	}
	return false
}

// parameters returns the parameters of a request. Where one is unknown or given twice it answers
// with an error and reports false.
func parameters(w http.ResponseWriter, r *http.Request, known ...string) (url.Values, bool) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		fail(w, http.StatusBadRequest, "the parameters cannot be read: "+err.Error())
		return nil, false
	}
	for name, given := range values {
		switch {
		case !slices.Contains(known, name):
			fail(w, http.StatusBadRequest, "there is no parameter "+strconv.Quote(name))
			return nil, false
		case len(given) > 1:
			fail(w, http.StatusBadRequest, strconv.Quote(name)+" is given twice")
			return nil, false
		}
	}
	return values, true
}
