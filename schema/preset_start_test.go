package schema

import (
	"strings"
	"testing"
)

// Ensure a starting preset is a valid one that names what it should, labels included.
func TestStartPreset(t *testing.T) {
	c := shop()
	order := c.Model("sale.order")
	order.Label, order.RecName = "Sales Order", "name"
	c.Model("res.partner").RecName = "name"
	for name, f := range order.Fields {
		f.Label = "Label of\n" + name
	}
	order.Fields["partner_id"].Required, order.Fields["partner_id"].Column = true, "partner_id"
	order.Fields["message_ids"] = &Field{Name: "message_ids", Type: One2many, Comodel: "res.partner", Model: order}
	order.Fields["amount"] = &Field{Name: "amount", Type: Float, Label: "Amount", Model: order}
	text := StartPreset(c, order)
	_, preset, err := PresetText{Model: "sale.order", Source: "s", Text: text}.Resolve(c)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for got, want := range map[string]string{
		draw(preset.ReadAll.Items):   "id name partner_id(id name)",
		draw(preset.ReadOne.Items):   "id name origin partner_id(id name) user_id(id) order_line[id]",
		draw(preset.CreateOne.Items): "id name",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, want := range []string{
		"# Sales Order (sale.order).", "('partner_id', ('id', 'name')),  # Label of partner_id → res.partner\n", "        # 'amount',  # Amount\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %q in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "message_ids") {
		t.Errorf("mixins' fields are there:\n%s", text)
	}
}
