package auth

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lateral/schema"
)

// fakeRecords answers from maps.
type fakeRecords struct {
	values map[string]map[int64]any     // model.field → record → value
	linked map[string]map[int64][]int64 // model.field → record → records
	all    map[string]map[int64][]int64 // the same, archived ones included
	err    error
	asked  []string
	messy  bool // records come in no order
}

func (r *fakeRecords) scalars(_ context.Context, f *schema.Field, _ []int64) (map[int64]any, error) {
	r.asked = append(r.asked, f.Model.Name+"."+f.Name)
	return r.values[f.Model.Name+"."+f.Name], r.err
}

func (r *fakeRecords) many(_ context.Context, f *schema.Field, _ []int64, onlyActive bool) (map[int64][]int64, bool, error) {
	r.asked = append(r.asked, f.Model.Name+"."+f.Name)
	if onlyActive {
		return r.linked[f.Model.Name+"."+f.Name], !r.messy, r.err
	}
	return r.all[f.Model.Name+"."+f.Name], !r.messy, r.err
}

func (r *fakeRecords) reference(_ context.Context, module, name string) (string, int64, error) {
	if module+"."+name == "base.de" {
		return "res.country", 57, r.err
	}
	return "", 0, r.err
}

// newTestModel makes a model from field declarations: "name type [comodel]", with more attributes set
// by the caller.
func newTestModel(name string, declarations ...string) *schema.Model {
	m := &schema.Model{Name: name, Table: strings.ReplaceAll(name, ".", "_"), Relation: schema.Table, Order: "id", Fields: map[string]*schema.Field{}}
	add := func(f *schema.Field) { f.Model, m.Fields[f.Name] = m, f }
	add(&schema.Field{Name: "id", Type: schema.Integer, Column: "id", Stored: true, NotNull: true})
	for _, declaration := range declarations {
		parts := strings.Fields(declaration)
		f := &schema.Field{Name: parts[0], Type: schema.FieldType(parts[1]), Stored: true}
		if !f.Type.X2many() {
			f.Column = f.Name
		}
		if len(parts) > 2 {
			f.Comodel = parts[2]
		}
		if f.Type == schema.Many2many {
			f.RelTable, f.RelColumn1, f.RelColumn2 = "rel", "a", "b"
		}
		add(f)
		if f.Name == "active" {
			m.ActiveName = "active"
		}
	}
	return m
}

func ruleCatalogue(series string) *schema.Catalogue {
	users := newTestModel("res.users", "login char", "partner_id many2one res.partner", "company_id many2one res.company",
		"company_ids many2many res.company", "groups_id many2many res.groups", "group_ids many2many res.groups",
		"all_group_ids many2many res.groups", "employee_ids one2many hr.employee", "computed char", "active boolean",
		"commercial_partner_id many2one res.partner", "color integer", "rate float", "lang selection", "born date", "property char", "shares many2many res.partner")
	users.Fields["all_group_ids"].Stored = false
	users.Fields["computed"].Stored, users.Fields["computed"].Column = false, ""
	users.Fields["employee_ids"].Inverse = "user_id"
	users.Fields["property"].CompanyDependent = true
	related := users.Fields["commercial_partner_id"]
	related.Stored, related.Column, related.Related, related.Inherited = false, "", []string{"partner_id", "commercial_partner_id"}, true
	partners := newTestModel("res.partner", "name char", "commercial_partner_id many2one res.partner", "parent_id many2one res.partner",
		"category_id many2many res.partner.category", "country_id many2one res.country", "active boolean", "is_company boolean")
	employees := newTestModel("hr.employee", "user_id many2one res.users", "parent_id many2one hr.employee", "name char")
	companies := newTestModel("res.company", "name char", "country_id many2one res.country", "country_code char")
	code := companies.Fields["country_code"]
	code.Stored, code.Column, code.Related = false, "", []string{"country_id", "code"}
	c := schema.NewCatalogue(users, partners, employees, companies,
		newTestModel("res.country", "code char"), newTestModel("res.groups", "name char"), newTestModel("res.partner.category", "name char"),
		newTestModel("website", "company_id many2one res.company"))
	c.Series, c.Features = series, schema.FeaturesOf(series)
	c.Modules = map[string]bool{"website": true}
	return c
}

func rulePrincipal() *Principal {
	return &Principal{
		UID: 7, PartnerID: 8, DefaultCompany: 1, CompanyIDs: []int64{2}, CompanyID: 2, userCompanies: []int64{1, 2, 3},
		Groups: map[int64]bool{10: true, 11: true}, memo: &accessMemo{},
		policy: &Policy{
			GroupIDs: map[string]int64{"base.group_user": 10, "base.group_system": 12, "base.group_no_one": 11, "x.twice": 13, "x.again": 13},
			aliased:  map[int64]bool{13: true},
		},
	}
}

func ruleRecords() *fakeRecords {
	return &fakeRecords{
		values: map[string]map[int64]any{
			"res.partner.commercial_partner_id": {8: int64(80)},
			"res.partner.country_id":            {80: int64(57)},
			"res.company.country_id":            {1: int64(57), 2: int64(20), 3: int64(57)},
			"res.country.code":                  {57: "DE", 20: "BE"},
			"res.users.login":                   {7: "joe"},
			"res.users.rate":                    {7: 1.5},
		},
		all: map[string]map[int64][]int64{
			"res.users.employee_ids":  {7: {31, 30}},
			"res.partner.category_id": {80: {5, 4}},
			"res.users.group_ids":     {7: {10}},
		},
	}
}

func knownFieldViews(_ context.Context, m *schema.Model) (map[string]FieldView, error) {
	views := map[string]FieldView{}
	for name := range m.Fields {
		views[name] = FieldView{}
	}
	if m.Name == "res.users" {
		views["shares"] = FieldView{Domain: schema.Condition{Path: "name", Op: "=", Value: "x"}}
	}
	return views, nil
}

func evaluate(series, text string, records *fakeRecords) (schema.Domain, string, error) {
	e := newEvaluator(context.Background(), rulePrincipal(), ruleCatalogue(series), records, knownFieldViews)
	return e.domain(text)
}

// Ensure that expressions give what Python gives.
func TestRuleValues(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		"user.id":                    int64(7),
		"user.ids":                   []any{int64(7)},
		"[user.id, False]":           []any{int64(7), false},
		"company_ids + [False]":      []any{int64(2), false},
		"company_id":                 int64(2),
		"company_ids[0]":             int64(2),
		"company_ids[-1]":            int64(2),
		"user.company_id.id":         int64(1),
		"user.company_ids.ids":       []any{int64(1), int64(2), int64(3)},
		"user.env.companies.ids":     []any{int64(1), int64(2), int64(3)},
		"user.env.company.id":        int64(1),
		"user.env.user.id":           int64(7),
		"user.env.uid":               int64(7),
		"user.sudo().id":             int64(7),
		"user.env.ref('base.de').id": int64(57),

		"user.partner_id.id":                              int64(8),
		"user.partner_id.commercial_partner_id.id":        int64(80),
		"user.commercial_partner_id.id":                   int64(80),
		"user.commercial_partner_id.country_id.code":      "DE",
		"user.partner_id.parent_id.id":                    false,
		"user.partner_id.parent_id.ids":                   []any{},
		"user.partner_id.parent_id.name":                  false,
		"user.partner_id.parent_id.is_company":            false,
		"user.color":                                      int64(0),
		"user.rate":                                       1.5,
		"user.lang":                                       false,
		"user.login":                                      "joe",
		"user.env.companies.country_id.ids":               []any{int64(57), int64(20)},
		"user.env.companies.mapped('country_id').ids":     []any{int64(57), int64(20)},
		"user.env.companies.mapped('country_code')":       []any{"DE", "BE", "DE"},
		"user.env.companies.mapped('country_id.code')":    []any{"DE", "BE"},
		"user.employee_ids.ids":                           []any{int64(31), int64(30)},
		"user.commercial_partner_id.category_id.ids":      []any{int64(5), int64(4)},
		"website.company_id.id":                           false,
		"[False, website.company_id.id]":                  []any{false, false},
		"user.all_group_ids.ids":                          []any{int64(10), int64(11)},
		"[g.id for g in user.all_group_ids if g.id > 10]": []any{int64(11)},
		"[[g.id, e.id] for g in user.partner_id for e in user.employee_ids if g.id]": []any{[]any{int64(8), int64(31)}, []any{int64(8), int64(30)}},

		"user.has_group('base.group_user')":                        true,
		"user.has_group('base.group_system')":                      false,
		"user.has_groups('base.group_system,base.group_user')":     true,
		"user.has_groups('base.group_user,!base.group_user')":      false,
		"user.has_groups('!base.group_system')":                    true,
		"user._is_internal()":                                      true,
		"user._is_system()":                                        false,
		"1 if user.has_group('base.group_user') else 2":            int64(1),
		"user.partner_id.parent_id.id or user.id":                  int64(7),
		"user.partner_id.parent_id and 1 or 2":                     int64(2),
		"not user.partner_id":                                      false,
		"len(user.env.companies)":                                  int64(3),
		"len('äö')":                                                int64(2),
		"list(set([3, 3]))":                                        []any{int64(3)},
		"sorted(user.employee_ids.ids)":                            []any{int64(30), int64(31)},
		"any([c > 1 for c in company_ids])":                        true,
		"all([])":                                                  true,
		"str(user.id) + 'x'":                                       "7x",
		"list(range(3))":                                           []any{int64(0), int64(1), int64(2)},
		"tuple([1])":                                               schema.Tuple{int64(1)},
		"int('12')":                                                int64(12),
		"user.partner_id == user.partner_id.commercial_partner_id": false,
		"user.partner_id in user.partner_id":                       true,

		// Where Python and Starlark differ.
		"0 == False": true, "1 == True": true, "True != 1": false, "0 in [False]": true, "False not in [0]": false,
		"1 in (True,)": true, "'a' == 1": false, "'b' in 'abc'": true, "None == False": false, "1 == 1.0": true,
		"[0] == [False]": true, "2 > True": true, "'a' < 'b'": true, "user == 7": false, "user.active == 0": true,
	} {
		e := newEvaluator(context.Background(), rulePrincipal(), ruleCatalogue("19.0"), ruleRecords(), knownFieldViews)
		value, err := e.eval(text)
		require.NoError(t, err, text)
		got, err := goValue(value)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

// Ensure that whatever is not certain is a reason not to know.
func TestRuleOpaque(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "[", "[('a','=',)", "user", "[user]", "[('a', '=', user)]", "5", "True", "'x'", "None",
		"[('a', '=', unknown)]", "[('a', '=', time.strftime('%Y'))]", "[('a', '=', context_today())]", "[('a', '=', env.uid)]",
		"[('a', '=', user.nothing)]", "[('a', '=', user.computed)]", "[('a', '=', user.property)]", "[('a', '=', user.born)]",
		"[('a', '=', user.employee_ids.id)]", "[('a', '=', user.employee_ids.name)]", "[('a', 'in', user.shares.ids)]",
		"[('a', '=', user.login.upper())]", "[('a', '=', company_ids.append(1))]", "[('a', '=', user['login'])]",
		"[('a', '=', user.has_group('base.group_no_one'))]", "[('a', '=', user.has_group('no.such'))]", "[('a', '=', user.has_group('x.twice'))]",
		"[('a', '=', user.partner_id.has_group('base.group_user'))]", "[('a', '=', user.env.ref('no.such').id)]", "[('a', '=', user.env.ref('x'))]",
		"[('a', '=', user.env['res.users'])]", "[('a', '=', user.sudo(3).id)]", "[('a', '=', user.with_context(x=1).id)]",
		"[('a', '=', user.search([]).ids)]", "[('a', 'in', user.mapped('login.x'))]", "[('a', 'in', user.mapped(lambda u: u.id))]",
		"[('a', '=', 2 * 3)]", "[('a', '=', '%s' % 1.5)]", "[('a', '=', 5 / 2)]", "[('a', '=', user.id | 1)]", "[('a', '=', {})]",
		"[('a', '=', {1: 2})]", "[('a', 'in', {1, 2})]", "[('a', 'in', set([1, False]))]", "[('a', 'in', set([1]))]", "[('a', '=', b'x')]",
		"[('a', '=', company_ids[1:])]", "[('a', '=', 1 < 2 < 3)]", "[(lambda: 1)()]", "[('a', 'in', [x for x in user.shares])]",
		"[('a', 'in', list(range(1000000000)))]", "[('a', 'in', [x for x in range(9999) for y in range(9999)])]",
		"[('a', '=', getattr(user, 'login'))]", "[('a', '=', print('x'))]", "[('a', '=', fail('x'))]", "load('x', 'y')",
		"[('a', '=', user.all_group_ids.ids[0])]", "[('a', '=', [g.id for g in user.all_group_ids][0])]", "[('a', '=', sorted([1, 'x']))]",
		"[('a', '=', 99999999999999999999999)]", "[('a', '=', str(1.5))]", "[('a', '=', 1 in user)]", "[('a', '=', 'x' in user)]",
		"[('a', '=', 'x' < 1)]", "[('a', 'bogus operator here', 1, 2)]", "['&', ('a', '=', 1)]", "x = 1", "user.id; user.id",
		"[x for x, y in [(1, 2)]]", "[('a', '=', max(*company_ids))]", strings.Repeat("[", 2000), strings.Repeat("x", maxRuleText+1),
		"[('a', '=', python.compare('==', 1, 1))]", "[('a', '=', user.__class__)]", "[('a', '=', company_ids[5])]",
	} {
		domain, opaque, err := evaluate("19.0", text, ruleRecords())
		require.NoError(t, err, text)
		require.NotEmpty(t, opaque, "%s gave %v", text, domain)
		require.Nil(t, domain, text)
		require.NotContains(t, opaque, "\n", text)
	}
}

func TestRuleOpaqueBySeries(t *testing.T) {
	t.Parallel()
	for text, series := range map[string]string{
		"[('a', '=', user.has_groups('base.group_user'))]": "17.0",
		"[('a', '=', user._is_internal())]":                "14.0",
		"[('a', 'in', user.all_group_ids.ids)]":            "18.0",
	} {
		_, opaque, err := evaluate(series, text, ruleRecords())
		require.NoError(t, err, text)
		require.NotEmpty(t, opaque, text)
	}
	for text, series := range map[string]string{
		"[('a', 'in', user.groups_id.ids)]": "14.0",
		"[('a', 'in', user.group_ids.ids)]": "19.0",
	} {
		_, opaque, err := evaluate(series, text, ruleRecords())
		require.NoError(t, err, text)
		require.Empty(t, opaque, text)
	}
}

// Ensure that an outage is neither taken for a rule that cannot be evaluated nor swallowed by it.
func TestRuleOutage(t *testing.T) {
	t.Parallel()
	records := ruleRecords()
	records.err = errBroken
	for _, text := range []string{
		"[('a', '=', user.login)]", "[('a', 'in', user.employee_ids.ids)]", "[('a', '=', user.env.ref('base.de').id)]",
		"[('a', '=', user.commercial_partner_id.id)]", "[('a', 'in', user.mapped('login'))]",
	} {
		_, opaque, err := evaluate("19.0", text, records)
		require.ErrorIs(t, err, errBroken, text)
		require.Empty(t, opaque, text)
	}
	e := newEvaluator(context.Background(), rulePrincipal(), ruleCatalogue("19.0"), ruleRecords(),
		func(context.Context, *schema.Model) (map[string]FieldView, error) { return nil, errBroken })
	_, _, err := e.domain("[('a', 'in', user.employee_ids.ids)]")
	require.ErrorIs(t, err, errBroken)
}

// Ensure that rules over the principal alone ask nothing, and that others are known to have asked.
func TestRuleDependence(t *testing.T) {
	t.Parallel()
	for text, dependent := range map[string]bool{
		"[('a', 'in', company_ids), ('b', '=', user.partner_id.id), ('c', 'in', user.env.companies.ids + user.all_group_ids.ids)]": false,
		"[('a', '=', user.partner_id.commercial_partner_id.id)]":                                                                   true,
		"[('a', '=', user.login)]": true,
	} {
		records := ruleRecords()
		e := newEvaluator(context.Background(), rulePrincipal(), ruleCatalogue("19.0"), records, knownFieldViews)
		_, opaque, err := e.domain(text)
		require.NoError(t, err)
		require.Empty(t, opaque)
		require.Equal(t, dependent, e.dependent, text)
		require.Equal(t, dependent, len(records.asked) > 0, text)
	}
}

func TestRuleReadsOnce(t *testing.T) {
	t.Parallel()
	records := ruleRecords()
	e := newEvaluator(context.Background(), rulePrincipal(), ruleCatalogue("19.0"), records, knownFieldViews)
	for range 3 {
		_, opaque, err := e.domain("[('a', '=', user.commercial_partner_id.id), ('b', '=', user.partner_id.commercial_partner_id.id)]")
		require.NoError(t, err)
		require.Empty(t, opaque)
	}
	require.Equal(t, []string{"res.partner.commercial_partner_id"}, records.asked)
}

func TestFlightsTakeOver(t *testing.T) {
	t.Parallel()
	var f flights[string, int]
	started, release := make(chan struct{}), make(chan struct{})
	leader, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = f.do(leader, "k", func() (int, error) {
			close(started)
			<-release
			return 0, leader.Err()
		})
	}()
	<-started
	result := make(chan int)
	go func() {
		value, err := f.do(context.Background(), "k", func() (int, error) { return 5, nil })
		if err != nil {
			t.Error(err)
		}
		result <- value
	}()
	cancel()
	close(release)
	require.Equal(t, 5, <-result)

	func() {
		defer func() { _ = recover() }()
		_, _ = f.do(context.Background(), "p", func() (int, error) { panic("x") })
	}()
	value, err := f.do(context.Background(), "p", func() (int, error) { return 6, nil })
	require.NoError(t, err)
	require.Equal(t, 6, value)
	_, err = f.do(context.Background(), "e", func() (int, error) { return 0, errors.New("x") })
	require.Error(t, err)
}
