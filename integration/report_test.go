package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"lateral/integration/stack"
	"lateral/writer"
)

// printed reads a report as a JSON string of base64 and returns the PDF.
func (v *service) printed(t testing.TB, method, path, token, body string) []byte {
	t.Helper()
	got := v.send(method, path, token, body)
	var text string
	if err := json.Unmarshal(got.body, &text); err != nil || got.status != 200 || got.err != nil {
		t.Fatalf("%s %s: %d %.500s, %v, %v", method, path, got.status, got.body, err, got.err)
	}
	for i, line := range strings.Split(text, "\n") {
		if len(line) > 76 || len(line) < 76 && !strings.HasSuffix(text, line) {
			t.Fatalf("%s: line %d of the base64 has %d characters", path, i, len(line))
		}
	}
	pdf, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(text, "\n", ""))
	if err != nil || !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		t.Fatalf("%s: no PDF: %.40q, %v", path, pdf, err)
	}
	return pdf
}

// orderReport is a report of the demo data's orders.
const orderReport = "sale.report_saleorder"

// Ensure a report comes in both forms and both verbs, from the one session of its token, and that
// what is wrong comes as an error of the contract and never as a page.
func TestReports(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		v := s.serve(t, nil)
		token := v.admin(t, s)
		path := "/api/report/get_pdf?report_name=" + orderReport + "&ids=[1]"
		pdf := v.printed(t, "PUT", "/api/report/get_pdf", token, `{"report_name": "`+orderReport+`", "ids": [1], "__context__": {"lang": "fr_FR"}}`)
		raw := v.send("GET", path+"&format=raw", token, "")
		if raw.status != 200 || raw.header.Get("Content-Type") != "application/pdf" || !bytes.HasPrefix(raw.body, []byte("%PDF-")) ||
			raw.header.Get("Content-Length") != fmt.Sprint(len(raw.body)) || !strings.Contains(raw.header.Get("Content-Disposition"), ".pdf") {
			t.Errorf("raw: %d %v", raw.status, raw.header)
		}
		if len(pdf) < 1000 || len(raw.body) < 1000 {
			t.Errorf("PDFs of %d and %d bytes", len(pdf), len(raw.body))
		}
		for _, test := range []struct {
			query  string
			status int
			code   string
			text   string
		}{
			{"report_name=no.such_report&ids=[1]", 409, "not_called_method_in_odoo", "there is no report 'no.such_report'"},
			{"report_name=" + orderReport + "&ids=[999999]", 409, "not_called_method_in_odoo", "ERROR: MissingError("},
			{"report_name=../../web/login&ids=[1]", 409, "not_called_method_in_odoo", "there is no report"},
			{"report_name=" + orderReport, 501, "report_method_not_implemented", "ids"},
			{"ids=[1]", 501, "report_method_not_implemented", "report_name"},
		} {
			for _, format := range []string{"", "&format=raw"} {
				got := v.send("GET", "/api/report/get_pdf?"+test.query+format, token, "")
				if got.status != test.status || got.code() != test.code || !strings.Contains(string(got.body), test.text) {
					t.Errorf("%s: %d %s", test.query, got.status, got.body)
				}
			}
		}
		v.refusesReports(t, s)
		for _, secret := range []string{token, "session_id", "password=", "SELECT "} {
			if strings.Contains(v.log.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

// refusesReports checks that records which Odoo does not let a user read are not printed for the
// user either: neither rendered nor out of what was stored when somebody else printed them.
func (v *service) refusesReports(t *testing.T, s *stand) {
	t.Helper()
	admin := s.login(t, stack.RoleAdmin)
	find := func(model string, domain []any) int64 {
		ids, err := int64s(s.call(t, admin, model, "search", []any{domain}, map[string]any{"limit": int64(1)}))
		if err != nil || len(ids) != 1 {
			t.Fatalf("%s %v: %v, %v", model, domain, ids, err)
		}
		return ids[0]
	}
	for _, role := range []string{stack.RolePortal, stack.RoleSalesman} {
		user := s.User(role)
		v.login(t, user.Login, user.Password)
		who := s.login(t, role)
		order := find("sale.order", []any{[]any{"user_id", "not in", []any{who.UID, false}}})
		for _, format := range []string{"", "&format=raw"} {
			got := v.send("GET", fmt.Sprintf("/api/report/get_pdf?report_name=%s&ids=[%d]%s", orderReport, order, format), v.token, "")
			if got.status != 409 || got.code() != "not_called_method_in_odoo" || !strings.Contains(string(got.body), "AccessError(") {
				t.Errorf("%s, order %d: %d %.300s", role, order, got.status, got.body)
			}
		}
		if typed := v.send("GET", fmt.Sprintf("/v2/report/get_pdf?report_name=%s&ids=[%d]", orderReport, order), v.token, ""); typed.status != 403 {
			t.Errorf("%s, typed: %d %.300s", role, typed.status, typed.body)
		}
	}
}

// Ensure an API key prints nothing and its user is told why, that a session which Odoo has ended is
// renewed, and that a stored invoice is not handed to whom it is hidden from.
func TestReportSessions(t *testing.T) {
	eachForkAtOnce(t, func(t *testing.T, s *stand) {
		v := s.serve(t, nil)
		token := v.admin(t, s)
		path := "/api/report/get_pdf?report_name=" + orderReport + "&ids=[1]"
		v.printed(t, "GET", path, token, "")

		// All sessions end when a user's password changes; here by a detour, to the same password.
		admin := s.login(t, stack.RoleAdmin)
		for _, password := range []string{"passing", s.User(stack.RoleAdmin).Password} {
			s.call(t, admin, "res.users", "write", []any{[]any{admin.UID}, map[string]any{"password": password}}, nil)
			admin.Secret = password
		}
		v.printed(t, "GET", path, token, "")

		demo := s.login(t, stack.RoleDemo)
		key := newAPIKey(t, s, demo.UID)
		v.login(t, demo.Login, key)
		for range 3 {
			got := v.send("GET", path, v.token, "")
			if got.status != 409 || got.code() != "not_called_method_in_odoo" || !strings.Contains(string(got.body), "API key") {
				t.Errorf("with an API key: %d %s", got.status, got.body)
			}
		}
		// A key is refused once and no more: Odoo counts such logins and locks out the address.
		if refused := regexp.MustCompile(`outcome="no_session"`); !refused.MatchString(string(v.send("GET", "/metrics", "", "").body)) {
			t.Error("metrics do not tell of the refusals")
		}

		v.refusesSecondFactor(t, s)

		invoice := s.invoice(t)
		path = fmt.Sprintf("/api/report/get_pdf?report_name=account.report_invoice_with_payments&ids=[%d]", invoice)
		v.printed(t, "GET", path, token, "")
		portal := s.User(stack.RolePortal)
		v.login(t, portal.Login, portal.Password)
		if got := v.send("GET", path+"&format=raw", v.token, ""); got.status != 409 || got.code() != "not_called_method_in_odoo" || !strings.Contains(string(got.body), "AccessError(") {
			t.Errorf("a stored invoice, as portal: %d %.300s", got.status, got.body)
		}

		user := s.User(stack.RoleAdmin)
		grant := v.send("POST", "/api/auth/get_tokens", "", `{"username": "`+user.Login+`", "password": "`+user.Password+`"}`)
		token, refresh := textOf(grant.body, "access_token"), textOf(grant.body, "refresh_token")
		if gone := v.send("POST", "/api/auth/delete_tokens?refresh_token="+url.QueryEscape(refresh), "", ""); gone.status != 200 {
			t.Fatalf("revoking: %d %s", gone.status, gone.body)
		}
		if got := v.send("GET", path, token, ""); got.status != 401 {
			t.Errorf("with a revoked token: %d %.200s", got.status, got.body)
		}
	})
}

// refusesSecondFactor sets up two-factor authentication for a user who has tokens: the report is refused with what to
// do, and so it is with the API key that such a user needs for everything else.
func (v *service) refusesSecondFactor(t *testing.T, s *stand) {
	t.Helper()
	user, admin := s.User(stack.RoleSalesman), s.login(t, stack.RoleAdmin)
	who := s.login(t, stack.RoleSalesman)
	order := s.call(t, who, "sale.order", "create", []any{map[string]any{"partner_id": int64(1)}}, nil)
	if ids, ok := order.([]any); ok {
		order = ids[0]
	}
	path := fmt.Sprintf("/api/report/get_pdf?report_name=%s&ids=[%d]", orderReport, order)
	v.login(t, user.Login, user.Password)
	v.printed(t, "GET", path, v.token, "")

	key := newAPIKey(t, s, who.UID)
	model, err := int64s(s.call(t, admin, "ir.model", "search", []any{[]any{[]any{"model", "=", "res.users"}}}, nil))
	if err != nil {
		t.Fatal(err)
	}
	action := s.call(t, admin, "ir.actions.server", "create", []any{map[string]any{
		"name": "two factors", "model_id": model[0], "state": "code",
		"code": fmt.Sprintf("env['res.users'].sudo().browse(%d).write({'totp_secret': 'JBSWY3DPEHPK3PXP'})", who.UID),
	}}, nil)
	if ids, ok := action.([]any); ok {
		action = ids[0]
	}
	s.call(t, admin, "ir.actions.server", "run", []any{[]any{action}}, nil)
	refused := func(says string) {
		t.Helper()
		got := v.send("GET", path, v.token, "")
		if got.status != 409 || got.code() != "not_called_method_in_odoo" || !strings.Contains(string(got.body), says) {
			t.Errorf("with two factors: %d %.500s, want what says %q", got.status, got.body, says)
		}
	}
	refused("print as a user without it")
	if got := v.send("POST", "/api/auth/get_tokens", "", `{"username": "`+user.Login+`", "password": "`+user.Password+`"}`); got.code() != "odoo_user_authentication_failed" {
		t.Errorf("a login with the password of a user with two factors: %d %s", got.status, got.body)
	}
	v.login(t, user.Login, key)
	refused("print as another user")
}

// invoice makes and posts an invoice of a partner that the portal user is not.
func (s *stand) invoice(t testing.TB) int64 {
	t.Helper()
	admin := s.login(t, stack.RoleAdmin)
	line := map[string]any{"name": "x", "quantity": 1.0, "price_unit": 10.0}
	partner := s.call(t, admin, "res.partner", "create", []any{map[string]any{"name": "Somebody else"}}, nil)
	id := s.call(t, admin, "account.move", "create", []any{map[string]any{
		"move_type": "out_invoice", "partner_id": partner, "invoice_line_ids": []any{[]any{int64(0), int64(0), line}},
	}}, nil).(int64)
	// 14.0 returns records here, which XML-RPC has no form for.
	_, err := s.odoo.Execute(t.Context(), admin, "account.move", "action_post", []any{[]any{id}}, nil)
	if fault, ok := errors.AsType[*writer.Fault](err); err != nil && (!ok || fault.Kind != writer.Unreturnable) {
		t.Fatal(err)
	}
	return id
}
