package auth

// Policy is an immutable snapshot of what decides access for all users: ACL lines, record rules,
// groups, languages and the fallbacks of company-dependent fields. It is rebuilt when Odoo signals
// a change (schema.Signals.Cache), which is more often than the catalogue changes.
type Policy struct {
	// Stamp is the cache signal the policy was built at. LoadPolicy leaves it to the caller, who
	// must have read it in the same snapshot or an earlier one.
	Stamp string
	// Languages holds the codes of the active languages.
	Languages map[string]bool
	// GroupIDs maps external ids of groups ("base.group_user") to res.groups ids.
	GroupIDs map[string]int64
	// Fallbacks holds ir_default values of company-dependent fields (18.0+): model → field →
	// candidates in Odoo's order of precedence.
	Fallbacks map[string]map[string][]Fallback
	// Presets holds the texts of the presets kept in Odoo's parameters, by model. They are not
	// access, but they too are announced by the cache signal and decide what answers show.
	Presets map[string]string
	// Precisions holds the decimals of each decimal.precision, by name. Neither are they access.
	Precisions map[string]int

	languagesByName []string
	acl             map[string]acl
	rules           map[string][]rule // by model, in the order of their ids
	implied         map[int64][]int64 // 19.0: group → groups it implies directly
	// aliased holds the groups with several external ids, of which has_group of 18.0+ knows one.
	aliased map[int64]bool
	// digest identifies the content, whatever the stamp says; groupDigest that of GroupIDs.
	digest      string
	groupDigest string
}

// Fallback is one ir_default row without condition, for user 1 or for everybody.
type Fallback struct {
	CompanyID int64  // 0: every company
	JSON      string // the value's JSON text
}

// acl is who may read a model.
type acl struct {
	everyone bool // by a line without group
	groups   []int64
}

// rule is one active record rule for reading.
type rule struct {
	id int64
	// global is the stored flag, which only selects the rule; having no groups is what makes it
	// restrict everybody.
	global bool
	groups []int64
	domain string // the Python text; empty: no restriction
}

// readable reports whether the model's ACL lets the principal read it: some active line grants it
// to everybody or to a group that is held (Odoo 14.0: addons/base/models/ir_model.py,
// IrModelAccess.check; 19.0: _get_allowed_models). Without any line nobody may.
func (p *Policy) readable(principal *Principal, model string) bool {
	if principal.UID == superuser {
		return true
	}
	lines := p.acl[model]
	return lines.everyone || principal.holdsAny(lines.groups)
}

// closure adds the groups that the given ones imply, directly or not (19.0:
// addons/base/models/res_groups.py, _compute_all_implied_ids).
func (p *Policy) closure(groups []int64) map[int64]bool {
	held := make(map[int64]bool, 2*len(groups))
	pending := append([]int64(nil), groups...)
	for len(pending) > 0 {
		id := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if held[id] {
			continue
		}
		held[id] = true
		pending = append(pending, p.implied[id]...)
	}
	return held
}

// installedLanguage returns the first of the candidates that is active and, where none is, English
// or any language at all (Odoo 16.0–19.0: addons/base/models/res_users.py, context_get).
func (p *Policy) installedLanguage(candidates ...string) string {
	const english = "en_US"
	for _, code := range append(candidates, english) {
		if p.Languages[code] {
			return code
		}
	}
	if len(p.languagesByName) > 0 {
		return p.languagesByName[0]
	}
	return english
}
