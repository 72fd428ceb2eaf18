package writer

import (
	"errors"
	"fmt"
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
		model("bank", &schema.Field{Name: "number", Type: schema.Char}, &schema.Field{Name: "child_ids", Type: schema.One2many, Comodel: "bank"}, &schema.Field{Name: "tag_ids", Type: schema.Many2many, Comodel: "tag"}),
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

// Ensure the lines of a new record are all new, at every level, and that nothing stands for no links.
func TestCreateValues(t *testing.T) {
	c := valuesCatalogue()
	list := func(items ...any) []any { return items }
	object := func(name string, value any) map[string]any { return map[string]any{name: value} }
	tags := list(object("id", int64(1)), object("id", int64(2)))
	linked := list(list(int64(6), int64(0), list(int64(1), int64(2))))
	for _, test := range []struct {
		name        string
		given, want any
	}{
		{"bank_ids", list(), nil},
		{"bank_ids", list(map[string]any{"id": int64(5), "number": "x"}, object("id", int64(6)), object("tag_ids", tags)), list(
			list(int64(0), int64(0), object("number", "x")), list(int64(0), int64(0), map[string]any{}), list(int64(0), int64(0), object("tag_ids", linked)))},
		{"bank_ids", list(list(int64(0), int64(0), object("tag_ids", tags))), list(list(int64(0), int64(0), object("tag_ids", linked)))},
		{
			"bank_ids", list(schema.Tuple{int64(0), int64(0), object("tag_ids", list(schema.Tuple{int64(4), int64(9)}))}),
			list(list(int64(0), int64(0), object("tag_ids", list(list(int64(4), int64(9)))))),
		},
		{"tag_ids", list(), list(list(int64(5), int64(0), int64(0)))},
		{"tag_ids", list(int64(1), object("id", int64(2))), linked},
		{"tag_ids", list(schema.Tuple{int64(6), int64(0), schema.Tuple{int64(1), int64(2)}}), linked},
		{"tag_ids", list(list(int64(5)), list(int64(3), int64(1))), list(list(int64(5)), list(int64(3), int64(1)))},
	} {
		got, err := CreateValues(c, c.Model("partner"), map[string]Input{test.name: {Value: test.given}})
		want := map[string]any{test.name: test.want}
		if test.want == nil {
			want = map[string]any{}
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s %v: %v, -want +got:\n%s", test.name, test.given, err, diff)
		}
	}
}

// Ensure that a line updated within an update has its own lines updated, and one created has not.
func TestUpdateValuesDeep(t *testing.T) {
	c := valuesCatalogue()
	deep := func(id any) []any {
		item := map[string]any{"child_ids": []any{map[string]any{"id": int64(8), "number": "y"}, map[string]any{"id": int64(9)}}}
		if id != nil {
			item["id"] = id
		}
		return []any{item}
	}
	for id, want := range map[any]string{
		nil:      "[[0 0 map[child_ids:[[0 0 map[number:y]] [0 0 map[]]]]]]",
		int64(7): "[[1 7 map[child_ids:[[1 8 map[number:y]] [2 9 0]]]]]",
	} {
		got, err := UpdateValues(c, c.Model("partner"), map[string]Input{"bank_ids": {Value: deep(id)}})
		if err != nil || fmt.Sprint(got["bank_ids"]) != want {
			t.Errorf("%v: got %v, %v, want %s", id, got, err, want)
		}
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
		"bank_ids.1":        {"bank_ids": {Value: []any{[]any{int64(5)}, map[string]any{"number": "y"}}}},
		"bank_ids.0.nope":   {"bank_ids": {Value: []any{[]any{int64(1), int64(2), map[string]any{"nope": "y"}}}}},
		"tag_ids.0":         {"tag_ids": {Value: []any{[]any{int64(7), int64(1)}}}},
		"tag_ids.2":         {"tag_ids": {Value: []any{[]any{int64(5)}, []any{int64(4), int64(1)}, []any{int64(6), int64(0), int64(1)}}}},
	} {
		_, err := UpdateValues(c, c.Model("partner"), given)
		var e *ValueError
		if !errors.As(err, &e) || e.Path != path {
			t.Errorf("%s: got %v", path, err)
		}
	}
}
