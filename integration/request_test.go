package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"lateral/auth"
	"lateral/reader"
	"lateral/schema"
	"lateral/writer"
)

// term is one element of a random domain, in a form that can be shrunk: a leaf, or an operator on
// terms.
type term struct {
	op    string // "&", "|", "!" or empty for a leaf
	terms []term
	leaf  []any // path, operator, value
}

// list writes a term in Odoo's prefix notation.
func (t term) list() []any {
	if t.op == "" {
		return []any{t.leaf}
	}
	var list []any
	for range max(len(t.terms)-1, 1) {
		list = append(list, t.op)
	}
	for _, sub := range t.terms {
		list = append(list, sub.list()...)
	}
	return list
}

// smaller returns simpler terms, each with one part less.
func (t term) smaller() []term {
	if t.op == "" {
		return nil
	}
	smaller := slices.Clone(t.terms)
	for i, sub := range t.terms {
		if len(t.terms) > 2 {
			smaller = append(smaller, term{op: t.op, terms: slices.Delete(slices.Clone(t.terms), i, i+1)})
		}
		for _, s := range sub.smaller() {
			terms := slices.Clone(t.terms)
			terms[i] = s
			smaller = append(smaller, term{op: t.op, terms: terms})
		}
	}
	return smaller
}

// request is one read to compare, in a form that both sides and the shrinker understand.
type request struct {
	role    string
	model   string
	one     bool
	id      int64
	field   string // search_field and its value
	value   string
	domain  []term // ANDed
	order   []string
	offset  int64
	limit   int64
	context map[string]any
	wants   []want
	flat    bool // without a preset
}

func (r request) filters() []any {
	list := []any{}
	for _, t := range r.domain {
		list = append(list, t.list()...)
	}
	return list
}

// String writes the request the way a person would repeat it.
func (r request) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s as %s", r.model, r.role)
	switch {
	case r.one && r.field != "":
		fmt.Fprintf(&b, " one %s=%q", r.field, r.value)
	case r.one:
		fmt.Fprintf(&b, " one id=%d", r.id)
	}
	if len(r.domain) > 0 {
		fmt.Fprintf(&b, " filters=%s", python(r.filters()))
	}
	if len(r.order) > 0 {
		fmt.Fprintf(&b, " order=%q", strings.Join(r.order, ", "))
	}
	if r.offset > 0 {
		fmt.Fprintf(&b, " offset=%d", r.offset)
	}
	if r.limit > 0 {
		fmt.Fprintf(&b, " limit=%d", r.limit)
	}
	if len(r.context) > 0 {
		fmt.Fprintf(&b, " context=%s", python(r.context))
	}
	mode := "preset"
	if r.flat {
		mode = "flat"
	}
	fmt.Fprintf(&b, " %s=%s", mode, python(items(r.wants)))
	return b.String()
}

// python writes a value as a Python literal.
func python(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`).Replace(v) + "'"
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = python(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case schema.Tuple:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = python(item)
		}
		if len(parts) == 1 {
			return "(" + parts[0] + ",)"
		}
		return "(" + strings.Join(parts, ", ") + ")"
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, python(key)+": "+python(v[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// items writes a tree in the tuple syntax of contract.md.
func items(wants []want) schema.Tuple {
	tuple := make(schema.Tuple, 0, len(wants))
	for _, w := range wants {
		switch w.form {
		case schema.OneRecord:
			tuple = append(tuple, schema.Tuple{w.name, items(w.sub)})
		case schema.List:
			tuple = append(tuple, schema.Tuple{w.name, []any{items(w.sub)}})
		default:
			tuple = append(tuple, w.name)
		}
	}
	return tuple
}

// query is the request as lateral gets it.
func (r request) query(c *schema.Catalogue) (reader.Query, error) {
	q := reader.Query{
		Model: r.model, One: r.one, ID: r.id, SearchField: r.field, SearchValue: r.value,
		Order: strings.Join(r.order, ", "), Offset: r.offset, Limit: r.limit,
		Context: r.context, Profile: reader.Classic(),
	}
	if len(r.domain) > 0 {
		q.Filters = r.filters()
	}
	if r.flat {
		q.Exclude = "*"
		q.Include = []any(items(r.wants))
		return q, nil
	}
	tree, err := schema.ParseTree(c, r.model, items(r.wants))
	if err != nil {
		return q, err
	}
	q.Preset = &schema.Preset{Model: r.model, ReadAll: tree, ReadOne: tree, Available: true}
	return q, nil
}

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
func (o oracle) ask(ctx context.Context, r request, total bool) (outcome, error) {
	domain, err := o.rootDomain(r)
	if err != nil {
		return outcome{refusal: refusedInput, text: err.Error()}, nil
	}
	limit := r.limit
	if r.one {
		limit = 1
	}
	order := strings.Join(r.order, ", ")
	if total {
		order = o.totalOrder(r.model, order)
	}
	ids, err := o.search(ctx, r.model, domain, order, r.offset, limit)
	if err != nil {
		return refusedByOdoo(err)
	}
	o.total = total
	documents, err := o.objects(ctx, r.model, ids, r.wants, r.flat)
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
	if r.one && len(out.ids) == 0 {
		return outcome{refusal: refusedMissing}, nil
	}
	return out, nil
}

// rootDomain is the domain of the records at the top.
func (o oracle) rootDomain(r request) ([]any, error) {
	switch {
	case r.one && r.field != "":
		value, err := o.searchValue(r)
		return []any{[]any{r.field, "=", value}}, err
	case r.one:
		return []any{[]any{"id", "=", r.id}}, nil
	}
	return r.filters(), nil
}

// searchValue is the value of search_field as its type wants it.
func (o oracle) searchValue(r request) (any, error) {
	switch o.catalogue.Model(r.model).Field(r.field).Type {
	case schema.Integer, schema.Many2one, schema.Many2oneReference:
		var n int64
		_, err := fmt.Sscan(r.value, &n)
		return n, err
	}
	return r.value, nil
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
