package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite"
	"github.com/tripplite-go/tripplite/internal/capture"
)

// tool runs the program, in a bubble.
func tool(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return toolWith(t, "", args...)
}

// toolWith runs the program with a standard input.
func toolWith(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		code = run(t.Context(), args, strings.NewReader(stdin), &out, &err)
	})
	return code, out.String(), err.String()
}

// over runs a command over units that a test has made, in a bubble.
func over(t *testing.T, command func(*session) error) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := &session{ctx: t.Context(), stdout: &out, stderr: &err}
		code = s.end(command(s))
	})
	return code, out.String(), err.String()
}

// requireOneLine fails unless a text is one whole line that contains what is wanted.
func requireOneLine(t *testing.T, text string, wanted ...string) {
	t.Helper()
	require.Equal(t, 1, strings.Count(text, "\n"), "%q is not one line", text)
	require.True(t, strings.HasSuffix(text, "\n"))
	for _, want := range wanted {
		require.Contains(t, text, want)
	}
}

// scripted is a source that says what a test has written down.
type scripted []tripplite.Reading

func (s scripted) Get(context.Context) ([]tripplite.Reading, error) { return s, nil }

func (s scripted) Watch(ctx context.Context, _ time.Duration) iter.Seq[tripplite.Reading] {
	return func(yield func(tripplite.Reading) bool) {
		for _, r := range s {
			if ctx.Err() != nil || !yield(r) {
				return
			}
		}
	}
}

// at is when everything is read in these tests.
var at = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// reading is one of a unit on line power, changed by the test.
func reading(path string, change func(*tripplite.State)) tripplite.Reading {
	state := tripplite.State{Path: path, Time: at, RemainingCapacity: tripplite.ValueOf(100.0)}
	state.Status.ACPresent = tripplite.ValueOf(true)
	state.Status.BelowRemainingCapacityLimit = tripplite.ValueOf(false)
	state.RunTimeToEmpty = tripplite.ValueOf(1004 * time.Second)
	state.Output.PercentLoad = tripplite.ValueOf(14.0)
	if change != nil {
		change(&state)
	}
	return tripplite.Reading{Info: tripplite.DeviceInfo{Path: path}, State: state}
}

func good(path string) tripplite.Reading { return reading(path, nil) }

func onBatteryNow(s *tripplite.State) { s.Status.ACPresent = tripplite.ValueOf(false) }

// announced is a reading that a unit has announced by itself: power has failed.
func announced(path string) tripplite.Reading {
	state := tripplite.State{Path: path, Time: at, Announced: true}
	state.Status.ACPresent = tripplite.ValueOf(false)
	state.Status.Discharging = tripplite.ValueOf(true)
	state.Config.Voltage = tripplite.ValueOf(120.0)
	return tripplite.Reading{Info: tripplite.DeviceInfo{Path: path}, State: state}
}

// partly is a reading that lacks one.
func partly(path string) tripplite.Reading {
	r := good(path)
	lacks := &tripplite.ReportError{Path: path, ID: 0x1e, Name: "UPS.Load", Err: fmt.Errorf("stalled")}
	r.Err = &tripplite.PartialError{Reports: []*tripplite.ReportError{lacks}}
	return r
}

func failed(path string, err error) tripplite.Reading {
	return tripplite.Reading{
		Info: tripplite.DeviceInfo{Path: path},
		Err:  &tripplite.Error{Op: "read", Path: path, Err: err, Cause: fmt.Errorf("EIO")},
	}
}

func lost(path string) tripplite.Reading { return failed(path, tripplite.ErrDisconnected) }

func busy(path, holder string) tripplite.Reading {
	return tripplite.Reading{
		Info: tripplite.DeviceInfo{Path: path},
		Err:  &tripplite.Error{Op: "open", Path: path, Holder: holder, Err: tripplite.ErrBusy},
	}
}

// load returns a built-in capture.
func load(t *testing.T, name string) *capture.Capture {
	t.Helper()
	c, err := capture.Load(name)
	require.NoError(t, err)
	return c
}

// file writes a capture file.
func file(t *testing.T, c *capture.Capture) string {
	t.Helper()
	text, err := c.Marshal()
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "unit.json")
	require.NoError(t, os.WriteFile(name, text, 0o644))
	return name
}

// without writes a capture file of smart1500lcd in which some reports fail.
func without(t *testing.T, failure capture.Error, ids ...capture.ID) string {
	t.Helper()
	c := load(t, "smart1500lcd")
	for i := range c.Interfaces[0].Reports {
		r := &c.Interfaces[0].Reports[i]
		for _, id := range ids {
			if r.ID == id {
				r.Bytes, r.Error = nil, failure
			}
		}
	}
	return file(t, c)
}

// section returns one key of what the tool printed.
func section(t *testing.T, stdout, key string) string {
	t.Helper()
	var printed map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(stdout), &printed))
	return string(printed[key])
}
