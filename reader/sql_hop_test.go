package reader

import (
	"strings"
	"testing"
)

// Ensure archived records are hidden unless what Odoo has left of a domain speaks of the flag.
func TestActiveFilter(t *testing.T) {
	flag, yes, no := []any{"active", "=", false}, []any{int64(1), "=", int64(1)}, []any{int64(0), "=", int64(1)}
	name := []any{"name", "=", "x"}
	for text, c := range map[string]struct {
		domain          []any
		modern, classic bool // archived records are hidden by 19.0, and by 14.0
	}{
		"nothing":             {[]any{}, true, true},
		"another field":       {[]any{name}, true, true},
		"the flag":            {[]any{flag}, false, false},
		"one of two":          {[]any{"|", name, flag}, false, false},
		"or true":             {[]any{"|", flag, yes}, true, false},
		"or false":            {[]any{"|", flag, no}, false, false},
		"and true":            {[]any{flag, yes}, false, false},
		"or not an or":        {[]any{"|", flag, "!", "&", name, "!", name}, false, false},
		"or both true":        {[]any{"|", flag, "&", yes, yes}, true, false},
		"beside another":      {[]any{name, "|", yes, flag}, true, false},
		"the flag and or yes": {[]any{flag, "|", yes, flag}, false, false},
	} {
		for series, hidden := range map[string]bool{"19.0": c.modern, "14.0": c.classic} {
			_, made, err := compileQuery(t, fixtureAccess{catalogue: fixture(series)}, Query{
				Model: "partner", Filters: c.domain, Include: []any{"id"}, Profile: Typed(),
			}, Context{})
			if err != nil {
				t.Errorf("%s, %s: %v", text, series, err)
				continue
			}
			_, where, _ := strings.Cut(made.sql, "WHERE")
			where, _, _ = strings.Cut(where, "\nORDER BY")
			filter := map[string]string{"19.0": ` AND a1."active" IS TRUE)`, "14.0": ` AND a1."active" = TRUE)`}[series]
			if got := strings.HasSuffix(where, filter); got != hidden {
				t.Errorf("%s, %s: archived records are hidden: %t\n%s", text, series, got, made.sql)
			}
		}
	}
}
