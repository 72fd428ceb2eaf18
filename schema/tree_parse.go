package schema

import (
	"fmt"
	"strings"
)

// Limits of a tree of fields.
const (
	// MaxTreeDepth is how many levels of records a tree may have.
	MaxTreeDepth = 20
	// maxTreeSteps bounds the work on one tree, ambiguous readings included.
	maxTreeSteps = 20000
)

// TreeError says where a tree of fields is wrong, and why. Path is the names that lead there,
// joined by points; empty at the top.
type TreeError struct {
	Path string
	Msg  string
}

func (e *TreeError) Error() string {
	if e.Path == "" {
		return "schema: " + e.Msg
	}
	return "schema, " + e.Path + ": " + e.Msg
}

// ParseTree returns the tree of fields that a value of ParseLiteral or DecodeJSON means for a
// model: a list or tuple of items, or the name of a single field. An item is a name, or a pair of
// a relational field's name and what to read of its records. Where the pair is a tuple, its second
// part is OneRecord if it is a tuple or a single name, and List if it is a list; where the pair is
// a list, as in JSON, it is OneRecord for a many2one and List for the others, and brackets around
// it ask for List. Where the comma behind a nested item is missing, ('partner_id', ('id', 'name')) stands for a list of that
// one item. Of two items with one name, the later defines it and the earlier gives its place.
// Errors are of type *TreeError.
func ParseTree(c *Catalogue, model string, v any) (*Tree, error) {
	items, err := ParseItems(c, model, v)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, &TreeError{Msg: "a schema wants at least one field"}
	}
	return &Tree{Items: items}, nil
}

// ParseItems returns the items of include_fields, which may be a name, a list of names and nested
// items, or nothing; otherwise it is ParseTree.
func ParseItems(c *Catalogue, model string, v any) ([]Item, error) {
	if v == nil {
		return nil, nil
	}
	m := c.Model(model)
	if m == nil {
		return nil, &TreeError{Msg: fmt.Sprintf("there is no model %q", model)}
	}
	p := &treeParser{catalogue: c}
	items, failure := p.schema(m, v, nil)
	if failure != nil {
		return nil, failure
	}
	return items, nil
}

// ParseNames returns the names of exclude_fields: a name, a list of names, or nothing.
func ParseNames(v any) ([]string, error) {
	if name, ok := v.(string); ok {
		return []string{name}, nil
	}
	elements, ok := sequence(v)
	if v != nil && !ok {
		return nil, &TreeError{Msg: "want a field name or a list of them, not " + describe(v)}
	}
	names := make([]string, 0, len(elements))
	for _, element := range elements {
		name, ok := element.(string)
		if !ok {
			return nil, &TreeError{Msg: "a list of field names holds texts, not " + describe(element)}
		}
		names = append(names, name)
	}
	return names, nil
}

type treeParser struct {
	catalogue *Catalogue
	steps     int
}

func treeError(path []string, msg string) *TreeError {
	return &TreeError{Path: strings.Join(path, "."), Msg: msg}
}

// schema parses a value that stands for the fields of a model's records.
func (p *treeParser) schema(m *Model, v any, path []string) ([]Item, *TreeError) {
	if len(path) >= MaxTreeDepth {
		return nil, treeError(path, fmt.Sprintf("a schema may have %d levels", MaxTreeDepth))
	}
	if name, ok := v.(string); ok {
		v = Tuple{name}
	}
	elements, ok := sequence(v)
	if !ok {
		return nil, treeError(path, "want a field name or a list of fields, not "+describe(v))
	}
	items, failure := p.items(m, elements, path)
	if failure == nil || !p.looksLikeItem(m, elements) {
		return items, failure
	}
	// The comma behind a single nested item is missing.
	item, single := p.item(m, v, path)
	switch {
	case single == nil:
		return []Item{item}, nil
	case strings.Count(single.Path, ".") > strings.Count(failure.Path, "."):
		// The reading that got further is the one that was meant.
		return nil, single
	}
	return nil, failure
}

// looksLikeItem reports whether elements could be a nested item: a relational field's name and a
// list.
func (p *treeParser) looksLikeItem(m *Model, elements []any) bool {
	if len(elements) != 2 {
		return false
	}
	name, ok := elements[0].(string)
	if _, nested := sequence(elements[1]); !ok || !nested {
		return false
	}
	field := m.Field(name)
	return field != nil && field.Type.Relational()
}

// items parses a list of items.
func (p *treeParser) items(m *Model, elements []any, path []string) ([]Item, *TreeError) {
	items := make([]Item, 0, len(elements))
	places := make(map[string]int, len(elements))
	for _, element := range elements {
		item, failure := p.item(m, element, path)
		if failure != nil {
			return nil, failure
		}
		if place, ok := places[item.Name]; ok {
			items[place] = item
			continue
		}
		places[item.Name] = len(items)
		items = append(items, item)
	}
	return items, nil
}

// item parses a name, or a pair of name and nested fields.
func (p *treeParser) item(m *Model, v any, path []string) (Item, *TreeError) {
	if p.steps++; p.steps > maxTreeSteps {
		return Item{}, treeError(path, "the schema is too large")
	}
	name, ok := v.(string)
	_, isTuple := v.(Tuple)
	var nested any
	if pair, isPair := sequence(v); isPair {
		if len(pair) != 2 {
			return Item{}, treeError(path, fmt.Sprintf("a nested item has 2 parts (field, fields of its records), this one has %d", len(pair)))
		}
		name, ok = pair[0].(string)
		if nested = pair[1]; nested == nil {
			return Item{}, treeError(path, "want the fields of the records, not None")
		}
		v = pair[0]
	}
	if !ok {
		return Item{}, treeError(path, "want a field name, not "+describe(v))
	}
	inside := append(path[:len(path):len(path)], name)
	field := m.Field(name)
	switch {
	case field == nil:
		return Item{}, treeError(inside, fmt.Sprintf("%s has no field %q", m.Name, name))
	case nested == nil:
		return Item{Name: name}, nil
	case !field.Type.Relational():
		return Item{}, treeError(inside, fmt.Sprintf("a field of type %s has no records to read fields of", field.Type))
	}
	comodel := p.catalogue.Model(field.Comodel)
	if comodel == nil {
		return Item{}, treeError(inside, fmt.Sprintf("its model %q is not installed", field.Comodel))
	}
	form, items, failure := p.nested(field, comodel, nested, isTuple, inside)
	if failure != nil {
		return Item{}, failure
	}
	if len(items) == 0 {
		return Item{}, treeError(inside, "a nested item wants at least one field")
	}
	return Item{Name: name, Form: form, Sub: &Tree{Items: items}}, nil
}
