package auth

import (
	"regexp"
	"strings"

	"lateral/schema"
)

// newFieldViews makes views of what fields_get answered with the attributes domain and context.
// Fields that the catalogue does not know are left out: they cannot be read directly, and a
// catalogue that is behind is replaced soon.
func newFieldViews(c *schema.Catalogue, m *schema.Model, described map[string]map[string]any) map[string]FieldView {
	views := make(map[string]FieldView, len(described))
	for name, attributes := range described {
		f := m.Field(name)
		switch {
		case f == nil:
		case f.Type.X2many():
			views[name] = newX2manyView(c, f, attributes)
		default:
			views[name] = FieldView{}
		}
	}
	return views
}

func newX2manyView(c *schema.Catalogue, f *schema.Field, attributes map[string]any) FieldView {
	var view FieldView
	view.Domain, view.Opaque = readDomain(c, f, attributes["domain"])
	if view.Opaque != "" {
		return view
	}
	switch context := attributes["context"].(type) {
	case nil:
	case map[string]any:
		for key, value := range context {
			switch key {
			case "active_test":
				test, ok := value.(bool)
				if !ok {
					return FieldView{Opaque: "active_test in its context is no boolean"}
				}
				view.ActiveTest = &test
			case "lang", "tz", "allowed_company_ids":
				return FieldView{Opaque: "its context sets " + key}
			}
		}
	case string:
		if strings.TrimSpace(context) != "" && strings.TrimSpace(context) != "{}" {
			return FieldView{Opaque: "its context is a text"}
		}
	default:
		return FieldView{Opaque: "its context is no dictionary"}
	}
	return view
}

var (
	// companyText is the shape of the text that check_company=True makes of a domain from 16.0 on
	// (orm/fields_relational.py, _description_domain): a company part, a plus, the field's own.
	companyText = regexp.MustCompile(`(?s)[)\]]\s*\+\s*(\(.*\)|\[.*\])$`)
	emptyTail   = regexp.MustCompile(`\+\s*(\(\s*\[\s*\]\s*\)|\[\s*\])$`)
	// modelText is what one2many fields through a many2one_reference add (19.0: _additional_domain)
	// to an empty domain of their own. The reader applies that part to all of them.
	modelText = regexp.MustCompile(`^\(\[\]\) \+ \(`)
)

// readDomain returns the filter that an x2many field applies when it is read, nil for none. Odoo
// applies domains that are lists and leaves those that are texts to the browser; but what
// fields_get tells of a list may be a text too, so that the facts files are asked first.
func readDomain(c *schema.Catalogue, f *schema.Field, described any) (schema.Domain, string) {
	switch d := described.(type) {
	case nil:
		return nil, ""
	case bool:
		if !d {
			return nil, ""
		}
	case string:
		return textDomain(c, f, strings.TrimSpace(d))
	case []any:
		if len(d) == 0 {
			return nil, ""
		}
		return parseFieldDomain(c, f, d)
	}
	return nil, "its domain is neither a list nor a text"
}

// textDomain returns the filter behind a domain that fields_get gave as a text.
func textDomain(c *schema.Catalogue, f *schema.Field, text string) (schema.Domain, string) {
	if f.Static.ReadDomain != "" {
		value, err := schema.ParseLiteral(f.Static.ReadDomain)
		if err != nil {
			return nil, "the domain of its declaration cannot be read"
		}
		return parseFieldDomain(c, f, value)
	}
	declared := ""
	if f.Static.Source != nil {
		declared = string(f.Static.Source.Domain)
	}
	switch {
	case declared == "list", declared == "callable", declared == "mixed":
		return nil, "the domain of its declaration cannot be read"
	case text == "", text == "[]", emptyTail.MatchString(text), declared == "string":
		return nil, ""
	case f.Type == schema.One2many && throughReference(c, f):
		if modelText.MatchString(text) {
			return nil, ""
		}
		return nil, "its domain is mixed with that of a reference"
	case c.Features.ActiveCompanies && companyText.MatchString(text):
		return nil, "its domain is hidden behind the check of companies"
	}
	return nil, ""
}

// throughReference reports whether a one2many's inverse is a many2one_reference.
func throughReference(c *schema.Catalogue, f *schema.Field) bool {
	comodel := c.Model(f.Comodel)
	if comodel == nil {
		return false
	}
	inverse := comodel.Field(f.Inverse)
	return inverse == nil || inverse.Type != schema.Many2one
}

func parseFieldDomain(c *schema.Catalogue, f *schema.Field, value any) (schema.Domain, string) {
	domain, err := schema.ParseDomain(value)
	if err != nil {
		return nil, "its domain cannot be read: " + err.Error()
	}
	if reason := momentary(c, c.Model(f.Comodel), domain); reason != "" {
		return nil, reason
	}
	if _, all := domain.(schema.True); all {
		return nil, ""
	}
	return domain, ""
}

var dateText = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}`)

// momentary tells why a domain, as fields_get gave it, may be another one in the next call: a
// domain made by a function comes evaluated, and what looks like an id or an instant may be the
// answer to a question asked then. Views are kept for as long as the user's groups and companies
// and the catalogue last, so that such fields are left to Odoo.
func momentary(c *schema.Catalogue, m *schema.Model, domain schema.Domain) string {
	switch d := domain.(type) {
	case schema.And:
		return momentaryTerms(c, m, d)
	case schema.Or:
		return momentaryTerms(c, m, d)
	case schema.Not:
		return momentary(c, m, d.Term)
	case schema.Condition:
		end, comodel := pathEnd(c, m, d.Path)
		if sub, ok := d.Value.(schema.Domain); ok {
			return momentary(c, comodel, sub)
		}
		if end == nil {
			return "its domain names an unknown field"
		}
		if holdsMomentary(end, d.Value) {
			return "its domain holds ids or instants"
		}
	}
	return ""
}

func momentaryTerms(c *schema.Catalogue, m *schema.Model, terms []schema.Domain) string {
	for _, term := range terms {
		if reason := momentary(c, m, term); reason != "" {
			return reason
		}
	}
	return ""
}

func holdsMomentary(f *schema.Field, value any) bool {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			if holdsMomentary(f, element) {
				return true
			}
		}
	case schema.Tuple:
		return holdsMomentary(f, []any(v))
	case int64:
		return f.Name == "id" || f.Type.Relational() || f.Type == schema.Many2oneReference
	case string:
		return dateText.MatchString(v) || ((f.Type == schema.Date || f.Type == schema.Datetime) && v != "")
	case nil, bool, float64:
	default:
		return true
	}
	return false
}

// pathEnd returns the last field of a dotted path and its comodel, nil where there is none.
func pathEnd(c *schema.Catalogue, m *schema.Model, path string) (*schema.Field, *schema.Model) {
	var f *schema.Field
	for name := range strings.SplitSeq(path, ".") {
		if m == nil {
			return nil, nil
		}
		if f = m.Field(name); f == nil {
			return nil, nil
		}
		m = c.Model(f.Comodel)
	}
	return f, m
}
