package reader

import "lateral/schema"

// attachmentPlace writes where an attachment's content lies, as a contentPlace in JSON. The row's
// xmin changes with every change of it, which tells later reads of the content that it is another.
func attachmentPlace(alias string) string {
	return "json_build_object('attachment', " + alias + ".id, 'version', " + alias + ".xmin::text, 'file', " + alias + ".store_fname, " +
		"'size', octet_length(" + alias + ".db_datas), 'hash', " + alias + ".checksum, 'type', " + alias + ".mimetype)::text"
}

// columnPlace writes where the content of a binary field with a column lies.
func (t table) columnPlace(f *schema.Field) string {
	alias := t.scope.c.alias()
	column := alias + "." + ident(f.Column)
	return "coalesce((SELECT json_build_object('table', " + literal(t.model.Table) + ", 'column', " + literal(f.Column) +
		", 'row', " + alias + ".id, 'version', " + alias + ".xmin::text, 'chars', octet_length(" + column + "), 'size', octet_length(" + decoded(column) +
		"), 'hash', md5(" + column + "))::text FROM " + ident(t.model.Table) + " " + alias +
		" WHERE " + alias + ".id = " + t.alias + ".id AND octet_length(" + column + ") > 0), 'null')"
}

// decoded is the content of a column that holds base64 text.
func decoded(column string) string { return "decode(convert_from(" + column + ", 'UTF8'), 'base64')" }

// attachmentItself finds the content of an attachment that the user was found to be allowed to read.
const attachmentItself = "SELECT %s FROM ir_attachment a WHERE a.id = $1 AND a.type = 'binary' AND a.checksum IS NOT DISTINCT FROM $2 " +
	"AND (a.store_fname IS NOT NULL OR octet_length(a.db_datas) > 0)"

// attachmentSlice and columnSlice read a part of the content that a contentPlace describes, from a
// byte, the first being 1, and at most so many; textSlice does so where the column's text has line breaks.
const (
	attachmentSlice = "SELECT substring(db_datas FROM $3::int4 FOR $4::int4) FROM ir_attachment WHERE id = $1 AND xmin::text = $2"
	columnSlice     = "SELECT substring(%[1]s FROM $3::int4 FOR $4::int4) FROM %[2]s WHERE id = $1 AND xmin::text = $2"
	textSlice       = "SELECT substring(%[3]s FROM $3::int4 FOR $4::int4) FROM %[2]s WHERE id = $1 AND xmin::text = $2"
)
