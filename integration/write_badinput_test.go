package integration

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// badWrites are bad requests of writes and calls with a valid token.
func badWrites() []badRequest {
	const (
		partner = "/api/res.partner"
		created = "not_created_object_in_odoo"
		updated = "not_updated_object_in_odoo"
		deleted = "not_deleted_object_in_odoo"
		called  = "not_called_method_in_odoo"
		missing = "method_not_exist_in_odoo"
	)
	var requests []badRequest
	add := func(method, path string, status int, code string, bodies ...string) {
		for _, body := range bodies {
			requests = append(requests, badRequest{method, path, body, status, code})
		}
	}
	deep := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }

	// Values that no field takes, alike in create and update.
	values := []string{
		`{"nofield": 1}`, `{"name; DROP TABLE res_users": "x"}`, `{"": "x"}`, `{"id": 5}`, `{"NAME": "x"}`, `{"country_id.name": "x"}`,
		`{"name": 5}`, `{"name": true}`, `{"name": 1.5}`, `{"name": ["x"]}`, `{"name": {"en_US": "x"}}`, `{"name": []}`,
		`{"name": "x", "active": "yes"}`, `{"name": "x", "active": 2}`, `{"name": "x", "active": [true]}`, `{"name": "x", "active": 0.5}`,
		`{"name": "x", "color": "red"}`, `{"name": "x", "color": 1.5}`, `{"name": "x", "color": true}`, `{"name": "x", "color": {}}`,
		`{"name": "x", "color": 123456789012345678901234567890}`, `{"name": "x", "color": "1"}`,
		`{"name": "x", "partner_latitude": "north"}`, `{"name": "x", "partner_latitude": [1.5]}`, `{"name": "x", "partner_latitude": true}`,
		`{"name": "x", "country_id": "BE"}`, `{"name": "x", "country_id": [21]}`, `{"name": "x", "country_id": {"id": 21}}`, `{"name": "x", "country_id": 1.5}`,
		`{"name": "x", "country_id": true}`, `{"name": "x", "country_id": [21, "Belgium"]}`, `{"name": "x", "image_1920": 5}`, `{"name": "x", "image_1920": ["x"]}`,
		`{"name": "x", "category_id": "x"}`, `{"name": "x", "category_id": 1}`, `{"name": "x", "category_id": {}}`, `{"name": "x", "category_id": true}`,
		`{"name": "x", "category_id": ["x"]}`, `{"name": "x", "category_id": [0]}`, `{"name": "x", "category_id": [-1]}`, `{"name": "x", "category_id": [1.5]}`,
		`{"name": "x", "category_id": [null]}`, `{"name": "x", "category_id": [{"name": "x"}]}`, `{"name": "x", "category_id": [{"id": 1, "name": "x"}]}`,
		`{"name": "x", "category_id": [{}]}`, `{"name": "x", "category_id": [1, [6, 0, [1]]]}`, `{"name": "x", "category_id": [{"id": "1"}]}`,
		`{"name": "x", "category_id": [[]]}`, `{"name": "x", "category_id": [[7, 1]]}`, `{"name": "x", "category_id": [["x"]]}`, `{"name": "x", "category_id": [[6, 0, 1]]}`,
		`{"name": "x", "category_id": [[6, 0]]}`, `{"name": "x", "category_id": [[4]]}`, `{"name": "x", "category_id": [[-1, 1]]}`, `{"name": "x", "category_id": [[6, 0, [1], 2]]}`,
		`{"name": "x", "category_id": [[0, 0, 5]]}`, `{"name": "x", "category_id": [[0, 0, {"nofield": 1}]]}`, `{"name": "x", "category_id": [[1.5, 0, {}]]}`,
		`{"name": "x", "bank_ids": "x"}`, `{"name": "x", "bank_ids": {"acc_number": "x"}}`, `{"name": "x", "bank_ids": [5]}`, `{"name": "x", "bank_ids": ["x"]}`,
		`{"name": "x", "bank_ids": [null]}`, `{"name": "x", "bank_ids": [{"nofield": 1}]}`, `{"name": "x", "bank_ids": [{"id": "x"}]}`, `{"name": "x", "bank_ids": [{"id": 0}]}`,
		`{"name": "x", "bank_ids": [{"id": -3, "acc_number": "x"}]}`, `{"name": "x", "bank_ids": [{"id": null}]}`, `{"name": "x", "bank_ids": [{"id": true}]}`,
		`{"name": "x", "bank_ids": [{"acc_number": 5}]}`, `{"name": "x", "bank_ids": [{"acc_number": "x"}, {"bank_id": {"name": "x"}}]}`,
		`{"name": "x", "bank_ids": [{"acc_number": "x"}, [4, 1]]}`, `{"name": "x", "bank_ids": [[0, 0, {"acc_number": ["x"]}]]}`,
		`{"name": "x", "child_ids": [{"name": "y", "child_ids": [{"nofield": 1}]}]}`, `{"name": "x", "child_ids": [{"name": "y", "category_id": [{"name": "z"}]}]}`,
		`{"name": "x", "child_ids": ` + deep(40) + `}`, `{"name": "x", "__context__": 5}`, `{"name": "x", "__context__": [1]}`, `{"name": "x", "__context__": "lang"}`,
	}
	add("POST", partner, 409, created, values...)
	add("PUT", partner+"/1", 409, updated, values...)
	add("POST", "/v2/res.partner", 422, created, values[0], values[8], values[60])
	add("PUT", "/v2/res.partner/1", 422, updated, values[0], values[8], values[60])

	// What Odoo refuses.
	add("POST", partner, 409, created, `{}`, `{"name": null}`, `{"name": "x", "type": "nonsense"}`, `{"name": "x", "date": "yesterday"}`,
		`{"name": "x", "country_id": 999999}`, `{"name": "x", "category_id": [999999]}`, `{"name": "x", "bank_ids": [{}]}`)
	add("PUT", partner+"/1", 409, updated, `{"type": "nonsense"}`, `{"date": "2020-13-45"}`, `{"country_id": 999999}`, `{"color": 99999999999}`,
		`{"bank_ids": [{"id": 999999, "acc_number": "x"}]}`)
	add("PUT", partner+"/999999", 409, updated, `{"name": "x"}`)
	add("PUT", partner+"/1,999999", 409, updated, `{"name": "x"}`)
	add("DELETE", partner+"/1", 409, deleted, ``)
	add("DELETE", partner+"/1,999999", 409, deleted, ``)
	add("POST", "/api/res.country", 409, created, `{"name": "x", "code": "BE"}`)
	add("POST", "/api/res.users", 409, created, `{"name": "x", "login": "admin"}`)

	// Bodies, ids, models.
	for _, body := range []string{
		"{", "}", "[", "[1]", "1", "null", `"x"`, "true", `{"name": }`, `{"name": "x"} x`, `{"name": "x", "name": "y"}`, "{'name': 'x'}",
		"\x00", "{\"name\": \"\xff\"}", `{"name": "\u0000"}`, "<xml/>", `{"color": 1e999}`, strings.Repeat("[", 100000), `{"name": "x"`,
	} {
		add("POST", partner, 400, "invalid_request_body", body)
		add("PUT", partner+"/1", 400, "invalid_request_body", body)
		add("DELETE", partner+"/1", 400, "invalid_request_body", body)
		add("PUT", partner+"/1/copy", 400, "invalid_request_body", body)
	}
	for _, id := range []string{"0", "-1", "x", "1.5", "1;2", ",", "1,", "1,,2", "1,x", "99999999999999999999999", "1%27", "%00", "0x10", "1,-2", "1,0", "%ff", "None", "[1]"} {
		add("PUT", partner+"/"+id, 400, "invalid_object_id", `{"name": "x"}`)
		add("DELETE", partner+"/"+id, 400, "invalid_object_id", ``)
		if id != "0" {
			add("PUT", partner+"/"+id+"/copy", 400, "invalid_object_id", `{}`)
		}
	}
	for _, model := range []string{"no.such.model", "res_partner", "RES.PARTNER", "res.partner'--", "res.partner%20"} {
		add("POST", "/api/"+model, 404, "model_not_found", `{"name": "x"}`)
		add("PUT", "/api/"+model+"/1", 404, "model_not_found", `{"name": "x"}`)
		add("DELETE", "/api/"+model+"/1", 404, "model_not_found", ``)
		add("PUT", "/api/"+model+"/1/copy", 404, "model_not_found", ``)
	}
	for _, text := range []string{"nofield=1", "color=red", "color=1.5", "active=yes", "country_id='BE'", "category_id=x", "category_id=[('x',)]", "bank_ids=[{'nofield': 1}]", "bank_ids=[[9,9]]", "__context__=x"} {
		name, value, _ := strings.Cut(text, "=")
		add("PUT", partner+"/1?"+name+"="+url.QueryEscape(value), 409, updated, ``)
		add("POST", partner+"?name=x&"+name+"="+url.QueryEscape(value), 409, created, ``)
	}

	// Methods.
	for _, method := range []string{"_write", "__init__", "_email_send", "init", "no_such_method", "name", "Copy", "copy%20", "copy;", "x'--", "%F0%9F%98%80", "copy%ff", strings.Repeat("x", 300)} {
		add("PUT", partner+"/1/"+method, 501, missing, `{}`)
	}
	add("PUT", partner+"/1/copy", 409, called, `{"nonsense": 1}`, `{"default": 5}`, `{"default": {"nofield": 1}, "x": 2}`, `{"context": {}}`, `{"self": 1}`, `{"": 1}`, `{"__context__": 5}`)
	add("PUT", partner+"/0/search_count", 409, called, `{"domain": [["nofield", "=", 1]]}`, `{"domain": "x"}`, `{"nonsense": []}`)
	add("PUT", partner+"/0/create", 409, called, `{}`, `{"vals_list": {"name": "x"}, "nonsense": 1}`, `{"vals_list": {"nofield": 1, "type": "nonsense", "name": "x"}}`)
	add("PUT", partner+"/1/write", 409, called, `{}`, `{"vals": 5}`, `{"vals": {"type": "nonsense"}}`)
	add("PUT", partner+"/1/unlink", 409, called, `{}`)
	add("PUT", partner+"/999999/copy", 409, called, `{}`)
	add("PUT", partner+"/1/action_archive", 409, called, `{"x": 1}`)
	return requests
}

// Ensure every bad write is answered with the contract's error and changes nothing.
func TestBadWrites(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		v := s.serve(t, nil)
		token := v.admin(t, s)
		before := s.written(t)
		requests := badWrites()
		if len(requests) < 300 {
			t.Errorf("only %d bad writes", len(requests))
		}
		for _, r := range requests {
			v.refuses(t, r, token)
		}
		if after := s.written(t); after != before {
			t.Errorf("what is written was %s, is %s", before, after)
			for _, r := range requests {
				before := s.written(t)
				v.refuses(t, r, token)
				if after := s.written(t); after != before {
					t.Errorf("changed by %s %s %.100s", r.method, r.path, r.body)
				}
			}
		}
		if got := v.send("PUT", "/api/res.partner/0/name_search", token, `{}`); got.status != 200 {
			t.Errorf("the server does not go on: %d %s", got.status, got.body)
		}
		t.Log(fmt.Sprint(len(requests), " bad writes"))
	})
}
