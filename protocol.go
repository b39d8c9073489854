package tripplite

import "context"

// protocol is what a unit speaks. The worker of a Battery alone calls its methods, one at a time.
type protocol interface {
	// read fills r with what the unit says now. It returns nil, a *PartialError, a *ReportError, the
	// context's error, or a lostError: then the Battery closes the device and opens it again later.
	read(ctx context.Context, want cadence, r *record) error
	// dump asks for every report once. Its errors are the context's and a lostError.
	dump(ctx context.Context) ([]RawReport, error)
	// announced returns how an input report changes a State. It returns nil where the report
	// makes no sense, so that the unit has to be asked, and ok false where it says nothing of the
	// State. It may be called beside the other methods.
	announced(report []byte) (update func(*State), ok bool)
}

// lostError says that the unit no longer answers: its device has to be given up.
type lostError struct{ cause error }

func (e *lostError) Error() string { return e.cause.Error() }
func (e *lostError) Unwrap() error { return e.cause }
