package reader

import (
	"strings"
	"testing"

	"lateral/schema"
)

// Ensure texts that Odoo compares with something else than it is given are its own business: what is longer
// than the field, HTML before 19.0 and, where they are ordered, HTML and texts translated term by term in 19.0.
func TestRewrittenTexts(t *testing.T) {
	for text, test := range map[string]struct {
		condition       []any
		modern, classic bool // it is compiled
	}{
		"as long":             {[]any{"name", "=", "äöü"}, true, true},
		"longer":              {[]any{"name", "=", "abcd"}, false, false},
		"one of several":      {[]any{"name", "not in", []any{"a", "abcd"}}, false, false},
		"ordered":             {[]any{"name", "<", "abcd"}, false, false},
		"a longer pattern":    {[]any{"name", "ilike", "abcd"}, true, true},
		"a whole pattern":     {[]any{"name", "=like", "abc%"}, true, false},
		"equal HTML":          {[]any{"note", "=", "x"}, true, false},
		"ordered HTML":        {[]any{"note", "<", "x"}, false, false},
		"HTML within":         {[]any{"note", "ilike", "x"}, true, true},
		"whole HTML":          {[]any{"note", "=ilike", "x"}, true, false},
		"a pattern of digits": {[]any{"amount", "=like", "5"}, true, false},
		"HTML after nothing":  {[]any{"note", ">", ""}, true, true},
		"HTML among nothings": {[]any{"note", "in", []any{"", false}}, true, true},
		"translated HTML":     {[]any{"page", "in", []any{"", false}}, true, false},
		"ordered terms":       {[]any{"body", ">=", "x"}, false, true},
		"equal terms":         {[]any{"body", "!=", "x"}, true, true},
		"ordered plain texts": {[]any{"memo", ">=", "x"}, true, true},
	} {
		for series, compiled := range map[string]bool{"19.0": test.modern, "14.0": test.classic} {
			f := fixtureAccess{catalogue: fixture(series)}
			order := f.catalogue.Model("order")
			order.Fields["name"].Size = 3
			for name, typ := range map[string]schema.FieldType{"note": schema.HTML, "body": schema.Text, "memo": schema.Text, "page": schema.HTML} {
				order.Fields[name] = &schema.Field{Name: name, Type: typ, Stored: true, Column: name, ColumnType: "text", Model: order}
			}
			for _, name := range []string{"body", "page"} {
				order.Fields[name].Translate = schema.TranslatedTerms
				if f.catalogue.Features.JSONTranslations {
					order.Fields[name].ColumnType = "jsonb"
				}
			}
			plan, made, err := compileQuery(t, f, Query{Model: "order", Filters: []any{test.condition}, Profile: Typed()}, Context{})
			if _, ok := delegated(err); err != nil && !ok {
				t.Fatalf("%s, %s: %v", text, series, err)
			}
			if got := made != nil && plan.Delegate == ""; got != compiled {
				t.Errorf("%s, %s: compiled %t, %v", text, series, got, err)
			}
		}
	}
}

// Ensure records without a number for the company are ordered as 19.0 does, by the number's default.
func TestOrderByCompanyNumbers(t *testing.T) {
	for typ, expression := range map[schema.FieldType]string{
		schema.Float: `(nullif(coalesce(a1."cost"->'1', '0'::jsonb), 'null'::jsonb))::float8`,
		schema.Char:  `((a1."cost"->'1')->>0)::varchar`,
	} {
		f := fixtureAccess{catalogue: fixture("19.0")}
		order := f.catalogue.Model("order")
		order.Fields["cost"] = &schema.Field{Name: "cost", Type: typ, Stored: true, CompanyDependent: true, Column: "cost", ColumnType: "jsonb", Model: order}
		_, made, err := compileQuery(t, f, Query{Model: "order", Order: "cost desc", Profile: Typed()}, Context{})
		if err != nil || !strings.Contains(made.sql, "\nORDER BY "+expression+" DESC") {
			t.Errorf("%s: %v\n%s", typ, err, made.sql)
		}
	}
}
