package integration

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"lateral/auth"
	"lateral/integration/stack"
	"lateral/pg"
	"lateral/schema"
	"lateral/writer"
)

// TestCatalogue compares the catalogue with the database it was read from and with what Odoo says
// of itself over RPC, in the oldest and the newest series.
func TestCatalogue(t *testing.T) {
	eachVersion(t, func(t *testing.T, s *stand) {
		check := newCatalogueCheck(t, s)
		t.Run("size", check.size)
		t.Run("columns", check.columns)
		t.Run("models", check.models)
		t.Run("fields", check.fields)
		t.Run("labels", check.labels)
		t.Run("known", check.known)
	})
}

// catalogueCheck is a catalogue and whom to ask whether it is right.
type catalogueCheck struct {
	*schema.Catalogue
	pool   *pg.Pool
	caller *writer.XMLRPC
	who    auth.Credentials
}

func newCatalogueCheck(t *testing.T, s *stand) *catalogueCheck {
	t.Helper()
	check := &catalogueCheck{pool: s.pool, caller: s.odoo}
	best := time.Hour
	for range 5 {
		start := time.Now()
		err := s.pool.Snapshot(t.Context(), func(q pg.Querier) (err error) {
			check.Catalogue, err = schema.Load(t.Context(), q)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	t.Logf("Odoo %s: loaded in %v", check.Series, best.Round(time.Millisecond))
	if check.Series != s.Version {
		t.Fatalf("the series is %q", check.Series)
	}
	admin := s.User(stack.RoleAdmin)
	uid, err := s.odoo.Authenticate(t.Context(), admin.Login, admin.Password)
	if err != nil {
		t.Fatal(err)
	}
	check.who = auth.Credentials{UID: uid, Login: admin.Login, Secret: admin.Password}
	return check
}

func (c *catalogueCheck) execute(t *testing.T, model, method string, args []any, kwargs map[string]any) any {
	t.Helper()
	result, err := c.caller.Execute(t.Context(), c.who, model, method, args, kwargs)
	if err != nil {
		t.Fatalf("%s.%s: %v", model, method, err)
	}
	return result
}

func (c *catalogueCheck) size(t *testing.T) {
	var fields, plain int
	guards := map[schema.GuardKind]int{}
	for _, name := range c.ModelNames() {
		m := c.Model(name)
		fields += len(m.Fields)
		guards[m.Guard.Kind]++
		if m.PlainDisplayName {
			plain++
		}
	}
	t.Logf("%d models, %d fields, %d open, %d guarded in searches, %d guarded, %d with plain labels",
		len(c.ModelNames()), fields, guards[schema.Open], guards[schema.GuardedSearch], guards[schema.Guarded], plain)
	if len(c.ModelNames()) < 300 || fields < 6000 || guards[schema.Open] < 200 || plain < 100 {
		t.Error("that is less than the stack's add-ons have")
	}
	if c.Upgrading || !c.Modules["sale"] {
		t.Errorf("upgrading %v, modules %v", c.Upgrading, len(c.Modules))
	}
}

// columns reads every column of every model once, which proves that they exist.
func (c *catalogueCheck) columns(t *testing.T) {
	for _, name := range c.ModelNames() {
		m := c.Model(name)
		if m.Relation == schema.NoRelation || m.Guard.Reason == "the database role may not read its table" {
			continue
		}
		var columns []string
		for _, field := range m.FieldNames() {
			f := m.Field(field)
			if f.Column != "" && f.Static.Python == "" {
				columns = append(columns, pgx.Identifier{f.Column}.Sanitize())
			}
			if f.Column == "" && f.Stored && !f.Type.X2many() && !f.Attachment && m.Relation == schema.Table {
				t.Errorf("%s.%s is stored and has no column", name, field)
			}
			if f.RelTable != "" && f.Stored {
				sql := "SELECT " + pgx.Identifier{f.RelColumn1}.Sanitize() + ", " + pgx.Identifier{f.RelColumn2}.Sanitize() +
					" FROM " + pgx.Identifier{f.RelTable}.Sanitize() + " LIMIT 0"
				c.run(t, name+"."+field, sql)
			}
		}
		c.run(t, name, "SELECT "+strings.Join(columns, ", ")+" FROM "+pgx.Identifier{m.Table}.Sanitize()+" LIMIT 0")
	}
}

func (c *catalogueCheck) run(t *testing.T, what, sql string) {
	t.Helper()
	rows, err := c.pool.Query(t.Context(), sql)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// TestSignals sees Odoo announce changes of a user and of a field, and measures what asking costs.
func TestSignals(t *testing.T) {
	eachFork(t, func(t *testing.T, s *stand) {
		c := newCatalogueCheck(t, s)
		read := func() (signals schema.Signals) {
			err := s.pool.QueryRow(t.Context(), schema.SignalStatement(c.Features)).Scan(&signals.Registry, &signals.Cache)
			if err != nil {
				t.Fatal(err)
			}
			return signals
		}
		fastest := func(run func()) time.Duration {
			best := time.Hour
			for range 500 {
				start := time.Now()
				run()
				best = min(best, time.Since(start))
			}
			return best
		}
		cost := fastest(func() { read() })
		trip := fastest(func() {
			if err := s.pool.QueryRow(t.Context(), "SELECT '1', '2'").Scan(new(string), new(string)); err != nil {
				t.Fatal(err)
			}
		})
		first := read()
		t.Logf("%+v in %v, of which a round trip is %v", first, cost, trip)
		if strings.HasSuffix(first.Registry, "!") {
			t.Error("add-ons are in transition")
		}

		c.execute(t, "res.users", "write", []any{[]any{c.who.UID}, map[string]any{"tz": "Europe/Paris"}}, nil)
		second := read()
		if second.Cache == first.Cache {
			t.Errorf("a changed user is not signalled: %+v, %+v", first, second)
		}
		model := c.execute(t, "ir.model", "search", []any{[]any{[]any{"model", "=", "res.partner"}}}, nil).([]any)
		c.execute(t, "ir.model.fields", "create", []any{map[string]any{
			"name": "x_shoe_size", "field_description": "Shoe size", "ttype": "integer", "model_id": model[0], "state": "manual",
		}}, nil)
		third := read()
		if third.Registry == second.Registry {
			t.Errorf("a new field is not signalled: %+v, %+v", second, third)
		}
		f := newCatalogueCheck(t, s).Model("res.partner").Field("x_shoe_size")
		if f == nil || !f.Manual || f.Column != "x_shoe_size" || f.ColumnType != "int4" {
			t.Errorf("the new field is %+v", f)
		}
	})
}

// models compares orders, delegations and tables. ir.model counts the rows of the table of each
// model, which tells one table from another well enough.
func (c *catalogueCheck) models(t *testing.T) {
	fields := []any{"model", "order", "transient", "inherited_model_ids"}
	rows := c.execute(t, "ir.model", "search_read", []any{[]any{}, fields}, nil).([]any)
	names := map[int64]string{}
	for _, row := range rows {
		row := row.(map[string]any)
		names[row["id"].(int64)] = row["model"].(string)
	}
	if len(rows) != len(c.ModelNames()) {
		t.Errorf("Odoo has %d models", len(rows))
	}
	// To count a model without a table is an error to 14.0, and 19.0 does not count views.
	var counted []any
	for _, row := range rows {
		row := row.(map[string]any)
		name := row["model"].(string)
		m := c.Model(name)
		if m == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		if m.Order != row["order"] || m.Transient != row["transient"] {
			t.Errorf("%s: order %q, transient %v, Odoo says %v, %v", name, m.Order, m.Transient, row["order"], row["transient"])
		}
		var want, got []string
		for _, id := range row["inherited_model_ids"].([]any) {
			want = append(want, names[id.(int64)])
		}
		for _, d := range m.Inherits {
			got = append(got, d.Parent)
		}
		sort.Strings(want)
		sort.Strings(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s delegates to %v, Odoo says %v", name, got, want)
		}
		if m.Relation == schema.Table {
			counted = append(counted, row["id"])
		}
	}
	for _, row := range c.execute(t, "ir.model", "read", []any{counted, []any{"model", "count"}}, nil).([]any) {
		row := row.(map[string]any)
		c.countRows(t, c.Model(row["model"].(string)), row["count"].(int64))
	}
}

// countRows compares the rows of a model's table.
func (c *catalogueCheck) countRows(t *testing.T, m *schema.Model, want int64) {
	if m.Guard.Reason == "the database role may not read its table" {
		return
	}
	// Odoo writes to some tables while it serves.
	busy := []string{"res.users.log", "bus.bus", "bus.presence", "res.device.log", "res.device", "ir.cron.progress"}
	var got int64
	sql := "SELECT count(*) FROM " + pgx.Identifier{m.Table}.Sanitize()
	if err := c.pool.QueryRow(t.Context(), sql).Scan(&got); err != nil {
		t.Errorf("%s: %v", m.Name, err)
	} else if got != want && !slices.Contains(busy, m.Name) {
		t.Errorf("%s: %s has %d rows, Odoo counts %d", m.Name, m.Table, got, want)
	}
}

// fields compares each field with fields_get.
func (c *catalogueCheck) fields(t *testing.T) {
	attributes := []any{"type", "store", "relation", "relation_field", "company_dependent", "related", "translate", "attachment"}
	compared := 0
	for _, name := range c.ModelNames() {
		m := c.Model(name)
		if m.Relation == schema.NoRelation || m.Transient {
			continue
		}
		described := c.execute(t, name, "fields_get", nil, map[string]any{"attributes": attributes}).(map[string]any)
		for field, about := range described {
			about := about.(map[string]any)
			f := m.Field(field)
			if f == nil {
				// Up to 18.0 the boxes of a user's form are fields that only fields_get has.
				if !strings.HasPrefix(field, "in_group_") && !strings.HasPrefix(field, "sel_groups_") {
					t.Errorf("%s.%s is missing", name, field)
				}
				continue
			}
			compared++
			text := func(key string) string { s, _ := about[key].(string); return s }
			got := fmt.Sprint(f.Type, f.Stored, f.Comodel, f.Inverse, f.CompanyDependent, f.Translate != "")
			inverse := text("relation_field")
			if f.Type != schema.One2many {
				inverse = ""
			}
			want := fmt.Sprint(text("type"), about["store"], text("relation"), inverse, about["company_dependent"] == true, about["translate"] == true)
			if got != want {
				t.Errorf("%s.%s: %s, Odoo says %s", name, field, got, want)
			}
			// fields_get gives a related path as text or, in old series, as a list.
			if related := about["related"]; related != nil && related != false && f.Related == nil {
				t.Errorf("%s.%s: Odoo says it is related to %v", name, field, related)
			}
			if (f.Type == schema.Binary) && f.Stored && about["attachment"] != nil && f.Attachment != (about["attachment"] == true) && m.Relation == schema.Table {
				t.Errorf("%s.%s: attachment %v, Odoo says %v", name, field, f.Attachment, about["attachment"])
			}
		}
	}
	t.Logf("%d fields compared", compared)
}

// labels reads some records of each model whose label is proven to be a field's value.
func (c *catalogueCheck) labels(t *testing.T) {
	models, records := 0, 0
	for _, name := range c.ModelNames() {
		m := c.Model(name)
		if m.LabelField == "" || m.Relation == schema.NoRelation || m.Field(m.LabelField) == nil || !m.Field(m.LabelField).Type.Textual() {
			continue
		}
		kwargs := map[string]any{"fields": []any{"display_name", m.LabelField}, "limit": int64(20)}
		result, err := c.caller.Execute(t.Context(), c.who, name, "search_read", []any{[]any{}}, kwargs)
		if err != nil {
			continue // not readable for the administrator
		}
		models++
		for _, row := range result.([]any) {
			row := row.(map[string]any)
			records++
			// An empty text has an empty label, which 14.0 and 15.0 spell out.
			empty := (row[m.LabelField] == false || row[m.LabelField] == "") && (row["display_name"] == false || row["display_name"] == "False")
			if row["display_name"] != row[m.LabelField] && !empty {
				t.Errorf("%s %v: display_name %q, %s %q", name, row["id"], row["display_name"], m.LabelField, row[m.LabelField])
			}
		}
	}
	t.Logf("%d records of %d models compared", records, models)
}

// known checks models that odoo-semantics.md names.
func (c *catalogueCheck) known(t *testing.T) {
	for model, table := range map[string]string{
		"ir.actions.act_window": "ir_act_window", "ir.actions.actions": "ir_actions",
		"ir.actions.report": "ir_act_report_xml", "mail.thread": "",
	} {
		if got := c.Model(model).Table; got != table {
			t.Errorf("the table of %s is %q", model, got)
		}
	}
	for _, model := range []string{"ir.attachment", "mail.message", "mail.activity", "calendar.event", "sale.report"} {
		if m := c.Model(model); m != nil && m.Relation != schema.View && m.Guard.Kind != schema.Guarded {
			t.Errorf("%s is not guarded", model)
		}
	}
	for _, model := range []string{"sale.order", "sale.order.line", "product.template", "res.country"} {
		if m := c.Model(model); m.Guard.Kind != schema.Open {
			t.Errorf("%s is guarded: %s", model, m.Guard.Reason)
		}
	}
	partner := c.Model("res.partner")
	if partner.ActiveName != "active" || partner.RecName == "" || partner.ParentName != "parent_id" || partner.ParentStore || !partner.LogAccess {
		t.Errorf("res.partner: %+v", partner)
	}
	if category := c.Model("product.category"); !category.ParentStore || category.RecName != "complete_name" {
		t.Errorf("product.category: parent store %v, name %q", category.ParentStore, category.RecName)
	}
	if location := c.Model("stock.location"); location.ParentName != "location_id" || !location.ParentStore {
		t.Errorf("stock.location: parent %q, %v", location.ParentName, location.ParentStore)
	}
	email := c.Model("res.users").Field("email")
	if !slices.Equal(email.Related, []string{"partner_id", "email"}) || !email.Inherited {
		t.Errorf("res.users.email: related %v, inherited %v", email.Related, email.Inherited)
	}
	if price := c.Model("product.product").Field("standard_price"); !price.CompanyDependent {
		t.Error("product.product.standard_price is not company-dependent")
	}
	if image := partner.Field("image_1920"); !image.Attachment || image.Column != "" {
		t.Errorf("res.partner.image_1920: %+v", image)
	}
	if name := c.Model("product.template").Field("name"); name.Translate != schema.TranslatedWhole {
		t.Errorf("product.template.name: translated %q", name.Translate)
	}
	if c.Facts.KnowsModule("sale") != true {
		t.Error("the sources do not have the add-on sale")
	}
}
