package history

// application marks a file as a history of this program: "TrLH".
const application = 0x54724c48

// schema has the statements that make each version from the one before.
//
// A row of samples is what a unit did in the step seconds from time on, which is in seconds since
// 1970. A reading has the number of times that it was read, the least, the sum and the most, in
// hundredths of its unit. The other times are in milliseconds since 1970.
var schema = []string{`
CREATE TABLE units (
	id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL,
	vendor INTEGER NOT NULL, product INTEGER NOT NULL, serial TEXT NOT NULL
);
CREATE TABLE samples (
	step INTEGER NOT NULL, unit INTEGER NOT NULL, time INTEGER NOT NULL,
	load_n INTEGER NOT NULL, load_least INTEGER, load_sum INTEGER, load_most INTEGER,
	power_n INTEGER NOT NULL, power_least INTEGER, power_sum INTEGER, power_most INTEGER,
	charge_n INTEGER NOT NULL, charge_least INTEGER, charge_sum INTEGER, charge_most INTEGER,
	runtime_n INTEGER NOT NULL, runtime_least INTEGER, runtime_sum INTEGER, runtime_most INTEGER,
	input_voltage_n INTEGER NOT NULL, input_voltage_least INTEGER, input_voltage_sum INTEGER,
	input_voltage_most INTEGER,
	output_voltage_n INTEGER NOT NULL, output_voltage_least INTEGER, output_voltage_sum INTEGER,
	output_voltage_most INTEGER,
	battery_voltage_n INTEGER NOT NULL, battery_voltage_least INTEGER, battery_voltage_sum INTEGER,
	battery_voltage_most INTEGER,
	PRIMARY KEY (step, unit, time)
) WITHOUT ROWID;
CREATE TABLE events (
	id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, unit INTEGER, path TEXT NOT NULL,
	kind TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX events_unit ON events (unit);
CREATE TABLE outages (
	id INTEGER PRIMARY KEY, unit INTEGER NOT NULL, began INTEGER NOT NULL, seen INTEGER NOT NULL,
	ended INTEGER, lowest_charge REAL, energy REAL
);
CREATE INDEX outages_unit ON outages (unit);
`}
