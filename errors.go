package tripplite

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// The errors that tell a caller what to do. Test for them with errors.Is; the error that a call returns says more, such as which
// unit and why.
var (
	// ErrNotFound says that no UPS is attached, or none at the path asked for.
	ErrNotFound = errors.New("no Tripp Lite UPS found: check the USB cable, and that lsusb shows the unit")
	// ErrPermission says that the unit is there and the user may not open it. It is also fs.ErrPermission.
	ErrPermission error = &sentinel{"no permission: install the project's udev rule (deploy/70-tripplite.rules) or run as root", fs.ErrPermission}
	// ErrBusy says that another program holds the unit, such as NUT's driver or a second copy of this one.
	ErrBusy = errors.New("another program holds the UPS: stop it first")
	// ErrDisconnected says that the unit dropped off the bus or no longer answers. A later Get opens it again when it is back.
	ErrDisconnected = errors.New("the UPS is disconnected: it is read again as soon as it is back at this port")
	// ErrClosed says that Close has been called.
	ErrClosed = errors.New("the battery has been closed")
	// ErrUnsupported says that this program cannot open a unit: it was built without cgo or for a system that
	// github.com/karalabe/hid does not know, or the unit speaks a protocol that this package does not.
	ErrUnsupported = errors.New("not supported")
)

// sentinel is an error value that is also another one.
type sentinel struct {
	text string
	also error
}

func (e *sentinel) Error() string        { return e.text }
func (e *sentinel) Is(target error) bool { return target == e.also }

// ReportError is the failure of one report.
type ReportError struct {
	Path string // of the unit
	ID   byte   // of the report
	Name string // the report's HID usage path
	Err  error  // why it could not be read
}

// Error names the unit, the report and the cause.
func (e *ReportError) Error() string {
	text := fmt.Sprintf("report 0x%02x (%s): %v", e.ID, e.Name, e.Err)
	if e.Path == "" {
		return text
	}
	return e.Path + ": " + text
}

// Unwrap returns the cause.
func (e *ReportError) Unwrap() error { return e.Err }

// PartialError comes with a State of which some readings could not be read this time; they hold nothing in the State.
type PartialError struct {
	Reports []*ReportError // at least one
}

// Error names the unit and each report with its cause.
func (e *PartialError) Error() string {
	texts := make([]string, len(e.Reports))
	for i, report := range e.Reports {
		texts[i] = report.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the error of each report.
func (e *PartialError) Unwrap() []error {
	errs := make([]error, len(e.Reports))
	for i, report := range e.Reports {
		errs[i] = report
	}
	return errs
}
