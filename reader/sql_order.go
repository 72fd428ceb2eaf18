package reader

import (
	"strings"

	"lateral/schema"
)

// ordering is an ORDER BY clause term by term.
type ordering struct{ terms []orderBy }

// orderBy is one term.
type orderBy struct {
	expression string
	typ        string // PostgreSQL's type of it
	notNull    bool
	down       bool
	nulls      string // "first", "last", or empty for PostgreSQL's default
	label      string // the model and the field that it is made of
}

func (t orderBy) suffix() string {
	suffix := ""
	if t.down {
		suffix = " DESC"
	}
	if t.nulls != "" {
		suffix += " NULLS " + strings.ToUpper(t.nulls)
	}
	return suffix
}

// nullsFirst reports whether NULLs come before all values, as they do by default where the order descends.
func (t orderBy) nullsFirst() bool { return t.nulls == "first" || t.nulls == "" && t.down }

func (o ordering) sql() string {
	terms := make([]string, len(o.terms))
	for i, term := range o.terms {
		terms[i] = term.expression + term.suffix()
	}
	return strings.Join(terms, ", ")
}

// order compiles an order specification, the model's own where it is empty. Odoo adds no
// tie-breaker; the id is added here so that equal reads give equal answers
// (Odoo 19.0: odoo/orm/models.py, _order_to_sql; 14.0: odoo/models.py, _generate_order_by_inner).
//
// All records that are ordered have one value of the many2one constant, nil where there is none
// such: ordering by it would change nothing.
func (t table) order(specification string, constant *schema.Field, m mode) (ordering, error) {
	explicit := specification != ""
	if !explicit {
		specification = t.model.Order
	}
	if specification == "" {
		specification = "id"
	}
	w := orderWriter{mode: m, seen: map[*schema.Field]bool{}, explicit: explicit, constant: constant}
	if err := w.write(t, specification, false); err != nil {
		return ordering{}, err
	}
	if !w.byID {
		w.terms = append(w.terms, orderBy{expression: t.alias + ".id", typ: "int4", notNull: true, label: t.model.Name + ".id"})
	}
	return ordering{terms: w.terms}, nil
}

type orderWriter struct {
	mode     mode
	explicit bool // the client's own order, whose mistakes are the client's
	seen     map[*schema.Field]bool
	constant *schema.Field
	terms    []orderBy
	byID     bool // the root's id is among the terms
	depth    int
}

func (w *orderWriter) write(t table, specification string, reverse bool) error {
	features := t.scope.c.catalogue.Features
	terms, err := schema.ParseOrder(specification, features)
	if err != nil {
		if w.explicit && w.depth == 0 {
			return invalid("order: %v", err)
		}
		return delegate("the order %q of %s", specification, t.model.Name)
	}
	for _, term := range terms {
		if err := w.term(t, term, reverse); err != nil {
			return err
		}
	}
	return nil
}

func (w *orderWriter) term(t table, term schema.OrderTerm, reverse bool) error {
	c := t.scope.c
	f := t.model.Field(term.Field)
	if f == nil {
		if w.explicit && w.depth == 0 {
			e := invalid("order: %s has no field %q", t.model.Name, term.Field)
			e.Field = term.Field
			return e
		}
		return delegate("the order of %s names %q", t.model.Name, term.Field)
	}
	if err := t.mayFilter(f, w.mode); err != nil {
		return err
	}
	if t.model.Guard.RewritesOrder(f.Name) {
		return delegate("%s: %s", t.model.Name, t.model.Guard.Reason)
	}
	down, nulls := term.Desc, term.Nulls
	if reverse {
		down = !down
		nulls = map[string]string{"first": "last", "last": "first"}[nulls]
	}
	by := orderBy{down: down, nulls: nulls, label: t.model.Name + "." + f.Name}
	if f.Name == "id" {
		by.expression, by.typ, by.notNull = t.alias+".id", "int4", w.depth == 0
		w.terms = append(w.terms, by)
		w.byID = w.byID || w.depth == 0
		return nil
	}
	if f.Type.X2many() || f.Type == schema.Binary || f.Type == schema.JSON || f.Type == schema.Properties ||
		(f.Column == "" && !f.Inherited && (len(f.Related) == 0 || !c.catalogue.Features.FalsyValues)) {
		return delegate("order by %s.%s", t.model.Name, f.Name)
	}
	if f.Inherited && f.Column == "" {
		last, base, err := t.related(f, true)
		if err != nil {
			return err
		}
		depth := w.depth
		w.depth++
		defer func() { w.depth = depth }()
		inner := term
		inner.Field = last.Name
		return w.term(base, inner, reverse)
	}
	v, err := t.field(f)
	if err != nil {
		return err
	}
	if f.Type == schema.Many2one {
		return w.toOne(t, f, v, term, by)
	}
	by.expression, by.typ = v.sql, v.typ
	// Records that are joined may not be there.
	by.notNull = w.depth == 0 && f.NotNull && v.sql == t.column(f.Column)
	if f.Type == schema.Boolean {
		by.expression, by.notNull = "coalesce("+v.sql+", FALSE)", true
	}
	w.terms = append(w.terms, by)
	return nil
}

// toOne orders by the target's own order, without any check of access, flipped where the term
// descends. A field already on the way is skipped.
func (w *orderWriter) toOne(t table, f *schema.Field, link value, term schema.OrderTerm, by orderBy) error {
	if w.seen[f] || (f == w.constant && w.depth == 0) {
		return nil
	}
	comodel := t.scope.c.catalogue.Model(f.Comodel)
	if comodel == nil {
		return delegate("order by %s.%s", t.model.Name, f.Name)
	}
	if comodel.Relation == schema.View {
		// Odoo 14.0 joins it even where the target is ordered by its id, and has a record as often as the view
		// has its target (account.root; odoo/models.py, _generate_m2o_order_by).
		return delegate("order by %s.%s, which leads to the view %s", t.model.Name, f.Name, f.Comodel)
	}
	order := comodel.Order
	if order == "" {
		order = "id"
	}
	if term.Sub == "id" || order == "id" {
		by.expression, by.typ = link.sql, link.typ
		by.notNull = w.depth == 0 && f.NotNull && link.sql == t.column(f.Column)
		w.terms = append(w.terms, by)
		return nil
	}
	switch by.nulls {
	case "first":
		w.terms = append(w.terms, orderBy{expression: "(" + link.sql + " IS NOT NULL)", typ: "bool", notNull: true, label: by.label + " set"})
	case "last":
		w.terms = append(w.terms, orderBy{expression: "(" + link.sql + " IS NULL)", typ: "bool", notNull: true, label: by.label + " unset"})
	}
	target, err := t.follow(f, link.sql)
	if err != nil {
		return err
	}
	// 14.0 marks a field as seen for the rest of the order, later series only below it.
	w.seen[f] = true
	if t.scope.c.catalogue.Features.OrderKeywords {
		defer delete(w.seen, f)
	}
	w.depth++
	err = w.write(target, order, by.down)
	w.depth--
	return err
}
