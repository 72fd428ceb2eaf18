package facts

import (
	"slices"
	"strings"
	"testing"
)

// loaded keeps what tests have loaded, by series.
var loaded = map[string]*Facts{}

func mustLoad(t *testing.T, series string) *Facts {
	t.Helper()
	if loaded[series] == nil {
		f, err := Load(series)
		if err != nil {
			t.Fatal(err)
		}
		loaded[series] = f
	}
	return loaded[series]
}

func TestLoad(t *testing.T) {
	for _, series := range []string{"14.0", "15.0", "16.0", "17.0", "18.0", "19.0"} {
		f := mustLoad(t, series)
		if f.Model("res.partner") == nil || !f.KnowsModule("base") || f.KnowsModule("my_addon") {
			t.Errorf("%s: res.partner or base missing, or my_addon known", series)
		}
	}
	if _, err := Load("20.0"); err == nil {
		t.Error("20.0 must be refused")
	}
}

// Ensure every review speaks of an override that the scan found: a review of code that is gone would hide that the
// code which replaced it has not been read.
func TestReviewsMatchScan(t *testing.T) {
	for series, table := range reviews {
		f := mustLoad(t, series)
		for key, v := range table {
			module, method, _ := strings.Cut(key.method, ".")
			if !slices.ContainsFunc(f.scans[0].Models[key.on], func(p part) bool {
				return p.In == module && p.Overrides[method] != ""
			}) {
				t.Errorf("%s: review of %s %s matches no override", series, key.on, key.method)
			}
			if v.reason == "" || (v.names == "") != (v.effect == harmless || v.effect == guarded || v.effect == selfRead) {
				t.Errorf("%s: review of %s %s has no reason, or names where it should not or none where it should", series, key.on, key.method)
			}
		}
		for key := range labelReviews[series] {
			module, method, _ := strings.Cut(key.method, ".")
			if !slices.ContainsFunc(f.scans[0].Models[key.on], func(p part) bool {
				return p.In == module && p.Overrides[method] != ""
			}) {
				t.Errorf("%s: label review of %s %s matches no override", series, key.on, key.method)
			}
		}
	}
}

func TestAccess(t *testing.T) {
	tests := []struct {
		series, model string
		want          string // guarded, self, plain, or what is masked / rewritten
	}{
		{"14.0", "sale.order", "plain"},
		{"14.0", "product.product", "plain"},
		{"14.0", "res.partner", "* child_of, parent_id in"},
		{"14.0", "res.users", "self oauth_access_token"},
		{"14.0", "mail.message", "guarded"},
		{"14.0", "account.move", "plain"},
		{"14.0", "no.such.model", "guarded"},
		{"14.0", "test_access_right.obj_categ", "guarded"}, // nobody reviewed it
		{"19.0", "sale.order", "plain"},
		{"19.0", "sale.order.line", "plain"}, // through analytic.mixin
		{"19.0", "res.users", "self"},
		{"19.0", "res.partner", "properties_base_definition_id"}, // from a mixin
		{"19.0", "account.account", "code, internal_group, placeholder_code"},
		{"19.0", "account.move.line", "cumulated_balance payment_date"},
		{"19.0", "account.code.mapping", "guarded"},
		{"19.0", "res.device", "is_current"}, // from its prototype
		{"19.0", "ir.attachment", "guarded"},
		{"17.0", "account.code.mapping", "guarded"},
		{"17.0", "res.partner", "* child_of, parent_id in, properties_base_definition_id"},
		{"17.0", "stock.quant", "lot_properties"},
		{"16.0", "sale.order.line", "analytic_distribution, analytic_distribution_search"},
	}
	for _, test := range tests {
		a := mustLoad(t, test.series).Access(test.model)
		var got []string
		if a.Guarded {
			got = append(got, "guarded")
		}
		if a.SelfRead {
			got = append(got, "self")
		}
		for _, list := range [][]string{a.Fields, a.Terms} {
			if len(list) > 0 {
				got = append(got, strings.Join(list, ", "))
			}
		}
		if a.Harmless() {
			got = []string{"plain"}
		}
		if joined := strings.Join(got, " "); joined != test.want {
			t.Errorf("%s %s: got %q, want %q; %s", test.series, test.model, joined, test.want, a.Reasons)
		}
	}
}

func TestInstalled(t *testing.T) {
	f := mustLoad(t, "19.0")
	if !f.Access("hr.employee").Guarded {
		t.Error("hr.employee must be guarded")
	}
	narrow := f.Installed([]string{"web", "sale"})
	if narrow.Model("hr.employee") != nil {
		t.Error("hr.employee must be unknown without hr")
	}
	if m := narrow.Model("res.partner"); slices.Contains(m.Modules, "hr") || !slices.Contains(m.Modules, "sale") {
		t.Errorf("modules of res.partner: %v", m.Modules)
	}
	if got := narrow.SelfReadable(); slices.Contains(got, "notification_type") || !slices.Contains(got, "login") {
		t.Errorf("self-readable fields without mail: %v", got)
	}
	if got := f.SelfReadable(); !slices.Contains(got, "notification_type") {
		t.Errorf("self-readable fields with mail: %v", got)
	}
}

func TestRewrites(t *testing.T) {
	partner := mustLoad(t, "14.0").Access("res.partner")
	tax := mustLoad(t, "19.0").Access("account.tax")
	for _, test := range []struct {
		access          Access
		field, operator string
		want            bool
	}{
		{partner, "id", "child_of", true},
		{partner, "parent_id", "in", true},
		{partner, "parent_id", "=", false},
		{tax, "name", "ilike", true},
		{tax, "name", "=", false},
		{tax, "type_tax_use", "ilike", false},
	} {
		if got := test.access.Rewrites(test.field, test.operator); got != test.want {
			t.Errorf("%s %s: got %v", test.field, test.operator, got)
		}
	}
	if !mustLoad(t, "19.0").Access("stock.picking.type").RewritesOrder("is_favorite") {
		t.Error("is_favorite must be an order of its own")
	}
}

func TestPlainDisplayName(t *testing.T) {
	tests := []struct{ series, model, want string }{
		{"14.0", "res.partner", "display_name"},
		{"19.0", "res.partner", ""},
		{"17.0", "res.partner", ""},
		{"14.0", "res.users", "name"}, // inherited by delegation
		{"19.0", "res.users", "name"},
		{"14.0", "sale.order", "name"},
		{"14.0", "product.product", ""},
		{"19.0", "product.template", ""},
		{"14.0", "product.category", "complete_name"},
		{"19.0", "stock.location", "complete_name"},
		{"19.0", "stock.package", "name"},
		{"14.0", "account.account", ""},
		{"14.0", "crm.stage", "name"},
		{"19.0", "res.country", "name"},
		{"19.0", "sale.order.line", ""},
		{"19.0", "no.such.model", ""},
	}
	for _, test := range tests {
		if got, ok := mustLoad(t, test.series).PlainDisplayName(test.model); got != test.want || ok != (test.want != "") {
			t.Errorf("%s %s: got %q, %v, want %q", test.series, test.model, got, ok, test.want)
		}
	}
}

func TestStoredDisplayName(t *testing.T) {
	field, unless, ok := mustLoad(t, "19.0").StoredDisplayName("res.partner")
	if field != "complete_name" || unless == "" || !ok {
		t.Errorf("19.0 res.partner: %q unless %q, %v", field, unless, ok)
	}
}

func TestFields(t *testing.T) {
	f14, f19 := mustLoad(t, "14.0"), mustLoad(t, "19.0")
	if !f14.BypassSearchAccess("res.users", "partner_id") || !f19.BypassSearchAccess("product.product", "product_tmpl_id") {
		t.Error("links of _inherits bypass access rights")
	}
	if !f14.RelatedAsUser("res.users", "work_phone", false) {
		t.Error("res.users.work_phone of hr is related_sudo=False")
	}
	if !f14.RelatedAsUser("res.users", "name", true) || f19.RelatedAsUser("res.users", "name", true) || !f19.RelatedAsUser("res.users", "lang", true) {
		t.Error("res.users.name is read as superuser from 19.0 on, res.users.lang never")
	}
	for _, test := range []struct {
		f            *Facts
		model, field string
		want         DomainKind
	}{
		{f14, "res.partner", "child_ids", ListDomain},
		{f14, "sale.order", "message_ids", CallableDomain}, // from mail.thread
		{f19, "res.partner.bank", "journal_id", ListDomain},
		{f19, "sale.order", "order_line", NoDomain},
		{f19, "ir.actions.server", "child_ids", StringDomain},
		{mustLoad(t, "16.0"), "account.move", "invoice_line_ids", MixedDomain},
	} {
		if got := test.f.X2manyDomain(test.model, test.field); got != test.want {
			t.Errorf("%s %s.%s: got %q, want %q", test.f.Series, test.model, test.field, got, test.want)
		}
	}
	if journal := f19.Field("res.partner.bank", "journal_id"); !journal.CheckCompany {
		t.Error("res.partner.bank.journal_id has check_company")
	}
	if !f19.Field("account.move", "attachment_ids").ReferenceOf {
		t.Error("account.move.attachment_ids has a many2one_reference for its inverse")
	}
	if got := f19.Field("sale.order.line", "analytic_distribution").Search; got != "_search_analytic_distribution" {
		t.Errorf("search method of analytic_distribution: %q", got)
	}
	if fields, ok := f14.PlainLabelSearch("crm.stage"); !ok || !slices.Equal(fields, []string{"name"}) {
		t.Errorf("label search of crm.stage: %v %v", fields, ok)
	}
	if _, ok := f14.PlainLabelSearch("res.partner"); ok {
		t.Error("the label search of res.partner is its own")
	}
}

// Ensure a later definition takes company_dependent back.
func TestCompanyDependentTakenBack(t *testing.T) {
	for _, test := range []struct {
		series, model, field string
		dependent            bool
	}{
		{"14.0", "test.inherit.property", "property_foo", false},
		{"14.0", "test.inherit.property", "property_bar", false},
		{"14.0", "product.template", "standard_price", false},
		{"14.0", "product.product", "standard_price", true},
		{"19.0", "res.partner", "property_product_pricelist", false},
		{"19.0", "res.partner", "specific_property_product_pricelist", true},
	} {
		if got := mustLoad(t, test.series).Field(test.model, test.field).CompanyDependent; got != test.dependent {
			t.Errorf("%s: %s.%s: %v", test.series, test.model, test.field, got)
		}
	}
}

// Ensure digits are known where they are written down, and between the scanned series where both agree.
func TestDigits(t *testing.T) {
	for _, test := range []struct {
		series, model, field string
		digits               any
	}{
		{"14.0", "uom.uom", "factor", 0.0},
		{"14.0", "product.template", "list_price", "Product Price"},
		{"16.0", "product.template", "list_price", nil},
		{"19.0", "product.template", "list_price", 0.0},
		{"19.0", "product.template", "weight", "Stock Weight"},
		{"16.0", "product.template", "weight", "Stock Weight"},
	} {
		if got := mustLoad(t, test.series).Field(test.model, test.field).Digits; got != test.digits {
			t.Errorf("%s: digits of %s.%s are %v, not %v", test.series, test.model, test.field, got, test.digits)
		}
	}
}
