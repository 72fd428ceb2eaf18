package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/schema"
	"lateral/writer"
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

				own := s.ownContext(t, who)
				require.Equal(t, text(own["lang"]), p.Lang)
				require.Equal(t, text(own["tz"]), p.Tz)
			})
		}
	})
}

// ownContext returns what context_get is made of. In 14.0 its own answer cannot pass over XML-RPC.
func (s *stand) ownContext(t testing.TB, who auth.Credentials) map[string]any {
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

// session calls methods as the web client does. XML-RPC checks the password in every call, which
// takes Odoo a quarter of a second: too long to ask about every model.
type session struct {
	url    string
	client http.Client
}

// session logs a user in over HTTP.
func (s *stand) session(t testing.TB, role string) *session {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	opened := &session{url: s.OdooURL, client: http.Client{Jar: jar, Timeout: time.Minute}}
	user := s.User(role)
	_, err = opened.post(t.Context(), "/web/session/authenticate", map[string]any{"db": s.Database, "login": user.Login, "password": user.Password})
	require.NoError(t, err)
	return opened
}

func (s *session) post(ctx context.Context, path string, params map[string]any) (any, error) {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": "call", "params": params})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	decoded, err := schema.DecodeJSON(text)
	if err != nil {
		return nil, err
	}
	answer, _ := decoded.(map[string]any)
	if failure, failed := answer["error"]; failed || answer == nil {
		return nil, &sessionError{path: path, failure: failure}
	}
	return answer["result"], nil
}

// sessionError is an error that Odoo answers with.
type sessionError struct {
	path    string
	failure any
}

func (e *sessionError) Error() string { return fmt.Sprintf("%s: %v", e.path, e.failure) }

// class returns the Python class of Odoo's exception, with its module.
func (e *sessionError) class() string {
	failure, _ := e.failure.(map[string]any)
	data, _ := failure["data"].(map[string]any)
	name, _ := data["name"].(string)
	return name
}

func (s *session) execute(ctx context.Context, model, method string, args []any, kwargs map[string]any) (any, error) {
	return s.post(ctx, "/web/dataset/call_kw/"+model+"/"+method, map[string]any{"model": model, "method": method, "args": args, "kwargs": kwargs})
}

// FieldsGet makes a session an auth.FieldsGetter.
func (s *session) FieldsGet(ctx context.Context, model string, attributes []string) (map[string]map[string]any, error) {
	result, err := s.execute(ctx, model, "fields_get", []any{}, map[string]any{"attributes": attributes})
	if err != nil {
		return nil, err
	}
	fields := map[string]map[string]any{}
	for name, description := range result.(map[string]any) {
		fields[name], _ = description.(map[string]any)
	}
	return fields, nil
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
				p, odoo := s.principal(t, s.login(t, role)), s.session(t, role)
				readable, hidden, doubtful := 0, 0, 0
				for _, name := range c.ModelNames() {
					access, err := p.Access(t.Context(), s.pool, c, name, odoo)
					require.NoError(t, err, name)
					want, err := odoo.execute(t.Context(), name, method, args, map[string]any{})
					require.NoError(t, err, name)
					require.Equal(t, want, access.Readable, name)
					if access.Opaque != "" && !slices.Contains(opaqueRules[s.Version], name) {
						t.Errorf("%s: %s", name, access.Opaque)
					}
					if !access.Readable {
						// A guarded model's own code may show records all the same.
						if access.Model.Guard.Kind != schema.Guarded {
							require.Nil(t, access.Fields, name)
						}
						continue
					}
					readable++
					hidden += len(access.Model.Fields) - len(access.Fields)
					for _, view := range access.Fields {
						if view.Opaque != "" {
							doubtful++
						}
					}
				}
				t.Logf("%d models readable, %d fields hidden, %d fields with a filter that is not understood", readable, hidden, doubtful)
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
		odoo := writer.NewUserCaller(s.odoo, who, nil)
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
