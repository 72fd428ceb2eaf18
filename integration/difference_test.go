package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// This file reads lateral's documents and tells where they differ from the oracle's.

// object is a JSON object with the order of its keys.
type object []member

type member struct {
	key   string
	value any
}

// decodeObject reads one document of lateral's, keeping the order of keys.
func decodeObject(document []byte) (object, error) {
	if !json.Valid(document) {
		return nil, fmt.Errorf("not JSON: %.300s", document)
	}
	value, err := decodeValue(json.NewDecoder(bytes.NewReader(document)))
	if err != nil {
		return nil, err
	}
	decoded, ok := value.(object)
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
		members := object{}
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			value, err := decodeValue(decoder)
			if err != nil {
				return nil, err
			}
			members = append(members, member{key.(string), value})
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

// difference describes where two values differ first, "" where they do not.
func difference(path string, lateral, odoo any) string {
	here := func() string { return fmt.Sprintf("%s: lateral %s, Odoo %s", path, show(lateral), show(odoo)) }
	switch want := odoo.(type) {
	case object:
		got, ok := lateral.(object)
		if !ok || len(got) != len(want) {
			return here()
		}
		for i := range want {
			if got[i].key != want[i].key {
				return fmt.Sprintf("%s: the key %d is %q, not %q", path, i, got[i].key, want[i].key)
			}
			if d := difference(path+"."+want[i].key, got[i].value, want[i].value); d != "" {
				return d
			}
		}
		return ""
	case map[string]any:
		got, ok := lateral.(object)
		if !ok || len(got) != len(want) {
			return here()
		}
		for _, m := range got {
			value, ok := want[m.key]
			if !ok {
				return here()
			}
			if d := difference(path+"."+m.key, m.value, value); d != "" {
				return d
			}
		}
		return ""
	case []any:
		got, ok := lateral.([]any)
		if !ok || len(got) != len(want) {
			return here()
		}
		for i := range want {
			if d := difference(fmt.Sprintf("%s[%d]", path, i), got[i], want[i]); d != "" {
				return d
			}
		}
		return ""
	}
	switch lateral.(type) {
	case object, []any:
		return here()
	}
	if lateral != odoo {
		return here()
	}
	return ""
}

// show writes a value for people, shortened.
func show(v any) string {
	var b strings.Builder
	writeShown(&b, v)
	text := b.String()
	if len(text) > 240 {
		text = text[:240] + "…"
	}
	return text
}

func writeShown(w io.Writer, v any) {
	switch v := v.(type) {
	case object:
		_, _ = io.WriteString(w, "{")
		for i, m := range v {
			if i > 0 {
				_, _ = io.WriteString(w, ", ")
			}
			_, _ = fmt.Fprintf(w, "%s: ", m.key)
			writeShown(w, m.value)
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
	case float64:
		_, _ = io.WriteString(w, strconv.FormatFloat(v, 'g', -1, 64))
	case string:
		_, _ = fmt.Fprintf(w, "%q", v)
	default:
		_, _ = fmt.Fprintf(w, "%v", v)
	}
}
