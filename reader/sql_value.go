package reader

import (
	"lateral/schema"
)

// Documents are written as text by concat(): it takes at most so many arguments at once
// (PostgreSQL's FUNC_MAX_ARGS is 100).
const concatArguments = 90

// spliceMark and spliceEnd enclose what Go puts into a document after PostgreSQL has written it.
// JSON text never holds these control characters: PostgreSQL escapes them in strings.
const (
	spliceMark = "\x01"
	spliceEnd  = "\x02"
)

// spliceSource is a computed field whose values Go fetches from Odoo and puts in.
type spliceSource struct {
	level *Level
	node  *Node
}

// scalar finds the value of a scalar field and how it becomes JSON.
func (t table) scalar(n *Node) (scalar, error) {
	f := n.Field
	if f.Type == schema.Binary || f.Type == schema.Image {
		text, err := t.binaryJSON(n)
		return ready(text), err
	}
	if f.Name == "display_name" && f.Column == "" {
		// A record's name where it is provably the value of one field.
		v, err := t.displayName(4)
		return scalar{value: v, as: ofText(n.Null)}, err
	}
	v, err := t.field(f)
	if err != nil {
		return scalar{}, err
	}
	if as, ok := renderings[f.Type]; ok {
		switch {
		case f.Name == "id":
			as = asFinished
		case as == asNumeral && f.Column == "" && (v.typ == "numeric" || v.column.CompanyDependent) && t.scope.c.catalogue.Features.InexactRounding:
			// What is fetched from a column is as it is there; what a related or company-dependent field
			// takes over is rounded to its digits once more (Odoo 14.0: odoo/fields.py, Float.convert_to_cache;
			// odoo/tools/float_utils.py, float_round).
			return scalar{}, delegate("%s.%s is rounded by Odoo", t.model.Name, f.Name)
		}
		return scalar{value: v, as: as}, nil
	}
	switch f.Type {
	case schema.Boolean:
		if n.Null.False {
			return scalar{value: v, as: asFlagNull}, nil
		}
		return scalar{value: v, as: asFlagTrue}, nil
	case schema.Char, schema.Text, schema.HTML, schema.Selection:
		return scalar{value: v, as: ofText(n.Null)}, nil
	case schema.Reference:
		id := "nullif(split_part(" + v.sql + ", ',', 2), '')"
		if n.Shape == ReferenceIDs {
			return ready("coalesce('[' || " + id + " || ']', 'null')"), nil
		}
		return ready("coalesce(" + id + ", 'null')"), nil
	case schema.JSON:
		return ready("CASE WHEN " + v.sql + `::text IN ('{}', '[]', '""', 'false', '0') THEN 'null' ELSE coalesce(` + v.sql + "::text, 'null') END"), nil
	}
	return scalar{}, delegate("%s.%s is %s", t.model.Name, f.Name, f.Type)
}

// ready is a scalar whose expression is JSON text.
func ready(text string) scalar { return scalar{value: value{sql: text}} }

// binaryJSON writes a binary field's content as base64 text, or where it lies. A column holds that
// text already; an attachment's content lies in its row or in a file, which Go puts in
// (Odoo 19.0: odoo/orm/fields_binary.py, read; addons/base/models/ir_attachment.py).
func (t table) binaryJSON(n *Node) (string, error) {
	f, base := n.Field, t
	if len(f.Related) > 0 && !f.Stored {
		var err error
		if f, base, err = t.related(f, false); err != nil {
			return "", err
		}
	}
	inColumn := f.Column != "" && f.ColumnType == "bytea" && !f.CompanyDependent
	switch {
	case f.Static.Python != "":
		return "", delegate("%s.%s: %s", base.model.Name, f.Name, f.Static.Python)
	case inColumn && n.Shape == Place:
		return base.columnPlace(f), nil
	case inColumn:
		return `coalesce('"' || nullif(convert_from(` + base.column(f.Column) + `, 'UTF8'), '') || '"', 'null')`, nil
	case !f.Attachment || !f.Stored:
		return "", delegate("%s.%s is computed", t.model.Name, f.Name)
	case !t.scope.c.filestore:
		return "", delegate("%s.%s may lie in the filestore, which is not configured", t.model.Name, f.Name)
	}
	alias := t.scope.c.alias()
	file, data := "'"+spliceMark+"f' || "+alias+".store_fname || '"+spliceEnd+"'",
		`'"' || nullif(translate(encode(`+alias+`.db_datas, 'base64'), chr(10), ''), '') || '"'`
	if n.Shape == Place {
		file = attachmentPlace(alias)
		data = "CASE WHEN octet_length(" + alias + ".db_datas) > 0 THEN " + file + " END"
	}
	content := "CASE WHEN " + alias + ".type <> 'binary' THEN " + t.scope.c.splice(n, t.alias) +
		" WHEN " + alias + ".store_fname ~ " + literal(storedNamePattern) + " THEN " + file +
		" WHEN " + alias + ".store_fname IS NOT NULL THEN " + t.scope.c.splice(n, t.alias) + " ELSE " + data + " END"
	return "coalesce((SELECT " + content + " FROM ir_attachment " + alias +
		" WHERE " + alias + ".res_model = " + literal(base.model.Name) + " AND " + alias + ".res_field = " + literal(f.Name) +
		" AND " + alias + ".res_id = " + base.alias + ".id ORDER BY " + alias + ".id LIMIT 1), 'null')", nil
}

// displayName returns the record name of a model whose names are plain, following many2one names
// at most so many hops (Odoo 19.0: odoo/orm/models.py, _compute_display_name).
func (t table) displayName(hops int) (value, error) {
	c := t.scope.c
	if f := t.model.Field("display_name"); f != nil && f.Column != "" {
		return t.stored(f)
	}
	if t.model.LabelField == "" || hops == 0 {
		return value{}, delegate("the display name of %s is computed", t.model.Name)
	}
	f := t.model.Field(t.model.LabelField)
	if f == nil {
		return value{}, delegate("%s has no field %s", t.model.Name, t.model.LabelField)
	}
	v, err := t.field(f)
	if err != nil {
		return value{}, err
	}
	switch f.Type {
	case schema.Char, schema.Text:
	case schema.Many2one:
		// The target's name is read as the user, so a rule on it would matter.
		access, err := c.access(f.Comodel)
		if err != nil {
			return value{}, err
		}
		if _, open := access.Rule.(schema.True); !open || !access.Readable || access.Opaque != "" {
			return value{}, delegate("the display name of %s is that of %s, which is restricted", t.model.Name, f.Comodel)
		}
		target, err := t.follow(f, v.sql)
		if err != nil {
			return value{}, err
		}
		if v, err = target.displayName(hops - 1); err != nil {
			return value{}, err
		}
	default:
		return value{}, delegate("the display name of %s is a %s", t.model.Name, f.Type)
	}
	if c.catalogue.Features.FalseText {
		// Python writes False for no name; an empty one stays empty.
		v.sql = "coalesce(" + v.sql + ", 'False')"
	}
	return v, nil
}

// splice registers a node to be filled in from Odoo and returns the SQL text of its mark, which
// carries the record's id.
func (c *compiler) splice(n *Node, alias string) string {
	index := -1
	for i, s := range c.spliced {
		if s.node == n {
			index = i
		}
	}
	if index < 0 {
		index = len(c.spliced)
		c.spliced = append(c.spliced, spliceSource{level: c.level, node: n})
	}
	return "'" + spliceMark + "c" + itoa(index) + ":' || " + alias + ".id || '" + spliceEnd + "'"
}
