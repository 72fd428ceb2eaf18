// Package auth answers who is asking and what they may see: tokens and their stores, the
// principal, and access: model ACL, record rules and field visibility, as Odoo decides them.
package auth

// Credentials are what Odoo's RPC wants of a user. Secret is a password or an API key; it is kept
// sealed under the user's token and never logged.
type Credentials struct {
	UID    int64
	Login  string
	Secret string
}

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
	// one fingerprint see the same.
	Fingerprint string

	policy *Policy
	// unexported memo of Access results follows
}
