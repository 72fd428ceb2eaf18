// Package schema holds what exists in an Odoo database: the catalogue of models and fields, the
// types and grammar of domains, orders and field trees, and presets.
package schema

import (
	"sort"

	"lateral/schema/facts"
)

// Relation tells what stands in the database behind a model.
type Relation int

const (
	// NoRelation: abstract models and models with a Python-made _table_query.
	NoRelation Relation = iota
	// Table is an ordinary (or partitioned, or inherited) table.
	Table
	// View is a view or materialised view made by the model's init().
	View
)

// FieldType is Odoo's name for a type of field (ir_model_fields.ttype).
type FieldType string

// The types of fields of Odoo 14.0–19.0.
const (
	Boolean              FieldType = "boolean"
	Integer              FieldType = "integer"
	Float                FieldType = "float"
	Monetary             FieldType = "monetary"
	Char                 FieldType = "char"
	Text                 FieldType = "text"
	HTML                 FieldType = "html"
	Selection            FieldType = "selection"
	Date                 FieldType = "date"
	Datetime             FieldType = "datetime"
	Binary               FieldType = "binary"
	Image                FieldType = "image"
	JSON                 FieldType = "json"
	Many2one             FieldType = "many2one"
	One2many             FieldType = "one2many"
	Many2many            FieldType = "many2many"
	Reference            FieldType = "reference"
	Many2oneReference    FieldType = "many2one_reference"
	Properties           FieldType = "properties"
	PropertiesDefinition FieldType = "properties_definition"
)

// Relational reports whether values of the type are records of one comodel.
func (t FieldType) Relational() bool { return t == Many2one || t.X2many() }

// X2many reports whether values of the type are sets of records.
func (t FieldType) X2many() bool { return t == One2many || t == Many2many }

// Textual reports whether values of the type are free text.
func (t FieldType) Textual() bool { return t == Char || t == Text || t == HTML }

// Numeric reports whether values of the type are numbers.
func (t FieldType) Numeric() bool { return t == Integer || t == Float || t == Monetary }

// Translation tells how a field's text is translated.
type Translation string

const (
	// Untranslated fields have one value for all languages.
	Untranslated Translation = ""
	// TranslatedWhole fields have one value per language (translate=True).
	TranslatedWhole Translation = "standard"
	// TranslatedTerms fields (html_translate, xml_translate) are translated term by term.
	TranslatedTerms Translation = "terms"
)

// Catalogue is an immutable snapshot of the models of one Odoo database. It is built by Load and
// replaced as a whole when Odoo signals a change; readers hold on to the one they started with.
type Catalogue struct {
	// Series is Odoo's series as installed in the database, such as "19.0".
	Series string
	// Features is what differs between the series.
	Features Features
	// Stamp is the registry signal the catalogue was built at, see Signals.Registry.
	Stamp string
	// Modules holds the names of the installed add-ons.
	Modules map[string]bool
	// Upgrading is set while modules wait to be installed, upgraded or removed: tables may not
	// match the models, so reads are Odoo's business.
	Upgrading bool
	// Standby is set where the database is a standby, which follows that of Odoo at a distance.
	Standby bool
	// Facts is what Odoo's sources say about the models, narrowed to the installed add-ons; nil
	// where the series is unknown. What add-ons that it does not know change, it does not say: ask
	// a model's Guard, LabelField and LabelSearch.
	Facts *facts.Facts

	// Registry identifies the installed add-ons with their versions. It is set by the caller, like
	// Stamp, and empty where nobody asks for it.
	Registry string

	models map[string]*Model
	// trusted is the catalogue that this one restricts, see Distrust; nil otherwise.
	trusted *Catalogue
}

// NewCatalogue returns a catalogue of the given models, keyed by name.
func NewCatalogue(models ...*Model) *Catalogue {
	c := &Catalogue{models: make(map[string]*Model, len(models))}
	for _, m := range models {
		c.models[m.Name] = m
	}
	return c
}

// Model returns the model of that technical name, or nil.
func (c *Catalogue) Model(name string) *Model { return c.models[name] }

// ModelNames returns the names of all models, sorted.
func (c *Catalogue) ModelNames() []string {
	names := make([]string, 0, len(c.models))
	for name := range c.models {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Delegation is one entry of a model's _inherits: the fields of Parent are the model's own,
// through the many2one Link.
type Delegation struct {
	Parent string
	Link   string
}

// Model is one Odoo model as the registry of the database has it, all extensions merged.
type Model struct {
	Name     string // technical name, "sale.order"
	Label    string // ir_model.name in the source language
	Table    string // relation in PostgreSQL; empty with NoRelation
	Relation Relation
	Order    string // _order, as in ir_model."order"

	Transient bool
	Manual    bool // made in the user interface (ir_model.state = 'manual')
	LogAccess bool // has create_uid, create_date, write_uid and write_date

	// RecName is the field behind the record's name (_rec_name), empty where there is none.
	RecName string
	// PlainDisplayName tells that display_name is provably the value of RecName.
	PlainDisplayName bool
	// LabelField is the field whose value display_name provably is, which need not be RecName;
	// empty where that is not proven.
	LabelField string
	// LabelSearch lists the fields in which a search by label looks, where it provably is Odoo's
	// default one: any of them for a positive operator, all for a negative one.
	LabelSearch []string
	// SelfRead tells that users read their own record of the model as superuser, where they ask
	// for no other fields than Odoo's list of self-readable ones (res.users).
	SelfRead bool
	// ActiveName is the field of the archive flag ("active" or "x_active"), empty without one.
	ActiveName string
	// ParentName is the many2one to the parent in a hierarchy; ParentStore tells that the column
	// parent_path materialises it.
	ParentName  string
	ParentStore bool
	// Inherits lists the delegations in a stable order.
	Inherits []Delegation

	// Guard tells whether, and why, the model must be read through Odoo.
	Guard Guard

	Fields map[string]*Field
}

// Field returns the field of that name, or nil.
func (m *Model) Field(name string) *Field { return m.Fields[name] }

// FieldNames returns the names of all fields, sorted.
func (m *Model) FieldNames() []string {
	names := make([]string, 0, len(m.Fields))
	for name := range m.Fields {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Field is one field of a model.
type Field struct {
	Name  string
	Label string
	Type  FieldType
	Model *Model

	// Stored is ir_model_fields.store. A stored one2many or many2many has no column of its own.
	Stored bool
	// Column is the column in the model's table, empty where the table has none.
	Column string
	// ColumnType is PostgreSQL's name of the column's type: int4, varchar, jsonb, numeric, …
	ColumnType string
	// NotNull tells that the column is declared NOT NULL.
	NotNull bool
	// Indexed tells that an index of the table begins with the column.
	Indexed bool
	// Size is the most characters that a char field holds, 0 where nothing bounds it.
	Size int

	Comodel    string // of relational fields
	Inverse    string // of one2many: the field of the comodel that points back
	RelTable   string // of many2many
	RelColumn1 string // column of RelTable that points to this model
	RelColumn2 string // column of RelTable that points to the comodel

	// Related is the path of a related or delegated field, one name per hop; nil otherwise.
	Related []string
	// Inherited tells that the field comes from a delegation (_inherits).
	Inherited bool

	Translate        Translation
	CompanyDependent bool
	// Attachment tells that a binary field's content lies in ir_attachment.
	Attachment bool
	// Searchable is ir_model_fields.selectable: stored, or with a search method.
	Searchable bool
	Manual     bool
	Required   bool
	ReadOnly   bool

	// Static is what the facts files know of the field and the database does not.
	Static StaticField
}

// StaticField holds facts of a field that only Odoo's sources tell.
type StaticField struct {
	// Python is why the field's value must come from Odoo although a column seems to hold it;
	// empty otherwise.
	Python string
	// AsUser tells that a related field is computed with the user's rights (related_sudo=False).
	AsUser bool
	// BypassSearchAccess is auto_join (14.0–18.0) or bypass_search_access (19.0).
	BypassSearchAccess bool
	// ReadDomain is the domain of an x2many field as the sources have it, where they have a list.
	ReadDomain string
	// Source is all that the sources say that is unusual about the field; nil for nothing.
	Source *facts.Field
}

// GuardKind grades how much of a model Odoo's Python code decides.
type GuardKind int

const (
	// Open models are read directly.
	Open GuardKind = iota
	// GuardedSearch models are read directly where their records are reached by id or relation,
	// but searches of them that name one of their Guard's terms are Odoo's business.
	GuardedSearch
	// Guarded models are read by Odoo alone.
	Guarded
)

// Guard tells whether, and why, a model must be read through Odoo.
type Guard struct {
	Kind GuardKind
	// Terms, of GuardedSearch, lists what Odoo's code rewrites, see facts.Access.Terms.
	Terms  []string
	Reason string
	// Distrusted, of Guarded, tells that reads of the model through SQL were found to be wrong, see
	// Catalogue.Distrust. Then not even a single value of it is taken from its table.
	Distrusted bool
}

// Rewrites reports whether a search of the model by this field and operator is Odoo's business.
func (g Guard) Rewrites(field, operator string) bool {
	return g.Kind == Guarded || facts.Access{Terms: g.Terms}.Rewrites(field, operator)
}

// RewritesOrder reports whether ordering the model by this field is Odoo's business.
func (g Guard) RewritesOrder(field string) bool {
	return g.Kind == Guarded || facts.Access{Terms: g.Terms}.RewritesOrder(field)
}
