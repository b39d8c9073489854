package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite/internal/past"
)

// What is asked, and what is answered.
type (
	Query      = past.Query
	Series     = past.Series
	Point      = past.Point
	EventQuery = past.EventQuery
	Event      = past.Event
	Outage     = past.Outage
)

const (
	defaultPoints = 1000
	mostPoints    = 10000
	// rowsPerPoint is how many rows are read for a point at most. So a finer tier is chosen where the
	// next one would have too few points.
	rowsPerPoint = 3

	defaultLimit = 100
	mostLimit    = 1000
)

// chart is a Query that makes sense.
type chart struct {
	unit             string
	readings         []int // places in kept
	from, to, points int64
}

func chartOf(q Query) (c chart, err error) {
	keys := q.Keys
	if len(keys) == 0 {
		for _, k := range kept {
			keys = append(keys, k.key)
		}
	}
	for _, key := range keys {
		i := slices.IndexFunc(kept[:], func(k reading) bool { return k.key == key })
		if i < 0 {
			return c, fmt.Errorf("no history is kept of %q", key)
		}
		c.readings = append(c.readings, i)
	}
	c.unit, c.from, c.to, c.points = q.Unit, max(q.From.Unix(), 0), q.To.Unix(), int64(q.Points)
	if q.Points == 0 {
		c.points = defaultPoints
	}
	if c.to <= c.from || c.points < 2 {
		return c, errors.New("a chart needs a time that ends after it begins, and two points")
	}
	c.points = min(c.points, mostPoints)
	return c, nil
}

// bucket returns how long a point is for, given the step of the rows. Points begin at multiples of
// that, so that a chart may have one more than fits.
func (c chart) bucket(step int64) int64 {
	fits := func(points int64) int64 {
		return ((c.to-c.from-1)/(points*step) + 1) * step
	}
	size := fits(c.points)
	if floor(c.to-1, size)/size-floor(c.from, size)/size+1 > c.points {
		size = fits(c.points - 1)
	}
	return size
}

// Series returns the charts of a unit, one for each key. A unit that is not known has no points.
func (s *Store) Series(ctx context.Context, q Query) ([]Series, error) {
	c, err := chartOf(q)
	if err != nil {
		return nil, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	step, buckets := tiers[0].step, map[int64]*row{}
	var id int64
	var found bool
	if s.disk != nil {
		if id, found, err = s.disk.unit(c.unit); err != nil {
			return nil, err
		}
	}
	if found {
		if step, err = s.disk.fit(id, c); err != nil {
			return nil, err
		}
	}
	size := c.bucket(step)
	add := func(t int64, r *row) {
		b := floor(t, size)
		if buckets[b] == nil {
			buckets[b] = &row{}
		}
		buckets[b].merge(r)
	}
	if found {
		if err := s.disk.read(id, step, c, add); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for t, r := range s.rows[c.unit] {
		if t > c.from-tiers[0].step && t < c.to {
			add(t, r)
		}
	}
	return c.series(size, buckets), nil
}

func (c chart) series(size int64, buckets map[int64]*row) []Series {
	fields, times := readings(), slices.Sorted(maps.Keys(buckets))
	var all []Series
	for _, i := range c.readings {
		series := Series{
			Key: fields[i].Key, Unit: fields[i].Unit,
			Step: time.Duration(size) * time.Second, Points: []Point{},
		}
		for _, t := range times {
			if sums := buckets[t][i]; sums.n > 0 {
				series.Points = append(series.Points, sums.point(t))
			}
		}
		all = append(all, series)
	}
	return all
}

const oldestRow = "SELECT min(time) FROM samples WHERE step = ? AND unit = ?"

// fit returns the step of the finest tier that is not too much to read and reaches as far back as
// the chart, or as the coarser ones.
func (d *disk) fit(unit int64, c chart) (step int64, err error) {
	var oldest [len(tiers)]int64
	for i, t := range tiers {
		var at *int64
		if err := d.db.QueryRow(oldestRow, t.step, unit).Scan(&at); err != nil {
			return 0, err
		}
		oldest[i] = math.MaxInt64
		if at != nil {
			oldest[i] = *at
		}
	}
	for i, t := range tiers {
		reaches := true
		for j, coarser := range tiers[i+1:] {
			at := oldest[i+1+j]
			reaches = reaches &&
				(oldest[i] <= c.from || at == math.MaxInt64 || oldest[i] < at+coarser.step)
		}
		if reaches && (c.to-c.from)/t.step <= rowsPerPoint*c.points {
			return t.step, nil
		}
	}
	return tiers[len(tiers)-1].step, nil
}

// rowsSelect selects rows of a tier, of some readings.
func rowsSelect(readings []int) string {
	query := "SELECT time"
	for _, i := range readings {
		query += strings.ReplaceAll(", %_n, %_least, %_sum, %_most", "%", kept[i].column)
	}
	return query +
		" FROM samples WHERE step = ? AND unit = ? AND time > ? AND time < ? ORDER BY time"
}

// read calls add with the rows of a chart, of its readings only.
func (d *disk) read(unit, step int64, c chart, add func(t int64, r *row)) error {
	return d.rows(rowsSelect(c.readings), c.readings, add, step, unit, c.from-step, c.to)
}

func (d *disk) rows(query string, readings []int, add func(t int64, r *row), args ...any) error {
	rows, err := d.db.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	// Scan takes values of any type as they are, but has numbers go through texts.
	values := make([]any, 1+4*len(readings))
	to := make([]any, len(values))
	for i := range values {
		to[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return err
		}
		var r row
		for i, reading := range readings {
			v := values[1+4*i:]
			n, _ := v[0].(int64)
			least, has := v[1].(int64)
			sum, _ := v[2].(int64)
			most, _ := v[3].(int64)
			if n > 0 && has {
				r[reading] = sums{n, least, sum, most}
			}
		}
		t, _ := values[0].(int64)
		add(t, &r)
	}
	return rows.Err()
}

// bounds returns the limits of a query, in milliseconds and as numbers that are always there.
func bounds(q EventQuery) (from, to, before int64, limit int) {
	from, to, before, limit = math.MinInt64, math.MaxInt64, math.MaxInt64, defaultLimit
	if !q.From.IsZero() {
		from = q.From.UnixMilli()
	}
	if !q.To.IsZero() {
		to = q.To.UnixMilli()
	}
	if q.Before > 0 {
		before = q.Before
	}
	if q.Limit > 0 {
		limit = min(q.Limit, mostLimit)
	}
	return from, to, before, limit
}

// Events returns events, the newest first: those that came last, whatever the clock said.
func (s *Store) Events(ctx context.Context, q EventQuery) ([]Event, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	s.settle()
	from, to, before, limit := bounds(q)
	all := []Event{}
	s.mu.Lock()
	for _, e := range slices.Backward(s.events) {
		t := e.Time.UnixMilli()
		if e.ID < before && t >= from && t < to && (q.Unit == "" || e.Unit == q.Unit) {
			all = append(all, e)
		}
	}
	s.mu.Unlock()
	if s.disk == nil || len(all) >= limit {
		return all[:min(len(all), limit)], nil
	}
	where, args, found, err := s.disk.where("e", q.Unit, before)
	if err != nil || !found {
		return all, err
	}
	stored, err := s.disk.events(eventsSelect+where+" AND e.time >= ? AND e.time < ?"+eventsLast,
		append(args, from, to, limit-len(all))...)
	return append(all, stored...), err
}

// Outages returns outages that were going on at some time from q.From to q.To, the newest first.
func (s *Store) Outages(ctx context.Context, q EventQuery) ([]Outage, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	s.settle()
	from, to, before, limit := bounds(q)
	all := map[int64]Outage{}
	s.mu.Lock()
	memory := map[int64]bool{}
	for _, o := range s.outages {
		memory[o.id] = true
		if o.id < before && (q.Unit == "" || o.unit == q.Unit) && o.from.UnixMilli() < to &&
			(o.to.IsZero() || o.to.UnixMilli() >= from) {
			all[o.id] = o.exported()
		}
	}
	s.mu.Unlock()
	if s.disk != nil {
		where, args, found, err := s.disk.where("o", q.Unit, before)
		if err != nil {
			return nil, err
		}
		if found {
			stored, err := s.disk.outages(outagesWhere+where+outagesWithin, outagesLast,
				append(args, to, from, limit+len(memory))...)
			if err != nil {
				return nil, err
			}
			for _, o := range stored {
				if !memory[o.id] {
					all[o.id] = o.exported()
				}
			}
		}
	}
	sorted := slices.SortedFunc(maps.Values(all), func(a, b Outage) int {
		return cmp.Compare(b.ID, a.ID)
	})
	return slices.Clip(append([]Outage{}, sorted[:min(len(sorted), limit)]...)), nil
}

// where limits a query of events or outages to a unit, unless that is empty.
func (d *disk) where(table, unit string, before int64) (
	where string, args []any, found bool, err error,
) {
	if unit == "" {
		return "", []any{before}, true, nil
	}
	id, found, err := d.unit(unit)
	return " AND " + table + ".unit = ?", []any{before, id}, found, err
}
