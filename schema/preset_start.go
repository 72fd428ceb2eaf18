package schema

import (
	"fmt"
	"slices"
	"strings"
)

// technicalFields are of no use to most clients.
var technicalFields = []string{
	"id", "display_name", "create_uid", "create_date", "write_uid", "write_date", "__last_update", "parent_path",
}

// technicalPrefixes begin the names of fields that mixins give to nearly every model.
var technicalPrefixes = []string{"message_", "activity_", "website_message_", "my_activity_", "access_", "rating_"}

// StartPreset returns the text of a preset to begin with, in the tuple syntax: for lists the record's
// name and what Odoo requires, for one record all that is kept in the database, relations with the
// names of their records; labels as comments. What Odoo computes, binaries and what only some groups
// may read is there as comments. The text is a valid preset under the catalogue.
func StartPreset(c *Catalogue, m *Model) string {
	var short, scalars, ones, manies, computed, restricted []*Field
	for _, name := range m.FieldNames() {
		f := m.Fields[name]
		switch {
		case slices.Contains(technicalFields, name) || hasPrefix(name, technicalPrefixes) || name == m.RecName:
		case f.Type.Relational() && c.Model(f.Comodel) == nil:
		case f.Static.Source != nil && len(f.Static.Source.Groups) > 0:
			restricted = append(restricted, f)
			continue
		case f.Static.Python != "" || !f.Stored && f.Related == nil || f.Type == Binary || f.Type == Image ||
			f.Type == Properties || f.Type == PropertiesDefinition:
			computed = append(computed, f)
		case f.Type == Many2one:
			ones = append(ones, f)
		case f.Type.X2many():
			manies = append(manies, f)
		default:
			scalars = append(scalars, f)
		}
		if f.Required && f.Stored && f.Column != "" && name != "id" && name != m.RecName && !f.Type.X2many() && !f.Inherited {
			short = append(short, f)
		}
	}
	if m.RecName != "" && m.Field(m.RecName) != nil && m.RecName != "id" {
		scalars = append([]*Field{m.Field(m.RecName)}, scalars...)
		short = append([]*Field{m.Field(m.RecName)}, short...)
	}
	w := &presetWriter{catalogue: c}
	w.line("# %s (%s). Only what is named here is answered.", m.Label, m.Name)
	w.line("{")
	w.line("    # GET /api/%s: one object of these fields for each record.", m.Name)
	w.tree("read_all", short)
	w.line("    # GET /api/%s/<id>.", m.Name)
	w.tree("read_one", slices.Concat(scalars, ones, manies),
		commented{"Slower or large: computed by Odoo, or binary.", computed},
		commented{"Only some users may read these; to the others, a preset that names one denies the whole record.", restricted})
	w.line("    # The answer to POST /api/%s.", m.Name)
	w.tree("create_one", short[:min(1, len(short))])
	w.line("    # Values that a create gets on top of the client's.")
	w.line("    # 'defaults': {},")
	w.line("    # Records that GET /api/%s is limited to.", m.Name)
	w.line("    # 'domain': [('id', '>', 0)],")
	w.line("    # 'success_codes': {%s: 201},", "'create_one'")
	w.line("    # False closes the model.")
	w.line("    'available': True,")
	w.line("}")
	return w.b.String()
}

func hasPrefix(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

type presetWriter struct {
	catalogue *Catalogue
	b         strings.Builder
}

func (w *presetWriter) line(format string, args ...any) {
	fmt.Fprintf(&w.b, format+"\n", args...)
}

// commented are fields that a tree does not name, and why.
type commented struct {
	reason string
	fields []*Field
}

func (w *presetWriter) tree(key string, fields []*Field, left ...commented) {
	w.line("    '%s': (", key)
	w.line("        'id',")
	for _, f := range fields {
		w.line("        %s,  # %s", w.item(f), w.comment(f))
	}
	for _, out := range left {
		if len(out.fields) > 0 {
			w.line("        # " + out.reason)
		}
		for _, f := range out.fields {
			w.line("        # %s,  # %s", w.item(f), w.comment(f))
		}
	}
	w.line("    ),")
}

// item writes a field as a schema has it; records of a relation are told by id and name.
func (w *presetWriter) item(f *Field) string {
	if !f.Type.Relational() {
		return "'" + f.Name + "'"
	}
	sub := "('id',)"
	if name := w.catalogue.Model(f.Comodel).RecName; name != "" && name != "id" && w.catalogue.Model(f.Comodel).Field(name) != nil {
		sub = "('id', '" + name + "')"
	}
	if f.Type.X2many() {
		sub = "[" + sub + "]"
	}
	return "('" + f.Name + "', " + sub + ")"
}

// comment is the label, and of relations the model behind it.
func (w *presetWriter) comment(f *Field) string {
	text := strings.Join(strings.Fields(f.Label), " ")
	if f.Type.Relational() {
		text += " → " + f.Comodel
	}
	return text
}
