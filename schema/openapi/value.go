package openapi

import (
	"strings"

	"lateral/schema"
)

// maxChoices bounds the values of one selection that are listed, such as the 600 time zones.
const maxChoices = 100

// value returns the schema of a field asked for by its name alone: at the top level without a preset
// (flat), or in a preset or below (contract, sections 4 and 8).
func (w *writer) value(f *schema.Field, d Field, flat bool) object {
	s := w.valueType(f, d, flat)
	s["title"] = d.Label
	if text := w.describe(f, d); text != "" {
		s["description"] = text
	}
	return s
}

func (w *writer) valueType(f *schema.Field, d Field, flat bool) object {
	classicFlat := flat && !w.in.Typed
	switch f.Type {
	case schema.Boolean:
		if w.in.Typed {
			return object{"type": "boolean"}
		}
		return object{"enum": []any{true, nil}}
	case schema.Integer:
		return object{"type": "integer"}
	case schema.Float, schema.Monetary:
		return object{"type": "number"}
	case schema.Selection:
		return selection(d)
	case schema.Date:
		return nullable("string", object{"format": "date"})
	case schema.Datetime:
		return nullable("string", object{"pattern": `^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$`})
	case schema.Binary, schema.Image:
		return nullable("string", object{"contentEncoding": "base64"})
	case schema.Many2one:
		if classicFlat {
			return w.named(f)
		}
		return nullable("integer", object{})
	case schema.One2many, schema.Many2many:
		ids := object{"items": object{"type": "integer"}}
		switch {
		case w.in.Typed:
			ids["type"] = "array"
		case flat:
			ids["type"] = []string{"array", "null"}
		default:
			ids["type"] = []string{"integer", "array", "null"}
		}
		return ids
	case schema.Reference:
		if classicFlat {
			return nullable("array", object{"items": object{"type": "integer"}})
		}
		return nullable("integer", object{})
	case schema.Many2oneReference:
		return nullable("integer", object{})
	case schema.Char, schema.Text, schema.HTML:
		return nullable("string", object{})
	}
	return object{} // json and properties: anything
}

// named is a many2one with the id and, where its records have one, the name.
func (w *writer) named(f *schema.Field) object {
	properties := object{"id": object{"type": "integer"}}
	if comodel := w.in.Models[f.Comodel]; comodel != nil {
		if name := comodel.Model.Field("name"); name != nil {
			if d, visible := comodel.Fields["name"]; visible {
				properties["name"] = w.valueType(name, d, false)
			}
		}
	}
	return nullable("object", object{"properties": properties, "required": []string{"id"}})
}

func selection(d Field) object {
	s := nullable("string", object{})
	if len(d.Choices) == 0 || len(d.Choices) > maxChoices {
		return s
	}
	values := make([]any, 0, len(d.Choices)+1)
	for _, choice := range d.Choices {
		values = append(values, choice.Value)
	}
	s["enum"] = append(values, nil)
	return s
}

func nullable(kind string, s object) object {
	s["type"] = []string{kind, "null"}
	return s
}

// describe is the field's help, its choices and, where the user may read them, the records it
// points to.
func (w *writer) describe(f *schema.Field, d Field) string {
	var parts []string
	if d.Help != "" {
		parts = append(parts, d.Help)
	}
	if f.Type.Relational() && w.in.Readable[f.Comodel] {
		parts = append(parts, "Records of `"+f.Comodel+"`.")
	}
	if f.Type == schema.Selection && len(d.Choices) > 0 && len(d.Choices) <= maxChoices {
		lines := make([]string, len(d.Choices))
		for i, choice := range d.Choices {
			lines[i] = "- `" + choice.Value + "`: " + choice.Label
		}
		parts = append(parts, strings.Join(lines, "\n"))
	}
	return strings.Join(parts, "\n\n")
}

// input returns the schema of a field's value in a create or an update (contract, section 6).
func (w *writer) input(f *schema.Field, d Field) object {
	var s object
	switch f.Type {
	case schema.Boolean:
		s = object{"type": []string{"boolean", "null"}}
	case schema.Many2one, schema.Many2oneReference:
		s = object{"type": []string{"integer", "boolean", "null"}}
	case schema.Reference:
		s = object{"type": []string{"string", "boolean", "null"}}
	case schema.One2many, schema.Many2many:
		s = object{"type": "array", "items": object{"type": []string{"object", "integer", "array"}}}
	case schema.Selection:
		s = selection(d)
	case schema.Integer, schema.Float, schema.Monetary:
		s = w.valueType(f, d, false)
	case schema.JSON, schema.Properties, schema.PropertiesDefinition:
		s = object{}
	default:
		s = object{"type": []string{"string", "boolean", "null"}}
	}
	s["title"] = d.Label
	text := w.describe(f, d)
	if d.Required {
		text = strings.TrimPrefix(text+"\n\nOdoo wants a value here, unless it has a default.", "\n\n")
	}
	if text != "" {
		s["description"] = text
	}
	return s
}
