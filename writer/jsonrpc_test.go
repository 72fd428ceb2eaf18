package writer

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// noneFault is what XML-RPC answers where a result holds None.
var noneFault = "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>1</int></value></member>" +
	"<member><name>faultString</name><value><string>" + "TypeError: cannot marshal None unless allow_none is enabled" +
	"</string></value></member></struct></value></fault></methodResponse>"

// Ensure a read whose answer XML-RPC cannot carry is made again by JSON-RPC, and no other call is.
func TestUnanswerable(t *testing.T) {
	var paths []string
	answer := ""
	x := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		if r.URL.Path == "/jsonrpc" {
			io.WriteString(w, answer)
			return
		}
		io.WriteString(w, noneFault)
	})

	answer = `{"jsonrpc": "2.0", "id": 1, "result": [{"id": 1, "big": 5000000000, "f": 5.0, "j": {"a": null, "b": [0.5]}}]}`
	got, err := x.Execute(t.Context(), someone, "m", "read", []any{[]any{1}}, nil)
	want := []any{map[string]any{"id": int64(1), "big": int64(5000000000), "f": 5.0, "j": map[string]any{"a": nil, "b": []any{0.5}}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, %v", got, err)
	}

	for text, kind := range map[string]Kind{
		`{"name": "odoo.exceptions.AccessError", "message": "No."}`:                                           Access,
		`{"name": "odoo.exceptions.AccessDenied", "message": "No."}`:                                          AccessDenied,
		`{"name": "psycopg2.errors.UndefinedColumn", "message": "column x does not exist\nLINE 1: SELECT x"}`: Internal,
		`{"name": "psycopg2.OperationalError", "message": "could not connect to 10.0.0.1"}`:                   Unavailable,
	} {
		answer = `{"error": {"code": 200, "data": ` + text + `}}`
		_, err := x.Execute(t.Context(), someone, "m", "read", []any{[]any{1}}, nil)
		if fault := faultOf(t, err); fault.Kind != kind || strings.Contains(fault.Error(), "LINE") || strings.Contains(fault.Error(), "10.0.0.1") {
			t.Errorf("%s: got %v", text, err)
		}
	}

	paths = nil
	_, err = x.Execute(t.Context(), someone, "m", "action_confirm", []any{[]any{1}}, nil)
	if fault := faultOf(t, err); fault.Kind != ReturnedNone || !reflect.DeepEqual(paths, []string{"/xmlrpc/2/object"}) {
		t.Errorf("got %v by %v", err, paths)
	}
}

// Ensure what Python's json.dumps writes becomes JSON by the standard, in UTF-8, and nothing in a text
// is taken for anything else.
func TestStandardJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{"a": NaN, "b": [Infinity, -Infinity, -1]}`: `{"a": null, "b": [null, null, -1]}`,
		`"NaN \"NaN\" \\"`:                           `"NaN \"NaN\" \\"`,
		`"\u00e9\u20ac \ud83d\ude00"`:                `"é€ 😀"`,
		`"\ud83d x \ude00"`:                          "\"\uFFFD x \uFFFD\"",
		`"\u0001\n\u001f\""`:                         `"\u0001\n\u001f\""`,
		`"\\u00e9"`:                                  `"\\u00e9"`,
		`[12345678901234567890123, 1e16]`:            `[12345678901234567890123, 1e16]`,
	} {
		if got := string(standardJSON([]byte(text))); got != want || !json.Valid([]byte(got)) {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
