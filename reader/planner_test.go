package reader

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lateral/auth"
	"lateral/schema"
	"lateral/schema/facts"
)

// shapesOf plans a query on the fixture and describes its nodes.
func shapesOf(t *testing.T, f fixtureAccess, q Query) (string, error) {
	t.Helper()
	plan, _, err := compileQuery(t, f, q, Context{})
	if err != nil {
		return "", err
	}
	return describe(plan.Root), nil
}

var shapeNames = map[Shape]string{
	Value: "", ID: "id", NamedID: "named", Object: "object", ObjectList: "objectlist", BareIDs: "bare",
	NullableIDs: "nullable", IDs: "ids", Objects: "objects", SingleObject: "single", ReferenceID: "ref", ReferenceIDs: "refs",
}

func describe(level *Level) string {
	var parts []string
	for _, n := range level.Nodes {
		text := n.Key
		if name := shapeNames[n.Shape]; name != "" {
			text += ":" + name
		}
		if n.Sub != nil {
			text += "(" + describe(n.Sub) + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}

// Ensure plain and nested names take the shapes of the contract, section 4, in both modes and profiles.
func TestShapes(t *testing.T) {
	f := fixtureAccess{catalogue: fixture("19.0")}
	tree, err := schema.ParseTree(f.catalogue, "order", schema.Tuple{"id", "partner_id", "line_ids", "origin"})
	if err != nil {
		t.Fatal(err)
	}
	preset := &schema.Preset{ReadAll: tree, ReadOne: tree}
	items := []any{
		"partner_id", "line_ids", "origin",
		schema.Tuple{"user_id", schema.Tuple{"id", "partner_id", "tag_ids"}},
	}
	for _, test := range []struct {
		name string
		q    Query
		want string
	}{
		{"flat", Query{Include: items}, "id name partner_id:named(id name) line_ids:nullable origin:refs user_id:object(id partner_id:id tag_ids:bare)"},
		{"schema", Query{Preset: preset}, "id partner_id:id line_ids:bare origin:ref"},
		{"included last", Query{Preset: preset, Include: []any{"id", "name"}}, "partner_id:id line_ids:bare origin:ref id name"},
		{"excluded", Query{Preset: preset, Exclude: []any{"origin", "line_ids"}}, "id partner_id:id"},
		{"only id", Query{Preset: preset, Exclude: "*", Include: "name"}, "id name"},
		{"forms", Query{Exclude: "__all_fields__", Include: []any{
			schema.Tuple{"partner_id", []any{"name"}}, schema.Tuple{"line_ids", schema.Tuple{"id"}},
		}}, "id partner_id:objectlist(name) line_ids:single(id)"},
	} {
		test.q.Model, test.q.Profile = "order", Classic()
		got, err := shapesOf(t, f, test.q)
		if err != nil || got != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.name, got, err, test.want)
		}
	}
	got, err := shapesOf(t, f, Query{Model: "order", Profile: Typed(), Include: items})
	if want := "id name partner_id:id line_ids:ids origin:ref user_id:object(id partner_id:id tag_ids:ids)"; err != nil || got != want {
		t.Errorf("typed: got %s, %v, want %s", got, err, want)
	}
}

// Ensure what cannot be read is refused by kind, and names the field.
func TestPlanRefuses(t *testing.T) {
	f := fixtureAccess{catalogue: fixture("19.0"), hidden: map[string]string{"order": "amount", "partner": "city"}, closed: map[string]bool{"tag": true}}
	for _, test := range []struct {
		name string
		q    Query
		kind Kind
		path string
	}{
		{"unknown model", Query{Model: "nothing"}, ModelNotFound, ""},
		{"closed model", Query{Model: "tag"}, Denied, ""},
		{"unknown field", Query{Model: "order", Include: "nothing"}, Invalid, ""},
		{"hidden field", Query{Model: "order", Include: "amount"}, Denied, "amount"},
		{"hidden nested field", Query{Model: "order", Include: []any{schema.Tuple{"partner_id", schema.Tuple{"city"}}}}, Denied, "partner_id.city"},
		{"excluded nothing", Query{Model: "order", Exclude: "nothing"}, Invalid, "nothing"},
		{"bad filter", Query{Model: "order", Filters: []any{"|"}}, Invalid, ""},
		{"filter on a hidden field", Query{Model: "order", Filters: []any{[]any{"amount", "=", int64(1)}}}, Denied, ""},
		{"hop to a closed model", Query{Model: "partner", Filters: []any{[]any{"tag_ids.name", "=", "x"}}}, Denied, ""},
		{"unknown operator", Query{Model: "order", Filters: []any{[]any{"name", "~", "x"}}}, Invalid, ""},
		{"bad order", Query{Model: "order", Order: "name; drop table x"}, Invalid, ""},
		{"order by nothing", Query{Model: "order", Order: "nothing"}, Invalid, "nothing"},
		{"search by nothing", Query{Model: "order", One: true, SearchField: "nothing"}, Invalid, "nothing"},
		{"search for a word", Query{Model: "order", One: true, SearchField: "partner_id", SearchValue: "x"}, Invalid, "partner_id"},
	} {
		test.q.Profile = Classic()
		_, err := shapesOf(t, f, test.q)
		var e *Error
		if !errors.As(err, &e) || e.Kind != test.kind {
			t.Errorf("%s: got %v", test.name, err)
			continue
		}
		if test.path != "" && e.Path != test.path && e.Field != test.path {
			t.Errorf("%s: got field %q, path %q", test.name, e.Field, e.Path)
		}
		if strings.Contains(e.Message, "SELECT") || e.Message == "" {
			t.Errorf("%s: got the message %q", test.name, e.Message)
		}
	}
}

// Ensure a model that the user has no ACL for is refused, unless its code decides what is shown.
func TestGuardedModelIsOdoosToRefuse(t *testing.T) {
	for kind, want := range map[schema.GuardKind]string{
		schema.Open: "refused", schema.GuardedSearch: "refused", schema.Guarded: "delegated: tag: code",
	} {
		f := fixtureAccess{catalogue: fixture("19.0"), closed: map[string]bool{"tag": true}}
		f.catalogue.Model("tag").Guard = schema.Guard{Kind: kind, Reason: "code"}
		plan, _, err := compileQuery(t, f, Query{Model: "tag", Profile: Classic()}, Context{})
		got := "compiled"
		if e, ok := errors.AsType[*Error](err); ok && e.Kind == Denied {
			got = "refused"
		} else if plan != nil && plan.Delegate != "" {
			got = "delegated: " + plan.Delegate
		}
		if got != want {
			t.Errorf("guard %v: %s, %v, want %s", kind, got, err, want)
		}
	}
}

// Ensure decimals are compared where Odoo's rounding keeps them as they are, and only there.
func TestDecimalsWithinDigits(t *testing.T) {
	for _, test := range []struct {
		digits any
		value  float64
		within bool
	}{
		{nil, 1.5, false},
		{"Volume", 1.25, true},
		{"Volume", 1.255, false},
		{"Weight", 1.5, false},
		{"dp.get_precision('Volume')", 1.5, false},
		{0.0, 1.23456, true},
		{[]any{16.0, 1.0}, 1.5, true},
		{[]any{16.0, 1.0}, 1.25, false},
		{[]any{16.0, 2.0}, -1e-7, false},
		{[]any{16.0, 0.0}, 0.5, false},
	} {
		f := &schema.Field{Name: "price", Type: schema.Float, Static: schema.StaticField{Source: &facts.Field{Digits: test.digits}}}
		if got := withinDigits(f, test.value, map[string]int{"Volume": 2, "Weight": 0}); got != test.within {
			t.Errorf("%v of digits %v: %v", test.value, test.digits, got)
		}
	}
	if withinDigits(&schema.Field{Type: schema.Float}, 1.5, nil) {
		t.Error("the digits of a field that no source tells of are known")
	}
}

// Ensure an id beside the name of a model ties lines to a record, and an id alone does not.
func TestLinesByReference(t *testing.T) {
	for _, known := range []bool{true, false} {
		f := fixtureAccess{catalogue: fixture("19.0")}
		line, order := f.catalogue.Model("line"), f.catalogue.Model("order")
		line.Fields["res_model"] = &schema.Field{Name: "res_model", Type: schema.Char, Stored: true, Column: "res_model", Model: line}
		line.Fields["res_id"] = &schema.Field{Name: "res_id", Type: schema.Many2oneReference, Stored: true, Column: "res_id", Model: line}
		if known {
			line.Fields["res_id"].Static.Source = &facts.Field{ModelField: "res_model"}
		}
		order.Fields["note_ids"] = &schema.Field{Name: "note_ids", Type: schema.One2many, Stored: true, Comodel: "line", Inverse: "res_id", Model: order}
		_, made, err := compileQuery(t, f, Query{Model: "order", Include: "note_ids", Profile: Classic()}, Context{})
		if err != nil {
			t.Fatal(err)
		}
		if tied := strings.Contains(made.sql, `."res_id" = a2.id AND `) && strings.Contains(made.sql, `."res_model" = 'order'`); tied != known || (len(made.spliced) == 0) != known {
			t.Errorf("known %v: %s", known, made.sql)
		}
	}
}

// Ensure an order through a view, which may have several rows with one id, is Odoo's business.
func TestOrderThroughAView(t *testing.T) {
	for relation, delegated := range map[schema.Relation]bool{schema.Table: false, schema.View: true} {
		f := fixtureAccess{catalogue: fixture("14.0")}
		f.catalogue.Model("term").Relation, f.catalogue.Model("term").Order = relation, "id"
		_, made, err := compileQuery(t, f, Query{Model: "line", Order: "term_id", Profile: Classic()}, Context{})
		if (made == nil) != delegated {
			t.Errorf("relation %d: %v, %v", relation, made, err)
		}
	}
}

// Ensure a search method decides even of a field that has a column, where the series lets it.
func TestSearchMethodsOfStoredFields(t *testing.T) {
	for series, delegated := range map[string]bool{"14.0": false, "18.0": false, "19.0": true} {
		f := fixtureAccess{catalogue: fixture(series)}
		f.catalogue.Model("order").Field("name").Static.Source = &facts.Field{Search: "_search_name"}
		q := Query{Model: "order", Filters: []any{[]any{"name", "=", "x"}}, Profile: Classic()}
		_, made, err := compileQuery(t, f, q, Context{})
		if (made == nil) != delegated {
			t.Errorf("%s: %v, %v", series, made, err)
		}
	}
}

// Ensure a context is read as Odoo means it, and the rest kept for Odoo.
func TestParseContext(t *testing.T) {
	c, err := parseContext(map[string]any{"lang": false, "active_test": int64(0), "allowed_company_ids": []any{int64(2), int64(1)}, "show_address": true})
	if err != nil || c.Lang != "" || *c.ActiveTest || len(c.Companies) != 2 || c.Extra["show_address"] != true {
		t.Errorf("got %+v, %v", c, err)
	}
	user := &auth.Principal{Lang: "fr_FR", Tz: "Europe/Paris"}
	if with := c.withUser(user); with.Lang != "" || with.Tz != "Europe/Paris" {
		t.Errorf("got %+v", with)
	}
	for key, v := range map[string]any{"lang": int64(1), "tz": []any{}, "allowed_company_ids": "x"} {
		if _, err := parseContext(map[string]any{key: v}); err == nil {
			t.Errorf("%s: %v was taken", key, v)
		}
	}
}

// Ensure two values have one key only where they are the same.
func TestWriteKey(t *testing.T) {
	scalar := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }), rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Map(rapid.String(), func(s string) any { return s }), rapid.Map(rapid.Float64(), func(f float64) any { return f }))
	list := rapid.Map(rapid.SliceOfN(scalar, 0, 4), func(l []any) any { return l })
	value := rapid.OneOf(scalar, list, rapid.Map(list, func(l any) any { return schema.Tuple(l.([]any)) }))
	rapid.Check(t, func(t *rapid.T) {
		a, b := value.Draw(t, "a"), value.Draw(t, "b")
		var ka, kb strings.Builder
		writeKey(&ka, a)
		writeKey(&kb, b)
		if same := schema.FormatLiteral(a) == schema.FormatLiteral(b); same != (ka.String() == kb.String()) {
			t.Fatalf("%#v and %#v: %q, %q", a, b, ka.String(), kb.String())
		}
	})
}

// Ensure a comparison by <> is Odoo's business where it is negated, and only there.
func TestNegatedApart(t *testing.T) {
	path, column, other := []any{"partner_id.name", "<>", "x"}, []any{"name", "<>", "x"}, []any{"name", "=", "x"}
	for text, test := range map[string]struct {
		domain []any
		apart  bool
	}{
		"none":               {[]any{path, other}, false},
		"negated":            {[]any{"!", path}, true},
		"twice":              {[]any{"!", "!", path}, false},
		"a column":           {[]any{"!", column}, false},
		"beside":             {[]any{"!", other, path}, false},
		"in a negated and":   {[]any{"!", "&", other, path}, true},
		"behind a negated":   {[]any{"|", "!", "&", other, other, path}, false},
		"after a whole term": {[]any{"|", other, "!", other, path}, false},
		"in an or":           {[]any{"|", other, "!", "|", "!", path, path}, true},
	} {
		if got := negatesApart(fixture("14.0").Model("order"), test.domain); got != test.apart {
			t.Errorf("%s: %v", text, got)
		}
	}
}
