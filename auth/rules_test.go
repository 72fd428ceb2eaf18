package auth

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"lateral/schema"
)

// delegating returns a catalogue in which grandchild delegates to child and child to base.
func delegating(series string) *schema.Catalogue {
	link := func(m *schema.Model, name, comodel string, stored bool) {
		m.Fields[name] = &schema.Field{Name: name, Type: schema.Many2one, Comodel: comodel, Stored: stored, Column: name, Model: m}
		m.Inherits = append(m.Inherits, schema.Delegation{Parent: comodel, Link: name})
	}
	base := &schema.Model{Name: "base", Fields: map[string]*schema.Field{}}
	child := &schema.Model{Name: "child", Fields: map[string]*schema.Field{}}
	grandchild := &schema.Model{Name: "grandchild", Fields: map[string]*schema.Field{}}
	link(child, "base_id", "base", true)
	link(grandchild, "child_id", "child", true)
	loose := &schema.Model{Name: "loose", Fields: map[string]*schema.Field{}}
	link(loose, "base_id", "base", false)
	c := schema.NewCatalogue(base, child, grandchild, loose)
	c.Series, c.Features = series, schema.FeaturesOf(series)
	return c
}

// leaf is the domain of a rule whose text is a field's name.
func leaf(name string) schema.Domain {
	return schema.Condition{Path: name, Op: "=", Value: true}
}

func evaluateLeaf(text string) (schema.Domain, string, error) {
	if text == "?" {
		return nil, "nobody knows", nil
	}
	return leaf(text), "", nil
}

func through(link string, domain schema.Domain) schema.Domain {
	return schema.Condition{Path: link, Op: "any", Value: domain}
}

func TestRuleCombination(t *testing.T) {
	t.Parallel()
	type rules = map[string][]rule
	for _, test := range []struct {
		name, series, model string
		rules               rules
		want                schema.Domain
		opaque              string
	}{
		{"no rules", "19.0", "base", nil, schema.True{}, ""},
		{"a rule without text restricts nothing", "19.0", "base", rules{"base": {{global: true}}}, schema.True{}, ""},
		{
			"globals hold together", "19.0", "base",
			rules{"base": {{global: true, domain: "a"}, {global: true, domain: "b"}}},
			schema.And{leaf("a"), leaf("b")},
			"",
		},
		{
			"one of the group rules is enough", "19.0", "base",
			rules{"base": {{groups: []int64{1}, domain: "a"}, {groups: []int64{1}, domain: "b"}}},
			schema.Or{leaf("a"), leaf("b")},
			"",
		},
		{"group rules of others restrict nothing", "19.0", "base", rules{"base": {{groups: []int64{9}, domain: "a"}}}, schema.True{}, ""},
		{"and do not have to be understood", "19.0", "base", rules{"base": {{groups: []int64{9}, domain: "?"}}}, schema.True{}, ""},
		{"an empty group rule opens all of them", "19.0", "base", rules{"base": {{groups: []int64{1}, domain: "a"}, {groups: []int64{1}}}}, schema.True{}, ""},
		{"but not the global ones", "19.0", "base", rules{"base": {{global: true, domain: "g"}, {groups: []int64{1}}}}, leaf("g"), ""},
		{
			"one that is not understood spoils all", "19.0", "base",
			rules{"base": {{groups: []int64{1}, domain: "?"}, {groups: []int64{1}}}},
			nil,
			"record rule 0: nobody knows",
		},
		{"no groups and no flag", "19.0", "base", rules{"base": {{domain: "a"}}}, schema.True{}, ""},
		{"the flag and groups of others", "19.0", "base", rules{"base": {{global: true, groups: []int64{9}, domain: "a"}}}, schema.True{}, ""},
		{
			"the flag and own groups", "19.0", "base",
			rules{"base": {{global: true, groups: []int64{1, 9}, domain: "a"}, {groups: []int64{1}, domain: "b"}}},
			schema.Or{leaf("a"), leaf("b")},
			"",
		},

		{
			"parents, all the way", "17.0", "grandchild",
			rules{"base": {{global: true, domain: "a"}}, "grandchild": {{global: true, domain: "c"}}},
			schema.And{through("child_id", through("base_id", leaf("a"))), leaf("c")},
			"",
		},
		{
			"parents, one level", "16.0", "grandchild",
			rules{"base": {{global: true, domain: "a"}}, "child": {{global: true, domain: "b"}}},
			through("child_id", leaf("b")), "",
		},
		{"parents, direct", "14.0", "child", rules{"base": {{global: true, domain: "a"}}}, through("base_id", leaf("a")), ""},
		{"a link that is not stored", "19.0", "loose", rules{"base": {{global: true, domain: "a"}}}, schema.True{}, ""},
		{"a link that is not stored, before", "18.0", "loose", rules{"base": {{global: true, domain: "a"}}}, through("base_id", leaf("a")), ""},
		{"a parent that is not understood", "19.0", "grandchild", rules{"base": {{global: true, domain: "?"}}}, nil, "record rule 0: nobody knows"},
	} {
		c := delegating(test.series)
		combination := ruleCombination{
			rules: test.rules, evaluate: evaluateLeaf, catalogue: c,
			holds: func(groups []int64) bool { return slices.Contains(groups, 1) },
		}
		got, opaque, err := combination.of(c.Model(test.model), 0)
		require.NoError(t, err, test.name)
		require.Equal(t, test.opaque, opaque, test.name)
		if opaque == "" {
			require.Equal(t, test.want, schema.Normalize(got), test.name)
		}
	}
}

func TestRuleCombinationOfCycle(t *testing.T) {
	t.Parallel()
	c := delegating("19.0")
	base := c.Model("base")
	base.Fields["child_id"] = &schema.Field{Name: "child_id", Type: schema.Many2one, Stored: true, Comodel: "child"}
	base.Inherits = []schema.Delegation{{Parent: "child", Link: "child_id"}}
	combination := ruleCombination{catalogue: c, holds: func([]int64) bool { return false }, evaluate: evaluateLeaf}
	_, opaque, err := combination.of(base, 0)
	require.NoError(t, err)
	require.NotEmpty(t, opaque)
}

// matches evaluates a domain of leaves on a record, which is the set of its true fields.
func matches(d schema.Domain, record map[string]bool) bool {
	switch d := d.(type) {
	case schema.True:
		return true
	case schema.And:
		return !slices.ContainsFunc(d, func(term schema.Domain) bool { return !matches(term, record) })
	case schema.Or:
		return slices.ContainsFunc(d, func(term schema.Domain) bool { return matches(term, record) })
	case schema.Condition:
		return record[d.Path]
	}
	return false
}

// Ensure that the combination shows the records that counting the rules one by one shows.
func TestRuleCombinationOracle(t *testing.T) {
	t.Parallel()
	c := delegating("19.0")
	rapid.Check(t, func(t *rapid.T) {
		held := map[int64]bool{}
		record := map[string]bool{}
		for i := range 4 {
			held[int64(i)] = rapid.Bool().Draw(t, "held")
			record[fmt.Sprint("f", i)] = rapid.Bool().Draw(t, "field")
		}
		holds := func(groups []int64) bool {
			return slices.ContainsFunc(groups, func(id int64) bool { return held[id] })
		}
		rules := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) rule {
			r := rule{groups: rapid.SliceOfN(rapid.Int64Range(0, 3), 0, 2).Draw(t, "groups")}
			r.global = len(r.groups) == 0
			if f := rapid.IntRange(-1, 3).Draw(t, "domain"); f >= 0 {
				r.domain = fmt.Sprint("f", f)
			}
			return r
		}), 0, 6).Draw(t, "rules")

		shown, applicable, granted := true, 0, 0
		for _, r := range rules {
			satisfied := r.domain == "" || record[r.domain]
			switch {
			case len(r.groups) == 0:
				shown = shown && satisfied
			case holds(r.groups):
				applicable++
				if satisfied {
					granted++
				}
			}
		}
		shown = shown && (applicable == 0 || granted > 0)

		combination := ruleCombination{rules: map[string][]rule{"base": rules}, holds: holds, evaluate: evaluateLeaf, catalogue: c}
		domain, opaque, err := combination.of(c.Model("base"), 0)
		require.NoError(t, err)
		require.Empty(t, opaque)
		require.Equal(t, shown, matches(schema.Normalize(domain), record))
	})
}

func TestReadable(t *testing.T) {
	t.Parallel()
	policy := &Policy{acl: map[string]acl{
		"open": {everyone: true}, "mine": {groups: []int64{5, 1}}, "theirs": {groups: []int64{5}}, "both": {everyone: true, groups: []int64{5}},
	}}
	user := &Principal{UID: 7, Groups: map[int64]bool{1: true}}
	for model, want := range map[string]bool{"open": true, "mine": true, "theirs": false, "both": true, "no lines": false} {
		require.Equal(t, want, policy.readable(user, model), model)
	}
	require.True(t, policy.readable(&Principal{UID: superuser}, "no lines"))
}

func TestClosure(t *testing.T) {
	t.Parallel()
	policy := &Policy{implied: map[int64][]int64{1: {2, 3}, 3: {4, 1}, 5: {6}}}
	require.Equal(t, map[int64]bool{1: true, 2: true, 3: true, 4: true}, policy.closure([]int64{1}))
	require.Empty(t, policy.closure(nil))
}
