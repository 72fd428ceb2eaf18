package openapi

import (
	"sort"

	"lateral/schema"
)

// model writes the schemas and paths of a listed model.
func (w *writer) model(m *Model) {
	name := m.name()
	w.schemas[name] = w.readOne(m)
	w.schemas[name+".item"] = w.readAll(m)
	w.schemas[name+".created"] = w.created(m)
	w.schemas[name+".input"] = w.inputs(m)
	w.schemas[name+".page"] = w.page(name)
	w.modelPaths(m)
}

func (w *writer) readOne(m *Model) object {
	if m.Preset != nil && m.Preset.ReadOne != nil {
		return w.preset(m, m.Preset.ReadOne)
	}
	return w.flat(m, sortedNames(m.Fields))
}

func (w *writer) readAll(m *Model) object {
	if m.Preset != nil && m.Preset.ReadAll != nil {
		return w.preset(m, m.Preset.ReadAll)
	}
	return w.flat(m, []string{"id", "name"})
}

func (w *writer) created(m *Model) object {
	if m.Preset != nil && m.Preset.CreateOne != nil {
		return w.preset(m, m.Preset.CreateOne)
	}
	s := w.flat(m, []string{"id"})
	s["required"] = []string{"id"}
	return s
}

// flat is a record without a preset. exclude_fields takes properties away and include_fields adds
// some, so that none is required and others may be there.
func (w *writer) flat(m *Model, names []string) object {
	properties := object{}
	for _, name := range names {
		if d, visible := m.Fields[name]; visible && m.Model.Field(name) != nil {
			properties[name] = w.value(m.Model.Field(name), d, true)
		}
	}
	return object{"type": "object", "title": m.Label, "properties": properties}
}

// preset is a record with a preset's fields, of which exclude_fields may take away the top ones.
func (w *writer) preset(m *Model, tree *schema.Tree) object {
	s, complete := w.tree(m, tree)
	delete(s, "required")
	s["title"] = m.Label
	if !complete {
		s["description"] = "The preset names fields that this user may not read: without exclude_fields the request is refused."
	}
	return s
}

// tree is a nested record. It reports whether the user may read all of it.
func (w *writer) tree(m *Model, tree *schema.Tree) (object, bool) {
	properties, required, complete := object{}, []string{}, true
	for _, item := range tree.Items {
		f := m.Model.Field(item.Name)
		d, visible := m.Fields[item.Name]
		if f == nil || !visible {
			complete = false
			continue
		}
		if item.Form == schema.Plain {
			properties[item.Name] = w.value(f, d, false)
			required = append(required, item.Name)
			continue
		}
		comodel := w.in.Models[f.Comodel]
		if comodel == nil {
			complete = false
			continue
		}
		sub, whole := w.tree(comodel, item.Sub)
		complete = complete && whole
		s := sub
		if item.Form == schema.List {
			s = object{"type": "array", "items": sub}
		} else {
			nullable("object", s)
		}
		s["title"] = d.Label
		if text := w.describe(f, d); text != "" {
			s["description"] = text
		}
		properties[item.Name] = s
		required = append(required, item.Name)
	}
	return object{"type": "object", "properties": properties, "required": required}, complete
}

func (w *writer) page(name string) object {
	properties := object{
		"count":   object{"type": "integer", "minimum": 0, "description": "Records on this page."},
		"results": object{"type": "array", "items": ref("schemas", name+".item")},
		"next":    object{"type": []string{"string", "null"}, "description": "Of pages by key: the parameter after of the page that follows, null where this is the last."},
	}
	if w.in.Typed {
		properties["total"] = object{"type": "integer", "minimum": 0, "description": "Records on all pages, where count asks for it."}
		properties["total_is"] = object{"type": "string", "enum": []string{"planned"}, "description": "Where total is PostgreSQL's estimate."}
	}
	return object{"type": "object", "properties": properties, "required": []string{"count", "results"}}
}

// inputs is the body of a create or an update. What Odoo does not let forms write is left out.
func (w *writer) inputs(m *Model) object {
	properties := object{"__context__": object{"type": "object", "description": "Merged over the user's context."}}
	for name, d := range m.Fields {
		if f := m.Model.Field(name); f != nil && !d.ReadOnly && name != "id" {
			properties[name] = w.input(f, d)
		}
	}
	return object{"type": "object", "title": m.Label, "properties": properties}
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
