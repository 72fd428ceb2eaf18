package bench

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/url"

	"lateral/integration/stack"
)

// tree is a tree of fields that every peer is asked for: the fields of a record, with the trees of what is nested. It is the
// one source of lateral's preset, of Odoo's specification and of what the level-by-level client reads.
type tree []node

// node is a field. Sub is nil for a plain one.
type node struct {
	Name string
	List bool // one2many or many2many
	Sub  tree
}

// example3 is the tree of the seed's Example #3, as 19.0 calls its fields.
func example3() tree {
	named := tree{{Name: "id"}, {Name: "name"}}
	return tree{
		{Name: "id"},
		{Name: "name"},
		{Name: "date_order"},
		{Name: "create_date"},
		{Name: "amount_tax"},
		{Name: "amount_total"},
		{Name: "state"},
		{Name: "partner_id", Sub: tree{{Name: "id"}, {Name: "name"}, {Name: "city"}}},
		{Name: "user_id", Sub: named},
		{Name: "payment_term_id", Sub: named},
		{Name: "order_line", List: true, Sub: tree{
			{Name: "id"},
			{Name: "product_id", Sub: tree{
				{Name: "id"},
				{Name: "name"},
				{Name: "type"},
				{Name: "barcode"},
				{Name: "categ_id", Sub: named},
				{Name: "attribute_line_ids", List: true, Sub: tree{{Name: "id"}, {Name: "display_name"}}},
			}},
			{Name: "name"},
			{Name: "product_uom_qty"},
			{Name: "price_unit"},
			{Name: "tax_ids", List: true, Sub: named},
			{Name: "price_subtotal"},
		}},
	}
}

// names are the fields of a tree's own level.
func (t tree) names() []string {
	names := make([]string, len(t))
	for i, n := range t {
		names[i] = n.Name
	}
	return names
}

// preset writes the tree in the tuple syntax of presets.
func (t tree) preset() string {
	text := "("
	for _, n := range t {
		switch {
		case n.Sub == nil:
			text += "'" + n.Name + "', "
		case n.List:
			text += "('" + n.Name + "', [" + n.Sub.preset() + "]), "
		default:
			text += "('" + n.Name + "', " + n.Sub.preset() + "), "
		}
	}
	return text + ")"
}

// specification writes the tree as web_read of Odoo takes it (17.0 and later: addons/web/models/models.py).
func (t tree) specification() map[string]any {
	fields := map[string]any{}
	for _, n := range t {
		entry := map[string]any{}
		if n.Sub != nil {
			entry["fields"] = n.Sub.specification()
		}
		fields[n.Name] = entry
	}
	return fields
}

// read is one read as every peer can make it.
type read struct {
	ID     int64 // of a read one; 0: a page
	Domain []any
	Order  string
	Offset int
	// After is where the page begins that Offset tells too, for those who can begin there.
	After *place
	Limit int
}

// workload is a kind of read, with the user who makes it.
type workload struct {
	Name  string
	Title string
	Model string
	Role  string
	Tree  tree
	// Records is how many records an answer has, for the peers' order of magnitude.
	Records int
	// Page is the read, unless One is set.
	Page read
	// One makes reads of single orders, drawn among those cloned.
	One bool
	// Stride is the distance between the ids of the orders that the user may read.
	Stride int64
	// Clients is how many clients each peer has; 0: 2, as many as the Odoo has workers.
	Clients int
	// Slow leaves out the peers that would take minutes.
	Slow bool
	// Poll asks again and again for what has not changed, with the mark of the last answer where it had one.
	Poll bool
	// Writes is how many orders are written in a second while others are read.
	Writes float64
}

// clients is how many clients each peer has.
func (w workload) clients() int { return cmp.Or(w.Clients, comparedClients) }

// next draws the next read of a workload.
func (w workload) next(clones stack.Clones) read {
	if !w.One {
		return w.Page
	}
	return read{ID: clones.FirstOrder + w.Stride*rand.Int64N(w.orders(clones))}
}

// orders is among how many orders a read one is drawn.
func (w workload) orders(clones stack.Clones) int64 {
	return (clones.LastOrder-clones.FirstOrder)/w.Stride + 1
}

// query is a read's part of lateral's URL after the model.
func (r read) query() string {
	if r.ID != 0 {
		return fmt.Sprintf("/%d", r.ID)
	}
	values := url.Values{}
	if r.Domain != nil {
		values.Set("filters", literal(r.Domain))
	}
	if r.Order != "" {
		values.Set("order", r.Order)
	}
	switch {
	case r.After != nil:
		values.Set("after", r.After.service)
	case r.Offset > 0:
		values.Set("offset", fmt.Sprint(r.Offset))
	}
	if r.Limit > 0 {
		values.Set("limit", fmt.Sprint(r.Limit))
	}
	return "?" + values.Encode()
}

// literal writes a domain as Python does.
func literal(v any) string {
	switch v := v.(type) {
	case []any:
		text := "["
		for i, item := range v {
			if i > 0 {
				text += ", "
			}
			text += literal(item)
		}
		return text + "]"
	case string:
		return "'" + v + "'"
	default:
		return fmt.Sprint(v)
	}
}

// workloads are what is measured, in the order of the report. wide are the columns of the flat read.
func workloads(wide tree) []workload {
	page := func(limit int) read { return read{Order: "id desc", Limit: limit} }
	order := example3()
	return []workload{
		{Name: "one", Title: "one order", Model: "sale.order", Role: stack.RoleAdmin, Tree: order, Records: 1, One: true, Stride: 1},
		{Name: "one-32", Title: "one order, 32 clients", Model: "sale.order", Role: stack.RoleAdmin, Tree: order, Records: 1, One: true, Stride: 1, Clients: 32},
		{Name: "page", Title: "page of 80 orders", Model: "sale.order", Role: stack.RoleAdmin, Tree: order, Records: 80, Page: page(80)},
		{Name: "large", Title: "5,000 orders", Model: "sale.order", Role: stack.RoleAdmin, Tree: order, Records: 5000, Page: page(5000), Slow: true},
		{
			Name: "filter", Title: "80 orders filtered and ordered by the partner", Model: "sale.order", Role: stack.RoleAdmin, Tree: order, Records: 80,
			Page: read{Domain: []any{[]any{"partner_id.country_id.code", "=", "US"}}, Order: "partner_id, id", Limit: 80},
		},
		{Name: "one-salesman", Title: "one order, as a salesman", Model: "sale.order", Role: stack.RoleSalesman, Tree: order, Records: 1, One: true, Stride: 3},
		{Name: "page-salesman", Title: "page of 80 orders, as a salesman", Model: "sale.order", Role: stack.RoleSalesman, Tree: order, Records: 80, Page: page(80)},
		{Name: "poll", Title: "page of 80 orders, polled while nothing changes", Model: "sale.order", Role: stack.RoleAdmin, Tree: order, Records: 80, Page: page(80), Poll: true},
		{Name: "writes", Title: "one order, beside 5 writes a second", Model: "sale.order", Role: stack.RoleAdmin, Tree: order, Records: 1, One: true, Stride: 1, Writes: 5},
		{
			Name: "wide", Title: "80 partners, all stored fields", Model: "res.partner", Role: stack.RoleAdmin, Tree: wide, Records: 80,
			Page: read{Order: "id desc", Limit: 80},
		},
	}
}
