package reader

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// This file evaluates the SQL of predicates over rows in memory, with SQL's three-valued logic. It
// knows the forms that the domain compiler writes and panics at any other, so that a form that is
// new to it cannot pass for tested.

// sqlRow is a row by column. A value is nil for NULL, a bool, a float64 for numbers of all types, a
// string, an sqlDate or an sqlTime.
type sqlRow map[string]any

// sqlTables is a database by table.
type sqlTables map[string][]sqlRow

type (
	sqlDate string    // YYYY-MM-DD
	sqlTime time.Time // a timestamp without time zone
)

// sqlFrame is one row that names refer to. A frame without a row is the outer side of a LEFT JOIN
// that found none: all its columns are NULL.
type sqlFrame struct {
	alias string
	row   sqlRow
	outer *sqlFrame
}

type (
	sqlExpr   func(*sqlFrame) any
	sqlSelect func(*sqlFrame) []any
)

type sqlParser struct {
	tokens []string
	args   []any
	tables sqlTables
}

var sqlToken = regexp.MustCompile(`^(?:"(?:[^"]|"")*"|'(?:[^']|'')*'|\$\d+|::|<>|<=|>=|[A-Za-z_][A-Za-z0-9_]*|\d+|[(),.=<>\[\]])`)

// selectSQL runs a SELECT of one column and returns its values.
func selectSQL(tables sqlTables, text string, args []any) []any {
	p := &sqlParser{args: args, tables: tables}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		token := sqlToken.FindString(rest)
		if token == "" {
			panic(fmt.Sprintf("no token at %q", rest))
		}
		p.tokens = append(p.tokens, token)
		rest = rest[len(token):]
	}
	run := p.selection()
	if len(p.tokens) > 0 {
		panic(fmt.Sprintf("%q follows the statement %q", p.tokens, text))
	}
	return run(nil)
}

func (p *sqlParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *sqlParser) next() string {
	if len(p.tokens) == 0 {
		panic("the statement ends too early")
	}
	token := p.tokens[0]
	p.tokens = p.tokens[1:]
	return token
}

// accept takes the words if they come next.
func (p *sqlParser) accept(words ...string) bool {
	if len(p.tokens) < len(words) {
		return false
	}
	for i, word := range words {
		if p.tokens[i] != word {
			return false
		}
	}
	p.tokens = p.tokens[len(words):]
	return true
}

func (p *sqlParser) expect(words ...string) {
	if !p.accept(words...) {
		panic(fmt.Sprintf("want %q, have %q", words, p.tokens))
	}
}

func (p *sqlParser) identifier() string {
	token := p.next()
	if token[0] == '"' {
		return token[1 : len(token)-1]
	}
	return token
}

// selection parses SELECT column FROM table alias [LEFT] JOIN … WHERE ….
func (p *sqlParser) selection() sqlSelect {
	p.expect("SELECT")
	column := p.expression()
	p.expect("FROM")
	type source struct {
		alias string
		rows  []sqlRow
		on    sqlExpr
		left  bool
	}
	source1 := func(left bool) source {
		name := p.identifier()
		rows, ok := p.tables[name]
		if !ok {
			panic("no table " + name)
		}
		if next := p.peek(); next == "WHERE" || next == ")" {
			return source{alias: name, rows: rows, left: left}
		}
		return source{alias: p.identifier(), rows: rows, left: left}
	}
	sources := []source{source1(false)}
	for p.peek() == "LEFT" || p.peek() == "JOIN" {
		left := p.accept("LEFT")
		p.expect("JOIN")
		joined := source1(left)
		p.expect("ON")
		joined.on = p.expression()
		sources = append(sources, joined)
	}
	where := sqlExpr(func(*sqlFrame) any { return true })
	if p.accept("WHERE") {
		where = p.expression()
	}
	return func(outer *sqlFrame) []any {
		frames := []*sqlFrame{outer}
		for _, s := range sources {
			var joined []*sqlFrame
			for _, frame := range frames {
				found := false
				for _, row := range s.rows {
					candidate := &sqlFrame{s.alias, row, frame}
					if s.on == nil || s.on(candidate) == true {
						joined, found = append(joined, candidate), true
					}
				}
				if s.left && !found {
					joined = append(joined, &sqlFrame{s.alias, nil, frame})
				}
			}
			frames = joined
		}
		values := []any{}
		for _, frame := range frames {
			if where(frame) == true {
				values = append(values, column(frame))
			}
		}
		return values
	}
}

func (p *sqlParser) expression() sqlExpr {
	terms := []sqlExpr{p.conjunction()}
	for p.accept("OR") {
		terms = append(terms, p.conjunction())
	}
	return sqlConnect(terms, true)
}

func (p *sqlParser) conjunction() sqlExpr {
	terms := []sqlExpr{p.negation()}
	for p.accept("AND") {
		terms = append(terms, p.negation())
	}
	return sqlConnect(terms, false)
}

// sqlConnect makes AND or OR, of which decisive is the value that decides.
func sqlConnect(terms []sqlExpr, decisive bool) sqlExpr {
	if len(terms) == 1 {
		return terms[0]
	}
	return func(f *sqlFrame) any {
		var result any = !decisive
		for _, term := range terms {
			switch value := sqlBoolean(term(f)); value {
			case decisive:
				return decisive
			case nil:
				result = nil
			}
		}
		return result
	}
}

func (p *sqlParser) negation() sqlExpr {
	if !p.accept("NOT") {
		return p.predicate()
	}
	term := p.negation()
	return func(f *sqlFrame) any { return sqlNot(term(f)) }
}

// predicate parses an operand and what may be asked of it.
func (p *sqlParser) predicate() sqlExpr {
	left := p.operand()
	for {
		switch token := p.peek(); token {
		case "IS":
			p.next()
			left = p.test(left)
		case "NOT", "IN", "LIKE", "ILIKE":
			not := p.accept("NOT")
			positive := left
			if p.accept("IN") {
				positive = p.membership(left)
			} else {
				positive = p.pattern(left)
			}
			left = positive
			if not {
				left = func(f *sqlFrame) any { return sqlNot(positive(f)) }
			}
		case "=", "<>", "<", ">", "<=", ">=":
			p.next()
			left = p.comparison(left, token)
		default:
			return left
		}
	}
}

// test parses what follows IS.
func (p *sqlParser) test(left sqlExpr) sqlExpr {
	not := p.accept("NOT")
	want, ok := map[string]any{"NULL": nil, "TRUE": true, "FALSE": false}[p.peek()]
	if !ok {
		panic("IS " + p.peek())
	}
	isNull := p.next() == "NULL"
	return func(f *sqlFrame) any {
		value := left(f)
		if !isNull {
			sqlBoolean(value)
		}
		return (value == want) != not
	}
}

func (p *sqlParser) membership(left sqlExpr) sqlExpr {
	p.expect("(")
	var list sqlSelect
	if p.peek() == "SELECT" {
		list = p.selection()
	} else {
		items := []sqlExpr{p.expression()}
		for p.accept(",") {
			items = append(items, p.expression())
		}
		list = func(f *sqlFrame) []any {
			values := make([]any, len(items))
			for i, item := range items {
				values[i] = item(f)
			}
			return values
		}
	}
	p.expect(")")
	return func(f *sqlFrame) any { return sqlAny("=", left(f), list(f)) }
}

func (p *sqlParser) pattern(left sqlExpr) sqlExpr {
	operator := p.next()
	right := p.operand()
	return func(f *sqlFrame) any {
		text, pattern := left(f), right(f)
		if text == nil || pattern == nil {
			return nil
		}
		subject, form := text.(string), pattern.(string)
		switch operator {
		case "LIKE":
		case "ILIKE":
			subject, form = strings.ToLower(subject), strings.ToLower(form)
		default:
			panic("unknown operator " + operator)
		}
		return sqlLike([]rune(subject), []rune(form))
	}
}

func (p *sqlParser) comparison(left sqlExpr, operator string) sqlExpr {
	all := p.accept("ALL")
	if all || p.accept("ANY") {
		p.expect("(")
		array := p.expression()
		p.expect(")")
		return func(f *sqlFrame) any {
			if all {
				return sqlNot(sqlAny(map[string]string{"<>": "="}[operator], left(f), array(f).([]any)))
			}
			return sqlAny(operator, left(f), array(f).([]any))
		}
	}
	right := p.operand()
	return func(f *sqlFrame) any { return sqlCompare(operator, left(f), right(f)) }
}

// operand parses a value and its casts.
func (p *sqlParser) operand() sqlExpr {
	value := p.primary()
	for p.accept("::") {
		typ, inner := p.next(), value
		if p.accept("[", "]") {
			value = func(f *sqlFrame) any {
				var cast []any
				for _, element := range sqlArray(inner(f)) {
					cast = append(cast, sqlCast(element, typ))
				}
				return cast
			}
		} else {
			value = func(f *sqlFrame) any { return sqlCast(inner(f), typ) }
		}
	}
	return value
}

func (p *sqlParser) primary() sqlExpr {
	constant := func(value any) sqlExpr { return func(*sqlFrame) any { return value } }
	token := p.next()
	switch {
	case token == "(":
		inner := p.expression()
		p.expect(")")
		return inner
	case token == "TRUE", token == "FALSE":
		return constant(token == "TRUE")
	case token == "EXISTS":
		p.expect("(")
		inner := p.selection()
		p.expect(")")
		return func(f *sqlFrame) any { return len(inner(f)) > 0 }
	case token[0] == '$':
		index, _ := strconv.Atoi(token[1:])
		return constant(p.args[index-1])
	case token[0] >= '0' && token[0] <= '9':
		number, _ := strconv.ParseFloat(token, 64)
		return constant(number)
	}
	if !p.accept(".") {
		name := strings.Trim(token, `"`)
		if name != strings.ToLower(name) || p.peek() == "(" {
			panic(fmt.Sprintf("unknown SQL %q before %q", token, p.tokens))
		}
		return func(f *sqlFrame) any { return f.column(f.alias, name) }
	}
	column := p.identifier()
	return func(f *sqlFrame) any { return f.column(strings.Trim(token, `"`), column) }
}

func (f *sqlFrame) column(alias, column string) any {
	for ; f != nil; f = f.outer {
		if f.alias != alias {
			continue
		}
		value, ok := f.row[column]
		if !ok && f.row != nil {
			panic("no column " + column)
		}
		return value
	}
	panic("no table is called " + alias)
}
