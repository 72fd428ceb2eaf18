package reader

import (
	"fmt"

	"lateral/schema"
)

// equalities are the constants that terms of one And or Or compare one field with.
type equalities struct {
	in, notIn []map[string]bool
}

// mergeDecides reports whether terms of an And or Or that compare the same field with constants settle
// the whole once they are made one, as in a = 1 and a != 1 (Odoo 19.0: odoo/orm/domains.py,
// _optimize_merge_set_conditions_mono_value). decisive is what settles it: never an And, always an Or.
func (t table) mergeDecides(terms []schema.Domain, decisive truth) bool {
	fields := map[string]*equalities{}
	t.gather(fields, terms, decisive, false)
	for _, e := range fields {
		sets, others := e.in, e.notIn
		if decisive == always {
			sets, others = others, sets
		}
		if len(sets) > 0 && len(sets)+len(others) > 1 && nothingLeft(sets, others) {
			return true
		}
	}
	return false
}

// gather adds the comparisons of an And or Or, negated or not, by field.
func (t table) gather(fields map[string]*equalities, terms []schema.Domain, decisive truth, negate bool) {
	for _, term := range terms {
		switch d := term.(type) {
		case schema.Not:
			t.gather(fields, []schema.Domain{d.Term}, decisive, !negate)
		case schema.And:
			if decisive == never != negate {
				t.gather(fields, d, decisive, negate)
			}
		case schema.Or:
			if decisive == always != negate {
				t.gather(fields, d, decisive, negate)
			}
		case schema.Condition:
			f := t.model.Field(d.Path)
			if f == nil || f.Type.X2many() || f.Type == schema.Properties || d.Op != "=" && d.Op != "!=" && d.Op != "in" && d.Op != "not in" {
				continue
			}
			e := fields[d.Path]
			if e == nil {
				e = &equalities{}
				fields[d.Path] = e
			}
			if negative(d.Op) != negate {
				e.notIn = append(e.notIn, constantSet(d.Value))
			} else {
				e.in = append(e.in, constantSet(d.Value))
			}
		}
	}
}

// nothingLeft reports whether no constant is in all of the sets and in none of the others.
func nothingLeft(sets, others []map[string]bool) bool {
constants:
	for constant := range sets[0] {
		for _, set := range sets[1:] {
			if !set[constant] {
				continue constants
			}
		}
		for _, other := range others {
			if other[constant] {
				continue constants
			}
		}
		return false
	}
	return true
}

// constantSet is the set of one constant or of a list of them. Numbers and booleans that Python finds
// equal are one.
func constantSet(v any) map[string]bool {
	set := map[string]bool{}
	list := []any{v}
	if isList(v) {
		list = listOf(v)
	}
	for _, item := range list {
		if truth, isBool := item.(bool); isBool {
			item = int64(0)
			if truth {
				item = int64(1)
			}
		}
		if n, isNumber := number(item); isNumber {
			item = n
		}
		set[fmt.Sprintf("%T %v", item, item)] = true
	}
	return set
}
