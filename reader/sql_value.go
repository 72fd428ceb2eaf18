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

// json returns an SQL expression of type text, never NULL, with the JSON text of a scalar field
// (contract, section 4; Odoo's empty values: convert_to_record of each type in
// odoo/orm/fields*.py of 19.0 and odoo/fields.py of 14.0).
func (t table) json(n *Node) (string, error) {
	f := n.Field
	if f.Type == schema.Binary || f.Type == schema.Image {
		return t.binaryJSON(n)
	}
	if f.Name == "display_name" && f.Column == "" {
		return t.displayNameJSON(n)
	}
	v, err := t.field(f)
	if err != nil {
		return "", err
	}
	switch f.Type {
	case schema.Boolean:
		empty := "'false'"
		if n.Null.False {
			empty = "'null'"
		}
		return "CASE WHEN " + v.sql + " THEN 'true' ELSE " + empty + " END", nil
	case schema.Integer, schema.Many2oneReference:
		if f.Name == "id" {
			return v.sql, nil
		}
		return "coalesce(" + v.sql + ", 0)", nil
	case schema.Float, schema.Monetary:
		if f.Column == "" && (v.typ == "numeric" || v.column.CompanyDependent) && t.scope.c.catalogue.Features.InexactRounding {
			// What is fetched from a column is as it is there; what a related or company-dependent field
			// takes over is rounded to its digits once more (Odoo 14.0: odoo/fields.py, Float.convert_to_cache;
			// odoo/tools/float_utils.py, float_round).
			return "", delegate("%s.%s is rounded by Odoo", t.model.Name, f.Name)
		}
		return numberJSON(v), nil
	case schema.Char, schema.Text, schema.HTML, schema.Selection:
		return textJSON(v, n.Null), nil
	case schema.Date:
		return `coalesce('"' || ` + v.sql + ` || '"', 'null')`, nil
	case schema.Datetime:
		// Microseconds are cut, not rounded, as Odoo does. DateStyle is ISO on our connections.
		return `coalesce('"' || left(` + v.sql + `::text, 19) || '"', 'null')`, nil
	case schema.Many2one:
		return "coalesce(" + v.sql + "::text, 'null')", nil
	case schema.Reference:
		id := "nullif(split_part(" + v.sql + ", ',', 2), '')"
		if n.Shape == ReferenceIDs {
			return "coalesce('[' || " + id + " || ']', 'null')", nil
		}
		return "coalesce(" + id + ", 'null')", nil
	case schema.JSON:
		return "CASE WHEN " + v.sql + `::text IN ('{}', '[]', '""', 'false', '0') THEN 'null' ELSE coalesce(` + v.sql + "::text, 'null') END", nil
	}
	return "", delegate("%s.%s is %s", t.model.Name, f.Name, f.Type)
}

// numberJSON writes a float with the shortest digits that read back as the same number, and with a
// point: see appendFloat.
func numberJSON(v value) string {
	limit := "1e300" // of numeric; NaN and infinity are above it
	if v.typ == "float8" {
		limit = "1.7976931348623157e308"
	}
	return "CASE WHEN " + v.sql + " IS NULL THEN '0.0'" +
		" WHEN abs(" + v.sql + ") < 1e15 AND " + v.sql + " = trunc(" + v.sql + ") THEN trunc(" + v.sql + ")::text || '.0'" +
		" WHEN abs(" + v.sql + ") <= " + limit + " THEN (" + v.sql + ")::float8::text ELSE 'null' END"
}

func textJSON(v value, null NullPolicy) string {
	sql := v.sql
	if null.Empty {
		sql = "nullif(" + sql + ", '')"
	}
	return "coalesce(to_json(" + sql + ")::text, 'null')"
}

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

// displayNameJSON writes a record's name where it is provably the value of one field.
func (t table) displayNameJSON(n *Node) (string, error) {
	v, err := t.displayName(4)
	if err != nil {
		return "", err
	}
	return textJSON(v, n.Null), nil
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
