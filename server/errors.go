package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/valyala/fasthttp"

	"lateral/auth"
	"lateral/auth/kv"
	"lateral/reader"
	"lateral/writer"
)

// Seconds after which it is worth asking again, by what was wrong.
const (
	retryOverload = 1
	retryOutage   = 5
)

var (
	errRequestTimeout = errors.New("the request's time is over")
	errShuttingDown   = errors.New("the server is shutting down")
)

// problem is an error as clients see it: the only place that knows codes and statuses is this file.
type problem struct {
	code       string
	classic    int // status in the profile classic
	typed      int // status in the profile typed
	text       string
	field      string
	path       string
	retryAfter int // seconds; 0: not worth saying
	// mistakes are those of a text that was sent, such as a preset.
	mistakes []Mistake
	cause    error
}

func (p *problem) Error() string { return p.code + ": " + p.text }

func (p *problem) Unwrap() error { return p.cause }

// body is the JSON of the problem: code and text, and in profiles that have it the place.
func (p *problem) body(profile *profile) []byte {
	var b bytes.Buffer
	b.WriteString(`{"error": `)
	writeText(&b, p.code)
	b.WriteString(`, "error_descrip": `)
	writeText(&b, p.text)
	if profile.located && p.field != "" {
		b.WriteString(`, "field": `)
		writeText(&b, p.field)
	}
	if profile.located && p.path != "" {
		b.WriteString(`, "path": `)
		writeText(&b, p.path)
	}
	if len(p.mistakes) > 0 {
		b.WriteString(`, "mistakes": `)
		writeJSON(&b, p.mistakes)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// challenge is the value of WWW-Authenticate, see RFC 6750: without a token no reason is given.
func (p *problem) challenge() string {
	if p.code == "invalid_token" {
		return `Bearer realm="lateral", error="invalid_token"`
	}
	return `Bearer realm="lateral"`
}

// writeText writes a JSON string, without the escapes that only HTML needs.
func writeText(b *bytes.Buffer, text string) { writeJSON(b, strings.ToValidUTF8(text, "\ufffd")) }

// writeJSON writes a value of texts, numbers and structures of them, which always encode.
func writeJSON(b *bytes.Buffer, value any) {
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	b.Truncate(b.Len() - 1) // the encoder's line break
}

func same(status int, code, text string) *problem {
	return &problem{code: code, classic: status, typed: status, text: text}
}

func badRequest(text string) *problem {
	return same(fasthttp.StatusBadRequest, "invalid_request_body", text)
}

// badRead is a parameter of a read that cannot be meant.
func badRead(parameter, text string) *problem {
	return &problem{
		code: "not_read_object_in_odoo", classic: fasthttp.StatusConflict, typed: fasthttp.StatusUnprocessableEntity,
		text: parameter + ": " + text, field: parameter,
	}
}

func badID(id string) *problem {
	return same(fasthttp.StatusBadRequest, "invalid_object_id",
		"Invalid object id "+quoted(id)+": it must be a positive integer.")
}

func noToken() *problem {
	return &problem{
		code: "no_access_token", classic: fasthttp.StatusBadRequest, typed: fasthttp.StatusUnauthorized,
		text: "No access token was provided in the request header Access-Token.",
	}
}

func invalidToken(text string) *problem {
	return same(fasthttp.StatusUnauthorized, "invalid_token", text)
}

func noModel(model string) *problem {
	p := same(fasthttp.StatusNotFound, "model_not_found", "There is no model "+quoted(model)+".")
	p.path = shorten(model, 80)
	return p
}

func switchedOff(model string) *problem {
	return same(fasthttp.StatusNotImplemented, "model_not_available", "The model "+quoted(model)+" is not available over REST.")
}

func noRecord() *problem {
	return same(fasthttp.StatusNotFound, "not_found_object_in_odoo", "There is no such record, or it is not visible to this user.")
}

func overloaded(text string) *problem {
	p := same(fasthttp.StatusServiceUnavailable, "overloaded", text)
	p.retryAfter = retryOverload
	return p
}

func tooMany(text string, seconds int) *problem {
	p := same(fasthttp.StatusTooManyRequests, "too_many_requests", text)
	p.retryAfter = seconds
	return p
}

func tooLarge(text string) *problem {
	return same(fasthttp.StatusRequestEntityTooLarge, "request_too_large", text)
}

func timedOut() *problem {
	return same(fasthttp.StatusGatewayTimeout, "timeout", "The request took longer than this server allows.")
}

func outage(code, text string) *problem {
	p := same(fasthttp.StatusServiceUnavailable, code, text)
	p.retryAfter = retryOutage
	return p
}

func internal(cause error) *problem {
	p := same(fasthttp.StatusInternalServerError, "internal_error",
		"The server failed to answer. Its log has the reason under this answer's X-Request-Id.")
	p.cause = cause
	return p
}

// problemOf returns what a client is told of an error; what it must not see stays in cause.
func (x *exchange) problemOf(err error) *problem {
	var known *problem
	if errors.As(err, &known) {
		return known
	}
	var p *problem
	var failed *reader.Error
	var fault *writer.Fault
	var blocked *auth.LoginBlockedError
	switch {
	case errors.Is(err, errRequestTimeout):
		p = timedOut()
	case errors.Is(err, errShuttingDown):
		p = overloaded("The server is shutting down.")
	case errors.As(err, &failed):
		p = readProblem(failed, x.name())
	case errors.Is(err, auth.ErrInvalidToken):
		p = invalidToken("The token is unknown, expired or revoked.")
	case errors.Is(err, auth.ErrUserGone):
		p = invalidToken("The user of this token is not there any more.")
	case errors.Is(err, writer.ErrAccessDenied):
		p = same(fasthttp.StatusUnauthorized, "odoo_user_authentication_failed", "Odoo refused this username and password.")
	case errors.As(err, &fault):
		p = faultProblem(fault)
	case errors.As(err, &blocked):
		p = tooMany("Too many logins with this username or from this address have failed. This one was not tried.", wholeSeconds(blocked.Wait))
	case errors.Is(err, kv.ErrUnavailable):
		p = outage("token_store_unavailable", "The store of tokens cannot be reached at the moment.")
	default:
		p = internal(err)
	}
	p.cause = err
	return p
}

// readProblem maps the reader's kinds of errors.
func readProblem(e *reader.Error, model string) *problem {
	refused := func(typed int) *problem {
		return &problem{
			code: "not_read_object_in_odoo", classic: fasthttp.StatusConflict, typed: typed,
			text: e.Message, field: e.Field, path: e.Path,
		}
	}
	switch e.Kind {
	case reader.ModelNotFound:
		p := same(fasthttp.StatusNotFound, "model_not_found", e.Message)
		p.path = e.Path
		return p
	case reader.NotFound:
		p := noRecord()
		if e.Message != "" {
			p.text = e.Message
		}
		return p
	case reader.Denied:
		return refused(fasthttp.StatusForbidden)
	case reader.Invalid:
		return refused(fasthttp.StatusUnprocessableEntity)
	case reader.NotAvailable:
		return switchedOff(model)
	case reader.NotSingle:
		// The request is well-formed: it is the data that has more than one record there.
		return refused(fasthttp.StatusConflict)
	case reader.InvalidToken:
		return invalidToken("The user of this token is not there any more.")
	case reader.OdooUnavailable:
		return outage("odoo_unavailable", "Odoo cannot be reached at the moment.")
	case reader.DatabaseUnavailable:
		return outage("database_unavailable", "The database cannot be reached at the moment.")
	case reader.Timeout:
		return timedOut()
	case reader.Overloaded:
		return overloaded("The server has more work than it can take.")
	}
	return internal(e)
}

// operation is a kind of write, as presets name it and errors tell of it.
type operation struct {
	name string // in a preset's success codes
	code string
	text string // what did not happen
}

var (
	creating = operation{"create_one", "not_created_object_in_odoo", "The record was not created"}
	updating = operation{"update_one", "not_updated_object_in_odoo", "The record was not updated"}
	deleting = operation{"delete_one", "not_deleted_object_in_odoo", "The record was not deleted"}
	calling  = operation{"call_method", "not_called_method_in_odoo", "The method was not called"}
)

// notDone is the problem of a write that failed: values that cannot be written, Odoo's refusal with
// its own words, or an Odoo that cannot be asked.
func notDone(ctx context.Context, op operation, err error) error {
	p := &problem{code: op.code, classic: fasthttp.StatusConflict, typed: fasthttp.StatusUnprocessableEntity, cause: err}
	var value *writer.ValueError
	var fault *writer.Fault
	switch {
	case errors.As(err, &value):
		p.text, p.field, p.path = op.text+": "+value.Error()+".", value.Field, value.Path
	case errors.As(err, &fault):
		return refused(ctx, p, op, fault)
	default:
		return endedBy(ctx, err)
	}
	return p
}

// refused fills in the problem of a call that failed in Odoo or on the way there.
func refused(ctx context.Context, p *problem, op operation, fault *writer.Fault) error {
	switch fault.Outcome() {
	case writer.Unknown:
		return unknownOutcome(ctx, fault)
	case writer.Done:
		p.code, p.classic, p.typed = "internal_error", fasthttp.StatusInternalServerError, fasthttp.StatusInternalServerError
		p.text = "Odoo has done it and keeps what it did, but its answer cannot be passed on: " + fault.Odoo()
		return p
	}
	p.text = op.text + ". ERROR: " + fault.Odoo()
	switch fault.Kind {
	case writer.Unavailable:
		return because(outage("odoo_unavailable", "Odoo cannot be reached at the moment. Nothing was done."), fault)
	case writer.Timeout, writer.Canceled:
		if fault.SafeToRetry() {
			// All of the time went into waiting for a free connection.
			return because(overloaded("Odoo has more work than it can take. Nothing was done."), fault)
		}
	case writer.AccessDenied:
		return invalidToken("Odoo refuses this user's login.")
	case writer.NoMethod:
		return because(noMethod(fault.Odoo()), fault)
	case writer.Access:
		p.typed = fasthttp.StatusForbidden
	case writer.Missing:
		p.typed = fasthttp.StatusNotFound
	case writer.Conflict:
		p.typed, p.retryAfter = fasthttp.StatusConflict, retryOverload
	case writer.Internal:
		p.typed = fasthttp.StatusInternalServerError
	}
	return p
}

// unknownOutcome is the problem of a call that may or may not have run. It does not invite to repeat
// it.
func unknownOutcome(ctx context.Context, fault *writer.Fault) error {
	const unknown = " It is not known whether Odoo has done what was asked: look before sending it again."
	p := timedOut()
	switch {
	case errors.Is(context.Cause(ctx), errRequestTimeout), fault.Kind == writer.Timeout:
	case context.Cause(ctx) != nil:
		p = overloaded("The server is shutting down.")
	default:
		p = outage("odoo_unavailable", "Odoo has not answered.")
	}
	p.text += unknown
	p.retryAfter = 0
	return because(p, fault)
}

func noMethod(text string) *problem {
	return same(fasthttp.StatusNotImplemented, "method_not_exist_in_odoo", text)
}

// because gives a problem its cause, for the log.
func because(p *problem, cause error) *problem {
	p.cause = cause
	return p
}

// missingReport is the problem of a report that is not named completely.
func missingReport(parameter string) *problem {
	p := same(fasthttp.StatusNotImplemented, "report_method_not_implemented", "get_pdf needs the parameter "+parameter+".")
	p.field = parameter
	return p
}

// badReport is a parameter of a report that cannot be meant.
func badReport(parameter, text string) *problem {
	return &problem{
		code: "not_called_method_in_odoo", classic: fasthttp.StatusConflict, typed: fasthttp.StatusUnprocessableEntity,
		text: "The report was not printed: " + parameter + ": " + text + ".", field: parameter,
	}
}

// notPrinted is the problem of a report that Odoo did not make.
func notPrinted(err error) error {
	var fault *writer.Fault
	if !errors.As(err, &fault) {
		return err
	}
	p := &problem{code: "not_called_method_in_odoo", classic: fasthttp.StatusConflict, typed: fasthttp.StatusUnprocessableEntity, cause: err}
	switch fault.Kind {
	case writer.Unavailable:
		return outage("odoo_unavailable", "Odoo cannot be reached at the moment.")
	case writer.Timeout, writer.Canceled:
		return timedOut()
	case writer.NoSession:
		p.typed = fasthttp.StatusForbidden
		p.text = "The report was not printed: " + fault.Message + "."
		return p
	case writer.Access:
		p.typed = fasthttp.StatusForbidden
	}
	p.text = "The report was not printed. ERROR: " + fault.Odoo()
	return p
}

// faultProblem maps faults of calls that the server makes itself, which are logins.
func faultProblem(f *writer.Fault) *problem {
	switch f.Kind {
	case writer.Unavailable, writer.Timeout, writer.Conflict:
		return outage("odoo_unavailable", "Odoo cannot be reached at the moment.")
	case writer.BadValue:
		// A text that Odoo cannot even be asked about is no login it knows.
		return same(fasthttp.StatusUnauthorized, "odoo_user_authentication_failed", "Odoo refused this username and password.")
	}
	return internal(f)
}

// endedBy returns why a context ended in place of the error that this caused elsewhere.
func endedBy(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return err
	case errors.Is(cause, errRequestTimeout):
		return errRequestTimeout
	}
	return errShuttingDown
}

// quoted puts a client's text into an answer, shortened.
func quoted(text string) string {
	return "'" + shorten(strings.ToValidUTF8(text, "\ufffd"), 80) + "'"
}
