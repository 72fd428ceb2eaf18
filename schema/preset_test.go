package schema

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writePresets(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// presetsOf reads a folder of presets for a catalogue.
func presetsOf(t *testing.T, dir string, c *Catalogue) *Presets {
	t.Helper()
	texts, err := ReadPresetFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return (*Presets)(nil).Renew(c, texts)
}

func TestPresetsOfAFolder(t *testing.T) {
	dir := writePresets(t, map[string]string{
		"sale.order.schema": `# Orders, as the warehouse wants them.
{
    'read_all': ('id', 'name', ('partner_id', ('id', 'name'))),
    'read_one': ('id', ('order_line', [('id', 'product_id')])),  # with lines
    'defaults': {'name': 'New'},
    'domain': [('partner_id', '!=', False), ('partner_id.child_ids.id', '>', 5)],
    'success_codes': {'create_one': 201},
    'create_one': None,
}
`,
		"res.partner.json": `{"read_all": ["id", ["child_ids", ["id"]]], "available": false}`,
		"README.md":        "not a preset",
	})
	presets := presetsOf(t, dir, shop())
	if err := presets.Err(); err != nil {
		t.Fatal(err)
	}
	order := presets.Of("sale.order")
	if got := draw(order.ReadAll.Items); got != "id name partner_id(id name)" {
		t.Errorf("read all: %s", got)
	}
	if got := draw(order.ReadOne.Items); got != "id order_line[id product_id]" {
		t.Errorf("read one: %s", got)
	}
	if order.CreateOne != nil || !order.Available || order.Defaults["name"] != "New" || order.SuccessCodes["create_one"] != 201 {
		t.Errorf("got %+v", order)
	}
	if got := FormatLiteral(order.RawDomain); got != `[["partner_id", "!=", False], ["partner_id.child_ids.id", ">", 5]]` {
		t.Errorf("domain: %s", got)
	}
	partner := presets.Of("res.partner")
	if got := draw(partner.ReadAll.Items); got != "id child_ids[id]" || partner.Available {
		t.Errorf("partner: %s, %+v", got, partner)
	}
	if presets.Of("res.users") != nil || len(presets.Models()) != 2 {
		t.Errorf("models: %v", presets.Models())
	}
	if _, err := ReadPresetFolder(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a missing folder was taken")
	}
}

// Ensure that errors say where they are, all of them at once, and that other models are not hurt.
func TestPresetErrors(t *testing.T) {
	dir := writePresets(t, map[string]string{
		"sale.order.schema": `{
    'read_all': ('id',
        'nme'),
    'read_one': ('id', 'name',
        ('partner_id', (
            'id',
            'nme',
        )),
    ),
    'defaults': {
        'name': 'New',
        'nme': 1,
    },
    'domain': [
        ('id', '>', 5),
        ('partner_id.nme', '=', 1),
    ],
}`,
		"res.users.schema":       "{\n 'read_all': 'id',\n 'read_all': 'id'}",
		"res.partner.schema":     "{\n\n 'domain': [foo]}",
		"account.tax.json":       "{\"domain\": [[\"a\"]],\n\"success_codes\": {\"create_one\": 500},\n \"availible\": true}",
		"no.model.schema":        `{}`,
		"product.product.schema": `('id', 'name')`,
		"product.product.json":   `[1]`,
		"product.category.json":  "{\n\"read_all\": [\"id\",]}",
		"sale.order.line.schema": "{'read_all': 'id'}",
	})
	presets := presetsOf(t, dir, shop())
	err := presets.Err()
	if err == nil {
		t.Fatal("no error")
	}
	text := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
	for _, want := range []string{
		`sale.order.schema:3: read_all: schema, nme: sale.order has no field "nme"`,
		`sale.order.schema:7: read_one: schema, partner_id.nme: res.partner has no field "nme"`,
		`sale.order.schema:12: defaults: sale.order has no field "nme"`,
		`sale.order.schema:16: domain: res.partner has no field "nme"`,
		`res.users.schema:3: the key "read_all" is there twice`,
		`res.partner.schema:3: a name is not allowed here: strings want quotes`,
		`account.tax.json:1: domain: domain, term 0: a leaf has 3 parts (field, operator, value), this one has 1`,
		`account.tax.json:2: success_codes: create_one: want a status from 200 to 299, not the number or boolean 500`,
		`account.tax.json:3: availible: unknown key; known are`,
		`no.model.schema: there is no model "no.model"`,
		`product.product.json: want an object, not a list`,
		`product.product.schema: product.product has a preset in product.product.json already`,
		`product.category.json:2: at byte 21: invalid character ']'`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s\nin:\n%s", want, text)
		}
	}
	if n := len(PresetErrors(err)); n != 14 {
		t.Errorf("%d errors one by one", n)
	}
	if p := presets.Of("sale.order.line"); p == nil || !p.Available {
		t.Errorf("a model without a mistake: %+v", p)
	}
	if p := presets.Of("sale.order"); p == nil || p.Available || p.ReadOne != nil {
		t.Errorf("a model with mistakes is not closed: %+v", p)
	}
}

// Ensure that a preset which no longer fits hides its model, and comes back when it fits again.
func TestPresetsOfAnotherCatalogue(t *testing.T) {
	full, less := shop(), shop()
	delete(less.Model("sale.order").Fields, "user_id")
	texts := []PresetText{{Model: "sale.order", Source: "f", Text: `{'read_all': ('id', 'user_id')}`}}
	presets := (*Presets)(nil).Renew(full, texts)
	if p := presets.Of("sale.order"); presets.Err() != nil || !p.Available {
		t.Fatalf("got %+v, %v", p, presets.Err())
	}
	if again := presets.Renew(full, texts); again.Of("sale.order") != presets.Of("sale.order") {
		t.Error("what has not changed is made anew")
	}
	presets = presets.Renew(less, texts)
	if p := presets.Of("sale.order"); presets.Err() == nil || p.Available || p.ReadAll != nil {
		t.Errorf("got %+v, %v", p, presets.Err())
	}
	presets = presets.Renew(full, texts)
	if p := presets.Of("sale.order"); presets.Err() != nil || !p.Available || p.ReadAll == nil {
		t.Errorf("got %+v, %v", p, presets.Err())
	}
}

// Ensure the last good text of a source stays in force, files win over what is stored, and what is
// removed is gone.
func TestPresetsRenew(t *testing.T) {
	c := shop()
	file := func(text string) PresetText { return PresetText{Model: "sale.order", Source: "f", Text: text} }
	other := PresetText{Model: "sale.order", Source: "g", Text: `{'read_all': ('id', 'user_id')}`}
	stored := PresetText{Model: "sale.order", Source: PresetParameter + "sale.order", Stored: true, Text: `{'read_all': ('id', 'name')}`}
	var presets *Presets
	for i, step := range []struct {
		texts     []PresetText
		fields    string // empty: no preset; "closed"
		source    string
		erroneous bool
	}{
		{[]PresetText{file(`{'read_all': (`)}, "closed", "f", true},
		{[]PresetText{file(`{'read_all': 'id'}`), stored}, "id", "f", false},
		{[]PresetText{file(`{'read_all': (`), stored}, "id", "f", true},
		{[]PresetText{file(`{'read_all': 'nme'}`), stored}, "id", "f", true},
		{[]PresetText{file(`{'read_all': 'name'}`), other}, "name", "f", true},
		{[]PresetText{other, stored}, "id user_id", "g", false},
		{[]PresetText{stored}, "id name", stored.Source, false},
		{nil, "", "", false},
		{[]PresetText{file(`{'read_all': (`)}, "closed", "f", true},
	} {
		presets = presets.Renew(c, step.texts)
		got := ""
		switch p := presets.Of("sale.order"); {
		case p != nil && !p.Available:
			got = "closed"
		case p != nil:
			got = draw(p.ReadAll.Items)
		}
		if got != step.fields || (presets.Err() != nil) != step.erroneous {
			t.Errorf("step %d: got %q, %v", i, got, presets.Err())
		}
		if report := presets.Report("sale.order"); step.source != "" && report.Text.Source != step.source {
			t.Errorf("step %d: report %+v", i, report)
		}
	}
}
