package auth

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lateral/schema"
	"lateral/schema/facts"
)

func TestFieldViews(t *testing.T) {
	t.Parallel()
	c := ruleCatalogue("19.0")
	partners := c.Model("res.partner")
	yes, no := true, false
	named := schema.Condition{Path: "name", Op: "=", Value: "x"}
	for name, test := range map[string]struct {
		domain, context any
		source          *facts.Field
		readDomain      string
		want            FieldView
		opaque          bool
	}{
		"nothing":                     {want: FieldView{}},
		"empty list":                  {domain: []any{}, context: map[string]any{}, want: FieldView{}},
		"a list filters":              {domain: []any{[]any{"name", "=", "x"}}, want: FieldView{Domain: named}},
		"always true":                 {domain: []any{[]any{int64(1), "=", int64(1)}}, want: FieldView{}},
		"false":                       {domain: false, want: FieldView{}},
		"a text is the browser's":     {domain: "[('name', '=', parent.x)]", want: FieldView{}},
		"a check of companies":        {domain: "(company_id and ['|', ('a', '=', 1)] or [('b', '=', False)]) + ([])", want: FieldView{}},
		"hides a domain":              {domain: "(company_id and [('a', '=', 1)] or []) + ([('name', '=', 'x')])", opaque: true},
		"that the sources know":       {domain: "(company_id and [('a', '=', 1)] or []) + ([('name', '=', 'x')])", readDomain: "[('name', '=', 'x')]", want: FieldView{Domain: named}},
		"or know to be a text":        {domain: "(company_id and [('a', '=', 1)] or []) + ([('name', '=', 'x')])", source: &facts.Field{Domain: facts.StringDomain}, want: FieldView{}},
		"or a function's":             {domain: "(company_id and [('a', '=', 1)] or []) + ([('name', '=', 'x')])", source: &facts.Field{Domain: facts.CallableDomain}, opaque: true},
		"sources that cannot be read": {domain: "x", readDomain: "[('name', '=', f())]", opaque: true},
		"ids":                         {domain: []any{[]any{"id", "in", []any{int64(4)}}}, opaque: true},
		"ids behind a path":           {domain: []any{"|", []any{"name", "=", "x"}, []any{"name", "=", int64(5)}}, want: FieldView{Domain: schema.Or{named, schema.Condition{Path: "name", Op: "=", Value: int64(5)}}}},
		"an instant":                  {domain: []any{"!", []any{"name", ">", "2024-01-01 00:00:00"}}, opaque: true},
		"an unknown field":            {domain: []any{[]any{"nothing", "=", "x"}}, opaque: true},
		"malformed":                   {domain: []any{"&"}, opaque: true},
		"neither":                     {domain: int64(3), opaque: true},
		"true":                        {domain: true, opaque: true},
		"active_test":                 {context: map[string]any{"active_test": false, "default_x": int64(1)}, want: FieldView{ActiveTest: &no}},
		"active_test on":              {context: map[string]any{"active_test": true}, want: FieldView{ActiveTest: &yes}},
		"active_test odd":             {context: map[string]any{"active_test": int64(0)}, opaque: true},
		"its own language":            {context: map[string]any{"lang": "fr_FR"}, opaque: true},
		"a text as context":           {context: "{'active_test': False}", opaque: true},
		"an empty text":               {context: "{}", want: FieldView{}},
		"a list as context":           {context: []any{}, opaque: true},
	} {
		f := *partners.Field("category_id")
		f.Static.ReadDomain, f.Static.Source = test.readDomain, test.source
		m := *partners
		m.Fields = map[string]*schema.Field{"category_id": &f, "name": partners.Field("name")}
		views := newFieldViews(c, &m, map[string]map[string]any{
			"category_id": {"domain": test.domain, "context": test.context}, "name": {"domain": "ignored"}, "unknown": {},
		})
		require.Len(t, views, 2, name)
		require.Equal(t, FieldView{}, views["name"])
		got := views["category_id"]
		require.Equal(t, test.opaque, got.Opaque != "", "%s: %+v", name, got)
		if !test.opaque {
			require.Equal(t, test.want, got, name)
		}
	}
}

func TestFieldViewsThroughReference(t *testing.T) {
	t.Parallel()
	messages := newTestModel("mail.message", "res_id many2one_reference", "model char")
	threads := newTestModel("mail.thread", "message_ids one2many mail.message")
	threads.Fields["message_ids"].Inverse = "res_id"
	c := schema.NewCatalogue(messages, threads)
	c.Features = schema.FeaturesOf("19.0")
	for text, opaque := range map[string]bool{
		"([]) + ([('model', '=', 'x')])":                     false,
		"([('model', '!=', 'y')]) + ([('model', '=', 'x')])": true,
	} {
		view := newX2manyView(c, threads.Field("message_ids"), map[string]any{"domain": text})
		require.Equal(t, opaque, view.Opaque != "", text)
	}
}

func TestViewCacheShares(t *testing.T) {
	t.Parallel()
	cache := newViewCache(3)
	make := func() map[string]FieldView {
		return map[string]FieldView{"a": {Domain: schema.Condition{Path: "x", Op: "=", Value: int64(1)}}}
	}
	first := cache.put(viewKey{"joe", "m"}, make())
	second := cache.put(viewKey{"ann", "m"}, make())
	first["b"] = FieldView{}
	require.Contains(t, second, "b", "equal views are one")
	delete(first, "b")
	other := cache.put(viewKey{"ann", "other"}, make())
	other["b"] = FieldView{}
	require.NotContains(t, second, "b", "but not those of other models")
	cache.put(viewKey{"eve", "m"}, make())
	require.LessOrEqual(t, len(cache.byKey), 3)
	require.Nil(t, (*viewCache)(nil).get(viewKey{}))
}

func TestOrderSQL(t *testing.T) {
	t.Parallel()
	c := ruleCatalogue("19.0")
	m := newTestModel("m", "name char", "sequence integer", "other_id many2one m", "flag boolean", "title char")
	m.Fields["title"].Translate = schema.TranslatedWhole
	for order, want := range map[string]string{
		"":                    `t."id"`,
		"sequence, name desc": `t."sequence", t."name" DESC`,
		"title":               `t."title"->>'en_US'`,
		"name nulls first":    `t."name" NULLS FIRST`,
		"other_id":            "", "flag": "", "nothing": "", "name; drop table x": "",
	} {
		m.Order = order
		got, ok := orderSQL(c, m, "t")
		require.Equal(t, want, got, order)
		require.Equal(t, want != "", ok, order)
	}
}
