package reader

import (
	"slices"
	"strings"

	"lateral/schema"
)

// lateConstant is why a domain that is constant cannot be taken for one.
const lateConstant = "a term settles the domain no sooner than the others are looked at"

// truth is what a domain is whatever the records: Odoo settles it before it looks at access.
type truth int

const (
	undecided truth = iota
	always
	never
)

func (t truth) opposite() truth {
	switch t {
	case always:
		return never
	case never:
		return always
	}
	return undecided
}

func truthBool(b bool) truth {
	if b {
		return always
	}
	return never
}

// constant folds a domain as 19.0 does: an And with a FALSE is FALSE and an Or with a TRUE is TRUE,
// before any field or comodel is checked for access (Odoo 19.0: odoo/orm/domains.py, _optimize).
// Unknown fields are an error all the same.
func (t table) constant(d schema.Domain) (truth, error) {
	switch d := d.(type) {
	case nil, schema.True:
		return always, nil
	case schema.False:
		return never, nil
	case schema.And:
		return t.constants(d, never)
	case schema.Or:
		return t.constants(d, always)
	case schema.Not:
		result, err := t.constant(d.Term)
		return result.opposite(), err
	case schema.Condition:
		return t.constantCondition(d)
	}
	return undecided, nil
}

// constants folds the terms of an And or Or, of which decisive settles the whole.
func (t table) constants(terms []schema.Domain, decisive truth) (truth, error) {
	all := decisive.opposite()
	open, early := false, false
	for _, term := range terms {
		result, err := t.constant(term)
		if err != nil {
			return undecided, err
		}
		open = open || result == undecided
		early = early || result == decisive && !late(term)
		if result == decisive {
			all = decisive
		} else if result == undecided && all != decisive {
			all = undecided
		}
	}
	if all == decisive && open && !early || all == undecided && t.mergeDecides(terms, decisive) {
		return undecided, delegate("%s", lateConstant)
	}
	return all, nil
}

// late reports whether a constant term is one that Odoo settles only in its last pass: hierarchies, and
// booleans that may be both. In that pass it resolves the fields of the terms beside it too, and fails
// where it cannot search them (Odoo 19.0: odoo/orm/domains.py, OptimizationLevel.FULL).
func late(d schema.Domain) bool {
	switch d := d.(type) {
	case schema.And:
		return slices.ContainsFunc(d, late)
	case schema.Or:
		return slices.ContainsFunc(d, late)
	case schema.Not:
		return late(d.Term)
	case schema.Condition:
		if sub, ok := d.Value.(schema.Domain); ok {
			return late(sub)
		}
		list := listOf(d.Value)
		return d.Op == "child_of" || d.Op == "parent_of" || slices.Contains(list, any(true)) && slices.Contains(list, any(false))
	}
	return false
}

func (t table) constantCondition(d schema.Condition) (truth, error) {
	first, rest, dotted := strings.Cut(d.Path, ".")
	f := t.model.Field(first)
	if f == nil {
		e := invalid("%s has no field %q", t.model.Name, first)
		e.Field, e.Path = first, d.Path
		return undecided, e
	}
	sub, isDomain := d.Value.(schema.Domain)
	if dotted && f.Type.Relational() {
		sub, isDomain = schema.Condition{Path: rest, Op: d.Op, Value: d.Value}, true
		d.Op = "any"
	}
	if isDomain {
		comodel := t.scope.c.catalogue.Model(f.Comodel)
		if comodel == nil || !f.Type.Relational() {
			return undecided, nil
		}
		result, err := (table{scope: t.scope, model: comodel, alias: t.alias}).constant(sub)
		switch {
		case result != never || err != nil:
			return undecided, err
		case searches(f):
			// What replaces the condition comes before what is behind the field is looked at, and may fail.
			return undecided, delegate("%s", lateConstant)
		}
		return truthBool(d.Op == "not any"), nil
	}
	if dotted {
		return undecided, nil
	}
	result := constantLeaf(f, d)
	if result == undecided && !f.Stored && len(f.Related) > 1 {
		// Odoo searches what it is related to, but not before its last pass (Odoo 19.0: odoo/orm/fields.py,
		// _search_related).
		d.Path = strings.Join(f.Related, ".")
		behind, err := t.constantCondition(d)
		if behind != undecided && err == nil {
			err = delegate("%s", lateConstant)
		}
		return undecided, err
	}
	return result, nil
}

// constantLeaf folds what a field's type and the constant decide alone.
func constantLeaf(f *schema.Field, d schema.Condition) truth {
	switch {
	case neverEmpty(f) && onlyFalse(d):
		return truthBool(negative(d.Op))
	case d.Op == "in" && !truthy(d.Value):
		return never
	case d.Op == "not in" && !truthy(d.Value):
		return always
	case d.Op == "=?" && !truthy(d.Value):
		return always
	case (d.Op == "child_of" || d.Op == "parent_of") && d.Value == false:
		if !searches(f) && (f.Name == "id" || f.Type.Relational()) {
			return never
		}
	case strings.HasSuffix(d.Op, "like") && !strings.Contains(d.Op, "=") && !truthy(d.Value) && !f.Type.Relational():
		return truthBool(!negative(d.Op))
	case d.Op[0] == '<' || d.Op[0] == '>':
		if none(d.Value) && (f.Type == schema.Date || f.Type == schema.Datetime) {
			return never
		}
	case f.Type == schema.Boolean && f.Stored && (d.Op == "in" || d.Op == "not in"):
		// Where the field has a search method of its own, that decides, and comes first.
		var hasTrue, hasFalse bool
		for _, v := range listOf(d.Value) {
			hasTrue, hasFalse = hasTrue || truthy(v), hasFalse || !truthy(v)
		}
		if hasTrue && hasFalse {
			return truthBool(d.Op == "in")
		}
	}
	return undecided
}

// searches reports whether a search method replaces a condition on the field before anything but the
// values is looked at (Odoo 19.0: odoo/orm/domains.py, _optimize_step). A field of unknown source may
// have one.
func searches(f *schema.Field) bool {
	switch {
	case f.Name == "id", f.Inherited:
		return false
	case f.Static.Source == nil:
		return !f.Stored || f.Static.Python != ""
	}
	return !f.Stored || f.Static.Source.Search != ""
}

// neverEmpty reports whether a field always has a value, and has none that counts as no value: Odoo
// drops "no value" from what it is compared with (Odoo 19.0: odoo/orm/domains.py, _optimize_in_required).
func neverEmpty(f *schema.Field) bool {
	return f.Name == "id" || f.Required && f.NotNull && falsyValue(f.Type) == nil
}

// onlyFalse reports whether a condition compares for equality with nothing but "no value".
func onlyFalse(d schema.Condition) bool {
	switch d.Op {
	case "=", "!=":
		if none(d.Value) {
			return true
		}
	case "in", "not in":
	default:
		return false
	}
	return isList(d.Value) && !slices.ContainsFunc(listOf(d.Value), func(v any) bool { return v != false })
}

// neverClassic reports whether a search of 14.0 to 16.0 answers no records without looking at its
// domain's leaves (Odoo 14.0: odoo/osv/expression.py, is_false, which odoo/models.py, _search, asks
// first).
func neverClassic(d schema.Domain) bool { return classicTruth(d) == never }

func classicTruth(d schema.Domain) truth {
	switch d := d.(type) {
	case nil, schema.True:
		return always
	case schema.False:
		return never
	case schema.Not:
		return classicTruth(d.Term).opposite()
	case schema.And:
		return classicTruths(d, never)
	case schema.Or:
		return classicTruths(d, always)
	case schema.Condition:
		empty := !truthy(d.Value)
		switch {
		case d.Op == "in" && empty:
			return never
		case d.Op == "not in" && empty:
			return always
		}
	}
	return undecided
}

func classicTruths(terms []schema.Domain, decisive truth) truth {
	all := decisive.opposite()
	for _, term := range terms {
		switch result := classicTruth(term); {
		case result == decisive:
			return decisive
		case result == undecided:
			all = undecided
		}
	}
	return all
}
