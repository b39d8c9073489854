// Package testdata holds the captures of real and composed units that the tests replay and the
// programs serve by name.
package testdata

import "embed"

// Captures has one JSON file for each unit, in the schema of captures/README.md.
//
//go:embed captures/*.json
var Captures embed.FS
