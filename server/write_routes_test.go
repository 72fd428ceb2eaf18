package server

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"lateral/reader"
	"lateral/schema"
	"lateral/writer"
)

// asked makes one request and checks the answer and the calls that Odoo has got.
func (h *harness) asked(method, path, body string, status int, answer string, calls ...string) {
	h.t.Helper()
	h.odoo.calls = nil
	got := h.do(method, path, body)
	if got.status != status || got.body != answer {
		h.t.Errorf("%s %s %s: got %d %s, want %d %s", method, path, body, got.status, got.body, status, answer)
	}
	if fmt.Sprintf("%q", h.odoo.calls) != fmt.Sprintf("%q", calls) {
		h.t.Errorf("%s %s %s: calls %q, want %q", method, path, body, h.odoo.calls, calls)
	}
}

// Ensure a write becomes one call with the field's own types, under the user's context.
func TestWrites(t *testing.T) {
	h := setup(t, nil)
	const user = " map[context:map[lang:en_US]]"
	h.asked("PUT", "/api/res.partner/26,27,26?name=Tom%20Lenz&zip=123&color=4", "", 200, "{}",
		"2 res.partner.write[[26 27] map[color:4 name:Tom Lenz zip:123]]"+user)
	h.asked("DELETE", "/api/res.partner/26,27", "", 200, "{}", "2 res.partner.unlink[[26 27]]"+user)
	h.asked("DELETE", "/api/res.partner/26", `{"__context__": {"lang": "fr_FR", "x": 1}}`, 200, "{}",
		"2 res.partner.unlink[[26]] map[context:map[lang:fr_FR x:1]]")
	h.odoo.id = int64(45)
	h.asked("POST", "/api/res.partner", `{"name": "n"}`, 200, `{"id": 45}`, "2 res.partner.create[map[name:n]]"+user)
	h.asked("POST", "/v2/res.partner?name=7", "", 201, `{"id": 45}`, "2 res.partner.create[map[name:7]]"+user)
}

// Ensure calls pass named arguments as they are, and the result too.
func TestCalls(t *testing.T) {
	h := setup(t, nil)
	const user = "context:map[lang:en_US]"
	h.odoo.result = []byte(`{"contact": 26}`)
	h.asked("PUT", "/api/res.partner/26,27/frob?x=['a',None]&y=7", `{"z": {"k": [1.5]}}`, 200, `{"contact": 26}`,
		"2 res.partner.frob[] map["+user+" x:[a <nil>] y:7 z:map[k:[1.5]]]", "2 res.partner.frob[[26 27]] map["+user+" x:[a <nil>] y:7 z:map[k:[1.5]]]")
	h.odoo.result = []byte(`null`)
	h.asked("PUT", "/v2/res.partner/0/frob", "", 200, `null`, "2 res.partner.frob[[]] map["+user+"]")
	h.odoo.result = []byte(`45`)
	h.asked("PUT", "/api/res.partner/26/copy", "", 200, `["res.partner", [45]]`, "2 res.partner.copy[] map["+user+"]")
}

// withPreset gives res.partner a preset with defaults, a schema of the create's answer and success codes.
func withPreset(deps *Deps, _ *Config) {
	deps.Presets = func(context.Context, string) (*schema.Preset, error) {
		return &schema.Preset{
			Available: true, Defaults: map[string]any{"name": "default", "color": int64(1)},
			CreateOne: &schema.Tree{Items: []schema.Item{{Name: "id"}}}, SuccessCodes: map[string]int{"delete_one": 204, "call_method": 202},
		}, nil
	}
}

// Ensure defaults overwrite what a client sent, or fill in, by the profile, and the answer is read by
// the preset's schema; where it cannot be read, the create has succeeded all the same.
func TestCreatePreset(t *testing.T) {
	h := setup(t, withPreset)
	h.odoo.id, h.reader.docs = int64(45), []string{`{"id":45,"x":1}`}
	h.asked("POST", "/api/res.partner", `{"name": "mine"}`, 200, `{"id":45,"x":1}`, "2 res.partner.create[map[color:1 name:default]] map[context:map[lang:en_US]]")
	if q := h.reader.query(t); !q.Created || !q.One || q.ID != 45 || q.Model != "res.partner" {
		t.Errorf("the answer is read by %+v", q)
	}
	h.asked("POST", "/v2/res.partner", `{"name": "mine"}`, 201, `{"id":45,"x":1}`, "2 res.partner.create[map[color:1 name:mine]] map[context:map[lang:en_US]]")
	h.odoo.result = []byte("1")
	if got := h.do("DELETE", "/api/res.partner/1", ""); got.status != 204 {
		t.Errorf("delete: got %d", got.status)
	}
	if got := h.do("PUT", "/api/res.partner/1/frob", ""); got.status != 202 {
		t.Errorf("call: got %d", got.status)
	}
	h.reader.docs = nil
	h.asked("POST", "/api/res.partner", `{}`, 200, `{"id": 45}`, "2 res.partner.create[map[color:1 name:default]] map[context:map[lang:en_US]]")
	h.reader.err = &reader.Error{Kind: reader.Denied, Message: "no"}
	h.asked("POST", "/api/res.partner", `{}`, 200, `{"id": 45}`, "2 res.partner.create[map[color:1 name:default]] map[context:map[lang:en_US]]")
}

// Ensure what cannot be written is refused before Odoo is asked, with the place where it is wrong.
func TestWritesRefused(t *testing.T) {
	const created, updated, deleted, called = "not_created_object_in_odoo", "not_updated_object_in_odoo", "not_deleted_object_in_odoo", "not_called_method_in_odoo"
	for _, test := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"PUT", "/api/res.partner/26?nothing=1", "", 409, updated},
		{"PUT", "/api/res.partner/26?color=red", "", 409, updated},
		{"PUT", "/api/res.partner/26", `{"name": ["x"]}`, 409, updated},
		{"PUT", "/api/res.partner/26", `{"id": 3}`, 409, updated},
		{"PUT", "/api/res.partner/26", `{"name": "x", "__context__": 3}`, 409, updated},
		{"PUT", "/v2/res.partner/26?nothing=1", "", 422, updated},
		{"PUT", "/api/res.partner/x", "", 400, "invalid_object_id"},
		{"PUT", "/api/res.partner/0", "", 400, "invalid_object_id"},
		{"PUT", "/api/res.partner/1,,2", "", 400, "invalid_object_id"},
		{"PUT", "/api/nothing/1", "", 404, "model_not_found"},
		{"PUT", "/api/res.partner/26", "{", 400, "invalid_request_body"},
		{"POST", "/api/res.partner", `{"nothing": 1}`, 409, created},
		{"POST", "/v2/res.partner", `{"nothing": 1}`, 422, created},
		{"POST", "/api/res.partner", `{"id": 1}`, 409, created},
		{"POST", "/api/res.partner", `[1]`, 400, "invalid_request_body"},
		{"POST", "/api/nothing", "", 404, "model_not_found"},
		{"DELETE", "/api/res.partner/0", "", 400, "invalid_object_id"},
		{"DELETE", "/api/res.partner/1", `{"__context__": [1]}`, 409, deleted},
		{"PUT", "/api/res.partner/0,1/copy", "", 400, "invalid_object_id"},
		{"PUT", "/api/res.partner/x/copy", "", 400, "invalid_object_id"},
		{"PUT", "/api/res.partner/1/_email_send", "", 501, "method_not_exist_in_odoo"},
		{"PUT", "/api/res.partner/1/%5Femail_send", "", 501, "method_not_exist_in_odoo"},
		{"PUT", "/api/res.partner/1/copy%ff", "", 501, "method_not_exist_in_odoo"},
		{"PUT", "/api/res.partner/1/copy", `{"context": {}}`, 409, called},
		{"PUT", "/v2/res.partner/0/create", `{}`, 422, called},
		{"PUT", "/api/res.partner/1/copy", `{"__context__": "x"}`, 409, called},
	} {
		h := setup(t, nil)
		got := h.do(test.method, test.path, test.body)
		if got.status != test.status || got.code() != test.code || len(h.odoo.calls) != 0 {
			t.Errorf("%s %s %s: got %d %s, calls %q", test.method, test.path, test.body, got.status, got.body, h.odoo.calls)
		}
		if test.status == 422 && !strings.Contains(got.body, `"path":`) {
			t.Errorf("%s %s: no path in %s", test.method, test.path, got.body)
		}
	}
}

// Ensure Odoo's refusals and failures get their statuses by profile, and what is not known is said.
func TestWriteFaults(t *testing.T) {
	for _, test := range []struct {
		kind           writer.Kind
		classic, typed int
		says           string
	}{
		{writer.Access, 409, 403, "ERROR: no"},
		{writer.Validation, 409, 422, "ERROR: no"},
		{writer.Missing, 409, 404, "ERROR: no"},
		{writer.BadValue, 409, 422, "ERROR: no"},
		{writer.BadArguments, 409, 422, "ERROR: no"},
		{writer.Conflict, 409, 409, "ERROR: no"},
		{writer.NoMethod, 501, 501, "no"},
		{writer.AccessDenied, 401, 401, "login"},
		{writer.Unavailable, 503, 503, "not known"},
		{writer.Timeout, 504, 504, "not known"},
		{writer.Canceled, 503, 503, "not known"},
		{writer.Internal, 503, 503, "not known"},
		{writer.Unreturnable, 500, 500, "has done it"},
		{writer.TooLarge, 500, 500, "has done it"},
	} {
		h := setup(t, nil)
		h.odoo.refusal = &writer.Fault{Kind: test.kind, Message: "no"}
		for path, status := range map[string]int{"/api/res.partner/26/frob2": test.classic, "/v2/res.partner/26/frob2": test.typed} {
			got := h.do("PUT", path, "")
			if got.status != status || !strings.Contains(got.body, test.says) {
				t.Errorf("fault %s, %s: got %d %s", test.kind, path, got.status, got.body)
			}
			if unsure := strings.Contains(got.body, "not known"); unsure && got.header.Get("Retry-After") != "" {
				t.Errorf("fault %s: invites to send again what may have run", test.kind)
			}
			if again := got.header.Get("Retry-After") != ""; again != (test.kind == writer.Conflict) {
				t.Errorf("fault %s: Retry-After %q", test.kind, got.header.Get("Retry-After"))
			}
		}
	}
}
