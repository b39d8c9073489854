package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/internal/program"
)

// A unit that is on battery from the start is an event, once that is believed.
func TestAHistoryIsKeptServedAndExported(t *testing.T) {
	dir := t.TempDir()
	text := fmt.Sprintf("\n[history]\nfile = %q\n", filepath.Join(dir, "history.db"))
	d := start(t, text, "--replay=smart1500lcd-on-battery")
	said := ""
	for said == "" { // the API tells of it once it is on disk
		require.NoError(t, t.Context().Err())
		code, body := get(t, "http://"+d.pages+"/api/v1/events")
		require.Equal(t, 200, code)
		if bytes.Contains([]byte(body), []byte(`"kind":"on-battery"`)) {
			said = body
		}
	}
	require.Contains(t, said, `"unit":"ups-smart1500lcd-on-battery"`)
	require.NotContains(t, said, `"problem"`)
	events := runs(t, d.file, "history", "export", "--what=events")
	require.Contains(t, events, "ups-smart1500lcd-on-battery,smart1500lcd-on-battery,on-battery,")
	require.NotContains(t, runs(t, d.file, "history", "export", "--what=events", "--to=2026-01-01"),
		"on-battery")
	require.Zero(t, d.stop())
	minutes := runs(t, d.file, "history", "export") // the minute under way is written at the end
	require.Contains(t, minutes, "load_mean")
	require.Contains(t, minutes, "ups-smart1500lcd-on-battery")
}

func TestAHistoryThatCannotBeKeptStopsNothing(t *testing.T) {
	dir := t.TempDir()
	file := program.Write(t, dir, "history.db", "this is not a database, and longer than its header is: "+
		"a hundred bytes have to be there before that can be told")
	d := start(t, fmt.Sprintf("\n[history]\nfile = %q\n", filepath.Join(file, "below a file")), unit)
	_, body := get(t, "http://"+d.pages+"/api/v1/history?unit=ups-smart1500lcd")
	require.Contains(t, body, `"problem":"`)
	connect(t, d.nut, "", "").until("GET VAR ups ups.status", `VAR ups ups.status "OL"`)
}

func TestWhatCannotBeExportedIsSaid(t *testing.T) {
	for _, test := range []struct {
		name, text string
		args       []string
		says       string
		code       int
	}{
		{"no file is kept", "", nil, "the configuration has no [history] file", 1},
		{"it is not there", "[history]\nfile = \"/nonexistent/history.db\"", nil, "nonexistent", 1},
		{"no such thing", "", []string{"--what=colours"}, "--what", 2},
		{"no day", "", []string{"--from=yesterday"}, "--from", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := program.Write(t, t.TempDir(), "tripplited.toml", test.text)
			var stderr bytes.Buffer
			args := append([]string{"history", "export", "--config", file}, test.args...)
			require.Equal(t, test.code, run(t.Context(), args, io.Discard, &stderr))
			require.Contains(t, stderr.String(), test.says)
		})
	}
}
