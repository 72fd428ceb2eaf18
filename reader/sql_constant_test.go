package reader

import (
	"errors"
	"testing"

	"lateral/schema"
)

// Ensure a refusal is left to Odoo where terms beside the refused one may settle the domain before, and
// is one where they cannot.
func TestSettledBeforeRefusal(t *testing.T) {
	refused := []any{"partner_id.city", "=", "x"}
	leaf := func(path, op string, value any) []any { return []any{path, op, value} }
	for name, c := range map[string]struct {
		domain []any
		left   bool
	}{
		"nothing beside":           {domain: []any{refused}},
		"one and not the same":     {domain: []any{leaf("state", "=", "a"), leaf("state", "!=", "a"), refused}, left: true},
		"one of several, none":     {domain: []any{leaf("amount", "in", []any{int64(1), int64(2)}), leaf("amount", "not in", []any{2.0, 1.0}), refused}, left: true},
		"another of several":       {domain: []any{leaf("user_id", "in", []any{int64(1), int64(2)}), leaf("user_id", "!=", int64(2)), refused}},
		"two different":            {domain: []any{leaf("user_id", "=", int64(1)), leaf("user_id", "=", int64(2)), refused}, left: true},
		"two fields":               {domain: []any{leaf("state", "=", "a"), leaf("name", "!=", "a"), refused}},
		"one only":                 {domain: []any{leaf("state", "=", "a"), refused}},
		"negated":                  {domain: []any{leaf("state", "=", "a"), "!", leaf("state", "=", "a"), refused}, left: true},
		"negated or":               {domain: []any{leaf("state", "=", "a"), "!", "|", leaf("state", "=", "a"), leaf("name", "=", "b"), refused}, left: true},
		"negated and":              {domain: []any{leaf("state", "=", "a"), "!", "&", leaf("state", "=", "a"), leaf("name", "=", "b"), refused}},
		"of an or":                 {domain: []any{"|", "|", leaf("state", "!=", "a"), leaf("state", "!=", "b"), refused}, left: true},
		"of an or, something left": {domain: []any{"|", "|", leaf("state", "!=", "a"), leaf("state", "!=", "a"), refused}},
		"x2many":                   {domain: []any{leaf("line_ids", "=", int64(1)), leaf("line_ids", "=", int64(2)), refused}},
	} {
		t.Run(name, func(t *testing.T) {
			f := fixtureAccess{catalogue: fixture("19.0"), closed: map[string]bool{"partner": true}}
			_, _, err := compileQuery(t, f, Query{Model: "order", Filters: c.domain, Include: []any{"id"}, Profile: Typed()}, Context{})
			known, isRefusal := errors.AsType[*Error](err)
			switch reason, left := delegated(err); {
			case left != c.left, left && reason != lateConstant, !left && (!isRefusal || known.Kind != Denied):
				t.Errorf("got %v", err)
			}
		})
	}
}

// Ensure a condition behind a field that is searched by a method of its own settles nothing: the method comes first.
func TestNotSettledBehindSearch(t *testing.T) {
	for stored, left := range map[bool]bool{true: false, false: true} {
		catalogue := fixture("19.0")
		partner := catalogue.Model("order").Fields["partner_id"]
		partner.Stored = stored
		if !stored {
			partner.Column, partner.Related, partner.Searchable = "", []string{"user_id", "partner_id"}, true
		}
		_, _, err := compileQuery(t, fixtureAccess{catalogue: catalogue}, Query{
			Model: "order", Filters: []any{[]any{"partner_id.id", "=", false}}, Include: []any{"id"}, Profile: Typed(),
		}, Context{})
		if _, got := delegated(err); got != left || !got && err != nil {
			t.Errorf("stored %t: %v", stored, err)
		}
	}
}

// Ensure a related field that has to be of a value settles a domain as the field it leads to does.
func TestSettledByRelatedField(t *testing.T) {
	catalogue := fixture("19.0")
	amount := catalogue.Model("order").Fields["amount"]
	amount.Required, amount.NotNull, amount.Type = true, true, schema.Selection
	total := catalogue.Model("line").Fields["total"]
	total.Type = schema.Selection
	f := fixtureAccess{catalogue: catalogue, closed: map[string]bool{"term": true}}
	_, _, err := compileQuery(t, f, Query{
		Model: "line", Filters: []any{[]any{"total", "=", false}, []any{"term_id.sequence", "=", int64(1)}}, Include: []any{"id"}, Profile: Typed(),
	}, Context{})
	if reason, left := delegated(err); !left || reason != lateConstant {
		t.Errorf("got %v", err)
	}
}
