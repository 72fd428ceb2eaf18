package writer

import (
	"fmt"

	"lateral/schema"
)

// Input is a field's value as a client gave it: a text of a URL or a form, which the field's type
// decides the meaning of, or a value of JSON.
type Input struct {
	Text   string
	IsText bool
	Value  any
}

// ValueError tells which value cannot be written, and why. Nothing has been sent.
type ValueError struct {
	Field string
	Path  string // dotted, with the place in a list as a number
	Msg   string
}

func (e *ValueError) Error() string { return "field " + e.Path + ": " + e.Msg }

// UpdateValues turns what a client gave for a model's fields into the values of Odoo's write
// (contract, section 6). Errors are *ValueError.
func UpdateValues(c *schema.Catalogue, model *schema.Model, given map[string]Input) (map[string]any, error) {
	w := valueWriter{catalogue: c}
	values := make(map[string]any, len(given))
	for name, input := range given {
		f, err := w.field(model, name, name)
		if err != nil {
			return nil, err
		}
		v := input.Value
		if input.IsText {
			v = textValue(f, input.Text)
		}
		v, keep, err := w.value(f, v, name)
		if err != nil {
			return nil, err
		}
		if keep {
			values[name] = v
		}
	}
	return values, nil
}

// textValue gives a text of a URL the meaning it has for a field: what is bound for a text field
// stays as the client typed it.
func textValue(f *schema.Field, text string) any {
	switch f.Type {
	case schema.Char, schema.Text, schema.HTML, schema.Selection:
		return text
	}
	return schema.ParseParam(text)
}

type valueWriter struct{ catalogue *schema.Catalogue }

func (w valueWriter) field(model *schema.Model, name, path string) (*schema.Field, error) {
	if f := model.Field(name); f != nil && name != "id" {
		return f, nil
	}
	return nil, &ValueError{Field: name, Path: path, Msg: fmt.Sprintf("%s has no field %q that can be written", model.Name, name)}
}

// value checks and converts one value. It reports false where the value says nothing.
func (w valueWriter) value(f *schema.Field, v any, path string) (any, bool, error) {
	wrong := func(want string) error {
		return &ValueError{Field: f.Name, Path: path, Msg: fmt.Sprintf("a %s field takes %s", f.Type, want)}
	}
	if tuple, ok := v.(schema.Tuple); ok {
		v = []any(tuple)
	}
	if v == nil {
		v = false
	}
	list, isList := v.([]any)
	_, isObject := v.(map[string]any)
	switch {
	case f.Type.X2many():
		if v == false {
			list, isList = []any{}, true
		}
		if !isList {
			return nil, false, wrong("a list")
		}
		return w.commands(f, list, path)
	case f.Type == schema.JSON, f.Type == schema.Properties, f.Type == schema.PropertiesDefinition:
		return v, true, nil
	case isList, isObject:
		return nil, false, wrong("one value, no list or object")
	case v == false:
		return v, true, nil
	}
	_, isText := v.(string)
	_, isBool := v.(bool)
	switch f.Type {
	case schema.Boolean:
		if n, ok := v.(int64); !isBool && (!ok || n != 0 && n != 1) {
			return nil, false, wrong("true or false")
		}
	case schema.Many2one, schema.Integer, schema.Many2oneReference:
		if _, ok := v.(int64); !ok {
			return nil, false, wrong("an integer")
		}
	case schema.Float, schema.Monetary:
		if isText || isBool {
			return nil, false, wrong("a number")
		}
	default:
		if !isText {
			return nil, false, wrong("a text")
		}
	}
	return v, true, nil
}

// commands turns the items of an x2many into Odoo's commands. A list of commands stays as it is.
func (w valueWriter) commands(f *schema.Field, items []any, path string) (any, bool, error) {
	if len(items) == 0 {
		// Of one2many, lines that are not mentioned stay; a many2many is replaced by nothing.
		return []any{[]any{int64(5), int64(0), int64(0)}}, f.Type == schema.Many2many, nil
	}
	if _, ready := items[0].([]any); ready {
		return items, true, nil
	}
	comodel := w.catalogue.Model(f.Comodel)
	if comodel == nil {
		return nil, false, &ValueError{Field: f.Name, Path: path, Msg: fmt.Sprintf("leads to %q, which is no model", f.Comodel)}
	}
	if f.Type == schema.Many2many {
		return w.replacement(f, items, path)
	}
	commands := make([]any, 0, len(items))
	for i, item := range items {
		at := fmt.Sprintf("%s.%d", path, i)
		object, ok := item.(map[string]any)
		if !ok {
			return nil, false, &ValueError{Field: f.Name, Path: at, Msg: "a line is an object"}
		}
		command, err := w.line(f, comodel, object, at)
		if err != nil {
			return nil, false, err
		}
		commands = append(commands, command)
	}
	return commands, true, nil
}

// replacement links exactly the given records: each an id, or an object of nothing but one.
func (w valueWriter) replacement(f *schema.Field, items []any, path string) (any, bool, error) {
	ids := make([]any, 0, len(items))
	for i, item := range items {
		v := item
		if object, ok := item.(map[string]any); ok && len(object) == 1 {
			v = object["id"]
		}
		id, ok := v.(int64)
		if !ok || id < 1 {
			return nil, false, &ValueError{Field: f.Name, Path: fmt.Sprintf("%s.%d", path, i), Msg: `a link is an id, or an object {"id": n}`}
		}
		ids = append(ids, id)
	}
	return []any{[]any{int64(6), int64(0), ids}}, true, nil
}

// line creates, updates or deletes one line of a one2many.
func (w valueWriter) line(f *schema.Field, comodel *schema.Model, object map[string]any, path string) (any, error) {
	values := make(map[string]any, len(object))
	for name, v := range object {
		if name == "id" {
			continue
		}
		field, err := w.field(comodel, name, path+"."+name)
		if err != nil {
			return nil, err
		}
		v, keep, err := w.value(field, v, path+"."+name)
		if err != nil {
			return nil, err
		}
		if keep {
			values[name] = v
		}
	}
	given, hasID := object["id"]
	id, ok := given.(int64)
	switch {
	case !hasID:
		return []any{int64(0), int64(0), values}, nil
	case !ok || id < 1:
		return nil, &ValueError{Field: f.Name, Path: path + ".id", Msg: "an id is a positive integer"}
	case len(object) == 1:
		return []any{int64(2), id, int64(0)}, nil
	}
	return []any{int64(1), id, values}, nil
}
