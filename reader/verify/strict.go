package verify

import (
	"context"
	"errors"
	"slices"
	"strings"

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
)

// stricter tells why lateral refuses what Odoo answers, "" where there is no good reason.
func (c *comparer) stricter(ctx context.Context, a asker, r Request, sql outcome) (string, error) {
	if companies, ok := r.Context["allowed_company_ids"].([]any); ok {
		for _, id := range companies {
			if n, ok := id.(int64); ok && !slices.Contains(c.users[r.User].Companies, n) {
				return strictCompany, nil
			}
		}
	}
	if sql.at == "" {
		return "", nil
	}
	model := c.catalogue.Model(r.Model)
	names := strings.Split(sql.at, ".")
	for _, name := range names[:len(names)-1] {
		f := model.Field(name)
		if f == nil || c.catalogue.Model(f.Comodel) == nil {
			return "", nil
		}
		model = c.catalogue.Model(f.Comodel)
	}
	kwargs := map[string]any{"fields": []any{names[len(names)-1]}, "load": "", "context": a.context}
	_, err := a.search(ctx, model.Name, []any{[]any{"id", "=", int64(0)}}, "")
	if fault, ok := errors.AsType[*writer.Fault](err); ok && fault.Kind == writer.Access {
		return strictField, nil
	}
	if err != nil {
		return "", err
	}
	_, err = a.odoo.Execute(ctx, a.who, model.Name, "read", []any{[]any{}}, kwargs)
	if fault, ok := errors.AsType[*writer.Fault](err); ok && fault.Kind == writer.Access {
		return strictField, nil
	}
	return "", err
}
