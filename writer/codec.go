package writer

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kolo/xmlrpc"
)

// maxDepth bounds the nesting of arguments. Nothing sensible comes near it, and what does would
// only make Odoo run into Python's own limit of recursion.
const maxDepth = 200

// kolo/xmlrpc does the encoding and decoding; this file makes up for what it gets wrong between us
// and Odoo. Encoding: nil inside a value becomes an empty string, the names of a struct's members
// are not escaped (so a client's key could add elements of its own), characters that XML cannot
// carry are silently replaced, and pointers within lists, as those of *big.Int, are not taken.
// Decoding: an empty string comes back as nil, a carriage return is lost to XML's rules for line
// ends, and a member without a name or a single control character, which 14.0 sends, makes the
// whole answer unreadable.

// encodeCall writes a method call. Values are nil, booleans, numbers, strings, and lists and
// string-keyed maps of them. Long texts are not copied into it, but kept as parts.
func encodeCall(method string, args ...any) (message, error) {
	var long longTexts
	body, err := long.encode(method, args)
	if err != nil {
		return nil, err
	}
	return long.putInto(body), nil
}

// encode writes a method call with marks for the long texts.
func (l *longTexts) encode(method string, args []any) ([]byte, error) {
	params := make([]any, len(args))
	for i, arg := range args {
		prepared, err := l.prepare(arg, 0)
		if err != nil {
			return nil, err
		}
		if prepared == nil {
			// A bare nil parameter would be left out; a nil pointer is written as <value/>.
			prepared = (*int)(nil)
		}
		params[i] = prepared
	}
	body, err := xmlrpc.EncodeMethodCall(method, params...)
	if err != nil {
		return nil, fmt.Errorf("encode XML-RPC call: %w", err)
	}
	// kolo writes <value/> for nil, and for nothing else, and text cannot contain it since < is
	// escaped. To Python it is the empty string; None is <nil/>, which its parser always takes.
	return bytes.ReplaceAll(body, []byte("<value/>"), []byte("<value><nil/></value>")), nil
}

// prepare returns a copy of value that kolo encodes rightly.
func (l *longTexts) prepare(value any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("value is nested deeper than %d levels", maxDepth)
	}
	switch v := value.(type) {
	case nil, bool, float64, int, int64:
		// Python's parser takes <int> of any size, so no integer is too big on the way to Odoo.
		return v, nil
	case string:
		return l.text(v)
	case *big.Int:
		return prepareBig(v)
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("number is out of range: %w", err)
		}
		return f, nil
	}

	r := reflect.ValueOf(value)
	switch r.Kind() {
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			// Odoo takes binary content as base64 text; a byte slice here is a mistake of ours.
			return nil, errors.New("bytes have no form in a call: encode them as base64 text")
		}
		list := make([]any, r.Len())
		for i := range list {
			item, err := l.prepare(r.Index(i).Interface(), depth+1)
			if err != nil {
				return nil, err
			}
			list[i] = item
		}
		return list, nil
	case reflect.Map:
		if r.Type().Key().Kind() != reflect.String {
			break
		}
		members := make(map[string]any, r.Len())
		for iter := r.MapRange(); iter.Next(); {
			name, err := escapeName(iter.Key().String())
			if err != nil {
				return nil, err
			}
			member, err := l.prepare(iter.Value().Interface(), depth+1)
			if err != nil {
				return nil, err
			}
			members[name] = member
		}
		return members, nil
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return r.Convert(reflect.TypeFor[int64]()).Interface(), nil
	case reflect.Bool:
		return r.Bool(), nil
	case reflect.Float32:
		return r.Float(), nil
	case reflect.String:
		return l.text(r.String())
	}
	return nil, fmt.Errorf("values of type %T cannot be sent to Odoo", value)
}

// prepareBig returns an integer beyond 64 bits as a double. No column holds such an integer, and
// compared with one, a double that big gives the same answer.
func prepareBig(v *big.Int) (any, error) {
	if v == nil {
		return nil, nil
	}
	if v.IsInt64() {
		return v.Int64(), nil
	}
	f, _ := new(big.Float).SetInt(v).Float64()
	if math.IsInf(f, 0) {
		return nil, errors.New("integer is out of range")
	}
	return f, nil
}

// escapeName escapes the name of a struct's member, which kolo writes as it is.
func escapeName(name string) (string, error) {
	if err := checkText(name); err != nil {
		return "", err
	}
	if !strings.ContainsAny(name, "&<>\r\n\t\"'") {
		return name, nil
	}
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(name)); err != nil {
		return "", fmt.Errorf("escape name: %w", err)
	}
	return b.String(), nil
}

// checkText refuses what XML 1.0 has no form for; kolo would replace it, and so change the text.
func checkText(s string) error {
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size <= 1 {
				return fmt.Errorf("text is not UTF-8 at byte %d", i)
			}
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r', r == 0xFFFE, r == 0xFFFF:
			return fmt.Errorf("text holds the character U+%04X, which cannot be sent to Odoo", r)
		}
	}
	return nil
}

// nilMark stands for <nil/> while kolo decodes, which tells no nil from an empty string. Odoo's
// own marshaller never sends a dateTime, so the mark cannot be mistaken for a value.
const nilMark = "<dateTime.iso8601>00010101T00:00:00</dateTime.iso8601>"

// privateUse is a character of Unicode's private use area. A run of them, longer than any in the
// answer, stands for the empty name of a struct's member, which kolo does not take.
const privateUse = "\uE000"

// decodeResponse returns the value of a method response: nil, bool, int64, float64, string, []any
// or map[string]any. A fault is returned as xmlrpc.FaultError. The depth of the answer is not
// bounded here: Odoo's marshaller is recursive and bounded itself.
func decodeResponse(body []byte) (any, error) {
	body, nameless := repair(body)
	response := xmlrpc.Response(body)
	if err := response.Err(); err != nil {
		if fault, ok := errors.AsType[xmlrpc.FaultError](err); ok {
			return nil, fault
		}
		return nil, fmt.Errorf("decode XML-RPC fault: %w", err)
	}
	var value any
	if err := response.Unmarshal(&value); err != nil {
		return nil, fmt.Errorf("decode XML-RPC answer: %w", err)
	}
	return restore(value, nameless), nil
}

// repair makes an answer decodable without loss: carriage returns become references, which a
// parser keeps; control characters and noncharacters, which no parser takes, are dropped, as Odoo
// does itself from 15.0 on (15.0: odoo/addons/base/controllers/rpc.py, dump_unicode); nil is
// marked, and so are empty names, by the text that is returned beside the answer.
func repair(body []byte) (repaired []byte, nameless string) {
	if bytes.Contains(body, []byte("<nil/>")) {
		body = bytes.ReplaceAll(body, []byte("<nil/>"), []byte(nilMark))
	}
	if empty := []byte("<name></name>"); bytes.Contains(body, empty) {
		for nameless = privateUse; bytes.Contains(body, []byte(nameless)); {
			nameless += nameless
		}
		body = bytes.ReplaceAll(body, empty, []byte("<name>"+nameless+"</name>"))
	}
	first := 0
	for first < len(body) && !suspect(body[first]) {
		first++
	}
	if first == len(body) {
		return body, nameless
	}
	repaired = append(make([]byte, 0, len(body)+64), body[:first]...)
	for i := first; i < len(body); i++ {
		b := body[i]
		switch {
		case b == '\r':
			repaired = append(repaired, "&#xD;"...)
		case b < 0x20 && b != '\t' && b != '\n':
		case b == 0xEF && i+2 < len(body) && body[i+1] == 0xBF && body[i+2] >= 0xBE:
			i += 2 // U+FFFE or U+FFFF
		default:
			repaired = append(repaired, b)
		}
	}
	return repaired, nameless
}

// suspect reports whether a byte may begin something that repair changes.
func suspect(b byte) bool { return b < 0x20 && b != '\t' && b != '\n' || b == 0xEF }

// restore undoes what kolo and repair did to empty strings, nil and empty names.
func restore(value any, nameless string) any {
	switch v := value.(type) {
	case nil:
		return ""
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return v.Format("2006-01-02 15:04:05")
	case []any:
		for i := range v {
			v[i] = restore(v[i], nameless)
		}
	case map[string]any:
		if v == nil {
			return map[string]any{}
		}
		for key := range v {
			v[key] = restore(v[key], nameless)
		}
		if member, ok := v[nameless]; ok && nameless != "" {
			delete(v, nameless)
			v[""] = member
		}
	}
	return value
}
