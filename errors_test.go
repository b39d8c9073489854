package tripplite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

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
		wrapped := fmt.Errorf("tripplite: 1-4:1.0: %w", sentinel)
		for other, err := range sentinels {
			require.Equal(t, other == name, errors.Is(wrapped, err), "%s is %s", name, other)
		}
	}
}

func TestErrPermissionIsTheFileSystems(t *testing.T) {
	require.ErrorIs(t, fmt.Errorf("tripplite: %w", ErrPermission), fs.ErrPermission)
	require.NotErrorIs(t, error(fs.ErrPermission), ErrPermission, "not every refusal is this package's")
	require.NotErrorIs(t, ErrPermission, fs.ErrNotExist)
	for name, sentinel := range sentinels {
		require.Equal(t, name == "ErrPermission", errors.Is(sentinel, fs.ErrPermission), name)
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
		require.NotContains(t, sentinel.Error(), "tripplite:", "%s: who speaks is said by what wraps it", name)
	}
}

var errStall = errors.New("the unit stalled")

func TestReportErrorNamesUnitReportAndCause(t *testing.T) {
	err := &ReportError{Path: "1-4:1.0", ID: 0x06, Name: "UPS.PowerConverter.Output.LowVoltageTransfer", Err: errStall}

	require.EqualError(t, err, "1-4:1.0: report 0x06 (UPS.PowerConverter.Output.LowVoltageTransfer): the unit stalled")
	require.ErrorIs(t, err, errStall)
	require.NotErrorIs(t, err, ErrDisconnected, "the unit is there")

	var found *ReportError
	require.ErrorAs(t, fmt.Errorf("reading: %w", err), &found)
	require.Same(t, err, found)
}

func TestPartialErrorNamesEachReport(t *testing.T) {
	voltage := &ReportError{Path: "1-4:1.0", ID: 0x18, Name: "UPS.PowerConverter.Input.Voltage", Err: errStall}
	load := &ReportError{Path: "1-4:1.0", ID: 0x1e, Name: "UPS.OutletSystem.Outlet.PercentLoad", Err: context.DeadlineExceeded}
	err := &PartialError{Reports: []*ReportError{voltage, load}}

	require.EqualError(t, err, "1-4:1.0: report 0x18 (UPS.PowerConverter.Input.Voltage): the unit stalled; "+
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
