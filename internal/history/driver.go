//go:build (darwin && (amd64 || arm64)) || (freebsd && (386 || amd64 || arm || arm64)) || (linux && (386 || amd64 || arm || arm64 || loong64 || ppc64le || riscv64 || s390x)) || (netbsd && amd64) || (openbsd && (amd64 || arm64)) || (windows && (386 || amd64 || arm64))

package history

import (
	"errors"

	"modernc.org/sqlite"
)

// driver is the name of SQLite in database/sql; empty on a platform without it.
const driver = "sqlite"

// codeOf returns SQLite's primary result code of an error, or 0.
func codeOf(err error) int {
	var failed *sqlite.Error
	if errors.As(err, &failed) {
		return failed.Code() & 0xff
	}
	return 0
}
