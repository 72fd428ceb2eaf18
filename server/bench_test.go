package server

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"lateral/schema"
	"lateral/writer"
)

// BenchmarkReadOne measures what the server itself costs a point read.
func BenchmarkReadOne(b *testing.B) {
	r := &fakeReader{docs: []string{`{"id": 1, "name": "` + strings.Repeat("x", 1500) + `"}`}}
	odoo := &fakeOdoo{}
	s, err := New(Deps{
		Reader: r, Odoo: odoo, Tokens: &fakeTokens{}, Users: fakeUsers{}, Caller: odoo, Methods: writer.NewMethods(odoo, time.Now),
		Reports: &fakeReports{}, Catalogue: partnerCatalogue,
		Catalogues: func(context.Context) (*schema.Catalogue, error) { return partnerCatalogue(), nil },
		Log:        slog.New(slog.NewJSONHandler(io.Discard, nil)),
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
