package serve

import (
	"io"
	"log/slog"
	"runtime/debug"
)

// Logger returns what writes a log, in the format "json" or else logfmt.
func Logger(w io.Writer, level slog.Level, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// Version returns what the build says of itself; its fields are empty where it says nothing.
func Version() *debug.BuildInfo {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info
	}
	return &debug.BuildInfo{}
}
