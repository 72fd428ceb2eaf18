package reader

import (
	"slices"
	"strings"
)

// cursorValue stands among a statement's arguments for a value of the cursor, by its number in the order.
type cursorValue int

// keyTypes are the types of which PostgreSQL's text reads back as the very value.
var keyTypes = map[string]bool{
	"int2": true, "int4": true, "int8": true, "float8": true, "numeric": true, "bool": true,
	"date": true, "timestamp": true, "text": true, "varchar": true,
}

// behind writes the conditions that a record stands behind a position in an order: none of the first page, else one
// for each of the searches that find the records behind it. There are two where NULLs come last: no index leads to
// what is greater or NULL, but one does to either.
func (c *compiler) behind(o ordering, from *position) ([]string, error) {
	if from == nil {
		return nil, nil
	}
	if len(from.values) != len(o.terms) {
		return nil, otherCursor()
	}
	values := make([]string, len(o.terms))
	for i, value := range from.values {
		if value != nil {
			values[i] = c.arg(cursorValue(i)) + "::" + o.terms[i].typ
		}
	}
	first := o.terms[0]
	if first.notNull || first.nullsFirst() || values[0] == "" {
		return []string{o.behind(values)}, nil
	}
	known := ordering{terms: slices.Clone(o.terms)}
	known.terms[0].notNull = true
	return []string{known.behind(values), first.expression + " IS NULL"}, nil
}

// behind is the condition that a record stands behind values. Where PostgreSQL can compare whole rows it does, which an
// index of these columns serves; otherwise each term decides among the records that are equal in those before it.
func (o ordering) behind(values []string) string {
	if o.comparable(values) {
		return rowBehind(o, values)
	}
	var cases []string
	equal := ""
	for i, term := range o.terms {
		if further := term.further(values[i]); further != "" {
			cases = append(cases, equal+further)
		}
		equal += term.equal(values[i]) + " AND "
	}
	condition := "(" + strings.Join(cases, " OR ") + ")"
	// What no record behind the position can be without is said apart, for indexes.
	if bound := o.terms[0].bound(values[0]); bound != "" {
		condition = bound + " AND " + condition
	}
	return condition
}

// comparable reports whether a row comparison says what stands behind values: all terms have one
// direction, and NULLs, which make it unknown, are none or before the values.
func (o ordering) comparable(values []string) bool {
	for i, term := range o.terms {
		if values[i] == "" || term.down != o.terms[0].down || !term.notNull && !term.nullsFirst() {
			return false
		}
	}
	return true
}

func rowBehind(o ordering, values []string) string {
	columns := make([]string, len(o.terms))
	for i, term := range o.terms {
		columns[i] = term.expression
	}
	op := " > "
	if o.terms[0].down {
		op = " < "
	}
	return "(" + strings.Join(columns, ", ") + ")" + op + "(" + strings.Join(values, ", ") + ")"
}

// further is the condition that a record stands behind one of the value, empty for NULL, by this term alone; empty
// where none does.
func (t orderBy) further(value string) string {
	switch {
	case value == "" && t.nullsFirst():
		return t.expression + " IS NOT NULL"
	case value == "":
		return ""
	}
	op := " > "
	if t.down {
		op = " < "
	}
	return t.orNull(t.expression + op + value)
}

// bound is the condition that a record does not stand before one of the value by this term; empty where
// all do not.
func (t orderBy) bound(value string) string {
	switch {
	case value == "" && t.nullsFirst():
		return ""
	case value == "":
		return t.expression + " IS NULL"
	}
	op := " >= "
	if t.down {
		op = " <= "
	}
	return t.orNull(t.expression + op + value)
}

// orNull adds NULLs to a condition on a term where they come behind all values.
func (t orderBy) orNull(condition string) string {
	if t.notNull || t.nullsFirst() {
		return condition
	}
	return "(" + condition + " OR " + t.expression + " IS NULL)"
}

func (t orderBy) equal(value string) string {
	if value == "" {
		return t.expression + " IS NULL"
	}
	return t.expression + " = " + value
}
