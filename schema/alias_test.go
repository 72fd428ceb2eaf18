package schema

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Ensure an alias has its model's fields by its own preset, and that paths that are taken, and models
// that are not there, are refused with their place.
func TestAliases(t *testing.T) {
	dir := writePresets(t, map[string]string{
		"sale.order.schema": "{'read_all': 'id'}",
		"one.alias":         "{'path': 'v1/orders', 'model': 'sale.order', 'read_all': ('id', 'name')}",
		"two.alias":         "{'path': 'v2-orders', 'model': 'sale.order'}",
		"x1.alias":          "{\n'path': 'v1/orders',\n'model': 'sale.order'}",
		"x2.alias":          "{'model': 'sale.order',\n'path': 'v1'}",
		"x3.alias":          "{'model': 'sale.order',\n'path': 'v1/orders/old'}",
		"x4.alias":          "{'model': 'sale.order',\n'path': 'sale.order/old'}",
		"x5.alias":          "{'model': 'sale.order',\n'path': 'report/x'}",
		"x6.alias":          "{'model': 'sale.order',\n'path': '/Orders'}",
		"x7.alias":          "{'path': 'a',\n'model': 'no.model'}",
		"x8.alias":          "{'path': 'b'}",
		"x9.alias":          "{'path': 'c',\n'model': 'sale.order',\n'read_all': 'nme'}",
	})
	presets := presetsOf(t, dir, shop())
	if diff := cmp.Diff(map[string]string{"v1/orders": "sale.order", "v2-orders": "sale.order", "c": "sale.order"}, presets.Aliases()); diff != "" {
		t.Error(diff)
	}
	want := []string{
		`x1.alias:2: path: v1/orders is an alias in ` + filepath.Join(dir, "one.alias"),
		`x2.alias:2: path: v1/orders is an alias in ` + filepath.Join(dir, "one.alias"),
		`x3.alias:2: path: v1/orders is an alias in ` + filepath.Join(dir, "one.alias"),
		`x4.alias:2: path: sale.order is a model`,
		`x5.alias:2: path: paths below report are the API's own`,
		`x6.alias:2: path: want one to four segments of small letters and digits, with single points, hyphens or underscores between these: 'v1/orders'`,
		`x7.alias:2: there is no model "no.model"`,
		`x8.alias: model: an alias wants a text here, such as 'sale.order'`,
		`x9.alias:3: read_all: schema, nme: sale.order has no field "nme"`,
	}
	var got []string
	for _, err := range PresetErrors(presets.Err()) {
		got = append(got, strings.TrimPrefix(err.Error(), dir+string(filepath.Separator)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p := presets.Of("v1/orders"); p == nil || !p.Available || draw(p.ReadAll.Items) != "id name" {
		t.Errorf("alias: %+v", p)
	}
	if p := presets.Of("sale.order"); draw(p.ReadAll.Items) != "id" {
		t.Errorf("model: %+v", p)
	}
	if p := presets.Of("c"); p == nil || p.Available {
		t.Errorf("an alias whose preset is wrong is not closed: %+v", p)
	}
	// A broken text leaves the last good one.
	texts, err := ReadPresetFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range texts {
		if strings.HasSuffix(texts[i].Source, "one.alias") {
			texts[i].Text = "{'path': "
		}
	}
	presets = presets.Renew(shop(), texts)
	if p := presets.Of("v1/orders"); p == nil || !p.Available || draw(p.ReadAll.Items) != "id name" {
		t.Errorf("after a broken text: %+v", p)
	}
}
