package reader

import (
	"context"
	"testing"

	"lateral/auth"
	"lateral/schema"
)

// fixture is a small catalogue with every kind of field and relation that the compiler tells
// apart, laid out as the given series would.
func fixture(series string) *schema.Catalogue {
	features := schema.FeaturesOf(series)
	translated, company := "varchar", ""
	if features.JSONTranslations {
		translated = "jsonb"
	}
	if features.JSONCompanyValues {
		company = "jsonb"
	}
	column := func(name string, typ schema.FieldType, pg string) *schema.Field {
		return &schema.Field{Name: name, Type: typ, Stored: true, Column: name, ColumnType: pg, Searchable: true}
	}
	to := func(f *schema.Field, comodel string) *schema.Field {
		f.Comodel = comodel
		return f
	}
	inherited := func(name string, typ schema.FieldType, link, comodel string) *schema.Field {
		return &schema.Field{Name: name, Type: typ, Inherited: true, Related: []string{link, name}, Comodel: comodel, Searchable: true}
	}
	name := column("name", schema.Char, translated)
	name.Translate = schema.TranslatedWhole
	propertyTerm := to(&schema.Field{Name: "property_term_id", Type: schema.Many2one, CompanyDependent: true}, "term")
	if company != "" {
		propertyTerm.Stored, propertyTerm.Column, propertyTerm.ColumnType = true, "property_term_id", company
	}
	model := func(name, table, order string, fields ...*schema.Field) *schema.Model {
		m := &schema.Model{Name: name, Table: table, Relation: schema.Table, Order: order, LogAccess: true, Fields: map[string]*schema.Field{}}
		id := column("id", schema.Integer, "int4")
		id.NotNull = true
		for _, f := range append(fields, id) {
			f.Model = m
			m.Fields[f.Name] = f
		}
		if m.Fields["name"] != nil {
			m.RecName, m.LabelField = "name", "name"
			m.Fields["display_name"] = &schema.Field{Name: "display_name", Type: schema.Char, Model: m}
		}
		if m.Fields["active"] != nil {
			m.ActiveName = "active"
		}
		return m
	}
	partner := model("partner", "res_partner", "name, id desc",
		column("name", schema.Char, "varchar"), column("city", schema.Char, "varchar"), column("active", schema.Boolean, "bool"),
		to(column("parent_id", schema.Many2one, "int4"), "partner"), propertyTerm,
		&schema.Field{Name: "child_ids", Type: schema.One2many, Stored: true, Comodel: "partner", Inverse: "parent_id"},
		&schema.Field{Name: "image", Type: schema.Binary, Stored: true, Attachment: true},
		to(&schema.Field{Name: "tag_ids", Type: schema.Many2many, Stored: true, RelTable: "partner_tag_rel", RelColumn1: "partner_id", RelColumn2: "tag_id"}, "tag"),
		&schema.Field{Name: "score", Type: schema.Float},
	)
	partner.ParentName = "parent_id"
	users := model("users", "res_users", "name, login",
		column("login", schema.Char, "varchar"), to(column("partner_id", schema.Many2one, "int4"), "partner"),
		inherited("name", schema.Char, "partner_id", ""), inherited("tag_ids", schema.Many2many, "partner_id", "tag"))
	users.Inherits = []schema.Delegation{{Parent: "partner", Link: "partner_id"}}
	users.Fields["partner_id"].NotNull = true
	line := model("line", "sale_order_line", "order_id, sequence, id",
		to(column("order_id", schema.Many2one, "int4"), "order"), column("sequence", schema.Integer, "int4"),
		column("price", schema.Float, "numeric"), column("weight", schema.Float, "float8"), column("day", schema.Date, "date"),
		to(column("term_id", schema.Many2one, "int4"), "term"),
		&schema.Field{Name: "total", Type: schema.Monetary, Related: []string{"order_id", "amount"}, Searchable: true})
	line.Fields["order_id"].Indexed = true
	order := model("order", "sale_order", "date desc, id desc",
		column("name", schema.Char, "varchar"), column("date", schema.Datetime, "timestamp"), column("state", schema.Selection, "varchar"),
		column("amount", schema.Monetary, "numeric"), column("done", schema.Boolean, "bool"), column("origin", schema.Reference, "varchar"),
		to(column("partner_id", schema.Many2one, "int4"), "partner"), to(column("user_id", schema.Many2one, "int4"), "users"),
		&schema.Field{Name: "city", Type: schema.Char, Related: []string{"partner_id", "city"}, Searchable: true},
		&schema.Field{Name: "line_ids", Type: schema.One2many, Stored: true, Comodel: "line", Inverse: "order_id"},
		&schema.Field{Name: "margin", Type: schema.Float})
	term := model("term", "account_term", "sequence, id", name, column("sequence", schema.Integer, "int4"))
	tag := model("tag", "partner_tag", "name", column("name", schema.Char, "varchar"), column("active", schema.Boolean, "bool"),
		to(column("parent_id", schema.Many2one, "int4"), "tag"), column("parent_path", schema.Char, "varchar"))
	tag.ParentName, tag.ParentStore = "parent_id", true

	c := schema.NewCatalogue(partner, users, line, order, term, tag)
	c.Series, c.Features = series, features
	return c
}

// fixtureAccess lets a user see everything but what a test restricts.
type fixtureAccess struct {
	catalogue *schema.Catalogue
	rules     map[string]schema.Domain
	opaque    map[string]string
	closed    map[string]bool   // models without ACL
	layered   bool              // pages are rendered level by level
	hidden    map[string]string // model → a field the user may not see
}

func (f fixtureAccess) access(name string) (*auth.ModelAccess, error) {
	m := f.catalogue.Model(name)
	a := &auth.ModelAccess{Model: m, Readable: !f.closed[name], Rule: schema.True{}, Opaque: f.opaque[name], Fields: map[string]auth.FieldView{}}
	if rule, ok := f.rules[name]; ok {
		a.Rule = rule
	}
	for field := range m.Fields {
		if f.hidden[name] != field {
			a.Fields[field] = auth.FieldView{}
		}
	}
	return a, nil
}

// compileQuery plans and compiles a query for a user of company 1 against the fixture.
func compileQuery(t *testing.T, f fixtureAccess, q Query, readContext Context) (*Plan, *statement, error) {
	t.Helper()
	principal := &auth.Principal{UID: 7, CompanyID: 1, CompanyIDs: []int64{1}, Tz: "Europe/Brussels"}
	policy := &auth.Policy{Languages: map[string]bool{"en_US": true, "fr_FR": true}}
	p := &planner{ctx: context.Background(), catalogue: f.catalogue, principal: principal, policy: policy, access: f.access, gate: ownGate{f.catalogue}, profile: q.Profile}
	plan, err := p.plan(q, readContext)
	if err != nil {
		return nil, nil, err
	}
	c := &compiler{
		ctx: p.ctx, catalogue: f.catalogue, principal: principal, policy: policy, context: readContext, access: f.access, filestore: true, layered: f.layered,
	}
	made, err := c.compile(plan, q)
	return plan, made, err
}
