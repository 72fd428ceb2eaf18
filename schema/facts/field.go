package facts

import (
	"encoding/json"
	"reflect"
	"slices"
)

// DomainKind says how the domain attribute of an x2many field acts on a read.
type DomainKind string

// The kinds of domain. NoDomain also stands for a domain that a later definition took away.
const (
	NoDomain       DomainKind = ""
	ListDomain     DomainKind = "list"     // filters what is read
	CallableDomain DomainKind = "callable" // called with the reader's environment, then filters what is read
	StringDomain   DomainKind = "string"   // for the client only; reads ignore it
	MixedDomain    DomainKind = "mixed"    // definitions disagree: let Odoo read the field
)

// Field holds what is unusual about a field. Where several definitions of it exist (add-ons, mixins), texts and Bypass
// are those of the definition that Odoo loads last, as is a literal CompanyDependent, and other flags are true if any of them sets them.
type Field struct {
	Type string
	// Unsure: the series is between the scanned ones, and those differ in AsUser or Bypass. Let Odoo follow the field.
	Unsure bool

	AsUser bool     // related_sudo=False, or compute_sudo=False on a related field: read with the reader's rights
	Super  bool     // inherited by delegation, yet read as superuser: 19.0 declares it again, so as an ordinary related field
	Sudo   *bool    // compute_sudo, where it is given
	Bypass bool     // auto_join or bypass_search_access
	Groups []string // as written, one entry for each distinct spec
	Search string   // the search method, also of stored fields: 19.0 rewrites a domain on such a column too

	Attachment       bool   // binary: kept as an attachment, if it is stored at all
	CompanyDependent bool   // one value for each company
	Digits           any    // [precision, scale], the name of a decimal.precision, or 0: a column of any scale
	Translate        string // a term translator (html_translate, xml_translate); plain translation is in the database
	ModelField       string // many2one_reference: the field that holds the model's name
	Limit            int    // x2many, up to 15.0: the most records that one read returns, over all its rows

	Domain       DomainKind
	DomainText   string // Python source of a list or callable domain
	CheckCompany bool   // x2many: from 16.0 fields_get then shows the domain as a string, whatever it is
	Context      string // Python source of a relation's context; active_test in it counts for reads

	Related         string // path of a field that is elsewhere a column or computed, or of a stored related field
	StoredRelated   bool
	ComputedInverse bool // one2many: its inverse is not a column
	ReferenceOf     bool // one2many: its inverse is a many2one_reference, so reads add a condition on the model's name
}

// rawField is one definition of a field, as scan.py writes it.
type rawField struct {
	Type             string `json:"type"`
	RelatedSudo      *bool  `json:"related_sudo"`
	ComputeSudo      *bool  `json:"compute_sudo"`
	Inherited        bool   `json:"inherited"`
	Bypass           *bool  `json:"bypass"`
	Groups           string `json:"groups"`
	Search           any    `json:"search"`
	Attachment       *bool  `json:"attachment"`
	CompanyDependent any    `json:"company_dependent"`
	Digits           any    `json:"digits"`
	Translate        string `json:"translate"`
	ModelField       string `json:"model_field"`
	Limit            any    `json:"limit"`
	Domain           string `json:"domain"`
	DomainText       string `json:"domain_text"`
	CheckCompany     bool   `json:"check_company"`
	Context          string `json:"context"`
	StoredRelated    string `json:"stored_related"`
	Related          string `json:"related"`
	InverseStored    *bool  `json:"inverse_stored"`
	InverseType      string `json:"inverse_type"`
	Compute          string `json:"compute"`
	Store            bool   `json:"store"`
}

// add merges a later definition of the field.
func (f Field) add(r rawField) Field {
	first := f.Type == ""
	if r.Type != "" {
		f.Type = r.Type
	}
	if first {
		f.Attachment = f.Type == "binary"
	}
	isFalse := func(b *bool) bool { return b != nil && !*b }
	related := r.Related != "" || r.StoredRelated != ""
	f.AsUser = f.AsUser || isFalse(r.RelatedSudo) || related && isFalse(r.ComputeSudo)
	f.Super = f.Super || r.Inherited
	if r.ComputeSudo != nil {
		f.Sudo = r.ComputeSudo
	}
	if r.Bypass != nil {
		f.Bypass = *r.Bypass
	}
	if r.Groups != "" && !slices.Contains(f.Groups, r.Groups) {
		f.Groups = append(slices.Clip(f.Groups), r.Groups)
	}
	if s, ok := r.Search.(string); ok {
		f.Search = s
	} else if r.Search != nil {
		f.Search = "?"
	}
	f.Attachment = f.Attachment && !isFalse(r.Attachment)
	if set, literal := r.CompanyDependent.(bool); literal {
		f.CompanyDependent = set
	} else if r.CompanyDependent != nil {
		f.CompanyDependent = true
	}
	if r.Digits != nil {
		f.Digits = r.Digits
	}
	setText(&f.Translate, r.Translate)
	setText(&f.ModelField, r.ModelField)
	if n, ok := r.Limit.(float64); ok {
		f.Limit = int(n)
	}
	f.addDomain(r)
	f.CheckCompany = f.CheckCompany || r.CheckCompany
	setText(&f.Context, r.Context)
	setText(&f.Related, r.Related)
	setText(&f.Related, r.StoredRelated)
	f.StoredRelated = f.StoredRelated || r.StoredRelated != ""
	f.ComputedInverse = f.ComputedInverse || isFalse(r.InverseStored)
	f.ReferenceOf = f.ReferenceOf || r.InverseType == "many2one_reference"
	return f
}

// addDomain merges the domain of a later definition. Equal kinds follow the last text; kinds that differ are mixed,
// since which definition wins hangs on the order of loading.
func (f *Field) addDomain(r rawField) {
	switch {
	case r.Domain == "":
		return
	case r.Domain == "none" && f.Domain == NoDomain:
		return
	case f.Domain == NoDomain:
		f.Domain = DomainKind(r.Domain)
	case f.Domain != DomainKind(r.Domain):
		f.Domain = MixedDomain
	}
	f.DomainText = r.DomainText
}

// merge joins what two series say of a field. A domain that only one of them has, or that differs, is mixed.
func (f Field) merge(g Field) Field {
	merged := f
	merged.Unsure = f.AsUser != g.AsUser || f.Bypass != g.Bypass
	merged.AsUser = f.AsUser || g.AsUser
	merged.Super = f.Super && g.Super
	merged.Bypass = f.Bypass && g.Bypass
	merged.Attachment = f.Attachment || g.Attachment
	merged.CompanyDependent = f.CompanyDependent || g.CompanyDependent
	merged.CheckCompany = f.CheckCompany || g.CheckCompany
	merged.StoredRelated = f.StoredRelated || g.StoredRelated
	merged.ComputedInverse = f.ComputedInverse || g.ComputedInverse
	merged.ReferenceOf = f.ReferenceOf || g.ReferenceOf
	for _, group := range g.Groups {
		if !slices.Contains(merged.Groups, group) {
			merged.Groups = append(slices.Clip(merged.Groups), group)
		}
	}
	if f.Domain != g.Domain || f.DomainText != g.DomainText || f.Context != g.Context {
		merged.Domain = MixedDomain
	}
	setText(&merged.Type, g.Type)
	setText(&merged.Search, g.Search)
	setText(&merged.Translate, g.Translate)
	setText(&merged.ModelField, g.ModelField)
	setText(&merged.Related, g.Related)
	if g.Sudo != nil {
		merged.Sudo = g.Sudo
	}
	if !reflect.DeepEqual(f.Digits, g.Digits) {
		merged.Digits = nil
	}
	if g.Limit != 0 {
		merged.Limit = g.Limit
	}
	return merged
}

func setText(to *string, text string) {
	if text != "" {
		*to = text
	}
}

// names reads an attribute that is a list of names, or "?" where the source computes it.
func names(raw json.RawMessage) (list []string, known bool) {
	if len(raw) == 0 {
		return nil, true
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil, false
	}
	return list, true
}
