package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSONError says where a JSON text cannot be taken, and why. Path leads to the value, "a.b[2]",
// and is empty where the text as a whole is wrong.
type JSONError struct {
	Path string
	Msg  string
}

func (e *JSONError) Error() string {
	if e.Path == "" {
		return e.Msg
	}
	return e.Path + ": " + e.Msg
}

// DecodeJSON returns the value of a JSON text in the types of ParseLiteral: nil, bool, int64,
// *big.Int (only where int64 is too small), float64, string, []any and map[string]any. A number is
// a float where it has a point or an exponent. Errors, of type *JSONError, are what is no JSON or is
// followed by anything, is not UTF-8, nests deeper than MaxNesting, or holds the character NUL,
// which PostgreSQL cannot store. The length is the caller's to limit.
func DecodeJSON(text []byte) (any, error) {
	value, _, err := decodeJSON(text)
	return value, err
}

// DecodeObject is DecodeJSON for a text that is an object. It returns, beside the object, a key that
// stands in it more than once, since it is not clear which of its values is meant; empty where none
// does.
func DecodeObject(text []byte) (object map[string]any, repeated string, err error) {
	value, reduced, err := decodeJSON(text)
	if err != nil {
		return nil, "", err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, "", &JSONError{Msg: "it is no object"}
	}
	return object, repeatedKey(reduced, len(object)), nil
}

// decodeJSON returns a text's value and the text without its long strings.
func decodeJSON(text []byte) (value any, reduced []byte, err error) {
	if !utf8.Valid(text) {
		return nil, nil, &JSONError{Msg: "the text is not valid UTF-8"}
	}
	if err := checkNesting(text); err != nil {
		return nil, nil, err
	}
	lifted := liftStrings(text)
	decoder := json.NewDecoder(bytes.NewReader(lifted.text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, nil, jsonError(lifted.located(err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, &JSONError{Msg: fmt.Sprintf("something follows the value at byte %d", lifted.offset(decoder.InputOffset()))}
	}
	value, failure := lifted.value(value)
	if failure != nil {
		return nil, nil, failure
	}
	return value, lifted.text, nil
}

// repeatedKey returns a key that an object holds more than once. The text is valid; distinct is how
// many keys its value has.
func repeatedKey(object []byte, distinct int) string {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if _, err := decoder.Token(); err != nil {
		return ""
	}
	seen := make(map[string]bool, distinct)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return ""
		}
		key, _ := token.(string)
		if seen[key] {
			return key
		}
		seen[key] = true
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			return ""
		}
	}
	return ""
}

func jsonError(err error) *JSONError {
	var syntaxError *json.SyntaxError
	switch {
	case errors.As(err, &syntaxError):
		return &JSONError{Msg: fmt.Sprintf("at byte %d: %s", syntaxError.Offset, syntaxError.Error())}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &JSONError{Msg: "the text ends too early"}
	}
	return &JSONError{Msg: err.Error()}
}

// checkNesting bounds the depth before the decoder recurses. Brackets in strings do not count.
func checkNesting(text []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			if depth++; depth > MaxNesting {
				return &JSONError{Msg: fmt.Sprintf("brackets nest too deep at byte %d", i)}
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return nil
}

// value turns numbers into their Go types, puts long strings in and checks texts, in place.
func (l *liftedText) value(value any) (any, *JSONError) {
	switch v := value.(type) {
	case json.Number:
		return jsonNumber(string(v))
	case string:
		if long, ok := l.strings[v]; ok {
			return long, nil
		}
		if strings.IndexByte(v, 0) >= 0 {
			return nil, &JSONError{Msg: "a text cannot hold the character NUL"}
		}
	case []any:
		for i, item := range v {
			converted, err := l.value(item)
			if err != nil {
				return nil, err.inside("[" + strconv.Itoa(i) + "]")
			}
			v[i] = converted
		}
	case map[string]any:
		for key, item := range v {
			if strings.IndexByte(key, 0) >= 0 {
				return nil, &JSONError{Msg: "a key cannot hold the character NUL"}
			}
			converted, err := l.value(item)
			if err != nil {
				return nil, err.inside(key)
			}
			v[key] = converted
		}
	}
	return value, nil
}

// inside puts the name or index of the container's entry in front of the path.
func (e *JSONError) inside(step string) *JSONError {
	if e.Path != "" && e.Path[0] != '[' {
		step += "."
	}
	return &JSONError{Path: step + e.Path, Msg: e.Msg}
}

func jsonNumber(text string) (any, *JSONError) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	if len(text) > maxDigits {
		return nil, &JSONError{Msg: "the number is too long"}
	}
	if strings.ContainsAny(text, ".eE") {
		number, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, &JSONError{Msg: "the number " + text + " is out of range"}
		}
		return number, nil
	}
	number, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, &JSONError{Msg: text + " is no number"}
	}
	return integerValue(number), nil
}

// sortedKeys makes walks over maps repeatable.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
