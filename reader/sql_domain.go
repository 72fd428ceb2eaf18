package reader

import (
	"errors"
	"strings"

	sq "github.com/Masterminds/squirrel"

	"lateral/schema"
)

// mode is how a domain is compiled: the user's own domains check the access to every model and
// field they touch, record rules and the paths of related fields do not.
type mode struct {
	super  bool // no ACL, rules or field groups on hops
	active bool // active_test of the context: whether x2many hops hide archived records
	exact  bool // it matters whether the predicate is false or unknown
}

func (c *compiler) activeTest() bool { return c.context.ActiveTest == nil || *c.context.ActiveTest }

func (c *compiler) userMode() mode  { return mode{active: c.activeTest()} }
func (c *compiler) superMode() mode { return mode{super: true, active: c.activeTest()} }

// ruleMode is for record rules: as a superuser and, in 19.0, without any active filter
// (Odoo 19.0: odoo/orm/models.py, _search; 14.0: odoo/models.py, _apply_ir_rules).
func (c *compiler) ruleMode() mode {
	return mode{super: true, active: c.activeTest() && !c.catalogue.Features.ModernDomains}
}

var (
	sqlTrue  = sq.Expr("TRUE")
	sqlFalse = sq.Expr("FALSE")
)

// domain compiles a domain to a predicate on one record. It fails with an *Error where Odoo would
// refuse the domain, and with a delegation where only Odoo knows what it means.
func (t table) domain(d schema.Domain, m mode) (sq.Sqlizer, error) {
	if t.scope.c.catalogue.Features.ModernDomains {
		result, err := t.constant(d)
		if reason, ok := delegated(err); ok && reason == lateConstant {
			return t.late(d, m, err)
		}
		if err != nil || result != undecided {
			return sq.Expr(sqlBool(result == always)), err
		}
	}
	if m.active && t.scope.c.catalogue.Features.AnyOperator {
		if err := t.mergesArchived(d); err != nil {
			return nil, err
		}
	}
	return t.open(d, m)
}

// late compiles a domain that is constant although Odoo finds that out only after it has looked at the
// other terms. Whether these fail shows when they are compiled; but a refusal may be one that the constant
// spares them.
func (t table) late(d schema.Domain, m mode, unsure error) (sq.Sqlizer, error) {
	if m.active {
		if err := t.mergesArchived(d); err != nil {
			return nil, err
		}
	}
	predicate, err := t.open(d, m)
	if _, refused := errors.AsType[*Error](err); refused {
		return nil, unsure
	}
	return predicate, err
}

// mergesArchived fails with a delegation where conditions on the records behind one x2many field
// speak of the active flag in one place and not in another. From 17.0 on Odoo may merge them into a
// single search, and the flag's being spoken of then lifts the active filter from all of them
// (Odoo 19.0: odoo/orm/domains.py, _optimize_merge_any; 17.0: odoo/osv/expression.py,
// domain_combine_anies).
func (t table) mergesArchived(d schema.Domain) error {
	spoken := map[string]bool{}
	var walk func(m *schema.Model, path string, d schema.Domain) error
	walk = func(m *schema.Model, path string, d schema.Domain) error {
		switch d := d.(type) {
		case schema.And:
			for _, term := range d {
				if err := walk(m, path, term); err != nil {
					return err
				}
			}
		case schema.Or:
			return walk(m, path, schema.And(d))
		case schema.Not:
			return walk(m, path, d.Term)
		case schema.Condition:
			first, rest, dotted := strings.Cut(d.Path, ".")
			sub, isDomain := d.Value.(schema.Domain)
			if dotted {
				sub, isDomain = schema.Condition{Path: rest, Op: d.Op, Value: d.Value}, true
			}
			f := m.Field(first)
			if f == nil || !isDomain || t.scope.c.catalogue.Model(f.Comodel) == nil {
				return nil
			}
			comodel := t.scope.c.catalogue.Model(f.Comodel)
			path += "." + first
			if speaks := mentions(sub, comodel.ActiveName); f.Type.X2many() && comodel.ActiveName != "" {
				if before, seen := spoken[path]; seen && before != speaks {
					return delegate("%s.%s: some conditions speak of the active flag", m.Name, first)
				}
				spoken[path] = speaks
			}
			return walk(comodel, path, sub)
		}
		return nil
	}
	return walk(t.model, "", d)
}

// open compiles a domain that is not decided beforehand.
func (t table) open(d schema.Domain, m mode) (sq.Sqlizer, error) {
	switch d := d.(type) {
	case nil, schema.True:
		return sqlTrue, nil
	case schema.False:
		return sqlFalse, nil
	case schema.And:
		terms, err := t.terms(d, m)
		if len(terms) == 0 {
			return sqlTrue, err
		}
		return sq.And(terms), err
	case schema.Or:
		terms, err := t.terms(d, m)
		if len(terms) == 0 {
			return sqlFalse, err
		}
		return sq.Or(terms), err
	case schema.Not:
		return t.negation(d.Term, m)
	case schema.Condition:
		return t.condition(d, m)
	}
	return nil, invalid("a domain has a term of unknown kind")
}

func (t table) terms(domains []schema.Domain, m mode) ([]sq.Sqlizer, error) {
	terms := make([]sq.Sqlizer, 0, len(domains))
	for _, d := range domains {
		term, err := t.domain(d, m)
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
	}
	return terms, nil
}

// opposites are the operators a negation turns into each other
// (Odoo 14.0: odoo/osv/expression.py, TERM_OPERATORS_NEGATION; 19.0: odoo/orm/domains.py).
var opposites = map[string]string{
	"=": "!=", "!=": "=", "in": "not in", "not in": "in",
	"like": "not like", "not like": "like", "ilike": "not ilike", "not ilike": "ilike",
	"any": "not any", "not any": "any",
}

var oppositeInequalities = map[string]string{"<": ">=", ">": "<=", "<=": ">", ">=": "<"}

// negation compiles the prefix '!'. What it means differs between series, see
// features.AnyOperator and features.ModernDomains.
func (t table) negation(d schema.Domain, m mode) (sq.Sqlizer, error) {
	features := t.scope.c.catalogue.Features
	switch d := d.(type) {
	case schema.And:
		return t.domain(schema.Or(negated(d)), m)
	case schema.Or:
		return t.domain(schema.And(negated(d)), m)
	case schema.Not:
		return t.domain(d.Term, m)
	case nil, schema.True, schema.False:
		if !features.AnyOperator {
			return nil, delegate("the negation of a constant")
		}
		if _, isFalse := d.(schema.False); isFalse {
			return sqlTrue, nil
		}
		return sqlFalse, nil
	case schema.Condition:
		return t.negatedCondition(d, m)
	}
	return nil, invalid("a domain has a term of unknown kind")
}

func negated(terms []schema.Domain) []schema.Domain {
	out := make([]schema.Domain, len(terms))
	for i, term := range terms {
		out[i] = schema.Not{Term: term}
	}
	return out
}

func (t table) negatedCondition(d schema.Condition, m mode) (sq.Sqlizer, error) {
	features := t.scope.c.catalogue.Features
	first, rest, dotted := strings.Cut(d.Path, ".")
	if dotted && features.AnyOperator {
		if f := t.model.Field(first); f != nil && f.Type.Relational() {
			return t.condition(schema.Condition{Path: first, Op: "not any", Value: schema.Condition{Path: rest, Op: d.Op, Value: d.Value}}, m)
		}
		return nil, delegate("the negation of %s", d.Path)
	}
	if opposite, ok := opposites[d.Op]; ok {
		return t.condition(schema.Condition{Path: d.Path, Op: opposite, Value: d.Value}, m)
	}
	if opposite, ok := oppositeInequalities[d.Op]; ok {
		inverse := schema.Condition{Path: d.Path, Op: opposite, Value: d.Value}
		if f := t.model.Field(first); features.ModernDomains && f != nil && falsyValue(f.Type) == nil {
			return t.domain(schema.Or{schema.Condition{Path: d.Path, Op: "=", Value: false}, inverse}, m)
		}
		return t.condition(inverse, m)
	}
	m.exact = !features.ModernDomains
	predicate, err := t.condition(d, m)
	if err != nil {
		return nil, err
	}
	if m.exact {
		return sq.Expr("NOT (?)", predicate), nil
	}
	return sq.Expr("(?) IS NOT TRUE", predicate), nil
}

// condition compiles one leaf.
func (t table) condition(d schema.Condition, m mode) (sq.Sqlizer, error) {
	c := t.scope.c
	// The rules of delegated parents come as any in all series.
	if !m.super && !schema.ValidOperator(d.Op, c.catalogue.Features) {
		return nil, invalid("Odoo %s has no operator %q, used on %s of %s", c.catalogue.Series, d.Op, d.Path, t.model.Name)
	}
	first, rest, dotted := strings.Cut(d.Path, ".")
	f := t.model.Field(first)
	if f == nil {
		e := invalid("%s has no field %q", t.model.Name, first)
		e.Field, e.Path = first, d.Path
		return nil, e
	}
	if err := t.mayFilter(f, m); err != nil {
		return nil, err
	}
	if t.model.Guard.Rewrites(first, d.Op) {
		return nil, delegate("%s: %s", t.model.Name, t.model.Guard.Reason)
	}
	if f.Static.Python != "" && !f.Type.X2many() {
		return nil, delegate("%s.%s: %s", t.model.Name, f.Name, f.Static.Python)
	}
	if err := plainText(d); err != nil {
		return nil, err
	}
	if c.catalogue.Features.ModernDomains && f.CompanyDependent && t.model.SelfRead && !m.super {
		// To try the default value Odoo makes a user, whose groups it may not read for everybody (Odoo
		// 19.0: addons/base/models/ir_default.py, _evaluate_condition_with_fallback, and res_users.py, new).
		return nil, delegate("%s.%s is company-dependent", t.model.Name, f.Name)
	}
	if c.catalogue.Features.ModernDomains && f.Static.Source != nil && f.Static.Source.Search != "" {
		// A search method decides even where there is a column (Odoo 19.0: odoo/orm/domains.py, _optimize_step).
		return nil, delegate("%s.%s has a search method", t.model.Name, f.Name)
	}
	switch {
	case f.Static.Source != nil && f.Static.Source.Search == followerSearch:
		return t.followed(f, d, m)
	case f.Inherited && !f.Stored:
		return t.inheritedCondition(f, d, m)
	case !f.Stored && len(f.Related) > 1 && !f.CompanyDependent:
		return t.relatedCondition(f, d, m)
	case !f.Stored && !(f.CompanyDependent && f.Column != ""):
		return nil, delegate("%s.%s is not stored", t.model.Name, f.Name)
	case dotted:
		if !f.Type.Relational() {
			return nil, delegate("%s is a part of a %s", d.Path, f.Type)
		}
		return t.hop(f, schema.Condition{Path: rest, Op: d.Op, Value: d.Value}, false, m)
	case d.Op == "any" || d.Op == "not any":
		sub, ok := d.Value.(schema.Domain)
		if !ok || !f.Type.Relational() {
			return nil, invalid("%s of %s cannot be compared by %q", d.Path, t.model.Name, d.Op)
		}
		return t.hop(f, sub, d.Op == "not any", m)
	case d.Op == "child_of" || d.Op == "parent_of":
		return t.hierarchy(f, d, m)
	case f.Type.X2many():
		return t.x2manyCondition(f, d, m)
	}
	return t.scalarCondition(f, d)
}

// mayFilter checks field groups, where the series does that for domains and orders.
func (t table) mayFilter(f *schema.Field, m mode) error {
	c := t.scope.c
	if m.super || !c.catalogue.Features.FieldGroupsInDomains || f.Name == "id" {
		return nil
	}
	if c.catalogue.Features.ModernDomains && (f.Inherited && !f.Stored || searches(f)) {
		// The field is replaced by what it is searched by before anything is checked
		// (Odoo 19.0: odoo/orm/domains.py, _to_sql comes after the optimisation).
		return nil
	}
	access, err := c.access(t.model.Name)
	if err != nil {
		return err
	}
	// Of a model without ACL fields_get tells nothing: where a domain would need the ACL it is denied
	// for that, and what joins without it looks at field groups alone. Of res.users it tells more
	// than a filter may use, see planner.node.
	if !access.Readable || t.model.SelfRead {
		if groupRestricted(c.catalogue, f) {
			return delegate("%s.%s is restricted to groups", t.model.Name, f.Name)
		}
		if !access.Readable {
			return nil
		}
	}
	if _, ok := access.Fields[f.Name]; !ok {
		e := denied("the user may not read the field %s of %s", f.Name, t.model.Name)
		e.Field = f.Name
		return e
	}
	return nil
}

// groupRestricted reports whether the sources restrict a field to groups. A related or delegated
// field takes the groups of the field at the end of its path.
func groupRestricted(c *schema.Catalogue, f *schema.Field) bool {
	for hops := 0; f != nil && hops < 8; hops++ {
		if f.Static.Source != nil && len(f.Static.Source.Groups) > 0 {
			return true
		}
		if len(f.Related) == 0 {
			return false
		}
		model := f.Model
		for _, name := range f.Related[:len(f.Related)-1] {
			link := model.Field(name)
			if link == nil || c.Model(link.Comodel) == nil {
				return true
			}
			model = c.Model(link.Comodel)
		}
		f = model.Field(f.Related[len(f.Related)-1])
	}
	return true
}

// plainText refuses NUL characters, which PostgreSQL's texts cannot hold.
func plainText(d schema.Condition) error {
	bad := func(v any) bool {
		s, ok := v.(string)
		return ok && strings.IndexByte(s, 0) >= 0
	}
	found := bad(d.Value)
	for _, v := range listOf(d.Value) {
		found = found || bad(v)
	}
	if found {
		return invalid("the value for %s holds a NUL character", d.Path)
	}
	return nil
}

// listOf returns the elements of a list or tuple, nil for other values.
func listOf(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case schema.Tuple:
		return v
	}
	return nil
}

func isList(v any) bool {
	switch v.(type) {
	case []any, schema.Tuple:
		return true
	}
	return false
}

// inheritedCondition moves a condition on a delegated field to the parent, which is joined without
// any check (Odoo 19.0: odoo/orm/domains.py, _optimize_step; 14.0: odoo/osv/expression.py, parse).
func (t table) inheritedCondition(f *schema.Field, d schema.Condition, m mode) (sq.Sqlizer, error) {
	if len(f.Related) < 2 {
		return nil, delegate("%s.%s is inherited without a path", t.model.Name, f.Name)
	}
	link := t.model.Field(f.Related[0])
	if link == nil || link.Type != schema.Many2one {
		return nil, delegate("%s.%s is inherited through %s", t.model.Name, f.Name, f.Related[0])
	}
	v, err := t.field(link)
	if err != nil {
		return nil, err
	}
	parent, err := t.follow(link, v.sql)
	if err != nil {
		return nil, err
	}
	predicate, err := parent.condition(d, m)
	if err != nil || link.NotNull || !t.scope.c.catalogue.Features.ModernDomains {
		return predicate, err
	}
	return sq.Expr("("+v.sql+" IS NOT NULL AND (?))", predicate), nil
}

// relatedCondition follows the path of a related field that is not stored
// (Odoo 19.0: odoo/orm/fields.py, _search_related; 14.0: odoo/fields.py, _search_related).
func (t table) relatedCondition(f *schema.Field, d schema.Condition, m mode) (sq.Sqlizer, error) {
	features := t.scope.c.catalogue.Features
	_, rest, dotted := strings.Cut(d.Path, ".")
	if dotted || d.Op == "any" || d.Op == "not any" || d.Op == "child_of" || d.Op == "parent_of" || readAsUser(f) {
		return nil, delegate("%s.%s is related, compared by %s %s", t.model.Name, f.Name, rest, d.Op)
	}
	if !features.FalsyValues {
		path := strings.Join(f.Related, ".")
		return t.condition(schema.Condition{Path: path, Op: d.Op, Value: d.Value}, m)
	}
	if !features.ModernDomains {
		return nil, delegate("%s.%s is related", t.model.Name, f.Name)
	}
	if negative(d.Op) && !nullish(d.Value, f.Type) {
		positive, ok := opposites[d.Op]
		if !ok {
			return nil, delegate("%s on the related field %s.%s", d.Op, t.model.Name, f.Name)
		}
		predicate, err := t.relatedCondition(f, schema.Condition{Path: d.Path, Op: positive, Value: d.Value}, m)
		if err != nil {
			return nil, err
		}
		return sq.Expr("(?) IS NOT TRUE", predicate), nil
	}
	super := m
	super.super = true
	return t.relatedHop(f.Related, d, !negative(d.Op) == nullish(d.Value, f.Type), super)
}

func (t table) relatedHop(path []string, d schema.Condition, orNull bool, m mode) (sq.Sqlizer, error) {
	if len(path) == 1 {
		return t.condition(schema.Condition{Path: path[0], Op: d.Op, Value: d.Value}, m)
	}
	link := t.model.Field(path[0])
	if link == nil || link.Type != schema.Many2one {
		return nil, delegate("%s is related through %s", d.Path, path[0])
	}
	v, err := t.field(link)
	if err != nil {
		return nil, err
	}
	target, err := t.follow(link, v.sql)
	if err != nil {
		return nil, err
	}
	predicate, err := target.relatedHop(path[1:], d, orNull, m)
	if err != nil {
		return nil, err
	}
	if orNull && !link.Required {
		return sq.Expr("("+v.sql+" IS NULL OR (?))", predicate), nil
	}
	return sq.Expr("("+v.sql+" IS NOT NULL AND (?))", predicate), nil
}

func negative(op string) bool { return op == "!=" || strings.HasPrefix(op, "not ") }

// nullish reports whether a value compares like no value at all.
func nullish(v any, typ schema.FieldType) bool {
	for _, element := range listOf(v) {
		if nullish(element, typ) {
			return true
		}
	}
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case int64:
		return v == 0 && typ.Numeric()
	case float64:
		return v == 0 && typ.Numeric()
	case string:
		return v == "" && typ.Textual()
	}
	return false
}

// falsyValue is the value that counts as no value in comparisons, nil for types without one
// (Odoo 19.0: Field.falsy_value).
func falsyValue(typ schema.FieldType) any {
	switch typ {
	case schema.Integer, schema.Float, schema.Monetary, schema.Many2oneReference:
		return int64(0)
	case schema.Char, schema.Text, schema.HTML:
		return ""
	case schema.Boolean:
		return false
	}
	return nil
}
