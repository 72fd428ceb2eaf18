package reader

import (
	"cmp"
	"strconv"
	"strings"

	"lateral/schema"
)

// Flags a row carries beside its document; they fail the read.
const (
	flagDenied    = 1 // a nested record that the user may not read
	flagNotSingle = 2 // several records where one was asked for
)

func itoa(n int) string { return strconv.Itoa(n) }

// fragment is the SQL of one document: its text, and an int expression of flags ("" for none).
type fragment struct {
	text  string
	flags string
}

// join combines flags of parts.
func (f *fragment) flag(expression string) {
	switch {
	case expression == "":
	case f.flags == "":
		f.flags = expression
	default:
		f.flags += " | " + expression
	}
}

// document writes a level's fields of one record as a JSON object.
func (t table) document(level *Level) (fragment, error) {
	var result fragment
	parts := make([]string, 0, 2*len(level.Nodes)+2)
	lead := "{"
	for _, n := range level.Nodes {
		part, err := t.node(level, n)
		if err != nil {
			return fragment{}, err
		}
		parts = append(parts, literal(lead+`"`+n.Key+`":`), part.text)
		result.flag(part.flags)
		lead = ","
	}
	if lead == "{" {
		parts = append(parts, "'{'")
	}
	result.text = concat(append(parts, "'}'"))
	return result, nil
}

// concat joins texts by as many calls of concat() as its number of arguments demands.
func concat(parts []string) string {
	if len(parts) <= concatArguments {
		return "concat(" + strings.Join(parts, ", ") + ")"
	}
	var calls []string
	for len(parts) > 0 {
		n := min(len(parts), concatArguments)
		calls = append(calls, "concat("+strings.Join(parts[:n], ", ")+")")
		parts = parts[n:]
	}
	return concat(calls)
}

// node writes one field. What SQL cannot answer becomes a mark that Go fills in from Odoo.
func (t table) node(level *Level, n *Node) (fragment, error) {
	c := t.scope.c
	outer := c.level
	c.level = level
	defer func() { c.level = outer }()
	if n.Computed != "" {
		return fragment{text: c.splice(n, t.alias)}, nil
	}
	before := *c
	joins := t.scope.joins.String()
	part, err := t.direct(n)
	if err == nil {
		return part, nil
	}
	reason, ok := delegated(err)
	if !ok {
		return fragment{}, err
	}
	// What the attempt has added to the statement is taken back; joins without a reader would
	// cost, and parameters without a use fail.
	t.scope.forget(joins)
	c.args, c.aliases, c.spliced, c.langArg = before.args, before.aliases, before.spliced, before.langArg
	n.Computed = reason
	return fragment{text: c.splice(n, t.alias)}, nil
}

// forget takes back the joins made since the text was as given.
func (s *scope) forget(text string) {
	added := s.joins.String()[len(text):]
	for key, alias := range s.joined {
		if strings.Contains(added, " "+alias+" ON ") {
			delete(s.joined, key)
		}
	}
	s.joins.Reset()
	s.joins.WriteString(text)
}

// direct writes one field by SQL alone.
func (t table) direct(n *Node) (fragment, error) {
	switch n.Shape {
	case Object, ObjectList:
		return t.toOne(n)
	case NamedID:
		return t.namedID(n)
	case BareIDs, NullableIDs, IDs, Objects, SingleObject:
		return t.toMany(n)
	}
	text, err := t.json(n)
	return fragment{text: text}, err
}

// toOne writes a many2one as an object. The target is read as the user: one that exists and is
// hidden fails the read, as Odoo's web_read does (Odoo 19.0: addons/web/models/models.py).
func (t table) toOne(n *Node) (fragment, error) {
	link, err := t.field(n.Field)
	if err != nil {
		return fragment{}, err
	}
	if err := openToSQL(n.Sub); err != nil {
		return fragment{}, err
	}
	target, err := t.follow(n.Field, link.sql)
	if err != nil {
		return fragment{}, err
	}
	result, err := target.document(n.Sub)
	if err != nil {
		return fragment{}, err
	}
	readable, restricted, err := target.readable(n.Sub)
	if err != nil {
		return fragment{}, err
	}
	inner := result.flags
	result.flags = ""
	if inner != "" {
		// What is nested in a record that is not there cannot be hidden.
		result.flag("(CASE WHEN " + target.alias + ".id IS NOT NULL THEN coalesce(" + inner + ", 0) ELSE 0 END)")
	}
	if restricted {
		result.flag("(CASE WHEN " + target.alias + ".id IS NOT NULL AND (" + readable + ") IS NOT TRUE THEN " + itoa(flagDenied) + " ELSE 0 END)")
	}
	open, closing, empty := "", "", "'null'"
	if n.Shape == ObjectList {
		open, closing, empty = "'[' || ", " || ']'", "'[]'"
	}
	result.text = "CASE WHEN " + target.alias + ".id IS NULL THEN " + empty + " ELSE " + open + result.text + closing + " END"
	return result, nil
}

// namedID writes a many2one as its id and, where the user may read the target, its name.
func (t table) namedID(n *Node) (fragment, error) {
	link, err := t.field(n.Field)
	if err != nil {
		return fragment{}, err
	}
	var name *Node
	for _, sub := range n.Sub.Nodes {
		if sub.Field.Name == "name" {
			name = sub
		}
	}
	if name == nil || !n.Sub.Access.Readable {
		return fragment{text: "coalesce('{\"id\":' || " + link.sql + " || '}', 'null')"}, nil
	}
	if err := openToSQL(n.Sub); err != nil {
		return fragment{}, err
	}
	target, err := t.follow(n.Field, link.sql)
	if err != nil {
		return fragment{}, err
	}
	part, err := target.direct(name)
	if err != nil {
		return fragment{}, err
	}
	text := "',\"name\":' || " + part.text
	readable, restricted, err := target.readable(n.Sub)
	if err != nil {
		return fragment{}, err
	}
	if restricted {
		text = "CASE WHEN " + readable + " THEN " + text + " END"
	}
	return fragment{text: "CASE WHEN " + target.alias + ".id IS NULL THEN 'null' ELSE concat('{\"id\":', " + target.alias + ".id, " + text + ", '}') END"}, nil
}

// openToSQL fails with a delegation where a level's records must be read by Odoo.
func openToSQL(level *Level) error {
	if level.Model.Guard.Kind == schema.Guarded {
		return delegate("%s: %s", level.Model.Name, level.Model.Guard.Reason)
	}
	if level.Access.Opaque != "" {
		return delegate("the rules of %s: %s", level.Model.Name, level.Access.Opaque)
	}
	return nil
}

// readable returns the predicate that the user may read a level's record, and whether it restricts
// anything.
func (t table) readable(level *Level) (string, bool, error) {
	if !level.Access.Readable {
		return "FALSE", true, nil
	}
	if _, open := level.Access.Rule.(schema.True); open {
		return "TRUE", false, nil
	}
	predicate, err := t.domain(level.Access.Rule, t.scope.c.ruleMode())
	if err != nil {
		return "", false, err
	}
	text, err := t.scope.c.text(predicate)
	return text, true, err
}

// toMany writes an x2many by a LATERAL sub-select that aggregates its records
// (Odoo 19.0: odoo/orm/fields_relational.py, One2many.read and Many2many.read).
func (t table) toMany(n *Node) (fragment, error) {
	c := t.scope.c
	f, base, asUser, err := t.source(n)
	if err != nil {
		return fragment{}, err
	}
	if closed, err := c.refusesLines(f, asUser); err != nil || closed {
		// Odoo refuses to read the field of any record at all.
		return fragment{text: "'null'", flags: itoa(flagDenied)}, err
	}
	lines, where, err := base.lines(f)
	if err != nil {
		return fragment{}, err
	}
	conditions, err := lines.content(n, f, asUser)
	if err != nil {
		return fragment{}, err
	}
	where = append(where, conditions...)

	element := fragment{text: lines.alias + ".id"}
	if n.Sub != nil {
		if element, err = lines.document(n.Sub); err != nil {
			return fragment{}, err
		}
		if !asUser {
			// Lines that are shown whatever the rules say are read as the user nonetheless.
			readable, restricted, err := lines.readable(n.Sub)
			if err != nil {
				return fragment{}, err
			}
			if restricted {
				element.flag("(CASE WHEN (" + readable + ") IS NOT TRUE THEN " + itoa(flagDenied) + " ELSE 0 END)")
			}
		}
	}
	order, err := lines.order("", lines.model.Field(f.Inverse), c.userMode())
	if err != nil {
		return fragment{}, err
	}

	list := "string_agg(" + elementText(element.text) + ", ',' ORDER BY " + order.sql() + ")"
	var result fragment
	if element.flags != "" {
		result.flag("coalesce(bit_or(" + element.flags + "), 0)")
	}
	switch n.Shape {
	case BareIDs:
		result.text = "CASE WHEN count(*) > 1 THEN '[' || " + list + " || ']' ELSE " + list + " END"
	case NullableIDs, IDs, Objects:
		result.text = "'[' || " + list + " || ']'"
	case SingleObject:
		result.text = list
		// None of several records is read, so that none is refused.
		result.flags = "CASE WHEN count(*) > 1 THEN " + itoa(flagNotSingle) + " ELSE " + cmp.Or(result.flags, "0") + " END"
	}
	alias := c.alias()
	sub := "SELECT " + result.text + " AS j"
	if result.flags != "" {
		sub += ", " + result.flags + " AS f"
	}
	sub += "\nFROM " + ident(lines.model.Table) + " " + lines.alias + lines.scope.joins.String()
	if len(where) > 0 {
		sub += "\nWHERE " + strings.Join(where, " AND ")
	}
	t.scope.joins.WriteString("\nLEFT JOIN LATERAL (" + sub + ") " + alias + " ON TRUE")

	empty := "'null'"
	if n.Shape == IDs || n.Shape == Objects {
		empty = "'[]'"
	}
	out := fragment{text: "coalesce(" + alias + ".j, " + empty + ")"}
	if result.flags != "" {
		out.flags = alias + ".f"
	}
	return out, nil
}

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

func elementText(sql string) string {
	if strings.HasPrefix(sql, "concat(") {
		return sql
	}
	return sql + "::text"
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

// lines opens a scope with the records behind a stored x2many of one record, and returns the
// conditions that tie them to it.
func (t table) lines(f *schema.Field) (table, []string, error) {
	c := t.scope.c
	comodel := c.catalogue.Model(f.Comodel)
	if comodel == nil || comodel.Table == "" {
		return table{}, nil, delegate("%s.%s leads to %s, which has no table", t.model.Name, f.Name, f.Comodel)
	}
	if comodel.Guard.Kind == schema.Guarded {
		return table{}, nil, delegate("%s: %s", comodel.Name, comodel.Guard.Reason)
	}
	lines := table{scope: c.newScope(), model: comodel, alias: c.alias()}
	if f.Type == schema.Many2many {
		if f.RelTable == "" || f.RelColumn1 == "" || f.RelColumn2 == "" {
			return table{}, nil, delegate("%s.%s has no relation table", t.model.Name, f.Name)
		}
		rel := c.alias()
		lines.scope.joins.WriteString("\nJOIN " + ident(f.RelTable) + " " + rel + " ON " + rel + "." + ident(f.RelColumn2) + " = " + lines.alias + ".id")
		return lines, []string{rel + "." + ident(f.RelColumn1) + " = " + t.alias + ".id"}, nil
	}
	tie, ok := t.tie(lines, f)
	if !ok {
		return table{}, nil, delegate("%s.%s has no stored many2one behind it", t.model.Name, f.Name)
	}
	if comodel.Guard.Rewrites(f.Inverse, "in") {
		return table{}, nil, delegate("%s: %s", comodel.Name, comodel.Guard.Reason)
	}
	access, err := c.access(comodel.Name)
	if err != nil {
		return table{}, nil, err
	}
	if _, visible := access.Fields[f.Inverse]; !visible {
		return table{}, nil, delegate("%s.%s is not visible to the user", comodel.Name, f.Inverse)
	}
	return lines, tie, nil
}

// tie returns the conditions by which the records of a one2many know the record that holds them: a
// many2one, or an id beside the name of a model (Odoo 14.0: odoo/fields.py, One2many.get_domain_list;
// 19.0: odoo/orm/fields_relational.py, One2many.get_comodel_domain).
func (t table) tie(lines table, f *schema.Field) ([]string, bool) {
	inverse := lines.model.Field(f.Inverse)
	if inverse == nil || inverse.Column == "" || inverse.CompanyDependent {
		return nil, false
	}
	tie := []string{lines.column(inverse.Column) + " = " + t.alias + ".id"}
	switch source := inverse.Static.Source; {
	case inverse.Type == schema.Many2one:
		return tie, true
	case inverse.Type == schema.Many2oneReference && source != nil && source.ModelField != "":
		model := lines.model.Field(source.ModelField)
		if model == nil || model.Column == "" || model.Type != schema.Char {
			return nil, false
		}
		return append(tie, lines.column(model.Column)+" = "+literal(f.Model.Name)), true
	}
	return nil, false
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
