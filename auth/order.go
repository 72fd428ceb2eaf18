package auth

import (
	"strings"

	"github.com/jackc/pgx/v5"

	"lateral/schema"
)

// quote writes a name of the catalogue as an SQL identifier.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// orderSQL returns the ORDER BY terms of a model's own order over its table, known as alias. ok is
// false where the order names anything but plain columns: the records then come in an order that
// may not be Odoo's, and nothing may depend on it.
func orderSQL(c *schema.Catalogue, m *schema.Model, alias string) (sql string, ok bool) {
	text := m.Order
	if text == "" {
		text = "id"
	}
	terms, err := schema.ParseOrder(text, c.Features)
	if err != nil {
		return "", false
	}
	written := make([]string, 0, len(terms)+1)
	for _, term := range terms {
		expression, ok := orderExpression(c, m, alias, term)
		if !ok {
			return "", false
		}
		if term.Desc {
			expression += " DESC"
		}
		if term.Nulls != "" {
			expression += " NULLS " + strings.ToUpper(term.Nulls)
		}
		written = append(written, expression)
	}
	return strings.Join(written, ", "), true
}

func orderExpression(c *schema.Catalogue, m *schema.Model, alias string, term schema.OrderTerm) (string, bool) {
	f := m.Field(term.Field)
	if f == nil || f.Column == "" || term.Sub != "" || f.CompanyDependent || f.Static.Python != "" {
		return "", false
	}
	column := alias + "." + quote(f.Column)
	switch f.Type {
	case schema.Integer, schema.Float, schema.Monetary, schema.Date, schema.Datetime, schema.Selection:
		return column, true
	case schema.Char, schema.Text:
		if f.Translate == schema.Untranslated || !c.Features.JSONTranslations {
			return column, true
		}
		// Rules see their user without a language, which means the source texts.
		return column + "->>'en_US'", true
	case schema.Boolean:
		// How NULL sorts here differs between series.
		return column, f.NotNull
	default:
		return "", false
	}
}
