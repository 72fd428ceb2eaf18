package reader

import (
	"math"
	"strings"

	sq "github.com/Masterminds/squirrel"

	"lateral/schema"
)

// modern compiles a comparison as 18.0 and 19.0 do (Odoo 19.0: odoo/orm/domains.py and
// _condition_to_sql in odoo/orm/fields.py).
func (x comparison) modern() (sq.Sqlizer, error) {
	switch x.op {
	case "=?":
		if !truthy(x.operand) {
			return sqlTrue, nil
		}
		x.op = "="
		return x.modern()
	case "=", "!=":
		op := map[string]string{"=": "in", "!=": "not in"}[x.op]
		switch {
		case !isList(x.operand):
			x.operand = []any{x.operand}
		case len(listOf(x.operand)) == 0:
			x.operand = []any{false}
		}
		x.op = op
		return x.modernIn()
	case "in", "not in":
		if !truthy(x.operand) {
			// Even where it is a zero, that is no list of a zero
			// (Odoo 19.0: odoo/orm/domains.py, _optimize_in_set).
			return sq.Expr(sqlBool(x.op == "not in")), nil
		}
		if !isList(x.operand) {
			x.operand = []any{x.operand}
		}
		return x.modernIn()
	case "<", ">", "<=", ">=":
		return x.modernCompare()
	}
	if strings.HasSuffix(x.op, "like") && x.field.Type != schema.Boolean {
		return x.modernLike()
	}
	return nil, x.unclear()
}

func (x comparison) modernIn() (sq.Sqlizer, error) {
	not := x.op == "not in"
	switch x.field.Type {
	case schema.Boolean:
		return x.modernBoolean(not)
	case schema.Datetime:
		if x.compiler.catalogue.Features.ModernDomains {
			return x.modernDatetimeIn(not)
		}
	}
	falsy := falsyValue(x.field.Type)
	var constants []any
	withNull, withFalsy, zeroes := false, false, 0
	for _, v := range listOf(x.operand) {
		zero := pythonZero(v)
		if zero {
			// To a set of Python's False, 0 and 0.0 are one, the first of them.
			if zeroes++; zeroes > 1 {
				continue
			}
		}
		if none(v) {
			withNull = true
			continue
		}
		if x.field.Type == schema.Many2one && zero {
			// Of an id of 0 Odoo makes NULL, which nothing is unequal to.
			return nil, x.unclear()
		}
		if x.field.Type == schema.Date {
			if date, err := parseDate(v); err != nil || !date.dateOnly {
				return nil, x.unclear()
			}
		}
		if falsy != nil && nullish(v, x.field.Type) && !(zero && x.zeroIsText(v)) {
			withFalsy = true
		}
		constants = append(constants, v)
	}
	if falsy != nil {
		if withNull && !withFalsy {
			constants = append(constants, falsy)
		}
		withNull = withNull || withFalsy
	}
	var predicate sq.Sqlizer
	if len(constants) > 0 {
		var err error
		if predicate, err = x.among(constants, not); err != nil {
			return nil, err
		}
	}
	switch {
	case not != withNull:
		if x.notNull {
			if predicate == nil {
				return sqlFalse, nil
			}
			return predicate, nil
		}
		if predicate == nil {
			return x.isNull(), nil
		}
		return sq.Expr("(? OR "+x.value.sql+" IS NULL)", predicate), nil
	case predicate == nil:
		return x.notNullP(), nil
	}
	return predicate, nil
}

// pythonZero reports whether Python finds a constant equal to 0.
func pythonZero(v any) bool {
	n, isNumber := number(v)
	return v == false || isNumber && n == 0
}

// zeroIsText reports whether a zero does not stand for no value: 19.0 compares amounts with their falsy
// value as texts, and 0 is not "0.0" (Odoo 19.0: odoo/orm/fields.py, _condition_to_sql and
// convert_to_column, which Monetary inherits).
func (x comparison) zeroIsText(v any) bool {
	if !x.compiler.catalogue.Features.ModernDomains || x.field.Type != schema.Monetary {
		return false
	}
	f, isFloat := v.(float64)
	return !isFloat || math.Signbit(f)
}

func (x comparison) modernBoolean(not bool) (sq.Sqlizer, error) {
	var hasTrue, hasFalse bool
	for _, v := range listOf(x.operand) {
		if _, isText := v.(string); isText {
			return nil, x.unclear()
		}
		hasTrue, hasFalse = hasTrue || truthy(v), hasFalse || !truthy(v)
	}
	switch {
	case hasTrue && hasFalse:
		return sq.Expr(sqlBool(!not)), nil
	case hasTrue != not:
		return sq.Expr(x.value.sql + " IS TRUE"), nil
	}
	return sq.Expr(x.value.sql + " IS NOT TRUE"), nil
}

func (x comparison) modernLike() (sq.Sqlizer, error) {
	if !truthy(x.operand) {
		result := negative(x.op) == strings.Contains(x.op, "=")
		if strings.Contains(x.op, "=") {
			x.op, x.operand = map[bool]string{true: "not in", false: "in"}[result], []any{false}
			return x.modernIn()
		}
		return sq.Expr(sqlBool(result)), nil
	}
	return x.like()
}

func (x comparison) modernCompare() (sq.Sqlizer, error) {
	switch x.field.Type {
	case schema.Datetime:
		return x.modernDatetime()
	case schema.Date:
		if none(x.operand) {
			return sqlFalse, nil
		}
		if date, err := parseDate(x.operand); err != nil || !date.dateOnly {
			return nil, x.unclear()
		}
		return x.compare(x.op, x.operand)
	case schema.Integer, schema.Float, schema.Monetary, schema.Many2oneReference, schema.Char, schema.Text, schema.HTML:
		return x.falsyCompare()
	case schema.Selection:
		if none(x.operand) {
			return nil, x.unclear()
		}
		return x.compare(x.op, x.operand)
	}
	if x.field.Name == "id" {
		return x.falsyCompare()
	}
	return nil, x.unclear()
}

// falsyCompare counts NULL as the type's falsy value.
func (x comparison) falsyCompare() (sq.Sqlizer, error) {
	constant := x.operand
	falsy := falsyValue(x.field.Type)
	if none(constant) {
		constant = falsy
	}
	var order int // of the falsy value against the constant
	switch falsy.(type) {
	case int64:
		n, ok := number(constant)
		if !ok {
			return nil, x.unclear()
		}
		switch {
		case n > 0:
			order = -1
		case n < 0:
			order = 1
		}
	case string:
		text, ok := constant.(string)
		rewritten := x.field.Type == schema.HTML || x.field.Translate == schema.TranslatedTerms
		if !ok || !x.compiler.catalogue.Features.ModernDomains || rewritten && text != "" {
			// Odoo compares with what it would store of the text: HTML that is sanitized, and terms in their
			// language (Odoo 19.0: odoo/orm/fields.py, _condition_to_sql, and fields_textual.py, convert_to_cache).
			return nil, x.unclear()
		}
		if text != "" {
			order = -1
		}
	default:
		return nil, x.unclear()
	}
	predicate, err := x.compare(x.op, constant)
	if err != nil || x.notNull {
		return predicate, err
	}
	accepts := map[string]bool{"<": order < 0, ">": order > 0, "<=": order <= 0, ">=": order >= 0}[x.op]
	if accepts {
		return sq.Expr("(? OR "+x.value.sql+" IS NULL)", predicate), nil
	}
	return predicate, nil
}

// modernDatetime compares whole seconds, and days as the user's time zone has them
// (Odoo 19.0: odoo/orm/domains.py, _optimize_type_datetime).
func (x comparison) modernDatetime() (sq.Sqlizer, error) {
	if !x.compiler.catalogue.Features.ModernDomains {
		return x.classicCompare()
	}
	if none(x.operand) {
		return sqlFalse, nil
	}
	moment, dateOnly, err := x.compiler.moment(x.operand)
	if err != nil {
		return nil, x.unclear()
	}
	op := x.op
	if op == ">" || op == "<=" {
		step := second
		if dateOnly {
			step = day
		}
		moment = moment.Add(step)
		op = map[string]string{">": ">=", "<=": "<"}[op]
	}
	return x.compare(op, moment.Format(timestampLayout))
}

func (x comparison) modernDatetimeIn(not bool) (sq.Sqlizer, error) {
	var terms sq.Or
	for _, v := range listOf(x.operand) {
		if none(v) {
			terms = append(terms, x.isNull())
			continue
		}
		moment, _, err := x.compiler.moment(v)
		if err != nil {
			return nil, x.unclear()
		}
		from, err := x.compare(">=", moment.Format(timestampLayout))
		if err != nil {
			return nil, err
		}
		to, err := x.compare("<", moment.Add(second).Format(timestampLayout))
		if err != nil {
			return nil, err
		}
		terms = append(terms, sq.And{from, to})
	}
	if not {
		return sq.Expr("(?) IS NOT TRUE", terms), nil
	}
	return terms, nil
}
