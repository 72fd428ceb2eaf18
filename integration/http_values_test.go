package integration

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"

	"lateral/integration/stack"
	"lateral/reader/verify"
	"lateral/schema"
)

// This file compares whole records, as they come over HTTP, with the oracle's.

// pathOf is the request as a client sends it, its fields named one by one.
func pathOf(r verify.Request) string {
	query := url.Values{"exclude_fields": {"*"}, "include_fields": {verify.Python(verify.Items(r.Wants))}}
	if len(r.Domain) > 0 {
		query.Set("filters", verify.Python(r.Filters()))
	}
	if len(r.Order) > 0 {
		query.Set("order", strings.Join(r.Order, ","))
	}
	if r.Offset > 0 {
		query.Set("offset", fmt.Sprint(r.Offset))
	}
	if r.Limit > 0 {
		query.Set("limit", fmt.Sprint(r.Limit))
	}
	if len(r.Context) > 0 {
		query.Set("__context__", verify.Python(r.Context))
	}
	path := "/api/" + r.Model
	switch {
	case r.One && r.Field != "":
		query.Set("search_field", r.Field)
		path += "/" + url.PathEscape(r.Value)
	case r.One:
		path += fmt.Sprintf("/%d", r.ID)
	}
	return path + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}

// agree reads a page and compares it with what Odoo answers the same user: records, order, keys and
// values. It returns the way that it was read.
func (h httpReads) agree(r verify.Request) string {
	h.t.Helper()
	r.Flat, r.User = true, cmp.Or(r.User, stack.RoleAdmin)
	got := h.v.send("GET", pathOf(r), h.token, "")
	var page struct {
		Count   int
		Results []json.RawMessage
	}
	if err := json.Unmarshal(got.body, &page); err != nil || got.status != 200 || page.Count != len(page.Results) {
		h.t.Errorf("%s: %d %.300s, %v", r, got.status, got.body, err)
		return ""
	}
	want, err := h.judge(r).ask(h.t.Context(), r, true)
	if err != nil || want.Refusal != "" {
		h.t.Errorf("%s: Odoo refuses: %s %s, %v", r, want.Refusal, want.Text, err)
		return ""
	}
	if len(want.Records) != page.Count || page.Count == 0 {
		h.t.Errorf("%s: %d records, Odoo has %d", r, page.Count, len(want.Records))
		return ""
	}
	for i, document := range page.Results {
		record, err := verify.Decode(document)
		if err != nil {
			h.t.Fatal(err)
		}
		if d := verify.Difference(fmt.Sprintf("[%d]", i), record, want.Records[i]); d != "" {
			h.t.Errorf("%s: %s", r, d)
		}
	}
	return got.header.Get("X-Read-Path")
}

// judge is the oracle of a request's user, in the request's context.
func (h httpReads) judge(r verify.Request) oracle {
	h.t.Helper()
	judge, known := h.judges[r.User]
	if !known {
		judge = h.s.quickJudge(h.t, r.User)
		h.judges[r.User] = judge
	}
	judge.context = maps.Clone(judge.context)
	maps.Copy(judge.context, r.Context)
	return judge
}

// plain are fields without nested ones; those that the version has not are left out.
func (h httpReads) plain(model string, names ...string) []verify.Want {
	h.t.Helper()
	m := h.s.catalogue(h.t).Model(model)
	if m == nil {
		h.t.Fatalf("no model %s", model)
	}
	wants := make([]verify.Want, 0, len(names)+1)
	for _, name := range append([]string{"id"}, names...) {
		if m.Field(name) != nil {
			wants = append(wants, verify.Want{Name: name})
		}
	}
	return wants
}

func leaf(path, operator string, value any) []verify.Term {
	return []verify.Term{{Leaf: []any{path, operator, value}}}
}

// values reads every kind of field.
func (h httpReads) values() {
	second := h.odoo("res.company", []any{[]any{"name", "=", "Second Company"}}, []any{"id"}, nil)[0].(map[string]any)["id"]
	for _, c := range []struct {
		what string
		path string // how it must be read
		r    verify.Request
	}{
		{"scalars and relations", "direct", verify.Request{Model: "sale.order", Wants: h.plain("sale.order", "name", "state", "date_order", "create_date",
			"amount_total", "currency_rate", "require_signature", "partner_id", "user_id", "company_id", "order_line", "tag_ids", "client_order_ref", "fiscal_position_id")}},
		{"offset, limit and order", "direct", verify.Request{Model: "sale.order", Offset: 2, Limit: 3, Order: []string{"amount_total desc", "name"}, Wants: h.plain("sale.order", "amount_total")}},
		{"translated", "direct", verify.Request{
			Model: "product.template", Context: map[string]any{"lang": "fr_FR"}, Limit: 40,
			Wants: h.plain("product.template", "name", "description_sale", "list_price", "uom_id", "categ_id"),
		}},
		{"translated, in a filter", "direct", verify.Request{
			Model: "res.country", Context: map[string]any{"lang": "fr_FR"}, Domain: leaf("name", "ilike", "allemagne"), Wants: h.plain("res.country", "name", "code"),
		}},
		{"of a company", "", verify.Request{Model: "res.partner", Limit: 30, Wants: h.plain("res.partner", "property_payment_term_id", "property_account_receivable_id", "barcode", "credit_limit")}},
		{"of another company", "", verify.Request{
			Model: "product.product", Limit: 30, Context: map[string]any{"allowed_company_ids": []any{second}},
			Wants: h.plain("product.product", "standard_price", "property_account_income_id", "categ_id"),
		}},
		{"delegated", "direct", verify.Request{Model: "product.product", Limit: 40, Wants: h.plain("product.product", "default_code", "type", "sale_ok", "categ_id", "active")}},
		{"delegated to users", "", verify.Request{Model: "res.users", Wants: h.plain("res.users", "login", "name", "email", "partner_id", "company_ids", "active")}},
		{"archived", "direct", verify.Request{Model: "res.partner", Context: map[string]any{"active_test": false}, Domain: leaf("active", "=", false), Wants: h.plain("res.partner", "name", "active")}},
		{"a reference", "", verify.Request{Model: "ir.ui.menu", Limit: 20, Domain: leaf("action", "!=", false), Wants: h.plain("ir.ui.menu", "name", "action", "parent_id")}},
		{"binaries in columns", "direct", verify.Request{Model: "res.company", Wants: h.plain("res.company", "name", "logo_web")}},
		{"binaries in the filestore", "direct", verify.Request{Model: "res.partner", Limit: 4, Domain: leaf("image_1920", "!=", false), Wants: h.plain("res.partner", "image_128", "avatar_128")[:2]}},
		{"computed", "hybrid", verify.Request{Model: "res.partner", Limit: 10, Wants: h.plain("res.partner", "contact_address", "name", "commercial_company_name")}},
		{"guarded attachments", "odoo", verify.Request{Model: "ir.attachment", Limit: 5, Order: []string{"id"}, Wants: h.plain("ir.attachment", "name", "res_model", "res_id", "mimetype", "public")}},
		{"guarded messages", "odoo", verify.Request{Model: "mail.message", Limit: 5, Order: []string{"id desc"}, Wants: h.plain("mail.message", "message_type", "model", "res_id", "author_id")}},
	} {
		if path := h.agree(c.r); c.path != "" && path != c.path && path != "" {
			h.t.Errorf("%s: read by %s, not %s: %s", c.what, path, c.path, c.r)
		}
	}
}

// forms reads nested records in every form, as a literal and as JSON.
func (h httpReads) forms() {
	one := func(name string, sub ...verify.Want) verify.Want {
		return verify.Want{Name: name, Form: schema.OneRecord, Sub: sub}
	}
	list := func(name string, sub ...verify.Want) verify.Want {
		return verify.Want{Name: name, Form: schema.List, Sub: sub}
	}
	id, name := verify.Want{Name: "id"}, verify.Want{Name: "name"}
	taxes := "tax_ids"
	if h.s.catalogue(h.t).Model("sale.order.line").Field(taxes) == nil {
		taxes = "tax_id"
	}
	for _, wants := range [][]verify.Want{
		{id, one("partner_id", id, name, one("country_id", verify.Want{Name: "code"}))},
		{id, list("partner_id", name), list("user_id", verify.Want{Name: "login"})},
		{id, list("order_line", id, name, one("product_id", id, one("categ_id", name)), list(taxes, name, verify.Want{Name: "amount"}), verify.Want{Name: "price_subtotal"})},
		{id, one("fiscal_position_id", name), list("payment_term_id", name)},
	} {
		if path := h.agree(verify.Request{Model: "sale.order", Wants: wants}); path != "direct" {
			h.t.Errorf("%s: read by %s", verify.Python(verify.Items(wants)), path)
		}
	}
	// In JSON there are no tuples: the field's type decides, and one more pair of brackets asks for the list.
	both := func(literal, inJSON string) {
		h.t.Helper()
		a := h.v.send("GET", "/api/sale.order?exclude_fields=*&limit=3&include_fields="+url.QueryEscape(literal), h.token, "")
		b := h.v.send("GET", "/api/sale.order", h.token, `{"exclude_fields": "*", "limit": 3, "include_fields": `+inJSON+`}`)
		if a.status != 200 || string(a.body) != string(b.body) {
			h.t.Errorf("%s: %d %.200s\n%s: %d %.200s", literal, a.status, a.body, inJSON, b.status, b.body)
		}
	}
	both("('name', ('partner_id', ('id', 'name')))", `["name", ["partner_id", ["id", "name"]]]`)
	both("('name', ('partner_id', [('id', 'name')]))", `["name", ["partner_id", [["id", "name"]]]]`)
	both("('name', ('order_line', [('id', ('product_id', ('name')))]))", `["name", ["order_line", ["id", ["product_id", ["name"]]]]]`)
	both("['name', ('order_line', [('id',)])]", `["name", ["order_line", [["id"]]]]`)

	// One record asked of an x2many field: none is null, one an object, more are refused.
	bySize := map[int]string{}
	for _, record := range h.results("GET", "/api/res.partner?include_fields="+url.QueryEscape("['child_ids']"), "") {
		children, _ := record["child_ids"].([]any)
		bySize[min(len(children), 2)] = fmt.Sprint(record["id"])
	}
	for size, id := range bySize {
		got := h.v.send("GET", "/api/res.partner/"+id+"?exclude_fields=*&include_fields="+url.QueryEscape("('child_ids', ('id', 'name'))"), h.token, "")
		body := strings.ReplaceAll(string(got.body), " ", "")
		switch {
		case size == 0 && body != `{"id":`+id+`,"child_ids":null}`,
			size == 1 && !strings.HasPrefix(body, `{"id":`+id+`,"child_ids":{"id":`),
			size == 2 && (got.status != 409 || got.code() != "not_read_object_in_odoo"):
			h.t.Errorf("one record of %d: %d %s", size, got.status, got.body)
		}
	}
	if len(bySize) != 3 {
		h.t.Errorf("partners by their number of children: %v", bySize)
	}
}
