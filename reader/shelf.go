package reader

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"lateral/pg"
)

// shelf is where a portion of a page that is rendered level by level is put together: the texts of all records
// of all levels, with gaps where other records belong. Its memory is used again for the next portion.
type shelf struct {
	text   []byte
	gaps   []gap
	roots  []record
	at     int     // the next of roots
	parts  []*rows // by the parts' numbers, nil where none has been wanted
	wanted []*part // parts some of whose keys have been seen and not been asked for
	out    []byte  // the document handed out last
	whole  []byte  // the documents of records that are shown repeatedly
}

// record is the text of one record, from one byte to before another, and its gaps likewise.
type record struct {
	from, to          int
	firstGap, gapsEnd int
	flags             int64
	next              int // the next record of the same key, where there are several; 0: none
	// shown is how often the record's document has been put together. From the second time on it is kept as a whole,
	// with the flags of all that is nested in it: the product of many lines is put together no more than twice.
	shown              int
	wholeFrom, wholeTo int
	wholeFlags         int64
}

// gap is a place in a text where records belong.
type gap struct {
	at   int
	part *part
	key  int64
	rows *rows // nil: the key is NULL
}

// rows are the records of a part.
type rows struct {
	keys  []int64 // to be asked for
	asked bool    // alongside those that lead to them, so that nobody else need to ask
	groups
	all []record // from 1 on
}

// How many root records are read at a time: as many as take about portionBytes, if it is known how many
// that are.
const (
	firstPortion = 16
	maxPortion   = 1000
	portionBytes = 4 << 20
	gapBytes     = 150 // of a gap and what it leads to, besides the text
)

// shelfBytes bounds the shelves that are kept for other reads.
const shelfBytes = 2 * portionBytes

// takeShelf returns an empty shelf for rows of the statement, one of an earlier read if there is one.
func (s *statement) takeShelf() *shelf {
	if kept, ok := s.shelves.Get().(*shelf); ok {
		return kept
	}
	return &shelf{}
}

// giveShelf takes back a shelf whose documents are not needed any more.
func (s *statement) giveShelf(used *shelf) {
	if cap(used.text)+cap(used.out)+cap(used.whole)+gapBytes*cap(used.gaps) > shelfBytes {
		return
	}
	used.clear()
	used.wanted = nil
	s.shelves.Put(used)
}

// portion is how many root records of about size bytes are read at a time.
func portion(size int64) int {
	if size == 0 {
		return firstPortion
	}
	return int(min(max(portionBytes/size, 1), maxPortion))
}

// single renders a record of a layer without parts.
func (s *shelf) single(l *layer, row [][]byte) ([]byte, error) {
	s.text = s.text[:0]
	_, err := s.add(l, row, 0)
	return s.text, err
}

// add renders a row of a layer, leaving gaps for what its parts will have.
func (s *shelf) add(l *layer, row [][]byte, flags int64) (record, error) {
	r := record{from: len(s.text), firstGap: len(s.gaps), flags: flags}
	for i := range l.columns {
		column := &l.columns[i]
		s.text = append(s.text, column.lead...)
		if column.part == nil {
			s.text = column.as.append(s.text, row[i])
			continue
		}
		g := gap{at: len(s.text), part: column.part}
		if row[i] != nil {
			var err error
			if g.key, err = intColumn(row[i]); err != nil {
				return record{}, fmt.Errorf("the key of %s: %w", column.lead, err)
			}
			g.rows = s.want(g.part, g.key)
		}
		s.gaps = append(s.gaps, g)
	}
	s.text = append(s.text, l.tail...)
	r.to, r.gapsEnd = len(s.text), len(s.gaps)
	return r, nil
}

// want notes that the records of a key are to be read, and returns where they will be.
func (s *shelf) want(p *part, key int64) *rows {
	of := s.rows(p)
	if of.asked {
		return of
	}
	if len(of.keys) == 0 {
		s.wanted = append(s.wanted, p)
	}
	of.keys = append(of.keys, key)
	return of
}

// rows are the records of a part, none at first.
func (s *shelf) rows(p *part) *rows {
	for len(s.parts) <= p.number {
		s.parts = append(s.parts, nil)
	}
	if s.parts[p.number] == nil {
		s.parts[p.number] = &rows{all: make([]record, 1)}
	}
	return s.parts[p.number]
}

// clear empties the shelf.
func (s *shelf) clear() {
	s.text, s.gaps, s.whole, s.roots, s.at = s.text[:0], s.gaps[:0], s.whole[:0], s.roots[:0], 0
	for _, of := range s.parts {
		if of == nil {
			continue
		}
		of.groups.clear()
		of.all, of.keys, of.asked = of.all[:1], of.keys[:0], false
	}
}

// gather reads what is nested in the records on the shelf, level by level: all parts of one level in one round trip. last
// tells that nothing else will be read.
func (s *shelf) gather(pipeline *pg.Pipeline, last bool) error {
	for len(s.wanted) > 0 {
		statements, parts, err := s.ask(s.wanted)
		if err != nil {
			return err
		}
		send := pipeline.Send
		if last && !slices.ContainsFunc(parts, func(p *part) bool { return len(p.parts()) > len(p.alongside) }) {
			send = pipeline.SendLast
		}
		if err := send(statements...); err != nil {
			return err
		}
		if err := s.gatherParts(pipeline, parts); err != nil {
			return err
		}
	}
	return nil
}

// ask returns the statements that read the records that are wanted of parts, and of those alongside, and the parts in
// the order of the statements.
func (s *shelf) ask(wanted []*part) (statements []pg.Statement, parts []*part, err error) {
	s.wanted = nil
	for _, p := range wanted {
		of := s.parts[p.number]
		slices.Sort(of.keys)
		keys := slices.Compact(of.keys)
		if statements, parts, err = s.askFor(p, keys, statements, parts); err != nil {
			return nil, nil, err
		}
		of.keys = of.keys[:0]
	}
	return statements, parts, nil
}

// askFor adds the statements that read a part, and those alongside, for keys.
func (s *shelf) askFor(p *part, keys []int64, statements []pg.Statement, parts []*part) ([]pg.Statement, []*part, error) {
	of := s.rows(p)
	of.expect(keys)
	statement, err := p.of(keys)
	if err != nil {
		return nil, nil, err
	}
	statements, parts = append(statements, statement), append(parts, p)
	for _, next := range p.alongside {
		s.rows(next).asked = true
		if statements, parts, err = s.askFor(next, keys, statements, parts); err != nil {
			return nil, nil, err
		}
	}
	return statements, parts, nil
}

func (s *shelf) gatherParts(pipeline *pg.Pipeline, parts []*part) error {
	for _, p := range parts {
		if err := s.gatherPart(pipeline, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) gatherPart(pipeline *pg.Pipeline, p *part) error {
	for {
		row, err := pipeline.Row()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		key, err := intColumn(row[0])
		if err != nil {
			return fmt.Errorf("the key of a nested record: %w", err)
		}
		flags := int64(0)
		if p.flagged {
			if flags, err = intColumn(row[len(row)-1]); err != nil {
				return err
			}
		}
		if err := s.place(p, key, row[1:], flags); err != nil {
			return err
		}
	}
}

// place puts a record of a part behind those of the same key. One of a key that nobody asked for is passed over.
func (s *shelf) place(p *part, key int64, row [][]byte, flags int64) error {
	of := s.parts[p.number]
	g := of.of(key)
	if g == nil {
		return nil
	}
	r, err := s.add(&p.layer, row, flags)
	if err != nil {
		return err
	}
	n := len(of.all)
	of.all = append(of.all, r)
	if g.count == 0 {
		g.first = n
	} else {
		of.all[g.last].next = n
	}
	g.last = n
	g.count++
	return nil
}

// document puts a record together with all that is nested in it, and returns its flags too.
func (s *shelf) document(dst []byte, r *record) ([]byte, int64) {
	at, flags := r.from, r.flags
	for i := r.firstGap; i < r.gapsEnd; i++ {
		g := &s.gaps[i]
		dst = append(dst, s.text[at:g.at]...)
		at = g.at
		var inner int64
		dst, inner = s.fill(dst, g)
		flags |= inner
	}
	return append(dst, s.text[at:r.to]...), flags
}

// fill appends what belongs into a gap.
func (s *shelf) fill(dst []byte, g *gap) ([]byte, int64) {
	var found group
	of := g.rows
	if of != nil {
		if known := of.of(g.key); known != nil {
			found = *known
		}
	}
	list := g.part.shape.listed(found.count)
	switch {
	case found.count == 0 && list:
		return append(dst, "[]"...), 0
	case found.count == 0:
		return append(dst, "null"...), 0
	case found.count > 1 && !list:
		// None of several records is read, so that none is refused.
		return append(dst, "null"...), flagNotSingle
	}
	if list {
		dst = append(dst, '[')
	}
	flags := int64(0)
	for n := found.first; n != 0; n = of.all[n].next {
		if n != found.first {
			dst = append(dst, ',')
		}
		var inner int64
		dst, inner = s.again(dst, &of.all[n])
		flags |= inner
	}
	if list {
		dst = append(dst, ']')
	}
	return dst, flags
}

// again is document of a record that may have been put together before.
func (s *shelf) again(dst []byte, r *record) ([]byte, int64) {
	if r.wholeTo > 0 {
		return append(dst, s.whole[r.wholeFrom:r.wholeTo]...), r.wholeFlags
	}
	start := len(dst)
	dst, flags := s.document(dst, r)
	r.shown++
	if r.shown == 2 && r.gapsEnd > r.firstGap && len(s.whole) < portionBytes {
		r.wholeFrom = len(s.whole)
		s.whole = append(s.whole, dst[start:]...)
		r.wholeTo, r.wholeFlags = len(s.whole), flags
	}
	return dst, flags
}

// listed reports whether so many records of a relational field are written as a list.
func (s Shape) listed(count int) bool {
	switch s {
	case Objects, IDs, ObjectList:
		return true
	case NullableIDs:
		return count > 0
	case BareIDs:
		return count > 1
	}
	return false
}

// longPage is how many bytes a page has that is taken to wait for its client rather than for PostgreSQL.
const longPage = 256 << 10

// nextOfPortion is next of a page that is rendered level by level.
func (s *rowSource) nextOfPortion() ([]byte, error) {
	if s.shelf.at == len(s.shelf.roots) {
		if err := s.nextPortion(); err != nil {
			return nil, err
		}
	}
	shelf := s.shelf
	var flags int64
	shelf.out, flags = shelf.document(shelf.out[:0], &shelf.roots[shelf.at])
	shelf.at++
	if s.handed += len(shelf.out); s.handed > longPage {
		s.counted()
	}
	return shelf.out, flagError(flags)
}

// nextPortion puts the next root records, with all that is nested in them, on the shelf. Then it begins to read those behind
// them on another shelf, so that PostgreSQL works while Go writes and the client reads.
func (s *rowSource) nextPortion() error {
	if s.fetched == nil {
		if err := s.fetch(s.shelf); err != nil {
			return err
		}
	} else {
		err := <-s.fetched
		s.fetched = nil
		if err != nil {
			return err
		}
		s.shelf, s.spare = s.spare, s.shelf
	}
	if s.ended || s.cancel == nil {
		return nil
	}
	if s.spare == nil {
		s.spare = s.statement.takeShelf()
	}
	spare, fetched := s.spare, make(chan error, 1)
	s.fetched = fetched
	go func() {
		defer func() {
			// A handler survives one, and so does the process.
			if bug := recover(); bug != nil {
				fetched <- fmt.Errorf("reading ahead: panic: %v", bug)
			}
		}()
		fetched <- s.fetch(spare)
	}()
	return nil
}

// fetch reads the next root records and all that is nested in them. io.EOF: there are none.
func (s *rowSource) fetch(shelf *shelf) error {
	if s.ended {
		return io.EOF
	}
	if s.begun {
		if err := s.pipeline.More(portion(s.statement.size.Load())); err != nil {
			return err
		}
	}
	s.begun, s.quiet = true, false
	shelf.clear()
	for {
		row, flags, err := s.row()
		if errors.Is(err, io.EOF) || errors.Is(err, pg.ErrPortion) {
			break
		}
		if err != nil {
			return err
		}
		r, err := shelf.add(s.statement.layer, row, flags)
		if err != nil {
			return err
		}
		shelf.roots = append(shelf.roots, r)
	}
	if err := shelf.gather(s.pipeline, s.ended); err != nil {
		return err
	}
	s.quiet = true
	if len(shelf.roots) == 0 {
		return io.EOF
	}
	s.statement.size.Store(int64((len(shelf.text)+gapBytes*len(shelf.gaps))/len(shelf.roots)) + 1)
	return nil
}

// settle ends the reading ahead, if there is any, and gives the shelves back. It reports whether it had to break that off,
// and the connection with it, rather than wait for PostgreSQL.
func (s *rowSource) settle() (broken bool) {
	if s.fetched != nil {
		select {
		case <-s.fetched:
		default:
			s.cancel()
			<-s.fetched
			broken = true
		}
		s.fetched = nil
	}
	for _, shelf := range []*shelf{s.shelf, s.spare} {
		if shelf != nil {
			s.statement.giveShelf(shelf)
		}
	}
	s.shelf, s.spare = nil, nil
	return broken
}
