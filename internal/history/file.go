package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

var (
	errBroken      = errors.New("the file is broken")
	errForeign     = errors.New("the file is not a history of this program")
	errNewer       = errors.New("the file was written by a newer version of this program")
	errUnsupported = fmt.Errorf("SQLite does not exist for this platform: %w", errors.ErrUnsupported)
)

// Result codes of SQLite (https://sqlite.org/rescode.html).
const (
	codeReadOnly = 8
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeNotADB   = 26
)

// broken tells whether an error means that a file is broken for good.
func broken(err error) bool {
	code := codeOf(err)
	return errors.Is(err, errBroken) || code == codeCorrupt || code == codeNotADB
}

// sentence says for people what is wrong with the file.
func sentence(file string, err error) string {
	reason := err.Error()
	switch code := codeOf(err); {
	case errors.Is(err, errUnsupported):
		reason = "there is no history on this platform"
	case errors.Is(err, errNewer), errors.Is(err, errForeign):
		reason += ", and is left as it is"
	case code == codeFull:
		reason = "there is no room for it"
	case code == codeReadOnly:
		reason = "the file is read-only"
	case broken(err):
		reason = "the file is broken"
	}
	const text = "The history %s cannot be written: %s. A day of it is kept in memory."
	return fmt.Sprintf(text, file, reason)
}

// checkHeader looks at a file before SQLite does, which might change it. The header is that of
// https://sqlite.org/fileformat2.html#the_database_header. What it says of the version is up to
// date even beside a write-ahead log, since tables are made and changed before there is one.
func checkHeader(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var header [100]byte
	switch _, err := io.ReadFull(f, header[:]); {
	case errors.Is(err, io.EOF):
		return nil // a new file
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errBroken
	case err != nil:
		return err
	}
	if string(header[:16]) != "SQLite format 3\x00" {
		return errBroken
	}
	version := int(binary.BigEndian.Uint32(header[60:]))
	switch {
	case binary.BigEndian.Uint32(header[68:]) != application:
		return errForeign
	case version > len(schema):
		return fmt.Errorf("%w (schema %d, this one knows %d)", errNewer, version, len(schema))
	}
	return nil
}

// dsn names a file for the driver.
func dsn(file, options string) (string, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	path := filepath.ToSlash(file)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive of Windows
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: options}).String(), nil
}

// mostBroken is how many broken files are kept beside the good one before no more are moved there.
const mostBroken = 3

// moveAside renames a broken file, and the log that goes with it.
func moveAside(file string, now time.Time) (to string, err error) {
	if has, _ := filepath.Glob(file + ".broken-*Z"); len(has) >= mostBroken {
		return "", fmt.Errorf("%w, as are %d that were moved aside before", errBroken, len(has))
	}
	to = file + ".broken-" + now.UTC().Format("20060102T150405Z")
	if _, err := os.Lstat(to); err == nil {
		return "", fmt.Errorf("%w, and %s is in the way", errBroken, to)
	}
	if err := os.Rename(file, to); err != nil {
		return "", err
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if err := os.Rename(file+suffix, to+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err // it would be taken for that of the new file
		}
	}
	return to, nil
}
