package integration

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/schema"
)

// opaqueRules are the models of the two databases whose rules cannot be evaluated, by version. There
// are none; one that turns up is read by Odoo and belongs here only after a look at its rule.
var opaqueRules = map[string][]string{}

// signal reads the cache signal as a reader's pipeline does.
func (s *stand) signal(t testing.TB) string {
	t.Helper()
	var signals schema.Signals
	row := s.pool.QueryRow(t.Context(), schema.SignalStatement(s.catalogue(t).Features))
	require.NoError(t, row.Scan(&signals.Registry, &signals.Cache))
	return signals.Cache
}

// principal returns a user's principal by the present signal.
func (s *stand) principal(t testing.TB, who auth.Credentials, companies ...int64) *auth.Principal {
	t.Helper()
	require.NoError(t, s.directory.Renew(t.Context(), s.pool, s.catalogue(t), s.signal(t)))
	p, err := s.directory.Principal(t.Context(), s.pool, s.catalogue(t), who.UID, companies)
	require.NoError(t, err)
	return p
}

// ids turns a list of an RPC answer into ids.
func ids(t testing.TB, list any) []int64 {
	t.Helper()
	elements, ok := list.([]any)
	require.True(t, ok, "%T is no list", list)
	found := make([]int64, len(elements))
	for i, element := range elements {
		found[i], ok = element.(int64)
		require.True(t, ok, "%T is no id", element)
	}
	return found
}

// Ensure that a principal has the groups, companies, language and time zone that Odoo gives the user.
func TestAuthPrincipal(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		admin := s.login(t, stack.RoleAdmin)
		groupField := "groups_id"
		if s.catalogue(t).Features.ClosedGroups {
			groupField = "all_group_ids"
		}
		for _, role := range roles() {
			t.Run(role, func(t *testing.T) {
				who := s.login(t, role)
				p := s.principal(t, who)
				require.Equal(t, s.signal(t), p.Stamp())

				read := s.call(t, admin, "res.users", "read", []any{[]any{who.UID}, []any{groupField, "company_ids", "company_id", "partner_id", "login"}}, nil)
				user := read.([]any)[0].(map[string]any)
				require.ElementsMatch(t, ids(t, user[groupField]), slices.Collect(maps.Keys(p.Groups)))
				require.Equal(t, ids(t, user["company_ids"]), p.CompanyIDs)
				require.Equal(t, user["company_id"].([]any)[0], p.CompanyID)
				require.Equal(t, user["company_id"].([]any)[0], p.DefaultCompany)
				require.Equal(t, user["partner_id"].([]any)[0], p.PartnerID)
				require.Equal(t, user["login"], p.Login)

				own := s.context(t, who)
				require.Equal(t, text(own["lang"]), p.Lang)
				require.Equal(t, text(own["tz"]), p.Tz)
			})
		}
	})
}

// context returns what context_get is made of. In 14.0 its own answer cannot pass over XML-RPC.
func (s *stand) context(t testing.TB, who auth.Credentials) map[string]any {
	t.Helper()
	if s.catalogue(t).Features.ActiveCompanies {
		return s.call(t, who, "res.users", "context_get", nil, nil).(map[string]any)
	}
	own := s.call(t, who, "res.users", "read", []any{[]any{who.UID}, []any{"lang", "tz"}}, nil)
	return own.([]any)[0].(map[string]any)
}

// text returns a char as a text; Odoo's false is the empty one.
func text(value any) string {
	s, _ := value.(string)
	return s
}

// Ensure that every model is readable exactly for whom Odoo says so, and that every rule is understood.
func TestAuthAccess(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		c := s.catalogue(t)
		method, args := "check_access_rights", []any{"read", false}
		if c.Features.ModernDomains {
			method, args = "has_access", []any{[]any{}, "read"}
		}
		for _, role := range roles() {
			t.Run(role, func(t *testing.T) {
				who := s.login(t, role)
				p := s.principal(t, who)
				odoo := s.odoo.As(who)
				readable, hidden, doubtful := 0, 0, map[string]string{}
				for _, name := range c.ModelNames() {
					access, err := p.Access(t.Context(), s.pool, c, name, odoo)
					require.NoError(t, err, name)
					want := s.call(t, who, name, method, args, nil)
					require.Equal(t, want, access.Readable, name)
					if access.Opaque != "" && !slices.Contains(opaqueRules[s.Version], name) {
						t.Errorf("%s: %s", name, access.Opaque)
					}
					if !access.Readable {
						require.Nil(t, access.Fields, name)
						continue
					}
					readable++
					hidden += len(access.Model.Fields) - len(access.Fields)
					for field, view := range access.Fields {
						if view.Opaque != "" {
							doubtful[name+"."+field] = view.Opaque
						}
					}
				}
				t.Logf("%d models readable, %d fields hidden, fields with a doubtful filter: %v", readable, hidden, doubtful)
			})
		}
	})
}

// Ensure that foreign companies are refused, by Odoo too.
func TestAuthCompanies(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		who := s.login(t, stack.RoleDemo)
		p := s.principal(t, who)
		_, err := s.directory.Principal(t.Context(), s.pool, s.catalogue(t), who.UID, []int64{p.CompanyID, 999_999})
		var refused *auth.CompanyError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, []int64{999_999}, refused.Companies)
		_, err = s.odoo.Execute(t.Context(), who, "res.partner", "search_read", []any{[]any{}, []any{"id"}},
			map[string]any{"context": map[string]any{"allowed_company_ids": []any{p.CompanyID, int64(999_999)}}})
		require.Error(t, err)

		for _, company := range p.CompanyIDs {
			one := s.principal(t, who, company)
			require.Equal(t, []int64{company}, one.CompanyIDs)
			require.Equal(t, company, one.CompanyID)
		}
	})
}

// Ensure that a group taken away, a rule changed and a user archived in Odoo show in the signal, and
// from then on in the principal.
func TestAuthRevocation(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		ctx, c := t.Context(), s.catalogue(t)
		admin, who := s.login(t, stack.RoleAdmin), s.login(t, stack.RoleSalesman)
		before := s.principal(t, who)
		odoo := s.odoo.As(who)
		access, err := before.Access(ctx, s.pool, c, "sale.order", odoo)
		require.NoError(t, err)
		require.True(t, access.Readable)

		groupField, group := "groups_id", before.Policy().GroupIDs["base.group_user"]
		if c.Features.ClosedGroups {
			groupField = "group_ids"
		}
		portal := before.Policy().GroupIDs["base.group_portal"]
		require.True(t, before.Groups[group])
		signal := s.signal(t)
		s.call(t, admin, "res.users", "write", []any{[]any{who.UID}, map[string]any{groupField: []any{[]any{int64(6), int64(0), []any{portal}}}}}, nil)
		require.NotEqual(t, signal, s.signal(t), "groups")
		after := s.principal(t, who)
		require.False(t, after.Groups[group])
		require.NotEqual(t, before.Fingerprint, after.Fingerprint)

		rules := s.call(t, admin, "ir.rule", "search", []any{[]any{[]any{"model_id.model", "=", "sale.order"}, []any{"groups", "in", []any{portal}}}}, nil)
		signal = s.signal(t)
		s.call(t, admin, "ir.rule", "write", []any{rules, map[string]any{"domain_force": "[('id', '=', 0)]"}}, nil)
		require.NotEqual(t, signal, s.signal(t), "rules")
		changed := s.principal(t, who)
		access, err = changed.Access(ctx, s.pool, c, "sale.order", odoo)
		require.NoError(t, err)
		require.Contains(t, schema.FormatLiteral(schema.DomainList(access.Rule)), `["id", "=", 0]`)

		signal = s.signal(t)
		s.call(t, admin, "res.users", "write", []any{[]any{who.UID}, map[string]any{"active": false}}, nil)
		require.NotEqual(t, signal, s.signal(t), "user")
		require.NoError(t, s.directory.Renew(ctx, s.pool, c, s.signal(t)))
		_, err = s.directory.Principal(ctx, s.pool, c, who.UID, nil)
		require.ErrorIs(t, err, auth.ErrUserGone)
	})
}
