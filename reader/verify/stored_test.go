package verify

import (
	"testing"

	"lateral/schema"
)

func testCatalogue() *schema.Catalogue {
	field := func(name string, typ schema.FieldType, stored bool, comodel string) *schema.Field {
		return &schema.Field{Name: name, Type: typ, Stored: stored, Comodel: comodel}
	}
	model := func(name string, fields ...*schema.Field) *schema.Model {
		m := &schema.Model{Name: name, Table: name, Fields: map[string]*schema.Field{}}
		for _, f := range append(fields, field("id", schema.Integer, true, "")) {
			f.Model = m
			m.Fields[f.Name] = f
		}
		return m
	}
	tag := model("tag", field("name", schema.Char, true, ""), field("parent_id", schema.Many2one, true, "tag"))
	tag.ParentName = "parent_id"
	secret := model("secret", field("name", schema.Char, true, ""))
	secret.Guard.Kind = schema.Guarded
	return schema.NewCatalogue(tag, secret, model("order",
		field("name", schema.Char, true, ""), field("margin", schema.Float, false, ""),
		field("tag_ids", schema.Many2many, true, "tag"), field("secret_id", schema.Many2one, true, "secret"),
		field("line_ids", schema.One2many, true, "order")))
}

func TestStoredKnowsWhatSQLOughtToAnswer(t *testing.T) {
	c := testCatalogue()
	leaf := func(path, operator string, value any) []Term {
		return []Term{{Leaf: []any{path, operator, value}}}
	}
	for name, test := range map[string]struct {
		request Request
		pure    bool
	}{
		"plain":             {Request{Wants: []Want{{Name: "name"}}}, true},
		"computed":          {Request{Wants: []Want{{Name: "margin"}}}, false},
		"guarded comodel":   {Request{Wants: []Want{{Name: "secret_id"}}}, false},
		"nested":            {Request{Wants: []Want{{Name: "tag_ids", Form: schema.List, Sub: []Want{{Name: "name"}}}}}, true},
		"nested computed":   {Request{Wants: []Want{{Name: "line_ids", Form: schema.List, Sub: []Want{{Name: "margin"}}}}}, false},
		"filter":            {Request{Domain: leaf("tag_ids.name", "like", "x")}, true},
		"computed filter":   {Request{Domain: leaf("line_ids.margin", ">", 1.0)}, false},
		"inner filter":      {Request{Domain: leaf("line_ids", "any", []any{[]any{"margin", ">", 1.0}})}, false},
		"by name":           {Request{Domain: leaf("tag_ids", "ilike", "x")}, false},
		"hierarchy":         {Request{Domain: leaf("tag_ids", "child_of", int64(1))}, true},
		"no hierarchy":      {Request{Domain: leaf("line_ids", "child_of", int64(1))}, false},
		"order":             {Request{Order: []string{"name desc"}}, true},
		"computed order":    {Request{Order: []string{"name", "margin"}}, false},
		"search field":      {Request{Field: "margin"}, false},
		"nested in and-not": {Request{Domain: []Term{{Op: "!", Terms: leaf("margin", "=", 1.0)}}}, false},
	} {
		test.request.Model = "order"
		if got := (storage{catalogue: c, pure: true}).request(test.request); got != test.pure {
			t.Errorf("%s: %v", name, got)
		}
		// By a name, by any hierarchy and of a guarded model Odoo's code decides, but the fields are stored.
		stored := test.pure || name == "guarded comodel" || name == "by name" || name == "no hierarchy"
		if got := (storage{catalogue: c}).request(test.request); got != stored {
			t.Errorf("%s, all models: %v", name, got)
		}
	}
}
