package verify

import (
	"context"
	"encoding/json"
	"errors"

	"lateral/schema"
	"lateral/writer"
)

// leaks reports whether lateral's answer shows a record, at the top or nested, that Odoo would not
// show this user at all. The target of a many2one as a plain id is shown by Odoo whatever the rules
// say, and counts only where Odoo shows another one.
func (c *comparer) leaks(ctx context.Context, a asker, r Request, sql, rpc []Object) (bool, error) {
	seen := c.shown(r, rpc)
	for model, ids := range c.shown(r, sql) {
		var unknown []any
		for number := range ids {
			if seen[model][number] {
				continue
			}
			id, err := number.Int64()
			if err != nil {
				return false, err
			}
			unknown = append(unknown, id)
		}
		if len(unknown) == 0 {
			continue
		}
		visible, err := a.everything().search(ctx, model, []any{[]any{"id", "in", unknown}}, "id")
		if fault, ok := errors.AsType[*writer.Fault](err); ok && fault.Kind == writer.Access {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if len(visible) < len(unknown) {
			return true, nil
		}
	}
	return false, nil
}

// shown gathers the ids of all records that an answer shows, by model.
func (c *comparer) shown(r Request, records []Object) map[string]map[json.Number]bool {
	into := map[string]map[json.Number]bool{}
	add := func(model string, id json.Number) {
		if into[model] == nil {
			into[model] = map[json.Number]bool{}
		}
		if id != "" {
			into[model][id] = true
		}
	}
	for _, record := range records {
		add(r.Model, idOf(record))
	}
	walk(c.catalogue, r.Model, r.Wants, records, func(f *schema.Field, w Want, values []any) {
		if w.Form == schema.Plain && !f.Type.X2many() {
			return
		}
		for _, value := range values {
			for _, element := range elements(value) {
				add(f.Comodel, idOf(element))
			}
		}
	})
	return into
}
