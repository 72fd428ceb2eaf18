package reader

import (
	sq "github.com/Masterminds/squirrel"

	"lateral/schema"
)

// classic compiles a comparison as 14.0 to 17.0 do (Odoo 14.0: odoo/osv/expression.py, parse and
// __leaf_to_sql).
func (x comparison) classic() (sq.Sqlizer, error) {
	op, operand := x.op, x.operand
	if flag, isBool := operand.(bool); isBool && (op == "in" || op == "not in") {
		op = map[string]string{"in": "=", "not in": "!="}[op]
		operand = flag
	}
	if isList(operand) && (op == "=" || op == "!=") {
		op = map[string]string{"=": "in", "!=": "not in"}[op]
	}
	x.op, x.operand = op, operand
	if op == "=?" {
		if none(operand) {
			return sqlTrue, nil
		}
		if isList(operand) || x.field.Translate == schema.TranslatedWhole && !x.compiler.catalogue.Features.JSONTranslations {
			// Odoo compares with the list as if it were a constant, and writes the operator into the statement as it
			// is where the field is translated, which PostgreSQL refuses.
			return nil, x.unclear()
		}
		x.op = "="
		return x.classic()
	}
	switch {
	case x.field.Type == schema.HTML && x.field.Translate != schema.Untranslated && truthy(operand) && !x.compiler.catalogue.Features.JSONTranslations:
		// Unless it is sanitized, HTML is translated as a whole, and compared by an expression of its own; whether it
		// is the database does not tell (14.0: odoo/fields.py, Html._setup_attrs; odoo/osv/expression.py, parse).
		return nil, x.unclear()
	case x.field.Translate == schema.TranslatedWhole && truthy(operand) && !x.compiler.catalogue.Features.JSONTranslations:
		return x.classicTranslated()
	case op == "in" || op == "not in":
		return x.classicIn()
	case x.field.Type == schema.Boolean:
		return x.classicBoolean()
	case none(operand) && op == "=":
		return x.isNull(), nil
	case none(operand) && op == "!=":
		return x.notNullP(), nil
	case op == "like", op == "ilike", op == "not like", op == "not ilike", op == "=like", op == "=ilike":
		if op[0] != '=' && operand == "" {
			// Odoo adds OR IS NULL where there is nothing to look for.
			predicate, err := x.like()
			if err != nil {
				return nil, err
			}
			return sq.Expr("(? OR "+x.value.sql+" IS NULL)", predicate), nil
		}
		return x.like()
	case none(operand):
		return x.classicNone()
	}
	return x.classicCompare()
}

// classicNone is an inequality with nothing, which Odoo writes as the column would hold it: zero for
// numbers, and NULL, which nothing is before or after, for the rest (14.0: odoo/fields.py,
// convert_to_column).
func (x comparison) classicNone() (sq.Sqlizer, error) {
	switch x.op {
	case "<", ">", "<=", ">=":
	default:
		return nil, x.unclear()
	}
	if x.field.Name == "id" {
		return sqlFalse, nil
	}
	switch x.field.Type {
	case schema.Integer, schema.Float, schema.Monetary:
		return x.compare(x.op, int64(0))
	case schema.Char, schema.Text, schema.Date, schema.Datetime, schema.Selection:
		return sqlFalse, nil
	}
	return nil, x.unclear()
}

// classicTranslated compares a translation without the usual OR IS NULL.
func (x comparison) classicTranslated() (sq.Sqlizer, error) {
	switch x.op {
	case "not in":
		// Odoo writes this operator into the statement as it is, which PostgreSQL refuses.
		return nil, x.unclear()
	case "in":
		for _, v := range listOf(x.operand) {
			if _, isText := v.(string); !isText {
				return nil, x.unclear()
			}
		}
		return x.among(listOf(x.operand), false)
	case "=", "!=", "<", ">", "<=", ">=":
		return x.compare(sqlComparison(x.op), x.operand)
	}
	x.notNull = true
	return x.like()
}

func (x comparison) classicIn() (sq.Sqlizer, error) {
	if !isList(x.operand) {
		return nil, x.unclear()
	}
	not := x.op == "not in"
	var constants []any
	withNull := false
	for _, v := range listOf(x.operand) {
		// Python finds 0 equal to False, so zero is dropped with it.
		n, isNumber := number(v)
		switch {
		case none(v) && v != nil, isNumber && n == 0:
			withNull = true
		case v == nil:
			return nil, x.unclear()
		default:
			constants = append(constants, v)
		}
	}
	if x.field.Type == schema.Boolean {
		return x.classicBooleanIn(not)
	}
	predicate := sq.Expr(sqlBool(not))
	if len(constants) > 0 {
		if x.field.Type == schema.Datetime || x.field.Type == schema.Date {
			for _, v := range constants {
				if _, err := parseDate(v); err != nil {
					return nil, x.unclear()
				}
			}
		}
		var err error
		if predicate, err = toExpr(x.among(constants, not)); err != nil {
			return nil, err
		}
	}
	switch {
	case not != withNull:
		return sq.Expr("(? OR "+x.value.sql+" IS NULL)", predicate), nil
	case not:
		return sq.Expr("(? AND "+x.value.sql+" IS NOT NULL)", predicate), nil
	}
	return predicate, nil
}

func toExpr(s sq.Sqlizer, err error) (sq.Sqlizer, error) {
	if err != nil {
		return nil, err
	}
	return sq.Expr("?", s), nil
}

func (x comparison) classicBooleanIn(not bool) (sq.Sqlizer, error) {
	var hasTrue, hasFalse bool
	for _, v := range listOf(x.operand) {
		if truth, ok := truthOf(v); !ok {
			return nil, x.unclear()
		} else if truth {
			hasTrue = true
		} else {
			hasFalse = true
		}
	}
	set := map[[2]bool]string{
		{true, true}: "(TRUE, FALSE)", {true, false}: "(TRUE)", {false, true}: "(FALSE)",
	}[[2]bool{hasTrue, hasFalse}]
	sql := sqlBool(not)
	if set != "" {
		in := " IN "
		if not {
			in = " NOT IN "
		}
		sql = x.value.sql + in + set
	}
	switch {
	case not != hasFalse:
		return sq.Expr("(" + sql + " OR " + x.value.sql + " IS NULL)"), nil
	case not:
		return sq.Expr("(" + sql + " AND " + x.value.sql + " IS NOT NULL)"), nil
	}
	return sq.Expr(sql), nil
}

// truthOf reads a constant that Python finds equal to True or False.
func truthOf(v any) (truth, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case int64:
		return v == 1, v == 0 || v == 1
	}
	return false, false
}

func (x comparison) classicBoolean() (sq.Sqlizer, error) {
	truth, ok := truthOf(x.operand)
	if x.operand == nil {
		switch x.op {
		case "=":
			return x.isNull(), nil
		case "!=":
			return x.notNullP(), nil
		}
	}
	if !ok || (x.op != "=" && x.op != "!=") {
		return nil, x.unclear()
	}
	_, isBool := x.operand.(bool)
	switch {
	case x.op == "=" && truth:
		return sq.Expr(x.value.sql + " = TRUE"), nil
	case x.op == "=" && isBool, x.op == "!=" && truth && isBool:
		return sq.Expr("(" + x.value.sql + " IS NULL OR " + x.value.sql + " = FALSE)"), nil
	case x.op == "=":
		return sq.Expr(x.value.sql + " = FALSE"), nil
	case truth:
		return sq.Expr("(" + x.value.sql + " <> TRUE OR " + x.value.sql + " IS NULL)"), nil
	case isBool:
		return sq.Expr("(" + x.value.sql + " IS NOT NULL AND " + x.value.sql + " <> FALSE)"), nil
	}
	return sq.Expr(x.value.sql + " <> FALSE"), nil
}

func (x comparison) classicCompare() (sq.Sqlizer, error) {
	switch x.op {
	case "=", "!=", "<", ">", "<=", ">=":
	default:
		return nil, x.unclear()
	}
	constant := x.operand
	switch x.field.Type {
	case schema.Date:
		date, err := parseDate(constant)
		if err != nil || !date.dateOnly {
			return nil, x.unclear()
		}
	case schema.Datetime:
		date, err := parseDate(constant)
		if err != nil {
			return nil, x.unclear()
		}
		if date.dateOnly {
			// A day stands for its last second or its first.
			clock := " 00:00:00"
			if x.op == ">" || x.op == "<=" {
				clock = " 23:59:59"
			}
			constant = constant.(string) + clock
		}
	case schema.Many2one:
		if x.op != "=" && x.op != "!=" || constant == int64(0) {
			// Of an id of 0 Odoo makes NULL, which nothing is unequal to.
			return nil, x.unclear()
		}
	}
	predicate, err := x.compare(sqlComparison(x.op), constant)
	if err != nil {
		return nil, err
	}
	if x.op == "!=" && truthy(x.operand) {
		return sq.Expr("(? OR "+x.value.sql+" IS NULL)", predicate), nil
	}
	return predicate, nil
}

func sqlComparison(op string) string {
	if op == "!=" {
		return "<>"
	}
	return op
}
