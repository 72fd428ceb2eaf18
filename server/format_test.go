package server

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lateral/reader"
)

// Ensure the lines of ndjson are the records of JSON, streamed or not.
func TestLines(t *testing.T) {
	for _, escape := range []bool{false, true} {
		h := setup(t, func(_ *Deps, c *Config) { c.EscapeUnicode = escape })
		for _, n := range []int{0, 3, 3000} {
			h.reader.docs, h.reader.total = docs(n, 300), 9000
			if n > 0 {
				h.reader.docs[1] = "{\"id\": 2,\r\n \"name\": \"a\\nb é\"}"
			}
			got := h.do("GET", "/v2/res.partner?format=ndjson&count=true", "", "Accept-Encoding", "identity")
			if got.err != nil || got.status != 200 || got.header.Get("Content-Type") != "application/x-ndjson" || got.header.Get("X-Total-Count") != "9000" {
				t.Fatalf("got %d, %v, %v", got.status, got.err, got.header)
			}
			var page struct{ Results []json.RawMessage }
			whole := h.do("GET", "/v2/res.partner", "", "Accept-Encoding", "identity")
			if err := json.Unmarshal([]byte(whole.body), &page); err != nil || whole.header.Get("X-Total-Count") != "" {
				t.Fatal(err, whole.header)
			}
			want := ""
			for _, record := range page.Results {
				want += strings.NewReplacer("\r", " ", "\n", " ").Replace(string(record)) + "\n"
			}
			if got.body != want {
				t.Errorf("%d records: got %.200q, want %.200q", n, got.body, want)
			}
		}
	}
}

var tableColumns = []reader.Column{
	{Name: "id"},
	{Name: "name"},
	{Name: "partner_id", Columns: []reader.Column{{Name: "id"}, {Name: "name"}, {Name: "country_id", Columns: []reader.Column{{Name: "code"}}}}},
	{Name: "line_ids"},
	{Name: "active"},
}

// Ensure records are lines of CSV, with all that lines may be taken for in quotes.
func TestTable(t *testing.T) {
	const header = "id,name,partner_id.id,partner_id.name,partner_id.country_id.code,line_ids,active\r\n"
	for _, test := range []struct{ doc, want string }{
		{`{"id": 1, "name": "x", "partner_id": {"id": 2, "name": "y", "country_id": {"code": "BE"}}, "line_ids": [{"a": "}"}], "active": true}`, `1,x,2,y,BE,"[{""a"": ""}""}]",true`},
		{`{"id":1,"name":null,"partner_id":null,"line_ids":[],"active":null}`, `1,,,,,[],`},
		{`{"id":1,"name":"","partner_id":{"id":2,"country_id":null},"line_ids":[1, 2],"active":false}`, `1,"",2,,,"[1, 2]",false`},
		{`{"id":-1.5e3,"name":"a\"b,\u00e9\ud83d\ude00\\\n","partner_id":{"id":"x,y","name":"=1+1"},"line_ids":5 , "active" : true }`, "-1.5e3,\"a\"\"b,é😀\\\n\",\"x,y\",=1+1,,5,true"},
	} {
		h := setup(t, nil)
		h.reader.columns, h.reader.docs, h.reader.total = tableColumns, []string{test.doc}, 7
		got := h.do("GET", "/v2/res.partner?format=csv&count=true", "")
		if got.status != 200 || got.body != header+test.want+"\r\n" {
			t.Errorf("%s:\n got %q\nwant %q", test.doc, got.body, header+test.want+"\r\n")
		}
		if got.header.Get("Content-Type") != "text/csv; charset=utf-8" || got.header.Get("X-Total-Count") != "7" {
			t.Errorf("headers: %v", got.header)
		}
	}
	h := setup(t, nil)
	h.reader.columns, h.reader.total = tableColumns, 9
	if got := h.do("GET", "/v2/res.partner?format=csv&count=planned", "").header; got.Get("X-Total-Count") != "9" || got.Get("X-Total-Is") != "planned" {
		t.Errorf("a planned total: %v", got)
	}
	if got := h.do("GET", "/api/res.partner?format=csv", ""); got.status != 200 || got.body != header {
		t.Errorf("no records: %q", got.body)
	}
}

// Ensure texts are no formulas where a spreadsheet is to show them, and numbers stay what they are.
func TestSpreadsheet(t *testing.T) {
	h := setup(t, nil)
	h.reader.columns = []reader.Column{{Name: "id"}, {Name: "name"}}
	for text, want := range map[string]string{
		`"=1+1"`: "'=1+1", `"+32 2"`: "'+32 2", `"-x"`: "'-x", `"@a"`: "'@a", `"\t=1"`: "'\t=1", `"\r=1"`: "\"'\r=1\"", `"＝1"`: "'＝1",
		`"=\"x\""`: `"'=""x"""`, `"a=1"`: "a=1", `"'a"`: "'a", `"é"`: "é", `""`: `""`, `null`: "", `-5`: "-5",
	} {
		h.reader.docs = []string{`{"id": -1, "name": ` + text + `}`}
		if got := h.do("GET", "/api/res.partner?format=csv&spreadsheet=true", ""); got.body != "\ufeffid,name\r\n-1,"+want+"\r\n" {
			t.Errorf("%s: %q", text, got.body)
		}
	}
}

// Ensure long tables and lists of lines are streamed, whole, in every coding, and break where they fail.
func TestFormatsStream(t *testing.T) {
	h := setup(t, nil)
	h.reader.columns, h.reader.docs = []reader.Column{{Name: "id"}, {Name: "name"}}, docs(3000, 300)
	table := h.do("GET", "/api/res.partner?format=csv", "", "Accept-Encoding", "identity")
	rows, err := csv.NewReader(strings.NewReader(table.body)).ReadAll()
	if err != nil || len(rows) != 3001 || rows[3000][0] != "3000" || table.header.Get("Content-Length") != "" {
		t.Fatalf("%d rows, %v, %v", len(rows), err, table.header)
	}
	coded := h.do("GET", "/api/res.partner?format=csv", "", "Accept-Encoding", "br")
	text, err := io.ReadAll(decoder(t, coded.header.Get("Content-Encoding"), strings.NewReader(coded.body)))
	if err != nil || string(text) != table.body {
		t.Errorf("in a coding: %d bytes of %d, %v", len(text), len(table.body), err)
	}
	h.reader.torn = errors.New("connection lost")
	for _, format := range []string{"csv", "ndjson"} {
		if got := h.do("GET", "/api/res.partner?format="+format, ""); !errors.Is(got.err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d bytes and %v", format, len(got.body), got.err)
		}
	}
}

// Ensure errors are JSON whatever the format, and formats that are not known are errors.
func TestFormatErrors(t *testing.T) {
	h := setup(t, nil)
	h.reader.columns, h.reader.docs = []reader.Column{{Name: "id"}}, []string{`{"id": 1}`}
	for path, status := range map[string]int{
		"/v2/res.partner?format=xml": 422, "/api/res.partner?format=xml": 409, "/v2/res.partner?format=CSV": 422, "/v2/res.partner?format=[1]": 422,
		"/v2/res.partner?format=json": 200, "/v2/res.partner?format=": 200,
	} {
		got := h.do("GET", path, "")
		if got.status != status || status != 200 && (got.code() != "not_read_object_in_odoo" || !strings.Contains(got.body, "format: ")) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if got := h.do("GET", "/v2/res.partner?format=xml", ""); !strings.Contains(got.body, "'xml'") || !strings.Contains(got.body, `"field": "format"`) {
		t.Errorf("it does not name the format: %s", got.body)
	}
	h.reader.torn = &reader.Error{Kind: reader.DatabaseUnavailable, Message: "gone"}
	for _, format := range []string{"csv", "ndjson"} {
		got := h.do("GET", "/v2/res.partner?count=true&format="+format, "")
		if got.status != 503 || got.header.Get("Content-Type") != contentType || got.header.Get("X-Total-Count") != "" {
			t.Errorf("%s: %d %v", format, got.status, got.header)
		}
	}
	h.reader.torn = nil
	// A document that does not fit its columns is a fault, and never a line that lacks something.
	h.reader.docs = []string{`{"id": 1, "name": "x"}`}
	if got := h.do("GET", "/v2/res.partner?format=csv", ""); got.status != 500 {
		t.Errorf("a field without a column: %d %s", got.status, got.body)
	}
}

// Ensure members of objects are found as encoding/json finds them.
func TestScanObject(t *testing.T) {
	var value *rapid.Generator[any]
	value = rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 6).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return rapid.Float64Range(-1e9, 1e9).Draw(t, "number")
		case 3:
			return rapid.SliceOfN(value, 0, 3).Draw(t, "list")
		case 4:
			return rapid.MapOfN(rapid.String(), value, 0, 3).Draw(t, "object")
		}
		return rapid.String().Draw(t, "text")
	})
	rapid.Check(t, func(t *rapid.T) {
		object := rapid.MapOf(rapid.StringMatching(`[a-z_]{1,5}`), value).Draw(t, "members")
		indent := rapid.SampledFrom([]string{"", " ", "\t"}).Draw(t, "indent")
		text, err := json.MarshalIndent(object, "", indent)
		if err != nil {
			t.Fatal(err)
		}
		checkScan(t, text)
	})
}

func FuzzScanObject(f *testing.F) {
	for _, text := range []string{`{"id": 1, "a": [{"b": "}\""}]}`, `{}`, `{"`, `{"a":"`, `{"a"`, `[`, `{"a": 1}x`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkScan(t, text) })
}

// checkScan compares the members of a text that is an object whose keys have no escapes and no
// duplicates; any other text may be refused, or not. Documents are PostgreSQL's or our own, whose UTF-8 is never
// broken: what is, encoding/json mends and the scanner leaves as it is.
func checkScan(t interface {
	Errorf(format string, args ...any)
}, text []byte,
) {
	got := map[string]json.RawMessage{}
	n := 0
	scan := scanObject(text)
	for ; scan.next(); n++ {
		got[string(scan.key)] = json.RawMessage(scan.value)
	}
	var want map[string]json.RawMessage
	if !utf8.Valid(text) || json.Unmarshal(text, &want) != nil || want == nil || n > len(want) {
		return
	}
	for key := range want {
		if plain, err := json.Marshal(key); err != nil || string(plain) != `"`+key+`"` {
			return
		}
	}
	if scan.err != nil || !cmp.Equal(got, want) {
		t.Errorf("%q: %v\n%s", text, scan.err, cmp.Diff(got, want))
	}
}

func BenchmarkTable(b *testing.B) {
	f := newTableForm(tableColumns, false)
	doc := []byte(fmt.Sprintf(`{"id":1,"name":%q,"partner_id":{"id":2,"name":"y","country_id":{"code":"BE"}},"line_ids":[1,2],"active":true}`, strings.Repeat("x", 50)))
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = f.record(dst[:0], doc, 0); err != nil {
			b.Fatal(err)
		}
	}
}
