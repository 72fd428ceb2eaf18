package reader

import (
	"regexp"
	"strings"
	"testing"

	"lateral/schema"
)

// texts returns the values of a position, "-" for NULL.
func texts(values ...string) []*string {
	list := make([]*string, len(values))
	for i := range values {
		if values[i] != "-" {
			list[i] = &values[i]
		}
	}
	return list
}

// Ensure what stands behind a position is told by a row comparison where there is one, and term by term otherwise,
// with what indexes can use in front.
func TestBehind(t *testing.T) {
	number := func(expression string, down bool, nulls string) orderBy {
		return orderBy{expression: expression, typ: "int4", down: down, nulls: nulls}
	}
	id := func(down bool) orderBy {
		return orderBy{expression: "id", typ: "int4", down: down, notNull: true}
	}
	for _, test := range []struct {
		name   string
		terms  []orderBy
		values []*string
		want   string
	}{
		{"the id", []orderBy{id(false)}, texts("5"), "(id) > ($::int4)"},
		{"all descend", []orderBy{number("a", true, ""), id(true)}, texts("1", "5"), "(a, id) < ($::int4, $::int4)"},
		{
			"NULLs behind",
			[]orderBy{number("a", true, "last"), id(true)},
			texts("1", "5"),
			"(a, id) < ($::int4, $::int4) | a IS NULL",
		},
		{
			"NULLs behind, ascending",
			[]orderBy{number("a", false, ""), id(false)},
			texts("1", "5"),
			"(a, id) > ($::int4, $::int4) | a IS NULL",
		},
		{
			"NULLs behind, of the second term too",
			[]orderBy{number("a", false, ""), number("b", false, ""), id(true)},
			texts("1", "2", "5"),
			"a >= $::int4 AND (a > $::int4 OR a = $::int4 AND (b > $::int4 OR b IS NULL) OR a = $::int4 AND b = $::int4 AND id < $::int4) | a IS NULL",
		},
		{"NULLs before, ascending", []orderBy{number("a", false, "first"), id(false)}, texts("1", "5"), "(a, id) > ($::int4, $::int4)"},
		{
			"two directions",
			[]orderBy{number("a", true, ""), id(false)},
			texts("1", "5"),
			"a <= $::int4 AND (a < $::int4 OR a = $::int4 AND id > $::int4)",
		},
		{"in the NULLs, which are last", []orderBy{number("a", false, ""), id(false)}, texts("-", "5"), "a IS NULL AND (a IS NULL AND id > $::int4)"},
		{"in the NULLs, which are first", []orderBy{number("a", true, ""), id(true)}, texts("-", "5"), "(a IS NOT NULL OR a IS NULL AND id < $::int4)"},
		{
			"NULL in the second term",
			[]orderBy{id(true), number("b", true, ""), id(true)},
			texts("1", "-", "5"),
			"id <= $::int4 AND (id < $::int4 OR id = $::int4 AND b IS NOT NULL OR id = $::int4 AND b IS NULL AND id < $::int4)",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &compiler{}
			got, err := c.behind(ordering{test.terms}, &position{values: test.values})
			if err != nil {
				t.Fatal(err)
			}
			if got := regexp.MustCompile(`\$\d+`).ReplaceAllString(strings.Join(got, " | "), "$$"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	if _, err := (&compiler{}).behind(ordering{[]orderBy{id(false)}}, &position{values: texts("1", "2")}); err == nil {
		t.Error("a position of another order is taken")
	}
}

// Ensure a statement serves all cursors of its shape, with their values as parameters, and counts what is before them too.
func TestKeysetStatement(t *testing.T) {
	access := fixtureAccess{catalogue: fixture("19.0")}
	q := Query{Model: "order", Profile: Typed(), Limit: 10, Keyset: true, Count: true, Filters: []any{schema.Tuple{"state", "=", "sale"}}}
	_, start, err := compileQuery(t, access, q, Context{Lang: "en_US"})
	if err != nil {
		t.Fatal(err)
	}
	q.from = &position{binding: start.binding, values: texts("2024-01-02 03:04:05.678", "7")}
	_, next, err := compileQuery(t, access, q, Context{Lang: "en_US"})
	if err != nil {
		t.Fatal(err)
	}
	if start.binding != next.binding || start.page != 10 || start.keys != 2 || !strings.Contains(start.sql, "LIMIT 11") {
		t.Errorf("%+v, %+v", start, next)
	}
	if !strings.Contains(next.sql, `(a1."date", a1.id) < ($2::timestamp, $3::int4)`) {
		t.Error(next.sql)
	}
	if next.count != start.count || len(next.countArgs) != 1 {
		t.Errorf("%s: %v", next.count, next.countArgs)
	}
	if args := next.arguments(q); len(args) != 3 || args[1] != "2024-01-02 03:04:05.678" || args[2] != "7" {
		t.Errorf("arguments %v", args)
	}
	other := q
	other.from = &position{binding: start.binding, values: texts("2025-01-02 03:04:05", "8")}
	if args := next.arguments(other); args[2] != "8" || next.arguments(q)[2] != "7" {
		t.Errorf("arguments %v", args)
	}
	nulls := q
	nulls.Order, nulls.from = "amount", nil
	if _, start, err = compileQuery(t, access, nulls, Context{Lang: "en_US"}); err != nil {
		t.Fatal(err)
	}
	nulls.from = &position{binding: start.binding, values: texts("1.5", "7")}
	if _, next, err = compileQuery(t, access, nulls, Context{Lang: "en_US"}); err != nil {
		t.Fatal(err)
	}
	// Each of the two searches ends as early as both together do.
	if strings.Count(next.sql, "UNION ALL") != 1 || strings.Count(next.sql, "LIMIT 11") != 3 || strings.Contains(next.sql, neededColumns) {
		t.Error(next.sql)
	}
	if q.from.shape() != other.from.shape() || q.from.shape() == (&position{values: texts("-", "8")}).shape() {
		t.Error("shapes")
	}
}

// Ensure a total is estimated only where an estimate tells nothing of records that are hidden.
func TestEstimate(t *testing.T) {
	filters := []any{schema.Tuple{"partner_id.city", "=", "x"}}
	hidden := map[string]schema.Domain{"partner": schema.Condition{Path: "active", Op: "=", Value: true}}
	own := map[string]schema.Domain{"order": schema.Condition{Path: "done", Op: "=", Value: true}}
	for _, test := range []struct {
		name    string
		rules   map[string]schema.Domain
		filters any
		want    bool
	}{
		{"all", nil, nil, true},
		{"filtered", nil, filters, true},
		{"own records", own, nil, true},
		{"own records, of all", own, []any{}, true},
		{"own records, filtered", own, []any{schema.Tuple{"state", "=", "sale"}}, false},
		{"by hidden records", hidden, filters, false},
		{"by what is not hidden", hidden, []any{schema.Tuple{"state", "=", "sale"}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := Query{Model: "order", Profile: Typed(), Count: true, Estimate: true, Filters: test.filters}
			_, s, err := compileQuery(t, fixtureAccess{catalogue: fixture("19.0"), rules: test.rules}, q, Context{Lang: "en_US"})
			if err != nil {
				t.Fatal(err)
			}
			if s.estimated != test.want || strings.HasPrefix(s.count, "EXPLAIN") != test.want {
				t.Errorf("estimated: %v by %s", s.estimated, s.count)
			}
		})
	}
}
