package integration

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"lateral/integration/stack"
)

// documentClient makes the requests that an OpenAPI document describes, and holds both requests and
// answers against it.
type documentClient struct {
	t        *testing.T
	v        *service
	document *openapi3.T
	router   routers.Router
}

// newDocumentClient gets the document of the user who is logged in, and checks it.
func newDocumentClient(t *testing.T, v *service, path string) *documentClient {
	t.Helper()
	got := v.send("GET", path, v.token, "")
	if got.status != 200 {
		t.Fatalf("%s: %d %.500s", path, got.status, got.body)
	}
	document, err := openapi3.NewLoader().LoadFromData(got.body)
	if err == nil {
		err = document.Validate(t.Context())
	}
	if err != nil {
		t.Fatalf("%s is not valid: %.2000v", path, err)
	}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	return &documentClient{t: t, v: v, document: document, router: router}
}

// get makes a request and returns its answer.
func (c *documentClient) get(path string) answer {
	c.t.Helper()
	got := c.v.send("GET", path, c.v.token, "")
	request, err := http.NewRequest("GET", c.v.url+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Access-Token", c.v.token)
	// The document's server is the root of whatever serves it.
	request.URL.Scheme, request.URL.Host = "", ""
	route, parameters, err := c.router.FindRoute(request)
	if err != nil {
		c.t.Errorf("%s is not in the document: %v", path, err)
		return got
	}
	input := &openapi3filter.RequestValidationInput{
		Request: request, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	if err := openapi3filter.ValidateRequest(c.t.Context(), input); err != nil {
		c.t.Errorf("%s: the request does not fit the document: %.1000v", path, err)
	}
	response := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: got.status, Header: got.header, Options: input.Options,
		Body: io.NopCloser(bytes.NewReader(got.body)),
	}
	if err := openapi3filter.ValidateResponse(c.t.Context(), response); err != nil {
		c.t.Errorf("%s: the answer does not fit the document: %.1500v", path, err)
	}
	return got
}

// models are those that the document has operations of.
func (c *documentClient) models(base string) []string {
	var names []string
	for path := range c.document.Paths.Map() {
		if name := strings.TrimPrefix(path, base+"/"); !strings.Contains(name, "/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Ensure each user's document is valid, describes what the user then gets, and names neither models
// nor fields that Odoo hides from the user.
func TestOpenAPI(t *testing.T) {
	asked := "res.partner,res.country,sale.order,sale.order.line,product.template,res.currency"
	queries := map[string]string{
		stack.RoleAdmin: "?examples=true&models=" + asked, stack.RoleDemo: "?models=" + asked, stack.RolePortal: "?models=res.partner,res.country,sale.order",
	}
	eachVersion(t, func(t *testing.T, s *stand) {
		v := s.serve(t, map[string]string{
			"sale.order.schema": "{'read_one': ('id', 'name', 'state', ('partner_id', ('id', 'name')), ('order_line', [('id', 'name', 'price_unit', 'product_id')]))}",
		})
		for role, query := range queries {
			user := s.User(role)
			v.login(t, user.Login, user.Password)
			who := s.login(t, role)
			for _, base := range []string{"/api", "/v2"} {
				c := newDocumentClient(t, v, base+"/openapi.json"+query)
				models := c.models(base)
				if want := strings.Count(query, ",") + 1; len(models) != want {
					t.Errorf("%s %s: %d models, want %d: %v", role, base, len(models), want, models)
				}
				for _, model := range models {
					visible, _ := s.call(t, who, model, "fields_get", nil, map[string]any{"attributes": []any{"string", "help"}}).(map[string]any)
					for name, property := range c.document.Components.Schemas[model].Value.Properties {
						attributes, ok := visible[name].(map[string]any)
						if !ok {
							t.Errorf("%s %s: %s has the hidden field %s", role, base, model, name)
						} else if property.Value.Title != attributes["string"] {
							t.Errorf("%s %s: the label of %s.%s is %q, want %q", role, base, model, name, property.Value.Title, attributes["string"])
						}
					}
					got := c.get(base + "/" + model + "?" + url.Values{"limit": {"3"}, "order": {"id"}}.Encode())
					var page struct{ Results []struct{ ID json.Number } }
					if err := json.Unmarshal(got.body, &page); err != nil || got.status != 200 {
						t.Errorf("%s %s/%s: %d %.300s", role, base, model, got.status, got.body)
					}
					for _, record := range page.Results[:min(1, len(page.Results))] {
						c.get(base + "/" + model + "/" + record.ID.String())
					}
					c.get(base + "/" + model + "/999999999")
				}
			}
			if role == stack.RolePortal {
				if got := v.send("GET", "/v2/openapi.json?models=ir.config_parameter", v.token, ""); got.status != 403 {
					t.Errorf("a model the user may not read: %d %.300s", got.status, got.body)
				}
			}
		}
		if got := v.send("GET", "/api/openapi.json?models=no.model", v.token, ""); got.status != 404 {
			t.Errorf("no model: %d %.300s", got.status, got.body)
		}
		if got := v.send("GET", "/v2/openapi.json", "", ""); got.status != 401 {
			t.Errorf("without a token: %d %.300s", got.status, got.body)
		}
		for path, kind := range map[string]string{"/docs": "html", "/docs/swagger-ui.css": "css", "/docs/swagger-ui-bundle.js": "javascript"} {
			got := v.send("GET", path, "", "")
			if got.status != 200 || !strings.Contains(got.header.Get("Content-Type"), kind) || len(got.body) == 0 {
				t.Errorf("%s: %d %s, %d bytes", path, got.status, got.header.Get("Content-Type"), len(got.body))
			}
		}
	})
}
