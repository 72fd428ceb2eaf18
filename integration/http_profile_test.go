package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lateral/reader/verify"
	"lateral/schema"
)

// profiles checks what the two profiles answer besides values.
func (h httpReads) profiles() {
	for _, base := range []string{"/api", "/v2"} {
		got := h.v.send("GET", base+"/res.partner?limit=2&count=true&order=id", h.token, "")
		var page struct {
			Count   int
			Total   *int64
			Results []map[string]any
		}
		if err := json.Unmarshal(got.body, &page); err != nil || got.status != 200 || page.Count != 2 || len(page.Results) != 2 {
			h.t.Errorf("%s: %d %.300s, %v", base, got.status, got.body, err)
			continue
		}
		total := h.s.call(h.t, h.admin, "res.partner", "search_count", []any{[]any{}}, nil)
		switch {
		case base == "/api" && page.Total != nil:
			h.t.Errorf("classic has a total: %s", got.body)
		case base == "/v2" && (page.Total == nil || *page.Total != total):
			h.t.Errorf("typed has the total %v, Odoo %v", page.Total, total)
		}
	}
	filtered := h.v.send("GET", "/v2/res.partner?limit=1&offset=1&count=planned&filters="+url.QueryEscape("[('is_company','=',True)]"), h.token, "")
	companies := h.s.call(h.t, h.admin, "res.partner", "search_count", []any{[]any{[]any{"is_company", "=", true}}}, nil)
	if !strings.Contains(string(filtered.body), fmt.Sprintf(`"total": %d`, companies)) {
		h.t.Errorf("a filtered page: %s, Odoo has %d", filtered.body, companies)
	}
	planned := h.v.send("GET", "/v2/res.country?limit=1&count=planned", h.token, "")
	var estimate struct {
		Total   int64
		TotalIs string `json:"total_is"`
	}
	countries := h.s.call(h.t, h.admin, "res.country", "search_count", []any{[]any{}}, nil).(int64)
	if err := json.Unmarshal(planned.body, &estimate); err != nil || estimate.TotalIs != "planned" || estimate.Total < countries/2 || estimate.Total > 2*countries {
		h.t.Errorf("a planned total: %s, Odoo has %d", planned.body, countries)
	}
	none := h.v.send("GET", "/v2/res.partner?filters="+url.QueryEscape("[('id','=',0)]"), h.token, "")
	if text := strings.ReplaceAll(string(none.body), " ", ""); text != `{"count":0,"results":[]}` {
		h.t.Errorf("an empty page: %s", none.body)
	}
	for base, status := range map[string]int{"/api": 400, "/v2": 401} {
		got := h.v.send("GET", base+"/res.partner", "", "")
		if got.status != status || got.code() != "no_access_token" || (got.header.Get("WWW-Authenticate") != "") != (status == 401) {
			h.t.Errorf("%s without a token: %d %s %v", base, got.status, got.body, got.header)
		}
	}
}

// typedValues compares plain fields of the typed profile with what read answers.
func (h httpReads) typedValues() {
	fields := map[string][]verify.Want{
		"sale.order":       h.plain("sale.order", "name", "state", "date_order", "require_signature", "client_order_ref", "partner_id", "user_id", "order_line", "tag_ids", "amount_total", "fiscal_position_id"),
		"res.partner":      h.plain("res.partner", "name", "active", "is_company", "child_ids", "category_id", "country_id", "city", "color", "comment", "image_128"),
		"product.template": h.plain("product.template", "sale_ok", "list_price", "description", "taxes_id", "company_id", "active"),
	}
	for model, wants := range fields {
		var names []any
		for _, w := range wants {
			names = append(names, w.Name)
		}
		got := h.v.send("GET", "/v2/"+model+"?limit=20&order=id&exclude_fields=*&include_fields="+url.QueryEscape(verify.Python(names)), h.token, "")
		var page struct{ Results []json.RawMessage }
		if err := json.Unmarshal(got.body, &page); err != nil || got.status != 200 {
			h.t.Errorf("%s: %d %.300s, %v", model, got.status, got.body, err)
			continue
		}
		judge := h.judge(verify.Request{User: "admin"})
		ids, err := judge.search(h.t.Context(), model, nil, "id", 0, 20)
		if err != nil {
			h.t.Fatal(err)
		}
		rows := h.s.call(h.t, h.admin, model, "read", []any{ids}, map[string]any{"fields": names, "load": "", "context": judge.context}).([]any)
		if len(rows) != len(page.Results) || len(rows) == 0 {
			h.t.Errorf("%s: %d records, Odoo has %d", model, len(page.Results), len(rows))
			continue
		}
		for i, document := range page.Results {
			record, err := verify.Decode(document)
			if err != nil {
				h.t.Fatal(err)
			}
			expected := verify.Object{}
			for _, w := range wants {
				value, err := typedValue(h.s.catalogue(h.t).Model(model).Field(w.Name), rows[i].(map[string]any)[w.Name])
				if err != nil {
					h.t.Fatal(err)
				}
				expected = append(expected, verify.Member{Key: w.Name, Value: value})
			}
			if d := verify.Difference(fmt.Sprintf("%s[%d]", model, i), record, expected); d != "" {
				h.t.Error(d)
			}
		}
	}
}

// typedValue encodes a value of Odoo's as section 8 of the contract has it.
func typedValue(f *schema.Field, v any) (any, error) {
	switch {
	case f.Type == schema.Boolean:
		return v == true, nil
	case f.Type.X2many():
		return encodeIDs(v)
	}
	return encodePlain(f, true, v)
}

// verbs checks what is said to unknown paths and verbs, to preflights, and on every answer.
func (h httpReads) verbs() {
	for _, c := range []struct {
		verb, path string
		status     int
		code       string
		allow      string
	}{
		{"GET", "/", 404, "not_found", ""},
		{"GET", "/api", 404, "not_found", ""},
		{"GET", "/api/res.partner/", 404, "not_found", ""},
		{"GET", "/v3/res.partner", 404, "not_found", ""},
		{"GET", "/v2/a/b/c/d", 404, "not_found", ""},
		{"PATCH", "/api/res.partner/1", 405, "method_not_allowed", "PUT"},
		{"TRACE", "/api/res.partner", 405, "method_not_allowed", "GET"},
		{"POST", "/v2/res.partner/1", 405, "method_not_allowed", "GET"},
		{"GET", "/api/res.partner/1/copy", 405, "method_not_allowed", "PUT"},
		{"GET", "/api/auth/refresh_token", 405, "method_not_allowed", "POST"},
		{"PUT", "/api/auth/get_tokens", 405, "method_not_allowed", "GET, POST"},
		{"POST", "/metrics", 405, "method_not_allowed", "GET"},
	} {
		got := h.v.send(c.verb, c.path, h.token, "")
		if got.status != c.status || got.code() != c.code || !strings.Contains(got.header.Get("Allow"), c.allow) {
			h.t.Errorf("%s %s: %d %s, Allow %q", c.verb, c.path, got.status, got.body, got.header.Get("Allow"))
		}
	}
	if head := h.v.send("HEAD", "/healthz", "", ""); head.status != 200 || len(head.body) != 0 {
		h.t.Errorf("HEAD /healthz: %d %s", head.status, head.body)
	}
	preflight := h.v.send("OPTIONS", "/api/res.partner/1", "", "")
	if preflight.status != 204 || preflight.header.Get("Access-Control-Allow-Origin") != "null" || preflight.header.Get("Access-Control-Allow-Methods") != "" {
		h.t.Errorf("preflight: %d %v", preflight.status, preflight.header)
	}
	mine := h.v.send("GET", "/api/res.partner?limit=1", h.token, "", "X-Request-Id", "my-id.7:3")
	if mine.header.Get("X-Request-Id") != "my-id.7:3" || mine.header.Get("Access-Control-Allow-Origin") != "null" ||
		mine.header.Get("Content-Type") != "application/json; charset=utf-8" || mine.header.Get("X-Content-Type-Options") != "nosniff" {
		h.t.Errorf("headers: %v", mine.header)
	}
	for _, bad := range []string{"", strings.Repeat("x", 200), "a b", "<script>"} {
		got := h.v.send("GET", "/api/no.such", h.token, "", "X-Request-Id", bad).header.Get("X-Request-Id")
		if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(got) {
			h.t.Errorf("the request id %q became %q", bad, got)
		}
	}
	for _, name := range []string{"access-token", "ACCESS_TOKEN", "access_token"} {
		request, err := http.NewRequest("GET", h.v.url+"/api/res.partner?limit=1", http.NoBody)
		if err != nil {
			h.t.Fatal(err)
		}
		request.Header[name] = []string{h.token}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			h.t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 200 {
			h.t.Errorf("the token in %s: %s", name, response.Status)
		}
	}
	if bearer := h.v.send("GET", "/api/res.partner?limit=1", "", "", "Authorization", "bearer "+h.token); bearer.status != 200 {
		h.t.Errorf("the token as a bearer: %d %s", bearer.status, bearer.body)
	}
}

// Ensure that the same settings work from a file, the environment and flags, and do what they say.
func TestHTTPSettings(t *testing.T) {
	s := shared(t, versions()[0])
	file := filepath.Join(t.TempDir(), "lateral.yaml")
	text := "cors_parameter_value_in_all_routes: https://shop.example\nlimits: {page: 7, body: 5000}\naccess_token_expires_in: 11\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	presets := map[string]string{"res.country.schema": "{'read_all': ('id', 'name'), 'success_codes': {'read_all': 203}}"}
	v := s.serve(t, presets, "--config="+file, "LATERAL_LIMITS_PAGE=5", "LATERAL_U_ESCAPE_CHARACTERS_FOR_UNICODE_IN_RESPONSES=true",
		"LATERAL_REFRESH_TOKEN_EXPIRES_IN=99", "--refresh-token-expires-in=22")
	user := s.User("admin")
	login := v.send("POST", "/api/auth/get_tokens", "", fmt.Sprintf(`{"username": %q, "password": %q}`, user.Login, user.Password))
	if !strings.Contains(string(login.body), `"expires_in": 11,`) || !strings.Contains(string(login.body), `"refresh_expires_in": 22}`) {
		t.Errorf("lifetimes: %s", login.body)
	}
	token := v.admin(t, s)
	origin := "https://shop.example"
	preflight := v.send("OPTIONS", "/v2/res.partner", "", "", "Origin", origin, "Access-Control-Request-Method", "PUT")
	allowed := preflight.header.Get("Access-Control-Allow-Headers")
	if preflight.status != 204 || preflight.header.Get("Access-Control-Allow-Origin") != origin ||
		!strings.Contains(preflight.header.Get("Access-Control-Allow-Methods"), "PUT") || !strings.Contains(allowed, "Access-Token") {
		t.Errorf("preflight: %d %v", preflight.status, preflight.header)
	}
	for _, path := range []string{"/api/res.partner?limit=5", "/api/no.such", "/nowhere"} {
		if got := v.send("GET", path, token, ""); got.header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("%s: %v", path, got.header)
		}
	}
	if got := v.send("GET", "/api/res.partner?limit=6", token, ""); got.status != 409 || !strings.Contains(got.description(), "5") {
		t.Errorf("a page beyond the limit: %d %s", got.status, got.body)
	}
	if got := v.send("GET", "/api/res.partner", token, strings.Repeat(" ", 6000)); got.status != 413 || got.code() != "request_too_large" {
		t.Errorf("a body beyond the limit: %d %s", got.status, got.body)
	}
	escaped := v.send("GET", "/api/res.country?limit=5&filters="+url.QueryEscape("[('code','=','CI')]"), token, "")
	if escaped.status != 203 || !strings.Contains(string(escaped.body), `C\u00f4te d`) {
		t.Errorf("an escaped page of status 203: %d %s", escaped.status, escaped.body)
	}
}
