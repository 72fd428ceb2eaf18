package reader

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lateral/schema"
)

// This file writes what Odoo's read returns the way the SQL executor writes the same value
// (contract, section 4). Over RPC "no value" is False, whatever the field's type.

// appendNode appends a field's value in a shape without nested fields.
func appendNode(dst []byte, n *Node, v any) ([]byte, error) {
	switch n.Shape {
	case ID:
		return appendID(dst, n, v)
	case BareIDs, NullableIDs, IDs:
		ids, err := idsOf(n, v)
		if err != nil {
			return nil, err
		}
		return appendIDs(dst, n.Shape, ids), nil
	case ReferenceID, ReferenceIDs:
		return appendReference(dst, n, v)
	}
	switch n.Field.Type {
	case schema.Many2one:
		return appendID(dst, n, v)
	case schema.One2many, schema.Many2many:
		ids, err := idsOf(n, v)
		if err != nil {
			return nil, err
		}
		return appendIDs(dst, IDs, ids), nil
	}
	return appendScalar(dst, n, v)
}

// appendScalar appends a value by its field's type.
func appendScalar(dst []byte, n *Node, v any) ([]byte, error) {
	if v == nil {
		v = false
	}
	if v == false && n.Field.Type != schema.Boolean {
		return append(dst, "null"...), nil
	}
	if n.Field.Name == "id" && isRecordID(v) {
		return appendRecordID(dst, v), nil
	}
	switch n.Field.Type {
	case schema.Boolean:
		return appendBoolean(dst, n, v), nil
	case schema.Integer, schema.Many2oneReference:
		switch i := v.(type) {
		case int64:
			return strconv.AppendInt(dst, i, 10), nil
		case float64:
			// Integers beyond 32 bits come as floats (Odoo 19.0: odoo/orm/fields_numeric.py,
			// Integer.convert_to_read).
			return strconv.AppendFloat(dst, i, 'f', -1, 64), nil
		}
	case schema.Float, schema.Monetary:
		switch f := v.(type) {
		case float64:
			return appendFloat(dst, f), nil
		case int64:
			return appendFloat(dst, float64(f)), nil
		}
	case schema.Binary, schema.Image:
		s, ok := v.(string)
		switch {
		case !ok && emptyJSON(v), ok && s == "":
			return append(dst, "null"...), nil
		case !ok:
			// Some compute methods put a whole structure into a binary field, as
			// sale.order.tax_totals of 19.0 does.
			return appendJSON(dst, v), nil
		}
		return appendString(dst, lineEnds.Replace(s)), nil
	case schema.Date, schema.Datetime:
		if s, ok := v.(string); ok && s != "" {
			return appendString(dst, s), nil
		}
	case schema.JSON, schema.Properties, schema.PropertiesDefinition:
		if emptyJSON(v) {
			return append(dst, "null"...), nil
		}
		return appendJSON(dst, v), nil
	default:
		if s, ok := v.(string); ok {
			if s == "" && n.Null.Empty {
				return append(dst, "null"...), nil
			}
			return appendString(dst, s), nil
		}
		// A compute method may give a text field or a selection anything; it is passed on as it is.
		return appendJSON(dst, v), nil
	}
	return nil, unexpected(n, v)
}

// lineEnds takes the line ends out of base64 text: old records have them.
var lineEnds = strings.NewReplacer("\n", "", "\r", "")

// unexpected is the error of a value that a field of its type cannot have.
func unexpected(n *Node, v any) error {
	return &Error{
		Kind: Internal, Field: n.Field.Name,
		Message: fmt.Sprintf("Odoo answered with an unexpected value of the field %s", n.Field.Name),
		Err:     fmt.Errorf("%s.%s is %s and holds a %T", n.Field.Model.Name, n.Field.Name, n.Field.Type, v),
	}
}

func appendBoolean(dst []byte, n *Node, v any) []byte {
	switch {
	case v != false && v != int64(0) && v != "" && v != 0.0:
		return append(dst, "true"...)
	case n.Null.False:
		return append(dst, "null"...)
	default:
		return append(dst, "false"...)
	}
}

// appendRecordID appends an id as JSON.
func appendRecordID(dst []byte, id recordID) []byte {
	if n, ok := id.(int64); ok {
		return strconv.AppendInt(dst, n, 10)
	}
	text, _ := id.(string)
	return appendString(dst, text)
}

// appendID appends a many2one as its id, or null.
func appendID(dst []byte, n *Node, v any) ([]byte, error) {
	id, err := idOf(n, v)
	if err != nil {
		return nil, err
	}
	if id == nil {
		return append(dst, "null"...), nil
	}
	return appendRecordID(dst, id), nil
}

// appendIDs appends the ids of an x2many.
func appendIDs(dst []byte, shape Shape, ids []recordID) []byte {
	switch {
	case len(ids) == 0 && shape != IDs:
		return append(dst, "null"...)
	case len(ids) == 1 && shape == BareIDs:
		return appendRecordID(dst, ids[0])
	}
	dst = append(dst, '[')
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendRecordID(dst, id)
	}
	return append(dst, ']')
}

// appendReference appends the id of a reference, which Odoo gives as "model,id".
func appendReference(dst []byte, n *Node, v any) ([]byte, error) {
	s, ok := v.(string)
	if !ok && v != nil && v != false {
		return nil, unexpected(n, v)
	}
	_, text, ok := strings.Cut(s, ",")
	if !ok || text == "" {
		return append(dst, "null"...), nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, unexpected(n, v)
	}
	if n.Shape == ReferenceIDs {
		return append(strconv.AppendInt(append(dst, '['), id, 10), ']'), nil
	}
	return strconv.AppendInt(dst, id, 10), nil
}

// idOf returns the id of a many2one's value, nil where it is empty. An override of read may ignore
// the way of loading and give [id, name].
func idOf(n *Node, v any) (recordID, error) {
	if pair, ok := v.([]any); ok && len(pair) > 0 {
		v = pair[0]
	}
	switch {
	case none(v), v == int64(0), v == "":
		return nil, nil
	case isRecordID(v):
		return v, nil
	}
	return nil, unexpected(n, v)
}

// idsOf returns the ids of an x2many's value.
func idsOf(n *Node, v any) ([]recordID, error) {
	if v == nil || v == false {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, unexpected(n, v)
	}
	for _, item := range list {
		if !isRecordID(item) {
			return nil, unexpected(n, item)
		}
	}
	return list, nil
}

// appendFloat appends a float with the shortest digits that read back as the same number, never
// without a point or an exponent, so that 5.0 stays a float for clients that tell it from 5. JSON
// knows neither infinity nor NaN; they are null.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return append(dst, "null"...)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	exponent, err := strconv.Atoi(string(dst[start+bytes.IndexByte(dst[start:], 'e')+1:]))
	if err == nil && exponent >= -4 && exponent < 15 {
		dst = strconv.AppendFloat(dst[:start], f, 'f', -1, 64)
		if bytes.IndexByte(dst[start:], '.') < 0 {
			dst = append(dst, ".0"...)
		}
	}
	return dst
}

// appendString appends a JSON string, escaped as PostgreSQL's to_json does: what must be, and no
// more.
func appendString[T string | []byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	plain := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[plain:i]...)
		plain = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF])
		}
	}
	return append(append(dst, s[plain:]...), '"')
}

// emptyJSON reports whether a json or properties value is written as null.
func emptyJSON(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case int64:
		return v == 0
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// appendJSON appends a structured value in the form of PostgreSQL's jsonb: keys by length and then
// by bytes, a space after each separator.
func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		return appendJSONFloat(dst, v)
	case string:
		return appendString(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendJSON(dst, item)
		}
		return append(dst, ']')
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.SortFunc(keys, func(a, b string) int {
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
		dst = append(dst, '{')
		for i, key := range keys {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(appendString(dst, key), ": "...)
			dst = appendJSON(dst, v[key])
		}
		return append(dst, '}')
	}
	return append(dst, "null"...)
}

// appendJSONFloat appends a float within structured data. Python has stored 100.0 with its point,
// and jsonb keeps it.
func appendJSONFloat(dst []byte, f float64) []byte {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return append(dst, "null"...)
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e16 {
		return strconv.AppendFloat(dst, f, 'f', 1, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}
