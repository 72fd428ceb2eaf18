package server

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"lateral/reader"
)

// content answers GET and HEAD /<model>/<id>/<field>/content with what a binary field holds: whole,
// in part (RFC 9110, section 14), or not at all where the client has it already.
func (s *Server) content(x *exchange) {
	w := x.work()
	c, q, err := s.findContent(x, w)
	if err != nil {
		x.fail(endedBy(w.ctx, err))
		w.cancel()
		return
	}
	x.readPath = c.Path
	response, request := &x.ctx.Response, &x.ctx.Request
	tag := `"` + c.Hash + `"`
	header := &response.Header
	header.Set("X-Read-Path", c.Path)
	header.Set("ETag", tag)
	header.Set("Accept-Ranges", "bytes")
	x.askAgain()
	if x.unchanged(tag) {
		w.cancel()
		return
	}
	media := mediaType(c.Type)
	header.SetContentType(media)
	header.Set("Content-Disposition", disposition(fileName(c.Name, q, media), "content"))
	// A document that a user has put there runs nothing, even where a browser shows it.
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")

	part := byteRange{length: c.Size}
	if asked := string(request.Header.Peek("Range")); asked != "" && inRange(string(request.Header.Peek("If-Range")), tag) {
		var satisfiable bool
		if part, satisfiable = parseRange(asked, c.Size); !satisfiable {
			header.Set("Content-Range", fmt.Sprintf("bytes */%d", c.Size))
			header.Del("Content-Disposition")
			x.everyAnswer()
			x.fail(same(fasthttp.StatusRequestedRangeNotSatisfiable, "range_not_satisfiable",
				fmt.Sprintf("The content has %d bytes, none of which are in this range.", c.Size)))
			w.cancel()
			return
		}
	}
	if part.length < c.Size || part.asked {
		response.SetStatusCode(fasthttp.StatusPartialContent)
		header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", part.from, part.from+part.length-1, c.Size))
	}
	if x.ctx.IsHead() {
		response.SkipBody = true
		header.SetContentLength(int(part.length))
		w.cancel()
		return
	}
	opened, err := c.Open(w.ctx, part.from)
	if err != nil {
		header.Del("Content-Range")
		header.Del("Content-Disposition")
		x.everyAnswer()
		x.fail(endedBy(w.ctx, err))
		w.cancel()
		return
	}
	x.startBody(w, io.LimitReader(opened, part.length), opened, part.length)
}

// findContent checks a request for content in the order of the contract – token, model, id, work –
// and finds it.
func (s *Server) findContent(x *exchange, w *work) (*reader.Content, reader.Query, error) {
	none := reader.Query{}
	who, err := x.authenticate()
	if err != nil {
		return nil, none, err
	}
	if err := x.findModel(); err != nil {
		return nil, none, err
	}
	p, err := readParams(x.ctx)
	if err != nil {
		return nil, none, x.afterModel(err)
	}
	q, err := x.contentQuery(p)
	if err != nil {
		return nil, none, x.afterModel(err)
	}
	if _, err := x.preset(w.ctx); err != nil {
		return nil, none, err
	}
	c, err := s.deps.Reader.Content(w.ctx, who, q)
	return c, q, err
}

// contentQuery makes a query out of the path of a content and __context__.
func (x *exchange) contentQuery(p params) (reader.Query, error) {
	q := reader.Query{Model: x.model, Alias: x.alias, One: true, Profile: x.profile.values}
	segment, _ := x.ctx.UserValue("id").(string)
	var err error
	if q.ID, err = recordID(segment); err != nil {
		return q, err
	}
	field, _ := x.ctx.UserValue("field").(string)
	if q.Content, err = url.PathUnescape(field); err != nil {
		return q, badRead("field", "it is not readable")
	}
	value, given := p.parsed("__context__")
	if given {
		requested, ok := value.(map[string]any)
		if !ok {
			return q, badRead("__context__", "it must be an object")
		}
		q.Context = requested
	}
	return q, nil
}

// mediaType returns a media type as a header may have it: what is none is bytes.
func mediaType(text string) string {
	media, parameters, err := mime.ParseMediaType(text)
	if err != nil || !strings.Contains(media, "/") {
		return "application/octet-stream"
	}
	if media == "text/html" || media == "application/xhtml+xml" {
		// Odoo keeps such attachments as text/plain, but of the administrator's.
		media = "text/plain"
	}
	return mime.FormatMediaType(media, parameters)
}

// fileName returns the name under which a content is to be saved: the record's, else one made of
// where it is from, with an extension of the content's type (Odoo 19.0:
// addons/base/models/ir_binary.py, _get_stream_from).
func fileName(name string, q reader.Query, media string) string {
	if name == "" {
		name = strings.ReplaceAll(q.Model, ".", "_") + "-" + strconv.FormatInt(q.ID, 10) + "-" + q.Content
	}
	if dot := strings.LastIndexByte(name, '.'); dot > 0 && len(name)-dot <= 6 && !strings.ContainsAny(name[dot:], " /") {
		return name
	}
	base, _, _ := strings.Cut(media, ";")
	return name + extensions[base]
}

// extensions are those of the types that Odoo's contents mostly have; what the machine's own table
// says would differ from one to another.
var extensions = map[string]string{
	"application/pdf": ".pdf", "application/zip": ".zip", "application/msword": ".doc", "application/xml": ".xml", "application/json": ".json",
	"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp", "image/bmp": ".bmp",
	"image/svg+xml": ".svg", "image/x-icon": ".ico", "text/plain": ".txt", "text/csv": ".csv", "text/xml": ".xml",
	"application/vnd.oasis.opendocument.text":                                   ".odt",
	"application/vnd.oasis.opendocument.spreadsheet":                            ".ods",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   ".docx",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         ".xlsx",
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
}

// inRange reports whether a Range is to be heeded: without If-Range, or where it names the tag
// (strong comparison). Dates are none of the content's.
func inRange(header, tag string) bool { return header == "" || strings.TrimSpace(header) == tag }

// byteRange is a part of a content.
type byteRange struct {
	from, length int64
	asked        bool
}

// parseRange reads the header Range. What is none, or asks for several parts, is answered with the
// whole; what lies behind the end is not satisfiable.
func parseRange(header string, size int64) (part byteRange, satisfiable bool) {
	everything := byteRange{length: size}
	unit, spec, ok := strings.Cut(strings.TrimSpace(header), "=")
	if !ok || !strings.EqualFold(unit, "bytes") || strings.Contains(spec, ",") {
		return everything, true
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return everything, true
	}
	from, fromErr := position(first)
	to, toErr := position(last)
	switch {
	case first == "" && toErr == nil:
		// The last so many bytes.
		if to == 0 || size == 0 {
			return byteRange{}, false
		}
		n := min(to, size)
		return byteRange{from: size - n, length: n, asked: true}, true
	case fromErr != nil, last != "" && (toErr != nil || to < from):
		return everything, true
	case from >= size:
		return byteRange{}, false
	case last == "":
		to = size - 1
	}
	return byteRange{from: from, length: min(to, size-1) - from + 1, asked: true}, true
}

var errNoPosition = errors.New("no position")

func position(text string) (int64, error) {
	if text == "" || strings.Trim(text, "0123456789") != "" || len(text) > 18 {
		return 0, errNoPosition
	}
	return strconv.ParseInt(text, 10, 64)
}
