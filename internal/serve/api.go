package serve

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// api is the API of one server.
type api struct {
	units   Units
	history History       // nil where the program keeps none
	timeout time.Duration // for units and history to answer
	queries chan struct{} // has room for those that may ask the history at once
}

// maxQueries is how many requests may ask the history at once. The others wait.
const maxQueries = 2

func newAPI(units Units, history History, timeout time.Duration) *api {
	return &api{units, history, timeout, make(chan struct{}, maxQueries)}
}

// register adds the paths of the API.
func (a *api) register(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/units", a.getUnits)
	mux.HandleFunc("GET /api/v1/units/{name}", a.getUnit)
	mux.HandleFunc("GET /api/v1/history", a.getHistory)
	mux.HandleFunc("GET /api/v1/events", a.getEvents)
	mux.HandleFunc("GET /api/v1/outages", a.getOutages)
	mux.HandleFunc("GET /api/", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, "there is nothing here: see api/v1/openapi.yaml")
	})
}

func (a *api) getUnits(w http.ResponseWriter, r *http.Request) {
	if _, ok := parameters(w, r); !ok {
		return
	}
	if v, ok := a.now(w, r); ok {
		answer(w, r, v)
	}
}

// getUnit answers with the unit that has the name, or else the path.
func (a *api) getUnit(w http.ResponseWriter, r *http.Request) {
	if _, ok := parameters(w, r); !ok {
		return
	}
	v, ok := a.now(w, r)
	if !ok {
		return
	}
	if u, found := v.find(r.PathValue("name")); found {
		answer(w, r, u)
		return
	}
	fail(w, http.StatusNotFound, "there is no unit "+strconv.Quote(r.PathValue("name")))
}

func (v *unitsView) find(name string) (unitView, bool) {
	for _, u := range v.Units {
		if u.Name == name {
			return u, true
		}
	}
	for _, u := range v.Units {
		if u.Path == name {
			return u, true
		}
	}
	return unitView{}, false
}

func (a *api) now(w http.ResponseWriter, r *http.Request) (unitsView, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), a.timeout)
	defer cancel()
	v, err := a.units.now(ctx)
	if err != nil {
		refuse(w, err)
	}
	return v, err == nil
}

// refuse answers that something cannot be said now.
func refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		fail(w, http.StatusServiceUnavailable, "there was no answer in time")
		return
	}
	fail(w, http.StatusServiceUnavailable, err.Error())
}
