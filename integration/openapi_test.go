package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/go-cmp/cmp"

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

// describedAs tells where the schema of a property says something else than Odoo's fields_get: the label,
// the help, or the values of a selection with their labels.
func describedAs(property *openapi3.Schema, attributes map[string]any) string {
	if property.Title != attributes["string"] {
		return fmt.Sprintf("the label %q, want %q", property.Title, attributes["string"])
	}
	if help, _ := attributes["help"].(string); !strings.HasPrefix(property.Description, help) {
		return fmt.Sprintf("the description %q, want the help %q", property.Description, help)
	}
	choices, _ := attributes["selection"].([]any)
	if len(choices) == 0 || len(choices) > 100 {
		return ""
	}
	values := []any{}
	for _, choice := range choices {
		pair := choice.([]any)
		values = append(values, pair[0])
		if line := fmt.Sprintf("`%s`: %s", pair[0], pair[1]); !strings.Contains(property.Description, line) {
			return fmt.Sprintf("the description %q without %s", property.Description, line)
		}
	}
	if diff := cmp.Diff(append(values, nil), property.Enum); diff != "" {
		return "another enum: " + diff
	}
	return ""
}

// examples checks that the examples of a model are what its routes answer at this moment.
func (c *documentClient) examples(path string) {
	c.t.Helper()
	of := func(path string) any {
		return c.document.Paths.Find(path).Get.Responses.Value("200").Value.Content["application/json"].Example
	}
	page, _ := of(path).(map[string]any)
	results, _ := page["results"].([]any)
	record, _ := of(path + "/{id}").(map[string]any)
	if len(results) != 1 || record["id"] == nil {
		c.t.Errorf("%s has no examples: %v, %v", path, page, record)
		return
	}
	var now map[string]any
	got := c.v.send("GET", fmt.Sprintf("%s/%v", path, record["id"]), c.v.token, "")
	if err := json.Unmarshal(got.body, &now); err != nil || got.status != 200 {
		c.t.Fatalf("%s/%v: %d %.300s", path, record["id"], got.status, got.body)
	}
	for name, value := range record {
		if diff := cmp.Diff(now[name], value); diff != "" {
			c.t.Errorf("%s: the example's %s is not the record's: %s", path, name, diff)
		}
	}
}

// Ensure the whole document has every model that Odoo lets the user read, with every operation, and no other.
func TestOpenAPIOfAllModels(t *testing.T) {
	s := shared(t, versions()[0])
	v := s.serve(t, nil)
	for _, role := range []string{stack.RoleAdmin, stack.RolePortal} {
		user := s.User(role)
		v.login(t, user.Login, user.Password)
		who := s.login(t, role)
		start := time.Now()
		c := newDocumentClient(t, v, "/v2/openapi.json")
		t.Logf("%s: %d models in %v", role, len(c.models("/v2")), time.Since(start))
		described := map[string]bool{}
		for _, model := range c.models("/v2") {
			described[model] = true
			for path, verbs := range map[string][]string{"": {"GET", "POST"}, "/{id}": {"GET", "PUT", "DELETE"}, "/{id}/{method}": {"PUT"}} {
				item := c.document.Paths.Find("/v2/" + model + path)
				for _, verb := range verbs {
					if item == nil || item.GetOperation(verb) == nil {
						t.Errorf("%s: %s has no %s %s", role, model, verb, path)
					}
				}
			}
		}
		asked, arguments := "has_access", []any{[]any{}, "read"}
		if !s.catalogue(t).Features.ModernDomains {
			asked, arguments = "check_access_rights", []any{"read", false}
		}
		for _, model := range s.catalogue(t).ModelNames() {
			if may := s.call(t, who, model, asked, arguments, nil); described[model] != may {
				t.Errorf("%s: %s is described: %v, Odoo lets the user read it: %v", role, model, described[model], may)
			}
		}
	}
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
					visible, _ := s.call(t, who, model, "fields_get", nil, map[string]any{"attributes": []any{"string", "help", "selection"}}).(map[string]any)
					for name, property := range c.document.Components.Schemas[model].Value.Properties {
						attributes, ok := visible[name].(map[string]any)
						if !ok {
							t.Errorf("%s %s: %s has the hidden field %s", role, base, model, name)
							continue
						}
						if wrong := describedAs(property.Value, attributes); wrong != "" {
							t.Errorf("%s %s: %s.%s has %s", role, base, model, name, wrong)
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
					if strings.Contains(query, "examples") {
						c.examples(base + "/" + model)
					}
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
