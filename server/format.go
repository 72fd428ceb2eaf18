package server

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"
)

// pageForm is how a page of records is written. Whether a page is streamed shows in what stands before
// and after its records, since how many there are is known in the end.
type pageForm interface {
	// mediaType is the Content-Type.
	mediaType() string
	// headers sets the headers of its own.
	headers(header *fasthttp.ResponseHeader, p *page)
	// record appends the document of the n-th record, counted from 0.
	record(dst, document []byte, n int64) ([]byte, error)
	// whole returns what stands before and after the records of a page that is not streamed.
	whole(p *page) (before, after string)
	// opening and closing are the same of a stream.
	opening() string
	closing(p *page) string
}

// pageFormat makes the form of an answer.
type pageFormat func(rows Rows) pageForm

// pageFormat reads the parameters format and spreadsheet.
func (s *Server) pageFormat(p params) (pageFormat, error) {
	name, given, err := p.word("format")
	if err != nil {
		return nil, badRead("format", err.Error())
	}
	value, _ := p.parsed("spreadsheet")
	spreadsheet := value == true || value == "true"
	switch {
	case !given || name == "json":
		return func(Rows) pageForm { return jsonForm{escape: s.config.EscapeUnicode} }, nil
	case name == "ndjson":
		return func(Rows) pageForm { return lineForm{escape: s.config.EscapeUnicode} }, nil
	case name == "csv":
		return func(rows Rows) pageForm { return newTableForm(rows.Columns(), spreadsheet) }, nil
	}
	return nil, badRead("format", "there is no format "+quoted(name)+": it is json, ndjson or csv")
}

// jsonForm is one JSON document: {"count": n, "results": […]}, and where it is streamed
// {"results": […], "count": n}.
type jsonForm struct{ escape bool }

func (jsonForm) mediaType() string { return contentType }

func (jsonForm) headers(*fasthttp.ResponseHeader, *page) {}

func (f jsonForm) record(dst, document []byte, n int64) ([]byte, error) {
	if n > 0 {
		dst = append(dst, ", "...)
	}
	return appendDocument(dst, document, f.escape), nil
}

func (jsonForm) whole(p *page) (before, after string) {
	return `{` + counts(p) + `, "results": [`, `]}`
}

func (jsonForm) opening() string { return `{"results": [` }

func (jsonForm) closing(p *page) string { return `], ` + counts(p) + `}` }

// counts are the members that tell how many records there are.
func counts(p *page) string {
	text := `"count": ` + strconv.FormatInt(p.count, 10)
	if total, asked := p.rows.Total(); asked {
		text += `, "total": ` + strconv.FormatInt(total, 10)
		if p.rows.Estimated() {
			text += `, "total_is": "planned"`
		}
	}
	switch {
	case !p.byKey:
	case p.cursor == "":
		text += `, "next": null`
	default: // cursors need no escapes
		text += `, "next": "` + p.cursor + `"`
	}
	return text
}

// lineForm is one JSON document in a line for each record (ndjson).
type lineForm struct {
	bare
	escape bool
}

func (lineForm) mediaType() string { return "application/x-ndjson" }

func (f lineForm) record(dst, document []byte, _ int64) ([]byte, error) {
	begin := len(dst)
	dst = appendDocument(dst, document, f.escape)
	// In JSON, a line break stands between values only; a field of type json may have some.
	for line := dst[begin:]; ; {
		at := bytes.IndexAny(line, "\r\n")
		if at < 0 {
			return append(dst, '\n'), nil
		}
		line[at] = ' '
		line = line[at+1:]
	}
}

func appendDocument(dst, document []byte, escape bool) []byte {
	if escape {
		return appendEscaped(dst, document)
	}
	return append(dst, document...)
}

// bare is what forms share that are nothing but records: there, the number of all is told by a header.
type bare struct{}

func (bare) headers(header *fasthttp.ResponseHeader, p *page) {
	if total, asked := p.rows.Total(); asked {
		header.Set("X-Total-Count", strconv.FormatInt(total, 10))
		if p.rows.Estimated() {
			header.Set("X-Total-Is", "planned")
		}
	}
}

func (bare) whole(*page) (before, after string) { return "", "" }

func (bare) opening() string { return "" }

func (bare) closing(*page) string { return "" }

var (
	_ pageForm = jsonForm{}
	_ pageForm = lineForm{}
	_ pageForm = (*tableForm)(nil)
)
