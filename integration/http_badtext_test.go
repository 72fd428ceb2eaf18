package integration

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"lateral/reader/verify"
)

// complaint is a bad read and what its answer must name, in both profiles.
type complaint struct {
	path, body     string // below the profile's base
	classic, typed int
	code           string
	names          []string
}

// complaints are one bad read of each kind.
func complaints() []complaint {
	query := func(name, text string) string { return "/res.partner?" + name + "=" + url.QueryEscape(text) }
	refused := func(path, body string, names ...string) complaint {
		return complaint{path, body, 409, 422, "not_read_object_in_odoo", names}
	}
	malformed := func(path, body string, names ...string) complaint {
		return complaint{path, body, 400, 400, "invalid_request_body", names}
	}
	return []complaint{
		refused(query("filters", "x"), "", "filters", "list of terms", "x"),
		refused(query("filters", "[('name','=')]"), "", "filters", "term 0"),
		refused(query("filters", "[('id','=',1),('name','~','x')]"), "", "~"),
		refused(query("filters", "[('no_field','=',1)]"), "", "res.partner", "no_field"),
		refused(query("filters", "[('country_id.no_field','=',1)]"), "", "res.country", "no_field"),
		refused(query("filters", "[('name','=',{'a': 1})]"), "", "filters", "term 0.2", "an object"),
		refused("/res.partner", `{"filters": [["id", "in", [[1]]]]}`, "filters", "term 0.2"),
		refused(query("filters", "[('child_ids','any',['&'])]"), "", "filters", "term 0.2.0"),
		refused(query("order", "name; DROP TABLE x"), "", "order", "name; DROP TABLE x"),
		refused(query("order", "no_field desc"), "", "order", "no_field"),
		refused("/res.partner", `{"order": ["name"]}`, "order", "text"),
		refused(query("limit", "-1"), "", "limit", "negative"),
		refused(query("limit", "9223372036854775808"), "", "limit", "too large"),
		refused(query("offset", "1.5"), "", "offset", "integer"),
		refused("/res.partner", `{"offset": "5"}`, "offset", "integer"),
		refused(query("include_fields", "['name', 'no_field']"), "", "include_fields", "no_field"),
		refused(query("include_fields", "[('country_id', ('no_field',))]"), "", "include_fields", "country_id", "no_field"),
		refused(query("include_fields", "[('name', ('id',))]"), "", "include_fields", "name", "char"),
		refused("/res.partner", `{"include_fields": 5}`, "include_fields", "5"),
		refused(query("exclude_fields", "no_field"), "", "exclude_fields", "no_field"),
		refused(query("__context__", "x"), "", "__context__", "object"),
		refused(query("__context__", "{'lang': 5}"), "", "__context__", "lang", "5"),
		{query("__context__", "{'allowed_company_ids': [999]}"), "", 409, 403, "not_read_object_in_odoo", []string{"companies", "999"}},
		refused("/res.partner/x?search_field=no_field", "", "search_field", "no_field"),
		refused("/res.partner/x?search_field=color", "", "search_field", "color", "x"),
		malformed("/res.partner", "{", "body", "JSON"),
		malformed("/res.partner", `{"filters": [["a", 1e999]]}`, "body", "filters[0][1]", "out of range"),
		malformed("/res.partner", `{"limit": 1, "limit": 2}`, "limit", "twice"),
		malformed("/res.partner", `[1]`, "object"),
		malformed("/res.partner", `{"a": "\u0000"}`, "a", "NUL"),
		malformed("/res.partner?filters=%ff", "", "Query string", "filters", "UTF-8"),
		malformed("/res.partner?a=%zz", "", "Query string", "'a'", "percent"),
		{"/res.partner/x", "", 400, 400, "invalid_object_id", []string{"'x'", "positive"}},
		{"/no.such.model", "", 404, 404, "model_not_found", []string{"no.such.model"}},
		{"/no.such.model/x?limit=y", "{", 404, 404, "model_not_found", []string{"no.such.model"}},
		{"/res.partner/999999", "", 404, 404, "not_found_object_in_odoo", []string{"no such record"}},
	}
}

// Ensure that errors name what was wrong and where, with the status of the profile, and that the
// model is looked at before what is wrong with the rest.
func TestBadInputTexts(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		v := s.serve(t, nil)
		token := v.admin(t, s)
		for _, c := range complaints() {
			for base, status := range map[string]int{"/api": c.classic, "/v2": c.typed} {
				got := v.send("GET", base+c.path, token, c.body)
				v.refuses(t, badRequest{"GET", base + c.path, c.body, status, c.code}, token)
				for _, name := range c.names {
					if !strings.Contains(got.description(), name) {
						t.Errorf("%s%s %s: the answer does not name %q: %s", base, c.path, c.body, name, got.body)
					}
				}
			}
		}
	})
}

// Ensure that texts that would be SQL in another place are values like any other: they find the one
// record that has them, in patterns the records that Odoo finds, and nothing happens besides.
func TestValuesAreValues(t *testing.T) {
	s := shared(t, versions()[0]).fork(t)
	v := s.serve(t, nil)
	h := httpReads{t: t, s: s, v: v, token: v.admin(t, s), admin: s.login(t, "admin")}
	names := []string{
		"Robert'); DROP TABLE res_partner; --", `" OR 1=1 --`, `\'; SELECT pg_sleep(60); --`, "$1 $2 %s %(x)s {} ?", "/* */ ''' \"\"\"",
		"100%_\\", "a\tb\u2028c", "\U0001f600 ünïcödé", "E'\\\\x00'", "$$x$$",
	}
	var values []any
	for _, name := range names {
		values = append(values, map[string]any{"name": name, "is_company": true})
	}
	created := s.call(t, h.admin, "res.partner", "create", []any{values}, nil).([]any)
	before := s.written(t)
	for i, name := range names {
		want := fmt.Sprint(created[i])
		quoted, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		literal := url.QueryEscape(verify.Python([]any{[]any{"name", "=", name}}))
		for what, records := range map[string][]map[string]any{
			"in a literal": h.results("GET", "/api/res.partner?filters="+literal, ""),
			"in JSON":      h.results("GET", "/api/res.partner", fmt.Sprintf(`{"filters": [["name", "in", [%s, "x"]]], "order": "id"}`, quoted)),
		} {
			if len(records) != 1 || fmt.Sprint(records[0]["id"]) != want || records[0]["name"] != name {
				t.Errorf("%q %s: %v", name, what, records)
			}
		}
		// In a pattern, % and _ and \ mean what they mean to Odoo.
		like := h.results("GET", "/api/res.partner", fmt.Sprintf(`{"filters": [["name", "ilike", %s]], "order": "id"}`, quoted))
		inOdoo := h.odoo("res.partner", []any{[]any{"name", "ilike", name}}, []any{"name"}, map[string]any{"order": "id"})
		if len(like) != len(inOdoo) || len(like) > 0 && fmt.Sprint(like[0]["id"]) != fmt.Sprint(inOdoo[0].(map[string]any)["id"]) {
			t.Errorf("%q in a pattern: %v, Odoo has %v", name, like, inOdoo)
		}
		one := "/api/res.partner/" + url.PathEscape(name) + "?search_field=name&exclude_fields=*"
		if strings.Contains(name, "/") {
			continue // a slash parts the path, however it is written
		}
		if record := h.record(one); fmt.Sprint(record["id"]) != want {
			t.Errorf("%q by search_field: %v", name, record)
		}
	}
	if after := s.written(t); after != before {
		t.Error("reads have changed the database")
	}
}
