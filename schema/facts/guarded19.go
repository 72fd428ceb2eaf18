package facts

// reviews19 holds what each overridden method of Odoo 19.0 does to a reader, found by reading its code. An override
// that is not listed, of these models or others, guards its model.
//
// In 19.0 a read of columns runs _search for the ids, and every hop of a domain runs _search of its target, so what
// an override of _search does to a domain it does there too.
var reviews19 = []verdict{
	{
		"account.account", "account._field_to_sql", rewrites, "code, placeholder_code, internal_group",
		"expressions of their own, by the root company; the default order is code, placeholder_code",
	},
	{
		"account.account", "account._order_to_sql", harmless, "",
		"puts accounts first only for the context keys preferred_account_type and preferred_account_ids",
	},
	{
		"account.account.tag", "account._field_to_sql", rewrites, "balance_negate, report_expression_id",
		"expressions over a join with account_report_expression; both fields are computed",
	},
	{
		"account.code.mapping", "account._search", guarded, "",
		"rows exist in memory only, one for each account and company of the reader",
	},
	{
		"account.move", "account._field_to_sql", rewrites, "move_sent_values, status_in_payment",
		"expressions of their own; both fields are computed",
	},
	{
		"account.move", "account.check_field_access_rights, account.read, account.search_read", harmless, "",
		"leaves out three binary fields when no fields are asked for by name",
	},
	{
		"account.move.line", "account._field_to_sql", rewrites, "payment_date",
		"an expression over today's date; the field is computed",
	},
	{
		"account.move.line", "account.check_field_access_rights, account.read, account.search_read", harmless, "",
		"leaves out five binary fields when no fields are asked for by name",
	},
	{
		"account.move.line", "account.search_fetch", masks, "cumulated_balance",
		"passes domain and order on to the computed cumulated_balance; adds id to an order that lacks it",
	},
	{
		"account.root", "account._search", guarded, "",
		"rows exist in memory only; ids are texts",
	},
	{
		"account.tax", "account._search", rewrites, "display_name ilike, display_name like, name ilike, name like",
		"splits the searched text into words or characters with wildcards between",
	},
	{
		"analytic.mixin", "analytic.filtered_domain", harmless, "",
		"filters records in memory; SQL searches on analytic_distribution go by its search method",
	},
	{
		"calendar.event", "calendar._fetch_query", guarded, "",
		"blanks the values of other people's private events",
	},
	{
		"crm.lead", "crm._field_to_sql", rewrites, "company_currency",
		"the company's currency or else the reader's; the field is computed",
	},
	{
		"crm.lead", "crm.search_fetch", rewrites, "my_activity_date_deadline",
		"ordering by the reader's own next activity is done in Python",
	},
	{
		"data_recycle.model", "data_recycle._compute_domain", harmless, "",
		"computes a field called domain",
	},
	{
		"hr.employee", "hr.check_field_access_rights, hr._has_field_access, hr._field_to_sql, hr.search_fetch, hr.fetch, hr._check_access, hr._search",
		guarded, "",
		"who may not read employees reads hr.employee.public instead; fields of the current version are joined in",
	},
	{
		"hr.job", "hr_recruitment._order_field_to_sql", rewrites, "is_favorite",
		"orders by the reader's favourites",
	},
	{
		"hr.leave.type", "hr_holidays._search", guarded, "",
		"without an order, sorts by the remaining leaves of the reader's employee",
	},
	{
		"ir.actions.act_window", "base.read", guarded, "",
		"rewrites help by the target model's Python, depending on which other fields are read along",
	},
	{
		"ir.actions.act_window", "base.exists", harmless, "",
		"the same answer from a cache",
	},
	{
		"ir.attachment", "base._search, base._check_access", guarded, "",
		"access follows the document that the attachment belongs to; attachments of fields are hidden",
	},
	{
		"ir.rule", "base._compute_domain", harmless, "",
		"computes the rules of other models; reads of rules themselves are ordinary",
	},
	{
		"mail.activity", "mail._search, mail._check_access", guarded, "",
		"access by assignee and document",
	},
	{
		"mail.blacklist", "mail._search", rewrites, "email",
		"normalises the e-mail address in a term",
	},
	{
		"mail.message", "mail._search, mail._check_access, mail.read, mail.fetch", guarded, "",
		"access by author, recipients, channels and document",
	},
	{
		"mail.scheduled.message", "mail._search", guarded, "",
		"access follows the document",
	},
	{
		"mail.template", "event._search", harmless, "",
		"adds a condition only for the context key filter_template_on_event",
	},
	{
		"product.product", "product._search", harmless, "",
		"adds a condition only for the context key search_default_categ_id",
	},
	{
		"project.project", "project._order_field_to_sql", rewrites, "is_favorite",
		"orders by the reader's favourites",
	},
	{
		"project.tags", "project.search_read", harmless, "",
		"filters and orders only for the context key project_id",
	},
	{
		"project.task", "project._has_field_access", guarded, "",
		"portal users may read only the fields of a list kept in Python",
	},
	{
		"properties.base.definition.mixin", "base._field_to_sql", rewrites, "properties_base_definition_id",
		"a constant for the whole model; the field is computed",
	},
	{
		"res.device.log", "base._order_field_to_sql", rewrites, "is_current",
		"compares with the HTTP session of the reader",
	},
	{
		"res.groups", "base._search", rewrites, "full_name",
		"ordering by full_name, which is computed, is done in Python",
	},
	{
		// _has_field_access lets the reader's own record, read alone, show each self-readable field whatever its
		// groups, also next to fields that are not self-readable (where read itself stays with the user's rights).
		"res.users", "base.read, base._has_field_access", selfRead, "",
		"one's own record is read as superuser where only self-readable fields are asked for, and their groups never count there",
	},
	{
		"sms.template", "event_sms._search", harmless, "",
		"adds a condition only for the context key filter_template_on_event",
	},
	{
		"stock.picking.type", "stock._order_field_to_sql", rewrites, "is_favorite",
		"orders by the reader's favourites, also by default",
	},
	{
		"stock.quant", "stock._search", rewrites, "lot_properties",
		"a term on a property of the lot becomes one on the lot",
	},
}
