package pg

import (
	"fmt"
	"strconv"
	"strings"
)

// Parameters returns arguments as PostgreSQL's text format has them, nil for NULL. They may be an
// int64, a float64, a bool, a string, nil, or a slice of int64, float64 or string. PostgreSQL gives
// each parameter the type that the statement casts it to.
func Parameters(args []any) ([][]byte, error) {
	parameters := make([][]byte, len(args))
	for i, arg := range args {
		text, err := parameter(arg)
		if err != nil {
			return nil, fmt.Errorf("parameter $%d: %w", i+1, err)
		}
		parameters[i] = text
	}
	return parameters, nil
}

// IntParameter is the parameter of an integer.
func IntParameter(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

func parameter(arg any) ([]byte, error) {
	switch arg := arg.(type) {
	case nil:
		return nil, nil
	case int64:
		return IntParameter(arg), nil
	case float64:
		return appendFloat(nil, arg), nil
	case bool:
		return strconv.AppendBool(nil, arg), nil
	case string:
		// An empty text is no NULL.
		return append([]byte{}, arg...), nil
	case []int64:
		return array(arg, func(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }), nil
	case []float64:
		return array(arg, appendFloat), nil
	case []string:
		return array(arg, appendElement), nil
	}
	return nil, fmt.Errorf("a %T cannot be sent", arg)
}

// array writes an array; an element is written by one.
func array[T any](elements []T, one func(dst []byte, element T) []byte) []byte {
	dst := append(make([]byte, 0, 2+8*len(elements)), '{')
	for i, element := range elements {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = one(dst, element)
	}
	return append(dst, '}')
}

// appendFloat writes the shortest text that reads back as the same float; NaN and the infinities are
// as PostgreSQL reads them.
func appendFloat(dst []byte, f float64) []byte { return strconv.AppendFloat(dst, f, 'g', -1, 64) }

// elementQuotes are what has to be escaped inside of a quoted element of an array.
var elementQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func appendElement(dst []byte, text string) []byte {
	dst = append(dst, '"')
	dst = append(dst, elementQuotes.Replace(text)...)
	return append(dst, '"')
}
