package integration

import (
	"errors"
	"io"
	"testing"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/reader"
)

// readDocuments reads one page and returns its documents and how the read went.
func readDocuments(t testing.TB, s *stand, who auth.Credentials, q reader.Query) ([]string, error) {
	t.Helper()
	q.Profile = reader.Classic()
	result, err := s.reader.Read(t.Context(), who, q)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	var documents []string
	for {
		document, err := result.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		documents = append(documents, string(document))
	}
}

// kindOf returns the kind of a reader's error, -1 of none.
func kindOf(err error) reader.Kind {
	var e *reader.Error
	switch {
	case err == nil:
		return -1
	case errors.As(err, &e):
		return e.Kind
	}
	return reader.Internal
}

// idOfXML returns the record behind an external id.
func (s *stand) idOfXML(t testing.TB, admin auth.Credentials, module, name string) int64 {
	t.Helper()
	found := s.call(t, admin, "ir.model.data", "search_read",
		[]any{[]any{[]any{"module", "=", module}, []any{"name", "=", name}}, []any{"res_id"}}, nil).([]any)
	if len(found) != 1 {
		t.Fatalf("there are %d records %s.%s", len(found), module, name)
	}
	return found[0].(map[string]any)["res_id"].(int64)
}

// Ensure a right given or taken in Odoo is effective in the very next read, with every cache warm.
func TestFreshness(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		admin, salesman := s.login(t, stack.RoleAdmin), s.login(t, stack.RoleSalesman)
		orders := reader.Query{Model: "sale.order", Order: "id", Limit: 500}
		count := func(what string, want int) {
			t.Helper()
			odoo := s.call(t, salesman, "sale.order", "search_count", []any{[]any{}}, nil)
			// The second read finds the caches warm, and the last ones a connection that has seen the same
			// snapshot so often that it reads no signals.
			for range 12 {
				documents, err := readDocuments(t, s, salesman, orders)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if len(documents) != int(odoo.(int64)) {
					t.Fatalf("%s: lateral shows %d orders, Odoo %d", what, len(documents), odoo)
				}
				if want >= 0 && len(documents) != want {
					t.Fatalf("%s: %d orders are shown, want %d", what, len(documents), want)
				}
			}
		}
		documents, err := readDocuments(t, s, salesman, orders)
		if err != nil || len(documents) == 0 {
			t.Fatalf("the salesman sees %d orders, %v", len(documents), err)
		}
		own := len(documents)
		count("own documents", own)

		groups := "groups_id"
		if s.Version == "19.0" {
			groups = "group_ids"
		}
		everything := s.idOfXML(t, admin, "sales_team", "group_sale_salesman_all_leads")
		s.call(t, admin, "res.users", "write", []any{[]any{salesman.UID}, map[string]any{groups: []any{[]any{int64(4), everything}}}}, nil)
		if documents, err = readDocuments(t, s, salesman, orders); err != nil || len(documents) <= own {
			t.Fatalf("with the group of all documents %d orders are shown, %v", len(documents), err)
		}
		count("all documents", -1)
		s.call(t, admin, "res.users", "write", []any{[]any{salesman.UID}, map[string]any{groups: []any{[]any{int64(3), everything}}}}, nil)
		if documents, err = readDocuments(t, s, salesman, orders); err != nil || len(documents) != own {
			t.Fatalf("with the group taken away %d orders are shown, %v, want %d", len(documents), err, own)
		}

		model := s.call(t, admin, "ir.model", "search", []any{[]any{[]any{"model", "=", "sale.order"}}}, nil).([]any)[0]
		rule := s.call(t, admin, "ir.rule", "create", []any{map[string]any{
			"name": "none", "model_id": model, "domain_force": "[('id', '=', 0)]",
		}}, nil)
		count("a new rule", 0)
		s.call(t, admin, "ir.rule", "write", []any{[]any{rule}, map[string]any{"domain_force": "[('id', '>', 0)]"}}, nil)
		count("a changed rule", own)
		s.call(t, admin, "ir.rule", "unlink", []any{[]any{rule}}, nil)
		count("a deleted rule", own)

		lines := s.call(t, admin, "ir.model.access", "search", []any{[]any{[]any{"model_id", "=", model}}}, nil).([]any)
		s.call(t, admin, "ir.model.access", "write", []any{lines, map[string]any{"perm_read": false}}, nil)
		if _, err := readDocuments(t, s, salesman, orders); kindOf(err) != reader.Denied {
			t.Fatalf("without any ACL: %v", err)
		}
		s.call(t, admin, "ir.model.access", "write", []any{lines, map[string]any{"perm_read": true}}, nil)
		count("the ACL back", own)

		s.freshField(t, admin, salesman, model)
		s.freshModel(t, admin, salesman)

		s.call(t, admin, "res.users", "write", []any{[]any{salesman.UID}, map[string]any{"active": false}}, nil)
		if _, err := readDocuments(t, s, salesman, orders); kindOf(err) != reader.InvalidToken {
			t.Fatalf("with the user archived: %v", err)
		}
	})
}

// freshField adds a custom field while lateral runs: it can be read at once, and no more once it is
// gone.
func (s *stand) freshField(t *testing.T, admin, user auth.Credentials, model any) {
	t.Helper()
	q := reader.Query{Model: "sale.order", Limit: 1, Include: "x_mark"}
	if _, err := readDocuments(t, s, user, q); kindOf(err) != reader.Invalid {
		t.Fatalf("a field that is not there: %v", err)
	}
	field := s.call(t, admin, "ir.model.fields", "create", []any{map[string]any{
		"name": "x_mark", "model_id": model, "ttype": "char", "field_description": "Mark", "state": "manual",
	}}, nil)
	documents, err := readDocuments(t, s, user, q)
	if err != nil || len(documents) != 1 {
		t.Fatalf("a new field: %v, %v", documents, err)
	}
	s.call(t, admin, "ir.model.fields", "unlink", []any{[]any{field}}, nil)
	if _, err := readDocuments(t, s, user, q); kindOf(err) != reader.Invalid {
		t.Fatalf("a field that is gone: %v", err)
	}
}

// freshModel adds a custom model while lateral runs: it is denied, then open, then under a rule as soon
// as Odoo has it so, and unknown once it is gone.
func (s *stand) freshModel(t *testing.T, admin, user auth.Credentials) {
	t.Helper()
	q := reader.Query{Model: "x_thing", Order: "id"}
	expect := func(what string, kind reader.Kind, count int) {
		t.Helper()
		for range 2 { // the second read finds the caches warm
			documents, err := readDocuments(t, s, user, q)
			if kindOf(err) != kind || len(documents) != count {
				t.Fatalf("%s: %d things are shown, %v, want %d", what, len(documents), err, count)
			}
		}
	}
	expect("a model that is not there", reader.ModelNotFound, 0)
	model := s.call(t, admin, "ir.model", "create", []any{map[string]any{"name": "Thing", "model": "x_thing", "state": "manual"}}, nil)
	expect("a new model", reader.Denied, 0)
	line := s.call(t, admin, "ir.model.access", "create", []any{map[string]any{"name": "things", "model_id": model, "perm_read": true}}, nil)
	// Odoo 19.0 itself forgets a line's rights before it makes one, and not after: with those to create
	// and to delete among them, its own cache would be out of date (ir_model.py, IrModelAccess.create).
	s.call(t, admin, "ir.model.access", "write", []any{[]any{line}, map[string]any{"perm_create": true}}, nil)
	expect("a new model with an ACL", -1, 0)
	for _, name := range []any{"one", "two", "three"} {
		s.call(t, admin, "x_thing", "create", []any{map[string]any{"x_name": name}}, nil)
	}
	expect("its records", -1, 3)
	s.call(t, admin, "ir.rule", "create", []any{map[string]any{
		"name": "things", "model_id": model, "domain_force": "[('x_name', '!=', 'two'), ('create_uid', '!=', user.id)]",
	}}, nil)
	expect("its rule", -1, 2)
	s.call(t, admin, "ir.model", "unlink", []any{[]any{model}}, nil)
	expect("a model that is gone", reader.ModelNotFound, 0)
}
