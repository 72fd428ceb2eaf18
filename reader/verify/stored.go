package verify

import (
	"slices"
	"strings"

	"lateral/schema"
)

// storage tells whether what a request asks for, filters and sorts by is stored.
type storage struct {
	catalogue *schema.Catalogue
	// pure leaves aside what is decided by Odoo's code although the fields are stored: models with
	// Python access or search code; a relation compared with a text, which is a search by display_name,
	// which is computed; a hierarchy without a stored parent; texts of 14.0 and 15.0 that are translated
	// term by term, which Odoo's code takes apart and puts together again for every value, whatever the
	// language (14.0: odoo/tools/translate.py, xml_translate and html_translate).
	pure bool
}

// request reports whether a request touches stored fields alone.
func (s storage) request(r Request) bool {
	m := s.catalogue.Model(r.Model)
	if !s.open(m) || !s.wants(m, r.Wants) {
		return false
	}
	if r.Field != "" && !s.path(m, r.Field) {
		return false
	}
	for _, term := range r.Order {
		if name, _, _ := strings.Cut(term, " "); !s.path(m, name) {
			return false
		}
	}
	for _, t := range r.Domain {
		if !s.terms(m, t.list()) {
			return false
		}
	}
	return true
}

func (s storage) open(m *schema.Model) bool {
	if m == nil || s.pure && m.Guard.Kind != schema.Open {
		return false
	}
	for _, parent := range m.Inherits {
		// The parent's rights are those of the model too.
		if s.pure && !s.open(s.catalogue.Model(parent.Parent)) {
			return false
		}
	}
	return true
}

func (s storage) wants(m *schema.Model, wants []Want) bool {
	for _, w := range wants {
		if !s.path(m, w.Name) {
			return false
		}
		if w.Form != schema.Plain && !s.wants(s.catalogue.Model(m.Field(w.Name).Comodel), w.Sub) {
			return false
		}
	}
	return true
}

func (s storage) terms(m *schema.Model, list []any) bool {
	for _, element := range list {
		leaf, ok := element.([]any)
		if !ok || len(leaf) != 3 {
			continue
		}
		path, ok := leaf[0].(string)
		if !ok {
			continue
		}
		if !s.path(m, path) {
			return false
		}
		operator, _ := leaf[1].(string)
		comodel := s.target(m, path)
		switch operator {
		case "any", "not any":
			sub, _ := leaf[2].([]any)
			if !s.terms(comodel, sub) {
				return false
			}
		case "child_of", "parent_of":
			if s.pure && (comodel == nil || comodel.ParentName == "" || comodel.Field(comodel.ParentName) == nil) {
				return false
			}
		}
		if s.pure && comodel != nil && named(leaf[2]) {
			return false
		}
	}
	return true
}

// named reports whether a value is a text, or a list with one.
func named(v any) bool {
	if list, ok := v.([]any); ok {
		return slices.ContainsFunc(list, func(element any) bool { _, text := element.(string); return text })
	}
	_, text := v.(string)
	return text
}

// path reports whether all fields of a dotted path are stored, and the models they lead to open.
func (s storage) path(m *schema.Model, path string) bool {
	for name := range strings.SplitSeq(path, ".") {
		if m == nil {
			return false
		}
		f := m.Field(name)
		if f == nil || !f.Stored && name != "id" || s.pure && s.rewritten(f) {
			return false
		}
		if m = s.catalogue.Model(f.Comodel); f.Comodel != "" && !s.open(m) {
			return false
		}
	}
	return true
}

// rewritten reports whether Odoo's code makes a field's value of what is stored.
func (s storage) rewritten(f *schema.Field) bool {
	return f.Translate == schema.TranslatedTerms && !s.catalogue.Features.JSONTranslations
}

// target is the model that a dotted path leads to.
func (s storage) target(m *schema.Model, path string) *schema.Model {
	for name := range strings.SplitSeq(path, ".") {
		if m == nil || m.Field(name) == nil {
			return nil
		}
		m = s.catalogue.Model(m.Field(name).Comodel)
	}
	return m
}
