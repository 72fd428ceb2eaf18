package server

import (
	_ "embed"
	"html/template"

	"github.com/fasthttp/router"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

// docsLogin is the login form of the page, and the script that loads the document with the token.
//
//go:embed docs_login.html
var docsLogin string

// docsPath is where the page lies.
const docsPath = "/docs"

// docsRoutes serves Swagger UI from the binary. The page itself says nothing of the models: what it
// shows it gets with the token of the user who logs in there.
func (s *Server) docsRoutes(r *router.Router) {
	page := v5emb.NewWithConfig(swgui.Config{
		PrependHTML: template.HTML(docsLogin), // a constant
		SettingsUI: map[string]string{
			"url":                "''",
			"requestInterceptor": "function (request) { return lateralDocs.intercept(request); }",
			"docExpansion":       "'none'",
			"filter":             "true",
		},
	})("lateral", "/api/openapi.json", docsPath)
	handler := fasthttpadaptor.NewFastHTTPHandler(page)
	serve := s.plain(docsPath, "GET", func(x *exchange) {
		header := &x.ctx.Response.Header
		header.Set("Content-Security-Policy", "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'")
		header.Set("Referrer-Policy", "no-referrer")
		header.Del("Content-Type") // the file's own
		handler(x.ctx)
	})
	r.GET(docsPath, serve)
	r.GET(docsPath+"/{file:*}", serve)
}
