package reader

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/Masterminds/squirrel"
	"pgregory.net/rapid"

	"lateral/auth"
	"lateral/schema"
)

// Rows that tests draw from: with NULLs, empty values, patterns' characters and fractions of seconds.
var (
	someTexts  = []any{nil, "", "a", "A", "ab", "b", "a%", "b_c", `\`, "É"}
	someFlags  = []any{nil, true, false}
	someWholes = []any{nil, 0.0, 1.0, 2.0, -1.0}
	someFloats = []any{nil, 0.0, 1.0, 2.0, -1.0, 0.5}
	someDays   = []any{nil, sqlDate("2024-01-31"), sqlDate("2024-02-01"), sqlDate("2024-02-02")}
	someTimes  = []any{
		nil, sqlTime(time.Date(2024, 1, 31, 22, 59, 59, 0, time.UTC)), sqlTime(time.Date(2024, 1, 31, 23, 0, 0, 0, time.UTC)),
		sqlTime(time.Date(2024, 1, 31, 23, 59, 59, 500e6, time.UTC)), sqlTime(time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)),
		sqlTime(time.Date(2024, 2, 1, 0, 0, 0, 250e6, time.UTC)), sqlTime(time.Date(2024, 2, 1, 23, 0, 0, 0, time.UTC)),
	}
)

// drawTables draws a small database of the fixture's models.
func drawTables(t *rapid.T) sqlTables {
	pick := func(values []any) any { return rapid.SampledFrom(values).Draw(t, "value") }
	link := func(count int) any {
		if id := rapid.IntRange(0, count).Draw(t, "link"); id > 0 {
			return float64(id)
		}
		return nil
	}
	const partners, tags, orders, lines, users = 4, 3, 5, 6, 2
	tables := sqlTables{"res_partner": nil, "partner_tag": nil, "partner_tag_rel": nil, "sale_order": nil, "sale_order_line": nil, "res_users": nil}
	add := func(table string, row sqlRow) { tables[table] = append(tables[table], row) }
	for id := range partners {
		add("res_partner", sqlRow{"id": float64(id + 1), "name": pick(someTexts), "city": pick(someTexts), "active": pick(someFlags), "parent_id": link(partners)})
	}
	for id := range tags {
		add("partner_tag", sqlRow{"id": float64(id + 1), "name": pick(someTexts), "active": pick(someFlags), "parent_id": nil, "parent_path": nil})
	}
	for range 4 {
		if partner, tag := link(partners), link(tags); partner != nil && tag != nil {
			add("partner_tag_rel", sqlRow{"partner_id": partner, "tag_id": tag})
		}
	}
	for id := range users {
		add("res_users", sqlRow{"id": float64(id + 1), "login": pick(someTexts), "partner_id": float64(rapid.IntRange(1, partners).Draw(t, "partner"))})
	}
	for id := range orders {
		add("sale_order", sqlRow{
			"id": float64(id + 1), "name": pick(someTexts), "date": pick(someTimes), "state": pick(someTexts), "amount": pick(someFloats),
			"done": pick(someFlags), "origin": pick(someTexts), "partner_id": link(partners), "user_id": link(users),
		})
	}
	for id := range lines {
		add("sale_order_line", sqlRow{
			"id": float64(id + 1), "order_id": link(orders), "sequence": pick(someWholes), "price": pick(someFloats), "weight": pick(someFloats),
			"day": pick(someDays), "term_id": nil,
		})
	}
	return tables
}

// paths are the fields that conditions are drawn on, and what lies at their end.
var paths = map[string]schema.FieldType{
	"id": schema.Integer, "name": schema.Char, "date": schema.Datetime, "state": schema.Selection, "amount": schema.Monetary, "done": schema.Boolean,
	"origin": schema.Reference, "city": schema.Char, "partner_id": schema.Many2one, "line_ids": schema.One2many,
	"partner_id.city": schema.Char, "partner_id.active": schema.Boolean, "partner_id.parent_id": schema.Many2one, "partner_id.parent_id.name": schema.Char,
	"partner_id.child_ids": schema.One2many, "partner_id.child_ids.name": schema.Char, "partner_id.child_ids.active": schema.Boolean,
	"partner_id.tag_ids": schema.Many2many, "partner_id.tag_ids.name": schema.Char, "user_id.login": schema.Char, "user_id.name": schema.Char,
	"line_ids.sequence": schema.Integer, "line_ids.price": schema.Float, "line_ids.weight": schema.Float, "line_ids.day": schema.Date, "line_ids.order_id": schema.Many2one,
}

// constants are what a field of a type is compared with.
func constants(typ schema.FieldType) []any {
	switch typ {
	case schema.Integer, schema.Many2one, schema.One2many, schema.Many2many:
		return []any{int64(0), int64(1), int64(2), int64(3), int64(-1)}
	case schema.Float, schema.Monetary:
		return []any{int64(0), int64(1), 0.0, -1.0, 0.5, 2.0}
	case schema.Boolean:
		return []any{true, false}
	case schema.Date:
		return []any{"2024-01-31", "2024-02-01"}
	case schema.Datetime:
		return []any{"2024-01-31", "2024-02-01", "2024-01-31 23:00:00", "2024-01-31 23:59:59", "2024-02-01 00:00:00"}
	}
	return []any{"", "a", "A", "ab", "b_c", "É"}
}

func drawCondition(t *rapid.T, series string) schema.Domain {
	path := rapid.SampledFrom(slices.Sorted(maps.Keys(paths))).Draw(t, "path")
	typ := paths[path]
	constant := func() any {
		return rapid.SampledFrom(append(constants(typ), false)).Draw(t, "constant")
	}
	operators := []string{"=", "!=", "in", "not in"}
	switch {
	case typ.X2many(), typ == schema.Many2one:
	case typ == schema.Boolean:
		operators = append(operators, "=?")
	case typ == schema.Char, typ == schema.Selection, typ == schema.Reference:
		operators = append(operators, "=?", "<", ">", "<=", ">=", "like", "not like", "ilike", "not ilike", "=like", "=ilike")
		if series == "19.0" {
			operators = append(operators, "not =like", "not =ilike")
		}
	default:
		operators = append(operators, "=?", "<", ">", "<=", ">=")
	}
	op := rapid.SampledFrom(operators).Draw(t, "operator")
	var v any
	switch {
	case op == "in" || op == "not in":
		if rapid.IntRange(0, 9).Draw(t, "bare") == 0 {
			v = constant()
			break
		}
		v = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) any {
			return rapid.SampledFrom(append(constants(typ), false)).Draw(t, "constant")
		}), 0, 3).Draw(t, "list")
	case len(op) > 3 && op[len(op)-4:] == "like":
		v = rapid.SampledFrom([]any{"", "a", "A", "%b", "a_", "_", `\%`, `b\_c`, `\\`, "é", "%"}).Draw(t, "pattern")
	default:
		v = constant()
	}
	return schema.Condition{Path: path, Op: op, Value: v}
}

func drawDomain(t *rapid.T, series string, depth int) schema.Domain {
	kind := rapid.IntRange(0, 8).Draw(t, "kind")
	if depth == 0 || kind < 3 {
		return drawCondition(t, series)
	}
	terms := func() []schema.Domain {
		list := make([]schema.Domain, rapid.IntRange(1, 3).Draw(t, "terms"))
		for i := range list {
			list[i] = drawDomain(t, series, depth-1)
		}
		return list
	}
	switch kind {
	case 3, 4:
		return schema.And(terms())
	case 5, 6:
		return schema.Or(terms())
	case 7:
		return schema.Not{Term: drawDomain(t, series, depth-1)}
	}
	return rapid.SampledFrom([]schema.Domain{schema.True{}, schema.False{}}).Draw(t, "constant")
}

// domainCase is a database and a compiler to run domains on its orders.
type domainCase struct {
	catalogue *schema.Catalogue
	tables    sqlTables
}

// compiled returns the orders that the compiled domain selects; false where it is left to Odoo.
func (c domainCase) compiled(t *rapid.T, d schema.Domain) ([]int64, bool) {
	access := fixtureAccess{catalogue: c.catalogue}
	compiler := &compiler{
		ctx: t.Context(), catalogue: c.catalogue, access: access.access, policy: &auth.Policy{},
		principal: &auth.Principal{UID: 7, CompanyID: 1, CompanyIDs: []int64{1}, Tz: "Europe/Brussels"},
	}
	root := table{scope: compiler.newScope(), model: c.catalogue.Model("order"), alias: compiler.alias()}
	predicate, err := root.domain(d, compiler.userMode())
	if _, ok := delegated(err); ok {
		return nil, false
	}
	if err != nil {
		t.Fatalf("%s: %v", schema.FormatLiteral(schema.DomainList(d)), err)
	}
	text, err := compiler.text(root.query("id", []squirrel.Sqlizer{predicate}))
	if err != nil {
		t.Fatal(err)
	}
	ids := []int64{}
	for _, id := range selectSQL(c.tables, text, compiler.args) {
		ids = append(ids, int64(id.(float64)))
	}
	return ids, true
}

func (c domainCase) expected(d schema.Domain) []int64 {
	zone, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		panic(err)
	}
	oracle := domainOracle{catalogue: c.catalogue, tables: c.tables, zone: zone}
	ids := []int64{}
	for _, row := range c.tables["sale_order"] {
		if oracle.selects(c.catalogue.Model("order"), row, d, false) {
			ids = append(ids, int64(row["id"].(float64)))
		}
	}
	return ids
}

// turned returns the domain with the terms of every & and | the other way round.
func turned(d schema.Domain) schema.Domain {
	switch d := d.(type) {
	case schema.And:
		return schema.And(turnedTerms(d))
	case schema.Or:
		return schema.Or(turnedTerms(d))
	case schema.Not:
		return schema.Not{Term: turned(d.Term)}
	}
	return d
}

func turnedTerms(terms []schema.Domain) []schema.Domain {
	out := make([]schema.Domain, len(terms))
	for i, term := range terms {
		out[len(terms)-1-i] = turned(term)
	}
	return out
}

// Ensure that a compiled domain selects what Odoo's rules say, whatever the rows, and that what
// leaves a domain's meaning alone leaves its records alone: the order of terms, De Morgan, a double
// negation, and the normal form.
func TestCompiledDomains(t *testing.T) {
	for _, series := range []string{"14.0", "19.0"} {
		t.Run(series, func(t *testing.T) {
			catalogue := fixture(series)
			var direct, drawn int
			rapid.Check(t, func(t *rapid.T) {
				c := domainCase{catalogue: catalogue, tables: drawTables(t)}
				for range 10 {
					d := drawDomain(t, series, 2)
					written := schema.FormatLiteral(schema.DomainList(d))
					drawn++
					got, ok := c.compiled(t, d)
					if !ok {
						continue
					}
					direct++
					if want := c.expected(d); !reflect.DeepEqual(got, want) {
						t.Fatalf("%s selects %v, want %v\nof %s", written, got, want, c.describe())
					}
					for name, same := range map[string]schema.Domain{
						"with its terms turned": turned(d), "negated twice": schema.Not{Term: schema.Not{Term: d}}, "in normal form": schema.Normalize(d),
					} {
						if again, ok := c.compiled(t, same); !ok || !reflect.DeepEqual(again, got) {
							t.Fatalf("%s selects %v, %s %v, %v", written, got, name, again, ok)
						}
					}
					other := drawDomain(t, series, 1)
					left, ok := c.compiled(t, schema.Not{Term: schema.And{d, other}})
					right, okRight := c.compiled(t, schema.Or{schema.Not{Term: d}, schema.Not{Term: other}})
					if ok != okRight || !reflect.DeepEqual(left, right) {
						t.Fatalf("De Morgan: %s and %v select %v and %v", written, other, left, right)
					}
				}
			})
			t.Logf("%d of %d domains were compiled", direct, drawn)
			if direct*2 < drawn {
				t.Errorf("only %d of %d domains were compiled", direct, drawn)
			}
		})
	}
}

// describe shows the rows that matter most in a failure.
func (c domainCase) describe() string {
	text := ""
	for _, table := range []string{"sale_order", "res_partner", "sale_order_line", "res_users", "partner_tag", "partner_tag_rel"} {
		for _, row := range c.tables[table] {
			text += "\n" + table
			for _, column := range slices.Sorted(maps.Keys(row)) {
				if row[column] != nil {
					text += fmt.Sprintf(" %s=%#v", column, row[column])
				}
			}
		}
	}
	return text
}
