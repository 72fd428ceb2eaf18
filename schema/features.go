package schema

// Features names what differs between Odoo 14.0 and 19.0, so that no other code compares
// versions. Most are learnt from the columns that exist; the rest follow from the series.
type Features struct {
	// ClosedGroups: group membership must be closed over implications at read time (19.0).
	ClosedGroups bool
	// JSONTranslations: translated columns are jsonb, language → text (16.0+).
	JSONTranslations bool
	// JSONCompanyValues: company-dependent columns are jsonb, company → value (18.0+); before,
	// the values lie in ir_property.
	JSONCompanyValues bool
	// SignalTables: change signals are rows of orm_signaling_* tables (19.0), not sequences.
	SignalTables bool
	// CacheSequences lists the sequences that signal cache changes (14.0–18.0).
	CacheSequences []string
	// SignalTableNames lists the tables that signal changes we depend on (19.0).
	SignalTableNames []string

	// AnyOperator: domains know any and not any, and dotted paths are rewritten to them (17.0+).
	AnyOperator bool
	// FalsyValues: = False matches 0 and the empty text as well as NULL, and comparisons count
	// NULL as 0 (18.0+).
	FalsyValues bool
	// ModernDomains: the domain engine of 19.0 (odoo/orm/domains.py).
	ModernDomains bool
	// FieldGroupsInDomains: field groups are enforced in domains and orders (17.0+).
	FieldGroupsInDomains bool
	// UnaccentNamespace: how the unaccent function is looked up, see HasUnaccent.
	UnaccentAnySchema bool
	// HasUnaccent: the database has the unaccent function that Odoo would use.
	HasUnaccent bool
	// FalseText: an empty record name is shown as the text 'False' (14.0, 15.0).
	FalseText bool
	// RulesWithTime: rule domains may use the time module (14.0–18.0).
	RulesWithTime bool
	// ActiveCompanies: a user's companies are the active ones whatever active_test says (16.0+).
	ActiveCompanies bool
	// LastUpdate: models have the computed field __last_update (14.0–17.0).
	LastUpdate bool
	// CheckedMany2many: reading a many2many checks the comodel's ACL (19.0).
	CheckedMany2many bool
	// InexactRounding: rounding to digits ends in a multiplication by 0.01 and the like, which makes
	// 32.8 into 32.800000000000004 (14.0; taken for all up to 18.0, which were not looked at).
	InexactRounding bool
	// OrderKeywords: orders may say nulls first and nulls last (17.0+).
	OrderKeywords bool
	// StrictOrder: unsortable fields in an order are an error, not ignored (18.0+).
	StrictOrder bool
}

// FeaturesOf returns what follows from the series alone.
func FeaturesOf(series string) Features {
	major := seriesMajor(series)
	return Features{
		AnyOperator:          major >= 17,
		FalsyValues:          major >= 18,
		ModernDomains:        major >= 19,
		FieldGroupsInDomains: major >= 17,
		UnaccentAnySchema:    major <= 15,
		FalseText:            major <= 15,
		RulesWithTime:        major <= 18,
		ActiveCompanies:      major >= 16,
		LastUpdate:           major <= 17,
		CheckedMany2many:     major >= 19,
		InexactRounding:      major <= 18,
		OrderKeywords:        major >= 17,
		StrictOrder:          major >= 18,
		ClosedGroups:         major >= 19,
		JSONTranslations:     major >= 16,
		JSONCompanyValues:    major >= 18,
		SignalTables:         major >= 19,
	}
}

// seriesMajor returns 19 for "19.0" and for SaaS series such as "saas~18.3" the 18 before the
// point; 0 where no number is found.
func seriesMajor(series string) int {
	n, seen := 0, false
	for _, r := range series {
		switch {
		case r >= '0' && r <= '9':
			n, seen = n*10+int(r-'0'), true
		case seen:
			return n
		}
	}
	return n
}

// Signals is the state of everything by which Odoo announces changes: one text per group, compared
// for inequality only, since sequences and databases can be reset.
type Signals struct {
	Registry string // models, fields, modules
	Cache    string // rules, access rights, groups, users, companies, defaults
}
