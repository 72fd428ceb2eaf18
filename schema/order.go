package schema

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// OrderTerm is one term of an order. Whether its field exists and can be sorted by is the
// compiler's to say, since that differs between series.
type OrderTerm struct {
	Field string
	// Sub is what follows a point: "id" of a many2one's id (18.0+), or a property (17.0+).
	Sub  string
	Desc bool
	// Nulls is "first", "last", or empty for PostgreSQL's default.
	Nulls string
}

// OrderError says which term of an order is wrong, and why.
type OrderError struct {
	Term string
	Msg  string
}

func (e *OrderError) Error() string { return fmt.Sprintf("order, term %q: %s", e.Term, e.Msg) }

// maxOrderTerms bounds the length of an ORDER BY.
const maxOrderTerms = 64

var (
	// modernOrder is the grammar of 17.0 to 19.0 (odoo/models.py, regex_order). What follows a
	// colon is an aggregate for read_group, and ignored elsewhere.
	modernOrder = regexp.MustCompile(`(?i)^([a-z0-9_]+)(?:\.([a-z0-9_]+))?(?::[a-z_]+)?(?:\s+(desc|asc))?(?:\s+nulls (first|last))?$`)
	// classicOrder is that of 14.0 to 16.0. Their regex_order takes quotes and colons as well, but
	// no field has such a name, so that the ORM refuses them a step later.
	classicOrder = regexp.MustCompile(`(?i)^([a-z0-9_]+)(?:( +)(desc|asc))?$`)
)

// ParseOrder returns the terms of an order such as "date desc, name", in the grammar of the series.
// The empty text gives none: the model's own order. Errors are of type *OrderError.
func ParseOrder(text string, f Features) ([]OrderTerm, error) {
	if text == "" {
		return nil, nil
	}
	parts := strings.Split(text, ",")
	if len(parts) > maxOrderTerms {
		return nil, &OrderError{Term: parts[maxOrderTerms], Msg: fmt.Sprintf("an order may have %d terms", maxOrderTerms)}
	}
	terms := make([]OrderTerm, 0, len(parts))
	for _, part := range parts {
		trimmed := strings.TrimSpace(part)
		term, ok := classicTerm(trimmed)
		if f.OrderKeywords {
			term, ok = modernTerm(trimmed)
		}
		// Regardless of case, the long s would pass for an s and the Kelvin sign for a k.
		if !ok || strings.IndexFunc(trimmed, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
			return nil, &OrderError{Term: trimmed, Msg: orderGrammar(f)}
		}
		terms = append(terms, term)
	}
	return terms, nil
}

func orderGrammar(f Features) string {
	if f.OrderKeywords {
		return `want a field name, then "asc" or "desc", then "nulls first" or "nulls last" if you like`
	}
	return `want a field name, then "asc" or "desc" if you like`
}

func modernTerm(text string) (OrderTerm, bool) {
	m := modernOrder.FindStringSubmatch(text)
	if m == nil {
		return OrderTerm{}, false
	}
	return OrderTerm{Field: m[1], Sub: m[2], Desc: strings.EqualFold(m[3], "desc"), Nulls: strings.ToLower(m[4])}, true
}

func classicTerm(text string) (OrderTerm, bool) {
	m := classicOrder.FindStringSubmatch(text)
	if m == nil {
		return OrderTerm{}, false
	}
	// The ORM splits a term at every single space and takes the second piece for the direction
	// where there are exactly two: more spaces lose it (14.0: odoo/models.py,
	// _generate_order_by_inner).
	return OrderTerm{Field: m[1], Desc: m[2] == " " && strings.EqualFold(m[3], "desc")}, true
}

// String writes the term as ParseOrder reads it.
func (t OrderTerm) String() string {
	text := t.Field
	if t.Sub != "" {
		text += "." + t.Sub
	}
	if t.Desc {
		text += " desc"
	}
	if t.Nulls != "" {
		text += " nulls " + t.Nulls
	}
	return text
}
