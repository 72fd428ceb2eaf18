package schema

import (
	"encoding/json"
	"errors"
	"fmt"
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

// Ensure texts with long strings are read like any other, with the same refusals in the same places.
func TestDecodeLongStrings(t *testing.T) {
	long := strings.Repeat("QUJD", longString/4)
	for _, test := range []struct{ text, failure string }{
		{`{"a": "` + long + `", "b": [ "` + long + `é" , 1], "c": "short", "` + long + `": 2}`, ""},
		{`["` + long + `\n", "\"` + long + `", "` + long + `"]`, ""},
		{`{"a": "` + long + `", "b": x}`, "invalid character 'x'"},
		{`{"a": "` + long + `"} "` + long + `" `, "something follows the value"},
		{`{"a": "` + long, "the text ends too early"},
		{`{"a": "` + long + "\n" + `"}`, "invalid character"},
		{`{"a": "` + long + `\u0000"}`, "a: a text cannot hold the character NUL"},
		{`{"a": "` + long + `" "b"}`, "invalid character '\"'"},
	} {
		got, err := DecodeJSON([]byte(test.text))
		var want any
		wantErr := json.Unmarshal([]byte(test.text), &want)
		if test.failure == "" {
			text, _ := json.Marshal(got)
			wanted, _ := json.Marshal(want)
			if err != nil || string(text) != string(wanted) {
				t.Errorf("%.30s: %v, the values are not the same", test.text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.failure) {
			t.Errorf("%.30s: %v, want %s", test.text, err, test.failure)
		}
		var syntaxError *json.SyntaxError
		if errors.As(wantErr, &syntaxError) && strings.Contains(err.Error(), "at byte") && !strings.Contains(err.Error(), fmt.Sprintf("at byte %d:", syntaxError.Offset)) && !strings.Contains(test.failure, "follows") {
			t.Errorf("%.30s: %v, but it is at byte %d", test.text, err, syntaxError.Offset)
		}
	}
}

func TestRepeatedKey(t *testing.T) {
	long := strings.Repeat("QUJD", longString/4)
	for text, want := range map[string]string{
		`{"a": 1, "b": {"a": 1, "a": 2}}`:                         "",
		`{"a": 1, "b": 2, "a": 3}`:                                "a",
		`{"a": "` + long + `", "b": "` + long + `", "\u0061": 3}`: "a",
		`{}`: "",
	} {
		if _, got, err := DecodeObject([]byte(text)); err != nil || got != want {
			t.Errorf("%.40s: %q, %v", text, got, err)
		}
	}
	if _, _, err := DecodeObject([]byte("[]")); err == nil {
		t.Error("a list is taken for an object")
	}
}

// Ensure reading an upload takes little more memory than the upload itself.
func BenchmarkDecodeUpload(b *testing.B) {
	text := []byte(`{"name": "x", "datas": "` + strings.Repeat("QUJD", 4<<20) + `"}`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := DecodeObject(text); err != nil {
			b.Fatal(err)
		}
	}
}
