package integration

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"testing"

	"lateral/auth"
	"lateral/integration/stack"
)

// client is a client of a running service, and the judge of what it has done: Odoo itself, asked by
// RPC.
type client struct {
	t     *testing.T
	s     *stand
	v     *service
	token string
	admin auth.Credentials // the judge
}

// client logs a role's user in to a service.
func (s *stand) client(t *testing.T, v *service, role string) client {
	t.Helper()
	user := s.User(role)
	v.login(t, user.Login, user.Password)
	return client{t: t, s: s, v: v, token: v.token, admin: s.login(t, stack.RoleAdmin)}
}

// ask makes a request that must succeed with a status, and returns the answer's value.
func (c client) ask(method, path string, body any, status int) any {
	c.t.Helper()
	got := c.send(method, path, body)
	if got.err != nil || got.status != status {
		c.t.Fatalf("%s %s: got %d %.500s, %v\n%s", method, path, got.status, got.body, got.err, c.v.log)
	}
	var value any
	if err := json.Unmarshal(got.body, &value); err != nil {
		c.t.Fatalf("%s %s: %.200s: %v", method, path, got.body, err)
	}
	return value
}

// send makes a request. The body is a text that is sent as it is, or a value that is sent as JSON.
func (c client) send(method, path string, body any) answer {
	c.t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		text = string(encoded)
	}
	return c.v.send(method, path, c.token, text)
}

// create creates a record and returns its id.
func (c client) create(model string, values any) int64 {
	c.t.Helper()
	answer, _ := c.ask("POST", "/api/"+model, values, 200).(map[string]any)
	id, _ := answer["id"].(float64)
	if id < 1 {
		c.t.Fatalf("creating %s: no id in %v", model, answer)
	}
	return int64(id)
}

// refused makes a request that must be refused.
func (c client) refused(method, path string, body any, status int, code, says string) {
	c.t.Helper()
	got := c.send(method, path, body)
	if got.status != status || got.code() != code || !strings.Contains(string(got.body), says) {
		c.t.Errorf("%s %s %v: got %d %s, %v, want %d %s that says %q", method, path, body, got.status, got.body, got.err, status, code, says)
	}
}

// odoo calls a method in Odoo as the administrator.
func (c client) odoo(model, method string, args []any, kwargs map[string]any) any {
	c.t.Helper()
	return c.s.call(c.t, c.admin, model, method, args, kwargs)
}

// record reads fields of one record in Odoo.
func (c client) record(model string, id int64, fields ...any) map[string]any {
	c.t.Helper()
	return c.odoo(model, "read", []any{[]any{id}, fields}, nil).([]any)[0].(map[string]any)
}

// records reads fields of the records that a domain finds in Odoo, archived ones too, by id.
func (c client) records(model string, domain []any, fields ...any) []map[string]any {
	c.t.Helper()
	found := c.odoo(model, "search_read", []any{domain, fields}, map[string]any{"order": "id", "context": map[string]any{"active_test": false}}).([]any)
	list := make([]map[string]any, len(found))
	for i, record := range found {
		list[i] = record.(map[string]any)
	}
	return list
}

// ids returns the ids of the first records of a model, n of them, in Odoo.
func (c client) ids(model string, domain []any, n int) []int64 {
	c.t.Helper()
	found := c.odoo(model, "search", []any{domain}, map[string]any{"limit": int64(n), "order": "id"}).([]any)
	if len(found) < n {
		c.t.Fatalf("Odoo has %d %s of %v, not %d", len(found), model, domain, n)
	}
	list := make([]int64, n)
	for i, id := range found {
		list[i] = id.(int64)
	}
	return list
}

// holds checks the values of a record in Odoo, which are compared as they are printed. A many2one is
// its id, the ids of an x2many are in rising order.
func (c client) holds(model string, id int64, want fields) {
	c.t.Helper()
	fields := make([]any, 0, len(want))
	for name := range want {
		fields = append(fields, name)
	}
	for name, got := range c.record(model, id, fields...) {
		switch ids, _ := got.([]any); {
		case len(ids) == 2 && fmt.Sprintf("%T", ids[1]) == "string":
			got = ids[0]
		case len(ids) > 1:
			sort.Slice(ids, func(i, j int) bool { return ids[i].(int64) < ids[j].(int64) })
		}
		if name != "id" && fmt.Sprint(got) != fmt.Sprint(want[name]) {
			c.t.Errorf("%s %d, %s: Odoo has %v, want %v", model, id, name, got, want[name])
		}
	}
}

// field returns the first of the names that a model has a field of: some were renamed between the
// versions.
func (c client) field(model string, names ...string) string {
	c.t.Helper()
	m := c.s.catalogue(c.t).Model(model)
	for _, name := range names {
		if m.Field(name) != nil {
			return name
		}
	}
	c.t.Fatalf("%s has none of %v", model, names)
	return ""
}
