package facts

// reviews14 holds what each overridden method of Odoo 14.0 does to a reader, found by reading its code. An override
// that is not listed, of these models or others, guards its model.
var reviews14 = []verdict{
	{
		"account.move.line", "account.search_read", masks, "cumulated_balance",
		"search_read passes its domain and order on to the computed field cumulated_balance, which is 0 in a plain read",
	},
	{
		"account.tax", "account._search", harmless, "",
		"adds a condition only for the context keys move_type and journal_id",
	},
	{
		"calendar.event", "calendar.read", guarded, "",
		"blanks the values of other people's private events",
	},
	{
		"crm.lead", "crm.search", rewrites, "activity_date_deadline_my",
		"ordering by the reader's own next activity is done in Python",
	},
	{
		"hr.employee", "hr._read, hr.read, hr._search", guarded, "",
		"who may not read employees silently reads hr.employee.public instead",
	},
	{
		"hr.leave.report.calendar", "hr_holidays._read", harmless, "",
		"shortens the name only for the context key hide_employee_name",
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
		"ir.attachment", "base._search, base._read", guarded, "",
		"access follows the document that the attachment belongs to; attachments of fields are hidden",
	},
	{
		"ir.rule", "base._compute_domain", harmless, "",
		"computes the rules of other models; reads of rules themselves are ordinary",
	},
	{
		"ir.translation", "base._search", harmless, "",
		"writes pending changes to the database first",
	},
	{
		"ir.ui.menu", "base._search", guarded, "",
		"hides menus by groups, and by access to the model of their action",
	},
	{
		"mail.activity", "mail._filter_access_rules, mail._filter_access_rules_python", guarded, "",
		"check_access_rule, which every read without a column runs, follows the access to the document",
	},
	{
		"mail.blacklist", "mail._search", rewrites, "email",
		"normalises the e-mail address in a term",
	},
	{
		"mail.message", "mail._search, mail.check_access_rule, mail.read", guarded, "",
		"access by author, recipients, channels and document",
	},
	{
		"phone.blacklist", "phone_validation._search", rewrites, "number",
		"normalises the phone number in a term, by the reader's country",
	},
	{
		"product.product", "product._search", harmless, "",
		"adds a condition only for the context key search_default_categ_id",
	},
	{
		"res.groups", "base._search", rewrites, "full_name",
		"ordering by full_name, which is computed, is done in Python",
	},
	{
		// The override looks for exactly one term, the tuple ('parent_id', 'in', ids) with ids other than [False].
		// Terms that arrive by RPC are lists, which do not equal a tuple; what does are the searches that the ORM
		// makes itself: each step of child_of (res.partner has no parent_path), and a dotted path through a
		// one2many of partners. Reading child_ids is exempt by its domain on active.
		"res.partner", "base._search", rewrites, "* child_of, parent_id in",
		"child_of walks down through archived contacts, and so does a path like child_ids.parent_id",
	},
	{
		"res.partner.bank", "base._search", rewrites, "acc_number",
		"searches sanitized_acc_number instead, with wildcards added for the like operators",
	},
	{
		// read is overridden twice: for one's own record, and (class UsersView) for the virtual fields that show
		// groups as check boxes.
		"res.users", "base.read", selfRead, "",
		"one's own record is read as superuser where only self-readable fields are asked for",
	},
	{
		// USER_PRIVATE_FIELDS is empty in base; auth_oauth, where its code is loaded, adds oauth_access_token.
		"res.users", "base._read, base._search", masks, "oauth_access_token",
		"private fields read ******** without write access to users, and may not be searched",
	},
	{
		"sms.resend", "sms._check_access", harmless, "",
		"a method of the wizard's own that only shares its name with the ORM's of later series",
	},
}
