package writer

import (
	"fmt"
	"maps"
	"slices"

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
	return valueWriter{catalogue: c, line: updatedLine}.inputs(model, given)
}

// CreateValues turns what a client gave for a model's fields into the values of Odoo's create
// (contract, section 6). Errors are *ValueError.
func CreateValues(c *schema.Catalogue, model *schema.Model, given map[string]Input) (map[string]any, error) {
	return valueWriter{catalogue: c, line: createdLine}.inputs(model, given)
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

// valueWriter checks and converts the values of one record.
type valueWriter struct {
	catalogue *schema.Catalogue
	// line makes the command of an object that stands for a line of a one2many.
	line lineCommand
}

// lineCommand makes Odoo's command of a line, by its place, its id, 0 without one, and whether it
// has anything but an id. The command takes values where those are of a line that is created or
// updated.
type lineCommand func(id int64, more bool) (command []any, inner lineCommand)

// createdLine makes every line of a record that is created anew, whatever id it came with: a record
// that is not there yet has no lines.
func createdLine(int64, bool) ([]any, lineCommand) {
	return []any{int64(0), int64(0)}, createdLine
}

// updatedLine creates a line without an id, updates one with an id and values, and deletes one with
// nothing but an id.
func updatedLine(id int64, more bool) ([]any, lineCommand) {
	switch {
	case id == 0:
		return createdLine(id, more)
	case more:
		return []any{int64(1), id}, updatedLine
	}
	return []any{int64(2), id, int64(0)}, nil
}

// inputs converts the values of the record that a request is about.
func (w valueWriter) inputs(model *schema.Model, given map[string]Input) (map[string]any, error) {
	values := make(map[string]any, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		f, err := field(model, name, name)
		if err != nil {
			return nil, err
		}
		v := given[name].Value
		if given[name].IsText {
			v = textValue(f, given[name].Text)
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

// record converts the values of a nested record. An id among them is not one.
func (w valueWriter) record(model *schema.Model, object map[string]any, path string) (map[string]any, error) {
	values := make(map[string]any, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if name == "id" {
			continue
		}
		f, err := field(model, name, path+"."+name)
		if err != nil {
			return nil, err
		}
		v, keep, err := w.value(f, object[name], path+"."+name)
		if err != nil {
			return nil, err
		}
		if keep {
			values[name] = v
		}
	}
	return values, nil
}

func field(model *schema.Model, name, path string) (*schema.Field, error) {
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
	if v == nil {
		v = false
	}
	list, isList := listOf(v)
	_, isObject := v.(map[string]any)
	switch {
	case f.Type.X2many():
		if v == false {
			isList = true
		}
		if !isList {
			return nil, false, wrong("a list")
		}
		return w.x2many(f, list, path)
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

// listOf returns the items of a list of JSON, or of a list or tuple of a literal.
func listOf(v any) ([]any, bool) {
	if tuple, ok := v.(schema.Tuple); ok {
		return tuple, true
	}
	list, ok := v.([]any)
	return list, ok
}

// x2many turns the items of an x2many into Odoo's commands.
func (w valueWriter) x2many(f *schema.Field, items []any, path string) (any, bool, error) {
	if len(items) == 0 {
		// Of a one2many, lines that are not mentioned stay; a many2many is replaced by nothing.
		return []any{[]any{int64(5), int64(0), int64(0)}}, f.Type == schema.Many2many, nil
	}
	comodel := w.catalogue.Model(f.Comodel)
	if comodel == nil {
		return nil, false, &ValueError{Field: f.Name, Path: path, Msg: fmt.Sprintf("leads to %q, which is no model", f.Comodel)}
	}
	convert := w.lineOf
	if _, ready := listOf(items[0]); ready {
		convert = w.command
	} else if f.Type == schema.Many2many {
		return replacement(f, items, path)
	}
	commands := make([]any, 0, len(items))
	for i, item := range items {
		command, err := convert(f, comodel, item, fmt.Sprintf("%s.%d", path, i))
		if err != nil {
			return nil, false, err
		}
		commands = append(commands, command)
	}
	return commands, true, nil
}

// replacement links exactly the given records: each an id, or an object of nothing but one.
func replacement(f *schema.Field, items []any, path string) (any, bool, error) {
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

// lineOf makes the command of an object that stands for a line of a one2many.
func (w valueWriter) lineOf(f *schema.Field, comodel *schema.Model, item any, path string) (any, error) {
	object, ok := item.(map[string]any)
	if !ok {
		return nil, &ValueError{Field: f.Name, Path: path, Msg: "a line is an object"}
	}
	given, hasID := object["id"]
	id, ok := given.(int64)
	if hasID && (!ok || id < 1) {
		return nil, &ValueError{Field: f.Name, Path: path + ".id", Msg: "an id is a positive integer"}
	}
	command, inner := w.line(id, len(object) > 1)
	if inner == nil {
		return command, nil
	}
	values, err := valueWriter{catalogue: w.catalogue, line: inner}.record(comodel, object, path)
	if err != nil {
		return nil, err
	}
	return append(command, values), nil
}

// command passes one of Odoo's commands on. What it holds of a record's values is checked like
// everything else.
func (w valueWriter) command(f *schema.Field, comodel *schema.Model, item any, path string) (any, error) {
	wrong := &ValueError{Field: f.Name, Path: path, Msg: "a command is a list such as [0, 0, {…}], [1, id, {…}], [2, id], [3, id], [4, id], [5] or [6, 0, [ids]]"}
	given, ok := listOf(item)
	if !ok || len(given) == 0 || len(given) > 3 {
		return nil, wrong
	}
	command := slices.Clone(given)
	code, _ := command[0].(int64)
	_, isCode := command[0].(int64)
	switch {
	case !isCode, code < 0, code > 6, code != 5 && len(command) < 2, (code < 2 || code == 6) && len(command) < 3:
		return nil, wrong
	case code == 6:
		if command[2], ok = listOf(command[2]); !ok {
			return nil, wrong
		}
	case code < 2:
		object, ok := command[2].(map[string]any)
		if !ok {
			return nil, wrong
		}
		inner := createdLine
		if code == 1 {
			inner = updatedLine
		}
		values, err := valueWriter{catalogue: w.catalogue, line: inner}.record(comodel, object, path)
		if err != nil {
			return nil, err
		}
		command[2] = values
	}
	return command, nil
}
