package reader

import (
	"strconv"

	"lateral/schema"
)

// rendering is how a column's value becomes JSON. It can be written twice, to the same bytes: as SQL, where
// a statement's documents are PostgreSQL's work, and in Go, where a page is rendered level by level
// (contract, section 4; Odoo's empty values: convert_to_record of each type in odoo/orm/fields*.py of 19.0
// and odoo/fields.py of 14.0).
type rendering int

const (
	// asFinished: the expression is JSON text already, and never NULL.
	asFinished rendering = iota
	// asFlagTrue: a boolean; NULL is false.
	asFlagTrue
	// asFlagNull: a boolean; false and NULL are null.
	asFlagNull
	// asWholeZero: an integer; NULL is 0.
	asWholeZero
	// asNumeral: a number with the shortest digits that read back as the same, and with a point; NULL is 0.0.
	asNumeral
	// asProse: a text; NULL is null.
	asProse
	// asProseFilled: a text; NULL and the empty text are null.
	asProseFilled
	// asDay: a date; NULL is null.
	asDay
	// asSecond: a timestamp, of which microseconds are cut, not rounded, as Odoo does; NULL is null.
	asSecond
	// asIdentity: the id of a record; NULL is null.
	asIdentity
)

// ofText is the rendering of a text under a policy of nulls.
func ofText(null NullPolicy) rendering {
	if null.Empty {
		return asProseFilled
	}
	return asProse
}

// scalar is a value and how it becomes JSON.
type scalar struct {
	value value
	as    rendering
}

// text writes the scalar as an SQL expression of type text, never NULL, with its JSON.
func (s scalar) text() string {
	sql := s.value.sql
	switch s.as {
	case asFlagTrue:
		return "CASE WHEN " + sql + " THEN 'true' ELSE 'false' END"
	case asFlagNull:
		return "CASE WHEN " + sql + " THEN 'true' ELSE 'null' END"
	case asWholeZero:
		return "coalesce(" + sql + ", 0)"
	case asNumeral:
		return numberText(s.value)
	case asProse:
		return "coalesce(to_json(" + sql + ")::text, 'null')"
	case asProseFilled:
		return "coalesce(to_json(nullif(" + sql + ", ''))::text, 'null')"
	case asDay:
		return `coalesce('"' || ` + sql + ` || '"', 'null')`
	case asSecond:
		// DateStyle is ISO on our connections.
		return `coalesce('"' || left(` + sql + `::text, ` + strconv.Itoa(secondChars) + `) || '"', 'null')`
	case asIdentity:
		return "coalesce(" + sql + "::text, 'null')"
	}
	return sql
}

// secondChars is the length of a timestamp's text down to the second, of years with four digits.
const secondChars = 19

// maxFloat is the largest float; NaN and infinity are above it, as PostgreSQL orders numbers.
const maxFloat = "1.7976931348623157e308"

// numberText is asNumeral as SQL; see appendFloat.
func numberText(v value) string {
	return "CASE WHEN " + v.sql + " IS NULL THEN '0.0'" +
		" WHEN abs(" + v.sql + ") < 1e15 AND " + v.sql + " = trunc(" + v.sql + ") THEN trunc(" + v.sql + ")::text || '.0'" +
		" WHEN abs(" + v.sql + ") <= " + maxFloat + " THEN (" + v.sql + ")::float8::text ELSE 'null' END"
}

// append appends the JSON of a value in PostgreSQL's text format, nil for NULL.
func (as rendering) append(dst, value []byte) []byte {
	if value == nil {
		switch as {
		case asFlagTrue:
			return append(dst, "false"...)
		case asWholeZero:
			return append(dst, '0')
		case asNumeral:
			return append(dst, "0.0"...)
		}
		return append(dst, "null"...)
	}
	switch as {
	case asFlagTrue, asFlagNull:
		if value[0] == 't' {
			return append(dst, "true"...)
		}
		return as.append(dst, nil)
	case asNumeral:
		return appendNumeral(dst, value)
	case asProseFilled:
		if len(value) == 0 {
			return append(dst, "null"...)
		}
		return appendString(dst, value)
	case asProse:
		return appendString(dst, value)
	case asDay:
		return append(append(append(dst, '"'), value...), '"')
	case asSecond:
		return append(append(append(dst, '"'), value[:min(len(value), secondChars)]...), '"')
	}
	return append(dst, value...)
}

// exactDigits is up to how many decimal digits a float tells all numbers apart, so that digits in that number
// are the shortest already.
const exactDigits = 15

// appendNumeral appends a number as appendFloat would append the float that its text reads as.
func appendNumeral(dst, text []byte) []byte {
	begin, end := 0, len(text)
	if end > 0 && text[0] == '-' {
		begin = 1
	}
	point := begin
	for point < end && text[point] != '.' {
		point++
	}
	whole, fraction := text[begin:point], text[min(point+1, end):]
	for len(fraction) > 0 && fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	// Numbers below 0.1 may have to be written with an exponent.
	if len(whole) > 0 && len(whole)+len(fraction) <= exactDigits && decimal(whole) && decimal(fraction) && (len(fraction) == 0 || whole[0] != '0' || fraction[0] != '0') {
		dst = append(append(dst, text[:point]...), '.')
		if len(fraction) == 0 {
			return append(dst, '0')
		}
		return append(dst, fraction...)
	}
	// What is too large for a float reads as infinity.
	f, _ := strconv.ParseFloat(string(text), 64)
	return appendFloat(dst, f)
}

// decimal reports whether a text has nothing but decimal digits.
func decimal(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// renderings are those of types whose values are rendered alike under any policy of nulls.
var renderings = map[schema.FieldType]rendering{
	schema.Integer: asWholeZero, schema.Many2oneReference: asWholeZero, schema.Float: asNumeral, schema.Monetary: asNumeral,
	schema.Date: asDay, schema.Datetime: asSecond, schema.Many2one: asIdentity,
}
