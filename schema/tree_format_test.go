package schema

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Ensure a tree is written as a person would write it.
func TestFormatTree(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`'id'`, `('id',)`},
		{`["id", ["partner_id", ["id"]]]`, `('id', ('partner_id', ('id',)))`},
		{
			`('id', 'name', 'partner_id', 'user_id', 'origin', ('order_line', [('id', 'name', 'order_id', ('product_id', ('id', 'name', ('categ_id', ('id', 'name')))), ('tax_id', ('id',)))]))`,
			`(
    'id', 'name', 'partner_id', 'user_id', 'origin',
    ('order_line', [(
        'id', 'name', 'order_id',
        ('product_id', (
            'id', 'name',
            ('categ_id', ('id', 'name')),
        )),
        ('tax_id', ('id',)),
    )]),
)`,
		},
	} {
		tree, err := ParseTree(shop(), "sale.order", literal(t, test.text))
		if err != nil {
			t.Fatal(err)
		}
		if got := FormatTree(tree); got != test.want {
			t.Errorf("got\n%s\nwant\n%s", got, test.want)
		}
	}
}

// drawTree draws the fields of a model's records.
func drawTree(t *rapid.T, c *Catalogue, m *Model, depth int) *Tree {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom(m.FieldNames()), 1, 6, rapid.ID).Draw(t, "fields")
	tree := &Tree{}
	for _, name := range names {
		item := Item{Name: name}
		if comodel := c.Model(m.Field(name).Comodel); comodel != nil && depth < 5 {
			item.Form = rapid.SampledFrom([]Form{Plain, OneRecord, List}).Draw(t, "form")
			if item.Form != Plain {
				item.Sub = drawTree(t, c, comodel, depth+1)
			}
		}
		tree.Items = append(tree.Items, item)
	}
	return tree
}

// Ensure a tree that was written is read as the same tree, and that lines stay short.
func TestFormatTreeRoundTrip(t *testing.T) {
	c := shop()
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t, c, c.Model("sale.order"), 0)
		for _, text := range []string{FormatTree(tree), FormatTreeLine(tree)} {
			value, err := ParseLiteral(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			again, err := ParseTree(c, "sale.order", value)
			if err != nil || !reflect.DeepEqual(tree, again) {
				t.Fatalf("%s became %v, %v", text, again, err)
			}
		}
		for line := range strings.SplitSeq(FormatTree(tree), "\n") {
			if len(line) > treeWidth {
				t.Fatalf("a line of %d characters: %s", len(line), line)
			}
		}
	})
}
