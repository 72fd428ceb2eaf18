package server

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	brotli "github.com/molecule-man/go-brrr"
)

// compressedSize is the length in bytes from which on an answer is compressed: shorter ones fill
// one packet either way.
const compressedSize = 1 << 10

// compressor is a writer of one content coding. After Flush the client can read all that was written.
type compressor interface {
	io.WriteCloser
	Flush() error
	Reset(w io.Writer)
}

// coding is a content coding (RFC 9110, section 8.4.1), with the writers of it that are not in use.
type coding struct {
	name    string
	open    func() (compressor, error)
	writers sync.Pool // compressor
}

// newCodings returns the codings that are offered, the one that is preferred first. Their levels are
// the fastest: what is saved by the better ones is a few percent, and costs several times as much.
// Windows of 256 KiB hold several hundred records and bound what a stream keeps in memory.
func newCodings() []*coding {
	const window = 18 // as a power of 2
	return []*coding{
		{name: "zstd", open: func() (compressor, error) {
			// Without concurrency it starts no goroutines.
			return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
				zstd.WithWindowSize(1<<window), zstd.WithLowerEncoderMem(true))
		}},
		{name: "br", open: func() (compressor, error) {
			return brotli.NewWriterOptions(nil, 1, brotli.WriterOptions{LGWin: window})
		}},
		{name: "gzip", open: func() (compressor, error) { return gzip.NewWriterLevel(nil, gzip.BestSpeed) }},
	}
}

// writer returns a compressor that writes to w; release takes it back.
func (c *coding) writer(w io.Writer) (compressor, error) {
	if known, ok := c.writers.Get().(compressor); ok {
		known.Reset(w)
		return known, nil
	}
	made, err := c.open()
	if err != nil {
		return nil, fmt.Errorf("content coding %s: %w", c.name, err)
	}
	made.Reset(w)
	return made, nil
}

func (c *coding) release(w compressor) {
	w.Reset(io.Discard) // keeps nothing of the answer's alive
	c.writers.Put(w)
}

// accepted returns the coding that a client prefers by the value of its Accept-Encoding (RFC 9110,
// section 12.5.3), nil for none. Of those that it likes equally the first offered is taken; one that
// it does not like as much as no coding at all is not.
func accepted(header string, offered []*coding) *coding {
	if header == "" {
		return nil
	}
	weights := map[string]float64{}
	for item := range strings.SplitSeq(header, ",") {
		name, parameters, _ := strings.Cut(item, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if weight, ok := weight(parameters); ok && name != "" {
			weights[strings.TrimPrefix(name, "x-")] = weight // x-gzip is gzip's old name
		}
	}
	var best *coding
	most := weights["identity"]
	for _, c := range offered {
		weight, listed := weights[c.name]
		if !listed {
			weight = weights["*"]
		}
		if weight > most || best == nil && weight > 0 && weight == most {
			best, most = c, weight
		}
	}
	return best
}

// weight reads the weight among an item's parameters, 1 without one. What is not readable is no item.
func weight(parameters string) (float64, bool) {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return q, err == nil && q >= 0 && q <= 1
	}
	return 1, true
}

// coding returns the coding that the answer is to be sent in, nil for none, and tells caches that the
// answer depends on it. Answers with tokens are not compressed: their length would tell of them
// beside a text that an attacker has chosen. Nor is what is not text, which mostly is compressed already.
func (x *exchange) coding() *coding {
	header := &x.ctx.Response.Header
	if x.secret || len(header.ContentEncoding()) > 0 || !compressible(header.ContentType()) {
		return nil
	}
	header.Add("Vary", "Accept-Encoding")
	return accepted(string(bytes.Join(x.ctx.Request.Header.PeekAll("Accept-Encoding"), []byte(","))), x.s.codings)
}

func compressible(contentType []byte) bool {
	media, _, _ := strings.Cut(string(contentType), ";")
	return media == "application/json" || media == "application/x-ndjson" || media == "text/csv"
}

// compress compresses an answer all of which is there, where the client has asked for it and
// something is won.
func (x *exchange) compress() error {
	c := x.coding()
	response := &x.ctx.Response
	plain := response.Body()
	if c == nil || len(plain) < compressedSize {
		return nil
	}
	buffer := x.s.buffer()
	defer x.s.keepBuffer(buffer)
	packed := bytes.NewBuffer((*buffer)[:0])
	w, err := c.writer(packed)
	if err != nil {
		return err
	}
	defer c.release(w)
	if _, err := w.Write(plain); err != nil {
		return fmt.Errorf("content coding %s: %w", c.name, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("content coding %s: %w", c.name, err)
	}
	*buffer = packed.Bytes()
	if packed.Len() < len(plain) {
		response.SetBody(packed.Bytes())
		response.Header.SetContentEncoding(c.name)
	}
	return nil
}
