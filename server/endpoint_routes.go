package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"lateral/schema"
	"lateral/writer"
)

// closeTimeout bounds how long the end of a snapshot may take.
const closeTimeout = 5 * time.Second

// custom answers what endpoints and aliases have, which are looked up as they are at this moment,
// and leaves the rest to the fixed routes.
func (s *Server) custom(fixed fasthttp.RequestHandler) fasthttp.RequestHandler {
	if s.deps.Endpoints == nil && s.deps.Aliases == nil {
		return fixed
	}
	return func(ctx *fasthttp.RequestCtx) {
		p, segments := customPath(ctx)
		if p == nil {
			fixed(ctx)
			return
		}
		if s.deps.Endpoints != nil {
			verb := string(ctx.Method())
			found, named, verbs := s.deps.Endpoints().find(verb, segments)
			switch {
			case found != nil:
				s.endpoint(p, found, named)(ctx)
				return
			case len(verbs) > 0:
				ctx.Response.Header.Set("Allow", strings.Join(append(verbs, "OPTIONS"), ", "))
				exchangeOf(ctx).wrongMethod()
				return
			}
		}
		if s.deps.Aliases != nil && !s.enterAlias(ctx, p, segments) {
			return
		}
		fixed(ctx)
	}
}

// customPath returns the profile and the segments of a path that may be an endpoint's or an alias's.
func customPath(ctx *fasthttp.RequestCtx) (*profile, []string) {
	path := string(ctx.Request.URI().PathOriginal())
	for _, p := range []*profile{&classic, &typed} {
		if rest, ok := strings.CutPrefix(path, p.base+"/"); ok && !ctx.IsOptions() {
			return p, strings.Split(rest, "/")
		}
	}
	return nil, nil
}

// endpoint frames an endpoint as a route.
func (s *Server) endpoint(p *profile, e *Endpoint, named map[string]string) fasthttp.RequestHandler {
	work := func(x *exchange) {
		if err := s.runEndpoint(x, e, named); err != nil {
			x.fail(err)
		}
	}
	return s.working(p, e.Path, func(x *exchange) {
		if x.method == fasthttp.MethodGet {
			work(x)
			return
		}
		s.idempotent(work)(x)
	})
}

func (s *Server) runEndpoint(x *exchange, e *Endpoint, named map[string]string) (err error) {
	who, err := x.authenticate()
	if err != nil {
		return err
	}
	segments := make(map[string]string, len(named))
	for name, segment := range named {
		if segments[name], err = unescape(segment, false); err != nil {
			return badRequest("Path, " + name + ": " + err.Error() + ".")
		}
	}
	p, err := readParams(x.ctx)
	if err != nil {
		return err
	}
	values := make(map[string]any, len(p))
	for name, found := range p {
		values[name] = found.value
		if found.isText {
			values[name] = schema.ParseParam(found.text)
		}
	}
	work := x.work()
	defer work.cancel()
	r := &Request{
		Verb: x.method, Segments: segments, Params: values, Who: who, Profile: x.profile.values, ID: x.id,
		Header:   func(name string) string { return string(x.ctx.Request.Header.Peek(name)) },
		snapshot: s.deps.Reader.Snapshot(who),
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if err := r.snapshot.Close(ending); err != nil {
			s.log.Warn("a snapshot did not end well", slog.String("request_id", x.id), slog.String("cause", err.Error()))
		}
	}()
	reply, err := e.Handle(work.ctx, r)
	if err != nil {
		return endpointProblem(work.ctx, err)
	}
	if r.path != "" {
		x.readPath = r.path
		x.ctx.Response.Header.Set("X-Read-Path", r.path)
	}
	if reply == nil {
		reply = &Reply{Body: []byte("null")}
	}
	if reply.Status == 0 {
		reply.Status = fasthttp.StatusOK
	}
	x.send(reply.Status, reply.Body)
	return nil
}

// endpointProblem returns what the error of an endpoint is to the client.
func endpointProblem(ctx context.Context, err error) error {
	var refusal *Refusal
	var failed *EndpointError
	var write *WriteError
	var fault *writer.Fault
	var value *writer.ValueError
	switch {
	case errors.As(err, &refusal):
		status := refusal.Status
		if status < 400 || status > 499 {
			return internal(err)
		}
		return same(status, refusal.Code, refusal.Text)
	case errors.As(err, &failed):
		p := same(fasthttp.StatusInternalServerError, "endpoint_failed",
			"The endpoint failed. The server's log has the reason under this answer's X-Request-Id.")
		if failed.Shown {
			p.text = "The endpoint failed: " + failed.Error()
			p.mistakes = []Mistake{{Line: failed.Line, Key: failed.File, Text: failed.Text}}
		}
		return because(p, failed)
	case errors.As(err, &write):
		for _, op := range []operation{creating, updating, deleting, calling} {
			if op.name == write.Operation {
				return notDone(ctx, op, write.Err)
			}
		}
		return notDone(ctx, calling, write.Err)
	case errors.As(err, &fault), errors.As(err, &value):
		return notDone(ctx, calling, err)
	}
	return endedBy(ctx, err)
}
