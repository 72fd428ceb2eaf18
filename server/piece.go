package server

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"time"
)

// pieceSize is how much of a stream is written at once, in bytes: what a slow client can make
// the server hold is one piece and the socket's buffer.
const pieceSize = 64 << 10

// pieceWriter writes the pieces of a stream to a client, each with a deadline of its own and, where
// the stream has a coding, compressed and flushed, so that the client can read all that was written.
type pieceWriter struct {
	client  io.Writer
	conn    net.Conn
	timeout time.Duration // of one piece; 0: none
	sent    int64         // bytes, as compressed

	coding     *coding
	compressor compressor
	packed     bytes.Buffer // what the compressor has written of a piece
}

// newPieceWriter returns a writer, whose end is finish or release. coding may be nil.
func (x *exchange) newPieceWriter(client io.Writer, conn net.Conn, c *coding) (*pieceWriter, error) {
	w := &pieceWriter{client: client, conn: conn, timeout: x.s.config.WriteTimeout, coding: c}
	if c == nil {
		return w, nil
	}
	var err error
	w.compressor, err = c.writer(&w.packed)
	return w, err
}

func (w *pieceWriter) Write(piece []byte) (int, error) {
	if w.compressor == nil {
		return w.send(piece)
	}
	_, err := w.compressor.Write(piece)
	if err == nil {
		err = w.compressor.Flush()
	}
	if err != nil {
		return 0, fmt.Errorf("content coding %s: %w", w.coding.name, err)
	}
	if err := w.sendPacked(); err != nil {
		return 0, err
	}
	return len(piece), nil
}

// finish ends a stream of which all pieces are written.
func (w *pieceWriter) finish() error {
	if w.compressor == nil {
		return nil
	}
	if err := w.compressor.Close(); err != nil {
		return fmt.Errorf("content coding %s: %w", w.coding.name, err)
	}
	return w.sendPacked()
}

// release gives the compressor back.
func (w *pieceWriter) release() {
	if w.compressor != nil {
		w.coding.release(w.compressor)
		w.compressor = nil
	}
}

func (w *pieceWriter) sendPacked() error {
	_, err := w.send(w.packed.Bytes())
	w.packed.Reset()
	return err
}

func (w *pieceWriter) send(piece []byte) (int, error) {
	if len(piece) == 0 {
		return 0, nil
	}
	if w.timeout > 0 {
		if err := w.conn.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
			return 0, fmt.Errorf("write deadline: %w", err)
		}
	}
	n, err := w.client.Write(piece)
	w.sent += int64(n)
	return n, err
}
