package server

import (
	"context"
	"errors"
	"strings"
	"testing"

	"lateral/reader"
	"lateral/schema"
)

// Ensure a page that fits is answered whole, with its count first.
func TestReadAll(t *testing.T) {
	h := setup(t, nil)
	h.reader.total, h.reader.cursor = 50, "AbC-_"
	tests := []struct {
		path string
		docs []string
		want string
	}{
		{"/api/res.partner", nil, `{"count": 0, "results": []}`},
		{"/api/res.partner", []string{`{"id": 1}`, `{"id": 2}`}, `{"count": 2, "results": [{"id": 1}, {"id": 2}]}`},
		{"/api/res.partner?count=true", nil, `{"count": 0, "results": []}`},
		{"/v2/res.partner", nil, `{"count": 0, "results": []}`},
		{"/v2/res.partner?count=true", []string{`{"id": 1}`}, `{"count": 1, "total": 50, "results": [{"id": 1}]}`},
		{"/v2/res.partner?count=planned", nil, `{"count": 0, "total": 50, "total_is": "planned", "results": []}`},
		{"/api/res.partner?after=", []string{`{"id": 1}`}, `{"count": 1, "next": "AbC-_", "results": [{"id": 1}]}`},
		{"/v2/res.partner?after=x&count=exact", nil, `{"count": 0, "total": 50, "next": "AbC-_", "results": []}`},
		{"/api/res.partner?after=None", nil, `{"count": 0, "results": []}`},
	}
	for _, test := range tests {
		h.reader.docs = test.docs
		got := h.do("GET", test.path, "", "X-Request-Id", "abc-1")
		if got.status != 200 || got.body != test.want {
			t.Errorf("%s: got %d %s, want %s", test.path, got.status, got.body, test.want)
		}
		if got.header.Get("Content-Length") == "" || got.header.Get("X-Read-Path") != "direct" ||
			got.header.Get("X-Request-Id") != "abc-1" || got.header.Get("Content-Type") != contentType {
			t.Errorf("%s: got headers %v", test.path, got.header)
		}
	}
	if closed := h.reader.closed.Load(); closed != int64(len(tests)) {
		t.Errorf("%d of %d answers closed", closed, len(tests))
	}
}

// Ensure each profile asks the reader for its own values.
func TestProfiles(t *testing.T) {
	h := setup(t, nil)
	for base, want := range map[string]reader.Profile{"/api": reader.Classic(), "/v2": reader.Typed()} {
		h.do("GET", base+"/res.partner", "")
		if got := h.reader.query(t).Profile; got != want {
			t.Errorf("%s: got %+v", base, got)
		}
	}
}

// Ensure text beyond ASCII is sent as it is, or escaped where that is wanted.
func TestEscapeUnicode(t *testing.T) {
	doc := `{"name": "é €😀 \\ \u0001"}`
	for escape, want := range map[bool]string{
		false: doc,
		true:  `{"name": "\u00e9 \u20ac\ud83d\ude00 \\ \u0001"}`,
	} {
		h := setup(t, func(_ *Deps, c *Config) { c.EscapeUnicode = escape })
		h.reader.docs = []string{doc}
		if got := h.do("GET", "/api/res.partner/1", ""); got.body != want {
			t.Errorf("got %s, want %s", got.body, want)
		}
		if got := h.do("GET", "/api/res.partner", ""); got.body != `{"count": 1, "results": [`+want+`]}` {
			t.Errorf("got %s", got.body)
		}
	}
}

// Ensure every kind of error of the reader has the contract's code and statuses. The log has the cause
// of failures, and of refusals the code alone, since their texts quote what the client sent.
func TestReadErrors(t *testing.T) {
	cause := errors.New("SELECT secret")
	failed := func(kind reader.Kind) error {
		return &reader.Error{Kind: kind, Field: "x_f", Path: "line.x_f", Message: "what was wrong", Err: cause}
	}
	tests := []struct {
		name           string
		err            error
		classic, typed int
		code           string
		tells          bool
	}{
		{"model", failed(reader.ModelNotFound), 404, 404, "model_not_found", true},
		{"record", failed(reader.NotFound), 404, 404, "not_found_object_in_odoo", true},
		{"denied", failed(reader.Denied), 409, 403, "not_read_object_in_odoo", true},
		{"invalid", failed(reader.Invalid), 409, 422, "not_read_object_in_odoo", true},
		{"several", failed(reader.NotSingle), 409, 409, "not_read_object_in_odoo", true},
		{"user", failed(reader.InvalidToken), 401, 401, "invalid_token", false},
		{"Odoo", failed(reader.OdooUnavailable), 503, 503, "odoo_unavailable", false},
		{"database", failed(reader.DatabaseUnavailable), 503, 503, "database_unavailable", false},
		{"timeout", failed(reader.Timeout), 504, 504, "timeout", false},
		{"overload", failed(reader.Overloaded), 503, 503, "overloaded", false},
		{"internal", failed(reader.Internal), 500, 500, "internal_error", false},
		{"unknown", cause, 500, 500, "internal_error", false},
	}
	h := setup(t, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h.reader.err = test.err
			for base, status := range map[string]int{"/api": test.classic, "/v2": test.typed} {
				before := len(h.logged.String())
				got := h.do("GET", base+"/res.partner", "")
				if got.status != status || got.code() != test.code {
					t.Errorf("%s: got %d %s, want %d", base, got.status, got.body, status)
				}
				logged := h.logged.String()[before:]
				if !strings.Contains(logged, test.code) || strings.Contains(logged, "SELECT secret") != (status >= 500) {
					t.Errorf("%s: logged %s", base, logged)
				}
				if strings.Contains(got.body, "SELECT") {
					t.Errorf("tells the cause: %s", got.body)
				}
				if strings.Contains(got.body, "what was wrong") != test.tells {
					t.Errorf("%s: got %s", base, got.body)
				}
				located := base == "/v2" && test.tells && test.code == "not_read_object_in_odoo"
				if strings.Contains(got.body, `"field": "x_f", "path": "line.x_f"`) != located {
					t.Errorf("%s: got %s", base, got.body)
				}
				if (status == 503) != (got.header.Get("Retry-After") != "") {
					t.Errorf("%s: Retry-After is %q", base, got.header.Get("Retry-After"))
				}
			}
		})
	}
}

// Ensure a record that is not there is a 404, and one whose statement fails after it is none.
func TestReadOneErrors(t *testing.T) {
	h := setup(t, nil)
	got := h.do("GET", "/api/res.partner/3", "")
	if got.status != 404 || got.code() != "not_found_object_in_odoo" || got.header.Get("X-Read-Path") != "" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	h.reader.docs = []string{`{"id": 3}`}
	h.reader.torn = &reader.Error{Kind: reader.NotSingle, Message: "two lines"}
	if got := h.do("GET", "/api/res.partner/3", ""); got.status != 409 || !strings.Contains(got.body, "two lines") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	h.reader.docs = nil
	if got := h.do("GET", "/api/res.partner/3", ""); got.status != 409 {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// Ensure paths and verbs without a route are told so in JSON, and that no reserved word is a model.
func TestRoutes(t *testing.T) {
	tests := []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/", 404, "not_found"},
		{"GET", "/api", 404, "not_found"},
		{"GET", "/api/", 404, "not_found"},
		{"GET", "/api/res.partner/", 404, "not_found"},
		{"GET", "/api/auth", 404, "not_found"},
		{"GET", "/api/auth/other", 404, "not_found"},
		{"POST", "/v2/auth/other", 404, "not_found"},
		{"PUT", "/api/auth/get_tokens/x", 404, "not_found"},
		{"GET", "/other/res.partner", 404, "not_found"},
		{"PATCH", "/api/res.partner", 405, "method_not_allowed"},
		{"HEAD", "/api/res.partner/1", 405, ""},
		{"POST", "/api/res.partner/1", 405, "method_not_allowed"},
		{"GET", "/api/res.partner/1/copy", 405, "method_not_allowed"},
		{"BREW", "/api/res.partner", 405, "method_not_allowed"},
		{"GET", "/api/auth/refresh_token", 405, "method_not_allowed"},
		{"PUT", "/api/auth/get_tokens", 405, "method_not_allowed"},
		{"DELETE", "/api/auth/delete_tokens", 405, "method_not_allowed"},
		{"DELETE", "/api/report/get_pdf", 405, "method_not_allowed"},
		{"POST", "/healthz", 405, "method_not_allowed"},
		{"GET", "/api/report/other", 501, "report_method_not_implemented"},
		{"PUT", "/v2/report/other", 501, "report_method_not_implemented"},
		{"GET", "/api/report", 404, "not_found"},
		{"GET", "/api/report/get_pdf", 501, "report_method_not_implemented"},
	}
	h := setup(t, nil)
	for _, test := range tests {
		got := h.do(test.method, test.path, "")
		if got.status != test.status || test.code != "" && got.code() != test.code {
			t.Errorf("%s %s: got %d %s", test.method, test.path, got.status, got.body)
		}
		if got.header.Get("Content-Type") != contentType || got.header.Get("Access-Control-Allow-Origin") != "null" {
			t.Errorf("%s %s: got headers %v", test.method, test.path, got.header)
		}
		if test.status == 405 && got.header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", test.method, test.path)
		}
	}
	if h.reader.last != nil {
		t.Errorf("the reader was asked: %+v", h.reader.last)
	}
}

// Ensure pages of other origins are let in as configured.
func TestCORS(t *testing.T) {
	for _, value := range []string{"null", "*", ""} {
		h := setup(t, func(_ *Deps, c *Config) { c.CORS = value })
		got := h.anonymous("OPTIONS", "/api/res.partner/1", "", "Origin", "https://a.example", "Access-Control-Request-Method", "PUT")
		open := value == "*"
		if got.status != 204 || got.body != "" || got.header.Get("Access-Control-Allow-Origin") != value {
			t.Errorf("%q: got %d %q %v", value, got.status, got.body, got.header)
		}
		if (got.header.Get("Access-Control-Allow-Methods") != "") != open || (got.header.Get("Access-Control-Allow-Headers") != "") != open {
			t.Errorf("%q: got %v", value, got.header)
		}
		if got := h.anonymous("GET", "/v2/res.partner", ""); got.header.Get("Access-Control-Allow-Origin") != value {
			t.Errorf("%q: an error has %v", value, got.header)
		}
	}
}

// Ensure a preset sets the status of successes, and closes its model where it says so or cannot be
// had, whatever else is wrong with the request.
func TestPresets(t *testing.T) {
	h := setup(t, func(d *Deps, _ *Config) {
		d.Catalogue = nil
		d.Presets = func(_ context.Context, model string) (*schema.Preset, error) {
			if model == "res.company" {
				return nil, &reader.Error{Kind: reader.DatabaseUnavailable, Message: "no catalogue"}
			}
			return &schema.Preset{Model: model, Available: model != "res.users"}, nil
		}
	})
	h.reader.docs = docs(1, 1)
	h.reader.preset = &schema.Preset{Available: true, SuccessCodes: map[string]int{"read_all": 203, "read_one": 201}}
	if got := h.do("GET", "/api/res.partner", ""); got.status != 203 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := h.do("GET", "/api/res.partner/1", ""); got.status != 201 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	h.reader.preset = nil
	h.reader.err = &reader.Error{Kind: reader.NotAvailable}
	for _, path := range []string{"/api/res.users", "/api/res.users/abc", "/v2/res.users/1"} {
		if got := h.do("GET", path, ""); got.status != 501 || got.code() != "model_not_available" {
			t.Errorf("%s: got %d %s", path, got.status, got.body)
		}
	}
	h.reader.err = nil
	if got := h.do("GET", "/api/res.company/abc", ""); got.status != 503 || got.code() != "database_unavailable" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := h.do("GET", "/api/res.country", ""); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
}
