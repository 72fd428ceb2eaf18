package endpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"go.starlark.net/starlark"

	"lateral/schema"
)

// document turns the JSON text of a record into a value of a script, in the order of its keys.
func document(m *meter, text []byte) (starlark.Value, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decode(m, decoder, 0)
}

func decode(m *meter, decoder *json.Decoder, depth int) (starlark.Value, error) {
	if depth > 2*schema.MaxNesting {
		return nil, errDepth
	}
	token, err := decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			return decodeList(m, decoder, depth)
		}
		return decodeObject(m, decoder, depth)
	case json.Number:
		if err := m.spend(elementSize); err != nil {
			return nil, err
		}
		return number(token.String())
	}
	return plain(m, token, depth)
}

func decodeList(m *meter, decoder *json.Decoder, depth int) (starlark.Value, error) {
	var list []starlark.Value
	for decoder.More() {
		if err := m.spend(elementSize); err != nil {
			return nil, err
		}
		v, err := decode(m, decoder, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := decoder.Token()
	return starlark.NewList(list), err
}

func decodeObject(m *meter, decoder *json.Decoder, depth int) (starlark.Value, error) {
	object := starlark.NewDict(8)
	for decoder.More() {
		if err := m.spend(entrySize); err != nil {
			return nil, err
		}
		key, err := decode(m, decoder, depth+1)
		if err != nil {
			return nil, err
		}
		v, err := decode(m, decoder, depth+1)
		if err != nil {
			return nil, err
		}
		if err := object.SetKey(key, v); err != nil {
			return nil, err
		}
	}
	_, err := decoder.Token()
	return object, err
}

func number(text string) (starlark.Value, error) {
	if !strings.ContainsAny(text, ".eE") {
		n, ok := new(big.Int).SetString(text, 10)
		if !ok {
			return nil, fmt.Errorf("%q is no number", text)
		}
		return starlark.MakeBigInt(n), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	return starlark.Float(f), err
}

// plain turns a value of a request or of Odoo's answer into one of a script.
func plain(m *meter, v any, depth int) (starlark.Value, error) {
	if depth > 2*schema.MaxNesting {
		return nil, errDepth
	}
	if err := m.spend(elementSize); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return starlark.None, nil
	case bool:
		return starlark.Bool(v), nil
	case int64:
		return starlark.MakeInt64(v), nil
	case *big.Int:
		return starlark.MakeBigInt(v), nil
	case float64:
		return starlark.Float(v), nil
	case string:
		return starlark.String(v), m.spend(int64(len(v)))
	case []any:
		list, err := plainList(m, v, depth)
		return starlark.NewList(list), err
	case schema.Tuple:
		list, err := plainList(m, v, depth)
		if err != nil {
			return nil, err
		}
		return starlark.Tuple(list), made(starlark.Tuple(list))
	case map[string]any:
		return plainObject(m, v, depth)
	}
	return nil, fmt.Errorf("scripts have no values like a %T", v)
}

func plainList(m *meter, values []any, depth int) ([]starlark.Value, error) {
	list := make([]starlark.Value, len(values))
	for i, v := range values {
		var err error
		if list[i], err = plain(m, v, depth+1); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func plainObject(m *meter, values map[string]any, depth int) (starlark.Value, error) {
	object := starlark.NewDict(len(values))
	for _, name := range sortedNames(values) {
		v, err := plain(m, values[name], depth+1)
		if err != nil {
			return nil, err
		}
		if err := m.spend(entrySize + int64(len(name))); err != nil {
			return nil, err
		}
		if err := object.SetKey(starlark.String(name), v); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// native turns a value of a script into one that domains, fields and Odoo's values are made of.
func native(m *meter, v starlark.Value, depth int) (any, error) {
	if depth > schema.MaxNesting {
		return nil, errDepth
	}
	if err := m.spend(elementSize); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case starlark.NoneType:
		return nil, nil
	case starlark.Bool:
		return bool(v), nil
	case starlark.Int:
		if n, ok := v.Int64(); ok {
			return n, nil
		}
		return nil, errors.New("an integer is too large for Odoo")
	case starlark.Float:
		return float64(v), nil
	case starlark.String:
		return string(v), nil
	case *starlark.List:
		return nativeList(m, v, depth)
	case starlark.Tuple:
		list, err := nativeList(m, v, depth)
		return schema.Tuple(list), err
	case *starlark.Dict:
		return nativeObject(m, v, depth)
	}
	return nil, fmt.Errorf("a %s cannot be given to Odoo", v.Type())
}

func nativeList(m *meter, v starlark.Indexable, depth int) ([]any, error) {
	list := make([]any, v.Len())
	for i := range list {
		var err error
		if list[i], err = native(m, v.Index(i), depth+1); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func nativeObject(m *meter, d *starlark.Dict, depth int) (map[string]any, error) {
	object := make(map[string]any, d.Len())
	for _, item := range d.Items() {
		name, ok := starlark.AsString(item[0])
		if !ok {
			return nil, errors.New("the keys of a dictionary for Odoo are texts")
		}
		v, err := native(m, item[1], depth+1)
		if err != nil {
			return nil, err
		}
		object[name] = v
	}
	return object, nil
}

// appendJSON appends a value of a script as JSON. What is read anew of a value that stands in several
// places is counted each time.
func appendJSON(m *meter, dst []byte, v starlark.Value, depth int) ([]byte, error) {
	if depth > 2*schema.MaxNesting {
		return nil, errDepth
	}
	before := len(dst)
	var err error
	switch v := v.(type) {
	case starlark.NoneType:
		dst = append(dst, "null"...)
	case starlark.Bool:
		dst = strconv.AppendBool(dst, bool(v))
	case starlark.Int:
		dst = append(dst, v.String()...)
	case starlark.Float:
		dst = appendFloat(dst, float64(v))
	case starlark.String:
		dst, err = appendText(m, dst, string(v))
	case *starlark.Dict:
		return appendObject(m, dst, v, depth)
	case *starlark.List:
		return appendElements(m, dst, v, depth)
	case starlark.Tuple:
		return appendElements(m, dst, v, depth)
	case *starlark.Set:
		return appendElements(m, dst, elementsOf(v), depth)
	default:
		return nil, fmt.Errorf("a %s has no form in JSON", v.Type())
	}
	if err != nil {
		return nil, err
	}
	return dst, m.spend(int64(len(dst) - before + elementSize))
}

// appendFloat writes floats as reads do: shortest, with a point or an exponent; null where JSON has
// no number.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return append(dst, text...)
}

func appendText(m *meter, dst []byte, text string) ([]byte, error) {
	if err := m.spend(int64(len(text))); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(strings.ToValidUTF8(text, "\ufffd")); err != nil {
		return nil, err
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...), nil
}

func appendObject(m *meter, dst []byte, d *starlark.Dict, depth int) ([]byte, error) {
	dst = append(dst, '{')
	for i, item := range d.Items() {
		key, ok := starlark.AsString(item[0])
		if !ok {
			if _, isInt := item[0].(starlark.Int); !isInt {
				return nil, fmt.Errorf("a %s cannot be a key in JSON", item[0].Type())
			}
			key = item[0].String()
		}
		if i > 0 {
			dst = append(dst, ',', ' ')
		}
		var err error
		if dst, err = appendText(m, dst, key); err != nil {
			return nil, err
		}
		if dst, err = appendJSON(m, append(dst, ':', ' '), item[1], depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func elementsOf(set *starlark.Set) starlark.Tuple {
	iterator := set.Iterate()
	defer iterator.Done()
	elements := make(starlark.Tuple, 0, set.Len())
	var v starlark.Value
	for iterator.Next(&v) {
		elements = append(elements, v)
	}
	return elements
}

func appendElements(m *meter, dst []byte, list starlark.Indexable, depth int) ([]byte, error) {
	dst = append(dst, '[')
	for i := range list.Len() {
		if i > 0 {
			dst = append(dst, ',', ' ')
		}
		var err error
		if dst, err = appendJSON(m, dst, list.Index(i), depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}
