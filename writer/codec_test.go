package writer

import (
	"encoding/xml"
	"errors"
	"io"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/kolo/xmlrpc"
)

// param returns the XML of the only parameter of a call.
func param(t *testing.T, value any) string {
	t.Helper()
	call, err := encodeCall("m", value)
	if err != nil {
		t.Fatalf("encode %#v: %v", value, err)
	}
	body := whole(t, call)
	wellFormed(t, body)
	_, rest, _ := strings.Cut(string(body), "<param>")
	text, _, _ := strings.Cut(rest, "</param>")
	return text
}

// whole reads a message to its end.
func whole(t testing.TB, m message) []byte {
	t.Helper()
	body, err := io.ReadAll(m.reader())
	if err != nil || int64(len(body)) != m.size() {
		t.Fatalf("a message of %d bytes, told as %d: %v", len(body), m.size(), err)
	}
	return body
}

func wellFormed(t *testing.T, body []byte) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(string(body)))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
	}
}

type named []any

// Ensure each kind of value is written as Python's parser reads it.
func TestEncode(t *testing.T) {
	for _, test := range []struct {
		name  string
		value any
		want  string
	}{
		{"nil", nil, "<value><nil/></value>"},
		{"nested nil", []any{nil}, "<value><array><data><value><nil/></value></data></array></value>"},
		{"nil member", map[string]any{"a": nil}, "<value><struct><member><name>a</name><value><nil/></value></member></struct></value>"},
		{"true", true, "<value><boolean>1</boolean></value>"},
		{"int", 7, "<value><int>7</int></value>"},
		{"int beyond 32 bits", int64(1) << 40, "<value><int>1099511627776</int></value>"},
		{"uint32", uint32(7), "<value><int>7</int></value>"},
		{"big, small", big.NewInt(5), "<value><int>5</int></value>"},
		{"big, big", new(big.Int).Lsh(big.NewInt(1), 70), "<value><double>1180591620717411300000</double></value>"},
		{"nested big", []any{big.NewInt(5)}, "<value><array><data><value><int>5</int></value></data></array></value>"},
		{"float", 0.1, "<value><double>0.1</double></value>"},
		{"integral float", 5.0, "<value><double>5</double></value>"},
		{"empty string", "", "<value><string></string></value>"},
		{"spaces", " a  b ", "<value><string> a  b </string></value>"},
		{"line ends", "a\r\nb\tc", "<value><string>a&#xD;&#xA;b&#x9;c</string></value>"},
		{"markup", `<value/>&"`, "<value><string>&lt;value/&gt;&amp;&#34;</string></value>"},
		{"unicode", "é漢🎉", "<value><string>é漢🎉</string></value>"},
		{"empty list", []any{}, "<value><array><data></data></array></value>"},
		{"nil list", []any(nil), "<value><array><data></data></array></value>"},
		{"ids", []int64{1, 2}, "<value><array><data><value><int>1</int></value><value><int>2</int></value></data></array></value>"},
		{"named list", named{"=", true}, "<value><array><data><value><string>=</string></value><value><boolean>1</boolean></value></data></array></value>"},
		{"nested named list", []any{named{1}}, "<value><array><data><value><array><data><value><int>1</int></value></data></array></value></data></array></value>"},
		{"empty struct", map[string]any{}, "<value><struct></struct></value>"},
		{"markup in a name", map[string]any{"a</name><x>&": 1}, "<value><struct><member><name>a&lt;/name&gt;&lt;x&gt;&amp;</name><value><int>1</int></value></member></struct></value>"},
		{"map of lists", map[string][]string{"a": {"b"}}, "<value><struct><member><name>a</name><value><array><data><value><string>b</string></value></data></array></value></member></struct></value>"},
	} {
		if got := param(t, test.value); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// Ensure what has no form in a call is refused, wherever it stands, and never changed in silence.
func TestEncodeRefuses(t *testing.T) {
	deep := any(1)
	for range 300 {
		deep = []any{deep}
	}
	for name, value := range map[string]any{
		"control character": "a\x01b",
		"NUL":               map[string]any{"a": []any{"\x00"}},
		"in a name":         map[string]any{"\x02": 1},
		"noncharacter":      "\uFFFF",
		"no UTF-8":          "a\xff",
		"bytes":             []byte("abc"),
		"struct":            struct{ A int }{1},
		"int keys":          map[int]any{1: 1},
		"too deep":          deep,
		"huge":              new(big.Int).Exp(big.NewInt(10), big.NewInt(400), nil),
	} {
		if body, err := encodeCall("m", value); err == nil {
			t.Errorf("%s: got %s, want an error", name, body)
		}
	}
	if _, err := encodeCall("m", "\uFFFD is a character like others"); err != nil {
		t.Errorf("replacement character: %v", err)
	}
}

func response(value string) []byte {
	return []byte("<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n" + value + "\n</param>\n</params>\n</methodResponse>\n")
}

// Ensure values as Odoo writes them, line breaks between elements included, are read without loss.
func TestDecode(t *testing.T) {
	for _, test := range []struct {
		name string
		xml  string
		want any
	}{
		{"true", "<value><boolean>1</boolean></value>", true},
		{"false", "<value><boolean>0</boolean></value>", false},
		{"int", "<value><int>-7</int></value>", int64(-7)},
		{"i8", "<value><i8>5000000000</i8></value>", int64(5000000000)},
		{"double", "<value><double>0.1</double></value>", 0.1},
		{"exponent", "<value><double>1e+16</double></value>", 1e16},
		{"nil", "<value><nil/></value>", nil},
		{"empty string", "<value><string></string></value>", ""},
		{"spaces", "<value><string> a </string></value>", " a "},
		{"line ends", "<value><string>a\r\nb\rc\nd</string></value>", "a\r\nb\rc\nd"},
		{"escaped", "<value><string>&lt;nil/&gt;&amp;amp;</string></value>", "<nil/>&amp;"},
		{"control characters of 14.0", "<value><string>a\x01\x00b\x1fc</string></value>", "abc"},
		{"noncharacter", "<value><string>a\uFFFFb\uFFFE\uFEFF\uFFFD</string></value>", "ab\uFEFF\uFFFD"},
		{"unicode", "<value><string>é漢🎉</string></value>", "é漢🎉"},
		{"empty list", "<value><array><data>\n</data></array></value>", []any{}},
		{"mixed list", "<value><array><data>\n<value><int>1</int></value>\n<value><string></string></value>\n<value><nil/></value>\n<value><boolean>0</boolean></value>\n</data></array></value>", []any{int64(1), "", nil, false}},
		{"empty struct", "<value><struct>\n</struct></value>", map[string]any{}},
		{"struct", "<value><struct>\n<member>\n<name>a b</name>\n<value><struct>\n<member>\n<name>c</name>\n<value><array><data>\n</data></array></value>\n</member>\n</struct></value>\n</member>\n<member>\n<name>d</name>\n<value><string></string></value>\n</member>\n</struct></value>", map[string]any{"a b": map[string]any{"c": []any{}}, "d": ""}},
		{"nameless member", "<value><struct>\n<member>\n<name></name>\n<value><int>1</int></value>\n</member>\n</struct></value>", map[string]any{"": int64(1)}},
		{"date and time", "<value><dateTime.iso8601>20260102T03:04:05</dateTime.iso8601></value>", "2026-01-02 03:04:05"},
	} {
		got, err := decodeResponse(response(test.xml))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %#v, want %#v", test.name, got, test.want)
		}
	}
}

// Ensure megabytes of base64 text come through whole.
func TestDecodeBig(t *testing.T) {
	content := strings.Repeat("QUJD", 1<<19)
	got, err := decodeResponse(response("<value><string>" + content + "</string></value>"))
	if err != nil || got != content {
		t.Fatalf("got %d bytes, %v", len(got.(string)), err)
	}
}

// Ensure lists may be nested as deep as Python's marshaller goes.
func TestDecodeDeep(t *testing.T) {
	const depth = 900
	text := strings.Repeat("<value><array><data>\n", depth) + "<value><int>1</int></value>" + strings.Repeat("</data></array></value>\n", depth)
	got, err := decodeResponse(response(text))
	if err != nil {
		t.Fatal(err)
	}
	for range depth {
		got = got.([]any)[0]
	}
	if got != int64(1) {
		t.Fatalf("got %v", got)
	}
}

// Ensure what is no answer is an error, not a value.
func TestDecodeRefuses(t *testing.T) {
	for _, body := range []string{
		"", "<html><body>Log in</body></html>", `{"jsonrpc": "2.0"}`,
		"<methodResponse><params><param><value><array><data><value><int>1</int>",
		"<methodResponse><params><param><value><int>x</int></value></param></params></methodResponse>",
		"<methodResponse><fault><value><string>x</string></value></fault></methodResponse>",
	} {
		if got, err := decodeResponse([]byte(body)); err == nil {
			t.Errorf("%q: got %#v, want an error", body, got)
		}
	}
}

// Ensure a fault comes back as one, its text whole.
func TestDecodeFault(t *testing.T) {
	_, err := decodeResponse([]byte("<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n<value><int>4</int></value>\n</member>\n<member>\n<name>faultString</name>\n<value><string>No.\n\nReally &lt;not&gt;</string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n"))
	fault, ok := errors.AsType[xmlrpc.FaultError](err)
	if !ok || fault.Code != 4 || fault.String != "No.\n\nReally <not>" {
		t.Fatalf("got %v", err)
	}
}

// Ensure long texts arrive as they are, whatever stands in them and around them.
func TestLongTexts(t *testing.T) {
	plain := strings.Repeat("QUJD\n", longText/4)
	awkward := strings.Repeat("<a>&\r\n\"é'", longText/4)
	want := map[string]any{
		"a": plain, "b": []any{awkward, "short", plain + "x"}, "c": map[string]any{"d": awkward, "e": "long text 0. <x>"},
	}
	call, err := encodeCall("m", want)
	if err != nil {
		t.Fatal(err)
	}
	if len(call) != 2*4+1 {
		t.Errorf("%d parts", len(call))
	}
	body := whole(t, call)
	wellFormed(t, body)
	got, err := decodeResponse(body)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("what was sent is not what was read: %v", err)
	}
	if _, err := encodeCall("m", plain+"\x01"); err == nil {
		t.Error("a control character within a long text")
	}
}

// Ensure encoding a large upload takes no memory to speak of.
func BenchmarkEncodeUpload(b *testing.B) {
	upload := strings.Repeat("QUJD", 4<<20)
	b.SetBytes(int64(len(upload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := encodeCall("execute_kw", "db", 2, "x", "m", "write", []any{[]any{1}, map[string]any{"datas": upload}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecode decodes an answer of 500 records of ten fields, as a read of a chunk gives.
func BenchmarkDecode(b *testing.B) {
	record := "<value><struct>\n"
	for _, name := range []string{"name", "street", "city", "email", "ref", "vat", "phone", "comment", "lang", "tz"} {
		record += "<member>\n<name>" + name + "</name>\n<value><string>some text of it</string></value>\n</member>\n"
	}
	record += "</struct></value>\n"
	body := response("<value><array><data>\n" + strings.Repeat(record, 500) + "</data></array></value>")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeResponse(body); err != nil {
			b.Fatal(err)
		}
	}
}
