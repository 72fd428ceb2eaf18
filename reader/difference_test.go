package reader

import (
	"slices"
	"testing"

	"lateral/schema"
)

// differenceTree is a level with each kind of value that is compared in its own way.
func differenceTree() *Level {
	node := func(key string, typ schema.FieldType, shape Shape, comodel string, sub *Level) *Node {
		return &Node{Key: key, Field: &schema.Field{Name: key, Type: typ, Comodel: comodel}, Shape: shape, Sub: sub}
	}
	id := func() *Node { return node("id", schema.Integer, Value, "", nil) }
	line := &Level{Model: &schema.Model{Name: "line"}, Nodes: []*Node{id(), node("price", schema.Float, Value, "", nil)}}
	bare := &Level{Model: &schema.Model{Name: "bare"}, Nodes: []*Node{node("name", schema.Char, Value, "", nil)}}
	partner := &Level{Model: &schema.Model{Name: "partner"}, Nodes: []*Node{id(), node("name", schema.Char, Value, "", nil)}}
	return &Level{Model: &schema.Model{Name: "order"}, Nodes: []*Node{
		id(), node("name", schema.Char, Value, "", nil), node("data", schema.JSON, Value, "", nil),
		node("lines", schema.One2many, Objects, "line", line), node("bares", schema.One2many, Objects, "bare", bare),
		node("tags", schema.Many2many, BareIDs, "tag", nil), node("partner", schema.Many2one, NamedID, "partner", partner),
	}}
}

func TestCompareDocuments(t *testing.T) {
	for _, c := range []struct {
		name      string
		sql, odoo []string
		want      string
		models    []string
	}{
		{name: "equal", sql: []string{`{"id":1,"name":"a"}`}, odoo: []string{`{"name":"a", "id":1}`}},
		{name: "numbers", sql: []string{`{"id":1,"lines":[{"id":2,"price":5.0}],"data":{"n":[1.0]}}`}, odoo: []string{`{"id":1,"lines":[{"id":2,"price":5}],"data":{"n":[1]}}`}},
		{name: "order of lines", sql: []string{`{"id":1,"lines":[{"id":2},{"id":3}]}`}, odoo: []string{`{"id":1,"lines":[{"id":3},{"id":2}]}`}},
		{name: "order of lines without ids", sql: []string{`{"id":1,"bares":[{"name":"a"},{"name":"b"}]}`}, odoo: []string{`{"id":1,"bares":[{"name":"b"},{"name":"a"}]}`}},
		{name: "bare id", sql: []string{`{"id":1,"tags":5}`}, odoo: []string{`{"id":1,"tags":[5]}`}},
		{
			name: "order", sql: []string{`{"id":1}`, `{"id":2}`}, odoo: []string{`{"id":2}`, `{"id":1}`},
			want: "difference: the order of the records", models: []string{"order"},
		},
		{
			name: "missing", sql: []string{`{"id":1}`}, odoo: []string{`{"id":1}`, `{"id":2}`},
			want: "difference: a record is missing", models: []string{"order"},
		},
		{
			name: "shown", sql: []string{`{"id":1}`, `{"id":2}`}, odoo: []string{`{"id":2}`},
			want: "leak: a record is shown that Odoo does not show", models: []string{"order"},
		},
		{
			name: "twice", sql: []string{`{"id":1}`, `{"id":1}`}, odoo: []string{`{"id":1}`},
			want: "difference: a record is shown twice", models: []string{"order"},
		},
		{
			name: "more records without ids", sql: []string{`{"name":"a"}`, `{"name":"a"}`}, odoo: []string{`{"name":"a"}`},
			want: "leak: the number of records", models: []string{"order"},
		},
		{
			name: "value", sql: []string{`{"id":1,"name":"a"}`}, odoo: []string{`{"id":1,"name":"b"}`},
			want: "difference at name: the value, of type char (shape 0)", models: []string{"order"},
		},
		{
			name: "value where Odoo has none", sql: []string{`{"id":1,"name":"a"}`}, odoo: []string{`{"id":1,"name":null}`},
			want: "leak at name: the value, of type char (shape 0)", models: []string{"order"},
		},
		{
			name: "line", sql: []string{`{"id":1,"lines":[{"id":2},{"id":3}]}`}, odoo: []string{`{"id":1,"lines":[{"id":2}]}`},
			want: "leak at lines: a record is shown that Odoo does not show", models: []string{"order", "line"},
		},
		{
			name: "value of a line", sql: []string{`{"id":1,"lines":[{"id":2,"price":1}]}`}, odoo: []string{`{"id":1,"lines":[{"id":2,"price":2}]}`},
			want: "difference at lines.price: the value, of type float (shape 0)", models: []string{"order", "line"},
		},
		{
			name: "linked record", sql: []string{`{"id":1,"tags":[5,6]}`}, odoo: []string{`{"id":1,"tags":5}`},
			want: "leak at tags: a record is shown that Odoo does not show", models: []string{"order", "tag"},
		},
		{
			name: "linked record missing", sql: []string{`{"id":1,"tags":null}`}, odoo: []string{`{"id":1,"tags":5}`},
			want: "difference at tags: a record is missing, or shown twice", models: []string{"order", "tag"},
		},
		{
			name: "name of a hidden target", sql: []string{`{"id":1,"partner":{"id":2,"name":"a"}}`}, odoo: []string{`{"id":1,"partner":{"id":2}}`},
			want: "leak at partner.name: the field is shown, and Odoo does not show it", models: []string{"order", "partner"},
		},
		{
			name: "name not shown", sql: []string{`{"id":1,"partner":{"id":2}}`}, odoo: []string{`{"id":1,"partner":{"id":2,"name":"a"}}`},
			want: "difference at partner.name: the field is missing", models: []string{"order", "partner"},
		},
		{
			name: "the leak counts", sql: []string{`{"id":1,"name":"a","lines":[{"id":2}]}`}, odoo: []string{`{"id":1,"name":"b","lines":[]}`},
			want: "leak at lines: a record is shown that Odoo does not show", models: []string{"order", "line"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := compareDocuments(differenceTree(), documentsOf(c.sql), documentsOf(c.odoo))
			switch {
			case err != nil:
				t.Fatal(err)
			case found == nil && c.want != "":
				t.Errorf("no difference, want %s", c.want)
			case found != nil && (found.String() != c.want || !slices.Equal(found.models, c.models)):
				t.Errorf("%s in %v, want %s in %v", found, found.models, c.want, c.models)
			}
		})
	}
	if _, err := compareDocuments(differenceTree(), documentsOf([]string{`{`}), nil); err == nil {
		t.Error("half a document was compared")
	}
}

func documentsOf(texts []string) [][]byte {
	documents := make([][]byte, len(texts))
	for i, text := range texts {
		documents[i] = []byte(text)
	}
	return documents
}
