package server

import (
	"context"
	"strings"
	"testing"

	"lateral/auth"
	"lateral/reader"
	"lateral/schema"
)

// fakeExplorer knows one model; administrators are told the SQL.
type fakeExplorer struct{ administrator bool }

func (f fakeExplorer) Models(context.Context, auth.Credentials) (*reader.ModelList, error) {
	return &reader.ModelList{Administrator: f.administrator, Models: []reader.ListedModel{{Name: "res.partner", Label: "Contact <b>"}}}, nil
}

func (f fakeExplorer) Fields(ctx context.Context, who auth.Credentials, model string) (*reader.ModelFields, error) {
	if _, err := f.LabelField(ctx, who, model); err != nil {
		return nil, err
	}
	m := partnerCatalogue().Model(model)
	field := func(name, cost, reason string) reader.FieldCost {
		return reader.FieldCost{
			FieldDescription: reader.FieldDescription{Label: "The " + name}, NodeCost: reader.NodeCost{Path: name, Cost: cost, Reason: reason}, Field: m.Field(name),
		}
	}
	return &reader.ModelFields{Model: model, Label: "Contact", Path: "direct", Fields: []reader.FieldCost{
		field("color", "hybrid", "it is computed"), field("name", "direct", ""),
	}}, nil
}

func (f fakeExplorer) LabelField(_ context.Context, _ auth.Credentials, model string) (string, error) {
	switch model {
	case "res.partner":
		return "name", nil
	case "res.secret":
		return "", &reader.Error{Kind: reader.Denied, Message: "the user may not read it"}
	}
	return "", &reader.Error{Kind: reader.ModelNotFound, Message: "there is no such model"}
}

func (f fakeExplorer) Inspect(_ context.Context, _ auth.Credentials, q reader.Query) (*reader.Inspection, error) {
	if !q.Preset.Available {
		return nil, &reader.Error{Kind: reader.NotAvailable}
	}
	return &reader.Inspection{Path: "direct", SQL: "SELECT 1", Args: []string{"7"}, Plan: "Result", Nodes: []reader.NodeCost{{Path: "name", Cost: "direct"}}}, nil
}

func studioHarness(t *testing.T) *harness {
	return setup(t, func(d *Deps, _ *Config) { d.Explorer = fakeExplorer{administrator: true} })
}

// Ensure the page's files are served with a policy that keeps foreign and inline scripts out, and kept by
// the browser until they change.
func TestStudioPage(t *testing.T) {
	h := studioHarness(t)
	for path, kind := range map[string]string{
		"/studio": "text/html", "/studio/app.js": "text/javascript", "/studio/style.css": "text/css", "/studio/icon.svg": "image/svg+xml",
	} {
		got := h.anonymous("GET", path, "")
		policy := got.header.Get("Content-Security-Policy")
		if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), kind) || got.body == "" {
			t.Errorf("%s: %d %s", path, got.status, got.header.Get("Content-Type"))
		}
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "script-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		if again := h.anonymous("GET", path, "", "If-None-Match", got.header.Get("ETag")); again.status != 304 || again.body != "" {
			t.Errorf("%s again: %d", path, again.status)
		}
	}
	if page := h.anonymous("GET", "/studio", "").body; strings.Contains(page, "style=") || strings.Contains(page, "onclick=") || strings.Contains(page, "http://") {
		t.Error("the page has something inline or foreign")
	}
	for _, path := range []string{"/studio/no.js", "/studio/../server.go", "/studio/index.html", "/studio/api", "/studio/api/nothing"} {
		if got := h.anonymous("GET", path, ""); got.status != 404 || got.code() != "not_found" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

// Ensure the page's routes answer what it is made of.
func TestStudioRoutes(t *testing.T) {
	h := studioHarness(t)
	h.reader.docs = []string{`{"id":7,"name":"Zoë <b>"}`}
	const model = "/studio/api/models/res.partner"
	for _, test := range []struct{ method, path, body, want string }{
		{"GET", "/studio/api/models", "", `{"login":"admin","administrator":true,"models":[{"model":"res.partner","label":"Contact <b>","preset":false,"closed":false}]}`},
		{
			"GET", model, "",
			`{"model":"res.partner","label":"Contact","cost":"direct","fields":[{"name":"color","label":"The color","type":"integer","cost":"hybrid","reason":"it is computed"},{"name":"name","label":"The name","type":"char","cost":"direct"}]}`,
		},
		{"GET", model + "/records?search=zo", "", `[{"id":7,"label":"Zoë <b>"}]`},
		{"POST", model + "/schema", `{"text": "'name'"}`, `{"text":"'name'","line":"('name',)","tree":[{"name":"name"}]}`},
		{"POST", model + "/schema", `{"tree": [{"name": "name"}, {"name": "zip"}]}`, `{"text":"('name', 'zip')","line":"('name', 'zip')","tree":[{"name":"name"},{"name":"zip"}]}`},
		{"POST", model + "/parts", `{"text": "{'read_one': ('name',), 'available': False}"}`, `{"read_all":"","read_one":"('name',)","create_one":"","settings":"{\n    \"available\": False,\n}"}`},
		{"POST", model + "/text", `{"read_all": "'name'"}`, `{"text":"{\n    'read_all': 'name',\n}\n"}`},
	} {
		if got := h.do(test.method, test.path, test.body); got.status != 200 || got.body != test.want || got.header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("%s %s %s: %d %s\nwant %s", test.method, test.path, test.body, got.status, got.body, test.want)
		}
	}
	got := h.do("POST", model+"/preview", `{"operation": "read_one", "id": 7, "profile": "typed", "read_one": "('name',)", "settings": "{'available': False}"}`)
	for _, part := range []string{`"answer":"{\"id\":7,\"name\":\"Zoë <b>\"}"`, `"read_path":"direct"`, `"fields":[{"path":"name","cost":"direct"}]`, `"sql":"SELECT 1"`, `"plan":"Result"`} {
		if got.status != 200 || !strings.Contains(got.body, part) {
			t.Errorf("preview: %d %s lacks %s", got.status, got.body, part)
		}
	}
	q := h.reader.query(t)
	if !q.One || q.ID != 7 || q.Profile.Name != "typed" || schema.FormatTreeLine(q.Preset.ReadOne) != "('name',)" {
		t.Errorf("preview reads %+v", q)
	}
	h.reader.docs = docs(3, 200<<10)
	if got := h.do("POST", model+"/preview", `{"operation": "read_all"}`); got.status != 200 || !strings.Contains(got.body, `"truncated":true`) || len(got.body) > 300<<10 {
		t.Errorf("a long answer: %d, %d bytes", got.status, len(got.body))
	}
	h.reader.docs = nil
	if got := h.do("POST", model+"/preview", `{"operation": "create_one", "id": 8}`); got.status != 404 || got.code() != "not_found_object_in_odoo" {
		t.Errorf("no record: %d %s", got.status, got.body)
	}
}

// Ensure what is wrong with a request of the page is an error of the contract's form.
func TestStudioBadInput(t *testing.T) {
	h := studioHarness(t)
	const model = "/studio/api/models/res.partner"
	for _, test := range []struct {
		path, body string
		status     int
		code       string
	}{
		{model + "/schema", `{"text": "('name',"}`, 422, "invalid_schema"},
		{model + "/schema", `{"text": "('nme',)"}`, 422, "invalid_schema"},
		{model + "/schema", `{"text": ""}`, 422, "invalid_schema"},
		{model + "/schema", `{"text": "'na\u0000me'"}`, 400, "invalid_request_body"},
		{model + "/schema", `{"text": "'name'", "tree": []}`, 400, "invalid_request_body"},
		{model + "/schema", `{}`, 400, "invalid_request_body"},
		{model + "/schema", ``, 400, "invalid_request_body"},
		{model + "/schema", `{"text": 7}`, 400, "invalid_request_body"},
		{model + "/schema", `{"tree": "name"}`, 400, "invalid_request_body"},
		{model + "/schema", `{"tree": [7]}`, 400, "invalid_request_body"},
		{model + "/schema", `{"tree": [{"name": "name", "form": "both", "fields": [{"name": "id"}]}]}`, 400, "invalid_request_body"},
		{model + "/schema", `{"tree": ` + strings.Repeat(`[{"name": "name", "form": "one", "fields": `, 30) + `[]` + strings.Repeat(`}]`, 30) + `}`, 400, "invalid_request_body"},
		{model + "/schema", `{"tree": []}`, 422, "invalid_schema"},
		{model + "/schema", `{"tree": [{"name": "nme"}]}`, 422, "invalid_schema"},
		{model + "/schema", `{"tree": [{"name": "na'me\n"}]}`, 422, "invalid_schema"},
		{model + "/schema", `{"text": "'name'", "more": 1}`, 400, "invalid_request_body"},
		{model + "/schema", `{"text": "'name'"`, 400, "invalid_request_body"},
		{model + "/schema", `["'name'"]`, 400, "invalid_request_body"},
		{model + "/schema", "{\"text\": \"'\xff'\"}", 400, "invalid_request_body"},
		{model + "/schema", `{"text": "` + strings.Repeat(" ", schema.MaxLiteralBytes) + `'name'"}`, 422, "invalid_schema"},
		{"/studio/api/models/no.model/schema", `{"text": "'name'"}`, 404, "model_not_found"},
		{"/studio/api/models/res.secret/schema", `{"text": "'name'"}`, 403, "not_read_object_in_odoo"},
		{"/studio/api/models/res.secret/preview", `{"operation": "read_all"}`, 403, "not_read_object_in_odoo"},
		{"/studio/api/models/%ff/schema", `{}`, 404, "model_not_found"},
		{model + "/parts", `{"text": "7"}`, 422, "invalid_schema"},
		{model + "/parts", `{"text": "{'read_one': ("}`, 422, "invalid_schema"},
		{model + "/parts", `{"text": null}`, 422, "invalid_schema"},
		{model + "/text", `{"read_one": "("}`, 422, "invalid_schema"},
		{model + "/text", `{"settings": "{'what': 1}"}`, 422, "invalid_schema"},
		{model + "/text", `{"read_all": []}`, 400, "invalid_request_body"},
		{model + "/preview", `{}`, 400, "invalid_request_body"},
		{model + "/preview", `{"operation": "delete_one"}`, 400, "invalid_request_body"},
		{model + "/preview", `{"operation": "read_one"}`, 400, "invalid_request_body"},
		{model + "/preview", `{"operation": "read_one", "id": "7"}`, 400, "invalid_request_body"},
		{model + "/preview", `{"operation": "read_one", "id": -1}`, 400, "invalid_request_body"},
		{model + "/preview", `{"operation": "read_one", "id": 99999999999999999999}`, 400, "invalid_request_body"},
		{model + "/preview", `{"operation": "read_one", "id": 7, "profile": "other"}`, 400, "invalid_request_body"},
		{model + "/preview", `{"operation": "read_one", "id": 7, "read_one": "('nme',)"}`, 422, "invalid_schema"},
	} {
		got := h.do("POST", test.path, test.body)
		if got.status != test.status || got.code() != test.code {
			t.Errorf("%s %.100s: %d %.300s, want %d %s", test.path, test.body, got.status, got.body, test.status, test.code)
		}
	}
	if got := h.do("GET", model+"/records?search=%ff", ""); got.status != 400 {
		t.Errorf("broken UTF-8: %d %s", got.status, got.body)
	}
	got := h.do("POST", model+"/text", `{"read_one": "('name',\n'nme')", "settings": "{\n'what': 1}"}`)
	if !strings.Contains(got.body, `{"line":2,"key":"read_one",`) || !strings.Contains(got.body, `{"line":2,"key":"what",`) {
		t.Errorf("mistakes: %s", got.body)
	}
	for _, path := range []string{"/models", "/models/res.partner", "/models/res.partner/records"} {
		if got := h.anonymous("GET", "/studio/api"+path, ""); got.status != 401 || got.code() != "no_access_token" {
			t.Errorf("%s without a token: %d %s", path, got.status, got.body)
		}
		if got := h.anonymous("GET", "/studio/api"+path, "", "Access-Token", strings.Repeat("0", 40)); got.status != 401 || got.code() != "invalid_token" {
			t.Errorf("%s with a foreign token: %d %s", path, got.status, got.body)
		}
		if got := h.do("DELETE", "/studio/api"+path, ""); got.status != 405 {
			t.Errorf("DELETE %s: %d %s", path, got.status, got.body)
		}
	}
}
