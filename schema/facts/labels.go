package facts

import "strings"

// labelVerdict says that an override of name_get or _compute_display_name leaves the label a plain field, given the
// context keys this service passes.
type labelVerdict struct {
	on      string
	methods string
	field   string // the field the label then equals; empty for what it would be without the override
	unless  string // a condition, in SQL over the model's columns, under which it may differ after all
	reason  string
}

// labelReviews holds the overrides of labels that were read and found plain. All others are taken for what their
// authors wrote them for: a label that is not a field.
var labelReviews = map[string]map[reviewKey]labelVerdict{
	"14.0": indexLabels([]labelVerdict{
		{"ir.ui.view", "website.name_get", "", "", "adds the website only for the context key display_website"},
		{"res.currency", "base.name_get", "", "", "the name as text"},
		{"sale.order", "sale.name_get", "", "", "adds the customer only for the context key sale_show_partner_name"},
		{
			// display_name is a stored column here, and a read, or a many2one's label, is that column. It holds the
			// contact's name, for a person under a company "Company, Name", in the language of whoever wrote it
			// last (the name of an address type is translated). name_get, the RPC method, rebuilds it.
			"res.partner",
			"base.name_get, base._compute_display_name, hr.name_get, im_livechat.name_get, website._compute_display_name",
			"display_name", "", "the stored column display_name, whatever computes it",
		},
	}),
	"19.0": indexLabels([]labelVerdict{
		{"product.category", "product._compute_display_name", "", "", "the name alone only for the context key hierarchical_naming"},
		{"product.uom", "product._compute_display_name", "", "", "differs only for the context key show_variant_name"},
		{
			"res.users", "crm._compute_display_name, hr_holidays._compute_display_name", "", "",
			"add to it only for the context key formatted_display_name",
		},
		{
			// Without the context keys show_*, partner_show_db_id, formatted_display_name and display_website, the
			// label is made as the stored complete_name is, then white space before line ends is removed. But
			// complete_name is made without a language: an unnamed address shows the name of its type, in the
			// reader's language, where complete_name has it in English.
			"res.partner",
			"base._compute_display_name, im_livechat._compute_display_name, l10n_tr_nilvera_einvoice_extended._compute_display_name, website._compute_display_name",
			"complete_name", `coalesce(name, '') = '' OR complete_name IS NULL OR complete_name LIKE E'%\n%'`,
			"made as the stored complete_name is, but in the reader's language",
		},
		{"sale.order", "sale._compute_display_name", "", "", "adds the customer only for the context key sale_show_partner_name"},
		{
			"stock.location", "stock._compute_display_name", "complete_name", "",
			"rebuilt as the stored complete_name is, from the same fields (but as the reader, who must see the parent)",
		},
		{
			"stock.package", "stock._compute_display_name", "name", "",
			"another name than _rec_name says; longer only for context keys",
		},
		{"stock.package.type", "stock._compute_display_name", "", "", "adds dimensions only for the context key formatted_display_name"},
		{"stock.lot", "product_expiry._compute_display_name", "", "", "adds the expiry only for the context key formatted_display_name"},
		{"ir.ui.view", "website._compute_display_name", "", "", "differs only for the context keys display_key and display_website"},
		{"uom.uom", "uom._compute_display_name", "", "", "adds the reference unit only for the context key formatted_display_name"},
	}),
}

// reviewedLabel tells whether an override of the label was found plain, and notes on the model what it makes of it.
func reviewedLabel(series, on, module, method string, m *Model) bool {
	v, ok := labelReviews[series][reviewKey{on, module + "." + method}]
	if ok && v.field != "" {
		m.label, m.labelUnless = v.field, v.unless
	}
	return ok
}

func indexLabels(list []labelVerdict) map[reviewKey]labelVerdict {
	table := map[reviewKey]labelVerdict{}
	for _, v := range list {
		for method := range strings.SplitSeq(v.methods, ", ") {
			table[reviewKey{v.on, method}] = v
		}
	}
	return table
}
