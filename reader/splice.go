package reader

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"lateral/auth"
)

// splicer puts into documents what PostgreSQL could only mark: values that Odoo computes, and the
// content of files of Odoo's filestore.
type splicer struct {
	odoo      *odooExecutor
	who       auth.Credentials
	plan      *Plan
	sources   []spliceSource
	filestore string
}

// spot is one mark in a document.
type spot struct {
	start, end int    // of the mark, delimiters included
	source     int    // index of the computed field, -1 for a file
	id         int64  // of the record
	file       string // name within the filestore
}

// spots finds the marks of a document.
func spots(document []byte) ([]spot, error) {
	var found []spot
	for at := 0; ; {
		start := bytes.IndexByte(document[at:], spliceMark[0])
		if start < 0 {
			return found, nil
		}
		start += at
		length := bytes.IndexByte(document[start:], spliceEnd[0])
		if length < 2 {
			return nil, fmt.Errorf("a mark at byte %d of a document does not end", start)
		}
		body := document[start+1 : start+length]
		s := spot{start: start, end: start + length + 1, source: -1}
		switch body[0] {
		case 'f':
			s.file = string(body[1:])
		case 'c':
			index, id, ok := bytes.Cut(body[1:], []byte{':'})
			var err1, err2 error
			s.source, err1 = strconv.Atoi(string(index))
			s.id, err2 = strconv.ParseInt(string(id), 10, 64)
			if !ok || err1 != nil || err2 != nil {
				return nil, fmt.Errorf("a mark at byte %d of a document cannot be read", start)
			}
		default:
			return nil, fmt.Errorf("a mark at byte %d of a document is of no known kind", start)
		}
		found = append(found, s)
		at = s.end
	}
}

// fill replaces the marks of a batch of documents. Fields of one level are fetched together.
func (s *splicer) fill(ctx context.Context, documents [][]byte) error {
	marks := make([][]spot, len(documents))
	wanted := map[*Level]*wantedLevel{}
	for i, document := range documents {
		var err error
		if marks[i], err = spots(document); err != nil {
			return err
		}
		for _, m := range marks[i] {
			if m.source < 0 {
				continue
			}
			if m.source >= len(s.sources) {
				return fmt.Errorf("a mark names field %d of %d", m.source, len(s.sources))
			}
			source := s.sources[m.source]
			w := wanted[source.level]
			if w == nil {
				w = &wantedLevel{seen: map[int64]bool{}}
				wanted[source.level] = w
			}
			w.add(source.node, m.id)
		}
	}
	for level, w := range wanted {
		var err error
		if w.values, err = s.odoo.render(ctx, s.who, s.plan, level, w.nodes, w.ids); err != nil {
			return err
		}
	}
	for i, document := range documents {
		if len(marks[i]) == 0 {
			continue
		}
		out := make([]byte, 0, len(document)+64*len(marks[i]))
		at := 0
		for _, m := range marks[i] {
			out = append(out, document[at:m.start]...)
			var err error
			if m.source < 0 {
				out, err = s.appendFile(out, m.file)
			} else {
				source := s.sources[m.source]
				out = wanted[source.level].append(out, source.node, m.id)
			}
			if err != nil {
				return err
			}
			at = m.end
		}
		documents[i] = append(out, document[at:]...)
	}
	return nil
}

// wantedLevel is what is to be fetched from Odoo of one level's records.
type wantedLevel struct {
	nodes []*Node
	// ids are in the order in which the documents name them. Odoo is asked in that order, since what a compute
	// method gives a record may depend on those before it (14.0: addons/stock/models/stock_orderpoint.py,
	// _compute_allowed_location_ids).
	ids    []int64
	seen   map[int64]bool
	values map[int64][][]byte
}

func (w *wantedLevel) add(n *Node, id int64) {
	if !w.seen[id] {
		w.seen[id] = true
		w.ids = append(w.ids, id)
	}
	if !slices.Contains(w.nodes, n) {
		w.nodes = append(w.nodes, n)
	}
}

// append appends a fetched value. A record that has vanished since the snapshot has none.
func (w *wantedLevel) append(dst []byte, n *Node, id int64) []byte {
	texts, ok := w.values[id]
	if i := slices.Index(w.nodes, n); ok && i < len(texts) {
		return append(dst, texts[i]...)
	}
	return append(dst, "null"...)
}

// storedNamePattern is the form of names in Odoo's filestore, for Go and PostgreSQL (Odoo 14.0–19.0:
// addons/base/models/ir_attachment.py, _get_path). What has another name an add-on keeps elsewhere.
const storedNamePattern = `^[0-9a-f]{2,3}/[0-9a-f]{40,}$`

var storedName = regexp.MustCompile(storedNamePattern)

// appendFile appends a file's content as a JSON string of base64. A file that is missing is no
// content, as for Odoo.
func (s *splicer) appendFile(dst []byte, name string) ([]byte, error) {
	if !storedName.MatchString(name) {
		return nil, fmt.Errorf("the filestore has no name like %q", name)
	}
	content, err := os.ReadFile(filepath.Join(s.filestore, filepath.FromSlash(name)))
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(content) == 0:
		return append(dst, "null"...), nil
	case err != nil:
		return nil, fmt.Errorf("reading the filestore: %w", err)
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, content)
	return append(dst, '"'), nil
}
