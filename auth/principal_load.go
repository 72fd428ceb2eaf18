package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"lateral/pg"
	"lateral/schema"
)

// ErrUserGone tells that the user is missing or archived: its tokens are to be refused.
var ErrUserGone = errors.New("the user does not exist or is archived")

// CompanyError tells that the allowed companies of a request are not all the user's. It stands for
// Odoo's AccessError (14.0: api.py; 19.0: orm/environments.py, Environment.company).
type CompanyError struct {
	Companies []int64 // those that are not
}

func (e *CompanyError) Error() string {
	return fmt.Sprintf("access to unauthorized or invalid companies %v", e.Companies)
}

// principalRow is what the statement of LoadPrincipal answers.
type principalRow struct {
	Login       string
	Partner     int64
	Company     int64
	Lang        string
	Tz          string
	CompanyLang string
	Companies   []int64
	Groups      []int64
}

// LoadPrincipal reads a user in one statement: effective groups, companies, language and time zone.
// allowedCompanies is allowed_company_ids of the request's context; an empty list counts as absent,
// as in Odoo, and then all of the user's companies are. It fails with ErrUserGone, with a
// *CompanyError, or with the database's error.
func LoadPrincipal(ctx context.Context, q pg.Querier, c *schema.Catalogue, p *Policy, uid int64, allowedCompanies []int64) (*Principal, error) {
	var text []byte
	err := q.QueryRow(ctx, principalSQL(c), uid).Scan(&text)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, ErrUserGone
	case err != nil:
		return nil, fmt.Errorf("load user %d: %w", uid, err)
	}
	var row principalRow
	if err := json.Unmarshal(text, &row); err != nil {
		return nil, fmt.Errorf("load user %d: %w", uid, err)
	}
	return newPrincipal(c, p, uid, row, allowedCompanies)
}

// principalSQL asks for an active user. Companies come in the comodel's order, as both the search
// of 16.0+ and the many2many of 14.0 and 15.0 give them; archived ones are left out, which in 14.0
// and 15.0 concerns only databases that gave res.company a field active of their own.
func principalSQL(c *schema.Catalogue) string {
	companyOrder, activeCompany := "c.id", ""
	if model := c.Model("res.company"); model != nil {
		if order, ok := orderSQL(c, model, "c"); ok {
			companyOrder = order
		}
		if active := model.Field(model.ActiveName); active != nil && active.Column != "" {
			activeCompany = " AND c." + quote(active.Column)
		}
	}
	return `SELECT json_build_object(
	'Login', u.login, 'Partner', u.partner_id, 'Company', u.company_id,
	'Lang', coalesce(p.lang, ''), 'Tz', coalesce(p.tz, ''), 'CompanyLang', coalesce(cp.lang, ''),
	'Companies', coalesce((
		SELECT json_agg(c.id ORDER BY ` + companyOrder + `)
		FROM res_company_users_rel r JOIN res_company c ON c.id = r.cid
		WHERE r.user_id = u.id` + activeCompany + `), '[]'),
	'Groups', coalesce((SELECT json_agg(g.gid ORDER BY g.gid) FROM res_groups_users_rel g WHERE g.uid = u.id), '[]')
)::text
FROM res_users u
JOIN res_partner p ON p.id = u.partner_id
LEFT JOIN res_company uc ON uc.id = u.company_id
LEFT JOIN res_partner cp ON cp.id = uc.partner_id
WHERE u.id = $1 AND u.active`
}

func newPrincipal(c *schema.Catalogue, policy *Policy, uid int64, row principalRow, allowed []int64) (*Principal, error) {
	p := &Principal{
		UID: uid, Login: row.Login, PartnerID: row.Partner, Lang: row.Lang, Tz: row.Tz,
		DefaultCompany: row.Company, CompanyIDs: row.Companies, CompanyID: row.Company,
		userCompanies: row.Companies,
		policy:        policy, stamp: policy.Stamp, memo: &accessMemo{},
	}
	if len(allowed) > 0 {
		if foreign := without(allowed, row.Companies); len(foreign) > 0 && uid != superuser {
			return nil, &CompanyError{Companies: foreign}
		}
		p.CompanyIDs, p.CompanyID = slices.Clone(allowed), allowed[0]
	}
	// From 16.0 context_get replaces a language that is not installed. In a call over RPC there is
	// no browser to ask, so that the company's language comes next.
	if c.Features.ActiveCompanies {
		p.Lang = policy.installedLanguage(row.Lang, row.CompanyLang)
	}
	if c.Features.ClosedGroups {
		p.Groups = policy.closure(row.Groups)
	} else {
		p.Groups = make(map[int64]bool, len(row.Groups))
		for _, id := range row.Groups {
			p.Groups[id] = true
		}
	}
	p.fingerprint(c)
	return p, nil
}

// fingerprint sets the identities of the principal.
func (p *Principal) fingerprint(c *schema.Catalogue) {
	groups := make([]int64, 0, len(p.Groups))
	for id := range p.Groups {
		groups = append(groups, id)
	}
	slices.Sort(groups)
	// What fields_get answers depends on the user, the groups and the companies; its texts, which
	// we do not ask for, on the language.
	p.viewKey = digestOf("fields", p.UID, groups, p.CompanyIDs, p.CompanyID, p.userCompanies, p.policy.groupDigest, c.Stamp)
	p.digest = digestOf("principal", p.UID, p.Login, p.PartnerID, p.Lang, p.Tz, groups, p.DefaultCompany,
		p.CompanyIDs, p.CompanyID, p.userCompanies, p.policy.digest)
	p.Fingerprint = p.digest
}

// digestOf hashes values of basic types and slices of them; %#v keeps "a","b" and "a, b" apart.
func digestOf(values ...any) string {
	h := sha256.New()
	for _, value := range values {
		fmt.Fprintf(h, "%#v;", value)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// without returns the elements of list that are not in other.
func without(list, other []int64) []int64 {
	var rest []int64
	for _, id := range list {
		if !slices.Contains(other, id) {
			rest = append(rest, id)
		}
	}
	return rest
}
