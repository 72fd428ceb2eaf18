package verify

import (
	"fmt"
	"slices"
	"strings"

	"lateral/reader"
	"lateral/schema"
)

// Term is one element of a random domain, in a form that can be shrunk: a leaf, or an operator on
// terms.
type Term struct {
	Op    string // "&", "|", "!" or empty for a leaf
	Terms []Term
	Leaf  []any // path, operator, value
}

// list writes a term in Odoo's prefix notation.
func (t Term) list() []any {
	if t.Op == "" {
		return []any{t.Leaf}
	}
	var list []any
	for range max(len(t.Terms)-1, 1) {
		list = append(list, t.Op)
	}
	for _, sub := range t.Terms {
		list = append(list, sub.list()...)
	}
	return list
}

// smaller returns simpler terms, each with one part less.
func (t Term) smaller() []Term {
	if t.Op == "" {
		return nil
	}
	smaller := slices.Clone(t.Terms)
	for i, sub := range t.Terms {
		if len(t.Terms) > 2 {
			smaller = append(smaller, Term{Op: t.Op, Terms: slices.Delete(slices.Clone(t.Terms), i, i+1)})
		}
		for _, s := range sub.smaller() {
			terms := slices.Clone(t.Terms)
			terms[i] = s
			smaller = append(smaller, Term{Op: t.Op, Terms: terms})
		}
	}
	return smaller
}

// leaves are the conditions of a term, without what joins them.
func (t Term) leaves() []Term {
	if t.Op == "" {
		return []Term{t}
	}
	var list []Term
	for _, sub := range t.Terms {
		list = append(list, sub.leaves()...)
	}
	return list
}

// Want is one field of a tree to read.
type Want struct {
	Name string
	Form schema.Form
	Sub  []Want
}

// Request is one read to compare, in a form that can be shown, made and shrunk.
type Request struct {
	User    string // login
	Model   string
	One     bool
	ID      int64
	Field   string // search_field and its value
	Value   string
	Domain  []Term // ANDed
	Order   []string
	Offset  int64
	Limit   int64 // 0: none
	Context map[string]any
	Wants   []Want
	Flat    bool // without a preset
}

// Filters is the domain in Odoo's list form.
func (r Request) Filters() []any {
	list := []any{}
	for _, t := range r.Domain {
		list = append(list, t.list()...)
	}
	return list
}

// parts are the conditions, the order and the fields of a request, each asked by itself. Those of one
// field are that field's own.
func (r Request) parts() []Request {
	bare := r
	bare.Domain, bare.Order, bare.Wants = nil, nil, []Want{{Name: "id"}}
	var parts []Request
	add := func(change func(part *Request)) {
		part := bare
		change(&part)
		parts = append(parts, part)
	}
	for _, t := range r.Domain {
		for _, leaf := range t.leaves() {
			add(func(part *Request) { part.Domain = []Term{leaf} })
		}
	}
	for _, term := range r.Order {
		add(func(part *Request) { part.Order = []string{term} })
	}
	for _, w := range r.Wants {
		if w.Name != "id" {
			add(func(part *Request) { part.Wants = append(slices.Clone(bare.Wants), w) })
		}
	}
	if len(parts) != 1 || len(r.Wants) < 2 {
		return parts
	}
	only := parts[0].Wants[1].parts()
	if len(only) == 0 {
		return parts
	}
	parts = nil
	for _, w := range only {
		add(func(part *Request) { part.Wants = append(slices.Clone(bare.Wants), w) })
	}
	return parts
}

// parts are what a field with nested fields asks for: to be one record, where it does, and each of the
// nested fields, of all its records.
func (w Want) parts() []Want {
	var parts []Want
	for _, sub := range w.Sub {
		if sub.Name == "id" {
			continue
		}
		inner := sub.parts()
		if len(inner) == 0 {
			inner = []Want{sub}
		}
		for _, s := range inner {
			parts = append(parts, Want{Name: w.Name, Form: schema.List, Sub: []Want{{Name: "id"}, s}})
		}
	}
	if w.Form == schema.OneRecord && len(parts) > 0 {
		parts = append(parts, Want{Name: w.Name, Form: w.Form, Sub: []Want{{Name: "id"}}})
	}
	return parts
}

// String writes the request the way a person would repeat it.
func (r Request) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s as %s", r.Model, r.User)
	switch {
	case r.One && r.Field != "":
		fmt.Fprintf(&b, " one %s=%q", r.Field, r.Value)
	case r.One:
		fmt.Fprintf(&b, " one id=%d", r.ID)
	}
	if len(r.Domain) > 0 {
		fmt.Fprintf(&b, " filters=%s", Python(r.Filters()))
	}
	if len(r.Order) > 0 {
		fmt.Fprintf(&b, " order=%q", strings.Join(r.Order, ", "))
	}
	if r.Offset > 0 {
		fmt.Fprintf(&b, " offset=%d", r.Offset)
	}
	if r.Limit > 0 {
		fmt.Fprintf(&b, " limit=%d", r.Limit)
	}
	if len(r.Context) > 0 {
		fmt.Fprintf(&b, " context=%s", Python(r.Context))
	}
	mode := "preset"
	if r.Flat {
		mode = "flat"
	}
	fmt.Fprintf(&b, " %s=%s", mode, Python(Items(r.Wants)))
	return b.String()
}

// Items writes a tree in the tuple syntax of contract.md.
func Items(wants []Want) schema.Tuple {
	tuple := make(schema.Tuple, 0, len(wants))
	for _, w := range wants {
		switch w.Form {
		case schema.OneRecord:
			tuple = append(tuple, schema.Tuple{w.Name, Items(w.Sub)})
		case schema.List:
			tuple = append(tuple, schema.Tuple{w.Name, []any{Items(w.Sub)}})
		default:
			tuple = append(tuple, w.Name)
		}
	}
	return tuple
}

// Query is the request as a client of lateral makes it. It fails where the tree is none of the model.
func (r Request) Query(c *schema.Catalogue) (reader.Query, error) {
	q := reader.Query{
		Model: r.Model, One: r.One, ID: r.ID, SearchField: r.Field, SearchValue: r.Value,
		Order: strings.Join(r.Order, ", "), Offset: r.Offset, Limit: r.Limit,
		Context: r.Context, Profile: reader.Classic(),
	}
	if len(r.Domain) > 0 {
		q.Filters = r.Filters()
	}
	if r.Flat {
		q.Exclude = "*"
		q.Include = []any(Items(r.Wants))
		return q, nil
	}
	tree, err := schema.ParseTree(c, r.Model, Items(r.Wants))
	if err != nil {
		return q, err
	}
	q.Preset = &schema.Preset{Model: r.Model, ReadAll: tree, ReadOne: tree, Available: true}
	return q, nil
}
