package server

import (
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// BenchmarkReadOne measures what the server itself costs a point read.
func BenchmarkReadOne(b *testing.B) {
	r := &fakeReader{docs: []string{`{"id": 1, "name": "` + strings.Repeat("x", 1500) + `"}`}}
	s, err := New(Deps{
		Reader: r, Odoo: &fakeOdoo{}, Tokens: &fakeTokens{}, Users: fakeUsers{},
		Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
	}, DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var ctx fasthttp.RequestCtx
	for b.Loop() {
		ctx.Request.Reset()
		ctx.Response.Reset()
		ctx.ResetUserValues()
		ctx.Request.Header.SetMethod("GET")
		ctx.Request.Header.Set("Access-Token", token)
		ctx.Request.SetRequestURI("/api/res.partner/1")
		s.Handler()(&ctx)
		if ctx.Response.StatusCode() != 200 {
			b.Fatalf("got %d", ctx.Response.StatusCode())
		}
	}
}
