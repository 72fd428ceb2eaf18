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

func TestLoadPresets(t *testing.T) {
	dir := writePresets(t, map[string]string{
		"sale.order.schema": `# Orders, as the warehouse wants them.
{
    'read_all': ('id', 'name', ('partner_id', ('id', 'name'))),
    'read_one': ('id', ('order_line', [('id', 'product_id')])),  # with lines
    'defaults': {'name': 'New'},
    'domain': [('partner_id', '!=', False), ('id', '>', 5)],
    'success_codes': {'create_one': 201},
    'create_one': None,
}
`,
		"res.partner.json": `{"read_all": ["id", ["child_ids", ["id"]]], "available": false}`,
		"README.md":        "not a preset",
	})
	presets, err := LoadPresets(dir, shop())
	if err != nil {
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
	if got := FormatLiteral(order.RawDomain); got != `[["partner_id", "!=", False], ["id", ">", 5]]` {
		t.Errorf("domain: %s", got)
	}
	partner := presets.Of("res.partner")
	if got := draw(partner.ReadAll.Items); got != "id child_ids[id]" || partner.Available {
		t.Errorf("partner: %s, %+v", got, partner)
	}
	if presets.Of("res.users") != nil || len(presets.Models()) != 2 {
		t.Errorf("models: %v", presets.Models())
	}
}

// Ensure that errors say where they are, and that all of them are told at once.
func TestLoadPresetsErrors(t *testing.T) {
	dir := writePresets(t, map[string]string{
		"sale.order.schema": `{
    'read_all': ('id', 'nme'),
    'read_one': ('id', 'name'),
    'defaults': {'nme': 1},
}`,
		"res.users.schema":       "{\n 'read_all': 'id',\n 'read_all': 'id'}",
		"res.partner.schema":     "{\n\n 'domain': [foo]}",
		"account.tax.json":       `{"domain": [["a"]], "success_codes": {"create_one": 500}, "availible": true}`,
		"no.model.schema":        `{}`,
		"product.product.schema": `('id', 'name')`,
		"product.product.json":   `[1]`,
	})
	_, err := LoadPresets(dir, shop())
	if err == nil {
		t.Fatal("no error")
	}
	text := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
	for _, want := range []string{
		`sale.order.schema:2: read_all: schema, nme: sale.order has no field "nme"`,
		`sale.order.schema:4: defaults: sale.order has no field "nme"`,
		`res.users.schema:3: the key "read_all" is there twice`,
		`res.partner.schema:3: a name is not allowed here: strings want quotes`,
		`account.tax.json: domain: domain, term 0: a leaf has 3 parts (field, operator, value), this one has 1`,
		`account.tax.json: success_codes: create_one: want a status from 200 to 299, not the number or boolean 500`,
		`account.tax.json: availible: unknown key; known are`,
		`no.model.schema: there is no model "no.model"`,
		`product.product.schema: want one dictionary`,
		`product.product.json: want an object, not a list`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s\nin:\n%s", want, text)
		}
	}
	if _, err := LoadPresets(filepath.Join(dir, "nowhere"), shop()); err == nil {
		t.Error("a missing folder was taken")
	}
}

// Ensure that a preset which no longer fits hides its model, and comes back when it fits again.
func TestPresetsResolve(t *testing.T) {
	dir := writePresets(t, map[string]string{"sale.order.schema": `{'read_all': ('id', 'user_id')}`})
	presets, err := LoadPresets(dir, shop())
	if err != nil {
		t.Fatal(err)
	}
	less := shop()
	delete(less.Model("sale.order").Fields, "user_id")
	broken, err := presets.Resolve(less)
	if err == nil || broken.Of("sale.order").Available || broken.Of("sale.order").ReadAll != nil {
		t.Errorf("got %+v, %v", broken.Of("sale.order"), err)
	}
	again, err := broken.Resolve(shop())
	if err != nil || !again.Of("sale.order").Available || again.Of("sale.order").ReadAll == nil {
		t.Errorf("got %+v, %v", again.Of("sale.order"), err)
	}
}
