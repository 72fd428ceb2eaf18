package verify

import (
	"lateral/schema"
)

// term draws a term of a domain.
func (d *draw) term(m *schema.Model, depth int) Term {
	if depth > 0 && d.chance(0.3) {
		op := pick(d, []string{"&", "|", "|", "!"})
		t := Term{Op: op, Terms: []Term{d.term(m, depth-1)}}
		if op != "!" {
			for range 1 + d.IntN(2) {
				t.Terms = append(t.Terms, d.term(m, depth-1))
			}
		}
		return t
	}
	if d.chance(0.02) {
		return Term{Leaf: []any{d.Int64N(2), "=", int64(1)}}
	}
	return Term{Leaf: d.leaf(m, "", 3)}
}

// leaf draws a condition, with a dotted path of up to hops hops.
func (d *draw) leaf(m *schema.Model, prefix string, hops int) []any {
	computed := d.chance(0.01)
	fields := d.fields(m, func(f *schema.Field) bool {
		return Held(f) && f.Type != schema.JSON && f.Type != schema.Properties && f.Type != schema.PropertiesDefinition || computed
	})
	if len(fields) == 0 {
		return []any{prefix + "id", "!=", false}
	}
	f := pick(d, fields)
	comodel := d.catalogue.Model(f.Comodel)
	modern := d.catalogue.Features.AnyOperator
	if f.Type.Relational() && hops > 0 && d.enters(comodel, 0.45) {
		if modern && d.chance(0.3) {
			sub := []any{}
			for range d.IntN(3) {
				sub = append(sub, d.term(comodel, 1).list()...)
			}
			return []any{prefix + f.Name, pick(d, []string{"any", "not any"}), sub}
		}
		return d.leaf(comodel, prefix+f.Name+".", hops-1)
	}
	operator, value := d.condition(f, comodel)
	return []any{prefix + f.Name, operator, value}
}

// condition draws an operator and a value that make sense for a field.
func (d *draw) condition(f *schema.Field, comodel *schema.Model) (operator string, value any) {
	some := func() any { return d.value(f) }
	several := func(extra ...any) []any {
		list := make([]any, 0, 4)
		for range d.IntN(4) {
			list = append(list, some())
		}
		if d.chance(0.2) {
			list = append(list, pick(d, append(extra, false)))
		}
		return list
	}
	equality := func(extra ...any) (string, any) {
		switch {
		case d.chance(0.35):
			return pick(d, []string{"in", "not in"}), several(extra...)
		case d.chance(0.08):
			return "=?", pick(d, append(extra, false, some()))
		case d.chance(0.25):
			return pick(d, []string{"=", "!="}), pick(d, append(extra, false))
		}
		return pick(d, []string{"=", "!=", "<>"}), some()
	}
	switch f.Type {
	case schema.Boolean:
		if d.chance(0.3) {
			return pick(d, []string{"in", "not in"}), pick(d, [][]any{{true}, {false}, {true, false}, {}})
		}
		return pick(d, []string{"=", "!=", "=?"}), d.chance(0.5)
	case schema.Char, schema.Text, schema.HTML:
		switch {
		case d.chance(0.45):
			operators := []string{"like", "ilike", "not like", "not ilike", "=like", "=ilike"}
			if d.catalogue.Features.ModernDomains {
				operators = append(operators, "not =like", "not =ilike")
			}
			return pick(d, operators), d.pattern(some())
		case d.chance(0.1):
			return pick(d, []string{"<", ">", "<=", ">="}), some()
		}
		return equality("")
	case schema.Selection, schema.Reference:
		if d.chance(0.15) {
			return pick(d, []string{"like", "ilike", "not ilike"}), d.pattern(some())
		}
		return equality()
	case schema.Integer, schema.Float, schema.Monetary, schema.Many2oneReference:
		if d.chance(0.4) {
			return pick(d, []string{"<", ">", "<=", ">="}), pick(d, []any{some(), some(), int64(0), int64(-1)})
		}
		return equality(int64(0))
	case schema.Date, schema.Datetime:
		if d.chance(0.5) {
			return pick(d, []string{"<", ">", "<=", ">="}), pick(d, []any{some(), some(), some(), false})
		}
		return equality()
	case schema.Binary, schema.Image:
		return pick(d, []string{"=", "!="}), false
	case schema.Many2one, schema.One2many, schema.Many2many:
		switch {
		case comodel != nil && d.chance(0.15):
			return pick(d, []string{"ilike", "not ilike", "=", "!=", "like", "in", "=ilike"}), d.label(comodel)
		case d.chance(0.12):
			operator := pick(d, []string{"child_of", "parent_of"})
			return operator, pick(d, []any{some(), several(), false})
		}
		return equality()
	}
	return equality()
}
