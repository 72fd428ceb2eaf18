package schema

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDecodeJSON(t *testing.T) {
	for _, test := range []struct {
		text string
		want any
	}{
		{`1`, int64(1)},
		{`-0`, int64(0)},
		{`1.0`, 1.0},
		{`1e2`, 100.0},
		{`18446744073709551616`, bigInt("18446744073709551616")},
		{` {"a": [true, null, "é"], "a": "later"} `, map[string]any{"a": "later"}},
		{`[]`, []any{}},
	} {
		if got, err := DecodeJSON([]byte(test.text)); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("DecodeJSON(%s) = %#v, %v, want %#v", test.text, got, err, test.want)
		}
	}
}

func TestDecodeJSONRefuses(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{``, "the text ends too early"},
		{`{"a": 1`, "the text ends too early"},
		{`{} x`, "something follows the value"},
		{`[1] [2]`, "something follows the value"},
		{"\"\xff\"", "not valid UTF-8"},
		{`{"a": {"b": [0, "x\u0000"]}}`, "a.b[1]: a text cannot hold the character NUL"},
		{`[[1e999]]`, "[0][0]: the number 1e999 is out of range"},
		{`{"\u0000": 1}`, "a key cannot hold the character NUL"},
		{`True`, "at byte 1: invalid character 'T'"},
		{`NaN`, "invalid character"},
		{strings.Repeat("9", 2000), "the number is too long"},
		{strings.Repeat("[", 101) + strings.Repeat("]", 101), "brackets nest too deep at byte 100"},
	} {
		_, err := DecodeJSON([]byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("DecodeJSON(%.40q): %v, want %s", test.text, err, test.want)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	values := valueGenerator(false)
	rapid.Check(t, func(t *rapid.T) {
		want := values.Draw(t, "value")
		text, err := json.Marshal(want)
		if err != nil {
			t.Skip()
		}
		got, err := DecodeJSON(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		// JSON writes a float without a fraction as an integer, so compare what is written.
		again, _ := json.Marshal(got)
		if string(again) != string(text) && !strings.ContainsAny(string(text), "e.") {
			t.Fatalf("%s became %s", text, again)
		}
	})
}
