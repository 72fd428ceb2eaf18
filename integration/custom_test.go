package integration

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lateral/auth"
	"lateral/integration/stack"
)

// plainValue makes a value of Odoo's RPC what the typed profile writes: an empty text or relation is
// null. It does so with both sides, so that false is null in booleans as well.
func plainValue(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return err.Error()
	}
	return withoutFalse(plain)
}

func withoutFalse(v any) any {
	switch v := v.(type) {
	case bool:
		if !v {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = withoutFalse(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = withoutFalse(v[key])
		}
	}
	return v
}

// makeManualModel makes a model and a field in the way of Odoo's user interface.
func (s *stand) makeManualModel(t *testing.T, admin auth.Credentials) {
	t.Helper()
	create := func(model string, values map[string]any) int64 {
		result := s.call(t, admin, model, "create", []any{values}, nil)
		if list, ok := result.([]any); ok {
			result = list[0]
		}
		return result.(int64)
	}
	field := func(values map[string]any) any { return []any{int64(0), int64(0), values} }
	model := create("ir.model", map[string]any{
		"name": "Lateral", "model": "x_lateral", "state": "manual",
		"field_id": []any{
			field(map[string]any{"name": "x_name", "ttype": "char", "field_description": "Name", "state": "manual"}),
			field(map[string]any{"name": "x_amount", "ttype": "float", "field_description": "Amount", "state": "manual"}),
			field(map[string]any{"name": "x_partner_id", "ttype": "many2one", "relation": "res.partner", "field_description": "Partner", "state": "manual"}),
		},
	})
	create("ir.model.access", map[string]any{"name": "x_lateral", "model_id": model, "perm_read": true, "perm_create": true, "perm_write": true})
	partners := s.call(t, admin, "ir.model", "search", []any{[]any{[]any{"model", "=", "res.partner"}}}, nil).([]any)
	create("ir.model.fields", map[string]any{
		"name": "x_lateral_code", "model_id": partners[0], "ttype": "char", "field_description": "Code", "state": "manual",
	})
	create("x_lateral", map[string]any{"x_name": "First", "x_amount": 1.5, "x_partner_id": int64(1)})
	create("x_lateral", map[string]any{"x_name": "Second"})
	s.call(t, admin, "res.partner", "write", []any{[]any{int64(1)}, map[string]any{"x_lateral_code": "C-1"}}, nil)
}

// Ensure that the models of an add-on that lateral has never seen, and those made in the user
// interface, are read as Odoo reads them, without being told of them.
func TestCustomAddon(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		// The service is there before the add-on.
		v := s.serve(t, nil)
		require.NoError(t, s.Install(context.Background(), "testdata/addons", "lateral_test"))
		s.makeManualModel(t, s.login(t, stack.RoleAdmin))
		reads := []struct {
			model, filters string
			domain         []any
			fields         string
			odooOnly       bool
		}{
			{model: "lateral.hidden", fields: "id name secret ruled_id", odooOnly: true},
			{model: "lateral.hidden", filters: `[("name", "ilike", "secret")]`, domain: []any{[]any{"name", "ilike", "secret"}}, fields: "id name", odooOnly: true},
			{model: "lateral.ruled", fields: "id name level hidden_ids"},
			{model: "lateral.ruled", fields: "id name level"},
			{model: "lateral.ruled", filters: `[("hidden_ids.secret", "=", True)]`, domain: []any{[]any{"hidden_ids.secret", "=", true}}, fields: "id name"},
			{model: "lateral.computed", fields: "id name amount factor total text ruled_ids category_id note"},
			{model: "lateral.computed", filters: `[("total", ">", 1)]`, domain: []any{[]any{"total", ">", int64(1)}}, fields: "id total"},
			{model: "res.partner.category", fields: "id name lateral_note", odooOnly: true},
			{model: "x_lateral", fields: "id x_name x_amount x_partner_id"},
			{model: "x_lateral", filters: `[("x_amount", ">", 0)]`, domain: []any{[]any{"x_amount", ">", int64(0)}}, fields: "id x_name display_name"},
			{model: "res.partner", filters: `[("x_lateral_code", "!=", False)]`, domain: []any{[]any{"x_lateral_code", "!=", false}}, fields: "id x_lateral_code"},
		}
		shown := map[string]int{}
		for _, role := range []string{stack.RoleAdmin, stack.RoleDemo, stack.RolePortal} {
			user, who := s.User(role), s.login(t, role)
			v.login(t, user.Login, user.Password)
			for _, read := range reads {
				name := role + " " + read.model + " " + read.filters
				names := []any{}
				for field := range strings.FieldsSeq(read.fields) {
					names = append(names, field)
				}
				domain := read.domain
				if domain == nil {
					domain = []any{}
				}
				want, refused := s.odoo.Execute(t.Context(), who, read.model, "search", []any{domain}, map[string]any{"order": "id"})
				if refused == nil {
					// 19.0's search_read knows nothing of a read in Python.
					want, refused = s.odoo.Execute(t.Context(), who, read.model, "read", []any{want, names}, map[string]any{"load": ""})
				}
				included, err := json.Marshal(names)
				require.NoError(t, err)
				path := "/v2/" + read.model + "?exclude_fields=*&order=id&include_fields=" + url.QueryEscape(string(included))
				if read.filters != "" {
					path += "&filters=" + url.QueryEscape(read.filters)
				}
				got := v.send("GET", path, v.token, "")
				if refused != nil {
					require.Equal(t, 403, got.status, "%s: Odoo says %v, and we %s", name, refused, got.body)
					continue
				}
				require.Equal(t, 200, got.status, "%s: %s", name, got.body)
				var page struct{ Results []any }
				require.NoError(t, json.Unmarshal(got.body, &page), name)
				require.Equal(t, plainValue(want), plainValue(page.Results), name)
				way := got.header.Get("X-Read-Path")
				if read.odooOnly {
					require.Equal(t, "odoo", way, name)
				}
				t.Logf("%s: %s, %d records", name, way, len(page.Results))
				shown[role+" "+read.model] = max(shown[role+" "+read.model], len(page.Results))
			}
		}
		// The users differ in what they see, else nothing was proven.
		require.Equal(t, 2, shown["admin lateral.hidden"])
		require.Equal(t, 1, shown["demo lateral.hidden"])
		require.Equal(t, []int{3, 2, 1}, []int{shown["admin lateral.ruled"], shown["demo lateral.ruled"], shown["portal lateral.ruled"]})
	})
}
