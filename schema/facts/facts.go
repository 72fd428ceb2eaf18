// Package facts knows what only Odoo's Python source says about its models: which read methods are overridden and to
// what effect, which fields bypass access rights, how a one2many's domain acts, what a record's label is.
//
// Neither the database nor fields_get shows any of it (odoo-semantics.md, section 1.4). scan.py collects it from the
// source of 14.0 and 19.0 into the embedded JSON files; the reviews in guarded14.go and guarded19.go say what each
// overridden method does to a reader. An override that nobody has reviewed makes its model Guarded.
package facts

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

//go:embed odoo-14.0.json odoo-19.0.json
var scans embed.FS

// Facts is what the source of one Odoo series says. It is immutable and safe for concurrent use.
type Facts struct {
	Series string

	scans   []scan // one, or two for a series between the scanned ones
	modules map[string]bool
	models  map[string]*Model
}

// Model is what is known of one model, merged over the add-ons and over its parents and mixins.
type Model struct {
	Name      string
	Modules   []string          // the add-ons that define or extend it, sorted
	Ancestors []string          // parents and mixins, transitively; nearest first
	Inherits  map[string]string // delegation: parent model -> link field

	Abstract   bool
	Transient  bool
	TableQuery bool   // rows come from a query that Python writes (_table_query)
	Table      string // empty for the default, "?" where it is computed
	ParentName string // empty for parent_id
	RecName    string // the field that names a record; empty where there is none or it is not certain

	// Access says whether, and with what care, its rows and values may be read from the database.
	Access Access

	fields      map[string]Field
	label       string // see PlainDisplayName
	labelUnless string
	labelKnown  bool
	search      []string // see PlainLabelSearch
	plainFind   bool
}

// Load returns the facts of a series ("14.0" … "19.0"), as if every add-on of the scanned tree were installed.
//
// 15.0 to 18.0 have not been scanned: they get the facts of 14.0 and 19.0 together, the more restrictive of the two
// wherever they differ. An add-on counts as known if either tree has it.
func Load(series string) (*Facts, error) {
	var names []string
	switch series {
	case "14.0", "19.0":
		names = []string{series}
	case "15.0", "16.0", "17.0", "18.0":
		names = []string{"14.0", "19.0"}
	default:
		return nil, fmt.Errorf("facts: no knowledge of Odoo series %q", series)
	}
	f := &Facts{Series: series, modules: map[string]bool{}}
	for _, name := range names {
		text, err := scans.ReadFile("odoo-" + name + ".json")
		if err != nil {
			return nil, fmt.Errorf("facts: %w", err)
		}
		var s scan
		if err := json.Unmarshal(text, &s); err != nil {
			return nil, fmt.Errorf("facts: odoo-%s.json: %w", name, err)
		}
		f.scans = append(f.scans, s)
		for _, module := range s.Modules {
			f.modules[module] = true
		}
	}
	f.models = f.resolve(func(string) bool { return true })
	return f, nil
}

// Installed narrows the facts to the add-ons that are installed, so that what an absent add-on would change does not
// count. Add-ons that are not in the scan are ignored here: ask KnowsModule for each, and guard what they touch.
func (f *Facts) Installed(modules []string) *Facts {
	narrowed := *f
	set := map[string]bool{"base": true}
	for _, module := range modules {
		set[module] = true
	}
	narrowed.models = f.resolve(func(module string) bool { return set[module] })
	return &narrowed
}

// Model returns what is known of a model, or nil: callers must then take it for guarded.
func (f *Facts) Model(name string) *Model { return f.models[name] }

// Models returns the names of all known models, sorted.
func (f *Facts) Models() []string { return slices.Sorted(maps.Keys(f.models)) }

// KnowsModule tells whether an add-on is part of the scanned source. What another add-on does to the models it
// touches is unknown, so those must be treated as guarded.
func (f *Facts) KnowsModule(name string) bool { return f.modules[name] }

// Access returns how a model may be read; an unknown model is guarded.
func (f *Facts) Access(model string) Access {
	if m := f.models[model]; m != nil {
		return m.Access
	}
	return Access{Guarded: true, Reasons: []string{"a model that the scanned source does not have"}}
}

// PlainDisplayName returns the field whose value is the record's display_name for every context that this service
// passes (lang, tz, active_test, allowed_company_ids), and whether the source proves that.
//
// Two details are the caller's: an empty value is the text "False" in 14.0 and 15.0 (unless the field is display_name
// itself) and false later; and the field may be a relation, whose own label is then meant, or computed.
func (f *Facts) PlainDisplayName(model string) (field string, ok bool) {
	field, unless, ok := f.StoredDisplayName(model)
	if !ok || unless != "" {
		return "", false
	}
	return field, true
}

// StoredDisplayName is like PlainDisplayName, but also knows labels that are a field except under a condition: unless
// is SQL over the model's columns, empty where there is no exception. Records that meet it have their label from Odoo.
func (f *Facts) StoredDisplayName(model string) (field, unless string, ok bool) {
	m := f.models[model]
	if m == nil || !m.labelKnown {
		return "", "", false
	}
	return m.label, m.labelUnless, m.label != ""
}

// PlainLabelSearch returns the fields in which a search by label (a many2one compared with a text) looks, and whether
// that search is Odoo's default one: any of the fields for a positive operator, all of them for a negative one.
func (f *Facts) PlainLabelSearch(model string) (fields []string, ok bool) {
	m := f.models[model]
	if m == nil || !m.plainFind {
		return nil, false
	}
	return m.search, len(m.search) > 0
}

// RelatedAsUser tells whether a related field follows its path with the rights of the reader rather than as superuser.
// Fields inherited by delegation (_inherits) always do, Field.Super excepted: reading one needs access to the parent
// record, which a search or an order by it does not. The caller says, by the catalogue, whether the field is one.
func (f *Facts) RelatedAsUser(model, field string, inherited bool) bool {
	facts := f.Field(model, field)
	return facts.AsUser || inherited && !facts.Super
}

// BypassSearchAccess tells whether a domain that goes through the relation skips the access rights and rules of its
// target (auto_join, from 19.0 bypass_search_access; from 15.0 always so for the links of _inherits).
func (f *Facts) BypassSearchAccess(model, field string) bool { return f.Field(model, field).Bypass }

// X2manyDomain tells how the domain of a one2many or many2many acts when the field is read.
func (f *Facts) X2manyDomain(model, field string) DomainKind { return f.Field(model, field).Domain }

// Field returns what is unusual about a field; the zero Field where nothing is, or it or its model is unknown.
func (f *Facts) Field(model, field string) Field {
	if m := f.models[model]; m != nil {
		return m.fields[field]
	}
	return Field{}
}

// Fields returns the names of a model's fields that have something unusual, sorted.
func (m *Model) Fields() []string { return slices.Sorted(maps.Keys(m.fields)) }
