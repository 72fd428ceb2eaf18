package integration

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"lateral/integration/stack"
)

// Ensure Odoo's business logic runs in writes and calls, and that one request is one transaction.
func TestBusinessLogic(t *testing.T) {
	eachForkAtOnce(t, func(t *testing.T, s *stand) {
		v := s.serve(t, nil)
		admin := s.client(t, v, stack.RoleAdmin)
		t.Run("refused as a whole", func(t *testing.T) { admin.on(t).refusedAsAWhole() })
		t.Run("colleague's order", func(t *testing.T) { admin.on(t).colleaguesOrder(s.client(t, v, stack.RoleSalesman)) })
		t.Run("new field", func(t *testing.T) { admin.on(t).newField() })
		t.Run("calls", func(t *testing.T) { admin.on(t).calls() })
		t.Run("results", func(t *testing.T) { admin.on(t).resultsOfEveryKind() })
		t.Run("faults", func(t *testing.T) { admin.on(t).faults() })
		t.Run("docs", func(t *testing.T) { admin.on(t).documented() })
		t.Run("curl", func(t *testing.T) { admin.on(t).curlWrites() })
	})
}

// on returns the client for a part of a test.
func (c client) on(t *testing.T) client {
	c.t = t
	return c
}

// refusedAsAWhole writes several lines and a header of which one value is refused.
func (c client) refusedAsAWhole() {
	order := c.order(c.customer(), nil)
	before := fmt.Sprint(c.lines(order, "name", "price_unit"), c.record("sale.order", order, "note", "partner_id"))
	lines := c.lines(order)
	unchanged := func(what string) {
		c.t.Helper()
		if now := fmt.Sprint(c.lines(order, "name", "price_unit"), c.record("sale.order", order, "note", "partner_id")); now != before {
			c.t.Errorf("%s has changed %s to %s", what, before, now)
		}
	}
	path := fmt.Sprintf("/api/sale.order/%d", order)
	// The order's header and first line are fine; the second line's product does not exist.
	c.refused("PUT", path, fields{"note": "changed", "order_line": list{
		fields{"id": lines[0]["id"], "price_unit": 1}, fields{"id": lines[1]["id"], "product_id": 999999}, fields{"name": "more", "product_id": 999999},
	}}, 409, "not_updated_object_in_odoo", "ERROR: ")
	unchanged("a line that Odoo refuses")
	c.refused("PUT", path, fields{"note": "changed", "order_line": list{fields{"id": lines[0]["id"], "price_unit": 1}, fields{"nofield": 1}}}, 409, "not_updated_object_in_odoo", "order_line.1.nofield")
	unchanged("a line that lateral refuses")

	partners := c.ids("res.partner", list{list{"is_company", "=", true}}, 2)
	names := fmt.Sprint(c.record("res.partner", partners[0], "name"), c.record("res.partner", partners[1], "name"))
	both := fmt.Sprintf("%d,%d", partners[0], partners[1])
	c.refused("PUT", "/api/res.partner/"+both, fields{"name": "changed", "country_id": 999999}, 409, "not_updated_object_in_odoo", "ERROR: UserError(")
	c.refused("DELETE", fmt.Sprintf("/api/res.partner/%d,%d", c.create("res.partner", fields{"name": "TEST Gone"}), c.s.companyPartner(c.t)), nil, 409, "not_deleted_object_in_odoo", "ERROR: ")
	if left := c.records("res.partner", list{list{"name", "=", "TEST Gone"}}, "name"); len(left) != 1 {
		c.t.Errorf("a delete that was refused has deleted: %v", left)
	}
	if now := fmt.Sprint(c.record("res.partner", partners[0], "name"), c.record("res.partner", partners[1], "name")); now != names {
		c.t.Errorf("an update that was refused has changed %s to %s", names, now)
	}
	confirmed := c.order(c.customer(), nil)
	c.ask("PUT", fmt.Sprintf("/api/sale.order/%d/action_confirm", confirmed), nil, 200)
	c.refused("DELETE", fmt.Sprintf("/api/sale.order/%d", confirmed), nil, 409, "not_deleted_object_in_odoo", "ERROR: UserError(")
	c.refused("DELETE", fmt.Sprintf("/v2/sale.order/%d", confirmed), nil, 422, "not_deleted_object_in_odoo", "")
	c.holds("sale.order", confirmed, fields{"state": "sale"})
}

// companyPartner is the partner of the main company, which nobody can delete.
func (s *stand) companyPartner(t *testing.T) int64 {
	t.Helper()
	company := s.call(t, s.login(t, stack.RoleAdmin), "res.company", "read", []any{[]any{int64(1)}, []any{"partner_id"}}, nil)
	return company.([]any)[0].(map[string]any)["partner_id"].([]any)[0].(int64)
}

// colleaguesOrder lets a salesman, who sees his own orders, write to one of the administrator.
func (c client) colleaguesOrder(salesman client) {
	salesman.t = c.t
	order := c.order(c.customer(), fields{"user_id": c.admin.UID})
	path := fmt.Sprintf("sale.order/%d", order)
	for _, profile := range []struct {
		base   string
		status int
	}{{"/api/", 409}, {"/v2/", 403}} {
		salesman.refused("PUT", profile.base+path, fields{"note": "mine"}, profile.status, "not_updated_object_in_odoo", "AccessError(")
		salesman.refused("DELETE", profile.base+path, nil, profile.status, "not_deleted_object_in_odoo", "AccessError(")
		salesman.refused("PUT", profile.base+path+"/action_confirm", nil, profile.status, "not_called_method_in_odoo", "AccessError(")
		salesman.refused("POST", profile.base+"ir.rule", fields{"name": "x", "model_id": 1}, profile.status, "not_created_object_in_odoo", "AccessError(")
	}
	c.holds("sale.order", order, fields{"state": "draft"})
	// His own he may write, and moving it to a colleague is what Odoo decides on.
	own := salesman.order(c.customer(), fields{"note": "his own"})
	salesman.ask("PUT", fmt.Sprintf("/api/sale.order/%d/action_confirm", own), nil, 200)
	c.holds("sale.order", own, fields{"state": "sale"})
}

// newField writes to a field that is added by the same client just before.
func (c client) newField() {
	model := c.ids("ir.model", list{list{"model", "=", "res.partner"}}, 1)[0]
	c.create("ir.model.fields", fields{"name": "x_new", "field_description": "New", "model_id": model, "ttype": "char"})
	id := c.create("res.partner", fields{"name": "TEST New Field", "x_new": "there"})
	c.holds("res.partner", id, fields{"x_new": "there"})
	if read := c.ask("GET", fmt.Sprintf("/api/res.partner/%d?exclude_fields=*&include_fields=x_new", id), nil, 200).(fields); read["x_new"] != "there" {
		c.t.Errorf("read back: %v", read)
	}
}

// curlLines7to12 are the seed page's lines, verbatim but for what stands in {braces}, and how each is answered.
var curlLines7to12 = []struct{ name, line, status, answer string }{
	{"7", `curl -i -H "Content-Type: text/html" -X POST {base}/api/res.partner -H "Access-Token: {access}" -d '{"name": "TEST Name", "street": "TEST Street", "city": "TEST City"}'`, "200", `{"id": `},
	{"8", `curl -i -H "Content-Type: text/html" -X PUT {base}/api/res.partner/{2361} -H "Access-Token: {access}" -d '{"name": "TEST Name~~", "street": "TEST Street~~", "city": "TEST City~~"}'`, "200", `{}`},
	{"9", `curl -i -H "Content-Type: text/html" -X DELETE {base}/api/res.partner/{57},{58},{59} -H "Access-Token: {access}"`, "200", `{}`},
	{"10", `curl -i -H "Content-Type: text/html" -X PUT {base}/api/res.partner/{2361}/address_get -H "Access-Token: {access}"`, "200", `{"contact": {2361}}`},
	{"11", `curl -i -H "Content-Type: text/html" -X PUT {base}/api/res.partner/{2361}/_email_send -H "Access-Token: {access}" -d '{"email_from": "test@test.com", "subject": "TEST Subject", "body": "TEST Body", "__context__": {"lang": "en_US"}}'`, "501", `private`},
	{"12", `curl -i -H "Content-Type: text/html" -X GET {base}/api/report/get_pdf -H "Access-Token: {access}" -d '{"report_name": "account.report_invoice", "ids": [{3}]}'`, "200", `"JVBERi0`},
}

// curlWrites runs the seed page's lines of writes and calls as they stand there, by curl itself.
func (c client) curlWrites() {
	first := c.create("res.partner", fields{"name": "TEST Curl"})
	ids := make([]string, 3)
	for i := range ids {
		ids[i] = fmt.Sprint(c.create("res.partner", fields{"name": "TEST Curl"}))
	}
	names := strings.NewReplacer("{base}", c.v.url, "{access}", c.token,
		"{2361}", fmt.Sprint(first), "{57}", ids[0], "{58}", ids[1], "{59}", ids[2], "{3}", fmt.Sprint(c.s.invoice(c.t)))
	for _, line := range curlLines7to12 {
		out, err := exec.CommandContext(c.t.Context(), "bash", "-c", names.Replace(line.line)).Output()
		head, body, _ := strings.Cut(strings.ReplaceAll(string(out), "\r\n", "\n"), "\n\n")
		if err != nil || !strings.HasPrefix(head, "HTTP/1.1 "+line.status+" ") || !strings.Contains(body, names.Replace(line.answer)) {
			c.t.Errorf("line %s: %v, %s", line.name, err, out)
		}
	}
	c.holds("res.partner", first, fields{"name": "TEST Name~~", "street": "TEST Street~~", "city": "TEST City~~"})
	found := c.records("res.partner", list{list{"name", "=like", "TEST Name%"}, list{"city", "=like", "TEST City%"}, list{"street", "=like", "TEST Street%"}}, "name")
	if len(found) != 2 || len(c.records("res.partner", list{list{"name", "=", "TEST Curl"}})) != 0 {
		c.t.Errorf("after the lines Odoo has %v", found)
	}
}

// documented runs the examples of the document on writes, one after the other, each on the record that
// the first one has created, which is created again where one deletes it.
func (c client) documented() {
	text, err := os.ReadFile("../docs/writing.md")
	if err != nil {
		c.t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```\n((POST|PUT|DELETE) ([^\n]+)\n(.*?))```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 7 || blocks[0][2] != "POST" {
		c.t.Fatalf("the document has %d examples", len(blocks))
	}
	names := strings.NewReplacer()
	create := func() {
		id := c.create("res.partner", blocks[0][4])
		banks := c.records("res.partner.bank", list{list{"partner_id", "=", id}}, "acc_number")
		if len(banks) != 2 {
			c.t.Fatalf("the document's partner has the accounts %v", banks)
		}
		names = strings.NewReplacer("{id}", fmt.Sprint(id), "{bank1}", fmt.Sprint(banks[0]["id"]), "{bank2}", fmt.Sprint(banks[1]["id"]))
	}
	create()
	for _, block := range blocks[1:] {
		answer := c.ask(block[2], names.Replace(block[3]), names.Replace(block[4]), 200)
		if strings.Count(block[3], "/") == 3 && fmt.Sprint(answer) != "map[]" {
			c.t.Errorf("%s: got %v", block[1], answer)
		}
		if block[2] == "DELETE" {
			create()
		}
	}
}
