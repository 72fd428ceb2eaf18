package server

import (
	"testing"

	"lateral/writer"
)

// Ensure an update becomes one call with the field's own types, under the user's context.
func TestUpdate(t *testing.T) {
	h := setup(t, nil)
	got := h.do("PUT", "/api/res.partner/26,27?name=Tom%20Lenz&zip=123&color=4", "")
	if got.status != 200 || string(got.body) != "{}" {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	want := "2 res.partner.write[[26 27] map[color:4 name:Tom Lenz zip:123]] map[context:map[lang:en_US]]"
	if len(h.odoo.calls) != 1 || h.odoo.calls[0] != want {
		t.Errorf("got %q, want %q", h.odoo.calls, want)
	}
}

// Ensure what cannot be written is refused before Odoo is asked, and Odoo's refusals come with its words.
func TestUpdateRefused(t *testing.T) {
	for _, test := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"/api/res.partner/26?nothing=1", "", 409, "not_updated_object_in_odoo"},
		{"/api/res.partner/26?color=red", "", 409, "not_updated_object_in_odoo"},
		{"/api/res.partner/26", `{"name": ["x"]}`, 409, "not_updated_object_in_odoo"},
		{"/api/res.partner/26", `{"id": 3}`, 409, "not_updated_object_in_odoo"},
		{"/api/res.partner/26", `{"name": "x", "__context__": 3}`, 409, "not_updated_object_in_odoo"},
		{"/v2/res.partner/26?nothing=1", "", 422, "not_updated_object_in_odoo"},
		{"/api/res.partner/x", "", 400, "invalid_object_id"},
		{"/api/res.partner/0", "", 400, "invalid_object_id"},
		{"/api/res.partner/1,,2", "", 400, "invalid_object_id"},
		{"/api/nothing/1", "", 404, "model_not_found"},
		{"/api/res.partner/26", "{", 400, "invalid_request_body"},
	} {
		h := setup(t, nil)
		got := h.do("PUT", test.path, test.body)
		if got.status != test.status || got.code() != test.code || len(h.odoo.calls) != 0 {
			t.Errorf("%s %s: got %d %s, calls %q", test.path, test.body, got.status, got.body, h.odoo.calls)
		}
	}
	for kind, status := range map[writer.Kind]int{writer.Access: 409, writer.Validation: 409, writer.Unavailable: 503, writer.Timeout: 504, writer.AccessDenied: 401} {
		h := setup(t, nil)
		h.odoo.refusal = &writer.Fault{Kind: kind, Message: "no"}
		if got := h.do("PUT", "/api/res.partner/26?name=x", ""); got.status != status {
			t.Errorf("fault %s: got %d %s", kind, got.status, got.body)
		}
	}
}
