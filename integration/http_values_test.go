package integration

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"

	"lateral/integration/stack"
	"lateral/schema"
)

// This file compares whole records, as they come over HTTP, with the oracle's.

// path is the request as a client sends it, its fields named one by one.
func (r request) path() string {
	query := url.Values{"exclude_fields": {"*"}, "include_fields": {python(items(r.wants))}}
	if len(r.domain) > 0 {
		query.Set("filters", python(r.filters()))
	}
	if len(r.order) > 0 {
		query.Set("order", strings.Join(r.order, ","))
	}
	if r.offset > 0 {
		query.Set("offset", fmt.Sprint(r.offset))
	}
	if r.limit > 0 {
		query.Set("limit", fmt.Sprint(r.limit))
	}
	if len(r.context) > 0 {
		query.Set("__context__", python(r.context))
	}
	path := "/api/" + r.model
	switch {
	case r.one && r.field != "":
		query.Set("search_field", r.field)
		path += "/" + url.PathEscape(r.value)
	case r.one:
		path += fmt.Sprintf("/%d", r.id)
	}
	return path + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}

// agree reads a page and compares it with what Odoo answers the same user: records, order, keys and
// values. It returns the way that it was read.
func (h httpReads) agree(r request) string {
	h.t.Helper()
	r.flat, r.role = true, cmp.Or(r.role, stack.RoleAdmin)
	got := h.v.send("GET", r.path(), h.token, "")
	var page struct {
		Count   int
		Results []json.RawMessage
	}
	if err := json.Unmarshal(got.body, &page); err != nil || got.status != 200 || page.Count != len(page.Results) {
		h.t.Errorf("%s: %d %.300s, %v", r, got.status, got.body, err)
		return ""
	}
	want, err := h.judge(r).ask(h.t.Context(), r, true)
	if err != nil || want.refusal != "" {
		h.t.Errorf("%s: Odoo refuses: %s %s, %v", r, want.refusal, want.text, err)
		return ""
	}
	if len(want.records) != page.Count || page.Count == 0 {
		h.t.Errorf("%s: %d records, Odoo has %d", r, page.Count, len(want.records))
		return ""
	}
	for i, document := range page.Results {
		record, err := decodeObject(document)
		if err != nil {
			h.t.Fatal(err)
		}
		if d := difference(fmt.Sprintf("[%d]", i), record, want.records[i]); d != "" {
			h.t.Errorf("%s: %s", r, d)
		}
	}
	return got.header.Get("X-Read-Path")
}

// judge is the oracle of a request's user, in the request's context.
func (h httpReads) judge(r request) oracle {
	h.t.Helper()
	judge, known := h.judges[r.role]
	if !known {
		judge = h.s.quickJudge(h.t, r.role)
		h.judges[r.role] = judge
	}
	judge.context = maps.Clone(judge.context)
	maps.Copy(judge.context, r.context)
	return judge
}

// plain are fields without nested ones; those that the version has not are left out.
func (h httpReads) plain(model string, names ...string) []want {
	h.t.Helper()
	m := h.s.catalogue(h.t).Model(model)
	if m == nil {
		h.t.Fatalf("no model %s", model)
	}
	wants := make([]want, 0, len(names)+1)
	for _, name := range append([]string{"id"}, names...) {
		if m.Field(name) != nil {
			wants = append(wants, want{name: name})
		}
	}
	return wants
}

func leaf(path, operator string, value any) []term {
	return []term{{leaf: []any{path, operator, value}}}
}

// values reads every kind of field.
func (h httpReads) values() {
	second := h.odoo("res.company", []any{[]any{"name", "=", "Second Company"}}, []any{"id"}, nil)[0].(map[string]any)["id"]
	for _, c := range []struct {
		what string
		path string // how it must be read
		r    request
	}{
		{"scalars and relations", "direct", request{model: "sale.order", wants: h.plain("sale.order", "name", "state", "date_order", "create_date",
			"amount_total", "currency_rate", "require_signature", "partner_id", "user_id", "company_id", "order_line", "tag_ids", "client_order_ref", "fiscal_position_id")}},
		{"offset, limit and order", "direct", request{model: "sale.order", offset: 2, limit: 3, order: []string{"amount_total desc", "name"}, wants: h.plain("sale.order", "amount_total")}},
		{"translated", "direct", request{
			model: "product.template", context: map[string]any{"lang": "fr_FR"}, limit: 40,
			wants: h.plain("product.template", "name", "description_sale", "list_price", "uom_id", "categ_id"),
		}},
		{"translated, in a filter", "direct", request{
			model: "res.country", context: map[string]any{"lang": "fr_FR"}, domain: leaf("name", "ilike", "allemagne"), wants: h.plain("res.country", "name", "code"),
		}},
		{"of a company", "", request{model: "res.partner", limit: 30, wants: h.plain("res.partner", "property_payment_term_id", "property_account_receivable_id", "barcode", "credit_limit")}},
		{"of another company", "", request{
			model: "product.product", limit: 30, context: map[string]any{"allowed_company_ids": []any{second}},
			wants: h.plain("product.product", "standard_price", "property_account_income_id", "categ_id"),
		}},
		{"delegated", "direct", request{model: "product.product", limit: 40, wants: h.plain("product.product", "default_code", "type", "sale_ok", "categ_id", "active")}},
		{"delegated to users", "", request{model: "res.users", wants: h.plain("res.users", "login", "name", "email", "partner_id", "company_ids", "active")}},
		{"archived", "direct", request{model: "res.partner", context: map[string]any{"active_test": false}, domain: leaf("active", "=", false), wants: h.plain("res.partner", "name", "active")}},
		{"a reference", "", request{model: "ir.ui.menu", limit: 20, domain: leaf("action", "!=", false), wants: h.plain("ir.ui.menu", "name", "action", "parent_id")}},
		{"binaries in columns", "direct", request{model: "res.company", wants: h.plain("res.company", "name", "logo_web")}},
		{"binaries in the filestore", "direct", request{model: "res.partner", limit: 4, domain: leaf("image_1920", "!=", false), wants: h.plain("res.partner", "image_128", "avatar_128")[:2]}},
		{"computed", "hybrid", request{model: "res.partner", limit: 10, wants: h.plain("res.partner", "contact_address", "name", "commercial_company_name")}},
		{"guarded attachments", "odoo", request{model: "ir.attachment", limit: 5, order: []string{"id"}, wants: h.plain("ir.attachment", "name", "res_model", "res_id", "mimetype", "public")}},
		{"guarded messages", "odoo", request{model: "mail.message", limit: 5, order: []string{"id desc"}, wants: h.plain("mail.message", "message_type", "model", "res_id", "author_id")}},
	} {
		if path := h.agree(c.r); c.path != "" && path != c.path && path != "" {
			h.t.Errorf("%s: read by %s, not %s: %s", c.what, path, c.path, c.r)
		}
	}
}

// forms reads nested records in every form, as a literal and as JSON.
func (h httpReads) forms() {
	one := func(name string, sub ...want) want { return want{name: name, form: schema.OneRecord, sub: sub} }
	list := func(name string, sub ...want) want { return want{name: name, form: schema.List, sub: sub} }
	id, name := want{name: "id"}, want{name: "name"}
	taxes := "tax_ids"
	if h.s.catalogue(h.t).Model("sale.order.line").Field(taxes) == nil {
		taxes = "tax_id"
	}
	for _, wants := range [][]want{
		{id, one("partner_id", id, name, one("country_id", want{name: "code"}))},
		{id, list("partner_id", name), list("user_id", want{name: "login"})},
		{id, list("order_line", id, name, one("product_id", id, one("categ_id", name)), list(taxes, name, want{name: "amount"}), want{name: "price_subtotal"})},
		{id, one("fiscal_position_id", name), list("payment_term_id", name)},
	} {
		if path := h.agree(request{model: "sale.order", wants: wants}); path != "direct" {
			h.t.Errorf("%s: read by %s", python(items(wants)), path)
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
