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

// fragment is the SQL of a document or of one field of it: its text, and an int expression of flags ("" for
// none).
type fragment struct {
	text  string
	flags string
	// scalar is what text renders, where that is a scalar field; part is where text is the key of records
	// that are read by another statement.
	scalar scalar
	part   *part
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
	c.args, c.aliases, c.spliced, c.langArg, c.shared = before.args, before.aliases, before.spliced, before.langArg, before.shared
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
		if t.scope.c.layered {
			return t.onePart(n)
		}
		return t.toOne(n)
	case NamedID:
		return t.namedID(n)
	case BareIDs, NullableIDs, IDs, Objects, SingleObject:
		return t.toMany(n)
	}
	s, err := t.scalar(n)
	return fragment{text: s.text(), scalar: s}, err
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
	if c.layered {
		return base.manyPart(n, f, asUser)
	}
	lines, key, where, err := base.lines(n, f, asUser)
	if err != nil {
		return fragment{}, err
	}
	where = append([]string{key + " = " + base.alias + ".id"}, where...)

	element := fragment{text: lines.alias + ".id"}
	if n.Sub != nil {
		if element, err = lines.document(n.Sub); err != nil {
			return fragment{}, err
		}
		hidden, err := lines.hiddenLine(n.Sub, asUser)
		if err != nil {
			return fragment{}, err
		}
		element.flag(hidden)
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

func elementText(sql string) string {
	if strings.HasPrefix(sql, "concat(") {
		return sql
	}
	return sql + "::text"
}
