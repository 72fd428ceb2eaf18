package integration

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"lateral/integration/stack"
	"lateral/schema"
)

// row selects the row of a field in the page's tree.
func row(path ...string) string {
	return fmt.Sprintf(`[data-path="%s"] > .row`, strings.Join(path, "."))
}

// logIn logs a user in on the page.
func (b *browser) logIn(login, password string) {
	b.t.Helper()
	b.do("logging in as "+login,
		chromedp.WaitVisible(chromedp.CSS("#login-form")),
		chromedp.SetValue(chromedp.CSS("[name=username]"), login),
		chromedp.SetValue(chromedp.CSS("[name=password]"), password),
		chromedp.Click(chromedp.CSS("#login-form button")),
		chromedp.WaitVisible(chromedp.CSS("#studio")))
}

// pick opens a model on the page.
func (b *browser) pick(model string) {
	b.t.Helper()
	b.do("picking "+model,
		chromedp.SendKeys(chromedp.CSS("#model"), model+kb.Enter),
		chromedp.WaitVisible(chromedp.CSS(row("id"))))
	b.until(`document.querySelector("#parts [aria-selected=true]") !== null`)
}

// click ticks a tree's fields in its order, opening relation by relation.
func (b *browser) click(tree *schema.Tree, path ...string) {
	b.t.Helper()
	for _, item := range tree.Items {
		here := append(path[:len(path):len(path)], item.Name)
		if item.Sub == nil {
			ticked := b.text(fmt.Sprintf("document.querySelector(%q).parentElement.ariaChecked", row(here...)))
			if ticked == "false" {
				b.do("ticking "+strings.Join(here, "."), chromedp.Click(chromedp.CSS(row(here...)+" > .tick")))
			}
			continue
		}
		b.do("opening "+strings.Join(here, "."), chromedp.Click(chromedp.CSS(row(here...)+" > .twist")),
			chromedp.WaitVisible(chromedp.CSS(row(append(here, "id")...))))
		b.click(item.Sub, here...)
	}
}

// write puts a text into the editor, as if it was typed.
func (b *browser) write(text string) {
	b.t.Helper()
	b.do("writing", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
		`(() => { const t = document.getElementById("text"); t.value = %q; t.dispatchEvent(new Event("input")); })()`, text)))
}

// sameJSON compares two texts of JSON.
func sameJSON(t *testing.T, got, want string) bool {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatalf("%v in %.300s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatalf("%v in %.300s", err, want)
	}
	return reflect.DeepEqual(a, b)
}

const (
	editorText = `document.getElementById("text").value`
	viewText   = `document.getElementById("view").textContent`
)

// Ensure the page does in a real browser what it is for: log in, build the seed's Example #3 by clicks, see
// the answer of a record with its costs, SQL and plan, edit the text and see the tree follow, save, and
// have the API answer so; that a user who is no administrator sees less; and that it all works with the
// keyboard and on a phone.
func TestStudio(t *testing.T) {
	s := shared(t, versions()[0]).fork(t)
	v := s.serve(t, nil)
	studioAccess(t, s, v)
	b := newBrowser(t)
	studioInBrowser(t, b, s, v)
	studioSession(b, s, v)
	docsInBrowser(t, b, s, v)
}

// studioAccess ensures the page's routes tell each user what Odoo tells the user and no more, and SQL to
// administrators alone.
func studioAccess(t *testing.T, s *stand, v *service) {
	const body = `{"operation": "read_all", "read_all": "('id', ('country_id', ('name',)))"}`
	for _, role := range []string{stack.RoleAdmin, stack.RoleDemo, stack.RolePortal} {
		user := s.User(role)
		v.login(t, user.Login, user.Password)
		who := s.login(t, role)
		got := v.send("GET", "/studio/api/models", v.token, "")
		var list struct {
			Administrator bool
			Models        []struct{ Model string }
		}
		if err := json.Unmarshal(got.body, &list); err != nil || list.Administrator != (role == stack.RoleAdmin) {
			t.Fatalf("%s: models: %d %.200s", role, got.status, got.body)
		}
		listed := map[string]bool{}
		for _, m := range list.Models {
			listed[m.Model] = true
		}
		for _, model := range []string{"res.users", "sale.order", "ir.config_parameter"} {
			may := odooRefusal(t, func() error {
				_, err := s.odoo.Execute(t.Context(), who, model, "search_read", []any{[]any{}, []any{"id"}}, map[string]any{"limit": 1})
				return err
			}) == ""
			if listed[model] != may {
				t.Errorf("%s: %s is listed: %v, Odoo lets the user read it: %v", role, model, listed[model], may)
			}
			got := v.send("GET", "/studio/api/models/"+model, v.token, "")
			if !may {
				if got.status != 403 {
					t.Errorf("%s: fields of %s: %d %.200s", role, model, got.status, got.body)
				}
				continue
			}
			visible, _ := s.call(t, who, model, "fields_get", nil, map[string]any{"attributes": []any{"string"}}).(map[string]any)
			var fields struct {
				Fields []struct{ Name, Label string }
			}
			if err := json.Unmarshal(got.body, &fields); err != nil || len(fields.Fields) == 0 {
				t.Fatalf("%s: fields of %s: %d %.200s", role, model, got.status, got.body)
			}
			for _, f := range fields.Fields {
				if attributes, ok := visible[f.Name].(map[string]any); !ok || attributes["string"] != f.Label {
					t.Errorf("%s: %s.%s is listed as %q, Odoo says %v", role, model, f.Name, f.Label, visible[f.Name])
				}
			}
		}
		got = v.send("POST", "/studio/api/models/res.partner/preview", v.token, body)
		shown := strings.Contains(string(got.body), `"sql":"`) && strings.Contains(string(got.body), "SELECT concat(") && strings.Contains(string(got.body), "Execution Time")
		if got.status != 200 || shown != (role == stack.RoleAdmin) || role != stack.RoleAdmin && strings.Contains(string(got.body), "SELECT") {
			t.Errorf("%s: preview: %d %.300s", role, got.status, got.body)
		}
		if got := v.send("GET", "/studio/api/models/res.partner/records?search=a", v.token, ""); got.status != 200 {
			t.Errorf("%s: records: %d %.300s", role, got.status, got.body)
		}
		if got := v.send("PUT", "/studio/api/presets/res.partner", v.token, "{'read_all': 'nothing'}"); got.status != map[bool]int{true: 422, false: 403}[role == stack.RoleAdmin] {
			t.Errorf("%s: saving: %d %.300s", role, got.status, got.body)
		}
	}
	// A field for some groups alone is refused as a read refuses it.
	user := s.User(stack.RoleDemo)
	v.login(t, user.Login, user.Password)
	got := v.send("POST", "/studio/api/models/res.company/preview", v.token, `{"operation": "read_all", "read_all": "('id', ('partner_id', ('signup_type',)))"}`)
	if got.status != 403 || !strings.Contains(string(got.body), "signup_type") {
		t.Errorf("a hidden field: %d %.300s", got.status, got.body)
	}
}

// runCurl runs the lines that the page shows, as a user, and returns the answer.
func runCurl(t *testing.T, lines string, user stack.User) string {
	t.Helper()
	lines = strings.Replace(lines, `"username": "…", "password": "…"`, fmt.Sprintf(`"username": %q, "password": %q`, user.Login, user.Password), 1)
	out, err := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", lines).Output()
	if err != nil {
		t.Fatalf("%v:\n%s\n%s", err, lines, out)
	}
	return string(out)
}

// studioSettings writes the other keys of the preset on the page: the review shows the difference to the
// preset in force, and what is saved is kept in Odoo and obeyed by the API.
func studioSettings(b *browser, s *stand, v *service) {
	t := b.t
	t.Helper()
	b.do("settings", chromedp.Click(chromedp.CSS("[data-part=settings]")))
	b.write("{\n    'domain': [('state', '=', 'sale')],\n    'defaults': {'origin': 'Studio'},\n    'success_codes': {'read_all': 203},\n}")
	b.until(`!document.getElementById("save").disabled && document.getElementById("draft-state").textContent === "not saved"`)
	b.do("review", chromedp.Click(chromedp.CSS("#save")), chromedp.WaitVisible(chromedp.CSS("#review")))
	b.until(`document.querySelectorAll("#diff .added").length === 3 && document.querySelectorAll("#diff .removed").length === 0 && document.querySelectorAll("#diff .same").length > 10`)
	b.shot("07-review-of-settings")
	b.do("save", chromedp.Click(chromedp.CSS("#review-save")))
	b.until(`!document.getElementById("review").open && document.getElementById("draft-state").textContent === "saved"`)
	c := s.client(t, v, stack.RoleAdmin)
	if kept := c.odoo("ir.config_parameter", "get_param", []any{"lateral.preset.sale.order"}, nil); !strings.Contains(fmt.Sprint(kept), "'origin': 'Studio'") {
		t.Errorf("Odoo keeps %v", kept)
	}
	sold := c.odoo("sale.order", "search_count", []any{[]any{[]any{"state", "=", "sale"}}}, nil)
	page := c.ask("GET", "/api/sale.order?exclude_fields=*", nil, 203).(map[string]any)
	if fmt.Sprint(page["count"]) != fmt.Sprint(sold) {
		t.Errorf("with the domain that was saved: %v orders, Odoo has %v", page["count"], sold)
	}
	customer := c.ids("res.partner", nil, 1)[0]
	c.holds("sale.order", c.create("sale.order", fields{"partner_id": customer}), fields{"origin": "Studio"})
	b.do("the schema", chromedp.Click(chromedp.CSS("[data-part=read_one]")))
}

func studioInBrowser(t *testing.T, b *browser, s *stand, v *service) {
	tree := example3Preset(t, s).ReadOne
	user := s.User(stack.RoleAdmin)
	b.size(1360, 860, false)
	b.do("the page", chromedp.Navigate(v.url+"/studio"))
	b.do("a wrong password",
		chromedp.WaitVisible(chromedp.CSS("#login-form")),
		chromedp.SetValue(chromedp.CSS("[name=username]"), user.Login),
		chromedp.SetValue(chromedp.CSS("[name=password]"), "wrong"),
		chromedp.Click(chromedp.CSS("#login-form button")))
	b.until(`document.getElementById("login-error").textContent.includes("refused")`)
	b.quiet("401")
	b.shot("01-login")
	b.logIn(user.Login, user.Password)
	b.shot("02-welcome")

	b.pick("sale.order")
	for part, want := range map[string]string{"label": "Customer", "names code": "partner_id", "type": "→ res.partner"} {
		b.expect(fmt.Sprintf("document.querySelector('%s .%s').textContent", row("partner_id"), part), want)
	}
	b.click(tree)
	want := schema.FormatTree(tree)
	b.until(fmt.Sprintf("%s === %q", editorText, want))
	b.do("choosing a record", chromedp.SendKeys(chromedp.CSS("#record"), "7"+kb.Enter))
	b.until(`/"id": 7,[^]*"attribute_line_ids"/.test(` + viewText + `)`)
	shown := b.text(viewText)
	b.expect(`document.querySelector("#measure .cost").textContent`, "direct")
	b.expect(`/^[0-9.]+ ms$/.test(took.textContent) && parseFloat(took.textContent) > 0`, "true")
	b.expect(fmt.Sprintf("document.querySelector('%s > .cost').className", row("access_url")), "cost hybrid")
	b.shot("03-example")
	for view, text := range map[string]string{"sql": "LEFT JOIN LATERAL", "plan": "Execution Time"} {
		b.do(view, chromedp.Click(chromedp.CSS("[data-view="+view+"]")))
		b.until(fmt.Sprintf("%s.includes(%q)", viewText, text))
	}
	b.do("curl", chromedp.Click(chromedp.CSS("[data-view=curl]")))
	b.until(viewText + `.includes("include_fields=(")`)
	if got := runCurl(t, b.text(viewText), user); !sameJSON(t, shown, got) {
		t.Errorf("the curl line answers %s\nthe page has shown %s", got, shown)
	}
	b.shot("04-curl")
	b.do("plan", chromedp.Click(chromedp.CSS("[data-view=plan]")))
	b.shot("05-plan")
	b.do("answer", chromedp.Click(chromedp.CSS("[data-view=json]")))

	// The tree follows the text, and mistakes are told with their line.
	b.write("(\n    'id',\n    ('order_line', [('id', 'prise')]),\n)")
	b.until(`document.getElementById("mistakes").textContent.startsWith("Line 3: ")`)
	b.expect(`document.querySelector("#gutter .bad").textContent.trim()`, "3")
	b.expect(`document.getElementById("save").disabled`, "true")
	b.shot("06-mistake")
	b.write("('id', 'access_url', ('order_line', [('id', 'discount')]))")
	b.until(fmt.Sprintf("document.querySelector('%s').parentElement.ariaChecked === 'true'", row("order_line", "discount")))
	b.expect(fmt.Sprintf("document.querySelector('%s').parentElement.ariaChecked", row("name")), "false")
	b.until(viewText + `.includes('"discount"')`)
	b.expect(`document.querySelector("#measure .cost").textContent`, "hybrid")
	b.write(want)
	b.until(viewText + `.includes('"attribute_line_ids"')`)
	b.until(`!document.getElementById("answer").hasAttribute("aria-busy")`)

	// By keyboard: from the row of id down to name, which is unticked and ticked again, and a relation.
	b.do("keys", chromedp.Focus(chromedp.CSS("[data-path=id]")), chromedp.KeyEvent(kb.Home), chromedp.KeyEvent(kb.ArrowDown))
	b.expect(`document.activeElement.dataset.path`, "name")
	b.do("untick by keyboard", chromedp.KeyEvent(" "))
	b.until(fmt.Sprintf("!%s.includes(\"'id', 'name', 'date_order'\")", editorText))
	b.write(want)
	b.until(fmt.Sprintf("document.querySelector('%s').parentElement.ariaChecked === 'true'", row("name")))
	b.do("to the lines", chromedp.Focus(chromedp.CSS(`[data-path=order_line]`)), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowLeft))
	b.expect(`document.activeElement.dataset.path`, "order_line")
	b.do("close", chromedp.KeyEvent(kb.ArrowLeft))
	b.expect(`document.activeElement.ariaExpanded`, "false")
	b.do("open", chromedp.KeyEvent(kb.ArrowRight))
	b.expect(`document.activeElement.ariaExpanded`, "true")

	// Saving, and the API's answer by the preset.
	b.until(`!document.getElementById("save").disabled`)
	b.do("review", chromedp.Click(chromedp.CSS("#save")), chromedp.WaitVisible(chromedp.CSS("#review")))
	b.until(`document.querySelectorAll("#diff .added").length > 10`)
	b.shot("07-review")
	b.do("save", chromedp.Click(chromedp.CSS("#review-save")))
	b.until(`!document.getElementById("review").open && document.getElementById("draft-state").textContent === "saved"`)
	token := v.admin(t, s)
	got := v.send("GET", "/api/sale.order/7", token, "")
	if got.status != 200 || !sameJSON(t, shown, string(got.body)) {
		t.Errorf("with the preset that was saved: %d %s\nthe page has shown %s", got.status, got.body, shown)
	}
	b.do("curl", chromedp.Click(chromedp.CSS("[data-view=curl]")))
	b.until(viewText + `.includes("/api/sale.order/7") && !` + viewText + `.includes("include_fields")`)
	if got := runCurl(t, b.text(viewText), user); !sameJSON(t, shown, got) {
		t.Errorf("with the preset that was saved the curl line answers %s\nthe page has shown %s", got, shown)
	}
	studioSettings(b, s, v)
	b.quiet("401", "422")

	b.do("answer", chromedp.Click(chromedp.CSS("[data-view=json]")))
	b.size(1360, 860, true)
	b.shot("08-dark")
	b.size(360, 740, false)
	for _, pane := range []string{"fields", "schema", "answer"} {
		b.do(pane, chromedp.Click(chromedp.CSS("[data-pane="+pane+"][role=tab]")), chromedp.WaitVisible(chromedp.CSS("#"+pane)))
		b.expect("document.documentElement.scrollWidth <= innerWidth", "true")
		b.shot("09-phone-" + pane)
	}
	b.size(1360, 860, false)

	// A model that Odoo reads says so, and why.
	b.pick("ir.attachment")
	b.until(`document.querySelector("#measure .cost").textContent === "through Odoo"`)
	b.expect(`document.getElementById("model-note").textContent.startsWith("Read through Odoo: ")`, "true")
	b.expect(fmt.Sprintf("document.querySelector('%s > .cost').className", row("name")), "cost odoo")

	// A user who is no administrator sees neither SQL nor presets.
	demo := s.User(stack.RoleDemo)
	b.do("logging out", chromedp.Click(chromedp.CSS("#logout")))
	b.logIn(demo.Login, demo.Password)
	b.pick("sale.order")
	b.until(viewText + `.includes('"name"')`)
	for _, hidden := range []string{"[data-view=sql]", "[data-view=plan]", "#save"} {
		b.expect(fmt.Sprintf("document.querySelector(%q).hidden", hidden), "true")
	}
	b.expect(`document.getElementById("user").textContent`, demo.Login)
	b.shot("10-demo")
	b.quiet()
}

// docsInBrowser ensures Swagger UI runs in a browser: it logs in there and sees the operations of a model.
func docsInBrowser(t *testing.T, b *browser, s *stand, v *service) {
	user := s.User(stack.RoleAdmin)
	b.do("docs", chromedp.Navigate(v.url+"/docs"),
		chromedp.WaitVisible(chromedp.CSS("#lateral-login")),
		chromedp.SetValue(chromedp.CSS("[name=username]"), user.Login),
		chromedp.SetValue(chromedp.CSS("[name=password]"), user.Password),
		chromedp.SetValue(chromedp.CSS("[name=models]"), "sale.order"),
		chromedp.Click(chromedp.CSS("#lateral-login button")))
	b.until(`[...document.querySelectorAll(".opblock-tag")].some((tag) => tag.textContent.includes("sale.order"))`)
	b.do("opening a model", chromedp.Click(chromedp.CSS(`[data-tag="sale.order"] button`)))
	for _, operation := range []string{"GET /api/sale.order", "GET /api/sale.order/{id}", "POST /api/sale.order", "PUT /api/sale.order/{id}", "DELETE /api/sale.order/{id}"} {
		b.until(fmt.Sprintf(`[...document.querySelectorAll(".opblock-summary")].some((o) => o.querySelector(".opblock-summary-method").textContent + " " + o.querySelector(".opblock-summary-path").dataset.path === %q)`, operation))
	}
	b.expect(`document.querySelectorAll(".errors-wrapper, .version-pragma, .error-wrapper").length`, "0")
	b.shot("13-docs")
	b.quiet()
}
