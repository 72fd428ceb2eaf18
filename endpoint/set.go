package endpoint

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"lateral/server"
)

// longestFile bounds a file of scripts, in bytes.
const longestFile = 1 << 20

// ReadFolder reads the scripts of a folder, *.star, in the order of their names.
func ReadFolder(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("endpoints: %w", err)
	}
	var files []File
	for _, entry := range entries {
		if entry.IsDir() || filepath.Ext(entry.Name()) != ".star" {
			continue
		}
		text, err := readFile(filepath.Join(dir, entry.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // removed in this moment
		}
		if err != nil {
			return nil, fmt.Errorf("endpoints: %w", err)
		}
		files = append(files, File{Name: entry.Name(), Text: text})
	}
	return files, nil
}

// readFile reads a file, of one that is too long a little more than may be.
func readFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, longestFile+1))
	return string(text), errors.Join(err, f.Close())
}

// Set is the endpoints of a folder's scripts. It is immutable; nil is none.
type Set struct {
	entries   map[string]*setEntry // by file
	endpoints *server.Endpoints
	problems  map[string]error
}

// setEntry is one file and what came of it.
type setEntry struct {
	text   string
	loaded *script // of this text; nil where it is wrong
	err    error
	good   *script // the last one that was in force
}

// Renew returns the endpoints of some files. A file that is wrong, or whose endpoints are taken,
// leaves its last good version in force; other files are not concerned. taken tells, for a path's
// segments, why no endpoint can have the path, or nil.
func (s *Set) Renew(e *Engine, files []File, taken func(segments []string) error) *Set {
	next := &Set{entries: make(map[string]*setEntry, len(files)), problems: map[string]error{}}
	var list []server.Endpoint
	for _, f := range files {
		entry := s.entry(e, f)
		next.entries[f.Name] = entry
		err := entry.err
		for _, version := range []*script{entry.loaded, entry.good} {
			if version == nil {
				continue
			}
			more, failed := e.endpoints(version, list, taken)
			if failed == nil {
				list, entry.good = more, version
				break
			}
			if err == nil {
				err = failed
			}
		}
		if err != nil {
			next.problems[f.Name] = err
		}
	}
	// Each of them was found to go with those before it.
	next.endpoints, _ = server.NewEndpoints(list...)
	return next
}

func (s *Set) entry(e *Engine, f File) *setEntry {
	entry := &setEntry{text: f.Text}
	if s != nil && s.entries[f.Name] != nil {
		old := s.entries[f.Name]
		entry.good = old.good
		if old.text == f.Text {
			entry.loaded, entry.err = old.loaded, old.err
			return entry
		}
	}
	if len(f.Text) > longestFile {
		entry.err = &Error{File: f.Name, Text: "the file is too long"}
		return entry
	}
	// An *Error that is nil must not become an error that is not.
	loaded, err := load(f, e.Limits)
	entry.loaded, entry.err = loaded, err
	return entry
}

// endpoints adds a script's endpoints to those of others.
func (e *Engine) endpoints(s *script, list []server.Endpoint, taken func(segments []string) error) ([]server.Endpoint, error) {
	list = list[:len(list):len(list)]
	for _, d := range s.declarations {
		if err := taken(strings.Split(strings.Trim(d.path, "/"), "/")); err != nil {
			return nil, &Error{File: s.file, Line: d.line, Text: fmt.Sprintf("%s: %s", d.path, err)}
		}
		list = append(list, server.Endpoint{
			Path: d.path, Verbs: d.verbs, Summary: d.summary, Description: strings.TrimSpace(d.handler.Doc()), Handle: e.handle(s.file, d),
		})
		if _, err := server.NewEndpoints(list...); err != nil {
			return nil, &Error{File: s.file, Line: d.line, Text: err.Error()}
		}
	}
	return list, nil
}

// Endpoints returns the endpoints in force.
func (s *Set) Endpoints() *server.Endpoints {
	if s == nil {
		return nil
	}
	return s.endpoints
}

// Problems returns what is wrong, by file. Errors are *Error.
func (s *Set) Problems() map[string]error {
	if s == nil {
		return nil
	}
	return s.problems
}
