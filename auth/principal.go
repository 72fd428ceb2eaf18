// Package auth answers who is asking and what they may see: tokens and their stores, the
// principal, and access: model ACL, record rules and field visibility, as Odoo decides them.
package auth

// superuser is the id of OdooBot, the only user whose environment is in superuser mode without
// sudo (Odoo 14.0–19.0: api.py and orm/environments.py, Environment.__new__): no ACL and no rules.
const superuser = 1

// Principal is one Odoo user in one company context: everything about the user that decides what a
// read shows. It is immutable and may be shared by requests.
type Principal struct {
	UID       int64
	Login     string
	PartnerID int64
	// Lang and Tz are what res.users.context_get gives; empty where the user has none.
	Lang string
	Tz   string
	// Groups holds the ids of the effective groups, implied ones included.
	Groups map[int64]bool
	// DefaultCompany is res_users.company_id.
	DefaultCompany int64
	// CompanyIDs is env.companies and CompanyID is env.company: the first of the allowed companies
	// of the request's context or, without any, the user's default company.
	CompanyIDs []int64
	CompanyID  int64
	// Fingerprint identifies everything above and the policy it was made from: two principals with
	// one fingerprint see the same. Of principals from a Directory this holds for the values of
	// their rules too, which may come from other records than the user's; of principals from
	// LoadPrincipal it holds for as long as those records do not change.
	Fingerprint string

	policy *Policy
	stamp  string
	// userCompanies are all companies of the user, whatever the request allows: rules see them as
	// user.env.companies, because they get the user with an empty context.
	userCompanies []int64
	// digest is the Fingerprint that LoadPrincipal gives, viewKey the part of it that decides which
	// fields are visible.
	digest  string
	viewKey string
	memo    *accessMemo
	views   *viewCache // nil without a Directory
}

// Policy returns the policy the principal was made from.
func (p *Principal) Policy() *Policy { return p.policy }

// Stamp returns the cache signal (schema.Signals.Cache) up to which the principal is known to be
// good. A reader that finds another signal in its snapshot must have the Directory renewed and
// start again.
func (p *Principal) Stamp() string { return p.stamp }

// UserCompanies returns all companies of the user, whatever the request allows. It must not be
// changed.
func (p *Principal) UserCompanies() []int64 { return p.userCompanies }

// administrators is the group that Odoo lets set parameters (14.0–19.0:
// addons/base/security/ir.model.access.csv, ir_config_parameter_system).
const administrators = "base.group_system"

// Administrator reports whether the principal is an administrator of Odoo (Administration /
// Settings).
func (p *Principal) Administrator() bool { return p.Groups[p.policy.GroupIDs[administrators]] }

// holdsAny reports whether the principal is in one of the groups.
func (p *Principal) holdsAny(groups []int64) bool {
	for _, id := range groups {
		if p.Groups[id] {
			return true
		}
	}
	return false
}
