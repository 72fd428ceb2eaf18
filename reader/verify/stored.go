package verify

import (
	"slices"
	"strings"

	"lateral/schema"
)

// stored reports whether a request asks for, filters and sorts by stored fields alone, of models
// whose access and search are no Python code: what SQL ought to answer. A relation compared with a
// text is a search by display_name, which is computed, and a hierarchy needs a stored parent.
func stored(c *schema.Catalogue, r Request) bool {
	m := c.Model(r.Model)
	if !open(m) || !storedWants(c, m, r.Wants) {
		return false
	}
	if r.Field != "" && !storedPath(c, m, r.Field) {
		return false
	}
	for _, term := range r.Order {
		if name, _, _ := strings.Cut(term, " "); !storedPath(c, m, name) {
			return false
		}
	}
	for _, t := range r.Domain {
		if !storedTerms(c, m, t.list()) {
			return false
		}
	}
	return true
}

func open(m *schema.Model) bool { return m != nil && m.Guard.Kind == schema.Open }

func storedWants(c *schema.Catalogue, m *schema.Model, wants []Want) bool {
	for _, w := range wants {
		if !storedPath(c, m, w.Name) {
			return false
		}
		if w.Form != schema.Plain && !storedWants(c, c.Model(m.Field(w.Name).Comodel), w.Sub) {
			return false
		}
	}
	return true
}

func storedTerms(c *schema.Catalogue, m *schema.Model, list []any) bool {
	for _, element := range list {
		leaf, ok := element.([]any)
		if !ok || len(leaf) != 3 {
			continue
		}
		path, ok := leaf[0].(string)
		if !ok {
			continue
		}
		if !storedPath(c, m, path) {
			return false
		}
		operator, _ := leaf[1].(string)
		comodel := target(c, m, path)
		switch operator {
		case "any", "not any":
			sub, _ := leaf[2].([]any)
			if !storedTerms(c, comodel, sub) {
				return false
			}
		case "child_of", "parent_of":
			if comodel == nil || comodel.ParentName == "" || comodel.Field(comodel.ParentName) == nil {
				return false
			}
		}
		if comodel != nil && named(leaf[2]) {
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

// storedPath reports whether all fields of a dotted path are stored, and the models they lead to
// open.
func storedPath(c *schema.Catalogue, m *schema.Model, path string) bool {
	for name := range strings.SplitSeq(path, ".") {
		if m == nil {
			return false
		}
		f := m.Field(name)
		if f == nil || !f.Stored && name != "id" {
			return false
		}
		if m = c.Model(f.Comodel); f.Comodel != "" && !open(m) {
			return false
		}
	}
	return true
}

// target is the model that a dotted path leads to.
func target(c *schema.Catalogue, m *schema.Model, path string) *schema.Model {
	for name := range strings.SplitSeq(path, ".") {
		if m == nil || m.Field(name) == nil {
			return nil
		}
		m = c.Model(m.Field(name).Comodel)
	}
	return m
}
