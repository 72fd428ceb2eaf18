package schema

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// Ensure a preset that is taken apart and put together again is the same, with the comments within
// its values.
func TestPresetParts(t *testing.T) {
	c := shop()
	text := `# orders
{
    "read_one": (
        'id',  # always
        ('partner_id', ('id', 'name')),  # "é" \' (
    ),
    'read_all': 'name',
    'defaults': {'origin': '''a
 b''', 'name': "ü"}, 'domain': [('name', '!=', 'x')],
    'create_one': None,
    'success_codes': {'create_one': 201},
}`
	parts, err := PresetText{Model: "sale.order", Text: text}.Parts(c)
	if err != nil {
		t.Fatal(err)
	}
	want := PresetParts{
		ReadAll: "'name'",
		ReadOne: "(\n    'id',  # always\n    ('partner_id', ('id', 'name')),  # \"é\" \\' (\n)",
		Settings: "{\n    \"defaults\": {'origin': '''a\n b''', 'name': \"ü\"},\n    \"domain\": [('name', '!=', 'x')],\n" +
			"    \"success_codes\": {'create_one': 201},\n}",
	}
	if parts != want {
		t.Errorf("got %+v\nwant %+v", parts, want)
	}
	joined, err := parts.Text()
	if err != nil {
		t.Fatal(err)
	}
	_, before, err := PresetText{Model: "sale.order", Text: text}.Resolve(c)
	if err != nil {
		t.Fatal(err)
	}
	_, after, err := PresetText{Model: "sale.order", Text: joined}.Resolve(c)
	if err != nil {
		t.Fatalf("%v in\n%s", err, joined)
	}
	made, err := parts.Preset(c, "sale.order")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Preset{before, after, made} {
		p.written, p.source = nil, ""
	}
	if !reflect.DeepEqual(before, after) || !reflect.DeepEqual(before, made) {
		t.Errorf("got %+v and %+v, want %+v", after, made, before)
	}
}

// Ensure trees of JSON, which has no tuples, keep their forms.
func TestPresetPartsOfJSON(t *testing.T) {
	text := `{"read_one": ["id", ["partner_id", [["id"]]]], "available": true, "domain": [["name", "=", false]]}`
	parts, err := PresetText{Model: "sale.order", Text: text}.Parts(shop())
	want := PresetParts{ReadOne: "('id', ('partner_id', [('id',)]))", Settings: "{\n    \"available\": True,\n    \"domain\": [[\"name\", \"=\", False]],\n}"}
	if err != nil || parts != want {
		t.Errorf("got %+v, %v", parts, err)
	}
	if joined, err := parts.Text(); err != nil || !strings.Contains(joined, "'read_one': ('id', ('partner_id', [('id',)])),") {
		t.Errorf("got %s, %v", joined, err)
	}
}

// Ensure mistakes are told by part, with the line within it.
func TestPresetPartsErrors(t *testing.T) {
	for _, test := range []struct {
		parts PresetParts
		want  string
	}{
		{PresetParts{ReadOne: "('id',\n 'nme')"}, "read_one 2 schema, nme"},
		{PresetParts{ReadAll: "('id',\n"}, "read_all 2 a bracket is not closed"},
		{PresetParts{ReadAll: "None"}, "read_all 1 want fields"},
		{PresetParts{CreateOne: "()"}, "create_one 1 schema: a schema wants at least one field"},
		{PresetParts{Settings: "{\n'domain': 7}"}, "domain 2 "},
		{PresetParts{Settings: "{\n'read_all': 'id'}"}, "read_all 2 it is a part of its own"},
		{PresetParts{Settings: "7"}, "settings 0 want an object"},
		{PresetParts{Settings: "(1,)"}, "settings 0 want one dictionary"},
		{PresetParts{Settings: "{'a': 1}", ReadAll: "x"}, "a 1 unknown key"},
		{PresetParts{ReadOne: "'\x00'"}, "read_one 1 a text cannot hold"},
	} {
		_, err := test.parts.Preset(shop(), "sale.order")
		var got []string
		for _, e := range PresetErrors(err) {
			got = append(got, e.Key+" "+strconv.Itoa(e.Line)+" "+e.Err.Error())
		}
		if !strings.Contains(strings.Join(got, "\n"), test.want) {
			t.Errorf("%+v: got %q, want %q", test.parts, got, test.want)
		}
	}
	if _, err := (PresetParts{ReadOne: "'id'"}).Preset(shop(), "no.model"); err == nil {
		t.Error("a preset of no model")
	}
}
