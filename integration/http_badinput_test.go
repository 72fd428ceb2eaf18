package integration

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// badRequest is a request that must be refused, and how.
type badRequest struct {
	method, path, body string
	status             int
	code               string
}

// badReads are bad requests of reads with a valid token; MODEL stands for a model's path.
func badReads() []badRequest {
	var requests []badRequest
	add := func(status int, code string, paths ...string) {
		for _, path := range paths {
			requests = append(requests, badRequest{"GET", path, "", status, code})
		}
	}
	const partner = "/api/res.partner"
	filter := func(text string) string { return partner + "?filters=" + url.QueryEscape(text) }
	with := func(name, text string) string { return partner + "?" + name + "=" + url.QueryEscape(text) }

	add(404, "model_not_found", "/api/no.such.model", "/api/res_partner", "/api/res.partner%3B", "/api/res.partner'--",
		"/api/%2e%2e", "/api/RES.PARTNER", "/api/res.partner%20", "/api/"+strings.Repeat("x", 300), "/api/no.such.model/1")
	add(400, "invalid_object_id", partner+"/0", partner+"/-1", partner+"/x", partner+"/1.5", partner+"/1;2", partner+"/1%2C2",
		partner+"/99999999999999999999999", partner+"/1%27", partner+"/%00", partner+"/0x10", partner+"/1e3")
	add(404, "not_found_object_in_odoo", partner+"/2147483648", partner+"/9223372036854775807", partner+"/999999")
	// Filters: not a domain, bad shapes, unknown fields and operators, values that do not fit.
	add(409, "not_read_object_in_odoo",
		filter("x"), filter("1"), filter("{'a': 1}"), filter("[('name','=')]"), filter("[('name','=','x','y')]"), filter("['&']"),
		filter("['|', ('name','=','x')]"), filter("['!']"), filter("['name','=','x']"), filter("[['name']]"), filter("[(1,'=',2)]"),
		filter("[('nofield','=',1)]"), filter("[('name; DROP TABLE res_users','=',1)]"), filter("[('country_id.nofield','=',1)]"),
		filter("[('name.x','=',1)]"), filter("[('name','~','x')]"), filter("[('name','= 1 OR 1','x')]"), filter("[('name','',1)]"),
		filter("[('id','=','abc')]"), filter("[('create_date','>','yesterday morning')]"), filter("[('id','in',['a'])]"),
		filter(strings.Repeat("[", 60)+strings.Repeat("]", 60)), filter(strings.Repeat("[", 5000)),
		filter(strings.Repeat("-", 20000)+"1"), filter("[('name','=',__import__('os'))]"), filter("[x for x in y]"),
		filter("[('name','=','a\\x00b')]"), filter("[('', '=', 1)]"), filter("[None]"), filter("[True]"),
		filter("["+strings.Repeat("'!',", 3000)+"('name','=','x')]"))
	// Orders, pages, lists of fields, contexts.
	add(409, "not_read_object_in_odoo",
		with("order", "nofield"), with("order", "name; DROP TABLE res_users"), with("order", "name asc desc"), with("order", "(select 1)"),
		with("order", "name,,id"), with("order", "[1]"), with("order", strings.Repeat("name,", 500)+"id"),
		with("limit", "-1"), with("limit", "x"), with("limit", "1.5"), with("limit", "99999999999999999999"), with("limit", "[1]"),
		with("after", "x"), with("after", "AQ"), with("after", strings.Repeat("A", 160)), with("after", "' OR 1=1 --"), with("after", "[1]"),
		partner+"?after=&offset=5", partner+"?after=x&offset=5", partner+"?after=&order=nofield", partner+"?after=&__context__={'odd':1}",
		with("offset", "-5"), with("offset", "x"), with("offset", "1e400"), with("offset", "{}"),
		with("include_fields", "nofield"), with("include_fields", "['name', 'nofield']"), with("include_fields", "[('name', ('id',))]"),
		with("include_fields", "[('country_id', ('nofield',))]"), with("include_fields", "[1]"), with("include_fields", "[[]]"),
		with("include_fields", "{'a': 1}"), with("include_fields", strings.Repeat("[('parent_id',", 40)+"('id',)"+strings.Repeat(")]", 40)),
		with("include_fields", "name\"; DROP"), with("exclude_fields", "nofield"), with("exclude_fields", "[1]"), with("exclude_fields", "{}"),
		with("__context__", "x"), with("__context__", "[1]"), with("__context__", "{'lang': 5}"), with("__context__", "{'tz': []}"),
		with("__context__", "{'allowed_company_ids': 'x'}"), with("__context__", "{'allowed_company_ids': [999]}"),
		partner+"/1?include_fields=nofield", partner+"/1?search_field=nofield", partner+"/abc?search_field=id", partner+"/1?search_field=[1]")
	add(422, "not_read_object_in_odoo", "/v2/res.partner?count=maybe", "/v2/res.partner?count=2", "/v2/res.partner?after=x", "/v2/res.partner?after=&offset=1")
	// Bodies and encodings.
	for _, body := range []string{
		"{", "}", "[", "[1]", "1", "null", `"x"`, "true", `{"filters": }`, `{"a": 1} x`, `{"a": 1, "a": 2}`, "{'filters': []}",
		"\x00", "{\"a\": \"\xff\"}", `{"a": "\u0000"}`, strings.Repeat("[", 100000), strings.Repeat(`{"a":`, 5000),
		`{"filters": [["name", "=", "x"]`, "<xml/>", `{"a": 1e999}`,
	} {
		requests = append(requests, badRequest{"GET", partner, body, 400, "invalid_request_body"})
	}
	add(400, "invalid_request_body", partner+"?filters=%ff", partner+"?filters=%", partner+"?filters=%zz", partner+"?x=%00", partner+"?%ff=1")
	for _, body := range []string{
		`{"filters": "x"}`, `{"filters": {"a": 1}}`, `{"filters": [["name", "="]]}`, `{"filters": [["nofield", "=", 1]]}`, `{"limit": -1}`,
		`{"limit": "x"}`, `{"limit": 1.5}`, `{"limit": true}`, `{"offset": 1e30}`, `{"order": 5}`, `{"include_fields": 5}`,
		`{"include_fields": ["nofield"]}`, `{"include_fields": [["country_id", ["nofield"]]]}`, `{"__context__": 5}`,
		`{"filters": ` + strings.Repeat("[", 80) + strings.Repeat("]", 80) + `}`,
	} {
		requests = append(requests, badRequest{"GET", partner, body, 409, "not_read_object_in_odoo"})
	}
	// Paths and verbs.
	add(404, "not_found", "/", "/api", "/apix/res.partner", "/api/res.partner/1/2/3/4", "/etc/passwd", "/v3/res.partner", "/api/auth/other")
	return append(requests, []badRequest{
		{"PATCH", partner, "", 405, "method_not_allowed"},
		{"POST", partner + "/1", "", 405, "method_not_allowed"},
		{"DELETE", partner, "", 405, "method_not_allowed"},
		{"BREW", partner, "", 405, "method_not_allowed"},
		{"GET", "/api/report/other", "", 501, "report_method_not_implemented"},
		{"PUT", partner + "/1?nofield=1", "", 409, "not_updated_object_in_odoo"},
		{"PUT", partner + "/x", `{"name": "x"}`, 400, "invalid_object_id"},
		{"PUT", partner + "/1", `{"name": ["x"]}`, 409, "not_updated_object_in_odoo"},
		{"PUT", partner + "/1", `{"country_id": {"id": 1}}`, 409, "not_updated_object_in_odoo"},
		{"PUT", partner + "/1", `{"category_id": ["x"]}`, 409, "not_updated_object_in_odoo"},
		{"PUT", partner + "/999999", `{"name": "x"}`, 409, "not_updated_object_in_odoo"},
		{"PUT", "/api/no.such.model/1", `{"name": "x"}`, 404, "model_not_found"},
		{"PUT", partner + "/1", "{", 400, "invalid_request_body"},
	}...)
}

// Ensure every bad request is answered with the contract's error and changes nothing, and that the
// server goes on.
func TestBadInput(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		v := s.serve(t, nil)
		token := v.admin(t, s)
		before := s.written(t)
		requests := badReads()
		if len(requests) < 80 {
			t.Fatalf("only %d bad requests", len(requests))
		}
		for _, r := range requests {
			v.refuses(t, r, token)
		}
		for _, bad := range badTokens() {
			got := v.send("GET", "/api/res.partner", bad.token, "")
			if got.status != bad.status || got.code() != bad.code {
				t.Errorf("token %.50q: got %d %s", bad.token, got.status, got.body)
			}
		}
		v.refusesLogins(t)
		if after := s.written(t); after != before {
			t.Errorf("rows written before: %s, after: %s", before, after)
		}
		if got := v.send("GET", "/api/res.partner?limit=1", token, ""); got.status != 200 {
			t.Errorf("the server does not go on: %d %s", got.status, got.body)
		}
		t.Logf("%d bad requests", len(requests)+len(badTokens()))
	})
}

// refuses makes one bad request and checks its answer.
func (v *service) refuses(t *testing.T, r badRequest, token string) {
	t.Helper()
	got := v.send(r.method, r.path, token, r.body)
	what := fmt.Sprintf("%s %.120s %.80q", r.method, r.path, r.body)
	switch {
	case got.err != nil:
		t.Errorf("%s: %v", what, got.err)
	case got.status != r.status || got.code() != r.code:
		t.Errorf("%s: got %d %.300s, want %d %s", what, got.status, got.body, r.status, r.code)
	case !strings.HasPrefix(got.header.Get("Content-Type"), "application/json"):
		t.Errorf("%s: got the type %s", what, got.header.Get("Content-Type"))
	}
	for _, secret := range []string{"Traceback", "SELECT ", "site-packages", "/usr/", token} {
		if strings.Contains(string(got.body), secret) {
			t.Errorf("%s: the answer holds %q: %s", what, secret, got.body)
		}
	}
}

func badTokens() []struct {
	token  string
	status int
	code   string
} {
	type bad = struct {
		token  string
		status int
		code   string
	}
	list := []bad{{"", 400, "no_access_token"}}
	for _, token := range []string{
		"x", strings.Repeat("0", 40), strings.Repeat("a", 39), strings.Repeat("a", 41), strings.Repeat("A", 40), strings.Repeat("g", 40),
		"' OR 1=1 --", strings.Repeat("é", 20), strings.Repeat("f", 4000),
	} {
		list = append(list, bad{token, 401, "invalid_token"})
	}
	return list
}

// refusesLogins makes bad requests of the routes of tokens.
func (v *service) refusesLogins(t *testing.T) {
	t.Helper()
	for _, r := range []badRequest{
		{"GET", "/api/auth/get_tokens", "", 400, "empty_username_or_password"},
		{"GET", "/api/auth/get_tokens?username=admin", "", 400, "empty_username_or_password"},
		{"POST", "/api/auth/get_tokens", `{"username": "", "password": ""}`, 400, "empty_username_or_password"},
		{"POST", "/api/auth/get_tokens", `{"username": "admin", "password": "wrong"}`, 401, "odoo_user_authentication_failed"},
		{"POST", "/api/auth/get_tokens", `{"username": "nobody", "password": "x"}`, 401, "odoo_user_authentication_failed"},
		{"POST", "/api/auth/get_tokens", `{"username": "' OR 1=1 --", "password": "x"}`, 401, "odoo_user_authentication_failed"},
		{"POST", "/api/auth/get_tokens", `{"username": "admin", "password": `, 400, "invalid_request_body"},
		{"POST", "/api/auth/refresh_token", "", 400, "no_refresh_token"},
		{"POST", "/api/auth/refresh_token", `{"refresh_token": "x"}`, 401, "invalid_token"},
		{"POST", "/api/auth/delete_tokens", "", 400, "no_refresh_token"},
		{"GET", "/api/auth/refresh_token", "", 405, "method_not_allowed"},
	} {
		v.refuses(t, r, "no token")
	}
}

// written is a fingerprint of every row of every table by where it lies and which transaction wrote
// it, so that no change goes unseen, not even one to the same value. A login adds to res_users_log.
func (s *stand) written(t testing.TB) string {
	t.Helper()
	owner := s.owner(t)
	rows, err := owner.Query(t.Context(), `SELECT 'SELECT ' || quote_literal(relname) ||
		', count(*), sum(hashtext(ctid::text || xmin::text)) FROM ONLY ' || oid::regclass
		FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'res_users_log' ORDER BY relname`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var text string
	all := "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM (" + strings.Join(tables, " UNION ALL ") + ") t"
	if err := owner.QueryRow(t.Context(), all).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(len(tables), " tables, ", text)
}
