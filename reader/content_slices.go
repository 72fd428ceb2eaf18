package reader

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"lateral/pg"
)

// sliceSize is how much of a content is fetched from the database at once, in bytes of the content.
// It is a multiple of three, as many as four characters of base64 hold.
const sliceSize = 3 << 18

// contentSlices reads a content that lies in the database, slice by slice, so that neither a connection is
// held for a slow client nor the content in memory. Each slice is read only from the very version of
// the row in which the content was found.
type contentSlices struct {
	ctx    context.Context // of the answer that the content is read for
	q      pg.Querier
	place  contentPlace
	sql    string
	base64 bool // slices are base64 text
	at     int64
	ready  []byte // the part of slice that has not been read yet
	slice  []byte // the memory of all slices in turn
}

func newContentSlices(ctx context.Context, q pg.Querier, place contentPlace, offset int64) *contentSlices {
	s := &contentSlices{ctx: ctx, q: q, place: place, at: offset}
	table, column := ident(place.Table), ident(place.Column)
	switch {
	case place.Table == "":
		s.sql = attachmentSlice
	case place.Chars == (place.Size+2)/3*4:
		s.sql, s.base64 = fmt.Sprintf(columnSlice, column, table), true
	default:
		s.sql = fmt.Sprintf(textSlice, column, table, decoded(column))
	}
	return s
}

func (s *contentSlices) Read(p []byte) (int, error) {
	if len(s.ready) == 0 {
		if s.at >= s.place.Size {
			return 0, io.EOF
		}
		if err := s.fetch(); err != nil {
			return 0, classify(err)
		}
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	s.at += int64(n)
	return n, nil
}

// fetch reads the next slice.
func (s *contentSlices) fetch() error {
	from, size := s.at, int64(sliceSize)
	if s.base64 {
		from = s.at / 3 * 4
		size = sliceSize / 3 * 4
	}
	row := s.place.Row + s.place.Attachment
	slice := pgtype.PreallocBytes(s.slice)
	err := s.q.QueryRow(s.ctx, s.sql, row, s.place.Version, from+1, size).Scan(&slice)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("reading a content: %w", errContentMoved)
	}
	if err != nil {
		return fmt.Errorf("reading a content: %w", err)
	}
	s.slice = slice[:cap(slice)]
	if s.base64 {
		n, err := base64.StdEncoding.Decode(slice, slice)
		if err != nil {
			return fmt.Errorf("reading a content: %w", err)
		}
		slice = slice[:n]
		slice = slice[min(s.at%3, int64(n)):]
	}
	if len(slice) == 0 {
		return fmt.Errorf("reading a content: %w", io.ErrUnexpectedEOF)
	}
	s.ready = slice
	return nil
}

// Close does nothing: between slices nothing is held.
func (s *contentSlices) Close() error { return nil }
