package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"lateral/schema"
)

// Object is a JSON object with the order of its keys.
type Object []Member

// Member is one key of an object and its value: nil, bool, json.Number, string, []any or Object.
type Member struct {
	Key   string
	Value any
}

// Get returns the value of a key, nil where there is none.
func (o Object) Get(key string) any {
	for _, m := range o {
		if m.Key == key {
			return m.Value
		}
	}
	return nil
}

// Decode reads one document, keeping the order of keys and the spelling of numbers.
func Decode(document []byte) (Object, error) {
	if !json.Valid(document) {
		return nil, fmt.Errorf("not JSON: %.300s", document)
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	value, err := decodeValue(decoder)
	if err != nil {
		return nil, err
	}
	decoded, ok := value.(Object)
	if !ok {
		return nil, fmt.Errorf("no JSON object: %.300s", document)
	}
	return decoded, nil
}

func decodeValue(decoder *json.Decoder) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		members := Object{}
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			value, err := decodeValue(decoder)
			if err != nil {
				return nil, err
			}
			members = append(members, Member{key.(string), value})
		}
		_, err = decoder.Token()
		return members, err
	case json.Delim('['):
		list := []any{}
		for decoder.More() {
			value, err := decodeValue(decoder)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err = decoder.Token()
		return list, err
	}
	return token, nil
}

// gap is the first place where two values differ.
type gap struct {
	path     string
	keys     bool // an object has other keys
	ids      bool // a list has other records
	sql, rpc any
}

func (g *gap) String() string {
	return fmt.Sprintf("%s: lateral %s, Odoo %s", g.path, show(g.sql), show(g.rpc))
}

// Difference tells where two values differ first, an answer of lateral's and what it should be; it is
// empty where they do not.
func Difference(path string, sql, want any) string {
	if found := difference(path, sql, want); found != nil {
		return found.String()
	}
	return ""
}

// difference finds where two values differ first, nil where they do not.
func difference(path string, sql, rpc any) *gap {
	here := &gap{path: path, sql: sql, rpc: rpc}
	switch want := rpc.(type) {
	case Object:
		got, ok := sql.(Object)
		if !ok {
			return here
		}
		here.keys = true
		if len(got) != len(want) {
			return here
		}
		for i := range want {
			if got[i].Key != want[i].Key {
				return here
			}
			if d := difference(path+"."+want[i].Key, got[i].Value, want[i].Value); d != nil {
				return d
			}
		}
		return nil
	case []any:
		got, ok := sql.([]any)
		if !ok {
			return here
		}
		if !slices.Equal(idsOf(got), idsOf(want)) || len(got) != len(want) {
			here.ids = true
			return here
		}
		for i := range want {
			if d := difference(fmt.Sprintf("%s[%d]", path, i), got[i], want[i]); d != nil {
				return d
			}
		}
		return nil
	}
	switch sql.(type) {
	case Object, []any:
		return here
	}
	if sql != rpc {
		return here
	}
	return nil
}

// idOf returns the id that an element of a list is or has, "" where it has none.
func idOf(element any) json.Number {
	if record, ok := element.(Object); ok {
		element = record.Get("id")
	}
	id, _ := element.(json.Number)
	return id
}

func idsOf(list []any) []json.Number {
	ids := make([]json.Number, len(list))
	for i, element := range list {
		ids[i] = idOf(element)
	}
	return ids
}

// elements returns a value as a list: its elements, itself alone, or none where it is null.
func elements(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{value}
}

// objects returns the records nested in a value.
func objects(value any) []Object {
	var records []Object
	for _, element := range elements(value) {
		if record, ok := element.(Object); ok {
			records = append(records, record)
		}
	}
	return records
}

// walk visits the values of all relational fields of a tree, from the top down.
func walk(c *schema.Catalogue, model string, wants []Want, records []Object, visit func(f *schema.Field, w Want, values []any)) {
	for _, w := range wants {
		m := c.Model(model)
		if m == nil {
			return
		}
		f := m.Field(w.Name)
		if f == nil || !f.Type.Relational() {
			continue
		}
		values := make([]any, 0, len(records))
		var nested []Object
		for _, record := range records {
			value := record.Get(w.Name)
			values = append(values, value)
			nested = append(nested, objects(value)...)
		}
		visit(f, w, values)
		if w.Form != schema.Plain {
			walk(c, f.Comodel, w.Sub, nested, visit)
		}
	}
}

// show writes a value for people, shortened.
func show(v any) string {
	var b strings.Builder
	writeShown(&b, v)
	text := []rune(b.String())
	if len(text) > 240 {
		return string(text[:240]) + "…"
	}
	return string(text)
}

func writeShown(w io.Writer, v any) {
	switch v := v.(type) {
	case Object:
		_, _ = io.WriteString(w, "{")
		for i, m := range v {
			if i > 0 {
				_, _ = io.WriteString(w, ", ")
			}
			_, _ = fmt.Fprintf(w, "%s: ", m.Key)
			writeShown(w, m.Value)
		}
		_, _ = io.WriteString(w, "}")
	case []any:
		_, _ = io.WriteString(w, "[")
		for i, item := range v {
			if i > 0 {
				_, _ = io.WriteString(w, ", ")
			}
			writeShown(w, item)
		}
		_, _ = io.WriteString(w, "]")
	case string:
		_, _ = fmt.Fprintf(w, "%q", v)
	case nil:
		_, _ = io.WriteString(w, "null")
	default:
		_, _ = fmt.Fprintf(w, "%v", v)
	}
}
