package server

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
)

// startBody hands content over to the connection, which pulls it after the handler has returned.
// It is read from content; held is closed in the end. size is -1 where it is not known.
func (x *exchange) startBody(w *work, content io.Reader, held io.Closer, size int64) {
	// From here on the client's speed decides; deadlines of writing guard against none.
	w.relax()
	x.streaming = true
	x.status = x.ctx.Response.StatusCode()
	x.ctx.Response.SetBodyStream(&body{x: x, work: w, content: content, held: held, conn: x.ctx.Conn()}, int(size))
}

// body is content on its way to the client: what of it is in memory is one piece.
type body struct {
	x       *exchange
	work    *work
	content io.Reader
	held    io.Closer
	conn    net.Conn
	failed  error
}

// Read is not used: fasthttp writes streams that can write themselves with WriteTo.
func (b *body) Read([]byte) (int, error) { return 0, errors.New("a body is written, not read") }

// SupportsBodyWriteTo tells fasthttp to call WriteTo.
func (b *body) SupportsBodyWriteTo() bool { return true }

// WriteTo writes the content in pieces. An error makes fasthttp close the connection, so that the
// client sees that the content is not whole.
func (b *body) WriteTo(client io.Writer) (written int64, err error) {
	w, err := b.x.newPieceWriter(client, b.conn, nil)
	defer func() {
		// fasthttp would survive a panic here too, but without calling Close.
		if bug := recover(); bug != nil {
			err = fmt.Errorf("panic: %v", bug)
			b.x.s.deps.Metrics.panics.Inc()
		}
		b.x.bytes = w.sent
		if err != nil {
			b.failed = endedBy(b.work.ctx, err)
		}
	}()
	if err != nil {
		return 0, err
	}
	err = b.writeTo(w)
	return w.sent, err
}

func (b *body) writeTo(w *pieceWriter) error {
	piece := make([]byte, pieceSize)
	for {
		n, err := b.content.Read(piece)
		if n > 0 {
			if _, err := w.Write(piece[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// Close ends a stream, whether it was written to its end or not. fasthttp calls it once.
func (b *body) Close() error {
	if err := b.held.Close(); err != nil && b.failed == nil {
		b.x.cause = fmt.Errorf("close the answer: %w", err)
	}
	b.work.cancel()
	b.x.finish(b.failed)
	return nil
}

const (
	// lineBytes are the bytes that make one line of base64, of lineChars characters (RFC 2045).
	lineBytes = 57
	lineChars = 76
	// linesAtOnce is how many lines are encoded together.
	linesAtOnce = 256
)

// base64Lines reads content as a JSON string: base64 with a line break after every 76 characters.
type base64Lines struct {
	content io.Reader
	raw     [lineBytes * linesAtOnce]byte
	encoded []byte // what is ready
	opened  bool
	ended   bool
}

func newBase64Lines(content io.Reader) *base64Lines { return &base64Lines{content: content} }

// base64LinesSize returns how long n bytes become; -1 for -1.
func base64LinesSize(n int64) int64 {
	if n < 0 {
		return -1
	}
	chars := (n + 2) / 3 * 4
	return chars + chars/lineChars*int64(len(`\n`)) + int64(len(`""`))
}

func (b *base64Lines) Read(p []byte) (int, error) {
	for len(b.encoded) == 0 {
		if b.ended {
			return 0, io.EOF
		}
		if err := b.encode(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.encoded)
	b.encoded = b.encoded[n:]
	return n, nil
}

// encode makes the next lines ready.
func (b *base64Lines) encode() error {
	n := 0
	// io.ReadFull would make the end of the content look like content that was cut off.
	for n < len(b.raw) && !b.ended {
		more, err := b.content.Read(b.raw[n:])
		n += more
		b.ended = errors.Is(err, io.EOF)
		if err != nil && !b.ended {
			return err
		}
	}
	out := make([]byte, 0, linesAtOnce*(lineChars+len(`\n`))+len(`""`))
	if !b.opened {
		b.opened = true
		out = append(out, '"')
	}
	for rest := b.raw[:n]; len(rest) > 0; {
		line := rest[:min(lineBytes, len(rest))]
		rest = rest[len(line):]
		before := len(out)
		out = base64.StdEncoding.AppendEncode(out, line)
		if len(out)-before == lineChars {
			out = append(out, `\n`...)
		}
	}
	if b.ended {
		out = append(out, '"')
	}
	b.encoded = out
	return nil
}
