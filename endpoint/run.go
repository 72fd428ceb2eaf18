package endpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.starlark.net/starlark"

	"lateral/reader"
	"lateral/server"
)

// Engine runs scripts.
type Engine struct {
	Odoo   Odoo
	Limits Limits
	// Time is how long one request of a script may take, reads and calls of Odoo included.
	Time time.Duration
	Log  *slog.Logger
}

// errTime tells that a script's time is over.
var errTime = errors.New("the script takes longer than it may (endpoints.time)")

// handle returns what answers requests of a declared endpoint.
func (e *Engine) handle(file string, d declaration) func(context.Context, *server.Request) (*server.Reply, error) {
	return func(ctx context.Context, request *server.Request) (*server.Reply, error) {
		limited, cancel := context.WithTimeoutCause(ctx, e.Time, errTime)
		defer cancel()
		r := &run{ctx: limited, request: request, odoo: e.Odoo}
		reply, err := e.run(r, file, d)
		if err == nil {
			return reply, nil
		}
		return nil, e.explain(ctx, r, err)
	}
}

// run calls a script's function. Errors are *Error.
func (e *Engine) run(r *run, file string, d declaration) (reply *server.Reply, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			e.Log.Error("panic in a script", slog.String("request_id", r.request.ID), slog.String("panic", fmt.Sprint(recovered)))
			reply, err = nil, &Error{File: file, Line: d.line, Text: "the interpreter failed"}
		}
	}()
	thread := newThread(e.Limits)
	thread.Print = func(thread *starlark.Thread, text string) {
		e.Log.Debug("print", slog.String("request_id", r.request.ID), slog.Int("line", lineOf(thread.CallStack(), file)), slog.String("text", text))
	}
	defer context.AfterFunc(r.ctx, func() { thread.Cancel(context.Cause(r.ctx).Error()) })()
	meter := meterOf(thread)
	request, err := newRequest(meter, r.request)
	if err != nil {
		return nil, &Error{File: file, Line: d.line, Text: err.Error()}
	}
	value, err := starlark.Call(thread, d.handler, starlark.Tuple{request, &environment{r}}, nil)
	if err != nil {
		return nil, noteRefusal(r, located(file, err), err)
	}
	reply = &server.Reply{Status: 200}
	if made, ok := value.(*response); ok {
		reply.Status, value = made.status, made.body
	}
	if reply.Body, err = appendJSON(meter, nil, value, 0); err != nil {
		return nil, &Error{File: file, Line: int(d.handler.Position().Line), Text: "what the function returns: " + err.Error()}
	}
	return reply, nil
}

// noteRefusal keeps what a script has refused with: Starlark hands errors on as their cause.
func noteRefusal(r *run, at *Error, err error) error {
	var refusal *server.Refusal
	if errors.As(err, &refusal) {
		r.fault = refusal
	}
	return at
}

// explain returns what the server is to make of a script's end: the refusal of the script, of the
// reader or of Odoo, else that the script is wrong.
func (e *Engine) explain(ctx context.Context, r *run, err error) error {
	var at *Error
	if !errors.As(err, &at) {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err() // the server knows why
	}
	var write *server.WriteError
	if errors.Is(context.Cause(r.ctx), errTime) && !errors.As(r.fault, &write) {
		e.Log.Warn("a script took too long", slog.String("request_id", r.request.ID), slog.String("at", place(at)))
		return &reader.Error{Kind: reader.Timeout, Message: errTime.Error()}
	}
	if r.fault != nil {
		var meant *server.Refusal
		if !errors.As(r.fault, &meant) {
			// Its text quotes data: the log has the place alone.
			e.Log.Info("a script was refused a read or a write", slog.String("request_id", r.request.ID), slog.String("at", place(at)))
		}
		return r.fault
	}
	shown, asked := false, error(nil)
	if e.Odoo.Administrator != nil {
		shown, asked = e.Odoo.Administrator(ctx, r.request.Who)
	}
	if asked != nil {
		shown = false
	}
	return &server.EndpointError{File: at.File, Line: at.Line, Text: at.Text, Shown: shown}
}

func place(e *Error) string { return fmt.Sprintf("%s:%d", e.File, e.Line) }

// refuseBuiltin is refuse(status, error, text), which ends the script with an error for the client.
func refuseBuiltin(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	refusal := &server.Refusal{}
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "status", &refusal.Status, "error", &refusal.Code, "text", &refusal.Text); err != nil {
		return nil, err
	}
	if refusal.Status < 400 || refusal.Status > 499 || refusal.Code == "" || refusal.Text == "" {
		return nil, errors.New("refuse wants a status from 400 to 499, an error code and a text")
	}
	return nil, refusal
}
