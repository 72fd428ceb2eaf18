package integration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lateral/integration/stack"
)

// Ensure two aliases give two versions of one resource, for reads and writes, beside the model itself,
// that endpoints, aliases, contents, keys and presets are in a document that is valid and holds true,
// and that a path that is taken is refused with its place.
func TestAliases(t *testing.T) {
	s := shared(t, versions()[0]).fork(t)
	v := s.serve(t, map[string]string{
		"v1-banks.alias":  "{'path': 'v1/banks', 'model': 'res.bank', 'read_all': ('id', 'name'), 'read_one': ('id', 'name'), 'create_one': ('id', 'name'), 'defaults': {'city': 'Old'}}",
		"v2-banks.alias":  "{'path': 'v2/banks', 'model': 'res.bank',\n 'read_all': ('id', ('country', ('code',))), 'read_one': ('id', 'city', 'bic'), 'create_one': ('id', 'city'),\n 'domain': [('bic', '!=', False)], 'success_codes': {'create_one': 201, 'delete_one': 204}}",
		"taken.alias":     "{'model': 'res.bank',\n'path': 'res.partner/banks'}",
		"res.bank.schema": "{'available': False}",
	}, "LATERAL_ENDPOINTS_FOLDER="+scripts(t, map[string]string{
		"a.star": "def f(request, env):\n    \"\"\"Tells the year.\"\"\"\n    return {\"year\": request.path[\"year\"]}\n\nendpoint(\"/years/{year}\", [\"GET\", \"PUT\"], f, summary = \"A year\")\n",
		"b.star": "def f(request, env):\n    pass\n\nendpoint('/v1/banks/best', ['GET'], f)\n",
	}))
	c := s.client(t, v, stack.RoleAdmin)
	c.refused("GET", "/api/res.bank", nil, 501, "model_not_available", "res.bank")
	one := c.ask("POST", "/api/v1/banks", map[string]any{"name": "One", "bic": "BIC1"}, 200).(map[string]any)
	two := c.ask("POST", "/api/v2/banks", map[string]any{"name": "Two", "city": "New"}, 201).(map[string]any)
	if one["name"] != "One" || two["city"] != "New" || len(one) != 2 || len(two) != 2 {
		t.Errorf("created: %v, %v", one, two)
	}
	first, second := int64(one["id"].(float64)), int64(two["id"].(float64))
	c.holds("res.bank", first, fields{"name": "One", "city": "Old", "bic": "BIC1"})
	got, _ := json.Marshal(c.ask("GET", fmt.Sprintf("/api/v1/banks?filters=[('id','in',[%d,%d])]&order=id", first, second), nil, 200))
	if want := fmt.Sprintf(`{"count":2,"results":[{"id":%d,"name":"One"},{"id":%d,"name":"Two"}]}`, first, second); string(got) != want {
		t.Errorf("first version: %s", got)
	}
	got, _ = json.Marshal(c.ask("GET", fmt.Sprintf("/api/v2/banks?filters=[('id','in',[%d,%d])]", first, second), nil, 200))
	if want := fmt.Sprintf(`{"count":1,"results":[{"country":null,"id":%d}]}`, first); string(got) != want {
		t.Errorf("second version: %s", got)
	}
	c.ask("PUT", fmt.Sprintf("/api/v2/banks/%d", first), map[string]any{"city": "Changed"}, 200)
	c.holds("res.bank", first, fields{"city": "Changed"})
	if got := c.ask("PUT", fmt.Sprintf("/api/v1/banks/%d/name_search", first), map[string]any{"name": "One"}, 200); !strings.Contains(fmt.Sprint(got), "One") {
		t.Errorf("a method: %v", got)
	}
	if got := c.send("DELETE", fmt.Sprintf("/api/v2/banks/%d", second), nil); got.status != 204 {
		t.Errorf("delete: %d %s", got.status, got.body)
	}
	c.refused("GET", fmt.Sprintf("/api/v1/banks/%d", second), nil, 404, "not_found_object_in_odoo", "")
	c.refused("GET", "/api/v1/banks/x", nil, 400, "invalid_object_id", "x")
	c.refused("GET", "/api/v1/banks?filters=[('nme','=',1)]", nil, 409, "not_read_object_in_odoo", "nme")
	c.refused("PUT", fmt.Sprintf("/api/v1/banks/%d", first), map[string]any{"nme": 1}, 409, "not_updated_object_in_odoo", "nme")
	c.refused("GET", "/api/v1", nil, 404, "model_not_found", "v1")
	portal := s.client(t, v, stack.RolePortal)
	portal.refused("POST", "/api/v1/banks", map[string]any{"name": "Mine"}, 409, "not_created_object_in_odoo", "AccessError")
	v.admin(t, s) // the documents are those of the user who logged in last

	for _, base := range []string{"/api", "/v2"} {
		d := newDocumentClient(t, v, base+"/openapi.json?models=res.lang,v1/banks&examples=true")
		d.describes(base+"/v1/banks", base+"/v1/banks/{id}", base+"/v1/banks/{id}/{method}", base+"/res.lang/{id}/{field}/content", "/studio/api/presets", "/studio/api/presets/{model}")
		if slices.Contains(d.paths(), base+"/v2/banks") || slices.Contains(d.paths(), base+"/res.bank") {
			t.Errorf("%s has what was not asked for: %v", base, d.paths())
		}
		d.get(base + "/v1/banks?limit=2")
		d.get(fmt.Sprintf("%s/v1/banks/%d", base, first))
		d.get("/studio/api/presets")
		if keys := d.document.Paths.Find(base + "/v1/banks").Post.Parameters; len(keys) != 1 || keys[0].Value.Name != "Idempotency-Key" {
			t.Errorf("%s: a create has the parameters %v", base, keys)
		}
	}
	d := newDocumentClient(t, v, "/v2/openapi.json?models=v2/banks")
	d.get("/v2/v2/banks")
	// What the portal user may not read is not named by an alias either.
	s.client(t, v, stack.RolePortal)
	d = newDocumentClient(t, v, "/v2/openapi.json?models=res.country")
	d.describes("/v2/years/{year}")
	if got := v.send("GET", "/v2/openapi.json?models=v1/banks", v.token, ""); got.status != 404 {
		t.Errorf("an alias of a model that the user may not read: %d %.300s", got.status, got.body)
	}
	if year := d.document.Paths.Find("/v2/years/{year}"); year.Get.Summary != "A year" || year.Get.Description != "Tells the year." || year.Put == nil {
		t.Errorf("an endpoint: %+v", year)
	}
	d.get("/v2/years/2024")
	for _, told := range []string{"taken.alias:2: path: res.partner is a model", "b.star:4: /v1/banks/best: v1/banks is an alias of res.bank"} {
		if !strings.Contains(v.log.String(), told) {
			t.Errorf("the log does not tell %s:\n%s", told, v.log)
		}
	}
}

// describes checks that the document has paths.
func (c *documentClient) describes(paths ...string) {
	c.t.Helper()
	for _, path := range paths {
		if c.document.Paths.Find(path) == nil {
			c.t.Errorf("the document does not have %s", path)
		}
	}
}

// paths are those of the document.
func (c *documentClient) paths() []string {
	var paths []string
	for path := range c.document.Paths.Map() {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}
