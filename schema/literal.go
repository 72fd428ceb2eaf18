package schema

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"go.starlark.net/syntax"
)

// Limits of the texts that ParseLiteral and DecodeJSON take.
const (
	// MaxLiteralBytes is the longest text, in bytes.
	MaxLiteralBytes = 1 << 20
	// MaxNesting is how deep brackets may nest. Of Python's syntax the parser takes less, at least 70.
	MaxNesting = 100
	// maxDigits is the longest number, in characters: the cost of converting one grows faster
	// than its length.
	maxDigits = 1000
)

// LiteralError says where a text is no Python literal, and why. Line and Col count from 1; Col
// counts bytes.
type LiteralError struct {
	Line, Col int
	Msg       string
}

func (e *LiteralError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Col, e.Msg)
}

// ParseLiteral returns the value of a Python literal: a string, int64, *big.Int (only where int64
// is too small), float64, bool, nil for None, []any for a list, Tuple for a tuple, with or without
// parentheses, and map[string]any for a dictionary, whose keys must be strings. A number may have
// one minus. Comments are skipped. Names, calls, operators, sets and bytes are errors, of type
// *LiteralError.
func ParseLiteral(text string) (any, error) {
	expr, err := literalExpr(text)
	if err != nil {
		return nil, err
	}
	return literalValue(expr)
}

// literalExpr parses a text that guardLiteral has found harmless.
func literalExpr(text string) (syntax.Expr, error) {
	expr, _, err := literalSource(text)
	return expr, err
}

// literalSource is literalExpr and returns also the text that the positions of the expression are of.
func literalSource(text string) (syntax.Expr, string, error) {
	guarded, err := guardLiteral(text)
	if err != nil {
		return nil, "", err
	}
	// Between parentheses line breaks, indentation and a trailing comma are free. The line break
	// ends a comment on the last line.
	source := "(" + guarded + "\n)"
	expr, err := (&syntax.FileOptions{}).ParseExpr("", source, 0)
	if err != nil {
		if parse, ok := err.(syntax.Error); ok {
			return nil, "", literalErrorAt(parse.Pos, parse.Msg)
		}
		return nil, "", &LiteralError{Line: 1, Col: 1, Msg: strings.ToValidUTF8(err.Error(), "\uFFFD")}
	}
	if paren, ok := expr.(*syntax.ParenExpr); ok {
		return paren.X, source, nil
	}
	return expr, source, nil
}

// literalErrorAt corrects a position for the parenthesis that literalExpr puts in front.
func literalErrorAt(pos syntax.Position, msg string) *LiteralError {
	line, col := int(pos.Line), int(pos.Col)
	if line == 1 && col > 1 {
		col--
	}
	// The parser quotes bad escapes by bytes, which may end within a character.
	return &LiteralError{Line: line, Col: col, Msg: strings.ToValidUTF8(msg, "\uFFFD")}
}

// literalValue evaluates the tree of a literal. Its depth is bounded by guardLiteral.
func literalValue(expr syntax.Expr) (any, error) {
	switch x := expr.(type) {
	case *syntax.ParenExpr:
		return literalValue(x.X)
	case *syntax.Literal:
		return scalarValue(x, false)
	case *syntax.UnaryExpr:
		if number, ok := x.X.(*syntax.Literal); ok && x.Op == syntax.MINUS {
			return scalarValue(number, true)
		}
	case *syntax.Ident:
		switch x.Name {
		case "None":
			return nil, nil
		case "True":
			return true, nil
		case "False":
			return false, nil
		}
	case *syntax.ListExpr:
		return literalValues(x.List)
	case *syntax.TupleExpr:
		values, err := literalValues(x.List)
		return Tuple(values), err
	case *syntax.DictExpr:
		values := make(map[string]any, len(x.List))
		for _, item := range x.List {
			entry := item.(*syntax.DictEntry)
			key, value, err := literalEntry(entry)
			if err != nil {
				return nil, err
			}
			values[key] = value
		}
		return values, nil
	}
	start, _ := expr.Span()
	return nil, literalErrorAt(start, "only literals are allowed here")
}

// literalEntry evaluates one entry of a dictionary.
func literalEntry(entry *syntax.DictEntry) (string, any, error) {
	key, err := literalValue(entry.Key)
	if err != nil {
		return "", nil, err
	}
	name, ok := key.(string)
	if !ok {
		start, _ := entry.Key.Span()
		return "", nil, literalErrorAt(start, "a key of a dictionary must be a string")
	}
	value, err := literalValue(entry.Value)
	return name, value, err
}

func literalValues(exprs []syntax.Expr) ([]any, error) {
	values := make([]any, len(exprs))
	for i, expr := range exprs {
		value, err := literalValue(expr)
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return values, nil
}

// scalarValue returns the value of a string or number, the latter negated where minus is set.
func scalarValue(x *syntax.Literal, minus bool) (any, error) {
	switch value := x.Value.(type) {
	case string:
		switch {
		case x.Token != syntax.STRING:
			return nil, literalErrorAt(x.TokenPos, "bytes are not allowed")
		case minus:
			return nil, literalErrorAt(x.TokenPos, "a minus wants a number")
		case strings.IndexByte(value, 0) >= 0:
			return nil, literalErrorAt(x.TokenPos, "a text cannot hold the character NUL")
		}
		return value, nil
	case int64:
		if minus {
			return -value, nil
		}
		return value, nil
	case *big.Int:
		if minus {
			return integerValue(new(big.Int).Neg(value)), nil
		}
		return integerValue(value), nil
	case float64:
		if minus {
			return -value, nil
		}
		return value, nil
	}
	return nil, literalErrorAt(x.TokenPos, "only literals are allowed here")
}

// integerValue returns an int64 where the number fits, else the number itself.
func integerValue(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

// ParseParam returns the value of one parameter of a URL: that of the Python literal it is, else
// that of the JSON it is, else the text itself ("007", "Tom Lenz", "2020-01-02", "*").
func ParseParam(text string) any {
	if value, err := ParseLiteral(text); err == nil {
		return value
	}
	if value, err := DecodeJSON([]byte(text)); err == nil {
		return value
	}
	return text
}

// FormatLiteral writes a value that ParseLiteral can give as a Python literal of one line.
func FormatLiteral(value any) string {
	var b strings.Builder
	writeLiteral(&b, value)
	return b.String()
}

func writeLiteral(b *strings.Builder, value any) {
	switch v := value.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		if v {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case *big.Int:
		b.WriteString(v.String())
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		b.WriteString(text)
		if !strings.ContainsAny(text, ".e") {
			b.WriteString(".0")
		}
	case string:
		b.WriteString(syntax.Quote(v, false))
	case Tuple:
		b.WriteByte('(')
		writeLiterals(b, v)
		if len(v) == 1 {
			b.WriteByte(',')
		}
		b.WriteByte(')')
	case []any:
		b.WriteByte('[')
		writeLiterals(b, v)
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for i, key := range sortedKeys(v) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(syntax.Quote(key, false) + ": ")
			writeLiteral(b, v[key])
		}
		b.WriteByte('}')
	default:
		fmt.Fprintf(b, "<%T>", v)
	}
}

func writeLiterals(b *strings.Builder, values []any) {
	for i, value := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		writeLiteral(b, value)
	}
}
