package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"lateral/schema"
)

// generator makes random reads of a database. It is safe for concurrent use: what a request is
// depends on its number and the seed alone.
type generator struct {
	seed      uint64
	catalogue *schema.Catalogue
	database  *pgxpool.Pool
	models    []*schema.Model // with a table
	rich      []*schema.Model // with rows, and not guarded
	companies map[string][]int64
	// readable tells by role which models the user's ACL opens, so that not too many reads are
	// spent on denials.
	readable map[string]map[string]bool
	// visible gives the fields of a model that a user may read.
	visible func(ctx context.Context, role, model string) (map[string]bool, error)

	samples sync.Map // "table.column" → []any
}

// newGenerator looks at a database to know what to ask for.
func newGenerator(t *testing.T, s *stand, users map[string]oracle, seed uint64, visible func(ctx context.Context, role, model string) (map[string]bool, error)) *generator {
	t.Helper()
	g := &generator{
		seed: seed, catalogue: s.catalogue(t), visible: visible,
		companies: map[string][]int64{}, readable: map[string]map[string]bool{},
	}
	var err error
	if g.database, err = pgxpool.New(t.Context(), s.OwnerDSN); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.database.Close)
	query := func(sql string, args ...any) []string {
		rows, err := g.database.Query(t.Context(), sql, args...)
		if err != nil {
			t.Fatal(err)
		}
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return texts
	}
	for _, name := range g.catalogue.ModelNames() {
		m := g.catalogue.Model(name)
		if m.Table == "" {
			continue
		}
		g.models = append(g.models, m)
		if m.Guard.Kind != schema.Guarded && len(query(`SELECT '' FROM "`+m.Table+`" LIMIT 3`)) == 3 {
			g.rich = append(g.rich, m)
		}
	}
	groups := "SELECT gid FROM res_groups_users_rel WHERE uid = $1"
	if g.catalogue.Features.ClosedGroups {
		groups = "WITH RECURSIVE g(id) AS (" + groups + " UNION SELECT r.hid FROM res_groups_implied_rel r JOIN g ON g.id = r.gid) SELECT id FROM g"
	}
	for role, judge := range users {
		g.readable[role] = map[string]bool{}
		for _, model := range query("SELECT DISTINCT m.model FROM ir_model_access a JOIN ir_model m ON m.id = a.model_id"+
			" WHERE a.active AND a.perm_read AND (a.group_id IS NULL OR a.group_id IN ("+groups+"))", judge.who.UID) {
			g.readable[role][model] = true
		}
		for _, id := range query("SELECT cid::text FROM res_company_users_rel WHERE user_id = $1 ORDER BY cid", judge.who.UID) {
			n, err := strconv.ParseInt(id, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			g.companies[role] = append(g.companies[role], n)
		}
	}
	return g
}

// draw is one request's randomness.
type draw struct {
	*generator
	*rand.Rand
	ctx  context.Context
	role string
	err  error
}

// request returns the request of a number.
func (g *generator) request(ctx context.Context, number int) (request, error) {
	d := &draw{generator: g, Rand: rand.New(rand.NewPCG(g.seed, uint64(number))), ctx: ctx}
	model := g.models[number/2%len(g.models)]
	if number%2 == 1 {
		model = g.rich[d.IntN(len(g.rich))]
	}
	for range 4 {
		d.role = roles()[d.IntN(len(roles()))]
		if g.readable[d.role][model.Name] {
			break
		}
	}
	r := request{role: d.role, model: model.Name, context: d.requestContext(), flat: d.chance(0.35)}
	r.wants = d.wants(model, 0, r.flat)
	switch {
	case d.chance(0.12):
		r.one = true
		r.id = d.id(model)
		if d.chance(0.25) {
			r.field, r.value = d.searchField(model)
		}
	default:
		for range d.IntN(4) {
			r.domain = append(r.domain, d.term(model, 2))
		}
		for range d.IntN(3) {
			r.order = append(r.order, d.orderTerm(model))
		}
		if d.chance(0.3) {
			r.offset = d.Int64N(12)
		}
		r.limit = 1 + d.Int64N(30)
	}
	return r, d.err
}

func (d *draw) chance(p float64) bool { return d.Float64() < p }

func pick[T any](d *draw, list []T) T { return list[d.IntN(len(list))] }

// requestContext is what a client may send as __context__.
func (d *draw) requestContext() map[string]any {
	c := map[string]any{}
	if d.chance(0.4) {
		c["lang"] = pick(d, []any{"fr_FR", "fr_FR", "en_US", false})
	}
	if d.chance(0.1) {
		c["tz"] = pick(d, []any{"Europe/Brussels", "Asia/Tokyo", "America/New_York", false})
	}
	if d.chance(0.25) {
		c["active_test"] = d.chance(0.2)
	}
	if own := d.companies[d.role]; d.chance(0.2) {
		switch {
		case d.chance(0.1):
			c["allowed_company_ids"] = []any{int64(1), int64(2)}
		case d.chance(0.5) && len(own) > 1:
			c["allowed_company_ids"] = []any{own[1], own[0]}
		default:
			c["allowed_company_ids"] = []any{pick(d, own)}
		}
	}
	return c
}

// direct reports whether a field's value lies in the database, or a hop away.
func direct(f *schema.Field) bool {
	return f.Stored || f.Inherited || len(f.Related) > 1 || f.CompanyDependent || f.Name == "display_name"
}

// fields returns the fields of a model that pass, sorted by name; now and then also such as the
// user may not see.
func (d *draw) fields(m *schema.Model, pass func(f *schema.Field) bool) []*schema.Field {
	visible, err := d.visible(d.ctx, d.role, m.Name)
	if err != nil {
		d.err = err
		return nil
	}
	all := d.chance(0.02)
	var fields []*schema.Field
	for _, name := range m.FieldNames() {
		f := m.Field(name)
		if (visible[name] || all) && pass(f) {
			fields = append(fields, f)
		}
	}
	return fields
}

// wants draws a tree of fields.
func (d *draw) wants(m *schema.Model, depth int, flat bool) []want {
	wants := []want{{name: "id"}}
	computed := d.chance(0.08)
	fields := d.fields(m, func(f *schema.Field) bool {
		large := f.Type == schema.Binary || f.Type == schema.Image
		return f.Name != "id" && (direct(f) || computed) && (!large || d.chance(0.1))
	})
	if len(fields) == 0 {
		return wants
	}
	count := 1 + d.IntN(8)
	if depth > 0 {
		count = 1 + d.IntN(4)
	}
	for _, i := range d.Perm(len(fields))[:min(count, len(fields))] {
		f := fields[i]
		w := want{name: f.Name}
		comodel := d.catalogue.Model(f.Comodel)
		if f.Type.Relational() && comodel != nil && depth < 3 && d.chance(0.6-0.2*float64(depth)) {
			w.form = schema.List
			if f.Type == schema.Many2one && !d.chance(0.1) || f.Type.X2many() && d.chance(0.03) {
				w.form = schema.OneRecord
			}
			w.sub = d.wants(comodel, depth+1, false)
		}
		wants = append(wants, w)
	}
	return wants
}

// orderTerm draws one term of an order.
func (d *draw) orderTerm(m *schema.Model) string {
	odd := d.chance(0.02)
	fields := d.fields(m, func(f *schema.Field) bool {
		return f.Column != "" && f.Type != schema.Binary && f.Type != schema.JSON || f.Inherited && !f.Type.X2many() || odd
	})
	if len(fields) == 0 {
		return "id"
	}
	text := pick(d, fields).Name
	text += pick(d, []string{"", "", " asc", " desc", " DESC"})
	if d.catalogue.Features.OrderKeywords && d.chance(0.05) {
		text += pick(d, []string{" nulls first", " nulls last"})
	}
	return text
}

// term draws a term of a domain.
func (d *draw) term(m *schema.Model, depth int) term {
	if depth > 0 && d.chance(0.3) {
		op := pick(d, []string{"&", "|", "|", "!"})
		t := term{op: op, terms: []term{d.term(m, depth-1)}}
		if op != "!" {
			for range 1 + d.IntN(2) {
				t.terms = append(t.terms, d.term(m, depth-1))
			}
		}
		return t
	}
	if d.chance(0.02) {
		return term{leaf: []any{d.Int64N(2), "=", int64(1)}}
	}
	return term{leaf: d.leaf(m, "", 3)}
}

// leaf draws a condition, with a dotted path of up to hops hops.
func (d *draw) leaf(m *schema.Model, prefix string, hops int) []any {
	computed := d.chance(0.01)
	fields := d.fields(m, func(f *schema.Field) bool {
		return direct(f) && f.Type != schema.JSON && f.Type != schema.Properties && f.Type != schema.PropertiesDefinition || computed
	})
	if len(fields) == 0 {
		return []any{prefix + "id", "!=", false}
	}
	f := pick(d, fields)
	comodel := d.catalogue.Model(f.Comodel)
	modern := d.catalogue.Features.AnyOperator
	if f.Type.Relational() && comodel != nil && hops > 0 && d.chance(0.45) {
		if modern && d.chance(0.3) {
			sub := []any{}
			for range d.IntN(3) {
				sub = append(sub, d.term(comodel, 1).list()...)
			}
			return []any{prefix + f.Name, pick(d, []string{"any", "not any"}), sub}
		}
		return d.leaf(comodel, prefix+f.Name+".", hops-1)
	}
	operator, value := d.condition(f, comodel)
	return []any{prefix + f.Name, operator, value}
}

// condition draws an operator and a value that make sense for a field.
func (d *draw) condition(f *schema.Field, comodel *schema.Model) (operator string, value any) {
	some := func() any { return d.value(f) }
	several := func(extra ...any) []any {
		list := make([]any, 0, 4)
		for range d.IntN(4) {
			list = append(list, some())
		}
		if d.chance(0.2) {
			list = append(list, pick(d, append(extra, false)))
		}
		return list
	}
	equality := func(extra ...any) (string, any) {
		switch {
		case d.chance(0.35):
			return pick(d, []string{"in", "not in"}), several(extra...)
		case d.chance(0.08):
			return "=?", pick(d, append(extra, false, some()))
		case d.chance(0.25):
			return pick(d, []string{"=", "!="}), pick(d, append(extra, false))
		}
		return pick(d, []string{"=", "!=", "<>"}), some()
	}
	switch f.Type {
	case schema.Boolean:
		if d.chance(0.3) {
			return pick(d, []string{"in", "not in"}), pick(d, [][]any{{true}, {false}, {true, false}, {}})
		}
		return pick(d, []string{"=", "!=", "=?"}), d.chance(0.5)
	case schema.Char, schema.Text, schema.HTML:
		switch {
		case d.chance(0.45):
			operators := []string{"like", "ilike", "not like", "not ilike", "=like", "=ilike"}
			if d.catalogue.Features.ModernDomains {
				operators = append(operators, "not =like", "not =ilike")
			}
			return pick(d, operators), d.pattern(some())
		case d.chance(0.1):
			return pick(d, []string{"<", ">", "<=", ">="}), some()
		}
		return equality("")
	case schema.Selection, schema.Reference:
		if d.chance(0.15) {
			return pick(d, []string{"like", "ilike", "not ilike"}), d.pattern(some())
		}
		return equality()
	case schema.Integer, schema.Float, schema.Monetary, schema.Many2oneReference:
		if d.chance(0.4) {
			return pick(d, []string{"<", ">", "<=", ">="}), pick(d, []any{some(), some(), int64(0), int64(-1)})
		}
		return equality(int64(0))
	case schema.Date, schema.Datetime:
		if d.chance(0.5) {
			return pick(d, []string{"<", ">", "<=", ">="}), pick(d, []any{some(), some(), some(), false})
		}
		return equality()
	case schema.Binary, schema.Image:
		return pick(d, []string{"=", "!="}), false
	case schema.Many2one, schema.One2many, schema.Many2many:
		switch {
		case comodel != nil && d.chance(0.15):
			return pick(d, []string{"ilike", "not ilike", "=", "!=", "like", "in", "=ilike"}), d.label(comodel)
		case d.chance(0.12):
			operator := pick(d, []string{"child_of", "parent_of"})
			return operator, pick(d, []any{some(), several(), false})
		}
		return equality()
	}
	return equality()
}

// pattern cuts a piece out of a text.
func (d *draw) pattern(v any) any {
	text, ok := v.(string)
	if !ok || text == "" || d.chance(0.05) {
		return pick(d, []any{"", "a", "%", "_a%"})
	}
	runes := []rune(text)
	from := d.IntN(len(runes))
	piece := string(runes[from:min(len(runes), from+1+d.IntN(6))])
	switch d.IntN(6) {
	case 0:
		return strings.ToUpper(piece)
	case 1:
		return "%" + piece + "%"
	case 2:
		return text
	}
	return piece
}

// label draws a text that names a record of a model.
func (d *draw) label(m *schema.Model) any {
	if f := m.Field(m.RecName); f != nil && f.Type.Textual() {
		return d.pattern(d.value(f))
	}
	return "a"
}

// value draws a value that a field has in some record, or nearly.
func (d *draw) value(f *schema.Field) any {
	for range 4 {
		if f.Stored || len(f.Related) < 2 {
			break
		}
		target := f.Model
		for _, name := range f.Related[:len(f.Related)-1] {
			if link := target.Field(name); link != nil {
				target = d.catalogue.Model(link.Comodel)
			}
			if target == nil {
				return int64(1)
			}
		}
		if f = target.Field(f.Related[len(f.Related)-1]); f == nil {
			return int64(1)
		}
	}
	if f.Type.Relational() {
		if comodel := d.catalogue.Model(f.Comodel); comodel != nil {
			return d.id(comodel)
		}
		return int64(1)
	}
	values := d.sample(f)
	if len(values) == 0 || d.chance(0.03) {
		switch f.Type {
		case schema.Integer, schema.Many2oneReference:
			return d.Int64N(5)
		case schema.Float, schema.Monetary:
			return float64(d.IntN(100)) / 4
		case schema.Date:
			return "2024-02-29"
		case schema.Datetime:
			return "2024-02-29 12:00:00"
		}
		return "x"
	}
	value := pick(d, values)
	if text, ok := value.(string); ok && f.Type == schema.Datetime && d.chance(0.3) {
		return text[:10]
	}
	return value
}

// id draws the id of a record, or of none.
func (d *draw) id(m *schema.Model) int64 {
	if d.chance(0.02) {
		return 99999999
	}
	ids := d.column(m.Table, `"id"`, "id::text")
	if m.Table == "" || len(ids) == 0 {
		return 1
	}
	n, err := strconv.ParseInt(pick(d, ids), 10, 64)
	if err != nil {
		d.err = err
	}
	return n
}

// searchField draws a search_field and a value for it.
func (d *draw) searchField(m *schema.Model) (name, value string) {
	fields := d.fields(m, func(f *schema.Field) bool {
		return f.Stored && f.Column != "" && (f.Type == schema.Char || f.Type == schema.Integer || f.Type == schema.Selection || f.Type == schema.Many2one)
	})
	if len(fields) == 0 {
		return "id", "1"
	}
	f := pick(d, fields)
	return f.Name, fmt.Sprint(d.value(f))
}

// sample returns values of a field's column.
func (d *draw) sample(f *schema.Field) []any {
	m := f.Model
	if m.Table == "" || f.Column == "" {
		return nil
	}
	column := `"` + f.Column + `"`
	expression := column + "::text"
	switch {
	case f.ColumnType == "jsonb":
		expression = "(jsonb_path_query_array(" + column + ", '$.*')->>0)"
	case f.Type == schema.Datetime:
		expression = "to_char(" + column + ", 'YYYY-MM-DD HH24:MI:SS')"
	case f.Type == schema.Binary:
		return nil
	}
	texts := d.column(m.Table, column, expression)
	values := make([]any, 0, len(texts))
	for _, text := range texts {
		switch f.Type {
		case schema.Integer, schema.Many2oneReference:
			if n, err := strconv.ParseInt(text, 10, 32); err == nil {
				values = append(values, n)
			}
		case schema.Float, schema.Monetary:
			if n, err := strconv.ParseFloat(text, 64); err == nil {
				values = append(values, n)
			}
		default:
			if len(text) < 200 && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
				values = append(values, text)
			}
		}
	}
	return values
}

// column returns texts of a column, each once, the same ones at every call.
func (d *draw) column(table, column, expression string) []string {
	if table == "" {
		return nil
	}
	key := table + "." + column
	if known, ok := d.samples.Load(key); ok {
		return known.([]string)
	}
	sql := `SELECT DISTINCT v FROM (SELECT ` + expression + ` AS v FROM "` + table + `" WHERE ` + column +
		` IS NOT NULL ORDER BY id LIMIT 500) x WHERE v IS NOT NULL ORDER BY v LIMIT 60`
	rows, err := d.database.Query(d.ctx, sql)
	if err != nil {
		d.err = err
		return nil
	}
	defer rows.Close()
	var texts []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			d.err = err
			return nil
		}
		texts = append(texts, text)
	}
	if err := rows.Err(); err != nil {
		d.err = err
		return nil
	}
	slices.Sort(texts)
	d.samples.Store(key, texts)
	return texts
}
