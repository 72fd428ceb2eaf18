package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

// oldClientSize is the longest page in bytes for HTTP/1.0, which has no way to stream one safely.
const oldClientSize = 64 << 20

// work is the time a request's work may take.
type work struct {
	ctx    context.Context
	relax  func()
	cancel func()
}

func (x *exchange) work() *work {
	w := &work{}
	w.ctx, w.relax, w.cancel = x.context()
	return w
}

// sendPage answers with a page of records. What fits into the configured buffer goes out whole, with a
// Content-Length, and errors on the way are still answered as errors. Longer pages are streamed; an error
// on the way breaks the connection before the last chunk, so that no client takes a part for the whole.
func (x *exchange) sendPage(rows Rows, w *work, format pageFormat) {
	buffer := x.s.buffer()
	limit := x.s.config.BufferSize
	if !x.ctx.Request.Header.IsHTTP11() {
		limit = oldClientSize
	}
	p := &page{x: x, rows: rows, work: w, form: format(rows), buffer: buffer, pending: (*buffer)[:0], conn: x.ctx.Conn()}
	ended, err := p.fill(limit)
	switch {
	case err != nil:
		err = endedBy(w.ctx, err)
	case ended:
		p.sendWhole()
	case limit == oldClientSize:
		err = tooLarge("The answer is too long for HTTP/1.0: use HTTP/1.1, or limit.")
	default:
		x.startStream(p)
		return
	}
	p.release()
	if err != nil {
		x.fail(err)
	}
}

// startStream hands a page over to the connection, which pulls it after the handler has returned.
func (x *exchange) startStream(p *page) {
	// From here on the client's speed decides; deadlines of writing guard against none.
	p.work.relax()
	x.streaming = true
	x.status = x.success
	p.head()
	p.tag = x.streamTag(p.rows)
	if p.coding = x.coding(); p.coding != nil {
		x.ctx.Response.Header.SetContentEncoding(p.coding.name)
	}
	x.ctx.Response.SetBodyStream(p, -1)
}

// page is a page of records on its way from the reader to the client.
type page struct {
	x       *exchange
	rows    Rows
	work    *work
	form    pageForm
	conn    net.Conn
	coding  *coding // of the stream; nil: none
	buffer  *[]byte // pending's home
	pending []byte  // records in their form, not yet written
	count   int64
	// cursor is the place of the page that follows, of pages by key, known when all records are.
	cursor string
	byKey  bool
	tag    string // of a stream that may be told unchanged later; empty: it may not
	failed error
}

// fill appends records until pending is longer than limit. It reports whether there are no more.
func (p *page) fill(limit int) (ended bool, err error) {
	for len(p.pending) <= limit {
		doc, err := p.rows.Next(p.work.ctx)
		if errors.Is(err, io.EOF) {
			p.cursor, p.byKey, err = p.rows.Cursor()
			return true, err
		}
		if err != nil {
			return false, err
		}
		if p.pending, err = p.form.record(p.pending, doc, p.count); err != nil {
			return false, err
		}
		p.count++
	}
	return false, nil
}

// head writes what all answers with a page have before their body.
func (p *page) head() {
	response := &p.x.ctx.Response
	response.SetStatusCode(p.x.success)
	response.Header.SetContentType(p.form.mediaType())
	p.form.headers(&response.Header, p)
}

// sendWhole answers with a page of which all is there.
func (p *page) sendWhole() {
	p.head()
	before, after := p.form.whole(p)
	response := &p.x.ctx.Response
	response.SetBodyString(before)
	response.AppendBody(p.pending)
	response.AppendBodyString(after)
	p.x.tag(p.rows)
}

// Read is not used: fasthttp writes streams that can write themselves with WriteTo.
func (p *page) Read([]byte) (int, error) { return 0, errors.New("a page is written, not read") }

// SupportsBodyWriteTo tells fasthttp to call WriteTo.
func (p *page) SupportsBodyWriteTo() bool { return true }

// WriteTo writes the page in pieces. An error makes fasthttp close the connection without ending the
// chunked body.
func (p *page) WriteTo(client io.Writer) (written int64, err error) {
	w, err := p.x.newPieceWriter(client, p.conn, p.coding)
	defer func() {
		// fasthttp would survive a panic here too, but without calling Close.
		if bug := recover(); bug != nil {
			err = fmt.Errorf("panic: %v", bug)
			p.x.s.deps.Metrics.panics.Inc()
		}
		p.x.bytes = w.sent
		if err != nil {
			p.failed = endedBy(p.work.ctx, err)
		}
	}()
	if err != nil {
		return 0, err
	}
	defer w.release()
	err = p.writeTo(w)
	return w.sent, err
}

func (p *page) writeTo(w *pieceWriter) error {
	if _, err := w.Write([]byte(p.form.opening())); err != nil {
		return err
	}
	for ended := false; ; {
		for rest := p.pending; len(rest) > 0; {
			piece := rest[:min(len(rest), pieceSize)]
			if _, err := w.Write(piece); err != nil {
				return err
			}
			rest = rest[len(piece):]
		}
		p.pending = p.pending[:0]
		if ended {
			break
		}
		var err error
		if ended, err = p.fill(pieceSize - 1); err != nil {
			return err
		}
	}
	if _, err := w.Write([]byte(p.form.closing(p))); err != nil {
		return err
	}
	if err := w.finish(); err != nil {
		return err
	}
	if p.tag != "" {
		// An answer of which only a part was sent is never called unchanged.
		p.rows.Remember(p.tag)
	}
	return nil
}

// Close ends a stream, whether it was written to its end or not. fasthttp calls it once.
func (p *page) Close() error {
	p.release()
	p.x.finish(p.failed)
	return nil
}

// release frees what the page holds.
func (p *page) release() {
	if err := p.rows.Close(); err != nil && p.failed == nil && p.x.cause == nil {
		p.x.cause = fmt.Errorf("close the answer: %w", err)
	}
	p.work.cancel()
	*p.buffer = p.pending
	p.x.s.keepBuffer(p.buffer)
}

// buffer returns a buffer for a page, and keepBuffer takes it back unless one long record has blown
// it up.
func (s *Server) buffer() *[]byte {
	if b, ok := s.buffers.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 16<<10)
	return &b
}

func (s *Server) keepBuffer(b *[]byte) {
	if cap(*b) <= 2*(s.config.BufferSize+pieceSize) {
		s.buffers.Put(b)
	}
}
