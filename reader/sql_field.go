package reader

import (
	"strconv"
	"strings"

	"lateral/schema"
)

// value is an SQL expression that yields a field's value as PostgreSQL has it, NULL where Odoo
// would have no value, and the type of the expression.
type value struct {
	sql    string
	typ    string // PostgreSQL's type: int4, varchar, text, numeric, float8, bool, date, timestamp, jsonb, bytea
	column *schema.Field
}

// field returns a scalar field's value as the user reads it, following related and delegated paths
// by LEFT JOINs. It fails with a delegation where the value is not a matter of columns.
func (t table) field(f *schema.Field) (value, error) { return t.fieldAs(f, false) }

// fieldAs is field, with a superuser's rights where super is set.
func (t table) fieldAs(f *schema.Field, super bool) (value, error) {
	c := t.scope.c
	switch {
	case f.Static.Python != "":
		return value{}, delegate("%s.%s: %s", t.model.Name, f.Name, f.Static.Python)
	case f.Name == "id":
		return value{sql: t.alias + ".id", typ: "int4", column: f}, nil
	case f.CompanyDependent && f.Column == "" && !c.catalogue.Features.JSONCompanyValues && len(f.Related) == 0:
		return t.property(f)
	case f.Column != "":
		return t.stored(f)
	case len(f.Related) > 0:
		last, base, err := t.related(f, super)
		if err != nil {
			return value{}, err
		}
		return base.fieldAs(last, super || !readAsUser(f))
	case f.Name == "__last_update" && t.model.LogAccess:
		// Odoo 14.0: odoo/models.py, compute_concurrency_field_with_access.
		return value{sql: "coalesce(" + t.column("write_date") + ", " + t.column("create_date") + ", now() AT TIME ZONE 'UTC')", typ: "timestamp", column: f}, nil
	}
	return value{}, delegate("%s.%s is computed", t.model.Name, f.Name)
}

// readAsUser reports whether a related field walks its path with the user's rights: those that say
// so, and those inherited by delegation unless they say otherwise (Odoo 19.0: odoo/orm/models.py,
// _add_inherited_fields; 14.0: odoo/models.py).
func readAsUser(f *schema.Field) bool {
	source := f.Static.Source
	return f.Static.AsUser || f.Inherited && (source == nil || !source.Super)
}

// related walks the path of a related field up to the record that holds its last field.
func (t table) related(f *schema.Field, super bool) (*schema.Field, table, error) {
	here := t
	for i, name := range f.Related {
		hop := here.model.Field(name)
		if hop == nil {
			return nil, table{}, delegate("%s.%s: no field %s on %s", t.model.Name, f.Name, name, here.model.Name)
		}
		if i == len(f.Related)-1 {
			if hop.Type != f.Type {
				return nil, table{}, delegate("%s.%s has another type than %s.%s", t.model.Name, f.Name, here.model.Name, name)
			}
			return hop, here, nil
		}
		if hop.Type != schema.Many2one {
			return nil, table{}, delegate("%s.%s is related through the %s %s", t.model.Name, f.Name, hop.Type, name)
		}
		link, err := here.fieldAs(hop, super || !readAsUser(f))
		if err != nil {
			return nil, table{}, err
		}
		if here, err = here.follow(hop, link.sql); err != nil {
			return nil, table{}, err
		}
		if readAsUser(f) && !super {
			if err := here.walkable(f); err != nil {
				return nil, table{}, err
			}
		}
	}
	return nil, table{}, delegate("%s.%s has no related path", t.model.Name, f.Name)
}

// walkable fails with a delegation where a record on the path of a related field, read with the
// user's rights, may be out of the user's reach. The rules of a delegated parent need no look: they
// are part of the rules of the model itself.
func (t table) walkable(f *schema.Field) error {
	access, err := t.scope.c.access(t.model.Name)
	if err != nil {
		return err
	}
	_, unrestricted := access.Rule.(schema.True)
	if !access.Readable || access.Opaque != "" || (!f.Inherited && !unrestricted) {
		return delegate("%s.%s is read through %s with the user's rights", f.Model.Name, f.Name, t.model.Name)
	}
	return nil
}

// stored returns the value of a field with a column of its own.
func (t table) stored(f *schema.Field) (value, error) {
	c := t.scope.c
	column := t.column(f.Column)
	switch {
	case f.CompanyDependent && c.catalogue.Features.JSONCompanyValues:
		return t.companyValue(f)
	case f.Translate == schema.Untranslated:
		return value{sql: column, typ: f.ColumnType, column: f}, nil
	case c.catalogue.Features.JSONTranslations:
		if f.ColumnType != "jsonb" {
			return value{}, delegate("%s.%s is translated, but its column is %s", t.model.Name, f.Name, f.ColumnType)
		}
		source := column + "->>'en_US'"
		if lang := c.context.Lang; lang != "" && lang != "en_US" {
			// Odoo 19.0: odoo/orm/fields_textual.py, get_translation_fallback_langs.
			return value{sql: "coalesce(" + column + "->>" + c.lang() + ", " + source + ")", typ: "text", column: f}, nil
		}
		return value{sql: "(" + source + ")", typ: "text", column: f}, nil
	case c.context.Lang == "":
		return value{sql: column, typ: f.ColumnType, column: f}, nil
	case f.Translate == schema.TranslatedTerms:
		return value{}, delegate("%s.%s is translated term by term", t.model.Name, f.Name)
	}
	// Odoo 14.0: odoo/models.py, _generate_translated_field. The unique index on ir_translation
	// allows one such row, so the sub-select equals Odoo's LEFT JOIN.
	name := literal(t.model.Name + "," + f.Name)
	return value{
		sql: "coalesce((SELECT tr.value FROM ir_translation tr WHERE tr.type = 'model' AND tr.name = " + name +
			" AND tr.lang = " + c.lang() + " AND tr.res_id = " + t.alias + ".id AND tr.value <> '' LIMIT 1), " + column + ")",
		typ: "text", column: f,
	}, nil
}

// plainTypes are the column types that Odoo gives company-dependent fields inside jsonb
// (Odoo 19.0: _column_type in odoo/orm/fields*.py).
var plainTypes = map[schema.FieldType]string{
	schema.Boolean: "bool", schema.Integer: "int4", schema.Float: "float8", schema.Monetary: "numeric",
	schema.Char: "varchar", schema.Text: "text", schema.HTML: "text", schema.Selection: "varchar",
	schema.Date: "date", schema.Datetime: "timestamp", schema.Many2one: "int4",
}

// zeroes are the values of the types that have one where they have none.
var zeroes = map[schema.FieldType]string{
	schema.Boolean: "false", schema.Integer: "0", schema.Float: "0", schema.Monetary: "0",
}

// companyValue returns a company-dependent field's value for the principal's company
// (Odoo 19.0: odoo/orm/fields.py, to_sql; odoo/orm/fields_relational.py, Many2one.to_sql).
func (t table) companyValue(f *schema.Field) (value, error) {
	c := t.scope.c
	typ, ok := plainTypes[f.Type]
	if !ok || f.ColumnType != "jsonb" {
		return value{}, delegate("%s.%s is company-dependent and %s", t.model.Name, f.Name, f.Type)
	}
	company := literal(strconv.FormatInt(c.principal.CompanyID, 10))
	sql := t.column(f.Column) + "->" + company
	if fallback, ok := c.fallback(f); ok {
		sql = "coalesce(" + sql + ", " + c.arg(fallback) + "::jsonb)"
	} else if zero := zeroes[f.Type]; zero != "" && c.catalogue.Features.ModernDomains {
		// The default is no value, which is a value of these types: records are ordered by it.
		sql = "coalesce(" + sql + ", '" + zero + "'::jsonb)"
	}
	switch f.Type {
	case schema.Boolean, schema.Integer, schema.Float, schema.Monetary:
		// A key with JSON null means no value; the cast of jsonb null to a number would fail.
		sql = "(nullif(" + sql + ", 'null'::jsonb))::" + typ
	default:
		sql = "((" + sql + ")->>0)::" + typ
	}
	if f.Type == schema.Many2one {
		comodel := c.catalogue.Model(f.Comodel)
		if comodel == nil || comodel.Table == "" {
			return value{}, delegate("%s.%s leads to %s, which has no table", t.model.Name, f.Name, f.Comodel)
		}
		alias := c.alias()
		sql = "(SELECT " + alias + ".id FROM " + ident(comodel.Table) + " " + alias + " WHERE " + alias + ".id = " + sql + ")"
	}
	return value{sql: sql, typ: typ, column: f}, nil
}

// fallback returns the JSON text of a company-dependent field's default for the principal's
// company (Odoo 19.0: odoo/orm/fields.py, get_company_dependent_fallback).
func (c *compiler) fallback(f *schema.Field) (string, bool) {
	for _, candidate := range c.policy.Fallbacks[f.Model.Name][f.Name] {
		if candidate.CompanyID != 0 && candidate.CompanyID != c.principal.CompanyID {
			continue
		}
		text := strings.TrimSpace(candidate.JSON)
		if text == "null" || text == "" || (text == "false" && f.Type != schema.Boolean) {
			return "", false
		}
		return text, true
	}
	return "", false
}

// propertyColumns are the columns of ir_property by type of field
// (Odoo 14.0: odoo/addons/base/models/ir_property.py, TYPE2FIELD).
var propertyColumns = map[schema.FieldType]struct{ column, typ string }{
	schema.Char: {"value_text", "text"}, schema.Text: {"value_text", "text"}, schema.Selection: {"value_text", "text"},
	schema.Float: {"value_float", "float8"}, schema.Boolean: {"value_integer", "int4"}, schema.Integer: {"value_integer", "int4"},
	schema.Date: {"value_datetime", "timestamp"}, schema.Datetime: {"value_datetime", "timestamp"},
	schema.Many2one: {"value_reference", "varchar"},
}

// property returns a company-dependent field's value of 14.0–17.0, which lies in ir_property: the
// record's row beats the default row, and among either the company's row beats the shared one. A
// row without a value shadows the others, so rows are chosen, not values
// (Odoo 14.0: odoo/addons/base/models/ir_property.py, _get_multi).
func (t table) property(f *schema.Field) (value, error) {
	c := t.scope.c
	stored, ok := propertyColumns[f.Type]
	if !ok {
		return value{}, delegate("%s.%s is company-dependent and %s", t.model.Name, f.Name, f.Type)
	}
	alias := c.alias()
	model, name := literal(t.model.Name), literal(f.Name)
	sql := "(SELECT " + alias + "." + stored.column + " FROM ir_property " + alias +
		" WHERE " + alias + ".fields_id = (SELECT id FROM ir_model_fields WHERE model = " + model + " AND name = " + name + ")" +
		" AND (" + alias + ".company_id = " + strconv.FormatInt(c.principal.CompanyID, 10) + " OR " + alias + ".company_id IS NULL)" +
		" AND (" + alias + ".res_id = " + model + " || ',' || " + t.alias + ".id OR " + alias + ".res_id IS NULL)" +
		" ORDER BY " + alias + ".res_id IS NULL, " + alias + ".company_id NULLS LAST LIMIT 1)"
	switch f.Type {
	case schema.Boolean:
		return value{sql: "(" + sql + " <> 0)", typ: "bool", column: f}, nil
	case schema.Date:
		return value{sql: sql + "::date", typ: "date", column: f}, nil
	case schema.Many2one:
		comodel := c.catalogue.Model(f.Comodel)
		if comodel == nil || comodel.Table == "" {
			return value{}, delegate("%s.%s leads to %s, which has no table", t.model.Name, f.Name, f.Comodel)
		}
		target := c.alias()
		sql = "(SELECT " + target + ".id FROM " + ident(comodel.Table) + " " + target + " WHERE " + target + ".id = split_part(" + sql + ", ',', 2)::int4)"
		return value{sql: sql, typ: "int4", column: f}, nil
	}
	return value{sql: sql, typ: stored.typ, column: f}, nil
}
