package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"lateral/auth"
	"lateral/writer"
)

// contentType is that of every answer but metrics.
const contentType = "application/json; charset=utf-8"

// exchangeKey is where a request's exchange lies among its user values.
const exchangeKey = "exchange"

// exchange is one request and its answer.
type exchange struct {
	s       *Server
	ctx     *fasthttp.RequestCtx
	profile *profile
	id      string
	start   time.Time

	// What log and metrics tell of it.
	route    string
	method   string
	model    string
	alias    string // by which the model was asked for; empty: by its name
	readPath string
	uid      int64
	bytes    int64
	problem  string // the code of an error answered
	cause    error  // why the server or what it needs failed; of refusals, which hold what the client sent, nothing

	who       auth.Credentials
	effects   *writer.Effects // what the request's calls have done; nil: nobody asks
	success   int             // status of an answer without an error
	slot      bool            // holds one of the server's slots
	secret    bool            // the answer holds tokens
	streaming bool            // the answer is written after the handler has returned
	status    int             // of a streamed answer, whose response is gone when it ends
}

func (s *Server) newExchange(ctx *fasthttp.RequestCtx) *exchange {
	x := &exchange{s: s, ctx: ctx, profile: &classic, start: time.Now(), route: "unmatched", success: fasthttp.StatusOK}
	x.method = knownMethod(ctx.Method())
	x.id = requestID(ctx.Request.Header.Peek("X-Request-Id"))
	ctx.SetUserValue(exchangeKey, x)
	x.everyAnswer()
	return x
}

// everyAnswer sets the headers that errors and successes alike carry.
func (x *exchange) everyAnswer() {
	header := &x.ctx.Response.Header
	header.Set("X-Request-Id", x.id)
	header.Set("X-Content-Type-Options", "nosniff")
	header.SetContentType(contentType)
	x.s.allowOrigin(header)
}

// exchangeOf returns the exchange of a request inside a handler.
func exchangeOf(ctx *fasthttp.RequestCtx) *exchange {
	return ctx.UserValue(exchangeKey).(*exchange)
}

// requestID takes over the client's id of a request where it is harmless in logs and headers, and
// makes one otherwise.
func requestID(sent []byte) string {
	if harmlessID(sent) {
		return string(sent)
	}
	var raw [8]byte
	n := rand.Uint64()
	for i := range raw {
		raw[i] = byte(n >> (8 * i))
	}
	return hex.EncodeToString(raw[:])
}

func harmlessID(id []byte) bool {
	if len(id) == 0 || len(id) > 128 {
		return false
	}
	for _, c := range id {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("-_.:", rune(c)) {
			return false
		}
	}
	return true
}

// knownMethod keeps methods that clients invent out of metrics.
func knownMethod(method []byte) string {
	switch m := string(method); m {
	case "GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH":
		return m
	}
	return "other"
}

// context returns the context the request's work runs in. It ends when the request's time is over,
// until relax is called, when the server stops, or with cancel.
func (x *exchange) context() (ctx context.Context, relax func(), cancel func()) {
	ctx, stop := context.WithCancelCause(x.s.base)
	if x.effects != nil {
		ctx = writer.WithEffects(ctx, x.effects)
	}
	relax = func() {}
	if limit := x.s.config.RequestTimeout; limit > 0 {
		timer := time.AfterFunc(limit, func() { stop(errRequestTimeout) })
		relax = func() { timer.Stop() }
	}
	return ctx, relax, func() {
		relax()
		stop(context.Canceled)
	}
}

// send answers with a body in JSON.
func (x *exchange) send(status int, body []byte) {
	if x.s.config.EscapeUnicode {
		body = appendEscaped(nil, body)
	}
	x.ctx.Response.SetStatusCode(status)
	x.ctx.Response.SetBody(body)
}

// fail answers with an error.
func (x *exchange) fail(err error) {
	p := x.problemOf(err)
	status := x.profile.status(p)
	x.problem = p.code
	if status >= fasthttp.StatusInternalServerError {
		x.cause = p.cause
	}
	response := &x.ctx.Response
	response.ResetBody()
	response.Header.Del("X-Read-Path")
	if p.retryAfter > 0 {
		response.Header.Set("Retry-After", fmt.Sprint(p.retryAfter))
	}
	if status == fasthttp.StatusUnauthorized && x.profile.challenge {
		response.Header.Set("WWW-Authenticate", p.challenge())
	}
	x.send(status, p.body(x.profile))
}

// panicked answers after a bug in a handler, without telling the client more than that.
func (x *exchange) panicked(p any) {
	x.s.log.Error("panic", slog.String("request_id", x.id), slog.String("route", x.route),
		slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
	x.s.deps.Metrics.panics.Inc()
	x.streaming = false
	x.ctx.Response.Reset()
	x.ctx.Response.Header.SetNoDefaultContentType(true)
	x.everyAnswer()
	x.fail(errors.New("panic"))
}

// finish counts and logs the request, once.
func (x *exchange) finish(broken error) {
	if x.slot {
		x.slot = false
		<-x.s.slots
	}
	status := x.status
	if status == 0 {
		status = x.ctx.Response.StatusCode()
		x.bytes = int64(len(x.ctx.Response.Body()))
	}
	if broken != nil {
		x.cause = broken
	}
	x.s.deps.Metrics.observe(x, status, time.Since(x.start), broken != nil)
	x.logAccess(status, time.Since(x.start), broken != nil)
}
