package schema

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// shop is a small catalogue: orders with lines and partners.
func shop() *Catalogue {
	field := func(name string, t FieldType, comodel string) *Field {
		return &Field{Name: name, Type: t, Comodel: comodel, Stored: true}
	}
	model := func(name string, fields ...*Field) *Model {
		m := &Model{Name: name, Fields: map[string]*Field{}}
		for _, f := range append(fields, field("id", Integer, ""), field("name", Char, "")) {
			f.Model = m
			m.Fields[f.Name] = f
		}
		return m
	}
	return NewCatalogue(
		model("sale.order",
			field("partner_id", Many2one, "res.partner"), field("user_id", Many2one, "res.users"),
			field("order_line", One2many, "sale.order.line"), field("origin", Reference, "")),
		model("sale.order.line",
			field("product_id", Many2one, "product.product"), field("tax_id", Many2many, "account.tax"),
			field("order_id", Many2one, "sale.order")),
		model("product.product", field("categ_id", Many2one, "product.category"), field("gone_id", Many2one, "gone.model")),
		model("product.category", field("parent_id", Many2one, "product.category")),
		model("res.partner", field("user_id", Many2one, "res.users"), field("child_ids", One2many, "res.partner")),
		model("res.users", field("partner_id", Many2one, "res.partner")),
		model("account.tax"),
	)
}

// draw writes a tree so that forms show: f(…) for one record, f[…] for a list.
func draw(items []Item) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = item.Name
		switch item.Form {
		case OneRecord:
			parts[i] += "(" + draw(item.Sub.Items) + ")"
		case List:
			parts[i] += "[" + draw(item.Sub.Items) + "]"
		}
	}
	return strings.Join(parts, " ")
}

func TestParseTree(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		// The tuple syntax.
		{`('id', 'name')`, `id name`},
		{`'id'`, `id`},
		{`('id')`, `id`},
		{
			`('id', ('partner_id', ('id', 'name')), ('order_line', [('id', ('product_id', ('id', ('categ_id', ('id', 'name')))), ('tax_id', [('id', 'name')]),)]),)`,
			`id partner_id(id name) order_line[id product_id(id categ_id(id name)) tax_id[id name]]`,
		},
		{`(('partner_id', [('id', 'name')]), ('order_line', ('id', 'name')))`, `partner_id[id name] order_line(id name)`},
		{`(('partner_id', ['id', 'name']), ('order_line', ['id']))`, `partner_id[id name] order_line[id]`},
		// Missing commas.
		{`('partner_id', ('id', 'name'))`, `partner_id(id name)`},
		{`('id', ('partner_id', ('name')))`, `id partner_id(name)`},
		{`('id', ('order_line', ('name')))`, `id order_line(name)`},
		{`('id', ('order_line', [('name')]))`, `id order_line[name]`},
		{`('order_line', [('product_id', ('categ_id', ('id')))])`, `order_line[product_id(categ_id id)]`},
		{`(('order_line', [('product_id', ('id', 'name'))]),)`, `order_line[product_id(id name)]`},
		{`(('order_line', [('product_id', 'name')]),)`, `order_line[product_id name]`},
		// JSON.
		{`["id", ["partner_id", ["id","name"]], ["order_line", [["id","name"]]]]`, `id partner_id(id name) order_line[id name]`},
		{`["id", ["order_line", ["id","name"]], ["partner_id", [["id","name"]]]]`, `id order_line[id name] partner_id[id name]`},
		{`[["order_line", ["id", ["product_id", ["id"]]]]]`, `order_line[id product_id(id)]`},
		{`[["order_line", [["product_id", ["id"]]]]]`, `order_line[product_id(id)]`},
		{`[["order_line", [["product_id", ["categ_id"]]]]]`, `order_line[product_id(categ_id)]`},
		{`[["order_line", [["product_id", "name"]]]]`, `order_line[product_id name]`},
		{`["partner_id", ["id","name"]]`, `partner_id(id name)`},
		{`[["partner_id", "name"]]`, `partner_id(name)`},
		{`[["partner_id", ["name"]], ["order_line", "name"]]`, `partner_id(name) order_line[name]`},
		{`[["partner_id", [["child_ids", ["id"]]]]]`, `partner_id(child_ids[id])`},
		{`[["partner_id", [["id", ["child_ids", ["id"]]]]]]`, `partner_id[id child_ids[id]]`},
		// Of two items with one name, the later defines and the earlier places.
		{`('partner_id', 'id', ('partner_id', ('id',)))`, `partner_id(id) id`},
	} {
		tree, err := ParseTree(shop(), "sale.order", literal(t, test.text))
		if err != nil {
			t.Errorf("ParseTree(%s): %v", test.text, err)
		} else if got := draw(tree.Items); got != test.want {
			t.Errorf("ParseTree(%s) = %s, want %s", test.text, got, test.want)
		}
	}
}

func TestParseTreeErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`None`, `schema: a schema wants at least one field`},
		{`()`, `schema: a schema wants at least one field`},
		{`3`, `schema: want a field name or a list of fields, not the number or boolean 3`},
		{`('id', 'nme')`, `schema, nme: sale.order has no field "nme"`},
		{`('id', 3)`, `schema: want a field name, not the number or boolean 3`},
		{`(('partner_id', ('id', 'nme')),)`, `schema, partner_id.nme: res.partner has no field "nme"`},
		{`('partner_id', ('id', 'nme'))`, `schema, partner_id.nme: res.partner has no field "nme"`},
		{`(('name', ('id',)),)`, `schema, name: a field of type char has no records to read fields of`},
		{`(('origin', ('id',)),)`, `schema, origin: a field of type reference has no records to read fields of`},
		{`(('partner_id', ('id',), 'x'),)`, `schema: a nested item has 2 parts (field, fields of its records), this one has 3`},
		{`(('partner_id', ()),)`, `schema, partner_id: a nested item wants at least one field`},
		{`(('partner_id', None),)`, `schema: want the fields of the records, not None`},
		{`(('order_line', [(('product_id', (('gone_id', ('id',)),)),)]),)`, `schema, order_line.product_id.gone_id: its model "gone.model" is not installed`},
	} {
		_, err := ParseTree(shop(), "sale.order", literal(t, test.text))
		var failure *TreeError
		if !errors.As(err, &failure) || err.Error() != test.want {
			t.Errorf("ParseTree(%s): %v\nwant %s", test.text, err, test.want)
		}
	}
	if _, err := ParseTree(shop(), "sale.odor", "id"); err == nil || err.Error() != `schema: there is no model "sale.odor"` {
		t.Errorf("unknown model: %v", err)
	}
}

// Ensure that depth and ambiguity cannot be used to make the parser work without end.
func TestParseTreeLimits(t *testing.T) {
	var deep any = Tuple{"id"}
	for range MaxTreeDepth {
		deep = Tuple{Tuple{"parent_id", deep}}
	}
	if _, err := ParseTree(shop(), "product.category", deep); err == nil {
		t.Error("a tree of too many levels was taken")
	}
	var ambiguous any = Tuple{"parent_id", Tuple{"nope", "id"}}
	for range 40 {
		ambiguous = Tuple{"parent_id", ambiguous}
	}
	if _, err := ParseTree(shop(), "product.category", ambiguous); err == nil {
		t.Error("an endless choice was taken")
	}
}

func TestParseItems(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`None`, ``},
		{`[]`, ``},
		{`'name'`, `name`},
		{`'id','name'`, `id name`},
		{`["id", ["order_line", ["id"]]]`, `id order_line[id]`},
		{`('order_line', [('id', 'name')])`, `order_line[id name]`},
	} {
		items, err := ParseItems(shop(), "sale.order", literal(t, test.text))
		if got := draw(items); err != nil || got != test.want {
			t.Errorf("ParseItems(%s) = %s, %v, want %s", test.text, got, err, test.want)
		}
	}
}

func TestParseNames(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{`None`, []string{}},
		{`'*'`, []string{"*"}},
		{`'a','b'`, []string{"a", "b"}},
		{`["a"]`, []string{"a"}},
	} {
		if got, err := ParseNames(literal(t, test.text)); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("ParseNames(%s) = %q, %v, want %q", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{`3`, `[3]`, `{}`, `[('a',)]`} {
		if _, err := ParseNames(literal(t, text)); err == nil {
			t.Errorf("ParseNames(%s) was taken", text)
		}
	}
}
