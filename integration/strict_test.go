package integration

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"lateral/reader/verify"
	"lateral/schema"
)

// Where lateral refuses by design what Odoo happens to answer. Each is checked for what it is; a
// refusal for any other reason is a disagreement.
const (
	// strictCompany is a company in allowed_company_ids that is not the user's. Odoo's environment
	// refuses it only once a rule or a default asks for the company.
	strictCompany = "foreign company"
	// strictField is a field that the user may not read on a level that has no records in this answer.
	// Odoo never gets to read it.
	strictField = "hidden field of no record"
	// strictID is a nested many2one of which only the id is asked. Odoo need not read the record for
	// that, and so does not notice that the user may not.
	strictID = "nested id of a hidden record"
)

// stricter tells why lateral refuses what Odoo answers, "" where there is no good reason.
func (d *differential) stricter(ctx context.Context, judge oracle, r verify.Request, got, odoo outcome) (string, error) {
	if companies, ok := r.Context["allowed_company_ids"].([]any); ok {
		for _, id := range companies {
			if n, ok := id.(int64); ok && !slices.ContainsFunc(d.own, func(u verify.User) bool { return u.Name == r.User && slices.Contains(u.Companies, n) }) {
				return strictCompany, nil
			}
		}
	}
	if above, _, nested := cutLast(got.at, "."); nested && countAt(odoo.records, strings.Split(above, ".")) == 0 {
		return strictField, nil
	}
	r.Wants = d.readNested(r.Model, r.Wants)
	noticed, err := judge.ask(ctx, r, false)
	if err == nil && noticed.refusal == refusedAccess {
		return strictID, nil
	}
	return "", err
}

// cutLast cuts a text around the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

// countAt counts the nested records that an answer has at a path.
func countAt(records []object, path []string) int {
	if len(path) == 0 {
		return len(records)
	}
	n := 0
	for _, record := range records {
		for _, m := range record {
			if m.key == path[0] {
				n += countAt(objectsOf(m.value), path[1:])
			}
		}
	}
	return n
}

// objectsOf returns the records nested in a value.
func objectsOf(value any) []object {
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	var records []object
	for _, item := range list {
		if record, ok := item.(object); ok {
			records = append(records, record)
		}
	}
	return records
}

// readNested asks, of every nested many2one of which only the id is wanted, for one more field, so
// that Odoo reads the record.
func (d *differential) readNested(model string, wants []verify.Want) []verify.Want {
	changed := slices.Clone(wants)
	for i, w := range wants {
		f := d.known.Model(model).Field(w.Name)
		if w.Form == schema.Plain || f == nil {
			continue
		}
		changed[i].Sub = d.readNested(f.Comodel, w.Sub)
		comodel := d.known.Model(f.Comodel)
		if f.Type == schema.Many2one && len(w.Sub) == 1 && w.Sub[0].Name == "id" && comodel.Field("create_date") != nil {
			changed[i].Sub = append(changed[i].Sub, verify.Want{Name: "create_date"})
		}
	}
	return changed
}

// sortComputed brings x2many fields that Odoo computes into an order, since Odoo's code gives them
// none.
func (d *differential) sortComputed(r verify.Request, records []object) {
	sortComputed(d.known, r.Model, r.Wants, records)
}

func sortComputed(c *schema.Catalogue, model string, wants []verify.Want, records []object) {
	for _, w := range wants {
		f := c.Model(model).Field(w.Name)
		if f == nil || !f.Type.Relational() {
			continue
		}
		for _, record := range records {
			for _, m := range record {
				if m.key != w.Name {
					continue
				}
				if list, ok := m.value.([]any); ok && f.Type.X2many() && !verify.Held(f) {
					slices.SortFunc(list, func(a, b any) int { return cmp.Compare(idOf(a), idOf(b)) })
				}
				if w.Form != schema.Plain {
					sortComputed(c, f.Comodel, w.Sub, objectsOf(m.value))
				}
			}
		}
	}
}

// idOf returns the id that an element of a list is or has.
func idOf(element any) float64 {
	if record, ok := element.(object); ok {
		for _, m := range record {
			if m.key == "id" {
				element = m.value
			}
		}
	}
	id, _ := element.(float64)
	return id
}
