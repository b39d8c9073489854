package tripplite

import (
	"context"
	"log/slog"
)

// protocol is what a unit speaks. The worker of a Battery alone calls its methods, one at a time.
type protocol interface {
	// read fills r with what the unit says now. It returns nil, a *PartialError, a *ReportError, the
	// context's error, or a lostError: then the Battery closes the device and opens it again later.
	read(ctx context.Context, want cadence, r *record) error
	// commands lists what the unit takes, by a reading of its state and settings that has just been
	// made.
	commands(r *record) []CommandInfo
	// lacks returns why a command is not in that list: ErrUnsupported, or ErrRefused where no unit has
	// it, and the cause.
	lacks(command string) (err, cause error)
	// prepare returns the writes of a command of the list. Its errors are those of read, and
	// ErrRefused.
	prepare(c Command, r *record) ([]step, error)
	// write makes one write. It returns nil, an error that is answered where the unit refused it, a
	// lostError, or another one where it is not known whether the unit took the write.
	write(s step) error
	// dump asks for everything once. Its errors are the context's and a lostError.
	dump(ctx context.Context, d *Dump) error
}

// announcer is a protocol in which units also speak by themselves. An open device has one reader of
// its input reports: the listener of the Battery where the protocol is an announcer, else the
// protocol.
type announcer interface {
	// announced returns how an input report changes a State. It returns nil where the report
	// makes no sense, so that the unit has to be asked, and ok false where it says nothing of the
	// State. It may be called beside the other methods.
	announced(report []byte) (update func(*State), ok bool)
}

// newProtocol returns what a unit speaks, which its family tells.
func newProtocol(info DeviceInfo, dev Device, descriptor []byte, log *slog.Logger) protocol {
	if family, _ := familyOf(info.VendorID, info.ProductID); family.framed {
		return newFramed(dev, info.Path, log)
	}
	return newHIDPower(dev, descriptor, info.Path, log)
}

// lostError says that the unit no longer answers: its device has to be given up.
type lostError struct{ cause error }

func (e *lostError) Error() string { return e.cause.Error() }
func (e *lostError) Unwrap() error { return e.cause }
