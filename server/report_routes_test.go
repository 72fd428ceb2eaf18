package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lateral/writer"
)

// Ensure content of any length becomes a JSON string of base64 with a line break after every 76
// characters, of the length foretold.
func TestBase64Lines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 3*lineBytes*linesAtOnce).Draw(t, "size")
		content := bytes.Repeat([]byte("lateral"), size/7+1)[:size]
		text, err := io.ReadAll(newBase64Lines(iotestChunks{bytes.NewReader(content), rapid.IntRange(1, 9999).Draw(t, "chunk")}))
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(text)) != base64LinesSize(int64(size)) {
			t.Fatalf("%d bytes became %d characters, foretold %d", size, len(text), base64LinesSize(int64(size)))
		}
		var lines string
		if err := json.Unmarshal(text, &lines); err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		for rest := base64.StdEncoding.EncodeToString(content); rest != ""; {
			n := min(76, len(rest))
			want.WriteString(rest[:n])
			if n == 76 {
				want.WriteString("\n")
			}
			rest = rest[n:]
		}
		if lines != want.String() {
			t.Fatalf("got %.200q, want %.200q", lines, want.String())
		}
	})
}

// iotestChunks reads at most so many bytes at once.
type iotestChunks struct {
	from io.Reader
	most int
}

func (c iotestChunks) Read(p []byte) (int, error) { return c.from.Read(p[:min(len(p), c.most)]) }

// torn is content that breaks off the way net/http tells it.
type torn struct{ from io.Reader }

func (t torn) Read(p []byte) (int, error) {
	n, err := t.from.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func fakePDF(content io.Reader, size int64) *writer.PDF {
	return &writer.PDF{ReadCloser: io.NopCloser(content), Size: size, Name: `Angebot "ä".pdf`}
}

// Ensure a report's parameters reach Odoo from query and body, and the PDF comes in both forms.
func TestGetPDF(t *testing.T) {
	want := writer.Report{Name: "sale.report_saleorder", IDs: []int64{1, 2}, Context: map[string]any{"lang": "fr_FR"}}
	for _, test := range []struct{ method, path, body string }{
		{"GET", "?report_name=sale.report_saleorder&ids=[1,2]&__context__={'lang':'fr_FR'}", ""},
		{"GET", "?report_name='sale.report_saleorder'&ids=(1,2)", `{"__context__": {"lang": "fr_FR"}}`},
		{"PUT", "", `{"report_name": "sale.report_saleorder", "ids": [1, 2], "__context__": {"lang": "fr_FR"}}`},
	} {
		h := setup(t, nil)
		h.reports.pdf = fakePDF(strings.NewReader("%PDF-1.4"), 8)
		got := h.do(test.method, "/api/report/get_pdf"+test.path, test.body)
		if got.status != 200 || got.body != `"JVBERi0xLjQ="` || got.header.Get("Content-Type") != contentType || got.header.Get("Content-Length") != "14" {
			t.Errorf("%s %s: %d %s %v", test.path, test.body, got.status, got.body, got.header)
		}
		if h.reports.last == nil || !reflect.DeepEqual(*h.reports.last, want) {
			t.Errorf("%s %s: asked for %+v", test.path, test.body, h.reports.last)
		}
	}
	h := setup(t, nil)
	h.reports.pdf = fakePDF(strings.NewReader("%PDF-1.4"), -1)
	got := h.do("GET", "/v2/report/get_pdf?report_name=x.y&ids=7&format=raw", "")
	if got.status != 200 || got.body != "%PDF-1.4" || got.header.Get("Content-Type") != "application/pdf" ||
		got.header.Get("Content-Disposition") != `attachment; filename="Angebot ___.pdf"; filename*=UTF-8''Angebot%20%22%C3%A4%22.pdf` {
		t.Errorf("raw: %d %s %v", got.status, got.body, got.header)
	}
}

// Ensure a report that breaks off in Odoo breaks off at the client, rather than look whole.
func TestTornPDF(t *testing.T) {
	content := "%PDF-1.4" + strings.Repeat("x", 300<<10)
	for _, size := range []int64{int64(len(content)) + 1, -1} {
		for _, format := range []string{"raw", "base64"} {
			h := setup(t, nil)
			h.reports.pdf = fakePDF(torn{strings.NewReader(content)}, size)
			if got := h.do("GET", "/api/report/get_pdf?report_name=x.y&ids=7&format="+format, ""); got.err == nil {
				t.Errorf("size %d, %s: %d bytes came as if they were all", size, format, len(got.body))
			}
		}
	}
}

func TestGetPDFRefused(t *testing.T) {
	for _, test := range []struct {
		query  string
		fault  error
		status int
		code   string
		text   string
	}{
		{"", nil, 501, "report_method_not_implemented", "report_name"},
		{"report_name=x.y", nil, 501, "report_method_not_implemented", "ids"},
		{"report_name=x.y&ids=[]", nil, 501, "report_method_not_implemented", "ids"},
		{"ids=[1]", nil, 501, "report_method_not_implemented", "report_name"},
		{"report_name=x.y&ids=['a']", nil, 409, "not_called_method_in_odoo", "ids"},
		{"report_name=x.y&ids=[0]", nil, 409, "not_called_method_in_odoo", "ids"},
		{"report_name=x.y&ids=[1]&format=html", nil, 409, "not_called_method_in_odoo", "format"},
		{"report_name=x.y&ids=[1]&__context__=3", nil, 409, "not_called_method_in_odoo", "__context__"},
		{"report_name=x.y&ids=[1]", &writer.Fault{Kind: writer.Missing, Message: "there is no report 'x.y'"}, 409, "not_called_method_in_odoo", "no report"},
		{"report_name=x.y&ids=[1]", &writer.Fault{Kind: writer.NoSession, Message: "no session"}, 409, "not_called_method_in_odoo", "no session"},
		{"report_name=x.y&ids=[1]", &writer.Fault{Kind: writer.Unavailable}, 503, "odoo_unavailable", "reached"},
		{"report_name=x.y&ids=[1]", &writer.Fault{Kind: writer.Timeout}, 504, "timeout", "longer"},
	} {
		h := setup(t, nil)
		h.reports.err = test.fault
		got := h.do("GET", "/api/report/get_pdf?"+test.query, "")
		if got.status != test.status || got.code() != test.code || !strings.Contains(got.body, test.text) {
			t.Errorf("%s, %v: got %d %s", test.query, test.fault, got.status, got.body)
		}
		if test.fault == nil && h.reports.last != nil {
			t.Errorf("%s: Odoo was asked", test.query)
		}
	}
}

func TestDisposition(t *testing.T) {
	for name, want := range map[string]string{
		"a.pdf":          `attachment; filename="a.pdf"`,
		"":               `attachment; filename="x.bin"`,
		"..":             `attachment; filename="x.bin"`,
		"../a\r\nb: c":   `attachment; filename=".._a__b: c"`,
		`a"b.pdf`:        `attachment; filename="a_b.pdf"; filename*=UTF-8''a%22b.pdf`,
		"naïve 漢.pdf":    `attachment; filename="na_ve _.pdf"; filename*=UTF-8''na%C3%AFve%20%E6%BC%A2.pdf`,
		"100%.txt":       `attachment; filename="100_.txt"; filename*=UTF-8''100%25.txt`,
		"bad\xff.txt":    `attachment; filename="bad_.txt"`,
		`c:\temp\it.txt`: `attachment; filename="c:_temp_it.txt"`,
	} {
		if got := disposition(name, "x.bin"); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}
