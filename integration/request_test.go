package integration

import (
	"context"
	"fmt"
	"strings"

	"lateral/auth"
	"lateral/reader"
	"lateral/reader/verify"
	"lateral/schema"
)

// lateral answers a request through the reader.
func (s *stand) lateral(ctx context.Context, who auth.Credentials, q reader.Query) (verify.Outcome, error) {
	result, err := s.reader.Read(ctx, who, q)
	return verify.Collect(ctx, q.One, result, err)
}

// ask answers a request through Odoo. With total, orders are made total by the id, as lateral does.
func (o oracle) ask(ctx context.Context, r verify.Request, total bool) (verify.Outcome, error) {
	domain, err := o.rootDomain(r)
	if err != nil {
		return verify.Outcome{Refusal: verify.RefusedInput, Text: err.Error()}, nil
	}
	limit := r.Limit
	if r.One {
		limit = 1
	}
	order := strings.Join(r.Order, ", ")
	if total {
		order = o.totalOrder(r.Model, order)
	}
	ids, err := o.search(ctx, r.Model, domain, order, r.Offset, limit)
	if err != nil {
		return refusedByOdoo(err)
	}
	o.total = total
	documents, err := o.objects(ctx, r.Model, anyIDs(ids), r.Wants, r.Flat)
	if err != nil {
		return refusedByOdoo(err)
	}
	out := verify.Outcome{}
	for _, id := range ids {
		if document, ok := documents[id]; ok {
			out.IDs = append(out.IDs, id)
			out.Records = append(out.Records, document)
		}
	}
	if r.One && len(out.IDs) == 0 {
		return verify.Outcome{Refusal: verify.RefusedMissing}, nil
	}
	return out, nil
}

func anyIDs(ids []int64) []any {
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = id
	}
	return list
}

// rootDomain is the domain of the records at the top.
func (o oracle) rootDomain(r verify.Request) ([]any, error) {
	switch {
	case r.One && r.Field != "":
		value, err := o.searchValue(r)
		return []any{[]any{r.Field, "=", value}}, err
	case r.One:
		return []any{[]any{"id", "=", r.ID}}, nil
	}
	return r.Filters(), nil
}

// searchValue is the value of search_field as its type wants it.
func (o oracle) searchValue(r verify.Request) (any, error) {
	switch o.catalogue.Model(r.Model).Field(r.Field).Type {
	case schema.Integer, schema.Many2one, schema.Many2oneReference:
		var n int64
		_, err := fmt.Sscan(r.Value, &n)
		return n, err
	}
	return r.Value, nil
}

// totalOrder appends the id to an order, the model's own where there is none.
func (o oracle) totalOrder(model, order string) string {
	if order == "" {
		order = o.catalogue.Model(model).Order
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

func refusedByOdoo(err error) (verify.Outcome, error) {
	refusal, err2 := refusalOf(err)
	if err2 != nil {
		return verify.Outcome{}, err2
	}
	return verify.Outcome{Refusal: refusal, Text: err.Error()}, nil
}
