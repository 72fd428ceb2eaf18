package reader

import (
	"slices"
	"strings"

	sq "github.com/Masterminds/squirrel"

	"lateral/auth"
	"lateral/schema"
)

// hop compiles "a record behind the relational field f satisfies sub", or that none does
// (Odoo 19.0: condition_to_sql in odoo/orm/fields_relational.py; 14.0: parse in
// odoo/osv/expression.py).
func (t table) hop(f *schema.Field, sub schema.Domain, none bool, m mode) (sq.Sqlizer, error) {
	if f.Type == schema.Many2one {
		return t.toOneHop(f, sub, none, m)
	}
	return t.toManyHop(f, sub, none, m)
}

func (t table) toOneHop(f *schema.Field, sub schema.Domain, none bool, m mode) (sq.Sqlizer, error) {
	c := t.scope.c
	link, err := t.field(f)
	if err != nil {
		return nil, err
	}
	bypass := m.super || f.Static.BypassSearchAccess
	if f.Static.BypassSearchAccess && !c.catalogue.Features.ModernDomains {
		// auto_join sees the NULLs of a record that is not there.
		target, err := t.follow(f, link.sql)
		if err != nil {
			return nil, err
		}
		predicate, err := target.domain(sub, m)
		if err == nil && none {
			err = delegate("%s.%s is joined", t.model.Name, f.Name)
		}
		return predicate, err
	}
	inner := m
	if !c.catalogue.Features.ModernDomains {
		inner.active = false
	}
	if _, err := t.target(f); err == nil && !m.exact {
		return t.joinedHop(f, link.sql, sub, none, bypass, inner)
	}
	target, where, err := t.search(f, sub, bypass, inner, false)
	if err != nil {
		return nil, err
	}
	if c.catalogue.Features.ModernDomains || f.NotNull {
		// IN differs where there is no record, by NULL for FALSE, which is one and the same here; but where it is no
		// condition of the whole statement, PostgreSQL answers it from a table of all ids.
		not := ""
		if none {
			not = "NOT "
		}
		where = append(where, sq.Expr(target.alias+".id = "+link.sql))
		return sq.Expr(not+"EXISTS (?)", target.query("", where)), nil
	}
	if none {
		return sq.Expr("("+link.sql+" IS NULL OR "+link.sql+" NOT IN (?))", target.query("id", where)), nil
	}
	return sq.Expr(link.sql+" IN (?)", target.query("id", where)), nil
}

// joinedHop is toOneHop by a join rather than a sub-select. It may be unknown where that would be false. A statement has
// one join for all that it wants of the record, be it fields, conditions, rules or its place in the order; and
// PostgreSQL can begin with whichever table is best.
func (t table) joinedHop(f *schema.Field, link string, sub schema.Domain, none, bypass bool, m mode) (sq.Sqlizer, error) {
	target, err := t.follow(f, link)
	if err != nil {
		return nil, err
	}
	where, err := target.searched(sub, bypass, m, false)
	if err != nil {
		return nil, err
	}
	if none {
		return sq.Expr("NOT ("+target.alias+".id IS NOT NULL AND (?) IS TRUE)", sq.And(where)), nil
	}
	return append(sq.And{sq.Expr(target.alias + ".id IS NOT NULL")}, where...), nil
}

func (t table) toManyHop(f *schema.Field, sub schema.Domain, none bool, m mode) (sq.Sqlizer, error) {
	c := t.scope.c
	inner := m
	view, err := t.relationView(f)
	if err != nil {
		return nil, err
	}
	if view.ActiveTest != nil {
		inner.active = *view.ActiveTest
	}
	bypass := m.super || f.Static.BypassSearchAccess
	if c.catalogue.Features.FalsyValues && view.Domain != nil {
		sub = schema.And{sub, view.Domain}
	}
	lines, where, err := t.search(f, sub, bypass, inner, inner.active)
	if err != nil {
		return nil, err
	}
	return t.exists(f, lines, where, none)
}

// exists ties the records of a search to the x2many field f of this record.
func (t table) exists(f *schema.Field, lines table, where []sq.Sqlizer, none bool) (sq.Sqlizer, error) {
	not := ""
	if none {
		not = "NOT "
	}
	if f.Type == schema.Many2many {
		rel := t.scope.c.alias()
		where = append(where, sq.Expr(rel+"."+ident(f.RelColumn1)+" = "+t.alias+".id"))
		lines.scope.joins.WriteString("\nJOIN " + ident(f.RelTable) + " " + rel + " ON " + rel + "." + ident(f.RelColumn2) + " = " + lines.alias + ".id")
		return sq.Expr(not+"EXISTS (?)", lines.query("", where)), nil
	}
	inverse, err := lines.inverse(f)
	if err != nil {
		return nil, err
	}
	where = append(where, sq.Expr(inverse+" = "+t.alias+".id"))
	return sq.Expr(not+"EXISTS (?)", lines.query("", where)), nil
}

// inverse returns the column of the many2one behind a one2many.
func (t table) inverse(f *schema.Field) (string, error) {
	inverse := t.model.Field(f.Inverse)
	if inverse == nil || inverse.Type != schema.Many2one || inverse.Column == "" || inverse.CompanyDependent {
		return "", delegate("%s has no stored many2one behind it", f.Name)
	}
	return t.column(inverse.Column), nil
}

// search opens a search on the comodel of f as Odoo's _search would: the domain, the active filter
// where it applies and, unless bypassed, the model's ACL and rules.
func (t table) search(f *schema.Field, sub schema.Domain, bypass bool, m mode, hideArchived bool) (table, []sq.Sqlizer, error) {
	c := t.scope.c
	comodel := c.catalogue.Model(f.Comodel)
	if comodel == nil || comodel.Table == "" {
		return table{}, nil, delegate("%s.%s leads to %s, which has no table", t.model.Name, f.Name, f.Comodel)
	}
	target := table{scope: c.newScope(), model: comodel, alias: c.alias()}
	where, err := target.searched(sub, bypass, m, hideArchived)
	return target, where, err
}

// searched returns the conditions of a search on the table, see search.
func (t table) searched(sub schema.Domain, bypass bool, m mode, hideArchived bool) ([]sq.Sqlizer, error) {
	if t.model.Guard.Kind == schema.Guarded {
		return nil, delegate("%s: %s", t.model.Name, t.model.Guard.Reason)
	}
	if !t.scope.c.catalogue.Features.AnyOperator && neverClassic(sub) {
		sub = schema.False{}
	}
	predicate, err := t.domain(sub, m)
	if err != nil {
		return nil, err
	}
	where := []sq.Sqlizer{predicate}
	if hideArchived {
		active, err := t.activeFilter(sub)
		if err != nil {
			return nil, err
		}
		where = append(where, active...)
	}
	if bypass {
		return where, nil
	}
	rules, err := t.rules()
	return append(where, rules...), err
}

// rules returns the predicates of the user's access to a model: none where nothing restricts. It
// fails with an access error where the user has no ACL on it.
func (t table) rules() ([]sq.Sqlizer, error) {
	c := t.scope.c
	access, err := c.access(t.model.Name)
	if err != nil {
		return nil, err
	}
	switch {
	case !access.Readable:
		return nil, denied("the user may not read %s", t.model.Name)
	case access.Opaque != "":
		return nil, delegate("the rules of %s: %s", t.model.Name, access.Opaque)
	}
	if _, open := access.Rule.(schema.True); open {
		return nil, nil
	}
	predicate, err := t.domain(access.Rule, c.ruleMode())
	if err != nil {
		if _, ok := delegated(err); !ok {
			err = delegate("the rules of %s: %v", t.model.Name, err)
		}
		return nil, err
	}
	return []sq.Sqlizer{predicate}, nil
}

// activeFilter hides archived records unless the domain speaks of the flag itself
// (Odoo 19.0: odoo/orm/models.py, _search; 14.0: odoo/models.py, _where_calc).
func (t table) activeFilter(d schema.Domain) ([]sq.Sqlizer, error) {
	name := t.model.ActiveName
	if t.scope.c.catalogue.Features.ModernDomains {
		d = withoutConstants(d)
	}
	if name == "" || mentions(d, name) {
		return nil, nil
	}
	predicate, err := t.condition(schema.Condition{Path: name, Op: "=", Value: true}, t.scope.c.superMode())
	if err != nil {
		return nil, err
	}
	return []sq.Sqlizer{predicate}, nil
}

// withoutConstants folds the terms of a domain that are TRUE or FALSE as they are written, which 19.0 does
// when it reads a domain, before it looks for the flag (Odoo 19.0: odoo/orm/domains.py, DomainNary.apply).
func withoutConstants(d schema.Domain) schema.Domain {
	switch d := d.(type) {
	case schema.Not:
		switch term := withoutConstants(d.Term).(type) {
		case schema.True:
			return schema.False{}
		case schema.False:
			return schema.True{}
		default:
			return schema.Not{Term: term}
		}
	case schema.And:
		terms := make(schema.And, 0, len(d))
		for _, term := range d {
			switch term := withoutConstants(term).(type) {
			case schema.False:
				return term
			case schema.True:
			default:
				terms = append(terms, term)
			}
		}
		if len(terms) == 0 {
			return schema.True{}
		}
		return terms
	case schema.Or:
		terms := make(schema.Or, 0, len(d))
		for _, term := range d {
			switch term := withoutConstants(term).(type) {
			case schema.True:
				return term
			case schema.False:
			default:
				terms = append(terms, term)
			}
		}
		if len(terms) == 0 {
			return schema.False{}
		}
		return terms
	}
	return d
}

// mentions reports whether a condition of the domain, not of its any sub-domains, is on the field.
func mentions(d schema.Domain, field string) bool {
	switch d := d.(type) {
	case schema.And:
		for _, term := range d {
			if mentions(term, field) {
				return true
			}
		}
	case schema.Or:
		for _, term := range d {
			if mentions(term, field) {
				return true
			}
		}
	case schema.Not:
		return mentions(d.Term, field)
	case schema.Condition:
		return d.Path == field
	}
	return false
}

// query writes a sub-select on this table's scope: of a column, or of nothing for EXISTS.
func (t table) query(column string, where []sq.Sqlizer) sq.Sqlizer {
	selected := "SELECT 1"
	if column != "" {
		selected = "SELECT " + t.column(column)
	}
	return subselect{head: selected + " FROM " + ident(t.model.Table) + " " + t.alias, scope: t.scope, where: sq.And(where)}
}

// subselect renders its scope's joins when it is written, after its conditions have made them.
type subselect struct {
	head  string
	scope *scope
	where sq.And
}

// ToSql implements squirrel's Sqlizer.
//
//lint:ignore ST1003 the name is squirrel's
func (s subselect) ToSql() (string, []any, error) {
	where, args, err := s.where.ToSql()
	if err != nil {
		return "", nil, err
	}
	var b strings.Builder
	b.WriteString(s.head)
	b.WriteString(s.scope.joins.String())
	if where != "" {
		b.WriteString(" WHERE ")
		b.WriteString(where)
	}
	return b.String(), args, nil
}

// x2manyCondition compares the set of linked records with ids or with no record
// (Odoo 19.0: odoo/orm/fields_relational.py, _RelationalMulti.condition_to_sql).
func (t table) x2manyCondition(f *schema.Field, d schema.Condition, m mode) (sq.Sqlizer, error) {
	var none bool
	switch d.Op {
	case "=", "in":
	case "!=", "not in":
		none = true
	case "=?":
		switch modern := t.scope.c.catalogue.Features.ModernDomains; {
		case modern && !truthy(d.Value):
			return sqlTrue, nil
		case !modern && !truthy(d.Value) && d.Value != false:
			return nil, delegate("%s.%s compared by =? with %v", t.model.Name, f.Name, d.Value)
		}
		// Otherwise it is the equality, with no record too up to 17.0 (14.0: odoo/osv/expression.py, parse).
	default:
		return nil, delegate("%s.%s compared by %s", t.model.Name, f.Name, d.Op)
	}
	values := listOf(d.Value)
	if !isList(d.Value) {
		values = []any{d.Value}
	}
	if isList(d.Value) && len(values) == 0 {
		if d.Op == "=" || d.Op == "!=" {
			return nil, delegate("%s.%s compared with an empty list by %s", t.model.Name, f.Name, d.Op)
		}
		return sq.Expr(sqlBool(none)), nil
	}
	ids, empty, err := recordIDs(values)
	if err != nil {
		return nil, delegate("%s.%s: %v", t.model.Name, f.Name, err)
	}
	if slices.Contains(ids, 0) || slices.Contains(values, nil) {
		// To Odoo 19.0 an id of 0 is False, and to 14.0 None is an id.
		return nil, delegate("%s.%s is compared with what is no id", t.model.Name, f.Name)
	}
	if !t.scope.c.catalogue.Features.ModernDomains {
		switch {
		case !empty || !isList(d.Value):
		case f.Type == schema.Many2many:
			// Odoo leaves what is no id out of the list (14.0: odoo/osv/expression.py, parse).
			empty = false
		default:
			// Odoo takes the list for ids, of which PostgreSQL refuses False.
			return nil, delegate("%s.%s is compared with a list of no record", t.model.Name, f.Name)
		}
		return t.classicX2many(f, ids, empty, none)
	}
	view, err := t.relationView(f)
	if err != nil {
		return nil, err
	}
	var restriction schema.Domain = schema.True{}
	if view.Domain != nil {
		restriction = view.Domain
	}
	var terms []sq.Sqlizer
	everything := mode{super: true}
	if empty {
		lines, where, err := t.search(f, restriction, true, everything, false)
		if err != nil {
			return nil, err
		}
		term, err := t.exists(f, lines, where, !none)
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
	}
	if len(ids) > 0 {
		lines, where, err := t.search(f, restriction, true, everything, false)
		if err != nil {
			return nil, err
		}
		where = append(where, sq.Expr(lines.alias+".id = ANY(?::int8[])", ids))
		term, err := t.exists(f, lines, where, none)
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
	}
	if none {
		return sq.And(terms), nil
	}
	return sq.Or(terms), nil
}

// classicX2many is the form of 14.0 to 18.0: a comparison with the inverse column or the relation
// table. In 14.0 a NULL inverse makes NOT IN match nothing, which is kept.
func (t table) classicX2many(f *schema.Field, ids []int64, empty, none bool) (sq.Sqlizer, error) {
	if t.scope.c.catalogue.Features.FalsyValues {
		return nil, delegate("%s.%s is compared with records", t.model.Name, f.Name)
	}
	from, key, value := "", "", ""
	if f.Type == schema.Many2many {
		from, key, value = ident(f.RelTable), ident(f.RelColumn1), ident(f.RelColumn2)
	} else {
		comodel := t.scope.c.catalogue.Model(f.Comodel)
		if comodel == nil || comodel.Table == "" {
			return nil, delegate("%s.%s leads to %s, which has no table", t.model.Name, f.Name, f.Comodel)
		}
		inverse, err := (table{scope: t.scope, model: comodel, alias: ident(comodel.Table)}).inverse(f)
		if err != nil {
			return nil, err
		}
		from, key, value = ident(comodel.Table), inverse[strings.IndexByte(inverse, '.')+1:], "id"
	}
	if empty {
		in := "NOT IN"
		if none {
			in = "IN"
		}
		return sq.Expr("(" + t.alias + ".id " + in + " (SELECT " + key + " FROM " + from + " WHERE " + key + " IS NOT NULL))"), nil
	}
	in := "IN"
	if none {
		in = "NOT IN"
	}
	return sq.Expr("("+t.alias+".id "+in+" (SELECT "+key+" FROM "+from+" WHERE "+value+" = ANY(?::int8[])))", ids), nil
}

// relationView returns what fields_get told the user of a relational field's filter. It fails with
// a delegation where the user cannot see the field, since then nobody has told.
func (t table) relationView(f *schema.Field) (auth.FieldView, error) {
	access, err := t.scope.c.access(t.model.Name)
	if err != nil {
		return auth.FieldView{}, err
	}
	view, ok := access.Fields[f.Name]
	switch {
	case !ok:
		return auth.FieldView{}, delegate("%s.%s is not visible to the user", t.model.Name, f.Name)
	case view.Opaque != "":
		return auth.FieldView{}, delegate("%s.%s: %s", t.model.Name, f.Name, view.Opaque)
	}
	return view, nil
}
