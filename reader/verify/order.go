package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lateral/schema"
)

// search asks Odoo for the ids that a domain finds, as the asker.
func (a asker) search(ctx context.Context, model string, domain []any, order string) ([]int64, error) {
	kwargs := map[string]any{"context": a.context}
	if order != "" {
		kwargs["order"] = order
	}
	result, err := a.odoo.Execute(ctx, a.who, model, "search", []any{domain}, kwargs)
	if err != nil {
		return nil, err
	}
	list, _ := result.([]any)
	ids := make([]int64, 0, len(list))
	for _, item := range list {
		if id, ok := item.(int64); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// everything is the asker with archived records.
func (a asker) everything() asker {
	a.context = maps.Clone(a.context)
	a.context["active_test"] = false
	return a
}

// totalOrder appends the id to an order, the model's own where there is none.
func totalOrder(c *schema.Catalogue, model, order string) string {
	if order == "" {
		order = c.Model(model).Order
	}
	for part := range strings.SplitSeq(order, ",") {
		if fields := strings.Fields(part); len(fields) > 0 && strings.Trim(fields[0], `"`) == "id" {
			return order
		}
	}
	if strings.TrimSpace(order) == "" {
		return "id"
	}
	return order + ", id"
}

// tied reports whether Odoo's own page differs from the total order in nothing but ties: record by
// record it must be from the same group of equals. Ordering by the id downwards as well tells which
// these are, since it turns every group around.
func (c *comparer) tied(ctx context.Context, a asker, r Request, page []int64) (bool, error) {
	order := totalOrder(c.catalogue, r.Model, strings.Join(r.Order, ", "))
	if !strings.HasSuffix(order, ", id") {
		return false, nil
	}
	domain, err := c.domain(r)
	if err != nil {
		return false, err
	}
	upwards, err := a.search(ctx, r.Model, domain, order)
	if err != nil {
		return false, err
	}
	downwards, err := a.search(ctx, r.Model, domain, order+" desc")
	if err != nil || len(upwards) != len(downwards) {
		return false, err
	}
	group := make(map[int64]int, len(upwards))
	groupAt := make([]int, len(upwards))
	place := make(map[int64]int, len(upwards))
	for i, id := range upwards {
		place[id] = i
	}
	for i := 0; i < len(upwards); {
		last := place[downwards[i]]
		for j := i; j <= last; j++ {
			group[upwards[j]], groupAt[j] = i, i
		}
		i = max(last, i) + 1
	}
	for i, id := range page {
		at := int(r.Offset) + i
		known, ok := group[id]
		if at >= len(upwards) || !ok || known != groupAt[at] {
			return false, nil
		}
	}
	return true, nil
}

// domain is the domain of a request's root records.
func (c *comparer) domain(r Request) ([]any, error) {
	switch {
	case !r.One:
		return r.Filters(), nil
	case r.Field == "":
		return []any{[]any{"id", "=", r.ID}}, nil
	}
	var value any = r.Value
	switch c.catalogue.Model(r.Model).Field(r.Field).Type {
	case schema.Integer, schema.Many2one, schema.Many2oneReference:
		n, err := strconv.ParseInt(r.Value, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r, err)
		}
		value = n
	}
	return []any{[]any{r.Field, "=", value}}, nil
}

// sortComputed brings x2many fields that Odoo's code computes into an order, since it gives them
// none.
func (c *comparer) sortComputed(r Request, records []Object) {
	walk(c.catalogue, r.Model, r.Wants, records, func(f *schema.Field, _ Want, values []any) {
		if !f.Type.X2many() || Held(f) {
			return
		}
		for _, value := range values {
			if list, ok := value.([]any); ok {
				slices.SortFunc(list, func(a, b any) int { return compareIDs(idOf(a), idOf(b)) })
			}
		}
	})
}

func compareIDs(a, b json.Number) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(string(a), string(b))
}

// sortTied brings the records of x2many fields that Odoo has in another order than lateral into
// their model's order made total by the id, which is lateral's.
func (c *comparer) sortTied(ctx context.Context, a asker, r Request, sql, rpc []Object) error {
	lists := map[string][][]json.Number{}
	at := func(f *schema.Field, i int) string { return f.Model.Name + "." + f.Name + "#" + strconv.Itoa(i) }
	n := 0
	walk(c.catalogue, r.Model, r.Wants, sql, func(f *schema.Field, _ Want, values []any) {
		n++
		for _, value := range values {
			lists[at(f, n)] = append(lists[at(f, n)], idsOf(elements(value)))
		}
	})
	var failure error
	n = 0
	walk(c.catalogue, r.Model, r.Wants, rpc, func(f *schema.Field, _ Want, values []any) {
		n++
		mine := lists[at(f, n)]
		if !f.Type.X2many() || failure != nil || len(mine) != len(values) {
			return
		}
		var ids []any
		for i, value := range values {
			theirs := idsOf(elements(value))
			if slices.Equal(mine[i], theirs) {
				continue
			}
			for _, id := range theirs {
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			return
		}
		for i, id := range ids {
			ids[i], failure = id.(json.Number).Int64()
			if failure != nil {
				return
			}
		}
		sorted, err := a.everything().search(ctx, f.Comodel, []any{[]any{"id", "in", ids}}, totalOrder(c.catalogue, f.Comodel, ""))
		if err != nil {
			failure = err
			return
		}
		rank := make(map[json.Number]int, len(sorted))
		for i, id := range sorted {
			rank[json.Number(strconv.FormatInt(id, 10))] = i
		}
		for i, value := range values {
			if list, ok := value.([]any); ok && !slices.Equal(mine[i], idsOf(list)) {
				slices.SortStableFunc(list, func(a, b any) int { return rank[idOf(a)] - rank[idOf(b)] })
			}
		}
	})
	return failure
}
