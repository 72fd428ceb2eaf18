package writer

import (
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kolo/xmlrpc"

	"lateral/schema"
)

const (
	fuzzBytes = 64 << 10
	fuzzTime  = 5 * time.Second
)

// Ensure whatever is sent is read back as it was, as far as types of Odoo's go.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "a\r\nb", "<value/>", "<nil/>", "]]>", "&#xD;", "\u2028\uE000\uE000", "\x01", "\ufffe", "\xff", `"'&`, " a ", "<name></name>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		body, err := encodeCall("m", map[string]any{s: []any{s}})
		if err != nil {
			return
		}
		got, err := decodeResponse(whole(t, body))
		if err != nil {
			t.Fatal(err)
		}
		if want := (map[string]any{s: []any{s}}); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %#v, want %#v", got, want)
		}
	})
}

// checkAnswer fails the test if a value is of a type that no answer has. It reports whether the
// value can be sent as it is.
func checkAnswer(t *testing.T, value any) (sendable bool) {
	t.Helper()
	switch v := value.(type) {
	case nil, bool, int64:
		return true
	case float64:
		return !math.IsNaN(v) && !math.IsInf(v, 0)
	case string:
		if !utf8.ValidString(v) {
			t.Fatalf("got the text %q", v)
		}
		return true
	case []any:
		sendable = true
		for _, item := range v {
			sendable = checkAnswer(t, item) && sendable
		}
		return sendable
	case map[string]any:
		sendable = true
		for key, item := range v {
			checkAnswer(t, key)
			sendable = checkAnswer(t, item) && sendable
		}
		return sendable
	}
	t.Fatalf("got a %T", value)
	return false
}

// Ensure that every answer is either values of Odoo's types, which are the same when they are sent
// back, or an error.
func FuzzDecodeResponse(f *testing.F) {
	for _, value := range []string{
		"<value><int>1</int></value>", "<value><i4>-1</i4></value>", "<value><double>1.5</double></value>", "<value><boolean>1</boolean></value>", "<value><string></string></value>",
		"<value>bare</value>", "<value/>", "<value><nil/></value>", "<value><array><data><value><int>1</int></value><value><nil/></value></data></array></value>",
		"<value><struct><member><name>a</name><value><string>b\r\n</string></value></member><member><name></name><value><nil/></value></member></struct></value>",
		"<value><base64>aGk=</base64></value>", "<value><dateTime.iso8601>20240101T00:00:00</dateTime.iso8601></value>", "<value><double>nan</double></value>",
		"<value><int>99999999999999999999</int></value>", "<value><array></array></value>", "<value><struct></struct></value>", "<value><string>\x01\ufffe&#1;</string></value>",
		"<value><struct><member><value><int>1</int></value><name>a</name></member></struct></value>", "<value><string><![CDATA[<fault>]]></string></value>",
		"<value><struct><member><name>a</name></member></struct></value>", strings.Repeat("<value><array><data>", 300) + "<value/>" + strings.Repeat("</data></array></value>", 300),
	} {
		f.Add([]byte(response(value)))
	}
	for _, body := range []string{
		"", "<methodResponse/>", "<methodResponse><params></params></methodResponse>", "<methodResponse><fault></fault></methodResponse>", "<fault>", "<html><body>502</body></html>",
		"<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>4</int></value></member><member><name>faultString</name><value><string>No</string></value></member></struct></value></fault></methodResponse>",
		"<methodResponse><fault><value><struct><member><name>faultCode</name><value><string>4</string></value></member></struct></value></fault></methodResponse>",
		"<methodResponse><fault><value><array><data></data></array></value></fault></methodResponse>",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > fuzzBytes {
			return
		}
		start := time.Now()
		value, err := decodeResponse(body)
		if took := time.Since(start); took > fuzzTime {
			t.Fatalf("it took %v", took)
		}
		if err != nil {
			if err.Error() == "" || value != nil {
				t.Fatalf("%q: got %#v and the error %q", body, value, err)
			}
			return
		}
		if !checkAnswer(t, value) {
			return
		}
		call, err := encodeCall("m", value)
		if err != nil {
			return // it nests too deep, or XML cannot carry a text
		}
		again, err := decodeResponse(whole(t, call))
		if err != nil || !reflect.DeepEqual(again, value) {
			t.Fatalf("%q: %#v sent and read back is %#v, %v", body, value, again, err)
		}
	})
}

// Ensure that every fault becomes one whose message may be shown: without traceback and secret, of
// bounded length, in Python's way of writing.
func FuzzFault(f *testing.F) {
	for _, text := range []string{
		trace("ValueError: Invalid field 'x' on 'res.partner'"), trace("psycopg2.errors.UndefinedColumn: column x\nLINE 1: SELECT x"),
		trace("RuntimeError: called with s3cret-word at /opt/odoo/x.py"), trace("TypeError: frob() missing 1 required positional argument: 'x'"),
		trace("KeyError"), trace("odoo.exceptions.AccessError: no"), "No.\n(Record: res.partner(99,), User: 2)", "Access Denied", "", "a: b",
		"Private methods (such as 'res.partner.frob') cannot be called remotely.", "Traceback (most recent call last):\n", "Traceback (most recent call last):\n  x\n \n",
		trace("ValueError: " + strings.Repeat("é", 2000)), trace("TypeError: cannot marshal None unless allow_none is enabled"), "\xff: \x00", trace("ConcurrencyError: x"),
		trace("ValueError: " + strings.Repeat("x", 995) + "s3cret-word"), "You typed s3cret-word", trace("ValueError: in /a/s3cret-word"),
	} {
		for code := range 5 {
			f.Add(code, text, "s3cret-word")
		}
	}
	f.Add(1, trace("ValueError: /a/b/c-word"), "/a/b/c-word")
	f.Fuzz(func(t *testing.T, code int, text, secret string) {
		if len(text) > fuzzBytes {
			return
		}
		start := time.Now()
		fault := parseFault(xmlrpc.FaultError{Code: code, String: text}, call{model: "res.partner", method: "frob", uid: 2, secret: secret})
		if took := time.Since(start); took > fuzzTime {
			t.Fatalf("it took %v", took)
		}
		if fault.Kind.String() == "unknown" || fault.SafeToRetry() || errors.Is(fault, ErrAccessDenied) != (fault.Kind == AccessDenied) {
			t.Fatalf("%q: got %+v", text, fault)
		}
		if utf8.RuneCountInString(fault.Message) > maxMessage+1 || strings.Contains(fault.Message, "Traceback (most recent call last)") {
			t.Fatalf("%q: got the message %q", text, fault.Message)
		}
		// A secret of our own words, or of the mark that takes its place, cannot be told from them.
		if len(secret) >= 6 && strings.Contains(text, secret) && !strings.Contains(secret, "…") &&
			!strings.Contains(privateMethod(call{model: "res.partner", method: "frob"}, false).Message+" database error error of the operating system Odoo cannot reach its database", secret) &&
			strings.Contains(fault.Message, secret) {
			t.Fatalf("%q: the message %q tells the secret %q", text, fault.Message, secret)
		}
		if fault.class == "" && fault.Message == "" || strings.ContainsAny(fault.class, " \n.'(") {
			t.Fatalf("%q: got %+v", text, fault)
		}
		if quoted := quotePython(fault.Message); utf8.ValidString(fault.Message) && strings.IndexByte(fault.Message, 0) < 0 {
			read, err := schema.ParseLiteral(quoted)
			if err != nil || read != fault.Message {
				t.Fatalf("%q is written as %s and read as %q, %v", fault.Message, quoted, read, err)
			}
		}
	})
}

// Ensure that no text makes the parsing of faults and answers take the square of its length.
func TestLongAnswers(t *testing.T) {
	for _, part := range []string{"\n", " \n", "Traceback (most recent call last):\n", "/a", "(1, ", "[1,", "<value>", "<nil/>", "<name></name>", "<fault>", "\r", "é", "a:", "s3cret"} {
		text := strings.Repeat(part, (1<<18)/len(part))
		start := time.Now()
		_, _ = decodeResponse([]byte(response("<value><string>" + strings.ReplaceAll(text, "<", "&lt;") + "</string></value>")))
		_, _ = decodeResponse([]byte(response(text)))
		for code := range 5 {
			parseFault(xmlrpc.FaultError{Code: code, String: text}, call{secret: "s3cret"})
			parseFault(xmlrpc.FaultError{Code: code, String: trace("ValueError: " + text)}, call{uid: int64(code), secret: "s3cret"})
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s times %q took %v", strconv.Itoa(len(text)/len(part)), part, took)
		}
	}
}
