package history

import "time"

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
				if _, err := d.cut(i, id, cut+t.step); err != nil {
					return err
				}
			}
		}
		unit := any(id)
		if id == -1 { // events of no unit
			unit = nil
		}
		for _, table := range []string{"events", "outages"} {
			_, err := d.db.Exec("DELETE FROM "+table+" WHERE unit IS ? AND id <= "+
				"(SELECT id FROM "+table+" WHERE unit IS ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
				unit, unit, mostEvents)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// cut deletes the rows of a unit in a tier that are before a time, but none that share a row of the
// next tier with one that stays, so that an export finds each time in one tier.
func (d *disk) cut(tier int, unit, before int64) (deleted int64, err error) {
	step := tiers[tier].step
	if tier+1 < len(tiers) {
		before = floor(before, tiers[tier+1].step)
	}
	done, err := d.db.Exec("DELETE FROM samples WHERE step = ? AND unit = ? AND time < ?",
		step, unit, before)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

// shrink makes room: below nine tenths of the size that the file may have, since its log needs some
// too. It deletes the oldest of the finest tier until that holds no more than it is to hold, then
// of the next. When that is not enough it deletes the oldest of everything.
func (d *disk) shrink(most int64) error {
	for range 64 {
		used, err := d.used()
		if err != nil || used <= most/10*9 {
			return err
		}
		shortened := false
		for i := 0; i < len(tiers) && !shortened; i++ {
			if shortened, err = d.shorten(i, tiers[i].hold); err != nil {
				return err
			}
		}
		if !shortened {
			if err := d.shortenAll(); err != nil {
				return err
			}
		}
		if err := d.vacuum(); err != nil {
			return err
		}
	}
	return nil
}

// vacuum gives the free pages back. SQLite does a page a step.
func (d *disk) vacuum() error {
	rows, err := d.db.Query("PRAGMA incremental_vacuum")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// used returns the size of the file without its free pages.
func (d *disk) used() (bytes int64, err error) {
	var pages, free, size int64
	err = d.db.QueryRow(`SELECT page_count, freelist_count, page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&pages, &free, &size)
	return (pages - free) * size, err
}

// shorten deletes a fourth of what a tier has of each unit beyond what it is to hold. It reports
// whether there was any.
func (d *disk) shorten(tier int, hold int64) (shortened bool, err error) {
	ids, err := d.numbers("SELECT id FROM units")
	if err != nil {
		return false, err
	}
	step := tiers[tier].step
	for _, id := range ids {
		has, err := d.numbers(
			"SELECT count(*) FROM samples WHERE step = ? AND unit = ?", step, id)
		if err != nil {
			return false, err
		}
		beyond := has[0] - hold
		if beyond <= 0 {
			continue
		}
		cut, err := d.numbers("SELECT time FROM samples WHERE step = ? AND unit = ?"+
			" ORDER BY time LIMIT 1 OFFSET ?", step, id, (beyond+3)/4)
		if err != nil {
			return false, err
		}
		for _, cut := range cut {
			deleted, err := d.cut(tier, id, cut+step)
			if err != nil {
				return false, err
			}
			shortened = shortened || deleted > 0
		}
	}
	return shortened, nil
}

// shortenAll deletes a fourth of everything.
func (d *disk) shortenAll() error {
	for i := range tiers {
		if _, err := d.shorten(i, 0); err != nil {
			return err
		}
	}
	for _, table := range []string{"events", "outages"} {
		_, err := d.db.Exec("DELETE FROM " + table + " WHERE id <= " +
			"(SELECT min(id) + (max(id) - min(id)) / 4 FROM " + table + ")")
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
