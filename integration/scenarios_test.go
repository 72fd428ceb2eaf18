package integration

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"lateral/integration/stack"
)

type fields = map[string]any

type list = []any

// scenarios are the seed product's own fourteen test scripts, by name.
var scenarios = []struct {
	name string
	run  func(c client)
}{
	{"Auth_GetTokens", client.getTokens},
	{"Create OrderInvoice", client.createOrderInvoice},
	{"Create product.template", client.createProduct},
	{"Create res.partner", client.createPartner},
	{"CreateWithAttributes product.template", client.createWithAttributes},
	{"CreateWithImage res.partner", client.createWithImage},
	{"CreateWithVendors product.template", client.createWithVendors},
	{"get_pdf report", client.getPDF},
	{"ReadAllWithFiltersInURL res.partner", client.readAllWithFilters},
	{"ReadAllWithFiltersOffsetLimitOrder res.partner", client.readAllPaged},
	{"ReadOneWithIncludeFieldsInURL res.partner", client.readOneIncluding},
	{"Update res.partner", client.updatePartner},
	{"Update SO_TaxInLine", client.updateTaxInLine},
	{"UpdateWithVendors product.template", client.updateWithVendors},
}

// Ensure every script of the seed product works over HTTP, and what it writes is in Odoo.
func TestScenarios(t *testing.T) {
	eachForkAtOnce(t, func(t *testing.T, s *stand) {
		v := s.serve(t, map[string]string{
			"product.template.schema": `{'create_one': ('id', 'name', ('attribute_line_ids', [('attribute_id', ('value_ids', [('id', 'name')]))]), ('seller_ids', [('price', 'min_qty')]))}`,
		})
		c := s.client(t, v, stack.RoleAdmin)
		for _, scenario := range scenarios {
			t.Run(scenario.name, func(t *testing.T) { scenario.run(c.on(t)) })
		}
	})
}

func (c client) getTokens() {
	admin := c.s.User(stack.RoleAdmin)
	got := c.v.send("GET", "/api/auth/get_tokens", "", fmt.Sprintf(`{"username": %q, "password": %q}`, admin.Login, admin.Password))
	access, refresh := textOf(got.body, "access_token"), textOf(got.body, "refresh_token")
	c.token = access
	c.ask("GET", "/api/res.users", nil, 200)
	fresh := c.v.send("POST", "/api/auth/refresh_token", "", fmt.Sprintf(`{"refresh_token": %q}`, refresh))
	c.refused("GET", "/api/res.users", nil, 401, "invalid_token", "")
	c.token = textOf(fresh.body, "access_token")
	c.ask("GET", "/api/res.users", nil, 200)
	if got := c.v.send("POST", "/api/auth/delete_tokens", "", fmt.Sprintf(`{"refresh_token": %q}`, refresh)); got.status != 200 {
		c.t.Errorf("delete_tokens: %d %s", got.status, got.body)
	}
	c.refused("GET", "/api/res.users", nil, 401, "invalid_token", "")
}

// customer returns a partner to sell to.
func (c client) customer() int64 {
	return c.ids("res.partner", list{list{"name", "=", "Paper Great Customer"}}, 1)[0]
}

// order creates a quotation of two lines over HTTP.
func (c client) order(partner int64, more fields) int64 {
	products := c.ids("product.product", list{list{"type", "=", "consu"}, list{"sale_ok", "=", true}}, 2)
	values := fields{"partner_id": partner, "order_line": list{
		fields{"product_id": products[0], "name": "Line 1", "product_uom_qty": 2, "price_unit": 111},
		fields{"product_id": products[1], "name": "Line 2", "product_uom_qty": 3.5, "price_unit": 22.25},
	}}
	for name, value := range more {
		values[name] = value
	}
	return c.create("sale.order", values)
}

// lines returns the lines of an order in Odoo.
func (c client) lines(order int64, fields ...any) []map[string]any {
	return c.records("sale.order.line", list{list{"order_id", "=", order}}, fields...)
}

func (c client) createOrderInvoice() {
	partner := c.customer()
	id := c.order(partner, fields{"note": "Ünïcödé ✓"})
	if lines := c.lines(id, "name", "product_uom_qty", "price_unit"); len(lines) != 2 || lines[1]["product_uom_qty"] != 3.5 || lines[0]["price_unit"] != 111.0 {
		c.t.Errorf("lines in Odoo: %v", lines)
	}
	c.ask("PUT", fmt.Sprintf("/api/sale.order/%d/action_confirm", id), nil, 200)
	c.holds("sale.order", id, fields{"state": "sale", "partner_id": partner})
	if pickings := c.record("sale.order", id, "picking_ids")["picking_ids"].([]any); len(pickings) != 1 {
		c.t.Errorf("the confirmed order has the deliveries %v", pickings)
	}

	ids := fields{"active_model": "sale.order", "active_ids": list{id}, "active_id": id}
	wizard := c.create("sale.advance.payment.inv", fields{"advance_payment_method": "percentage", "amount": 50, "__context__": ids})
	c.ask("PUT", fmt.Sprintf("/api/sale.advance.payment.inv/%d/create_invoices", wizard), fields{"__context__": ids}, 200)
	invoices := c.record("sale.order", id, "invoice_ids")["invoice_ids"].([]any)
	if len(invoices) != 1 {
		c.t.Fatalf("the order has the invoices %v", invoices)
	}
	invoice := invoices[0].(int64)
	c.ask("PUT", fmt.Sprintf("/api/account.move/%d/action_post", invoice), nil, 200)
	to := c.record("sale.order", id, "partner_invoice_id")["partner_invoice_id"].([]any)[0]
	c.holds("account.move", invoice, fields{"state": "posted", "partner_id": to, "move_type": "out_invoice"})
}

func (c client) createProduct() {
	answer := c.ask("POST", "/api/product.template", fields{"name": "TEST Product", "type": "consu", "list_price": 12.5, "barcode": "2400000032632", "default_code": "007"}, 200).(fields)
	if answer["name"] != "TEST Product" || len(answer) != 4 || fmt.Sprint(answer["seller_ids"]) != "[]" {
		c.t.Errorf("the answer by the schema of create: %v", answer)
	}
	c.holds("product.template", int64(answer["id"].(float64)), fields{"name": "TEST Product", "type": "consu", "list_price": 12.5, "barcode": "2400000032632", "default_code": "007"})
}

// createExample is the seed page's Example #5, with the comments and line ends that the page needs
// left out.
const createExample = `{
	"name": "TEST Name", "street": "TEST Street", "street2": "TEST Street2", "city": "TEST City", "zip": "123",
	"phone": "+123456789", "email": "a@b.com", "state_id": 10, "country_id": 235,
	"bank_ids": [
		{"acc_number": "acc_number 1", "bank_bic": "bank_bic 1"},
		{"acc_number": "acc_number 2", "bank_bic": "bank_bic 2"},
		{"acc_number": "acc_number 3", "bank_bic": "bank_bic 3"}
	],
	"category_id": [{"id": 1}, {"id": 2}]
}`

// updateExample is the seed page's Example #2; the ids of the lines are %[1]d and %[2]d.
const updateExample = `{
	"name": "TEST Name~~", "street": "TEST Street~~", "street2": "TEST Street2~~", "city": "TEST City~~", "zip": "123~~",
	"phone": "+123456789~~", "email": "a@b.com~~", "state_id": 6, "country_id": 14,
	"bank_ids": [
		{"id": %[1]d, "acc_number": "acc_number 1~~", "bank_bic": "bank_bic 1~~"},
		{"id": %[2]d},
		{"acc_number": "acc_number 4", "bank_bic": "bank_bic 4"}
	],
	"category_id": [{"id": 3}, {"id": 4}]
}`

func (c client) createPartner() { c.examplePartner() }

// examplePartner creates the partner of Example #5 and returns it with its accounts.
func (c client) examplePartner() (id int64, banks []map[string]any) {
	// Accounts' numbers are unique in 14.0.
	for _, used := range c.records("res.partner.bank", list{list{"acc_number", "=like", "acc_number %"}, list{"active", "=", true}}, "acc_number") {
		c.ask("DELETE", fmt.Sprintf("/api/res.partner.bank/%d", used["id"]), nil, 200)
	}
	id = c.create("res.partner", createExample)
	c.holds("res.partner", id, fields{
		"name": "TEST Name", "street": "TEST Street", "street2": "TEST Street2", "city": "TEST City", "zip": "123",
		"phone": "+123456789", "email": "a@b.com", "state_id": 10, "country_id": 235, "category_id": list{1, 2},
	})
	banks = c.records("res.partner.bank", list{list{"partner_id", "=", id}}, "acc_number")
	if len(banks) != 3 || banks[0]["acc_number"] != "acc_number 1" || banks[2]["acc_number"] != "acc_number 3" {
		c.t.Fatalf("accounts in Odoo: %v", banks)
	}
	return id, banks
}

func (c client) updatePartner() {
	id, banks := c.examplePartner()
	c.ask("PUT", fmt.Sprintf("/api/res.partner/%d", id), fmt.Sprintf(updateExample, banks[0]["id"], banks[1]["id"]), 200)
	c.holds("res.partner", id, fields{
		"name": "TEST Name~~", "street": "TEST Street~~", "street2": "TEST Street2~~", "city": "TEST City~~", "zip": "123~~",
		"phone": "+123456789~~", "email": "a@b.com~~", "state_id": 6, "country_id": 14, "category_id": list{3, 4},
	})
	// 19.0 archives an account that is deleted.
	left := list{list{"partner_id", "=", id}, list{"active", "=", true}}
	var kept []string
	for _, bank := range c.records("res.partner.bank", left, "acc_number") {
		kept = append(kept, fmt.Sprint(bank["id"] == banks[0]["id"] || bank["id"] == banks[2]["id"], " ", bank["acc_number"]))
	}
	if want := "true acc_number 1~~,true acc_number 3,false acc_number 4"; strings.Join(kept, ",") != want {
		c.t.Errorf("accounts in Odoo: %q, want %q", strings.Join(kept, ","), want)
	}
	c.ask("PUT", fmt.Sprintf("/api/res.partner/%d", id), `{"category_id": [], "bank_ids": [], "country_id": null, "state_id": false}`, 200)
	c.holds("res.partner", id, fields{"category_id": list{}, "country_id": false, "state_id": false})
	if now := c.records("res.partner.bank", left, "acc_number"); len(now) != 3 {
		c.t.Errorf("an empty list has changed the accounts: %v", now)
	}
}

func (c client) createWithAttributes() {
	attribute := c.create("product.attribute", fields{"name": "TEST Size", "create_variant": "always", "value_ids": list{fields{"name": "S"}, fields{"name": "M"}, fields{"name": "L"}}})
	values := c.records("product.attribute.value", list{list{"attribute_id", "=", attribute}})
	// Odoo's own format on the second level, as the script has it, and dictionaries.
	for _, chosen := range []any{list{list{6, 0, list{values[0]["id"], values[1]["id"]}}}, list{fields{"id": values[0]["id"]}, fields{"id": values[1]["id"]}}} {
		answer := c.ask("POST", "/api/product.template", fields{
			"name": "TEST Sized", "attribute_line_ids": list{fields{"attribute_id": attribute, "value_ids": chosen}},
		}, 200).(fields)
		lines := answer["attribute_line_ids"].([]any)
		if len(lines) != 1 || len(lines[0].(fields)["value_ids"].([]any)) != 2 {
			c.t.Errorf("the answer: %v", answer)
		}
		id := int64(answer["id"].(float64))
		if variants := c.record("product.template", id, "product_variant_ids")["product_variant_ids"].([]any); len(variants) != 2 {
			c.t.Errorf("variants in Odoo: %v", variants)
		}
	}
}

// pixel is a PNG of one pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func (c client) createWithImage() {
	id := c.create("res.partner", fields{"name": "TEST Image", "image_1920": pixel})
	stored := strings.ReplaceAll(c.record("res.partner", id, "image_1920")["image_1920"].(string), "\n", "")
	if !strings.HasPrefix(stored, "iVBORw0KGgo") {
		c.t.Errorf("the image in Odoo: %.40s", stored)
	}
	read := c.ask("GET", fmt.Sprintf("/api/res.partner/%d?exclude_fields=*&include_fields=image_1920", id), nil, 200).(fields)
	if read["image_1920"] != stored {
		c.t.Errorf("read back: %v", read)
	}
}

// vendors returns the name of the vendor's field of a price, and two vendors.
func (c client) vendors() (field string, vendors []int64) {
	field = "partner_id"
	if c.s.Version == "14.0" {
		field = "name"
	}
	return field, c.ids("res.partner", list{list{"is_company", "=", true}}, 2)
}

func (c client) vendoredProduct() (id int64, sellers []map[string]any) {
	vendor, partners := c.vendors()
	answer := c.ask("POST", "/api/product.template", fields{"name": "TEST Vendors", "seller_ids": list{
		fields{vendor: partners[0], "min_qty": 1, "price": 10.5}, fields{vendor: partners[1], "min_qty": 100, "price": 9},
	}}, 200).(fields)
	id = int64(answer["id"].(float64))
	sellers = c.records("product.supplierinfo", list{list{"product_tmpl_id", "=", id}}, vendor, "min_qty", "price")
	if len(sellers) != 2 || sellers[0]["price"] != 10.5 || sellers[1]["min_qty"] != 100.0 || len(answer["seller_ids"].([]any)) != 2 {
		c.t.Fatalf("vendors in Odoo: %v, in the answer: %v", sellers, answer)
	}
	return id, sellers
}

func (c client) createWithVendors() { c.vendoredProduct() }

func (c client) updateWithVendors() {
	vendor, partners := c.vendors()
	id, sellers := c.vendoredProduct()
	c.ask("PUT", fmt.Sprintf("/api/product.template/%d", id), fields{"seller_ids": list{
		fields{"id": sellers[0]["id"], "price": 8.25}, fields{"id": sellers[1]["id"]}, fields{vendor: partners[1], "min_qty": 7, "price": 7},
	}}, 200)
	now := c.records("product.supplierinfo", list{list{"product_tmpl_id", "=", id}}, "min_qty", "price")
	if len(now) != 2 || now[0]["id"] != sellers[0]["id"] || now[0]["price"] != 8.25 || now[1]["min_qty"] != 7.0 {
		c.t.Errorf("vendors in Odoo: %v", now)
	}
}

// getPDF prints orders, and Odoo keeps what it prints. It prints one by one, since Debian's wkhtmltopdf cannot
// print several at once for Odoo 14.0.
func (c client) getPDF() {
	report := c.ids("ir.actions.report", list{list{"report_name", "=", orderReport}}, 1)[0]
	c.ask("PUT", fmt.Sprintf("/api/ir.actions.report/%d", report), fields{"attachment": "'TEST ' + object.name + '.pdf'"}, 200)
	for range 2 {
		order := c.order(c.customer(), nil)
		pdf := c.v.printed(c.t, "GET", "/api/report/get_pdf", c.token, fmt.Sprintf(`{"report_name": %q, "ids": [%d]}`, orderReport, order))
		name := "TEST " + c.record("sale.order", order, "name")["name"].(string) + ".pdf"
		kept := c.records("ir.attachment", list{list{"res_model", "=", "sale.order"}, list{"res_id", "=", order}, list{"name", "=", name}}, "datas")
		if len(kept) != 1 {
			c.t.Fatalf("Odoo has kept %d prints of order %d", len(kept), order)
		}
		stored, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(kept[0]["datas"].(string), "\n", ""))
		if err != nil || !bytes.Equal(stored, pdf) {
			c.t.Errorf("printed %d bytes, Odoo has kept %d, %v", len(pdf), len(stored), err)
		}
	}
}

func (c client) readAllWithFilters() {
	want := c.odoo("res.partner", "search", list{list{list{"name", "like", "a"}, list{"id", "!=", 50}}}, nil).([]any)
	got := c.ask("GET", "/api/res.partner?filters="+url.QueryEscape("[('name','like','a'),('id','!=',50)]"), nil, 200).(fields)
	if int(got["count"].(float64)) != len(want) || len(got["results"].([]any)) != len(want) {
		c.t.Errorf("count %v, Odoo finds %d", got["count"], len(want))
	}
}

func (c client) readAllPaged() {
	domain := list{list{"is_company", "=", true}}
	want := c.odoo("res.partner", "search", list{domain}, fields{"offset": int64(2), "limit": int64(4), "order": "name desc, id"})
	got := c.ask("GET", "/api/res.partner", fields{"filters": domain, "offset": 2, "limit": 4, "order": "name desc, id"}, 200).(fields)
	var ids []any
	for _, record := range got["results"].([]any) {
		ids = append(ids, record.(fields)["id"])
	}
	if fmt.Sprint(ids) != fmt.Sprint(want) {
		c.t.Errorf("got %v, Odoo finds %v", ids, want)
	}
}

func (c client) readOneIncluding() {
	got := c.ask("GET", "/api/res.partner/3?exclude_fields=*&include_fields="+url.QueryEscape("('name', ('country_id', ('code',)))"), nil, 200).(fields)
	want := c.record("res.partner", 3, "name", "country_id")
	if len(got) != 3 || got["name"] != want["name"] {
		c.t.Errorf("got %v, Odoo has %v", got, want)
	}
}

func (c client) updateTaxInLine() {
	taxes := c.field("sale.order.line", "tax_ids", "tax_id")
	id := c.order(c.customer(), nil)
	lines := c.lines(id, taxes)
	company := c.record("sale.order", id, "company_id")["company_id"].([]any)[0]
	chosen := c.ids("account.tax", list{list{"type_tax_use", "=", "sale"}, list{"company_id", "=", company}}, 1)
	c.ask("PUT", fmt.Sprintf("/api/sale.order/%d", id), fields{"order_line": list{
		fields{"id": lines[0]["id"], taxes: list{list{6, 0, list{chosen[0]}}}},
		fields{"id": lines[1]["id"], taxes: list{}},
	}}, 200)
	c.holds("sale.order.line", lines[0]["id"].(int64), fields{taxes: list{chosen[0]}})
	c.holds("sale.order.line", lines[1]["id"].(int64), fields{taxes: list{}})
	if total := c.record("sale.order", id, "amount_tax", "amount_untaxed"); total["amount_untaxed"] != 299.88 || total["amount_tax"] == 0.0 {
		c.t.Errorf("Odoo has computed %v", total)
	}
}
