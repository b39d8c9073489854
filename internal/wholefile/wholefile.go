// Package wholefile writes files that are whole on disk, whatever happens: the old one or the new.
package wholefile

import (
	"errors"
	"os"
)

// Write writes a file anew, for its owner alone to read. There is one name for what is being
// written: a crash leaves one such file at most.
func Write(file string, text []byte) error {
	temporary := file + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(temporary, file)
}
