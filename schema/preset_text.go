package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.starlark.net/syntax"
)

// PresetParameter is what the keys of Odoo's parameters (ir.config_parameter) that hold presets
// begin with; the model's name follows.
const PresetParameter = "lateral.preset."

// PresetText is the text of one model's preset, and where it stands.
type PresetText struct {
	// Model is empty of an alias, whose text has it.
	Model string
	// Alias tells that it is the preset of an alias, whose path the text has.
	Alias bool
	// Source is what errors call it: a file's name, or the key of Odoo's parameter.
	Source string
	// Stored tells that it is kept in Odoo.
	Stored bool
	Text   string
}

// ReadPresetFolder reads the presets of a folder, in the order of their files' names: <model>.schema
// and <model>.json, and *.alias for those of aliases. Other files are ignored.
func ReadPresetFolder(dir string) ([]PresetText, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("presets: %w", err)
	}
	var texts []PresetText
	for _, entry := range entries {
		extension := filepath.Ext(entry.Name())
		if entry.IsDir() || extension != ".schema" && extension != ".json" && extension != ".alias" {
			continue
		}
		file := filepath.Join(dir, entry.Name())
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue // removed in this moment
		}
		if err != nil {
			return nil, fmt.Errorf("presets: %w", err)
		}
		read := PresetText{Source: file, Text: string(text), Alias: extension == ".alias"}
		if !read.Alias {
			read.Model = strings.TrimSuffix(entry.Name(), extension)
		}
		texts = append(texts, read)
	}
	return texts, nil
}

// Parse returns the preset that a text holds: one dictionary in Python's syntax, or the same as
// JSON, which files named so must hold. Its keys are read_all, read_one, create_one, defaults, domain, success_codes and available,
// each of which may be missing; of an alias also path and model, which may not. The error joins a *PresetError for each mistake; a preset comes with
// it where the text is a dictionary.
func (t PresetText) Parse() (*Preset, error) {
	var keys map[string]presetValue
	var err error
	switch text := []byte(t.Text); {
	case json.Valid(text):
		keys, err = jsonKeys(text)
	case strings.HasSuffix(t.Source, ".json"):
		err = jsonSyntaxError(text)
	default:
		keys, err = literalKeys(t.Text)
	}
	if err != nil {
		failure := &PresetError{Source: t.Source, Err: err}
		if at := (*LiteralError)(nil); errors.As(err, &at) {
			failure.Line, failure.Err = at.Line, errors.New(at.Msg)
		}
		return nil, failure
	}
	if !t.Alias {
		return newPreset(t.Model, t.Source, keys)
	}
	written := map[string]presetValue{"path": keys["path"], "model": keys["model"]}
	path, model, wrong := takeAlias(t.Source, keys)
	p, err := newPreset(model, t.Source, keys)
	p.Alias = path
	for key, v := range written {
		p.written[key] = v
	}
	return p, errors.Join(wrong, err)
}

// Resolve parses the text and resolves its preset against a catalogue. It returns the preset as it is
// before and after that; the error joins all mistakes of both.
func (t PresetText) Resolve(c *Catalogue) (parsed, resolved *Preset, err error) {
	parsed, err = t.Parse()
	if parsed == nil || parsed.Model == "" {
		return parsed, nil, err
	}
	resolved, unfit := parsed.Resolve(c)
	return parsed, resolved, errors.Join(err, unfit)
}

// presetValue is a value, the line that its key stands on, and the expression it was written as;
// nil where it is JSON.
type presetValue struct {
	value any
	line  int
	expr  syntax.Expr
}

// jsonSyntaxError returns why a text is no JSON, and on which line.
func jsonSyntaxError(text []byte) error {
	err := json.Unmarshal(text, new(any))
	line := 1 + bytes.Count(bytes.TrimRight(text, "\n"), []byte("\n"))
	if at := (*json.SyntaxError)(nil); errors.As(err, &at) && at.Offset <= int64(len(text)) {
		line = 1 + bytes.Count(text[:at.Offset], []byte("\n"))
	}
	return &LiteralError{Line: line, Col: 1, Msg: jsonError(err).Msg}
}

// jsonKeys returns the members of an object and notes the line of each.
func jsonKeys(text []byte) (map[string]presetValue, error) {
	value, err := DecodeJSON(text)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("want an object, not " + describe(value))
	}
	keys := make(map[string]presetValue, len(object))
	// The text is valid, so that every second token of the object is a key.
	decoder := json.NewDecoder(bytes.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string)
		line := 1 + bytes.Count(text[:decoder.InputOffset()], []byte("\n"))
		if _, twice := keys[key]; twice {
			return nil, &LiteralError{Line: line, Col: 1, Msg: fmt.Sprintf("the key %q is there twice", key)}
		}
		keys[key] = presetValue{value: object[key], line: line}
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// literalKeys parses a dictionary and notes the line of each key.
func literalKeys(text string) (map[string]presetValue, error) {
	expr, err := literalExpr(text)
	if err != nil {
		return nil, err
	}
	dict, ok := expr.(*syntax.DictExpr)
	if !ok {
		return nil, errors.New("want one dictionary: {'read_all': (…), …}")
	}
	keys := make(map[string]presetValue, len(dict.List))
	for _, item := range dict.List {
		entry := item.(*syntax.DictEntry)
		key, value, err := literalEntry(entry)
		if err != nil {
			return nil, err
		}
		start, _ := entry.Key.Span()
		if _, twice := keys[key]; twice {
			return nil, literalErrorAt(start, fmt.Sprintf("the key %q is there twice", key))
		}
		keys[key] = presetValue{value: value, line: int(start.Line), expr: entry.Value}
	}
	return keys, nil
}

// treeLine returns the line of the field that an error of ParseTree is about, else that of the key.
func (v presetValue) treeLine(err error) int {
	var tree *TreeError
	if errors.As(err, &tree) && tree.Path != "" {
		return v.lineOf(strings.Split(tree.Path, ".")...)
	}
	return v.line
}

// lineOf returns the line of the text that is named by the last of some names, each nested in an
// item that the one before it begins, else the line of the key.
func (v presetValue) lineOf(names ...string) int {
	if v.expr != nil {
		if line := findText(v.expr, names); line > 0 {
			return line
		}
	}
	return v.line
}

func findText(expr syntax.Expr, names []string) int {
	switch x := expr.(type) {
	case *syntax.Literal:
		if len(names) == 1 && x.Value == names[0] {
			return int(x.TokenPos.Line)
		}
	case *syntax.ParenExpr:
		return findText(x.X, names)
	case *syntax.DictExpr:
		for _, item := range x.List {
			if line := findText(item.(*syntax.DictEntry).Key, names); line > 0 {
				return line
			}
		}
	case *syntax.TupleExpr:
		return findItem(x.List, names)
	case *syntax.ListExpr:
		return findItem(x.List, names)
	}
	return 0
}

func findItem(list []syntax.Expr, names []string) int {
	if len(list) > 1 && len(names) > 1 {
		if first, ok := list[0].(*syntax.Literal); ok && first.Value == names[0] {
			if line := findItem(list[1:], names[1:]); line > 0 {
				return line
			}
		}
	}
	for _, item := range list {
		if line := findText(item, names); line > 0 {
			return line
		}
	}
	return 0
}
