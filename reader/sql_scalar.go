package reader

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	sq "github.com/Masterminds/squirrel"

	"lateral/schema"
)

// scalarCondition compiles a comparison of a field that has one value with constants.
func (t table) scalarCondition(f *schema.Field, d schema.Condition) (sq.Sqlizer, error) {
	features := t.scope.c.catalogue.Features
	if f.Type == schema.Binary || f.Type == schema.Image {
		return t.binaryCondition(f, d)
	}
	switch f.Type {
	case schema.JSON, schema.Properties, schema.PropertiesDefinition:
		return nil, delegate("a domain on the %s %s.%s", f.Type, t.model.Name, f.Name)
	}
	if f.CompanyDependent && !features.JSONCompanyValues {
		return nil, delegate("a domain on the company-dependent %s.%s", t.model.Name, f.Name)
	}
	v, err := t.field(f)
	if err != nil {
		return nil, err
	}
	comparison := comparison{field: f, value: v, op: d.Op, operand: d.Value, compiler: t.scope.c, notNull: f.NotNull || f.Name == "id"}
	if f.Type == schema.Many2one && (hasText(d.Value) || strings.HasSuffix(d.Op, "like")) {
		return nil, delegate("%s.%s is searched by name", t.model.Name, f.Name)
	}
	var predicate sq.Sqlizer
	if features.FalsyValues {
		predicate, err = comparison.modern()
	} else {
		predicate, err = comparison.classic()
	}
	return predicate, at(err, d.Path, f.Name)
}

// binaryCondition knows only whether there is content
// (Odoo 19.0: odoo/orm/fields_binary.py; 14.0: odoo/osv/expression.py, parse).
func (t table) binaryCondition(f *schema.Field, d schema.Condition) (sq.Sqlizer, error) {
	if !f.Attachment || (d.Op != "=" && d.Op != "!=") || truthy(d.Value) || isList(d.Value) ||
		t.scope.c.catalogue.Features.ModernDomains && !none(d.Value) {
		return nil, delegate("%s on the binary %s.%s", d.Op, t.model.Name, f.Name)
	}
	in := "NOT IN"
	if d.Op == "!=" {
		in = "IN"
	}
	return sq.Expr(t.alias+".id "+in+" (SELECT res_id FROM ir_attachment WHERE res_model = ? AND res_field = ?)", t.model.Name, f.Name), nil
}

// comparison is one scalar comparison on its way to SQL.
type comparison struct {
	compiler *compiler
	field    *schema.Field
	value    value
	op       string
	operand  any
	notNull  bool
}

func (x comparison) unclear() error {
	return delegate("%s.%s %s %v", x.field.Model.Name, x.field.Name, x.op, x.operand)
}

// like compiles the pattern operators (odoo-wide: user's wildcards are live, nothing is escaped).
func (x comparison) like() (sq.Sqlizer, error) {
	features := x.compiler.catalogue.Features
	text, ok := x.operand.(string)
	if !ok {
		return nil, x.unclear()
	}
	op := map[string]string{
		"like": "LIKE", "ilike": "ILIKE", "not like": "NOT LIKE", "not ilike": "NOT ILIKE",
		"=like": "LIKE", "=ilike": "ILIKE", "not =like": "NOT LIKE", "not =ilike": "NOT ILIKE",
	}[x.op]
	if err := checkPattern(text); err != nil {
		return nil, err
	}
	switch {
	case !strings.Contains(x.op, "="):
		text = "%" + text + "%"
	case !features.ModernDomains && (x.cuts(text) || x.sanitizes(text) || !textColumn(x.value.typ)):
		// Odoo makes the pattern a value of the field first.
		return nil, x.unclear()
	}
	left, right := x.value.sql, "?::text"
	if !textColumn(x.value.typ) {
		left = "(" + left + ")::text"
	}
	unaccented := features.HasUnaccent
	if features.AnyOperator {
		unaccented = unaccented && strings.HasSuffix(x.op, "ilike")
	}
	if unaccented && (features.UnaccentAnySchema || features.FalsyValues || x.field.Type.Textual()) {
		left, right = "unaccent("+left+")", "unaccent("+right+")"
	}
	predicate := sq.Expr(left+" "+op+" "+right, text)
	if negative(x.op) && !x.notNull {
		return sq.Expr("(? OR "+x.value.sql+" IS NULL)", predicate), nil
	}
	return predicate, nil
}

// checkPattern refuses what PostgreSQL refuses, at once instead of when a row meets it.
func checkPattern(pattern string) error {
	trailing := len(pattern) - len(strings.TrimRight(pattern, `\`))
	if trailing%2 == 1 {
		return delegate("a pattern that ends with its escape character")
	}
	return nil
}

func textColumn(typ string) bool { return typ == "text" || typ == "varchar" }

// operands converts constants to parameters of the column's type.
func (x comparison) operands(values []any) (cast string, args any, err error) {
	switch x.value.typ {
	case "int4", "int8", "int2":
		ints := make([]int64, 0, len(values))
		for _, v := range values {
			n, ok := v.(int64)
			if !ok {
				return "", nil, x.unclear()
			}
			ints = append(ints, n)
		}
		return "int8", ints, nil
	case "float8":
		floats := make([]float64, 0, len(values))
		for _, v := range values {
			n, ok := number(v)
			if !ok {
				return "", nil, x.unclear()
			}
			floats = append(floats, n)
		}
		return "float8", floats, nil
	case "numeric":
		texts := make([]string, 0, len(values))
		for _, v := range values {
			n, ok := number(v)
			// Odoo rounds the constant to the field's digits.
			if !ok || (x.field.Type == schema.Float && n != math.Trunc(n) && !withinDigits(x.field, n, x.compiler.policy.Precisions)) {
				return "", nil, x.unclear()
			}
			texts = append(texts, strconv.FormatFloat(n, 'g', -1, 64))
		}
		return "numeric", texts, nil
	case "text", "varchar":
		texts := make([]string, 0, len(values))
		for _, v := range values {
			s, ok := v.(string)
			if !ok || x.cuts(s) || x.sanitizes(s) {
				return "", nil, x.unclear()
			}
			texts = append(texts, s)
		}
		return "text", texts, nil
	}
	return "", nil, x.unclear()
}

// cuts reports whether Odoo compares with a shorter text than it is given: with as much as a field of a
// limited size holds (Odoo 14.0: odoo/fields.py, Char; 19.0: odoo/orm/fields_textual.py, BaseString).
func (x comparison) cuts(text string) bool {
	return x.field.Size > 0 && utf8.RuneCountInString(text) > x.field.Size
}

// sanitizes reports whether Odoo compares with what it makes of HTML: before 19.0, which does so in orders
// alone (Odoo 14.0: odoo/fields.py, Html.convert_to_column).
func (x comparison) sanitizes(text string) bool {
	return x.field.Type == schema.HTML && text != "" && !x.compiler.catalogue.Features.ModernDomains
}

// withinDigits reports whether a number is known to be what Odoo rounds it to: where the field's digits are
// 0 it does not, and else the number must have no more decimals (Odoo 14.0: odoo/fields.py; 19.0:
// odoo/orm/fields_numeric.py, Float.convert_to_column). A precision may be one of those with a name.
func withinDigits(f *schema.Field, n float64, named map[string]int) bool {
	if f.Static.Source == nil {
		return false
	}
	_, decimals, _ := strings.Cut(strconv.FormatFloat(n, 'f', -1, 64), ".")
	switch digits := f.Static.Source.Digits.(type) {
	case float64:
		return digits == 0
	case []any:
		if scale, ok := number(digits[len(digits)-1]); ok && len(digits) == 2 {
			return len(decimals) <= int(scale)
		}
	case string:
		scale, known := named[digits]
		return known && len(decimals) <= scale
	}
	return false
}

// number reads a finite number; booleans are none.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	return 0, false
}

// compare compiles value op constant.
func (x comparison) compare(op string, constant any) (sq.Sqlizer, error) {
	if x.value.typ == "date" || x.value.typ == "timestamp" {
		text, ok := constant.(string)
		if !ok {
			return nil, x.unclear()
		}
		return sq.Expr(x.value.sql+" "+op+" ?::"+x.value.typ, text), nil
	}
	cast, args, err := x.operands([]any{constant})
	if err != nil {
		return nil, err
	}
	return sq.Expr(x.value.sql+" "+op+" ?::"+cast, only(args)), nil
}

// only returns the element of a list of one.
func only(args any) any {
	switch args := args.(type) {
	case []int64:
		return args[0]
	case []float64:
		return args[0]
	case []string:
		return args[0]
	}
	return nil
}

// among compiles value IN constants.
func (x comparison) among(constants []any, not bool) (sq.Sqlizer, error) {
	if len(constants) == 1 {
		return x.compare(map[bool]string{false: "=", true: "<>"}[not], constants[0])
	}
	op := " = ANY"
	if not {
		op = " <> ALL"
	}
	if x.value.typ == "date" || x.value.typ == "timestamp" {
		texts := make([]string, len(constants))
		for i, v := range constants {
			text, ok := v.(string)
			if !ok {
				return nil, x.unclear()
			}
			texts[i] = text
		}
		return sq.Expr(x.value.sql+op+" (?::text[]::"+x.value.typ+"[])", texts), nil
	}
	cast, args, err := x.operands(constants)
	if err != nil {
		return nil, err
	}
	return sq.Expr(x.value.sql+op+" (?::"+cast+"[])", args), nil
}

func (x comparison) isNull() sq.Sqlizer   { return sq.Expr(x.value.sql + " IS NULL") }
func (x comparison) notNullP() sq.Sqlizer { return sq.Expr(x.value.sql + " IS NOT NULL") }

// truthy is Python's truth of a constant.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case *big.Int:
		return v.Sign() != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case schema.Tuple:
		return len(v) > 0
	}
	return true
}

func none(v any) bool {
	b, isBool := v.(bool)
	return v == nil || (isBool && !b)
}

func hasText(v any) bool {
	if _, ok := v.(string); ok {
		return true
	}
	for _, element := range listOf(v) {
		if _, ok := element.(string); ok {
			return true
		}
	}
	return false
}

// recordIDs reads ids of records; empty tells that "no record" is among them.
func recordIDs(values []any) (ids []int64, empty bool, err error) {
	for _, v := range values {
		switch v := v.(type) {
		case int64:
			ids = append(ids, v)
		case nil:
			empty = true
		case bool:
			if v {
				return nil, false, errors.New("a boolean is no record")
			}
			empty = true
		default:
			return nil, false, fmt.Errorf("%v is no id", v)
		}
	}
	return ids, empty, nil
}

func sqlBool(b bool) string {
	if b {
		return "TRUE"
	}
	return "FALSE"
}
