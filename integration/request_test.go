package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"lateral/auth"
	"lateral/reader"
	"lateral/reader/verify"
	"lateral/schema"
	"lateral/writer"
)

// lateral answers a request through the reader.
func (s *stand) lateral(ctx context.Context, who auth.Credentials, q reader.Query) (outcome, error) {
	result, err := s.reader.Read(ctx, who, q)
	if err != nil {
		return refusedBy(err)
	}
	defer result.Close()
	out := outcome{path: result.Path}
	for {
		document, err := result.Next(ctx)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			refused, err := refusedBy(err)
			refused.path = out.path
			return refused, err
		}
		decoded, err := decodeObject(document)
		if err != nil {
			return out, err
		}
		id := int64(0)
		for _, m := range decoded {
			if n, ok := m.value.(float64); ok && m.key == "id" {
				id = int64(n)
			}
		}
		out.records = append(out.records, decoded)
		out.ids = append(out.ids, id)
	}
}

// refusedBy makes an outcome of a failed read; errors that no request deserves are returned.
func refusedBy(err error) (outcome, error) {
	failed, ok := errors.AsType[*reader.Error](err)
	if !ok {
		return outcome{}, err
	}
	out := outcome{text: failed.Message, at: failed.Path}
	switch failed.Kind {
	case reader.Denied:
		out.refusal = refusedAccess
	case reader.NotFound:
		out.refusal = refusedMissing
	case reader.Invalid, reader.NotSingle, reader.ModelNotFound:
		out.refusal = refusedInput
	default:
		// Whatever Odoo's code stumbles over is a refusal of the request too.
		if _, ok := errors.AsType[*writer.Fault](err); !ok || failed.Kind != reader.Internal {
			return outcome{}, err
		}
		out.refusal = refusedInput
	}
	return out, nil
}

// ask answers a request through Odoo. With total, orders are made total by the id, as lateral does.
func (o oracle) ask(ctx context.Context, r verify.Request, total bool) (outcome, error) {
	domain, err := o.rootDomain(r)
	if err != nil {
		return outcome{refusal: refusedInput, text: err.Error()}, nil
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
	documents, err := o.objects(ctx, r.Model, ids, r.Wants, r.Flat)
	if err != nil {
		return refusedByOdoo(err)
	}
	out := outcome{}
	for _, id := range ids {
		if document, ok := documents[id]; ok {
			out.ids = append(out.ids, id)
			out.records = append(out.records, document)
		}
	}
	if r.One && len(out.ids) == 0 {
		return outcome{refusal: refusedMissing}, nil
	}
	return out, nil
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

func refusedByOdoo(err error) (outcome, error) {
	refusal, err2 := refusalOf(err)
	if err2 != nil {
		return outcome{}, err2
	}
	return outcome{refusal: refusal, text: err.Error()}, nil
}
