package reader

import (
	"errors"
	"math"
	"testing"

	"lateral/schema"
)

// Ensure what Odoo's read returns is written as the contract says, type by type and shape by shape.
func TestAppendNode(t *testing.T) {
	var (
		classic = NullPolicy{False: true, Empty: true}
		typed   = NullPolicy{}
	)
	for _, test := range []struct {
		typ   schema.FieldType
		shape Shape
		null  NullPolicy
		value any
		want  string
	}{
		{schema.Boolean, Value, classic, true, "true"},
		{schema.Boolean, Value, classic, false, "null"},
		{schema.Boolean, Value, typed, false, "false"},
		{schema.Boolean, Value, classic, int64(1), "true"},
		{schema.Boolean, Value, typed, int64(0), "false"},
		{schema.Boolean, Value, typed, nil, "false"},

		{schema.Integer, Value, classic, int64(0), "0"},
		{schema.Integer, Value, classic, int64(-7), "-7"},
		{schema.Integer, Value, classic, 5000000000.0, "5000000000"},
		{schema.Integer, Value, classic, false, "null"},
		{schema.Many2oneReference, Value, classic, int64(12), "12"},
		{schema.Many2oneReference, Value, classic, int64(0), "0"},

		{schema.Float, Value, classic, 0.0, "0.0"},
		{schema.Float, Value, classic, 5.0, "5.0"},
		{schema.Float, Value, classic, int64(5), "5.0"},
		{schema.Float, Value, classic, 0.1, "0.1"},
		{schema.Float, Value, classic, -915.75, "-915.75"},
		{schema.Float, Value, classic, 1.0 / 3, "0.3333333333333333"},
		{schema.Float, Value, classic, 0.0001, "0.0001"},
		{schema.Float, Value, classic, 0.00001, "1e-05"},
		{schema.Float, Value, classic, 123456789012345.0, "123456789012345.0"},
		{schema.Float, Value, classic, 1e15, "1e+15"},
		{schema.Float, Value, classic, 1e300, "1e+300"},
		{schema.Float, Value, classic, math.Inf(1), "null"},
		{schema.Float, Value, classic, math.NaN(), "null"},
		{schema.Monetary, Value, typed, 12.5, "12.5"},

		{schema.Char, Value, classic, "x", `"x"`},
		{schema.Char, Value, classic, "", "null"},
		{schema.Char, Value, typed, "", `""`},
		{schema.Char, Value, typed, false, "null"},
		{schema.Text, Value, classic, " ", `" "`},
		{schema.Text, Value, classic, "é漢🎉/</>", `"é漢🎉/</>"`},
		{schema.Text, Value, classic, "\"\\\b\f\n\r\t\x01\x1f\x7f", `"\"\\\b\f\n\r\t\u0001\u001f` + "\x7f\""},
		{schema.HTML, Value, classic, "<p>&amp;</p>", `"<p>&amp;</p>"`},
		{schema.Selection, Value, classic, "draft", `"draft"`},
		{schema.Selection, Value, classic, int64(3), "3"},
		{schema.Selection, Value, typed, false, "null"},

		{schema.Date, Value, classic, "2026-01-02", `"2026-01-02"`},
		{schema.Date, Value, typed, false, "null"},
		{schema.Datetime, Value, classic, "2026-01-02 03:04:05", `"2026-01-02 03:04:05"`},

		{schema.Binary, Value, classic, "QUJD\nREVG\n", `"QUJDREVG"`},
		{schema.Binary, Value, typed, "", "null"},
		{schema.Image, Value, classic, false, "null"},

		{schema.JSON, Value, classic, map[string]any{"12": 100.0, "3": []any{int64(1), false, "é"}, "a": map[string]any{}}, `{"3": [1, false, "é"], "a": {}, "12": 100.0}`},
		{schema.JSON, Value, classic, map[string]any{}, "null"},
		{schema.JSON, Value, classic, false, "null"},
		{schema.Properties, Value, classic, []any{map[string]any{"name": "p", "value": 0.5}}, `[{"name": "p", "value": 0.5}]`},
		{schema.Properties, Value, typed, []any{}, "null"},
		{schema.PropertiesDefinition, Value, classic, false, "null"},

		{schema.Many2one, ID, classic, int64(3), "3"},
		{schema.Many2one, ID, typed, false, "null"},
		{schema.Many2one, ID, classic, []any{int64(3), "Name"}, "3"},
		{schema.Many2one, Value, classic, int64(3), "3"},
		{schema.One2many, BareIDs, classic, []any{}, "null"},
		{schema.One2many, BareIDs, classic, []any{int64(4)}, "4"},
		{schema.One2many, BareIDs, classic, []any{int64(4), int64(2)}, "[4,2]"},
		{schema.One2many, NullableIDs, classic, []any{}, "null"},
		{schema.One2many, NullableIDs, classic, []any{int64(4)}, "[4]"},
		{schema.Many2many, IDs, typed, []any{}, "[]"},
		{schema.Many2many, IDs, typed, false, "[]"},
		{schema.Many2many, IDs, typed, []any{int64(4), int64(2)}, "[4,2]"},
		{schema.Many2many, Value, typed, []any{int64(4)}, "[4]"},

		{schema.Reference, ReferenceID, classic, "res.partner,12", "12"},
		{schema.Reference, ReferenceID, classic, false, "null"},
		{schema.Reference, ReferenceIDs, classic, "res.partner,12", "[12]"},
		{schema.Reference, ReferenceIDs, classic, false, "null"},
		{schema.Reference, Value, classic, "res.partner,12", `"res.partner,12"`},
	} {
		n := &Node{Key: "f", Field: &schema.Field{Name: "f", Type: test.typ, Model: &schema.Model{Name: "m"}}, Shape: test.shape, Null: test.null}
		got, err := appendNode(nil, n, test.value)
		if err != nil || string(got) != test.want {
			t.Errorf("%s, shape %d, %#v: got %s, %v, want %s", test.typ, test.shape, test.value, got, err, test.want)
		}
	}
}

// Ensure a value that its type cannot have fails the read instead of being guessed at.
func TestAppendNodeRefuses(t *testing.T) {
	for _, test := range []struct {
		typ   schema.FieldType
		shape Shape
		value any
	}{
		{schema.Integer, Value, "x"},
		{schema.Float, Value, "x"},
		{schema.Date, Value, int64(1)},
		{schema.Many2one, ID, 1.5},
		{schema.Many2one, ID, true},
		{schema.One2many, IDs, int64(1)},
		{schema.One2many, IDs, []any{1.5}},
		{schema.Reference, ReferenceID, int64(1)},
		{schema.Reference, ReferenceID, "res.partner,x"},
	} {
		n := &Node{Key: "f", Field: &schema.Field{Name: "f", Type: test.typ, Model: &schema.Model{Name: "m"}}, Shape: test.shape}
		got, err := appendNode(nil, n, test.value)
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Internal || e.Field != "f" {
			t.Errorf("%s, shape %d, %#v: got %s, %v", test.typ, test.shape, test.value, got, err)
		}
	}
}
