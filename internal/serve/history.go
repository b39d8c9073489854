package serve

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite/internal/past"
)

// History has what units said and what happened to them.
type History interface {
	// Problem says what is wrong with the history, such as that it is in memory alone; "" if nothing.
	Problem() string
	Series(context.Context, past.Query) ([]past.Series, error)
	Events(context.Context, past.EventQuery) ([]past.Event, error)
	Outages(context.Context, past.EventQuery) ([]past.Outage, error)
}

const (
	defaultPoints, maxPoints = 400, 2000
	defaultLimit, maxLimit   = 100, 1000
	// maxRange is a little more than the two years of the page.
	maxRange = 800 * 24 * time.Hour
)

// chartKeys are the readings that history is kept of, and that the page has charts of.
var chartKeys = []string{
	"output.load", "output.power", "health", "time to empty", "input.voltage", "output.voltage",
	"battery.voltage",
}

type seriesView struct {
	Key    string       `json:"key"`
	Unit   string       `json:"unit,omitempty"`
	Points [][4]float64 `json:"points"` // time, least, mean, most
}

type historyView struct {
	Unit    string       `json:"unit"`
	From    time.Time    `json:"from"`
	To      time.Time    `json:"to"`
	Series  []seriesView `json:"series"`
	Problem string       `json:"problem,omitempty"`
}

type eventView struct {
	ID   int64     `json:"id"`
	Time time.Time `json:"time"`
	Unit string    `json:"unit,omitempty"`
	Path string    `json:"path,omitempty"`
	Kind string    `json:"kind"`
	Text string    `json:"text"`
}

type outageView struct {
	Unit         string    `json:"unit"`
	From         time.Time `json:"from"`
	To           time.Time `json:"to,omitzero"`
	LowestCharge *float64  `json:"lowest_charge,omitempty"`
	Energy       *float64  `json:"energy_wh,omitempty"`
}

// asked is a request for history whose parameters are right.
type asked struct {
	url.Values
	unit     string
	from, to time.Time
	csv      bool
}

// ask reads the parameters that all requests for history have. It answers with an error and
// reports false where they are wrong, or where there is no past.
func (a *api) ask(
	w http.ResponseWriter, r *http.Request, span time.Duration, more ...string,
) (q asked, ok bool) {
	values, ok := parameters(w, r, append(more, "unit", "from", "to", "format")...)
	if !ok {
		return asked{}, false
	}
	q = asked{Values: values, unit: values.Get("unit"), csv: values.Get("format") == "csv"}
	now := time.Now().UTC().Truncate(time.Second)
	var err, wrong error
	if q.to, err = parseTime(values.Get("to"), now); err != nil {
		wrong = err
	}
	if q.from, err = parseTime(values.Get("from"), q.to.Add(-span)); err != nil {
		wrong = err
	}
	switch format := values.Get("format"); {
	case wrong != nil:
	case !q.from.Before(q.to):
		wrong = fmt.Errorf("from must be before to")
	case q.to.Sub(q.from) > maxRange:
		wrong = fmt.Errorf("from and to are more than %d days apart", maxRange/24/time.Hour)
	case !slices.Contains([]string{"", "json", "csv"}, format):
		wrong = fmt.Errorf("format is %q, and must be json or csv", format)
	}
	switch {
	case wrong != nil:
		fail(w, http.StatusBadRequest, wrong.Error())
	case a.history == nil:
		fail(w, http.StatusNotFound, "this program keeps no history")
	default:
		return q, true
	}
	return asked{}, false
}

// parseTime reads a time as RFC 3339 has it, or in seconds since 1970.
func parseTime(text string, otherwise time.Time) (time.Time, error) {
	if text == "" {
		return otherwise, nil
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		const most = 253402300799 // of the year 9999, the last that JSON can have
		if seconds < 0 || seconds > most {
			return time.Time{}, fmt.Errorf("%q is no time of this era", text)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf(
			"%q is no time: want 2026-01-31T12:00:00Z, or seconds since 1970", text)
	}
	return t.UTC(), nil
}

// number reads a parameter that is a whole number.
func (q asked) number(name string, otherwise, least, most int64) (int64, error) {
	text := q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s is %q, and must be a number from %d to %d", name, text, least, most)
	}
	return n, nil
}

// consult asks the past, unless a parameter is wrong. It waits for a turn to do so. Where nothing
// comes of it, it answers why and reports false.
func (a *api) consult(
	w http.ResponseWriter, r *http.Request, wrong error, ask func(ctx context.Context) error,
) bool {
	if wrong != nil {
		fail(w, http.StatusBadRequest, wrong.Error())
		return false
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.timeout)
	defer cancel()
	select {
	case a.queries <- struct{}{}:
		defer func() { <-a.queries }()
	case <-ctx.Done():
		refuse(w, ctx.Err())
		return false
	}
	if err := ask(ctx); err != nil {
		refuse(w, err)
		return false
	}
	return true
}

func (a *api) getHistory(w http.ResponseWriter, r *http.Request) {
	q, ok := a.ask(w, r, time.Hour, "keys", "points")
	if !ok {
		return
	}
	keys := chartKeys
	if q.Get("keys") != "" {
		keys = strings.Split(q.Get("keys"), ",")
	}
	points, err := q.number("points", defaultPoints, 2, maxPoints)
	for i, key := range keys {
		if !slices.Contains(chartKeys, key) || slices.Contains(keys[:i], key) {
			err = fmt.Errorf("keys: no history is kept of %q, or it is given twice", key)
		}
	}
	if q.unit == "" {
		err = fmt.Errorf("unit is missing")
	}
	var series []past.Series
	if !a.consult(w, r, err, func(ctx context.Context) (err error) {
		series, err = a.history.Series(ctx, past.Query{
			Unit: q.unit, Keys: keys, From: q.from, To: q.to, Points: int(points),
		})
		return err
	}) {
		return
	}
	v := historyView{
		Unit: q.unit, From: q.from, To: q.to, Series: []seriesView{}, Problem: a.history.Problem(),
	}
	for _, s := range series {
		v.Series = append(v.Series, viewSeries(s))
	}
	if !q.csv {
		answer(w, r, v)
		return
	}
	rows := [][]string{{"time", "key", "unit", "least", "mean", "most"}}
	for _, s := range v.Series {
		for _, p := range s.Points {
			at := time.UnixMilli(int64(p[0] * 1000)).UTC()
			rows = append(rows, []string{
				stamp(at), s.Key, s.Unit, decimal(&p[1]), decimal(&p[2]), decimal(&p[3])})
		}
	}
	table(w, r, "history", rows)
}

func viewSeries(s past.Series) seriesView {
	v := seriesView{Key: s.Key, Unit: s.Unit, Points: [][4]float64{}}
	for _, p := range s.Points {
		point := [4]float64{float64(p.Time.UnixMilli()) / 1000, p.Least, p.Mean, p.Most}
		if !slices.ContainsFunc(point[:], func(f float64) bool {
			return math.IsNaN(f) || math.IsInf(f, 0) // JSON has neither
		}) {
			v.Points = append(v.Points, point)
		}
	}
	return v
}

func (a *api) getEvents(w http.ResponseWriter, r *http.Request) {
	q, ok := a.ask(w, r, maxRange, "before", "limit")
	if !ok {
		return
	}
	limit, err := q.number("limit", defaultLimit, 1, maxLimit)
	before, beforeErr := q.number("before", 0, 1, math.MaxInt64)
	if beforeErr != nil {
		err = beforeErr
	}
	var found []past.Event
	if !a.consult(w, r, err, func(ctx context.Context) (err error) {
		found, err = a.history.Events(ctx, past.EventQuery{
			Unit: q.unit, From: q.from, To: q.to, Before: before, Limit: int(limit),
		})
		return err
	}) {
		return
	}
	events := []eventView{}
	rows := [][]string{{"id", "time", "unit", "path", "kind", "text"}}
	for _, e := range found {
		events = append(events, eventView{e.ID, e.Time.UTC(), e.Unit, e.Path, string(e.Kind), e.Text})
		rows = append(rows, []string{
			strconv.FormatInt(e.ID, 10), stamp(e.Time), e.Unit, e.Path, string(e.Kind), e.Text})
	}
	if q.csv {
		table(w, r, "events", rows)
		return
	}
	answer(w, r, struct {
		Events []eventView `json:"events"`
	}{events})
}

func (a *api) getOutages(w http.ResponseWriter, r *http.Request) {
	q, ok := a.ask(w, r, maxRange, "limit")
	if !ok {
		return
	}
	limit, err := q.number("limit", defaultLimit, 1, maxLimit)
	var found []past.Outage
	if !a.consult(w, r, err, func(ctx context.Context) (err error) {
		found, err = a.history.Outages(ctx, past.EventQuery{
			Unit: q.unit, From: q.from, To: q.to, Limit: int(limit),
		})
		return err
	}) {
		return
	}
	outages := []outageView{}
	rows := [][]string{{"unit", "from", "to", "lowest_charge_percent", "energy_watt_hours"}}
	for _, o := range found {
		v := outageView{o.Unit, o.From.UTC(), time.Time{}, o.LowestCharge, o.Energy}
		if !o.To.IsZero() {
			v.To = o.To.UTC()
		}
		outages = append(outages, v)
		rows = append(rows, []string{
			o.Unit, stamp(v.From), stamp(v.To), decimal(o.LowestCharge), decimal(o.Energy)})
	}
	if q.csv {
		table(w, r, "outages", rows)
		return
	}
	answer(w, r, struct {
		Outages []outageView `json:"outages"`
	}{outages})
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func decimal(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', -1, 64)
}

// table answers with rows as CSV. A text that a spreadsheet would take for a formula gets a "'".
func table(w http.ResponseWriter, r *http.Request, name string, rows [][]string) {
	var text bytes.Buffer
	c := csv.NewWriter(&text)
	for _, row := range rows {
		for i, cell := range row {
			if _, err := strconv.ParseFloat(cell, 64); err != nil && cell != "" &&
				strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				row[i] = "'" + cell
			}
		}
		c.Write(row)
	}
	c.Flush()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	send(w, r, "text/csv; charset=utf-8", text.Bytes())
}
