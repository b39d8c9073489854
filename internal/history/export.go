package history

import (
	"cmp"
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
	disk     *disk
	csv      *csv.Writer
	from, to time.Time
	unit     string
}

// exportRows is how much is read at a time, so that an export of years keeps no daemon waiting.
const exportRows = 1000

// ExportFile writes what happened from one time to another as CSV, the oldest first: the "history"
// unit by unit, in the finest resolution that is there, the "events" or the "outages". Zero times and
// an empty unit are no limit. The file is not changed. A daemon may have it open; what that has not
// written yet is missing. It takes permission to read the file, and the two beside it if a daemon
// has it open.
func ExportFile(
	ctx context.Context, file string, w io.Writer, what string, from, to time.Time, unit string,
) error {
	d, err := openReadOnly(file)
	if err != nil {
		return fmt.Errorf("the history %s cannot be read: %w", file, err)
	}
	defer d.close()
	e := export{d, csv.NewWriter(w), from, to, unit}
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
	from, to, _, _ := bounds(EventQuery{From: e.from, To: e.to})
	for last, more := int64(0), true; more; {
		where, args, found, err := e.disk.where("e", e.unit, math.MaxInt64)
		if err = cmp.Or(err, ctx.Err()); err != nil || !found {
			return err
		}
		chunk, err := e.disk.events(eventsSelect+where+
			" AND e.id > ? AND e.time >= ? AND e.time < ? ORDER BY e.id LIMIT ?",
			append(args, last, from, to, exportRows)...)
		if err != nil {
			return err
		}
		for _, event := range chunk {
			if event.ID <= last {
				return errBroken // it would never end
			}
			e.csv.Write([]string{
				strconv.FormatInt(event.ID, 10), timestamp(event.Time), event.Unit, event.Path,
				string(event.Kind), event.Text,
			})
			last = event.ID
		}
		more = len(chunk) == exportRows
	}
	return nil
}

func (e *export) outages(ctx context.Context) error {
	e.csv.Write([]string{"id", "unit", "from", "to", "lowest_charge_percent", "energy_watt_hours"})
	from, to, _, _ := bounds(EventQuery{From: e.from, To: e.to})
	for last, more := int64(0), true; more; {
		where, args, found, err := e.disk.where("o", e.unit, math.MaxInt64)
		if err = cmp.Or(err, ctx.Err()); err != nil || !found {
			return err
		}
		chunk, err := e.disk.outages(outagesWhere+where+" AND o.id > ?"+outagesWithin,
			" ORDER BY o.id LIMIT ?", append(args, last, to, from, exportRows)...)
		if err != nil {
			return err
		}
		for _, o := range chunk {
			if o.id <= last {
				return errBroken
			}
			is := o.exported()
			e.csv.Write([]string{
				strconv.FormatInt(is.ID, 10), is.Unit, timestamp(is.From), timestamp(is.To),
				number(is.LowestCharge), number(is.Energy),
			})
			last = o.id
		}
		more = len(chunk) == exportRows
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
	ids, err := e.disk.units()
	if err != nil {
		return err
	}
	for _, unit := range slices.Sorted(maps.Keys(ids)) {
		if e.unit != "" && e.unit != unit {
			continue
		}
		if err := e.stored(ctx, unit, ids[unit], all); err != nil {
			return err
		}
	}
	return nil
}

// stored writes the rows of a unit, from the coarsest tier, which is the oldest, to the finest.
func (e *export) stored(ctx context.Context, unit string, id int64, readings []int) error {
	from, to := e.bounds()
	var begins [len(tiers) + 1]int64 // where each tier takes over from the next
	begins[0] = to
	for i, t := range tiers {
		begins[i+1] = begins[i]
		var oldest *int64
		if err := e.disk.db.QueryRow(oldestRow, t.step, id).Scan(&oldest); err != nil {
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
	query := rowsSelect(readings) + " LIMIT ?"
	for i, t := range slices.Backward(tiers[:]) {
		last := max(begins[i+1]-1, from-t.step)
		for more := true; more; {
			var times []int64
			var rows []*row
			err := e.disk.rows(query, readings, func(at int64, r *row) {
				times, rows = append(times, at), append(rows, r)
			}, t.step, id, last, begins[i], exportRows)
			if err = cmp.Or(err, ctx.Err()); err != nil {
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
