package reader

import (
	"context"
	"errors"
	"io"
	"strconv"

	"lateral/pg"
	"lateral/schema"
)

// The ways a read can go.
const (
	PathDirect = "direct" // by one SQL statement
	PathHybrid = "hybrid" // by SQL, with some computed fields fetched from Odoo
	PathOdoo   = "odoo"   // by Odoo alone
)

// Result is an answer under way: a stream of documents. It must be closed, and is not safe for
// concurrent use.
type Result struct {
	// Path is the way the read goes, Reason why it is not direct.
	Path   string
	Reason string
	// Total is the number of all matching records, -1 unless it was asked for.
	Total int64
	// Estimated tells that Total is PostgreSQL's estimate.
	Estimated bool
	// Preset is the preset that the records are read with, nil without one.
	Preset *schema.Preset

	// Unchanged is the tag of an answer that the query's Asker has and that this one would be: there are no
	// records then. It is empty where the answer was read.
	Unchanged string

	source   source
	remember func(tag string) // nil: it is of no use
	plan     *Plan
	rows     *rowSource // of a read through SQL
	seal     *sealer    // of a page by key; nil: it is none
}

// source yields documents; io.EOF ends it. A document is valid until the next call.
type source interface {
	next(ctx context.Context) ([]byte, error)
	close() error
}

// Next returns the next record's document, and io.EOF after the last. The document is valid until
// the next call. Any other error is an *Error and ends the answer.
func (r *Result) Next(ctx context.Context) ([]byte, error) {
	document, err := r.source.next(ctx)
	if err != nil && !errors.Is(err, io.EOF) {
		err = classify(err)
	}
	return document, err
}

// Cursor returns what a query's After has to be for the page that follows this one, once all of this one has
// been read; empty: this is the last. It reports whether pages by key were asked for. An error is an *Error.
func (r *Result) Cursor() (cursor string, asked bool, err error) {
	switch {
	case r.seal == nil:
		return "", false, nil
	case r.rows == nil || !r.rows.more:
		return "", true, nil
	}
	cursor, err = r.seal.seal(&position{binding: r.rows.statement.binding, values: r.rows.last})
	return cursor, true, classify(err)
}

// Remember notes the tag of the whole answer, once all of it has been read and before Close, for askers who have it.
func (r *Result) Remember(tag string) {
	if r.remember != nil {
		r.remember(tag)
	}
}

// Lasting reports whether Remember is of use: whether the answer stays what it is for as long as nothing is written.
func (r *Result) Lasting() bool { return r.remember != nil }

// Close ends the read, finished or not.
func (r *Result) Close() error { return r.source.close() }

// rowSource streams the rows of a statement.
type rowSource struct {
	pipeline  *pg.Pipeline
	statement *statement
	limit     int64     // the most records that there are, 0 where that is not known
	read      int64     // rows
	last      []*string // what the last row of a page by key is ordered by
	more      bool      // there are rows behind that page
	// held is the first row's document, read ahead to see whether the statement works at all.
	held    []byte
	heldErr error
	ahead   bool
	ended   bool
	// expected is the snapshot that rows must tell as their last column; nil: they do not tell any.
	expected *string
	// shelf is what layers are made documents on; nil: they come finished.
	shelf *shelf
	// counted ends the counting of the page as one that is being read, see turns; handed is how many bytes of it have been handed
	// out.
	counted func()
	handed  int
	// begun and quiet are of pages in portions: the first has been asked for, and nothing is under way.
	begun, quiet bool
	// fetched tells of the reading of the next portion on the spare shelf, which has the pipeline and the state
	// of the rows to itself until then; nil: nothing is read.
	fetched chan error
	spare   *shelf
	cancel  context.CancelFunc // of what is read ahead; nil: nothing is
}

// peek reads the first row ahead and returns the error it met, io.EOF aside.
func (s *rowSource) peek(ctx context.Context) error {
	s.held, s.heldErr = s.next(ctx)
	s.ahead = true
	if errors.Is(s.heldErr, io.EOF) {
		return nil
	}
	return s.heldErr
}

func (s *rowSource) next(context.Context) ([]byte, error) {
	switch {
	case s.ahead:
		s.ahead = false
		return s.held, s.heldErr
	case s.statement.parted:
		return s.nextOfPortion()
	}
	row, flags, err := s.row()
	if err != nil {
		return nil, err
	}
	if err := flagError(flags); err != nil {
		return nil, err
	}
	if s.shelf != nil {
		return s.shelf.single(s.statement.layer, row)
	}
	return row[0], nil
}

// row reads the next root record's row and its flags.
func (s *rowSource) row() (row [][]byte, flags int64, err error) {
	if s.ended {
		return nil, 0, io.EOF
	}
	row, err = s.pipeline.Row()
	switch {
	case errors.Is(err, pg.ErrPortion):
		return nil, 0, err
	case errors.Is(err, io.EOF) && s.expected != nil && s.read == 0:
		// What is not there does not tell when.
		s.ended = true
		return nil, 0, errRestless
	case err != nil:
		s.ended = true
		return nil, 0, err
	}
	if s.expected != nil {
		told := row[len(row)-1]
		if string(told) != *s.expected {
			return nil, 0, errRestless
		}
		row = row[:len(row)-1]
	}
	if s.statement.page > 0 && s.read == s.statement.page {
		// It is there to tell that there is more, and not to be shown.
		s.more, s.ended = true, true
		if _, err = s.pipeline.Row(); err == nil {
			err = errors.New("a page by key has more rows than it was to have")
		}
		if errors.Is(err, pg.ErrPortion) {
			err = io.EOF
		}
		return nil, 0, err
	}
	s.read++
	if s.read == s.statement.page {
		s.keep(row[len(row)-s.statement.keys:])
	}
	if s.statement.flagged {
		flags, err = intColumn(row[s.statement.columns()])
	}
	return row, flags, err
}

// keep copies the texts of the keys, which are valid until the next row.
func (s *rowSource) keep(keys [][]byte) {
	s.last = make([]*string, len(keys))
	for i, key := range keys {
		if key != nil {
			text := string(key)
			s.last[i] = &text
		}
	}
}

func (s *rowSource) close() error {
	defer ended(s.cancel)
	defer s.counted()
	if broken := s.settle(); broken || !s.ended && !s.quiet && (s.limit == 0 || s.read < s.limit) {
		// Rather than read the rest of an answer that nobody wants, the connection is given up.
		s.pipeline.Abandon()
		return nil
	}
	return s.pipeline.Close()
}

// intColumn reads an integer column; NULL is 0.
func intColumn(text []byte) (int64, error) {
	if text == nil {
		return 0, nil
	}
	if len(text) > 0 && len(text) < 19 && decimal(text) {
		n := int64(0)
		for _, c := range text {
			n = n*10 + int64(c-'0')
		}
		return n, nil
	}
	return strconv.ParseInt(string(text), 10, 64)
}

// flagError turns the flags of a row into the error they mean.
func flagError(flags int64) error {
	switch {
	case flags&flagDenied != 0:
		return denied("the user may not read a record that is nested in the answer")
	case flags&flagNotSingle != 0:
		return &Error{Kind: NotSingle, Message: "a field asked for as one record has several"}
	}
	return nil
}

// Batches of documents that are filled in from Odoo together.
const (
	spliceRows  = 200
	spliceBytes = 4 << 20
)

// spliceSourceStream fills the marks of another source's documents, batch by batch.
type splicedStream struct {
	rows    *rowSource
	splicer *splicer
	batch   [][]byte
	done    bool
}

func (s *splicedStream) next(ctx context.Context) ([]byte, error) {
	if len(s.batch) == 0 {
		if err := s.refill(ctx); err != nil {
			return nil, err
		}
	}
	if len(s.batch) == 0 {
		return nil, io.EOF
	}
	document := s.batch[0]
	s.batch = s.batch[1:]
	return document, nil
}

func (s *splicedStream) refill(ctx context.Context) error {
	if s.done {
		return nil
	}
	size := 0
	for len(s.batch) < spliceRows && size < spliceBytes {
		document, err := s.rows.next(ctx)
		if errors.Is(err, io.EOF) {
			// The connection is free again before Odoo is asked.
			s.done = true
			if err := s.rows.close(); err != nil {
				return err
			}
			break
		}
		if err != nil {
			return err
		}
		s.batch = append(s.batch, append([]byte(nil), document...))
		size += len(document)
	}
	return s.splicer.fill(ctx, s.batch)
}

func (s *splicedStream) close() error {
	if s.done {
		return nil
	}
	s.done = true
	return s.rows.close()
}

// odooSource reads documents through Odoo, chunk by chunk.
type odooSource struct {
	run   *odooRun
	ids   []recordID
	batch [][]byte
}

func (s *odooSource) next(ctx context.Context) ([]byte, error) {
	for len(s.batch) == 0 {
		if len(s.ids) == 0 {
			return nil, io.EOF
		}
		chunk := s.ids[:min(len(s.ids), odooChunk)]
		s.ids = s.ids[len(chunk):]
		err := s.run.chunks(chunk, func(part []recordID) error {
			documents, err := s.run.objects(ctx, s.run.plan.Root, part, "")
			if err != nil {
				return err
			}
			for _, id := range part {
				if document, ok := documents[id]; ok {
					s.batch = append(s.batch, document)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		s.run.trim()
	}
	document := s.batch[0]
	s.batch = s.batch[1:]
	return document, nil
}

func (s *odooSource) close() error { return nil }

// classify makes an *Error of whatever a read failed with.
func classify(err error) error {
	err = asError(err)
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	switch pg.Classify(err) {
	case pg.Unavailable:
		return &Error{Kind: DatabaseUnavailable, Message: "the database cannot be reached", Err: err}
	case pg.Timeout:
		return &Error{Kind: Timeout, Message: "the read took longer than the limit", Err: err}
	case pg.Canceled:
		return &Error{Kind: Timeout, Message: "the read was given up", Err: err}
	case pg.Conflict:
		return &Error{Kind: Overloaded, Message: "the database keeps giving the read up for the sake of what it follows", Err: err}
	case pg.BadValue:
		return &Error{Kind: Invalid, Message: "a value does not fit the field it is compared with", Err: err}
	}
	return &Error{Kind: Internal, Message: "internal error", Err: err}
}
