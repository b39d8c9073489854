package tripplite

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// The errors that tell a caller what to do. Test for them with errors.Is. The error that a call
// returns says more, such as which unit and why.
var (
	// ErrNotFound says that no UPS is attached, or none at the path asked for. It is also
	// fs.ErrNotExist.
	ErrNotFound error = &sentinel{
		"no Tripp Lite UPS found: check the USB cable, and that lsusb shows the unit", fs.ErrNotExist}
	// ErrPermission says that the unit is there and this user may not open it. It is also
	// fs.ErrPermission.
	ErrPermission error = &sentinel{
		"no permission: install the project's udev rule (deploy/70-tripplite.rules) or run as root",
		fs.ErrPermission}
	// ErrBusy says that another program holds the unit by libusb, as NUT's driver does.
	ErrBusy = errors.New("another program holds the UPS: stop it first")
	// ErrDisconnected says that the unit left the bus or no longer answers. A later Get opens it again
	// when it is back.
	ErrDisconnected = errors.New(
		"the UPS is disconnected: it is read again as soon as it is back at this port")
	// ErrClosed says that Close has been called. It is also fs.ErrClosed.
	ErrClosed error = &sentinel{"the battery has been closed", fs.ErrClosed}
	// ErrUnsupported says that this program cannot open a unit: it was built for a system or in a way
	// that has no USB, or the unit speaks a protocol that this package does not. It is also
	// errors.ErrUnsupported.
	ErrUnsupported error = &sentinel{"not supported", errors.ErrUnsupported}
)

// sentinel is an error value that is also one of the standard library's.
type sentinel struct {
	text string
	also error
}

func (e *sentinel) Error() string        { return e.text }
func (e *sentinel) Is(target error) bool { return target == e.also }

// Error says which call failed on which unit, and why.
type Error struct {
	Op     string // "list", "open", "read", or "do" with the name of a command
	Path   string // of the unit; empty where the error is of none
	Holder string // the programs that hold a busy unit, where the system tells
	Err    error  // what the caller can test for, such as ErrBusy or the context's error
	Cause  error  // what failed underneath; nil where Err says it all
}

// Error names the call, the unit, the reason, who holds the unit and the cause.
func (e *Error) Error() string {
	text := e.Op
	if e.Path != "" {
		text += " " + e.Path
	}
	text += ": " + e.Reason()
	if e.Cause != nil {
		text += fmt.Sprintf(" (%v)", e.Cause)
	}
	return text
}

// Reason returns the text without the call, the unit and the cause.
func (e *Error) Reason() string {
	if e.Holder == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("%v (%s)", e.Err, e.Holder)
}

// Unwrap returns Err and Cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Cause}
}

// HasState reports whether a State comes with the error of a Get, of a Watch or in a [Reading]: it
// does with nil and with a [*PartialError].
func HasState(err error) bool { return err == nil || errors.As(err, new(*PartialError)) }

// ReportError is the failure of one report.
type ReportError struct {
	Path string // of the unit
	ID   byte   // of the report; the letter of a command to a unit of product 0001
	Name string // the report's HID usage path, or what the command asks for
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

// PartialError comes with a State that lacks some readings, which could not be read this time.
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
