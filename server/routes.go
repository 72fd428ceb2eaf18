package server

import (
	"strings"

	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"

	"lateral/schema"
)

// routes builds the table of routes, the same for every profile.
func (s *Server) routes() fasthttp.RequestHandler {
	r := router.New()
	// Redirects answer with HTML and lose bodies; a wrong path is an error.
	r.RedirectTrailingSlash = false
	r.RedirectFixedPath = false
	r.HandleOPTIONS = false
	r.MethodNotAllowed = func(ctx *fasthttp.RequestCtx) { exchangeOf(ctx).noVerb() }
	r.NotFound = func(ctx *fasthttp.RequestCtx) { exchangeOf(ctx).noRoute() }
	for _, p := range []*profile{&classic, &typed} {
		s.profileRoutes(r, p)
	}
	s.studioRoutes(r)
	if s.deps.Describer != nil {
		s.docsRoutes(r)
	}
	for method, register := range map[string]func(string, fasthttp.RequestHandler){"GET": r.GET, "HEAD": r.HEAD} {
		register("/healthz", s.plain("/healthz", method, s.healthz))
		register("/readyz", s.plain("/readyz", method, s.readyz))
	}
	r.GET("/metrics", s.plain("/metrics", "GET", s.metrics))
	return s.custom(r.Handler)
}

func (s *Server) profileRoutes(r *router.Router, p *profile) {
	handle := func(method, path string, work func(*exchange)) {
		r.Handle(method, p.base+path, s.working(p, path, work))
	}
	r.OPTIONS(p.base+"/{path:*}", s.plain(p.base+"/*", "OPTIONS", s.preflight))

	handle("GET", "/auth/get_tokens", s.getTokens)
	handle("POST", "/auth/get_tokens", s.getTokens)
	handle("POST", "/auth/refresh_token", s.refreshToken)
	handle("POST", "/auth/delete_tokens", s.deleteTokens)

	if s.deps.Describer != nil {
		handle("GET", "/openapi.json", s.openAPI)
	}
	for _, method := range []string{"GET", "PUT"} {
		handle(method, "/report/get_pdf", s.getPDF)
		handle(method, "/report/{other}", s.noReport)
	}

	handle("GET", "/{model}", s.onModel(s.readAll))
	handle("POST", "/{model}", s.onModel(s.idempotent(s.create)))
	handle("GET", "/{model}/{id}", s.onModel(s.readOne))
	handle("PUT", "/{model}/{id}", s.onModel(s.idempotent(s.update)))
	handle("DELETE", "/{model}/{id}", s.onModel(s.idempotent(s.remove)))
	handle("PUT", "/{model}/{id}/{method}", s.onModel(s.idempotent(s.call)))
	for _, method := range []string{"GET", "HEAD"} {
		handle(method, "/{model}/{id}/{field}/content", s.onModel(s.content))
	}
}

// plain frames a handler that always runs, however busy the server is.
func (s *Server) plain(route, method string, handler func(*exchange)) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		x := exchangeOf(ctx)
		x.route, x.method = route, method
		handler(x)
	}
}

// working frames a handler that does work, of which there may only be so much at once.
func (s *Server) working(p *profile, path string, handler func(*exchange)) fasthttp.RequestHandler {
	route := p.base + path
	return func(ctx *fasthttp.RequestCtx) {
		x := exchangeOf(ctx)
		x.profile, x.route = p, route
		if err := x.admit(); err != nil {
			x.fail(err)
			return
		}
		handler(x)
	}
}

// onModel keeps names that are no models from being taken for one: the router knows
// /auth/get_tokens by the verbs it has, and would read the others' as a record of a model "auth".
func (s *Server) onModel(handler func(*exchange)) func(*exchange) {
	return func(x *exchange) {
		model, _ := x.ctx.UserValue("model").(string)
		if !schema.Reserved(model) {
			handler(x)
			return
		}
		x.route = x.profile.base + "/" + model + "/*"
		x.noVerb()
	}
}

// verbs are those of the paths below reserved words.
var verbs = map[string]string{
	"auth/get_tokens": "GET, POST, OPTIONS", "auth/refresh_token": "POST, OPTIONS", "auth/delete_tokens": "POST, OPTIONS",
	"report/get_pdf": "GET, PUT, OPTIONS", "openapi.json": "GET, OPTIONS",
}

// noVerb answers a verb that its path has not. Below a reserved word, the router's idea of what a
// path has is that of a model, so that it is corrected here.
func (x *exchange) noVerb() {
	p := profileOf(x.ctx.Path())
	rest := strings.TrimPrefix(strings.TrimPrefix(string(x.ctx.Path()), p.base), "/")
	if first, _, _ := strings.Cut(rest, "/"); schema.Reserved(first) {
		allow, known := verbs[rest]
		if !known {
			x.ctx.Response.Header.Del("Allow")
			x.noRoute()
			return
		}
		x.ctx.Response.Header.Set("Allow", allow)
	}
	x.wrongMethod()
}

func (x *exchange) wrongMethod() {
	x.profile = profileOf(x.ctx.Path())
	x.fail(same(fasthttp.StatusMethodNotAllowed, "method_not_allowed",
		"The verb "+quoted(string(x.ctx.Method()))+" is not allowed here."))
}

func (x *exchange) noRoute() {
	x.profile = profileOf(x.ctx.Path())
	x.fail(same(fasthttp.StatusNotFound, "not_found", "There is nothing at this path."))
}

// profileOf tells how to speak to a client whose request has no route.
func profileOf(path []byte) *profile {
	for _, p := range []*profile{&typed, &studio} {
		if base := p.base + "/"; len(path) >= len(base) && string(path[:len(base)]) == base {
			return p
		}
	}
	return &classic
}
