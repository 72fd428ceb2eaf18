package main

import (
	"fmt"
	"io"
	"log/slog"
)

// newLogger returns a logger that writes to w.
func newLogger(s logSettings, w io.Writer) (*slog.Logger, error) {
	if w == nil {
		w = io.Discard
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.Level)); err != nil {
		return nil, fmt.Errorf("log.level: %q is none of debug, info, warn, error", s.Level)
	}
	options := &slog.HandlerOptions{Level: level}
	switch s.Format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	}
	return nil, fmt.Errorf("log.format: %q is neither json nor text", s.Format)
}
