package writer

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lateral/schema"
)

func valuesCatalogue() *schema.Catalogue {
	model := func(name string, fields ...*schema.Field) *schema.Model {
		m := &schema.Model{Name: name, Fields: map[string]*schema.Field{}}
		for _, f := range fields {
			f.Model = m
			m.Fields[f.Name] = f
		}
		return m
	}
	return schema.NewCatalogue(
		model("partner", &schema.Field{Name: "name", Type: schema.Char}, &schema.Field{Name: "active", Type: schema.Boolean},
			&schema.Field{Name: "country_id", Type: schema.Many2one, Comodel: "country"}, &schema.Field{Name: "date", Type: schema.Date},
			&schema.Field{Name: "limit", Type: schema.Float}, &schema.Field{Name: "tag_ids", Type: schema.Many2many, Comodel: "tag"},
			&schema.Field{Name: "bank_ids", Type: schema.One2many, Comodel: "bank"}),
		model("bank", &schema.Field{Name: "number", Type: schema.Char}, &schema.Field{Name: "tag_ids", Type: schema.Many2many, Comodel: "tag"}),
		model("tag", &schema.Field{Name: "name", Type: schema.Char}),
	)
}

// Ensure values take the forms of the contract, section 6, and texts of a URL their field's type.
func TestUpdateValues(t *testing.T) {
	c := valuesCatalogue()
	list := func(items ...any) []any { return items }
	given := map[string]Input{
		"name": {Text: "007", IsText: true}, "active": {Text: "False", IsText: true}, "country_id": {Value: nil},
		"limit": {Text: "1e3", IsText: true}, "date": {Text: "2020-01-02", IsText: true},
		"tag_ids": {Value: list(map[string]any{"id": int64(3)}, int64(4))},
		"bank_ids": {Value: list(
			map[string]any{"id": int64(56), "number": "x"}, map[string]any{"id": int64(57)},
			map[string]any{"number": "y", "tag_ids": list()})},
	}
	want := map[string]any{
		"name": "007", "active": false, "country_id": false, "limit": 1000.0, "date": "2020-01-02",
		"tag_ids": list(list(int64(6), int64(0), list(int64(3), int64(4)))),
		"bank_ids": list(
			list(int64(1), int64(56), map[string]any{"number": "x"}), list(int64(2), int64(57), int64(0)),
			list(int64(0), int64(0), map[string]any{"number": "y", "tag_ids": list(list(int64(5), int64(0), int64(0)))})),
	}
	got, err := UpdateValues(c, c.Model("partner"), given)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	commands := list(list(int64(6), int64(0), list(int64(1))))
	got, err = UpdateValues(c, c.Model("partner"), map[string]Input{"tag_ids": {Value: commands}, "bank_ids": {Value: list()}})
	if diff := cmp.Diff(map[string]any{"tag_ids": commands}, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

// Ensure what does not fit is refused with its place.
func TestUpdateValuesRefused(t *testing.T) {
	c := valuesCatalogue()
	for path, given := range map[string]map[string]Input{
		"nothing":           {"nothing": {Value: int64(1)}},
		"id":                {"id": {Value: int64(1)}},
		"name":              {"name": {Value: int64(1)}},
		"active":            {"active": {Text: "yes", IsText: true}},
		"country_id":        {"country_id": {Value: []any{int64(1)}}},
		"limit":             {"limit": {Value: true}},
		"tag_ids":           {"tag_ids": {Value: "x"}},
		"tag_ids.1":         {"tag_ids": {Value: []any{int64(1), map[string]any{"name": "x"}}}},
		"bank_ids.0":        {"bank_ids": {Value: []any{int64(1)}}},
		"bank_ids.0.number": {"bank_ids": {Value: []any{map[string]any{"number": []any{}}}}},
		"bank_ids.0.id":     {"bank_ids": {Value: []any{map[string]any{"id": "x", "number": "y"}}}},
		"bank_ids.0.wrong":  {"bank_ids": {Value: []any{map[string]any{"wrong": "y"}}}},
	} {
		_, err := UpdateValues(c, c.Model("partner"), given)
		var e *ValueError
		if !errors.As(err, &e) || e.Path != path {
			t.Errorf("%s: got %v", path, err)
		}
	}
}
