package auth

// Policy is an immutable snapshot of what decides access for all users: ACL lines, record rules,
// groups, languages and the fallbacks of company-dependent fields. It is rebuilt when Odoo signals
// a change (schema.Signals.Cache), which is more often than the catalogue changes.
type Policy struct {
	// Stamp is the cache signal the policy was built at.
	Stamp string
	// Languages holds the codes of the active languages.
	Languages map[string]bool
	// GroupIDs maps external ids of groups ("base.group_user") to res.groups ids.
	GroupIDs map[string]int64
	// Fallbacks holds ir_default values of company-dependent fields (18.0+): model → field →
	// candidates in Odoo's order of precedence.
	Fallbacks map[string]map[string][]Fallback
}

// Fallback is one ir_default row without condition, for user 1 or for everybody.
type Fallback struct {
	CompanyID int64  // 0: every company
	JSON      string // the value's JSON text
}
