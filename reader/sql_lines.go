package reader

import (
	"lateral/schema"
)

// refusesLines reports whether reading an x2many as the user takes an ACL on its comodel that the user has
// not. Up to 18.0 a many2many is read without, see content.
func (c *compiler) refusesLines(f *schema.Field, asUser bool) (bool, error) {
	comodel := c.catalogue.Model(f.Comodel)
	if !asUser || comodel == nil || comodel.Guard.Kind == schema.Guarded ||
		f.Type != schema.One2many && !c.catalogue.Features.CheckedMany2many {
		return false, nil
	}
	access, err := c.access(comodel.Name)
	return err == nil && !access.Readable, err
}

// source finds the stored x2many behind a node and the record that holds it. The lines of a field
// of the model itself are read as the user, and so are those of a delegated one; those of a related
// one as a superuser (Odoo 19.0: odoo/orm/fields.py, _compute_related).
func (t table) source(n *Node) (f *schema.Field, base table, asUser bool, err error) {
	f = n.Field
	if f.Static.Python != "" {
		return nil, table{}, false, delegate("%s.%s: %s", t.model.Name, f.Name, f.Static.Python)
	}
	if f.Stored {
		return f, t, true, nil
	}
	if len(f.Related) < 2 {
		return nil, table{}, false, delegate("%s.%s is computed", t.model.Name, f.Name)
	}
	super := !readAsUser(f)
	f, base, err = t.related(f, false)
	for err == nil && !f.Stored && len(f.Related) > 1 {
		next := f
		f, base, err = base.related(f, super)
		super = super || !readAsUser(next)
	}
	if err == nil && !f.Stored {
		err = delegate("%s.%s is computed", t.model.Name, n.Field.Name)
	}
	return f, base, !super, err
}

// hiddenLine returns the flag of an x2many's record that the user may not read, "" where there can be none:
// those that are shown whatever the rules say are read as the user nonetheless.
func (t table) hiddenLine(level *Level, asUser bool) (string, error) {
	if asUser {
		return "", nil
	}
	return t.hidden(level)
}

// hidden returns the flag of a record that the user may not read, "" where there can be none.
func (t table) hidden(level *Level) (string, error) {
	readable, restricted, err := t.readable(level)
	if err != nil || !restricted {
		return "", err
	}
	return "(CASE WHEN (" + readable + ") IS NOT TRUE THEN " + itoa(flagDenied) + " ELSE 0 END)", nil
}

// lines opens a scope with the records behind a stored x2many, and returns what of them is the id of the
// record that holds them, and the conditions on what the field shows.
func (t table) lines(n *Node, f *schema.Field, asUser bool) (lines table, key string, where []string, err error) {
	c := t.scope.c
	comodel := c.catalogue.Model(f.Comodel)
	if comodel == nil || comodel.Table == "" {
		return table{}, "", nil, delegate("%s.%s leads to %s, which has no table", t.model.Name, f.Name, f.Comodel)
	}
	if comodel.Guard.Kind == schema.Guarded {
		return table{}, "", nil, delegate("%s: %s", comodel.Name, comodel.Guard.Reason)
	}
	lines = table{scope: c.newScope(), model: comodel, alias: c.alias()}
	if f.Type == schema.Many2many {
		if f.RelTable == "" || f.RelColumn1 == "" || f.RelColumn2 == "" {
			return table{}, "", nil, delegate("%s.%s has no relation table", t.model.Name, f.Name)
		}
		rel := c.alias()
		lines.scope.joins.WriteString("\nJOIN " + ident(f.RelTable) + " " + rel + " ON " + rel + "." + ident(f.RelColumn2) + " = " + lines.alias + ".id")
		key = rel + "." + ident(f.RelColumn1)
	} else if key, where, err = t.tie(lines, f); err != nil {
		return table{}, "", nil, err
	}
	conditions, err := lines.content(n, f, asUser)
	return lines, key, append(where, conditions...), err
}

// tie returns what of a one2many's records is the id of the one that holds them, a many2one or an id beside the
// name of a model, and the conditions that make it so (Odoo 14.0: odoo/fields.py, One2many.get_domain_list;
// 19.0: odoo/orm/fields_relational.py, One2many.get_comodel_domain).
func (t table) tie(lines table, f *schema.Field) (key string, where []string, err error) {
	c := t.scope.c
	none := delegate("%s.%s has no stored many2one behind it", t.model.Name, f.Name)
	inverse := lines.model.Field(f.Inverse)
	if inverse == nil || inverse.Column == "" || inverse.CompanyDependent {
		return "", nil, none
	}
	switch source := inverse.Static.Source; {
	case inverse.Type == schema.Many2one:
	case inverse.Type == schema.Many2oneReference && source != nil && source.ModelField != "":
		model := lines.model.Field(source.ModelField)
		if model == nil || model.Column == "" || model.Type != schema.Char {
			return "", nil, none
		}
		where = []string{lines.column(model.Column) + " = " + literal(f.Model.Name)}
	default:
		return "", nil, none
	}
	if lines.model.Guard.Rewrites(f.Inverse, "in") {
		return "", nil, delegate("%s: %s", lines.model.Name, lines.model.Guard.Reason)
	}
	access, err := c.access(lines.model.Name)
	if err != nil {
		return "", nil, err
	}
	if _, visible := access.Fields[f.Inverse]; !visible {
		return "", nil, delegate("%s.%s is not visible to the user", lines.model.Name, f.Inverse)
	}
	return lines.column(inverse.Column), where, nil
}

// content returns the conditions on what an x2many shows: the field's own domain, the rules of the
// comodel where it is read as the user, and the active filter.
func (t table) content(n *Node, f *schema.Field, asUser bool) ([]string, error) {
	c := t.scope.c
	view := n.View
	if f != n.Field {
		access, err := c.access(f.Model.Name)
		if err != nil {
			return nil, err
		}
		inner, ok := access.Fields[f.Name]
		if !ok {
			return nil, delegate("%s.%s is not visible to the user", f.Model.Name, f.Name)
		}
		view = inner
	}
	if view.Opaque != "" {
		return nil, delegate("%s.%s: %s", f.Model.Name, f.Name, view.Opaque)
	}
	var where []string
	add := func(d schema.Domain, m mode) error {
		predicate, err := t.domain(d, m)
		if err != nil {
			return err
		}
		text, err := c.text(predicate)
		if err == nil && text != "TRUE" {
			where = append(where, "("+text+")")
		}
		return err
	}
	active := c.activeTest()
	if view.ActiveTest != nil {
		active = *view.ActiveTest
	}
	if view.Domain != nil {
		domainMode := c.userMode()
		if !asUser {
			domainMode = c.superMode()
		}
		domainMode.active = view.ActiveTest != nil && *view.ActiveTest
		if err := add(view.Domain, domainMode); err != nil {
			if _, ok := delegated(err); !ok {
				err = delegate("the domain of %s.%s: %v", f.Model.Name, f.Name, err)
			}
			return nil, err
		}
	}
	if asUser {
		access, err := c.access(t.model.Name)
		if err != nil {
			return nil, err
		}
		switch {
		case access.Opaque != "":
			return nil, delegate("the rules of %s: %s", t.model.Name, access.Opaque)
		case access.Readable:
			if err := add(access.Rule, c.ruleMode()); err != nil {
				return nil, err
			}
		case f.Type == schema.One2many || c.catalogue.Features.CheckedMany2many:
			// toMany denies the whole field.
		default:
			// Without the ACL a many2many is read up to 18.0 as far as the rules go, but what follows
			// depends on Odoo's cache.
			return nil, delegate("no access to %s", t.model.Name)
		}
	}
	if active && t.model.ActiveName != "" {
		flag := t.model.Field(t.model.ActiveName)
		if flag == nil {
			return nil, delegate("%s has no field %s", t.model.Name, t.model.ActiveName)
		}
		v, err := t.field(flag)
		if err != nil {
			return nil, err
		}
		where = append(where, v.sql)
	}
	return where, nil
}
