package server

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// logAccess writes one line per request. It tells the model and the route's pattern, never the
// path's or the query's values, bodies or headers, since tokens, passwords and data stand there. Of a
// refusal it tells the code: its text quotes what the client sent.
func (x *exchange) logAccess(status int, took time.Duration, broken bool) {
	if !x.s.config.AccessLog && status < 500 && !broken {
		return
	}
	level := slog.LevelInfo
	if status >= 500 || broken {
		level = slog.LevelWarn
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("request_id", x.id),
		slog.String("method", x.method),
		slog.String("route", x.route),
		slog.Int("status", status),
		slog.Float64("ms", float64(took.Microseconds())/1000),
		slog.Int64("bytes", x.bytes))
	if x.model != "" {
		attrs = append(attrs, slog.String("model", shorten(x.model, 80)))
	}
	if x.uid != 0 {
		attrs = append(attrs, slog.Int64("uid", x.uid))
	}
	if x.readPath != "" {
		attrs = append(attrs, slog.String("read_path", x.readPath))
	}
	if x.problem != "" {
		attrs = append(attrs, slog.String("error", x.problem))
	}
	if broken {
		attrs = append(attrs, slog.Bool("broken", true))
	}
	if x.cause != nil {
		attrs = append(attrs, slog.String("cause", x.cause.Error()))
	}
	x.s.log.LogAttrs(x.s.base, level, "request", attrs...)
}

// shorten keeps texts that clients choose from filling logs and answers.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// quietLogger takes what fasthttp has to say, which is about single connections.
type quietLogger struct{ log *slog.Logger }

func (q quietLogger) Printf(format string, args ...any) {
	q.log.Debug("connection", slog.String("message", fmt.Sprintf(format, args...)))
}
