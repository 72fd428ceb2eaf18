package integration

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"lateral/auth"
)

// presetFiles are presets in both syntaxes, one of them switched off.
var presetFiles = map[string]string{
	"res.country.schema": "{'read_all': ('id', 'code', ('currency_id', ('name',))), 'read_one': ('id', ('state_ids', [('code',)]))} # Python\n",
	"res.currency.json":  `{"read_all": ["id", "name"], "domain": [["name", "in", ["EUR", "USD"]]]}`,
	"res.bank.schema":    "{'available': False}",
}

// httpReads checks reads over HTTP against Odoo's own answers.
type httpReads struct {
	t     *testing.T
	s     *stand
	v     *service
	token string
	admin auth.Credentials
	// judges are the oracles of users that were asked before, by role.
	judges map[string]oracle
}

// Ensure the parameters of read all and read one mean over HTTP what they mean in Odoo.
func TestHTTPReads(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		v := s.serve(t, presetFiles)
		token, admin, judges := v.admin(t, s), s.login(t, "admin"), map[string]oracle{}
		for _, section := range []struct {
			name string
			run  func(h httpReads)
		}{
			{"filters", httpReads.filters},
			{"fields", httpReads.fields},
			{"contexts", httpReads.contexts},
			{"presets", httpReads.presets},
			{"binaries", httpReads.binaries},
			{"values", httpReads.values},
			{"forms", httpReads.forms},
			{"access", httpReads.access},
			{"profiles", httpReads.profiles},
			{"typed", httpReads.typedValues},
			{"verbs", httpReads.verbs},
		} {
			t.Run(section.name, func(t *testing.T) {
				section.run(httpReads{t: t, s: s, v: v, token: token, admin: admin, judges: judges})
			})
		}
	})
}

// results reads a page and returns its records.
func (h httpReads) results(method, path, body string) []map[string]any {
	h.t.Helper()
	got := h.v.send(method, path, h.token, body)
	var page struct {
		Count   int
		Results []map[string]any
	}
	if err := json.Unmarshal(got.body, &page); err != nil || got.status != 200 || page.Count != len(page.Results) {
		h.t.Fatalf("%s %s: %d %.500s, %v", path, body, got.status, got.body, err)
	}
	return page.Results
}

// record reads one record.
func (h httpReads) record(path string) map[string]any {
	h.t.Helper()
	got := h.v.send("GET", path, h.token, "")
	var record map[string]any
	if err := json.Unmarshal(got.body, &record); err != nil || got.status != 200 {
		h.t.Fatalf("%s: %d %.500s, %v", path, got.status, got.body, err)
	}
	return record
}

// odoo returns what Odoo finds, by search_read.
func (h httpReads) odoo(model string, domain, fields []any, kwargs map[string]any) []any {
	h.t.Helper()
	return h.s.call(h.t, h.admin, model, "search_read", []any{domain, fields}, kwargs).([]any)
}

// sameIDs compares the ids of two answers, in order.
func (h httpReads) sameIDs(what string, got []map[string]any, want []any) {
	h.t.Helper()
	var g, w []string
	for _, record := range got {
		g = append(g, fmt.Sprint(record["id"]))
	}
	for _, record := range want {
		w = append(w, fmt.Sprint(record.(map[string]any)["id"]))
	}
	if strings.Join(g, " ") != strings.Join(w, " ") || len(w) == 0 {
		h.t.Errorf("%s: got %v, Odoo has %v", what, g, w)
	}
}

func (h httpReads) filters() {
	h.t.Helper()
	want := h.odoo("res.partner", []any{[]any{"name", "ilike", "a"}, []any{"id", "<", 40}}, []any{"id"}, nil)
	const partner = "/api/res.partner"
	for _, spelling := range []string{
		`[('name','ilike','a'),('id','<',40)]`, `[["name","ilike","a"],["id","<",40]]`, `(('name','ilike','a'),['id','<',40])`,
	} {
		h.sameIDs(spelling, h.results("GET", partner+"?filters="+url.QueryEscape(spelling), ""), want)
	}
	h.sameIDs("body", h.results("GET", partner+"?filters=[]", `{"filters": [["name", "ilike", "a"], ["id", "<", 40]]}`), want)
	page := h.odoo("res.partner", []any{}, []any{"id"}, map[string]any{"offset": int64(2), "limit": int64(5), "order": "country_id desc, id desc"})
	h.sameIDs("page", h.results("GET", partner+"?offset=2&limit=5&order=country_id%20desc,%20id%20desc", ""), page)
	form := "filters=" + url.QueryEscape("[('name','ilike','a'),('id','<',40)]")
	urlencoded := h.v.send("GET", partner+"?filters=[]", h.token, form, "Content-Type", "application/x-www-form-urlencoded")
	if inURL := h.v.send("GET", partner+"?"+form, h.token, ""); string(urlencoded.body) != string(inURL.body) || inURL.status != 200 {
		h.t.Errorf("a form in the body: %d %.300s, in the URL: %d %.300s", urlencoded.status, urlencoded.body, inURL.status, inURL.body)
	}
	for _, ofBody := range []string{"text/html", "text/plain; charset=utf-8", "application/x-www-form-urlencoded"} {
		got := h.v.send("GET", partner, h.token, ` {"filters": [["name", "ilike", "a"], ["id", "<", 40]]}`, "Content-Type", ofBody)
		if got.status != 200 || string(got.body) != string(urlencoded.body) {
			h.t.Errorf("JSON sent as %s: %d %.300s", ofBody, got.status, got.body)
		}
	}
	none := h.v.send("GET", partner+"?filters="+url.QueryEscape("[('id','=',0)]"), h.token, "")
	if text := strings.ReplaceAll(string(none.body), " ", ""); text != `{"count":0,"results":[]}` {
		h.t.Errorf("an empty page: %s", none.body)
	}
	code := h.record("/api/res.country/BE?search_field=code&include_fields=name")
	if code["code"] != nil && code["id"] == nil {
		h.t.Errorf("search_field: %v", code)
	}
	h.searches()
	if one := h.odoo("res.country", []any{[]any{"code", "=", "BE"}}, []any{"id"}, nil)[0].(map[string]any); fmt.Sprint(one["id"]) != fmt.Sprint(code["id"]) {
		h.t.Errorf("search_field: got %v, Odoo has %v", code["id"], one["id"])
	}
}

// searches checks read one by search_field, for texts and whole numbers.
func (h httpReads) searches() {
	h.t.Helper()
	bank := h.odoo("res.country", []any{[]any{"phone_code", "=", int64(32)}}, []any{"id"}, map[string]any{"limit": int64(1)})[0].(map[string]any)
	for path, want := range map[string]any{
		"/api/res.country/32?search_field=phone_code":                     bank["id"],
		"/api/res.country/" + fmt.Sprint(bank["id"]) + "?search_field=id": bank["id"],
	} {
		if got := h.record(path + "&include_fields=name"); fmt.Sprint(got["id"]) != fmt.Sprint(want) {
			h.t.Errorf("%s: got %v, Odoo has %v", path, got["id"], want)
		}
	}
	for path, code := range map[string]string{
		"/api/res.country/ZZ?search_field=code":           "404 not_found_object_in_odoo",
		"/api/res.country/x?search_field=phone_code":      "409 not_read_object_in_odoo",
		"/api/res.country/x?search_field=no_field":        "409 not_read_object_in_odoo",
		"/api/res.country/be?search_field=code":           "404 not_found_object_in_odoo",
		"/api/res.country/%27%20OR%201?search_field=code": "404 not_found_object_in_odoo",
	} {
		if got := h.v.send("GET", path, h.token, ""); fmt.Sprint(got.status, " ", got.code()) != code {
			h.t.Errorf("%s: got %d %s", path, got.status, got.body)
		}
	}
}

func (h httpReads) fields() {
	h.t.Helper()
	only := h.record("/api/res.partner/3?exclude_fields=*")
	if len(only) != 1 || only["id"] != 3.0 {
		h.t.Errorf("exclude_fields=*: %v", only)
	}
	all := h.record("/api/res.partner/3")
	if _, ok := all["country_id"].(map[string]any); !ok || len(all) < 100 {
		h.t.Errorf("all fields: %d, country_id %v", len(all), all["country_id"])
	}
	less := h.record("/api/res.partner/3?exclude_fields=['country_id','city']")
	if _, there := less["city"]; there || len(less) != len(all)-2 {
		h.t.Errorf("exclude_fields: %d of %d left", len(less), len(all))
	}
	nested := h.record("/api/res.partner/3?exclude_fields=*&include_fields=" + url.QueryEscape("['name', ('country_id', ('code', ('currency_id', ('name',)))), ('child_ids', [('id',)])]"))
	country, _ := nested["country_id"].(map[string]any)
	if currency, _ := country["currency_id"].(map[string]any); currency["name"] != "USD" {
		h.t.Errorf("nested: %v", nested)
	}
	inJSON := h.results("GET", "/api/res.partner", `{"filters": [["id", "=", 3]], "exclude_fields": "*", "include_fields": ["name", ["country_id", ["code", ["currency_id", ["name"]]]], ["child_ids", [["id"]]]]}`)
	if fmt.Sprint(inJSON[0]) != fmt.Sprint(nested) {
		h.t.Errorf("nested in JSON: %v, as a literal: %v", inJSON[0], nested)
	}
}

func (h httpReads) contexts() {
	h.t.Helper()
	french := h.odoo("product.category", []any{}, []any{"name"}, map[string]any{"context": map[string]any{"lang": "fr_FR"}, "order": "id"})
	got := h.results("GET", "/api/product.category?order=id&__context__="+url.QueryEscape("{'lang': 'fr_FR'}"), "")
	for i, record := range french {
		if want := record.(map[string]any)["name"]; i >= len(got) || got[i]["name"] != want {
			h.t.Errorf("in French: got %v, Odoo has %v", got, french)
			break
		}
	}
	everything := h.odoo("product.template", []any{}, []any{"id"}, map[string]any{"context": map[string]any{"active_test": false}, "order": "id"})
	h.sameIDs("active_test", h.results("GET", `/api/product.template?order=id&__context__={"active_test":false}`, ""), everything)
	company := h.odoo("res.partner", []any{}, []any{"id"}, map[string]any{"context": map[string]any{"allowed_company_ids": []any{int64(1)}}, "order": "id"})
	h.sameIDs("allowed_company_ids", h.results("GET", `/api/res.partner?order=id&__context__={"allowed_company_ids":[1]}`, ""), company)
	through := h.v.send("GET", "/api/mail.message?limit=1", h.token, "")
	if through.status != 200 || through.header.Get("X-Read-Path") != "odoo" {
		h.t.Errorf("a guarded model: %d by %s", through.status, through.header.Get("X-Read-Path"))
	}
	if hybrid := h.v.send("GET", "/api/res.partner/3?exclude_fields=*&include_fields=contact_address", h.token, ""); hybrid.header.Get("X-Read-Path") != "hybrid" {
		h.t.Errorf("a computed field: %d by %s", hybrid.status, hybrid.header.Get("X-Read-Path"))
	}
}

func (h httpReads) presets() {
	h.t.Helper()
	countries := h.results("GET", "/api/res.country?limit=1&order=id", "")
	if _, ok := countries[0]["currency_id"].(map[string]any); !ok || len(countries[0]) != 3 {
		h.t.Errorf("a preset in Python's syntax: %v", countries)
	}
	if names := h.results("GET", "/api/res.currency?order=name", ""); len(names) == 0 || len(names) > 2 || len(names[0]) != 2 {
		h.t.Errorf("a preset in JSON with a default domain: %v", names)
	}
	if off := h.v.send("GET", "/api/res.bank", h.token, ""); off.status != 501 || off.code() != "model_not_available" {
		h.t.Errorf("a model that is switched off: %d %s", off.status, off.body)
	}
}

// binaries compares the content of an image with Odoo's, which reads it from the filestore too.
func (h httpReads) binaries() {
	h.t.Helper()
	found := h.odoo("res.partner", []any{[]any{"image_1920", "!=", false}}, []any{"image_128"}, map[string]any{"limit": int64(1), "order": "id"})[0].(map[string]any)
	got := h.record(fmt.Sprintf("/api/res.partner/%v?exclude_fields=*&include_fields=image_128", found["id"]))
	if want := strings.NewReplacer("\n", "", "\r", "").Replace(found["image_128"].(string)); got["image_128"] != want || want == "" {
		h.t.Errorf("an image of %d characters, Odoo's has %d", len(fmt.Sprint(got["image_128"])), len(want))
	}
}
