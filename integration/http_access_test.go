package integration

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"lateral/integration/stack"
	"lateral/reader/verify"
)

// as is the same service for another user.
func (h httpReads) as(t testing.TB, role string) httpReads {
	t.Helper()
	user := h.s.User(role)
	h.v.login(t, user.Login, user.Password)
	h.token, h.admin = h.v.token, h.s.login(t, role)
	return h
}

// access reads as users who may not see everything: pages as Odoo gives them to the same user, 404
// for single records that rules hide, 409 for models and nested records that may not be read.
func (h httpReads) access() {
	every := map[string]bool{}
	for _, id := range h.s.call(h.t, h.admin, "sale.order", "search", []any{[]any{}}, nil).([]any) {
		every[fmt.Sprint(id)] = true
	}
	for _, role := range []string{stack.RolePortal, stack.RoleSalesman, stack.RoleSecond} {
		u := h.as(h.t, role)
		u.agree(verify.Request{User: role, Model: "sale.order", Wants: u.plain("sale.order", "name", "amount_total", "partner_id")})
		mine := map[string]bool{}
		for _, id := range u.s.call(u.t, u.admin, "sale.order", "search", []any{[]any{}}, nil).([]any) {
			mine[fmt.Sprint(id)] = true
		}
		hidden := ""
		for id := range every {
			if !mine[id] {
				hidden = id
			}
		}
		if hidden == "" || len(mine) == 0 {
			u.t.Errorf("%s sees %d of %d orders", role, len(mine), len(every))
			continue
		}
		u.refused("/api/sale.order/"+hidden+"?exclude_fields=*", 404, "not_found_object_in_odoo")
		u.refused("/v2/sale.order/"+hidden+"?exclude_fields=*", 404, "not_found_object_in_odoo")
		u.refused("/api/sale.order/"+hidden+"?exclude_fields=*&search_field=id", 404, "not_found_object_in_odoo")
		if role == stack.RoleSalesman {
			u.refused("/api/sale.order/"+hidden, 404, "not_found_object_in_odoo")
		}
	}
	portal := h.as(h.t, stack.RolePortal)
	for _, model := range []string{"ir.cron", "stock.quant", "ir.model.access"} {
		portal.refused("/api/"+model, 409, "not_read_object_in_odoo")
		portal.refused("/api/"+model+"/1", 409, "not_read_object_in_odoo")
		portal.refused("/v2/"+model, 403, "not_read_object_in_odoo")
	}
	portal.refused("/api/sale.order?include_fields="+url.QueryEscape("[('order_line', [('product_id', ('standard_price',))])]"), 409, "not_read_object_in_odoo")
	portal.refused("/api/sale.order?filters="+url.QueryEscape("[('order_line.product_id.standard_price','>',0)]"), 409, "not_read_object_in_odoo")

	// What cannot be told apart: a record that is not there, one that is archived, one that is hidden.
	archived := h.odoo("res.partner", []any{[]any{"active", "=", false}}, []any{"id"}, map[string]any{"limit": int64(1)})[0].(map[string]any)
	h.refused(fmt.Sprintf("/api/res.partner/%v", archived["id"]), 404, "not_found_object_in_odoo")
	if got := h.record(fmt.Sprintf("/api/res.partner/%v?exclude_fields=*&__context__=%s", archived["id"], url.QueryEscape("{'active_test': False}"))); fmt.Sprint(got["id"]) != fmt.Sprint(archived["id"]) {
		h.t.Errorf("an archived record: %v", got)
	}
	demo := h.as(h.t, stack.RoleDemo)
	foreign := h.odoo("res.company", []any{[]any{"name", "=", "Second Company"}}, []any{"id"}, nil)[0].(map[string]any)
	got := demo.refused(fmt.Sprintf("/api/res.partner?__context__={'allowed_company_ids':[%v]}", foreign["id"]), 409, "not_read_object_in_odoo")
	if !strings.Contains(got.description(), fmt.Sprint(foreign["id"])) {
		h.t.Errorf("a foreign company is not named: %s", got.body)
	}
}

// refused checks that a read is refused in the contract's way.
func (h httpReads) refused(path string, status int, code string) answer {
	h.t.Helper()
	got := h.v.send("GET", path, h.token, "")
	if got.status != status || got.code() != code || got.header.Get("X-Read-Path") != "" {
		h.t.Errorf("%s: got %d %.300s, want %d %s", path, got.status, got.body, status, code)
	}
	return got
}
