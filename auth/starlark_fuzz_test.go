package auth

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"lateral/schema"
)

// bombs are texts that would take any amount of work or memory, if only their steps were counted.
func bombs() []string {
	layers := func(n int, head, core string) string {
		return strings.Repeat(head, n) + core + strings.Repeat("]", n)
	}
	return []string{
		layers(60, "[x + x for x in ", "['aaaaaaaa']"),
		layers(60, "[x + x for x in ", "[[1, 2, 3]]"),
		layers(30, "[[x, x, x, x, x, x, x, x] for x in ", "[1]"),
		layers(40, "[(x, x) for x in ", "[1]"),
		"[y == y for y in " + layers(60, "[[x, x] for x in ", "[1]") + "]",
		"[sorted([y, y]) for y in " + layers(9, "[[x, x, x, x, x, x, x, x, x, x] for x in ", "[1]") + "]",
		"[int(x) for x in ['" + strings.Repeat("9", 60000) + "'] for i in range(5000)]",
		"[list(range(10000)) == list(range(10000)) for i in range(9000)]",
		"[9999 in list(range(10000)) for i in range(9000)]", "[len(x + x) for x in ['" + strings.Repeat("a", 60000) + "'] for i in range(9000)]",
		strings.Repeat("(", 30000) + "1" + strings.Repeat(")", 30000), strings.Repeat("[", 30000) + strings.Repeat("]", 30000),
		strings.Repeat("not ", 15000) + "1", strings.Repeat("-", 60000) + "1", "user" + strings.Repeat(".id", 20000), "[1]" + strings.Repeat(" + [1]", 10000),
		strings.Repeat("1 if 1 else ", 5000) + "1", strings.Repeat("['|', ('a', '=', 1), ('b', '=', 2)] + ", 1500) + "[]",
	}
}

// Ensure that no rule takes more than a moment, or more than a bounded amount of memory, to be
// evaluated or found to be too much.
func TestRuleWork(t *testing.T) {
	for _, text := range bombs() {
		start := time.Now()
		domain, opaque, err := evaluate("19.0", text, ruleRecords())
		if err != nil || (domain == nil) == (opaque == "") {
			t.Errorf("%.80s: %v, %.80q, %v", text, domain, opaque, err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%.80s took %v", text, took)
		}
	}
}

// Ensure that work is bounded for each rule, not for all rules of a user.
func TestRuleWorkStartsAnew(t *testing.T) {
	e := newEvaluator(t.Context(), rulePrincipal(), ruleCatalogue("19.0"), ruleRecords(), knownFieldViews)
	const text = "[('a', 'in', [i for i in range(4000) if i in list(range(100))])]"
	for range 5 {
		if _, opaque, err := e.domain(text); opaque != "" || err != nil {
			t.Fatal(opaque, err)
		}
	}
}

// Ensure that every text is either a domain that can be sent and read back or not known for a
// reason, the same each time and in a moment, and that a text without names means what it says.
func FuzzRule(f *testing.F) {
	for _, seed := range []string{
		"[('a', 'in', company_ids + [False])]", "[(x, '=', user.id) for x in ['a']]", "[1 if user else (2,), not 3 in [4]]",
		"['|', ('a', '=', user.partner_id.commercial_partner_id.id), ('b', 'in', [g.id for g in user.all_group_ids])]",
		"[('a','=',user.env.ref('base.de').id)]", "[lambda x: x]", "{}[0]", "user.mapped('company_ids.country_id')", "*a", "f(**b)",
		"[('a', '=', False), ('b.c', 'not in', [1, 2.5, 'x', None])]", "['&', '|', '!', (1, '=', 1), (0, '=', 1), ('a', 'any', [('b', '=', 1)])]",
		"[('a', 'in', sorted(set(user.company_ids.ids)))]", "[('a', '=', str(user.id)), ('b', '>=', max(1, 2))]", "[('a', 'child_of', [user.partner_id.id])]",
		"[(1, '=', 1)] if user.has_group('base.group_user') else [(0, '=', 1)]", "[('a', '=', 'x' + str(sum([1, 2])))]", "('a', '=', 1),", "[]", "",
		"[('a', '=', time.strftime('%Y'))]", "[('a', 'in', user.env.companies[0].id)]", "[x for x in 'ab']", "[('a', 'in', company_ids[-1:])]",
		"[x + x for x in [x + x for x in [[1, 2, 3]]]]", "[('a', 'in', [[x, x] for x in [1]])]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxRuleText {
			return
		}
		start := time.Now()
		domain, opaque, err := evaluate("19.0", text, ruleRecords())
		if took := time.Since(start); took > 10*time.Second {
			t.Fatalf("it took %v", took)
		}
		if err != nil || (domain == nil) == (opaque == "") || strings.Contains(opaque, "\n") {
			t.Fatalf("%q: %v, %q, %v", text, domain, opaque, err)
		}
		again, why, err := evaluate("19.0", text, ruleRecords())
		if err != nil || why != opaque || !reflect.DeepEqual(again, domain) {
			t.Fatalf("%q: first %v, %q, then %v, %q, %v", text, domain, opaque, again, why, err)
		}
		if domain == nil {
			return
		}
		list := schema.DomainList(domain)
		sent, err := schema.ParseDomain(list)
		if err != nil || !reflect.DeepEqual(schema.DomainList(sent), list) {
			t.Fatalf("%q: %s is read back as %v, %v", text, schema.FormatLiteral(list), sent, err)
		}
		if literal, err := schema.ParseLiteral(text); err == nil && utf8.ValidString(text) {
			want, err := schema.ParseDomain(literal)
			if err != nil || !reflect.DeepEqual(domain, want) {
				t.Fatalf("%q is %#v, and written out %#v, %v", text, domain, want, err)
			}
		}
	})
}
