package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"lateral/reader"
	"lateral/schema"
	"lateral/writer"
)

// testEndpoints answer what they are asked for.
func testEndpoints(t *testing.T) *Endpoints {
	t.Helper()
	echo := func(_ context.Context, r *Request) (*Reply, error) {
		return &Reply{Body: fmt.Appendf(nil, `{"who": %d, "verb": "%s", "year": "%s", "n": "%v"}`, r.Who.UID, r.Verb, r.Segments["year"], r.Params["n"])}, nil
	}
	fails := func(err error) func(context.Context, *Request) (*Reply, error) {
		return func(context.Context, *Request) (*Reply, error) { return nil, err }
	}
	table, err := NewEndpoints(
		Endpoint{Path: "/totals/{year}", Verbs: []string{"GET", "POST"}, Handle: echo},
		Endpoint{Path: "/totals/all", Verbs: []string{"GET"}, Handle: func(context.Context, *Request) (*Reply, error) { return nil, nil }},
		Endpoint{Path: "/read", Verbs: []string{"GET"}, Handle: func(ctx context.Context, r *Request) (*Reply, error) {
			rows, err := r.Read(ctx, reader.Query{Model: "res.partner", Profile: r.Profile})
			if err != nil {
				return nil, err
			}
			return &Reply{Status: 203, Body: []byte("1")}, rows.Close()
		}},
		Endpoint{Path: "/fail/refusal", Verbs: []string{"GET"}, Handle: fails(&Refusal{Status: 418, Code: "teapot", Text: "Short and stout."})},
		Endpoint{Path: "/fail/status", Verbs: []string{"GET"}, Handle: fails(&Refusal{Status: 200, Code: "fine", Text: "No."})},
		Endpoint{Path: "/fail/hidden", Verbs: []string{"GET"}, Handle: fails(&EndpointError{File: "a.star", Line: 3, Text: "secret"})},
		Endpoint{Path: "/fail/shown", Verbs: []string{"GET"}, Handle: fails(&EndpointError{File: "a.star", Line: 3, Text: "secret", Shown: true})},
		Endpoint{Path: "/fail/write", Verbs: []string{"PUT"}, Handle: fails(&WriteError{Operation: "update_one", Err: &writer.Fault{Kind: writer.Access, Message: "no"}})},
		Endpoint{Path: "/fail/value", Verbs: []string{"GET"}, Handle: fails(&writer.ValueError{Field: "f", Path: "f", Msg: "wrong"})},
		Endpoint{Path: "/fail/other", Verbs: []string{"GET"}, Handle: fails(errors.New("internal secret"))},
		Endpoint{Path: "/fail/panic", Verbs: []string{"GET"}, Handle: func(context.Context, *Request) (*Reply, error) { panic("secret") }},
	)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Ensure endpoints are found by their paths, answer within the contract, and hide what went wrong.
func TestEndpoints(t *testing.T) {
	table := testEndpoints(t)
	h := setup(t, func(d *Deps, _ *Config) { d.Endpoints = func() *Endpoints { return table } })
	for _, test := range []struct {
		method, path, body string
		token              bool
		status             int
		want               string
	}{
		{"GET", "/api/totals/2024?n=[1]", "", true, 200, `{"who": 2, "verb": "GET", "year": "2024", "n": "[1]"}`},
		{"POST", "/v2/totals/a%20b", `{"n": 5}`, true, 200, `{"who": 2, "verb": "POST", "year": "a b", "n": "5"}`},
		{"GET", "/api/totals/all", "", true, 200, `null`},
		{"GET", "/api/read", "", true, 203, `1`},
		{"GET", "/api/totals/2024", "", false, 400, `no_access_token`},
		{"GET", "/v2/totals/2024", "", false, 401, `no_access_token`},
		{"PUT", "/api/totals/2024", "", true, 405, `method_not_allowed`},
		{"HEAD", "/api/totals/2024", "", true, 405, ``},
		{"GET", "/api/totals/%ff", "", true, 400, `invalid_request_body`},
		{"POST", "/api/totals/1", `{"n":`, true, 400, `invalid_request_body`},
		{"POST", "/api/totals/1", `[1]`, true, 400, `invalid_request_body`},
		{"GET", "/api/totals/1/2/3/4/5", "", true, 404, `not_found`},
		{"GET", "/api/fail/refusal", "", true, 418, `{"error": "teapot", "error_descrip": "Short and stout."}`},
		{"GET", "/api/fail/status", "", true, 500, `internal_error`},
		{"GET", "/api/fail/hidden", "", true, 500, `endpoint_failed`},
		{"GET", "/api/fail/shown", "", true, 500, `a.star:3: secret`},
		{"PUT", "/api/fail/write", "", true, 409, `not_updated_object_in_odoo`},
		{"PUT", "/v2/fail/write", "", true, 403, `not_updated_object_in_odoo`},
		{"GET", "/v2/fail/value", "", true, 422, `not_called_method_in_odoo`},
		{"GET", "/api/fail/other", "", true, 500, `internal_error`},
		{"GET", "/api/fail/panic", "", true, 500, `internal_error`},
	} {
		send := h.anonymous
		if test.token {
			send = h.do
		}
		got := send(test.method, test.path, test.body)
		if got.status != test.status || !strings.Contains(got.body, test.want) {
			t.Errorf("%s %s: %d %s, want %d %s", test.method, test.path, got.status, got.body, test.status, test.want)
		}
		if strings.Contains(got.body, "secret") && test.path != "/api/fail/shown" {
			t.Errorf("%s %s tells too much: %s", test.method, test.path, got.body)
		}
	}
}

// Ensure endpoints that cannot be told apart, or hide what the server has, are refused.
func TestNewEndpointsRefuses(t *testing.T) {
	none := func(context.Context, *Request) (*Reply, error) { return nil, nil }
	for _, list := range [][]Endpoint{
		{{Path: "/auth/x", Verbs: []string{"GET"}, Handle: none}},
		{{Path: "/a", Verbs: []string{"OPTIONS"}, Handle: none}},
		{{Path: "/a", Handle: none}},
		{{Path: "/a/{x}", Verbs: []string{"GET"}, Handle: none}, {Path: "/a/{y}", Verbs: []string{"GET", "PUT"}, Handle: none}},
	} {
		if _, err := NewEndpoints(list...); err == nil {
			t.Errorf("%v was taken", list)
		}
	}
}

// Ensure an alias is its model by its own preset, on every route of a model, and nothing else.
func TestAlias(t *testing.T) {
	h := setup(t, func(d *Deps, _ *Config) {
		d.Aliases = func(context.Context) (map[string]string, error) {
			return map[string]string{"v1/people": "res.partner"}, nil
		}
		d.Presets = func(_ context.Context, name string) (*schema.Preset, error) {
			if name != "v1/people" {
				return nil, nil
			}
			return &schema.Preset{Model: "res.partner", Alias: name, Available: true, SuccessCodes: map[string]int{"update_one": 202}}, nil
		}
	})
	h.reader.docs, h.odoo.result = []string{`{"id": 7}`}, []byte("1")
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/api/v1/people", 200},
		{"GET", "/v2/v1/people/7", 200},
		{"PUT", "/api/v1/people/7?name=x", 202},
		{"PUT", "/api/res.partner/7?name=x", 200},
		{"DELETE", "/api/v1/people/7", 200},
		{"PATCH", "/api/v1/people/7", 405},
		{"PUT", "/api/v1/people/7/frob", 200},
		{"GET", "/api/v1/people/x", 400},
		{"GET", "/api/v1/people/7/8/9/10", 404},
	} {
		got := h.do(test.method, test.path, "")
		if got.status != test.status {
			t.Errorf("%s %s: %d %s", test.method, test.path, got.status, got.body)
		}
		if test.status == 200 && test.method == "GET" {
			if q := h.reader.query(t); q.Model != "res.partner" || q.Alias != "v1/people" {
				t.Errorf("%s: %s as %s", test.path, q.Model, q.Alias)
			}
		}
	}
	h = setup(t, func(d *Deps, _ *Config) {
		d.Aliases = func(context.Context) (map[string]string, error) {
			return nil, &reader.Error{Kind: reader.DatabaseUnavailable}
		}
	})
	if got := h.do("GET", "/api/v1/people", ""); got.status != 503 {
		t.Errorf("aliases that cannot be told: %d %s", got.status, got.body)
	}
}
