package reader

import (
	"slices"

	sq "github.com/Masterminds/squirrel"

	"lateral/schema"
)

// hierarchy compiles child_of and parent_of for given ids. The hierarchy is walked as a superuser
// over archived records too (Odoo 19.0: odoo/orm/domains.py, _operator_hierarchy; 14.0:
// odoo/osv/expression.py, child_of_domain and parent_of_domain).
func (t table) hierarchy(f *schema.Field, d schema.Condition, m mode) (sq.Sqlizer, error) {
	c := t.scope.c
	modern := c.catalogue.Features.ModernDomains
	if f.Name != "id" && !f.Type.Relational() {
		return nil, delegate("%s on the %s %s.%s", d.Op, f.Type, t.model.Name, f.Name)
	}
	if !modern && !m.super {
		// Up to 18.0 parts of the walk run with the user's rights.
		return nil, delegate("%s on %s.%s", d.Op, t.model.Name, f.Name)
	}
	values := listOf(d.Value)
	if !isList(d.Value) {
		values = []any{d.Value}
	}
	ids, empty, err := recordIDs(values)
	if err != nil {
		return nil, delegate("%s.%s: %v", t.model.Name, f.Name, err)
	}
	if empty && isList(d.Value) && modern {
		return nil, delegate("%s of a list with False", d.Op)
	}
	if len(ids) == 0 && !isList(d.Value) {
		return sqlFalse, nil
	}
	var comodel *schema.Model
	switch {
	case f.Name == "id":
		comodel = t.model
	case f.Type == schema.Many2one, f.Type.X2many() && modern && f.Type != schema.Many2many:
		comodel = c.catalogue.Model(f.Comodel)
	}
	if comodel != nil && !modern && comodel.Name == "res.partner" && slices.Equal(comodel.Guard.Terms, partnerTerms) {
		m.active = false
	} else if comodel != nil && comodel.Guard.Rewrites("id", d.Op) {
		return nil, delegate("%s on %s.%s: %s", d.Op, t.model.Name, f.Name, comodel.Guard.Reason)
	}
	if comodel == nil || comodel.Table == "" {
		return nil, delegate("%s on %s.%s", d.Op, t.model.Name, f.Name)
	}
	if !m.super {
		// The records to start from are searched for as the user, even where there are none.
		access, err := c.access(comodel.Name)
		if err != nil {
			return nil, err
		}
		if !access.Readable {
			return nil, denied("the user may not read %s", comodel.Name)
		}
	}
	if len(ids) == 0 {
		return sqlFalse, nil
	}
	parent := comodel.ParentName
	same := comodel == t.model
	if same && f.Name != "id" {
		parent = f.Name
	}
	stored := comodel.ParentStore && parent == comodel.ParentName
	among, err := c.family(comodel, parent, stored, d.Op == "child_of", ids, m)
	if err != nil {
		return nil, err
	}
	switch {
	case f.Name == "id", same && f.Type == schema.Many2one:
		return sq.Expr(t.alias+".id ?", among), nil
	case f.Type == schema.Many2one:
		link, err := t.field(f)
		if err != nil {
			return nil, err
		}
		return sq.Expr(link.sql+" ?", among), nil
	}
	lines := table{scope: c.newScope(), model: comodel, alias: c.alias()}
	return t.exists(f, lines, []sq.Sqlizer{sq.Expr(lines.alias+".id ?", among)}, false)
}

// partnerTerms are what the override of _search of res.partner rewrites, where there is no other than
// Odoo's own: it lifts the active filter from each step of child_of, which knows no parent_path there
// (Odoo 14.0: addons/base/models/res_partner.py, _search).
var partnerTerms = []string{"* child_of", "parent_id in"}

// family is what compares an id with those of the descendants or ancestors of records, themselves included. Ancestors
// are few; as an array PostgreSQL finds them once for a whole statement.
func (c *compiler) family(model *schema.Model, parent string, stored, down bool, ids []int64, m mode) (sq.Sqlizer, error) {
	from := ident(model.Table)
	root, kin := c.alias(), c.alias()
	roots := from + " " + root + " WHERE " + root + ".id = ANY(?::int8[])"
	archived := ""
	if flag := model.Field(model.ActiveName); down && !c.catalogue.Features.ModernDomains && m.active && flag != nil && flag.Column != "" {
		// Up to 17.0 descendants are searched for with the active filter on, level by level where there
		// is no parent_path (14.0: odoo/osv/expression.py, child_of_domain).
		archived = " AND " + kin + "." + ident(flag.Column)
	}
	if stored {
		if !down {
			paths := "SELECT string_to_array(coalesce(string_agg(rtrim(parent_path, '/'), '/'), ''), '/')::int4[] AS v FROM " + from
			return sq.Expr("= ANY (" + c.share(paths+" WHERE id = ANY("+c.arg(ids)+"::int8[])") + "::int4[])"), nil
		}
		return sq.Expr("IN (SELECT "+kin+".id FROM "+from+" "+kin+" WHERE EXISTS (SELECT 1 FROM "+roots+
			" AND "+kin+".parent_path LIKE "+root+".parent_path || '%')"+archived+")", ids), nil
	}
	link := model.Field(parent)
	if link == nil || link.Type != schema.Many2one || link.Column == "" || link.CompanyDependent {
		return nil, delegate("%s has no stored parent %s", model.Name, parent)
	}
	column, walk := ident(link.Column), c.alias()
	step := "SELECT " + kin + ".id, " + kin + "." + column + " FROM " + from + " " + kin + " JOIN " + walk + " ON "
	if down {
		step += kin + "." + column + " = " + walk + ".id" + archived
	} else {
		step += kin + ".id = " + walk + ".up"
	}
	walked := "(WITH RECURSIVE " + walk + "(id, up) AS (SELECT " + root + ".id, " + root + "." + column + " FROM " + roots + " UNION " + step + ") SELECT id FROM " + walk + ")"
	if down {
		return sq.Expr("IN "+walked, ids), nil
	}
	return sq.Expr("= ANY (ARRAY"+walked+")", ids), nil
}
