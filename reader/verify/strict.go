package verify

import (
	"context"
	"errors"
	"slices"
	"strings"

	"lateral/schema"
	"lateral/writer"
)

// Where lateral refuses by design what Odoo happens to answer. Each is checked for what it is; a
// refusal for any other reason is a disagreement.
const (
	// strictCompany is a company in allowed_company_ids that is not the user's. Odoo's environment
	// refuses it only once a rule or a default asks for the company.
	strictCompany = "foreign company"
	// strictField is a field that the user may not read, or of a model that the user may not read, on
	// a level that has no records in this answer. Odoo is not asked to read it there; asked, it refuses.
	strictField = "hidden field of no record"
	// strictID is a nested many2one of which only the id is asked. Odoo need not read the record for
	// that, and so does not notice that the user may not.
	strictID = "nested id of a hidden record"
)

// stricter tells why lateral refuses what Odoo answers, "" where there is no good reason.
func (c *comparer) stricter(ctx context.Context, a asker, r Request, sql Outcome) (string, error) {
	if c.foreignCompany(r) {
		return strictCompany, nil
	}
	if hidden, err := c.refusesField(ctx, a, r, sql.At); err != nil || hidden {
		return strictField, err
	}
	if wants := c.readNested(r.Model, r.Wants); wants != nil {
		r.Wants = wants
		noticed, err := c.oracle.Ask(ctx, r, false)
		if err == nil && noticed.Refusal == RefusedAccess {
			return strictID, nil
		}
		return "", err
	}
	return "", nil
}

// foreignCompany reports whether a request names a company that is not the user's.
func (c *comparer) foreignCompany(r Request) bool {
	companies, _ := r.Context["allowed_company_ids"].([]any)
	return slices.ContainsFunc(companies, func(id any) bool {
		n, ok := id.(int64)
		return ok && !slices.Contains(c.users[r.User].Companies, n)
	})
}

// refusesField reports whether Odoo refuses the user the field at a path whatever the records.
func (c *comparer) refusesField(ctx context.Context, a asker, r Request, at string) (bool, error) {
	if at == "" {
		return false, nil
	}
	model := c.catalogue.Model(r.Model)
	names := strings.Split(at, ".")
	for _, name := range names[:len(names)-1] {
		f := model.Field(name)
		if f == nil || c.catalogue.Model(f.Comodel) == nil {
			return false, nil
		}
		model = c.catalogue.Model(f.Comodel)
	}
	_, err := a.search(ctx, model.Name, []any{[]any{"id", "=", int64(0)}}, "")
	if err == nil {
		kwargs := map[string]any{"fields": []any{names[len(names)-1]}, "load": "", "context": a.context}
		_, err = a.odoo.Execute(ctx, a.who, model.Name, "read", []any{[]any{}}, kwargs)
	}
	if fault, ok := errors.AsType[*writer.Fault](err); ok && fault.Kind == writer.Access {
		return true, nil
	}
	return false, err
}

// readNested asks, of every nested many2one of which only the id is wanted, for one more field, so
// that Odoo reads the record. It returns nil where there is none.
func (c *comparer) readNested(model string, wants []Want) []Want {
	changed := slices.Clone(wants)
	found := false
	for i, w := range wants {
		f := c.catalogue.Model(model).Field(w.Name)
		if w.Form == schema.Plain || f == nil {
			continue
		}
		if sub := c.readNested(f.Comodel, w.Sub); sub != nil {
			changed[i].Sub, found = sub, true
		}
		comodel := c.catalogue.Model(f.Comodel)
		if f.Type == schema.Many2one && len(w.Sub) == 1 && w.Sub[0].Name == "id" && comodel.Field("create_date") != nil {
			changed[i].Sub, found = append(slices.Clone(w.Sub), Want{Name: "create_date"}), true
		}
	}
	if !found {
		return nil
	}
	return changed
}
