package server

import "github.com/valyala/fasthttp"

// allowOrigin lets pages of other origins read the answer. The value "null", the seed product's
// default, is sent too, but opens nothing to a page that has an origin.
func (s *Server) allowOrigin(header *fasthttp.ResponseHeader) {
	if s.config.CORS == "" {
		return
	}
	header.Set("Access-Control-Allow-Origin", s.config.CORS)
	if s.config.CORS != "null" {
		header.Set("Access-Control-Expose-Headers", "X-Read-Path, X-Request-Id, Retry-After, Idempotency-Replayed, X-Total-Count, X-Total-Is, ETag")
	}
}

// preflight answers OPTIONS without a token, as browsers send it.
func (s *Server) preflight(x *exchange) {
	header := &x.ctx.Response.Header
	if s.config.CORS != "" && s.config.CORS != "null" {
		header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS")
		header.Set("Access-Control-Allow-Headers", "Access-Token, Authorization, Content-Type, Idempotency-Key, X-Request-Id")
		header.Set("Access-Control-Max-Age", "600")
	}
	x.ctx.Response.SetStatusCode(fasthttp.StatusNoContent)
}
