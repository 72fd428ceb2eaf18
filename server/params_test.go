package server

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"lateral/schema"
)

// Ensure reads take their parameters from query, body and form in every spelling of the contract.
func TestReadParameters(t *testing.T) {
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	html := []string{"Content-Type", "text/html"}
	tests := []struct {
		name    string
		query   string
		body    string
		headers []string
		want    any // filters
	}{
		{
			"tuples", "filters=" + url.QueryEscape(`[('name','like','x'),('id','!=',50)]`), "", nil,
			[]any{schema.Tuple{"name", "like", "x"}, schema.Tuple{"id", "!=", int64(50)}},
		},
		{
			"Python names", "filters=" + url.QueryEscape(`[["name","!=",False],["active","=",True]]`), "", nil,
			[]any{[]any{"name", "!=", false}, []any{"active", "=", true}},
		},
		{"JSON names", "filters=" + url.QueryEscape(`[["active","=",true]]`), "", nil, []any{[]any{"active", "=", true}}},
		{"unescaped", `filters=[["vat","=","X"]]`, "", nil, []any{[]any{"vat", "=", "X"}}},
		{"first value", "filters=1&filters=2", "", nil, int64(1)},
		{"plus is a space", "filters=a+b%2B", "", nil, "a b+"},
		{"empty", "filters=", "", nil, nil},
		{"None", "filters=None", "", nil, nil},
		{
			"body of a GET", "", `{"filters": [["name", "like", "ompany"], ["id", "<=", 50]]}`, html,
			[]any{[]any{"name", "like", "ompany"}, []any{"id", "<=", int64(50)}},
		},
		{"body without a type", "", "\xef\xbb\xbf \n{\"filters\": 3}", nil, int64(3)},
		{"body called a form", "", `{"filters": 3}`, form, int64(3)},
		{"body wins", "filters=1", `{"filters": 2}`, nil, int64(2)},
		{"form", "filters=1", "filters=" + url.QueryEscape("[('a','=','b c')]"), form, []any{schema.Tuple{"a", "=", "b c"}}},
		{"big number", "", `{"filters": 9223372036854775807}`, nil, int64(9223372036854775807)},
		{"empty body", "", " \n", html, nil},
	}
	h := setup(t, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := "/api/res.partner"
			if test.query != "" {
				path += "?" + test.query
			}
			got := h.do("GET", path, test.body, test.headers...)
			if got.status != 200 {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			if filters := h.reader.query(t).Filters; !reflect.DeepEqual(filters, test.want) {
				t.Errorf("got %#v, want %#v", filters, test.want)
			}
		})
	}
}

// Ensure the other parameters of reads arrive where they belong.
func TestReadAllQuery(t *testing.T) {
	h := setup(t, nil)
	got := h.do("GET", "/v2/res.partner?offset=5&limit=10&order=name+desc&include_fields=('a','b')&exclude_fields=*&count=planned",
		`{"__context__": {"lang": "fr_FR"}}`)
	if got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	q := h.reader.query(t)
	if q.Model != "res.partner" || q.One || q.Offset != 5 || q.Limit != 10 || q.Order != "name desc" || !q.Count || !q.Estimate || q.Keyset {
		t.Errorf("got %+v", q)
	}
	if !reflect.DeepEqual(q.Include, schema.Tuple{"a", "b"}) || q.Exclude != "*" || q.Context["lang"] != "fr_FR" {
		t.Errorf("got %+v", q)
	}
}

// Ensure pages by key are asked for by a cursor, or by an empty text for the first page, and by nothing else.
func TestPageByKeyQuery(t *testing.T) {
	h := setup(t, nil)
	for _, test := range []struct {
		query, body string
		keyset      bool
		after       string
	}{
		{"", "", false, ""},
		{"?after=", "", true, ""},
		{"?after=''", "", true, ""},
		{"?after=None", "", false, ""},
		{"?after=123", "", true, "123"},
		{"?after=AbC-_", "", true, "AbC-_"},
		{"?after='AbC'", "", true, "AbC"},
		{"", `{"after": ""}`, true, ""},
		{"", `{"after": null}`, false, ""},
		{"?after=x", `{"after": "y"}`, true, "y"},
		{"?after=x&offset=0", "", true, "x"},
	} {
		if got := h.do("GET", "/v2/res.partner"+test.query, test.body); got.status != 200 {
			t.Fatalf("%s %s: got %d %s", test.query, test.body, got.status, got.body)
		}
		if q := h.reader.query(t); q.Keyset != test.keyset || q.After != test.after {
			t.Errorf("%s %s: got %v %q", test.query, test.body, q.Keyset, q.After)
		}
	}
}

// Ensure read one finds its record by id or by another field.
func TestReadOneQuery(t *testing.T) {
	h := setup(t, nil)
	h.reader.docs = []string{`{"id": 3}`}
	if got := h.do("GET", "/api/res.partner/3", ""); got.status != 200 || got.body != `{"id": 3}` {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if q := h.reader.query(t); !q.One || q.ID != 3 || q.SearchField != "" {
		t.Errorf("got %+v", q)
	}
	if got := h.do("GET", "/api/res.partner/a%2Fb+c%20d?search_field=email", ""); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if q := h.reader.query(t); !q.One || q.SearchField != "email" || q.SearchValue != "a/b+c d" {
		t.Errorf("got %+v", q)
	}
}

// Ensure bad requests are answered with the contract's errors and never reach the reader.
func TestBadParameters(t *testing.T) {
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	tests := []struct {
		name    string
		path    string
		body    string
		headers []string
		code    string
		classic int
		typed   int
		tells   string
	}{
		{"not JSON", "/res.partner", `filters: 3`, nil, "invalid_request_body", 400, 400, "JSON"},
		{"cut JSON", "/res.partner", `{"filters": [["a"`, nil, "invalid_request_body", 400, 400, "early"},
		{"two objects", "/res.partner", `{} {}`, nil, "invalid_request_body", 400, 400, "follows"},
		{"list", "/res.partner", `[1]`, nil, "invalid_request_body", 400, 400, "object"},
		{"list called a form", "/res.partner", `[1`, form, "invalid_request_body", 400, 400, "JSON"},
		{"text", "/res.partner", `"x"`, form, "invalid_request_body", 400, 400, "object"},
		{"null", "/res.partner", `null`, nil, "invalid_request_body", 400, 400, "object"},
		{"form without a value", "/res.partner", `filters`, form, "invalid_request_body", 400, 400, "no value"},
		{"key twice", "/res.partner", `{"limit": 1, "limit": 2}`, nil, "invalid_request_body", 400, 400, "'limit'"},
		{"NUL in a body", "/res.partner", `{"filters": [["a", "=", "\u0000"]]}`, nil, "invalid_request_body", 400, 400, "NUL"},
		{"UTF-8 in a body", "/res.partner", "{\"filters\": \"\xff\"}", nil, "invalid_request_body", 400, 400, "UTF-8"},
		{"compressed", "/res.partner", "{}", []string{"Content-Encoding", "gzip"}, "invalid_request_body", 400, 400, "compressed"},
		{"multipart", "/res.partner", "--x", []string{"Content-Type", "multipart/form-data; boundary=x"}, "invalid_request_body", 400, 400, "multipart"},
		{"nested too deep", "/res.partner", `{"filters": ` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "}", nil, "invalid_request_body", 400, 400, "deep"},
		{"NUL in the URL", "/res.partner?filters=a%00", "", nil, "invalid_request_body", 400, 400, "NUL"},
		{"UTF-8 in the URL", "/res.partner?filters=%ff", "", nil, "invalid_request_body", 400, 400, "'filters'"},
		{"percent", "/res.partner?filters=5%25&x=%zz", "", nil, "invalid_request_body", 400, 400, "%25"},
		{"negative limit", "/res.partner?limit=-1", "", nil, "not_read_object_in_odoo", 409, 422, "limit"},
		{"textual limit", "/res.partner?limit=ten", "", nil, "not_read_object_in_odoo", 409, 422, "limit"},
		{"fraction", "/res.partner?offset=1.5", "", nil, "not_read_object_in_odoo", 409, 422, "offset"},
		{"true", "/res.partner", `{"offset": true}`, nil, "not_read_object_in_odoo", 409, 422, "offset"},
		{"huge", "/res.partner?limit=99999999999999999999", "", nil, "not_read_object_in_odoo", 409, 422, "large"},
		{"order", "/res.partner", `{"order": 3}`, nil, "not_read_object_in_odoo", 409, 422, "order"},
		{"context", "/res.partner?__context__=3", "", nil, "not_read_object_in_odoo", 409, 422, "__context__"},
		{"count", "/res.partner?count=maybe&limit=-1", "", nil, "not_read_object_in_odoo", 409, 422, "limit"},
		{"cursor", "/res.partner", `{"after": 3}`, nil, "not_read_object_in_odoo", 409, 422, "after"},
		{"cursor and offset", "/res.partner?after=x&offset=5", "", nil, "not_read_object_in_odoo", 409, 422, "offset"},
		{"cursor and lines", "/res.partner?after=x&format=csv", "", nil, "not_read_object_in_odoo", 409, 422, "format=json"},
		{"first page and offset", "/res.partner?after=&offset=5", "", nil, "not_read_object_in_odoo", 409, 422, "offset"},
		{"id zero", "/res.partner/0", "", nil, "invalid_object_id", 400, 400, "'0'"},
		{"id negative", "/res.partner/-1", "", nil, "invalid_object_id", 400, 400, "'-1'"},
		{"id text", "/res.partner/abc", "", nil, "invalid_object_id", 400, 400, "'abc'"},
		{"id list", "/res.partner/1,2", "", nil, "invalid_object_id", 400, 400, "'1,2'"},
		{"id huge", "/res.partner/99999999999999999999", "", nil, "invalid_object_id", 400, 400, "id"},
		{"id percent", "/res.partner/%31%00", "", nil, "invalid_object_id", 400, 400, "id"},
		{"model before id", "/no.model/abc", "", nil, "model_not_found", 404, 404, "'no.model'"},
		{"model before body", "/no.model", "[]", nil, "model_not_found", 404, 404, "'no.model'"},
	}
	h := setup(t, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for base, status := range map[string]int{"/api": test.classic, "/v2": test.typed} {
				got := h.do("GET", base+test.path, test.body, test.headers...)
				if got.status != status || got.code() != test.code || !strings.Contains(got.body, test.tells) {
					t.Errorf("%s: got %d %s, want %d %s telling %q", base, got.status, got.body, status, test.code, test.tells)
				}
				if strings.Contains(got.body, `"field"`) && base == "/api" {
					t.Errorf("classic errors have no field: %s", got.body)
				}
			}
		})
	}
	if h.reader.last != nil {
		t.Errorf("the reader was asked: %+v", h.reader.last)
	}
}
