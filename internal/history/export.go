package history

import (
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"time"
)

// export writes a history as CSV.
type export struct {
	csv      *csv.Writer
	with     func(ctx context.Context, use func(d *disk) error) error // nil without a file
	memory   snapshot
	from, to time.Time
	unit     string
}

// snapshot is what was in memory alone when an export began.
type snapshot struct {
	rows    map[string]map[int64]row
	events  []Event
	outages []Outage
	begins  int64 // the id of the first event
}

// exportRows is how much is read at a time, so that an export of years keeps nobody waiting.
const exportRows = 1000

// Export writes what happened from one time to another, the oldest first: the "history" unit by
// unit, in the finest resolution that is there, the "events" or the "outages". The only format is
// "csv". Zero times and an empty unit are no limit.
func (s *Store) Export(
	ctx context.Context, w io.Writer, what, format string, from, to time.Time, unit string,
) error {
	if format != "csv" {
		return fmt.Errorf("a history is exported as csv, not as %q", format)
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	memory := s.snapshot()
	leave()
	with := func(ctx context.Context, use func(*disk) error) error {
		leave, err := s.enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		return use(s.disk)
	}
	e := export{csv.NewWriter(w), with, memory, from, to, unit}
	return e.write(ctx, what)
}

func (s *Store) snapshot() snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := snapshot{
		rows: map[string]map[int64]row{}, events: slices.Clone(s.events), begins: math.MaxInt64,
	}
	for unit, rows := range s.rows {
		m.rows[unit] = map[int64]row{}
		for t, r := range rows {
			m.rows[unit][t] = *r
		}
	}
	for _, o := range s.outages {
		m.outages = append(m.outages, o.exported())
	}
	if len(m.events) > 0 {
		m.begins = m.events[0].ID
	}
	return m
}

// ExportFile exports a file as [Store.Export] does, without changing it. A daemon may have the file
// open. That takes permission to read the file, and the two beside it if a daemon has it open.
func ExportFile(
	ctx context.Context, file string, w io.Writer, what string, from, to time.Time, unit string,
) error {
	d, err := openReadOnly(file)
	if err != nil {
		return fmt.Errorf("the history %s cannot be read: %w", file, err)
	}
	defer d.close()
	with := func(_ context.Context, use func(*disk) error) error { return use(d) }
	e := export{csv.NewWriter(w), with, snapshot{begins: math.MaxInt64}, from, to, unit}
	return e.write(ctx, what)
}

// openReadOnly opens a file that another program may have open.
func openReadOnly(file string) (*disk, error) {
	if driver == "" {
		return nil, errUnsupported
	}
	if err := checkHeader(file); err != nil {
		return nil, err
	}
	d, err := openWith(file, "mode=ro")
	if codeOf(err) != codeCantOpen && codeOf(err) != codeReadOnly {
		return d, err
	}
	// SQLite cannot make the files beside it here. Without a log they are not needed.
	switch log, err := os.Stat(file + "-wal"); {
	case errors.Is(err, fs.ErrNotExist), err == nil && log.Size() == 0:
		return openWith(file, "mode=ro&immutable=1")
	}
	return nil, fmt.Errorf("%w: it was not closed, and to read it then takes permission to write "+
		"in its directory", fs.ErrPermission)
}

func openWith(file, options string) (*disk, error) {
	name, err := dsn(file, options+"&_pragma=busy_timeout(1000)&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	d := &disk{db: db, file: file}
	if _, err := d.numbers("SELECT count(*) FROM units"); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (e *export) write(ctx context.Context, what string) (err error) {
	switch what {
	case "history":
		err = e.history(ctx)
	case "events":
		err = e.events(ctx)
	case "outages":
		err = e.outages(ctx)
	default:
		err = fmt.Errorf("history, events or outages are exported, not %q", what)
	}
	e.csv.Flush()
	return errors.Join(err, e.csv.Error())
}

func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.999Z07:00")
}

func number(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', -1, 64)
}

func (e *export) bounds() (from, to int64) {
	from, to = 0, math.MaxInt64
	if !e.from.IsZero() {
		from = e.from.Unix()
	}
	if !e.to.IsZero() {
		to = e.to.Unix()
	}
	return from, to
}

func (e *export) events(ctx context.Context) error {
	e.csv.Write([]string{"id", "time", "unit", "path", "kind", "text"})
	put := func(event Event) {
		e.csv.Write([]string{
			strconv.FormatInt(event.ID, 10), timestamp(event.Time), event.Unit, event.Path,
			string(event.Kind), event.Text,
		})
	}
	from, to, _, _ := bounds(EventQuery{From: e.from, To: e.to})
	for last, more := int64(0), true; more; {
		var chunk []Event
		err := e.with(ctx, func(d *disk) (err error) {
			if d == nil {
				return nil
			}
			where, args, found, err := d.where("e", e.unit, e.memory.begins)
			if err != nil || !found {
				return err
			}
			chunk, err = d.events(eventsSelect+where+
				" AND e.id > ? AND e.time >= ? AND e.time < ? ORDER BY e.id LIMIT ?",
				append(args, last, from, to, exportRows)...)
			return err
		})
		if err != nil {
			return err
		}
		for _, event := range chunk {
			if event.ID <= last {
				return errBroken // it would never end
			}
			put(event)
			last = event.ID
		}
		more = len(chunk) == exportRows
	}
	for _, event := range e.memory.events {
		if t := event.Time.UnixMilli(); t >= from && t < to && (e.unit == "" || e.unit == event.Unit) {
			put(event)
		}
	}
	return nil
}

func (e *export) outages(ctx context.Context) error {
	e.csv.Write([]string{"id", "unit", "from", "to", "lowest_charge_percent", "energy_watt_hours"})
	from, to, _, _ := bounds(EventQuery{From: e.from, To: e.to})
	put := func(o Outage) {
		e.csv.Write([]string{
			strconv.FormatInt(o.ID, 10), o.Unit, timestamp(o.From), timestamp(o.To),
			number(o.LowestCharge), number(o.Energy),
		})
	}
	inMemory := func(id int64) bool {
		return slices.ContainsFunc(e.memory.outages, func(o Outage) bool { return o.ID == id })
	}
	for last, more := int64(0), true; more; {
		var chunk []*outage
		err := e.with(ctx, func(d *disk) (err error) {
			if d == nil {
				return nil
			}
			where, args, found, err := d.where("o", e.unit, math.MaxInt64)
			if err != nil || !found {
				return err
			}
			chunk, err = d.outages(outagesWhere+where+" AND o.id > ?"+outagesWithin,
				" ORDER BY o.id LIMIT ?", append(args, last, to, from, exportRows)...)
			return err
		})
		if err != nil {
			return err
		}
		for _, o := range chunk {
			if o.id <= last {
				return errBroken
			}
			if !inMemory(o.id) {
				put(o.exported())
			}
			last = o.id
		}
		more = len(chunk) == exportRows
	}
	for _, o := range e.memory.outages {
		if o.From.UnixMilli() < to && (o.To.IsZero() || o.To.UnixMilli() >= from) &&
			(e.unit == "" || e.unit == o.Unit) {
			put(o)
		}
	}
	return nil
}

func (e *export) history(ctx context.Context) error {
	header := []string{"time", "unit", "seconds"}
	all := make([]int, len(kept))
	for i, k := range kept {
		all[i] = i
		header = append(header, k.column+"_least", k.column+"_mean", k.column+"_most")
	}
	e.csv.Write(header)
	ids := map[string]int64{}
	err := e.with(ctx, func(d *disk) (err error) {
		if d != nil {
			ids, err = d.units()
		}
		return err
	})
	if err != nil {
		return err
	}
	for unit := range e.memory.rows {
		if _, has := ids[unit]; !has {
			ids[unit] = 0
		}
	}
	for _, unit := range slices.Sorted(maps.Keys(ids)) {
		if e.unit != "" && e.unit != unit {
			continue
		}
		if err := e.stored(ctx, unit, ids[unit], all); err != nil {
			return err
		}
		from, to := e.bounds()
		rows := e.memory.rows[unit]
		for _, t := range slices.Sorted(maps.Keys(rows)) {
			if r := rows[t]; t > from-tiers[0].step && t < to {
				e.row(unit, tiers[0].step, t, &r)
			}
		}
	}
	return nil
}

// stored writes the rows of a unit, from the coarsest tier, which is the oldest, to the finest.
func (e *export) stored(ctx context.Context, unit string, id int64, readings []int) error {
	from, to := e.bounds()
	var begins [len(tiers) + 1]int64 // where each tier takes over from the next
	begins[0] = to
	err := e.with(ctx, func(d *disk) error {
		for i, t := range tiers {
			begins[i+1] = begins[i]
			if d == nil {
				continue
			}
			var oldest *int64
			if err := d.db.QueryRow(oldestRow, t.step, id).Scan(&oldest); err != nil {
				return err
			}
			if oldest == nil {
				continue
			}
			if i+1 < len(tiers) {
				*oldest = floor(*oldest, tiers[i+1].step)
			}
			begins[i+1] = min(begins[i], *oldest)
		}
		return nil
	})
	if err != nil {
		return err
	}
	query := rowsSelect(readings) + " LIMIT ?"
	for i, t := range slices.Backward(tiers[:]) {
		last := max(begins[i+1]-1, from-t.step)
		for more := true; more; {
			var times []int64
			var rows []*row
			err := e.with(ctx, func(d *disk) error {
				if d == nil {
					return nil
				}
				return d.rows(query, readings, func(at int64, r *row) {
					times, rows = append(times, at), append(rows, r)
				}, t.step, id, last, begins[i], exportRows)
			})
			if err != nil {
				return err
			}
			for i, r := range rows {
				if times[i] <= last {
					return errBroken
				}
				e.row(unit, t.step, times[i], r)
				last = times[i]
			}
			if err := e.csv.Error(); err != nil {
				return err
			}
			more = len(rows) == exportRows
		}
	}
	return nil
}

func (e *export) row(unit string, step, t int64, r *row) {
	record := []string{timestamp(time.Unix(t, 0)), unit, strconv.FormatInt(step, 10)}
	for _, s := range r {
		if s.n == 0 {
			record = append(record, "", "", "")
			continue
		}
		p := s.point(t)
		mean := math.Round(p.Mean*1000) / 1000
		record = append(record, number(&p.Least), number(&mean), number(&p.Most))
	}
	e.csv.Write(record)
}

// units returns the ids of all units.
func (d *disk) units() (map[string]int64, error) {
	rows, err := d.db.Query("SELECT name, id FROM units")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	ids := map[string]int64{}
	for rows.Next() {
		var name string
		var id int64
		if err := rows.Scan(&name, &id); err != nil {
			return nil, err
		}
		ids[name] = id
	}
	return ids, rows.Err()
}
