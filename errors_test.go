package tripplite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var sentinels = map[string]error{
	"ErrNotFound":     ErrNotFound,
	"ErrPermission":   ErrPermission,
	"ErrBusy":         ErrBusy,
	"ErrDisconnected": ErrDisconnected,
	"ErrClosed":       ErrClosed,
	"ErrUnsupported":  ErrUnsupported,
}

func TestSentinelsAreFoundInWhatWrapsThem(t *testing.T) {
	for name, sentinel := range sentinels {
		for _, wrapped := range []error{
			fmt.Errorf("1-4:1.0: %w", sentinel),
			&Error{Op: "open", Path: "1-4:1.0", Err: sentinel, Cause: errStall},
			fmt.Errorf("reading: %w", &Error{Op: "read", Err: sentinel}),
		} {
			for other, err := range sentinels {
				require.Equal(t, other == name, errors.Is(wrapped, err), "%s is %s", name, other)
			}
		}
	}
}

func TestSentinelsAreTheStandardLibrarys(t *testing.T) {
	standard := map[string]error{
		"ErrNotFound":    fs.ErrNotExist,
		"ErrPermission":  fs.ErrPermission,
		"ErrClosed":      fs.ErrClosed,
		"ErrUnsupported": errors.ErrUnsupported,
	}
	for name, sentinel := range sentinels {
		wrapped := &Error{Op: "open", Path: "1-4:1.0", Err: sentinel}
		for other, err := range standard {
			require.Equal(t, other == name, errors.Is(wrapped, err), "%s is %v", name, err)
			require.NotErrorIs(t, err, sentinel, "not every %v is this package's", err)
		}
	}
}

func TestSentinelsSayWhatToDo(t *testing.T) {
	for name, what := range map[string]string{
		"ErrNotFound":     "check the USB cable",
		"ErrPermission":   "install the project's udev rule (deploy/70-tripplite.rules)",
		"ErrBusy":         "stop it first",
		"ErrDisconnected": "it is read again as soon as it is back at this port",
	} {
		require.ErrorContains(t, sentinels[name], what, name)
	}
	for name, sentinel := range sentinels {
		require.NotContains(t, sentinel.Error(), "tripplite:", "%s: the caller says who", name)
	}
}

var errStall = errors.New("the unit stalled")

func TestErrorSaysWhatWasDoneToWhichUnitAndWhy(t *testing.T) {
	const notFound = "no Tripp Lite UPS found: check the USB cable, and that lsusb shows the unit"
	const busy = "another program holds the UPS: stop it first"
	for name, test := range map[string]struct {
		err          Error
		text, reason string
	}{
		"no unit at all": {Error{Op: "open", Err: ErrNotFound}, "open: " + notFound, notFound},
		"no unit at a path": {Error{Op: "open", Path: "1-4.2:1.0", Err: ErrNotFound},
			"open 1-4.2:1.0: " + notFound, notFound},
		"a holder": {
			Error{Op: "open", Path: "1-4.2:1.0", Err: ErrBusy, Holder: "usbhid-ups, process 812"},
			"open 1-4.2:1.0: " + busy + " (usbhid-ups, process 812)",
			busy + " (usbhid-ups, process 812)",
		},
		"a cause": {
			Error{Op: "read", Path: "1-4.2:1.0", Err: context.Canceled, Cause: errStall},
			"read 1-4.2:1.0: context canceled (the unit stalled)", "context canceled",
		},
		"a holder and a cause": {
			Error{Op: "open", Err: ErrBusy, Holder: "nut", Cause: errStall},
			"open: " + busy + " (nut) (the unit stalled)", busy + " (nut)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.EqualError(t, &test.err, test.text)
			assert.Equal(t, test.reason, test.err.Reason())
		})
	}
}

func TestErrorIsItsErrAndItsCause(t *testing.T) {
	err := fmt.Errorf("reading: %w", &Error{
		Op: "open", Path: "1-4:1.0", Err: ErrPermission,
		Cause: &fs.PathError{Op: "open", Err: errStall},
	})
	require.ErrorIs(t, err, ErrPermission)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorIs(t, err, errStall)
	require.NotErrorIs(t, err, ErrBusy)
	var path *fs.PathError
	require.ErrorAs(t, err, &path)
	var found *Error
	require.ErrorAs(t, err, &found)
	require.Equal(t, "1-4:1.0", found.Path)
	require.Equal(t, []error{ErrBusy}, (&Error{Err: ErrBusy}).Unwrap(), "no cause is no error")
}

func TestHasState(t *testing.T) {
	report := &ReportError{Path: "1-4:1.0", ID: 0x18, Err: errStall}
	partial := &PartialError{Reports: []*ReportError{report}}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"no error":                {nil, true},
		"some readings missing":   {partial, true},
		"the same, wrapped":       {fmt.Errorf("reading: %w", partial), true},
		"the status missing":      {report, false},
		"a lost unit":             {&Error{Op: "read", Err: ErrDisconnected}, false},
		"a context that is over":  {&Error{Op: "read", Err: context.DeadlineExceeded}, false},
		"an error of another one": {errStall, false},
	} {
		assert.Equal(t, test.want, HasState(test.err), name)
	}
}

func TestReportErrorNamesUnitReportAndCause(t *testing.T) {
	const name = "UPS.PowerConverter.Output.LowVoltageTransfer"
	err := &ReportError{Path: "1-4:1.0", ID: 0x06, Name: name, Err: errStall}

	require.EqualError(t, err, "1-4:1.0: report 0x06 ("+name+"): the unit stalled")
	require.EqualError(t, &ReportError{ID: 0x06, Name: name, Err: errStall},
		"report 0x06 ("+name+"): the unit stalled", "a Battery of New has no path")
	require.ErrorIs(t, err, errStall)
	require.NotErrorIs(t, err, ErrDisconnected, "the unit is there")

	var found *ReportError
	require.ErrorAs(t, fmt.Errorf("reading: %w", err), &found)
	require.Same(t, err, found)
}

func TestPartialErrorNamesEachReport(t *testing.T) {
	voltage := &ReportError{
		Path: "1-4:1.0", ID: 0x18, Name: "UPS.PowerConverter.Input.Voltage", Err: errStall}
	load := &ReportError{
		Path: "1-4:1.0", ID: 0x1e, Name: "UPS.OutletSystem.Outlet.PercentLoad",
		Err: context.DeadlineExceeded}
	err := &PartialError{Reports: []*ReportError{voltage, load}}

	require.EqualError(t, err,
		"1-4:1.0: report 0x18 (UPS.PowerConverter.Input.Voltage): the unit stalled; "+
			"1-4:1.0: report 0x1e (UPS.OutletSystem.Outlet.PercentLoad): context deadline exceeded")
	require.ErrorIs(t, err, errStall, "the cause of the first")
	require.ErrorIs(t, err, context.DeadlineExceeded, "the cause of the second")
	require.NotErrorIs(t, err, ErrDisconnected)

	var partial *PartialError
	require.ErrorAs(t, fmt.Errorf("reading: %w", err), &partial)
	require.Same(t, err, partial)
	var report *ReportError
	require.ErrorAs(t, err, &report)
	require.Same(t, voltage, report)
}
