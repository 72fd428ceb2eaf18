package reader

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// sqlLike matches a pattern of % and _, which a backslash escapes.
func sqlLike(text, pattern []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(text) == 0
	case pattern[0] == '%':
		return sqlLike(text, pattern[1:]) || len(text) > 0 && sqlLike(text[1:], pattern)
	case len(text) == 0:
		return false
	case pattern[0] == '\\':
		return len(pattern) > 1 && text[0] == pattern[1] && sqlLike(text[1:], pattern[2:])
	}
	return (pattern[0] == '_' || pattern[0] == text[0]) && sqlLike(text[1:], pattern[1:])
}

func sqlBoolean(v any) any {
	if _, ok := v.(bool); !ok && v != nil {
		panic(fmt.Sprintf("%v is no boolean", v))
	}
	return v
}

func sqlNot(v any) any {
	if v = sqlBoolean(v); v == nil {
		return nil
	}
	return v == false
}

// sqlAny is operator ANY: true if it holds for one element, else NULL if it might.
func sqlAny(operator string, left any, list []any) any {
	var result any = false
	for _, element := range list {
		switch sqlCompare(operator, left, element) {
		case true:
			return true
		case nil:
			result = nil
		}
	}
	return result
}

// sqlCompare compares values of one type; PostgreSQL would refuse others.
func sqlCompare(operator string, a, b any) any {
	if a == nil || b == nil {
		return nil
	}
	var order int
	switch a := a.(type) {
	case float64:
		order = cmp.Compare(a, sqlNumber(b))
	case string:
		order = cmp.Compare(a, b.(string))
	case sqlDate:
		order = cmp.Compare(a, b.(sqlDate))
	case sqlTime:
		order = time.Time(a).Compare(time.Time(b.(sqlTime)))
	case bool:
		if a != b.(bool) {
			order = -1
			if a {
				order = 1
			}
		}
	default:
		panic(fmt.Sprintf("cannot compare a %T", a))
	}
	result, ok := map[string]bool{"=": order == 0, "<>": order != 0, "<": order < 0, ">": order > 0, "<=": order <= 0, ">=": order >= 0}[operator]
	if !ok {
		panic("unknown operator " + operator)
	}
	return result
}

func sqlNumber(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case int64:
		return float64(v)
	}
	panic(fmt.Sprintf("%#v is no number", v))
}

func sqlArray(v any) (elements []any) {
	switch v := v.(type) {
	case []any:
		return v
	case []int64:
		for _, n := range v {
			elements = append(elements, float64(n))
		}
	case []float64:
		for _, n := range v {
			elements = append(elements, n)
		}
	case []string:
		for _, s := range v {
			elements = append(elements, s)
		}
	default:
		panic(fmt.Sprintf("a %T is no array", v))
	}
	return elements
}

// sqlCast casts a parameter or column to a type.
func sqlCast(v any, typ string) any {
	if v == nil {
		return nil
	}
	text, isText := v.(string)
	switch typ {
	case "int4", "int8", "float8":
		return sqlNumber(v)
	case "numeric":
		if !isText {
			return sqlNumber(v)
		}
		number, err := strconv.ParseFloat(text, 64)
		if err != nil {
			panic(err)
		}
		return number
	case "date":
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			panic(err)
		}
		return sqlDate(text)
	case "timestamp":
		for _, layout := range []string{time.DateTime, time.DateOnly} {
			if moment, err := time.Parse(layout, text); err == nil {
				return sqlTime(moment)
			}
		}
		panic("no timestamp: " + text)
	case "text":
		switch v := v.(type) {
		case string:
			return v
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		case bool:
			return strconv.FormatBool(v)
		case sqlDate:
			return string(v)
		case sqlTime:
			return time.Time(v).Format("2006-01-02 15:04:05.999999")
		}
	}
	panic(fmt.Sprintf("cannot cast a %T to %s", v, typ))
}
