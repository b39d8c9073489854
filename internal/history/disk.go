package history

import (
	"database/sql"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/tripplite-go/tripplite/internal/events"
)

// disk is an open file. It has one connection: who uses it has the turn of the Store.
type disk struct {
	db      *sql.DB
	file    string
	info    os.FileInfo
	thinned time.Time
}

// A small computer writes this: SQLite has 1 MB of cache, does not map the file, and keeps its
// write-ahead log near 1 MB. A commit is on disk when it returns.
const options = "mode=rw&_txlock=immediate&_pragma=busy_timeout(1000)&_pragma=synchronous(FULL)" +
	"&_pragma=cache_size(-1024)&_pragma=mmap_size(0)&_pragma=wal_autocheckpoint(256)" +
	"&_pragma=journal_size_limit(1048576)&_pragma=temp_store(MEMORY)"

// openDisk opens a file and makes it if need be.
func openDisk(file string) (*disk, error) {
	if driver == "" {
		return nil, errUnsupported
	}
	if err := create(file); err != nil {
		return nil, err
	}
	if err := checkHeader(file); err != nil {
		return nil, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	name, err := dsn(file, options)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	d := &disk{db: db, file: file, info: info}
	if err := d.migrate(); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// create makes an empty file where there is none.
func create(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if os.IsExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	return f.Close()
}

// migrate brings the tables up to date, before there is a write-ahead log (see checkHeader).
func (d *disk) migrate() error {
	var version int
	if err := d.db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(schema) {
		return errNewer
	}
	if version < len(schema) {
		_, err := d.db.Exec("PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum=INCREMENTAL")
		if err != nil {
			return err
		}
		if err := d.upgrade(version); err != nil {
			return err
		}
	}
	var mode string
	if err := d.db.QueryRow("PRAGMA journal_mode=WAL").Scan(&mode); err != nil {
		return err
	}
	return nil
}

func (d *disk) upgrade(version int) error {
	tx, err := d.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, statements := range schema[version:] {
		if _, err := tx.Exec(statements); err != nil {
			return err
		}
	}
	_, err = tx.Exec(fmt.Sprintf(
		"PRAGMA application_id=%d; PRAGMA user_version=%d", application, len(schema)))
	if err != nil {
		return err
	}
	return tx.Commit()
}

func (d *disk) close() { d.db.Close() }

// replaced tells whether the file at the path is not the one that is open.
func (d *disk) replaced() bool {
	info, err := os.Stat(d.file)
	return os.IsNotExist(err) || err == nil && !os.SameFile(info, d.info)
}

// resume returns the id of the last event and the outages that went on when the file was closed.
func (d *disk) resume() (last int64, going []*outage, err error) {
	err = d.db.QueryRow(`SELECT max(ifnull((SELECT max(id) FROM events), 0),
		ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0))`).Scan(&last)
	if err != nil {
		return 0, nil, err
	}
	all, err := d.outages(outagesWhere+" AND o.ended IS NULL", outagesLast,
		int64(math.MaxInt64), memoryEvents)
	for _, o := range all {
		o.old, o.written = true, true
		o.unmeasured = !o.hasEnergy
		going = append(going, o)
	}
	return last, going, err
}

// write writes a batch in one transaction.
func (d *disk) write(b *batch) error {
	tx, err := d.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	ids, err := unitIDs(tx, b)
	if err != nil {
		return err
	}
	if err := writeRows(tx, ids, tiered(b.rows)); err != nil {
		return err
	}
	for _, e := range b.events {
		_, err := tx.Exec("INSERT INTO events (id, time, unit, path, kind, text) VALUES (?,?,?,?,?,?)",
			e.ID, e.Time.UnixMilli(), ids.of(e.Unit), e.Path, string(e.Kind), e.Text)
		if err != nil {
			return err
		}
	}
	for _, o := range b.outages {
		_, err := tx.Exec(`INSERT INTO outages (id, unit, began, seen, ended, lowest_charge, energy)
			VALUES (?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET seen = excluded.seen,
			ended = excluded.ended, lowest_charge = excluded.lowest_charge, energy = excluded.energy
			WHERE unit = excluded.unit AND began = excluded.began`,
			o.id, ids.of(o.unit), o.from.UnixMilli(), o.seen.UnixMilli(), milli(o.to),
			o.lowestCharge(), o.wattHours())
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

// milli returns a time for the file, or NULL.
func milli(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// upsert adds a row to one that is there. A minimum of NULL and a number is NULL to SQLite.
var upsert = func() string {
	columns, values, update := "step, unit, time", "?,?,?", ""
	for i, k := range kept {
		if i > 0 {
			update += ", "
		}
		c := strings.NewReplacer("%", k.column)
		columns += c.Replace(", %_n, %_least, %_sum, %_most")
		values += ",?,?,?,?"
		update += c.Replace("%_n = %_n + excluded.%_n," +
			" %_least = min(ifnull(%_least, excluded.%_least), ifnull(excluded.%_least, %_least))," +
			" %_sum = ifnull(%_sum + excluded.%_sum, ifnull(%_sum, excluded.%_sum))," +
			" %_most = max(ifnull(%_most, excluded.%_most), ifnull(excluded.%_most, %_most))")
	}
	return "INSERT INTO samples (" + columns + ") VALUES (" + values + ") ON CONFLICT DO UPDATE SET " +
		update
}()

func writeRows(tx *sql.Tx, ids unitsByName, rows map[slot]*row) error {
	if len(rows) == 0 {
		return nil
	}
	statement, err := tx.Prepare(upsert)
	if err != nil {
		return err
	}
	defer statement.Close()
	args := make([]any, 3+4*len(kept))
	for at, r := range rows {
		args[0], args[1], args[2] = at.step, ids[at.unit], at.time
		for i, s := range r {
			a := args[3+4*i:]
			a[0], a[1], a[2], a[3] = s.n, nil, nil, nil
			if s.n > 0 {
				a[1], a[2], a[3] = s.least, s.sum, s.most
			}
		}
		if _, err := statement.Exec(args...); err != nil {
			return err
		}
	}
	return nil
}

// unitsByName has the ids of units in the file.
type unitsByName map[string]int64

// of returns the id of a unit, or NULL where there is no unit.
func (u unitsByName) of(name string) any {
	if id, has := u[name]; has {
		return id
	}
	return nil
}

// unitIDs returns the ids of the units of a batch, and makes those that are missing.
func unitIDs(tx *sql.Tx, b *batch) (unitsByName, error) {
	ids := unitsByName{}
	for name, u := range b.units {
		id, err := unitID(tx, u, b.units)
		if err != nil {
			return nil, err
		}
		ids[name] = id
	}
	for _, o := range b.outages { // of an earlier run
		if _, has := ids[o.unit]; !has {
			id, err := unitID(tx, identity{name: o.unit}, b.units)
			if err != nil {
				return nil, err
			}
			ids[o.unit] = id
		}
	}
	return ids, nil
}

func unitID(tx *sql.Tx, u identity, live map[string]identity) (id int64, err error) {
	var had identity
	err = tx.QueryRow("SELECT id, path, vendor, product, serial FROM units WHERE name = ?", u.name).
		Scan(&id, &had.path, &had.vendor, &had.product, &had.serial)
	if err != nil && err != sql.ErrNoRows {
		return 0, err
	}
	had.name = u.name
	if err == nil && (had == u || u.vendor == 0) {
		return id, nil
	}
	if err == nil {
		_, err = tx.Exec("UPDATE units SET path = ?, vendor = ?, product = ?, serial = ? WHERE id = ?",
			u.path, u.vendor, u.product, u.serial, id)
		return id, err
	}
	if id, err = renamed(tx, u, live); err != nil || id != 0 {
		return id, err
	}
	made, err := tx.Exec("INSERT INTO units (name, path, vendor, product, serial) VALUES (?,?,?,?,?)",
		u.name, u.path, u.vendor, u.product, u.serial)
	if err != nil {
		return 0, err
	}
	return made.LastInsertId()
}

// renamed finds the history of a unit that had another name, and gives it the new one. See the
// package.
func renamed(tx *sql.Tx, u identity, live map[string]identity) (int64, error) {
	if u.vendor == 0 {
		return 0, nil
	}
	rows, err := tx.Query(`SELECT id, name FROM units
		WHERE path = ? AND vendor = ? AND product = ? AND serial = ? ORDER BY id DESC`,
		u.path, u.vendor, u.product, u.serial)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var id int64
	for rows.Next() && id == 0 {
		var is int64
		var name string
		if err := rows.Scan(&is, &name); err != nil {
			return 0, err
		}
		if _, lives := live[name]; !lives {
			id = is
		}
	}
	if err := rows.Close(); err != nil || id == 0 {
		return 0, err
	}
	_, err = tx.Exec("UPDATE units SET name = ? WHERE id = ?", u.name, id)
	return id, err
}

// unit returns the id of a unit; not found is no error.
func (d *disk) unit(name string) (id int64, found bool, err error) {
	err = d.db.QueryRow("SELECT id FROM units WHERE name = ?", name).Scan(&id)
	if err == sql.ErrNoRows {
		return 0, false, nil
	}
	return id, err == nil, err
}

const (
	eventsSelect = `SELECT e.id, e.time, ifnull(u.name, ''), e.path, e.kind, e.text
		FROM events e LEFT JOIN units u ON u.id = e.unit WHERE e.id < ?`
	eventsLast = " ORDER BY e.id DESC LIMIT ?"

	outagesWhere = `SELECT o.id, u.name, o.began, o.seen, o.ended, o.lowest_charge, o.energy
		FROM outages o JOIN units u ON u.id = o.unit WHERE o.id < ?`
	outagesWithin = " AND o.began < ? AND (o.ended IS NULL OR o.ended >= ?)"
	outagesLast   = " ORDER BY o.id DESC LIMIT ?"
)

// events returns what a query finds, as it orders them.
func (d *disk) events(query string, args ...any) ([]Event, error) {
	rows, err := d.db.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Event
	for rows.Next() {
		var e Event
		var t int64
		var kind string
		if err := rows.Scan(&e.ID, &t, &e.Unit, &e.Path, &kind, &e.Text); err != nil {
			return nil, err
		}
		e.Time, e.Kind = time.UnixMilli(t), events.Kind(kind)
		all = append(all, e)
	}
	return all, rows.Err()
}

// outages returns what a query finds, as it orders them. The parts of the query are one text.
func (d *disk) outages(where, order string, args ...any) ([]*outage, error) {
	rows, err := d.db.Query(where+order, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []*outage
	for rows.Next() {
		o := &outage{}
		var from, seen int64
		var to sql.NullInt64
		var charge, energy sql.NullFloat64
		if err := rows.Scan(&o.id, &o.unit, &from, &seen, &to, &charge, &energy); err != nil {
			return nil, err
		}
		o.from, o.seen = time.UnixMilli(from), time.UnixMilli(seen)
		if to.Valid {
			o.to = time.UnixMilli(to.Int64)
		}
		o.charge, o.hasCharge = charge.Float64, charge.Valid
		o.energy, o.hasEnergy = energy.Float64*3600, energy.Valid
		all = append(all, o)
	}
	return all, rows.Err()
}
