package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"lateral/reader"
)

// tableForm is CSV (RFC 4180): a line of names, then a line for each record. A field that leads to one
// record makes columns of that record's fields, with a dot between the names; what is a list in JSON is
// its JSON in a cell. What is null is an empty cell; of the text "", which JSON tells from null, the
// quotes stand there.
type tableForm struct {
	bare
	columns []tableColumn
	names   string   // the first line
	cells   [][]byte // of the record under way, by column
	// spreadsheet keeps programs from taking texts for formulas, and tells them that this is UTF-8.
	spreadsheet bool
}

// tableColumn is a reader.Column with its place.
type tableColumn struct {
	name    string
	at      int           // in cells, of a value
	columns []tableColumn // nil: a value
}

const byteOrderMark = "\ufeff"

func newTableForm(columns []reader.Column, spreadsheet bool) *tableForm {
	f := &tableForm{spreadsheet: spreadsheet}
	var names []string
	f.columns = placed(columns, "", &names)
	f.cells = make([][]byte, len(names))
	if f.names = strings.Join(names, ",") + "\r\n"; spreadsheet {
		f.names = byteOrderMark + f.names
	}
	return f
}

// placed gives columns their places behind those that have names already. Fields' names need no quotes.
func placed(columns []reader.Column, prefix string, names *[]string) []tableColumn {
	list := make([]tableColumn, len(columns))
	for i, c := range columns {
		list[i] = tableColumn{name: c.Name, at: len(*names)}
		if c.Columns != nil {
			list[i].columns = placed(c.Columns, prefix+c.Name+".", names)
			continue
		}
		*names = append(*names, prefix+c.Name)
	}
	return list
}

func (*tableForm) mediaType() string { return "text/csv; charset=utf-8" }

func (f *tableForm) whole(*page) (before, after string) { return f.names, "" }

func (f *tableForm) opening() string { return f.names }

func (f *tableForm) record(dst, document []byte, _ int64) ([]byte, error) {
	clear(f.cells)
	if err := f.fill(document, f.columns); err != nil {
		return dst, fmt.Errorf("a record as CSV: %w", err)
	}
	for i, cell := range f.cells {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = f.appendCell(dst, cell); err != nil {
			return dst, fmt.Errorf("a record as CSV: %w", err)
		}
	}
	return append(dst, "\r\n"...), nil
}

// fill finds the cells of an object. Its keys come in the order of the columns, some of which it may lack.
func (f *tableForm) fill(object []byte, columns []tableColumn) error {
	next := 0
	members := scanObject(object)
	for members.next() {
		for next < len(columns) && columns[next].name != string(members.key) {
			next++
		}
		if next == len(columns) {
			return fmt.Errorf("no column is left for %q", members.key)
		}
		c := columns[next]
		next++
		switch {
		case c.columns == nil:
			f.cells[c.at] = members.value
		case string(members.value) != "null":
			if err := f.fill(members.value, c.columns); err != nil {
				return err
			}
		}
	}
	return members.err
}

// appendCell appends a value: a text as it is, anything else as its JSON.
func (f *tableForm) appendCell(dst, value []byte) ([]byte, error) {
	switch {
	case len(value) == 0 || string(value) == "null":
		return dst, nil
	case value[0] != '"':
		return appendQuoted(dst, value), nil
	case len(value) == 1:
		return dst, errNoObject
	}
	text := value[1 : len(value)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		var decoded string
		if err := json.Unmarshal(value, &decoded); err != nil {
			return dst, err
		}
		text = []byte(decoded)
	}
	if len(text) == 0 {
		return append(dst, `""`...), nil
	}
	if f.spreadsheet && formula(text) {
		// As Odoo's own export does (Odoo 14.0-19.0: addons/web/controllers/export.py, CSVExport).
		text = append([]byte{'\''}, text...)
	}
	return appendQuoted(dst, text), nil
}

// formula reports whether a spreadsheet may take a text for a formula.
func formula(text []byte) bool {
	first, _ := utf8.DecodeRune(text)
	return strings.ContainsRune("=+-@\t\r\n＝＋－＠", first)
}

// appendQuoted appends a cell, in quotes where it would be taken for more than one without.
func appendQuoted(dst, text []byte) []byte {
	if !bytes.ContainsAny(text, "\",\r\n") {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for {
		at := bytes.IndexByte(text, '"')
		if at < 0 {
			break
		}
		dst = append(append(dst, text[:at]...), `""`...)
		text = text[at+1:]
	}
	return append(append(dst, text...), '"')
}

// objectScanner goes through the members of an object in JSON, whose values it does not look into. The
// text is known to be JSON, and the keys to have no escapes: fields' names have none.
type objectScanner struct {
	rest       []byte
	key, value []byte
	err        error
}

var errNoObject = errors.New("the value is no object")

func scanObject(text []byte) objectScanner {
	rest := bytes.TrimLeft(text, jsonSpace)
	if len(rest) == 0 || rest[0] != '{' {
		return objectScanner{err: errNoObject}
	}
	return objectScanner{rest: rest[1:]}
}

const jsonSpace = " \t\r\n"

// next goes to the next member, and reports false after the last.
func (s *objectScanner) next() bool {
	s.rest = bytes.TrimLeft(s.rest, jsonSpace+",")
	if s.err != nil || len(s.rest) == 0 || s.rest[0] != '"' {
		if s.err == nil && (len(s.rest) == 0 || s.rest[0] != '}') {
			s.err = errNoObject
		}
		return false
	}
	end := stringEnd(s.rest)
	if end == 1 {
		s.err = errNoObject
		return false
	}
	s.key, s.rest = s.rest[1:end-1], bytes.TrimLeft(s.rest[end:], jsonSpace+":")
	end = valueEnd(s.rest)
	s.value, s.rest = s.rest[:end], s.rest[end:]
	return true
}

// valueEnd is where the value ends that a text begins with.
func valueEnd(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringEnd(text[i:]) - 1
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // of the object around a number
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

// stringEnd is where the string ends that a text begins with, after its closing quote.
func stringEnd(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}
