package history

import (
	"fmt"
	"time"
)

const (
	// thinEvery is how often rows that are too old are looked for.
	thinEvery = time.Hour
	// mostEvents is how many events and outages of a unit are kept.
	mostEvents = 10000
)

// thin deletes what is too old, and of a file that is too large the oldest of the finest rows. It
// reads no clock but to tell that it was called lately.
func (d *disk) thin(now time.Time, most int64) error {
	if now.Sub(d.thinned).Abs() >= thinEvery {
		if err := d.age(); err != nil {
			return err
		}
		d.thinned = now
	}
	return d.shrink(most)
}

// age deletes of each unit all but the newest rows and events.
func (d *disk) age() error {
	ids, err := d.numbers("SELECT id FROM units UNION ALL SELECT -1")
	if err != nil {
		return err
	}
	for _, id := range ids {
		for i, t := range tiers {
			cut, err := d.numbers("SELECT time FROM samples WHERE step = ? AND unit = ?"+
				" ORDER BY time DESC LIMIT 1 OFFSET ?", t.step, id, t.keep)
			if err != nil {
				return err
			}
			for _, cut := range cut {
				if err := d.cut(i, "AND unit = ?", cut+t.step, id); err != nil {
					return err
				}
			}
		}
		unit := any(id)
		if id == -1 { // events of no unit
			unit = nil
		}
		for _, table := range []string{"events", "outages"} {
			_, err := d.db.Exec("DELETE FROM "+table+" WHERE unit IS ? AND id <= (SELECT id FROM "+
				table+" WHERE unit IS ? ORDER BY id DESC LIMIT 1 OFFSET ?)", unit, unit, mostEvents)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// cut deletes the rows of a tier that are before a time, but none that share a row of the next tier
// with one that stays: so it can be told which of the two is to be shown.
func (d *disk) cut(tier int, where string, before int64, args ...any) error {
	step := tiers[tier].step
	if tier+1 < len(tiers) {
		before = floor(before, tiers[tier+1].step)
	}
	_, err := d.db.Exec("DELETE FROM samples WHERE step = ? AND time < ? "+where,
		append([]any{step, before}, args...)...)
	return err
}

// shrink makes room: below nine tenths of the size that the file may have, since its log needs some
// too. It deletes a fourth of what the finest tier has beyond what that tier is to hold, then of the
// next, and at last of the events.
func (d *disk) shrink(most int64) error {
	for range 64 {
		used, err := d.used()
		if err != nil || used <= most/10*9 {
			return err
		}
		if err := d.shorten(); err != nil {
			return err
		}
		if err := d.drain("PRAGMA incremental_vacuum"); err != nil {
			return err
		}
	}
	return nil
}

// used returns the size of the file without its free pages.
func (d *disk) used() (bytes int64, err error) {
	var pages, free, size int64
	err = d.db.QueryRow(`SELECT page_count, freelist_count, page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&pages, &free, &size)
	return (pages - free) * size, err
}

// shorten deletes the oldest of the finest rows that may go.
func (d *disk) shorten() error {
	ids, err := d.numbers("SELECT id FROM units")
	if err != nil {
		return err
	}
	for i, t := range tiers {
		shortened := false
		for _, id := range ids {
			counts, err := d.numbers(
				"SELECT count(*) FROM samples WHERE step = ? AND unit = ?", t.step, id)
			if err != nil {
				return err
			}
			beyond := counts[0] - t.hold
			if beyond <= 0 {
				continue
			}
			cut, err := d.numbers("SELECT time FROM samples WHERE step = ? AND unit = ?"+
				" ORDER BY time LIMIT 1 OFFSET ?", t.step, id, (beyond+3)/4)
			if err != nil {
				return err
			}
			for _, cut := range cut {
				if err := d.cut(i, "AND unit = ?", cut, id); err != nil {
					return err
				}
				shortened = true
			}
		}
		if shortened {
			return nil
		}
	}
	for _, table := range []string{"events", "outages"} {
		_, err := d.db.Exec(fmt.Sprintf(
			"DELETE FROM %s WHERE id <= (SELECT min(id) + (max(id) - min(id)) / 4 FROM %s)", table, table))
		if err != nil {
			return err
		}
	}
	return nil
}

// numbers returns the only column of a query.
func (d *disk) numbers(query string, args ...any) (all []int64, err error) {
	rows, err := d.db.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, rows.Err()
}

// drain runs a query to its end.
func (d *disk) drain(query string) error {
	_, err := d.numbers(query)
	return err
}
